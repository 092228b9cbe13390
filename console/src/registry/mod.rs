//! Agents and tokens.
