//! `jobs show` and `jobs logs`: one job in words.

use std::time::Duration;

use serde_json::json;
use vc_protocol::id::JobId;
use vc_protocol::job::JobState;
use vc_protocol::media::{Media, Stream};
use vc_protocol::operator::{JobDetail, Request, Response};

use crate::cli::ask::answer;
use crate::cli::exit::{Exit, Failed};
use crate::cli::size::{bytes, rfc3339, seconds};
use crate::cli::target::Target;
use crate::cli::text::{Reader, cause};
use crate::cli::{json, text};
use crate::operator::client::{Client, ClientError};

/// How often a running job's log is asked for: agents report once a second.
const LOG_EVERY: Duration = Duration::from_secs(1);

pub(super) async fn show(target: &Target, job: JobId, as_json: bool) -> Result<Exit, Failed> {
    // What encodes is known to the agent alone until the attempt ends.
    let shown = with_log(&mut target.connect().await?, job).await?;
    if as_json {
        text::json_out(&json::line(json::detail(&shown)));
    } else {
        text::out(&detail(&shown));
    }
    Ok(Exit::Done)
}

async fn with_log(client: &mut Client, job: JobId) -> Result<JobDetail, Failed> {
    Ok(answer!(client, &Request::Log(job), Response::Detail(detail) => *detail))
}

pub(super) async fn logs(target: &Target, job: JobId, as_json: bool) -> Result<Exit, Failed> {
    let detail = with_log(&mut target.connect().await?, job).await?;
    let log = detail.attempts.first().map_or("", |a| a.log.as_str());
    if as_json {
        text::json_out(&json!({ "v": 1, "id": job, "log": log }));
    } else if log.is_empty() {
        text::note(&format!("job {job} has no log"));
    } else {
        text::out(log.trim_end());
    }
    Ok(Exit::Done)
}

/// Prints the log and what is added to it, from attempt to attempt, until the job does not run any more.
pub(super) async fn follow(target: &Target, job: JobId) -> Result<Exit, Failed> {
    let mut client = target.connect().await?;
    let mut every = tokio::time::interval(LOG_EVERY);
    every.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let (mut attempt, mut printed) = (None, String::new());
    loop {
        every.tick().await;
        let detail = with_log(&mut client, job).await?;
        if let Some(newest) = detail.attempts.first() {
            let this = Some((newest.task, newest.no));
            if attempt != this {
                text::note(&format!("attempt {} on {}", newest.no, newest.place));
                (attempt, printed) = (this, String::new());
            }
            // A line that is still being written comes when it is whole, or when nothing more comes.
            let goes_on = detail.row.state == JobState::Running && newest.ended_ms.is_none();
            let log = if goes_on { whole_lines(&newest.log) } else { &newest.log };
            // Between its end on the agent and its end here, an attempt has no log.
            if !log.is_empty() {
                let added = added(&printed, log).trim_end();
                if !added.is_empty() && text::part(added) == Reader::Gone {
                    return Ok(Exit::Done);
                }
                printed = log.to_owned();
            }
        }
        if detail.row.state.is_final() || detail.row.state == JobState::Held {
            text::note(&format!("job {job} is {}", detail.row.state.word()));
            return Ok(Exit::Done);
        }
    }
}

fn whole_lines(log: &str) -> &str {
    &log[..log.rfind('\n').map_or(0, |end| end + 1)]
}

/// What a log that only keeps its last lines has more than the one of before.
fn added<'a>(before: &str, log: &'a str) -> &'a str {
    let before = before.trim_end_matches('\n');
    // The longest end of the old one that the new one begins with, cut at lines.
    let starts = std::iter::once(0).chain(before.match_indices('\n').map(|(at, _)| at + 1));
    let rest = starts
        .map(|at| &before[at..])
        .filter(|end| !end.is_empty())
        .find_map(|end| log.strip_prefix(end).filter(|rest| rest.is_empty() || rest.starts_with('\n')));
    rest.map_or(log, |rest| rest.trim_start_matches('\n'))
}

/// Everything about a job.
fn detail(d: &JobDetail) -> String {
    let mut lines = vec![
        format!("job       {}", d.row.id),
        format!("state     {}", text::state(&d.row)),
        format!("source    {}", d.source),
        format!("output    {}", d.output),
        format!("profile   {}, priority {}", d.row.profile, d.row.priority.0),
        format!("retries   {} of {}", d.row.retries, d.row.retries_max),
        format!("added     {}", rfc3339(d.created_ms)),
        format!("updated   {}", rfc3339(d.row.updated_ms)),
    ];
    if !d.row.cause.is_empty() {
        lines.push(format!("cause     {}", cause(&d.row)));
    }
    if d.row.state == JobState::Completed {
        lines.push(format!(
            "result    {} -> {} in {} with {}",
            bytes(d.row.bytes_in),
            bytes(d.row.bytes_out),
            seconds(d.seconds),
            d.encoder
        ));
    }
    if let Some(media) = &d.media {
        lines.push(format!("media     {}", container(media)));
        lines.extend(media.streams.iter().map(|s| format!("stream    {}", stream(s))));
    }
    lines.extend(d.warnings.iter().map(|w| format!("warning   {w}")));
    for a in &d.attempts {
        let ended = match a.ended.as_str() {
            "" => "running".to_owned(),
            "completed" | "skipped" | "stopped" => a.ended.clone(),
            class => format!("failed ({class})"),
        };
        let facts = [a.place.as_str(), &a.encoder, &ended, &a.cause];
        lines.push(format!("attempt   {} on {}", a.no, joined(facts)));
        lines
            .extend(a.passed_over.iter().map(|passed| format!("  not {}: {}", passed.encoder, passed.cause)));
        lines.extend(a.quality.iter().map(|found| format!("  quality {}", found.words())));
        for c in &a.commands {
            let words: Vec<_> = c.argv.iter().map(|word| shell_word(&word.0)).collect();
            lines.push(format!("  $ {}", words.join(" ")));
        }
    }
    lines.join("\n")
}

/// Those that say something.
fn joined<'a>(parts: impl IntoIterator<Item = &'a str>) -> String {
    parts.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join("  ")
}

/// `matroska,webm  50:11  3.10 GB  12 chapters`
fn container(media: &Media) -> String {
    let length = media.duration_ms.map(|ms| seconds(ms as f64 / 1000.0)).unwrap_or_default();
    let chapters = if media.chapters > 0 { format!("{} chapters", media.chapters) } else { String::new() };
    let title = media.title.as_ref().map(|title| format!("\"{title}\"")).unwrap_or_default();
    joined([&media.container, &length, &bytes(media.size), &chapters, &title].map(String::as_str))
}

/// `0 video  hevc  3840x2160  yuv420p10le  23.976 fps  eng  default, HDR10 1000 nits, bt2020nc/bt2020/smpte2084 tv`
fn stream(s: &Stream) -> String {
    let size = if s.width > 0 { format!("{}x{}", s.width, s.height) } else { s.channel_layout.clone() };
    let rate = (s.fps * 1000.0).round() / 1000.0;
    let rate = if rate > 0.0 { format!("{rate} fps") } else { String::new() };
    let language = s.language.as_deref().unwrap_or_default();
    let words = [s.notes(), s.details()].concat().join(", ");
    let facts = joined([&s.codec, &size, &s.pixel_format, &rate, language, &words]);
    format!("{} {}  {facts}", s.index, json::word(s.kind))
}

/// A word that a shell reads as these bytes.
fn shell_word(bytes: &[u8]) -> String {
    let plain = |b: &u8| b.is_ascii_alphanumeric() || b"-_./=:,+@%".contains(b);
    if !bytes.is_empty() && bytes.iter().all(plain) {
        return String::from_utf8_lossy(bytes).into_owned();
    }
    match std::str::from_utf8(bytes) {
        Ok(text) if !text.chars().any(char::is_control) => format!("'{}'", text.replace('\'', r"'\''")),
        _ => {
            let escape = |b: &u8| match b {
                b'\'' | b'\\' => format!("\\{}", *b as char),
                b' '..=b'~' => (*b as char).to_string(),
                _ => format!("\\x{b:02x}"),
            };
            format!("$'{}'", bytes.iter().map(escape).collect::<String>())
        }
    }
}

#[cfg(test)]
mod tests {
    use vc_protocol::media::{Colour, StreamKind};

    use super::*;

    #[test]
    fn a_log_that_goes_on_is_printed_once() {
        let check = |before: &str, log: &str, expected: &str| {
            assert_eq!(added(before, log), expected, "{before:?} {log:?}")
        };
        check("", "a\nb\n", "a\nb\n");
        check("a\nb\n", "a\nb\n", "");
        check("a\nb\n", "a\nb\nc\n", "c\n");
        check("a\nb\nc\n", "c\nd\n", "d\n");
        check("a\nb\n", "x\ny\n", "x\ny\n");
        check("a\nb", "a\nb\nc", "c");
        check("a\nb\n", "a\nb", "");
        check("a\nframe=1", "frame=12\n", "frame=12\n");
        check("a\na\n", "a\na\na\n", "a\n");
        assert_eq!([whole_lines("a\nb"), whole_lines("a")], ["a\n", ""]);
    }

    #[test]
    fn a_stream_is_told_in_one_line() {
        let picture = Stream {
            kind: StreamKind::Video,
            codec: "hevc".into(),
            language: Some("eng".into()),
            width: 3840,
            height: 2160,
            pixel_format: "yuv420p10le".into(),
            fps: 24000.0 / 1001.0,
            dispositions: vec!["default".into()],
            colour: Colour { transfer: "arib-std-b67".into(), ..Colour::default() },
            ..Stream::default()
        };
        let told = "0 video  hevc  3840x2160  yuv420p10le  23.976 fps  eng  default, HLG, ?/?/arib-std-b67";
        assert_eq!(stream(&picture), told);
        let sound = Stream { index: 1, kind: StreamKind::Audio, codec: "ac3".into(), ..Stream::default() };
        assert_eq!(
            stream(&Stream { channel_layout: "5.1(side)".into(), ..sound }),
            "1 audio  ac3  5.1(side)"
        );
        let media = Media { container: "mov,mp4".into(), duration_ms: Some(185_000), ..Media::default() };
        assert_eq!(
            container(&Media { size: 9_000, chapters: 2, ..media }),
            "mov,mp4  3:05  9.00 kB  2 chapters"
        );
    }

    #[test]
    fn words_survive_a_shell() {
        assert_eq!(shell_word(b"-i"), "-i");
        assert_eq!(shell_word(b""), "''");
        assert_eq!(shell_word(b"it's"), r"'it'\''s'");
        assert_eq!(shell_word(b"a\nb\xff'"), r"$'a\x0ab\xff\''");
    }
}
