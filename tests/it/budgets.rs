//! What the dashboard may cost, on the programs as tests build them; `--bench dashboard` has the figures of releases.
//!
//! Bytes written and memory do not depend on how busy the machine is, and are held to their budgets here. Processor time
//! of a debug build is only printed, but for the idle dashboard, which must not use any.

use std::time::Duration;

use vc_tests::cost::{Cost, fill, of};
use vc_tests::media::{TINY, clip};
use vc_tests::terminal::{Terminal, WIDE};
use vc_tests::{Agent, Console, LONG, Scratch, need_ffmpeg, wait_for};

/// Long enough for anything that ticks to tick.
const IDLE: Duration = Duration::from_secs(12);
const BUSY: Duration = Duration::from_secs(6);
/// More than fit on the screen, which is all that is drawn.
const SLOTS: u32 = 30;
const BUSY_BYTES_PER_SECOND_MAX: f64 = 6144.0;
const IDLE_PERCENT_MAX: f64 = 0.2;
const MEMORY_MIB_MAX: u64 = 64;
/// As many as a debug build puts into a table in a few seconds.
const JOBS: u64 = 20_000;

#[test]
fn an_idle_dashboard_writes_nothing_and_takes_no_processor_time() {
    let scratch = Scratch::new();
    let console = Console::start(&scratch);
    let terminal = Terminal::start(&console.command(), WIDE);
    terminal.wait_picture("it is drawn", |picture| picture.contains("Overview"));
    // The first seconds draw what comes with the first answers.
    wait_for("it has nothing more to draw", LONG, || {
        (of(&terminal, Duration::from_secs(2)).bytes_per_second == 0.0).then_some(())
    });
    let cost = of(&terminal, IDLE);
    println!("idle: {cost:?}");
    assert_eq!(cost.bytes_per_second, 0.0, "{}", terminal.picture());
    assert!(cost.percent <= IDLE_PERCENT_MAX, "{cost:?}");
}

#[test]
fn a_screen_full_of_busy_slots_is_drawn_in_few_bytes() {
    need_ffmpeg!();
    let scratch = Scratch::new();
    let console = Console::start(&scratch);
    for number in 0..SLOTS {
        clip(&scratch.join("in").join(format!("film {number:02}.mp4")), TINY);
    }
    let mut agent = Agent::joined(&scratch, "agent", &console).slots(SLOTS).with_fake();
    agent.fake().mode("gate");
    agent.run();
    console.wait_agents(1);
    console.add(&scratch.join("in"), &scratch.join("out"));
    agent.fake().wait_encodes(SLOTS as usize);
    let terminal = Terminal::start(&console.command(), WIDE);
    let all = format!("slots {SLOTS}/{SLOTS}");
    terminal.wait_picture("every slot is busy", |picture| picture.contains(&all));
    let cost = of(&terminal, BUSY);
    println!("{SLOTS} busy slots: {cost:?}");
    assert!(cost.bytes_per_second <= BUSY_BYTES_PER_SECOND_MAX, "{cost:?}");
    agent.fake().open_gate();
}

#[test]
fn a_long_table_costs_the_dashboard_no_memory() {
    let scratch = Scratch::new();
    let mut console = Console::start(&scratch);
    console.stop();
    fill(console.state(), JOBS);
    console.start_again();
    let mut terminal = Terminal::start(&console.command(), WIDE);
    terminal.wait_picture("it is drawn", |picture| picture.contains("Overview"));
    terminal.press("2");
    terminal.wait_picture("jobs are listed", |picture| picture.contains(".mov"));
    terminal.press("G");
    terminal.wait_picture("the end of the table is listed", |picture| {
        picture.contains("of 20,000") || picture.contains(".mov")
    });
    let memory = Cost::resident_mib(terminal.pid());
    println!("{JOBS} jobs: the dashboard takes {memory} MiB");
    assert!(memory <= MEMORY_MIB_MAX);
}
