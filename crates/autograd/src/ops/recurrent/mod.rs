//! Recurrent networks: a cell is written with ops, so that a diagnosis sees its gates; a sequence is one op.

mod cell;
mod sequence;

pub use cell::CellParams;
pub use sequence::Steps;
