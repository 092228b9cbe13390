//! Which jobs a command means: numbers, a filter, or numbers on stdin.

use std::collections::BTreeSet;
use std::io::{BufRead, IsTerminal};
use std::num::ParseIntError;
use std::str::FromStr;

use clap::Args;
use vc_protocol::id::JobId;
use vc_protocol::operator::{JobFilter, Selection, filter};

use crate::cli::exit::Failed;
use crate::tui::{Glyphs, text};

/// Most job numbers read from stdin: as many as the job table is made for.
const STDIN_IDS_MAX: usize = 1_000_000;

#[derive(Args)]
pub(in crate::cli) struct Which {
    /// Numbers of jobs; - reads them from stdin, as does a pipe when nothing is named
    #[arg(value_name = "JOB")]
    jobs: Vec<Named>,
    /// All jobs that this finds, as in `jobs ls`
    #[arg(long, value_name = "FILTER", conflicts_with = "jobs")]
    filter: Option<String>,
}

/// A job as it is named on the command line.
#[derive(Debug, Clone, Copy)]
enum Named {
    Job(JobId),
    /// Those on stdin.
    Stdin,
}

impl FromStr for Named {
    type Err = ParseIntError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text == "-" { Ok(Self::Stdin) } else { text.parse().map(Self::Job) }
    }
}

impl Which {
    /// The jobs that are meant, if any were named.
    pub(super) fn named(self) -> Result<Option<Selection>, Failed> {
        if let Some(text) = self.filter {
            let filter = filter(&text)?;
            if filter.is_all() {
                // An empty variable of a script would select every job there is.
                return Err(Failed::usage("--filter is empty, which would mean every job: say which"));
            }
            return Ok(Some(Selection::Filter(filter)));
        }
        if self.jobs.is_empty() {
            return Ok(None);
        }
        let mut ids = BTreeSet::new();
        for job in self.jobs {
            match job {
                Named::Job(id) => drop(ids.insert(id)),
                Named::Stdin => ids.extend(read_ids(std::io::stdin().lock())?),
            }
        }
        of_ids(ids).map(Some)
    }

    /// The jobs that are meant; without a word those on stdin.
    pub(super) fn selection(self) -> Result<Selection, Failed> {
        if let Some(named) = self.named()? {
            return Ok(named);
        }
        if std::io::stdin().is_terminal() {
            return Err(Failed::usage("name jobs by number or --filter, or give numbers on stdin"));
        }
        of_ids(read_ids(std::io::stdin().lock())?)
    }
}

fn of_ids(ids: BTreeSet<JobId>) -> Result<Selection, Failed> {
    if ids.is_empty() {
        Err(Failed::usage("no job was named"))
    } else {
        Ok(Selection::Ids(ids.into_iter().collect()))
    }
}

/// Numbers parted by blanks, or the first field of each line of `jobs ls`.
fn read_ids(input: impl BufRead) -> Result<BTreeSet<JobId>, Failed> {
    let mut ids = BTreeSet::new();
    for line in input.lines() {
        let line = line.map_err(|e| Failed::usage(format!("stdin: {e}")))?;
        let words = line.split_once('\t').map_or(line.as_str(), |(first, _)| first);
        for word in words.split_whitespace() {
            ids.insert(
                word.parse().map_err(|_| Failed::usage(format!("stdin: \"{word}\" is no job number")))?,
            );
        }
        if ids.len() > STDIN_IDS_MAX {
            return Err(Failed::usage(format!("stdin: more than {STDIN_IDS_MAX} jobs: use --filter")));
        }
    }
    Ok(ids)
}

/// Reads a filter; if it makes no sense, the bad place is shown.
pub(in crate::cli) fn filter(text: &str) -> Result<JobFilter, Failed> {
    filter::parse(text).map_err(|error| {
        let before = text::clean(&text[..text.floor_char_boundary(error.at)], Glyphs::Unicode);
        let blanks = " ".repeat(text::width(&before));
        Failed {
            below: vec![format!("  {text}"), format!("  {blanks}^")],
            ..Failed::usage(format!("--filter: {error}"))
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_read_from_words_and_from_rows() {
        let read = |text: &str| {
            read_ids(text.as_bytes()).map(|ids| ids.into_iter().map(|id| id.0).collect::<Vec<_>>())
        };
        assert_eq!(read("3 1\n#2\n\n").ok(), Some(vec![1, 2, 3]));
        assert_eq!(read("7\tfailed\t5\ta 1.mkv\n9\tfailed\n").ok(), Some(vec![7, 9]));
        assert_eq!(read("1 two").err().map(|e| e.message), Some("stdin: \"two\" is no job number".into()));
    }

    #[test]
    fn the_bad_place_of_a_filter_is_shown() {
        let failed = filter("日本 state:fialed").expect_err("there is no such state");
        assert_eq!(failed.below, ["  日本 state:fialed", "             ^"]);
        let failed = filter("\x1b[2Jx \"open").expect_err("a quote is open");
        assert_eq!(failed.below[1], "       ^");
    }
}
