//! Reports cut to what a frame holds, the least useful part first. Knows nothing of sessions and sockets.

use vc_protocol::agent::{COMMANDS_MAX, Command, Held, LOG_TAIL_BYTES_MAX, LiveLog, Report};
use vc_protocol::codec::FRAME_BYTES_MAX;
use vc_protocol::failure::CAUSE_BYTES_MAX;
use vc_protocol::media::Stream;

/// Room left in a frame for everything around the reports: an offer with four full paths, names, devices.
const AROUND_BYTES: usize = 32 * 1024;
/// Most warnings told of one attempt; a file with more streams than that is not read line by line anyway.
const WARNINGS_MAX: usize = 64;
/// Most bytes of an encoded length.
const LENGTH_BYTES: usize = 9;
/// Most bytes of a report's fixed part and its outcome: numbers, a cause of 400 bytes, a part file's name.
const REPORT_BYTES: usize = 1024;
/// Most bytes of an attempt in an inventory that is not a report: numbers, or a hash and a part file's name.
const HELD_BYTES: usize = 256;

/// Most bytes of a stream's description besides its names.
const STREAM_BYTES: usize = 128;

/// Cuts a report so that it fits a frame of its own.
pub(crate) fn report(report: &mut Report) {
    report.commands.truncate(COMMANDS_MAX);
    report.warnings.truncate(WARNINGS_MAX);
    for warning in &mut report.warnings {
        warning.truncate(warning.floor_char_boundary(CAUSE_BYTES_MAX));
    }
    keep_tail(&mut report.log, LOG_TAIL_BYTES_MAX);
    cut(report, FRAME_BYTES_MAX - AROUND_BYTES);
}

/// Cuts what is told of a running attempt so that it fits a frame.
pub(crate) fn live(live: &mut LiveLog) {
    live.commands.truncate(COMMANDS_MAX);
    keep_tail(&mut live.log, LOG_TAIL_BYTES_MAX);
    drop_first(&mut live.commands, FRAME_BYTES_MAX - AROUND_BYTES - LOG_TAIL_BYTES_MAX);
}

/// Cuts the reports of an inventory so that all of it fits one frame together.
pub(crate) fn inventory(held: &mut [Held]) {
    let reports = || held.iter().filter_map(|h| if let Held::Ended(r) = h { Some(r) } else { None });
    let (count, weight) = (reports().count(), reports().map(|r| weight(r)).sum::<usize>());
    let room = FRAME_BYTES_MAX.saturating_sub(AROUND_BYTES + (held.len() - count) * HELD_BYTES);
    if weight <= room {
        return;
    }
    for one in held {
        if let Held::Ended(report) = one {
            cut(report, room / count);
        }
    }
}

/// An eighth of the limit for the source's description, which is left out rather than cut; half of it for commands,
/// the last ones kept; a quarter for warnings; what is left for the end of the log.
fn cut(report: &mut Report, limit: usize) {
    if weight(report) <= limit {
        return;
    }
    if media_weight(report) > limit / 8 {
        report.media = None;
    }
    drop_first(&mut report.commands, limit / 2);
    while report.warnings.iter().map(|w| w.len() + LENGTH_BYTES).sum::<usize>() > limit / 4 {
        report.warnings.pop();
    }
    let over = weight(report).saturating_sub(limit);
    let keep = report.log.len().saturating_sub(over);
    keep_tail(&mut report.log, keep);
}

fn drop_first(commands: &mut Vec<Command>, limit: usize) {
    let mut total: usize = commands.iter().map(command_weight).sum();
    let mut dropped = 0;
    while total > limit {
        total -= command_weight(&commands[dropped]);
        dropped += 1;
    }
    commands.drain(..dropped);
}

fn keep_tail(log: &mut String, bytes: usize) {
    if log.len() > bytes {
        let from = log.ceil_char_boundary(log.len() - bytes);
        log.drain(..from);
    }
}

/// No fewer bytes than the report takes when encoded.
fn weight(report: &Report) -> usize {
    let warnings: usize = report.warnings.iter().map(|w| w.len() + LENGTH_BYTES).sum();
    let commands: usize = report.commands.iter().map(command_weight).sum();
    let phases = report.phases.len() * 2 * LENGTH_BYTES;
    REPORT_BYTES
        + report.encoder.len()
        + report.log.len()
        + warnings
        + commands
        + phases
        + media_weight(report)
}

fn media_weight(report: &Report) -> usize {
    report.media.as_ref().map_or(0, |media| {
        let texts =
            |s: &Stream| s.codec.len() + s.pixel_format.len() + s.language.as_ref().map_or(0, String::len);
        let streams: usize = media.streams.iter().map(|s| STREAM_BYTES + texts(s)).sum();
        STREAM_BYTES + media.container.len() + streams
    })
}

fn command_weight(command: &Command) -> usize {
    2 * LENGTH_BYTES + command.argv.iter().map(|word| word.0.len() + LENGTH_BYTES).sum::<usize>()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::session::state::testing::{attempt, ended};
    use vc_protocol::agent::{AgentHello, CommandPhase, FromAgent};
    use vc_protocol::codec;
    use vc_protocol::path::FilePath;

    fn bulky() -> Report {
        let mut report = ended(attempt(1));
        report.log = "é".repeat(LOG_TAIL_BYTES_MAX);
        let word = FilePath(vec![b'x'; 4096]);
        let command = Command { phase: CommandPhase::Encode, argv: vec![word; 8] };
        report.commands = vec![command; 40];
        report.warnings = vec!["w".repeat(5000); 500];
        report
    }

    #[test]
    fn a_bulky_report_fits_a_frame_and_keeps_its_end() {
        let mut cut = bulky();
        report(&mut cut);
        assert!(codec::frame(&FromAgent::Report(Box::new(cut.clone()))).is_ok());
        assert!(!cut.commands.is_empty(), "the last commands are kept");
        assert!(!cut.warnings.is_empty() && !cut.log.is_empty());
    }

    #[test]
    fn an_inventory_of_many_bulky_reports_fits_one_hello() {
        let mut held: Vec<Held> = (0..60).map(|_| Held::Ended(Box::new(bulky()))).collect();
        inventory(&mut held);
        let hello = AgentHello {
            instance: 1,
            host: "h".repeat(255),
            version: "0.1.0".into(),
            ffmpeg: "f".repeat(255),
            devices: vec![],
            inventory: held,
        };
        assert!(codec::frame(&FromAgent::Hello(Box::new(hello))).is_ok());
    }

    #[test]
    fn a_small_report_is_left_as_it_is() {
        let mut cut = ended(attempt(1));
        cut.log = "one line".into();
        let before = cut.clone();
        report(&mut cut);
        assert_eq!(cut, before);
    }
}
