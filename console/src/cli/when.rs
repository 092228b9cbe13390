//! Times and lengths of time as they are written on a command line.

use std::time::Duration;

use jiff::Timestamp;
use vc_protocol::operator::filter;

/// `90s`, `15m`, `2h`, `3d`; a bare number is seconds.
pub(super) fn length(text: &str) -> Result<Duration, String> {
    let seconds = text.parse().ok().or_else(|| filter::seconds(text));
    seconds.map(Duration::from_secs).ok_or_else(|| LENGTH_IS.to_owned())
}

const LENGTH_IS: &str = "a length of time is like 90s, 15m, 2h or 3d";

/// A moment, absolute or before now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Moment {
    /// So long ago.
    Ago(Duration),
    /// Milliseconds since 1970.
    At(i64),
}

impl Moment {
    /// Milliseconds since 1970.
    pub(super) fn ms(self, now_ms: i64) -> i64 {
        match self {
            Self::Ago(length) => now_ms.saturating_sub(i64::try_from(length.as_millis()).unwrap_or(i64::MAX)),
            Self::At(ms) => ms,
        }
    }
}

/// A length of time ago, or RFC 3339.
pub(super) fn moment(text: &str) -> Result<Moment, String> {
    if let Ok(length) = length(text) {
        return Ok(Moment::Ago(length));
    }
    let at = text
        .parse::<Timestamp>()
        .map_err(|_| "a time is like 2h (ago) or 2026-01-31T12:00:00Z".to_owned())?;
    Ok(Moment::At(at.as_millisecond()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_and_moments_are_read() {
        let seconds = |text| length(text).map(|length| length.as_secs());
        assert_eq!([seconds("90"), seconds("90s"), seconds("15m")], [Ok(90), Ok(90), Ok(900)]);
        assert_eq!([seconds("2h"), seconds("3d"), seconds("0")], [Ok(7200), Ok(259_200), Ok(0)]);
        for bad in ["", "h", "-1s", "2w", "1.5h", "99999999999999999999d", "9999999999999999d", "2 h"] {
            assert!(length(bad).is_err(), "{bad:?}");
        }
        assert_eq!(moment("2h").map(|m| m.ms(10_000_000)), Ok(2_800_000));
        assert_eq!(moment("1970-01-01T00:00:01Z").map(|m| m.ms(0)), Ok(1000));
        assert_eq!(moment("99999999999999d").map(|m| m.ms(0) < 0), Ok(true));
        assert!(moment("yesterday").is_err());
    }
}
