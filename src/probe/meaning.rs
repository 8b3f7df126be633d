//! What a probe means, as a digest.
//!
//! Owns which members of a probe file decide what is asked and how it is judged. Words for readers and the
//! proof that the probe works are no part of it: to mend them changes no meaning. How a verdict is made of
//! evidence is code, and known by the version of the program.

use data_encoding::HEXLOWER;
use sha2::{Digest as _, Sha256};

use crate::probe::Probe;

/// Members that say nothing of what is asked. The priority only decides which suites ask it.
const WORDS: [&str; 7] = [
    "title",
    "question",
    "why",
    "fix",
    "references",
    "priority",
    "selftest",
];

impl Probe {
    /// SHA-256, in lowercase hexadecimal, of what the probe file asks: neither comments nor the order of
    /// its keys nor words for readers change it.
    #[must_use]
    pub fn digest(&self) -> String {
        let mut asked =
            serde_json::to_value(self.source.parse::<toml::Table>().unwrap_or_default())
                .unwrap_or_default();
        if let Some(members) = asked.as_object_mut() {
            members.retain(|key, _| !WORDS.contains(&key.as_str()));
        }
        asked.sort_all_objects();
        HEXLOWER.encode(&Sha256::digest(asked.to_string()))
    }
}

/// SHA-256, in lowercase hexadecimal, of a selection of probes: a line `<id> <digest>` for each, in order
/// of id.
#[must_use]
pub fn digest_of_probes<'a>(probes: impl IntoIterator<Item = &'a Probe>) -> String {
    let mut lines: Vec<String> = probes
        .into_iter()
        .map(|probe| format!("{} {}\n", probe.id, probe.digest()))
        .collect();
    lines.sort();
    HEXLOWER.encode(&Sha256::digest(lines.concat()))
}
