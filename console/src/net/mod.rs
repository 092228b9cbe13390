//! Sessions with agents.
