//! Finds fragments of armed tokens in one text: forwards, reversed, rotated by 13, in either case.
//!
//! Cost is linear in the text and does not depend on how many tokens are armed: every token is
//! known by a few of its 8-grams, and each 8-gram of the text is looked up once. Text without a run
//! of token characters as long as [`WEAK`] is skipped at a twelfth of that.
//!
//! # Why fragments below 12 characters do not count
//!
//! A token has 36 - n + 1 fragments of n characters, in 4 spellings, each equal to a given
//! stretch of random base32 text with probability 2^-5n. With 10,000 armed tokens:
//!
//! |  n | false fragments in a megabyte of random base32 |
//! |---:|---|
//! |  8 | 2^20 * 10^4 * 29 * 4 / 2^40 = 1.1 |
//! | 12 | 2^20 * 10^4 * 25 * 4 / 2^60 = 9.1e-7 |
//! | 16 | 2^20 * 10^4 * 21 * 4 / 2^80 = 7.3e-13 |
//!
//! Decoders multiply the text by at most about ten. So 8 characters mean nothing, 12 are a false
//! alarm once in a hundred gigabytes, and 16 are proof. Any 12 neighbours also hold the whole slot
//! or at least 9 random characters, so the head that tokens of a run share never counts alone.

use std::collections::{HashMap, HashSet};

use super::regions::{Class, either, regions, span};
use super::token::{ALPHABET, LEN};
use super::{Slot, Token};

/// Contiguous characters of a token that count as a weak signal.
pub const WEAK: usize = 12;
/// Contiguous characters of a token that prove that its carrier was read.
pub const PROOF: usize = 16;

const GRAM: usize = 8;
const GRAM_MASK: u64 = (1 << (5 * GRAM)) - 1;
/// Every `WEAK` neighbours contain an 8-gram that starts at one of these places in the token.
const PLACES: [usize; 5] = [4, 9, 14, 19, 24];
const FILTER_BITS: u32 = 20;
const NONE: u32 = u32::MAX;

static TOKEN_CHARS: Class = either(either(span(b'a', b'z'), span(b'A', b'Z')), span(b'2', b'7'));

/// The value of a token character of either case; other bytes must not be asked for.
static VALUES: [u8; 256] = {
    let mut values = [0; 256];
    let mut value = 0;
    while value < 32 {
        values[ALPHABET[value] as usize] = value as u8;
        values[ALPHABET[value].to_ascii_uppercase() as usize] = value as u8;
        value += 1;
    }
    values
};

/// How a token is spelled in the text that was searched.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Spelling {
    pub(super) rot13: bool,
    pub(super) reversed: bool,
}

const SPELLINGS: [Spelling; 4] = [
    Spelling {
        rot13: false,
        reversed: false,
    },
    Spelling {
        rot13: false,
        reversed: true,
    },
    Spelling {
        rot13: true,
        reversed: false,
    },
    Spelling {
        rot13: true,
        reversed: true,
    },
];

/// A fragment of a token.
#[derive(Debug, Clone, Copy)]
pub(super) struct Hit {
    pub(super) slot: Slot,
    /// Where in the text it starts.
    pub(super) start: usize,
    /// Its length in characters, at least [`WEAK`].
    pub(super) matched: usize,
    pub(super) spelling: Spelling,
    /// Whether letters have another case than in the token.
    pub(super) folded: bool,
}

struct Posting {
    token: u32,
    spelling: u8,
    place: u8,
    /// The next posting of the same 8-gram, or `NONE`.
    next: u32,
}

/// The armed tokens, by 8-grams.
pub(super) struct Index {
    slots: HashSet<Slot>,
    tokens: Vec<(Slot, [u8; LEN])>,
    postings: Vec<Posting>,
    heads: HashMap<u64, u32>,
    /// One bit for each hash of an 8-gram in `heads`; keeps random text out of the map.
    filter: Vec<u64>,
}

impl Index {
    pub(super) fn new() -> Self {
        Self {
            slots: HashSet::new(),
            tokens: Vec::new(),
            postings: Vec::new(),
            heads: HashMap::new(),
            filter: vec![0; 1 << (FILTER_BITS - 6)],
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.tokens.is_empty()
    }

    /// Adds a token unless one of its slot is there.
    pub(super) fn insert(&mut self, token: &Token) {
        if !self.slots.insert(token.slot()) {
            return;
        }
        let mut text = [0; LEN];
        text.copy_from_slice(token.as_str().as_bytes());
        let number = self.tokens.len() as u32;
        self.tokens.push((token.slot(), text));
        for (spelling, kind) in SPELLINGS.iter().enumerate() {
            let spelled = spell(&text, *kind);
            for place in PLACES {
                let gram = spelled[place..place + GRAM].iter().fold(0, |gram, byte| {
                    gram << 5 | u64::from(VALUES[usize::from(*byte)])
                });
                let bucket = bucket(gram);
                self.filter[bucket / 64] |= 1 << (bucket % 64);
                let head = self.heads.entry(gram).or_insert(NONE);
                let posting = Posting {
                    token: number,
                    spelling: spelling as u8,
                    place: place as u8,
                    next: *head,
                };
                *head = self.postings.len() as u32;
                self.postings.push(posting);
            }
        }
    }

    /// Reports every fragment of at least [`WEAK`] characters, some more than once.
    pub(super) fn find(&self, text: &[u8], mut report: impl FnMut(Hit)) {
        for run in regions(text, &TOKEN_CHARS, WEAK) {
            let mut gram = 0;
            for (at, byte) in text[run.clone()].iter().enumerate() {
                gram = (gram << 5 | u64::from(VALUES[usize::from(*byte)])) & GRAM_MASK;
                let bucket = bucket(gram);
                if at + 1 < GRAM || self.filter[bucket / 64] >> (bucket % 64) & 1 == 0 {
                    continue;
                }
                let mut next = self.heads.get(&gram).copied().unwrap_or(NONE);
                while let Some(posting) = self.postings.get(next as usize) {
                    if let Some(hit) = self.widen(text, run.start + at + 1 - GRAM, posting) {
                        report(hit);
                    }
                    next = posting.next;
                }
            }
        }
    }

    /// The whole fragment around an 8-gram that starts at `at`.
    fn widen(&self, text: &[u8], at: usize, posting: &Posting) -> Option<Hit> {
        let (slot, token) = &self.tokens[posting.token as usize];
        let spelling = SPELLINGS[usize::from(posting.spelling)];
        let spelled = spell(token, spelling);
        let place = usize::from(posting.place);
        let before = text[..at].iter().rev().zip(spelled[..place].iter().rev());
        let after = text[at..].iter().zip(&spelled[place..]);
        let equal = |(seen, own): &(&u8, &u8)| seen.eq_ignore_ascii_case(own);
        let before = before.take_while(equal).count();
        let matched = before + after.take_while(equal).count();
        let start = at - before;
        let own = &spelled[place - before..][..matched];
        (matched >= WEAK).then(|| Hit {
            slot: *slot,
            start,
            matched,
            spelling,
            folded: &text[start..start + matched] != own,
        })
    }
}

fn spell(token: &[u8; LEN], spelling: Spelling) -> [u8; LEN] {
    let mut text = *token;
    if spelling.rot13 {
        text.iter_mut().for_each(|byte| *byte = rot13(*byte));
    }
    if spelling.reversed {
        text.reverse();
    }
    text
}

/// A letter rotated by 13, any other byte as it is.
pub(super) fn rot13(byte: u8) -> u8 {
    match byte {
        b'a'..=b'm' | b'A'..=b'M' => byte + 13,
        b'n'..=b'z' | b'N'..=b'Z' => byte - 13,
        _ => byte,
    }
}

/// Fibonacci hashing: the top bits of a product with 2^64 / golden ratio.
fn bucket(gram: u64) -> usize {
    (gram.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> (64 - FILTER_BITS)) as usize
}
