//! What is said, and what a typed line means. Pure: knows no terminal and no clock.

use std::collections::BTreeSet;

use ratatui::layout::Size;
use vc_protocol::id::JobId;
use vc_protocol::job::JobState;

use crate::tui::Options;
use crate::tui::keys::{COMMANDS, Key};
use crate::tui::link::Reply;
use crate::tui::look::Glyphs;
use crate::tui::model::text::clean;
use crate::tui::state::detail::{Detail, Tab};
use crate::tui::state::overlay::Overlay;
use crate::tui::state::palette::Palette;
use crate::tui::state::{Action, Millis, Msg, State, update};

/// Room for sentences; nothing is cut to a window here.
pub(super) const SIZE: Size = Size { width: 200, height: 60 };
pub(super) const CHOICES: &str = "Choices: 1 status, 2 what needs you, 3 running jobs, 4 failures, 5 agents, \
                                  6 pause or go on, 0 leave. A job's number opens it; then cancel, retry, hold, \
                                  why, copy. help lists all commands.";

/// The conversation.
pub(super) struct Talk {
    pub(super) state: State,
    said: Vec<String>,
    /// The newest event that was told, by number and time.
    pub(super) told: (u64, i64),
    /// Needs that were told, by kind and what.
    pub(super) needs: BTreeSet<(String, String)>,
    pub(super) greeted: bool,
    /// The dialog that was read out.
    read: Option<Overlay>,
    /// The job that was read out, and its state then.
    pub(super) job: Option<(JobId, JobState)>,
    /// What is to be done to the job that is being opened.
    waiting: Option<String>,
    /// The failures were asked for.
    pub(super) wants_failures: bool,
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
            waiting: None,
            wants_failures: false,
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
        let mut actions = actions;
        if self.state.detail.as_ref().is_some_and(|d| d.data.is_some() || d.refused.is_some())
            && let Some(line) = self.waiting.take()
        {
            self.tell_job();
            actions.extend(self.command(now, &line));
        }
        self.tell_failures();
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
            "4" | "failures" => {
                self.wants_failures = true;
                return self.command(now, "failures");
            }
            "5" | "agents" => self.tell_agents(),
            "6" => return self.command(now, "pause"),
            "0" | "q" | "quit" => {
                // There is no screen to go back to.
                (self.state.detail, self.state.agent) = (None, None);
                // The one key of leaving that no setting takes away.
                return self.press(now, Key::Ctrl('c'));
            }
            "help" | "?" => self.tell_commands(),
            line => return self.command(now, line),
        }
        Vec::new()
    }

    /// A line of the palette; `cancel 41902` is `cancel` of that job.
    fn command(&mut self, now: Millis, line: &str) -> Vec<Action> {
        let mut words = line.split_whitespace();
        let (name, second) = (words.next().unwrap_or_default(), words.next());
        if let Some(id) = second.and_then(|id| id.trim_start_matches('#').parse().ok())
            && name != "prio"
        {
            // Whether it fits the job is known when the job is.
            self.waiting = Some(name.to_owned());
            self.state.detail = Some(Detail::new(JobId(id), Tab::Summary));
            self.job = None;
            return update(&mut self.state, now, Msg::Tick);
        }
        let known =
            COMMANDS.iter().any(|f| f.name == name) || name.trim_start_matches('#').parse::<u64>().is_ok();
        if !known {
            // Nobody sees which command would be taken for it.
            self.say(format!("there is no command {name:?}; help lists them"));
            return Vec::new();
        }
        let mut palette = Palette::default();
        palette.field.set(line);
        self.state.overlay = Some(Overlay::Palette(palette));
        let actions = self.press(now, Key::Enter);
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
        // An answer that is still under way is not worth a line.
        let asked = matches!(self.state.overlay, Some(Overlay::Why { answer: None, .. }));
        if !asked && self.state.overlay != self.read {
            self.read.clone_from(&self.state.overlay);
            self.tell_dialog(now);
        }
        self.tell_job();
        self.state.drawn();
    }
}

#[cfg(test)]
mod tests {
    use vc_protocol::operator::{Acted, EventView, JobAction, Request, Response, Selection};

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
    fn lines_mean_the_same_whatever_the_keys_are() {
        let changed = ["leave", "command", "pause", "failures"].map(|name| (name.into(), vec![]));
        let keys = crate::tui::settings::check_keys(&changed.into()).unwrap();
        let options = Options { keys, ..Options::new(Mode::Attach, look(Glyphs::Unicode)) };
        let mut talk = Talk::new(options);
        talk.hear(1000, Msg::Reply(Reply::Snapshot(Box::new(busy()))));
        let sends = |actions: &[Action], wanted: &Request| {
            actions.iter().any(|action| matches!(action, Action::Send(_, request) if request == wanted))
        };
        assert!(sends(&talk.line(2000, "pause"), &Request::Pause));
        assert!(sends(&talk.line(2000, "4"), &Request::Failures));
        talk.line(2000, "0");
        assert!(talk.said().iter().any(|line| line == "Leave"));
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
            let sent = talk.line(5000, "cancel 41902");
            let Some(Action::Send(tag, Request::Log(_))) = sent.into_iter().next() else {
                panic!("looks first")
            };
            let opened = Response::Detail(Box::new(detail(JobState::Running)));
            let mut sent = talk.hear(5100, Msg::Reply(Reply::Response(tag, opened)));
            let said = talk.said().join("\n");
            assert!(said.contains("\nCancel 1 running job?") && said.ends_with("1 no, 2 yes"), "{said}");
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
