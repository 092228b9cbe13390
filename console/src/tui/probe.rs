//! Asks the terminal what it can, before the loop listens to keys: its background, and whether it draws a frame at
//! once. Silence means no.
//!
//! Every terminal answers the last question (what are you?), so its answer ends the waiting. Inside tmux and screen
//! nothing is asked: they answer for themselves, not for the terminal.

use std::fs::OpenOptions;
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::time::Duration;

use tokio::net::unix::pipe::Receiver;

use super::out::Out;

/// How long an answer is waited for.
const PATIENCE: Duration = Duration::from_millis(100);
/// Answers are short; what comes beyond that is not one.
const ANSWER_BYTES_MAX: usize = 1024;
const ASK_BACKGROUND: &str = "\x1b]11;?\x1b\\";
const ASK_SYNCHRONIZED: &str = "\x1b[?2026$p";
/// Primary device attributes.
const ASK_LAST: &str = "\x1b[c";

/// What the terminal said.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Answers {
    /// Its background is light.
    pub(crate) light: Option<bool>,
    /// It draws a frame at once.
    pub(crate) synchronized: bool,
    /// It has not answered everything: the rest may still come, and is no typing.
    pub(crate) late: bool,
}

/// Whether there is a terminal that can be asked.
pub(crate) fn can_ask(var: impl Fn(&str) -> Option<String>) -> bool {
    let term = var("TERM").unwrap_or_default();
    let set = |name: &str| var(name).is_some_and(|v| !v.is_empty());
    let between = set("TMUX") || set("STY") || term.starts_with("screen") || term.starts_with("tmux");
    !between && !term.is_empty() && term != "linux" && term != "dumb"
}

/// Asks, and waits a moment. The terminal must be in raw mode.
pub(crate) async fn ask(out: &Out, background: bool) -> Answers {
    let late = Answers { late: true, ..Answers::default() };
    let questions = [if background { ASK_BACKGROUND } else { "" }, ASK_SYNCHRONIZED, ASK_LAST].concat();
    let mut heard = Vec::new();
    let listen = async {
        // A file of our own: what the standard library's stdin read ahead would be lost to the loop.
        let tty = OpenOptions::new().read(true).custom_flags(nix::libc::O_NONBLOCK).open("/dev/tty")?;
        // Nothing about it is a pipe's own; it is the one safe way to wait for any file here.
        let tty = Receiver::from_file_unchecked(tty)?;
        out.push(questions.as_bytes());
        while !is_complete(&heard) && heard.len() < ANSWER_BYTES_MAX {
            read_some(&tty, &mut heard).await?;
        }
        io::Result::Ok(())
    };
    match tokio::time::timeout(PATIENCE, listen).await {
        Ok(Ok(())) => understand(&heard),
        Ok(Err(_)) | Err(_) => Answers { late: true, ..understand(&heard) },
    }
    .or(late)
}

impl Answers {
    /// Without a word, what is said in place of it.
    fn or(self, otherwise: Answers) -> Answers {
        if self == Answers::default() { otherwise } else { self }
    }
}

async fn read_some(tty: &Receiver, heard: &mut Vec<u8>) -> io::Result<()> {
    tty.readable().await?;
    let mut bytes = [0; 256];
    match tty.try_read(&mut bytes) {
        Ok(0) => Err(io::ErrorKind::UnexpectedEof.into()),
        Ok(count) => {
            heard.extend_from_slice(&bytes[..count]);
            Ok(())
        }
        // Not ready after all.
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(()),
        Err(error) => Err(error),
    }
}

/// The answer to the last question is there: `ESC [ ? … c`.
fn is_complete(heard: &[u8]) -> bool {
    let mut rest = heard;
    while let Some(at) = find(rest, b"\x1b[?") {
        rest = &rest[at + 3..];
        let end = rest.iter().position(|b| !b.is_ascii_digit() && *b != b';');
        if end.is_some_and(|end| rest[end] == b'c') {
            return true;
        }
    }
    false
}

fn understand(heard: &[u8]) -> Answers {
    let synchronized =
        [&b"\x1b[?2026;1$y"[..], b"\x1b[?2026;2$y"].iter().any(|yes| find(heard, yes).is_some());
    let color = find(heard, b"\x1b]11;").map(|at| &heard[at + 5..]);
    let color = color.and_then(|rest| {
        let end = rest.iter().position(|b| *b == 0x07 || *b == 0x1b)?;
        std::str::from_utf8(&rest[..end]).ok()
    });
    Answers { light: color.and_then(is_light), synchronized, late: false }
}

/// `rgb:ffff/ffff/dddd`, with one to four digits each, and perhaps `rgba`.
fn is_light(color: &str) -> Option<bool> {
    let (_, parts) = color.split_once(':')?;
    let mut channels = parts.split('/').map(|hex| {
        let most = 16_u32.checked_pow(hex.len().clamp(1, 4) as u32)? - 1;
        Some(f64::from(u32::from_str_radix(hex, 16).ok()?.min(most)) / f64::from(most))
    });
    let mut next = || channels.next().flatten();
    let (red, green, blue) = (next()?, next()?, next()?);
    // Luminance as eyes have it; the middle is where black text becomes easier to read than white.
    Some(0.2126 * red + 0.7152 * green + 0.0722 * blue > 0.5)
}

fn find(text: &[u8], part: &[u8]) -> Option<usize> {
    text.windows(part.len()).position(|w| w == part)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_understood_in_any_form() {
        let check = |heard: &str, light, synchronized| {
            assert!(is_complete(heard.as_bytes()), "{heard:?}");
            assert_eq!(
                understand(heard.as_bytes()),
                Answers { light, synchronized, late: false },
                "{heard:?}"
            );
        };
        check("\x1b]11;rgb:ffff/ffff/dddd\x1b\\\x1b[?2026;2$y\x1b[?62;22c", Some(true), true);
        check("\x1b]11;rgb:00/00/00\x07\x1b[?2026;0$y\x1b[?1;2c", Some(false), false);
        check("x\x1b]11;rgba:1c1c/1c1c/1c1c/ffff\x1b\\\x1b[?6c", Some(false), false);
        check("\x1b]11;nonsense\x1b\\\x1b[?6c", None, false);
        check("\x1b]11;rgb:zz/\x1b\\\x1b[?6c", None, false);
        check("\x1b[?6c", None, false);
        assert!(!is_complete(b"\x1b[?2026;2$y"));
        assert!(!is_complete(b"\x1b[?62;22"));
    }

    #[test]
    fn nobody_asks_through_a_multiplexer() {
        let check = |vars: &[(&str, &str)], expected| {
            let var = |name: &str| vars.iter().find(|(n, _)| *n == name).map(|(_, v)| (*v).to_owned());
            assert_eq!(can_ask(var), expected, "{vars:?}");
        };
        check(&[("TERM", "xterm-256color")], true);
        check(&[("TERM", "xterm-256color"), ("TMUX", "/tmp/x")], false);
        check(&[("TERM", "screen.xterm-256color")], false);
        check(&[("TERM", "tmux-256color")], false);
        check(&[("TERM", "linux")], false);
        check(&[("TERM", "dumb")], false);
        check(&[], false);
    }
}
