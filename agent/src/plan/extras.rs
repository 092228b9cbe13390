//! What goes along with pictures and sound: covers, attachments, data, titles and languages of tracks.
//!
//! What ffmpeg carries over by itself (chapters, most tags, dispositions, names of attachments, timecodes) is left to it:
//! a single `-map_metadata` of a stream would switch that off for all of them.

use vc_protocol::media::{Media, Stream, StreamKind};
use vc_protocol::profile::Container;

use super::{hold, language};

/// What a stream becomes that is left out.
pub(super) fn dropped(stream: &Stream, what: &str) -> String {
    let codec = if hold::is_known(&stream.codec) { format!(", {}", stream.codec) } else { String::new() };
    format!("stream {} ({what}{codec}) is left out", stream.index)
}

/// What a cover becomes: Matroska has a place for covers, which ffmpeg fills only from files.
pub(super) fn cover(stream: &Stream, container: Container) -> Result<StreamKind, String> {
    if !hold::cover(container, &stream.codec) {
        let what = dropped(stream, "cover picture");
        return Err(format!("{what}: {} holds none of this kind", container.extension()));
    }
    Ok(match container {
        Container::Mkv | Container::Mka => StreamKind::Video,
        Container::Mp4 | Container::M4a | Container::Mov | Container::Webm => StreamKind::Cover,
    })
}

/// Whether an attachment is kept.
pub(super) fn attachment(stream: &Stream, container: Container) -> Result<(), String> {
    match container {
        Container::Mkv | Container::Mka => Ok(()),
        Container::Mp4 | Container::Mov | Container::Webm | Container::M4a => {
            let what = dropped(stream, "attachment");
            Err(format!("{what}: {} holds no attachments", container.extension()))
        }
    }
}

/// A data stream that ends up elsewhere: mp4 writes chapters as one, and a timecode is a tag of the picture too.
pub(super) fn is_told_otherwise(stream: &Stream, media: &Media) -> bool {
    (media.chapters > 0 && stream.codec == "bin_data")
        || (stream.timecode.is_some() && media.video().is_some_and(|video| video.timecode == stream.timecode))
}

/// What is said of a track.
pub(super) struct Tags {
    /// What ffmpeg must be told.
    pub(super) told: Vec<(&'static str, String)>,
    /// The language that comes out.
    pub(super) language: Option<String>,
    /// What is lost.
    pub(super) lost: Option<String>,
}

/// Title and language of a stream in another container.
pub(super) fn tags(stream: &Stream, container: Container, from: &str) -> Tags {
    let mut told = Vec::new();
    if let Some(title) = &stream.title {
        if container == Container::Mov {
            // QuickTime's own files show the name of the handler.
            told.push(("handler_name", title.clone()));
        } else if from.split(',').any(|name| name == "mov") {
            // It was read from where QuickTime keeps it, and is not written there again.
            told.push(("title", title.clone()));
        }
    }
    let Some(language) = &stream.language else { return Tags { told, language: None, lost: None } };
    let held = match container {
        Container::Mkv | Container::Mka | Container::Webm => Some(language.clone()),
        Container::Mp4 | Container::M4a => language::three_letters(language),
        Container::Mov => language::of_macintosh(language),
    };
    let lost = held.is_none().then(|| {
        format!(
            "stream {}: {} has no word for its language ({language})",
            stream.index,
            container.extension()
        )
    });
    if let Some(held) = held.as_ref().filter(|held| *held != language) {
        told.push(("language", held.clone()));
    }
    Tags { told, language: held, lost }
}
