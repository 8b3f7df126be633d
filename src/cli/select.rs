//! Which probes a run asks.
//!
//! Owns the meaning of `--suite`, `--frozen-suite`, `--probe`, `--skip` and `--probes`. An empty selection is a
//! mistake, never a success.

use std::sync::Arc;

use crate::{
    config::{Baseline, Settings},
    diag::{Diagnostic, Problems, Source},
    probe::{Catalog, FileProblems, Probe, digest_of_probes, near},
    reference::flaws,
    report::Asked,
    suite::{Edition, Suite},
};

/// The suite of a run that names none.
const DEFAULT_SUITE: &str = "core";

/// The probes of a run.
pub(super) struct Selection {
    /// In order of id.
    pub(super) probes: Vec<Arc<Probe>>,
    /// As the user wrote it.
    pub(super) words: Vec<String>,
    /// What that came to, for the report.
    pub(super) asked: Asked,
}

/// Selects the probes.
pub(super) fn select(settings: &Settings) -> Result<Selection, Problems> {
    let (catalog, known) = all(settings)?;
    let mut suites: Vec<&str> = settings.suites.iter().map(String::as_str).collect();
    if suites.is_empty() && settings.probes.is_empty() {
        suites.push(DEFAULT_SUITE);
    }
    let mut found = Vec::new();
    let mut selected: Vec<&Probe> = Vec::new();
    for name in &suites {
        match known.iter().find(|suite| suite.name == *name) {
            Some(suite) => selected.extend(suite.probes(&catalog)),
            None => {
                let known = known.iter().map(|suite| suite.name.as_str());
                found.push(
                    Diagnostic::error("select::suite", format!("no suite is called `{name}`"))
                        .help(near(name, known)),
                );
            }
        }
    }
    for id in &settings.probes {
        let before = selected.len();
        selected.extend(catalog.probes().filter(|probe| covers(id, probe)));
        if selected.len() == before {
            found.push(unknown("select::probe", id, &catalog));
        }
    }
    for id in &settings.skip {
        if !catalog.probes().any(|probe| covers(id, probe)) {
            found.push(unknown("select::skip", id, &catalog));
        }
    }
    for entry in settings.baseline.iter().flat_map(Baseline::known) {
        if catalog.get(&entry.probe.value).is_none() {
            found.extend(settings.baseline.as_ref().map(|baseline| {
                let id = &entry.probe;
                let message = format!("no probe is called `{}`", id.value);
                let known = catalog.probes().map(|probe| probe.id.0.as_str());
                baseline
                    .problem("baseline::probe", message, id)
                    .help(near(&id.value, known))
            }));
        }
    }
    selected.retain(|probe| !settings.skip.iter().any(|id| covers(id, probe)));
    selected.sort_by(|one, other| one.id.cmp(&other.id));
    selected.dedup_by(|one, other| one.id == other.id);
    if found.is_empty() && selected.is_empty() {
        found.push(
            Diagnostic::error(
                "select::empty",
                "no probe is left to ask: everything selected is skipped too",
            )
            .help("`watertight list` shows the probes; take something out of `skip`"),
        );
    }
    if let Some(problems) = Problems::new(found) {
        return Err(problems);
    }
    let dated = |suite| match &settings.frozen_suite {
        Some(date) => format!("suite {suite} of {date}"),
        None => format!("suite {suite}"),
    };
    let words = suites
        .into_iter()
        .map(dated)
        .chain(settings.probes.iter().map(|id| format!("probe {id}")))
        .chain(settings.skip.iter().map(|id| format!("skip {id}")))
        .collect();
    Ok(Selection {
        asked: Asked {
            frozen_suite: settings.frozen_suite.clone(),
            probes: selected.len(),
            digest: digest_of_probes(selected.iter().copied()),
        },
        probes: selected.into_iter().cloned().map(Arc::new).collect(),
        words,
    })
}

/// All probes and suites that there are: those of the program, or of a date, and those of `--probes`.
fn all(settings: &Settings) -> Result<(Catalog, Vec<Suite>), Problems> {
    let names: Vec<&str> = flaws().iter().map(|(name, _)| *name).collect();
    let (mut catalog, mut suites) = match &settings.frozen_suite {
        None => (Catalog::embedded().clone(), Suite::embedded().to_vec()),
        Some(date) => of_date(date)?,
    };
    for directory in &settings.probe_dirs {
        let more = Catalog::load_dir(directory, Some(&names)).map_err(told)?;
        catalog = catalog.join(&more).map_err(|twice| {
            let ids: Vec<String> = twice.iter().map(ToString::to_string).collect();
            Problems::from(
                Diagnostic::error(
                    "select::twice",
                    format!("{} declared twice", ids.join(", ")),
                )
                .help(format!(
                    "give the probe in {} an id of its own",
                    directory.display()
                )),
            )
        })?;
        for suite in Suite::load_dir(directory, &catalog).map_err(told)? {
            if suites.iter().any(|known| known.name == suite.name) {
                let message = format!("there are two suites called `{}`", suite.name);
                return Err(Diagnostic::error("select::twice", message)
                    .help(format!(
                        "give the suite in {} a name of its own",
                        directory.display()
                    ))
                    .into());
            }
            suites.push(suite);
        }
    }
    Ok((catalog, suites))
}

/// The probes and suites of a date.
pub(super) fn of_date(date: &str) -> Result<(Catalog, Vec<Suite>), Diagnostic> {
    let Some(edition) = Edition::find(date) else {
        let known: Vec<&str> = Edition::embedded()
            .iter()
            .map(|edition| edition.name.as_str())
            .collect();
        let message = format!("no suites are dated `{date}`");
        return Err(Diagnostic::error("select::frozen-suite", message)
            .help(format!("there are those of {}", known.join(", "))));
    };
    let catalog = edition.catalog().map_err(|missing| {
        let ids: Vec<String> = missing.iter().map(ToString::to_string).collect();
        let message = format!("{} as of {date} is not in this program", ids.join(", "));
        Diagnostic::error("select::frozen-suite", message)
            .help("this is a fault of the program: please report it")
    })?;
    Ok((catalog, edition.suites().to_vec()))
}

fn told(files: Vec<FileProblems>) -> Problems {
    let diagnostics = files
        .into_iter()
        .flat_map(|file| {
            let source = Source::new(file.file.display().to_string(), file.source);
            file.problems.into_iter().map(move |problem| {
                Diagnostic::error(problem.code, problem.message)
                    .within(&source)
                    .label(problem.span, "here")
                    .help(problem.help)
            })
        })
        .collect();
    Problems::new(diagnostics).unwrap_or_else(|| {
        Diagnostic::error("probe::unreadable", "the probes cannot be read").into()
    })
}

/// Whether an id of the user names the probe: the whole id, or its beginning up to a dot.
fn covers(id: &str, probe: &Probe) -> bool {
    probe
        .id
        .0
        .strip_prefix(id)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
}

fn unknown(code: &'static str, id: &str, catalog: &Catalog) -> Diagnostic {
    let close: Vec<&str> = catalog
        .near(id)
        .into_iter()
        .map(|id| id.0.as_str())
        .collect();
    let help = if close.is_empty() {
        String::from("`watertight list` shows them all")
    } else {
        format!("did you mean {}?", close.join(" or "))
    };
    Diagnostic::error(code, format!("no probe is called `{id}`")).help(help)
}
