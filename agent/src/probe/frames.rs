//! What only the first frames tell: HDR metadata that the container does not repeat, and fields that no header mentions.

use std::ffi::OsString;
use std::path::Path;

use serde::Deserialize;
use vc_protocol::media::{Colour, Media, Stream, StreamKind};

use super::parse::meaning;
use super::side_data::{self, SideData};
use crate::ffmpeg::Tools;
use crate::process::{Ended, Invocation};

/// Packets that are read for it. An edit list may hide the first ones, and a broadcast may begin between keyframes;
/// decoding these takes 0.3 s for 1080p.
const PACKETS: u32 = 24;
/// Codecs that can be interlaced without a word in the header.
const MAY_HIDE_FIELDS: [&str; 9] =
    ["mpeg2video", "mpeg4", "h264", "vc1", "dvvideo", "rawvideo", "mjpeg", "v210", "huffyuv"];
/// Codecs that carry high dynamic range.
const MAY_BE_HIGH: [&str; 4] = ["hevc", "av1", "vp9", "h264"];

#[derive(Deserialize)]
struct Document {
    #[serde(default)]
    frames: Vec<Frame>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Frame {
    stream_index: Option<u32>,
    interlaced_frame: i64,
    top_field_first: i64,
    color_primaries: String,
    color_transfer: String,
    color_space: String,
    color_range: String,
    chroma_location: String,
    side_data_list: Vec<SideData>,
}

fn is_open(stream: &Stream) -> bool {
    // Of deep pictures each may be of high range, and Matroska may say less of their colours than they do themselves.
    let may_be_high = match stream.colour.transfer.as_str() {
        "smpte2084" => true,
        "" => MAY_BE_HIGH.contains(&stream.codec.as_str()) && stream.pixel_format.contains("10"),
        _ => false,
    };
    let may_be_interlaced = stream.field_order.is_empty() && MAY_HIDE_FIELDS.contains(&stream.codec.as_str());
    stream.kind == StreamKind::Video && (may_be_high || may_be_interlaced)
}

/// The command that looks at the first frames of a source, if they may tell more than its header did.
pub fn frames_command(tools: &Tools, path: &Path, media: &Media) -> Option<Invocation> {
    if !media.streams.iter().any(is_open) {
        return None;
    }
    let entries = "frame=stream_index,interlaced_frame,top_field_first,color_primaries,color_transfer,color_space,\
                   color_range,chroma_location:frame_side_data";
    let words = format!(
        "-v level+error -select_streams v -read_intervals %+#{PACKETS} -show_frames -show_entries {entries} \
         -of json=c=1 -protocol_whitelist file,pipe -i"
    );
    let mut args: Vec<OsString> = words.split(' ').map(OsString::from).collect();
    args.push(super::file_url(path));
    Some(Invocation::new(&tools.ffprobe, args))
}

/// Adds what the command found out. What it could not find out stays open: the source itself was read before.
pub fn add_frames(media: &mut Media, ended: &Ended) {
    let text = String::from_utf8_lossy(&ended.stdout);
    let Ok(document) = serde_json::from_str::<Document>(&text) else { return };
    for stream in media.streams.iter_mut().filter(|stream| is_open(stream)) {
        let index = stream.index;
        for frame in document.frames.iter().filter(|frame| frame.stream_index == Some(index)) {
            let found = side_data::hdr(&frame.side_data_list);
            stream.hdr.mastering = stream.hdr.mastering.or(found.mastering);
            stream.hdr.light = stream.hdr.light.or(found.light);
            stream.hdr.dolby_vision = stream.hdr.dolby_vision.or(found.dolby_vision);
            stream.hdr.has_hdr10_plus |= found.has_hdr10_plus;
            colours(&mut stream.colour, frame);
            if stream.field_order.is_empty() && frame.interlaced_frame != 0 {
                stream.field_order = if frame.top_field_first != 0 { "tt" } else { "bb" }.to_owned();
            }
        }
    }
}

/// Fills in what the header left open.
fn colours(colour: &mut Colour, frame: &Frame) {
    for (known, told) in [
        (&mut colour.primaries, &frame.color_primaries),
        (&mut colour.transfer, &frame.color_transfer),
        (&mut colour.matrix, &frame.color_space),
        (&mut colour.range, &frame.color_range),
        (&mut colour.chroma, &frame.chroma_location),
    ] {
        if known.is_empty() {
            *known = meaning(told);
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::process::Exit;

    use super::*;

    fn video(index: u32, codec: &str, transfer: &str) -> Stream {
        let mut stream = Stream { index, kind: StreamKind::Video, codec: codec.into(), ..Stream::default() };
        stream.colour.transfer = transfer.into();
        stream
    }

    #[test]
    fn first_frames_are_asked_only_for_what_the_header_left_open() {
        let known = Stream { field_order: "progressive".into(), ..video(0, "h264", "bt709") };
        for (stream, is_asked) in [
            (known.clone(), false),
            (video(0, "mpeg2video", ""), true),
            (video(0, "vp9", ""), false),
            (video(0, "vp9", "smpte2084"), true),
            (Stream { pixel_format: "yuv420p10le".into(), ..video(0, "vp9", "") }, true),
            (Stream { pixel_format: "yuv420p10le".into(), ..video(0, "vp9", "arib-std-b67") }, false),
            (Stream { kind: StreamKind::Cover, ..video(0, "mjpeg", "") }, false),
        ] {
            assert_eq!(is_open(&stream), is_asked, "{stream:?}");
        }
    }

    #[test]
    fn frames_add_fields_and_hdr_to_their_stream_and_garbage_adds_nothing() {
        let mut media = Media {
            streams: vec![video(0, "dvvideo", ""), video(1, "hevc", "smpte2084")],
            ..Media::default()
        };
        let mut said = |stdout: &str| {
            let ended = Ended {
                exit: Exit::Code(0),
                stopped: None,
                stderr: String::new(),
                stdout: stdout.into(),
                is_stdout_cut: false,
            };
            add_frames(&mut media, &ended);
            media.clone()
        };
        let before = said("{\"frames\": [{\"stream_index\": 7}]");
        assert_eq!(before.streams[0].field_order, "");
        let after = said(
            r#"{"frames": [{"stream_index": 0, "interlaced_frame": 1, "top_field_first": 0}, {"stream_index": 1,
                "color_space": "bt2020nc", "color_transfer": "bt709", "color_range": "unknown", "side_data_list": [{"side_data_type": "HDR Dynamic Metadata SMPTE2094-40 (HDR10+)"},
                {"side_data_type": "Content light level metadata", "max_content": 900, "max_average": 300}]}]}"#,
        );
        assert_eq!(after.streams[0].field_order, "bb");
        assert_eq!(
            (after.streams[1].hdr.light, after.streams[1].hdr.has_hdr10_plus),
            (Some((900, 300)), true)
        );
    }
}
