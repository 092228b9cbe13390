//! One agent in words: the box, its devices with their engines' last five minutes, the jobs there; or its log.

use vc_protocol::device::{BoxFacts, EncoderFacts};
use vc_protocol::operator::{AgentDetail, AgentView, DeviceDetail, DeviceState, DeviceView};
use vc_protocol::path::FilePath;

use super::super::look::Glyphs;
use super::super::state::agent::{AgentRow, OpenAgent};
use super::super::state::agents::runs;
use super::super::state::{Millis, State};
use super::agents::{about, cert_left, or_dash, state_word};
use super::overview::{host, phase_word, progress_cell, silent};
use super::table::{Align, Column, fixed, growing, heads, row, widths};
use super::text::{Line, Role, cut, cut_name, joined, section, wrap};
use super::{busy_slots, chart, words};
use crate::trials::{self, Verdict};
use crate::tui::state::mouse::Hit;

/// From this width on the extra facts of the device under the cursor are shown.
const WIDE: usize = 110;
/// Most lines that one reason takes.
const WHY_ROWS: usize = 2;
/// Width of `100% `.
const PERCENT: usize = 5;

const DEVICES: [Column; 8] = [
    growing("DEVICE", (13, 34), 2, 255),
    fixed("STATE", Align::Left, 8, 20),
    growing("ENC last 5 min", (14, 28), 1, 12),
    growing("DEC last 5 min", (14, 28), 1, 6),
    fixed("VRAM", Align::Left, 8, 7),
    fixed("TEMP", Align::Right, 4, 4),
    fixed("W", Align::Right, 3, 3),
    fixed("SLOTS", Align::Right, 5, 15),
];

const JOBS: [Column; 9] = [
    fixed("ID", Align::Left, 7, 20),
    growing("FILE", (14, 60), 4, 255),
    growing("PROFILE", (12, 16), 1, 2),
    fixed("STATE", Align::Left, 10, 15),
    growing("PROGRESS", (15, 26), 1, 10),
    fixed("FPS", Align::Right, 5, 5),
    fixed("SPEED", Align::Right, 6, 9),
    fixed("ETA", Align::Right, 8, 8),
    fixed("ATTEMPT", Align::Left, 9, 1),
];

pub(super) fn body(state: &State, open: &OpenAgent, columns: usize, rows: usize, now: Millis) -> Vec<Line> {
    let glyphs = state.look.glyphs;
    let Some(view) = open.view(state.snapshot.as_deref()) else {
        let text = open.refused.as_deref().unwrap_or("asking the server");
        return vec![
            Line::default(),
            Line::new(format!("  {}", cut(text, columns.saturating_sub(2), glyphs))),
        ];
    };
    let mut lines = head(state, open, view, columns, now);
    let room = rows.saturating_sub(lines.len());
    if let Some(scroll) = open.log {
        let room = room.saturating_sub(1);
        lines.push(section("Log of the agent", "esc devices", columns, glyphs));
        let all = log(open, columns, glyphs);
        let max = all.len().saturating_sub(room);
        lines.extend(all.into_iter().skip(max - scroll.min(max)).take(room));
        return lines;
    }
    let (all, at) = devices_and_jobs(state, open, view, columns, now);
    let top = crate::tui::state::jobs::top(at as u64, all.len() as u64, room as u64) as usize;
    lines.extend(all.into_iter().skip(top).take(room));
    lines
}

/// Lines by which the log can be scrolled away from its end.
pub(super) fn scroll_max(state: &State, open: &OpenAgent, columns: usize, rows: usize) -> usize {
    let Some(view) = open.view(state.snapshot.as_deref()) else { return 0 };
    let head = head(state, open, view, columns, state.heard).len() + 1;
    log(open, columns, state.look.glyphs).len().saturating_sub(rows.saturating_sub(head))
}

/// The lines above the table, which stay.
fn head(state: &State, open: &OpenAgent, view: &AgentView, columns: usize, now: Millis) -> Vec<Line> {
    let glyphs = state.look.glyphs;
    let wide = columns >= WIDE;
    let data = open.data.as_ref();
    let unknown = BoxFacts::default();
    let of_box = data.and_then(|data| data.host.as_ref()).unwrap_or(&unknown);
    let (cert, cert_role) = cert_left(view, state.wall_ms(now));
    let mut first = Line::new(" ").with(Role::Strong, cut(&view.name, columns / 3, glyphs));
    let (word, state_role) = state_word(view);
    if state_role != Role::Good {
        first.push(Role::Plain, "  ").push(state_role, word);
    }
    first.push(Role::Plain, " ");
    let clock = data.and_then(|data| data.clock_ms).map_or("-".into(), |ms| format!("{ms:+} ms"));
    let lost = data.and_then(|data| data.lost_permille).map_or("-".into(), |lost| format!("{}%", lost / 10));
    let facts = [
        cut(or_dash(host(&view.address)), 45, glyphs),
        format!("vc-agent {}", cut(or_dash(&view.version), 20, glyphs)),
        format!("cert {cert}"),
        format!("clock {clock}"),
        format!("rtt {}", view.rtt_us.map_or("-".into(), words::round_trip)),
        format!("loss {lost}"),
    ];
    let room = columns.saturating_sub(first.width());
    first.push(cert_role, joined(&facts, room));
    let mut lines = vec![first, Line::new(joined(&box_facts(of_box, glyphs), columns))];
    if wide {
        lines.push(Line::new(joined(&more_facts(view, data, glyphs), columns)));
    }
    if state_role != Role::Good || !view.unproven.is_empty() {
        let line = about(state, view, columns, now);
        if line.width() > 0 {
            lines.push(line);
        }
    }
    lines
}

/// ` Linux 6.12  32 cores load 6.1  mem 41/256 GB  up 12 d`
fn box_facts(host: &BoxFacts, glyphs: Glyphs) -> Vec<String> {
    let cores = if host.cores == 0 { "-".into() } else { host.cores.to_string() };
    let load = host.load.map_or("-".into(), |load| format!("{}.{}", load / 100, load % 100 / 10));
    let memory = match of_total(host.memory, host.memory_total) {
        unknown if unknown == "-" => unknown,
        known => known + " GB",
    };
    vec![
        cut(or_dash(&host.system), 40, glyphs),
        format!("{cores} cores load {load}"),
        format!("mem {memory}"),
        format!("up {}", host.up_s.map_or("-".into(), words::roughly)),
    ]
}

fn more_facts(view: &AgentView, data: Option<&AgentDetail>, glyphs: Glyphs) -> Vec<String> {
    let serial = data.map_or("", |data| data.cert_serial.as_str());
    vec![
        cut(or_dash(&view.ffmpeg), 60, glyphs),
        format!("{} completed, {} failed", words::count(view.completed), words::count(view.failed)),
        format!("certificate {}", cut(or_dash(serial), 48, glyphs)),
    ]
}

/// `31/48`, `0.3/16` gigabytes, or `-`.
fn of_total(used: Option<u64>, total: Option<u64>) -> String {
    const GIGA: f64 = 1e9;
    let short = |bytes: u64| match bytes as f64 / GIGA {
        giga if giga > 0.0 && giga < 1.0 => format!("{giga:.1}"),
        giga => format!("{giga:.0}"),
    };
    match (used, total) {
        (Some(used), Some(total)) => format!("{}/{}", short(used), short(total)),
        (Some(used), None) => short(used),
        (None, Some(total)) => format!("-/{}", short(total)),
        (None, None) => "-".into(),
    }
}

/// All that scrolls, and the line under the cursor.
fn devices_and_jobs(
    state: &State,
    open: &OpenAgent,
    view: &AgentView,
    columns: usize,
    now: Millis,
) -> (Vec<Line>, usize) {
    let glyphs = state.look.glyphs;
    let mut lines = vec![section("Devices", "engine use, last 5 min", columns, glyphs)];
    let mut at = 0;
    let device_widths = widths(&DEVICES, columns.saturating_sub(2));
    let mut titles = Line::new("  ");
    titles.extend(heads(&DEVICES, &device_widths));
    lines.push(titles);
    if view.devices.is_empty() {
        lines.push(Line::new("  none told of yet"));
    }
    for (number, device) in view.devices.iter().enumerate() {
        let selected = open.selected == Some(AgentRow::Device(device.id));
        let told = open.data.as_ref().and_then(|data| data.devices.iter().find(|d| d.id == device.id));
        let mut line = Line::new(if selected { "> " } else { "  " });
        line.extend(row(
            &DEVICES,
            &device_widths,
            device_cells(silent(view), device, told, &device_widths, glyphs),
        ));
        line.selected = selected;
        line.hit = Some(Hit::Row(number as u64));
        if selected {
            at = lines.len();
        }
        lines.push(line);
        lines.extend(why(state, device, told, columns, now));
        if selected && columns >= WIDE {
            lines.extend(told.map(|told| device_facts(told, columns, glyphs)).unwrap_or_default());
        }
    }
    let count = runs(view).count();
    lines.push(section(&format!("Jobs here ({count})"), "", columns, glyphs));
    let job_widths = widths(&JOBS, columns.saturating_sub(2));
    for (number, run) in runs(view).enumerate() {
        let id = run.attempt.job;
        let selected = open.selected == Some(AgentRow::Job(id));
        let name = FilePath(run.source.file_name().to_vec()).shown();
        let (word, role) = if run.unsure { ("unsure", Role::Odd) } else { phase_word(run.progress.phase) };
        let known = |shown: String| Line::new(if run.unsure { "-".into() } else { shown });
        let cells = [
            Line::new(id.to_string()),
            Line::new(cut_name(&name, job_widths[1], glyphs)),
            Line::new(cut(&run.profile, job_widths[2], glyphs)),
            Line::role(role, word),
            progress_cell(&run.progress, job_widths[4], role, glyphs),
            known(words::fps(run.progress.fps)),
            known(words::speed(run.progress.speed)),
            known(run.progress.eta_s.map_or("-".into(), |s| words::clock_left(u64::from(s)))),
            Line::new(format!("attempt {}", run.attempt.no)),
        ];
        let mark = if state.jobs.marks.has(id) { "*" } else { " " };
        let mut line = Line::new(if selected { ">" } else { " " }).with(Role::Plain, mark);
        line.extend(row(&JOBS, &job_widths, cells));
        line.selected = selected;
        line.hit = Some(Hit::Row((view.devices.len() + number) as u64));
        if selected {
            at = lines.len();
        }
        lines.push(line);
    }
    (lines, at)
}

/// How a device is, in one word.
pub(super) fn device_word(state: &DeviceState) -> (&'static str, Role) {
    match state {
        DeviceState::Ok => ("ok", Role::Good),
        DeviceState::Draining => ("draining", Role::Odd),
        DeviceState::Quarantined { testing: true, .. } => ("testing", Role::Odd),
        DeviceState::Quarantined { .. } => ("QUARANT", Role::Bad),
    }
}

fn device_cells(
    quiet: bool,
    device: &DeviceView,
    told: Option<&DeviceDetail>,
    widths: &[usize; 8],
    glyphs: Glyphs,
) -> [Line; 8] {
    // How it is, nobody knows while its agent is silent.
    let (word, role) = if quiet { ("-", Role::Plain) } else { device_word(&device.state) };
    // A processor is called after what it is already.
    let named = device.name.to_lowercase().starts_with(&device.short.to_lowercase());
    let name = if named { device.name.clone() } else { format!("{} {}", device.short, device.name) };
    let engine = |percent: Option<u16>, history: &[u16], columns: usize| {
        let percent = percent.map_or("-".into(), |p| format!("{}%", p.min(1000) / 10));
        let chart = chart::gauge(history, columns.saturating_sub(PERCENT), glyphs);
        Line::new(format!("{percent:>4} ")).with(Role::Busy, chart)
    };
    let load = device.load;
    let memory = of_total(load.memory, load.memory_total);
    let history = |of: fn(&DeviceDetail) -> &Vec<u16>| told.map_or(&[][..], |told| of(told));
    [
        Line::new(cut(&name, widths[0], glyphs)),
        Line::role(role, word),
        engine(load.encode, history(|told| &told.encode_history), widths[2]),
        engine(load.decode, history(|told| &told.decode_history), widths[3]),
        Line::new(if memory == "-" { memory } else { memory + "G" }),
        Line::new(load.celsius.map_or("-".into(), |celsius| format!("{celsius}C"))),
        Line::new(load.watts.map_or("-".into(), |watts| watts.to_string())),
        Line::new(format!("{}/{}", busy_slots(device), device.slots)),
    ]
}

/// Why a device takes less than it could, and what comes next.
fn why(
    state: &State,
    device: &DeviceView,
    told: Option<&DeviceDetail>,
    columns: usize,
    now: Millis,
) -> Vec<Line> {
    let glyphs = state.look.glyphs;
    let fact = |name: &str, text: &str| {
        let room = columns.saturating_sub(9);
        let folded = wrap(text, room, 0, glyphs);
        let shown = folded.into_iter().take(WHY_ROWS).enumerate();
        shown
            .map(|(at, part)| Line::new(format!("   {:<6}{part}", if at == 0 { name } else { "" })))
            .collect::<Vec<Line>>()
    };
    let mut lines = Vec::new();
    if let DeviceState::Quarantined { why, until_ms, testing } = &device.state {
        lines.extend(fact("why", or_dash(why)));
        let next = match (testing, until_ms) {
            (true, _) => "the self-test runs".to_owned(),
            (false, Some(until)) => {
                let left = u64::try_from(until.saturating_sub(state.wall_ms(now))).unwrap_or(0);
                let left = words::minutes(left.div_ceil(1000));
                format!("self-test in {left}; a 3rd time in 24 h it stays until you release it")
            }
            (false, None) => "stays so until you release it or a self-test passes".to_owned(),
        };
        lines.extend(fact("next", &next));
    }
    if let Some(told) = told.filter(|told| !told.learned.is_empty()) {
        lines.extend(fact("slots", &told.learned));
    }
    lines
}

/// What tells a device from its like, and how its encoders did when they were tried.
fn device_facts(told: &DeviceDetail, columns: usize, glyphs: Glyphs) -> Vec<Line> {
    let mut lines = Vec::new();
    let facts: Vec<String> = told.facts.iter().map(|(name, value)| format!("{name} {value}")).collect();
    if !facts.is_empty() {
        let folded = wrap(&facts.join("   "), columns.saturating_sub(3), 0, glyphs);
        lines.extend(folded.into_iter().take(WHY_ROWS).map(|part| Line::new(format!("   {part}"))));
    }
    let names = told.encoders.iter().map(|encoder| super::text::width(&encoder.name)).max().unwrap_or(0);
    let names = names.min(24);
    let shown = told.encoders.iter().flat_map(|encoder| encoder_lines(encoder, names, columns, glyphs));
    lines.extend(shown);
    lines
}

/// Its name and verdict, and a line for each depth that was tried.
fn encoder_lines(encoder: &EncoderFacts, names: usize, columns: usize, glyphs: Glyphs) -> Vec<Line> {
    const VERDICT: usize = 9;
    const DEPTH: usize = 8;
    let mut first = Line::new("   ").with(Role::Plain, cut(&encoder.name, names, glyphs));
    first.pad_to(names + 5);
    let rest = |line: &Line, text: &str| cut(text, columns.saturating_sub(line.width()), glyphs);
    match trials::verdict(encoder) {
        Verdict::Fails(problem) => {
            first.push(Role::Bad, "failed").pad_to(names + 5 + VERDICT);
            let problem = rest(&first, problem);
            first.push(Role::Plain, problem);
            return vec![first];
        }
        Verdict::Untried => {
            first.push(Role::Plain, "not tried yet");
            return vec![first];
        }
        Verdict::Works => {
            first.push(Role::Good, "ok");
        }
    }
    let depths = trials::by_depth(encoder);
    if depths.is_empty() {
        first.push(Role::Plain, format!("{} fps", words::fps(encoder.fps.unwrap_or_default())));
        return vec![first];
    }
    let mut lines = Vec::new();
    for (depth, told) in depths {
        let mut line = if lines.is_empty() { std::mem::take(&mut first) } else { Line::default() };
        line.pad_to(names + 5 + VERDICT);
        line.push(Role::Plain, depth).pad_to(names + 5 + VERDICT + DEPTH);
        let told = rest(&line, &told);
        line.push(Role::Plain, told);
        lines.push(line);
    }
    lines
}

fn log(open: &OpenAgent, columns: usize, glyphs: Glyphs) -> Vec<Line> {
    let log = open.data.as_ref().map_or("", |data| data.log.as_str());
    if log.trim().is_empty() {
        let text = match &open.data {
            Some(_) => "no word of its log: it is asked for while the agent is connected",
            None => "asking the server",
        };
        return vec![Line::new(format!(" {}", cut(text, columns.saturating_sub(1), glyphs)))];
    }
    log.lines()
        .filter(|line| !line.trim().is_empty())
        .flat_map(|line| wrap(line.trim_end(), columns.saturating_sub(1), 2, glyphs))
        .map(|line| Line::new(format!(" {line}")))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_short_and_honest() {
        let check = |used, total, expected: &str| assert_eq!(of_total(used, total), expected);
        check(Some(31_400_000_000), Some(48_000_000_000), "31/48");
        check(Some(300_000_000), Some(16_000_000_000), "0.3/16");
        check(Some(0), Some(16_000_000_000), "0/16");
        check(None, Some(16_000_000_000), "-/16");
        check(None, None, "-");
    }
}
