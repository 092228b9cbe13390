//! `events`: what happened and who did it, oldest first, and what happens from here on.

use clap::Args;
use serde_json::json;
use vc_protocol::id::JobId;
use vc_protocol::operator::{EVENTS_MAX, EventView, Request, Response};

use super::ask::answer;
use super::exit::{Exit, Failed};
use super::follow::Stream;
use super::json;
use super::size::rfc3339;
use super::table::{self, Audience, Cell, Column, Fit};
use super::target::Target;
use super::text::{Reader, json_out, json_part, note, part};
use super::when::{self, Moment};
use crate::operator::client::{Client, ClientError};
use crate::tui::{Look, words};
use crate::wall::wall_ms;

/// Events shown when nothing is said about how many.
const SHOWN: u64 = 100;
/// Events of before that a follower sees first.
const SHOWN_BEFORE: u64 = 10;

#[derive(Args)]
pub(super) struct EventsArgs {
    /// Go on with what happens
    #[arg(long, short)]
    follow: bool,
    /// From this time on: 2h (ago), 3d, or 2026-01-31T12:00:00Z
    #[arg(long, value_name = "TIME", value_parser = when::moment)]
    since: Option<Moment>,
    /// Only those of this job
    #[arg(long, value_name = "JOB")]
    job: Option<JobId>,
    /// The last so many [default: 100, with --follow 10, with --since all]
    #[arg(long, value_name = "EVENTS")]
    limit: Option<u64>,
    /// One JSON document
    #[arg(long, conflicts_with = "follow")]
    json: bool,
    /// A JSON object a line
    #[arg(long, conflicts_with = "json")]
    jsonl: bool,
}

impl EventsArgs {
    fn limit(&self) -> u64 {
        self.limit.unwrap_or(match (self.since, self.follow) {
            (Some(_), _) => u64::MAX,
            (None, true) => SHOWN_BEFORE,
            (None, false) => SHOWN,
        })
    }
}

pub(super) async fn events(target: &Target, args: &EventsArgs) -> Result<Exit, Failed> {
    let mut client = target.connect().await?;
    let newest = newest(&mut client).await?;
    let events = past(&mut client, args, newest).await?;
    if args.json {
        json_out(&json!({ "v": 1, "events": events.iter().map(json::event).collect::<Vec<_>>() }));
        return Ok(Exit::Done);
    }
    let form = Form { as_objects: args.jsonl, audience: Audience::of_stdout(), look: Look::detect() };
    for event in &events {
        if form.print(event) == Reader::Gone {
            return Ok(Exit::Done);
        }
    }
    if args.follow {
        return follow(target, args.job, newest, &form).await;
    }
    if events.is_empty() && !args.jsonl {
        note("nothing has happened");
    }
    Ok(Exit::Done)
}

/// Number of the last event, 0 if there is none.
async fn newest(client: &mut Client) -> Result<u64, Failed> {
    let request = Request::Events { before: None, job: None, limit: 1 };
    let events = answer!(client, &request, Response::Events(events) => events);
    Ok(events.first().map_or(0, |event| event.no))
}

/// Events that are wanted up to that one, oldest first.
async fn past(client: &mut Client, args: &EventsArgs, newest: u64) -> Result<Vec<EventView>, Failed> {
    let since_ms = args.since.map_or(i64::MIN, |since| since.ms(wall_ms()));
    let limit = args.limit();
    let mut events: Vec<EventView> = Vec::new();
    let mut before = Some(newest + 1);
    while (events.len() as u64) < limit {
        let wanted = (limit - events.len() as u64).min(u64::from(EVENTS_MAX)) as u32;
        let request = Request::Events { before, job: args.job, limit: wanted };
        let page = answer!(client, &request, Response::Events(events) => events);
        let Some(last) = page.last() else { break };
        before = Some(last.no);
        let is_last = last.at_ms < since_ms;
        events.extend(page.into_iter().filter(|event| event.at_ms >= since_ms));
        if is_last {
            break;
        }
    }
    events.reverse();
    Ok(events)
}

/// Prints what happens after that event, until the reader had enough.
async fn follow(target: &Target, job: Option<JobId>, after: u64, form: &Form) -> Result<Exit, Failed> {
    let mut stream = Stream::open(target.server()?, &Request::FollowEvents(after)).await?;
    loop {
        let Response::Events(events) = stream.next().await? else {
            return Err(ClientError::Unexpected.into());
        };
        for event in events.iter().filter(|event| job.is_none() || event.job == job) {
            if form.print(event) == Reader::Gone {
                return Ok(Exit::Done);
            }
        }
    }
}

/// How events leave.
struct Form {
    as_objects: bool,
    audience: Audience,
    look: Look,
}

/// Fields for programs.
const COLUMNS: [Column; 8] = [
    ("NO", Fit::Right),
    ("TIME", Fit::Left),
    ("KIND", Fit::Left),
    ("WHO", Fit::Left),
    ("AGENT", Fit::Left),
    ("JOB", Fit::Right),
    ("FILE", Fit::Name),
    ("TEXT", Fit::Text),
];

impl Form {
    fn print(&self, event: &EventView) -> Reader {
        if self.as_objects {
            return json_part(&json::line(json::event(event)));
        }
        match self.audience {
            Audience::Programs => table::print(&COLUMNS, &[cells(event)], self.audience),
            Audience::People(..) => part(&sentence(event, wall_ms(), &self.look)),
        }
    }
}

fn cells(event: &EventView) -> Vec<Cell> {
    vec![
        event.no.into(),
        rfc3339(event.at_ms).into(),
        json::word(event.kind).into(),
        event.who.as_str().into(),
        event.agent.as_str().into(),
        event.job.map_or_else(String::new, |job| job.to_string()).into(),
        event.file.shown().into(),
        event.text.as_str().into(),
    ]
}

/// An event as people read it: when, about what, what, and by whom.
fn sentence(event: &EventView, now_ms: i64, look: &Look) -> String {
    let mut line = words::time(event.at_ms, &look.zone);
    let day = words::time_or_day(event.at_ms, now_ms, &look.zone);
    if day.contains('-') {
        line = format!("{day} {line}");
    }
    if let Some(job) = event.job {
        line += &format!("  #{job}");
    }
    if !event.file.0.is_empty() {
        line += &format!(" {}", event.file);
    }
    line += &format!("  {}", event.text);
    if !event.who.is_empty() {
        line += &format!("  ({})", event.who);
    }
    line
}

#[cfg(test)]
mod tests {
    use jiff::tz::TimeZone;
    use vc_protocol::operator::EventKind;

    use super::*;

    #[test]
    fn an_event_is_one_line_for_people_and_one_for_programs() {
        let event = EventView {
            no: 9,
            at_ms: 1_700_000_000_000,
            kind: EventKind::Operator,
            text: "cancelled".into(),
            who: "ana".into(),
            agent: String::new(),
            job: Some(JobId(41)),
            file: "ep\t1.mkv".into(),
        };
        let look = Look::from_vars(|_| None, TimeZone::UTC);
        assert_eq!(sentence(&event, event.at_ms, &look), "22:13:20  #41 ep\\t1.mkv  cancelled  (ana)");
        let later = event.at_ms + 90_000_000;
        assert_eq!(sentence(&event, later, &look), "11-14 22:13:20  #41 ep\\t1.mkv  cancelled  (ana)");
        assert_eq!(COLUMNS.len(), cells(&event).len());
    }
}
