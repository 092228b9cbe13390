//! The loop: waits for keys, answers, signals and time; updates the state; draws when something changed.

use std::io::{BufWriter, Stdout, stdout};
use std::sync::atomic::Ordering;
use std::time::Duration;

use anyhow::Context;
use crossterm::event::{Event, EventStream, KeyCode, KeyEvent, KeyEventKind, KeyModifiers};
use futures_util::StreamExt;
use ratatui::backend::CrosstermBackend;
use ratatui::layout::Size;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::time::Instant;

use super::keys::Key;
use super::link::{Link, Reply};
use super::model::model;
use super::state::{Action, Millis, Msg, State, update};
use super::term::{Alarm, Terminal};
use super::view::{FrameView, Inks};
use super::{Leave, Options};

/// Least time between two frames that keys ask for: a key is answered within 50 ms, a storm of them or of resizes
/// is drawn once.
const KEY_FRAME_MS: Millis = 30;
/// Frames are small; one write each.
const WRITE_BUFFER_BYTES: usize = 64 * 1024;

type Screen = ratatui::Terminal<CrosstermBackend<BufWriter<Stdout>>>;

/// Runs the dashboard on this process's terminal until the operator leaves or it is ended. Start it only when stdin
/// and stdout are terminals. The terminal is restored when this returns.
pub async fn run(options: Options, link: Link) -> anyhow::Result<Leave> {
    let terminal = Terminal::enter().context("take the terminal")?;
    let backend = CrosstermBackend::new(BufWriter::with_capacity(WRITE_BUFFER_BYTES, stdout()));
    let mut screen = ratatui::Terminal::new(backend).context("open the terminal")?;
    let size = screen.size().context("ask the terminal for its size")?;
    let mut state = State::new(options, size);
    state.first.can_start = link.start_agent.is_some();
    let mut app = App {
        frame_ms: state.look.frame_ms,
        state,
        link,
        linked: true,
        started: Instant::now(),
        drawn: None,
        hurry: false,
    };
    let leave = app.drive(&mut screen, &terminal.alarm).await;
    drop(terminal);
    leave
}

/// What the loop waits for.
enum Wake {
    Terminal(Option<std::io::Result<Event>>),
    Reply(Option<Reply>),
    Signal(i32),
    Alarm,
    Time,
}

struct App {
    state: State,
    link: Link,
    /// The link has not ended.
    linked: bool,
    started: Instant,
    /// When the last frame was drawn.
    drawn: Option<Millis>,
    frame_ms: u64,
    /// Somebody waits for the next frame.
    hurry: bool,
}

impl App {
    fn now(&self) -> Millis {
        u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    async fn drive(&mut self, screen: &mut Screen, alarm: &Alarm) -> anyhow::Result<Leave> {
        let mut events = EventStream::new();
        let mut term = signal(SignalKind::terminate()).context("listen for SIGTERM")?;
        let mut hup = signal(SignalKind::hangup()).context("listen for SIGHUP")?;
        loop {
            self.draw(screen)?;
            let wake = self.wait(&mut events, (&mut term, &mut hup), alarm).await;
            let msgs = match wake {
                Wake::Terminal(Some(Ok(event))) => self.translate(event),
                Wake::Terminal(Some(Err(_)) | None) => return Ok(Leave::Hangup),
                Wake::Reply(Some(reply)) => {
                    // An answer is what a key asked for.
                    self.hurry |= matches!(reply, Reply::Response(..));
                    vec![Msg::Reply(reply)]
                }
                Wake::Reply(None) => {
                    self.linked = false;
                    vec![Msg::Reply(Reply::Gone("the connection ended".into()))]
                }
                Wake::Signal(number) => return Ok(Leave::Signal(number)),
                Wake::Alarm if alarm.hangup.load(Ordering::Relaxed) => return Ok(Leave::Hangup),
                Wake::Alarm if alarm.panicked.load(Ordering::Relaxed) => {
                    anyhow::bail!("a part of the program panicked; its message is above")
                }
                Wake::Alarm => Vec::new(),
                Wake::Time => vec![Msg::Tick],
            };
            for msg in msgs {
                let now = self.now();
                for action in update(&mut self.state, now, msg) {
                    if let Some(leave) = self.perform(action, screen)? {
                        return Ok(leave);
                    }
                }
            }
        }
    }

    /// Every arm is safe to cancel: streams, queues, signals and alarms keep what was not taken.
    async fn wait(
        &mut self,
        events: &mut EventStream,
        (term, hup): (&mut Signal, &mut Signal),
        alarm: &Alarm,
    ) -> Wake {
        let wake_at = self.wake_at().map(|at| self.started + Duration::from_millis(at));
        let time = async {
            match wake_at {
                Some(at) => tokio::time::sleep_until(at).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! { biased;
            () = alarm.rung.notified() => Wake::Alarm,
            _ = hup.recv() => Wake::Signal(SignalKind::hangup().as_raw_value()),
            _ = term.recv() => Wake::Signal(SignalKind::terminate().as_raw_value()),
            event = events.next() => Wake::Terminal(event),
            reply = self.link.replies.recv(), if self.linked => Wake::Reply(reply),
            () = time => Wake::Time,
        }
    }

    /// The next frame that is due, or what time alone changes.
    fn wake_at(&self) -> Option<Millis> {
        let frame = self.state.dirty.then(|| self.frame_due());
        frame.into_iter().chain(self.state.next_tick(self.now())).min()
    }

    fn frame_due(&self) -> Millis {
        let gap = if self.hurry { KEY_FRAME_MS } else { self.frame_ms };
        self.drawn.map_or(0, |at| at + gap)
    }

    fn draw(&mut self, screen: &mut Screen) -> anyhow::Result<()> {
        let now = self.now();
        if !self.state.dirty || now < self.frame_due() {
            return Ok(());
        }
        let inks = Inks { theme: &self.state.look.theme, color: self.state.look.color };
        screen.draw(|frame| {
            let area = frame.area();
            let model = model(&self.state, area.as_size(), now);
            if let Some(cursor) = model.cursor {
                frame.set_cursor_position(cursor);
            }
            frame.render_widget(FrameView { model: &model, inks }, area);
        })?;
        self.state.drawn();
        self.hurry = false;
        self.drawn = Some(now);
        Ok(())
    }

    fn translate(&mut self, event: Event) -> Vec<Msg> {
        self.hurry = true;
        match event {
            Event::Key(key) => translate_key(key).map(Msg::Key).into_iter().collect(),
            Event::Paste(text) => vec![Msg::Paste(text)],
            Event::Resize(width, height) => vec![Msg::Resize(Size { width, height })],
            Event::Mouse(_) | Event::FocusGained | Event::FocusLost => Vec::new(),
        }
    }

    fn perform(&mut self, action: Action, screen: &mut Screen) -> anyhow::Result<Option<Leave>> {
        match action {
            Action::Leave(leave) => return Ok(Some(leave)),
            Action::Repaint => screen.clear()?,
            Action::StartAgent => {
                let sent = self.link.start_agent.as_ref().is_some_and(|start| start.try_send(()).is_ok());
                if !sent {
                    let (now, why) = (self.now(), "it cannot be started from here".to_owned());
                    update(&mut self.state, now, Msg::Reply(Reply::Started(Err(why))));
                }
            }
            Action::Send(tag, request) => {
                // The other side always reads; if it does not, the screen must not wait for it.
                if self.link.requests.try_send((tag, request)).is_err() {
                    let now = self.now();
                    let gone = Msg::Reply(Reply::Gone("requests are not taken".into()));
                    update(&mut self.state, now, gone);
                }
            }
        }
        Ok(None)
    }
}

/// Our key for the terminal library's, if we know it.
fn translate_key(key: KeyEvent) -> Option<Key> {
    if key.kind == KeyEventKind::Release {
        return None;
    }
    let ctrl = key.modifiers.contains(KeyModifiers::CONTROL);
    if key.modifiers.contains(KeyModifiers::ALT) {
        return None;
    }
    Some(match key.code {
        KeyCode::Char(c) if ctrl => Key::Ctrl(c.to_ascii_lowercase()),
        KeyCode::Char(c) => Key::Char(c),
        KeyCode::F(n) => Key::F(n),
        KeyCode::Up => Key::Up,
        KeyCode::Down => Key::Down,
        KeyCode::Left => Key::Left,
        KeyCode::Right => Key::Right,
        KeyCode::Home => Key::Home,
        KeyCode::End => Key::End,
        KeyCode::PageUp => Key::PageUp,
        KeyCode::PageDown => Key::PageDown,
        KeyCode::Enter => Key::Enter,
        KeyCode::Esc => Key::Esc,
        KeyCode::Tab => Key::Tab,
        KeyCode::BackTab => Key::BackTab,
        KeyCode::Backspace => Key::Backspace,
        KeyCode::Delete => Key::Delete,
        KeyCode::Insert
        | KeyCode::Null
        | KeyCode::CapsLock
        | KeyCode::ScrollLock
        | KeyCode::NumLock
        | KeyCode::PrintScreen
        | KeyCode::Pause
        | KeyCode::Menu
        | KeyCode::KeypadBegin
        | KeyCode::Media(_)
        | KeyCode::Modifier(_) => return None,
    })
}
