//! Questions with one answer that several commands ask.

use vc_protocol::id::JobId;
use vc_protocol::operator::{JobDetail, JobFilter, Page, Request, Response, Snapshot, Sort};

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
/// The farm now.
pub(super) async fn snapshot(client: &mut Client) -> Result<Snapshot, Failed> {
    Ok(answer!(client, &Request::Snapshot, Response::Snapshot(snapshot) => *snapshot))
}

/// One page of jobs.
pub(super) async fn page(
    client: &mut Client,
    filter: &JobFilter,
    offset: u64,
    limit: u32,
) -> Result<Page, Failed> {
    let request = &Request::Jobs { filter: filter.clone(), sort: Sort::default(), offset, limit };
    Ok(answer!(client, request, Response::Page(page) => page))
}

/// One job.
pub(super) async fn detail(client: &mut Client, job: JobId) -> Result<JobDetail, Failed> {
    Ok(answer!(client, &Request::Job(job), Response::Detail(detail) => *detail))
}
