//! The stand-in for ffmpeg, installed in a folder of its own and steered by files beside it.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::programs::{real_ffmpeg, vc_fake_path};
use crate::wait::{LONG, wait_until};

/// A folder with a stand-in `ffmpeg` and the real `ffprobe`.
///
/// Agents clean the environment of their children, so the stand-in looks for its orders in files beside its own
/// program; `src/bin/fake-ffmpeg.rs` says what it can do.
#[derive(Debug)]
pub struct Fake {
    folder: PathBuf,
}

impl Fake {
    /// Installs it in a new folder, in the mode `ok`.
    ///
    /// # Panics
    /// When ffmpeg is not there: ask [`crate::need_ffmpeg`] first.
    pub fn install(folder: PathBuf) -> Self {
        let real = real_ffmpeg().expect("ffmpeg is on the PATH");
        fs::create_dir_all(&folder).expect("the stand-in's folder can be made");
        let program = folder.join("ffmpeg");
        // A copy and no link: the program finds its orders by its own path.
        fs::copy(vc_fake_path(), &program).expect("the stand-in can be copied");
        symlink(real.join("ffprobe"), folder.join("ffprobe")).expect("a link to ffprobe can be made");
        fs::write(folder.join("ffmpeg.real"), real.join("ffmpeg").as_os_str().as_encoded_bytes())
            .expect("the stand-in's orders can be written");
        Fake { folder }
    }

    /// The stand-in's program.
    pub fn ffmpeg(&self) -> PathBuf {
        self.folder.join("ffmpeg")
    }

    /// The real ffprobe, beside the stand-in.
    pub fn ffprobe(&self) -> PathBuf {
        self.folder.join("ffprobe")
    }

    /// The folder of both.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Orders for all encodes that start from now on: lines `MODE…` or `MODE… for TEXT`, of which the first counts
    /// whose text is in the command line.
    pub fn mode(&self, orders: &str) {
        // Renamed into place, so that no encode reads half an order.
        let new = self.folder.join("ffmpeg.mode.new");
        fs::write(&new, orders).expect("the stand-in's orders can be written");
        fs::rename(&new, self.folder.join("ffmpeg.mode")).expect("the stand-in's orders can be put in place");
    }

    /// Lets go every encode that waits at the gate, now and later.
    pub fn open_gate(&self) {
        fs::write(self.folder.join("ffmpeg.open"), "").expect("the gate can be opened");
    }

    /// Command lines of all encodes started so far.
    pub fn encodes(&self) -> Vec<Vec<String>> {
        let log = fs::read_to_string(self.folder.join("ffmpeg.log")).unwrap_or_default();
        log.lines()
            .map(|line| {
                let words: Value = serde_json::from_str(line).expect("the stand-in logs JSON");
                let words = words.as_array().expect("the stand-in logs a list");
                words.iter().filter_map(|word| word.as_str().map(str::to_owned)).collect()
            })
            .collect()
    }

    /// Waits until this many encodes were started.
    pub fn wait_encodes(&self, count: usize) {
        wait_until(&format!("{count} encodes have started"), LONG, || self.encodes().len() >= count);
    }
}
