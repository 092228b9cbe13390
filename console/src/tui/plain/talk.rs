//! What is said, and what a typed line means. Pure: knows no terminal and no clock.

use std::collections::BTreeSet;

use ratatui::layout::Size;
use vc_protocol::id::JobId;
use vc_protocol::job::JobState;
use vc_protocol::operator::{AgentState, EventView, Snapshot};

use crate::tui::Options;
use crate::tui::keys::{COMMANDS, Command, Key};
use crate::tui::link::Reply;
use crate::tui::look::Glyphs;
use crate::tui::model::text::clean;
use crate::tui::model::{self, model};
use crate::tui::state::detail::{Detail, Tab};
use crate::tui::state::overlay::Overlay;
use crate::tui::state::{Action, Millis, Msg, State, update};

/// Room for sentences; nothing is cut to a window here.
const SIZE: Size = Size { width: 200, height: 60 };
/// Most events told at once; a reader cannot keep up with more.
const EVENTS_MAX: usize = 5;
/// Most rows of a list told at once.
const ROWS_MAX: usize = 30;
const CHOICES: &str = "Choices: 1 status, 2 what needs you, 3 running jobs, 4 agents, 5 pause or go on, 0 leave. \
                       A job's number opens it; then cancel, retry, hold, why, copy. help lists all commands.";

/// The conversation.
pub(super) struct Talk {
    state: State,
    said: Vec<String>,
    /// The newest event that was told, by number and time.
    told: (u64, i64),
    /// Needs that were told, by kind and what.
    needs: BTreeSet<(String, String)>,
    greeted: bool,
    /// The dialog that was read out.
    read: Option<Overlay>,
    /// The job that was read out, and its state then.
    job: Option<(JobId, JobState)>,
    gone: bool,
}

impl Talk {
    pub(super) fn new(options: Options) -> Talk {
        Talk {
            state: State::new(options, SIZE),
            said: Vec::new(),
            told: (0, 0),
            needs: BTreeSet::new(),
            greeted: false,
            read: None,
            job: None,
            gone: false,
        }
    }

    /// What was said since the last call.
    pub(super) fn said(&mut self) -> Vec<String> {
        std::mem::take(&mut self.said)
    }

    pub(super) fn say(&mut self, text: impl AsRef<str>) {
        for line in text.as_ref().lines() {
            self.said.push(clean(line, Glyphs::Unicode));
        }
    }

    /// When time alone has something to do; clocks are not read out.
    pub(super) fn due(&self, now: Millis) -> Option<Millis> {
        let waits = self.state.gone.is_some() || self.state.detail.is_some() || self.state.notice.is_some();
        self.state.next_tick(now).filter(|_| waits)
    }

    /// Something came.
    pub(super) fn hear(&mut self, now: Millis, msg: Msg) -> Vec<Action> {
        let news = matches!(msg, Msg::Reply(Reply::Snapshot(_)));
        let actions = update(&mut self.state, now, msg);
        if news {
            self.tell_news();
        }
        self.tell_changes(now);
        actions
    }

    /// A line was typed.
    pub(super) fn line(&mut self, now: Millis, line: &str) -> Vec<Action> {
        let line = line.trim();
        let actions = match &mut self.state.overlay {
            Some(Overlay::Confirm(confirm)) => {
                // Whoever answers a question that was read out has heard it.
                confirm.opened = 0;
                let yes = matches!(line, "2" | "y" | "yes");
                self.press(now, if yes { Key::Char('y') } else { Key::Esc })
            }
            Some(Overlay::Typed(typed)) if !line.is_empty() => {
                typed.field.set(line);
                self.press(now, Key::Enter)
            }
            Some(Overlay::Leave(leaving)) if line.parse::<usize>().is_ok_and(|n| n > 0) => {
                leaving.at = line.parse::<usize>().unwrap_or(usize::MAX).saturating_sub(1);
                self.press(now, Key::Enter)
            }
            Some(Overlay::Copy(menu)) if line.parse::<usize>().is_ok_and(|n| n > 0) => {
                let last = menu.items.len().saturating_sub(1);
                menu.at = line.parse::<usize>().unwrap_or(1).saturating_sub(1).min(last);
                self.press(now, Key::Enter)
            }
            Some(_) => self.press(now, Key::Esc),
            None => self.choose(now, line),
        };
        self.tell_changes(now);
        actions
    }

    fn press(&mut self, now: Millis, key: Key) -> Vec<Action> {
        self.state.drawn();
        update(&mut self.state, now, Msg::Key(key))
    }

    fn choose(&mut self, now: Millis, line: &str) -> Vec<Action> {
        match line {
            "" => self.say(CHOICES),
            "1" | "status" => self.tell_status(),
            "2" | "needs" => self.tell_needs(),
            "3" | "running" => self.tell_running(),
            "4" | "agents" => self.tell_agents(),
            "5" => return self.command(now, "pause"),
            "0" | "q" | "quit" => return self.press(now, Key::Char('q')),
            "help" => self.tell_commands(),
            line => return self.command(now, line),
        }
        Vec::new()
    }

    /// A line of the palette; `cancel 41902` is `cancel` of that job.
    fn command(&mut self, now: Millis, line: &str) -> Vec<Action> {
        let mut words = line.split_whitespace();
        let (name, second) = (words.next().unwrap_or_default(), words.next());
        let mut line = line.to_owned();
        if let Some(id) = second.and_then(|id| id.trim_start_matches('#').parse().ok())
            && name != "prio"
        {
            self.open(JobId(id));
            name.clone_into(&mut line);
        }
        let known =
            COMMANDS.iter().any(|f| f.name == name) || name.trim_start_matches('#').parse::<u64>().is_ok();
        if !known {
            // Nobody sees which command would be taken for it.
            self.say(format!("there is no command {name:?}; help lists them"));
            return Vec::new();
        }
        self.state.drawn();
        let mut actions = update(&mut self.state, now, Msg::Key(Key::Char(':')));
        if let Some(Overlay::Palette(palette)) = &mut self.state.overlay {
            palette.field.set(&line);
        }
        actions.extend(self.press(now, Key::Enter));
        if let Some(Overlay::Palette(palette)) = &self.state.overlay {
            let error = palette.error.clone().unwrap_or_else(|| {
                let wants = palette.choices(&self.state).first().map_or("", |f| f.argument);
                format!("{} wants {wants} behind it", palette.field.value().trim())
            });
            self.state.overlay = None;
            self.say(error);
        }
        actions
    }

    fn open(&mut self, id: JobId) {
        if self.state.detail.as_ref().is_none_or(|d| d.job != id) {
            self.state.detail = Some(Detail::new(id, Tab::Summary));
        }
    }

    /// Notices, dialogs, the opened job, the server's silence: each once.
    fn tell_changes(&mut self, now: Millis) {
        if let Some(notice) = self.state.notice.take() {
            self.say(notice.text);
        }
        if self.state.gone.is_some() != self.gone {
            self.gone = self.state.gone.is_some();
            self.say(match &self.state.gone {
                Some(gone) => format!("no word from the server, trying again: {}", gone.reason),
                None => "the server is back".into(),
            });
        }
        if self.state.overlay != self.read {
            self.read.clone_from(&self.state.overlay);
            self.tell_dialog(now);
        }
        self.tell_job();
        self.state.drawn();
    }

    fn tell_dialog(&mut self, now: Millis) {
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

    fn tell_job(&mut self) {
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

    fn tell_news(&mut self) {
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

    fn tell_status(&mut self) {
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

    fn tell_needs(&mut self) {
        let needs = self.state.snapshot.as_ref().map(|s| s.needs.clone()).unwrap_or_default();
        if needs.is_empty() {
            self.say("nothing needs you");
        }
        for need in needs.iter().take(ROWS_MAX) {
            let jobs: Vec<String> = need.jobs.iter().take(3).map(|id| format!("job {id}")).collect();
            self.say(format!("needs you: {} {}: {} {}", need.kind, need.what, need.text, jobs.join(", ")));
        }
    }

    fn tell_running(&mut self) {
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

    fn tell_agents(&mut self) {
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

    fn tell_commands(&mut self) {
        let refused = |command: Command| self.state.refusal(command).is_some();
        let offered = COMMANDS.iter().filter(|f| !f.cli.is_empty() && !refused(f.command));
        let lines: Vec<String> = offered.map(|f| format!("{} {}: {}", f.name, f.argument, f.help)).collect();
        for line in lines {
            self.say(line);
        }
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

#[cfg(test)]
mod tests {
    use vc_protocol::operator::{Acted, JobAction, Request, Response, Selection};

    use super::*;
    use crate::tui::Mode;
    use crate::tui::tests::fixture::{broken, busy, detail, look};

    fn talk() -> Talk {
        let options = Options { mouse: false, ..Options::new(Mode::Attach, look(Glyphs::Unicode)) };
        let mut talk = Talk::new(options);
        talk.hear(1000, Msg::Reply(Reply::Snapshot(Box::new(busy()))));
        talk
    }

    #[test]
    fn the_farm_is_greeted_with_its_state_and_choices() {
        let mut talk = talk();
        let said = talk.said();
        assert_eq!(
            said[0],
            "farm studio-a: 18208 pending, 26 running, 41877 completed, 12 skipped, 18234 left to do, about 9h40m."
        );
        assert!(said.iter().any(|l| l.starts_with("Choices: 1 status")));
        assert!(said.iter().all(|l| !l.contains(['│', '─', '[', '\x1b'])), "{said:?}");
    }

    #[test]
    fn news_are_told_once() {
        let mut talk = talk();
        talk.said();
        let mut later = broken();
        later.recent.insert(
            0,
            EventView {
                no: 9,
                at_ms: later.now_ms,
                text: "completed on ada".into(),
                job: Some(JobId(41902)),
                file: "ep_0417.mkv".into(),
                ..EventView::default()
            },
        );
        talk.hear(2000, Msg::Reply(Reply::Snapshot(Box::new(later.clone()))));
        let said = talk.said();
        assert!(said[0].starts_with("job 41902 ep_0417.mkv: completed on ada, 18234 left to do"), "{said:?}");
        assert!(said.iter().any(|l| l.starts_with("needs you: failed 2 files")), "{said:?}");
        talk.hear(3000, Msg::Reply(Reply::Snapshot(Box::new(later))));
        assert_eq!(talk.said(), Vec::<String>::new());
    }

    #[test]
    fn a_cancel_is_asked_about_with_numbers() {
        let mut talk = talk();
        talk.said();
        for (answer, acts) in [("1", false), ("", false), ("2", true)] {
            let mut sent = talk.line(5000, "cancel 41902");
            let said = talk.said().join("\n");
            assert!(said.starts_with("Cancel 1 running job?") && said.ends_with("1 no, 2 yes"), "{said}");
            sent.retain(|a| matches!(a, Action::Send(_, Request::Act { .. })));
            assert!(sent.is_empty());
            let sent = talk.line(6000, answer);
            let act = |a: &Action| matches!(a, Action::Send(_, Request::Act { action: JobAction::Cancel, jobs: Selection::Ids(ids), .. }) if ids == &[JobId(41902)]);
            assert_eq!(sent.iter().any(act), acts, "{answer:?}");
            if let Some(Action::Send(tag, _)) = sent.into_iter().find(|a| act(a)) {
                let acted = Acted { count: 1, ..Acted::default() };
                talk.hear(7000, Msg::Reply(Reply::Response(tag, Response::Acted(acted))));
                assert!(talk.said().contains(&"1 job cancelled; r puts back".to_owned()));
            }
        }
    }

    #[test]
    fn a_number_opens_its_job() {
        let mut talk = talk();
        talk.said();
        let sent = talk.line(2000, "41902");
        let Some(Action::Send(tag, Request::Log(JobId(41902)))) = sent.into_iter().next() else {
            panic!("asks")
        };
        let answer = Response::Detail(Box::new(detail(JobState::Failed)));
        talk.hear(2100, Msg::Reply(Reply::Response(tag, answer)));
        assert_eq!(talk.said(), ["job 41902 tv/s04/ep_0417.mkv: failed, on ada/cpu, moov atom not found"]);
    }

    #[test]
    fn rubbish_is_answered_with_a_sentence() {
        let mut talk = talk();
        talk.said();
        for line in ["xyzzy", "prio", "\x1b[31m", "99999999999999999999", "cancel", "filter state:nope"] {
            talk.line(2000, line);
            let said = talk.said();
            assert!(!said.is_empty() && said.iter().all(|l| !l.contains('\x1b')), "{line:?}: {said:?}");
            talk.line(2500, "");
            talk.said();
        }
    }
}
