//! Words that tie what arrives to the trial that sent it.
//!
//! Owns their form and how they are found in bytes. A word counts only when the run gave it out: `latest` in
//! `/latest/meta-data` is no nonce.

use std::{
    collections::HashMap,
    fmt,
    sync::{Mutex, MutexGuard, PoisonError},
};

use data_encoding::BASE32_NOPAD;

/// Characters in a nonce: 60 bits.
const LEN: usize = 12;

/// A word of 12 characters of `[a-z2-7]`. It survives URLs, host labels, shells and JSON unchanged, and whoever
/// lowers or raises its case does not hide it.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Nonce(String);

/// A word that cannot be a nonce.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no nonce: it takes {LEN} characters of a-z and 2-7")]
pub struct NonceError(String);

impl Nonce {
    /// The word.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Nonce {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The nonces that were given out, each with the length that the record had then: what came before is of others.
#[derive(Debug, Default)]
pub(super) struct Nonces(Mutex<HashMap<String, u64>>);

impl Nonces {
    /// A word that was never given out before. Random: a target must not be able to guess one.
    pub(super) fn fresh(&self, born: u64) -> Nonce {
        let mut bytes = [0; 8];
        getrandom::fill(&mut bytes).expect("the operating system has a source of randomness");
        let mut word = BASE32_NOPAD.encode(&bytes).to_ascii_lowercase();
        word.truncate(LEN);
        self.insert(&word, born);
        Nonce(word)
    }

    /// Takes a word of the caller's.
    pub(super) fn adopt(&self, word: &str, born: u64) -> Result<Nonce, NonceError> {
        if word.len() != LEN || !word.bytes().all(is_letter) {
            return Err(NonceError(word.into()));
        }
        self.insert(word, born);
        Ok(Nonce(word.into()))
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, u64>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn insert(&self, word: &str, born: u64) {
        self.lock().entry(word.into()).or_insert(born);
    }

    /// How many hits were on record when the nonce was given out.
    pub(super) fn born(&self, nonce: &Nonce) -> u64 {
        self.lock().get(nonce.as_str()).copied().unwrap_or(0)
    }

    /// The first nonce in the bytes, wherever it stands and in whichever case.
    pub(super) fn find(&self, bytes: &[u8]) -> Option<Nonce> {
        let known = self.lock();
        if known.is_empty() {
            return None;
        }
        let lower = bytes.to_ascii_lowercase();
        lower
            .split(|byte| !is_letter(*byte))
            .flat_map(|run| run.windows(LEN))
            .filter_map(|window| std::str::from_utf8(window).ok())
            .find(|word| known.contains_key(*word))
            .map(|word| Nonce(word.to_owned()))
    }
}

fn is_letter(byte: u8) -> bool {
    matches!(byte, b'a'..=b'z' | b'2'..=b'7')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nonces_are_found_in_any_case_and_glued_to_other_letters() {
        let nonces = Nonces::default();
        assert_eq!(nonces.find(b"/latest/meta-data"), None);
        let nonce = nonces.fresh(0);
        assert_eq!(nonce.as_str().len(), LEN);
        for text in [
            format!("GET /{nonce}/a HTTP/1.1"),
            format!("{}.WT.TEST", nonce.as_str().to_uppercase()),
            format!("xx{nonce}yy"),
        ] {
            assert_eq!(nonces.find(text.as_bytes()), Some(nonce.clone()), "{text}");
        }
        assert_eq!(nonces.find(&nonce.as_str().as_bytes()[1..]), None);
        assert_eq!(nonces.adopt("short", 0), Err(NonceError("short".into())));
        assert!(nonces.adopt("abcdefgh2345", 0).is_ok());
        assert!(nonces.find(b"abcdefgh2345").is_some());
    }
}
