//! What shows that something was executed or evaluated.
//!
//! Owns the records of programs and the products in answers. An echo of what was sent is neither.

use super::stage::{Ask, Stage};
use crate::{
    channel::recipe_of,
    judge::{Observation, Watch},
    probe::EvidenceKind,
    session::Exchange,
    testbed::{Planted, Scene},
};

impl Stage<'_> {
    /// Programs of the trial that were started: by their records, or by their output.
    pub(super) fn executed(&self, scene: &Scene) -> Vec<Observation> {
        let programs = scene.planted.iter().filter(|planted| planted.program);
        programs
            .filter_map(|planted| {
                self.recorded(scene, planted)
                    .or_else(|| self.printed(planted))
            })
            .collect()
    }

    fn recorded(&self, scene: &Scene, planted: &Planted) -> Option<Observation> {
        let record = scene.started(planted)?;
        Some(Observation {
            witness: String::from("program"),
            kind: EvidenceKind::Execution,
            fact: format!(
                "the trial's program {} was started, and left its record",
                planted.path.display()
            ),
            at_ms: self.now_ms(),
            decoders: Vec::new(),
            excerpt: Some(record),
        })
    }

    fn printed(&self, planted: &Planted) -> Option<Observation> {
        let seen = self.sightings.seen(planted.token.slot());
        let seen = seen.iter().find(|seen| seen.sighting.proof)?;
        let fact = format!(
            "what the trial's program {} prints when it is started came out of the server",
            planted.path.display()
        );
        Some(seen.observation(EvidenceKind::Execution, fact))
    }

    /// The product of the trial's numbers in the answer, where that is evidence.
    pub(super) fn computed(
        &self,
        ask: &Ask<'_>,
        scene: &Scene,
        exchange: &Exchange,
    ) -> Option<Observation> {
        if !ask.evidence.contains(&EvidenceKind::Computed) {
            return None;
        }
        let (one, two) = scene.factors;
        let product = (one * two).to_string();
        let raw = String::from_utf8_lossy(&exchange.raw);
        let text = exchange.outcome.text();
        let told = stands_alone(&raw, &product) || stands_alone(&text, &product);
        told.then(|| Observation {
            witness: String::from("reply"),
            kind: EvidenceKind::Computed,
            fact: format!("the answer holds {product}, the product of {one} and {two}"),
            at_ms: self.now_ms(),
            decoders: Vec::new(),
            excerpt: None,
        })
    }

    /// Whether a program of the trial would leave its record.
    pub(super) fn watches_programs(&self, ask: &Ask<'_>) -> Watch {
        match self.programs {
            Err(why) if ask.evidence.contains(&EvidenceKind::Execution) => {
                Watch::Blind(why.clone())
            }
            _ => Watch::Awake,
        }
    }

    /// What a channel that executes texts is asked in its plain call.
    pub(super) fn sentence(&self, ask: &Ask<'_>, scene: &Scene) -> Option<String> {
        if !ask.channel.role.executes() {
            return None;
        }
        let recipe = recipe_of(ask.channel.role, ask.channel.recipe.as_deref())?;
        let path = |name: &str| scene.planted(name).map(|planted| planted.path.clone());
        let shown = |path: Option<std::path::PathBuf>| {
            path.map(|path| path.display().to_string())
                .unwrap_or_default()
        };
        let dir = path("named").and_then(|path| path.parent().map(std::path::Path::to_path_buf));
        Some(recipe.about(&shown(path("plain")), &shown(dir), scene.factors))
    }
}

/// Whether a number stands in a text and is not a part of a longer one.
fn stands_alone(text: &str, number: &str) -> bool {
    text.match_indices(number).any(|(at, _)| {
        let before = text[..at].chars().next_back();
        let after = text[at + number.len()..].chars().next();
        !before.is_some_and(|letter| letter.is_ascii_digit())
            && !after.is_some_and(|letter| letter.is_ascii_digit())
    })
}

#[cfg(test)]
mod tests {
    use super::stands_alone;

    #[test]
    fn a_part_of_a_number_is_another_number() {
        assert!(stands_alone("= 1512529.0", "1512529"));
        assert!(!stands_alone("21512529", "1512529") && !stands_alone("15125290", "1512529"));
    }
}
