//! Completions and man pages, made from the definitions of the commands. Knows neither program nor how either prints.

use std::io;
use std::path::Path;

use clap::{Command, CommandFactory, ValueEnum};
use clap_complete::CompleteEnv;
use clap_complete::env::{Bash, EnvCompleter, Fish, Shells, Zsh};

/// The variable by which the shell says that it wants words completed.
const VARIABLE: &str = "VC_COMPLETE";

/// Shells that are known.
#[derive(Debug, Clone, Copy, ValueEnum)]
#[expect(missing_docs, reason = "the names say it, and what stands here would stand in the help")]
pub enum Shell {
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

    /// What this shell is to read, so that it asks the program for words.
    pub fn script(self, program: &str) -> io::Result<String> {
        let mut script = Vec::new();
        self.completer().write_registration(VARIABLE, program, program, program, &mut script)?;
        Ok(String::from_utf8_lossy(&script).trim_end().to_owned())
    }
}

/// Answers a shell that asks for words, and ends the program then. Call it before any thread runs.
pub fn complete(program: &'static str, commands: impl Fn() -> Command) {
    let shells = Shells(&[&Bash, &Zsh, &Fish]);
    CompleteEnv::with_factory(commands).var(VARIABLE).bin(program).shells(shells).complete();
}

/// The man page of a program.
pub fn man<C: CommandFactory>() -> io::Result<Vec<u8>> {
    let mut page = Vec::new();
    clap_mangen::Man::new(C::command()).render(&mut page)?;
    Ok(page)
}

/// Writes a man page for each command of a program.
pub fn write_man<C: CommandFactory>(dir: &Path) -> io::Result<()> {
    std::fs::create_dir_all(dir)?;
    clap_mangen::generate_to(C::command(), dir)
}
