//! `add`: has the server scan, and shows the count while it runs.

use std::io::{IsTerminal, Write};
use std::path::PathBuf;

use clap::Args;
use vc_protocol::job::Priority;
use vc_protocol::operator::{AddRequest, Request, Response, ScanCounts};

use super::exit::{Exit, Failed};
use super::target::Target;
use super::{absolute, json, text};
use crate::config::keys::Name;
use crate::config::{Config, Given};
use crate::operator::client::{Client, ClientError};

#[derive(Args)]
pub(super) struct AddArgs {
    /// Files and folders, as the server sees them
    #[arg(required = true, value_name = "PATH")]
    paths: Vec<PathBuf>,
    /// Folder for the outputs; the tree below each PATH is kept [env: VC_OUT]
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Name of the profile [env: VC_PROFILE] [default: h264-1080p]
    #[arg(long)]
    profile: Option<String>,
    /// 0 to 9, higher first
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u8).range(0..=9))]
    priority: u8,
    /// Only say what would be added
    #[arg(long)]
    dry_run: bool,
    /// One JSON document
    #[arg(long)]
    json: bool,
}

impl AddArgs {
    pub(super) fn given(&self, given: &mut Given) {
        given.flag(Name::Out, self.out.clone());
        given.flag(Name::Profile, self.profile.clone());
    }
}

pub(super) async fn add(target: &Target, args: AddArgs, config: &Config) -> Result<Exit, Failed> {
    let out = config.path(Name::Out).ok_or_else(|| {
        Failed::usage("say where the outputs go: --out DIR, or add.out in the configuration")
    })?;
    let request = AddRequest {
        paths: args.paths.iter().map(|p| absolute(p)).collect::<Result<_, _>>()?,
        out: absolute(out)?,
        profile: config.text(Name::Profile).to_owned(),
        priority: Priority(args.priority),
        dry_run: args.dry_run,
    };
    let mut client = target.connect().await?;
    let (counts, problems) = scan(&mut client, request, |counts| progress(&counts)).await?;
    if args.json {
        text::json_out(&json::added(counts, &problems));
    } else {
        text::out(&summary(counts, args.dry_run));
        problems.iter().for_each(|p| text::note(&format!("! {p}")));
    }
    let found = counts.added + counts.unchanged + counts.clashed;
    Ok(if found == 0 { Exit::NothingMatched } else { Exit::Done })
}

/// Runs an add request to its end.
pub(super) async fn scan(
    client: &mut Client,
    request: AddRequest,
    mut progress: impl FnMut(ScanCounts),
) -> Result<(ScanCounts, Vec<String>), Failed> {
    client.ask(&Request::Add(request)).await?;
    loop {
        let response = client.next().await?;
        if let Response::Adding(counts) = response {
            progress(counts);
        } else if let Response::Added { counts, problems } = response {
            return Ok((counts, problems));
        } else {
            return Err(ClientError::Unexpected.into());
        }
    }
}

fn progress(counts: &ScanCounts) {
    let mut stderr = std::io::stderr();
    if stderr.is_terminal() {
        let _ = write!(stderr, "\r{} files seen, {} added\x1b[K\r", counts.seen, counts.added);
        let _ = stderr.flush();
    }
}

fn summary(c: ScanCounts, dry_run: bool) -> String {
    let verb = if dry_run { "would be added" } else { "added" };
    let mut text = format!("{} {verb}, {} known already, {} files seen", c.added, c.unchanged, c.seen);
    for (n, what) in [(c.clashed, "claim an output that is taken"), (c.unreadable, "could not be read")] {
        if n > 0 {
            text += &format!(", {n} {what}");
        }
    }
    text
}
