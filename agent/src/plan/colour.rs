//! What the numbers of a picture mean, and what of high dynamic range an encoding carries.
//!
//! ffmpeg hands on primaries, transfer and matrix with the frames, those that only the container knew too, and every
//! encoder writes them. Where that is not enough the encoder is told here.

use vc_protocol::media::{Colour, Hdr, Mastering, Stream};
use vc_protocol::profile::{Container, Depth, Loss, VideoCodec, VideoWish};

use super::{Refusal, picture};
use crate::encoder::{Encoder, HdrWay, Options};

/// First ffmpeg that writes what frames say of HDR10 into the header of the output, keeps the full range of numbers and
/// says where colour samples lie after scaling.
const TELLS_SINCE_MAJOR: u32 = 8;

/// Why this picture must not be encoded: something would be lost that the profile does not give up.
pub(super) fn loss(stream: &Stream, wish: &VideoWish) -> Option<String> {
    let lost = |what: String| format!("{what} would be lost");
    match stream.hdr.dolby_vision {
        Some(profile) if !wish.may_lose.contains(&Loss::DolbyVision) => {
            // 0 is what frames say where the container has no record of it.
            let which = if profile > 0 { format!(" (profile {profile})") } else { String::new() };
            return Some(lost(format!("Dolby Vision{which}")));
        }
        Some(_) | None => {}
    }
    let is_refused = stream.hdr.has_hdr10_plus && !wish.may_lose.contains(&Loss::Hdr10Plus);
    is_refused.then(|| lost("HDR10+ metadata".to_owned()))
}

/// What must be in the output of a copied picture. What is inside its own frames is not looked at.
pub(super) fn of_copy(stream: &Stream, container: Container, major: u32) -> Hdr {
    let has_room = container != Container::Webm && major >= TELLS_SINCE_MAJOR;
    let layer = stream.hdr.dolby_vision.filter(|profile| *profile > 0 && has_room);
    Hdr { dolby_vision: layer, ..Hdr::default() }
}

/// What happens to the numbers on their way to the encoder.
#[derive(Debug, Clone, Copy)]
pub(super) struct Change {
    /// Their format there.
    pub(super) format: &'static str,
    /// The picture gets another size.
    pub(super) is_scaled: bool,
    /// It is uploaded to a card.
    pub(super) is_uploaded: bool,
}

/// What is kept of a picture that is encoded.
pub(super) struct Kept {
    pub(super) colour: Colour,
    pub(super) hdr: Hdr,
    /// What the encoder is told.
    pub(super) options: Options,
    /// What the scaler is told, which makes one necessary.
    pub(super) scale: Vec<String>,
    pub(super) warnings: Vec<String>,
}

/// Decides about one stream.
pub(super) fn keep(
    stream: &Stream,
    wish: &VideoWish,
    encoder: &Encoder,
    change: Change,
    major: u32,
) -> Result<Kept, Refusal> {
    let told = &stream.colour;
    let mut kept = Kept {
        colour: Colour { chroma: String::new(), ..told.clone() },
        hdr: Hdr::default(),
        options: Options::new(),
        scale: Vec::new(),
        warnings: Vec::new(),
    };
    high_range(stream, wish, encoder, change, major, &mut kept)?;
    let source = stream.pixel_format.as_str();
    if is_rgb(source) && !is_rgb(change.format) {
        // Unless it is told, the scaler takes the matrix of the last century and nobody writes down which.
        kept.scale.extend(["out_color_matrix=bt709".to_owned(), "out_range=tv".to_owned()]);
        let is_told = major >= TELLS_SINCE_MAJOR;
        let or_nothing = |text: &str| if is_told { text.to_owned() } else { String::new() };
        (kept.colour.matrix, kept.colour.range) = (or_nothing("bt709"), or_nothing("tv"));
        return Ok(kept);
    }
    if told.range == "pc" {
        let is_kept =
            encoder.codec != VideoCodec::Prores && !change.is_uploaded && !source.starts_with("gray");
        if !is_kept || major < TELLS_SINCE_MAJOR {
            kept.colour.range.clear();
        }
        if encoder.is_lossless() {
            kept.options.push(("color_range".to_owned(), "pc".to_owned()));
        }
    }
    let is_quarter = change.format.contains("420") && source.contains("420");
    let is_written = match encoder.codec {
        VideoCodec::H264 | VideoCodec::Hevc => true,
        VideoCodec::Av1 => matches!(told.chroma.as_str(), "left" | "topleft"),
        VideoCodec::Vp9 | VideoCodec::Ffv1 | VideoCodec::Prores | VideoCodec::Copy | VideoCodec::Drop => {
            false
        }
    };
    if is_quarter && is_written && !change.is_uploaded {
        if change.is_scaled && told.chroma == "topleft" && major >= TELLS_SINCE_MAJOR {
            kept.scale.push("out_chroma_loc=topleft".to_owned());
            kept.colour.chroma.clone_from(&told.chroma);
        } else if !change.is_scaled && change.format == source {
            kept.colour.chroma.clone_from(&told.chroma);
        }
    }
    Ok(kept)
}

fn is_rgb(format: &str) -> bool {
    let format = format.strip_prefix("x2").unwrap_or(format);
    let begins = ["rgb", "bgr", "gbr", "argb", "abgr", "0rgb", "0bgr", "pal8"];
    begins.iter().any(|begin| format.starts_with(begin))
}

fn high_range(
    stream: &Stream,
    wish: &VideoWish,
    encoder: &Encoder,
    change: Change,
    major: u32,
    kept: &mut Kept,
) -> Result<(), Refusal> {
    let index = stream.index;
    let is_pq = stream.colour.transfer == "smpte2084";
    let is_shallow = picture::depth(change.format) < 10;
    if (is_pq || stream.colour.transfer == "arib-std-b67") && is_shallow {
        kept.warnings.push(format!("stream {index}: high dynamic range in 8 bit, which shows bands"));
    }
    let (mastering, light) = (stream.hdr.mastering, stream.hdr.light);
    if mastering.is_none() && light.is_none() {
        return Ok(());
    }
    match encoder.hdr {
        HdrWay::Lost if is_shallow || wish.depth == Depth::Eight => {
            kept.warnings.push(format!("stream {index}: {} does not carry HDR10 metadata", encoder.name));
            return Ok(());
        }
        HdrWay::Lost => {
            return Err(Refusal::encoder(format!("{} does not carry HDR10 metadata", encoder.name)));
        }
        HdrWay::Frames => {}
        HdrWay::Params(option) => {
            let is_hdr10 = is_pq && stream.colour.primaries == "bt2020" && !is_shallow;
            let optimised = is_hdr10.then(|| "hdr-opt=1".to_owned());
            let screen = mastering.map(|screen| format!("master-display={}", spelled(screen)));
            let light = light.map(|(max, average)| format!("max-cll={max},{average}"));
            let params: Vec<String> = [optimised, screen, light].into_iter().flatten().collect();
            kept.options.push((option.to_owned(), params.join(":")));
        }
    }
    if major >= TELLS_SINCE_MAJOR {
        (kept.hdr.mastering, kept.hdr.light) = (mastering, light);
    }
    Ok(())
}

/// As x265 takes it.
fn spelled(screen: Mastering) -> String {
    let [red, green, blue, white] = screen.points.map(|(x, y)| format!("({x},{y})"));
    format!("G{green}B{blue}R{red}WP{white}L({},{})", screen.max, screen.min)
}
