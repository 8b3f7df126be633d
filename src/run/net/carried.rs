//! What requests carry that they must not, wherever they go.
//!
//! Owns the comparison of header fields with what a trial calls unwanted: a field that was smuggled in, a
//! secret that was meant for another host.

use data_encoding::BASE64;

use super::{Props, Wire, tell::told};
use crate::{
    judge::{Liveness, Observation},
    probe::EvidenceKind,
    run::stage::Stage,
    testbed::net::{Hit, Kind, Nonce},
};

impl Stage<'_> {
    /// Requests of the trial that carry what they must not.
    pub(super) fn unwanted(&self, wire: Wire<'_>, props: &Props) -> Vec<Observation> {
        let mut found = Vec::new();
        for (place, unwanted) in props.unwanted() {
            if let Some(name) = &unwanted.field {
                let smuggled = requests(wire, props.nonces()).into_iter().find(|hit| {
                    hit.headers
                        .iter()
                        .any(|(field, _)| field.eq_ignore_ascii_case(name))
                });
                found.extend(smuggled.map(|hit| {
                    let fact = format!(
                        "{} with a header field `{name}`, which nobody gave it: a line break in the call became one in the request",
                        told(&hit)
                    );
                    self.observed(&hit, EvidenceKind::Connection, fact)
                }));
            }
            if let Some(secret) = &unwanted.value {
                let leaked = requests(wire, [place].into_iter())
                    .into_iter()
                    .find_map(|hit| Some((carrying(&hit, secret)?, hit)));
                found.extend(leaked.map(|(field, hit)| {
                    let fact = format!(
                        "{} with `{secret}` in its header field `{field}`, which was not meant for it",
                        told(&hit)
                    );
                    self.observed(&hit, EvidenceKind::Connection, fact)
                }));
            }
        }
        found
    }

    /// In the twin, what shows that the place was asked with what it may be given there; nothing of trials that
    /// are about nothing such.
    pub(super) fn carried(&self, wire: Wire<'_>, props: &Props) -> Option<Option<Observation>> {
        let (place, secret) = props
            .unwanted()
            .find_map(|(place, unwanted)| Some((place, unwanted.value.as_ref()?)))?;
        let arrived = requests(wire, [place].into_iter())
            .into_iter()
            .find(|hit| carrying(hit, secret).is_some());
        Some(arrived.map(|hit| {
            let fact = format!("{} with what it may be given there", told(&hit));
            self.observed(&hit, EvidenceKind::Connection, fact)
        }))
    }

    /// Whether a secret that is not to be passed on was sent to anybody at all; nothing of trials that are about
    /// no such secret. Who sends it nowhere has nothing to pass on.
    pub(super) fn carries(&self, wire: Wire<'_>, props: &Props) -> Option<Liveness> {
        let mut secrets = props
            .unwanted()
            .filter_map(|(_, unwanted)| unwanted.value.as_ref())
            .peekable();
        secrets.peek()?;
        let requests = requests(wire, props.nonces());
        let sent = secrets.any(|secret| requests.iter().any(|hit| carrying(hit, secret).is_some()));
        Some(if sent {
            Liveness::Live
        } else {
            Liveness::Unknown
        })
    }
}

fn requests<'a>(wire: Wire<'_>, nonces: impl Iterator<Item = &'a Nonce>) -> Vec<Hit> {
    nonces
        .flat_map(|nonce| wire.glass.hits().of_nonce(nonce))
        .filter(|hit| !hit.own && hit.kind == Kind::Request)
        .collect()
}

/// The header field that carries the text, as it is or in Base64, as basic authentication has it.
fn carrying(hit: &Hit, text: &str) -> Option<String> {
    let holds = |value: &str| {
        value.contains(text)
            || value.split_ascii_whitespace().any(|word| {
                BASE64
                    .decode(word.as_bytes())
                    .is_ok_and(|bytes| String::from_utf8_lossy(&bytes).contains(text))
            })
    };
    hit.headers
        .iter()
        .find(|(_, value)| holds(value))
        .map(|(name, _)| name.clone())
}
