//! Screens as text, keys as journeys.

mod drawing;
mod fixture;
mod full;
mod journeys;
mod random;
