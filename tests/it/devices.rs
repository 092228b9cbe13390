//! Cards of an agent, as far as a box without one can show them: Mesa's software driver plays the card.

use std::ffi::OsStr;

use serde_json::Value;
use vc_tests::{Agent, Console, LONG, Scratch, need_ffmpeg, skipped, wait_for, wait_until};

/// Lets the software driver count as a card.
pub(crate) const ALLOWED: (&str, &str) = ("VC_ALLOW_CPU_VULKAN", "1");

/// Whether Vulkan has a device here that is the processor itself.
pub(crate) fn has_software_vulkan(agent: &Agent) -> bool {
    let output = agent.command().arg("__vulkan").output().expect("the agent starts");
    let answer: Value = serde_json::from_slice(&output.stdout).unwrap_or_default();
    let devices = answer["answer"]["devices"]["devices"].as_array().cloned().unwrap_or_default();
    let has = devices.iter().any(|device| device["kind"] == "cpu");
    if !has {
        skipped("there is no software Vulkan driver here");
    }
    has
}

fn devices(console: &Console) -> Vec<Value> {
    let shown = console.json(["agents", "show", "1"]);
    shown["devices"].as_array().cloned().unwrap_or_default()
}

fn card(console: &Console) -> Option<Value> {
    devices(console).into_iter().find(|device| device["short"] == "gpu0")
}

#[test]
fn a_software_device_is_offered_as_a_card_where_it_is_allowed_and_keeps_its_number() {
    need_ffmpeg!();
    let scratch = Scratch::new();
    let console = Console::start(&scratch);
    let mut ada = Agent::joined(&scratch, "ada", &console);
    if !has_software_vulkan(&ada) {
        return;
    }
    ada.run_with(&[], &[ALLOWED]);
    console.wait_agents(1);
    let first = wait_for("the card is shown", LONG, || card(&console));
    assert_eq!(first["id"], 1, "{first}");
    let name = first["name"].as_str().unwrap_or_default().to_owned();
    assert!(!name.is_empty(), "{first}");
    ada.stop();

    // Nobody meant it.
    ada.run_with(&[], &[ALLOWED, ("VC_DEVICE", "none")]);
    wait_until("the card is gone", LONG, || card(&console).is_none() && !devices(&console).is_empty());
    ada.stop();

    ada.run_with(&[], &[ALLOWED, ("VC_DEVICE", &name)]);
    let again = wait_for("the card is back", LONG, || card(&console));
    assert_eq!((&again["id"], &again["name"]), (&first["id"], &first["name"]));
    ada.stop();
}

#[test]
fn an_agent_with_nothing_to_work_with_says_so_and_does_not_start() {
    need_ffmpeg!();
    let scratch = Scratch::new();
    let console = Console::start(&scratch);
    let mut ada = Agent::joined(&scratch, "ada", &console);
    let words = ["--slots", "0", "--device", "none"].map(OsStr::new);
    ada.run_with(&words, &[]);
    let output = ada.wait_end(LONG).expect_code(2);
    assert!(output.stderr.contains("--slots") && output.stderr.contains("no GPU"), "{}", output.stderr);
}
