//! What a job costs in memory and in time, from a thousand pending jobs to a million.
//!
//! `cargo test -p vc-farm --test scale -- --ignored --nocapture` prints the figures.

use std::time::Instant;

use vc_farm::effect::Effect;
use vc_farm::event::{AgentEvent, Event, Millis, NewJob, Now};
use vc_farm::record::Group;
use vc_farm::{Farm, FarmConfig};
use vc_protocol::agent::{Outcome, Report};
use vc_protocol::device::{Device, DeviceKind};
use vc_protocol::id::{AgentId, AttemptId, BatchId, DeviceId, JobId, ProfileId, RootId, SessionNo};
use vc_protocol::job::Priority;
use vc_protocol::profile::VideoCodec;

const NOW: Now = Now { mono: Millis(1_000), wall_ms: 1_700_000_000_000 };
const AGENTS: u32 = 1_000;
const RESULTS: usize = 20_000;

fn resident_bytes() -> u64 {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    statm.split(' ').nth(1).and_then(|pages| pages.parse::<u64>().ok()).unwrap_or(0) * 4096
}

fn jobs(count: u64) -> Vec<NewJob> {
    let group = |id: u64| Group {
        source_root: RootId(1),
        output_root: RootId(2),
        profile: ProfileId(1),
        codec: VideoCodec::H264,
        batch: BatchId(u32::try_from(id % 5).unwrap_or(0)),
    };
    let cost = |id: u64| id.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 20;
    (1..=count)
        .map(|id| NewJob { id: JobId(id), group: group(id), priority: Priority::DEFAULT, cost: cost(id) })
        .collect()
}

fn connect(farm: &mut Farm, out: &mut Vec<Effect>) {
    for agent in 1..=AGENTS {
        let device = Device {
            id: DeviceId(0),
            kind: DeviceKind::Cpu,
            name: "cpu".to_owned(),
            slots: 2,
            codecs: vec![VideoCodec::H264],
        };
        let connected = AgentEvent::Connected { instance: 1, devices: vec![device], inventory: Vec::new() };
        let said =
            [connected, AgentEvent::RootProof(RootId(1), Ok(())), AgentEvent::RootProof(RootId(2), Ok(()))];
        for event in said {
            farm.apply(NOW, Event::Agent(AgentId(agent), SessionNo(u64::from(agent)), event), out);
        }
    }
}

fn skipped(attempt: AttemptId) -> Box<Report> {
    Box::new(Report::blank(attempt, Outcome::Skipped("there".to_owned())))
}

#[test]
#[ignore = "prints figures; takes a quiet machine and a few hundred megabytes"]
fn cost_of_a_job_from_a_thousand_to_a_million() {
    for pending in [1_000, 100_000, 1_000_000] {
        let before = resident_bytes();
        let mut farm = Farm::new(FarmConfig::default(), NOW);
        let mut out = Vec::new();
        for chunk in jobs(pending + u64::from(AGENTS) * 4 + RESULTS as u64).chunks(10_000) {
            farm.apply(NOW, Event::Added(chunk.to_vec()), &mut out);
        }
        let bytes = resident_bytes().saturating_sub(before);
        connect(&mut farm, &mut out);
        let started = Instant::now();
        let mut results = 0;
        while results < RESULTS {
            let offers: Vec<Effect> = std::mem::take(&mut out);
            for effect in offers {
                if let Effect::Offer { agent, session, attempt, .. } = effect {
                    let report = AgentEvent::Report(skipped(attempt));
                    farm.apply(NOW, Event::Agent(agent, session, report), &mut out);
                    results += 1;
                }
            }
        }
        let rate = results as f64 / started.elapsed().as_secs_f64();
        println!("{pending:>8} pending: {} bytes a job, {rate:.0} results a second", bytes / pending);
    }
}
