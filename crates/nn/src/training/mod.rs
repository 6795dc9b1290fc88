//! Trainings: the rows of each step, shards of them, a training in one call, and when to end it.

mod augment;
mod batches;
mod carried;
pub(crate) mod fit;
pub mod metrics;
mod shards;
mod stopping;

pub use augment::Augment;
pub use batches::{Batches, Prefetch, Rows, folds, folds_stratified, split, split_stratified};
pub use carried::Carried;
pub use shards::Shards;
pub use stopping::EarlyStopping;
