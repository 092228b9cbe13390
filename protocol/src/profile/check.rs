//! What the types of a profile cannot say.
//!
//! Every rule names the key at fault, what is wrong with it, and what to do. Knows nothing of files and lines: whoever
//! has read the text finds the line of the key.

use super::{AudioCodec, Container, Depth, Interlaced, Profile, RawPass, Verify, VideoCodec, VideoWish};

/// Smallest and largest side of a picture that a profile may ask for, in pixels. Encoders refuse less than 16, and
/// nothing is shown larger than 16K.
const SIDE: std::ops::RangeInclusive<u32> = 16..=16_384;
/// Longest time between keyframes, in seconds: seeking and cutting need some.
const KEYFRAME_S_MAX: f64 = 300.0;
/// Bits a second of a stereo pair: Opus begins at 6k, and nothing takes more than 1.5M.
const AUDIO_BITS: std::ops::RangeInclusive<u64> = 6_000..=1_500_000;
/// Letters of a name of an encoder, a profile or a level; ffmpeg's longest has 20.
const WORD_LETTERS_MAX: usize = 32;
/// Encoders that one profile may name: there are not as many.
const ENCODERS_MAX: usize = 32;
/// Runs of ffmpeg that one profile may ask for: two passes and one to look first.
const PASSES_MAX: usize = 4;
/// Letters of a description: one line of a wide terminal.
const DESCRIPTION_LETTERS_MAX: usize = 200;

/// Why a profile makes no sense.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{field} {what}: {remedy}")]
pub struct ProfileError {
    /// The key at fault with its table, as in `video.crf`; a pass has its number, from 1, as in `pass.2.output`.
    pub field: String,
    /// What is wrong with it; follows the key.
    pub what: String,
    /// What to do.
    pub remedy: String,
}

impl ProfileError {
    /// That key, with what is wrong and what to do.
    pub(super) fn new(field: &str, what: impl Into<String>, remedy: impl Into<String>) -> Self {
        ProfileError { field: field.to_owned(), what: what.into(), remedy: remedy.into() }
    }
}

/// Bits a second from `"6M"`, `"800k"` or plain digits.
pub fn parse_bitrate(text: &str) -> Option<u64> {
    let (digits, unit) = match text.as_bytes().last()? {
        b'k' | b'K' => (&text[..text.len() - 1], 1_000.0),
        b'm' | b'M' => (&text[..text.len() - 1], 1_000_000.0),
        _ => (text, 1.0),
    };
    let value: f64 = digits.parse().ok()?;
    let bits = value * unit;
    (bits.is_finite() && (1_000.0..=10_000_000_000.0).contains(&bits)).then_some(bits as u64)
}

/// Bytes from `"700M"`, `"4G"` or plain digits.
pub fn parse_size(text: &str) -> Option<u64> {
    let (digits, unit) = match text.as_bytes().last()? {
        b'M' => (&text[..text.len() - 1], 1_000_000.0),
        b'G' => (&text[..text.len() - 1], 1_000_000_000.0),
        _ => (text, 1.0),
    };
    let bytes = digits.parse::<f64>().ok()? * unit;
    (bytes.is_finite() && (100_000.0..=1e13).contains(&bytes)).then_some(bytes as u64)
}

impl Profile {
    /// Checks what the types cannot say.
    pub fn check(&self) -> Result<(), ProfileError> {
        self.faults().into_iter().next().map_or(Ok(()), Err)
    }

    /// Everything that is wrong with it.
    pub fn faults(&self) -> Vec<ProfileError> {
        let mut faults = Faults(Vec::new());
        faults.general(self);
        if self.video.codec.is_encoded() {
            faults.encoded(self);
        } else {
            faults.untouched(&self.video);
        }
        faults.picture(&self.video);
        faults.sound(self);
        faults.container(self);
        faults.verify(self);
        for (n, pass) in self.passes.iter().enumerate() {
            faults.pass(n + 1, pass);
        }
        faults.0
    }
}

impl VideoWish {
    /// The keys that say how good, and those that are given.
    fn qualities(&self) -> Vec<&'static str> {
        [
            ("video.crf", self.crf.is_some()),
            ("video.bitrate", self.bitrate.is_some()),
            ("video.size", self.size.is_some()),
            ("video.target_vmaf", self.target_vmaf.is_some()),
            ("video.target_ssim", self.target_ssim.is_some()),
        ]
        .into_iter()
        .filter_map(|(key, is_given)| is_given.then_some(key))
        .collect()
    }

    /// The keys that say how to encode, and are given.
    fn knobs(&self) -> Vec<&'static str> {
        let others = [
            ("video.passes", self.passes.is_some()),
            ("video.keyframe_s", self.keyframe_s.is_some()),
            ("video.profile", self.profile.is_some()),
            ("video.level", self.level.is_some()),
            ("video.encoders", !self.encoders.is_empty()),
        ];
        let others = others.into_iter().filter_map(|(key, is_given)| is_given.then_some(key));
        self.qualities().into_iter().chain(others).collect()
    }

    /// The keys that change size, depth or frames, and are given.
    fn changes(&self) -> Vec<&'static str> {
        [
            ("video.max_width", self.max_width.is_some()),
            ("video.max_height", self.max_height.is_some()),
            ("video.depth", self.depth != Depth::Keep),
            ("video.interlaced", self.interlaced != Interlaced::Keep),
        ]
        .into_iter()
        .filter_map(|(key, is_given)| is_given.then_some(key))
        .collect()
    }
}

struct Faults(Vec<ProfileError>);

impl Faults {
    fn add(&mut self, field: &str, what: impl Into<String>, remedy: impl Into<String>) {
        self.0.push(ProfileError::new(field, what, remedy));
    }

    fn general(&mut self, profile: &Profile) {
        let text = &profile.description;
        if text.chars().any(char::is_control) || text.chars().count() > DESCRIPTION_LETTERS_MAX {
            let remedy = format!("write one line of at most {DESCRIPTION_LETTERS_MAX} letters");
            self.add("description", "is no single short line", remedy);
        }
        if let Some(guard) = profile.guard
            && !(1..=99).contains(&guard.min_saving_percent)
        {
            let what = format!("is {}", guard.min_saving_percent);
            self.add("guard.min_saving_percent", what, "give 1 to 99 percent, or leave [guard] out");
        }
        if profile.passes.len() > PASSES_MAX {
            let what = format!("is given {} times", profile.passes.len());
            self.add("pass", what, format!("give at most {PASSES_MAX} runs"));
        }
    }

    /// A picture that is copied or dropped has nothing to be set.
    fn untouched(&mut self, video: &VideoWish) {
        let codec = word_of(video.codec);
        for key in video.knobs().into_iter().chain(video.changes()) {
            let what = format!("means nothing with codec \"{codec}\"");
            self.add(key, what, "leave it out, or name a codec to encode with");
        }
    }

    /// How good an encoded picture is to be.
    fn encoded(&mut self, profile: &Profile) {
        let video = &profile.video;
        let given = video.qualities();
        if !profile.passes.is_empty() {
            for key in video.knobs() {
                self.add(key, "is never used beside [[pass]]", "leave it out: the typed options say it");
            }
            return;
        }
        match (video.codec, given.as_slice()) {
            (VideoCodec::Ffv1, keys) => {
                for key in keys.iter().copied().chain(video.passes.map(|_| "video.passes")) {
                    self.add(key, "means nothing with codec \"ffv1\"", "leave it out: nothing is ever lost");
                }
            }
            (VideoCodec::Prores, keys) => {
                let wrong = keys.iter().copied().filter(|key| *key != "video.crf");
                for key in wrong.chain(video.passes.map(|_| "video.passes")) {
                    let remedy = "leave it out and choose by profile: proxy, lt, standard, hq";
                    self.add(key, "cannot be aimed at with codec \"prores\"", remedy);
                }
            }
            (_, []) => self.add(
                "video.codec",
                "has no quality",
                "give exactly one of crf, bitrate, size, target_vmaf and target_ssim",
            ),
            (_, [_]) => {}
            (_, [first, others @ ..]) => {
                let first = first.trim_start_matches("video.");
                for key in others {
                    self.add(key, format!("is given beside {first}"), "keep one of the two");
                }
            }
        }
        let is_aimed = video.bitrate.is_some() || video.size.is_some();
        match video.passes {
            Some(1 | 2)
                if !is_aimed && video.codec != VideoCodec::Ffv1 && video.codec != VideoCodec::Prores =>
            {
                self.add("video.passes", "needs a bitrate or a size to aim at", "leave it out, or give one");
            }
            Some(1 | 2) | None => {}
            Some(passes) => self.add("video.passes", format!("is {passes}"), "give 1 or 2"),
        }
        if video.keyframe_s.is_some() && matches!(video.codec, VideoCodec::Ffv1 | VideoCodec::Prores) {
            let what = format!("means nothing with codec \"{}\"", word_of(video.codec));
            self.add("video.keyframe_s", what, "leave it out: every frame stands for itself");
        }
    }

    /// Values that are off their scales.
    fn picture(&mut self, video: &VideoWish) {
        let crf_max = if matches!(video.codec, VideoCodec::Av1 | VideoCodec::Vp9) { 63 } else { 51 };
        if let Some(crf) = video.crf.filter(|crf| *crf > crf_max) {
            let what = format!("is {crf}, off the scale of {}", word_of(video.codec));
            self.add("video.crf", what, format!("give 0 (best) to {crf_max}"));
        }
        if video.bitrate.as_ref().is_some_and(|text| parse_bitrate(text).is_none()) {
            self.add("video.bitrate", "is not a number of bits a second", "write it as \"6M\" or \"800k\"");
        }
        if video.size.as_ref().is_some_and(|text| parse_size(text).is_none()) {
            self.add(
                "video.size",
                "is not a number of bytes",
                "write it as \"700M\" or \"4G\", at least 100 kB",
            );
        }
        if video.target_vmaf.is_some_and(|vmaf| !(1.0..=100.0).contains(&vmaf)) {
            self.add(
                "video.target_vmaf",
                "is off the scale of VMAF",
                "give 1 to 100; 95 is hard to tell apart",
            );
        }
        if video.target_ssim.is_some_and(|ssim| !(ssim > 0.0 && ssim < 1.0)) {
            self.add("video.target_ssim", "is not between 0 and 1", "give a number such as 0.98");
        }
        for (key, side) in [("video.max_width", video.max_width), ("video.max_height", video.max_height)] {
            if let Some(side) = side.filter(|side| !SIDE.contains(side)) {
                let remedy = format!("give {} to {} pixels", SIDE.start(), SIDE.end());
                self.add(key, format!("is {side}"), remedy);
            }
        }
        if video.codec == VideoCodec::H264 && video.depth == Depth::Ten {
            let remedy = "set codec to \"hevc\" or \"av1\", or leave depth out";
            self.add("video.depth", "is 10, which hardly any player of H.264 shows", remedy);
        }
        if video.codec == VideoCodec::Prores && video.depth == Depth::Eight {
            self.add("video.depth", "is 8, and ProRes has no such", "leave it out: ProRes has 10 bits");
        }
        if video.keyframe_s.is_some_and(|s| !(s > 0.0 && s <= KEYFRAME_S_MAX)) {
            let remedy = format!("give seconds above 0, at most {KEYFRAME_S_MAX}");
            self.add("video.keyframe_s", "is no such time", remedy);
        }
        for (key, name) in [("video.profile", &video.profile), ("video.level", &video.level)] {
            if name.as_ref().is_some_and(|name| !is_word(name, ".")) {
                let remedy = "write it as the encoder names it, such as \"high\" or \"4.1\"";
                self.add(key, "is not a plain word", remedy);
            }
        }
        if video.encoders.iter().any(|name| !is_word(name, "")) || video.encoders.len() > ENCODERS_MAX {
            let remedy = "name encoders (\"hevc_nvenc\") or routes (\"vulkan\", \"vendor\", \"cpu\")";
            self.add("video.encoders", "is not a short list of plain words", remedy);
        }
        let twice = video.encoders.iter().enumerate().find(|(n, name)| video.encoders[..*n].contains(name));
        if let Some((_, name)) = twice {
            self.add("video.encoders", format!("names {} twice", name.escape_debug()), "name it once");
        }
    }

    fn sound(&mut self, profile: &Profile) {
        let audio = &profile.audio;
        let Some(text) = &audio.bitrate else { return };
        if audio.codec == AudioCodec::Flac {
            self.add(
                "audio.bitrate",
                "means nothing with codec \"flac\"",
                "leave it out: nothing is ever lost",
            );
        }
        if !parse_bitrate(text).is_some_and(|bits| AUDIO_BITS.contains(&bits)) {
            let remedy = "write it as \"160k\", for a stereo pair: 6k to 1500k";
            self.add("audio.bitrate", "is no number of bits a second for sound", remedy);
        }
    }

    /// What the container can hold.
    fn container(&mut self, profile: &Profile) {
        let (container, video, audio) = (profile.container, profile.video.codec, profile.audio.codec);
        let name = container.extension();
        let pictures: &[VideoCodec] = match container {
            Container::M4a | Container::Mka => {
                if video != VideoCodec::Drop {
                    let what = format!("is \"{}\", and {name} holds sound only", word_of(video));
                    self.add("video.codec", what, "set it to \"drop\", or choose another container");
                }
                return self.sound_in(container, audio);
            }
            Container::Mkv => &VideoCodec::ALL,
            Container::Mp4 => {
                &[VideoCodec::H264, VideoCodec::Hevc, VideoCodec::Av1, VideoCodec::Vp9, VideoCodec::Copy]
            }
            Container::Mov => &[VideoCodec::H264, VideoCodec::Hevc, VideoCodec::Prores, VideoCodec::Copy],
            Container::Webm => &[VideoCodec::Vp9, VideoCodec::Av1, VideoCodec::Copy],
        };
        if video == VideoCodec::Drop && container != Container::Mkv {
            let remedy = "set container to \"m4a\" or \"mka\" for sound only";
            self.add("video.codec", format!("is \"drop\", and {name} is for pictures"), remedy);
        } else if !pictures.contains(&video) {
            let what = format!("is \"{}\", which {name} cannot hold", word_of(video));
            let can: Vec<_> = pictures.iter().map(|codec| word_of(*codec)).collect();
            self.add("video.codec", what, format!("choose of {}, or container \"mkv\"", can.join(", ")));
        }
        self.sound_in(container, audio);
    }

    fn sound_in(&mut self, container: Container, audio: AudioCodec) {
        let (sounds, other): (&[AudioCodec], _) = match container {
            Container::Mkv | Container::Mka | Container::Mp4 => return,
            Container::Mov => (&[AudioCodec::Aac, AudioCodec::Ac3, AudioCodec::Copy], "mkv"),
            Container::Webm => (&[AudioCodec::Opus, AudioCodec::Copy], "mkv"),
            Container::M4a => (&[AudioCodec::Aac, AudioCodec::Ac3, AudioCodec::Copy], "mka"),
        };
        if !sounds.contains(&audio) {
            let word = |codec: &AudioCodec| match codec {
                AudioCodec::Aac => "aac",
                AudioCodec::Opus => "opus",
                AudioCodec::Copy => "copy",
                AudioCodec::Flac => "flac",
                AudioCodec::Ac3 => "ac3",
            };
            let what = format!("is \"{}\", which {} cannot hold", word(&audio), container.extension());
            let can: Vec<_> = sounds.iter().map(word).collect();
            self.add("audio.codec", what, format!("choose of {}, or container \"{other}\"", can.join(", ")));
        }
    }

    fn verify(&mut self, profile: &Profile) {
        let video = &profile.video;
        if profile.min_ssim.is_some_and(|ssim| !(ssim > 0.0 && ssim <= 1.0)) {
            self.add("min_ssim", "is not between 0 and 1", "give a number such as 0.95");
        }
        if profile.min_ssim.is_some() && !profile.passes.is_empty() {
            self.add(
                "min_ssim",
                "cannot be held where options are typed",
                "leave it out, or leave out [[pass]]",
            );
        }
        if profile.verify != Verify::Lossless {
            return;
        }
        // Only this encoder is known to lose nothing at this end of its scale.
        let is_x264_0 =
            video.codec == VideoCodec::H264 && video.crf == Some(0) && video.encoders == ["libx264"];
        if !matches!(video.codec, VideoCodec::Ffv1 | VideoCodec::Copy) && !is_x264_0 {
            let what = format!("is \"lossless\", and codec \"{}\" loses something", word_of(video.codec));
            self.add("verify", what, "set it to \"full\", or codec to \"ffv1\" or \"copy\"");
        } else if video.codec.is_encoded() {
            for key in video.changes() {
                self.add(key, "changes the picture, and verify is \"lossless\"", "leave one of the two out");
            }
        }
    }

    fn pass(&mut self, number: usize, pass: &RawPass) {
        if let Err(fault) = pass.words() {
            let field = fault.field.replacen("pass.", &format!("pass.{number}."), 1);
            self.0.push(ProfileError { field, ..fault });
        }
    }
}

/// As profiles write it.
fn word_of(codec: VideoCodec) -> &'static str {
    match codec {
        VideoCodec::Copy => "copy",
        VideoCodec::Drop => "drop",
        VideoCodec::H264
        | VideoCodec::Hevc
        | VideoCodec::Av1
        | VideoCodec::Vp9
        | VideoCodec::Ffv1
        | VideoCodec::Prores => codec.ffmpeg_name(),
    }
}

/// Whether ffmpeg would take it for a name and nothing else.
fn is_word(text: &str, also: &str) -> bool {
    let is_fine = |c: char| c.is_ascii_alphanumeric() || "_-".contains(c) || also.contains(c);
    (1..=WORD_LETTERS_MAX).contains(&text.len())
        && text.starts_with(|c: char| c.is_ascii_alphanumeric())
        && text.chars().all(is_fine)
}

#[cfg(test)]
mod tests;
