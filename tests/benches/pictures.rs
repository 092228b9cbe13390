//! Makes the pictures in the README from the real dashboard: `cargo bench -p vc-tests --bench pictures`.
//!
//! A console, three agents and ffmpeg convert clips that are made for it, a few sources are broken, and the dashboard
//! is drawn in a pseudo-terminal of 120 columns. What stands on the screen is written as SVG below `assets/`, in the
//! colours of a dark and of a light terminal. Figures in the pictures are of the machine that made them.

#![expect(clippy::print_stdout, reason = "whoever makes pictures wants to know where they are")]

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use vc_tests::media::{Clip, clip};
use vc_tests::terminal::{Terminal, WIDE};
use vc_tests::{Agent, Console, Scratch, real_ffmpeg};

/// Pixels of one cell; the shape of a common terminal font at 14 pixels.
const CELL: (f32, f32) = (8.4, 17.0);
const FONT: f32 = 14.0;
/// Pixels around the text.
const MARGIN: f32 = 12.0;

/// Colours of a terminal: background, foreground, and the 16 that programs name by number.
struct Palette {
    name: &'static str,
    background: &'static str,
    foreground: &'static str,
    named: [&'static str; 16],
}

const DARK: Palette = Palette {
    name: "dark",
    background: "#1c1f24",
    foreground: "#d7dae0",
    named: [
        "#1c1f24", "#e5646c", "#8cc570", "#d8b365", "#6a9fd8", "#c07fd0", "#4fb3b8", "#d7dae0", "#5c6370",
        "#f07178", "#a5d68a", "#e8c678", "#82b1e8", "#d197e0", "#6cc7cc", "#ffffff",
    ],
};

const LIGHT: Palette = Palette {
    name: "light",
    background: "#fbfbf8",
    foreground: "#2b2f36",
    named: [
        "#2b2f36", "#b3261e", "#2e7d32", "#8a6100", "#1a5fb4", "#8e3fa0", "#00757a", "#e4e4e0", "#6b7078",
        "#c83c34", "#3c8f40", "#a27400", "#2f73c8", "#a054b4", "#0a878c", "#ffffff",
    ],
};

fn main() {
    if real_ffmpeg().is_none() {
        println!("skipped: there is no ffmpeg to work with");
        return;
    }
    let scratch = Scratch::new();
    let console = Console::start(&scratch);
    films(&scratch.join("films"));
    let mut agents = Vec::new();
    for (number, name) in ["ada", "bolt", "cray"].into_iter().enumerate() {
        let mut agent = Agent::joined(&scratch, name, &console).slots(2);
        // All three are on this box and would be called after it.
        console.cli(["agents", "rename", &(number + 1).to_string(), name]).expect_code(0);
        agent.run();
        agents.push(agent);
    }
    console.wait_agents(3);
    console.add(&scratch.join("films"), &scratch.join("converted"));
    let mut command = console.command();
    command.env_remove("NO_COLOR").env_remove("SSH_CONNECTION");
    let mut terminal = Terminal::start(&command, WIDE);
    terminal.wait_picture("the farm is busy", |picture| {
        let far = |line: &&str| line.contains("encoding") && share(line).is_some_and(|share| share >= 20);
        picture.contains("ETA ~") && picture.lines().filter(far).count() >= 4
    });
    draw("overview", &terminal);
    terminal.press("4");
    terminal.wait_picture("failures are grouped", |picture| picture.contains("Failures: 4 failed"));
    draw("failures", &terminal);
    terminal.press("q");
    for agent in &mut agents {
        agent.stop();
    }
}

/// The number before the first `%` of a line.
fn share(line: &str) -> Option<u32> {
    let before = line.split_once('%')?.0;
    before.rsplit(|c: char| !c.is_ascii_digit()).next()?.parse().ok()
}

/// A folder of films, four of them broken in three ways.
fn films(folder: &Path) {
    let kind = Clip { seconds: 25.0, size: "640x360", sound: true };
    for place in ["harbour", "old town", "lighthouse", "market", "island"] {
        for reel in 1..=8 {
            clip(&folder.join(place).join(format!("{place} reel {reel:02}.mov")), kind);
        }
    }
    let write = |name: &str, bytes: &[u8]| {
        std::fs::write(folder.join(name), bytes).expect("a broken film can be written");
    };
    // Larger than the others: the largest go first.
    write("storm 01.mov", &[0; 16 << 20]);
    write("storm 02.mov", &[0; 16 << 20]);
    write(
        "captain's notes.mp4",
        "Wind from the west, and no film in the camera.\n".repeat(350_000).as_bytes(),
    );
    let noise = (0..16_u32 << 20).map(|n| (n.wrapping_mul(2_654_435_761) >> 24) as u8);
    write("wreck.avi", &noise.collect::<Vec<u8>>());
}

fn draw(name: &str, terminal: &Terminal) {
    let screen = terminal.screen();
    for palette in [&DARK, &LIGHT] {
        let file = PathBuf::from(env!("CARGO_MANIFEST_DIR"))
            .join(format!("../assets/pictures/{name}-{}.svg", palette.name));
        std::fs::create_dir_all(file.parent().unwrap_or(Path::new("."))).expect("the folder can be made");
        std::fs::write(&file, svg(&screen, palette)).expect("the picture can be written");
        println!("{name} in {} colours: {}", palette.name, file.display());
    }
}

/// Cells of one look in a row.
struct Run {
    column: u16,
    columns: u16,
    text: String,
    ink: String,
    paper: Option<String>,
    bold: bool,
}

fn svg(screen: &vt100::Screen, palette: &Palette) -> String {
    let (rows, columns) = screen.size();
    let columns = columns.get();
    // Of rows that are empty one after the other, one is enough.
    let is_empty = |row: u16| {
        (0..columns).all(|column| screen.cell(row, column).is_none_or(|c| c.contents().trim().is_empty()))
    };
    let shown: Vec<u16> =
        (0..rows.get()).filter(|row| *row == 0 || !is_empty(*row) || !is_empty(*row - 1)).collect();
    let (width, height) =
        (f32::from(columns) * CELL.0 + 2.0 * MARGIN, shown.len() as f32 * CELL.1 + 2.0 * MARGIN);
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width:.0} {height:.0}\" \
         font-family=\"ui-monospace, 'DejaVu Sans Mono', Menlo, Consolas, monospace\" font-size=\"{FONT}\">\n\
         <rect width=\"100%\" height=\"100%\" rx=\"8\" fill=\"{}\"/>\n",
        palette.background
    );
    for (place, row) in shown.into_iter().enumerate() {
        let y = MARGIN + place as f32 * CELL.1;
        for run in runs(screen, row, columns, palette) {
            let (x, width) = (MARGIN + f32::from(run.column) * CELL.0, f32::from(run.columns) * CELL.0);
            if let Some(paper) = &run.paper {
                let _ = writeln!(
                    svg,
                    "<rect x=\"{x:.1}\" y=\"{y:.1}\" width=\"{width:.1}\" height=\"{:.1}\" fill=\"{paper}\"/>",
                    CELL.1
                );
            }
            if run.text.trim().is_empty() {
                continue;
            }
            let weight = if run.bold { " font-weight=\"bold\"" } else { "" };
            let _ = writeln!(
                svg,
                "<text x=\"{x:.1}\" y=\"{:.1}\" textLength=\"{width:.1}\" fill=\"{}\"{weight} \
                 xml:space=\"preserve\">{}</text>",
                y + CELL.1 * 0.76,
                run.ink,
                escaped(&run.text)
            );
        }
    }
    svg.push_str("</svg>\n");
    svg
}

fn runs(screen: &vt100::Screen, row: u16, columns: u16, palette: &Palette) -> Vec<Run> {
    let mut runs: Vec<Run> = Vec::new();
    for column in 0..columns {
        let Some(cell) = screen.cell(row, column) else { continue };
        if cell.is_wide_continuation() {
            if let Some(run) = runs.last_mut() {
                run.columns += 1;
            }
            continue;
        }
        let mut ink = colour(cell.fgcolor(), palette.foreground, palette);
        let mut paper = colour(cell.bgcolor(), palette.background, palette);
        if cell.inverse() {
            std::mem::swap(&mut ink, &mut paper);
        }
        let paper = (paper != palette.background).then_some(paper);
        let text = if cell.has_contents() { cell.contents() } else { " " };
        match runs.last_mut() {
            Some(run) if run.ink == ink && run.paper == paper && run.bold == cell.bold() => {
                run.text.push_str(text);
                run.columns += 1;
            }
            _ => runs.push(Run { column, columns: 1, text: text.to_owned(), ink, paper, bold: cell.bold() }),
        }
    }
    runs
}

fn colour(colour: vt100::Color, default: &str, palette: &Palette) -> String {
    match colour {
        vt100::Color::Default => default.to_owned(),
        vt100::Color::Idx(index) => {
            palette.named.get(usize::from(index)).copied().unwrap_or(default).to_owned()
        }
        vt100::Color::Rgb(red, green, blue) => format!("#{red:02x}{green:02x}{blue:02x}"),
    }
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}
