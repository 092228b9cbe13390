//! A profile, told to people in one line.

use super::{
    AudioCodec, Depth, Effort, Interlaced, Loss, OnLoss, Profile, SubtitleMode, Verify, VideoCodec, VideoWish,
};

impl Profile {
    /// What is wanted, in words: codec, quality, audio, subtitles, container, and what is asked of the output.
    pub fn words(&self) -> String {
        let mut words = self.video.words();
        match self.passes.len() {
            0 => {}
            1 => words.push("options as typed".to_owned()),
            runs => words.push(format!("options as typed, {runs} runs")),
        }
        let audio = match self.audio.codec {
            AudioCodec::Aac => "AAC",
            AudioCodec::Opus => "Opus",
            AudioCodec::Copy => "copy",
            AudioCodec::Flac => "FLAC",
            AudioCodec::Ac3 => "AC-3",
        };
        let bits = self.audio.bitrate.as_ref().map(|bits| format!(" {bits}bit/s")).unwrap_or_default();
        words.push(format!("audio {audio}{bits}"));
        words.push(match (self.subtitles.mode, self.subtitles.pictures) {
            (SubtitleMode::Keep, OnLoss::Warn) => "subtitles kept".to_owned(),
            (SubtitleMode::Keep, OnLoss::Refuse) => "all subtitles kept or refused".to_owned(),
            (SubtitleMode::Drop, _) => "no subtitles".to_owned(),
        });
        words.push(self.container.extension().to_owned());
        words.extend(self.guard.map(|guard| format!("only if {} % smaller", guard.min_saving_percent)));
        match self.verify {
            Verify::Samples => {}
            Verify::Full => words.push("every frame decoded".to_owned()),
            Verify::Lossless => words.push("every frame compared".to_owned()),
        }
        words.extend(self.min_ssim.map(|ssim| format!("SSIM at least {ssim}")));
        words.join(", ")
    }
}

impl VideoWish {
    fn words(&self) -> Vec<String> {
        let codec = match self.codec {
            VideoCodec::H264 => "H.264",
            VideoCodec::Hevc => "HEVC",
            VideoCodec::Av1 => "AV1",
            VideoCodec::Copy => "video copy",
            VideoCodec::Vp9 => "VP9",
            VideoCodec::Ffv1 => "FFV1",
            VideoCodec::Prores => "ProRes",
            VideoCodec::Drop => "no video",
        };
        let mut words = vec![match (&self.profile, &self.level) {
            (Some(profile), Some(level)) => format!("{codec} {profile}@{level}"),
            (Some(profile), None) => format!("{codec} {profile}"),
            (None, Some(level)) => format!("{codec} level {level}"),
            (None, None) => codec.to_owned(),
        }];
        words.extend(self.crf.map(|crf| format!("quality {crf}")));
        words.extend(self.bitrate.as_ref().map(|bits| format!("{bits}bit/s")));
        words.extend(self.size.as_ref().map(|bytes| format!("{bytes}B in all")));
        words.extend(self.target_vmaf.map(|score| format!("VMAF {score}")));
        words.extend(self.target_ssim.map(|score| format!("SSIM {score}")));
        words
            .extend(self.passes.map(|passes| if passes == 1 { "one pass" } else { "two passes" }.to_owned()));
        match self.effort {
            Effort::Fast => words.push("fast".to_owned()),
            Effort::Medium => {}
            Effort::Slow => words.push("slow".to_owned()),
        }
        words.extend(match (self.max_width, self.max_height) {
            (Some(width), Some(height)) => Some(format!("at most {width}x{height}")),
            (Some(width), None) => Some(format!("at most {width} wide")),
            (None, Some(height)) => Some(format!("at most {height} high")),
            (None, None) => None,
        });
        match self.depth {
            Depth::Keep => {}
            Depth::Eight => words.push("8 bit".to_owned()),
            Depth::Ten => words.push("10 bit".to_owned()),
        }
        match self.interlaced {
            Interlaced::Keep => {}
            Interlaced::Deinterlace => words.push("deinterlaced".to_owned()),
        }
        words.extend(self.keyframe_s.map(|s| format!("a keyframe every {s} s")));
        let losses = self.may_lose.iter().map(|loss| match loss {
            Loss::DolbyVision => "may lose Dolby Vision",
            Loss::Hdr10Plus => "may lose HDR10+",
        });
        words.extend(losses.map(str::to_owned));
        if !self.encoders.is_empty() {
            words.push(format!("by {}", self.encoders.join(" or ")));
        }
        words
    }
}

#[cfg(test)]
mod tests {
    use crate::profile::{AudioWish, Container, RawPass, SizeGuard};

    use super::*;

    #[test]
    fn everything_that_is_asked_is_told() {
        let video = VideoWish {
            target_vmaf: Some(94.5),
            effort: Effort::Slow,
            max_height: Some(720),
            depth: Depth::Ten,
            interlaced: Interlaced::Deinterlace,
            may_lose: vec![Loss::Hdr10Plus],
            keyframe_s: Some(2.0),
            profile: Some("main10".into()),
            level: Some("5.1".into()),
            encoders: vec!["vulkan".into(), "cpu".into()],
            ..VideoWish::of(VideoCodec::Hevc)
        };
        let audio = AudioWish { codec: AudioCodec::Opus, bitrate: Some("128k".into()) };
        let mut profile = Profile::of(Container::Mkv, video, audio);
        profile.guard = Some(SizeGuard { min_saving_percent: 5 });
        (profile.verify, profile.min_ssim) = (Verify::Full, Some(0.95));
        assert_eq!(
            profile.words(),
            "HEVC main10@5.1, VMAF 94.5, slow, at most 720 high, 10 bit, deinterlaced, a keyframe every 2 s, \
             may lose HDR10+, by vulkan or cpu, audio Opus 128kbit/s, subtitles kept, mkv, only if 5 % smaller, \
             every frame decoded, SSIM at least 0.95"
        );
        let size =
            VideoWish { size: Some("700M".into()), passes: Some(2), ..VideoWish::of(VideoCodec::H264) };
        profile.video = size;
        assert!(profile.words().starts_with("H.264, 700MB in all, two passes, audio"), "{}", profile.words());
        profile.passes = vec![RawPass { input: String::new(), output: "-an".into() }; 2];
        assert!(profile.words().contains("options as typed, 2 runs"));
    }
}
