//! Words: every sentence, figures as people read them, tables, and reports as text.

pub(crate) mod compare;
mod display;
pub(crate) mod rows;
pub(crate) mod text;
pub(crate) mod words;
