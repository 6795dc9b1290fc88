//! The crate from outside, in one binary.

mod bad_input;
mod faults;
mod fuzz;
mod harm;
mod layers;
mod learning;
mod model;
#[cfg(feature = "html")]
mod page;
mod recipe;
mod roles;
mod start;
mod together;
mod watch;
mod zoo;
