//! The catalogue: all probes that a run may choose from.
//!
//! Owns where probe files come from (the binary, a directory) and that no id exists twice. What
//! makes a file valid is the business of `check.rs`.

use std::{
    borrow::Cow,
    collections::BTreeMap,
    fs, io,
    path::{Path, PathBuf},
    sync::OnceLock,
};

use crate::probe::{Probe, ProbeId, check::Problem, read_probe};

mod embedded {
    include!(concat!(env!("OUT_DIR"), "/embedded.rs"));
}

/// Where a directory with probes has suites.
pub(crate) const SUITES: &str = "suites";

/// All probes that a run may choose from, by id.
#[derive(Debug, Clone, Default)]
pub struct Catalog {
    probes: BTreeMap<ProbeId, Probe>,
}

/// The mistakes of one file, with the text that they point into.
#[derive(Debug, Clone)]
pub struct FileProblems {
    /// The file as it was named or found.
    pub file: PathBuf,
    /// Its text; empty when it could not be read.
    pub source: String,
    /// Its mistakes, in the order of the file; never empty.
    pub problems: Vec<Problem>,
}

impl Catalog {
    /// The probes that the binary carries; parsed once, at first use.
    ///
    /// # Panics
    /// An embedded file does not parse. The tests check every one of them.
    #[must_use]
    pub fn embedded() -> &'static Catalog {
        static CATALOG: OnceLock<Catalog> = OnceLock::new();
        CATALOG.get_or_init(|| embedded::PROBES.iter().map(parse).collect())
    }

    /// Reads `DIR/<boundary>/<name>.toml`, and checks each file by all rules. What lies in `DIR/suites` are
    /// no probes.
    ///
    /// `flaws` are the flaws that the reference target knows; without the list their names are
    /// not checked.
    ///
    /// # Errors
    /// Every file with mistakes; a directory without a probe is one.
    pub fn load_dir(dir: &Path, flaws: Option<&[&str]>) -> Result<Self, Vec<FileProblems>> {
        let files = list(dir, dir).map_err(|error| vec![unreadable(dir, &error)])?;
        let (mut catalog, mut bad) = (Self::default(), Vec::new());
        for file in files {
            match load(dir, &file, flaws) {
                Ok(probe) => {
                    catalog.probes.insert(probe.id.clone(), probe);
                }
                Err(problems) => bad.push(problems),
            }
        }
        if catalog.probes.is_empty() && bad.is_empty() {
            bad.push(whole_file(
                dir,
                "probe.none",
                "the directory holds no probe".into(),
                "a probe is a file DIR/<boundary>/<name>.toml".into(),
            ));
        }
        if bad.is_empty() {
            Ok(catalog)
        } else {
            Err(bad)
        }
    }

    /// This catalogue and another one, such as the embedded one and a directory.
    ///
    /// # Errors
    /// The ids that both hold: a probe never silently replaces another.
    pub fn join(&self, other: &Self) -> Result<Self, Vec<ProbeId>> {
        let twice: Vec<ProbeId> = other
            .probes
            .keys()
            .filter(|id| self.probes.contains_key(*id))
            .cloned()
            .collect();
        if !twice.is_empty() {
            return Err(twice);
        }
        let mut joined = self.clone();
        joined.probes.extend(other.probes.clone());
        Ok(joined)
    }

    /// All probes, by id.
    pub fn probes(&self) -> impl ExactSizeIterator<Item = &Probe> {
        self.probes.values()
    }

    /// The probe of that id.
    #[must_use]
    pub fn get(&self, id: &str) -> Option<&Probe> {
        self.probes.get(&ProbeId(id.to_owned()))
    }

    /// Ids that look like a word that is none, the likeliest first.
    #[must_use]
    pub fn near(&self, word: &str) -> Vec<&ProbeId> {
        let mut scored: Vec<(f64, &ProbeId)> = self
            .probes
            .keys()
            .map(|id| {
                let whole = strsim::jaro_winkler(word, &id.0);
                let name = strsim::jaro_winkler(word, id.name());
                (whole.max(name), id)
            })
            .filter(|(score, _)| *score > 0.8)
            .collect();
        scored.sort_by(|a, b| b.0.total_cmp(&a.0));
        scored.into_iter().take(5).map(|(_, id)| id).collect()
    }
}

impl FromIterator<Probe> for Catalog {
    fn from_iter<I: IntoIterator<Item = Probe>>(probes: I) -> Self {
        let probes = probes.into_iter().map(|probe| (probe.id.clone(), probe));
        Self {
            probes: probes.collect(),
        }
    }
}

/// Name and text of every embedded suite file.
pub(crate) fn embedded_suites() -> &'static [Embedded] {
    embedded::SUITES
}

/// Name and text of every embedded file of dated suites.
pub(crate) fn embedded_editions() -> &'static [Embedded] {
    embedded::EDITIONS
}

/// Probes as they were when suites were dated, where they have changed since.
pub(crate) fn kept_probes() -> impl Iterator<Item = Probe> {
    embedded::KEPT.iter().map(parse)
}

/// Name and text of a file that the binary carries.
type Embedded = (&'static str, &'static str);

fn parse((file, source): &Embedded) -> Probe {
    let mut probe: Probe =
        toml::from_str(source).unwrap_or_else(|error| panic!("embedded probe {file}: {error}"));
    probe.source = Cow::Borrowed(source);
    probe
}

/// All files of a probe directory, sorted. Documents (`.md`), hidden files and suites are left out; any
/// other name is kept, so that a misspelt extension is told and not skipped.
fn list(root: &Path, dir: &Path) -> io::Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for entry in fs::read_dir(dir)? {
        let path = entry?.path();
        let hidden = path
            .file_name()
            .is_some_and(|name| name.as_encoded_bytes().starts_with(b"."));
        if hidden || path == root.join(SUITES) {
            continue;
        }
        if path.is_dir() {
            files.extend(list(root, &path)?);
        } else if path.extension().is_none_or(|extension| extension != "md") {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}

fn load(dir: &Path, file: &Path, flaws: Option<&[&str]>) -> Result<Probe, FileProblems> {
    let Some(id) = id_of(dir, file) else {
        return Err(whole_file(
            file,
            "probe.place",
            "this is no place for a probe".into(),
            "a probe is a file DIR/<boundary>/<name>.toml".into(),
        ));
    };
    let source = fs::read_to_string(file).map_err(|error| unreadable(file, &error))?;
    read_probe(&source, &id, flaws).map_err(|problems| FileProblems {
        file: file.to_owned(),
        source,
        problems,
    })
}

/// The id that a file's place stands for: `<boundary>/<name>.toml` is `<boundary>.<name>`.
fn id_of(dir: &Path, file: &Path) -> Option<ProbeId> {
    let relative = file.strip_prefix(dir).ok()?;
    let boundary = relative.parent()?.to_str()?;
    let name = relative.file_name()?.to_str()?.strip_suffix(".toml")?;
    let flat = !boundary.is_empty() && relative.components().count() == 2;
    flat.then(|| ProbeId(format!("{boundary}.{name}")))
}

fn unreadable(file: &Path, error: &io::Error) -> FileProblems {
    let help = "check the path and its permissions";
    whole_file(file, "file.unreadable", error.to_string(), help.into())
}

fn whole_file(file: &Path, code: &'static str, message: String, help: String) -> FileProblems {
    FileProblems {
        file: file.to_owned(),
        source: String::new(),
        problems: vec![Problem {
            code,
            message,
            span: 0..0,
            help,
        }],
    }
}
