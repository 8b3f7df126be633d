//! The shipped catalogue: every probe and suite is valid, and the generated files are current.

use std::{fs, path::Path};

use watertight::{
    probe::{Catalog, FileProblems, Priority},
    suite::Suite,
};

fn told(bad: &[FileProblems]) -> String {
    let mut text = String::new();
    for file in bad {
        for problem in &file.problems {
            let line = 1 + file.source[..problem.span.start].matches('\n').count();
            text += &format!(
                "{}:{line}: {} [{}]\n  {}\n",
                file.file.display(),
                problem.message,
                problem.code,
                problem.help
            );
        }
    }
    text
}

#[test]
fn every_probe_is_valid() {
    let catalog =
        Catalog::load_dir(Path::new("probes"), None).unwrap_or_else(|bad| panic!("{}", told(&bad)));
    let embedded: Vec<&str> = Catalog::embedded()
        .probes()
        .map(|p| p.id.0.as_str())
        .collect();
    let loaded: Vec<&str> = catalog.probes().map(|p| p.id.0.as_str()).collect();
    assert_eq!(embedded, loaded);
    assert_eq!(
        catalog
            .probes()
            .filter(|p| p.priority == Priority::P0)
            .count(),
        23
    );
}

#[test]
fn every_suite_is_valid() {
    let mut names = Vec::new();
    for entry in fs::read_dir("suites").unwrap() {
        let file = entry.unwrap().path();
        let suite = Suite::load(&file, Catalog::embedded())
            .unwrap_or_else(|bad| panic!("{}", told(&[bad])));
        names.push(suite.name);
    }
    names.sort();
    let embedded: Vec<&str> = Suite::embedded().iter().map(|s| s.name.as_str()).collect();
    assert_eq!(names, embedded);
}
