//! The loop: waits for keys, answers, signals and time; updates the state; draws when something changed.

use std::io::Write;
use std::sync::atomic::Ordering;
use std::time::Duration;

use anyhow::Context;
use crossterm::event::{Event, EventStream};
use futures_util::StreamExt;
use ratatui::backend::CrosstermBackend;
use ratatui::layout::{Position, Rect, Size};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::time::Instant;

use super::input::{Clicks, Late, translate_key};
use super::link::{Link, Reply};
use super::look::Background;
use super::model::{FrameModel, model};
use super::out::Screenful;
use super::probe;
use super::state::copy::CopyItem;
use super::state::{Action, Millis, Msg, State, update};
use super::term::Terminal;
use super::view::{FrameView, Inks};
use super::{Leave, Options, clipboard};

/// Least time between two frames that keys ask for: a key is answered within 50 ms, a storm of them or of resizes
/// is drawn once.
const KEY_FRAME_MS: Millis = 30;
/// Least time between two frames while nobody looks.
const UNSEEN_FRAME_MS: Millis = 1000;

type Screen = ratatui::Terminal<CrosstermBackend<Screenful>>;

/// Runs the dashboard on this process's terminal until the operator leaves or it is ended. Start it only when stdin
/// and stdout are terminals. The terminal is restored when this returns.
pub async fn run(options: Options, link: Link) -> anyhow::Result<Leave> {
    if options.accessible {
        return super::plain::run(options, link).await;
    }
    let terminal = Terminal::enter(options.mouse).context("take the terminal")?;
    let mut options = options;
    let answers = if probe::can_ask(|name| std::env::var(name).ok()) {
        probe::ask(&terminal.out, options.look.theme.wants_background()).await
    } else {
        probe::Answers::default()
    };
    options.look.know_background(answers.light.map(Background::of_light));
    let backend = CrosstermBackend::new(Screenful::new(terminal.out.clone(), answers.synchronized));
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
        frame: None,
        clicks: Clicks::default(),
        late: Late::new(answers.late),
        looked_at: true,
        printed: false,
    };
    let leave = app.drive(&mut screen, &terminal).await;
    drop(terminal);
    leave
}

/// What the loop waits for.
enum Wake {
    Terminal(Option<std::io::Result<Event>>),
    Reply(Option<Reply>),
    Signal(i32),
    /// The shell lets us go on.
    Continued,
    /// The terminal took what was written.
    Settled,
    Alarm,
    Time,
}

/// Signals that the loop listens to.
struct Signals {
    term: Signal,
    hup: Signal,
    cont: Signal,
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
    /// What is on the screen: clicks mean what lies under them there.
    frame: Option<FrameModel>,
    clicks: Clicks,
    late: Late,
    /// The window has the focus, as far as the terminal says.
    looked_at: bool,
    /// A text stands outside of the alternate screen; the next key comes back.
    printed: bool,
}

impl App {
    fn now(&self) -> Millis {
        u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    async fn drive(&mut self, screen: &mut Screen, terminal: &Terminal) -> anyhow::Result<Leave> {
        let mut events = EventStream::new();
        let mut signals = Signals {
            term: signal(SignalKind::terminate()).context("listen for SIGTERM")?,
            hup: signal(SignalKind::hangup()).context("listen for SIGHUP")?,
            cont: signal(SignalKind::from_raw(nix::libc::SIGCONT)).context("listen for SIGCONT")?,
        };
        let alarm = &terminal.alarm;
        loop {
            self.draw(screen, terminal)?;
            let wake = self.wait(&mut events, &mut signals, terminal).await;
            let msg = match wake {
                Wake::Terminal(Some(Ok(event))) if self.printed => {
                    self.come_back(&event, screen, terminal)?
                }
                Wake::Terminal(Some(Ok(event))) => self.translate(event),
                Wake::Terminal(Some(Err(_)) | None) => return Ok(Leave::Hangup),
                Wake::Reply(Some(reply)) => {
                    // An answer is what a key asked for.
                    self.hurry |= matches!(reply, Reply::Response(..));
                    Some(Msg::Reply(reply))
                }
                Wake::Reply(None) => {
                    self.linked = false;
                    Some(Msg::Reply(Reply::Gone("the connection ended".into())))
                }
                Wake::Signal(number) => return Ok(Leave::Signal(number)),
                Wake::Continued => Some(self.retake(screen, terminal)?),
                Wake::Alarm if alarm.hangup.load(Ordering::Relaxed) => return Ok(Leave::Hangup),
                Wake::Alarm if alarm.panicked.load(Ordering::Relaxed) => {
                    anyhow::bail!("a part of the program panicked; its message is above")
                }
                Wake::Alarm | Wake::Settled => None,
                Wake::Time => Some(Msg::Tick),
            };
            let Some(msg) = msg else { continue };
            let now = self.now();
            for action in update(&mut self.state, now, msg) {
                if let Some(leave) = self.perform(action, screen, terminal)? {
                    return Ok(leave);
                }
            }
        }
    }

    /// Every arm is safe to cancel: streams, queues, signals and alarms keep what was not taken.
    async fn wait(&mut self, events: &mut EventStream, signals: &mut Signals, terminal: &Terminal) -> Wake {
        let held_up = self.wants_frame() && !terminal.out.is_idle();
        let wake_at = self.wake_at(held_up).map(|at| self.started + Duration::from_millis(at));
        let time = async {
            match wake_at {
                Some(at) => tokio::time::sleep_until(at).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! { biased;
            () = terminal.alarm.rung.notified() => Wake::Alarm,
            _ = signals.hup.recv() => Wake::Signal(SignalKind::hangup().as_raw_value()),
            _ = signals.term.recv() => Wake::Signal(SignalKind::terminate().as_raw_value()),
            _ = signals.cont.recv() => Wake::Continued,
            event = events.next() => Wake::Terminal(event),
            reply = self.link.replies.recv(), if self.linked => Wake::Reply(reply),
            () = terminal.out.settled(), if held_up => Wake::Settled,
            () = time => Wake::Time,
        }
    }

    fn wants_frame(&self) -> bool {
        self.state.dirty && !self.printed
    }

    /// The next frame that is due, or what time alone changes. A frame that the terminal holds up has no time.
    fn wake_at(&self, held_up: bool) -> Option<Millis> {
        let frame = (self.wants_frame() && !held_up).then(|| self.frame_due());
        frame.into_iter().chain(self.state.next_tick(self.now())).min()
    }

    fn frame_due(&self) -> Millis {
        let gap = match (self.hurry, self.looked_at) {
            (true, _) => KEY_FRAME_MS,
            (false, true) => self.frame_ms,
            (false, false) => UNSEEN_FRAME_MS,
        };
        self.drawn.map_or(0, |at| at + gap)
    }

    fn draw(&mut self, screen: &mut Screen, terminal: &Terminal) -> anyhow::Result<()> {
        if let Some(error) = terminal.out.failure() {
            return Err(error).context("write to the terminal");
        }
        let now = self.now();
        // While the terminal has not taken the last frame, the newest one is yet to be made.
        if !self.wants_frame() || now < self.frame_due() || !terminal.out.is_idle() {
            return Ok(());
        }
        let inks = Inks { theme: &self.state.look.theme, color: self.state.look.color };
        let mut drawn = None;
        screen.draw(|frame| {
            let area = frame.area();
            let model = drawn.insert(model(&self.state, area.as_size(), now));
            if let Some(cursor) = model.cursor {
                frame.set_cursor_position(cursor);
            }
            frame.render_widget(FrameView { model, inks }, area);
        })?;
        self.frame = drawn;
        self.state.drawn();
        self.hurry = false;
        self.drawn = Some(now);
        Ok(())
    }

    fn translate(&mut self, event: Event) -> Option<Msg> {
        let now = self.now();
        self.hurry = true;
        match event {
            Event::Key(key) if self.late.swallows(&key) => None,
            Event::Key(key) => translate_key(key).map(Msg::Key),
            Event::Paste(text) => Some(Msg::Paste(text)),
            Event::Resize(width, height) => Some(Msg::Resize(Size { width, height })),
            Event::Mouse(mouse) => self.clicks.translate(now, mouse, self.frame.as_ref()),
            Event::FocusGained => {
                self.looked_at = true;
                self.clicks.focus(now);
                None
            }
            Event::FocusLost => {
                (self.looked_at, self.hurry) = (false, false);
                None
            }
        }
    }

    fn perform(
        &mut self,
        action: Action,
        screen: &mut Screen,
        terminal: &Terminal,
    ) -> anyhow::Result<Option<Leave>> {
        match action {
            Action::Leave(leave) => return Ok(Some(leave)),
            Action::Repaint => {
                repaint(screen)?;
            }
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
                    let gone = Msg::Reply(Reply::Gone("requests are not taken".into()));
                    self.tell(gone);
                }
            }
            Action::Copy(item) => self.copy(item, screen)?,
            Action::Print(text) => {
                terminal.step_out().context("leave the alternate screen")?;
                // Still raw: a line must be told to start at the left.
                let text = text.lines().collect::<Vec<_>>().join("\r\n");
                terminal.out.push(format!("\r\n{text}\r\n\r\nany key comes back\r\n").as_bytes());
                self.printed = true;
            }
            Action::Mouse(on) => terminal.take_mouse(on).context("switch the mouse")?,
            Action::Suspend => {
                terminal.lend();
                nix::sys::signal::raise(nix::sys::signal::Signal::SIGTSTP).context("suspend")?;
                let size = self.retake(screen, terminal)?;
                self.tell(size);
            }
        }
        Ok(None)
    }

    /// A message that comes from an action: it asks for nothing further.
    fn tell(&mut self, msg: Msg) {
        let now = self.now();
        update(&mut self.state, now, msg);
    }

    fn copy(&mut self, item: CopyItem, screen: &mut Screen) -> anyhow::Result<()> {
        let local = |name: &str| std::env::var_os(name).is_some_and(|v| !v.is_empty());
        let said = match clipboard::osc52(&item.text) {
            Some(sequence) => {
                screen.backend_mut().write_all(sequence.as_bytes())?;
                screen.backend_mut().flush()?;
                format!("copied: {}", item.what)
            }
            None => match clipboard::save(&item.text) {
                Ok(path) => format!("too long for a terminal's clipboard: it is in {}", path.display()),
                Err(error) => format!("too long for a terminal's clipboard, and not saved: {error}"),
            },
        };
        if !self.state.look.remote {
            clipboard::to_tool(item.text, local);
        }
        self.tell(Msg::Say(said));
        Ok(())
    }

    /// After a printed text: a key or a click comes back to the dashboard.
    fn come_back(
        &mut self,
        event: &Event,
        screen: &mut Screen,
        terminal: &Terminal,
    ) -> anyhow::Result<Option<Msg>> {
        match event {
            Event::Key(_) | Event::Paste(_) => Ok(Some(self.retake(screen, terminal)?)),
            Event::Resize(width, height) => Ok(Some(Msg::Resize(Size { width: *width, height: *height }))),
            Event::Mouse(_) | Event::FocusGained | Event::FocusLost => Ok(None),
        }
    }

    /// Takes the terminal anew, which may have another size by now, and draws everything.
    fn retake(&mut self, screen: &mut Screen, terminal: &Terminal) -> anyhow::Result<Msg> {
        self.printed = false;
        self.hurry = true;
        terminal.take(self.state.mouse).context("take the terminal again")?;
        Ok(Msg::Resize(repaint(screen)?))
    }
}

/// Clears the terminal and has the next frame draw everything; its size. Not the library's own way: that asks the
/// terminal where its cursor is, and fails where nobody answers.
fn repaint(screen: &mut Screen) -> anyhow::Result<Size> {
    let size = screen.size().context("ask the terminal for its size")?;
    screen.resize(Rect::from((Position::ORIGIN, size))).context("clear the terminal")?;
    Ok(size)
}
