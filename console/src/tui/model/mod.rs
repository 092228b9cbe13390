//! From the state to the words of one frame. Pure: the same state, size and time give the same frame.
//!
//! Everything is cut, padded and placed here; the view only paints.

mod agent;
mod agents;
mod chart;
mod detail;
mod events;
mod failures;
mod first;
mod jobs;
mod log;
mod overlay;
mod overview;
mod table;
pub(crate) mod text;
pub(crate) mod words;

use ratatui::layout::{Rect, Size};
use vc_protocol::job::JobState;
use vc_protocol::operator::{AgentState, DeviceState, Snapshot};
use vc_protocol::progress::Phase;

pub(crate) use self::detail::command::shell_line;
pub(crate) use self::failures::report as failure_report;
use self::text::{Line, Role, clean, cut, head, width};
use super::keys;
use super::look::Glyphs;
use super::state::mouse::Hit;
use super::state::prompt::Asks;
use super::state::{Millis, Screen, State};

/// Least size of the full screens; below it four lines say the most important.
const WIDTH_MIN: u16 = 60;
/// See [`WIDTH_MIN`].
const HEIGHT_MIN: u16 = 16;

/// From this width on tabs have counts and the footer has room for more than keys.
const ROOMY: usize = 100;
/// What the footer says while the mouse is here.
const SELECT: &str = "shift-drag selects ";

/// A dialog.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Dialog {
    pub(crate) title: String,
    /// With its border, inside the frame.
    pub(crate) area: Rect,
    /// As many as fit inside the border.
    pub(crate) lines: Vec<Line>,
}

/// One frame in words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct FrameModel {
    /// From the top, at most as many as the frame has rows.
    pub(crate) lines: Vec<Line>,
    pub(crate) dialog: Option<Dialog>,
    /// Where text is typed.
    pub(crate) cursor: Option<(u16, u16)>,
    /// The picture is old.
    pub(crate) dimmed: bool,
    pub(crate) glyphs: Glyphs,
}

/// The frame for a state, a size and a time.
pub(crate) fn model(state: &State, size: Size, now: Millis) -> FrameModel {
    let glyphs = state.look.glyphs;
    let mut frame =
        FrameModel { lines: Vec::new(), dialog: None, cursor: None, dimmed: state.gone.is_some(), glyphs };
    let (columns, rows) = (usize::from(size.width), usize::from(size.height));
    if size.width < WIDTH_MIN || size.height < HEIGHT_MIN {
        frame.lines = short_form(state, columns);
    } else {
        frame.lines.push(header(state, columns, now));
        frame.lines.push(tabs(state, columns));
        let body_rows = rows - 3;
        let mut body = match (&state.detail, &state.agent, state.screen) {
            (Some(open), ..) => detail::body(state, open, columns, body_rows),
            (None, Some(open), _) => agent::body(state, open, columns, body_rows, now),
            (None, None, Screen::Overview) => overview::body(state, columns, body_rows, now),
            (None, None, Screen::Jobs) => jobs::body(state, columns, body_rows, now),
            (None, None, Screen::Agents) => agents::body(state, columns, body_rows, now),
            (None, None, Screen::Failures) => failures::body(state, columns, body_rows, now),
            (None, None, Screen::Events) => events::body(state, columns, body_rows, now),
        };
        body.truncate(body_rows);
        body.resize(body_rows, Line::default());
        frame.lines.extend(body);
        frame.lines.push(footer(state, columns));
        status(state, columns, now, &mut frame);
    }
    frame.lines.truncate(rows);
    for line in &mut frame.lines {
        line.fit(columns);
    }
    if let Some((dialog, cursor)) = overlay::dialog(state, size) {
        frame.cursor = cursor;
        frame.dialog = Some(dialog);
    }
    frame
}

impl FrameModel {
    /// What a click there means. A dialog takes all clicks, also those beside it.
    pub(crate) fn hit(&self, x: u16, y: u16) -> Option<Hit> {
        match &self.dialog {
            Some(dialog) => {
                let line = y.checked_sub(dialog.area.y + 1)?;
                let column = x.checked_sub(dialog.area.x + 2)?;
                dialog.lines.get(usize::from(line))?.hit_at(usize::from(column))
            }
            None => self.lines.get(usize::from(y))?.hit_at(usize::from(x)),
        }
    }
}

/// `1m12s`, for what is said outside of a frame.
pub(crate) fn length(seconds: u64) -> String {
    words::length(seconds)
}

/// Lines by which the open dialog can be scrolled.
pub(crate) fn overlay_scroll_max(state: &State) -> usize {
    overlay::scroll_max(state, state.size)
}

/// Lines by which the open tab of a job can be scrolled.
pub(crate) fn detail_scroll_max(state: &State) -> usize {
    let rows = usize::from(state.size.height).saturating_sub(3);
    state.detail.as_ref().map_or(0, |d| detail::scroll_max(state, d, usize::from(state.size.width), rows))
}

/// Lines by which the log of the opened agent can be scrolled.
pub(crate) fn agent_scroll_max(state: &State) -> usize {
    let rows = usize::from(state.size.height).saturating_sub(3);
    state.agent.as_ref().map_or(0, |a| agent::scroll_max(state, a, usize::from(state.size.width), rows))
}

/// Columns of the table in sight that can be scrolled away at its left.
pub(crate) fn column_max(state: &State) -> usize {
    let columns = usize::from(state.size.width);
    match state.screen {
        Screen::Overview => 0,
        Screen::Jobs => jobs::column_max(columns),
        Screen::Agents => agents::column_max(columns),
        Screen::Failures => failures::column_max(columns),
        Screen::Events => events::column_max(columns),
    }
}

/// Farm, capacity, clock.
fn header(state: &State, columns: usize, now: Millis) -> Line {
    let glyphs = state.look.glyphs;
    let Some(snapshot) = &state.snapshot else { return Line::new(" vc   waiting for the server") };
    let farm = clean(&snapshot.farm, glyphs);
    let time = words::time(state.wall_ms(now), &state.look.zone);
    let mut line = Line::new(" vc ").with(Role::Strong, head(&farm, 24));
    let (right, up) = if state.active() && state.gone.is_none() {
        let up_ms = snapshot.up_ms + now.saturating_sub(state.heard);
        (time, format!("   up {}", words::length(up_ms / 1000)))
    } else {
        // Nothing was told since.
        (format!("idle since {}", words::time(snapshot.now_ms, &state.look.zone)), String::new())
    };
    let right = if state.gone.is_some() { String::new() } else { right };
    let parts = [
        (columns >= 110 && !snapshot.listen.is_empty())
            .then(|| format!("   console {}", clean(&snapshot.listen, glyphs))),
        Some(up),
        Some(capacity(snapshot)),
    ];
    for part in parts.into_iter().flatten() {
        if line.width() + width(&part) + width(&right) + 2 <= columns {
            line.push(Role::Plain, part);
        }
    }
    line.pad_to(columns.saturating_sub(width(&right) + 1)).push(Role::Plain, right);
    line
}

/// `agents 4/5   devices 5/7   slots 23/27`
fn capacity(snapshot: &Snapshot) -> String {
    let (mut ok, mut devices, mut devices_ok, mut slots, mut busy) = (0, 0, 0, 0, 0);
    for agent in &snapshot.agents {
        let up = matches!(agent.state, AgentState::Ok | AgentState::Draining);
        ok += usize::from(up);
        devices += agent.devices.len();
        if up {
            devices_ok += agent.devices.iter().filter(|d| d.state == DeviceState::Ok).count();
            slots += agent.devices.iter().map(|d| usize::from(d.slots)).sum::<usize>();
            busy += agent.devices.iter().map(busy_slots).sum::<usize>();
        }
    }
    format!(
        "   agents {ok}/{}   devices {devices_ok}/{devices}   slots {busy}/{slots}",
        snapshot.agents.len()
    )
}

/// Slots of a device that work.
fn busy_slots(device: &vc_protocol::operator::DeviceView) -> usize {
    device.runs.iter().filter(|r| r.progress.phase != Phase::Waiting).count()
}

fn tabs(state: &State, columns: usize) -> Line {
    let mut line = Line::default();
    for (at, screen) in Screen::ALL.into_iter().enumerate() {
        let word = format!("{} {}{}", at + 1, screen.word(), tab_count(state, screen, columns));
        if screen == state.screen {
            line.push_hit(Role::Strong, format!("[{word}]"), Hit::Screen(screen));
        } else {
            line.push_hit(Role::Plain, format!(" {word} "), Hit::Screen(screen));
        }
    }
    let fits = |help: &&&str| line.width() + help.len() <= columns;
    let spelled = ["? help ", "?help ", "?help", "?"];
    let help = spelled.iter().skip(usize::from(columns < ROOMY)).find(fits).copied().unwrap_or_default();
    let marked = state.jobs.marks.count();
    let marks = format!("   {} marked", words::count(marked));
    if marked > 0 && line.width() + width(&marks) + help.len() <= columns {
        line.push(Role::Strong, marks);
    }
    line.pad_to(columns.saturating_sub(help.len())).push(Role::Plain, help);
    line
}

/// How many are behind a tab: failures wherever there are any, the rest where there is room.
fn tab_count(state: &State, screen: Screen, columns: usize) -> String {
    let Some(snapshot) = &state.snapshot else { return String::new() };
    let counted = |n: u64| if n > 0 { format!(" {}", words::count(n)) } else { String::new() };
    match screen {
        Screen::Failures if state.counted(JobState::Failed) > 0 => {
            format!(" {}!", words::count(state.counted(JobState::Failed)))
        }
        Screen::Jobs if columns >= ROOMY => counted(snapshot.totals.by_state.iter().sum()),
        Screen::Agents if columns >= ROOMY => counted(snapshot.agents.len() as u64),
        Screen::Overview | Screen::Jobs | Screen::Agents | Screen::Failures | Screen::Events => String::new(),
    }
}

/// The keys that do something now on what is selected; what matters least drops where there is no room.
fn footer(state: &State, columns: usize) -> Line {
    let place = state.place();
    let works = |f: &&keys::Foot| state.refusal(f.command).is_none();
    let mut feet: Vec<keys::Foot> = keys::footer(place).iter().filter(works).copied().collect();
    // Whoever has the mouse here must be told how to get it back, where that costs no key its place.
    let told = state.mouse && columns >= ROOMY;
    let room = if told { columns - SELECT.len() - 1 } else { columns };
    let mut line = footer_line(state, place, &feet);
    while line.width() > room && !feet.is_empty() {
        let last = feet.iter().min_by_key(|f| f.keep).map_or("", |f| f.word);
        feet.retain(|f| f.word != last);
        line = footer_line(state, place, &feet);
    }
    if told {
        line.pad_to(columns - SELECT.len()).push(Role::Plain, SELECT);
    }
    line
}

/// ` enter open  < > sort`: neighbours of one word share it.
fn footer_line(state: &State, place: keys::Place, feet: &[keys::Foot]) -> Line {
    let mut line = Line::default();
    for (at, foot) in feet.iter().enumerate() {
        let shares = at > 0 && feet[at - 1].word == foot.word;
        line.push(Role::Plain, if at == 0 || shares { " " } else { "  " });
        let mut text = state.keys.first(place, foot.command);
        if foot.command == keys::Command::Mark && state.jobs.marks.count() > 0 {
            text += &format!(" {} ({})", foot.word, words::count(state.jobs.marks.count()));
        } else if feet.get(at + 1).is_none_or(|next| next.word != foot.word) {
            text += " ";
            text += foot.word;
        }
        line.push_hit(Role::Plain, text, Hit::Foot(foot.command));
    }
    line
}

/// What lies over the last lines: the filter's text field, else the server's silence, else a notice.
fn status(state: &State, columns: usize, now: Millis, frame: &mut FrameModel) {
    let glyphs = state.look.glyphs;
    let Some(last) = frame.lines.len().checked_sub(1) else { return };
    if let Some(prompt) = &state.prompt {
        // Text, caret, message: one line each, so that a long message is read whole.
        let room = columns.saturating_sub(4);
        let value = prompt.input.value();
        let scroll = prompt.input.visual_scroll(room);
        let shown = head(&clean(&value[head(value, scroll).len()..], glyphs), room);
        let column = |before: usize| 3 + before.saturating_sub(scroll);
        frame.lines[last - 2] = Line::role(Role::Strong, format!(" / {shown}"));
        let cursor = column(prompt.input.visual_cursor());
        frame.cursor = Some((u16::try_from(cursor).unwrap_or(0), u16::try_from(last - 2).unwrap_or(0)));
        let mut caret = Line::default();
        let mut message = Line::new(match prompt.asks {
            Asks::Filter => {
                "   enter apply  esc leave  up older  ctrl-u clear   is:failed,held  \"text\"  !term"
            }
            Asks::Events => "   enter show those that contain it  esc leave  ctrl-u clear",
            Asks::Find => "   enter find  esc leave  ctrl-u clear",
        });
        if let Some(error) = &prompt.error {
            caret.pad_to(column(width(&value[..value.floor_char_boundary(error.at)]))).push(Role::Bad, "^");
            message = Line::role(Role::Bad, cut(&format!("   {}", error.message), columns, glyphs));
        }
        frame.lines[last - 1] = caret;
        frame.lines[last] = message;
    } else if let Some(gone) = &state.gone {
        let silent = words::length(now.saturating_sub(gone.since) / 1000);
        let tail = match &state.notice {
            // It says the same once more.
            Some(notice) => {
                format!(": {}", notice.text.trim_start_matches("no word from the server: "))
            }
            None => format!(", trying again ({})", gone.reason),
        };
        let text = format!(" no word from the server for {silent}{tail}");
        frame.lines[last - 1] = Line::role(Role::Bad, cut(&text, columns, glyphs));
    } else if let Some(frozen) = &state.frozen {
        let at = words::time(state.wall_ms(frozen.since), &state.look.zone);
        let notice = state.notice.as_ref().map(|n| format!(" - {}", n.text)).unwrap_or_default();
        let key = state.keys.first(state.below().into(), keys::Command::Freeze);
        let text = format!(" FROZEN at {at}: {key} lets the picture go on{notice}");
        frame.lines[last - 1] = Line::role(Role::Odd, cut(&text, columns, glyphs));
    } else if let Some(notice) = &state.notice {
        frame.lines[last - 1] =
            Line::role(Role::Strong, format!(" {}", cut(&notice.text, columns - 1, glyphs)));
    }
}

/// For windows too small for a screen.
fn short_form(state: &State, columns: usize) -> Vec<Line> {
    let glyphs = state.look.glyphs;
    let Some(snapshot) = &state.snapshot else { return vec![Line::new("waiting for the server")] };
    let totals = &snapshot.totals;
    let shown = [
        (JobState::Running, "running"),
        (JobState::Failed, "failed"),
        (JobState::Pending, "pending"),
        (JobState::Completed, "done"),
    ];
    let counts = shown.map(|(of, word)| format!("{} {word}", words::count(state.counted(of))));
    let eta = totals.eta_s.map_or("-".into(), |s| format!("~{}", words::length(s)));
    let third = match (&state.gone, snapshot.needs.first()) {
        (Some(_), _) => "no word from the server".to_owned(),
        (None, Some(need)) => format!("{} need you: {} {}", snapshot.needs.len(), need.kind, need.what),
        (None, None) => "nothing needs you".to_owned(),
    };
    let speed = format!("speed {}  ETA {eta}", words::speed(totals.speed));
    let lines = [counts.join("  "), speed, third, format!("make the window {WIDTH_MIN}x{HEIGHT_MIN}")];
    lines.map(|text| Line::new(cut(&text, columns, glyphs))).into()
}

/// The colour of a job's state.
fn state_role(state: JobState) -> Role {
    match state {
        JobState::Pending | JobState::Skipped => Role::Plain,
        JobState::Running => Role::Busy,
        JobState::Completed => Role::Good,
        JobState::Failed => Role::Bad,
        JobState::Cancelled | JobState::Held => Role::Odd,
    }
}
