//! A profile, told to people in one line.

use super::{AudioCodec, Profile, SubtitleMode, VideoCodec};

impl Profile {
    /// What is wanted, in words: codec, quality, audio, subtitles, container.
    pub fn words(&self) -> String {
        let v = &self.video;
        let mut words = vec![match v.codec {
            VideoCodec::H264 => "H.264".to_owned(),
            VideoCodec::Hevc => "HEVC".to_owned(),
            VideoCodec::Av1 => "AV1".to_owned(),
            VideoCodec::Copy => "video copy".to_owned(),
            VideoCodec::Vp9 => "VP9".to_owned(),
            VideoCodec::Ffv1 => "FFV1".to_owned(),
            VideoCodec::Prores => "ProRes".to_owned(),
            VideoCodec::Drop => "no video".to_owned(),
        }];
        words.extend(v.crf.map(|crf| format!("quality {crf}")));
        words.extend(v.bitrate.as_ref().map(|bits| format!("{bits}bit/s")));
        words.extend(match (v.max_width, v.max_height) {
            (Some(width), Some(height)) => Some(format!("at most {width}x{height}")),
            (Some(width), None) => Some(format!("at most {width} wide")),
            (None, Some(height)) => Some(format!("at most {height} high")),
            (None, None) => None,
        });
        let audio = match self.audio.codec {
            AudioCodec::Aac => "AAC",
            AudioCodec::Opus => "Opus",
            AudioCodec::Copy => "copy",
            AudioCodec::Flac => "FLAC",
            AudioCodec::Ac3 => "AC-3",
        };
        let bits = self.audio.bitrate.as_ref().map(|bits| format!(" {bits}bit/s")).unwrap_or_default();
        words.push(format!("audio {audio}{bits}"));
        words.push(match self.subtitles.mode {
            SubtitleMode::Keep => "subtitles kept".to_owned(),
            SubtitleMode::Drop => "no subtitles".to_owned(),
        });
        words.push(self.container.extension().to_owned());
        words.join(", ")
    }
}
