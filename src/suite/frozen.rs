//! Dated suites: what each suite asked at a date, so that "passed core of 2026.11" means the same for ever.
//!
//! Owns the file format of an edition and how its probes are found again. A probe that has changed since is
//! kept as it was, in a file of its own; an edition itself never changes once it was released.

use std::{collections::BTreeMap, fmt::Write as _, sync::OnceLock};

use serde::{Deserialize, Serialize};

use crate::{
    probe::{Catalog, Probe, ProbeId, embedded_editions, kept_probes},
    suite::{Select, Suite, parsed},
};

/// All suites as they were at a date: `suites/frozen/<year>.<month>.toml`.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Edition {
    /// Version of this format; always 1.
    format: u32,
    /// Year and month, such as `2026.11`.
    pub name: String,
    /// The suites, each with the ids that it selected.
    #[serde(rename = "suite")]
    suites: Vec<Suite>,
    /// What each probe asked: its [`Probe::digest`].
    probes: BTreeMap<ProbeId, String>,
}

impl Edition {
    /// The editions that the binary carries, oldest first; parsed once, at first use.
    ///
    /// # Panics
    /// An embedded file does not parse. The tests check every one of them.
    #[must_use]
    pub fn embedded() -> &'static [Edition] {
        static EDITIONS: OnceLock<Vec<Edition>> = OnceLock::new();
        EDITIONS.get_or_init(|| parsed(embedded_editions()))
    }

    /// The edition of that name.
    #[must_use]
    pub fn find(name: &str) -> Option<&'static Edition> {
        Self::embedded().iter().find(|edition| edition.name == name)
    }

    /// An edition of what is asked now.
    #[must_use]
    pub fn of(name: &str, suites: &[Suite], catalog: &Catalog) -> Self {
        let frozen = suites.iter().map(|suite| Suite {
            select: Select {
                ids: suite
                    .probes(catalog)
                    .map(|probe| probe.id.clone())
                    .collect(),
                ..Select::default()
            },
            ..suite.clone()
        });
        Self {
            format: 1,
            name: name.to_owned(),
            suites: frozen.collect(),
            probes: catalog
                .probes()
                .map(|probe| (probe.id.clone(), probe.digest()))
                .collect(),
        }
    }

    /// Its suites, which choose from [`Edition::catalog`].
    #[must_use]
    pub fn suites(&self) -> &[Suite] {
        &self.suites
    }

    /// Its probes as they were: those of the binary where they ask the same, and kept ones where not.
    ///
    /// # Errors
    /// The ids whose meaning at that date is not there any more. The tests check that there are none.
    pub fn catalog(&self) -> Result<Catalog, Vec<ProbeId>> {
        let current = Catalog::embedded().probes().cloned();
        self.choose(current.chain(kept_probes()))
    }

    /// Chooses from probes, of which several may have the same id, those that the edition means.
    ///
    /// # Errors
    /// The ids whose meaning none of them has.
    pub fn choose(&self, probes: impl IntoIterator<Item = Probe>) -> Result<Catalog, Vec<ProbeId>> {
        let mut missing = self.probes.clone();
        let catalog = probes
            .into_iter()
            .filter(|probe| {
                let means = missing
                    .get(&probe.id)
                    .is_some_and(|digest| *digest == probe.digest());
                means && missing.remove(&probe.id).is_some()
            })
            .collect();
        match missing.is_empty() {
            true => Ok(catalog),
            false => Err(missing.into_keys().collect()),
        }
    }

    /// The text of its file.
    ///
    /// # Errors
    /// None in practice: everything in it is text.
    pub fn to_toml(&self) -> Result<String, toml::ser::Error> {
        let mut text = String::from(
            "# What each suite asked at this date, and what each of its probes meant. Never edited: a probe\n\
             # that changes is kept as it was in `probes/`, beside this file.\n",
        );
        let _ = write!(text, "{}", toml::to_string_pretty(self)?);
        Ok(text)
    }
}
