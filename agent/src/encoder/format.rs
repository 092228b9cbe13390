//! Pixel formats: which one of an encoder's suits a source, and which loses nothing of it.

use super::{Encoder, Named};

/// Resolution of colour against that of light.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Chroma {
    /// A quarter: 4:2:0.
    Quarter,
    /// Half: 4:2:2.
    Half,
    /// The same: 4:4:4.
    Full,
}

/// A pixel format that an encoder takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Format {
    /// Bits of a sample.
    pub bits: u8,
    /// Resolution of colour.
    pub chroma: Chroma,
    /// ffmpeg's name; in memory, before any upload.
    pub name: &'static str,
}

impl Encoder {
    /// The best format for a source: its depth if there is such a format, else the next deeper one, else the deepest; of
    /// those the same for colour.
    pub fn format(&self, bits: u8, chroma: Chroma) -> Format {
        self.format_in(None, bits, chroma)
    }

    /// The same among those that a profile of the codec stands for.
    pub fn format_in(&self, named: Option<&Named>, bits: u8, chroma: Chroma) -> Format {
        let by = |format: &&Format| {
            let depth =
                if format.bits >= bits { i32::from(format.bits) } else { 1000 - i32::from(format.bits) };
            let colour =
                if format.chroma >= chroma { format.chroma as i32 } else { 10 - format.chroma as i32 };
            (depth, colour)
        };
        let is_of = |format: &&Format| {
            named.is_none_or(|named| named.bits.contains(&format.bits) && named.chroma == format.chroma)
        };
        let best = self.formats.iter().filter(is_of).min_by_key(by);
        best.or_else(|| self.formats.iter().min_by_key(by)).copied().unwrap_or(Format {
            bits: 8,
            chroma: Chroma::Quarter,
            name: "yuv420p",
        })
    }

    /// The format that keeps every bit of a source in this one: its own, or one that holds the same samples in another
    /// order. None if this encoder loses something of it, which all but lossless ones do.
    pub fn keeps(&self, source: &str) -> Option<&'static str> {
        let kept = |name: &str| self.keeps.iter().copied().find(|kept| *kept == name);
        kept(source).or_else(|| same_samples(source).iter().find_map(|name| kept(name)))
    }
}

/// Formats that hold the same samples as this one in another order.
fn same_samples(format: &str) -> &'static [&'static str] {
    match format {
        "nv12" | "nv21" | "yuvj420p" => &["yuv420p"],
        "nv16" | "yuyv422" | "yvyu422" | "uyvy422" | "yuvj422p" => &["yuv422p"],
        "nv24" | "nv42" | "yuvj444p" => &["yuv444p"],
        "yuvj440p" => &["yuv440p"],
        "yuvj411p" => &["yuv411p"],
        "p010le" | "p010be" | "yuv420p10be" => &["yuv420p10le"],
        "p210le" | "p210be" | "y210le" | "yuv422p10be" => &["yuv422p10le"],
        "p410le" | "p410be" | "yuv444p10be" => &["yuv444p10le"],
        "p012le" | "p012be" | "yuv420p12be" => &["yuv420p12le"],
        "p212le" | "p212be" | "yuv422p12be" => &["yuv422p12le"],
        "p412le" | "p412be" | "yuv444p12be" => &["yuv444p12le"],
        "p016le" | "p016be" | "yuv420p16be" => &["yuv420p16le"],
        "p216le" | "p216be" | "yuv422p16be" => &["yuv422p16le"],
        "p416le" | "p416be" | "yuv444p16be" => &["yuv444p16le"],
        "rgb24" | "bgr24" | "gbrp" | "rgb0" | "0rgb" | "0bgr" => &["bgr0"],
        "rgba" | "argb" | "abgr" | "gbrap" => &["bgra"],
        "gbrp10be" | "x2rgb10le" | "x2bgr10le" => &["gbrp10le"],
        "gbrp12be" => &["gbrp12le"],
        "gbrp16be" | "rgb48be" | "bgr48le" | "bgr48be" => &["gbrp16le"],
        "gbrap16be" | "rgba64be" | "bgra64le" | "bgra64be" => &["gbrap16le"],
        "gray10be" => &["gray10le"],
        "gray12be" => &["gray12le"],
        "gray16be" => &["gray16le"],
        _ => &[],
    }
}

#[cfg(test)]
mod tests {
    use super::super::ENCODERS;
    use super::*;

    fn row(name: &str) -> &'static Encoder {
        ENCODERS.iter().find(|encoder| encoder.name == name).unwrap()
    }

    #[test]
    fn a_format_keeps_what_the_source_has_where_it_can() {
        for (name, bits, chroma, format) in [
            ("libx264", 8, Chroma::Quarter, "yuv420p"),
            ("libx264", 10, Chroma::Half, "yuv420p"),
            ("libx265", 8, Chroma::Quarter, "yuv420p"),
            ("libx265", 10, Chroma::Quarter, "yuv420p10le"),
            ("libx265", 12, Chroma::Full, "yuv420p10le"),
            ("hevc_vulkan", 10, Chroma::Quarter, "p010le"),
            ("prores_ks", 8, Chroma::Quarter, "yuv422p10le"),
            ("prores_ks", 12, Chroma::Full, "yuv444p10le"),
        ] {
            assert_eq!(row(name).format(bits, chroma).name, format, "{name} {bits}");
        }
    }

    #[test]
    fn a_profile_of_the_codec_decides_over_what_the_source_has() {
        for (name, profile, bits, chroma, format) in [
            ("libx265", "main", 10, Chroma::Quarter, "yuv420p"),
            ("libx265", "main10", 8, Chroma::Quarter, "yuv420p10le"),
            ("prores_ks", "proxy", 10, Chroma::Full, "yuv422p10le"),
            ("prores_ks", "4444", 8, Chroma::Quarter, "yuv444p10le"),
        ] {
            let named = row(name).named(profile);
            assert!(named.is_some(), "{name} {profile}");
            assert_eq!(row(name).format_in(named, bits, chroma).name, format, "{name} {profile}");
        }
    }

    #[test]
    fn only_what_loses_nothing_keeps_a_format() {
        for (name, source, kept) in [
            ("ffv1", "yuv420p", Some("yuv420p")),
            ("ffv1", "nv12", Some("yuv420p")),
            ("ffv1", "p010le", Some("yuv420p10le")),
            ("ffv1", "yuva444p10le", Some("yuva444p10le")),
            ("ffv1", "rgb24", Some("bgr0")),
            ("ffv1", "bgra", Some("bgra")),
            ("ffv1", "gray16be", Some("gray16le")),
            ("ffv1", "gbrp12le", Some("gbrp12le")),
            ("ffv1", "pal8", None),
            ("ffv1_vulkan", "nv12", Some("yuv420p")),
            ("ffv1_vulkan", "yuva444p16le", None),
            ("libx265", "yuv420p", None),
        ] {
            assert_eq!(row(name).keeps(source), kept, "{name} {source}");
        }
    }
}
