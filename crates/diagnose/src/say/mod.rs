//! Words: every sentence, figures as people read them, tables, and reports as text.

pub(crate) mod compare;
mod display;
pub(crate) mod groups;
pub(crate) mod rows;
pub(crate) mod table;
pub(crate) mod tables;
pub(crate) mod text;
pub(crate) mod words;
