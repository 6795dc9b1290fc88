#![forbid(unsafe_code)]
#![doc = include_str!("../README.md")]

mod patience;
mod world;

pub use world::{Float, World};
