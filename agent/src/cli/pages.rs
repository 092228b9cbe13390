//! `completion` and `man`: what is made from the definitions of the commands.

use std::io::{self, Write};
use std::path::PathBuf;

use clap::CommandFactory;

use super::exit::{Code, Failed};
use super::{Cli, show};
use crate::pages::{self, Shell};

/// Name of the program.
const PROGRAM: &str = "vc-agent";

/// Answers a shell that asks for words, and ends the program then. Call it before any thread runs.
pub(super) fn complete() {
    pages::complete(PROGRAM, Cli::command);
}

/// Prints what the shell is to read.
pub(super) fn completion(shell: Shell) -> Result<Code, Failed> {
    let script = shell.script(PROGRAM);
    let script = script.map_err(|error| Failed::unexpected(format!("write the completion: {error}")))?;
    show::line(&script);
    Ok(Code::Done)
}

/// Prints the page of the program, or writes one for each command.
pub(super) fn man(out: Option<PathBuf>) -> Result<Code, Failed> {
    let failed = |error: io::Error| Failed::unexpected(format!("write the man pages: {error}"));
    match out {
        Some(dir) => pages::write_man::<Cli>(&dir).map_err(failed)?,
        None => {
            let page = pages::man::<Cli>().map_err(failed)?;
            // A reader that has seen enough is no error.
            let _ = io::stdout().lock().write_all(&page);
        }
    }
    Ok(Code::Done)
}
