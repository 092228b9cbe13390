//! Goes through the streams of a source and says what becomes of each.

use vc_protocol::media::{Colour, Hdr, Media, Stream, StreamKind};
use vc_protocol::profile::{Profile, VideoCodec};

use super::{Action, Caps, Planned, Refusal, colour, extras, hold, picture, sound, text};
use crate::encoder::Candidate;

/// The streams of the output, and what could not be kept.
pub(super) struct Chosen {
    pub(super) streams: Vec<Planned>,
    pub(super) warnings: Vec<String>,
}

/// Decides about every stream.
pub(super) fn choose(
    media: &Media,
    profile: &Profile,
    with: Option<&Candidate>,
    caps: Caps<'_>,
) -> Result<Chosen, Refusal> {
    let chosen = Chosen { streams: Vec::new(), warnings: Vec::new() };
    let mut planner = Planner { profile, with, caps, media, chosen };
    // Pictures first: the log of a first pass is named by the stream's number, which must not change in the second.
    let (pictures, others): (Vec<_>, Vec<_>) =
        media.streams.iter().partition(|s| s.kind == StreamKind::Video);
    for stream in pictures.into_iter().chain(others) {
        planner.take(stream)?;
    }
    Ok(planner.chosen)
}

struct Planner<'a> {
    profile: &'a Profile,
    with: Option<&'a Candidate>,
    caps: Caps<'a>,
    media: &'a Media,
    chosen: Chosen,
}

impl Planner<'_> {
    fn take(&mut self, stream: &Stream) -> Result<(), Refusal> {
        let container = self.profile.container;
        match stream.kind {
            StreamKind::Video => self.take_picture(stream)?,
            StreamKind::Audio => self.take_sound(stream)?,
            StreamKind::Subtitle => match text::plan(stream, self.profile.subtitles, container)? {
                text::Fate::Copy => self.keep(stream, Action::Copy, stream.codec.clone()),
                text::Fate::Convert(target, lost) => {
                    self.keep(stream, Action::Text(target.encoder), target.codec.to_owned());
                    self.chosen.warnings.extend(lost);
                }
                text::Fate::Leave => {}
                text::Fate::Drop(why) => self.warn(why),
            },
            StreamKind::Cover => match extras::cover(stream, container) {
                Ok(kind) => {
                    self.keep(stream, Action::Copy, stream.codec.clone());
                    if kind == StreamKind::Video {
                        self.warn(format!(
                            "stream {}: the cover picture is kept as a video track",
                            stream.index
                        ));
                    }
                    if let Some(last) = self.chosen.streams.last_mut() {
                        // A single picture is as long as nothing.
                        (last.kind, last.duration_ms) = (kind, None);
                    }
                }
                Err(why) => self.warn(why),
            },
            StreamKind::Attachment => match extras::attachment(stream, container) {
                Ok(()) => self.keep(stream, Action::Copy, stream.codec.clone()),
                Err(why) => self.warn(why),
            },
            StreamKind::Data if extras::is_told_otherwise(stream, self.media) => {}
            StreamKind::Data => self.warn(extras::dropped(stream, "data")),
        }
        Ok(())
    }

    fn take_picture(&mut self, stream: &Stream) -> Result<(), Refusal> {
        if self.profile.video.codec == VideoCodec::Drop {
            return Ok(());
        }
        let Some(with) = self.with else {
            let container = self.profile.container;
            if !hold::picture(container, &stream.codec) {
                let cause =
                    format!("{} cannot hold this video ({}) unchanged", container.extension(), stream.codec);
                return Err(Refusal::source(cause));
            }
            self.keep(stream, Action::Copy, stream.codec.clone());
            if let Some(last) = self.chosen.streams.last_mut() {
                (last.size, last.rotation) =
                    ((stream.width > 0).then_some((stream.width, stream.height)), stream.rotation);
                last.hdr = colour::of_copy(stream, container, self.caps.major);
            }
            return Ok(());
        };
        if let Some(why) = colour::loss(stream, &self.profile.video) {
            return Err(Refusal::Skipped(why));
        }
        let taken = picture::plan(stream, self.media, &self.profile.video, with, self.caps.major)?;
        self.chosen.warnings.extend(taken.warnings);
        let size = taken.picture.size;
        self.keep(stream, Action::Picture(taken.picture), with.encoder.codec.ffmpeg_name().to_owned());
        if let Some(last) = self.chosen.streams.last_mut() {
            (last.size, last.colour, last.hdr) = (size, taken.colour, taken.hdr);
            last.rotation = taken.rotation;
        }
        Ok(())
    }

    fn take_sound(&mut self, stream: &Stream) -> Result<(), Refusal> {
        let (profile, encoders) = (self.profile, self.caps.encoders);
        let taken = sound::plan(stream, &profile.audio, profile.container, encoders)?;
        self.chosen.warnings.extend(taken.warnings);
        match taken.sound {
            sound::Fate::Copy => self.keep(stream, Action::Copy, stream.codec.clone()),
            sound::Fate::Encode(sound, channels) => {
                self.keep(stream, Action::Sound(sound), sound.codec.to_owned());
                if let Some(last) = self.chosen.streams.last_mut() {
                    last.channels = channels;
                }
            }
            sound::Fate::Drop => {}
        }
        Ok(())
    }

    fn warn(&mut self, text: String) {
        self.chosen.warnings.push(text);
    }

    fn keep(&mut self, stream: &Stream, action: Action, codec: String) {
        let container = self.profile.container;
        let tags = extras::tags(stream, container, &self.media.container);
        self.chosen.warnings.extend(tags.lost);
        self.chosen.streams.push(Planned {
            source: stream.index,
            action,
            tags: tags.told,
            kind: stream.kind,
            codec,
            language: tags.language,
            size: None,
            dispositions: stream.dispositions.clone(),
            channels: stream.channels,
            colour: Colour::default(),
            hdr: Hdr::default(),
            rotation: 0,
            duration_ms: length(self.media, stream),
            source_codec: stream.codec.clone(),
            source_format: stream.pixel_format.clone(),
        });
    }
}

/// Length of a stream. One that is longer than its file is nonsense, and Matroska counts from zero and not from the
/// first frame.
fn length(media: &Media, stream: &Stream) -> Option<u64> {
    let counts_from_zero = media.container.starts_with("matroska");
    let late =
        stream.start_ms.filter(|_| counts_from_zero).and_then(|ms| u64::try_from(ms).ok()).unwrap_or(0);
    let length = stream.duration_ms?.saturating_sub(late);
    Some(length.min(media.duration_ms.unwrap_or(u64::MAX)))
}
