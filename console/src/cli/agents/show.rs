//! `agents show`: all that is known of an agent, in words.

use vc_protocol::device::{BoxFacts, DeviceUse, EncoderFacts};
use vc_protocol::operator::{AgentDetail, DeviceDetail, DeviceState, DeviceView};

use super::{busy, problems, shown, state};
use crate::cli::size::{bytes, rfc3339, seconds};
use crate::cli::{json, text};
use crate::trials::{self, Verdict};

pub(super) fn show(detail: &AgentDetail, as_json: bool) {
    if as_json {
        text::json_out(&json::line(json::agent_detail(detail)));
    } else {
        text::out(&lines(detail).join("\n"));
    }
}

fn lines(detail: &AgentDetail) -> Vec<String> {
    let view = &detail.view;
    let mut lines = vec![
        format!("agent     {}, number {}", view.name, view.id),
        format!("state     {}, {} busy", state(view), busy(view)),
        format!("jobs      {} completed, {} attempts failed", view.completed, view.failed),
    ];
    let mut fact = |name: &str, text: String| {
        if !text.is_empty() {
            lines.push(format!("{name:<9} {text}"));
        }
    };
    fact("address", view.address.clone());
    fact("way", way(detail));
    fact("version", view.version.clone());
    fact("ffmpeg", view.ffmpeg.clone());
    fact("box", detail.host.as_ref().map(box_facts).unwrap_or_default());
    fact("clock", detail.clock_ms.map_or_else(String::new, |ms| format!("{ms:+} ms from the console's")));
    let ends = view.cert_ends_ms.map(|ms| format!("ends {}", rfc3339(ms)));
    let serial = Some(format!("serial {}", detail.cert_serial)).filter(|_| !detail.cert_serial.is_empty());
    fact("cert", [ends, serial].into_iter().flatten().collect::<Vec<_>>().join(", "));
    problems(view).into_iter().for_each(|problem| fact("!", problem));
    for device in &view.devices {
        lines.extend(device_lines(device, detail.devices.iter().find(|more| more.id == device.id)));
    }
    lines
}

fn way(detail: &AgentDetail) -> String {
    let silent = detail.view.silent_ms.map(|ms| format!("heard {} ago", seconds(ms as f64 / 1000.0)));
    let rtt = detail.view.rtt_us.map(|us| format!("round trip {:.1} ms", us as f64 / 1000.0));
    let lost = detail.lost_permille.map(|permille| format!("{:.1}% lost", f64::from(permille) / 10.0));
    [silent, rtt, lost].into_iter().flatten().collect::<Vec<_>>().join(", ")
}

fn box_facts(host: &BoxFacts) -> String {
    let system = Some(host.system.clone()).filter(|system| !system.is_empty());
    let cores = (host.cores > 0).then(|| format!("{} cores", host.cores));
    let load = host.load.map(|load| format!("load {:.2}", f64::from(load) / 100.0));
    let memory = host.memory.zip(host.memory_total);
    let memory = memory.map(|(used, all)| format!("memory {} of {}", bytes(used), bytes(all)));
    let up = host.up_s.map(|s| format!("up {}", seconds(s as f64)));
    [system, cores, load, memory, up].into_iter().flatten().collect::<Vec<_>>().join(", ")
}

fn device_lines(device: &DeviceView, more: Option<&DeviceDetail>) -> Vec<String> {
    let state = match &device.state {
        DeviceState::Ok => "ok".to_owned(),
        DeviceState::Draining => "draining".to_owned(),
        DeviceState::Quarantined { testing: true, .. } => "quarantined, being tested".to_owned(),
        DeviceState::Quarantined { until_ms: Some(ms), .. } => {
            format!("quarantined, tested {}", rfc3339(*ms))
        }
        DeviceState::Quarantined { until_ms: None, .. } => {
            "quarantined until a person releases it".to_owned()
        }
    };
    let name = if device.short.is_empty() { String::new() } else { format!(" {}", device.name) };
    let runs = device.runs.len().min(usize::from(device.slots));
    let mut lines = vec![format!("device    {}{name}  {state}  {runs}/{} busy", shown(device), device.slots)];
    for (fact, value) in more.into_iter().flat_map(|more| &more.facts) {
        lines.push(format!("  {fact:<12} {value}"));
    }
    lines.push(format!("  use          {}", load(device.load)));
    let names = more.into_iter().flat_map(|more| &more.encoders).map(|encoder| encoder.name.len());
    let names = names.max().unwrap_or(0).max(12);
    for encoder in more.into_iter().flat_map(|more| &more.encoders) {
        lines.push(format!("  {:<names$} {}", encoder.name, tried(encoder)));
    }
    if let Some(learned) = more.map(|more| &more.learned).filter(|learned| !learned.is_empty()) {
        lines.push(format!("  slots        {learned}"));
    }
    for run in &device.runs {
        let progress = run.progress;
        lines.push(format!(
            "  job {} {}  {} {}%  {:.1}x",
            run.attempt.job,
            run.source,
            progress.phase.word(),
            progress.permille / 10,
            progress.speed
        ));
    }
    lines
}

/// What is known of how busy it is.
fn load(load: DeviceUse) -> String {
    let percent = |name: &str, part: Option<u16>| part.map(|part| format!("{name} {}%", part / 10));
    let memory = match (load.memory, load.memory_total) {
        (Some(used), Some(all)) => Some(format!("memory {} of {}", bytes(used), bytes(all))),
        (Some(used), None) => Some(format!("memory {}", bytes(used))),
        (None, _) => None,
    };
    let known = [
        percent("encode", load.encode),
        percent("decode", load.decode),
        memory,
        load.celsius.map(|celsius| format!("{celsius} C")),
        load.watts.map(|watts| format!("{watts} W")),
    ];
    let known: Vec<String> = known.into_iter().flatten().collect();
    if known.is_empty() { "-".to_owned() } else { known.join(", ") }
}

/// `8 bit: quality 412 fps 46.1 dB; 10 bit: quality 201 fps 45.0 dB`
fn tried(encoder: &EncoderFacts) -> String {
    match trials::verdict(encoder) {
        Verdict::Fails(problem) => format!("does not work: {problem}"),
        Verdict::Untried => "not tried yet".to_owned(),
        Verdict::Works => {
            let depths =
                trials::by_depth(encoder).into_iter().map(|(depth, told)| format!("{depth}: {told}"));
            let told = depths.collect::<Vec<_>>().join("; ");
            if told.is_empty() { "works".to_owned() } else { told }
        }
    }
}

#[cfg(test)]
mod tests {
    use vc_protocol::device::{RateMode, TrialFacts};
    use vc_protocol::id::DeviceId;

    use super::*;

    #[test]
    fn a_card_is_told_with_its_marks_its_use_and_each_encoder() {
        let load = DeviceUse {
            encode: Some(971),
            memory: Some(6_100_000_000),
            celsius: Some(64),
            ..DeviceUse::default()
        };
        let card = DeviceView {
            id: DeviceId(1),
            name: "RTX 4090".into(),
            short: "gpu0".into(),
            slots: 3,
            load,
            ..DeviceView::default()
        };
        let trial = |bits| TrialFacts {
            bits,
            rate: RateMode::Quality,
            problem: String::new(),
            fps: Some(412.0),
            psnr_db: Some(46.1),
        };
        let encoder = |name: &str, problem: &str, trials| EncoderFacts {
            name: name.into(),
            problem: problem.into(),
            fps: None,
            trials,
        };
        let more = DeviceDetail {
            id: DeviceId(1),
            facts: vec![("PCI".into(), "0000:01:00.0".into())],
            encoders: vec![
                encoder("hevc_vulkan", "", vec![trial(8), trial(10)]),
                encoder("prores_ks_vulkan", "no such queue", vec![]),
                encoder("av1_nvenc", "", vec![]),
            ],
            encode_history: vec![],
            decode_history: vec![],
            learned: "3: the driver refuses a fourth".into(),
        };
        let expected = [
            "device    gpu0 RTX 4090  ok  0/3 busy",
            "  PCI          0000:01:00.0",
            "  use          encode 97%, memory 6.10 GB, 64 C",
            "  hevc_vulkan      8 bit: quality 412 fps 46.1 dB; 10 bit: quality 412 fps 46.1 dB",
            "  prores_ks_vulkan does not work: no such queue",
            "  av1_nvenc        not tried yet",
            "  slots        3: the driver refuses a fourth",
        ];
        assert_eq!(device_lines(&card, Some(&more)), expected);
    }
}
