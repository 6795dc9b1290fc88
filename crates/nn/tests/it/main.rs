//! Optimizers, schedules, averages and layers against PyTorch's, and what they must show beside that.

mod averages;
mod batches;
mod golden;
mod layers;
mod mup;
mod optimizers;
mod schedules;
