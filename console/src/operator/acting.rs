//! Requests that change something: jobs, agents, the farm as a whole.

use vc_protocol::id::{AgentId, JobId};
use vc_protocol::operator::{
    Acted, AgentAction, IDS_MAX, JobAction, RefusalCode, Response, Selection, StopHow,
};

use super::members::answer_of;
use super::service::{Service, refused, unavailable};
use crate::engine::handle::{CallError, Handle};
use crate::engine::orders::Order;

/// Jobs acted on in one turn of the engine: agents and other operators wait no longer than for these.
const JOBS_A_TURN: usize = 1_000;

/// Carries out a [`vc_protocol::operator::Request::Act`].
pub(super) async fn act(
    engine: &Handle,
    action: JobAction,
    jobs: Selection,
    expect: Option<u64>,
    who: &str,
) -> Response {
    let is_filter = matches!(jobs, Selection::Filter(_));
    let ids = match engine.select(jobs).await {
        Ok(ids) => ids,
        Err(error) => return unavailable(error),
    };
    if let Some(expect) = expect.filter(|expect| is_filter && *expect != ids.len() as u64) {
        let message = format!("the filter finds {} jobs, no longer {expect}: look again", ids.len());
        return refused(RefusalCode::Changed, message);
    }
    act_on_all(engine, action, &ids, who).await.map_or_else(unavailable, Response::Acted)
}

async fn act_on_all(
    engine: &Handle,
    action: JobAction,
    ids: &[JobId],
    who: &str,
) -> Result<Acted, CallError> {
    let mut acted = Acted::default();
    for ids in ids.chunks(JOBS_A_TURN) {
        let now = engine.act(action, ids.to_vec(), who).await?;
        acted.count += now.count;
        acted.done.extend(now.done);
        acted.left.extend(now.left);
        acted.done.truncate(IDS_MAX);
        acted.left.truncate(IDS_MAX);
    }
    Ok(acted)
}

/// Carries out a [`vc_protocol::operator::Request::OnAgent`].
pub(super) async fn on_agent(service: &Service, agent: AgentId, action: AgentAction, who: &str) -> Response {
    let engine = &service.engine;
    let order = match action {
        AgentAction::Revoke => return service.members.revoke(engine, agent, who).await,
        AgentAction::Rename(name) => return service.members.rename(engine, agent, &name, who).await,
        AgentAction::Drain { device, kill } => Order::Drain { agent, device, kill },
        AgentAction::Undrain(device) => Order::Undrain(agent, device),
        AgentAction::Release(device) => Order::Release(agent, device),
        AgentAction::SelfTest(device) => Order::SelfTest(agent, device),
    };
    order_it(engine, order, who).await
}

/// Carries out an order and says so.
pub(super) async fn order_it(engine: &Handle, order: Order, who: &str) -> Response {
    answer_of(engine.order(order, who).await)
}

/// Pauses nothing for good: whoever starts the server again gets a farm that works.
pub(super) async fn stop(service: &Service, how: StopHow, who: &str) -> Response {
    let order = match how {
        StopHow::Leave => None,
        StopHow::Drain => Some(Order::Close),
        StopHow::Now => Some(Order::Recall),
    };
    if let Some(order) = order {
        let answer = order_it(&service.engine, order, who).await;
        if !matches!(answer, Response::Done(_)) {
            return answer;
        }
    }
    tracing::info!(who, ?how, "an operator asked the server to end");
    Response::Stopping
}

/// Hands out again, and takes back a stop that waits for what runs.
pub(super) async fn resume(service: &Service, who: &str) -> Response {
    let answer = order_it(&service.engine, Order::Resume, who).await;
    service.stop_asked.send_if_modified(|asked| asked.take_if(|how| *how == StopHow::Drain).is_some());
    answer
}
