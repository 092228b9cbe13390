//! Dialogs that are answered: questions of both levels, the ways to leave, what can be copied.

use vc_protocol::job::JobState;
use vc_protocol::operator::{AgentAction, StopHow};

use super::super::text::{Line, Role, clean, cut, cut_name};
use super::super::words;
use super::{Content, choice};
use crate::tui::Mode;
use crate::tui::keys;
use crate::tui::look::Glyphs;
use crate::tui::state::State;
use crate::tui::state::answers::leave_answers;
use crate::tui::state::copy::CopyMenu;
use crate::tui::state::deed::{AgentRef, Deed, JobRef, Target, Verb};
use crate::tui::state::mouse::Hit;
use crate::tui::state::overlay::{Confirm, Leaving, Typed};

/// Jobs that a question names.
const NAMED: usize = 3;

pub(super) fn confirm(confirm: &Confirm, columns: usize, glyphs: Glyphs) -> Content {
    let mut lines = Vec::new();
    if confirm.again {
        lines.push(Line::role(Role::Strong, "The number changed meanwhile."));
    }
    lines.extend(about(&confirm.deed, columns, glyphs));
    lines.push(Line::default());
    let mut buttons = Line::new("      ");
    let (no, yes) = if confirm.yes { ("  No (esc)  ", "[ y  yes ]") } else { ("[ No (esc) ]", "  y  yes  ") };
    buttons.push_hit(if confirm.yes { Role::Plain } else { Role::Strong }, no, Hit::Answer(0));
    buttons.push(Role::Plain, "  ");
    buttons.push_hit(if confirm.yes { Role::Strong } else { Role::Plain }, yes, Hit::Answer(1));
    lines.push(buttons);
    Content { title: title(&confirm.deed, glyphs), lines, ..Content::default() }
}

pub(super) fn typed(typed: &Typed, columns: usize, glyphs: Glyphs) -> Content {
    let mut lines = about(&typed.deed, columns, glyphs);
    if typed.wrong {
        lines.push(Line::role(Role::Bad, "That is something else. esc leaves everything as it is."));
    }
    let prompt = format!("Type {} to confirm: ", cut(&typed.word, columns / 2, glyphs));
    let room = columns.saturating_sub(prompt.len() + 1);
    let scroll = typed.field.visual_scroll(room);
    let shown: String = clean(typed.field.value(), glyphs).chars().skip(scroll).collect();
    let cursor = prompt.len() + typed.field.visual_cursor().saturating_sub(scroll);
    let at = lines.len();
    lines.push(Line::new(prompt).with(Role::Strong, cut(&shown, room, glyphs)).with(Role::Plain, " "));
    Content { title: title(&typed.deed, glyphs), lines, cursor: Some((cursor, at)), ..Content::default() }
}

/// What is asked, as a question.
fn title(deed: &Deed, glyphs: Glyphs) -> String {
    let text = match deed {
        Deed::Jobs(verb, target) => return jobs_title(*verb, target),
        Deed::Agent(agent, AgentAction::Revoke) => format!("Revoke agent {}?", agent.name),
        Deed::Agent(agent, AgentAction::Drain { kill: true, .. }) => {
            format!("Drain {} and stop its jobs?", agent.label())
        }
        Deed::Agent(agent, _) => format!("Change {}?", agent.label()),
        Deed::Stop(_) => "Stop the farm now?".into(),
        Deed::Pause | Deed::Resume | Deed::Token => "Do it?".into(),
    };
    clean(&text, glyphs)
}

fn jobs_title(verb: Verb, target: &Target) -> String {
    let word = match verb {
        Verb::Cancel => "Cancel",
        Verb::Retry => "Retry",
        Verb::Hold => "Hold",
        Verb::Release => "Release",
        Verb::Raise | Verb::Lower | Verb::Prioritise(_) => "Change the priority of",
        Verb::Purge => "Forget",
    };
    let running = match target {
        Target::Jobs(jobs) if jobs.iter().all(|j| j.state == JobState::Running) => "running ",
        Target::Jobs(_) | Target::All { .. } => "",
    };
    format!("{word} {}?", words::some(target.count(), &format!("{running}job")))
}

/// What it is about, and what follows from it.
fn about(deed: &Deed, columns: usize, glyphs: Glyphs) -> Vec<Line> {
    let mut lines = Vec::new();
    let after: &[&str] = match deed {
        Deed::Jobs(verb, target) => {
            lines.extend(of_target(*verb, target, columns, glyphs));
            match verb {
                Verb::Cancel => &["Sources stay. r puts them back."],
                Verb::Retry => &["They go back to pending with full retries. x cancels."],
                Verb::Purge => &[
                    "Their records go for good; files are never touched.",
                    "Their sources may be added again.",
                ],
                Verb::Hold | Verb::Release | Verb::Raise | Verb::Lower | Verb::Prioritise(_) => &[],
            }
        }
        Deed::Agent(agent, AgentAction::Revoke) => {
            lines.push(Line::new("It must join again with a new token."));
            lines.push(back_to_pending(agent));
            &[]
        }
        Deed::Agent(agent, _) => {
            lines.push(back_to_pending(agent));
            &["What they have encoded is thrown away. u takes it back."]
        }
        Deed::Stop(StopHow::Now) => {
            &["What runs is stopped and starts again later.", "Finished outputs stay."]
        }
        Deed::Stop(_) | Deed::Pause | Deed::Resume | Deed::Token => &[],
    };
    lines.extend(after.iter().map(|text| Line::new(*text)));
    lines
}

fn back_to_pending(agent: &AgentRef) -> Line {
    let goes = if agent.jobs == 1 { "goes" } else { "go" };
    Line::new(match agent.jobs {
        0 => "It has no jobs.".to_owned(),
        n => format!("{} {goes} back to pending.", words::some(n, "job")),
    })
}

fn of_target(verb: Verb, target: &Target, columns: usize, glyphs: Glyphs) -> Vec<Line> {
    let jobs = match target {
        Target::All { filter, .. } => {
            let what = if filter.is_all() { "every job".to_owned() } else { filter.to_string() };
            let mut lines =
                vec![Line::new(cut(&format!("All that the filter finds: {what}"), columns, glyphs))];
            if verb == Verb::Cancel {
                lines.push(Line::new("What has ended stays as it is."));
            }
            return lines;
        }
        Target::Jobs(jobs) => jobs,
    };
    let mut lines: Vec<Line> = jobs.iter().take(NAMED).map(|job| named(job, columns, glyphs)).collect();
    if jobs.len() > NAMED {
        lines.push(Line::new(format!("and {} more", words::count((jobs.len() - NAMED) as u64))));
    }
    let spent = jobs.iter().map(|j| j.spent_ms).sum::<u64>() / 1000;
    if verb == Verb::Cancel && spent > 0 {
        lines.push(Line::new(format!("~{} of encoding is thrown away.", words::length(spent))));
    }
    lines
}

/// `#41902 ep_0417.mkv  64%  ada/gpu0`
fn named(job: &JobRef, columns: usize, glyphs: Glyphs) -> Line {
    let name_columns = columns.saturating_sub(34).max(12);
    let facts = match job.permille {
        Some(permille) => format!("{}%", permille.min(1000) / 10),
        None => job.state.word().to_owned(),
    };
    Line::new(format!("#{} {}", job.id, cut_name(&job.name, name_columns, glyphs)))
        .with(Role::Plain, format!("  {facts}  {}", cut(&job.place, 18, glyphs)))
}

pub(super) fn leave(state: &State, leaving: &Leaving) -> Content {
    let running = state.counted(JobState::Running);
    let waiting = state.counted(JobState::Pending);
    let (title, text) = match state.mode {
        Mode::Attach => {
            let are = if running == 1 { "is" } else { "are" };
            ("Leave", format!("{} {are} running.", words::some(running, "job")))
        }
        Mode::Convert => {
            let all = format!("{} running and {} pending", words::count(running), words::count(waiting));
            ("Cancel everything and quit?", format!("{all} end here. Finished outputs stay."))
        }
    };
    let mut lines = vec![Line::new(text), Line::default()];
    let place = state.place();
    let feet = keys::footer(place);
    for (at, command) in leave_answers(state).into_iter().enumerate() {
        let word = feet.iter().find(|f| f.command == command).map_or("", |f| f.word);
        let more = if command == keys::Command::Detach {
            ", farm keeps going".to_owned()
        } else if command == keys::Command::DrainStop {
            " the farm".to_owned()
        } else if command == keys::Command::StopNow {
            format!(" ({} restart later)", words::count(running))
        } else {
            String::new()
        };
        let key = Line::role(Role::Strong, format!("{:<5}", state.keys.first(place, command)));
        lines.push(choice(at, leaving.at, key.with(Role::Plain, format!("{word}{more}"))));
    }
    Content { title: title.into(), lines, ..Content::default() }
}

pub(super) fn copy(menu: &CopyMenu, columns: usize, glyphs: Glyphs) -> Content {
    let mut lines = Vec::new();
    let widest = menu.items.iter().map(|i| i.what.chars().count()).max().unwrap_or(0).min(columns / 2);
    for (at, item) in menu.items.iter().enumerate() {
        let mut line = Line::role(Role::Strong, cut(&item.what, widest, glyphs));
        line.pad_to(widest + 2);
        let shown = match item.text.lines().count() {
            0 | 1 => cut(&item.text, columns.saturating_sub(widest + 4), glyphs),
            more => words::some(more as u64, "line"),
        };
        line.push(Role::Plain, shown);
        lines.push(choice(at, menu.at, line));
    }
    lines.push(Line::default());
    lines.push(Line::new("enter copy   p print it, to select by hand   esc close"));
    Content { title: "y Copy".into(), lines, ..Content::default() }
}
