//! How moving pictures are encoded: size, depth, frame times.

use vc_protocol::media::Stream;
use vc_protocol::profile::VideoWish;

use crate::encoder::{Chroma, Encoder, Format};

/// First ffmpeg that takes `-enc_time_base demux`. Older ones round uneven frame times to their nominal rate.
pub(super) const EXACT_TIMES_SINCE_MAJOR: u32 = 7;

/// How one stream of pictures is encoded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Picture {
    /// `-filter`, if any.
    pub filter: Option<String>,
    /// `-pix_fmt`.
    pub format: &'static str,
    /// Its frames come at uneven times.
    pub is_vfr: bool,
    /// Size of the result, if that of the source is known.
    pub size: Option<(u32, u32)>,
}

/// Decides size and depth; the texts are what is lost.
pub(super) fn plan(stream: &Stream, wish: &VideoWish, encoder: &Encoder) -> (Picture, Vec<String>) {
    let mut warnings = Vec::new();
    let format = format(stream, encoder, &mut warnings);
    let fit = fit(stream, wish);
    if fit.is_cropped {
        let (w, h) = fit.shown;
        warnings.push(format!("stream {}: {w}x{h} is odd, its last row or column is cut off", stream.index));
    }
    (Picture { filter: fit.filter, format, is_vfr: stream.is_vfr, size: fit.size }, warnings)
}

fn format(stream: &Stream, encoder: &Encoder, warnings: &mut Vec<String>) -> &'static str {
    let source = stream.pixel_format.as_str();
    let index = stream.index;
    let depth = depth(source);
    let format = match encoder.format(10, Chroma::Quarter) {
        Format { bits: 10, name, .. } if depth > 8 => {
            if depth > 10 {
                warnings.push(format!("stream {index}: reduced from {depth} to 10 bit"));
            }
            name
        }
        _ if depth > 8 => {
            warnings.push(format!(
                "stream {index}: reduced from {depth} to 8 bit, as players of {} need",
                encoder.codec.ffmpeg_name()
            ));
            encoder.format(8, Chroma::Quarter).name
        }
        _ => encoder.format(8, Chroma::Quarter).name,
    };
    let has_full_colour =
        ["422", "444", "440", "rgb", "bgr", "gbr", "nv16", "nv24", "p210", "p410", "y210", "yuyv", "uyvy"];
    if has_full_colour.iter().any(|mark| source.contains(mark)) {
        warnings.push(format!("stream {index}: colour reduced from {source} to 4:2:0"));
    }
    if ["yuva", "rgba", "argb", "bgra", "abgr", "gbrap", "ya8", "ya16"]
        .iter()
        .any(|mark| source.starts_with(mark))
    {
        warnings.push(format!("stream {index}: transparency is lost"));
    }
    format
}

/// Bits of one sample of a pixel format.
pub fn depth(format: &str) -> u32 {
    let name = format.trim_end_matches("le").trim_end_matches("be");
    match name {
        "p010" | "p210" | "p410" | "y210" | "x2rgb10" | "x2bgr10" => return 10,
        "p012" | "p212" | "p412" => return 12,
        "p016" | "p216" | "p416" | "rgb48" | "bgr48" | "rgba64" | "bgra64" => return 16,
        _ => {}
    }
    // `yuv420p10`, `gbrap12`, `gray16`: digits behind the last `p` or `gray`.
    let digits = name.rsplit_once('p').map(|(_, d)| d).or_else(|| name.strip_prefix("gray"));
    digits.and_then(|d| d.parse().ok()).filter(|bits| (9..=16).contains(bits)).unwrap_or(8)
}

struct Fit {
    filter: Option<String>,
    size: Option<(u32, u32)>,
    shown: (u32, u32),
    is_cropped: bool,
}

/// Fits the picture as it is shown, which a turned phone clip is not as it is stored, into the profile's limits. Never
/// larger, even on both sides. A tall picture gets the limits turned: "1080p" says how large, not which way it stands.
fn fit(stream: &Stream, wish: &VideoWish) -> Fit {
    let is_turned = stream.rotation.rem_euclid(180) == 90;
    let (width, height) =
        if is_turned { (stream.height, stream.width) } else { (stream.width, stream.height) };
    let shown = (width, height);
    if width == 0 || height == 0 {
        return Fit { filter: None, size: None, shown, is_cropped: false };
    }
    let (mut across, mut down) = (wish.max_width.unwrap_or(u32::MAX), wish.max_height.unwrap_or(u32::MAX));
    if wish.max_width.is_some() && wish.max_height.is_some() && (width > height) != (across > down) {
        std::mem::swap(&mut across, &mut down);
    }
    if width <= across && height <= down {
        let size = (even_below(width), even_below(height));
        let is_cropped = size != shown;
        let filter = is_cropped.then(|| match (width, height) {
            (1, _) | (_, 1) => format!("scale={}:{}", size.0, size.1),
            _ => format!("crop={}:{}:0:0", size.0, size.1),
        });
        return Fit { filter, size: Some(size), shown, is_cropped };
    }
    let (w, h) = (u64::from(width), u64::from(height));
    let is_width_bound = w * u64::from(down) > h * u64::from(across);
    let size = if is_width_bound {
        let to = even_below(across);
        (to, even_near(h, u64::from(to), w).min(even_below(down)))
    } else {
        let to = even_below(down);
        (even_near(w, u64::from(to), h).min(even_below(across)), to)
    };
    Fit { filter: Some(format!("scale={}:{}", size.0, size.1)), size: Some(size), shown, is_cropped: false }
}

fn even_below(side: u32) -> u32 {
    (side & !1).max(2)
}

/// `side * to / from`, to the nearest even number.
fn even_near(side: u64, to: u64, from: u64) -> u32 {
    let half = (side * to + from) / (2 * from);
    u32::try_from(half * 2).unwrap_or(u32::MAX - 1).max(2)
}

#[cfg(test)]
mod tests {
    use vc_protocol::profile::VideoCodec;

    use super::*;

    #[test]
    fn depth_is_read_from_the_name_of_the_format() {
        for (format, bits) in [
            ("yuv420p", 8),
            ("yuv420p10le", 10),
            ("yuv422p10be", 10),
            ("gbrp12le", 12),
            ("gbrap16be", 16),
            ("p010le", 10),
            ("gray10le", 10),
            ("nv12", 8),
            ("yuvj420p", 8),
            ("yuv410p", 8),
            ("rgb24", 8),
            ("rgb48le", 16),
            ("", 8),
        ] {
            assert_eq!(depth(format), bits, "{format}");
        }
    }

    #[test]
    fn pictures_shrink_into_the_limits_and_never_grow() {
        let wish = |max_width, max_height| VideoWish {
            crf: Some(20),
            max_width,
            max_height,
            ..VideoWish::of(VideoCodec::H264)
        };
        let full_hd = wish(Some(1920), Some(1080));
        for (width, height, rotation, wish, filter, size) in [
            (320, 180, 0, &full_hd, None, (320, 180)),
            (1920, 1080, 0, &full_hd, None, (1920, 1080)),
            (3840, 2160, 0, &full_hd, Some("scale=1920:1080"), (1920, 1080)),
            (4096, 1716, 0, &full_hd, Some("scale=1920:804"), (1920, 804)),
            (1440, 1440, 0, &full_hd, Some("scale=1080:1080"), (1080, 1080)),
            (1920, 1080, 90, &full_hd, None, (1080, 1920)),
            (3840, 2160, -90, &full_hd, Some("scale=1080:1920"), (1080, 1920)),
            (3840, 2160, 180, &full_hd, Some("scale=1920:1080"), (1920, 1080)),
            (321, 181, 0, &full_hd, Some("crop=320:180:0:0"), (320, 180)),
            (321, 181, 90, &full_hd, Some("crop=180:320:0:0"), (180, 320)),
            (1, 50, 0, &full_hd, Some("scale=2:50"), (2, 50)),
            (1280, 720, 0, &wish(None, Some(480)), Some("scale=854:480"), (854, 480)),
            (720, 1280, 0, &wish(None, Some(480)), Some("scale=270:480"), (270, 480)),
            (1280, 720, 0, &wish(Some(641), None), Some("scale=640:360"), (640, 360)),
            (100_000, 2, 0, &full_hd, Some("scale=1920:2"), (1920, 2)),
        ] {
            let stream = Stream { width, height, rotation, ..super::super::tests::video() };
            let fit = fit(&stream, wish);
            assert_eq!(
                (fit.filter.as_deref(), fit.size),
                (filter, Some(size)),
                "{width}x{height} turned {rotation}"
            );
        }
    }
}
