//! What the examples share: names, random numbers, command lines, and how they end.

#![allow(dead_code, reason = "not every example uses all of it")]
#![allow(unreachable_pub, reason = "a program has no users but itself")]

pub mod args;
pub mod data;
mod draw;
pub mod events;
pub mod failure;
pub mod interrupt;
pub mod random;
