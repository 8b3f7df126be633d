//! One file, one mistake: `tests/bad_probes/*.toml`, and how each is told.

use std::{fs, path::Path};

use watertight::{
    probe::{Catalog, FileProblems, ProbeId, Problem, read_probe},
    suite::Suite,
};

use crate::{Result, flaws::FLAWS, told};

/// The problem with the line that it stands on and the words that are underlined.
fn shown(source: &str, problem: &Problem) -> String {
    let span = problem.span.clone();
    let start = source[..span.start].rfind('\n').map_or(0, |at| at + 1);
    let end = source[span.start..]
        .find('\n')
        .map_or(source.len(), |at| span.start + at);
    let (line, column) = (
        1 + source[..start].matches('\n').count(),
        span.start - start,
    );
    let width = (span.end.min(end) - span.start).max(1);
    format!(
        "{}: {}\n{line:3} | {}\n    | {}{}\nhelp: {}\n",
        problem.code,
        problem.message,
        &source[start..end],
        " ".repeat(column),
        "^".repeat(width),
        problem.help
    )
}

#[test]
fn each_mistake_is_told() -> Result {
    let mut files: Vec<_> = fs::read_dir("tests/bad_probes")?
        .map(|entry| entry.map(|entry| entry.path()))
        .collect::<std::io::Result<_>>()?;
    files.retain(|file| {
        file.extension()
            .is_some_and(|extension| extension == "toml")
    });
    files.sort();
    assert!(files.len() > 30);
    let mut all = String::new();
    for file in files {
        let source = fs::read_to_string(&file)?;
        let id = ProbeId(String::from("fs.read.example"));
        let name = file.file_stem().unwrap_or_default().to_string_lossy();
        let problems = read_probe(&source, &id, Some(FLAWS))
            .err()
            .ok_or_else(|| format!("{name} holds no mistake"))?;
        assert_eq!(problems.len(), 1, "{name} holds one mistake: {problems:#?}");
        all += &format!("# {name}\n{}\n", shown(&source, &problems[0]));
    }
    insta::assert_snapshot!(all);
    Ok(())
}

/// The file from which the others differ by their one mistake.
#[test]
fn the_good_example_is_good() -> Result {
    let source = fs::read_to_string("tests/bad_probes/good/example.toml")?;
    let id = ProbeId(String::from("fs.read.example"));
    let probe =
        read_probe(&source, &id, Some(FLAWS)).map_err(|problems| format!("{problems:#?}"))?;
    assert_eq!(probe.variants.len(), 2);
    Ok(())
}

fn directory(files: &[(&str, &str)]) -> std::io::Result<tempfile::TempDir> {
    let dir = tempfile::tempdir()?;
    for (name, text) in files {
        let file = dir.path().join(name);
        if let Some(parent) = file.parent() {
            fs::create_dir_all(parent)?;
        }
        fs::write(file, text)?;
    }
    Ok(dir)
}

fn words(dir: &Path, bad: &[FileProblems]) -> String {
    told(bad)
        .replace(&format!("{}/", dir.display()), "")
        .replace(&dir.display().to_string(), "DIR")
}

#[test]
fn directories_are_checked_whole() -> Result {
    let good = fs::read_to_string("tests/bad_probes/good/example.toml")?;
    let dir = directory(&[
        ("fs.read/example.toml", &good),
        ("fs.read/other.toml", &good),
        ("fs.read/spelled.tml", ""),
        ("loose.toml", &good),
        ("README.md", "not a probe"),
        (".hidden", "not a probe"),
    ])?;
    let bad = Catalog::load_dir(dir.path(), Some(FLAWS))
        .err()
        .ok_or("loads")?;
    let wrong = words(dir.path(), &bad);
    let empty = directory(&[("README.md", "")])?;
    let bad = Catalog::load_dir(empty.path(), None).err().ok_or("loads")?;
    let nothing = words(empty.path(), &bad);
    let missing = empty.path().join("missing");
    let bad = Catalog::load_dir(&missing, None).err().ok_or("loads")?;
    let absent = words(&missing, &bad);
    insta::assert_snapshot!([wrong, nothing, absent].join("\n"));
    Ok(())
}

/// A probe from a directory never silently replaces one that is there.
#[test]
fn a_directory_cannot_shadow() -> Result {
    let good = fs::read_to_string("tests/bad_probes/good/example.toml")?;
    let dir = directory(&[("fs.read/example.toml", &good)])?;
    let own = Catalog::load_dir(dir.path(), Some(FLAWS)).map_err(|bad| told(&bad))?;
    let joined = Catalog::embedded()
        .join(&own)
        .map_err(|twice| format!("{twice:?}"))?;
    assert_eq!(
        joined.probes().len(),
        Catalog::embedded().probes().len() + 1
    );
    assert!(joined.get("fs.read.example").is_some());
    let twice = joined.join(&own).err().ok_or("shadows")?;
    assert_eq!(twice, [ProbeId(String::from("fs.read.example"))]);
    Ok(())
}

#[test]
fn mistakes_in_suites_are_told() {
    let head = "format = 1\nname = \"mine\"\ntitle = \"Mine\"\nrequirement = \"Holds.\"\n";
    let cases = [
        (
            "unknown probe",
            format!("{head}[select]\nids = [\"fs.read.dotdto\"]\n"),
        ),
        (
            "unknown boundary",
            format!("{head}[select]\nboundaries = [\"fs.reed\"]\n"),
        ),
        ("empty list", format!("{head}[select]\nids = []\n")),
        ("selects nothing", format!("{head}[select]\n")),
        (
            "unknown key",
            format!("{head}[select]\nprobes = [\"fs\"]\n"),
        ),
        (
            "other name",
            format!(
                "{}[select]\npriorities = [\"P0\"]\n",
                head.replace("\"mine\"", "\"yours\"")
            ),
        ),
        (
            "other format",
            format!(
                "{}[select]\npriorities = [\"P0\"]\n",
                head.replace("= 1", "= 2")
            ),
        ),
        (
            "no requirement",
            format!(
                "{}[select]\npriorities = [\"P0\"]\n",
                head.replace("Holds.", " ")
            ),
        ),
    ];
    let mut all = String::new();
    for (name, source) in cases {
        let problems = Suite::read(&source, "mine", Catalog::embedded())
            .err()
            .unwrap_or_default();
        assert_eq!(problems.len(), 1, "{name}: {problems:#?}");
        all += &format!("# {name}\n{}\n", shown(&source, &problems[0]));
    }
    insta::assert_snapshot!(all);
}
