//! The member's part of renewing its certificate: when it is due, and one short connection on which it shows the present
//! one and asks for a successor with a new key.
//!
//! Knows nothing of timers and files: who renews keeps the new key before it asks, and the identity after.

use vc_protocol::join::{JoinAnswer, JoinRefusal, Joined, RenewRequest};

use crate::dial;
use crate::ended::Ended;
use crate::error::CertsError;
use crate::identity::{AgentKey, Identity};
use crate::join::{self, Entered, JoinError};
use crate::wire::WireError;

/// Part of half a life by which renewals are sooner or later: boxes that joined on one day do not come back on one.
const SPREAD_SHARE: i64 = 10;

/// When a certificate of that life is renewed: at its half, a tenth of that sooner or later, as the dice say. Seconds
/// since 1970, all of them.
pub fn due_s(begins_s: i64, expires_s: i64, random: u64) -> i64 {
    let half = expires_s.saturating_sub(begins_s).max(0) / 2;
    let spread = half / SPREAD_SHARE;
    let sides = u64::try_from(2 * spread + 1).unwrap_or(1);
    let offset = i64::try_from(random % sides).unwrap_or(0) - spread;
    begins_s.saturating_add(half).saturating_add(offset)
}

/// Gets a certificate for this key, at the first of these addresses that answers. The same key again gets the same
/// certificate, until that was used.
pub async fn renew(
    identity: &Identity,
    consoles: &[String],
    key: &AgentKey,
    program: &str,
) -> Result<Entered, JoinError> {
    let csr = key.request()?;
    let (endpoint, connection, _) = dial::renewer(identity, consoles).await.map_err(JoinError::Dial)?;
    let answer = join::exchange(&connection, &RenewRequest { csr }, program).await;
    drop(connection);
    let renewed = answer.map_err(JoinError::from).and_then(|answer| match answer {
        JoinAnswer::Joined(joined) => Ok((successor(identity, key, &joined)?, joined.clock_ms)),
        JoinAnswer::Refused(why) => Err(why.into()),
    });
    match renewed {
        Ok((identity, console_ms)) => Ok(Entered { identity, endpoint, console_ms }),
        Err(error) => {
            join::goodbye(endpoint).await;
            Err(error)
        }
    }
}

/// Whether that stands until a person acts.
pub fn is_final(error: &JoinError) -> bool {
    match error {
        JoinError::Refused(why) => *why != JoinRefusal::NotStored,
        JoinError::Dial(ended) | JoinError::Wire(WireError::Ended(ended)) => {
            matches!(ended, Ended::Refused(_))
        }
        JoinError::Wire(other) => matches!(other, WireError::Hello(_)),
        JoinError::Certs(_) | JoinError::Binding => false,
    }
}

fn successor(identity: &Identity, key: &AgentKey, joined: &Joined) -> Result<Identity, CertsError> {
    let next = Identity::new(key, joined, &identity.consoles)?;
    if (next.farm, next.role, next.agent) != (identity.farm, identity.role, identity.agent) {
        return Err(CertsError::Certificate("it is for another member"));
    }
    Ok(next)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn renewals_are_spread_around_half_of_the_life() {
        const DAY: i64 = 24 * 3600;
        let due = |random| due_s(0, 30 * DAY, random);
        let all: Vec<i64> = (0..400_000).map(due).collect();
        assert_eq!(all.iter().min(), Some(&(27 * DAY / 2)));
        assert_eq!(all.iter().max(), Some(&(33 * DAY / 2)));
        assert_eq!(due_s(100, 120, 0), 109, "a life of seconds");
        assert_eq!(due_s(5, 5, u64::MAX), 5);
        assert_eq!(due_s(9, 5, 7), 9, "one that ends before it begins");
        let _ = due_s(i64::MIN, i64::MAX, u64::MAX);
    }
}
