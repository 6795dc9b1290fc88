//! What crosses crates, in one binary.

mod deep;
mod examples;
mod extremes;
mod golden;
mod lecture;
mod mlp;
mod model;
mod ops;
mod pairs;
mod panics;
mod programs;
mod threads;
mod training;

/// Parts of the example that have tests of their own.
#[allow(dead_code, unreachable_pub, reason = "the example uses them")]
#[path = "../../examples/common"]
mod example {
    pub(crate) mod data;
    mod draw;
}
