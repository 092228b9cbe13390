//! The keys that a profile's file may have, in the order in which they are written, with what each takes.
//!
//! Knows nothing of what they mean together: the profile itself checks that.

use std::fmt;

/// A table of a profile's file.
pub(super) struct Table {
    /// Empty for the top of the file.
    pub(super) name: &'static str,
    /// Key, and what it takes.
    pub(super) keys: &'static [(&'static str, &'static str)],
}

/// Runs with options as they are typed: the only table that can be there several times.
pub(super) const PASS: &str = "pass";
/// Names the profile that a file begins with; no key of a profile.
pub(super) const INHERITS: &str = "inherits";

/// Every table.
pub(super) const TABLES: [Table; 6] = [
    Table {
        name: "",
        keys: &[
            ("description", "one line in quotes"),
            ("container", "\"mp4\", \"mkv\", \"mov\", \"webm\", \"m4a\" or \"mka\""),
            ("verify", "\"samples\", \"full\" or \"lossless\""),
            ("min_ssim", "a number between 0 and 1, such as 0.95"),
        ],
    },
    Table {
        name: "video",
        keys: &[
            ("codec", "\"h264\", \"hevc\", \"av1\", \"vp9\", \"ffv1\", \"prores\", \"copy\" or \"drop\""),
            ("crf", "a whole number, 0 (best) to 51, for av1 and vp9 to 63"),
            ("bitrate", "bits a second in quotes, such as \"6M\""),
            ("size", "bytes in quotes, such as \"700M\""),
            ("target_vmaf", "a number from 1 to 100, such as 95.0"),
            ("target_ssim", "a number between 0 and 1, such as 0.98"),
            ("passes", "1 or 2"),
            ("effort", "\"fast\", \"medium\" or \"slow\""),
            ("max_width", "a whole number of pixels"),
            ("max_height", "a whole number of pixels"),
            ("depth", "\"keep\", \"8\" or \"10\""),
            ("interlaced", "\"keep\" or \"deinterlace\""),
            ("may_lose", "a list of \"dolby-vision\" and \"hdr10+\""),
            ("keyframe_s", "a number of seconds, such as 2.0"),
            ("profile", "the codec's profile in quotes, such as \"high\""),
            ("level", "the codec's level in quotes, such as \"4.1\""),
            ("encoders", "a list of encoders or routes, such as [\"vulkan\", \"cpu\"]"),
        ],
    },
    Table {
        name: "audio",
        keys: &[
            ("codec", "\"aac\", \"opus\", \"flac\", \"ac3\" or \"copy\""),
            ("bitrate", "bits a second of a stereo pair in quotes, such as \"160k\""),
        ],
    },
    Table {
        name: "subtitles",
        keys: &[("mode", "\"keep\" or \"drop\""), ("pictures", "\"warn\" or \"refuse\"")],
    },
    Table { name: "guard", keys: &[("min_saving_percent", "a whole number, 1 to 99")] },
    Table {
        name: PASS,
        keys: &[
            ("input", "options in quotes, as they stand in front of -i"),
            ("output", "options in quotes, as they stand in front of the output"),
        ],
    },
];

/// One key. Sorted as they are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Key {
    table: usize,
    /// Number of the run, from 1; 0 in all other tables.
    pass: usize,
    name: usize,
}

impl Key {
    /// The key of that name in that table.
    pub(super) fn find(table: &str, pass: usize, name: &str) -> Option<Key> {
        let no = TABLES.iter().position(|known| known.name == table)?;
        let name = TABLES[no].keys.iter().position(|(known, _)| *known == name)?;
        Some(Key { table: no, pass, name })
    }

    /// The key that a complaint about a profile names: `video.crf`, `pass.2.output`.
    pub(super) fn of_field(field: &str) -> Option<Key> {
        let parts: Vec<&str> = field.split('.').collect();
        match parts.as_slice() {
            [name] => Key::find("", 0, name),
            [table, name] => Key::find(table, 0, name),
            [table, pass, name] => Key::find(table, pass.parse().ok()?, name),
            _ => None,
        }
    }

    pub(super) fn table(self) -> &'static str {
        TABLES[self.table].name
    }

    pub(super) fn pass(self) -> usize {
        self.pass
    }

    pub(super) fn name(self) -> &'static str {
        TABLES[self.table].keys[self.name].0
    }

    /// What it takes, in words.
    pub(super) fn takes(self) -> &'static str {
        TABLES[self.table].keys[self.name].1
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.table(), self.pass) {
            ("", _) => f.write_str(self.name()),
            (table, 0) => write!(f, "{table}.{}", self.name()),
            (table, pass) => write!(f, "{table}.{pass}.{}", self.name()),
        }
    }
}

#[cfg(test)]
mod tests {
    use vc_protocol::profile::{
        AudioCodec, AudioWish, Container, Profile, RawPass, SizeGuard, VideoCodec, VideoWish,
    };

    use super::*;

    #[test]
    fn every_key_of_a_profile_can_be_written() {
        let audio = AudioWish { codec: AudioCodec::Copy, bitrate: None };
        let mut profile = Profile::of(Container::Mkv, VideoWish::of(VideoCodec::Copy), audio);
        profile.guard = Some(SizeGuard { min_saving_percent: 5 });
        profile.passes = vec![RawPass { input: String::new(), output: String::new() }];
        let written = serde_json::to_value(&profile).unwrap();
        let mut fields = Vec::new();
        for (name, value) in written.as_object().unwrap() {
            let table = value.as_array().map_or(value, |list| &list[0]);
            match table.as_object() {
                Some(table) => fields.extend(table.keys().map(|key| format!("{name}.{key}"))),
                None => fields.push(name.clone()),
            }
        }
        let known = TABLES.iter().flat_map(|table| table.keys.iter().map(|(key, _)| (table.name, *key)));
        let mut known: Vec<String> =
            known.map(|(table, key)| Key::find(table, 0, key).unwrap().to_string()).collect();
        fields.sort();
        known.sort();
        assert_eq!(fields, known);
    }
}
