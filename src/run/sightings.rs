//! Where tokens came to light: every byte that the target emits passes here.
//!
//! Owns the scan of the transcript. A sighting is filed under the slot of its token, so it finds
//! its trial whenever and wherever it appears.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::Instant,
};

use crate::{
    canary::{Detector, Sighting, Slot},
    judge::Observation,
    probe::EvidenceKind,
    session::{Direction, Transcript},
    testbed::net::Hits,
};

/// A token that came to light.
#[derive(Debug, Clone)]
pub(super) struct Seen {
    /// What was seen and through which decoders.
    pub(super) sighting: Sighting,
    /// `reply` or `stderr`.
    pub(super) witness: &'static str,
    /// Milliseconds since the start of the run.
    pub(super) at_ms: u64,
}

impl Seen {
    /// As an observation, which says what it means.
    pub(super) fn observation(&self, kind: EvidenceKind, fact: String) -> Observation {
        Observation {
            witness: self.witness.to_owned(),
            kind,
            fact,
            at_ms: self.at_ms,
            decoders: self
                .sighting
                .decoders
                .iter()
                .map(ToString::to_string)
                .collect(),
            excerpt: Some(self.sighting.excerpt.clone()),
        }
    }
}

/// All sightings of a run.
#[derive(Debug, Clone)]
pub(super) struct Sightings {
    detector: Arc<Detector>,
    seen: Arc<Mutex<HashMap<Slot, Vec<Seen>>>>,
}

/// Bytes that are looked through at once: decoders make copies, and an endless line must not cost
/// endless memory. Ordinary replies are far smaller.
const WINDOW: usize = 1 << 20;

/// Bytes that two windows share: more than a token in any of its spellings, or a planted document.
const OVERLAP: usize = 16 << 10;

/// More sightings of one token add nothing.
const KEPT_PER_SLOT: usize = 8;

impl Sightings {
    /// Begins to watch a transcript.
    pub(super) fn of(transcript: &Transcript, detector: Detector) -> Self {
        let sightings = Self {
            detector: Arc::new(detector),
            seen: Arc::default(),
        };
        let listener = sightings.clone();
        transcript.listen(Box::new(move |entry| {
            let witness = match entry.direction {
                Direction::Sent => return,
                Direction::Received => "reply",
                Direction::Stderr => "stderr",
            };
            listener.scan(
                &entry.bytes,
                witness,
                u64::try_from(entry.at.as_millis()).unwrap_or(u64::MAX),
            );
        }));
        sightings
    }

    /// Begins to watch what arrives at the run's own sink: a token there has left the machine, but for us.
    pub(super) fn watch(&self, hits: &Hits, began: Instant) {
        let listener = self.clone();
        hits.listen(Box::new(move |hit| {
            if hit.own || hit.raw.is_empty() {
                return;
            }
            let at = hit.at.saturating_duration_since(began).as_millis();
            listener.scan(&hit.raw, "sink", u64::try_from(at).unwrap_or(u64::MAX));
        }));
    }

    /// The detector, to arm tokens and to look through files.
    pub(super) fn detector(&self) -> &Detector {
        &self.detector
    }

    /// What was seen of a token so far.
    pub(super) fn seen(&self, slot: Slot) -> Vec<Seen> {
        self.seen
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .get(&slot)
            .cloned()
            .unwrap_or_default()
    }

    fn scan(&self, bytes: &[u8], witness: &'static str, at_ms: u64) {
        let mut at = 0;
        while at < bytes.len() {
            let end = bytes.len().min(at + WINDOW);
            self.file(self.detector.scan(&bytes[at..end]), witness, at_ms);
            at = if end == bytes.len() {
                end
            } else {
                end - OVERLAP
            };
        }
    }

    fn file(&self, found: Vec<Sighting>, witness: &'static str, at_ms: u64) {
        if found.is_empty() {
            return;
        }
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        for sighting in found {
            let slot = seen.entry(sighting.slot).or_default();
            if slot.len() < KEPT_PER_SLOT {
                slot.push(Seen {
                    sighting,
                    witness,
                    at_ms,
                });
            }
        }
    }
}
