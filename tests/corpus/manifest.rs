//! What a file holds, read by ffprobe alone: the agent's own reader is one of the things that are tested.

use std::fmt;
use std::ops::Add;
use std::path::Path;
use std::process::Command;

use serde_json::{Map, Value, json};
use vc_agent::ffmpeg::Tools;

/// The manifest of a file.
pub(crate) fn of(tools: &Tools, path: &Path) -> Value {
    let said = Command::new(&tools.ffprobe)
        .args("-v error -show_format -show_streams -show_chapters -of json=c=1".split(' '))
        .arg(path)
        .output()
        .unwrap();
    let found: Value = serde_json::from_slice(&said.stdout).unwrap();
    let streams: Vec<Value> = list(&found, "streams").map(stream).collect();
    let chapters: Vec<Value> = list(&found, "chapters")
        .map(|chapter| {
            json!(format!(
                "{} {}",
                tenths(&chapter["start_time"]),
                chapter["tags"]["title"].as_str().unwrap_or("")
            ))
        })
        .collect();
    let mut all = Map::new();
    put(&mut all, "seconds", json!(half_seconds(&found["format"]["duration"])));
    put(&mut all, "start", json!(tenths(&found["format"]["start_time"])));
    put(&mut all, "title", tag(&found["format"], "title"));
    put(&mut all, "streams", json!(streams));
    put(&mut all, "chapters", json!(chapters));
    Value::Object(all)
}

fn list<'a>(value: &'a Value, key: &str) -> impl Iterator<Item = &'a Value> {
    value[key].as_array().into_iter().flatten()
}

/// What is empty says nothing.
fn put(map: &mut Map<String, Value>, key: &str, value: Value) {
    let is_empty = match &value {
        Value::Null => true,
        Value::String(text) => text.is_empty(),
        Value::Array(list) => list.is_empty(),
        _ => false,
    };
    if !is_empty {
        map.insert(key.to_owned(), value);
    }
}

fn tag(of: &Value, name: &str) -> Value {
    let tags = of["tags"].as_object();
    let found = tags.and_then(|tags| tags.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)));
    found.map_or(Value::Null, |(_, value)| value.clone())
}

fn number(value: &Value) -> f64 {
    value.as_str().and_then(|text| text.parse().ok()).unwrap_or(0.0)
}

/// Ends of streams differ by the priming of sound and the last frame.
fn half_seconds(value: &Value) -> f64 {
    (number(value) * 2.0).round() / 2.0
}

fn tenths(value: &Value) -> f64 {
    // No `-0.0`.
    (number(value) * 10.0).round() / 10.0 + 0.0
}

fn stream(found: &Value) -> Value {
    let text = |name: &str| found[name].clone();
    let mut all = Map::new();
    put(&mut all, "kind", text("codec_type"));
    put(&mut all, "codec", text("codec_name"));
    put(&mut all, "language", tag(found, "language"));
    // mp4 has another word for it.
    let title = tag(found, "title");
    put(&mut all, "title", if title.is_null() { tag(found, "name") } else { title });
    put(&mut all, "file", tag(found, "filename"));
    put(&mut all, "mime", tag(found, "mimetype"));
    put(&mut all, "timecode", tag(found, "timecode"));
    let set = found["disposition"].as_object().into_iter().flatten().filter(|(_, set)| **set == json!(1));
    put(&mut all, "marks", json!(set.map(|(name, _)| name.as_str()).collect::<Vec<_>>().join(" ")));
    if found["codec_type"] == "video" {
        put(&mut all, "size", json!(format!("{}x{}", found["width"], found["height"])));
        put(&mut all, "pixels", text("pix_fmt"));
        let shape =
            found["sample_aspect_ratio"].as_str().filter(|shape| !matches!(*shape, "1:1" | "0:1" | "N/A"));
        put(&mut all, "shape", json!(shape));
        put(&mut all, "fields", json!(found["field_order"].as_str().filter(|order| *order != "unknown")));
        let colour = ["color_primaries", "color_transfer", "color_space", "color_range", "chroma_location"];
        let colour =
            colour.map(|name| found[name].as_str().filter(|c| !c.starts_with("unspec")).unwrap_or("-"));
        put(&mut all, "colour", json!(if colour == ["-"; 5] { String::new() } else { colour.join(" ") }));
        let sides = list(found, "side_data_list");
        put(&mut all, "side", json!(sides.filter_map(side).collect::<Vec<_>>()));
    }
    if found["codec_type"] == "audio" {
        put(&mut all, "channels", text("channels"));
        put(&mut all, "layout", text("channel_layout"));
        put(&mut all, "rate", text("sample_rate"));
    }
    if matches!(found["codec_type"].as_str(), Some("video" | "audio")) {
        put(&mut all, "start", json!(tenths(&found["start_time"])));
    }
    Value::Object(all)
}

fn side(found: &Value) -> Option<String> {
    let value = |name: &str| found[name].as_str().map_or_else(|| found[name].to_string(), str::to_owned);
    let values = |names: &[&str]| names.iter().map(|name| value(name)).collect::<Vec<_>>().join(" ");
    match found["side_data_type"].as_str()? {
        "Display Matrix" => Some(format!("turned {}", found["rotation"])),
        "Mastering display metadata" => Some(format!(
            "mastering {}",
            values(&["red_x", "green_x", "blue_x", "white_point_x", "min_luminance", "max_luminance"])
        )),
        "Content light level metadata" => Some(format!("light {}", values(&["max_content", "max_average"]))),
        "DOVI configuration record" => Some(format!("dolby vision {}", found["dv_profile"])),
        // What encoders say of their rate control is theirs.
        _ => None,
    }
}

/// The manifest as it is kept: one line a stream.
pub(crate) fn text(all: &Value) -> String {
    let mut text = String::from("{\n");
    let all: Vec<_> = all.as_object().unwrap().iter().collect();
    for (n, (profile, found)) in all.iter().enumerate() {
        text += &format!("  {}: {{\n", json!(profile));
        let parts: Vec<_> = found.as_object().unwrap().iter().collect();
        for (m, (key, value)) in parts.iter().enumerate() {
            let comma = if m + 1 < parts.len() { "," } else { "" };
            match value.as_array() {
                Some(list) => {
                    let lines: Vec<String> = list.iter().map(|one| format!("      {one}")).collect();
                    text += &format!("    {}: [\n{}\n    ]{comma}\n", json!(key), lines.join(",\n"));
                }
                None => text += &format!("    {}: {value}{comma}\n", json!(key)),
            }
        }
        text += if n + 1 < all.len() { "  },\n" } else { "  }\n" };
    }
    text + "}\n"
}

/// Streams that came out of Matroska profiles, of those that went in.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Kept {
    kept: usize,
    of: usize,
    data: usize,
}

impl Kept {
    /// Pictures, sound, subtitles and attachments, by their number; Matroska holds no data.
    pub(crate) fn of(before: &Value, after: &Value) -> Kept {
        let count = |all: &Value, kinds: &[&str]| {
            list(all, "streams")
                .filter(|one| one["kind"].as_str().is_some_and(|kind| kinds.contains(&kind)))
                .count()
        };
        let mut sum = Kept { data: count(before, &["data"]), ..Kept::default() };
        for kinds in [&["video", "attachment"][..], &["audio"], &["subtitle"]] {
            let (before, after) = (count(before, kinds), count(after, kinds));
            sum.of += before;
            sum.kept += before.min(after);
        }
        sum
    }
}

impl Add for Kept {
    type Output = Kept;

    fn add(self, other: Kept) -> Kept {
        Kept { kept: self.kept + other.kept, of: self.of + other.of, data: self.data + other.data }
    }
}

impl fmt::Display for Kept {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let share = 100.0 * self.kept as f64 / self.of.max(1) as f64;
        write!(
            f,
            "streams kept into mkv: {} of {} ({share:.1} %), and none of {} data streams, which mkv cannot hold",
            self.kept, self.of, self.data
        )
    }
}
