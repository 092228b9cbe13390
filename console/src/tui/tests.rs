//! Screens as text, keys as journeys.

mod answers;
mod cost;
mod drawing;
pub(super) mod fixture;
mod full;
mod journeys;
mod random;
mod screens;
