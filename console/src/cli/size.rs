//! Numbers as people read them. Pure.

/// Bytes with a decimal unit: `1.27 GB`.
pub(crate) fn bytes(n: u64) -> String {
    const UNITS: [&str; 6] = ["B", "kB", "MB", "GB", "TB", "PB"];
    let mut value = n as f64;
    let mut unit = 0;
    while value >= 1000.0 && unit + 1 < UNITS.len() {
        value /= 1000.0;
        unit += 1;
    }
    if unit == 0 { format!("{n} B") } else { format!("{value:.2} {}", UNITS[unit]) }
}

/// Seconds as `4.2 s`, `3:05` or `2:03:05`.
pub(crate) fn seconds(s: f64) -> String {
    if s < 60.0 {
        return format!("{s:.1} s");
    }
    let whole = s as u64;
    let (h, m, s) = (whole / 3600, whole / 60 % 60, whole % 60);
    if h > 0 { format!("{h}:{m:02}:{s:02}") } else { format!("{m}:{s:02}") }
}

/// The time left as `~49 s` or `~3:05`; `-` while it cannot be told.
pub(crate) fn left(s: Option<u64>) -> String {
    match s {
        None => "-".into(),
        Some(s) if s < 60 => format!("~{s} s"),
        Some(s) => format!("~{}", seconds(s as f64)),
    }
}

/// A time of milliseconds since 1970 in RFC 3339, UTC.
pub(crate) fn rfc3339(ms: i64) -> String {
    jiff::Timestamp::from_millisecond(ms).map(|t| t.to_string()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_read_well() {
        assert_eq!(bytes(0), "0 B");
        assert_eq!(bytes(999), "999 B");
        assert_eq!(bytes(1_270_000_000), "1.27 GB");
        assert_eq!(seconds(4.25), "4.2 s");
        assert_eq!(seconds(185.0), "3:05");
        assert_eq!(seconds(7385.9), "2:03:05");
        assert_eq!([left(None), left(Some(49)), left(Some(185))], ["-", "~49 s", "~3:05"]);
        assert_eq!(rfc3339(0), "1970-01-01T00:00:00Z");
    }
}
