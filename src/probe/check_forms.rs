//! Rules on what a probe does at all: asks through tools, sends raw frames, reads a log, watches, or looks.
//!
//! Owns which of these go together. What the texts of calls may hold is checked elsewhere.

use super::check_rules::{Check, given_slots};
use crate::probe::Variant;

impl Check<'_> {
    /// Something has to be asked or looked at.
    pub(super) fn asks(&mut self) {
        let asks = |variant: &Variant| {
            let raw = variant
                .strain
                .as_ref()
                .is_some_and(|strain| !strain.frames.is_empty());
            !raw && variant.aspect.is_none()
                && variant.audit.is_none_or(|check| !check.without_role())
        };
        let watches = self.probe.watches();
        if watches && !self.probe.roles.is_empty() {
            let message = "a probe that makes no call has no roles";
            self.report("probe.role", "id", message, "remove `roles`");
        }
        if self.probe.roles.is_empty() && !watches && self.probe.variants.iter().any(asks) {
            let help = "give `roles`, raw frames, what is looked for in the log, an `aspect`, or a `technique` that watches";
            self.report("probe.role", "id", "nothing says what is asked", help);
        }
        if self.probe.observes()
            && let Some(technique) = &self.probe.technique
        {
            let message = format!("nothing is asked, so `{technique}` has nothing to do");
            self.report(
                "probe.aspect",
                "technique",
                message,
                "remove it, or give `roles`",
            );
        }
    }

    pub(super) fn strain(&mut self, variant: &Variant, path: &str) {
        let Some(strain) = &variant.strain else {
            return;
        };
        for (index, frame) in strain.frames.iter().enumerate() {
            for (number, piece) in frame.pieces.iter().enumerate() {
                if piece.bytes().is_none() {
                    let path = format!("{path}.strain.frame.{index}.pieces.{number}");
                    let help = "give one of `text` and `hex`, and at most 1 GiB of it";
                    self.report("probe.strain", &path, "this piece cannot be sent", help);
                }
            }
        }
        if strain.bulk.is_some_and(|bulk| !bulk.sound()) {
            let help = "give exactly one of `bytes`, `items` and `members`";
            let path = format!("{path}.strain.bulk");
            self.report("probe.strain", &path, "this is no value", help);
        }
    }

    /// A probe either asks through tools or looks from outside.
    pub(super) fn aspect(&mut self, variant: &Variant, path: &str) {
        let (message, help) = match (variant.aspect, self.probe.observes()) {
            (None, true) => (
                format!(
                    "the variant `{}` says neither what is asked nor what is looked at",
                    variant.name
                ),
                "give `aspect`, or give the probe `roles`",
            ),
            (Some(_), false) => (
                String::from("a probe with `roles` asks, and does not look from outside"),
                "remove `aspect`, or make a probe of its own of it, without `roles`",
            ),
            (Some(_), true) if !variant.plants.is_empty() || !given_slots(variant).is_empty() => (
                String::from(
                    "nothing is sent or planted where something is looked at from outside",
                ),
                "leave `name` and `aspect` alone",
            ),
            _ => return,
        };
        self.report("probe.aspect", &format!("{path}.name"), message, help);
    }
}
