//! stub
pub mod document;
pub mod make;
