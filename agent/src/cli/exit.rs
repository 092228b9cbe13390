//! Exit codes, and how each error of this crate maps to one.

use std::fmt;
use std::process::ExitCode;

use serde_json::json;
use vc_protocol::join::JoinRefusal;

use crate::host::HostError;
use crate::identity::JoinError;
use crate::run::AgentError;
use crate::state_dir::StateDirError;
use crate::status::StatusError;
use crate::told;

/// How the program ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Code {
    /// As asked.
    Done = 0,
    /// Nothing that was foreseen.
    Unexpected = 1,
    /// Wrong usage or configuration.
    Usage = 2,
    /// Not running, not reachable, or running already.
    Unreachable = 3,
    /// Trust failed.
    NotAllowed = 6,
    /// Done, and not all is well.
    Degraded = 12,
    /// Ended by ctrl-c.
    Interrupted = 130,
    /// Ended by SIGTERM.
    Terminated = 143,
}

impl From<Code> for ExitCode {
    fn from(code: Code) -> Self {
        ExitCode::from(code as u8)
    }
}

/// Why a command was not done.
#[derive(Debug)]
pub(super) struct Failed {
    pub(super) code: Code,
    /// What was tried and why it failed: fits after "failed to".
    message: String,
}

impl Failed {
    pub(super) fn usage(message: String) -> Self {
        Failed { code: Code::Usage, message }
    }

    pub(super) fn unexpected(message: String) -> Self {
        Failed { code: Code::Unexpected, message }
    }

    fn of(code: Code, error: &dyn std::error::Error) -> Self {
        Failed { code, message: told::chain(error) }
    }

    pub(super) fn json(&self) -> serde_json::Value {
        let text = self.to_string();
        let (message, hint) = text.split_once("; ").unwrap_or((&text, ""));
        json!({"v": 1, "error": {"code": self.code as u8, "message": message, "hint": hint}})
    }
}

impl fmt::Display for Failed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "failed to {}", self.message)
    }
}

impl From<StateDirError> for Failed {
    fn from(error: StateDirError) -> Self {
        Failed::of(of_state_dir(&error), &error)
    }
}

impl From<StatusError> for Failed {
    fn from(error: StatusError) -> Self {
        let code = match &error {
            StatusError::NotRunning(_) => Code::Unreachable,
            StatusError::Garbled(_) => Code::Unexpected,
        };
        Failed::of(code, &error)
    }
}

impl From<JoinError> for Failed {
    fn from(error: JoinError) -> Self {
        let code = match &error {
            JoinError::StateDir(error) => of_state_dir(error),
            JoinError::AlreadyJoined { .. } => Code::Usage,
            JoinError::Certs(_) => Code::Unexpected,
            JoinError::Unreachable(_) | JoinError::Broken(_) => Code::Unreachable,
            JoinError::Untrusted(_) | JoinError::NotAnAgents(_) => Code::NotAllowed,
            JoinError::Refused(why) => of_refusal(*why),
        };
        Failed::of(code, &error)
    }
}

impl From<AgentError> for Failed {
    fn from(error: AgentError) -> Self {
        let code = match &error {
            AgentError::StateDir(error) => of_state_dir(error),
            AgentError::NotJoined(_) | AgentError::NoDevice => Code::Usage,
            AgentError::Host(HostError::Tools(_)) => Code::Usage,
            AgentError::Host(HostError::Prepare { .. })
            | AgentError::Certs(_)
            | AgentError::Journal(_)
            | AgentError::Start(_) => Code::Unexpected,
        };
        Failed::of(code, &error)
    }
}

fn of_state_dir(error: &StateDirError) -> Code {
    match error {
        StateDirError::InUse { .. } => Code::Unreachable,
        StateDirError::Nowhere => Code::Usage,
        StateDirError::Unusable(..) => Code::Unexpected,
    }
}

fn of_refusal(why: JoinRefusal) -> Code {
    match why {
        JoinRefusal::UnknownToken
        | JoinRefusal::ExpiredToken
        | JoinRefusal::UsedToken
        | JoinRefusal::BurnedToken
        | JoinRefusal::WrongSecret
        | JoinRefusal::TooManyTries
        | JoinRefusal::BadRequest => Code::NotAllowed,
        JoinRefusal::NotStored => Code::Unexpected,
    }
}
