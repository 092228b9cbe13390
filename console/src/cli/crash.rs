//! What is left of a panic: a file in the state folder, and its name on the terminal.
//!
//! The dashboard gives the terminal back before this prints.

use std::backtrace::Backtrace;
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::panic::PanicHookInfo;
use std::path::{Path, PathBuf};

use super::size::rfc3339;
use super::text;
use crate::wall::wall_ms;

/// Panics written down; a program that is started again and again must not fill the disk.
const FILES_MAX: usize = 32;

/// Writes every panic of this process down from here on: in that folder, or where temporary files are.
pub(super) fn write_down(state_dir: Option<PathBuf>) {
    std::panic::set_hook(Box::new(move |info| {
        let place = info.location().map(ToString::to_string).unwrap_or_default();
        text::note(&format!("vc-console: panicked at {place}: {}", words(info)));
        let folder = state_dir.clone().filter(|dir| dir.is_dir()).unwrap_or_else(std::env::temp_dir);
        match write(&folder, info) {
            Ok(path) => text::note(&format!("what is known of it is in {}", path.display())),
            Err(error) => {
                text::note(&format!("it could not be written down in {}: {error}", folder.display()))
            }
        }
    }));
}

fn words(info: &PanicHookInfo<'_>) -> String {
    info.payload_as_str().unwrap_or("without a word").to_owned()
}

fn write(folder: &Path, info: &PanicHookInfo<'_>) -> io::Result<PathBuf> {
    let at = wall_ms();
    let is_panic = |entry: &io::Result<std::fs::DirEntry>| {
        entry.as_ref().is_ok_and(|entry| entry.file_name().as_encoded_bytes().starts_with(b"vc-panic-"))
    };
    if std::fs::read_dir(folder)?.filter(is_panic).count() >= FILES_MAX {
        return Err(io::Error::other("too many panics are written down there; delete those that were read"));
    }
    let path = folder.join(format!("vc-panic-{at}-{}.txt", std::process::id()));
    let thread = std::thread::current();
    let report = format!(
        "vc-console {} panicked at {}, {}\nthread {}\n{}\n\n{}\n",
        env!("CARGO_PKG_VERSION"),
        rfc3339(at),
        info.location().map(ToString::to_string).unwrap_or_default(),
        thread.name().unwrap_or("without a name"),
        words(info),
        Backtrace::force_capture(),
    );
    let mut file = std::fs::OpenOptions::new().create_new(true).write(true).mode(0o600).open(&path)?;
    io::Write::write_all(&mut file, report.as_bytes())?;
    Ok(path)
}
