//! The summary of a job: how far it is, what it is made of, how it is made, and the ends of log and command.

use vc_protocol::job::JobState;
use vc_protocol::media::{Media, Stream, StreamKind};
use vc_protocol::operator::{DeviceView, JobDetail, RunView};
use vc_protocol::path::FilePath;
use vc_protocol::progress::{Phase, Progress};

use super::super::chart;
use super::super::text::{Line, Role, cut, cut_name, section, width};
use super::{command, jobs, log, log_title, overview, state_role, words};
use crate::tui::look::Glyphs;
use crate::tui::state::State;
use crate::tui::state::detail::Detail;

/// From this width on log and command stand side by side.
const WIDE: usize = 110;
/// What an encode passes through, in order.
const PHASES: [Phase; 5] =
    [Phase::Fetching, Phase::Sampling, Phase::Encoding, Phase::Verifying, Phase::Committing];
/// Warnings shown; the rest is in the events.
const WARNINGS: usize = 3;
/// Encoders shown that were passed over; the rest is with the attempt.
const PASSED_OVER: usize = 3;

pub(super) fn lines(
    state: &State,
    open: &Detail,
    data: &JobDetail,
    columns: usize,
    room: usize,
) -> Vec<Line> {
    let glyphs = state.look.glyphs;
    let row = &data.row;
    let mut lines = match jobs::live(state, row) {
        Some(progress) => moving(state, data, &progress, columns),
        None => standing(data, columns, glyphs),
    };
    let fact = |name: &str, text: &str| {
        Line::new(format!(" {name:<8}{}", cut(text, columns.saturating_sub(9), glyphs)))
    };
    let size = if row.bytes_in > 0 { words::bytes(row.bytes_in) } else { String::new() };
    match &data.media {
        Some(media) => lines.push(fact("source", &media_words(media, row.bytes_in))),
        None => {
            let length = if data.media_ms > 0 {
                words::clock_left(data.media_ms / 1000) + "  "
            } else {
                String::new()
            };
            lines.push(path_fact("source", &data.source, &format!("  {length}{size}"), columns, glyphs));
        }
    }
    if !data.wanted.is_empty() {
        lines.push(fact("wanted", &data.wanted));
    }
    lines.push(fact("how", &how(state, data)));
    if let Some(attempt) = data.encoded() {
        let passed = attempt.passed_over.iter().take(PASSED_OVER);
        lines.extend(passed.map(|passed| fact("not", &format!("{}: {}", passed.encoder, passed.cause))));
        lines.extend(attempt.quality.as_ref().map(|found| fact("quality", &found.words())));
    }
    let size = if row.bytes_out > 0 { format!("  {}", words::bytes(row.bytes_out)) } else { String::new() };
    lines.push(path_fact("output", &data.output, &size, columns, glyphs));
    // On a low screen log and command matter more than dates.
    if room >= 20 {
        lines.push(fact("when", &dates(state, data)));
    }
    lines.extend(data.warnings.iter().take(WARNINGS).map(|warning| fact("warning", warning)));
    let left = room.saturating_sub(lines.len());
    lines.extend(log_and_command(state, open, columns, left));
    lines
}

/// Bar, phases and figures of a running job.
fn moving(state: &State, data: &JobDetail, progress: &Progress, columns: usize) -> Vec<Line> {
    let glyphs = state.look.glyphs;
    let (word, role) =
        if data.row.unsure { ("unsure", Role::Odd) } else { overview::phase_word(progress.phase) };
    let eta = state.overview.etas.job(data.row.id).or(progress.eta_s.map(u64::from));
    let eta = eta.map_or("-".into(), words::clock_left);
    let bar = chart::bar(progress.permille, columns.min(100) * 2 / 5, glyphs);
    let first = Line::new(" ")
        .with(role, format!("{word} "))
        .with(role, bar)
        .with(Role::Plain, format!(" {}%  ETA {eta}", progress.permille.min(1000) / 10));
    let mut figures = format!(
        " {} fps   {}   frame {}{}",
        words::fps(progress.fps),
        words::speed(progress.speed),
        words::count(progress.frames),
        // A count that the encoder went beyond was a wrong one.
        frames(data)
            .filter(|all| *all >= progress.frames)
            .map(|all| format!("/{}", words::count(all)))
            .unwrap_or_default(),
    );
    figures += &format!("   out {}", words::bytes(progress.out_bytes));
    if let Some(estimate) = estimate(data, progress) {
        let share = (estimate as f64 / data.row.bytes_in.max(1) as f64 * 100.0) as u64;
        figures += &format!(" (est {}, {share}% of source)", words::bytes(estimate));
    }
    vec![first, phases(data, progress, columns, glyphs), Line::new(figures)]
}

/// ` fetching 0:03 > ENCODING 1:30 > verifying > committing   lease ok, 2 s ago`
fn phases(data: &JobDetail, progress: &Progress, columns: usize, glyphs: Glyphs) -> Line {
    let arrow = if glyphs == Glyphs::Unicode { " → " } else { " > " };
    let mut line = Line::new(" ");
    // Few jobs are measured for their quality.
    let sampled =
        progress.phase == Phase::Sampling || data.phases.iter().any(|(of, _)| *of == Phase::Sampling);
    let passed = PHASES.into_iter().filter(|phase| sampled || *phase != Phase::Sampling);
    for (at, phase) in passed.enumerate() {
        if at > 0 {
            line.push(Role::Plain, arrow);
        }
        if phase == progress.phase {
            line.push(Role::Strong, phase.word().to_uppercase());
        } else {
            line.push(Role::Plain, phase.word());
        }
        // A second encoder goes through some of them again.
        let times = data.phases.iter().filter(|(of, _)| *of == phase).map(|(_, ms)| *ms);
        if let Some(took) = times.reduce(u64::saturating_add) {
            line.push(Role::Plain, format!(" {}", words::minutes(took / 1000)));
        }
    }
    match (data.row.unsure, data.lease_ms) {
        (true, Some(ms)) => {
            line.push(Role::Odd, format!("   its agent is silent for {}", words::length(ms / 1000)));
        }
        (true, None) => {
            line.push(Role::Odd, "   its agent is silent: this may be old");
        }
        (false, Some(ms)) => {
            let lease = format!("   lease ok, {} s ago", words::count(ms / 1000));
            if line.width() + width(&lease) <= columns {
                line.push(Role::Plain, lease);
            }
        }
        (false, None) => {}
    }
    line
}

/// Frames of the source: counted by its header, else from its length.
fn frames(data: &JobDetail) -> Option<u64> {
    let media = data.media.as_ref()?;
    let video = media.video()?;
    let from_length = || {
        let seconds = media.duration_ms? as f64 / 1000.0;
        (video.fps > 0.0).then_some((seconds * video.fps).round() as u64)
    };
    video.frames.or_else(from_length).filter(|all| *all > 0)
}

/// Output size if the rest is like what was written so far.
fn estimate(data: &JobDetail, progress: &Progress) -> Option<u64> {
    let enough = progress.phase == Phase::Encoding && progress.out_ms > 0 && progress.out_bytes > 0;
    (enough && data.media_ms > 0)
        .then(|| (progress.out_bytes as f64 / progress.out_ms as f64 * data.media_ms as f64) as u64)
}

/// State, cause and phase times of a job that does not run.
fn standing(data: &JobDetail, columns: usize, glyphs: Glyphs) -> Vec<Line> {
    let row = &data.row;
    let mut line = Line::new(" ").with(state_role(row.state), row.state.word());
    if !row.cause.is_empty() && row.cause != row.state.word() {
        let class = row.class.map(|c| format!(" ({})", c.word())).unwrap_or_default();
        let room = columns.saturating_sub(line.width());
        line.push(Role::Plain, cut(&format!("{class}: {}", row.cause), room, glyphs));
    } else if row.state == JobState::Completed && row.bytes_in > 0 {
        let share = u128::from(row.bytes_out) * 100 / u128::from(row.bytes_in);
        line.push(Role::Plain, format!(", {share}% of the source's size"));
    }
    let mut lines = vec![line];
    let took: Vec<String> = data
        .phases
        .iter()
        .filter(|(phase, _)| *phase != Phase::Waiting)
        .map(|(phase, ms)| format!("{} {}", phase.word(), words::minutes(ms / 1000)))
        .collect();
    if !took.is_empty() {
        let arrow = if glyphs == Glyphs::Unicode { " → " } else { " > " };
        lines.push(Line::new(cut(&format!(" {}", took.join(arrow)), columns, glyphs)));
    }
    lines
}

/// `H.264 1920x1080 23.976 8.1 Mb/s 50:11  AAC 5.1  3 subs  3.10 GB`
fn media_words(media: &Media, bytes: u64) -> String {
    let mut parts = Vec::new();
    if let Some(video) = media.video() {
        parts.push(picture(video));
    }
    let size = if media.size > 0 { media.size } else { bytes };
    if let Some(ms) = media.duration_ms.filter(|ms| *ms > 0) {
        let mbits = size as f64 * 8.0 / 1000.0 / ms as f64;
        let seconds = ms / 1000;
        let length = if seconds < 3600 { words::minutes(seconds) } else { words::clock_left(seconds) };
        parts.push(if size > 0 { format!("{mbits:.1} Mb/s {length}") } else { length });
    }
    let text = parts.join(" ");
    let mut parts = vec![text];
    parts.extend(sounds(media));
    let subtitles = media.streams.iter().filter(|s| s.kind == StreamKind::Subtitle).count();
    if subtitles > 0 {
        parts.push(words::some(subtitles as u64, "sub"));
    }
    if size > 0 {
        parts.push(words::bytes(size));
    }
    parts.retain(|part| !part.is_empty());
    parts.join("  ")
}

fn picture(video: &Stream) -> String {
    let rate = (video.fps * 1000.0).round() / 1000.0;
    let rate = if video.fps > 0.0 { format!(" {rate}") } else { String::new() };
    let uneven = if video.is_vfr { " vfr" } else { "" };
    let fields = if video.is_interlaced() { " interlaced" } else { "" };
    let light = video.hdr_name().map(|name| format!(" {name}")).unwrap_or_default();
    format!("{} {}x{}{rate}{uneven}{fields}{light}", codec(&video.codec), video.width, video.height)
}

/// The first sound stream, and how many more.
fn sounds(media: &Media) -> Option<String> {
    let mut sounds = media.streams.iter().filter(|s| s.kind == StreamKind::Audio);
    let first = sounds.next()?;
    let more = sounds.count();
    let more = if more > 0 { format!(" +{more}") } else { String::new() };
    Some(format!("{} {}{more}", codec(&first.codec), channels(first.channels)))
}

/// Names that people use.
pub(super) fn codec(name: &str) -> String {
    match name {
        "h264" => "H.264".into(),
        "hevc" => "HEVC".into(),
        "subrip" => "SRT".into(),
        "hdmv_pgs_subtitle" => "PGS".into(),
        "dvd_subtitle" => "VobSub".into(),
        "" => "?".into(),
        other => other.to_uppercase(),
    }
}

/// `stereo`, `5.1`
pub(super) fn channels(n: u32) -> String {
    match n {
        0 => "-".into(),
        1 => "mono".into(),
        2 => "stereo".into(),
        6 => "5.1".into(),
        8 => "7.1".into(),
        n => format!("{n} ch"),
    }
}

/// `hevc_vulkan on ada/gpu0 RTX 4090 slot 2, next hevc_nvenc, libx265`
fn how(state: &State, data: &JobDetail) -> String {
    let row = &data.row;
    if row.place.is_empty() {
        return format!("{}, not started", row.profile);
    }
    // What is wanted names the profile already.
    let mut text = if data.wanted.is_empty() { format!("{}, ", row.profile) } else { String::new() };
    if !data.encoder.is_empty() {
        text += &format!("{} ", data.encoder);
    }
    text += &format!("on {}", row.place);
    if let Some((device, slot)) = slot(state, data) {
        if !overview::told_by_name(device) {
            text += &format!(" {}", device.name);
        }
        text += &format!(" slot {slot}");
    }
    if row.state == JobState::Running && !data.next_encoders.is_empty() {
        text += &format!(", next {}", data.next_encoders.join(", "));
    }
    text
}

/// The device that runs it, and in which of its slots.
fn slot<'a>(state: &'a State, data: &JobDetail) -> Option<(&'a DeviceView, usize)> {
    let is_it = |run: &RunView| run.attempt.job == data.row.id;
    let mut devices = state.snapshot.iter().flat_map(|s| &s.agents).flat_map(|a| &a.devices);
    devices.find_map(|device| {
        let at = device.runs.iter().position(is_it).filter(|at| *at < usize::from(device.slots))?;
        Some((device, at + 1))
    })
}

fn dates(state: &State, data: &JobDetail) -> String {
    let (row, zone) = (&data.row, &state.look.zone);
    let now = state.snapshot.as_ref().map_or(row.updated_ms, |s| s.now_ms);
    let mut dates = format!("added {}", words::time_or_day(data.created_ms, now, zone));
    dates += &format!(", last change {}", words::time_or_day(row.updated_ms, now, zone));
    if row.state == JobState::Completed && data.seconds.is_finite() && data.seconds > 0.0 {
        dates += &format!(", took {}", words::length(data.seconds as u64));
    }
    dates
}

fn path_fact(name: &str, path: &FilePath, tail: &str, columns: usize, glyphs: Glyphs) -> Line {
    let room = columns.saturating_sub(9 + width(tail));
    Line::new(format!(" {name:<8}{}{tail}", cut_name(&path.shown(), room, glyphs)))
}

/// The last lines of both; side by side where there is room.
fn log_and_command(state: &State, open: &Detail, columns: usize, rows: usize) -> Vec<Line> {
    let glyphs = state.look.glyphs;
    let attempt = open.attempt();
    // The summary always shows the end, wherever the log itself was left.
    let end = crate::tui::state::log::LogView { follows: true, find: String::new(), ..open.log.clone() };
    let title = log_title(open, glyphs);
    if columns >= WIDE {
        let half = columns / 2 - 1;
        let mut left = vec![section(&title, "l all", half, glyphs)];
        left.extend(log::rows(state, &end, half, rows.saturating_sub(1)));
        let mut right = vec![section("Command", "y copy", columns - half - 2, glyphs)];
        right.extend(command::main(attempt, columns - half - 2, glyphs));
        right.truncate(rows);
        left.truncate(rows);
        let height = left.len().max(right.len());
        left.resize(height, Line::default());
        right.resize(height, Line::default());
        for (line, other) in left.iter_mut().zip(right) {
            line.fit(half).push(Role::Plain, "  ");
            line.extend(other);
        }
        return left;
    }
    let command = command::main(attempt, columns, glyphs);
    let command_rows = command.len().min(rows.saturating_sub(2) / 2);
    let mut lines = vec![section(&title, "l all", columns, glyphs)];
    lines.extend(log::rows(state, &end, columns, rows.saturating_sub(2 + command_rows)));
    if command_rows > 0 {
        lines.push(section("Command", "y copy as a shell line", columns, glyphs));
        lines.extend(command.into_iter().take(command_rows));
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_source_is_told_in_one_line() {
        let stream = |kind, codec: &str| Stream {
            index: 0,
            kind,
            codec: codec.into(),
            language: None,
            width: 1920,
            height: 1080,
            pixel_format: String::new(),
            fps: 24000.0 / 1001.0,
            is_vfr: false,
            frames: None,
            duration_ms: None,
            rotation: 0,
            channels: 6,
            dispositions: vec!["default".to_owned()],
            ..Stream::default()
        };
        let sub = || stream(StreamKind::Subtitle, "subrip");
        let media = Media {
            container: "matroska,webm".into(),
            duration_ms: Some(3_011_000),
            size: 3_100_000_000,
            streams: vec![
                stream(StreamKind::Video, "h264"),
                stream(StreamKind::Audio, "aac"),
                sub(),
                sub(),
                sub(),
            ],
            chapters: 0,
            ..Media::default()
        };
        assert_eq!(media_words(&media, 0), "H.264 1920x1080 23.976 8.2 Mb/s 50:11  AAC 5.1  3 subs  3.10 GB");
        let bare = Media { duration_ms: None, size: 0, streams: vec![], ..media };
        assert_eq!(media_words(&bare, 0), "");
    }
}
