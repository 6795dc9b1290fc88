//! What proves the ops: one table of them, which all tests here go through.

mod chosen;
mod golden;
mod gradients;
mod graphs;
mod onnx;
mod properties;
mod spatial;
mod table;
