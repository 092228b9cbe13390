//! Numbers as people read them. Every one is short, and `-` when it is not known.

use jiff::Timestamp;
use jiff::tz::TimeZone;

/// `18,208`
pub(crate) fn count(n: u64) -> String {
    let digits = n.to_string();
    let mut out = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// `21.3x`, `412x`
pub(crate) fn speed(times: f32) -> String {
    match times {
        t if t.is_nan() || t <= 0.0 => "-".into(),
        t if t < 1.0 => format!("{t:.2}x"),
        t if t < 100.0 => format!("{t:.1}x"),
        t => format!("{}x", count(t as u64)),
    }
}

/// `1,412`
pub(crate) fn fps(n: f32) -> String {
    match n {
        n if n.is_nan() || n <= 0.0 => "-".into(),
        n if n < 10.0 => format!("{n:.1}"),
        n => count(n as u64),
    }
}

/// `0:00:51`, or `4d04h` when hours no longer help.
pub(crate) fn clock_left(seconds: u64) -> String {
    let (h, m, s) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    if h < 100 { format!("{h}:{m:02}:{s:02}") } else { length(seconds) }
}

/// `0:15`
pub(crate) fn minutes(seconds: u64) -> String {
    if seconds < 3600 { format!("{}:{:02}", seconds / 60, seconds % 60) } else { length(seconds) }
}

/// `51s`, `1m12s`, `9h40m`, `3d04h`
pub(crate) fn length(seconds: u64) -> String {
    match seconds {
        s if s < 60 => format!("{s}s"),
        s if s < 3600 => format!("{}m{:02}s", s / 60, s % 60),
        s if s < 86_400 => format!("{}h{:02}m", s / 3600, s / 60 % 60),
        s => format!("{}d{:02}h", s / 86_400, s / 3600 % 24),
    }
}

/// `4 d`, `30 h`, `12 min`: as much as a guess is worth.
pub(crate) fn roughly(seconds: u64) -> String {
    match seconds {
        s if s >= 2 * 86_400 => format!("{} d", s / 86_400),
        s if s >= 2 * 3600 => format!("{} h", s / 3600),
        s => format!("{} min", s / 60),
    }
}

/// `8-12h`, `45-70m`, `20-50s`: least rounded down, most rounded up.
pub(crate) fn range((least, most): (u64, u64)) -> String {
    let (unit, word) = match most {
        s if s >= 2 * 86_400 => (86_400, "d"),
        s if s >= 2 * 3600 => (3600, "h"),
        s if s >= 120 => (60, "m"),
        _ => (1, "s"),
    };
    let (low, high) = (least / unit, most.div_ceil(unit));
    if low == high { format!("{high}{word}") } else { format!("{low}-{high}{word}") }
}

/// `412`, `412k`, `1.0M`
pub(crate) fn count_tight(n: u64) -> String {
    match n {
        n if n < 10_000 => count(n),
        n if n < 1_000_000 => format!("{}k", n / 1000),
        n => format!("{}.{}M", count(n / 1_000_000), n / 100_000 % 10),
    }
}

const UNITS: [&str; 6] = ["B", "kB", "MB", "GB", "TB", "PB"];

/// Three digits and the unit's place.
fn scaled(n: u64) -> (String, usize) {
    let mut value = n as f64;
    let mut unit = 0;
    while value >= 999.5 && unit + 1 < UNITS.len() {
        value /= 1000.0;
        unit += 1;
    }
    let digits = match value {
        v if unit == 0 || v >= 99.95 => format!("{v:.0}"),
        v if v >= 9.995 => format!("{v:.1}"),
        v => format!("{v:.2}"),
    };
    (digits, unit)
}

/// `1.27 GB`
pub(crate) fn bytes(n: u64) -> String {
    let (digits, unit) = scaled(n);
    format!("{digits} {}", UNITS[unit])
}

/// `1.27G`
pub(crate) fn bytes_tight(n: u64) -> String {
    let (digits, unit) = scaled(n);
    format!("{digits}{}", UNITS[unit].get(..1).unwrap_or_default().replace('k', "K"))
}

/// `12:04:31`
pub(crate) fn time(ms: i64, zone: &TimeZone) -> String {
    moment(ms, zone, "%H:%M:%S")
}

/// `12:04` today, else `11-22`.
pub(crate) fn time_or_day(ms: i64, now_ms: i64, zone: &TimeZone) -> String {
    let day = |ms| moment(ms, zone, "%Y-%m-%d");
    moment(ms, zone, if day(ms) == day(now_ms) { "%H:%M" } else { "%m-%d" })
}

/// `12:04:31` today, else `11-22 12:04`.
pub(crate) fn time_with_day(ms: i64, now_ms: i64, zone: &TimeZone) -> String {
    let day = |ms| moment(ms, zone, "%Y-%m-%d");
    moment(ms, zone, if day(ms) == day(now_ms) { "%H:%M:%S" } else { "%m-%d %H:%M" })
}

/// `2026-11-22 12:04:31`
pub(crate) fn stamp(ms: i64, zone: &TimeZone) -> String {
    moment(ms, zone, "%Y-%m-%d %H:%M:%S")
}

/// `0.4 ms`
pub(crate) fn round_trip(us: u64) -> String {
    match us {
        us if us < 100_000 => format!("{:.1} ms", us as f64 / 1000.0),
        us => format!("{} ms", count(us / 1000)),
    }
}

fn moment(ms: i64, zone: &TimeZone, format: &str) -> String {
    match Timestamp::from_millisecond(ms) {
        Ok(at) => at.to_zoned(zone.clone()).strftime(format).to_string(),
        Err(_) => "-".into(),
    }
}

/// `1 file`, `2 files`
pub(crate) fn some(n: u64, one: &str) -> String {
    format!("{} {one}{}", count(n), if n == 1 { "" } else { "s" })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_short_and_honest() {
        let check = |shown: String, expected: &str| assert_eq!(shown, expected);
        check(count(0), "0");
        check(count(999), "999");
        check(count(18_208), "18,208");
        check(count(1_000_000), "1,000,000");
        check(speed(0.0), "-");
        check(speed(f32::NAN), "-");
        check(speed(0.254), "0.25x");
        check(speed(21.34), "21.3x");
        check(speed(1412.9), "1,412x");
        check(fps(5.25), "5.2");
        check(clock_left(51), "0:00:51");
        check(clock_left(36_000), "10:00:00");
        check(clock_left(360_000), "4d04h");
        check(minutes(15), "0:15");
        check(minutes(3700), "1h01m");
        check(length(72), "1m12s");
        check(length(34_800), "9h40m");
        check(length(273_600), "3d04h");
        check(bytes(0), "0 B");
        check(bytes(812_000_000), "812 MB");
        check(bytes(1_270_000_000), "1.27 GB");
        check(bytes(999_999), "1.00 MB");
        check(bytes(u64::MAX), "18447 PB");
        check(bytes_tight(19_800_000_000_000), "19.8T");
        check(bytes_tight(5_000), "5.00K");
        check(time(1_700_000_000_000, &TimeZone::UTC), "22:13:20");
        check(time(i64::MAX, &TimeZone::UTC), "-");
        check(time_or_day(1_700_000_000_000, 1_700_000_500_000, &TimeZone::UTC), "22:13");
        check(time_or_day(1_700_000_000_000, 1_710_000_000_000, &TimeZone::UTC), "11-14");
        check(time_with_day(1_700_000_000_000, 1_700_000_500_000, &TimeZone::UTC), "22:13:20");
        check(time_with_day(1_700_000_000_000, 1_710_000_000_000, &TimeZone::UTC), "11-14 22:13");
        check(stamp(1_700_000_000_000, &TimeZone::UTC), "2023-11-14 22:13:20");
        check(round_trip(430), "0.4 ms");
        check(round_trip(99_949), "99.9 ms");
        check(round_trip(1_400_000), "1,400 ms");
        check(roughly(4 * 86_400 + 5), "4 d");
        check(roughly(90_000), "25 h");
        check(roughly(3700), "61 min");
        check(range((29_400, 43_500)), "8-13h");
        check(range((2700, 4200)), "45-70m");
        check(range((30, 30)), "30s");
        check(range((0, 400_000)), "0-5d");
        check(count_tight(412_345), "412k");
        check(count_tight(1_040_000), "1.0M");
        check(count_tight(9999), "9,999");
        check(some(1, "file"), "1 file");
        check(some(1200, "job"), "1,200 jobs");
    }
}
