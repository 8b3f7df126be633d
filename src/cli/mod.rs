//! stub

pub mod progress;
pub mod style;
