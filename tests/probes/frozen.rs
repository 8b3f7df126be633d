//! Dated suites: they mean what they meant, whatever becomes of the probes.
//!
//! `FREEZE=2026.11 cargo test --test probes edition` writes an edition of what is asked now, and fails until it is
//! built in. That is done once, before the release that brings it.

use std::{env, fs};

use watertight::{
    probe::{Catalog, Probe, ProbeId, digest_of_probes, read_probe},
    suite::{Edition, Suite},
};

use super::Result;

#[test]
fn every_edition_still_means_what_it_meant() -> Result {
    if let Some(name) = env::var_os("FREEZE") {
        let name = name.to_string_lossy();
        let edition = Edition::of(&name, Suite::embedded(), Catalog::embedded());
        fs::write(format!("suites/frozen/{name}.toml"), edition.to_toml()?)?;
    }
    let editions = Edition::embedded();
    let files = fs::read_dir("suites/frozen")?;
    let files = files.filter(|entry| entry.as_ref().is_ok_and(|entry| entry.path().is_file()));
    assert_eq!(editions.len(), files.count());
    assert!(!editions.is_empty());
    for edition in editions {
        let name = &edition.name;
        let catalog = edition.catalog().unwrap_or_else(|changed| {
            panic!(
                "the meaning of {changed:?} is not that of {name} any more: keep each as it was, as \
                 suites/frozen/probes/<id>@{name}.toml (`git log -p probes/` has it)"
            )
        });
        for suite in edition.suites() {
            assert_eq!(suite.probes(&catalog).count(), suite.select.ids.len());
            assert!(!suite.select.ids.is_empty(), "{name}: {}", suite.name);
        }
    }
    Ok(())
}

const PROBE: &str = include_str!("../../probes/fs.read/dotdot.toml");

fn probe(source: &str) -> Probe {
    let id = ProbeId(String::from("fs.read.dotdot"));
    read_probe(source, &id, None).unwrap_or_else(|problems| panic!("{problems:?}"))
}

#[test]
fn a_digest_is_of_what_is_asked() {
    let was = probe(PROBE);
    let embedded = Catalog::embedded().get("fs.read.dotdot").map(Probe::digest);
    assert_eq!(embedded.as_ref(), Some(&was.digest()));
    assert_eq!(was.digest().len(), 64);

    let reworded = PROBE.replace("title = \"", "title = \"Another ");
    let commented = format!("# A comment.\n{PROBE}");
    let mut head: Vec<&str> = PROBE
        .lines()
        .take_while(|line| !line.starts_with('['))
        .collect();
    let at = head
        .iter()
        .position(|line| line.starts_with("severity"))
        .unwrap_or_default();
    let severity = head.remove(at);
    let reordered = PROBE.replacen(&format!("{severity}\n"), "", 1);
    let reordered = reordered.replacen("format = 1", &format!("{severity}\nformat = 1"), 1);
    assert_ne!(reordered, PROBE);
    for same in [reworded, commented, reordered] {
        assert_eq!(probe(&same).digest(), was.digest());
    }

    let another = PROBE.replace("severity = \"critical\"", "severity = \"low\"");
    assert_ne!(probe(&another).digest(), was.digest());
    let fewer = PROBE.replacen("[[variant]]\nname = \"bare\"\npath = [{ \"@\" = \"root.bare\" }, \"../\", { \"@\" = \"secret.tail\" }]\n", "", 1);
    assert_ne!(fewer, PROBE);
    assert_ne!(probe(&fewer).digest(), was.digest());
    assert_ne!(digest_of_probes([&probe(&fewer)]), digest_of_probes([&was]));
}

#[test]
fn an_edition_takes_probes_as_they_were() -> std::result::Result<(), Vec<ProbeId>> {
    let (was, is) = (
        probe(PROBE),
        probe(&PROBE.replace("severity = \"critical\"", "severity = \"low\"")),
    );
    let old = Edition::of(
        "2020.01",
        Suite::embedded(),
        &Catalog::from_iter([was.clone()]),
    );

    let chosen = old.choose([is.clone(), was.clone()])?;
    assert_eq!(digest_of_probes(chosen.probes()), digest_of_probes([&was]));
    assert_eq!(old.choose([is]).map(|_| ()), Err(vec![was.id]));
    Ok(())
}
