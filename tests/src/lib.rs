//! The harness: starts the real `vc-console` and `vc-agent`, steers a stand-in for ffmpeg, and waits for states.
//!
//! Knows the programs by what anyone can see of them: their command lines, their `--json`, their exit codes and the
//! files that they leave. It knows nothing of their insides. Every test has a folder of its own and ports that the
//! kernel picked, so tests run side by side.
//!
//! A test waits for a state with a bound ([`wait_for`]), never for a time. When it fails, the last words of every
//! program that it started are printed.

mod agent;
mod child;
mod console;
pub mod cost;
mod fake;
pub mod media;
mod person;
mod processes;
mod programs;
mod scratch;
pub mod terminal;
mod wait;

pub use agent::Agent;
pub use child::{Output, Running, run, start};
pub use console::{Console, vc_console};
pub use fake::Fake;
pub use person::Person;
pub use processes::media_processes;
pub use programs::{real_ffmpeg, skipped, vc_agent_path, vc_console_path, vc_fake_path};
pub use scratch::Scratch;
pub use wait::{LONG, eventually, wait_for, wait_until};
