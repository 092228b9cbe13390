//! `doctor`: one line a check, and what to do where something is wrong.

use std::io::IsTerminal;
use std::path::PathBuf;

use clap::Args;
use serde_json::json;

use super::exit::{Exit, Failed};
use super::text;
use crate::config::Config;
use crate::doctor::{self, Finding, Terminal, Verdict};
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
    let worst = findings.iter().map(|finding| finding.verdict).max().unwrap_or(Verdict::Fine);
    if args.json {
        let row = |f: &Finding| json!({ "check": f.check, "verdict": f.verdict.word(), "text": f.text, "fix": f.fix });
        let checks: Vec<_> = findings.iter().map(row).collect();
        text::json_out(&json!({ "v": 1, "worst": worst.word(), "checks": checks }));
    } else {
        for finding in &findings {
            text::out(&format!("{:<4}  {:<18}  {}", finding.verdict.word(), finding.check, finding.text));
            if !finding.fix.is_empty() {
                text::out(&format!("{:<4}  {:<18}  -> {}", "", "", finding.fix));
            }
        }
    }
    Ok(if worst >= Verdict::Warning { Exit::Degraded } else { Exit::Done })
}
