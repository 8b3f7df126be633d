//! Runs that a user ends early: at every moment, with every signal that asks for it.

use std::time::{Duration, Instant};

use rustix::process::Signal;

use crate::run::{Run, reference};

const ALL: &[&str] = &["run", "--suite", "core", "--report", "json=report.json"];

/// A server that answers only once a file called `go` is there, and ends with its directory: nobody is left
/// to end the server of a run that was killed.
const LATE: &str = "while [ ! -e go ]; do [ -e server ] || exit; sleep 0.05; done; \
    exec \"$WATERTIGHT\" reference \"$1\"";

#[test]
fn before_the_first_answer_it_ends_at_once() {
    for signal in [Signal::INT, Signal::TERM, Signal::HUP] {
        let mut going = Run::script(&["--report", "json=report.json"], LATE).start();
        going.wait_for("launching").signal(signal);
        let ran = going.end();
        ran.code(3).tells(&["interrupted before the first trial"]);
        assert_eq!(ran.made(), [""; 0]);
    }
}

#[test]
fn a_flood_does_not_drown_an_interrupt() {
    for script in ["exec yes", "exec yes >&2"] {
        let mut going = Run::script(&[], script).start();
        going.wait_for("launching").signal(Signal::INT);
        going
            .end()
            .code(3)
            .tells(&["interrupted before the first trial"]);
    }
}

#[test]
fn while_tools_are_listed_it_ends_at_once() {
    let script = "tee log | grep --line-buffered -v tools/list | \"$WATERTIGHT\" reference \"$1\"";
    // The file is to be seen from here.
    let mut going = Run::script(&["--testbed", "host"], script).start();
    going
        .wait_for_file("log")
        .wait_for("launching")
        .signal(Signal::INT);
    going
        .end()
        .code(3)
        .tells(&["interrupted before the first trial"]);
}

#[test]
fn during_discovery_it_ends_at_once() {
    // Calls are never answered, so that discovery takes its time.
    let script = "grep --line-buffered -v tools/call | \"$WATERTIGHT\" reference \"$1\"";
    let mut going = Run::script(&["--timeout", "100"], script).start();
    going.wait_for("ready").signal(Signal::TERM);
    going
        .end()
        .code(3)
        .tells(&["interrupted before the first trial"]);
}

#[test]
fn during_trials_the_report_is_still_written() {
    for signal in [Signal::INT, Signal::TERM, Signal::HUP] {
        let mut going = Run::new(&[ALL, &reference(&[])].concat()).start();
        going.wait_for("planned").signal(signal);
        let ran = going.end();
        ran.code(3);
        assert!(ran.err.contains("once more to end at once"), "{}", ran.err);
        let report = ran.json("report.json");
        assert_eq!(report["harness"]["interrupted"], true);
        assert_eq!(report["testbed"]["clean"], true);
        assert_eq!(ran.made(), ["report.json"]);
    }
}

#[test]
fn a_breach_before_the_interrupt_counts() {
    let target = reference(&["--flaw", "fs.no-check"]);
    let mut going = Run::new(&[ALL, &target].concat()).start();
    going.wait_for("BREACHED").signal(Signal::INT);
    let ran = going.end();
    ran.code(1);
    assert_eq!(ran.json("report.json")["harness"]["interrupted"], true);
}

#[test]
fn during_races_it_ends_in_order() {
    let flags = [
        "run",
        "--probe",
        "fs.read.race-file",
        "--report",
        "json=report.json",
    ];
    let target = reference(&["--flaw", "fs.race-leaf"]);
    let mut going = Run::new(&[&flags[..], &target].concat()).start();
    going.wait_for("planned").signal(Signal::INT);
    let ran = going.end();
    assert_eq!(ran.json("report.json")["harness"]["interrupted"], true);
}

/// A server that no longer answers from the moment that trials begin. Whole names of directories tell
/// it: discovery makes names of random letters, and `far` is soon among them.
const FREEZING: &str = "while read -r line; do case $line in\n\
    */far/*|*/denied/*) while :; do sleep 1; done;;\n*) printf '%s\\n' \"$line\";;\nesac; \
    done | \"$WATERTIGHT\" reference \"$1\"";

/// Flags of a run that would wait long for it.
const PATIENT: &[&str] = &[
    "--probe",
    "fs.read",
    "--timeout",
    "200",
    "--report",
    "json=report.json",
];

#[test]
fn once_it_does_not_wait_for_a_frozen_target() {
    let began = Instant::now();
    let mut going = Run::script(PATIENT, FREEZING).start();
    going.wait_for("planned").signal(Signal::INT);
    let ran = going.end();
    ran.code(3);
    assert_eq!(ran.json("report.json")["harness"]["interrupted"], true);
    assert!(began.elapsed() < Duration::from_secs(150), "{}", ran.err);
}

#[test]
fn twice_it_ends_at_once() {
    let mut going = Run::script(PATIENT, FREEZING).start();
    going.wait_for("planned");
    // Plain calls come before those that freeze the target; without one of these in flight, once is enough.
    std::thread::sleep(Duration::from_secs(2));
    going
        .signal(Signal::INT)
        .wait_for("once more to end at once")
        .signal(Signal::INT);
    let ran = going.end();
    ran.code(3).tells(&["interrupted twice"]);
    assert_eq!(ran.made(), [""; 0]);
}

#[test]
fn targets_that_refuse_to_end_are_ended() {
    // It ignores what it may ignore, leaves its group, and goes on when its input ends.
    let script = "trap '' TERM HUP INT; setsid sh -c 'trap \"\" TERM HUP; sleep 1000' </dev/null \
        >/dev/null 2>&1 &\n\"$WATERTIGHT\" reference \"$1\"; while :; do sleep 1; done";
    let flags = ["--probe", "fs.read.search-content"];
    Run::script(&flags, script).go().code(0);
    let mut going = Run::script(&flags, script).start();
    going.wait_for("planned").signal(Signal::INT);
    going.end();
}

#[test]
fn nohup_is_respected() {
    let flags = ["run", "--probe", "fs.read.search-content"];
    let mut going = Run::new(&[&flags[..], &reference(&[])].concat())
        .ignoring("HUP")
        .start();
    going.wait_for("launching").signal(Signal::HUP);
    going.wait_for("planned").signal(Signal::HUP);
    going.end().code(0);
}

#[test]
fn the_next_run_removes_what_a_killed_one_left() {
    // In namespaces the kernel removes it.
    let mut going = Run::script(&["--testbed", "host"], LATE).start();
    going.wait_for("launching").signal(Signal::KILL);
    let killed = going.wait();
    let beds = killed.beds();
    assert_eq!(beds.len(), 1, "{}", killed.err);
    let next = [
        "run",
        "--testbed",
        "host",
        "--probe",
        "fs.read.search-content",
    ];
    Run::new(&[&next[..], &reference(&[])].concat())
        .go()
        .code(0);
    for bed in beds {
        assert!(!bed.exists(), "{} is left", bed.display());
    }
}
