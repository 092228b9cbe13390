//! Exit statuses, and the errors that carry them.

use std::io::ErrorKind;

use vc_certs::ended::Ended;
use vc_certs::join::JoinError;
use vc_certs::wire::WireError;
use vc_protocol::join::JoinRefusal;
use vc_protocol::operator::RefusalCode;

use crate::operator::client::ClientError;
use crate::operator::people::PeopleError;
use crate::operator::remote::RemoteError;

/// Exit status of the program.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Exit {
    /// Done as asked.
    Done = 0,
    /// Something unexpected.
    Unexpected = 1,
    /// Wrong usage or configuration.
    Usage = 2,
    /// No server, or none that could be reached or started.
    NoServer = 3,
    /// Nothing matched.
    NothingMatched = 4,
    /// It needs `--yes`, and there is no terminal to ask on.
    NeedsYes = 5,
    /// Not allowed, or trust failed.
    NotAllowed = 6,
    /// It took too long.
    TimedOut = 7,
    /// `convert`, `jobs wait`, `add --wait`: some jobs failed.
    SomeFailed = 10,
    /// The same: none failed, some were cancelled or are held.
    SomeLeft = 11,
    /// `status --check`, `doctor`: something is wrong, or not as well as it could be.
    Degraded = 12,
    /// Ended by ctrl-c.
    Interrupted = 130,
    /// Ended by SIGTERM.
    Terminated = 143,
}

/// Why a command was not done, with its exit status.
#[derive(Debug)]
pub struct Failed {
    /// Exit status.
    pub exit: Exit,
    /// What went wrong, and what to do.
    pub message: String,
    /// Lines that show people where; nothing that the message does not say.
    pub below: Vec<String>,
}

impl Failed {
    /// Of that status.
    pub fn new(exit: Exit, message: impl Into<String>) -> Failed {
        Failed { exit, message: message.into(), below: Vec::new() }
    }

    /// Wrong usage.
    pub fn usage(message: impl Into<String>) -> Failed {
        Failed::new(Exit::Usage, message)
    }

    /// Something unexpected, told with all its causes.
    pub fn unexpected(error: &anyhow::Error) -> Failed {
        Failed::new(Exit::Unexpected, format!("{error:#}"))
    }
}

fn is_gone(kind: ErrorKind) -> bool {
    matches!(kind, ErrorKind::ConnectionReset | ErrorKind::BrokenPipe | ErrorKind::UnexpectedEof)
}

impl From<ClientError> for Failed {
    fn from(error: ClientError) -> Self {
        let exit = match &error {
            ClientError::NotRunning(_) | ClientError::Gone => Exit::NoServer,
            // A server that is killed takes what was on its way with it.
            ClientError::Socket(error) if is_gone(error.kind()) => Exit::NoServer,
            ClientError::Refused { code: RefusalCode::Usage, .. } => Exit::Usage,
            ClientError::Refused { code: RefusalCode::NotFound, .. } => Exit::NothingMatched,
            ClientError::Refused { code: RefusalCode::NotAllowed, .. }
            | ClientError::OfAnother(_)
            | ClientError::Remote(RemoteError::NotJoined | RemoteError::Refused(_)) => Exit::NotAllowed,
            ClientError::Remote(RemoteError::Lost(_)) => Exit::NoServer,
            ClientError::Remote(RemoteError::Address(_) | RemoteError::Several(_)) => Exit::Usage,
            ClientError::Refused { code: RefusalCode::Unavailable | RefusalCode::Changed, .. }
            | ClientError::Socket(_)
            | ClientError::Version(_)
            | ClientError::Remote(RemoteError::Certs(_))
            | ClientError::Unexpected => Exit::Unexpected,
        };
        Failed::new(exit, format!("{:#}", anyhow::Error::from(error)))
    }
}

impl From<PeopleError> for Failed {
    fn from(error: PeopleError) -> Self {
        let exit = match &error {
            PeopleError::NotAPersons => Exit::NotAllowed,
            PeopleError::AlreadyJoined { .. } => Exit::Usage,
            PeopleError::Certs(_) => Exit::Unexpected,
            PeopleError::Join(error) => of_join(error),
        };
        Failed::new(exit, format!("{:#}", anyhow::Error::from(error)))
    }
}

fn of_join(error: &JoinError) -> Exit {
    match error {
        JoinError::Refused(JoinRefusal::NotStored) | JoinError::Certs(_) => Exit::Unexpected,
        JoinError::Refused(_)
        | JoinError::Dial(Ended::Refused(_))
        | JoinError::Wire(WireError::Ended(Ended::Refused(_)) | WireError::Hello(_)) => Exit::NotAllowed,
        JoinError::Dial(Ended::Lost(_)) | JoinError::Wire(_) | JoinError::Binding => Exit::NoServer,
    }
}
