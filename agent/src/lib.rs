//! The agent: runs attempts on this box's devices and proves their results before they are committed.

pub mod check;
pub mod commit;
pub mod encoder;
pub mod ffmpeg;
pub mod plan;
pub mod probe;
pub mod process;
pub mod storage;
pub mod task;
pub mod work;
