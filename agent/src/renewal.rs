//! Keeps the certificate of this box alive, beside the session and over connections of its own: a new key and a new
//! certificate in the middle of each one's life, and at once when it has expired.
//!
//! Nothing is lost by a crash or a lost answer: the new key is on disk before it is asked for, and the old identity is
//! replaced whole. The session takes the new one with its next dial. Knows nothing of attempts.

use std::path::PathBuf;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use vc_certs::join::JoinError;
use vc_certs::{AgentKey, CertsError, Identity, renew};

use crate::run::random;
use crate::{task, told};

/// Longest sleep without a look at the wall clock: a box that was asleep, or whose clock was set, notices.
const LOOK_EVERY: Duration = Duration::from_secs(60 * 60);
/// Wait after the first failure; it doubles.
const WAIT_FIRST: Duration = Duration::from_secs(60);
/// Longest wait after a failure: half of a life is two weeks of tries.
const WAIT_HIGHEST: Duration = Duration::from_secs(60 * 60);
/// Doublings after which the longest wait is reached; keeps the shift small whatever the count says.
const DOUBLINGS_MAX: u32 = 6;
/// A new certificate is renewed after this part of its life at the soonest, or after [`LOOK_EVERY`]: a clock that is far
/// off must not make one renewal follow the other.
const REST_SHARE: i64 = 4;

/// Why the certificate was not renewed.
#[derive(Debug, thiserror::Error)]
enum RenewalError {
    /// The exchange with the console.
    #[error(transparent)]
    Exchange(#[from] JoinError),
    /// The key or the identity on disk.
    #[error(transparent)]
    Certs(#[from] CertsError),
    /// A thread broke.
    #[error("read and write the identity")]
    Thread(#[source] tokio::task::JoinError),
}

/// Renews this box's certificate until `closing`.
pub(crate) struct Renewal {
    /// Where the identity is.
    pub(crate) dir: PathBuf,
    /// The present one, for the session.
    pub(crate) identity: watch::Sender<Identity>,
    pub(crate) closing: CancellationToken,
}

impl Renewal {
    /// Sleeps, looks at the clock, renews.
    pub(crate) async fn keep(self) {
        let mut due_s = due_s(&self.identity.borrow());
        let mut failures = 0_u32;
        let mut wait = until(due_s, wall_s());
        loop {
            // Both arms are cancel-safe.
            tokio::select! {
                () = self.closing.cancelled() => return,
                () = tokio::time::sleep(wait) => {}
            }
            if wall_s() < due_s {
                (failures, wait) = (0, until(due_s, wall_s()));
                continue;
            }
            // Whatever is dropped in the middle is taken up by the next process.
            let renewed = tokio::select! {
                () = self.closing.cancelled() => return,
                renewed = self.once() => renewed,
            };
            match renewed {
                Ok(identity) => {
                    tracing::info!(days = days(identity.expires_s - wall_s()), "the certificate was renewed");
                    due_s = due_s_after(&identity, wall_s(), random());
                    (failures, wait) = (0, until(due_s, wall_s()));
                    self.identity.send_replace(identity);
                }
                Err(error) => {
                    failures = failures.saturating_add(1);
                    wait = backoff(failures, is_final(&error), random());
                    let days_left = days(self.identity.borrow().expires_s - wall_s());
                    let (why, minutes) = (told::chain(&error), wait.as_secs().div_ceil(60));
                    tracing::warn!(
                        days_left,
                        "the certificate was not renewed: {why}; next try in {minutes} min"
                    );
                }
            }
        }
    }

    /// One renewal, on disk when this returns.
    async fn once(&self) -> Result<Identity, RenewalError> {
        let present = self.identity.borrow().clone();
        let (dir, of) = (self.dir.clone(), present.clone());
        let key = task::spawn_blocking("renewal key", move || AgentKey::renewal(&dir, &of));
        let key = key.await.map_err(RenewalError::Thread)??;
        let entered = renew::renew(&present, &present.consoles, &key, env!("CARGO_PKG_VERSION")).await?;
        entered.goodbye().await;
        if let Some(off_s) = entered.clock_off_s() {
            tracing::warn!("the clock of this box is {off_s} s off the console's: set it");
        }
        let (dir, mut stored) = (self.dir.clone(), entered.identity.clone());
        let store = task::spawn_blocking("identity", move || {
            // An address that was given to this process alone stays out of the file.
            if let Ok(Some(known)) = Identity::load(&dir) {
                stored.consoles = known.consoles;
            }
            stored.store(&dir)
        });
        store.await.map_err(RenewalError::Thread)??;
        Ok(entered.identity)
    }
}

fn due_s(identity: &Identity) -> i64 {
    renew::due_s(identity.begins_s, identity.expires_s, random())
}

/// When one that was made just now is renewed.
fn due_s_after(identity: &Identity, now_s: i64, random: u64) -> i64 {
    let due_s = renew::due_s(identity.begins_s, identity.expires_s, random);
    due_s.max(now_s.saturating_add(rest_s(identity.expires_s.saturating_sub(identity.begins_s))))
}

fn rest_s(life_s: i64) -> i64 {
    (life_s / REST_SHARE).clamp(0, LOOK_EVERY.as_secs() as i64)
}

/// How long to sleep before the clock is looked at again.
fn until(due_s: i64, now_s: i64) -> Duration {
    let left_s = u64::try_from(due_s.saturating_sub(now_s)).unwrap_or(0);
    Duration::from_secs(left_s).min(LOOK_EVERY)
}

/// Between half and all of a ceiling that doubles from a minute to an hour. What stands until a person acts is tried at
/// the longest alone.
fn backoff(failures: u32, is_final: bool, random: u64) -> Duration {
    let doubled = WAIT_FIRST * (1 << failures.saturating_sub(1).min(DOUBLINGS_MAX));
    let ceiling = if is_final { WAIT_HIGHEST } else { doubled.min(WAIT_HIGHEST) };
    let half_ms = ceiling.as_millis() as u64 / 2;
    Duration::from_millis(half_ms + random % (half_ms + 1))
}

fn is_final(error: &RenewalError) -> bool {
    matches!(error, RenewalError::Exchange(error) if renew::is_final(error))
}

fn days(seconds: i64) -> i64 {
    const DAY_S: i64 = 24 * 60 * 60;
    seconds.saturating_add(DAY_S / 2).div_euclid(DAY_S)
}

fn wall_s() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs() as i64)
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR_S: i64 = 60 * 60;

    #[test]
    fn the_clock_is_looked_at_every_hour_and_what_is_due_does_not_wait() {
        for (due_s, now_s, wait_s) in [
            (100 * HOUR_S, 0, HOUR_S as u64),
            (HOUR_S, 0, HOUR_S as u64),
            (100, 40, 60),
            (100, 100, 0),
            (100, 101, 0),
            (i64::MIN, i64::MAX, 0),
            (i64::MAX, i64::MIN, HOUR_S as u64),
        ] {
            assert_eq!(until(due_s, now_s).as_secs(), wait_s, "due at {due_s}, now {now_s}");
        }
    }

    #[test]
    fn waits_after_failures_grow_from_a_minute_to_an_hour() {
        let most = |failures, is_final| {
            (0..=7_200_000).step_by(7).map(|dice| backoff(failures, is_final, dice)).max().unwrap().as_secs()
        };
        for (failures, ceiling_s) in [(0, 60), (1, 60), (2, 120), (6, 1_920), (7, 3_600), (u32::MAX, 3_600)] {
            assert!(most(failures, false).abs_diff(ceiling_s) <= 1, "after {failures}");
            assert!(backoff(failures, false, 0).as_secs() >= 30);
        }
        assert!(most(1, true).abs_diff(3_600) <= 1, "what a person must change is tried slowly at once");
    }

    #[test]
    fn a_clock_that_is_far_off_does_not_make_renewals_follow_each_other() {
        assert_eq!(rest_s(30 * 24 * HOUR_S), HOUR_S);
        assert_eq!(rest_s(20), 5);
        assert_eq!(rest_s(-20), 0);
    }

    #[test]
    fn what_is_left_is_told_in_whole_days() {
        for (seconds, told) in [(30 * 86_400 - 9, 30), (86_400, 1), (0, 0), (-3 * 86_400, -3)] {
            assert_eq!(days(seconds), told);
        }
    }
}
