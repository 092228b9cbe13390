//! What is remembered of this box's cards between starts, in `devices.json` of the state folder: which number each has,
//! and how many encodes at once were found to be good for it.
//!
//! A card that is away keeps its number. What was learned holds for one version of the driver. Losing the file costs
//! new numbers and some minutes of learning, never work: one that cannot be read is set aside.

use std::fs::{self, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde::{Deserialize, Serialize};
use vc_protocol::id::DeviceId;

use crate::task;

/// Layout of the file.
const VERSION: u32 = 1;
/// Most cards remembered; those that are away are forgotten first.
const CARDS_MAX: usize = 256;
/// Longest file read: 256 cards take under 64 KiB.
const FILE_BYTES_MAX: u64 = 256 * 1024;

/// What was learned about encodes at once.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Learned {
    /// So many gave the most frames a second.
    pub(crate) best: Option<u16>,
    /// More than these were refused.
    pub(crate) limit: Option<u16>,
}

#[derive(Debug, Clone, Default, Serialize, Deserialize)]
struct Document {
    v: u32,
    cards: Vec<Row>,
    /// Sessions that the NVIDIA driver gives out on this box, by the version that refused one more.
    nvidia: Option<(String, u16)>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
struct Row {
    key: String,
    id: u16,
    driver: String,
    #[serde(flatten)]
    learned: Learned,
}

/// The file, and what it says. Clones are the same one.
#[derive(Debug, Clone)]
pub(crate) struct Register {
    path: Arc<Path>,
    document: Arc<Mutex<Document>>,
}

impl Register {
    /// Reads it; without one, nothing is remembered yet.
    pub(crate) fn open(path: PathBuf) -> Register {
        let document = read(&path).unwrap_or_else(|why| {
            tracing::warn!("{} cannot be used: {why}; set aside, and begun anew", path.display());
            let aside = path.with_extension("json.bad");
            if let Err(error) = fs::rename(&path, &aside) {
                tracing::warn!("failed to set {} aside: {error}", path.display());
            }
            Document::default()
        });
        Register { path: path.into(), document: Arc::new(Mutex::new(Document { v: VERSION, ..document })) }
    }

    fn lock(&self) -> MutexGuard<'_, Document> {
        self.document.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The numbers of these cards, each named by its key and the version of its driver, and what was learned with that.
    pub(crate) fn number(&self, cards: &[(&str, &str)]) -> Vec<(DeviceId, Learned)> {
        let mut document = self.lock();
        let found = document.number(cards);
        drop(document);
        self.save();
        found
    }

    /// Keeps what was learned of a card.
    pub(crate) fn learn(&self, id: DeviceId, learned: Learned) {
        let mut document = self.lock();
        let Some(row) = document.cards.iter_mut().find(|row| row.id == id.0) else { return };
        if row.learned == learned {
            return;
        }
        row.learned = learned;
        drop(document);
        self.save();
    }

    /// Sessions that this version of the NVIDIA driver gives out on this box, if it ever refused one.
    pub(crate) fn nvidia_sessions(&self, driver: &str) -> Option<u16> {
        let document = self.lock();
        document.nvidia.as_ref().filter(|(known, _)| known == driver).map(|(_, sessions)| *sessions)
    }

    /// Keeps that it gives out no more than these.
    pub(crate) fn learn_nvidia_sessions(&self, driver: &str, sessions: u16) {
        self.lock().nvidia = Some((driver.to_owned(), sessions));
        self.save();
    }

    /// Writes what holds by the time of writing, so that the order of two writes does not matter.
    fn save(&self) {
        let register = self.clone();
        let write = move || {
            // The lock is held while writing: two writers would share the file aside.
            let document = register.lock();
            let bytes = serde_json::to_vec(&*document).unwrap_or_default();
            if let Err(error) = replace(&register.path, &bytes) {
                tracing::warn!("{} is not up to date: {error}", register.path.display());
            }
        };
        if tokio::runtime::Handle::try_current().is_ok() {
            task::spawn_blocking("register", write);
        } else {
            write();
        }
    }
}

impl Document {
    fn number(&mut self, cards: &[(&str, &str)]) -> Vec<(DeviceId, Learned)> {
        let is_here = |row: &Row| cards.iter().any(|(key, _)| *key == row.key);
        let new = cards.iter().filter(|(key, _)| !self.cards.iter().any(|row| row.key == *key)).count();
        let mut surplus = (self.cards.len() + new).saturating_sub(CARDS_MAX);
        self.cards.retain(|row| {
            let goes = surplus > 0 && !is_here(row);
            surplus -= usize::from(goes);
            !goes
        });
        let mut found = Vec::with_capacity(cards.len());
        for (key, driver) in cards {
            let place = self.cards.iter().position(|row| row.key == *key).unwrap_or_else(|| {
                // 0 is the processor.
                let free = (1..=u16::MAX).find(|id| !self.cards.iter().any(|row| row.id == *id));
                self.cards.push(Row {
                    key: (*key).to_owned(),
                    id: free.unwrap_or(u16::MAX),
                    driver: String::new(),
                    learned: Learned::default(),
                });
                self.cards.len() - 1
            });
            let row = &mut self.cards[place];
            if row.driver != *driver {
                row.learned = Learned::default();
                (*driver).clone_into(&mut row.driver);
            }
            found.push((DeviceId(row.id), row.learned));
        }
        found
    }
}

fn read(path: &Path) -> Result<Document, String> {
    let file = match fs::File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Document::default()),
        Err(error) => return Err(error.to_string()),
    };
    let mut text = Vec::new();
    file.take(FILE_BYTES_MAX).read_to_end(&mut text).map_err(|error| error.to_string())?;
    let document: Document = serde_json::from_slice(&text).map_err(|error| error.to_string())?;
    let mut ids: Vec<_> = document.cards.iter().map(|row| row.id).collect();
    ids.sort_unstable();
    ids.dedup();
    if document.v != VERSION {
        return Err(format!("it is of version {}", document.v));
    }
    if ids.len() != document.cards.len() || ids.first() == Some(&0) {
        return Err("two devices have one number".to_owned());
    }
    Ok(document)
}

/// Whole or not at all, for the owner alone. Not flushed: what a power cut takes is learned again.
fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let aside = path.with_extension("json.new");
    let mut options = OpenOptions::new();
    let mut file = options.write(true).create(true).truncate(true).mode(0o600).open(&aside)?;
    file.write_all(bytes)?;
    fs::rename(&aside, path)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn ids(register: &Register, keys: &[&str]) -> Vec<u16> {
        let cards: Vec<_> = keys.iter().map(|key| (*key, "driver 1")).collect();
        register.number(&cards).into_iter().map(|(id, _)| id.0).collect()
    }

    #[test]
    fn a_card_keeps_its_number_while_others_come_and_go() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("devices.json");
        assert_eq!(ids(&Register::open(path.clone()), &["a", "b"]), [1, 2]);
        assert_eq!(ids(&Register::open(path.clone()), &["b", "c"]), [2, 3]);
        assert_eq!(ids(&Register::open(path.clone()), &["c", "a", "b"]), [3, 1, 2]);
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    }

    #[test]
    fn what_was_learned_holds_for_one_driver() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("devices.json");
        let register = Register::open(path.clone());
        ids(&register, &["a"]);
        let learned = Learned { best: Some(3), limit: Some(5) };
        register.learn(DeviceId(1), learned);
        register.learn_nvidia_sessions("570.1", 5);
        let register = Register::open(path);
        assert_eq!(register.number(&[("a", "driver 1")]), [(DeviceId(1), learned)]);
        assert_eq!(register.number(&[("a", "driver 2")]), [(DeviceId(1), Learned::default())]);
        assert_eq!(register.nvidia_sessions("570.1"), Some(5));
        assert_eq!(register.nvidia_sessions("570.2"), None);
    }

    #[test]
    fn a_damaged_file_is_set_aside_and_begun_anew() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("devices.json");
        for text in [
            "",
            "{",
            r#"{"v":2,"cards":[]}"#,
            r#"{"v":1,"cards":[{"key":"a","id":0,"driver":""}]}"#,
            r#"{"v":1,"cards":[{"key":"a","id":1,"driver":""},{"key":"b","id":1,"driver":""}]}"#,
        ] {
            fs::write(&path, text).unwrap();
            assert_eq!(ids(&Register::open(path.clone()), &["a"]), [1], "{text}");
            assert_eq!(fs::read_to_string(dir.path().join("devices.json.bad")).unwrap(), text);
        }
    }

    #[test]
    fn cards_that_are_away_are_forgotten_when_there_are_too_many() {
        let mut document = Document::default();
        for card in 0..CARDS_MAX + 9 {
            document.number(&[(&card.to_string(), "")]);
        }
        assert_eq!(document.cards.len(), CARDS_MAX);
        assert_eq!(document.number(&[("264", "")])[0].0, document.number(&[("264", "")])[0].0);
    }
}
