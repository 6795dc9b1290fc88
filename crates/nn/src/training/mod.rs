//! Trainings: the rows of each step, shards of them, a training in one call, and when to end it.

mod batches;
pub(crate) mod fit;
mod shards;
mod stopping;

pub use batches::{Batches, Prefetch, folds, folds_stratified, split, split_stratified};
pub use shards::Shards;
pub use stopping::EarlyStopping;
