//! The line that lets one box join: `vcj1.<addr,addr>.<ca-pin>.<token-id>.<secret>`. For operators it begins with
//! `vco1.` and for viewers with `vcv1.`, so that the wrong program refuses it before it is used up.
//!
//! Addresses hold dots and colons, so the line is read from its right end: the last three parts never hold a dot.

use std::fmt;
use std::str::FromStr;

use data_encoding::BASE64URL_NOPAD;
use vc_protocol::join::TokenId;
use vc_protocol::operator::Role;
use zeroize::Zeroizing;

use crate::error::{CertsError, random};

/// What the line of a role begins with.
fn prefix(role: Role) -> &'static str {
    match role {
        Role::Agent => "vcj1.",
        Role::Operator => "vco1.",
        Role::Viewer => "vcv1.",
    }
}

/// The program that a newcomer of that role runs.
fn program(role: Role) -> &'static str {
    match role {
        Role::Agent => "vc-agent",
        Role::Operator | Role::Viewer => "vc-console",
    }
}

/// Most addresses in a line: a box with more is reached by one of the first.
pub const ADDRESSES_MAX: usize = 8;
/// Longest `host:port`: the longest DNS name and a port.
const ADDRESS_BYTES_MAX: usize = 253 + 6;

/// SHA-256 of the CA's public key: what a newcomer trusts the farm by.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct CaPin(pub [u8; 32]);

impl fmt::Display for CaPin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&BASE64URL_NOPAD.encode(&self.0))
    }
}

impl fmt::Debug for CaPin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "CaPin({self})")
    }
}

/// The secret half of a token. Never sent, never logged, wiped from memory.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(Zeroizing<[u8; 16]>);

impl Secret {
    /// 128 fresh random bits.
    pub fn generate() -> Result<Self, CertsError> {
        Ok(Secret(Zeroizing::new(random()?)))
    }

    pub(crate) fn bytes(&self) -> &[u8; 16] {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("…")
    }
}

/// Everything a newcomer needs. [`fmt::Display`] writes the secret too: that is what the line is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JoinLine {
    /// As what the newcomer joins. The token decides; this is for whoever reads the line.
    pub role: Role,
    /// Where the console may be reached, `host:port`, best first.
    pub addresses: Vec<String>,
    /// The farm's CA.
    pub pin: CaPin,
    /// The token.
    pub token: TokenId,
    /// Its secret.
    pub secret: Secret,
}

/// Why a text is not a join line.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LineError {
    /// Does not begin like one.
    #[error(
        "a join line begins with \"vcj1.\", \"vco1.\" or \"vcv1.\"; paste the whole line that `vc-console token create` printed"
    )]
    Prefix,
    /// A part is missing, too short or too long.
    #[error("the join line is incomplete: its {0} is wrong; paste the whole line again")]
    Part(&'static str),
    /// Not `host:port`.
    #[error("\"{0}\" in the join line is not an address with a port")]
    Address(String),
}

/// Whether this is `host:port` with a host that may stand in a line.
pub fn is_address(text: &str) -> bool {
    let Some((host, port)) = text.rsplit_once(':') else { return false };
    let host_ok = match host.strip_prefix('[') {
        Some(v6) => v6.strip_suffix(']').is_some_and(|v6| v6.parse::<std::net::Ipv6Addr>().is_ok()),
        None => {
            !host.is_empty()
                && host.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.' | b'_'))
        }
    };
    text.len() <= ADDRESS_BYTES_MAX && host_ok && port.parse::<u16>().is_ok_and(|port| port != 0)
}

impl JoinLine {
    /// The command that the newcomer types. It shows the secret.
    pub fn command(&self) -> String {
        format!("{} join {self}", program(self.role))
    }
}

impl fmt::Display for JoinLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let secret = Zeroizing::new(BASE64URL_NOPAD.encode(self.secret.bytes()));
        let prefix = prefix(self.role);
        write!(f, "{prefix}{}.{}.{}.{}", self.addresses.join(","), self.pin, self.token, secret.as_str())
    }
}

impl FromStr for JoinLine {
    type Err = LineError;

    fn from_str(text: &str) -> Result<Self, LineError> {
        let text = text.trim();
        // People paste the whole command as well.
        let command = ["vc-agent join ", "vc-console join "].iter().find_map(|c| text.strip_prefix(c));
        let text = command.unwrap_or(text).trim();
        let found = Role::ALL.into_iter().find_map(|role| Some((role, text.strip_prefix(prefix(role))?)));
        let (role, rest) = found.ok_or(LineError::Prefix)?;
        let (rest, secret) = rest.rsplit_once('.').ok_or(LineError::Part("secret"))?;
        let (rest, token) = rest.rsplit_once('.').ok_or(LineError::Part("token"))?;
        let (addresses, pin) = rest.rsplit_once('.').ok_or(LineError::Part("pin"))?;
        let secret = Secret(decode(secret).ok_or(LineError::Part("secret"))?);
        let token = token.parse().map_err(|_| LineError::Part("token"))?;
        let pin = CaPin(*decode(pin).ok_or(LineError::Part("pin"))?);
        let addresses: Vec<String> = addresses.split(',').map(str::to_owned).collect();
        if addresses.len() > ADDRESSES_MAX {
            return Err(LineError::Part("list of addresses"));
        }
        if let Some(bad) = addresses.iter().find(|a| !is_address(a)) {
            return Err(LineError::Address(bad.chars().take(40).flat_map(char::escape_default).collect()));
        }
        Ok(JoinLine { role, addresses, pin, token, secret })
    }
}

fn decode<const N: usize>(text: &str) -> Option<Zeroizing<[u8; N]>> {
    let bytes = Zeroizing::new(BASE64URL_NOPAD.decode(text.as_bytes()).ok()?);
    Some(Zeroizing::new(bytes.as_slice().try_into().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(addresses: &[&str]) -> JoinLine {
        JoinLine {
            role: Role::Agent,
            addresses: addresses.iter().map(|a| (*a).to_owned()).collect(),
            pin: CaPin([7; 32]),
            token: TokenId(0x1f),
            secret: Secret(Zeroizing::new([0xfe; 16])),
        }
    }

    #[test]
    fn a_line_is_read_as_it_was_written() {
        let all = ["10.0.0.1:4433", "[fe80::1]:4433", "console.example.org:1", "box:65535", "a-b_c.d:9"];
        let line = line(&all);
        assert_eq!(line.to_string().parse(), Ok(line.clone()));
        assert_eq!(format!("  vc-agent join {line}\n").parse(), Ok(line.clone()));
        for role in Role::ALL {
            let line = JoinLine { role, ..line.clone() };
            assert_eq!(line.command().parse(), Ok(line));
        }
    }

    #[test]
    fn nothing_shows_the_secret_but_the_line_itself() {
        let line = line(&["a:1"]);
        let secret = BASE64URL_NOPAD.encode(&[0xfe; 16]);
        assert!(line.to_string().contains(&secret));
        assert!(!format!("{line:?}").contains(&secret));
        assert!(format!("{line:?}").contains("secret: …"));
    }

    #[test]
    fn each_broken_part_is_named() {
        let good = line(&["a:1"]).to_string();
        let cases = [
            (good.replace("vcj1", "vcj2"), LineError::Prefix),
            (good[..good.len() - 1].to_owned(), LineError::Part("secret")),
            (good.replace("000000000000001f", "1f"), LineError::Part("token")),
            (good.replace("BwcHBw", "Bwc"), LineError::Part("pin")),
            (good.replace("a:1", "a"), LineError::Address("a".into())),
            (good.replace("a:1", ""), LineError::Address(String::new())),
            (good.replace("a:1", "a:1,b:0"), LineError::Address("b:0".into())),
            (good.replace("a:1", "[zz]:1"), LineError::Address("[zz]:1".into())),
            (good.replace("a:1", "a\u{1b}[2J:1"), LineError::Address("a\\u{1b}[2J:1".into())),
            (good.replace("a:1", &["a:1"; 9].join(",")), LineError::Part("list of addresses")),
        ];
        for (text, error) in cases {
            assert_eq!(text.parse::<JoinLine>(), Err(error), "{text}");
        }
    }

    proptest::proptest! {
        #[test]
        fn no_text_panics(text: String, cut in 0_usize..90) {
            let _ = text.parse::<JoinLine>();
            let mut half = line(&["a:1"]).to_string();
            half.truncate(cut);
            half.push_str(&text);
            let _ = half.parse::<JoinLine>();
        }

        #[test]
        fn any_line_survives(pin: [u8; 32], token: u64, secret: [u8; 16], port in 1_u16..) {
            let line = JoinLine {
                role: Role::Operator,
                addresses: vec![format!("10.1.2.3:{port}"), format!("[::1]:{port}")],
                pin: CaPin(pin),
                token: TokenId(token),
                secret: Secret(Zeroizing::new(secret)),
            };
            proptest::prop_assert_eq!(line.to_string().parse(), Ok(line));
        }
    }
}
