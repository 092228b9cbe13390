//! Screens as text, keys as journeys.

mod drawing;
mod fixture;
mod journeys;
mod random;
