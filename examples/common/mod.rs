//! What the examples share: names, random numbers, command lines, and how they end.

#![allow(dead_code, reason = "not every example uses all of it")]

pub mod args;
pub mod data;
mod draw;
pub mod events;
pub mod failure;
pub mod random;
