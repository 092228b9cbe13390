//! From ffprobe's JSON to [`Media`]: everything optional, nothing trusted.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde::de::IgnoredAny;
use vc_protocol::media::{Colour, Media, Stream, StreamKind};

use super::side_data::{self, SideData};

/// Share by which base rate and average rate may differ before frame times count as uneven.
const RATE_TOLERANCE: f64 = 0.01;
/// Longest name taken over, such as that of a codec, a colour or a language: ffmpeg's own are shorter.
const WORD_BYTES_MAX: usize = 40;
/// Longest list of speakers, which ffmpeg spells out where it has no name for it.
const LAYOUT_BYTES_MAX: usize = 120;
/// Longest title taken over: what a line has room for, several times.
const TITLE_BYTES_MAX: usize = 250;

/// A described file, and where its frames or packets were listed too, when each is shown.
#[derive(Debug, Clone, PartialEq)]
pub struct Described {
    /// The file.
    pub media: Media,
    /// Times of the listed frames or packets in milliseconds, by the number of their stream, in the order of the list.
    pub times_ms: BTreeMap<u32, Vec<i64>>,
}

#[derive(Deserialize)]
struct Document {
    #[serde(default)]
    streams: Vec<RawStream>,
    #[serde(default)]
    chapters: Vec<IgnoredAny>,
    #[serde(default, alias = "packets")]
    frames: Vec<RawFrame>,
    #[serde(default)]
    format: RawFormat,
}

#[derive(Deserialize)]
struct RawFrame {
    stream_index: Option<u32>,
    pts_time: Option<String>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct RawFormat {
    format_name: String,
    duration: Option<String>,
    start_time: Option<String>,
    size: Option<String>,
    tags: BTreeMap<String, String>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct RawStream {
    index: u32,
    codec_type: String,
    codec_name: String,
    width: u32,
    height: u32,
    pix_fmt: String,
    avg_frame_rate: String,
    r_frame_rate: String,
    nb_frames: Option<String>,
    duration: Option<String>,
    channels: u32,
    channel_layout: String,
    sample_rate: Option<String>,
    start_time: Option<String>,
    color_primaries: String,
    color_transfer: String,
    color_space: String,
    color_range: String,
    chroma_location: String,
    sample_aspect_ratio: String,
    field_order: String,
    disposition: BTreeMap<String, i64>,
    tags: BTreeMap<String, String>,
    side_data_list: Vec<SideData>,
}

/// Reads the JSON of `-show_format -show_streams -show_chapters`, and of `-show_frames` or `-show_packets` if it is there.
pub fn parse(json: &[u8]) -> Result<Described, serde_json::Error> {
    // A tag need not be UTF-8, and ffprobe copies it as it is.
    let text = String::from_utf8_lossy(json);
    let document: Document = serde_json::from_str(&text)?;
    let mut times_ms: BTreeMap<u32, Vec<i64>> = BTreeMap::new();
    for frame in &document.frames {
        let time = frame.pts_time.as_deref().and_then(|t| t.parse::<f64>().ok()).filter(|t| t.is_finite());
        if let (Some(index), Some(time)) = (frame.stream_index, time) {
            times_ms.entry(index).or_default().push((time * 1000.0).round() as i64);
        }
    }
    let format = document.format;
    let mut streams: Vec<Stream> = document.streams.into_iter().map(stream).collect();
    // Matroska keeps the timecode of its picture with the file.
    if let Some(video) = streams.iter_mut().find(|s| s.kind == StreamKind::Video && s.timecode.is_none()) {
        video.timecode = word(tag(&format.tags, "timecode"));
    }
    let media = Media {
        duration_ms: duration(&format),
        start_ms: format.start_time.as_deref().and_then(signed_ms),
        title: line(tag(&format.tags, "title"), TITLE_BYTES_MAX),
        container: format.format_name,
        size: format.size.and_then(|size| size.parse().ok()).unwrap_or(0),
        streams,
        chapters: u32::try_from(document.chapters.len()).unwrap_or(u32::MAX),
    };
    Ok(Described { media, times_ms })
}

/// Length of the file. Matroska counts from zero and not from the first frame, which may come late.
fn duration(format: &RawFormat) -> Option<u64> {
    let length = format.duration.as_deref().and_then(seconds_as_ms)?;
    let counts_from_zero = format.format_name.starts_with("matroska");
    let start =
        format.start_time.as_deref().filter(|_| counts_from_zero).and_then(seconds_as_ms).unwrap_or(0);
    Some(length.saturating_sub(start)).filter(|ms| *ms > 0)
}

fn stream(raw: RawStream) -> Stream {
    let flag = |name: &str| raw.disposition.get(name).is_some_and(|v| *v != 0);
    let (average, base) = (ratio(&raw.avg_frame_rate), ratio(&raw.r_frame_rate));
    let tagged_duration =
        || raw.tags.iter().find(|(key, _)| key.starts_with("DURATION")).map(|(_, v)| v.as_str());
    let rotation = raw.side_data_list.iter().find_map(|s| s.number("rotation"));
    let rotation = rotation.or_else(|| raw.tags.get("rotate").and_then(|v| v.parse().ok())).unwrap_or(0.0);
    Stream {
        index: raw.index,
        kind: match raw.codec_type.as_str() {
            "video" if flag("attached_pic") || flag("timed_thumbnails") => StreamKind::Cover,
            "video" => StreamKind::Video,
            "audio" => StreamKind::Audio,
            "subtitle" => StreamKind::Subtitle,
            "attachment" => StreamKind::Attachment,
            _ => StreamKind::Data,
        },
        language: word(tag(&raw.tags, "language")).filter(|l| l != "und"),
        width: raw.width,
        height: raw.height,
        fps: average.or(base).unwrap_or(0.0),
        is_vfr: matches!((average, base), (Some(a), Some(b)) if (a / b - 1.0).abs() > RATE_TOLERANCE),
        frames: raw.nb_frames.and_then(|n| n.parse().ok()),
        duration_ms: raw
            .duration
            .as_deref()
            .and_then(seconds_as_ms)
            .or_else(|| clock_as_ms(tagged_duration()?)),
        // A display matrix of garbage can hold anything.
        rotation: if rotation.is_finite() { (rotation as i32) % 360 } else { 0 },
        channels: raw.channels,
        channel_layout: line(Some(&raw.channel_layout), LAYOUT_BYTES_MAX).unwrap_or_default(),
        sample_rate: raw.sample_rate.and_then(|rate| rate.parse().ok()).unwrap_or(0),
        dispositions: raw
            .disposition
            .iter()
            .filter(|(name, set)| **set != 0 && name.as_str() != "attached_pic")
            .map(|(name, _)| name.clone())
            .collect(),
        // QuickTime's own place for the title of a track is its name.
        title: line(tag(&raw.tags, "title").or_else(|| tag(&raw.tags, "name")), TITLE_BYTES_MAX),
        colour: Colour {
            primaries: meaning(&raw.color_primaries),
            transfer: meaning(&raw.color_transfer),
            matrix: meaning(&raw.color_space),
            range: meaning(&raw.color_range),
            chroma: meaning(&raw.chroma_location),
        },
        hdr: side_data::hdr(&raw.side_data_list),
        pixel_aspect: aspect(&raw.sample_aspect_ratio),
        field_order: meaning(&raw.field_order),
        start_ms: raw.start_time.as_deref().and_then(signed_ms),
        timecode: word(tag(&raw.tags, "timecode")),
        codec: raw.codec_name,
        pixel_format: raw.pix_fmt,
    }
}

/// A tag by its name; Matroska writes some in capitals.
fn tag<'a>(tags: &'a BTreeMap<String, String>, name: &str) -> Option<&'a str> {
    tags.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
}

/// Text on one line, without control characters, if anything is left.
fn line(text: Option<&str>, bytes_max: usize) -> Option<String> {
    let mut text: String = text?.chars().filter(|c| !c.is_control()).collect();
    text.truncate(text.floor_char_boundary(bytes_max));
    let text = text.trim();
    (!text.is_empty()).then(|| text.to_owned())
}

/// A name without blanks.
fn word(text: Option<&str>) -> Option<String> {
    let text = text?.trim();
    let is_word = (1..=WORD_BYTES_MAX).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_graphic());
    is_word.then(|| text.to_owned())
}

/// A name of something that may be left open.
pub(super) fn meaning(text: &str) -> String {
    word(Some(text))
        .filter(|w| !matches!(w.as_str(), "unknown" | "unspecified" | "reserved"))
        .unwrap_or_default()
}

/// `64:45`; none if square, or nonsense.
fn aspect(text: &str) -> Option<(u32, u32)> {
    let (across, down) = text.split_once(':')?;
    let (across, down) = (across.parse().ok()?, down.parse().ok()?);
    (across != down && across > 0 && down > 0).then_some((across, down))
}

/// `"30000/1001"` as a number; none if it is zero or undefined.
fn ratio(text: &str) -> Option<f64> {
    let (over, under) = text.split_once('/')?;
    let value = over.parse::<f64>().ok()? / under.parse::<f64>().ok()?;
    (value.is_finite() && value > 0.0).then_some(value)
}

/// A time that may lie before zero.
fn signed_ms(text: &str) -> Option<i64> {
    let seconds: f64 = text.parse().ok()?;
    seconds.is_finite().then_some((seconds * 1000.0).round() as i64)
}

fn seconds_as_ms(text: &str) -> Option<u64> {
    let seconds: f64 = text.parse().ok()?;
    (seconds.is_finite() && seconds > 0.0).then_some((seconds * 1000.0).round() as u64)
}

/// Matroska's `00:00:10.023000000`.
fn clock_as_ms(text: &str) -> Option<u64> {
    let mut parts = text.splitn(3, ':');
    let hours: u64 = parts.next()?.parse().ok()?;
    let minutes: u64 = parts.next()?.parse().ok()?;
    let rest = hours.checked_mul(3600)?.checked_add(minutes.checked_mul(60)?)?;
    seconds_as_ms(parts.next()?)?.checked_add(rest.checked_mul(1000)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    const PHONE: &str = include_str!("fixtures/phone.json");
    const MANY: &str = include_str!("fixtures/many-streams.json");

    #[test]
    fn a_turned_phone_clip_is_read_with_its_depth_rotation_and_uneven_times() {
        let media = parse(PHONE.as_bytes()).unwrap().media;
        let video = media.video().unwrap();
        assert_eq!((video.codec.as_str(), video.width, video.height), ("hevc", 1920, 1080));
        assert_eq!((video.pixel_format.as_str(), video.rotation, video.is_vfr), ("yuv420p10le", -90, true));
        let kinds: Vec<_> = media.streams.iter().map(|s| s.kind).collect();
        assert_eq!(kinds, [StreamKind::Video, StreamKind::Audio, StreamKind::Data, StreamKind::Data]);
        assert!(media.duration_ms.is_some_and(|d| (2_500..3_200).contains(&d)), "{:?}", media.duration_ms);
        assert_eq!((video.colour.transfer.as_str(), video.colour.range.as_str()), ("arib-std-b67", "tv"));
        assert_eq!((video.hdr.dolby_vision, video.hdr.mastering), (Some(8), None));
    }

    #[test]
    fn every_stream_of_a_matroska_file_has_its_kind_language_and_length() {
        let media = parse(MANY.as_bytes()).unwrap().media;
        use StreamKind::{Attachment, Audio, Subtitle, Video};
        let kinds: Vec<_> = media.streams.iter().map(|s| s.kind).collect();
        assert_eq!(kinds, [Video, Audio, Audio, Audio, Subtitle, Subtitle, Attachment]);
        assert!(media.streams[1].language.is_some());
        assert!(media.streams[1].duration_ms.is_some());
        assert!(media.chapters > 0);
        assert_eq!(
            (media.streams[3].title.as_deref(), media.streams[3].has("comment")),
            (Some("Commentary"), true)
        );
        assert_eq!((media.streams[1].channel_layout.as_str(), media.streams[1].sample_rate), ("5.1", 48_000));
        assert!(!media.streams[0].is_vfr);
    }

    #[test]
    fn garbage_is_an_error_or_an_empty_file_and_never_a_panic() {
        assert!(parse(b"").is_err());
        assert!(parse(b"{\"streams\":3}").is_err());
        assert_eq!(parse(b"{}").unwrap().media.streams.len(), 0);
        let odd = br#"{"streams":[{"index":0,"codec_type":"video","width":5,"avg_frame_rate":"0/0",
            "duration":"N/A","side_data_list":[{"rotation":1e300},{"side_data_type":7,"red_x":{}}],
            "tags":{"DURATION":"99999999999999999999:0:1","language":"e n","TITLE":" a\u0007b\n "},
            "sample_aspect_ratio":"0:1","color_range":"unknown","start_time":"-0.0215","field_order":"tt"}],
            "format":{"duration":"-9"}}"#;
        let media = parse(odd).unwrap().media;
        let stream = &media.streams[0];
        assert_eq!(
            (stream.title.as_deref(), &stream.language, stream.pixel_aspect),
            (Some("ab"), &None, None)
        );
        assert_eq!(
            (stream.start_ms, stream.is_interlaced(), &stream.colour),
            (Some(-22), true, &Colour::default())
        );
        assert_eq!(
            (media.duration_ms, media.streams[0].duration_ms, media.streams[0].fps),
            (None, None, 0.0)
        );
    }

    #[test]
    fn clocks_and_seconds_are_milliseconds() {
        assert_eq!(clock_as_ms("01:02:03.500000000"), Some(3_723_500));
        assert_eq!(seconds_as_ms("10.0234"), Some(10_023));
        assert_eq!(seconds_as_ms("N/A"), None);
    }
}
