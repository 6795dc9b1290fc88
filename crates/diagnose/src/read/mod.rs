//! What one pass is: its values, their measures, the ways of the signal, and the losses at their ends.

pub(crate) mod anomaly;
pub(crate) mod graph;
pub(crate) mod losses;
pub(crate) mod node;
pub(crate) mod numbers;
pub(crate) mod output;
mod reach;
mod route;
pub(crate) mod saturation;
pub(crate) mod trace;
mod unit;
pub(crate) mod way;
