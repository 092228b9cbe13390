//! The terminal: taken on entry, given back on every way out. Knows nothing of what is drawn.

use std::io::{self, IsTerminal, Stdout, Write, stdout};
use std::panic::PanicHookInfo;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crossterm::cursor::Show;
use crossterm::event::{
    DisableBracketedPaste, DisableFocusChange, DisableMouseCapture, EnableBracketedPaste, EnableFocusChange,
};
use crossterm::execute;
use crossterm::style::Print;
use crossterm::terminal::{
    BeginSynchronizedUpdate, EndSynchronizedUpdate, EnterAlternateScreen, LeaveAlternateScreen,
    disable_raw_mode, enable_raw_mode,
};
use tokio::sync::Notify;

/// How often the watchdog looks whether the terminal is still there. With [`GRACE`] it stays under the second in
/// which a dashboard without a terminal must have ended; two wake-ups a second cost nothing that can be measured.
const WATCH_EVERY: Duration = Duration::from_millis(400);
/// How long the event loop has to end by itself once the terminal is gone.
const GRACE: Duration = Duration::from_millis(500);
/// Exit code when the loop did not end: as if SIGHUP had ended us.
const EXIT_HANGUP: i32 = 129;
/// Buttons and wheel, in the form without a limit of columns. Not the library's own command: that one asks for every
/// movement too, which nobody here uses and which a slow line pays for.
const MOUSE_ON: &str = "\x1b[?1000h\x1b[?1006h";

/// What can happen to the terminal or the process behind the loop's back.
#[derive(Debug, Default)]
pub(crate) struct Alarm {
    pub(crate) rung: Notify,
    pub(crate) hangup: AtomicBool,
    pub(crate) panicked: AtomicBool,
}

type Hook = dyn Fn(&PanicHookInfo<'_>) + Send + Sync;

/// Holds the terminal in raw mode on the alternate screen until dropped.
pub(crate) struct Terminal {
    held: Arc<AtomicBool>,
    previous_hook: Arc<Hook>,
    pub(crate) alarm: Arc<Alarm>,
}

impl Terminal {
    /// Takes the terminal. A panic on any thread gives it back before its message is printed, and rings the alarm.
    pub(crate) fn enter(mouse: bool) -> io::Result<Terminal> {
        let held = Arc::new(AtomicBool::new(true));
        let alarm = Arc::new(Alarm::default());
        let previous_hook: Arc<Hook> = Arc::from(std::panic::take_hook());
        let hook = (Arc::clone(&held), Arc::clone(&alarm), Arc::clone(&previous_hook));
        std::panic::set_hook(Box::new(move |info| {
            let (held, alarm, previous) = &hook;
            give_back(held);
            previous(info);
            alarm.panicked.store(true, Ordering::Relaxed);
            alarm.rung.notify_one();
        }));
        let terminal = Terminal { held, previous_hook, alarm };
        terminal.take(mouse)?;
        terminal.watch()?;
        Ok(terminal)
    }

    /// Raw mode, alternate screen and the reports that the loop listens to; also after it was lent to a shell.
    pub(crate) fn take(&self, mouse: bool) -> io::Result<()> {
        enable_raw_mode()?;
        execute!(stdout(), EnterAlternateScreen, EnableBracketedPaste, EnableFocusChange)?;
        self.take_mouse(mouse)
    }

    /// Clicks come here, or go to the terminal.
    pub(crate) fn take_mouse(&self, mouse: bool) -> io::Result<()> {
        if mouse { execute!(stdout(), Print(MOUSE_ON)) } else { execute!(stdout(), DisableMouseCapture) }
    }

    /// Lends the terminal to a shell until [`Terminal::take`].
    pub(crate) fn lend(&self) {
        restore();
    }

    /// Leaves the alternate screen, but still hears every key.
    pub(crate) fn step_out(&self) -> io::Result<()> {
        execute!(stdout(), DisableMouseCapture, DisableFocusChange, LeaveAlternateScreen, Show)
    }

    /// Ends the program when the terminal is gone and the loop does not: crossterm's reader is known to spin then.
    fn watch(&self) -> io::Result<()> {
        let (held, alarm) = (Arc::clone(&self.held), Arc::clone(&self.alarm));
        let there = || io::stdin().is_terminal() || stdout().is_terminal();
        if !there() {
            return Ok(());
        }
        std::thread::Builder::new().name("tty-watchdog".into()).spawn(move || {
            // A terminal that hung up answers no control call any more, so it stops being one.
            while held.load(Ordering::Relaxed) && there() {
                std::thread::sleep(WATCH_EVERY);
            }
            if held.load(Ordering::Relaxed) {
                alarm.hangup.store(true, Ordering::Relaxed);
                alarm.rung.notify_one();
                std::thread::sleep(GRACE);
                if held.load(Ordering::Relaxed) {
                    std::process::exit(EXIT_HANGUP);
                }
            }
        })?;
        Ok(())
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        give_back(&self.held);
        // Setting a hook panics on a thread that is panicking.
        if !std::thread::panicking() {
            let previous = Arc::clone(&self.previous_hook);
            std::panic::set_hook(Box::new(move |info| previous(info)));
        }
    }
}

/// Restores the terminal once.
fn give_back(held: &AtomicBool) {
    if held.swap(false, Ordering::Relaxed) {
        restore();
    }
}

/// Errors are of no use to a terminal that may be gone.
fn restore() {
    let _ = execute!(
        stdout(),
        EndSynchronizedUpdate,
        DisableMouseCapture,
        DisableFocusChange,
        DisableBracketedPaste,
        LeaveAlternateScreen,
        Show
    );
    let _ = disable_raw_mode();
    let _ = stdout().flush();
}

/// Collects a frame and writes it at once: as one update where the terminal knows such a thing, and nothing at all
/// when nothing changed.
pub(crate) struct Screenful {
    out: Stdout,
    frame: Vec<u8>,
    pub(crate) synchronized: bool,
}

impl Screenful {
    pub(crate) fn new(synchronized: bool) -> Screenful {
        Screenful { out: stdout(), frame: Vec::new(), synchronized }
    }
}

impl Write for Screenful {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.frame.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        if self.frame.is_empty() {
            return Ok(());
        }
        let frame = std::mem::take(&mut self.frame);
        if self.synchronized {
            crossterm::queue!(self.out, BeginSynchronizedUpdate)?;
        }
        self.out.write_all(&frame)?;
        if self.synchronized {
            crossterm::queue!(self.out, EndSynchronizedUpdate)?;
        }
        self.out.flush()
    }
}
