//! Screens as text, keys as journeys.

mod answers;
mod drawing;
mod fixture;
mod journeys;
mod random;
mod screens;
