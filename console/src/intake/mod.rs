//! Finds videos: walks folders, decides what is a source and where its output goes.
//!
//! [`rules`] decides and is pure; [`walk`] reads folders and hands out candidates in chunks, so that a tree of any size
//! takes the memory of one chunk. Knows nothing of jobs: what is already known is the store's to say.

pub mod rules;
pub mod walk;
