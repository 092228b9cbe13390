//! Screens as text, keys as journeys.

mod answers;
mod drawing;
pub(super) mod fixture;
mod journeys;
mod random;
mod screens;
