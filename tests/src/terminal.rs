//! A real program in a pseudo-terminal: keys in, the picture out, and what it costs.

use std::fmt;
use std::io::{Read, Write};
use std::num::NonZeroU16;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::thread::JoinHandle;

use portable_pty::{Child, CommandBuilder, MasterPty, PtySize, native_pty_system};

use crate::wait::{LONG, eventually};

/// Columns and rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Size(pub u16, pub u16);

/// What people had when terminals were made of glass.
pub const GLASS: Size = Size(80, 24);
/// A window of today.
pub const WIDE: Size = Size(120, 40);

/// Whether somebody reads what the program writes.
#[derive(Default)]
struct Reads {
    stopped: Mutex<bool>,
    changed: Condvar,
}

impl Reads {
    fn set(&self, stopped: bool) {
        *self.stopped.lock().expect("nobody panics while asking") = stopped;
        self.changed.notify_all();
    }

    fn wait(&self) {
        let stopped = self.stopped.lock().expect("nobody panics while asking");
        drop(self.changed.wait_while(stopped, |stopped| *stopped).expect("nobody panics while asking"));
    }
}

/// A program in a pseudo-terminal, with the picture that it draws.
pub struct Terminal {
    master: Box<dyn MasterPty + Send>,
    keys: Box<dyn Write + Send>,
    picture: Arc<Mutex<vt100::Parser>>,
    written: Arc<AtomicU64>,
    reads: Arc<Reads>,
    reader: Option<JoinHandle<()>>,
    child: Box<dyn Child + Send + Sync>,
    termios: String,
}

impl Terminal {
    /// Starts a program in a terminal of that size.
    ///
    /// # Panics
    /// When there is no pseudo-terminal, or the program does not start.
    pub fn start(command: &std::process::Command, Size(columns, rows): Size) -> Self {
        let size = PtySize { rows, cols: columns, pixel_width: 0, pixel_height: 0 };
        let pair = native_pty_system().openpty(size).expect("a pseudo-terminal can be had");
        let termios = format!("{:?}", pair.master.get_termios());
        let mut builder = CommandBuilder::new(command.get_program());
        builder.args(command.get_args());
        for (name, value) in command.get_envs() {
            match value {
                Some(value) => builder.env(name, value),
                None => builder.env_remove(name),
            }
        }
        builder.env("TERM", "xterm-256color");
        if let Some(folder) = command.get_current_dir() {
            builder.cwd(folder);
        }
        let child = pair.slave.spawn_command(builder).expect("the program starts in the pseudo-terminal");
        // The terminal hangs up when the last program lets go of it, so this end must not hold it.
        drop(pair.slave);
        let some = |n| NonZeroU16::new(n).expect("a terminal has rows and columns");
        let picture = Arc::new(Mutex::new(vt100::Parser::new(some(rows), some(columns), 0)));
        let written = Arc::new(AtomicU64::new(0));
        let mut output = pair.master.try_clone_reader().expect("the terminal can be read");
        let reads = Arc::new(Reads::default());
        let (drawn, counted, may_read) = (Arc::clone(&picture), Arc::clone(&written), Arc::clone(&reads));
        let reader = std::thread::spawn(move || {
            let mut bytes = [0; 8192];
            while let Ok(count @ 1..) = output.read(&mut bytes) {
                drawn.lock().expect("the picture is whole").process(&bytes[..count]);
                counted.fetch_add(count as u64, Ordering::Relaxed);
                may_read.wait();
            }
        });
        let keys = pair.master.take_writer().expect("the terminal can be written");
        Terminal { master: pair.master, keys, picture, written, reads, reader: Some(reader), child, termios }
    }

    /// Presses keys. A program that has just ended does not hear them, and that is no fault.
    pub fn press(&mut self, keys: &str) {
        drop(self.keys.write_all(keys.as_bytes()).and_then(|()| self.keys.flush()));
    }

    /// The text that is on the screen.
    pub fn picture(&self) -> String {
        self.picture.lock().expect("the picture is whole").screen().contents()
    }

    /// Waits until something holds of the text on the screen; the text then.
    #[track_caller]
    pub fn wait_picture(&self, what: &str, mut holds: impl FnMut(&str) -> bool) -> String {
        let found = eventually(LONG, || Some(self.picture()).filter(|picture| holds(picture)));
        found.unwrap_or_else(|| panic!("waited in vain until {what}:\n{}", self.picture()))
    }

    /// The screen with its colours.
    pub fn screen(&self) -> vt100::Screen {
        self.picture.lock().expect("the picture is whole").screen().clone()
    }

    /// Bytes that the program has written so far.
    pub fn written(&self) -> u64 {
        self.written.load(Ordering::Relaxed)
    }

    /// The program's process id.
    ///
    /// # Panics
    /// When it has ended.
    pub fn pid(&self) -> u32 {
        self.child.process_id().expect("the program runs")
    }

    /// Reads nothing of what the program writes until [`Terminal::read_on`]; a last piece may still be read.
    pub fn stop_reading(&self) {
        self.reads.set(true);
    }

    /// Reads again.
    pub fn read_on(&self) {
        self.reads.set(false);
    }

    /// Gives the terminal another size, as a person who pulls at the window.
    pub fn resize(&self, Size(columns, rows): Size) {
        let size = PtySize { rows, cols: columns, pixel_width: 0, pixel_height: 0 };
        // The program that draws there may just have ended.
        drop(self.master.resize(size));
        if let (Some(rows), Some(columns)) = (NonZeroU16::new(rows), NonZeroU16::new(columns)) {
            self.picture.lock().expect("the picture is whole").screen_mut().set_size(rows, columns);
        }
    }

    /// Waits for the end; the exit code, once everything that it drew was read.
    pub fn wait_end(&mut self) -> u32 {
        let ended = eventually(LONG, || self.child.try_wait().expect("a child can be waited for"));
        let status = ended.unwrap_or_else(|| panic!("it does not end:\n{}", self.picture()));
        self.read_on();
        if let Some(reader) = self.reader.take() {
            reader.join().expect("the terminal was read to its end");
        }
        status.exit_code()
    }

    /// The terminal is as it was: modes of the line, screen, cursor, mouse, paste.
    pub fn assert_restored(&self) {
        assert_eq!(format!("{:?}", self.master.get_termios()), self.termios, "the modes of the line");
        let parser = self.picture.lock().expect("the picture is whole");
        let screen = parser.screen();
        assert!(!screen.alternate_screen(), "still on the alternate screen");
        assert!(!screen.hide_cursor(), "the cursor is still hidden");
        assert!(!screen.bracketed_paste(), "pastes are still bracketed");
        assert_eq!(screen.mouse_protocol_mode(), vt100::MouseProtocolMode::None, "the mouse is still taken");
    }
}

impl fmt::Debug for Terminal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Terminal({:?})", self.child.process_id())
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
        self.read_on();
    }
}
