//! Questions with one answer that several commands ask.

use vc_protocol::id::JobId;
use vc_protocol::job::JobState;
use vc_protocol::operator::filter::Kind;
use vc_protocol::operator::filter::Test;
use vc_protocol::operator::{JobDetail, JobFilter, PAGE_ROWS_MAX, Page, Request, Response, Snapshot, Sort};

use super::exit::Failed;
use crate::operator::client::{Client, ClientError};

/// Takes the one kind of answer that fits the question.
macro_rules! answer {
    ($client:expr, $request:expr, $pattern:pat => $value:expr) => {{
        let $pattern = $client.request($request).await? else { return Err(ClientError::Unexpected.into()) };
        $value
    }};
}

pub(super) use answer;

/// The farm as it is.
pub(super) async fn snapshot(client: &mut Client) -> Result<Snapshot, Failed> {
    Ok(answer!(client, &Request::Snapshot, Response::Snapshot(snapshot) => *snapshot))
}

/// One job.
pub(super) async fn detail(client: &mut Client, job: JobId) -> Result<JobDetail, Failed> {
    Ok(answer!(client, &Request::Job(job), Response::Detail(detail) => *detail))
}

/// The rows that a filter finds, page by page.
pub(super) struct Pages {
    filter: JobFilter,
    sort: Sort,
    offset: u64,
    /// Jobs that a search has looked at.
    seen: u64,
    is_over: bool,
}

impl Pages {
    pub(super) fn new(filter: JobFilter, sort: Sort) -> Pages {
        Pages { filter, sort, offset: 0, seen: 0, is_over: false }
    }

    /// The next page, of at most so many rows; none after the last one.
    pub(super) async fn next(&mut self, client: &mut Client, limit: u64) -> Result<Option<Page>, Failed> {
        if self.is_over {
            return Ok(None);
        }
        let request = Request::Jobs {
            filter: self.filter.clone(),
            sort: self.sort,
            offset: self.offset,
            limit: limit.min(PAGE_ROWS_MAX as u64) as u32,
        };
        let page = answer!(client, &request, Response::Page(page) => page);
        self.offset += page.rows.len() as u64;
        // A search that has not looked at everything may have found nothing yet, but must have come further.
        let came_further =
            page.scanned.is_some_and(|scanned| scanned.seen > self.seen && scanned.seen < scanned.of);
        self.seen = page.scanned.map_or(0, |scanned| scanned.seen);
        self.is_over = !came_further && (!page.more || page.rows.is_empty());
        Ok(Some(page))
    }
}

/// The same jobs, as long as they are also any of these.
pub(super) fn narrowed(filter: &JobFilter, states: impl IntoIterator<Item = JobState>) -> JobFilter {
    let mut filter = filter.clone();
    filter.terms.push(Test::Is(states.into_iter().map(Kind::State).collect()).term());
    filter
}
