//! `watertight diff`: two runs of one server, before and after a change.

use serde_json::Value;

use crate::run::{Run, reference};

/// The JSON report of a run with these flags.
pub(crate) fn report_of(flags: &[&str], target: &[&str]) -> String {
    let args = [&["run", "--report", "json=report.json"], flags, target].concat();
    Run::new(&args).go().read("report.json")
}

const PREFIX: [&str; 4] = [
    "--probe",
    "fs.read.prefix-sibling",
    "--probe",
    "fs.read.dotdot",
];

#[test]
fn a_flaw_that_came_in_is_a_regression_and_one_that_went_is_none() {
    let sound = report_of(&PREFIX, &reference(&[]));
    let flawed = report_of(&PREFIX, &reference(&["--flaw", "fs.prefix-sibling"]));
    let diff = |args: &[&str]| {
        Run::new(&[&["diff"], args].concat())
            .file("sound.json", &sound)
            .file("flawed.json", &flawed)
            .go()
    };
    let ran = diff(&["sound.json", "flawed.json"]);
    ran.code(1);
    for part in [
        "NEW BREACHES",
        "fs.read.prefix-sibling",
        "proof",
        "WORSE",
        "held (strong)",
    ] {
        assert!(ran.out.contains(part), "{part}: {}", ran.out);
    }
    let ran = diff(&["flawed.json", "sound.json"]);
    ran.code(0);
    assert!(
        ran.out.contains("FIXED") && ran.out.contains("no worse"),
        "{}",
        ran.out
    );
    let ran = diff(&["sound.json", "sound.json"]);
    ran.code(0);
    assert!(ran.out.contains("the same"), "{}", ran.out);

    let ran = diff(&["--json", "sound.json", "flawed.json"]);
    ran.code(1);
    let value: Value = serde_json::from_str(&ran.out).expect("standard output is JSON");
    assert_eq!(value["breached"][0]["probe"], "fs.read.prefix-sibling");
    assert_eq!(value["lost"], Value::Array(Vec::new()));
}

#[test]
fn what_is_not_asked_any_more_is_lost() {
    let both = report_of(&PREFIX, &reference(&[]));
    let one = report_of(&PREFIX[..2], &reference(&[]));
    let diff = |args: &[&str]| {
        Run::new(&[&["diff", "both.json", "one.json"], args].concat())
            .file("both.json", &both)
            .file("one.json", &one)
            .go()
    };
    let ran = diff(&[]);
    ran.code(1);
    assert!(
        ran.out.contains("probe fs.read.dotdot  gone"),
        "{}",
        ran.out
    );
    diff(&["--fail-on", "breached"]).code(0);
}

#[test]
fn what_cannot_be_compared_is_refused() {
    let diff = |args: &[&str]| {
        let bad = "{ \"schema\": 99 }";
        Run::new(&[&["diff"], args].concat())
            .file("newer.json", bad)
            .file("cut.json", "{ \"schema\": 1, \"probes\": [")
            .go()
    };
    // Both are told.
    diff(&["newer.json", "cut.json"])
        .code(2)
        .tells(&["format 99", "truncated"]);
    diff(&["-", "-"]).code(2).tells(&["standard input", "fix:"]);
    diff(&["newer.json"]).code(2);
    diff(&["newer.json", "cut.json", "--fail-on", "fixed"]).code(2);
}
