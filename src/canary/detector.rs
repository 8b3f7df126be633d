//! Recognises armed tokens in emitted bytes, however they were encoded on the way.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{PoisonError, RwLock};

use super::decode;
use super::layer::{DEPTH, Layer, Queue};
use super::matcher::{Hit, Index, PROOF};
use super::token::LEN;
use super::{Decoder, Mint, Slot, Token};

/// Longest excerpt, in characters.
const EXCERPT: usize = 120;

/// A token, or a fragment of one, in emitted bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sighting {
    /// Whose token it is.
    pub slot: Slot,
    /// Contiguous characters of the token that were seen, 12 to 36.
    pub matched: usize,
    /// At least 16 contiguous characters. Fewer are a weak signal: worth another look, no proof.
    pub proof: bool,
    /// What was undone to see it, outermost first; empty for the plain token.
    pub decoders: Vec<Decoder>,
    /// Where in the scanned bytes it starts: the token itself if it was plain, else the encoded
    /// part that it was in, or 0 if all the bytes were decoded as one.
    pub offset: usize,
    /// The decoded text around it: printable ASCII, at most 120 characters, other bytes as `\xNN`.
    pub excerpt: String,
}

/// Finds the tokens that were armed. Can be shared between threads; arming and scanning may
/// overlap.
pub struct Detector {
    run: String,
    index: RwLock<Index>,
}

impl fmt::Debug for Detector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Detector")
            .field("run", &self.run)
            .finish_non_exhaustive()
    }
}

impl Detector {
    /// A detector for tokens of `mint`, with none of them armed.
    pub fn new(mint: &Mint) -> Self {
        Self {
            run: mint.run().to_owned(),
            index: RwLock::new(Index::new()),
        }
    }

    /// From now on, scans report `token`. Arming it again changes nothing.
    ///
    /// # Panics
    /// If another mint made the token: its slot would be taken for one of this run.
    pub fn arm(&self, token: &Token) {
        assert_eq!(
            token.run(),
            self.run,
            "a detector only knows tokens of its own mint"
        );
        let mut index = self.index.write().unwrap_or_else(PoisonError::into_inner);
        index.insert(token);
    }

    /// Every armed token that can be seen in `bytes`, by slot: for each the longest fragment, and
    /// of equally long ones that with the fewest decoders.
    ///
    /// Decoders nest up to three deep. The work is bounded by a multiple of the input, so in a text
    /// built to waste it the deepest encodings may go unseen; plain tokens never do.
    pub fn scan(&self, bytes: &[u8]) -> Vec<Sighting> {
        let index = self.index.read().unwrap_or_else(PoisonError::into_inner);
        let mut best: BTreeMap<Slot, Sighting> = BTreeMap::new();
        if index.is_empty() {
            return Vec::new();
        }
        let mut queue = Queue::new(bytes);
        let mut whole = Vec::new();
        while let Some(mut layer) = queue.pop() {
            whole.clear();
            index.find(&layer.bytes, |hit| {
                if hit.matched == LEN {
                    whole.push(hit.start..hit.start + LEN);
                }
                let rank = |decoders: usize| (hit.matched, usize::MAX - decoders);
                let steps = layer.path.len() + own_decoders(hit).count();
                let is_better = best.get(&hit.slot).is_none_or(|known| {
                    rank(steps) > (known.matched, usize::MAX - known.decoders.len())
                });
                if is_better {
                    best.insert(hit.slot, sighting(&layer, hit));
                }
            });
            layer.blank(&whole);
            if layer.depth < DEPTH {
                decode::expand(&mut layer, &mut queue);
            } else if layer.is_after(Decoder::LinePrefix) {
                decode::join_lines(&layer, &mut queue);
            }
        }
        best.into_values().collect()
    }
}

/// What the matcher undid by itself.
fn own_decoders(hit: Hit) -> impl Iterator<Item = Decoder> {
    [
        hit.spelling.reversed.then_some(Decoder::Reversed),
        hit.spelling.rot13.then_some(Decoder::Rot13),
        hit.folded.then_some(Decoder::CaseFold),
    ]
    .into_iter()
    .flatten()
}

fn sighting(layer: &Layer<'_>, hit: Hit) -> Sighting {
    let mut decoders = layer.path.clone();
    decoders.extend(own_decoders(hit));
    Sighting {
        slot: hit.slot,
        matched: hit.matched,
        proof: hit.matched >= PROOF,
        decoders,
        offset: if layer.path.is_empty() {
            hit.start
        } else {
            layer.origin
        },
        excerpt: excerpt(&layer.bytes, hit.start, hit.start + hit.matched),
    }
}

/// `bytes[start..end]` with as much around it, in equal parts, as fits.
fn excerpt(bytes: &[u8], start: usize, end: usize) -> String {
    let width = |byte: &u8| if is_printable(*byte) { 1 } else { 4 };
    let mut room = EXCERPT.saturating_sub(bytes[start..end].iter().map(width).sum());
    let (mut from, mut to) = (start, end);
    loop {
        let before = bytes[..from]
            .last()
            .map(width)
            .filter(|width| *width <= room);
        if let Some(width) = before {
            room -= width;
            from -= 1;
        }
        let after = bytes.get(to).map(width).filter(|width| *width <= room);
        if let Some(width) = after {
            room -= width;
            to += 1;
        }
        if before.is_none() && after.is_none() {
            break;
        }
    }
    let mut text = String::with_capacity(EXCERPT);
    for byte in &bytes[from..to] {
        if is_printable(*byte) {
            text.push(char::from(*byte));
        } else {
            text.push_str(&format!("\\x{byte:02x}"));
        }
    }
    text
}

fn is_printable(byte: u8) -> bool {
    matches!(byte, b' '..=b'~')
}
