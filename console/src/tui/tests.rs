//! Screens as text, keys as journeys.

mod answers;
mod cost;
mod drawing;
pub(super) mod fixture;
mod full;
mod honest;
mod interaction;
mod journeys;
mod overlays;
mod random;
mod screens;
