//! The texts of one scan: what was emitted, and what decoders made of it, under one bound of work.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet, VecDeque};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::ops::Range;

use super::Decoder;
use super::binary;
use super::matcher::WEAK;
use super::regions::{Class, class, either, regions, span};

/// How many decoders may follow on each other.
pub(super) const DEPTH: usize = 3;
/// Decoded bytes that a scan may make for each byte of its input, and on top of that.
const BYTES_PER_BYTE: usize = 6;
const BYTES_MORE: usize = 1 << 20;
/// Bytes that one compressed stream may yield.
const STREAM_BYTES: usize = 4 << 20;
/// What a layer costs however short it is; bounds their number.
const LAYER_COST: usize = 128;
/// Starting a decompressor is this dear.
const ATTEMPT_COST: usize = 2048;
/// Joined prose looks like a huge base32 text; larger ones wait until all else is done.
const DEFERRED_BYTES: usize = 32 << 10;
/// Layers up to this size are compared with those before.
const COMPARED_BYTES: usize = 64 << 10;

/// A text with the way that led to it.
pub(super) struct Layer<'a> {
    pub(super) bytes: Cow<'a, [u8]>,
    /// Outermost first.
    pub(super) path: Vec<Decoder>,
    /// How many decoders count against [`DEPTH`].
    pub(super) depth: usize,
    /// Where in the scanned bytes its encoded form starts.
    pub(super) origin: usize,
}

impl Layer<'_> {
    /// Puts blanks in the place of what was seen whole: there is nothing more to make of it.
    pub(super) fn blank(&mut self, seen: &[Range<usize>]) {
        for range in seen {
            self.bytes.to_mut()[range.clone()].fill(b' ');
        }
    }

    /// Whether the last step was `decoder`.
    pub(super) fn is_after(&self, decoder: Decoder) -> bool {
        self.path.last() == Some(&decoder)
    }
}

/// Layers that still have to be searched.
pub(super) struct Queue<'a> {
    waiting: VecDeque<Layer<'a>>,
    deferred: VecDeque<Layer<'a>>,
    seen: HashSet<u64>,
    /// Words that were decoded, and how deep they were met.
    words: HashMap<u64, usize>,
    /// Of those, the runs that are read.
    read: HashMap<u64, Vec<Range<usize>>>,
    left: usize,
}

impl<'a> Queue<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        let first = Layer {
            bytes: Cow::Borrowed(bytes),
            path: Vec::new(),
            depth: 0,
            origin: 0,
        };
        Self {
            waiting: VecDeque::from([first]),
            deferred: VecDeque::new(),
            seen: HashSet::new(),
            words: HashMap::new(),
            read: HashMap::new(),
            left: bytes.len() * BYTES_PER_BYTE + BYTES_MORE,
        }
    }

    pub(super) fn pop(&mut self) -> Option<Layer<'a>> {
        self.waiting
            .pop_front()
            .or_else(|| self.deferred.pop_front())
    }

    /// How many bytes a compressed stream may yield now.
    pub(super) fn stream_limit(&self) -> usize {
        self.left.min(STREAM_BYTES)
    }

    /// Pays for the start of a decompressor; false once the bound of work is reached.
    pub(super) fn pay_attempt(&mut self) -> bool {
        self.pay(ATTEMPT_COST)
    }

    /// Pays for `cost` bytes of work that may come to nothing.
    pub(super) fn pay(&mut self, cost: usize) -> bool {
        let affordable = self.left >= cost;
        self.left = self.left.saturating_sub(cost);
        affordable
    }

    /// Whether a word of `layer` was not met before at this depth or above: what is made of it
    /// then waits already. Layers made of one text share most of their words.
    pub(super) fn is_new(&mut self, layer: &Layer<'_>, word: &[u8]) -> bool {
        let is_joined = layer.is_after(Decoder::Whitespace);
        let depth = self
            .words
            .entry(hash(&(word, is_joined)))
            .or_insert(usize::MAX);
        let is_new = layer.depth < *depth;
        *depth = layer.depth.min(*depth);
        is_new
    }

    /// Remembers which runs of a word are read.
    pub(super) fn read(&mut self, word: &[u8], runs: Vec<Range<usize>>) {
        if !runs.is_empty() {
            self.read.insert(hash(&word), runs);
        }
    }

    /// The runs of a word that are read.
    pub(super) fn was_read(&self, word: &[u8]) -> &[Range<usize>] {
        if self.read.is_empty() {
            return &[];
        }
        self.read.get(&hash(&word)).map_or(&[], Vec::as_slice)
    }

    /// Like [`push`](Self::push) for a decoder that makes something of any text in its alphabet:
    /// drops what holds neither text nor anything that could be decoded on.
    pub(super) fn push_plausible(
        &mut self,
        from: &Layer<'_>,
        decoder: Decoder,
        at: usize,
        bytes: &[u8],
    ) {
        static TEXT: Class = either(span(b' ', b'~'), class(b"\t\r\n"));
        let is_plausible = regions(bytes, &TEXT, WEAK).next().is_some()
            || str::from_utf8(bytes).is_ok()
            || memchr::memchr_iter(0, bytes).nth(WEAK - 2).is_some()
            || binary::is_candidate(bytes);
        if is_plausible {
            self.push(from, decoder, at, bytes.to_vec());
        }
    }

    /// Adds what `decoder` made of the bytes of `from` that start at `at`.
    pub(super) fn push(&mut self, from: &Layer<'_>, decoder: Decoder, at: usize, bytes: Vec<u8>) {
        if bytes.len() < WEAK || !self.pay(bytes.len() + LAYER_COST) {
            return;
        }
        if bytes.len() <= COMPARED_BYTES && !self.seen.insert(hash(&bytes)) {
            return;
        }
        let is_deferred = decoder == Decoder::Whitespace && bytes.len() > DEFERRED_BYTES;
        let mut path = Vec::with_capacity(from.path.len() + 1);
        path.extend_from_slice(&from.path);
        path.push(decoder);
        // Cut lines are only joined by both steps together.
        let is_free = decoder == Decoder::Whitespace && from.is_after(Decoder::LinePrefix);
        let layer = Layer {
            bytes: Cow::Owned(bytes),
            origin: if from.path.is_empty() {
                at
            } else {
                from.origin
            },
            path,
            depth: from.depth + usize::from(!is_free),
        };
        if is_deferred {
            self.deferred.push_back(layer);
        } else {
            self.waiting.push_back(layer);
        }
    }
}

fn hash(value: &impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    value.hash(&mut hasher);
    hasher.finish()
}
