//! The dashboard of `convert` in a real pseudo-terminal, with keys pressed and the picture read.

use std::io::{Read, Write};
use std::num::NonZeroU16;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

use portable_pty::{Child, CommandBuilder, MasterPty, PtySize, native_pty_system};
use vc_tests::media::{Clip, TINY, clip, files_below};
use vc_tests::{Fake, LONG, Scratch, eventually, media_processes, need_ffmpeg, vc_console, wait_until};

const ROWS: NonZeroU16 = NonZeroU16::new(24).unwrap();
const COLUMNS: NonZeroU16 = NonZeroU16::new(80).unwrap();

/// A program in a terminal of the size that people had when terminals were made of glass.
struct Terminal {
    master: Box<dyn MasterPty + Send>,
    keys: Box<dyn Write + Send>,
    picture: Arc<Mutex<vt100::Parser>>,
    reader: Option<JoinHandle<()>>,
    child: Box<dyn Child + Send + Sync>,
    termios: String,
}

impl Terminal {
    fn start(command: &std::process::Command) -> Self {
        let size = PtySize { rows: ROWS.get(), cols: COLUMNS.get(), pixel_width: 0, pixel_height: 0 };
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
        let picture = Arc::new(Mutex::new(vt100::Parser::new(ROWS, COLUMNS, 0)));
        let mut output = pair.master.try_clone_reader().expect("the terminal can be read");
        let drawn = Arc::clone(&picture);
        let reader = std::thread::spawn(move || {
            let mut bytes = [0; 8192];
            while let Ok(count @ 1..) = output.read(&mut bytes) {
                drawn.lock().expect("the picture is whole").process(&bytes[..count]);
            }
        });
        let keys = pair.master.take_writer().expect("the terminal can be written");
        Terminal { master: pair.master, keys, picture, reader: Some(reader), child, termios }
    }

    /// Presses keys. A program that has just ended does not hear them, and that is no fault.
    fn press(&mut self, keys: &str) {
        drop(self.keys.write_all(keys.as_bytes()).and_then(|()| self.keys.flush()));
    }

    fn picture(&self) -> String {
        self.picture.lock().expect("the picture is whole").screen().contents()
    }

    fn wait_picture(&self, what: &str, mut holds: impl FnMut(&str) -> bool) -> String {
        let found = eventually(LONG, || Some(self.picture()).filter(|picture| holds(picture)));
        found.unwrap_or_else(|| panic!("waited in vain until {what}:\n{}", self.picture()))
    }

    /// Waits for the end; the exit code, once everything that it drew was read.
    fn wait_end(&mut self) -> u32 {
        let ended = eventually(LONG, || self.child.try_wait().expect("a child can be waited for"));
        let status = ended.unwrap_or_else(|| panic!("it does not end:\n{}", self.picture()));
        if let Some(reader) = self.reader.take() {
            reader.join().expect("the terminal was read to its end");
        }
        status.exit_code()
    }

    /// The terminal is as it was: modes of the line, screen, cursor, mouse, paste.
    fn assert_restored(&self) {
        assert_eq!(format!("{:?}", self.master.get_termios()), self.termios, "the modes of the line");
        let parser = self.picture.lock().expect("the picture is whole");
        let screen = parser.screen();
        assert!(!screen.alternate_screen(), "still on the alternate screen");
        assert!(!screen.hide_cursor(), "the cursor is still hidden");
        assert!(!screen.bracketed_paste(), "pastes are still bracketed");
        assert_eq!(screen.mouse_protocol_mode(), vt100::MouseProtocolMode::None, "the mouse is still taken");
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// The number before the first `%` of the line that names a file.
fn percent(picture: &str, name: &str) -> Option<u32> {
    let line = picture.lines().find(|line| line.contains(name) && line.contains('%'))?;
    let before = line.split('%').next()?;
    let digits: String = before.chars().rev().take_while(char::is_ascii_digit).collect();
    digits.chars().rev().collect::<String>().parse().ok()
}

/// The line of the picture that names a file, if it holds that word.
fn row_says(picture: &str, name: &str, word: &str) -> bool {
    picture.lines().any(|line| line.contains(name) && line.contains(word))
}

#[test]
fn a_conversion_is_watched_cancelled_retried_and_left() {
    need_ffmpeg!();
    let scratch = Scratch::new();
    let fake = Fake::install(scratch.join("ffmpeg"));
    fake.mode("gate");
    // The longest goes first.
    clip(&scratch.join("in/first.mp4"), Clip { seconds: 4.0, ..TINY });
    clip(&scratch.join("in/second.mp4"), TINY);
    let mut command = vc_console(&scratch);
    command
        .arg("convert")
        .arg(scratch.join("in"))
        .arg("--out")
        .arg(scratch.join("out"))
        .args(["--slots", "1"]);
    command.env("VC_FFMPEG", fake.ffmpeg()).env("VC_FFPROBE", fake.ffprobe());
    let mut terminal = Terminal::start(&command);

    let picture = terminal.wait_picture("it encodes", |picture| percent(picture, "first.mp4").is_some());
    let before = percent(&picture, "first.mp4");
    terminal.wait_picture("its progress moves", |picture| percent(picture, "first.mp4") > before);

    terminal.press("2/first\r");
    terminal.wait_picture("only that job is listed", |picture| {
        row_says(picture, "first.mp4", "running") && !picture.contains("second.mp4")
    });
    terminal.press("x");
    terminal.wait_picture("it asks", |picture| picture.contains("Cancel"));
    // An answer that comes before anyone can have read the question does not count, so it is given until it does.
    let cancelled = eventually(LONG, || {
        terminal.press("y");
        row_says(&terminal.picture(), "first.mp4", "cancelled").then_some(())
    });
    assert!(cancelled.is_some(), "it is not cancelled:\n{}", terminal.picture());
    // Its slot went to the other one.
    fake.wait_encodes(2);
    assert_eq!(media_processes(scratch.path()).len(), 1);

    terminal.press("r");
    // It is pending, or waits at the agent for the slot.
    terminal.wait_picture("it is back", |picture| {
        ["pending", "waiting", "running"].iter().any(|state| row_says(picture, "first.mp4", state))
    });
    fake.open_gate();
    wait_until("it is completed", LONG, || scratch.join("out/first.mp4").exists());
    terminal.press("q");
    assert_eq!(terminal.wait_end(), 0, "{}", terminal.picture());
    terminal.assert_restored();
    assert_eq!(files_below(&scratch.join("out")), ["first.mp4", "second.mp4"].map(PathBuf::from));
}

#[test]
fn leaving_in_the_middle_ends_every_child_and_restores_the_terminal() {
    need_ffmpeg!();
    let scratch = Scratch::new();
    let fake = Fake::install(scratch.join("ffmpeg"));
    fake.mode("gate");
    clip(&scratch.join("in/first.mp4"), TINY);
    let mut command = vc_console(&scratch);
    command.arg("convert").arg(scratch.join("in")).arg("--out").arg(scratch.join("out"));
    command.env("VC_FFMPEG", fake.ffmpeg()).env("VC_FFPROBE", fake.ffprobe());
    let mut terminal = Terminal::start(&command);
    terminal.wait_picture("it encodes", |picture| picture.contains("first.mp4"));
    fake.wait_encodes(1);
    // Once asks, twice means it.
    terminal.press("\u{3}");
    terminal.wait_picture("it asks", |picture| picture.contains("Cancel everything"));
    terminal.press("\u{3}");
    assert_eq!(terminal.wait_end(), 130, "{}", terminal.picture());
    terminal.assert_restored();
    wait_until("every ffmpeg is gone", LONG, || media_processes(scratch.path()).is_empty());
    assert_eq!(files_below(&scratch.join("out")), Vec::<PathBuf>::new());
}
