//! Tokens and the mint that makes them. Randomness comes from the operating system only: a token
//! that a seed could reproduce would be a token that a target could guess.

use std::fmt;
use std::sync::{
    Mutex, PoisonError,
    atomic::{AtomicU32, Ordering},
};

/// The characters of a token: lower-case base32 of RFC 4648. They pass JSON, URLs, HTML, Markdown
/// and shells unchanged.
pub(super) const ALPHABET: &[u8; 32] = b"abcdefghijklmnopqrstuvwxyz234567";
/// Characters in a token.
pub(super) const LEN: usize = 36;
/// Characters of the head that all tokens of one run share.
pub(super) const RUN: usize = 6;
const SLOT: usize = 4;

/// The number of a token within its run; sightings are attributed by it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Slot(pub u32);

impl fmt::Display for Slot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// 36 characters of `[a-z2-7]`: `wt`, 4 of the run, 4 of the slot, 26 random ones (130 bits).
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Token {
    text: String,
    slot: Slot,
}

impl Token {
    /// The token as it is planted.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The slot that a sighting of this token names.
    pub fn slot(&self) -> Slot {
        self.slot
    }

    pub(super) fn run(&self) -> &str {
        &self.text[..RUN]
    }
}

impl fmt::Display for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// Makes the tokens of one run. Can be shared between threads.
#[derive(Debug)]
pub struct Mint {
    run: String,
    tag: String,
    next: AtomicU32,
}

impl Default for Mint {
    fn default() -> Self {
        Self::new()
    }
}

impl Mint {
    /// A mint for a new run, with a run mark and a tag of its own.
    ///
    /// # Panics
    /// If the operating system has no source of randomness; tokens would be guessable.
    pub fn new() -> Self {
        let letters = random::<9>().map(|byte| char::from(b'a' + byte % 26));
        Self {
            run: format!("wt{}", base32(&random::<{ RUN - 2 }>())),
            tag: format!("tag{}", String::from_iter(letters)),
            next: AtomicU32::new(0),
        }
    }

    /// A token that was never given out before. Slots count up from 0.
    ///
    /// # Panics
    /// If the operating system has no source of randomness.
    pub fn token(&self) -> Token {
        let slot = self.next.fetch_add(1, Ordering::Relaxed);
        // Above 2^20 the written slot wraps; the random part still tells tokens apart.
        let written: [u8; SLOT] = std::array::from_fn(|i| (slot >> (5 * (SLOT - 1 - i))) as u8);
        let tail = random::<{ LEN - RUN - SLOT }>();
        Token {
            text: format!("{}{}{}", self.run, base32(&written), base32(&tail)),
            slot: Slot(slot),
        }
    }

    /// A word to search for, the same throughout the run: planted beside every token, so that a
    /// search tool can be driven without sending a token. Letters only, and too short to be taken
    /// for a part of a token.
    pub fn tag(&self) -> &str {
        &self.tag
    }

    pub(super) fn run(&self) -> &str {
        &self.run
    }
}

/// Bytes of the operating system, each given out once. They are asked for many at once, since a call takes five tokens.
fn random<const N: usize>() -> [u8; N] {
    const AT_ONCE: usize = 1024;
    static LEFT: Mutex<Vec<u8>> = Mutex::new(Vec::new());
    let mut left = LEFT.lock().unwrap_or_else(PoisonError::into_inner);
    if left.len() < N {
        left.resize(AT_ONCE, 0);
        getrandom::fill(&mut left).expect("the operating system has a source of randomness");
    }
    let mut bytes = [0; N];
    let rest = left.len() - N;
    bytes.copy_from_slice(&left[rest..]);
    left.truncate(rest);
    bytes
}

fn base32(fives: &[u8]) -> String {
    let chars = fives.iter().map(|five| ALPHABET[usize::from(five & 31)]);
    chars.map(char::from).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn tokens_have_the_documented_form_and_are_unique() {
        let mint = Mint::new();
        let mut seen = HashSet::new();
        for number in 0..2000 {
            let token = mint.token();
            assert_eq!(token.slot(), Slot(number));
            assert_eq!(token.as_str().len(), LEN);
            assert!(token.as_str().starts_with(mint.run()));
            assert!(token.as_str().bytes().all(|b| ALPHABET.contains(&b)));
            assert!(seen.insert(token.as_str().to_owned()));
        }
    }

    #[test]
    fn tags_are_words_of_letters_and_belong_to_a_run() {
        let mint = Mint::new();
        assert_eq!(mint.tag(), mint.tag());
        assert_ne!(mint.tag(), Mint::new().tag());
        assert!(mint.tag().bytes().all(|b| b.is_ascii_lowercase()));
    }
}
