//! What is tried on a copy of a model: cures, whether units part, and a start by data.

pub(crate) mod cure;
pub(crate) mod experiment;
pub(crate) mod recipe;
pub(crate) mod start;
