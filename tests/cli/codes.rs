//! Each exit code, reached by a real run.

use crate::run::{Run, reference};

fn code(flags: &[&str], target: &[&str], code: i32) {
    let run = Run::new(&[&["run", "--quiet"], flags, &reference(target)].concat());
    run.go().code(code);
}

#[test]
fn held_is_0() {
    code(&["--probe", "fs.read.search-content"], &[], 0);
}

#[test]
fn breached_is_1() {
    code(
        &["--probe", "fs.read.dotdot"],
        &["--flaw", "fs.no-check"],
        1,
    );
}

#[test]
fn bad_input_is_2() {
    code(&["--probe", "no.such.probe"], &[], 2);
    Run::new(&["run", "--no-such-flag"]).go().code(2);
    Run::new(&["no-such-command"]).go().code(2);
}

#[test]
fn inconclusive_is_3() {
    code(&["--probe", "fs.read.dotdot"], &["refuse-all"], 3);
}

#[test]
fn a_lost_report_is_4() {
    code(
        &[
            "--probe",
            "fs.read.search-content",
            "--report",
            "json=/proc/no/report.json",
        ],
        &[],
        4,
    );
}

#[test]
fn what_judges_nothing_succeeds() {
    for args in [
        &["--help"][..],
        &["--version"],
        &["list"],
        &["explain", "fs.read.dotdot"],
    ] {
        Run::new(args).go().code(0);
    }
}

/// What is called forbidden is what the proof is about.
#[test]
fn the_forbidden_object_lies_where_the_proof_does() {
    let probes = [
        "--probe",
        "fs.read.symlink-file",
        "--probe",
        "fs.read.symlink-dir",
        "--probe",
        "fs.write.dangling-symlink",
    ];
    let flags = [&["run", "--report", "json=out.json"], &probes[..]].concat();
    let flaws = [
        "--flaw",
        "fs.follow-dir-link",
        "--flaw",
        "fs.write-dangling",
        "--flaw",
        "fs.prefix-sibling",
    ];
    let ran = Run::new(&[flags, reference(&flaws)].concat()).go();
    let report = ran.code(1).json("out.json");
    let probes = report["probes"].as_array().expect("probes").iter();
    let trials = probes.flat_map(|probe| probe["trials"].as_array().expect("trials"));
    let breached: Vec<_> = trials
        .filter(|trial| trial["verdict"] == "breached")
        .collect();
    assert!(breached.len() > 6);
    for trial in breached {
        if let Some(object) = trial["object"].as_str() {
            assert!(trial["evidence"].to_string().contains(object), "{trial}");
        }
    }
}
