//! `add`: has the server scan, shows the count while it runs, and waits for the jobs if asked to.

use std::io::{IsTerminal, Write};
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use vc_protocol::id::JobId;
use vc_protocol::job::{JobState, Priority};
use vc_protocol::operator::{AddRequest, Request, Response, ScanCounts};

use super::exit::{Exit, Failed};
use super::target::Target;
use super::watch::{Say, Waiting};
use super::{absolute, ask, json, text, when};
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
    /// Look into so many levels of folders below each PATH, 0 for none [default: all]
    #[arg(long, value_name = "LEVELS")]
    depth: Option<u16>,
    /// Look into all folders below each PATH, which is the default
    #[arg(long, conflicts_with = "depth")]
    recursive: bool,
    /// Only say what would be added
    #[arg(long)]
    dry_run: bool,
    /// Wait until the new jobs have ended, and exit as `jobs wait` does
    #[arg(long, conflicts_with = "dry_run")]
    wait: bool,
    /// With --wait: give up after this long, such as 90s, 15m or 2h
    #[arg(long, value_name = "TIME", requires = "wait", value_parser = when::length)]
    timeout: Option<Duration>,
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
    // A path below the folder that we are in is one of this box.
    let relative = args.paths.iter().map(PathBuf::as_path).chain([out]).find(|path| path.is_relative());
    if let Some(path) = relative.filter(|_| target.is_remote()) {
        let path = path.display();
        return Err(Failed::usage(format!("{path}: the server is on another box: say the whole path there")));
    }
    let request = AddRequest {
        paths: args.paths.iter().map(|p| absolute(p)).collect::<Result<_, _>>()?,
        out: absolute(out)?,
        profile: config.text(Name::Profile).to_owned(),
        priority: Priority(args.priority),
        depth: args.depth,
        dry_run: args.dry_run,
    };
    let mut client = target.connect().await?;
    let since_ms = ask::snapshot(&mut client).await?.now_ms;
    let Scanned { counts, problems, jobs } = scan(&mut client, request, |counts| progress(&counts)).await?;
    drop(client);
    if !args.json {
        text::out(&summary(counts, args.dry_run));
        problems.iter().for_each(|p| text::note(&format!("! {p}")));
    }
    let mut waiting = Waiting::default();
    if args.wait {
        let new = jobs.iter().flat_map(|(first, last)| (first.0..=last.0).map(JobId));
        new.for_each(|job| waiting.know(job, JobState::Pending));
        let say = if args.json { Say::Notes } else { Say::Lines };
        waiting.until_all_ended(target.server()?, since_ms, say, args.timeout).await?;
    }
    if args.json {
        let ended = args.wait.then_some(&waiting);
        text::json_out(&json::added(counts, &problems, &jobs, ended));
    } else if args.wait {
        text::note(&waiting.summary());
    }
    let found = counts.added + counts.unchanged + counts.clashed;
    Ok(if found == 0 { Exit::NothingMatched } else { waiting.exit() })
}

/// What a scan did.
pub(super) struct Scanned {
    pub(super) counts: ScanCounts,
    /// The first problems, one line each.
    pub(super) problems: Vec<String>,
    /// Ranges of new jobs.
    pub(super) jobs: Vec<(JobId, JobId)>,
}

/// Runs an add request to its end.
pub(super) async fn scan(
    client: &mut Client,
    request: AddRequest,
    mut progress: impl FnMut(ScanCounts),
) -> Result<Scanned, Failed> {
    client.ask(&Request::Add(request)).await?;
    loop {
        let response = client.next().await?;
        if let Response::Adding(counts) = response {
            progress(counts);
        } else if let Response::Added { counts, problems, jobs } = response {
            return Ok(Scanned { counts, problems, jobs });
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
