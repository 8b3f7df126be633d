//! Canaries: unguessable tokens, the files that carry them, and the detector that recognises them
//! in anything a target emits.
//!
//! The flow is mint, plant, [arm](Detector::arm), [scan](Detector::scan). This module does not know
//! where tokens are planted, what a sighting means, or who emitted the bytes.

mod binary;
mod decode;
mod decoder;
mod detector;
mod document;
mod layer;
mod leaves;
mod matcher;
mod numeric;
mod radix;
mod regions;
mod text;
mod token;

pub use decoder::Decoder;
pub use detector::{Detector, Sighting};
pub use document::{LANDMARK, document};
pub use matcher::{PROOF, WEAK};
pub use token::{Mint, Slot, Token};
