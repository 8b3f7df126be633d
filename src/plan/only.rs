//! One trial of a plan, for those who want to see it alone.
//!
//! Owns how it is found, and what is offered instead of one that is not there.

use super::{Fate, Plan};

impl Plan {
    /// Leaves one trial, which then runs alone.
    ///
    /// # Errors
    /// There is none of that id; the ids that look most like it.
    pub fn keep(&mut self, id: &str) -> Result<(), Vec<String>> {
        let Some(index) = self.trials.iter().position(|trial| trial.id == id) else {
            let ids = self.trials.iter().map(|trial| trial.id.as_str());
            return Err(alike(id, ids, 3));
        };
        let mut trial = self.trials.swap_remove(index);
        if trial.fate == Fate::Shared {
            trial.fate = Fate::Alone;
        }
        self.trials = vec![trial];
        Ok(())
    }
}

/// Ids that look most like a word, the likeliest first; none that looks like another thing.
#[must_use]
pub fn alike<'a>(word: &str, ids: impl Iterator<Item = &'a str>, limit: usize) -> Vec<String> {
    let score = |id: &str| match id.contains(word) {
        true => 1.0,
        false => strsim::jaro_winkler(word, id),
    };
    let mut scored: Vec<(f64, &str)> = ids.map(|id| (score(id), id)).collect();
    scored.retain(|(score, _)| *score > 0.75);
    scored.sort_by(|one, other| other.0.total_cmp(&one.0));
    scored
        .into_iter()
        .take(limit)
        .map(|(_, id)| id.to_owned())
        .collect()
}
