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
    /// Encodes at once on the processor; by default one for each four cores, one at least and eight at most. 0 leaves
    /// all work to the cards.
    pub slots: Option<u16>,
    /// Which cards are used, and how.
    pub cards: CardWish,
    /// The processor's encoders are tried while there is nothing else to do; not worth it for a short life.
    pub tries_processor: bool,
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
            cards: CardWish::default(),
            tries_processor: true,
            maps: PathMaps::default(),
            ffmpeg: None,
            ffprobe: None,
            tools: None,
        }
    }
}

/// Which cards an agent uses, and how.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CardWish {
    /// By number, PCI address, UUID or a part of the name; every card if empty.
    pub words: Vec<String>,
    /// Vulkan devices that are the processor itself count as cards: for tests of a card's way on a box without one.
    pub counts_software: bool,
    /// Encodes at once on each, instead of what is learned.
    pub slots: Option<u16>,
}

impl CardWish {
    /// The word that stands for no card at all.
    pub const NONE: &str = "none";

    /// No card is wanted: nobody needs to look for one.
    pub fn is_none(&self) -> bool {
        self.words.iter().any(|word| word.eq_ignore_ascii_case(Self::NONE))
    }
}
