//! What the dashboard costs: `cargo bench -p vc-tests --bench dashboard`, `-- --quick` for a short look.
//!
//! The real dashboard in a pseudo-terminal of 120 columns, in front of a real server: idle, over 72 busy slots of three
//! agents, and over a table of a million jobs. Prints each figure beside its budget; asserts none.

#![expect(clippy::print_stdout, reason = "a bench says what it measured")]

use std::time::{Duration, Instant};

use vc_tests::cost::{Cost, fill, of};
use vc_tests::media::{Clip, clip};
use vc_tests::terminal::{Terminal, WIDE};
use vc_tests::{Agent, Console, Scratch, real_ffmpeg};

const AGENTS: u32 = 3;
const SLOTS: u32 = 24;
/// Keys pressed one after the other, each answered before the next.
const KEYS: usize = 40;

fn main() {
    let quick = std::env::args().any(|arg| arg == "--quick");
    let seconds = if quick { 10 } else { 60 };
    if real_ffmpeg().is_some() {
        idle(Duration::from_secs(seconds));
        busy(Duration::from_secs(seconds));
    } else {
        println!("idle, and 72 busy slots: skipped, agents need ffmpeg");
    }
    million(if quick { 20_000 } else { 1_000_000 });
}

fn idle(time: Duration) {
    let scratch = Scratch::new();
    let console = Console::start(&scratch);
    // A farm without any agent counts down the minutes of its first join line.
    let mut agent = Agent::joined(&scratch, "agent", &console);
    agent.run();
    console.wait_agents(1);
    let terminal = Terminal::start(&console.command(), WIDE);
    terminal.wait_picture("it is drawn", |picture| picture.contains("agents 1/1"));
    // What comes with the first answers is drawn first.
    of(&terminal, Duration::from_secs(3));
    report("idle", of(&terminal, time), "0 B/s and 0.2 %");
}

fn busy(time: Duration) {
    let scratch = Scratch::new();
    let console = Console::start(&scratch);
    let film = Clip { seconds: 30.0, size: "160x90", sound: false };
    // Each agent takes as many again as it has slots, to have them at hand.
    for number in 0..2 * AGENTS * SLOTS {
        clip(&scratch.join("in").join(format!("film {number:03}.mp4")), film);
    }
    let mut agents = Vec::new();
    for number in 0..AGENTS {
        let mut agent = Agent::joined(&scratch, &format!("box{number}"), &console).slots(SLOTS).with_fake();
        agent.fake().mode("gate");
        agent.run();
        agents.push(agent);
    }
    console.wait_agents(AGENTS as usize);
    console.add(&scratch.join("in"), &scratch.join("out"));
    let terminal = Terminal::start(&console.command(), WIDE);
    let all = format!("slots {n}/{n}", n = AGENTS * SLOTS);
    terminal.wait_picture("every slot is busy", |picture| picture.contains(&all));
    report("72 busy slots", of(&terminal, time), "6144 B/s and 2 %");
}

fn million(jobs: u64) {
    let scratch = Scratch::new();
    let mut console = Console::start(&scratch);
    console.stop();
    let began = Instant::now();
    fill(console.state(), jobs);
    println!("{jobs} jobs put into the table in {:.0} s", began.elapsed().as_secs_f64());
    console.start_again();
    let mut terminal = Terminal::start(&console.command(), WIDE);
    terminal.wait_picture("it is drawn", |picture| picture.contains("Overview"));
    let began = Instant::now();
    terminal.press("2");
    terminal.wait_picture("jobs are listed", |picture| picture.contains(".mov"));
    println!("{jobs} jobs: Jobs opens in {:.0} ms (budget 100)", ms(began));
    terminal.press("G");
    terminal.wait_picture("the end is listed", |picture| picture.contains(".mov"));
    let mut times = Vec::new();
    for number in 0..KEYS {
        let before = terminal.written();
        let began = Instant::now();
        terminal.press(if number % 2 == 0 { "k" } else { "g" });
        while terminal.written() == before && began.elapsed() < Duration::from_secs(2) {
            std::thread::yield_now();
        }
        times.push(ms(began));
        // What the key made follows within a frame or two, and is not to be taken for the answer to the next.
        of(&terminal, Duration::from_millis(200));
    }
    times.sort_by(f64::total_cmp);
    println!(
        "{jobs} jobs: a key is answered in {:.0} ms, at most {:.0} ms (budget 50)",
        times[KEYS / 2],
        times[KEYS - 1]
    );
    println!("{jobs} jobs: the dashboard takes {} MiB (budget 64)", Cost::resident_mib(terminal.pid()));
    println!(
        "{jobs} jobs: the server takes {} MiB",
        Cost::resident_mib(console.process().pid().unsigned_abs())
    );
}

fn ms(began: Instant) -> f64 {
    began.elapsed().as_secs_f64() * 1000.0
}

fn report(what: &str, cost: Cost, budget: &str) {
    println!(
        "{what}: {:.0} B/s to the terminal, {:.2} % of a core, over {:.0} s (budget {budget})",
        cost.bytes_per_second, cost.percent, cost.seconds
    );
}
