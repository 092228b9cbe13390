//! The rows against what ffmpeg says of its encoders, as kept in `tests/golden/encoders`.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use vc_protocol::profile::Effort;

use super::super::{ENCODERS, Encoder, Frames, Options, Rate, Route, TwoPass};
use crate::ffmpeg::Tools;
use crate::process::quick;

/// Options of every encoder, by ffmpeg's own parser.
const GENERIC: &str = "generic";
/// Of the command line, not of an encoder.
const COMMAND_LINE: [&str; 1] = ["q"];

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/golden/encoders")
}

/// An option as a help text tells it.
#[derive(Debug, Default)]
struct Told {
    kind: String,
    range: Option<(f64, f64)>,
    values: Vec<String>,
}

#[derive(Debug, Default)]
struct Help {
    formats: Vec<String>,
    options: BTreeMap<String, Told>,
}

fn bound(text: &str) -> f64 {
    match text {
        "INT_MIN" | "I64_MIN" | "-FLT_MAX" => f64::NEG_INFINITY,
        "INT_MAX" | "UINT32_MAX" | "FLT_MAX" | "I64_MAX" => f64::INFINITY,
        number => number.parse().unwrap(),
    }
}

/// Reads a text as [`trimmed`] leaves it.
fn read(name: &str) -> Option<Help> {
    let text = fs::read_to_string(folder().join(format!("{name}.txt"))).ok()?;
    let (mut help, mut last) = (Help::default(), String::new());
    for line in text.lines() {
        let words: Vec<&str> = line.split_whitespace().collect();
        if let Some(formats) = line.strip_prefix("Supported pixel formats: ") {
            help.formats = formats.split(' ').map(str::to_owned).collect();
        } else if let Some(option) = line.strip_prefix('-') {
            last = option.split(' ').next().unwrap().to_owned();
            let range = match words[2..] {
                ["from", low, "to", high] => Some((bound(low), bound(high))),
                _ => None,
            };
            help.options.insert(last.clone(), Told { kind: words[1].to_owned(), range, values: Vec::new() });
        } else if line.starts_with(' ') {
            help.options.get_mut(&last).unwrap().values.push(words[0].to_owned());
        }
    }
    Some(help)
}

/// What is kept of a help text: formats, options with their kinds, ranges and values.
fn trimmed(version: &str, help: &str, is_wanted: impl Fn(&str) -> bool) -> String {
    let mut text = format!("{version}\n");
    let mut keeps = true;
    for line in help.lines() {
        let mut words = line.split_whitespace();
        if let Some(formats) = line.trim_start().strip_prefix("Supported pixel formats: ") {
            text.push_str(&format!("Supported pixel formats: {}\n", formats.trim_end()));
        } else if line.starts_with("  -") {
            let (name, kind) = (words.next().unwrap(), words.next().unwrap_or_default());
            keeps = is_wanted(line);
            let range = line.rsplit_once("(from ").and_then(|(_, rest)| rest.split_once(')'));
            let range = range.map(|(range, _)| format!(" from {range}")).unwrap_or_default();
            if keeps {
                text.push_str(&format!("{name} {kind}{range}\n"));
            }
        } else if line.starts_with("     ") && keeps && is_wanted(line) {
            text.push_str(&format!("  {}\n", words.next().unwrap_or_default()));
        }
    }
    text
}

/// Why this option would be refused; none if it would not.
fn refused(help: &Help, generic: &Help, name: &str, value: &str) -> Option<String> {
    if COMMAND_LINE.contains(&name) {
        return None;
    }
    let Some(told) = help.options.get(name).or_else(|| generic.options.get(name)) else {
        return Some(format!("there is no -{name}"));
    };
    let is_named = |value: &str| told.values.iter().any(|known| known == value);
    let in_range = |value: &str| {
        let number: Option<f64> = value.parse().ok();
        number.is_some_and(|n| told.range.is_none_or(|(low, high)| (low..=high).contains(&n)))
    };
    let is_fine = match told.kind.as_str() {
        "<flags>" => value.split('+').filter(|flag| !flag.is_empty()).all(is_named),
        "<boolean>" => matches!(value, "0" | "1"),
        "<string>" | "<dictionary>" => told.values.is_empty() || is_named(value),
        _ => is_named(value) || in_range(value),
    };
    (!is_fine).then(|| format!("-{name} takes no {value}: {told:?}"))
}

/// Everything that a row may ever say.
fn said(row: &Encoder) -> Vec<Options> {
    let mut all = vec![row.always(), row.keyframes(250), super::super::options(row.interlaced, "", "")];
    all.extend([Effort::Fast, Effort::Medium, Effort::Slow].map(|effort| row.speed(effort)));
    if let Some(quality) = row.quality {
        let (best, worst) = quality.range;
        all.extend([0.0, 20.0, 63.0].map(|crf| row.rate(Rate::Quality(quality.on_scale(crf)))));
        all.extend([best, worst].map(|value| row.rate(Rate::Quality(value))));
    }
    all.push(row.rate(Rate::Bitrate(6_000_000)));
    all.extend(row.profiles.known.iter().map(|named| row.profile(named)));
    all.extend(["2.0", "3", "3.1", "4.0", "4.1", "5", "5.1", "6.1"].into_iter().filter_map(|l| row.level(l)));
    if let Some(TwoPass::Params(option)) = row.two_pass {
        all.push(vec![(option.to_owned(), "pass=1".to_owned())]);
    }
    all
}

#[test]
fn every_option_value_and_format_of_a_row_is_known_to_its_encoder() {
    let generic = read(GENERIC).unwrap();
    let mut problems = Vec::new();
    for row in ENCODERS {
        let Some(help) = read(row.name) else {
            assert_eq!(row.route, Route::VideoToolbox, "no help text of {}", row.name);
            println!("skipped: {} is in no ffmpeg for this system", row.name);
            continue;
        };
        for (name, value) in said(row).into_iter().flatten() {
            problems
                .extend(refused(&help, &generic, &name, &value).map(|why| format!("{}: {why}", row.name)));
        }
        let taken = match row.frames {
            Frames::Memory => row.formats.iter().map(|f| f.name).chain(row.keeps.iter().copied()).collect(),
            Frames::Uploaded => vec![row.route.word()],
        };
        let missing = taken.into_iter().chain(row.alpha).find(|name| !help.formats.iter().any(|f| f == name));
        problems.extend(missing.map(|name| format!("{} takes no {name}", row.name)));
    }
    assert!(problems.is_empty(), "{problems:#?}");
}

#[test]
fn a_wrong_option_value_or_number_would_be_found() {
    let (help, generic) = (read("h264_vulkan").unwrap(), read(GENERIC).unwrap());
    for (name, value, expected) in [
        ("rc_mode", "cqp", None),
        ("rc_mode", "crf", Some("takes no crf")),
        ("qp", "256", Some("takes no 256")),
        ("qp", "24", None),
        ("qqp", "24", Some("there is no -qqp")),
        ("usage", "transcode+record", None),
        ("usage", "transcode+sleep", Some("takes no")),
        ("g", "250", None),
    ] {
        let why = refused(&help, &generic, name, value);
        let fits = match (&why, expected) {
            (Some(why), Some(part)) => why.contains(part),
            (None, None) => true,
            (Some(_), None) | (None, Some(_)) => false,
        };
        assert!(fits, "{name} {value}: {why:?}");
    }
}

#[test]
fn the_ways_come_in_their_order_for_every_codec_and_no_row_twice() {
    for (n, row) in ENCODERS.iter().enumerate() {
        let later = &ENCODERS[n + 1..];
        assert!(later.iter().all(|other| other.name != row.name), "{} twice", row.name);
        let is_in_order = |other: &Encoder| other.codec != row.codec || other.route >= row.route;
        assert!(later.iter().all(is_in_order), "{} comes too early or too late", row.name);
    }
}

#[test]
fn rate_control_is_asked_for_by_every_row_that_has_any() {
    for row in ENCODERS {
        assert!(row.quality.is_none() || !row.rate(Rate::Quality(20.0)).is_empty(), "{}", row.name);
        let both = row.quality.is_some() && !row.bitrate.is_empty();
        let quality = row.quality.map(|quality| row.rate(Rate::Quality(quality.range.1)));
        assert!(!both || quality != Some(row.rate(Rate::Bitrate(1))), "{}", row.name);
    }
}

/// `cargo test -p vc-agent --lib refresh_the_help_texts -- --ignored` writes them anew, of the ffmpeg on the `PATH`.
#[test]
#[ignore = "writes the golden files"]
fn refresh_the_help_texts() {
    let tools = Tools::find(None, None).unwrap();
    let version = tools.version_line.split(" Copyright ").next().unwrap();
    let ask = |args: &[&str]| quick(&tools.ffmpeg, args).unwrap().stdout;
    for row in ENCODERS.iter().filter(|row| tools.encoders.contains(row.name)) {
        let help = ask(&["-hide_banner", "-h", &format!("encoder={}", row.name)]);
        let path = folder().join(format!("{}.txt", row.name));
        fs::write(path, trimmed(version, &help, |_| true)).unwrap();
    }
    let full = ask(&["-hide_banner", "-h", "full"]);
    let section = full.split_once("AVCodecContext AVOptions:").unwrap().1.split("\n\n").next().unwrap();
    let is_for_pictures = |line: &str| {
        line.split_whitespace().any(|w| w.len() >= 10 && w.starts_with('E') && w[..4].contains('V'))
    };
    fs::write(folder().join(format!("{GENERIC}.txt")), trimmed(version, section, is_for_pictures)).unwrap();
}
