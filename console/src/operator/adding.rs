//! The `add` request: walks what was named and hands the candidates to the engine, chunk by chunk.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::mpsc;
use vc_protocol::id::JobId;
use vc_protocol::operator::{AddRequest, RefusalCode, Response, ScanCounts};
use vc_protocol::path::FilePath;
use vc_protocol::profile::NamedProfile;

use super::service::{refused, unavailable};
use super::wire::{self, Duplex};
use crate::engine::handle::{AddWish, CallError, Handle};
use crate::intake::walk::{Chunk, WalkError, to_file_path, to_path, walk};
use crate::profiles::{Profiles, user_folder};
use crate::store::AddSession;

/// Chunks that the walk may be ahead of the engine; when they are full the walk waits.
const CHUNKS_AHEAD: usize = 4;
/// How often the count is shown.
const SHOW_EVERY: Duration = Duration::from_millis(200);
/// Problems told one by one; the counts tell of the rest.
const PROBLEMS_MAX: usize = 100;

/// Why an add was not done, or not to its end.
enum Stopped {
    Refused(RefusalCode, String),
    Engine(CallError),
    Client(io::Error),
}

impl From<CallError> for Stopped {
    fn from(error: CallError) -> Self {
        Stopped::Engine(error)
    }
}

/// Carries out the request, with the count on the stream while it runs.
pub(super) async fn add(stream: &mut impl Duplex, engine: &Handle, request: AddRequest) -> io::Result<()> {
    let last = match run(stream, engine, request).await {
        Ok((counts, problems, jobs)) => Response::Added { counts, problems, jobs },
        Err(Stopped::Refused(code, message)) => refused(code, message),
        Err(Stopped::Engine(error)) => unavailable(error),
        Err(Stopped::Client(error)) => return Err(error),
    };
    wire::send(stream, &last).await
}

async fn run(
    stream: &mut impl Duplex,
    engine: &Handle,
    request: AddRequest,
) -> Result<(ScanCounts, Vec<String>, Vec<(JobId, JobId)>), Stopped> {
    let usage = |text: String| Stopped::Refused(RefusalCode::Usage, text);
    let profile = Profiles::load(user_folder().as_deref())
        .and_then(|p| p.get(&request.profile))
        .map_err(|e| usage(e.to_string()))?;
    let (out, dry_run) = (to_path(&request.out), request.dry_run);
    // A folder of a server that does not answer hangs whoever looks at it.
    let prepared = tokio::task::spawn_blocking(move || prepare_output(&out, dry_run)).await;
    let out = prepared.map_err(|_| CallError::Stopped)?.map_err(usage)?;
    let mut scan = Scan {
        engine,
        profile,
        out: to_file_path(&out),
        request,
        session: None,
        counts: ScanCounts::default(),
        problems: Vec::new(),
        jobs: Vec::new(),
    };
    let mut shown = Instant::now();
    for named in scan.request.paths.clone() {
        let (mut chunks, walking) =
            start_walk(to_path(&named), out.clone(), scan.request.depth, &scan.profile);
        while let Some(chunk) = chunks.recv().await {
            scan.take(chunk).await?;
            if shown.elapsed() >= SHOW_EVERY {
                shown = Instant::now();
                wire::send(stream, &Response::Adding(scan.counts)).await.map_err(Stopped::Client)?;
            }
        }
        match walking.await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => return Err(usage(error.to_string())),
            Err(_) => return Err(usage("the scan broke off".to_owned())),
        }
    }
    Ok((scan.counts, scan.problems, scan.jobs))
}

fn start_walk(
    named: PathBuf,
    out: PathBuf,
    depth: Option<u16>,
    profile: &NamedProfile,
) -> (mpsc::Receiver<Chunk>, tokio::task::JoinHandle<Result<(), WalkError>>) {
    let (tx, rx) = mpsc::channel(CHUNKS_AHEAD);
    let container = profile.profile.container;
    let walking = tokio::task::spawn_blocking(move || {
        walk(&named, &out, depth, container, &mut |chunk| tx.blocking_send(chunk).is_ok())
    });
    (rx, walking)
}

/// Makes the output folder, and proves that the server can write there.
fn prepare_output(out: &Path, dry_run: bool) -> Result<PathBuf, String> {
    let cannot = |what: &str, e: io::Error| format!("cannot {what} the output folder {}: {e}", out.display());
    if dry_run {
        return Ok(out.canonicalize().unwrap_or_else(|_| out.to_owned()));
    }
    std::fs::create_dir_all(out).map_err(|e| cannot("create", e))?;
    tempfile_in(out).map_err(|e| cannot("write to", e))?;
    out.canonicalize().map_err(|e| cannot("read", e))
}

fn tempfile_in(out: &Path) -> io::Result<()> {
    let mut random = [0_u8; 8];
    getrandom::fill(&mut random).map_err(io::Error::other)?;
    let path = out.join(format!(".vc-probe-{:016x}", u64::from_le_bytes(random)));
    std::fs::File::create_new(&path)?;
    std::fs::remove_file(path)
}

struct Scan<'a> {
    engine: &'a Handle,
    profile: NamedProfile,
    out: FilePath,
    request: AddRequest,
    /// The engine's numbers for the folder that the walk is in.
    session: Option<(FilePath, Arc<AddSession>)>,
    counts: ScanCounts,
    problems: Vec<String>,
    /// New jobs; each chunk's numbers follow one another, since nothing else happens in its turn.
    jobs: Vec<(JobId, JobId)>,
}

impl Scan<'_> {
    async fn take(&mut self, mut chunk: Chunk) -> Result<(), Stopped> {
        self.counts.seen += chunk.seen;
        self.counts.ignored += chunk.ignored;
        self.counts.unreadable += chunk.unreadable.len() as u64;
        for problem in chunk.unreadable {
            self.problem(problem);
        }
        let (root, out) = (chunk.root.clone(), self.out.clone());
        let onto_itself = chunk
            .candidates
            .extract_if(.., |c| root.join(&c.path) == out.join(&c.output))
            .collect::<Vec<_>>();
        self.counts.clashed += onto_itself.len() as u64;
        for candidate in onto_itself {
            self.problem(format!("{}: its output would be the source itself", candidate.path));
        }
        if chunk.candidates.is_empty() {
            return Ok(());
        }
        if self.session.as_ref().is_none_or(|(root, _)| *root != chunk.root) {
            let wish = AddWish {
                source_root: chunk.root.clone(),
                output_root: self.out.clone(),
                profile: self.profile.clone(),
                priority: self.request.priority,
            };
            let session = self.engine.begin_add(wish, self.request.dry_run).await?;
            self.session = Some((chunk.root, session));
        }
        let Some((_, session)) = &self.session else { return Ok(()) };
        let report = self.engine.add(session, chunk.candidates).await?;
        self.counts.added += report.counts.added;
        self.counts.unchanged += report.counts.unchanged;
        self.counts.clashed += report.counts.clashed;
        if let Some((first, last)) = report.jobs {
            match self.jobs.last_mut() {
                Some((_, end)) if end.0 + 1 == first.0 => *end = last,
                _ => self.jobs.push((first, last)),
            }
        }
        for problem in report.problems {
            self.problem(problem);
        }
        Ok(())
    }

    fn problem(&mut self, text: String) {
        if self.problems.len() < PROBLEMS_MAX {
            self.problems.push(text);
        }
    }
}
