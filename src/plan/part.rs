//! A plan in parts, for several machines.
//!
//! Owns which trial belongs to which part, and the digest by which parts are known to be of one plan.
//! Both depend on the ids of the trials only: neither on a seed nor on the machine.

use data_encoding::HEXLOWER;
use sha2::{Digest as _, Sha256};

use super::{Fate, Plan, Trial};
use crate::config::Shard;

impl Plan {
    /// The trials of one shard. Over all shards each trial is in exactly one, and of each kind, those
    /// side by side and those with a process of their own, no shard has more than one more than
    /// another.
    #[must_use]
    pub fn part(self, shard: Shard) -> Self {
        let mut dealt = self.trials;
        // By kind first, since kinds cost differently; by digest within, so that neighbours, which
        // are much alike, go to different shards.
        dealt.sort_by_cached_key(|trial| (kind(trial), Sha256::digest(&trial.id)));
        let (first, step) = (shard.number() as usize - 1, shard.of() as usize);
        let mut trials: Vec<Trial> = dealt.into_iter().skip(first).step_by(step).collect();
        trials.sort_by(|one, other| one.id.cmp(&other.id));
        Self { trials }
    }

    /// Digest of the ids of all trials, see [`digest_of`].
    #[must_use]
    pub fn digest(&self) -> String {
        digest_of(self.trials.iter().map(|trial| &*trial.id))
    }
}

/// SHA-256 of ids in order, each with a line feed, in hexadecimal.
#[must_use]
pub fn digest_of<'a>(ids: impl Iterator<Item = &'a str>) -> String {
    let mut ids: Vec<&str> = ids.collect();
    ids.sort_unstable();
    let mut hash = Sha256::new();
    for id in ids {
        hash.update(id);
        hash.update("\n");
    }
    HEXLOWER.encode(&hash.finalize())
}

fn kind(trial: &Trial) -> u8 {
    match trial.fate {
        Fate::Fresh => 0,
        Fate::Last => 1,
        Fate::Alone => 2,
        Fate::Shared => 3,
        Fate::Watched | Fate::Recorded | Fate::Strained => 4,
        Fate::NotApplicable { .. } => 5,
        Fate::Observed => 6,
    }
}
