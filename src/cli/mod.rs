//! stub

pub mod explain;
pub mod list;
