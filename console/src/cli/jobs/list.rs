//! `jobs ls`: the table, whole or as far as was asked for.

use std::collections::BTreeSet;

use clap::Args;
use serde_json::json;
use vc_protocol::operator::{JobFilter, JobRow, PAGE_ROWS_MAX, Sort, SortBy};

use super::select::filter;
use crate::cli::ask::Pages;
use crate::cli::exit::{Exit, Failed};
use crate::cli::size::{bytes, rfc3339};
use crate::cli::table::{self, Audience, Cell, Column, Fit};
use crate::cli::target::Target;
use crate::cli::text::{Reader, json_out, json_part, note};
use crate::cli::{json, text};
use crate::operator::client::Client;
use crate::tui::{Look, words};
use crate::wall::wall_ms;

/// Rows on a terminal unless said otherwise: more than anybody scrolls through.
const SHOWN: u64 = 1000;

#[derive(Args)]
pub(in crate::cli) struct ListArgs {
    /// Only jobs that every term fits:
    /// is:failed,held,retry,unsure  agent:A  device:gpu0  profile:P  cause:"moov"  pri:>5  age:<2h  text  "two words"  !term
    #[arg(long, value_name = "FILTER", default_value = "")]
    filter: String,
    /// In this order: state, id, priority, file, profile, where, tries, updated or size; :desc turns it round
    #[arg(long, value_name = "COLUMN[:desc]", default_value = "state", value_parser = sort)]
    sort: Sort,
    /// At most so many [default: 1000 on a terminal, else all]
    #[arg(long, value_name = "ROWS")]
    limit: Option<u64>,
    /// One JSON document
    #[arg(long)]
    json: bool,
    /// A JSON object a line
    #[arg(long, conflicts_with = "json")]
    jsonl: bool,
}

/// `COLUMN`, `COLUMN:asc` or `COLUMN:desc`.
fn sort(text: &str) -> Result<Sort, String> {
    let (word, turn) = text.split_once(':').unwrap_or((text, "asc"));
    let by = SortBy::ALL.into_iter().find(|by| by.word() == word).ok_or_else(|| {
        let known: Vec<_> = SortBy::ALL.into_iter().map(SortBy::word).collect();
        format!("no such column: {}", known.join(", "))
    })?;
    match turn {
        "asc" => Ok(Sort { by, reversed: false }),
        "desc" => Ok(Sort { by, reversed: true }),
        _ => Err("after the column comes :asc or :desc".to_owned()),
    }
}

/// How rows leave.
enum Form {
    /// All at once, since the widths depend on them.
    Table,
    /// All at once, in one document.
    Document,
    /// One by one, as they come.
    Lines(fn(&JobRow) -> Reader),
}

pub(super) async fn list(target: &Target, args: ListArgs) -> Result<Exit, Failed> {
    let filter = filter(&args.filter)?;
    let audience = Audience::of_stdout();
    let form = match (args.json, args.jsonl, audience) {
        (true, _, _) => Form::Document,
        (_, true, _) => Form::Lines(|row| json_part(&json::line(json::row(row)))),
        (_, _, Audience::Programs) => {
            Form::Lines(|row| table::print(&COLUMNS, &[cells(row, 0, &Look::detect())], Audience::Programs))
        }
        (_, _, Audience::People(..)) => Form::Table,
    };
    let limit = args.limit.unwrap_or(if matches!(form, Form::Table) { SHOWN } else { u64::MAX });
    let found = find(&mut target.connect().await?, filter.clone(), args.sort, limit, &form).await?;
    match form {
        Form::Document => json_out(&json!({
            "v": 1, "jobs": found.rows.iter().map(json::row).collect::<Vec<_>>(), "more": found.more,
        })),
        Form::Table => {
            let (now_ms, look) = (wall_ms(), Look::detect());
            let rows: Vec<_> = found.rows.iter().map(|row| cells(row, now_ms, &look)).collect();
            table::print(&COLUMNS, &rows, audience);
        }
        Form::Lines(_) => {}
    }
    if found.count == 0 && !args.json && !args.jsonl {
        note(if filter.is_all() { "no job was added yet" } else { "no job fits" });
    } else if found.more && !args.json {
        note(&format!("there are more than these {}: say --limit", found.count));
    }
    Ok(if found.count == 0 && !filter.is_all() { Exit::NothingMatched } else { Exit::Done })
}

struct Found {
    rows: Vec<JobRow>,
    count: u64,
    more: bool,
}

async fn find(
    client: &mut Client,
    filter: JobFilter,
    sort: Sort,
    limit: u64,
    form: &Form,
) -> Result<Found, Failed> {
    let mut pages = Pages::new(filter, sort);
    let mut found = Found { rows: Vec::new(), count: 0, more: false };
    // A job that moves while the pages are read may be on two of them.
    let mut seen = BTreeSet::new();
    while let Some(page) = pages.next(client, (limit - found.count).min(PAGE_ROWS_MAX as u64)).await? {
        for row in page.rows.into_iter().filter(|row| seen.insert(row.id)) {
            found.count += 1;
            match form {
                Form::Lines(print) if print(&row) == Reader::Gone => return Ok(found),
                Form::Lines(_) => {}
                Form::Table | Form::Document => found.rows.push(row),
            }
        }
        if found.count >= limit {
            found.more = page.more;
            break;
        }
    }
    Ok(found)
}

const COLUMNS: [Column; 13] = [
    ("ID", Fit::Right),
    ("STATE", Fit::Left),
    ("PRI", Fit::Right),
    ("FILE", Fit::Name),
    ("PROFILE", Fit::Left),
    ("WHERE", Fit::Left),
    ("TRY", Fit::Left),
    ("UPDATED", Fit::Right),
    ("DONE", Fit::Right),
    ("IN", Fit::Wide),
    ("OUT", Fit::Wide),
    ("CLASS", Fit::Hidden),
    ("CAUSE", Fit::Text),
];

fn cells(row: &JobRow, now_ms: i64, look: &Look) -> Vec<Cell> {
    let size = |n: u64| if n == 0 { Cell::new("-", n) } else { Cell::new(bytes(n), n) };
    let updated = words::time_or_day(row.updated_ms, now_ms, &look.zone);
    let done = row.progress.map(|p| {
        Cell::new(format!("{}%", p.permille / 10), format!("{:.3}", f64::from(p.permille) / 1000.0))
    });
    vec![
        row.id.into(),
        text::state(row).into(),
        row.priority.0.into(),
        row.source.shown().into(),
        row.profile.as_str().into(),
        Cell::new(if row.place.is_empty() { "-" } else { &row.place }, &row.place),
        format!("{}/{}", row.retries, row.retries_max).into(),
        Cell::new(updated, rfc3339(row.updated_ms)),
        done.unwrap_or_else(|| "".into()),
        size(row.bytes_in),
        size(row.bytes_out),
        row.class.map_or("", |class| class.word()).into(),
        row.cause.as_str().into(),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_order_is_a_column_and_a_direction() {
        assert_eq!(sort("updated:desc"), Ok(Sort { by: SortBy::Updated, reversed: true }));
        assert_eq!(sort("where"), Ok(Sort { by: SortBy::Place, reversed: false }));
        assert!(sort("colour").is_err_and(|error| error.contains("priority")));
        assert!(sort("id:up").is_err());
    }
}
