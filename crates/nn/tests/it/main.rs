//! Optimizers, schedules, averages and layers against PyTorch's, and what they must show beside that.

mod averages;
mod batches;
mod distributions;
mod figures;
#[cfg(feature = "checkpoint")]
mod files;
mod fit;
mod fit_pairs;
mod golden;
#[cfg(feature = "checkpoint")]
mod kept;
mod layers;
mod mup;
mod optimizers;
#[cfg(feature = "checkpoint")]
mod ranks;
mod recurrent;
#[cfg(feature = "checkpoint")]
mod resnet;
#[cfg(feature = "checkpoint")]
mod resume;
mod schedules;
mod together;
#[cfg(feature = "checkpoint")]
mod torch_files;
#[cfg(feature = "checkpoint")]
mod training;
