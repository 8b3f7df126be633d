//! Suites: named selections of probes.
//!
//! Owns the suite file format and the choice that it makes. A suite only selects: it never
//! changes a probe.

mod frozen;

use std::{fs, path::Path, sync::OnceLock};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize, de::DeserializeOwned};

use crate::probe::{
    Catalog, FileProblems, Priority, Probe, ProbeId, Problem, SUITES, decode, embedded_suites,
    is_kebab, near, parse_toml, schema_of,
};

pub use frozen::Edition;

/// A named selection of probes: `suites/<name>.toml`.
#[derive(Debug, Clone, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Suite {
    /// Version of this format; always 1.
    #[schemars(range(min = 1, max = 1))]
    pub format: u32,
    /// Kebab-case; the file is `suites/<name>.toml`.
    pub name: String,
    /// A few words for lists.
    pub title: String,
    /// What a target that passes may say of itself, in one or two sentences.
    pub requirement: String,
    /// Which probes belong to it.
    pub select: Select,
}

/// Which probes belong to a suite: those named in `ids`, and those that meet every other list
/// that is given.
#[derive(Debug, Clone, Default, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Select {
    /// Probes of these priorities.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub priorities: Vec<Priority>,
    /// Probes of these boundaries; `fs` means `fs.read`, `fs.write` and all others below it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub boundaries: Vec<String>,
    /// No probes of these boundaries.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub without: Vec<String>,
    /// These probes, whatever else is said.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ids: Vec<ProbeId>,
}

impl Select {
    /// Whether a probe belongs to the selection.
    #[must_use]
    pub fn selects(&self, probe: &Probe) -> bool {
        if self.ids.contains(&probe.id) {
            return true;
        }
        if self.priorities.is_empty() && self.boundaries.is_empty() {
            return false;
        }
        let left_out = |boundary: &String| is_below(probe.id.boundary(), boundary);
        if self.without.iter().any(left_out) {
            return false;
        }
        let priority = self.priorities.is_empty() || self.priorities.contains(&probe.priority);
        let boundary = self.boundaries.is_empty()
            || self
                .boundaries
                .iter()
                .any(|boundary| is_below(probe.id.boundary(), boundary));
        priority && boundary
    }
}

/// Whether a boundary is another one or lies below it: `fs.read` is below `fs`, `fsx` is not.
#[must_use]
pub fn is_below(boundary: &str, above: &str) -> bool {
    boundary
        .strip_prefix(above)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
}

impl Suite {
    /// Reads a suite file, which must choose from `catalog`.
    ///
    /// # Errors
    /// Every mistake that was found, in the order of the file.
    pub fn read(source: &str, name: &str, catalog: &Catalog) -> Result<Self, Vec<Problem>> {
        let spans = parse_toml(source, "suite")?;
        let suite: Suite = decode(source, "suite")?;
        let mut problems = Vec::new();
        let mut report = |code, path: &str, message: String, help: String| {
            problems.push(Problem {
                code,
                message,
                span: spans.at(path),
                help,
            });
        };
        if suite.format != 1 {
            let message = format!("format {} is not known", suite.format);
            report(
                "suite.format",
                "format",
                message,
                "write `format = 1`".into(),
            );
        }
        if suite.name != name || !is_kebab(&suite.name) {
            let message = format!("the name `{}` is not that of the file", suite.name);
            report(
                "suite.name",
                "name",
                message,
                format!("write `name = \"{name}\"`"),
            );
        }
        if suite.requirement.trim().is_empty() {
            let message = "the requirement is empty".into();
            let help = "say what passing the suite means".into();
            report("suite.words", "requirement", message, help);
        }
        for (index, id) in suite.select.ids.iter().enumerate() {
            if catalog.get(&id.0).is_none() {
                let message = format!("no probe is called `{id}`");
                let help = near(&id.0, catalog.probes().map(|probe| probe.id.0.as_str()));
                report("suite.probe", &format!("select.ids.{index}"), message, help);
            }
        }
        for (index, above) in suite.select.boundaries.iter().enumerate() {
            if !catalog
                .probes()
                .any(|probe| is_below(probe.id.boundary(), above))
            {
                let message = format!("no probe is below the boundary `{above}`");
                let help = near(above, boundaries(catalog));
                report(
                    "suite.boundary",
                    &format!("select.boundaries.{index}"),
                    message,
                    help,
                );
            }
        }
        if !catalog.probes().any(|probe| suite.select.selects(probe)) && problems.is_empty() {
            let help = "give `priorities`, `boundaries` or `ids`";
            problems.push(Problem {
                code: "suite.empty",
                message: "the suite selects no probe".into(),
                span: spans.at("select"),
                help: help.into(),
            });
        }
        if problems.is_empty() {
            Ok(suite)
        } else {
            Err(problems)
        }
    }

    /// Reads a suite from a file; its name is that of the file.
    ///
    /// # Errors
    /// The file cannot be read, or holds mistakes.
    pub fn load(file: &Path, catalog: &Catalog) -> Result<Self, FileProblems> {
        let failed = |source: String, problems| FileProblems {
            file: file.to_owned(),
            source,
            problems,
        };
        let source = fs::read_to_string(file).map_err(|error| {
            failed(
                String::new(),
                vec![Problem {
                    code: "file.unreadable",
                    message: error.to_string(),
                    span: 0..0,
                    help: "check the path and its permissions".into(),
                }],
            )
        })?;
        let name = file
            .file_stem()
            .and_then(|stem| stem.to_str())
            .unwrap_or_default();
        Self::read(&source, name, catalog).map_err(|problems| failed(source, problems))
    }

    /// Reads `DIR/suites/<name>.toml`, which choose from `catalog`; none where that directory is not there.
    ///
    /// # Errors
    /// Every file with mistakes.
    pub fn load_dir(dir: &Path, catalog: &Catalog) -> Result<Vec<Self>, Vec<FileProblems>> {
        let mut files: Vec<_> = fs::read_dir(dir.join(SUITES))
            .into_iter()
            .flatten()
            .flatten()
            .map(|entry| entry.path())
            .filter(|path| {
                path.extension()
                    .is_some_and(|extension| extension == "toml")
            })
            .collect();
        files.sort();
        let (mut suites, mut bad) = (Vec::new(), Vec::new());
        for file in files {
            match Self::load(&file, catalog) {
                Ok(suite) => suites.push(suite),
                Err(problems) => bad.push(problems),
            }
        }
        match bad.is_empty() {
            true => Ok(suites),
            false => Err(bad),
        }
    }

    /// The suites that the binary carries, by name; parsed once, at first use.
    ///
    /// # Panics
    /// An embedded file does not parse. The tests check every one of them.
    #[must_use]
    pub fn embedded() -> &'static [Suite] {
        static SUITES: OnceLock<Vec<Suite>> = OnceLock::new();
        SUITES.get_or_init(|| parsed(embedded_suites()))
    }

    /// The embedded suite of that name.
    #[must_use]
    pub fn find(name: &str) -> Option<&'static Suite> {
        Self::embedded().iter().find(|suite| suite.name == name)
    }

    /// Its probes, by id.
    pub fn probes<'a>(&'a self, catalog: &'a Catalog) -> impl Iterator<Item = &'a Probe> {
        catalog.probes().filter(|probe| self.select.selects(probe))
    }
}

/// The JSON Schema of suite files (draft 2020-12), as checked in under `reports/`.
#[must_use]
pub fn suite_schema() -> schemars::Schema {
    schema_of::<Suite>("Watertight suite, version 1")
}

/// Files that the binary carries, which the tests have checked.
fn parsed<T: DeserializeOwned>(files: &[(&str, &str)]) -> Vec<T> {
    let parse = |(file, source): &(&str, &str)| {
        toml::from_str(source).unwrap_or_else(|error| panic!("embedded {file}: {error}"))
    };
    files.iter().map(parse).collect()
}

/// All boundaries of a catalogue, each once.
fn boundaries(catalog: &Catalog) -> Vec<&str> {
    let mut boundaries: Vec<&str> = catalog.probes().map(|probe| probe.id.boundary()).collect();
    boundaries.dedup();
    boundaries
}
