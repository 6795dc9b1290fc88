//! Files of models and of trainings. Feature `checkpoint`.

pub(crate) mod checkpoint;
pub(crate) mod format;
pub(crate) mod model;
mod numbered;

pub use checkpoint::{Checkpoint, Loaded};
pub use model::{ModelFile, load, save};
pub use numbered::Numbered;
