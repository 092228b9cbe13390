//! What a token allows, who may try how often, and how newcomers are named: pure.

use std::collections::BTreeMap;
use std::net::IpAddr;

use vc_certs::KeyHash;
use vc_protocol::id::AgentId;
use vc_protocol::join::JoinRefusal;

use super::tables::TokenRow;

/// Wrong proofs that burn a token: 128 random bits are not guessed, but whoever tries is not the one it was made for.
const WRONG_MAX: u8 = 10;
/// Failures a minute from one address: a person mistypes less, and ten of them take two minutes to burn a token.
const FAILURES_MAX: u8 = 5;
const FAILURES_WINDOW_MS: i64 = 60_000;
/// Addresses remembered; when a minute brings more, all are forgotten and tokens alone protect themselves.
const ADDRESSES_MAX: usize = 4096;
/// Longest name made of a host name: it stands in the dashboard's narrow column.
const NAME_CHARS_MAX: usize = 24;

/// What becomes of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    /// A new agent.
    Admit,
    /// That key has joined with this token: the same answer again.
    Again(AgentId),
    /// No; nothing changes.
    Refuse(JoinRefusal),
    /// No; the wrong proof is counted.
    WrongProof,
    /// No; the wrong proof is counted, and it was the last.
    Burn,
}

/// Judges a request with this token. `proof` tells whether its proof fits this key of proofs; `key` is the public key
/// in its certificate request, which is not looked into before the proof fits.
pub(super) fn judge(
    token: &TokenRow,
    now_ms: i64,
    proof: impl FnOnce(&[u8; 32]) -> bool,
    key: impl FnOnce() -> Option<KeyHash>,
) -> Verdict {
    if now_ms >= token.expires_ms {
        return Verdict::Refuse(JoinRefusal::ExpiredToken);
    }
    let Some(mac_key) = &token.mac_key else { return Verdict::Refuse(JoinRefusal::BurnedToken) };
    if !proof(mac_key) {
        return if token.wrong + 1 >= WRONG_MAX { Verdict::Burn } else { Verdict::WrongProof };
    }
    let key = key();
    if let Some((_, agent)) = token.joined.iter().find(|(joined, _)| Some(*joined) == key) {
        return Verdict::Again(*agent);
    }
    if token.joined.len() >= usize::from(token.uses) {
        return Verdict::Refuse(JoinRefusal::UsedToken);
    }
    Verdict::Admit
}

/// Why this cannot be a member's name; nothing if it can. A number alone would be taken for the member of that number.
pub(super) fn name_problem(name: &str) -> Option<&'static str> {
    let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    if name.is_empty() || name.len() > NAME_CHARS_MAX {
        Some("a name has 1 to 24 characters")
    } else if !name.chars().all(fits) || !name.starts_with(|c: char| c.is_ascii_alphanumeric()) {
        Some("a name is made of letters, digits, `-`, `_` and `.`, and begins with a letter or digit")
    } else if name.chars().all(|c| c.is_ascii_digit()) {
        Some("a name is not a number alone")
    } else {
        None
    }
}

/// Recent failures by address.
#[derive(Debug, Default)]
pub(super) struct Failures {
    by_address: BTreeMap<IpAddr, (i64, u8)>,
}

impl Failures {
    /// Whether this address may try now.
    pub(super) fn may_try(&self, from: IpAddr, now_ms: i64) -> bool {
        match self.by_address.get(&network(from)) {
            Some((since, count)) => *count < FAILURES_MAX || !is_recent(*since, now_ms),
            None => true,
        }
    }

    /// It failed.
    pub(super) fn note(&mut self, from: IpAddr, now_ms: i64) {
        if self.by_address.len() >= ADDRESSES_MAX {
            self.by_address.retain(|_, (since, _)| is_recent(*since, now_ms));
        }
        if self.by_address.len() >= ADDRESSES_MAX {
            self.by_address.clear();
        }
        let entry = self.by_address.entry(network(from)).or_insert((now_ms, 0));
        if !is_recent(entry.0, now_ms) {
            *entry = (now_ms, 0);
        }
        entry.1 = entry.1.saturating_add(1);
    }
}

/// A clock that was set back must not lock anybody out.
fn is_recent(since_ms: i64, now_ms: i64) -> bool {
    (0..FAILURES_WINDOW_MS).contains(&now_ms.saturating_sub(since_ms))
}

/// One box owns a whole /64 of IPv6.
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(v6) => IpAddr::V6((u128::from(v6) >> 64 << 64).into()),
        v4 @ IpAddr::V4(_) => v4,
    }
}

/// A free name made of the name of a host or an account: `ada`, then `ada-2`; `nameless` where nothing is left of it.
pub(super) fn name_for(host: &str, nameless: &str, is_taken: impl Fn(&str) -> bool) -> String {
    let label = host.split('.').next().unwrap_or_default();
    let fits = |c: char| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '-' };
    let name: String = label.chars().take(NAME_CHARS_MAX).map(fits).collect();
    let name = match name.trim_matches('-') {
        "" => nameless,
        name => name,
    };
    if !is_taken(name) {
        return name.to_owned();
    }
    (2_u32..).map(|no| format!("{name}-{no}")).find(|name| !is_taken(name)).unwrap_or_else(|| name.to_owned())
}

#[cfg(test)]
mod tests {
    use vc_protocol::operator::Role;

    use super::*;

    const KEY: KeyHash = [1; 32];

    fn token() -> TokenRow {
        TokenRow {
            mac_key: Some([9; 32]),
            expires_ms: 1_000,
            uses: 1,
            wrong: 0,
            joined: vec![],
            role: Role::Agent,
        }
    }

    #[test]
    fn a_token_is_judged_by_time_then_proof_then_uses() {
        let used = TokenRow { joined: vec![([2; 32], AgentId(7))], ..token() };
        let mine = TokenRow { joined: vec![(KEY, AgentId(7))], ..token() };
        let nearly = TokenRow { wrong: 9, ..token() };
        let burned = TokenRow { mac_key: None, wrong: 10, ..token() };
        use JoinRefusal::{BurnedToken, ExpiredToken, UsedToken};
        for (row, now, fits, verdict) in [
            (token(), 999, true, Verdict::Admit),
            (token(), 1_000, true, Verdict::Refuse(ExpiredToken)),
            (token(), 999, false, Verdict::WrongProof),
            (nearly.clone(), 999, false, Verdict::Burn),
            (nearly, 999, true, Verdict::Admit),
            (burned.clone(), 999, true, Verdict::Refuse(BurnedToken)),
            (burned, 1_000, true, Verdict::Refuse(ExpiredToken)),
            (used.clone(), 999, true, Verdict::Refuse(UsedToken)),
            (used, 999, false, Verdict::WrongProof),
            (mine.clone(), 999, true, Verdict::Again(AgentId(7))),
            (mine, 1_000, true, Verdict::Refuse(ExpiredToken)),
        ] {
            assert_eq!(judge(&row, now, |_| fits, || Some(KEY)), verdict);
        }
    }

    #[test]
    fn five_failures_silence_an_address_for_a_minute_and_no_other() {
        let (one, other): (IpAddr, IpAddr) = ("10.0.0.1".parse().unwrap(), "10.0.0.2".parse().unwrap());
        let mut failures = Failures::default();
        for no in 0..5 {
            assert!(failures.may_try(one, no));
            failures.note(one, no);
        }
        assert!(!failures.may_try(one, 5));
        assert!(!failures.may_try("::ffff:10.0.0.1".parse().unwrap(), 5), "the same by another spelling");
        assert!(failures.may_try(other, 5));
        assert!(failures.may_try(one, 60_000));
        failures.note(one, 60_000);
        assert!(failures.may_try(one, 60_000), "counting starts anew");
        assert!(failures.may_try(one, -10), "a clock set back locks nobody out");
        failures.note("2001:db8::1".parse().unwrap(), 0);
        assert_eq!(network("2001:db8::1".parse().unwrap()), network("2001:db8::2:1".parse().unwrap()));
    }

    #[test]
    fn a_flood_of_addresses_takes_bounded_memory() {
        let mut failures = Failures::default();
        for no in 0..10_000_u32 {
            failures.note(IpAddr::V4(no.into()), i64::from(no / 1_000));
        }
        assert!(failures.by_address.len() <= ADDRESSES_MAX);
    }

    #[test]
    fn names_that_would_mislead_are_not_given() {
        for good in ["a", "Ada-2", "gpu.box_1", "7up"] {
            assert_eq!(name_problem(good), None, "{good}");
        }
        for bad in ["", "42", "-x", "a b", "a/b", "a\u{1b}[2J", "ä", "abcdefghijklmnopqrstuvwxy"] {
            assert!(name_problem(bad).is_some(), "{bad}");
        }
    }

    #[test]
    fn names_are_tame_and_free() {
        let free = |_: &str| false;
        for (host, name) in [
            ("ada", "ada"),
            ("Ada.example.org", "ada"),
            ("", "agent"),
            ("\u{1b}[2J", "2j"),
            ("..", "agent"),
            ("--x--", "x"),
            ("a_b", "a-b"),
            ("abcdefghijklmnopqrstuvwxyz", "abcdefghijklmnopqrstuvwx"),
        ] {
            assert_eq!(name_for(host, "agent", free), name, "{host:?}");
        }
        let taken = |name: &str| ["ada", "ada-2"].contains(&name);
        assert_eq!(name_for("ada", "agent", taken), "ada-3");
    }
}
