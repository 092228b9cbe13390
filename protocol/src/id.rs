//! Identifiers. Small numbers where people type them, never a bare integer across a function border.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

macro_rules! number_id {
    ($(#[$doc:meta])* $name:ident($inner:ty)) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
        pub struct $name(pub $inner);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        impl FromStr for $name {
            type Err = std::num::ParseIntError;
            fn from_str(s: &str) -> Result<Self, Self::Err> {
                s.strip_prefix('#').unwrap_or(s).parse().map(Self)
            }
        }
    };
}

number_id!(
    /// A job, numbered from 1 in the order of arrival; people type it.
    JobId(u64)
);
number_id!(
    /// A task's place in its job's graph, from 0.
    TaskNo(u16)
);
number_id!(
    /// One try of a task; the fencing token of everything said about it. Only grows; 0 means none yet.
    AttemptNo(u32)
);
number_id!(
    /// An agent's place in the console's registry, from 1. Never used again.
    AgentId(u32)
);
number_id!(
    /// A device of one agent, stable while that agent process lives.
    DeviceId(u16)
);
number_id!(
    /// A source or output folder that the console has been told of.
    RootId(u32)
);
number_id!(
    /// One stored version of a profile: a changed profile gets a new number.
    ProfileId(u32)
);
number_id!(
    /// Sources that were added together; batches of equal priority get equal shares.
    BatchId(u32)
);
number_id!(
    /// One connection of an agent, numbered by the console since its start. A newer one replaces the older.
    SessionNo(u64)
);

/// One try of one task: `41902.0/3` is attempt 3 of task 0 of job 41902.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct AttemptId {
    /// The job.
    pub job: JobId,
    /// Which of its tasks.
    pub task: TaskNo,
    /// Which try.
    pub no: AttemptNo,
}

impl fmt::Display for AttemptId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}/{}", self.job, self.task, self.no)
    }
}

/// 128 random bits made at the console's first start; part of every certificate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct FarmId(pub [u8; 16]);

impl fmt::Display for FarmId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|b| write!(f, "{b:02x}"))
    }
}
