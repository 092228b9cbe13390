//! What trials showed, kept between starts in `vc-agent/trials.json` of the user's cache folder, which all agents of a
//! user share. It holds as long as the card with its driver, the build of ffmpeg, this program and its rows stay what
//! they were. To lose it costs a minute of trials and nothing else: one that cannot be read is begun anew.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

use serde::{Deserialize, Serialize};
use vc_protocol::device::EncoderFacts;

use crate::device::Card;
use crate::encoder::Encoder;
use crate::ffmpeg::Tools;

/// Layout of the file.
const VERSION: u32 = 1;
/// Most devices kept, the newest ones: more than a box has with a few builds of ffmpeg.
const DEVICES_MAX: usize = 64;
/// Longest file read: 64 devices with thirty encoders each take about 500 KiB.
const FILE_BYTES_MAX: u64 = 2 << 20;

#[derive(Debug, Default, Serialize, Deserialize)]
struct Document {
    v: u32,
    devices: Vec<Row>,
}

#[derive(Debug, Serialize, Deserialize)]
struct Row {
    /// All that it depends on, as a hash.
    key: String,
    /// Seconds since 1970.
    at: u64,
    encoders: Vec<EncoderFacts>,
}

/// What was tried: a device, as it is known between starts, with the version of its driver.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Subject(String);

impl Subject {
    /// A card, or the processor.
    pub(crate) fn of(card: Option<&Card>) -> Subject {
        let card = card.map(|card| format!("{}\n{}\n{}", card.key, card.gpu.name, card.facts.driver));
        Subject(card.unwrap_or_else(|| "processor".to_owned()))
    }
}

/// The file, and what is part of every key.
#[derive(Debug, Clone)]
pub(crate) struct Cache {
    /// None where no cache folder is known.
    path: Option<PathBuf>,
    build: String,
}

impl Cache {
    /// Of this ffmpeg.
    pub(crate) fn open(tools: &Tools) -> Cache {
        Cache::at(folder().map(|folder| folder.join("vc-agent").join("trials.json")), tools)
    }

    fn at(path: Option<PathBuf>, tools: &Tools) -> Cache {
        // Two builds of one version differ in what they can. To ask for the configuration would cost every start.
        let file = fs::metadata(&tools.ffmpeg).map(|meta| (meta.len(), meta.mtime(), meta.mtime_nsec()));
        let (length, changed, fraction) = file.unwrap_or_default();
        let build =
            format!("{}\n{}\n{length} {changed}.{fraction:09}", tools.version_line, tools.ffmpeg.display());
        Cache { path, build }
    }

    /// What a trial of all these rows showed, if that still holds.
    pub(crate) fn kept(&self, subject: &Subject, rows: &[&'static Encoder]) -> Option<Vec<EncoderFacts>> {
        let key = self.key(subject, rows);
        let document = self.path.as_deref().map(read)?;
        let mut encoders = document.devices.into_iter().find(|row| row.key == key)?.encoders;
        for trial in encoders.iter_mut().flat_map(|facts| &mut facts.trials) {
            // JSON knows no infinity.
            if trial.fps.is_some() && trial.psnr_db.is_none() {
                trial.psnr_db = Some(f32::INFINITY);
            }
        }
        Some(encoders)
    }

    /// Keeps what a trial of these rows showed, unless some of them had no turn or failed: next time the box may be less
    /// busy, or what was wrong with it mended.
    pub(crate) fn remember(&self, subject: &Subject, rows: &[&'static Encoder], facts: &[EncoderFacts]) {
        let is_open = |facts: &EncoderFacts| {
            let has_problem = facts.trials.iter().any(|trial| !trial.problem.is_empty());
            has_problem || facts.problem.is_empty() && facts.trials.is_empty()
        };
        let Some(path) = self.path.as_deref().filter(|_| !facts.iter().any(is_open)) else { return };
        let key = self.key(subject, rows);
        let mut document = read(path);
        document.devices.retain(|row| row.key != key);
        document.devices.sort_by_key(|row| std::cmp::Reverse(row.at));
        document.devices.truncate(DEVICES_MAX - 1);
        let at = UNIX_EPOCH.elapsed().map_or(0, |since| since.as_secs());
        document.devices.push(Row { key, at, encoders: facts.to_vec() });
        let document = Document { v: VERSION, ..document };
        let written = serde_json::to_vec(&document).map_err(io::Error::other);
        if let Err(error) = written.and_then(|bytes| replace(path, &bytes)) {
            tracing::warn!("trials are not kept in {}: {error}", path.display());
        }
    }

    fn key(&self, subject: &Subject, rows: &[&'static Encoder]) -> String {
        let Subject(device) = subject;
        let text = format!("{device}\n{}\n{}\n{rows:?}", self.build, env!("CARGO_PKG_VERSION"));
        blake3::hash(text.as_bytes()).to_hex().to_string()
    }
}

fn folder() -> Option<PathBuf> {
    let absolute = |name| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    absolute("XDG_CACHE_HOME").or_else(|| absolute("HOME").map(|home| home.join(".cache")))
}

/// What is there; nothing if it cannot be used.
fn read(path: &Path) -> Document {
    let document = File::open(path).and_then(|file| {
        let mut text = Vec::new();
        file.take(FILE_BYTES_MAX).read_to_end(&mut text)?;
        let document: Document = serde_json::from_slice(&text)?;
        let is_ours = document.v == VERSION;
        is_ours.then_some(document).ok_or_else(|| io::Error::other("it is of another version"))
    });
    document.unwrap_or_else(|error| {
        if error.kind() != io::ErrorKind::NotFound {
            tracing::warn!("{} cannot be used, and is begun anew: {error}", path.display());
        }
        Document::default()
    })
}

/// Whole or not at all, for the owner alone. Of two agents that write at once one wins; the other one's is tried again.
fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    if let Some(folder) = path.parent() {
        DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    }
    let aside = path.with_extension(format!("{}.new", std::process::id()));
    let mut options = OpenOptions::new();
    let mut file = options.write(true).create(true).truncate(true).mode(0o600).open(&aside)?;
    file.write_all(bytes)?;
    fs::rename(&aside, path)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::os::unix::fs::PermissionsExt;

    use vc_protocol::device::{RateMode, TrialFacts};

    use super::super::{NO_TURN, TOO_LATE, untried};
    use super::*;
    use crate::encoder::ENCODERS;

    fn cache(dir: &Path, version: &str) -> Cache {
        let tools = Tools {
            ffmpeg: "/nonexistent".into(),
            ffprobe: "/nonexistent".into(),
            version_line: version.to_owned(),
            probe_version_line: String::new(),
            major: 9,
            encoders: BTreeSet::new(),
            filters: BTreeSet::new(),
            probe_decoders: BTreeSet::new(),
        };
        Cache::at(Some(dir.join("vc-agent/trials.json")), &tools)
    }

    fn facts(psnr_db: f32) -> Vec<EncoderFacts> {
        let trial =
            TrialFacts { fps: Some(50.0), psnr_db: Some(psnr_db), ..untried(8, RateMode::Quality, "") };
        vec![EncoderFacts {
            name: "ffv1".into(),
            problem: String::new(),
            fps: Some(50.0),
            trials: vec![trial],
        }]
    }

    #[test]
    fn a_trial_holds_until_the_driver_ffmpeg_or_the_rows_change() {
        let dir = tempfile::tempdir().unwrap();
        let (rows, fewer) = ([&ENCODERS[0], &ENCODERS[1]], [&ENCODERS[0]]);
        let (old, new) = (Subject("card\ndriver 1".into()), Subject("card\ndriver 2".into()));
        let cache = cache(dir.path(), "9.0.2");
        assert_eq!(cache.kept(&old, &rows), None);
        cache.remember(&old, &rows, &facts(f32::INFINITY));
        assert_eq!(cache.kept(&old, &rows), Some(facts(f32::INFINITY)));
        assert_eq!(cache.kept(&new, &rows), None);
        assert_eq!(cache.kept(&old, &fewer), None);
        let other = Cache { build: "9.1".into(), ..cache.clone() };
        assert_eq!(other.kept(&old, &rows), None);
        other.remember(&old, &rows, &facts(40.0));
        assert_eq!(cache.kept(&old, &rows), Some(facts(f32::INFINITY)), "both are kept");
        let mode = fs::metadata(dir.path().join("vc-agent/trials.json")).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        assert_eq!(fs::read_dir(dir.path().join("vc-agent")).unwrap().count(), 1);
    }

    #[test]
    fn what_had_no_turn_is_tried_again_and_a_damaged_file_is_begun_anew() {
        let dir = tempfile::tempdir().unwrap();
        let (cache, rows, subject) = (cache(dir.path(), "9"), [&ENCODERS[0]], Subject::of(None));
        let mut late = facts(40.0);
        late[0].trials = vec![untried(8, RateMode::Quality, NO_TURN)];
        cache.remember(&subject, &rows, &late);
        assert_eq!(cache.kept(&subject, &rows), None);
        late[0].problem = format!("does not encode: {TOO_LATE} 20 s");
        cache.remember(&subject, &rows, &late);
        assert_eq!(cache.kept(&subject, &rows), None, "the box may have been busy");
        fs::create_dir_all(dir.path().join("vc-agent")).unwrap();
        for damaged in ["", "{", "{\"v\":7,\"devices\":[]}", "[1]"] {
            fs::write(dir.path().join("vc-agent/trials.json"), damaged).unwrap();
            assert_eq!(cache.kept(&subject, &rows), None, "{damaged}");
            cache.remember(&subject, &rows, &facts(40.0));
            assert_eq!(cache.kept(&subject, &rows), Some(facts(40.0)), "{damaged}");
        }
    }

    #[test]
    fn only_so_many_devices_are_kept_and_the_newest_are() {
        let dir = tempfile::tempdir().unwrap();
        let (cache, rows) = (cache(dir.path(), "9"), [&ENCODERS[0]]);
        let last = Subject("last".into());
        for n in 0..DEVICES_MAX {
            cache.remember(&Subject(format!("card {n}")), &rows, &facts(40.0));
        }
        cache.remember(&last, &rows, &facts(40.0));
        assert!(cache.kept(&last, &rows).is_some());
        assert_eq!(read(&dir.path().join("vc-agent/trials.json")).devices.len(), DEVICES_MAX);
    }
}
