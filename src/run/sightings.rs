//! Where tokens came to light: every byte that the target emits passes here.
//!
//! Owns the scan of the transcript. A sighting is filed under the slot of its token, so it finds
//! its trial whenever and wherever it appears. What kind of message it was in is told by `place`.

mod place;

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::Instant,
};

use place::Places;

pub(super) use place::Place;

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
    /// In what the target said it.
    pub(super) place: Place,
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
    places: Arc<Mutex<Places>>,
}

/// Bytes that are looked through at once: decoders make copies, and an endless line must not cost
/// endless memory. Ordinary replies are far smaller.
const WINDOW: usize = 1 << 20;

/// Bytes that two windows share: more than a token in any of its spellings, or a planted document.
const OVERLAP: usize = 16 << 10;

/// More sightings of one token in one place add nothing.
const KEPT: usize = 8;

impl Sightings {
    /// Begins to watch a transcript.
    pub(super) fn of(transcript: &Transcript, detector: Detector) -> Self {
        let sightings = Self {
            detector: Arc::new(detector),
            seen: Arc::default(),
            places: Arc::default(),
        };
        let listener = sightings.clone();
        transcript.listen(Box::new(move |entry| {
            let mut places = listener
                .places
                .lock()
                .unwrap_or_else(PoisonError::into_inner);
            let from = match entry.direction {
                Direction::Sent => return places.sent(&entry.bytes),
                Direction::Received => ("reply", places.received(&entry.bytes)),
                Direction::Stderr => {
                    places.count(Place::Log);
                    ("stderr", Place::Log)
                }
            };
            drop(places);
            listener.scan(
                &entry.bytes,
                from,
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
            let mut places = listener
                .places
                .lock()
                .unwrap_or_else(PoisonError::into_inner);
            places.count(Place::Sink);
            drop(places);
            let at = hit.at.saturating_duration_since(began).as_millis();
            listener.scan(
                &hit.raw,
                ("sink", Place::Sink),
                u64::try_from(at).unwrap_or(u64::MAX),
            );
        }));
    }

    /// Looks through what a command of the target's was given.
    pub(super) fn given(&self, environment: &[u8], at_ms: u64) {
        let mut places = self.places.lock().unwrap_or_else(PoisonError::into_inner);
        places.count(Place::Command);
        drop(places);
        // Each by itself: an excerpt must not hold a piece of the next one, which may be the user's.
        for variable in environment.split(|byte| *byte == 0) {
            self.scan(variable, ("process-witness", Place::Command), at_ms);
        }
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

    /// How much the target said of a kind.
    pub(super) fn heard(&self, place: Place) -> usize {
        let places = self.places.lock().unwrap_or_else(PoisonError::into_inner);
        places.heard.get(&place).copied().unwrap_or_default()
    }

    fn scan(&self, bytes: &[u8], from: (&'static str, Place), at_ms: u64) {
        let mut at = 0;
        while at < bytes.len() {
            let end = bytes.len().min(at + WINDOW);
            self.file(self.detector.scan(&bytes[at..end]), from, at_ms);
            at = if end == bytes.len() {
                end
            } else {
                end - OVERLAP
            };
        }
    }

    fn file(&self, found: Vec<Sighting>, (witness, place): (&'static str, Place), at_ms: u64) {
        if found.is_empty() {
            return;
        }
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        for sighting in found {
            let slot = seen.entry(sighting.slot).or_default();
            if slot.iter().filter(|seen| seen.place == place).count() < KEPT {
                slot.push(Seen {
                    sighting,
                    witness,
                    place,
                    at_ms,
                });
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::canary::Mint;

    /// What stands beside the token may be the user's.
    #[test]
    fn a_variable_is_shown_without_its_neighbours() {
        let mint = Mint::new();
        let token = mint.token();
        let sightings = Sightings::of(&Transcript::new(), Detector::new(&mint));
        sightings.detector().arm(&token);
        let given = format!("MINE=not for a report\0KEY={}\0", token.as_str());
        sightings.given(given.as_bytes(), 7);
        let seen = sightings.seen(token.slot());
        let [one] = seen.as_slice() else {
            panic!("it is seen once: {seen:?}");
        };
        assert_eq!((one.place, one.at_ms), (Place::Command, 7));
        assert!(one.sighting.excerpt.contains("KEY="), "{one:?}");
        assert!(!one.sighting.excerpt.contains("MINE"), "{one:?}");
        assert_eq!(sightings.heard(Place::Command), 1);
    }
}
