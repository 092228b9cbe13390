//! What each container can hold as it is. Matroska holds every picture and sound that ffmpeg can name.

use vc_protocol::profile::Container;

/// Containers whose packets may lack time stamps, which mp4 and mkv refuse.
pub(super) const LACKS_TIME_STAMPS: [&str; 3] = ["avi", "mpeg", "mpegts"];

const MP4_PICTURES: &[&str] =
    &["h264", "hevc", "av1", "vp9", "mpeg4", "mpeg2video", "mpeg1video", "mjpeg", "vvc", "dirac", "vc1"];
const MOV_PICTURES: &[&str] = &[
    "h264",
    "hevc",
    "mpeg4",
    "mpeg2video",
    "mpeg1video",
    "mjpeg",
    "prores",
    "dnxhd",
    "cfhd",
    "rawvideo",
    "png",
    "dvvideo",
    "qtrle",
    "svq1",
    "svq3",
    "h263",
    "jpeg2000",
];
const WEBM_PICTURES: &[&str] = &["vp8", "vp9", "av1"];

const MP4_SOUNDS: &[&str] = &["aac", "ac3", "eac3", "mp3", "mp2", "opus", "alac", "flac", "dts", "vorbis"];
const MOV_SOUNDS: &[&str] = &[
    "aac",
    "ac3",
    "eac3",
    "mp3",
    "alac",
    "pcm_s16le",
    "pcm_s16be",
    "pcm_s24le",
    "pcm_s24be",
    "pcm_s32le",
    "pcm_s32be",
    "pcm_f32le",
    "pcm_f32be",
    "pcm_u8",
    "pcm_alaw",
    "pcm_mulaw",
    "adpcm_ima_qt",
];
const M4A_SOUNDS: &[&str] = &["aac", "alac", "ac3"];
const WEBM_SOUNDS: &[&str] = &["opus", "vorbis"];

/// Sound for which neither Matroska has a name nor AVI, whose names it takes: what discs and old web videos hold.
const NOT_IN_MKV_SOUNDS: &[&str] = &["pcm_bluray", "pcm_dvd", "nellymoser"];
/// Pictures that Matroska holds without what it takes to decode them.
const NOT_IN_MKV_PICTURES: &[&str] = &["qtrle"];

const MP4_COVERS: &[&str] = &["mjpeg", "png", "bmp"];

/// Whether it is QuickTime or one of its offspring.
pub(super) fn is_quicktime(container: Container) -> bool {
    matches!(container, Container::Mp4 | Container::Mov | Container::M4a)
}

/// Whether moving pictures of this codec fit unchanged.
pub(super) fn picture(container: Container, codec: &str) -> bool {
    is_known(codec)
        && match container {
            Container::Mkv => !NOT_IN_MKV_PICTURES.contains(&codec),
            Container::M4a | Container::Mka => false,
            Container::Mp4 => MP4_PICTURES.contains(&codec),
            Container::Mov => MOV_PICTURES.contains(&codec),
            Container::Webm => WEBM_PICTURES.contains(&codec),
        }
}

/// Whether sound of this codec fits unchanged.
pub(super) fn sound(container: Container, codec: &str) -> bool {
    is_known(codec)
        && match container {
            Container::Mkv | Container::Mka => !NOT_IN_MKV_SOUNDS.contains(&codec),
            Container::Mp4 => MP4_SOUNDS.contains(&codec),
            Container::M4a => M4A_SOUNDS.contains(&codec),
            Container::Mov => MOV_SOUNDS.contains(&codec),
            Container::Webm => WEBM_SOUNDS.contains(&codec),
        }
}

/// Whether a cover picture of this codec fits.
pub(super) fn cover(container: Container, codec: &str) -> bool {
    match container {
        Container::Mkv | Container::Mka => is_known(codec),
        Container::Mp4 | Container::M4a => MP4_COVERS.contains(&codec),
        Container::Mov | Container::Webm => false,
    }
}

/// Whether ffmpeg knows what it is.
pub(super) fn is_known(codec: &str) -> bool {
    !matches!(codec, "" | "none" | "unknown")
}
