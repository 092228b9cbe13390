//! Screens as text, keys as journeys.

mod answers;
mod cost;
mod drawing;
mod fixture;
mod full;
mod journeys;
mod random;
mod screens;
