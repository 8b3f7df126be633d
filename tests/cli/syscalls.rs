//! Runs with the witness of system calls: what it says of servers whose doings are known, and what is left of it.

use std::{
    fs,
    process::{Command, Stdio},
};

use rustix::process::Signal;
use serde_json::Value;

use crate::run::{PROGRAM, Run, reference};

const WATCHED: [&str; 8] = [
    "run",
    "--witness",
    "syscalls",
    "--no-lock",
    "--report",
    "json=report.json",
    "--probe",
    "fs.read.outside-abs",
];

/// The trials of a report, with one field of what was attempted.
fn trials(report: &Value, verdict: &str) -> Vec<Value> {
    let probes = report["probes"].as_array().expect("a list").iter();
    probes
        .flat_map(|probe| probe["trials"].as_array().expect("a list"))
        .filter(|trial| trial["verdict"] == verdict)
        .cloned()
        .collect()
}

fn witness(report: &Value) -> Value {
    let witnesses = report["testbed"]["witnesses"].as_array().expect("a list");
    let found = witnesses.iter().find(|it| it["name"] == "syscall-witness");
    found.expect("it was asked for").clone()
}

#[test]
fn a_sound_server_does_not_even_try() {
    for testbed in ["host", "namespace"] {
        let flags = [&WATCHED[..], &["--testbed", testbed]].concat();
        let ran = Run::new(&[flags, reference(&[])].concat()).go();
        if testbed == "namespace" && ran.ended_with(2) {
            // There are none here, which is told elsewhere.
            continue;
        }
        ran.code(0);
        let report = ran.json("report.json");
        assert_eq!(witness(&report)["awake"], true);
        let held = trials(&report, "held");
        assert!(!held.is_empty());
        for trial in held {
            let how = &trial["attempted"]["how"];
            // It resolves a path, by links, and then refuses.
            assert!(how == "looked" || how == "not-made", "{trial:#}");
            assert_eq!(trial["layers"]["stopped_by"], "server", "{trial:#}");
        }
        assert!(ran.out.contains("by the server"), "{}", ran.out);
        assert!(ran.out.contains("no more than looked at"), "{}", ran.out);
    }
}

#[test]
fn an_attempt_that_passed_stands_beside_the_proof() {
    let flawed = reference(&["--flaw", "fs.no-check"]);
    let ran = Run::new(&[&WATCHED[..], &flawed].concat()).go();
    ran.code(1);
    let breached = trials(&ran.json("report.json"), "breached");
    assert!(!breached.is_empty());
    for trial in breached {
        let evidence = trial["evidence"].as_array().expect("a list");
        let seen = evidence
            .iter()
            .find(|it| it["witness"] == "syscall-witness");
        let fact = seen.expect("it was seen")["fact"].as_str().expect("a text");
        assert!(
            fact.contains("open") && fact.ends_with("succeeded"),
            "{fact}"
        );
        assert!(trial.get("attempted").is_none(), "{trial:#}");
    }
}

/// What is traced only passes on what a server outside does: nothing that it attempts is seen, and nothing is said.
#[test]
fn a_witness_that_sees_nothing_says_so() {
    let place = tempfile::tempdir().expect("a directory");
    let (asked, told) = (place.path().join("asked"), place.path().join("told"));
    let allowed = place.path().join("allowed");
    fs::create_dir(&allowed).expect("the directory is ours");
    for pipe in [&asked, &told] {
        let made = Command::new("mkfifo").arg(pipe).status();
        assert!(made.expect("there is mkfifo(1)").success());
    }
    let line = r#"exec "$0" reference "$1" < "$2" > "$3""#;
    let mut server = Command::new("sh")
        .args(["-c", line, PROGRAM])
        .args([&allowed, &asked, &told])
        .stderr(Stdio::null())
        .spawn()
        .expect("a shell");
    let relay = format!(
        "cat '{}' & exec cat > '{}'",
        told.display(),
        asked.display()
    );
    let shared = allowed.display().to_string();
    let flags = ["--testbed", "host", "--allowed", &shared];
    let ran = Run::script(&[&WATCHED[1..], &flags].concat(), &relay).go();
    server.kill().expect("it is our child");
    server.wait().expect("it is our child");
    let report = ran.json("report.json");
    let told = witness(&report);
    assert_eq!(told["awake"], false, "{told}");
    let held = trials(&report, "held");
    assert!(!held.is_empty(), "{}", ran.err);
    for trial in held {
        assert_eq!(trial["attempted"]["how"], "unseen", "{trial:#}");
        assert_eq!(trial["layers"]["stopped_by"], "unknown", "{trial:#}");
    }
}

#[test]
fn nothing_is_said_of_a_process_that_is_traced() {
    let flags = ["--probe", "proc.no-new-privileges", "--testbed", "host"];
    let policy = r#"{ "server": { "name": "x" }, "process": { "no_new_privileges": true } }"#;
    let run = Run::new(
        &[
            &WATCHED[..6],
            &flags,
            &["--policy", "policy.json"],
            &reference(&[]),
        ]
        .concat(),
    );
    let ran = run.file("policy.json", policy).go();
    let report = ran.json("report.json");
    let skipped = trials(&report, "not-applicable");
    let told = skipped.iter().any(|trial| {
        let reason = trial["reason"].as_str().expect("a text");
        reason.contains("traces the target")
    });
    assert!(told, "{skipped:#?}");
}

/// `Run::end` looks for what knows the testbed, which the tracer and all that it started do.
#[test]
fn an_interrupt_leaves_no_tracer() {
    for signal in [Signal::INT, Signal::TERM] {
        let flags = ["--suite", "core", "--testbed", "host"];
        let mut going = Run::new(&[&WATCHED[..6], &flags, &reference(&[])].concat()).start();
        going.wait_for("planned").signal(signal).signal(signal);
        going.end();
    }
    let mut going = Run::script(&WATCHED[1..], "trap '' TERM; while :; do sleep 1; done").start();
    going.wait_for("launching").signal(Signal::INT);
    going.end().code(3);
}

#[test]
fn a_server_that_ends_or_cannot_start_is_told_of_by_its_own_name() {
    let ran = Run::script(&WATCHED[1..], "echo no such setting >&2; exit 9").go();
    ran.code(2)
        .tells(&["server` ended", "exit status 9", "no such setting"]);
}

#[test]
fn a_server_that_runs_already_cannot_be_traced() {
    let ran = Run::new(&[&WATCHED[..], &["--url", "http://127.0.0.1:9/mcp"]].concat()).go();
    ran.code(2)
        .tells(&["traces a server from its start", "fix:"]);
}

#[test]
fn a_server_with_a_ring_is_not_said_not_to_try() {
    const RING: &str =
        "import ctypes; print(ctypes.CDLL(None).syscall(425, 4, (ctypes.c_uint32 * 30)()))";
    let made = Command::new("python3").args(["-c", RING]).output();
    if !made.is_ok_and(|made| made.status.success() && !made.stdout.starts_with(b"-")) {
        // Neither can the server make one.
        return;
    }
    let script = format!("python3 -c '{RING}' >&2\nexec \"$WATERTIGHT\" reference \"$1\"");
    let flags = [&WATCHED[1..], &["--testbed", "host"]].concat();
    let ran = Run::script(&flags, &script).go();
    ran.code(0);
    let report = ran.json("report.json");
    let held = trials(&report, "held");
    assert!(!held.is_empty());
    for trial in held {
        assert_eq!(trial["attempted"]["how"], "unseen", "{trial:#}");
        assert_ne!(trial["layers"]["stopped_by"], "server", "{trial:#}");
    }
}
