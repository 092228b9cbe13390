//! How moving pictures are encoded: size, depth, fields, frame times.

use vc_protocol::media::{Colour, Hdr, Media, Stream};
use vc_protocol::profile::{Depth, Interlaced, VideoCodec, VideoWish};

use super::{Refusal, colour};
use crate::encoder::{Candidate, Chroma, Encoder, Options};

/// First ffmpeg that takes `-enc_time_base demux`. Older ones round uneven frame times to their nominal rate.
pub(super) const EXACT_TIMES_SINCE_MAJOR: u32 = 7;
/// Longest distance of keyframes in frames: what encoders take.
const KEYFRAMES_MAX: f64 = 10_000.0;

/// How one stream of pictures is encoded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Picture {
    /// `-filter`, if any.
    pub filter: Option<String>,
    /// Its pixels are others than the source's: scaled, cut off or deinterlaced.
    pub is_altered: bool,
    /// Its fields become whole frames.
    pub is_joined: bool,
    /// `-pix_fmt`.
    pub format: &'static str,
    /// Its frames come at uneven times, or begin at one that an even rate would round.
    pub is_vfr: bool,
    /// Size of the result, if that of the source is known.
    pub size: Option<(u32, u32)>,
    /// What the encoder is told because of this source and profile.
    pub options: Options,
}

/// A stream of pictures, decided.
pub(super) struct Taken {
    pub(super) picture: Picture,
    pub(super) colour: Colour,
    pub(super) hdr: Hdr,
    /// Degrees that are left to players.
    pub(super) rotation: i32,
    pub(super) warnings: Vec<String>,
}

/// Decides about one stream; the warnings are what is lost.
pub(super) fn plan(
    stream: &Stream,
    media: &Media,
    wish: &VideoWish,
    with: &Candidate,
    major: u32,
) -> Result<Taken, Refusal> {
    let encoder = with.encoder;
    let mut warnings = Vec::new();
    let format = format(stream, wish, encoder, &mut warnings)?;
    // Without loss and limits not a pixel is touched, and turning is left to players.
    let is_untouched = encoder.is_lossless() && wish.max_width.is_none() && wish.max_height.is_none();
    let rotation = if is_untouched { stream.rotation } else { 0 };
    let fit = if is_untouched { Fit::none(stream) } else { fit(stream, wish) };
    let fields = fields(stream, wish, encoder, fit.size, &mut warnings);
    if fit.is_cropped {
        let (w, h) = fit.shown;
        warnings.push(format!("stream {}: {w}x{h} is odd, its last row or column is cut off", stream.index));
    }
    let change = colour::Change {
        format,
        is_scaled: matches!(fit.change, Fitting::Scale(..)),
        is_uploaded: encoder.upload_filter(format).is_some(),
    };
    let kept = colour::keep(stream, wish, encoder, change, major)?;
    warnings.extend(kept.warnings);
    let filter = if with.is_on_device {
        filter_on_device(stream, with, format, fields, &fit)?
    } else {
        let scale = scale_words(&fit, fields, &kept.scale);
        let deinterlace = (fields == Fields::Joined).then(|| "bwdif=mode=send_frame".to_owned());
        let steps = [deinterlace, scale, encoder.upload_filter(format)];
        let filter = steps.into_iter().flatten().collect::<Vec<_>>().join(",");
        (!filter.is_empty()).then_some(filter)
    };
    let mut options = told(stream, wish, encoder, fields)?;
    options.extend(kept.options);
    // A picture that begins a little after the file does would begin a frame's time early or late.
    let is_shifted = stream.start_ms.is_some_and(|start| start != media.start_ms.unwrap_or(0));
    let is_joined = fields == Fields::Joined;
    let is_altered = is_joined || !matches!(fit.change, Fitting::None);
    let is_vfr = stream.is_vfr || is_shifted;
    let picture = Picture { filter, is_altered, is_joined, format, is_vfr, size: fit.size, options };
    Ok(Taken { picture, colour: kept.colour, hdr: kept.hdr, rotation, warnings })
}

/// What becomes of the fields of a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fields {
    /// There are none.
    None,
    /// They stay.
    Kept,
    /// They become whole frames.
    Joined,
}

/// Rows of a picture whose fields H.264 takes: each field has an even number of them.
const H264_FIELD_ROWS: u32 = 4;

fn fields(
    stream: &Stream,
    wish: &VideoWish,
    encoder: &Encoder,
    size: Option<(u32, u32)>,
    warnings: &mut Vec<String>,
) -> Fields {
    if !stream.is_interlaced() {
        return Fields::None;
    }
    let fits = encoder.codec != VideoCodec::H264 || size.is_none_or(|(_, h)| h % H264_FIELD_ROWS == 0);
    match wish.interlaced {
        Interlaced::Deinterlace => Fields::Joined,
        Interlaced::Keep if encoder.is_lossless() => Fields::Kept,
        Interlaced::Keep if !encoder.interlaced.is_empty() && fits => Fields::Kept,
        Interlaced::Keep => {
            // Left as they are, players would show both fields at once.
            warnings.push(format!(
                "stream {}: interlaced, which {} cannot keep{}: it was deinterlaced",
                stream.index,
                encoder.name,
                if encoder.interlaced.is_empty() { "" } else { " at this height" }
            ));
            Fields::Joined
        }
    }
}

fn format(
    stream: &Stream,
    wish: &VideoWish,
    encoder: &Encoder,
    warnings: &mut Vec<String>,
) -> Result<&'static str, Refusal> {
    let source = stream.pixel_format.as_str();
    let index = stream.index;
    if encoder.is_lossless() && wish.depth == Depth::Keep && !source.is_empty() {
        // A palette is a way of saying which of these colours are used.
        let wanted = if source == "pal8" { "bgra" } else { source };
        let cannot = || Refusal::encoder(format!("{} cannot hold {source} without loss", encoder.name));
        return encoder.keeps(wanted).ok_or_else(cannot);
    }
    let named = match &wish.profile {
        Some(name) => {
            let named = encoder.named(name);
            Some(named.ok_or_else(|| Refusal::encoder(format!("{} has no profile {name}", encoder.name)))?)
        }
        None => None,
    };
    let has_alpha = ["yuva", "rgba", "argb", "bgra", "abgr", "gbrap", "ya8", "ya16"];
    let has_alpha = has_alpha.iter().any(|mark| source.starts_with(mark));
    let is_full = named.is_none_or(|named| named.chroma == Chroma::Full);
    match encoder.alpha {
        Some(format) if has_alpha && is_full => return Ok(format),
        _ if has_alpha => warnings.push(format!("stream {index}: transparency is lost")),
        Some(_) | None => {}
    }
    let (bits, colours) = (depth(source), chroma_of(source));
    let wanted = match wish.depth {
        Depth::Keep => bits,
        Depth::Eight => 8,
        Depth::Ten => 10,
    };
    let format = encoder.format_in(named, wanted, colours);
    if format.bits < bits && format.bits < wanted {
        let why = match format.bits {
            8 => format!(", as players of {} need", encoder.codec.ffmpeg_name()),
            _ => String::new(),
        };
        warnings.push(format!("stream {index}: reduced from {bits} to {} bit{why}", format.bits));
    }
    if format.chroma < colours {
        let to = match format.chroma {
            Chroma::Quarter => "4:2:0",
            Chroma::Half => "4:2:2",
            Chroma::Full => "4:4:4",
        };
        warnings.push(format!("stream {index}: colour reduced from {source} to {to}"));
    }
    Ok(format.name)
}

/// Bits of one sample of a pixel format, by its name.
pub fn depth(format: &str) -> u8 {
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

/// Resolution of colour of a pixel format, by its name.
fn chroma_of(format: &str) -> Chroma {
    let has = |marks: &[&str]| marks.iter().any(|mark| format.contains(mark));
    if has(&["444", "440", "rgb", "bgr", "gbr", "nv24", "nv42", "p41", "pal8"]) {
        Chroma::Full
    } else if has(&["422", "nv16", "nv20", "p21", "y21", "yuyv", "uyvy", "yvyu"]) {
        Chroma::Half
    } else {
        Chroma::Quarter
    }
}

/// What the encoder is told of fields, keyframes, profile and level.
fn told(stream: &Stream, wish: &VideoWish, encoder: &Encoder, fields: Fields) -> Result<Options, Refusal> {
    let mut options = Options::new();
    if fields == Fields::Kept {
        options.extend(encoder.fields());
    }
    if let Some(named) = wish.profile.as_deref().and_then(|name| encoder.named(name)) {
        options.extend(encoder.profile(named));
    }
    if let Some(level) = &wish.level {
        let cannot = || Refusal::encoder(format!("{} cannot be told level {level}", encoder.name));
        options.extend(encoder.level(level).ok_or_else(cannot)?);
    }
    if let Some(seconds) = wish.keyframe_s {
        if stream.fps > 0.0 {
            options
                .extend(encoder.keyframes((seconds * stream.fps).round().clamp(1.0, KEYFRAMES_MAX) as u32));
        }
        if stream.is_vfr || stream.fps <= 0.0 {
            // So many frames may last longer than they do on average.
            options.push(("force_key_frames".to_owned(), format!("expr:gte(t,n_forced*{seconds})")));
        }
    }
    Ok(options)
}

/// What is done to the picture on the card, where all of it can be done there.
fn filter_on_device(
    stream: &Stream,
    with: &Candidate,
    format: &str,
    fields: Fields,
    fit: &Fit,
) -> Result<Option<String>, Refusal> {
    let needs_memory = fields == Fields::Joined
        || stream.rotation != 0
        || depth(format) != depth(&stream.pixel_format)
        || chroma_of(format) != chroma_of(&stream.pixel_format);
    let cannot =
        || Refusal::encoder(format!("{}: this picture must be changed in memory", with.encoder.name));
    match fit.change {
        _ if needs_memory => Err(cannot()),
        Fitting::None => Ok(None),
        Fitting::Crop(..) => Err(cannot()),
        Fitting::Scale(width, height) => {
            with.encoder.route.scale_filter(width, height).map(Some).ok_or_else(cannot)
        }
    }
}

/// The filter that scales or crops, with what else is asked of the scaler.
fn scale_words(fit: &Fit, fields: Fields, asked: &[String]) -> Option<String> {
    let mut words: Vec<String> = match fit.change {
        Fitting::None => Vec::new(),
        Fitting::Crop(w, h) if asked.is_empty() => return Some(format!("crop={w}:{h}:0:0")),
        Fitting::Crop(w, h) => return Some(format!("crop={w}:{h}:0:0,scale={}", asked.join(":"))),
        Fitting::Scale(w, h) => vec![w.to_string(), h.to_string()],
    };
    if fields == Fields::Kept && !words.is_empty() {
        words.push("interl=1".to_owned());
    }
    words.extend_from_slice(asked);
    (!words.is_empty()).then(|| format!("scale={}", words.join(":")))
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fitting {
    None,
    Crop(u32, u32),
    Scale(u32, u32),
}

struct Fit {
    change: Fitting,
    size: Option<(u32, u32)>,
    shown: (u32, u32),
    is_cropped: bool,
}

impl Fit {
    fn none(stream: &Stream) -> Fit {
        let shown = (stream.width, stream.height);
        let size = (stream.width > 0 && stream.height > 0).then_some(shown);
        Fit { change: Fitting::None, size, shown, is_cropped: false }
    }
}

/// Fits the picture as it is shown, which a turned phone clip is not as it is stored, into the profile's limits. Never
/// larger, even on both sides. A tall picture gets the limits turned: "1080p" says how
/// large, not which way it stands. The scaler keeps the shape of the whole by that of the pixels.
fn fit(stream: &Stream, wish: &VideoWish) -> Fit {
    let is_turned = stream.rotation.rem_euclid(180) == 90;
    let (width, height) =
        if is_turned { (stream.height, stream.width) } else { (stream.width, stream.height) };
    let shown = (width, height);
    if width == 0 || height == 0 {
        return Fit::none(stream);
    }
    let (mut across, mut down) = (wish.max_width.unwrap_or(u32::MAX), wish.max_height.unwrap_or(u32::MAX));
    if wish.max_width.is_some() && wish.max_height.is_some() && (width > height) != (across > down) {
        std::mem::swap(&mut across, &mut down);
    }
    if width <= across && height <= down {
        let size = (even_below(width), even_below(height));
        let is_cropped = size != shown;
        let change = match (is_cropped, width, height) {
            (false, ..) => Fitting::None,
            (true, 1, _) | (true, _, 1) => Fitting::Scale(size.0, size.1),
            (true, ..) => Fitting::Crop(size.0, size.1),
        };
        return Fit { change, size: Some(size), shown, is_cropped };
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
    Fit { change: Fitting::Scale(size.0, size.1), size: Some(size), shown, is_cropped: false }
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

    use super::*;

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
            let words = scale_words(&fit, Fields::None, &[]);
            assert_eq!(
                (words.as_deref(), fit.size),
                (filter, Some(size)),
                "{width}x{height} turned {rotation}"
            );
        }
    }

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
    fn resolution_of_colour_is_read_from_the_name_of_the_format() {
        for (format, chroma) in [
            ("yuv420p10le", Chroma::Quarter),
            ("nv12", Chroma::Quarter),
            ("p010le", Chroma::Quarter),
            ("gray", Chroma::Quarter),
            ("", Chroma::Quarter),
            ("uyvy422", Chroma::Half),
            ("p210le", Chroma::Half),
            ("yuvj444p", Chroma::Full),
            ("gbrp12le", Chroma::Full),
            ("bgr0", Chroma::Full),
        ] {
            assert_eq!(chroma_of(format), chroma, "{format}");
        }
    }
}
