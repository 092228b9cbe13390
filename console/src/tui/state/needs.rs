//! What needs a person, and where the dashboard goes for it.

use vc_protocol::id::{AgentId, DeviceId, JobId};
use vc_protocol::operator::{AgentView, Need, Snapshot};

use super::detail::{Detail, Tab};
use super::{Millis, Screen, State, agent};

/// Where a need is looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum NeedTarget {
    Job(JobId),
    /// The group of failures whose cause or example this is.
    Failures(String),
    Agent(AgentId, Option<DeviceId>),
    Agents,
    Events,
}

/// Where that is.
pub(crate) fn target(need: &Need, snapshot: &Snapshot) -> NeedTarget {
    let named = |name: &str| snapshot.agents.iter().find(|agent| agent.name == name);
    let by_id = need.agent.and_then(|id| snapshot.agents.iter().find(|agent| agent.id == id));
    let (name, device) = match need.what.split_once('/') {
        Some((name, device)) => (name, Some(device)),
        None => (need.what.as_str(), None),
    };
    match (need.kind.as_str(), &need.jobs[..], by_id.or_else(|| named(name))) {
        ("failed" | "held", [job], _) => NeedTarget::Job(*job),
        ("failed" | "held", ..) => NeedTarget::Failures(need.text.clone()),
        (_, _, Some(agent)) => NeedTarget::Agent(agent.id, device.and_then(|short| device_of(agent, short))),
        ("agents" | "device" | "folder" | "offline" | "cert", ..) => NeedTarget::Agents,
        _ => NeedTarget::Events,
    }
}

/// Goes to the next or the previous need, round and round.
pub(super) fn jump(state: &mut State, now: Millis, by: isize) {
    let Some(snapshot) = &state.snapshot else { return };
    state.overview.next_need(snapshot, by);
    let at = state.overview.need;
    let Some(need) = snapshot.needs.get(at) else { return state.say(now, "nothing needs you") };
    let target = target(need, snapshot);
    let told = format!("{} of {}: {} {}: {}", at + 1, snapshot.needs.len(), need.kind, need.what, need.text);
    go(state, target);
    state.say(now, told);
}

/// Goes there.
pub(super) fn go(state: &mut State, target: NeedTarget) {
    (state.detail, state.agent) = (None, None);
    match target {
        NeedTarget::Job(job) => state.detail = Some(Detail::new(job, Tab::Summary)),
        NeedTarget::Failures(cause) => {
            state.screen = Screen::Failures;
            state.failures.select(cause);
        }
        NeedTarget::Agent(id, device) => agent::open(state, id, device),
        NeedTarget::Agents => state.screen = Screen::Agents,
        NeedTarget::Events => state.screen = Screen::Events,
    }
}

fn device_of(agent: &AgentView, short: &str) -> Option<DeviceId> {
    agent.devices.iter().find(|device| device.short == short).map(|device| device.id)
}

#[cfg(test)]
mod tests {
    use vc_protocol::operator::DeviceView;

    use super::*;

    #[test]
    fn every_need_leads_to_where_something_can_be_done_about_it() {
        let gpu1 = DeviceView { id: DeviceId(1), short: "gpu1".into(), ..DeviceView::default() };
        let fox =
            AgentView { id: AgentId(6), name: "fox".into(), devices: vec![gpu1], ..AgentView::default() };
        let farm = Snapshot { agents: vec![fox], ..Snapshot::default() };
        let check = |kind: &str, what: &str, jobs: &[u64], expected: NeedTarget| {
            let need = Need {
                kind: kind.into(),
                what: what.into(),
                text: "moov atom not found".into(),
                agent: None,
                jobs: jobs.iter().map(|id| JobId(*id)).collect(),
            };
            assert_eq!(target(&need, &farm), expected, "{kind} {what}");
        };
        let group = NeedTarget::Failures("moov atom not found".into());
        check("failed", "1 file", &[7], NeedTarget::Job(JobId(7)));
        check("failed", "2 files", &[7, 8], group.clone());
        check("held", "9 files", &[], group);
        check("device", "fox/gpu1", &[], NeedTarget::Agent(AgentId(6), Some(DeviceId(1))));
        check("device", "fox/gpu9", &[], NeedTarget::Agent(AgentId(6), None));
        check("offline", "fox", &[7, 8], NeedTarget::Agent(AgentId(6), None));
        check("folder", "gone", &[], NeedTarget::Agents);
        check("agents", "3 jobs", &[], NeedTarget::Agents);
        check("store", "", &[], NeedTarget::Events);
        check("unheard of", "", &[], NeedTarget::Events);
    }
}
