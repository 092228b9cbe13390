//! `stats`: what the farm did, by day, profile and agent.

use clap::Args;
use jiff::Span;
use jiff::civil::{Date, date};
use vc_protocol::operator::{Request, Response, Stats, Sums};

use super::ask::answer;
use super::exit::{Exit, Failed};
use super::size::{bytes, seconds};
use super::table::{self, Audience, Cell, Column, Fit};
use super::target::Target;
use super::{json, text};
use crate::operator::client::ClientError;
use crate::tui::words::count;

#[derive(Args)]
pub(super) struct StatsArgs {
    /// So many days, today included (UTC)
    #[arg(long, default_value_t = 7, value_name = "DAYS", value_parser = clap::value_parser!(u32).range(1..))]
    days: u32,
    /// One JSON document
    #[arg(long)]
    json: bool,
}

pub(super) async fn stats(target: &Target, args: &StatsArgs) -> Result<Exit, Failed> {
    let mut client = target.connect().await?;
    let stats = answer!(client, &Request::Stats(args.days), Response::Stats(stats) => *stats);
    if args.json {
        text::json_out(&json::stats(&stats));
        return Ok(Exit::Done);
    }
    let audience = Audience::of_stdout();
    let is_first = |at: usize| at == 0 || audience == Audience::Programs;
    for (at, (title, rows)) in tables(&stats).into_iter().filter(|(_, rows)| !rows.is_empty()).enumerate() {
        if !is_first(at) {
            text::out("");
        }
        table::print(&columns(title), &rows, audience);
    }
    Ok(Exit::Done)
}

/// The day of that number since 1970.
pub(super) fn day(number: u32) -> Date {
    let since_1970 = Span::new().try_days(number);
    since_1970.and_then(|days| date(1970, 1, 1).checked_add(days)).unwrap_or(Date::MAX)
}

fn tables(stats: &Stats) -> [(&'static str, Vec<Vec<Cell>>); 4] {
    let named = |kind: &'static str, rows: &[(String, Sums)]| {
        rows.iter().map(|(name, sums)| cells(kind, name, sums)).collect()
    };
    [
        (
            "DAY",
            stats.days.iter().map(|(number, sums)| cells("day", &day(*number).to_string(), sums)).collect(),
        ),
        ("PROFILE", named("profile", &stats.profiles)),
        ("AGENT", named("agent", &stats.agents)),
        ("ALL", vec![cells("all", "", &stats.all)]),
    ]
}

fn columns(title: &'static str) -> [Column; 11] {
    [
        ("KIND", Fit::Hidden),
        (title, Fit::Left),
        ("COMPLETED", Fit::Right),
        ("FAILED", Fit::Right),
        ("SKIPPED", Fit::Right),
        ("VIDEO", Fit::Right),
        ("WORK", Fit::Right),
        ("IN", Fit::Right),
        ("OUT", Fit::Right),
        ("SAVED", Fit::Right),
        ("SHARE", Fit::Right),
    ]
}

fn cells(kind: &str, name: &str, sums: &Sums) -> Vec<Cell> {
    let number = |n: u64| Cell::new(count(n), n);
    let time = |ms: u64| Cell::new(seconds(ms as f64 / 1000.0), ms as f64 / 1000.0);
    let size = |n: u64| Cell::new(bytes(n), n);
    // Outputs can be larger than their sources.
    let saved = i128::from(sums.bytes_in) - i128::from(sums.bytes_out);
    let size_saved = bytes(u64::try_from(saved.unsigned_abs()).unwrap_or(u64::MAX));
    let sign = if saved < 0 { "-" } else { "" };
    let share = if sums.bytes_in == 0 { 0.0 } else { saved as f64 / sums.bytes_in as f64 };
    vec![
        kind.into(),
        Cell::new(if name.is_empty() { "total" } else { name }, name),
        number(sums.completed),
        number(sums.failed),
        number(sums.skipped),
        time(sums.media_ms),
        time(sums.wall_ms),
        size(sums.bytes_in),
        size(sums.bytes_out),
        Cell::new(format!("{sign}{size_saved}"), saved),
        Cell::new(format!("{:.0}%", share * 100.0), format!("{share:.3}")),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_have_dates() {
        assert_eq!(day(0).to_string(), "1970-01-01");
        assert_eq!(day(20_779).to_string(), "2026-11-22");
        assert_eq!(day(u32::MAX), Date::MAX);
    }

    #[test]
    fn an_output_that_grew_is_a_negative_saving() {
        let sums = Sums { bytes_in: 1000, bytes_out: 1500, ..Sums::default() };
        let saved = cells("all", "", &sums).remove(9);
        assert_eq!(saved, Cell::new("-500 B", -500));
        assert_eq!(cells("all", "", &Sums::default()).len(), columns("ALL").len());
    }
}
