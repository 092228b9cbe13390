//! `completion` and `man`: what is made from the definitions of the commands.

use std::io::{self, Write};
use std::path::PathBuf;

use clap::{CommandFactory, ValueEnum};
use clap_complete::CompleteEnv;
use clap_complete::env::{Bash, EnvCompleter, Fish, Shells, Zsh};

use super::exit::{Code, Failed};
use super::{Cli, show};

/// The variable by which the shell says that it wants words completed.
const VARIABLE: &str = "VC_COMPLETE";
/// Name of the program.
const PROGRAM: &str = "vc-agent";

/// Shells that are known.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub(super) enum Shell {
    Bash,
    Zsh,
    Fish,
}

impl Shell {
    fn completer(self) -> &'static dyn EnvCompleter {
        match self {
            Self::Bash => &Bash,
            Self::Zsh => &Zsh,
            Self::Fish => &Fish,
        }
    }
}

/// Answers a shell that asks for words, and ends the program then. Call it before any thread runs.
pub(super) fn complete() {
    let shells = Shells(&[&Bash, &Zsh, &Fish]);
    CompleteEnv::with_factory(Cli::command).var(VARIABLE).bin(PROGRAM).shells(shells).complete();
}

/// Prints what the shell is to read.
pub(super) fn completion(shell: Shell) -> Result<Code, Failed> {
    let mut script = Vec::new();
    let written = shell.completer().write_registration(VARIABLE, PROGRAM, PROGRAM, PROGRAM, &mut script);
    written.map_err(|error| Failed::unexpected(format!("write the completion: {error}")))?;
    show::line(String::from_utf8_lossy(&script).trim_end());
    Ok(Code::Done)
}

/// Prints the page of the program, or writes one for each command.
pub(super) fn man(out: Option<PathBuf>) -> Result<Code, Failed> {
    let failed = |error: io::Error| Failed::unexpected(format!("write the man pages: {error}"));
    match out {
        Some(dir) => {
            std::fs::create_dir_all(&dir).map_err(failed)?;
            clap_mangen::generate_to(Cli::command(), &dir).map_err(failed)?;
        }
        None => {
            let mut page = Vec::new();
            clap_mangen::Man::new(Cli::command()).render(&mut page).map_err(failed)?;
            // A reader that has seen enough is no error.
            let _ = io::stdout().lock().write_all(&page);
        }
    }
    Ok(Code::Done)
}
