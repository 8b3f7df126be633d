//! Channels: tools and arguments, proven by experiment to drive a role.
//!
//! Owns the way from a tool list to proven channels: flatten, score, fill, prove, repair, lock.
//! Knows nothing of probes or verdicts.

mod absent;
mod account;
mod arguments;
mod attempts;
mod base;
mod bench;
mod choices;
mod commands;
mod complaint;
mod discover;
mod environment;
mod evidence;
mod extensions;
mod fill;
mod flatten;
mod follow;
mod found;
mod fresh;
mod guess;
mod lock;
mod lock_change;
mod meaning;
mod model;
mod net;
mod prove;
mod reach;
mod recipe;
mod repair;
mod replace;
mod score;
mod second;
mod slots;
mod spelling;
mod stage;
mod sweep;
mod taught;
mod told;
mod unlisted;
mod uri;
mod widen;
mod words;

pub use arguments::{ALLOWED, RESOURCES_READ, SlotValue, Values};
pub use discover::{Discovery, Ground, ProofStep, discover};
pub(crate) use environment::asking;
pub use fill::SIDE_FILE;
pub use fresh::{NEW, tidy};
pub use lock::{Entry, LOCK_FILE, Lock, LockError, definition_hash};
pub use lock_change::Change;
pub use model::*;
pub use net::{Arrival, Net, Place};
pub(crate) use reach::place_values;
pub(crate) use recipe::recipe_of;
pub(crate) use score::destructive;
pub use spelling::Spelled;
pub(crate) use sweep::sweep;
pub(crate) use unlisted::unlisted;
pub(crate) use widen::openings;
