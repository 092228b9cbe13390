//! What can be set of an agent.

use std::net::SocketAddr;
use std::path::PathBuf;

use crate::ffmpeg::Tools;
use crate::storage::PathMaps;

/// Settings of [`crate::run`].
#[derive(Debug, Clone)]
pub struct AgentConfig {
    /// Folder of its identity, journal and records; its own alone.
    pub state_dir: PathBuf,
    /// Where the console is, instead of where it was when this box joined.
    pub console: Option<SocketAddr>,
    /// Encodes at once; by default one for each four cores, one at least and eight at most.
    pub slots: Option<u16>,
    /// Where folders of the console are found on this box.
    pub maps: PathMaps,
    /// ffmpeg, if not the one on the `PATH`.
    pub ffmpeg: Option<PathBuf>,
    /// ffprobe, if not the one on the `PATH`.
    pub ffprobe: Option<PathBuf>,
    /// Both, if they were looked at already: they are not asked again.
    pub tools: Option<Tools>,
}

impl AgentConfig {
    /// With everything else as it is by default.
    pub fn new(state_dir: PathBuf) -> Self {
        AgentConfig {
            state_dir,
            console: None,
            slots: None,
            maps: PathMaps::default(),
            ffmpeg: None,
            ffprobe: None,
            tools: None,
        }
    }
}
