//! What a person should look at, in words: most urgent first. Pure.

use vc_certs::MEMBER_LIFE_S;
use vc_farm::explain::WhyNot;
use vc_farm::record::Pause;
use vc_protocol::id::JobId;
use vc_protocol::job::JobState;
use vc_protocol::operator::{AgentState, AgentView, DeviceState, Need};

use crate::store::CauseGroup;

/// Less room than this where outputs go is worth a warning: a few hours of encoding.
const DISK_LOW_BYTES: u64 = 2 * 1024 * 1024 * 1024;
/// Left of an agent's certificate from which on a person should look why it was not renewed: a fifth of its life. The
/// agent has tried since the half.
const CERT_LOW_MS: i64 = MEMBER_LIFE_S * 1000 / 5;
const DAY_MS: i64 = 24 * 60 * 60 * 1000;
/// Jobs named with a need.
pub(super) const JOBS_NAMED: usize = 5;

/// What the list is made from.
pub(super) struct Facts<'a> {
    pub(super) halted: Option<&'a str>,
    pub(super) agents: &'a [AgentView],
    /// The wall clock, milliseconds since 1970.
    pub(super) now_ms: i64,
    pub(super) groups: &'a [CauseGroup],
    /// Jobs that are not final.
    pub(super) open: u64,
    /// Agents that held something when the console started, and were not heard since.
    pub(super) unreported: usize,
    pub(super) output_free: Option<u64>,
    pub(super) paused: Option<&'a Pause>,
}

/// The list.
pub(super) fn list(facts: &Facts<'_>) -> Vec<Need> {
    let mut needs = Vec::new();
    if let Some(reason) = facts.halted {
        needs.push(need("store", "", format!("nothing is handed out: {reason}"), Vec::new()));
    }
    if let Some(pause) = facts.paused {
        needs.push(need("paused", "", WhyNot::Paused(pause.clone()).to_string(), Vec::new()));
    }
    if facts.open > 0 && facts.agents.iter().all(|agent| agent.state == AgentState::Offline) {
        let text = match facts.agents.len() {
            0 => "no agent has joined; `vc-console token create` prints the line for one".to_owned(),
            _ => "no agent is connected".to_owned(),
        };
        let jobs = if facts.open == 1 { "1 job".to_owned() } else { format!("{} jobs", facts.open) };
        needs.push(need("agents", &jobs, text, Vec::new()));
    }
    if facts.unreported > 0 {
        let agents =
            if facts.unreported == 1 { "1 agent".to_owned() } else { format!("{} agents", facts.unreported) };
        let text = "not heard since the console started: what became of the jobs there is not known yet";
        needs.push(need("agents", &agents, text.to_owned(), Vec::new()));
    }
    for group in facts.groups {
        needs.push(of_group(group));
    }
    for agent in facts.agents {
        needs.extend(of_agent(agent));
        needs.extend(of_certificate(agent, facts.now_ms));
    }
    if let Some(free) = facts.output_free.filter(|free| *free < DISK_LOW_BYTES) {
        let text = format!("{} MiB free where outputs go", free / (1024 * 1024));
        needs.push(need("disk", "", text, Vec::new()));
    }
    needs
}

fn of_group(group: &CauseGroup) -> Need {
    let kind = if group.state == JobState::Held { "held" } else { "failed" };
    let files = if group.count == 1 { "1 file".to_owned() } else { format!("{} files", group.count) };
    need(kind, &files, group.cause.clone(), group.jobs.clone())
}

fn of_agent(agent: &AgentView) -> Vec<Need> {
    let mut needs = Vec::new();
    let about = |kind, text, jobs| Need { agent: Some(agent.id), ..need(kind, &agent.name, text, jobs) };
    let jobs: Vec<JobId> =
        agent.devices.iter().flat_map(|device| &device.runs).map(|run| run.attempt.job).collect();
    // Without a number of seconds, which would change the picture ten times a second: screens count down themselves.
    let gives_back = agent.state == AgentState::Offline || agent.gives_back_s.is_some();
    if gives_back && !jobs.is_empty() {
        let count = if jobs.len() == 1 { "1 job goes".to_owned() } else { format!("{} jobs go", jobs.len()) };
        let text = format!("{count} back to pending unless it returns");
        needs.push(about("offline", text, jobs.into_iter().take(JOBS_NAMED).collect()));
    }
    for device in &agent.devices {
        if let DeviceState::Quarantined { why, until_ms, .. } = &device.state {
            let next = match until_ms {
                Some(_) => "a self-test follows",
                None => "for the third time in a day; it stays so until you release it",
            };
            let what = format!("{}/{}", agent.name, device.short);
            let jobs = device.runs.iter().map(|run| run.attempt.job).take(JOBS_NAMED).collect();
            needs.push(Need { what, ..about("device", format!("quarantined: {why}; {next}"), jobs) });
        }
    }
    for folder in &agent.unproven {
        needs.push(about("folder", folder.clone(), Vec::new()));
    }
    needs
}

/// In whole days, so that the picture does not change with every look.
fn of_certificate(agent: &AgentView, now_ms: i64) -> Option<Need> {
    let left_ms = agent.cert_ends_ms?.saturating_sub(now_ms);
    let ends = match left_ms {
        ..=0 => "has ended".to_owned(),
        1..DAY_MS => "ends within a day".to_owned(),
        DAY_MS..CERT_LOW_MS => format!("ends in {} d", left_ms / DAY_MS),
        CERT_LOW_MS.. => return None,
    };
    let text = format!(
        "its certificate {ends} and is not renewed: the agent's log says why; `vc-agent join --force` there with a new \
         line helps"
    );
    Some(Need { agent: Some(agent.id), ..need("cert", &agent.name, text, Vec::new()) })
}

fn need(kind: &str, what: &str, text: String, jobs: Vec<JobId>) -> Need {
    Need { kind: kind.to_owned(), what: what.to_owned(), text, jobs, agent: None }
}

#[cfg(test)]
mod tests {
    use vc_protocol::operator::DeviceView;

    use super::*;

    fn agent(state: AgentState, unproven: &[&str]) -> AgentView {
        AgentView {
            id: vc_protocol::id::AgentId(1),
            name: "ada".into(),
            state,
            unproven: unproven.iter().map(|text| (*text).to_owned()).collect(),
            ..AgentView::default()
        }
    }

    fn kinds(facts: &Facts<'_>) -> Vec<String> {
        list(facts).into_iter().map(|need| need.kind).collect()
    }

    #[test]
    fn what_stops_everything_comes_first() {
        let group = CauseGroup {
            state: JobState::Failed,
            cause: "moov atom not found".into(),
            count: 2,
            jobs: vec![JobId(1), JobId(2)],
        };
        let offline = [agent(AgentState::Offline, &[])];
        let pause = Pause { who: "ana".into(), why: String::new(), since_ms: 0 };
        let facts = Facts {
            halted: Some("disk full"),
            agents: &offline,
            now_ms: 0,
            groups: &[group],
            open: 3,
            unreported: 1,
            output_free: Some(1),
            paused: Some(&pause),
        };
        assert_eq!(kinds(&facts), ["store", "paused", "agents", "agents", "failed", "disk"]);
    }

    #[test]
    fn a_quiet_farm_needs_nobody() {
        let agents = [agent(AgentState::Ok, &[])];
        let facts = Facts {
            halted: None,
            agents: &agents,
            now_ms: 0,
            groups: &[],
            open: 3,
            unreported: 0,
            output_free: None,
            paused: None,
        };
        assert_eq!(kinds(&facts), [""; 0]);
        let state = DeviceState::Quarantined { why: "out of memory".into(), until_ms: None, testing: false };
        let device = DeviceView { short: "gpu1".into(), state, ..DeviceView::default() };
        let ill = [AgentView { devices: vec![device], ..agent(AgentState::Ok, &[]) }];
        let need = list(&Facts { agents: &ill, ..facts }).remove(0);
        assert_eq!(
            (need.kind.as_str(), need.what.as_str(), need.agent),
            ("device", "ada/gpu1", Some(ill[0].id))
        );
        assert!(need.text.ends_with("it stays so until you release it"));
        let agents = [agent(AgentState::Ok, &["/media: no such folder"])];
        assert_eq!(kinds(&Facts { agents: &agents, ..facts }), ["folder"]);
        let text = |left_ms| {
            let agents = [AgentView { cert_ends_ms: Some(left_ms), ..agent(AgentState::Ok, &[]) }];
            list(&Facts { agents: &agents, ..facts }).pop().map(|need| (need.kind, need.text))
        };
        assert_eq!(text(6 * DAY_MS), None);
        for (left_ms, words) in [
            (6 * DAY_MS - 1, "ends in 5 d"),
            (DAY_MS - 1, "within a day"),
            (0, "has ended"),
            (-1, "has ended"),
        ] {
            let (kind, text) = text(left_ms).unwrap();
            assert!(kind == "cert" && text.contains(words), "{kind}: {text}");
        }
    }
}
