//! `doctor`: one line a check, and what to do where something is wrong.

use std::io::IsTerminal;
use std::path::PathBuf;

use clap::Args;
use vc_agent::finding::{self, Finding, Verdict};

use super::exit::{Exit, Failed};
use super::text;
use crate::config::Config;
use crate::doctor::{self, Terminal};
use crate::tui::{Color, Glyphs, Look};

#[derive(Args)]
pub(super) struct DoctorArgs {
    /// Output folders to try [default: add.out of the configuration, and those of the newest jobs]
    #[arg(long, value_name = "DIR")]
    out: Vec<PathBuf>,
    /// One JSON document
    #[arg(long)]
    json: bool,
}

pub(super) async fn run(config: &Config, args: DoctorArgs) -> Result<Exit, Failed> {
    let look = Look::detect();
    let terminal = Terminal {
        is_there: std::io::stdout().is_terminal(),
        name: std::env::var("TERM").unwrap_or_default(),
        has_unicode: look.glyphs == Glyphs::Unicode,
        has_color: look.color == Color::On,
    };
    let findings = doctor::examine(config, args.out, terminal).await;
    if args.json {
        text::json_out(&finding::document(&findings));
    } else {
        text::parts(findings.iter().flat_map(Finding::lines));
    }
    let is_worse = finding::worst(&findings) >= Verdict::Warning;
    Ok(if is_worse { Exit::Degraded } else { Exit::Done })
}
