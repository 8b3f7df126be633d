//! The self-test from the outside: in parts, cut short, and asked for what there is not.

use std::{collections::BTreeMap, time::Duration};

use rustix::process::Signal;
use serde_json::Value;

use crate::run::{Run, knowing};

/// Few cells, on a sound target, one with a flaw, and dummies.
const SOME: [&str; 4] = ["self-test", "--json", "--probe", "fs.read.prefix-sibling"];

/// Cells by what they are of: what had to come out, and what did.
fn cells(flags: &[&str]) -> Vec<(String, String)> {
    let ran = Run::new(&[&SOME, flags].concat()).go();
    ran.code(0);
    let cells: Vec<Value> = serde_json::from_str(&ran.out).expect("cells are JSON");
    let cell = |cell: &Value| {
        let name = format!("{} on {}", cell["probe"], cell["target"]);
        (name, format!("{} {}", cell["expected"], cell["found"]))
    };
    cells.iter().map(cell).collect()
}

#[test]
fn parts_together_are_the_whole() {
    let whole = cells(&[]);
    assert_eq!(whole.len(), 7, "{whole:?}");
    let parts = ["1/3", "2/3", "3/3"].map(|part| cells(&["--shard", part]));
    assert!(parts.iter().all(|part| part.len() >= 2), "{parts:?}");
    let joined: Vec<_> = parts.concat();
    assert_eq!(joined.len(), whole.len(), "{joined:?}");
    let by_name = |cells: Vec<_>| cells.into_iter().collect::<BTreeMap<_, _>>();
    assert_eq!(by_name(joined), by_name(whole));
}

#[test]
fn one_process_makes_the_cells_of_many_in_their_order() {
    let one = ["--shard", "2/2", "--jobs"];
    assert_eq!(
        cells(&[&one[..], &["1"]].concat()),
        cells(&[&one[..], &["8"]].concat())
    );
}

#[test]
fn a_part_that_does_not_exist_is_refused() {
    for (part, why) in [
        ("4/3", "there is no shard 4 of 3"),
        ("0/3", "shards count from 1"),
        ("1/0", "at least one"),
        ("two", "write which of how many"),
    ] {
        let ran = Run::new(&["self-test", "--shard", part]).go();
        ran.code(2).tells(&["--shard", why]);
        assert_eq!(ran.out, "");
    }
}

#[test]
fn a_probe_that_does_not_exist_is_refused() {
    let ran = Run::new(&["self-test", "--probe", "fs.read.nothing"]).go();
    ran.code(2).tells(&["no cell is of `fs.read.nothing`"]);
    assert_eq!(ran.out, "");
}

#[test]
fn an_interrupt_ends_all_and_leaves_nothing() {
    // A process alone, and one that has others make its cells.
    for jobs in ["1", "4"] {
        for signal in [Signal::INT, Signal::TERM] {
            let run = Run::new(&["self-test", "--jobs", jobs]);
            let mark = run.path("cache");
            let mut going = run.env("XDG_CACHE_HOME", &mark).start();
            // So far that there is something to end.
            std::thread::sleep(Duration::from_secs(3));
            let there = knowing(&mark).len();
            let least = if jobs == "1" { 2 } else { 5 };
            assert!(there >= least, "{there} processes with {jobs} jobs");
            going.signal(signal);
            let ran = going.end();
            ran.code(3).tells(&["interrupted"]);
            let left = knowing(&mark);
            assert!(left.is_empty(), "{left:?}");
            // No figure was kept.
            assert_eq!(ran.made(), [""; 0]);
            assert_eq!(ran.out, "");
        }
    }
}
