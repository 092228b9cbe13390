//! Agents, devices and slots, as a tree or one slot below the other.

use vc_protocol::operator::{AgentState, AgentView, DeviceState, DeviceView, RunView, Snapshot};
use vc_protocol::path::FilePath;
use vc_protocol::progress::{Phase, Progress};

use super::super::table;
use super::super::table::{Align, Column, fixed, growing, heads, row, without};
use super::super::text::{Line, Role, cut, cut_name, section};
use super::super::{agents, busy_slots, chart, first, words};
use super::WIDE;
use crate::tui::look::Glyphs;
use crate::tui::state::mouse::Hit;
use crate::tui::state::overview::{Node, Pane, Row, Shape};
use crate::tui::state::{Millis, State};

/// From this width on names have room besides all figures of 80 columns.
const FULL: usize = 78;

const COLUMNS: [Column; 11] = [
    growing("WHERE / JOB", (21, 60), 4, 255),
    growing("PROFILE", (8, 14), 1, 5),
    fixed("STATE", Align::Left, 8, 10),
    fixed("ENC", Align::Right, 3, 4),
    fixed("DEC", Align::Right, 3, 3),
    fixed("VRAM", Align::Right, 5, 2),
    fixed("TEMP", Align::Right, 4, 1),
    growing("PROGRESS", (16, 28), 1, 9),
    fixed("FPS", Align::Right, 6, 6),
    fixed("SPEED", Align::Right, 6, 7),
    fixed("ETA", Align::Right, 8, 8),
];
const WHERE: usize = 0;
const PROFILE: usize = 1;
const STATE: usize = 2;
const PROGRESS: usize = 7;

/// Widths of the columns, by [`COLUMNS`].
type Widths = [usize; COLUMNS.len()];
type Cells = [Line; COLUMNS.len()];

/// Title, heads and so many rows, with the cursor in sight.
pub(super) fn lines(
    state: &State,
    snapshot: &Snapshot,
    columns: usize,
    room: usize,
    now: Millis,
) -> Vec<Line> {
    let glyphs = state.look.glyphs;
    let overview = &state.overview;
    let mut lines = vec![section(title(overview.shape), &hint(state, columns), columns, glyphs)];
    let rows = overview.rows(snapshot);
    if rows.is_empty() && snapshot.agents.is_empty() {
        lines.extend(first::steps(state, columns, now).into_iter().take(room + 1));
        return lines;
    }
    let mut shown = shown_columns(snapshot, overview.shape, columns);
    let mut widths = table::widths(&shown, columns.saturating_sub(2));
    if widths[STATE + 1] == 0 {
        // Slots have no figures of engines: their longer words use those columns, where they are.
        (shown[STATE].min, shown[STATE].max) = (10, 10);
        widths = table::widths(&shown, columns.saturating_sub(2));
    }
    let mut titles = Line::new("  ");
    titles.extend(heads(&shown, &widths));
    lines.push(titles);
    if rows.is_empty() {
        lines.push(Line::new("  Nothing runs."));
    }
    let draw = Draw { state, widths: &widths, names: names(&rows, overview.shape), now };
    let top = crate::tui::state::jobs::top(overview.at as u64, rows.len() as u64, room as u64) as usize;
    for (at, tree_row) in rows.iter().enumerate().skip(top).take(room) {
        let selected = overview.selected == Some(tree_row.node());
        let mark = match tree_row {
            Row::Run(_, _, run) if state.jobs.marks.has(run.attempt.job) => "*",
            Row::Run(..) | Row::Agent(_) | Row::Device(..) => " ",
        };
        let cells = match tree_row {
            Row::Agent(agent) => draw.agent(agent),
            Row::Device(agent, device) => draw.device(agent, device),
            Row::Run(agent, device, run) => draw.run(agent, device, run),
        };
        let mut line = Line::new(if selected { ">" } else { " " }).with(Role::Plain, mark);
        line.extend(row(&shown, &widths, cells));
        line.selected = selected && overview.pane == Pane::Slots;
        line.hit = Some(Hit::Row(at as u64));
        lines.push(line);
    }
    // A farm that begins: what is left to do stands below its first agents.
    lines.extend(first::steps(state, columns, now).into_iter().take(room.saturating_sub(rows.len())));
    lines
}

fn title(shape: Shape) -> &'static str {
    match shape {
        Shape::Tree => "Agents > devices > slots",
        Shape::Flat => "Slots",
    }
}

/// `by name   t flat   e expand`
fn hint(state: &State, columns: usize) -> String {
    let overview = &state.overview;
    let arrow = match (overview.sort.reversed, state.look.glyphs) {
        (false, _) => "",
        (true, Glyphs::Ascii) => " ^",
        (true, Glyphs::Unicode) => " ↑",
    };
    let sort = format!("by {}{arrow}", overview.sort.by.word());
    if columns < WIDE {
        return sort;
    }
    let shape = if overview.shape == Shape::Tree { "t flat" } else { "t tree" };
    let expand = if overview.expanded { "e back" } else { "e expand" };
    format!("{sort}   {shape}   {expand}")
}

/// Figures that no device tells have no column.
fn shown_columns(snapshot: &Snapshot, shape: Shape, columns: usize) -> [Column; COLUMNS.len()] {
    let loads = || snapshot.agents.iter().flat_map(|a| &a.devices).map(|d| d.load);
    let told = [
        (3, loads().any(|l| l.encode.is_some())),
        (4, loads().any(|l| l.decode.is_some())),
        (5, loads().any(|l| l.memory.is_some())),
        (6, loads().any(|l| l.celsius.is_some())),
    ];
    let is_hidden =
        |at: usize| told.iter().any(|(column, told)| *column == at && (!told || shape == Shape::Flat));
    let mut shown = without(COLUMNS, is_hidden);
    if columns < FULL {
        shown[WHERE].min = 16;
        shown[PROGRESS].min = 14;
    }
    shown
}

/// How wide the first words of slots are, so that names stand below each other.
struct Names {
    place: usize,
    id: usize,
}

fn names(rows: &[Row<'_>], shape: Shape) -> Names {
    let mut names = Names { place: 0, id: 0 };
    for row in rows {
        if let Row::Run(agent, device, run) = row {
            names.id = names.id.max(run.attempt.job.to_string().len());
            if shape == Shape::Flat {
                names.place = names.place.max(place(agent, device).chars().count()).min(16);
            }
        }
    }
    names
}

fn place(agent: &AgentView, device: &DeviceView) -> String {
    format!("{}/{}", agent.name, if device.short.is_empty() { &device.name } else { &device.short })
}

/// What all rows of a frame have in common.
struct Draw<'a> {
    state: &'a State,
    widths: &'a Widths,
    names: Names,
    now: Millis,
}

impl Draw<'_> {
    fn glyphs(&self) -> Glyphs {
        self.state.look.glyphs
    }

    /// Blanks before what hangs so deep in the tree; few where names have little room.
    fn indent(&self, depth: usize) -> String {
        " ".repeat(depth * if self.widths[WHERE] < 30 { 1 } else { 2 })
    }

    /// `+` folded, `-` open.
    fn fold_mark(&self, node: Node) -> &'static str {
        match (self.glyphs(), self.state.overview.folded.contains(&node)) {
            (Glyphs::Ascii, false) => "-",
            (Glyphs::Ascii, true) => "+",
            (Glyphs::Unicode, false) => "▾",
            (Glyphs::Unicode, true) => "▸",
        }
    }

    /// Milliseconds since the snapshot, while time goes on.
    fn since(&self) -> u64 {
        if self.state.active() && self.state.gone.is_none() {
            self.now.saturating_sub(self.state.heard)
        } else {
            0
        }
    }

    fn agent(&self, agent: &AgentView) -> Cells {
        let glyphs = self.glyphs();
        let runs = || agent.devices.iter().flat_map(|d| &d.runs);
        let is_silent = silent(agent);
        let (word, role) = agents::state_word(agent);
        let sum =
            |of: fn(&Progress) -> f32| if is_silent { 0.0 } else { runs().map(|r| of(&r.progress)).sum() };
        let since = agent.silent_ms.filter(|_| is_silent).map(|ms| words::length((ms + self.since()) / 1000));
        let empty = agent.empty_s.filter(|_| word == "draining" && runs().next().is_some());
        let name = format!("{} {}", self.fold_mark(Node::Agent(agent.id)), agent.name);
        let mut cells = self.cells(cut(&name, self.widths[WHERE], glyphs));
        let facts = self.facts(agent);
        if name.chars().count() + 3 + facts.chars().count() <= self.widths[WHERE] {
            cells[WHERE].push(Role::Plain, cut(&format!("   {facts}"), self.widths[WHERE], glyphs));
        }
        cells[STATE] = Line::role(role, word);
        let told = self.agent_words(agent);
        // Where there is no room for all of it, the time counts and not the word behind it.
        let told = if told.len() > self.widths[PROGRESS] { told.trim_end_matches(" left") } else { &told };
        cells[PROGRESS] = Line::new(cut(told, self.widths[PROGRESS], glyphs));
        cells[8] = Line::new(words::fps(sum(|p| p.fps)));
        cells[9] = Line::new(words::speed(sum(|p| p.speed)));
        cells[10] = Line::new(since.or(empty.map(words::clock_left)).unwrap_or_default());
        cells
    }

    /// Where it is and how far away, or when it was heard last.
    fn facts(&self, agent: &AgentView) -> String {
        let host = host(&agent.address);
        if let (true, Some(ms)) = (silent(agent), agent.silent_ms) {
            let told = self.state.snapshot.as_ref().map_or(0, |s| s.now_ms);
            let at = told.saturating_sub_unsigned(ms);
            return format!("{host}  seen {}", words::time(at, &self.state.look.zone));
        }
        let rtt = agent.rtt_us.map(|us| format!("  {:.1} ms", us as f64 / 1000.0)).unwrap_or_default();
        format!("{host}{rtt}")
    }

    /// `3/3 busy`, `2 jobs left`, `3 jobs, 1:48 left`
    fn agent_words(&self, agent: &AgentView) -> String {
        let slots: usize = agent.devices.iter().map(|d| usize::from(d.slots)).sum();
        let busy: usize = agent.devices.iter().map(busy_slots).sum();
        let runs = || agent.devices.iter().flat_map(|d| &d.runs);
        let jobs = runs().count() as u64;
        let is_unsure = runs().any(|r| r.unsure);
        match agent.state {
            AgentState::Draining if jobs == 0 => "no jobs left".into(),
            AgentState::Ok if agent.drained && jobs == 0 => "no jobs left".into(),
            AgentState::Draining => format!("{} left", words::some(jobs, "job")),
            AgentState::Ok if agent.drained => format!("{} left", words::some(jobs, "job")),
            AgentState::Ok if !agent.unproven.is_empty() && busy == 0 => {
                words::some(agent.unproven.len() as u64, "folder") + " unproven"
            }
            AgentState::Ok => format!("{busy}/{slots} busy"),
            AgentState::Suspect if jobs > 0 && !is_unsure => format!("{busy}/{slots} busy"),
            AgentState::Suspect | AgentState::Offline if jobs > 0 => {
                let back = agent.gives_back_s.map(|s| s.saturating_sub(self.since() / 1000));
                let left = back.map_or("unsure".into(), |s| format!("{} left", words::minutes(s)));
                let comma = if back.is_some() { "," } else { "" };
                format!("{}{comma} {left}", words::some(jobs, "job"))
            }
            AgentState::Suspect | AgentState::Offline => "no jobs".into(),
        }
    }

    fn device(&self, agent: &AgentView, device: &DeviceView) -> Cells {
        let node = Node::Device(agent.id, device.id);
        let short = if told_by_name(device) { String::new() } else { format!("{} ", device.short) };
        let name = format!("{}{} {short}{}", self.indent(1), self.fold_mark(node), device.name);
        let is_silent = silent(agent);
        let sum = |of: fn(&Progress) -> f32| match is_silent {
            true => 0.0,
            false => device.runs.iter().map(|r| of(&r.progress)).sum(),
        };
        let mut cells = self.cells(cut(&name, self.widths[WHERE], self.glyphs()));
        cells[STATE] = match &device.state {
            _ if is_silent => Line::new(" "),
            DeviceState::Ok => Line::role(Role::Good, "ok"),
            DeviceState::Draining => Line::role(Role::Odd, "draining"),
            DeviceState::Quarantined { .. } => Line::role(Role::Bad, "QUARANT"),
        };
        if !is_silent {
            let percent = |part: Option<u16>| part.map_or("-".into(), |p| format!("{}%", p.min(990) / 10));
            let load = device.load;
            cells[3] = Line::new(percent(load.encode));
            cells[4] = Line::new(percent(load.decode));
            cells[5] = Line::new(load.memory.map_or("-".into(), vram));
            cells[6] = Line::new(load.celsius.map_or("-".into(), |c| format!("{}C", c.min(999))));
        }
        cells[PROGRESS] = Line::new(self.device_words(device, is_silent));
        cells[8] = Line::new(words::fps(sum(|p| p.fps)));
        cells[9] = Line::new(words::speed(sum(|p| p.speed)));
        cells
    }

    /// `3/3 busy`, `test in 6:20`
    fn device_words(&self, device: &DeviceView, is_silent: bool) -> String {
        let busy = busy_slots(device);
        match &device.state {
            DeviceState::Quarantined { testing: true, .. } if !is_silent => "testing".into(),
            DeviceState::Quarantined { until_ms: Some(at), .. } if !is_silent => {
                let left = at.saturating_sub(self.state.wall_ms(self.now));
                format!("test in {}", words::minutes(u64::try_from(left).unwrap_or(0).div_ceil(1000)))
            }
            DeviceState::Quarantined { until_ms: None, .. } if !is_silent => "b releases it".into(),
            DeviceState::Draining if !is_silent => {
                format!("{} left", words::some(device.runs.len() as u64, "job"))
            }
            DeviceState::Ok | DeviceState::Draining | DeviceState::Quarantined { .. }
                if device.runs.iter().any(|run| run.unsure) =>
            {
                format!("{} unsure", device.runs.len())
            }
            DeviceState::Ok | DeviceState::Draining | DeviceState::Quarantined { .. } => {
                format!("{busy}/{} busy", device.slots)
            }
        }
    }

    fn run(&self, agent: &AgentView, device: &DeviceView, run: &RunView) -> Cells {
        let glyphs = self.glyphs();
        let progress = run.progress;
        let job = run.attempt.job;
        let Names { place: place_columns, id } = self.names;
        let head = match place_columns {
            0 => format!("{}{:<id$} ", self.indent(2), job.to_string()),
            columns => {
                format!("{:<columns$} {:<id$} ", cut(&place(agent, device), columns, glyphs), job.to_string())
            }
        };
        let name = FilePath(run.source.file_name().to_vec()).shown();
        let name = cut_name(&name, self.widths[WHERE].saturating_sub(head.chars().count()), glyphs);
        let (word, role) = if run.unsure { ("unsure", Role::Odd) } else { phase_word(progress.phase) };
        let known = |shown: String| Line::new(if run.unsure { "-".into() } else { shown });
        let eta = self.state.overview.etas.job(job);
        let mut cells = self.cells(head + &name);
        cells[PROFILE] = Line::new(cut(&run.profile, self.widths[PROFILE], glyphs));
        cells[STATE] = Line::role(role, word);
        cells[PROGRESS] = progress_cell(&progress, self.widths[PROGRESS], role, glyphs);
        cells[8] = known(words::fps(progress.fps));
        cells[9] = known(words::speed(progress.speed));
        cells[10] = known(eta.map_or("-".into(), words::clock_left));
        cells
    }

    fn cells(&self, name: String) -> Cells {
        let mut cells: Cells = std::array::from_fn(|_| Line::default());
        cells[WHERE] = Line::new(name);
        cells
    }
}

/// Its name says already what it is called in rows.
pub(in crate::tui::model) fn told_by_name(device: &DeviceView) -> bool {
    device.name.to_lowercase().starts_with(&device.short.to_lowercase())
}

/// Nothing that it says counts any more.
pub(in crate::tui::model) fn silent(agent: &AgentView) -> bool {
    matches!(agent.state, AgentState::Offline | AgentState::Suspect)
}

/// An address without its port, which tells nobody anything.
pub(in crate::tui::model) fn host(address: &str) -> &str {
    address.rsplit_once(':').map_or(address, |(host, _)| host.trim_matches(['[', ']']))
}

/// `6.1G`, `31.2G`
fn vram(bytes: u64) -> String {
    let giga = bytes as f64 / 1e9;
    if giga < 99.95 { format!("{giga:.1}G") } else { words::bytes_tight(bytes) }
}

pub(in crate::tui::model) fn phase_word(phase: Phase) -> (&'static str, Role) {
    let role = match phase {
        Phase::Waiting => Role::Plain,
        Phase::Fetching | Phase::Sampling | Phase::Encoding => Role::Busy,
        Phase::Verifying | Phase::Committing => Role::Good,
    };
    (phase.word(), role)
}

/// `[######----] 64%`
pub(in crate::tui::model) fn progress_cell(
    progress: &Progress,
    columns: usize,
    role: Role,
    glyphs: Glyphs,
) -> Line {
    if progress.phase == Phase::Waiting {
        return Line::new(" ");
    }
    let share = format!(" {:>3}%", progress.permille.min(1000) / 10);
    let bar = chart::bar(progress.permille, columns.saturating_sub(share.len()), glyphs);
    Line::role(role, bar).with(Role::Plain, share)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_and_memory_are_short() {
        assert_eq!(host("10.0.0.21:51234"), "10.0.0.21");
        assert_eq!(host("[fe80::1]:4433"), "fe80::1");
        assert_eq!(host(""), "");
        assert_eq!(vram(6_100_000_000), "6.1G");
        assert_eq!(vram(300_000_000), "0.3G");
        assert_eq!(vram(192_000_000_000), "192G");
    }
}
