//! The agent: runs attempts on this box's devices and proves their results before they are committed.

pub mod task;
