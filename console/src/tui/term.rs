//! The terminal: taken on entry, given back on every way out. Knows nothing of what is drawn.

use std::fs::OpenOptions;
use std::io::{self, IsTerminal, stderr, stdin, stdout};
use std::panic::PanicHookInfo;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crossterm::cursor::Show;
use crossterm::event::{
    DisableBracketedPaste, DisableFocusChange, DisableMouseCapture, EnableBracketedPaste, EnableFocusChange,
};
use crossterm::queue;
use crossterm::style::Print;
use crossterm::terminal::{
    EndSynchronizedUpdate, EnterAlternateScreen, LeaveAlternateScreen, disable_raw_mode, enable_raw_mode,
};
use nix::unistd::{dup2_stderr, dup2_stdout};
use tokio::sync::Notify;

use super::out::Out;

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
    /// The way to it.
    pub(crate) out: Out,
}

impl Terminal {
    /// Takes the terminal. A panic on any thread gives it back before its message is printed, and rings the alarm.
    pub(crate) fn enter(mouse: bool) -> io::Result<Terminal> {
        let out = Out::open()?;
        let held = Arc::new(AtomicBool::new(true));
        let alarm = Arc::new(Alarm::default());
        let previous_hook: Arc<Hook> = Arc::from(std::panic::take_hook());
        let hook = (Arc::clone(&held), Arc::clone(&alarm), Arc::clone(&previous_hook), out.clone());
        std::panic::set_hook(Box::new(move |info| {
            let (held, alarm, previous, out) = &hook;
            give_back(held, out);
            previous(info);
            alarm.panicked.store(true, Ordering::Relaxed);
            alarm.rung.notify_one();
        }));
        let terminal = Terminal { held, previous_hook, alarm, out };
        terminal.take(mouse)?;
        terminal.watch()?;
        Ok(terminal)
    }

    /// Raw mode, alternate screen and the reports that the loop listens to; also after it was lent to a shell.
    pub(crate) fn take(&self, mouse: bool) -> io::Result<()> {
        enable_raw_mode()?;
        let mut bytes = Vec::new();
        queue!(bytes, EnterAlternateScreen, EnableBracketedPaste, EnableFocusChange)?;
        self.out.push(&bytes);
        self.take_mouse(mouse)
    }

    /// Clicks come here, or go to the terminal.
    pub(crate) fn take_mouse(&self, mouse: bool) -> io::Result<()> {
        let mut bytes = Vec::new();
        if mouse {
            queue!(bytes, Print(MOUSE_ON))?
        } else {
            queue!(bytes, DisableMouseCapture)?
        }
        self.out.push(&bytes);
        Ok(())
    }

    /// Lends the terminal to a shell until [`Terminal::take`].
    pub(crate) fn lend(&self) {
        restore(&self.out);
    }

    /// Leaves the alternate screen, but still hears every key.
    pub(crate) fn step_out(&self) -> io::Result<()> {
        let mut bytes = Vec::new();
        queue!(bytes, DisableMouseCapture, DisableFocusChange, LeaveAlternateScreen, Show)?;
        self.out.push(&bytes);
        Ok(())
    }

    /// Ends the program when the terminal is gone and the loop does not: crossterm's reader is known to spin then.
    fn watch(&self) -> io::Result<()> {
        let (held, alarm) = (Arc::clone(&self.held), Arc::clone(&self.alarm));
        let there = || stdin().is_terminal() || stdout().is_terminal();
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
        give_back(&self.held, &self.out);
        self.out.close();
        // Setting a hook panics on a thread that is panicking.
        if !std::thread::panicking() {
            let previous = Arc::clone(&self.previous_hook);
            std::panic::set_hook(Box::new(move |info| previous(info)));
        }
    }
}

/// Restores the terminal once.
fn give_back(held: &AtomicBool, out: &Out) {
    if held.swap(false, Ordering::Relaxed) && !restore(out) {
        silence();
    }
}

/// False if the terminal does not take it. Errors are of no use to a terminal that may be gone.
fn restore(out: &Out) -> bool {
    let mut bytes = Vec::new();
    let _ = queue!(
        bytes,
        EndSynchronizedUpdate,
        DisableMouseCapture,
        DisableFocusChange,
        DisableBracketedPaste,
        LeaveAlternateScreen,
        Show
    );
    // A text on its way to the clipboard goes first; a frame that is not taken may be cut.
    if out.settle() {
        out.push(&bytes);
    } else {
        out.push_instead(&bytes);
    }
    let taken = out.settle();
    let _ = disable_raw_mode();
    taken
}

/// What the program has yet to say must not wait for a terminal that nobody reads: it would never end.
fn silence() {
    let Ok(nowhere) = OpenOptions::new().write(true).open("/dev/null") else { return };
    if stdout().is_terminal() {
        let _ = dup2_stdout(&nowhere);
    }
    if stderr().is_terminal() {
        let _ = dup2_stderr(&nowhere);
    }
}
