//! The shipped catalogue: every probe and suite is valid by rule and by schema, the generated files
//! are current, and each mistake in a file is told in words.
//!
//! `UPDATE=1 cargo test --test probes` rewrites what is generated.

mod bad;
mod cli;
mod flaws;
mod frozen;
mod readme;

use std::{env, error::Error, fs, path::Path};

use watertight::{
    probe::{Catalog, FileProblems, Priority, Probe, probe_schema},
    suite::{Suite, suite_schema},
};

type Result = std::result::Result<(), Box<dyn Error>>;

/// All mistakes as one text: `file:line: message [code]` and the help below it.
fn told(bad: &[FileProblems]) -> String {
    let mut text = String::new();
    for file in bad {
        for problem in &file.problems {
            let line = 1 + file.source[..problem.span.start].matches('\n').count();
            let name = file.file.display();
            text += &format!(
                "{name}:{line}: {} [{}]\n  {}\n",
                problem.message, problem.code, problem.help
            );
        }
    }
    text
}

/// Compares a generated file with what is checked in, or writes it when `UPDATE` is set.
fn assert_current(file: &str, wanted: &str) -> Result {
    if env::var_os("UPDATE").is_some() {
        fs::write(file, wanted)?;
    }
    let found = fs::read_to_string(file).unwrap_or_default();
    assert!(
        found == wanted,
        "{file} is out of date: run `UPDATE=1 cargo test --test probes`"
    );
    Ok(())
}

#[test]
fn every_probe_is_valid() {
    let catalog = Catalog::load_dir(Path::new("probes"), Some(flaws::FLAWS))
        .unwrap_or_else(|bad| panic!("{}", told(&bad)));
    let embedded: Vec<&str> = Catalog::embedded()
        .probes()
        .map(|p| p.id.0.as_str())
        .collect();
    let loaded: Vec<&str> = catalog.probes().map(|p| p.id.0.as_str()).collect();
    assert_eq!(embedded, loaded);
    assert!(catalog.probes().any(|probe| probe.priority == Priority::P0));
}

#[test]
fn every_suite_is_valid() -> Result {
    let catalog = Catalog::embedded();
    let mut names = Vec::new();
    for entry in fs::read_dir("suites")? {
        let path = entry?.path();
        if path.is_dir() {
            continue;
        }
        let suite = Suite::load(&path, catalog).unwrap_or_else(|bad| panic!("{}", told(&[bad])));
        names.push(suite.name);
    }
    names.sort();
    let embedded: Vec<&str> = Suite::embedded()
        .iter()
        .map(|suite| suite.name.as_str())
        .collect();
    assert_eq!(names, embedded);
    let core = Suite::find("core").ok_or("no core suite")?;
    assert!(
        core.probes(catalog)
            .all(|probe| probe.priority == Priority::P0)
    );
    let all = Suite::find("all").ok_or("no suite of all")?;
    assert_eq!(all.probes(catalog).count(), catalog.probes().len());
    Ok(())
}

/// Ids, variants and all: a probe that is lost or renamed shows in review.
#[test]
fn trials_are_listed() {
    let mut names = String::new();
    for probe in Catalog::embedded().probes() {
        names += &format!("{} {} {}\n", probe.id, probe.priority, probe.severity);
        for variant in &probe.variants {
            names += &format!("  {}\n", variant.name);
        }
    }
    insta::assert_snapshot!(names);
}

/// What needs code stays below a fifth, or the format is wrong.
#[test]
fn most_probes_are_data() {
    let coded = |probe: &&Probe| {
        probe
            .variants
            .iter()
            .any(|v| probe.technique_of(v).is_some())
    };
    let probes = Catalog::embedded().probes();
    let (all, coded) = (
        probes.len(),
        Catalog::embedded().probes().filter(coded).count(),
    );
    assert!(coded * 5 < all, "{coded} of {all} probes need a technique");
}

/// A flaw that no probe reports is a defect that the harness was never seen to find.
#[test]
fn every_flaw_has_a_probe() {
    let named: Vec<&str> = Catalog::embedded()
        .probes()
        .flat_map(|probe| probe.selftest.breached.iter().map(String::as_str))
        .collect();
    let missing: Vec<&&str> = flaws::FLAWS
        .iter()
        .filter(|flaw| !named.contains(flaw))
        .collect();
    assert!(missing.is_empty(), "flaws that no probe names: {missing:?}");
}

#[test]
fn schemas_are_current() -> Result {
    for (file, schema) in [
        ("reports/probe-v1.schema.json", probe_schema()),
        ("reports/suite-v1.schema.json", suite_schema()),
    ] {
        assert_current(file, &(serde_json::to_string_pretty(&schema)? + "\n"))?;
    }
    Ok(())
}

#[test]
fn every_file_fits_its_schema() -> Result {
    let probes = jsonschema::validator_for(&serde_json::to_value(probe_schema())?)?;
    let suites = jsonschema::validator_for(&serde_json::to_value(suite_schema())?)?;
    let mut seen = 0;
    for entry in walkdir::WalkDir::new("probes")
        .into_iter()
        .chain(walkdir::WalkDir::new("suites").max_depth(1))
    {
        let entry = entry?;
        if entry
            .path()
            .extension()
            .is_none_or(|extension| extension != "toml")
        {
            continue;
        }
        let value: serde_json::Value = toml::from_str(&fs::read_to_string(entry.path())?)?;
        let validator = if entry.path().starts_with("probes") {
            &probes
        } else {
            &suites
        };
        let errors: Vec<String> = validator
            .iter_errors(&value)
            .map(|error| format!("{}: {error}", error.instance_path()))
            .collect();
        assert!(errors.is_empty(), "{}: {errors:#?}", entry.path().display());
        seen += 1;
    }
    assert_eq!(
        seen,
        Catalog::embedded().probes().len() + Suite::embedded().len()
    );
    Ok(())
}

/// What the schema alone refuses, by the place and the rule that refuse it.
#[test]
fn the_schema_refuses() -> Result {
    let validator = jsonschema::validator_for(&serde_json::to_value(probe_schema())?)?;
    let good: serde_json::Value =
        toml::from_str(&fs::read_to_string("probes/fs.read/outside-abs.toml")?)?;
    let refusals = [
        ("/roles", serde_json::json!([])),
        ("/selftest/breached", serde_json::json!([])),
        ("/variant", serde_json::json!([])),
        ("/variant/0/path", serde_json::json!([])),
        ("/format", serde_json::json!(2)),
        ("/severity", serde_json::json!("severe")),
        (
            "/variant/0/path",
            serde_json::json!({ "@": "root", "to": 1 }),
        ),
    ];
    for (pointer, value) in refusals {
        let mut bad = good.clone();
        *bad.pointer_mut(pointer).ok_or(pointer)? = value;
        let places: Vec<String> = validator
            .iter_errors(&bad)
            .map(|error| error.instance_path().to_string())
            .collect();
        assert_eq!(places, [pointer]);
    }
    Ok(())
}
