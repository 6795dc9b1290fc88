//! What a model is: parameters, the things that have them, the paths to them, and layers.

mod layer;
mod macros;
mod module;
mod param;
mod path;
mod picture;
mod predict;

pub use layer::{Func, Layer, func};
pub use module::Module;
pub(crate) use module::{lent, none_of};
pub use param::{Kind, Param};
pub(crate) use path::matches;
pub use path::{InTorch, ParamPath};
pub(crate) use picture::grouped;
pub use picture::picture;
pub use predict::{predict, predict_by};
