//! One row per flaw: the sound server refuses the attack, the flawed one lets it through, and the permitted twin of the
//! attack works on both.

use std::collections::BTreeSet;
use std::fs;

use serde_json::{Value, json};
use watertight::reference::{Flaw, Kind, ReferenceOptions, flaws};

use crate::bench::{Bench, Client, MARK, PLAIN, SECRET};

mod reading;
mod sizes;
mod writing;

type Call = (&'static str, Value);

/// One attack and its twin.
struct Case {
    flaw: Flaw,
    options: fn(&Bench, &mut ReferenceOptions),
    attack: fn(&Bench) -> Vec<Call>,
    /// Whether the attack succeeded, told from the answers and the disk.
    breached: fn(&Bench, &str) -> bool,
    /// A call that must succeed, and what its answer contains.
    twin: fn(&Bench) -> Call,
    shows: &'static str,
}

fn as_is(_: &Bench, _: &mut ReferenceOptions) {}

fn secret_shown(_: &Bench, answers: &str) -> bool {
    answers.contains(SECRET)
}

/// An attack on `read_file` with a path; the twin reads a permitted file.
fn read(flaw: Flaw, attack: fn(&Bench) -> Vec<Call>) -> Case {
    Case {
        flaw,
        options: as_is,
        attack,
        breached: secret_shown,
        twin: |bench| path("read_file", bench.in_root("ok.txt")),
        shows: PLAIN,
    }
}

/// An attack that writes [`MARK`] somewhere outside; the twin writes a permitted file.
fn write(
    flaw: Flaw,
    attack: fn(&Bench) -> Vec<Call>,
    twin: fn(&Bench) -> Call,
    shows: &'static str,
) -> Case {
    Case {
        flaw,
        options: as_is,
        attack,
        breached: |bench, _| {
            let tree = bench.forbidden_tree();
            tree.values()
                .any(|content| String::from_utf8_lossy(content).contains(MARK))
        },
        twin,
        shows,
    }
}

fn path(tool: &'static str, path: impl Into<String>) -> Call {
    (tool, json!({"path": path.into()}))
}

fn put(path: impl Into<String>) -> Call {
    ("write_file", json!({"path": path.into(), "content": MARK}))
}

fn put_ok(bench: &Bench) -> Call {
    put(bench.in_root("sub/new.txt"))
}

/// Runs the attack on a fresh tree, and the twin on another; whether the one succeeded, and what the other answered.
async fn run(case: &Case, flaws: &[Flaw]) -> (bool, String) {
    let start = async |bench: &Bench| {
        let mut options = bench.options(flaws);
        (case.options)(bench, &mut options);
        Client::start(Kind::Sound, options).await
    };
    let bench = Bench::new();
    let client = start(&bench).await;
    let mut answers = String::new();
    for (tool, arguments) in (case.attack)(&bench) {
        answers.push_str(&client.call(tool, arguments).await.text);
        answers.push('\n');
    }
    let breached = (case.breached)(&bench, &answers);

    let bench = Bench::new();
    let client = start(&bench).await;
    let (tool, arguments) = (case.twin)(&bench);
    let answer = client.call(tool, arguments).await;
    let allowed = !answer.refused || case.flaw == Flaw::EmptyAllowsAll;
    assert!(
        allowed,
        "twin of {}, flaws {flaws:?}: {answer:?}",
        case.flaw
    );
    (breached, answer.text)
}

/// Set in the process that has a home directory of its own.
const CHILD: &str = "REFERENCE_TEST_CHILD";

/// Runs the test below in a process whose HOME holds a secret: a test may not change its own environment.
fn in_child_with_home() {
    let home = tempfile::tempdir().unwrap();
    for name in ["s.txt", ".netrc"] {
        fs::write(home.path().join(name), SECRET).unwrap();
    }
    let output = std::process::Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "--nocapture"])
        .arg("cases::every_flaw_lets_its_attack_through_and_the_sound_server_does_not")
        .env("HOME", home.path())
        .env(CHILD, "1")
        .output()
        .unwrap();
    let log = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{log}");
    let told = String::from_utf8_lossy(&output.stdout);
    assert!(told.contains("1 passed"), "{told}");
}

#[tokio::test(flavor = "multi_thread")]
async fn every_flaw_lets_its_attack_through_and_the_sound_server_does_not() {
    if std::env::var_os(CHILD).is_none() {
        return in_child_with_home();
    }
    let cases: Vec<Case> = [reading::cases(), writing::cases(), sizes::cases()]
        .into_iter()
        .flatten()
        .collect();
    let mut failures = Vec::new();
    for (number, case) in cases.iter().enumerate() {
        for (flaws, expected) in [(&[][..], false), (&[case.flaw][..], true)] {
            let (breached, twin) = run(case, flaws).await;
            if breached != expected {
                failures.push(format!(
                    "row {number} {}: breached {breached}, flaws {flaws:?}",
                    case.flaw
                ));
            }
            if !twin.contains(case.shows) {
                failures.push(format!(
                    "row {number} {}: twin answered {twin:?}",
                    case.flaw
                ));
            }
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));

    // Races have their own tests.
    let races = [
        "fs.race-leaf",
        "fs.race-parent",
        "fs.write-race-leaf",
        "fs.write-race-parent",
    ];
    let covered: BTreeSet<_> = cases
        .iter()
        .map(|case| case.flaw.name())
        .chain(races)
        .collect();
    // Those of the network are tried in `network`.
    let all: BTreeSet<_> = flaws()
        .iter()
        .map(|(name, _)| *name)
        .filter(|name| name.starts_with("fs."))
        .collect();
    assert_eq!(covered, all);
}
