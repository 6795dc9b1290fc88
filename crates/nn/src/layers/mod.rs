//! The layers, one file for each family.

mod attention;
mod batch_norm;
mod bilinear;
mod conv;
mod dropout;
mod embedding;
mod flatten;
mod group_norm;
mod layer_norm;
mod linear;
mod pool;
mod prelu;
mod recomputed;
mod recurrent;
mod residual;
mod rms_norm;
mod scaling;
mod sequential;
mod transformer;

pub use attention::{AttentionMask, MultiheadAttention};
pub use batch_norm::{BatchNorm1d, BatchNorm2d, BatchNorm3d};
pub use bilinear::Bilinear;
pub use conv::{Conv1d, Conv2d, Conv3d, ConvTranspose1d, ConvTranspose2d};
pub use dropout::{Dropout, Dropout1d, Dropout2d};
pub use embedding::Embedding;
pub use flatten::{Flatten, FlattenConsecutive};
pub use group_norm::GroupNorm;
pub use layer_norm::LayerNorm;
pub use linear::Linear;
pub use pool::{
    AdaptiveAvgPool, AdaptiveAvgPool1d, AdaptiveAvgPool2d, AdaptiveAvgPool3d, AdaptiveMaxPool, AdaptiveMaxPool1d,
    AdaptiveMaxPool2d, AdaptiveMaxPool3d, AvgPool, AvgPool1d, AvgPool2d, AvgPool3d, MaxPool, MaxPool1d, MaxPool2d,
    MaxPool3d, PixelShuffle, Upsample,
};
pub use prelu::PRelu;
pub use recomputed::Recomputed;
pub use recurrent::{GRU, LSTM, LstmState, RNN, Recurrent, RecurrentCell};
pub use residual::Residual;
pub use rms_norm::RMSNorm;
pub use scaling::{MinMaxScale, Standardize};
pub use sequential::Sequential;
pub use transformer::TransformerBlock;

/// Stamps a constructor for models in f32, `new`, which a literal or an inferred type finds, in front of one for any
/// float, `try_new`.
macro_rules! in_f32 {
    ($Layer:ident, $(#[$doc:meta])* $name:ident => $general:ident($($arg:ident: $Arg:ty),* $(,)?)) => {
        impl $Layer {
            $(#[$doc])*
            pub fn $name($($arg: $Arg),*) -> Result<Self, $crate::Error> {
                $Layer::$general($($arg),*)
            }
        }
    };
}
use in_f32;

/// Stamps `new` for layers in f32 of which a size is all that is to be said.
macro_rules! of_size {
    ($Layer:ident, $(#[$doc:meta])* $size:ident) => {
        impl $Layer {
            $(#[$doc])*
            #[track_caller]
            pub fn new($size: usize) -> Self {
                match $Layer::try_new($size) {
                    Ok(layer) => layer,
                    Err(error) => panic!(concat!(stringify!($Layer), "::new: {}"), error),
                }
            }
        }
    };
}
use of_size;

/// A layer without parameters is a module: what it is called, if not by its type.
macro_rules! without_parameters {
    ($Layer:ty $(, |$self:ident| $describe:expr)?) => {
        impl<T: tensor::Float> $crate::Module<T> for $Layer {
            fn visit<'a>(&'a self, _: $crate::ParamPath<'_>, _: &mut dyn FnMut($crate::ParamPath<'_>, &'a $crate::Param<T>)) {}

            fn visit_mut<'a>(
                &'a mut self,
                _: $crate::ParamPath<'_>,
                _: &mut dyn FnMut($crate::ParamPath<'_>, &'a mut $crate::Param<T>),
            ) {
            }

            $(fn describe(&$self) -> String {
                $describe
            })?
        }
    };
}
use without_parameters;
