//! Numbered reasons with which a connection of ours is closed.

/// Why a connection ended; the number is sent in the QUIC close frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u32)]
pub enum Close {
    /// All said.
    Done = 0,
    /// The program ends.
    Shutdown = 1,
    /// No common protocol version.
    Version = 2,
    /// This certificate may not do that, or is not registered here.
    NotAllowed = 3,
    /// A frame that cannot be read.
    Protocol = 4,
    /// A newer session of the same agent took over.
    Replaced = 5,
    /// The peer was too slow: a deadline passed or its queue was full.
    TooSlow = 6,
    /// Too many connections at once; try later.
    Busy = 7,
    /// The peer was revoked.
    Revoked = 8,
}

impl Close {
    /// The close of that number.
    pub fn from_code(code: u64) -> Option<Self> {
        use Close::{Busy, Done, NotAllowed, Protocol, Replaced, Revoked, Shutdown, TooSlow, Version};
        [Done, Shutdown, Version, NotAllowed, Protocol, Replaced, TooSlow, Busy, Revoked]
            .into_iter()
            .find(|c| *c as u64 == code)
    }

    /// What it means, for people.
    pub fn words(self) -> &'static str {
        match self {
            Self::Done => "finished",
            Self::Shutdown => "the peer is shutting down",
            Self::Version => "no common protocol version",
            Self::NotAllowed => "not allowed",
            Self::Protocol => "protocol error",
            Self::Replaced => "replaced by a newer session of the same identity",
            Self::TooSlow => "too slow",
            Self::Busy => "busy, try again later",
            Self::Revoked => "this identity was revoked",
        }
    }
}
