//! Strains: what a trial on resources puts a target of its own under.
//!
//! Owns their declared form. All of it is permitted: nothing lies outside the allowed directory, and
//! what decides is whether the target goes on serving.

use schemars::JsonSchema;
use serde::Deserialize;

/// What is sent. Raw frames are sent as they stand; without any, the call of the variant is made.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Strain {
    /// Raw frames, in this order, instead of a call. Needs no role: the control lists the tools.
    #[serde(default, rename = "frame")]
    pub frames: Vec<Frame>,
    /// How many calls are in flight at once, alike but for their number; 1 if not given.
    #[serde(default)]
    pub at_once: Option<u32>,
    /// What stands in the main slot, instead of what the variant fills it with.
    #[serde(default)]
    pub bulk: Option<Bulk>,
    /// The control must be answered while the calls are in flight, too.
    #[serde(default)]
    pub fair: bool,
}

/// One raw frame: pieces one after the other, then a line feed unless it is left open.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Frame {
    /// Its pieces, in order.
    #[schemars(length(min = 1))]
    pub pieces: Vec<Piece>,
    /// No line feed is sent until everything has been: the frame does not end.
    #[serde(default)]
    pub open: bool,
}

/// A piece of a raw frame. Exactly one of `text` and `hex` is given.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Piece {
    /// Text, sent as UTF-8.
    #[serde(default)]
    pub text: Option<String>,
    /// Bytes as pairs of hexadecimal digits.
    #[serde(default)]
    pub hex: Option<String>,
    /// How often it is repeated; once if not given.
    #[serde(default)]
    pub times: Option<u64>,
}

/// A large value. Exactly one member is given.
#[derive(Debug, Clone, Copy, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Bulk {
    /// A text of so many bytes.
    #[serde(default)]
    pub bytes: Option<u64>,
    /// A list of so many short texts.
    #[serde(default)]
    pub items: Option<u64>,
    /// An object of so many members.
    #[serde(default)]
    pub members: Option<u64>,
}

/// Most bytes of one piece: more than any server can be asked to take in a frame.
const LARGEST: u64 = 1 << 30;

impl Piece {
    /// The bytes that are repeated, and how often; `None` when the piece says nothing or too much.
    #[must_use]
    pub fn bytes(&self) -> Option<(Vec<u8>, u64)> {
        let bytes = match (&self.text, &self.hex) {
            (Some(text), None) => text.as_bytes().to_vec(),
            (None, Some(hex)) => data_encoding::HEXLOWER_PERMISSIVE
                .decode(hex.as_bytes())
                .ok()?,
            _ => return None,
        };
        let times = self.times.unwrap_or(1);
        let within = (bytes.len() as u64)
            .checked_mul(times)
            .is_some_and(|size| size <= LARGEST);
        (!bytes.is_empty() && within).then_some((bytes, times))
    }
}

impl Bulk {
    /// Whether exactly one member is given.
    #[must_use]
    pub fn sound(&self) -> bool {
        let given = [self.bytes, self.items, self.members];
        given.iter().flatten().count() == 1
    }
}
