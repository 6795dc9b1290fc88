//! What is tried on a copy of a model: cures, whether units part, and a start by data.

pub(crate) mod cure;
pub(crate) mod start;
pub(crate) mod subject;
