//! Screens as text, keys as journeys.

mod answers;
mod cost;
mod drawing;
mod full;
pub(super) mod fixture;
mod journeys;
mod random;
mod screens;
