//! `add`: has the server scan, and shows the count while it runs.

use std::io::{IsTerminal, Write};
use std::path::Path;

use vc_protocol::job::Priority;
use vc_protocol::operator::{AddRequest, Request, Response, ScanCounts};

use super::exit::{Exit, Failed};
use super::{AddArgs, absolute, json, text};
use crate::config::Config;
use crate::config::keys::Name;
use crate::operator::client::{Client, ClientError};

pub(super) async fn add(state_dir: &Path, args: AddArgs, config: &Config) -> Result<Exit, Failed> {
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
    let mut client = Client::connect(state_dir).await?;
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
