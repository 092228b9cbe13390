//! The dashboard of `convert` in a real pseudo-terminal, with keys pressed and the picture read.

use std::path::PathBuf;

use vc_tests::media::{Clip, TINY, clip, files_below};
use vc_tests::terminal::{GLASS, Terminal};
use vc_tests::{Fake, LONG, Scratch, eventually, media_processes, need_ffmpeg, vc_console, wait_until};

/// The number before the first `%` of the line that names a file.
fn percent(picture: &str, name: &str) -> Option<u32> {
    let line = picture.lines().find(|line| line.contains(name) && line.contains('%'))?;
    let before = line.split('%').next()?;
    let digits: String = before.chars().rev().take_while(char::is_ascii_digit).collect();
    digits.chars().rev().collect::<String>().parse().ok()
}

/// The line of the picture that names a file, if it holds that word.
fn row_says(picture: &str, name: &str, word: &str) -> bool {
    picture.lines().any(|line| line.contains(name) && line.contains(word))
}

#[test]
fn a_conversion_is_watched_cancelled_retried_and_left() {
    need_ffmpeg!();
    let scratch = Scratch::new();
    let fake = Fake::install(scratch.join("ffmpeg"));
    fake.mode("gate");
    // The longest goes first.
    clip(&scratch.join("in/first.mp4"), Clip { seconds: 4.0, ..TINY });
    clip(&scratch.join("in/second.mp4"), TINY);
    let mut command = vc_console(&scratch);
    command
        .arg("convert")
        .arg(scratch.join("in"))
        .arg("--out")
        .arg(scratch.join("out"))
        .args(["--slots", "1"]);
    command.env("VC_FFMPEG", fake.ffmpeg()).env("VC_FFPROBE", fake.ffprobe());
    let mut terminal = Terminal::start(&command, GLASS);

    let picture = terminal.wait_picture("it encodes", |picture| percent(picture, "first.mp4").is_some());
    let before = percent(&picture, "first.mp4");
    terminal.wait_picture("its progress moves", |picture| percent(picture, "first.mp4") > before);

    terminal.press("2/first\r");
    terminal.wait_picture("only that job is listed", |picture| {
        row_says(picture, "first.mp4", "running") && !picture.contains("second.mp4")
    });
    terminal.press("x");
    terminal.wait_picture("it asks", |picture| picture.contains("Cancel"));
    // An answer that comes before anyone can have read the question does not count, so it is given until it does.
    let cancelled = eventually(LONG, || {
        terminal.press("y");
        row_says(&terminal.picture(), "first.mp4", "cancelled").then_some(())
    });
    assert!(cancelled.is_some(), "it is not cancelled:\n{}", terminal.picture());
    // Its slot went to the other one.
    fake.wait_encodes(2);
    assert_eq!(media_processes(scratch.path()).len(), 1);

    terminal.press("r");
    // It is pending, or waits at the agent for the slot.
    terminal.wait_picture("it is back", |picture| {
        ["pending", "waiting", "running"].into_iter().any(|word| row_says(picture, "first.mp4", word))
    });
    fake.open_gate();
    wait_until("it is completed", LONG, || scratch.join("out/first.mp4").exists());
    terminal.press("q");
    assert_eq!(terminal.wait_end(), 0, "{}", terminal.picture());
    terminal.assert_restored();
    assert_eq!(files_below(&scratch.join("out")), ["first.mp4", "second.mp4"].map(PathBuf::from));
}

#[test]
fn leaving_in_the_middle_ends_every_child_and_restores_the_terminal() {
    need_ffmpeg!();
    let scratch = Scratch::new();
    let fake = Fake::install(scratch.join("ffmpeg"));
    fake.mode("gate");
    clip(&scratch.join("in/first.mp4"), TINY);
    let mut command = vc_console(&scratch);
    command.arg("convert").arg(scratch.join("in")).arg("--out").arg(scratch.join("out"));
    command.env("VC_FFMPEG", fake.ffmpeg()).env("VC_FFPROBE", fake.ffprobe());
    let mut terminal = Terminal::start(&command, GLASS);
    terminal.wait_picture("it encodes", |picture| picture.contains("first.mp4"));
    fake.wait_encodes(1);
    // Once asks, twice means it.
    terminal.press("\u{3}");
    terminal.wait_picture("it asks", |picture| picture.contains("Cancel everything"));
    terminal.press("\u{3}");
    assert_eq!(terminal.wait_end(), 130, "{}", terminal.picture());
    terminal.assert_restored();
    wait_until("every ffmpeg is gone", LONG, || media_processes(scratch.path()).is_empty());
    assert_eq!(files_below(&scratch.join("out")), Vec::<PathBuf>::new());
}
