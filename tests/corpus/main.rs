//! Every kind of source through every shipped profile, by the agent's own pipeline: what comes out is compared with
//! what is kept in `expected/`, a file for each source.
//!
//! `UPDATE=1` writes the files anew: look at what changed before you keep it. They hold for one version of ffmpeg; with
//! another one every attempt must still end well, or in a refusal that names its cause. `VC_CORPUS=hdr` runs only the
//! sources of such a name.

#![allow(
    clippy::unwrap_used,
    clippy::wildcard_enum_match_arm,
    clippy::print_stderr,
    reason = "tests fail by panics, and say aloud what they skip"
)]

mod manifest;
mod sources;
mod subtitles;
#[path = "../../agent/tests/support/mod.rs"]
mod support;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::{Value, json};
use support::{Box, tools};
use vc_agent::ffmpeg::Tools;
use vc_protocol::agent::Outcome;
use vc_protocol::failure::FailureClass;
use vc_protocol::profile::{Container, Effort, NOT_WORTH_IT, NamedProfile};

use manifest::Kept;
use sources::{SOURCES, Source};

/// The ffmpeg that `assets/setup.sh` installs, which the files were made with.
const PINNED: &str = "ffmpeg version n9.0.2";

/// Attempts side by side: each keeps about one core busy.
const WORKERS: usize = 2;

/// What the profiles made of one source.
struct Made {
    /// By the name of the profile.
    found: BTreeMap<String, Value>,
    /// Streams that went into Matroska and came out.
    kept: Kept,
    /// What ended in another way than well, or in a refusal.
    faults: Vec<String>,
}

#[test]
fn every_kind_of_source_comes_out_of_every_profile_as_it_should() {
    let Some(tools) = tools() else { return };
    let is_pinned = is_pinned(&tools);
    if !is_pinned {
        eprintln!("skipped: what is expected is not compared, since this is {}", tools.version_line);
    }
    let profiles = profiles();
    let only = std::env::var("VC_CORPUS").ok();
    let (next, made) = (AtomicUsize::new(0), Mutex::new(BTreeMap::new()));
    std::thread::scope(|scope| {
        for _ in 0..WORKERS {
            scope.spawn(|| {
                let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
                while let Some(source) = SOURCES.get(next.fetch_add(1, Ordering::SeqCst)) {
                    if only.as_ref().is_some_and(|only| !source.name.contains(only)) {
                        continue;
                    }
                    let on = Box::with(std::sync::Arc::clone(&tools));
                    if let Some(one) = runtime.block_on(convert(&on, source, &profiles)) {
                        made.lock().unwrap().insert(source.name, one);
                    }
                }
            });
        }
    });
    let made = made.into_inner().unwrap();
    let kept = made.values().fold(Kept::default(), |sum, one| sum + one.kept);
    eprintln!("{kept}");
    let mut faults: Vec<String> = made.values().flat_map(|one| one.faults.clone()).collect();
    if is_pinned {
        faults.extend(made.iter().filter_map(|(name, one)| difference(name, &one.found)));
    }
    assert!(faults.is_empty(), "{} faults:\n{}", faults.len(), faults.join("\n"));
}

fn is_pinned(tools: &Tools) -> bool {
    tools.version_line.starts_with(PINNED)
}

/// Those that are shipped, as quick as they go: what is compared here does not depend on it.
fn profiles() -> Vec<NamedProfile> {
    let shipped = vc_console::profiles::Profiles::load(None).unwrap();
    let get = |(name, _, _): (String, String, String)| {
        let mut profile = shipped.get(&name).unwrap();
        profile.profile.video.effort = Effort::Fast;
        profile
    };
    shipped.list().into_iter().map(get).collect()
}

/// Makes the source and converts it with every profile. None if this ffmpeg cannot make it.
async fn convert(on: &Box, source: &Source, profiles: &[NamedProfile]) -> Option<Made> {
    let tools = &on.context.tools;
    let path = on.source(source.file());
    if let Err(why) = source.make(tools, &path) {
        eprintln!("skipped: {}: {why}", source.name);
        return None;
    }
    let before = manifest::of(tools, &path);
    let mut made = Made {
        found: BTreeMap::from([("source".to_owned(), before.clone())]),
        kept: Kept::default(),
        faults: Vec::new(),
    };
    for named in profiles {
        let container = named.profile.container;
        let output = format!("{}.{}", named.name, container.extension());
        let mut offer = on.offer(source.file(), &output, named.profile.clone());
        offer.profile.name = named.name.clone();
        let report = on.convert(&offer).await;
        let found = match &report.outcome {
            Outcome::Committed(_) => {
                let mut found = manifest::of(tools, &on.output(&output));
                if container == Container::Mkv {
                    made.kept = made.kept + Kept::of(&before, &found);
                }
                found["encoder"] = json!(report.encoder);
                if !report.warnings.is_empty() {
                    found["warnings"] = json!(report.warnings);
                }
                found
            }
            // How large an output is depends on the cores, too.
            Outcome::Skipped(why) if why.starts_with(NOT_WORTH_IT) => json!({ "skipped": NOT_WORTH_IT }),
            Outcome::Skipped(why) => json!({ "skipped": why }),
            Outcome::Failed(failure) if failure.class == FailureClass::Source => {
                json!({ "refused": failure.cause })
            }
            // An older encoder may lose what must be kept, and it is told.
            Outcome::Failed(failure) if failure.class == FailureClass::Encoder && !is_pinned(tools) => {
                eprintln!("{} with {}: {}", source.name, named.name, failure.cause);
                continue;
            }
            other => {
                made.faults.push(format!("{} with {}: {other:?}\n{}", source.name, named.name, report.log));
                continue;
            }
        };
        made.found.insert(named.name.clone(), found);
    }
    Some(made)
}

fn expected(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus/expected").join(format!("{name}.json"))
}

/// What is not as kept, line by line; `UPDATE=1` keeps it.
fn difference(name: &str, found: &BTreeMap<String, Value>) -> Option<String> {
    let found = manifest::text(&json!(found));
    let path = expected(name);
    let kept = fs::read_to_string(&path).unwrap_or_default();
    if found == kept {
        return None;
    }
    if std::env::var_os("UPDATE").is_some() {
        fs::create_dir_all(path.parent()?).unwrap();
        fs::write(path, found).unwrap();
        return None;
    }
    let kept: Vec<&str> = kept.lines().collect();
    let new = found.lines().filter(|line| !kept.contains(line)).map(|line| format!("+ {line}"));
    let gone = kept.iter().filter(|line| !found.lines().any(|found| found == **line));
    let lines: Vec<String> = gone.map(|line| format!("- {line}")).chain(new).collect();
    Some(format!("{name} is not as expected (UPDATE=1 keeps it):\n{}", lines.join("\n")))
}

/// Runs ffmpeg with words as they are typed; blanks are never part of one.
fn ffmpeg(tools: &Tools, words: &str) -> Result<(), String> {
    let args = words.split_ascii_whitespace();
    let made = std::process::Command::new(&tools.ffmpeg)
        .args("-nostdin -hide_banner -v error -y".split(' '))
        .args(args)
        .env("SVT_LOG", "1")
        .output()
        .map_err(|error| error.to_string())?;
    let said = String::from_utf8_lossy(&made.stderr);
    if made.status.success() { Ok(()) } else { Err(said.lines().next().unwrap_or("it fails").to_owned()) }
}
