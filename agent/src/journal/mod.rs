//! The journal: proven results and unacknowledged reports, on disk until the console has them.
//!
//! One file an attempt in the state folder's `spool/`, so that an encode that was finished while the console was away is
//! not thrown away, even when the agent is started again. Written aside, flushed, renamed, and the folder flushed. A
//! file that cannot be read is set aside with a warning and never stops the agent. Knows nothing of sessions.

mod writer;

use std::fs;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use vc_protocol::agent::{Proven, Report};
use vc_protocol::codec::{self, FRAME_BYTES_MAX};
use vc_protocol::id::AttemptId;
use vc_protocol::job::Offer;
use vc_protocol::v1::ReportV1;
use vc_protocol::v2::{OfferV2, ReportV2};

pub use writer::Journal;

/// First byte of each file; a changed layout is a new number.
const VERSION: u8 = 3;
/// The layout of the second release: its recipes, sources and reports say less.
const VERSION_2: u8 = 2;
/// The layout of the first release: its reports say still less.
const VERSION_1: u8 = 1;
/// Version byte and BLAKE3 of the body.
const HEAD_BYTES: usize = 33;
/// Ending of a file that is being written.
const ASIDE: &str = "new";
/// Ending of a file that could not be read.
const BAD: &str = "bad";

/// What is kept of an attempt.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Record {
    /// It is proven; with what is needed to put it in place and to report it without its task.
    Proven {
        /// What was asked for.
        offer: Box<Offer>,
        /// What will be said of it once it is in place.
        draft: Box<Report>,
        /// The part file.
        proven: Proven,
    },
    /// It ended, and the console has not confirmed that it knows.
    Ended(Box<Report>),
}

impl Record {
    /// Of which attempt.
    pub fn attempt(&self) -> AttemptId {
        match self {
            Self::Proven { offer, .. } => offer.attempt,
            Self::Ended(report) => report.attempt,
        }
    }
}

/// Why the journal could not be used.
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    /// The folder cannot be made, read or cleaned.
    #[error("open the journal in {}", .0.display())]
    Open(PathBuf, #[source] io::Error),
    /// A record cannot be written; what it says lives in memory only.
    #[error("write {} to the journal", .0.display())]
    Write(PathBuf, #[source] io::Error),
    /// A record is too large; reports are cut before they come here.
    #[error("encode a record of attempt {0}")]
    Encode(AttemptId, #[source] codec::CodecError),
    /// The thread that writes has ended.
    #[error("write to a journal that is closed")]
    Closed,
}

fn file_name(attempt: AttemptId) -> String {
    format!("{}.{}.{}", attempt.job, attempt.task, attempt.no)
}

fn to_bytes(record: &Record) -> Result<Vec<u8>, JournalError> {
    let body = codec::encode(record).map_err(|e| JournalError::Encode(record.attempt(), e))?;
    let mut bytes = Vec::with_capacity(HEAD_BYTES + body.len());
    bytes.push(VERSION);
    bytes.extend_from_slice(blake3::hash(&body).as_bytes());
    bytes.extend_from_slice(&body);
    Ok(bytes)
}

fn from_bytes(bytes: &[u8]) -> Result<Record, String> {
    let Some((head, body)) = bytes.split_at_checked(HEAD_BYTES) else {
        return Err("it ends too early".into());
    };
    if head[1..] != *blake3::hash(body).as_bytes() {
        return Err("its content does not fit its hash".into());
    }
    match head[0] {
        VERSION => codec::decode(body).map_err(|e| e.to_string()),
        VERSION_2 => older::<ReportV2>(body),
        VERSION_1 => older::<ReportV1>(body),
        other => Err(format!("it has version {other}, this program reads up to {VERSION}")),
    }
}

/// [`Record`] as older releases wrote it.
#[derive(Debug, Deserialize)]
enum Older<R> {
    Proven { offer: Box<OfferV2>, draft: Box<R>, proven: Proven },
    Ended(Box<R>),
}

/// Reads a record whose reports are of an older shape.
fn older<R: DeserializeOwned + Into<Report>>(body: &[u8]) -> Result<Record, String> {
    let record = codec::decode::<Older<R>>(body).map_err(|e| e.to_string())?;
    Ok(match record {
        Older::Proven { offer, draft, proven } => {
            Record::Proven { offer: Box::new((*offer).into()), draft: Box::new((*draft).into()), proven }
        }
        Older::Ended(report) => Record::Ended(Box::new((*report).into())),
    })
}

/// Reads every record of a folder; leftovers of interrupted writes are removed, unreadable files set aside.
fn load(dir: &Path) -> io::Result<Vec<Record>> {
    let mut records = Vec::new();
    for entry in fs::read_dir(dir)? {
        let path = entry?.path();
        match path.extension().and_then(|e| e.to_str()) {
            Some(ASIDE) => fs::remove_file(&path)?,
            Some(BAD) => {}
            _ => match read(&path) {
                Ok(record) => records.push(record),
                Err(why) => set_aside(&path, &why)?,
            },
        }
    }
    records.sort_by_key(Record::attempt);
    Ok(records)
}

fn read(path: &Path) -> Result<Record, String> {
    let mut bytes = Vec::new();
    let file = fs::File::open(path).map_err(|e| e.to_string())?;
    // One byte more than a record can have shows that a file is too long without reading all of it.
    let limit = (HEAD_BYTES + FRAME_BYTES_MAX + 1) as u64;
    file.take(limit).read_to_end(&mut bytes).map_err(|e| e.to_string())?;
    let record = from_bytes(&bytes)?;
    if path.file_name().is_some_and(|name| name == file_name(record.attempt()).as_str()) {
        Ok(record)
    } else {
        Err(format!("it is about attempt {}", record.attempt()))
    }
}

fn set_aside(path: &Path, why: &str) -> io::Result<()> {
    let mut bad = path.as_os_str().to_owned();
    bad.push(".");
    bad.push(BAD);
    tracing::warn!("journal: {} cannot be used: {why}; set aside with the ending .{BAD}", path.display());
    fs::rename(path, bad)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::session::state::testing::{attempt, ended, offer, proven};
    use vc_protocol::profile::{Container, Effort, SubtitleMode, VideoCodec};
    use vc_protocol::progress::Phase;

    fn proven_record(job: u64) -> Record {
        Record::Proven { offer: offer(job), draft: Box::new(ended(attempt(job))), proven: proven(job) }
    }

    fn ended_record(job: u64) -> Record {
        Record::Ended(Box::new(ended(attempt(job))))
    }

    #[tokio::test]
    async fn what_was_kept_is_there_after_a_restart_and_what_was_forgotten_is_not() {
        let dir = tempfile::tempdir().unwrap();
        let (journal, found) = Journal::open(dir.path()).unwrap();
        assert_eq!(found, vec![]);
        journal.keep(proven_record(1)).await.unwrap();
        journal.keep(proven_record(2)).await.unwrap();
        journal.keep_soon(ended_record(2));
        journal.keep(proven_record(3)).await.unwrap();
        journal.forget(attempt(3));
        journal.close();
        let (_, found) = Journal::open(dir.path()).unwrap();
        assert_eq!(found, vec![proven_record(1), ended_record(2)]);
    }

    #[test]
    fn a_torn_or_foreign_file_is_set_aside_and_the_rest_is_read() {
        let whole = to_bytes(&ended_record(5)).unwrap();
        let dir = tempfile::tempdir().unwrap();
        let put = |name: &str, bytes: &[u8]| fs::write(dir.path().join(name), bytes).unwrap();
        put("5.0.1", &whole);
        put("6.0.1", &whole);
        put("7.0.1", b"");
        put("8.0.1", &[&[9], &whole[1..]].concat());
        put("9.0.1.new", &whole[..20]);
        let mut flipped = whole.clone();
        *flipped.last_mut().unwrap() ^= 1;
        put("10.0.1", &flipped);
        put("11.0.1", &whole[..whole.len() - 1]);

        assert_eq!(load(dir.path()).unwrap(), vec![ended_record(5)]);
        let mut names: Vec<_> = fs::read_dir(dir.path())
            .unwrap()
            .map(|e| e.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        assert_eq!(names, ["10.0.1.bad", "11.0.1.bad", "5.0.1", "6.0.1.bad", "7.0.1.bad", "8.0.1.bad"]);
        assert_eq!(load(dir.path()).unwrap(), vec![ended_record(5)], "set aside once");
    }

    /// A file as an older release left it.
    fn file(version: u8, old: &impl Serialize) -> Vec<u8> {
        let body = codec::encode(old).unwrap();
        let mut bytes = vec![version];
        bytes.extend_from_slice(blake3::hash(&body).as_bytes());
        bytes.extend_from_slice(&body);
        bytes
    }

    /// As it lay in the file: the fields that there were, one behind the other.
    fn old_report(report: &Report) -> impl Serialize {
        let lists = (report.commands.clone(), report.warnings.clone());
        (report.attempt, report.outcome.clone(), "libx264", lists, "log", (1_u64, 2_u64, 3_u64, 4_u64))
    }

    #[test]
    fn a_record_of_the_first_release_is_read() {
        let Record::Ended(report) = ended_record(5) else { panic!("it ended") };
        let bytes = file(VERSION_1, &(1_u32, old_report(&report)));
        let Record::Ended(read) = from_bytes(&bytes).unwrap() else { panic!("it ended") };
        assert_eq!((read.encoder.as_str(), read.wall_ms, read.bytes_out), ("libx264", 1, 4));
        assert_eq!((read.attempt, read.media), (report.attempt, None));
    }

    #[test]
    fn a_result_that_the_second_release_proved_can_still_be_put_in_place() {
        let Record::Proven { offer, draft, proven } = proven_record(5) else { panic!("it is proven") };
        let video = (VideoCodec::H264, Some(20_u8), None::<String>, Effort::Medium, None::<u32>, None::<u32>);
        let recipe = ("", Container::Mp4, video, offer.profile.profile.audio.clone(), SubtitleMode::Keep);
        let asked = (
            (offer.attempt, offer.device, offer.source_root.clone(), offer.source.clone(), offer.stamp),
            (offer.output_root.clone(), offer.output.clone(), "test", recipe),
        );
        let media = ("mov,mp4", Some(2_000_u64), 9_000_u64, Vec::<u8>::new(), 3_u32);
        let said = (old_report(&draft), Some(media), vec![(Phase::Encoding, 1_500_u64)]);
        let bytes = file(VERSION_2, &(0_u32, asked, said, &proven));
        let Record::Proven { offer: read, draft, proven: part } = from_bytes(&bytes).unwrap() else {
            panic!("it is proven")
        };
        assert_eq!((read, part), (offer, proven));
        assert_eq!((draft.media.unwrap().chapters, draft.phases), (3, vec![(Phase::Encoding, 1_500)]));
        assert_eq!((draft.passed_over, draft.quality), (vec![], None));
    }

    #[test]
    fn every_cut_of_a_record_is_noticed() {
        let whole = to_bytes(&proven_record(1)).unwrap();
        assert_eq!(from_bytes(&whole), Ok(proven_record(1)));
        for len in 0..whole.len() {
            assert!(from_bytes(&whole[..len]).is_err(), "cut to {len}");
        }
    }
}
