//! What a newcomer and the console say to each other on `vc-join/1`, after the hello: one request, one answer. A member
//! that renews its certificate on `vc-renew/1` gets the same answer to a smaller request.
//!
//! The newcomer's private key and the token's secret are in neither. Everything here is decided by the console's
//! registry; the proof is made and checked by `vc-certs`.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::codec::Message;
use crate::id::{AgentId, FarmId};

/// Longest frame heard from a newcomer: nothing about it is known yet, and a request is under 1 KiB.
pub const JOIN_BYTES_MAX: usize = 16 * 1024;
/// Longest certificate request read; one of ours has about 250 bytes.
pub const CSR_BYTES_MAX: usize = 4 * 1024;
/// Longest host name kept of a newcomer, in bytes; also the longest DNS label.
pub const HOST_BYTES_MAX: usize = 63;

/// A join token's public name, shown in lists and events. Says nothing about its secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct TokenId(pub u64);

impl fmt::Display for TokenId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

/// Not the sixteen hexadecimal digits of a token's name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a token's name is 16 hexadecimal digits")]
pub struct TokenIdError;

impl FromStr for TokenId {
    type Err = TokenIdError;
    fn from_str(s: &str) -> Result<Self, Self::Err> {
        let digits = s.len() == 16 && s.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
        if !digits {
            return Err(TokenIdError);
        }
        u64::from_str_radix(s, 16).map(Self).map_err(|_| TokenIdError)
    }
}

/// The newcomer's only message.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct JoinRequest {
    /// Which token it was given.
    pub token: TokenId,
    /// Its certificate request (PKCS #10, DER). Only the public key in it counts.
    pub csr: Vec<u8>,
    /// Proof that it knows the token's secret, bound to this TLS session and to the request.
    pub mac: [u8; 32],
    /// Its host name: the console makes a free name of it.
    pub host: String,
}

/// A member's only message when it renews. Who it is, its present certificate says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RenewRequest {
    /// The certificate request of its new key (PKCS #10, DER). Only the public key in it counts.
    pub csr: Vec<u8>,
}

/// The console's only answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum JoinAnswer {
    /// It belongs to the farm.
    Joined(Box<Joined>),
    /// It does not, and this is why.
    Refused(JoinRefusal),
}

/// What a new agent keeps.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Joined {
    /// The farm.
    pub farm: FarmId,
    /// Its place in the registry.
    pub agent: AgentId,
    /// Its name in the farm.
    pub name: String,
    /// Its certificate, DER.
    pub certificate: Vec<u8>,
    /// The farm's authorities, DER; more than one while they are being changed.
    pub authorities: Vec<Vec<u8>>,
    /// The console's wall clock, milliseconds since 1970, so that a wrong clock is noticed at once.
    pub clock_ms: i64,
}

/// Why a newcomer was refused; the text tells the person at its keyboard what to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
pub enum JoinRefusal {
    /// No such token here.
    #[error("this farm knows no such token: make a new one with `vc-console token create`")]
    UnknownToken,
    /// Its time is over.
    #[error("the token has expired: make a new one with `vc-console token create`")]
    ExpiredToken,
    /// All its uses are taken.
    #[error("the token has been used: make a new one with `vc-console token create`")]
    UsedToken,
    /// Too many wrong proofs.
    #[error("the token was burned by too many wrong tries: make a new one with `vc-console token create`")]
    BurnedToken,
    /// The proof does not fit the token.
    #[error("the token's secret is wrong: paste the whole line again")]
    WrongSecret,
    /// Too many failures from this address.
    #[error("too many failed tries from this address: wait a minute")]
    TooManyTries,
    /// The certificate request cannot be used.
    #[error("the certificate request cannot be used: upgrade the older program")]
    BadRequest,
    /// The console could not write it down.
    #[error("the console could not write it down: see its log")]
    NotStored,
}

impl Message for JoinRequest {
    const KINDS: u32 = u32::MAX;
}

impl Message for RenewRequest {
    const KINDS: u32 = u32::MAX;
}

impl Message for JoinAnswer {
    const KINDS: u32 = 2;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn token_names_are_read_as_printed_and_nothing_else() {
        for id in [TokenId(0), TokenId(u64::MAX), TokenId(0x0123_4567_89ab_cdef)] {
            assert_eq!(id.to_string().parse(), Ok(id));
        }
        for bad in ["", "1", "+123456789abcdef", "0123456789ABCDEF", "0123456789abcdef0"] {
            assert_eq!(bad.parse::<TokenId>(), Err(TokenIdError), "{bad}");
        }
    }
}
