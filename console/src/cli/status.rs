//! `status` and `why`: the farm and one job in words.

use std::io::{IsTerminal, Write};
use std::time::Duration;

use clap::Args;
use serde_json::json;
use tokio::time::{Instant, MissedTickBehavior, interval, interval_at};
use vc_protocol::id::JobId;
use vc_protocol::job::JobState;
use vc_protocol::operator::{AgentView, Need, Request, Response, Snapshot};

use super::ask::{answer, snapshot};
use super::exit::{Exit, Failed};
use super::follow::Stream;
use super::size::{bytes, left, seconds};
use super::table::{self, Audience, Column, Fit};
use super::target::Target;
use super::text::Reader;
use super::{agents, json, text, watch};
use crate::operator::client::ClientError;
use crate::tui::text::cut;

/// Least time between two pictures of `--watch`.
const REPAINT: Duration = Duration::from_secs(1);
/// How often the farm is described off a terminal, where nothing is painted over.
const LINE_EVERY: Duration = Duration::from_secs(30);

/// Kinds of needs that mean that the farm does not work as it should; others wait for a person at leisure.
const DEGRADED: [&str; 5] = ["store", "agents", "offline", "device", "disk"];

#[derive(Args)]
pub(super) struct StatusArgs {
    /// Go on: painted over on a terminal, a line every 30 s elsewhere
    #[arg(long)]
    watch: bool,
    /// Only say what is wrong, and exit with 12 if something is: an agent with jobs is offline, a device is quarantined,
    /// a disk is low, the job table is read-only
    #[arg(long, conflicts_with = "watch")]
    check: bool,
    /// One JSON document
    #[arg(long, conflicts_with = "watch")]
    json: bool,
    /// With --watch: a JSON object whenever something changed, at most one a second
    #[arg(long, requires = "watch")]
    jsonl: bool,
}

pub(super) async fn status(target: &Target, args: &StatusArgs) -> Result<Exit, Failed> {
    if args.watch {
        return match (args.jsonl, Audience::of_stdout()) {
            (false, Audience::Programs) => lines(target).await,
            (_, audience) => pictures(target, args.jsonl, audience).await,
        };
    }
    let farm = snapshot(&mut target.connect().await?).await?;
    if args.check {
        return Ok(check(&farm, args.json));
    }
    if args.json {
        text::json_out(&json::status(&farm));
    } else {
        text::out(&words(&farm));
    }
    Ok(Exit::Done)
}

/// The farm in words, once.
pub(super) async fn plain(target: &Target) -> Result<Exit, Failed> {
    text::out(&words(&snapshot(&mut target.connect().await?).await?));
    Ok(Exit::Done)
}

/// What is wrong with the farm itself.
fn degraded(farm: &Snapshot) -> Vec<&Need> {
    farm.needs.iter().filter(|need| DEGRADED.contains(&need.kind.as_str())).collect()
}

fn check(farm: &Snapshot, as_json: bool) -> Exit {
    let wrong = degraded(farm);
    if as_json {
        let reasons: Vec<_> = wrong.iter().map(|need| json::need(need)).collect();
        text::json_out(&json!({ "v": 1, "degraded": !wrong.is_empty(), "reasons": reasons }));
    } else {
        text::parts(wrong.iter().map(|need| sentence(need)));
        if wrong.is_empty() {
            text::out("ok");
        }
    }
    if wrong.is_empty() { Exit::Done } else { Exit::Degraded }
}

/// A line now and then.
async fn lines(target: &Target) -> Result<Exit, Failed> {
    let mut snapshots = Stream::snapshots(target.server()?).await?;
    let mut newest = snapshots.snapshot().await?;
    let mut every = interval(LINE_EVERY);
    loop {
        tokio::select! {
            _ = every.tick() => if text::part(&watch::line(&newest)) == Reader::Gone { return Ok(Exit::Done) },
            snapshot = snapshots.snapshot() => newest = snapshot?,
        }
    }
}

/// Each snapshot, painted over the one of before or as an object.
async fn pictures(target: &Target, as_objects: bool, audience: Audience) -> Result<Exit, Failed> {
    let mut snapshots = Stream::snapshots(target.server()?).await?;
    let mut every = interval_at(Instant::now(), REPAINT);
    every.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut painted = 0;
    loop {
        // What happens while nothing may be painted is merged by the server.
        every.tick().await;
        let farm = snapshots.snapshot().await?;
        let reader = match audience {
            Audience::People(..) if !as_objects => {
                let lines = picture(&farm, Audience::of_stdout());
                let reader = repaint(&lines, painted);
                painted = lines.len();
                reader
            }
            Audience::People(..) | Audience::Programs => text::json_part(&json::status(&farm)),
        };
        if reader == Reader::Gone {
            return Ok(Exit::Done);
        }
    }
}

/// The status in as many lines as the terminal has, none wider than it: else the next one would not cover it.
fn picture(farm: &Snapshot, audience: Audience) -> Vec<String> {
    let words = words(farm);
    let Audience::People(columns, glyphs) = audience else {
        return words.lines().map(str::to_owned).collect();
    };
    let rows =
        crossterm::terminal::size().map_or(usize::MAX, |(_, rows)| usize::from(rows).saturating_sub(1));
    words.lines().take(rows.max(1)).map(|line| cut(line, columns, glyphs)).collect()
}

fn repaint(lines: &[String], painted: usize) -> Reader {
    let up = if painted > 0 { format!("\x1b[{painted}A\r") } else { String::new() };
    let body: String = lines.iter().map(|line| format!("{line}\x1b[K\n")).collect();
    let mut stdout = std::io::stdout().lock();
    let written = write!(stdout, "{up}{body}\x1b[J").and_then(|()| stdout.flush());
    if written.is_ok() && std::io::stdout().is_terminal() { Reader::There } else { Reader::Gone }
}

/// The farm in one screen of text.
fn words(s: &Snapshot) -> String {
    let t = &s.totals;
    let counts: Vec<_> = JobState::ALL
        .iter()
        .zip(t.by_state)
        .filter(|(state, n)| *n > 0 || matches!(state, JobState::Pending | JobState::Running))
        .map(|(state, n)| format!("{} {n}", state.word()))
        .collect();
    let mut lines = vec![
        format!("farm      {}, agents dial {}, up {}", s.farm, s.listen, seconds(s.up_ms as f64 / 1000.0)),
        format!("jobs      {}", counts.join(", ")),
    ];
    let parts = [(t.to_retry, "pending for a retry"), (t.unsure, "running unsure: no word from the agent")];
    for (n, what) in parts.into_iter().filter(|(n, _)| *n > 0) {
        lines.push(format!("          {n} {what}"));
    }
    lines.push(format!(
        "speed     {:.1}x, {:.0} fps, {}% done, ETA {}",
        t.speed,
        t.fps,
        t.permille / 10,
        left(t.eta_s)
    ));
    if t.bytes_in > 0 {
        lines.push(format!("converted {} into {}", bytes(t.bytes_in), bytes(t.bytes_out)));
    }
    if let Some(free) = t.output_free {
        lines.push(format!("disk      {} free where outputs go", bytes(free)));
    }
    if let Some(halted) = &s.halted {
        lines.push(format!("HALTED    {halted}"));
    }
    if let Some(paused) = &s.paused {
        let by = if paused.who.is_empty() { &paused.why } else { &paused.who };
        lines.push(format!("PAUSED    {by}: `vc-console resume` goes on"));
    }
    lines.extend(s.agents.iter().map(agent));
    lines.extend(s.needs.iter().map(sentence));
    lines.join("\n")
}

fn sentence(need: &Need) -> String {
    let what = if need.what.is_empty() { String::new() } else { format!("{}: ", need.what) };
    format!("! {:<8} {what}{}", need.kind, need.text)
}

/// An agent in one line, and one more for each thing that keeps it from its work.
fn agent(a: &AgentView) -> String {
    let (state, busy) = (agents::state(a), agents::busy(a));
    let mut text = format!(
        "agent     {:<16} {state:<9} {busy} busy  {}  {} done, {} failed",
        a.name, a.address, a.completed, a.failed
    );
    for problem in agents::problems(a) {
        text += &format!("\n          {problem}");
    }
    text
}

const WHY: [Column; 2] = [("DEVICE", Fit::Left), ("REASON", Fit::Text)];

pub(super) async fn why(target: &Target, job: JobId, as_json: bool) -> Result<Exit, Failed> {
    let mut client = target.connect().await?;
    let why = answer!(client, &Request::Why(job), Response::Why(why) => why);
    if as_json {
        text::json_out(&json::why(&why));
        return Ok(Exit::Done);
    }
    text::out(&why.answer);
    let rows: Vec<_> = why
        .devices
        .iter()
        .map(|(device, reason)| vec![device.as_str().into(), reason.as_str().into()])
        .collect();
    table::print(&WHY, &rows, Audience::of_stdout());
    Ok(Exit::Done)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn need(kind: &str) -> Need {
        Need { kind: kind.into(), what: "ada".into(), text: "so it is".into(), ..Need::default() }
    }

    #[test]
    fn what_waits_for_a_person_is_not_what_is_broken() {
        let exit = |kinds: &[&str]| {
            let farm =
                Snapshot { needs: kinds.iter().map(|kind| need(kind)).collect(), ..Snapshot::default() };
            degraded(&farm).into_iter().map(|need| need.kind.clone()).collect::<Vec<_>>()
        };
        assert_eq!(exit(&[]), [""; 0]);
        assert_eq!(exit(&["failed", "held", "paused", "folder", "cert"]), [""; 0]);
        assert_eq!(exit(&["failed", "offline", "disk"]), ["offline", "disk"]);
        assert_eq!(exit(&DEGRADED), DEGRADED);
    }

    #[test]
    fn a_picture_is_no_wider_than_the_terminal() {
        let farm = Snapshot { needs: vec![need("offline"); 3], farm: "f".repeat(90), ..Snapshot::default() };
        let lines = picture(&farm, Audience::People(40, crate::tui::Glyphs::Ascii));
        assert!(lines.len() > 4 && lines.iter().all(|line| line.len() <= 40), "{lines:?}");
    }
}
