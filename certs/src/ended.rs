//! Why a connection ended, in words, and whether dialling again can help.
//!
//! A client whose certificate is refused still gets a finished handshake in TLS 1.3; the refusal comes with its first
//! read, as a QUIC crypto error that carries the TLS alert.

use quinn::ConnectionError;
use vc_protocol::close::Close;

/// QUIC's number of "TLS alert 0".
const CRYPTO_ERROR: u64 = 0x100;
/// QUIC's number of "no room for another connection".
const CONNECTION_REFUSED: u64 = 0x02;

/// How a connection ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ended {
    /// The peer does not want us, and will not the next time either: a person must act.
    Refused(String),
    /// Cut, restarted, busy, replaced: dial again after a while.
    Lost(String),
}

impl Ended {
    /// The words alone.
    pub fn words(&self) -> &str {
        match self {
            Self::Refused(words) | Self::Lost(words) => words,
        }
    }
}

/// What this error of a connection means.
pub fn ended(error: &ConnectionError) -> Ended {
    match error {
        ConnectionError::ApplicationClosed(close) => {
            let said = String::from_utf8_lossy(&close.reason);
            let said: String = said.chars().filter(|c| !c.is_control()).take(200).collect();
            by_close(Close::from_code(close.error_code.into_inner()), said)
        }
        ConnectionError::ConnectionClosed(close) => by_alert(u64::from(close.error_code)),
        ConnectionError::TransportError(e) => by_alert_of_ours(u64::from(e.code), e.to_string()),
        ConnectionError::TimedOut => Ended::Lost("no answer from the other end".into()),
        ConnectionError::Reset => Ended::Lost("the other end was restarted".into()),
        ConnectionError::LocallyClosed => Ended::Lost("closed on this side".into()),
        ConnectionError::VersionMismatch | ConnectionError::CidsExhausted => Ended::Lost(error.to_string()),
    }
}

fn by_close(close: Option<Close>, said: String) -> Ended {
    let words = if said.is_empty() { close.map_or("closed", Close::words).to_owned() } else { said };
    match close {
        Some(Close::Version | Close::NotAllowed | Close::Revoked) => Ended::Refused(words),
        Some(
            Close::Done | Close::Shutdown | Close::Protocol | Close::Replaced | Close::TooSlow | Close::Busy,
        )
        | None => Ended::Lost(words),
    }
}

/// The peer's TLS refused us. The numbers are those that rustls sends (RFC 8446, section 6).
fn by_alert(code: u64) -> Ended {
    if code == CONNECTION_REFUSED {
        return Ended::Lost("the console has no room for another handshake now".into());
    }
    let words = match code.wrapping_sub(CRYPTO_ERROR) {
        42 | 48 | 51 => "this certificate is of another farm: join this one",
        43 => "this certificate is for another purpose: join again",
        44 => "this identity was revoked: join again with a new token",
        45 => {
            "this certificate expired too long ago: set the clock, or join again with `--force` and a new line"
        }
        49 => "the console does not know this identity: join again with a new token",
        116 => "the console asks for a certificate: join first",
        120 => "the console does not speak this protocol: upgrade the older program",
        _ => return Ended::Lost(format!("the other end closed the connection (code {code:#x})")),
    };
    Ended::Refused(words.into())
}

/// Why a handshake failed, as the console says it in its log.
pub fn not_let_in(error: &ConnectionError) -> String {
    let ConnectionError::TransportError(e) = error else {
        return format!("the peer gave up its handshake ({error})");
    };
    let words = match u64::from(e.code).wrapping_sub(CRYPTO_ERROR) {
        42 | 48 | 51 => "its certificate is of another farm",
        43 => "its certificate is for another purpose",
        44 => "its identity was revoked",
        45 => "its certificate has expired",
        49 => "the registry does not know this identity and key",
        120 => "it speaks none of this farm's protocols",
        _ => return format!("its handshake failed ({e})"),
    };
    words.into()
}

/// Our TLS refused the peer.
fn by_alert_of_ours(code: u64, text: String) -> Ended {
    let words = match code.wrapping_sub(CRYPTO_ERROR) {
        42 | 48 | 51 => "the console at this address is not of this farm",
        45 => "the console's certificate is not valid now: set the clock of this box",
        120 => "the console does not speak this protocol: upgrade the older program",
        _ => return Ended::Lost(text),
    };
    Ended::Refused(words.into())
}
