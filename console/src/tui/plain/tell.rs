//! What is told: dialogs, jobs, news and lists, as sentences.

use std::collections::BTreeSet;

use vc_protocol::job::JobState;
use vc_protocol::operator::{AgentState, EventView, Snapshot};

use super::talk::{CHOICES, SIZE, Talk};
use crate::tui::keys::{COMMANDS, Command};
use crate::tui::model::{self, model};
use crate::tui::state::Millis;
use crate::tui::state::overlay::Overlay;

/// Most events told at once; a reader cannot keep up with more.
const EVENTS_MAX: usize = 5;
/// Most rows of a list told at once.
const ROWS_MAX: usize = 30;

impl Talk {
    pub(super) fn tell_dialog(&mut self, now: Millis) {
        let frame = model(&self.state, SIZE, now);
        let Some(dialog) = frame.dialog else { return };
        let lines: Vec<String> = dialog.lines.iter().map(|l| l.text().trim().to_owned()).collect();
        let (body, choices) = match &self.state.overlay {
            Some(Overlay::Confirm(_)) => (&lines[..lines.len().saturating_sub(1)], "1 no, 2 yes"),
            Some(Overlay::Typed(_)) => (&lines[..], "an empty line leaves it as it is"),
            Some(Overlay::Leave(_) | Overlay::Copy(_)) => {
                (&lines[..], "its number chooses, an empty line closes")
            }
            _ => (&lines[..], "an empty line closes"),
        };
        let mut said = vec![dialog.title.clone()];
        let numbered = matches!(self.state.overlay, Some(Overlay::Leave(_) | Overlay::Copy(_)));
        let mut number = 0;
        for (line, drawn) in body.iter().zip(&dialog.lines) {
            if numbered && drawn.hit.is_some() {
                number += 1;
                said.push(format!("{number} {}", line.trim_start_matches("> ")));
            } else if !line.is_empty() {
                said.push(line.clone());
            }
        }
        said.push(choices.to_owned());
        for line in said {
            self.say(line);
        }
    }

    pub(super) fn tell_job(&mut self) {
        let Some(detail) = &self.state.detail else {
            self.job = None;
            return;
        };
        if let Some(refused) = &detail.refused
            && self.job.is_none_or(|(id, _)| id != detail.job)
        {
            let refused = refused.clone();
            self.state.detail = None;
            return self.say(refused);
        }
        let Some(data) = &detail.data else { return };
        let row = &data.row;
        if self.job == Some((row.id, row.state)) {
            return;
        }
        self.job = Some((row.id, row.state));
        let mut text = format!("job {} {}: {}", row.id, row.source, row.state.word());
        if let Some(progress) = &row.progress {
            text += &format!(", {} {} percent", progress.phase.word(), progress.permille.min(1000) / 10);
        }
        if !row.place.is_empty() {
            text += &format!(", on {}", row.place);
        }
        if !row.cause.is_empty() {
            text += &format!(", {}", row.cause);
        }
        self.say(text);
    }

    pub(super) fn tell_news(&mut self) {
        let Some(snapshot) = self.state.snapshot.clone() else { return };
        let newest = snapshot.recent.iter().map(|e| (e.no, e.at_ms)).max().unwrap_or_default();
        if self.greeted {
            let fresh: Vec<&EventView> =
                snapshot.recent.iter().filter(|e| (e.no, e.at_ms) > self.told).collect();
            for event in fresh.iter().take(EVENTS_MAX).rev() {
                self.say(event_words(event, &snapshot));
            }
            if fresh.len() > EVENTS_MAX {
                self.say(format!("and {} more events", fresh.len() - EVENTS_MAX));
            }
        }
        self.told = self.told.max(newest);
        let needs: BTreeSet<(String, String)> =
            snapshot.needs.iter().map(|n| (n.kind.clone(), n.what.clone())).collect();
        if !self.greeted {
            self.greeted = true;
            self.tell_status();
            self.tell_needs();
            self.say(CHOICES);
        } else {
            for need in &snapshot.needs {
                if !self.needs.contains(&(need.kind.clone(), need.what.clone())) {
                    self.say(format!("needs you: {} {}: {}", need.kind, need.what, need.text));
                }
            }
        }
        self.needs = needs;
    }

    pub(super) fn tell_status(&mut self) {
        let Some(snapshot) = &self.state.snapshot else { return self.say("waiting for the server") };
        let mut text = format!("farm {}:", snapshot.farm);
        for state in JobState::ALL {
            let count = snapshot.totals.by_state[state as usize];
            if count > 0 {
                text += &format!(" {count} {},", state.word());
            }
        }
        text += &format!(" {}.", left(snapshot));
        if let Some(why) = &snapshot.halted {
            text += &format!(" Nothing is handed out: {why}.");
        }
        if snapshot.paused.is_some() {
            text += " It is paused.";
        }
        self.say(text);
    }

    pub(super) fn tell_needs(&mut self) {
        let needs = self.state.snapshot.as_ref().map(|s| s.needs.clone()).unwrap_or_default();
        if needs.is_empty() {
            self.say("nothing needs you");
        }
        for need in needs.iter().take(ROWS_MAX) {
            let jobs: Vec<String> = need.jobs.iter().take(3).map(|id| format!("job {id}")).collect();
            self.say(format!("needs you: {} {}: {} {}", need.kind, need.what, need.text, jobs.join(", ")));
        }
    }

    pub(super) fn tell_running(&mut self) {
        let mut lines = Vec::new();
        for agent in self.state.snapshot.iter().flat_map(|s| &s.agents) {
            for (device, run) in agent.devices.iter().flat_map(|d| d.runs.iter().map(move |r| (d, r))) {
                let progress = run.progress;
                let left = progress.eta_s.map(|s| format!(", {} left", model::length(u64::from(s))));
                lines.push(format!(
                    "job {} {} on {} {}: {} {} percent{}",
                    run.attempt.job,
                    run.source,
                    agent.name,
                    device.name,
                    if run.unsure { "unsure, last seen" } else { progress.phase.word() },
                    progress.permille.min(1000) / 10,
                    left.unwrap_or_default(),
                ));
            }
        }
        if lines.is_empty() {
            lines.push("nothing runs".into());
        }
        self.say_rows(&lines);
    }

    pub(super) fn tell_agents(&mut self) {
        let word = |state| match state {
            AgentState::Ok => "ok",
            AgentState::Suspect => "silent",
            AgentState::Offline => "offline",
            AgentState::Draining => "draining",
        };
        let agents = self.state.snapshot.iter().flat_map(|s| &s.agents);
        let lines: Vec<String> = agents
            .map(|a| {
                let jobs: usize = a.devices.iter().map(|d| d.runs.len()).sum();
                format!("agent {}: {}, {} devices, {jobs} jobs", a.name, word(a.state), a.devices.len())
            })
            .collect();
        self.say_rows(&lines);
    }

    fn say_rows(&mut self, lines: &[String]) {
        for line in lines.iter().take(ROWS_MAX) {
            self.say(line);
        }
        if lines.len() > ROWS_MAX {
            self.say(format!("and {} more", lines.len() - ROWS_MAX));
        }
    }

    pub(super) fn tell_commands(&mut self) {
        let refused = |command: Command| self.state.refusal(command).is_some();
        let offered = COMMANDS.iter().filter(|f| !f.cli.is_empty() && !refused(f.command));
        let lines: Vec<String> = offered.map(|f| format!("{} {}: {}", f.name, f.argument, f.help)).collect();
        for line in lines {
            self.say(line);
        }
    }

    /// The groups of failures, once they are there.
    pub(super) fn tell_failures(&mut self) {
        let Some(data) = self.state.failures.data.clone().filter(|_| self.wants_failures) else { return };
        self.wants_failures = false;
        let mut lines = vec![format!(
            "{} failed, {} to retry, {} recovered in 24 hours",
            data.open, data.retry, data.recovered
        )];
        for group in &data.groups {
            let class = group.class.map(|c| format!(" ({})", c.word())).unwrap_or_default();
            lines.push(format!(
                "{}{class} on {}: {} open, {} to retry, {} recovered. {}",
                group.cause, group.place, group.open, group.retry, group.recovered, group.advice
            ));
        }
        self.say_rows(&lines);
    }
}

/// `job 41902 ep_0417.mkv: completed on ada, 3 left to do, about 9h40m`
fn event_words(event: &EventView, snapshot: &Snapshot) -> String {
    match event.job {
        Some(id) => format!("job {id} {}: {}, {}", event.file, event.text, left(snapshot)),
        None => event.text.clone(),
    }
}

fn left(snapshot: &Snapshot) -> String {
    let count = |state: JobState| snapshot.totals.by_state[state as usize];
    let jobs = count(JobState::Pending) + count(JobState::Running);
    let eta = snapshot.totals.eta_s.map(|s| format!(", about {}", model::length(s)));
    format!("{jobs} left to do{}", eta.unwrap_or_default())
}
