//! The crate from outside, in one binary.

mod bad_input;
mod faults;
mod model;
mod start;
mod watch;
