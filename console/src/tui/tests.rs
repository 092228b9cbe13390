//! Screens as text, keys as journeys.

mod drawing;
pub(super) mod fixture;
mod journeys;
mod random;
