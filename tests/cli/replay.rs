//! `watertight replay`: one trial again, and its lines piped into a server by hand.

use std::{
    fs,
    io::Write as _,
    path::Path,
    process::{Command, Stdio},
};

use serde_json::Value;

use crate::{
    diff::report_of,
    run::{Run, reference},
};

const TRIAL: &str = "fs.read.prefix-sibling/digit@read_file:path";
const PROBE: [&str; 2] = ["--probe", "fs.read.prefix-sibling"];
const FLAW: [&str; 2] = ["--flaw", "fs.prefix-sibling"];

fn replay(report: &str, args: &[&str]) -> crate::run::Ran {
    Run::new(&[&["replay", "report.json"], args].concat())
        .file("report.json", report)
        .go()
}

#[test]
fn a_breach_is_shown_with_every_message_and_ends_with_the_call() {
    let report = report_of(&PROBE, &reference(&FLAW));
    let ran = replay(&report, &[TRIAL]);
    ran.code(1);
    for part in [
        "then      ✗ BREACHED",
        "now       ✗ BREACHED",
        "MESSAGES",
        "control: a permitted request",
        "   attack",
        "   twin:",
        "→ +",
        "← +",
        "WITNESSES",
        "file-witness awake",
        "EVIDENCE",
        "proof",
        "as in the report",
    ] {
        assert!(ran.out.contains(part), "{part} is missing in\n{}", ran.out);
    }
    let after = ran
        .out
        .split("THE CALL")
        .nth(1)
        .expect("the section is there");
    let line = after
        .lines()
        .find(|line| line.starts_with('{'))
        .expect("a line of JSON");
    let call: Value = serde_json::from_str(line).expect("it is JSON");
    assert_eq!(call["method"], "tools/call");
    assert_eq!(call["params"]["name"], "read_file");
    assert!(!ran.out.contains("tools/list"), "discovery is left out");

    let ran = replay(&report, &[TRIAL, "--verbose"]);
    ran.code(1);
    assert!(ran.out.contains("tools/list"), "{}", ran.out);

    // The same trial on a server that was mended.
    let target = reference(&[]);
    let ran = replay(&report, &[&[TRIAL], &target[..]].concat());
    ran.code(0);
    assert!(ran.out.contains("the report has BREACHED"), "{}", ran.out);
}

#[test]
fn the_lines_can_be_piped_into_a_server_by_hand() {
    let report = report_of(&PROBE, &reference(&FLAW));
    // What is planted stays, as it is to.
    let ran = Run::new(&["replay", "report.json", TRIAL, "--emit"])
        .file("report.json", &report)
        .start()
        .wait();
    ran.code(0);
    ran.tells(&["planted", "forbidden", "send", "remove rm -r"]);
    let told = |label: &str| {
        let line = ran
            .err
            .lines()
            .find_map(|line| line.trim_start().strip_prefix(label));
        line.unwrap_or_else(|| panic!("{label}: {}", ran.err))
            .trim()
            .to_owned()
    };
    let secret = fs::read_to_string(told("forbidden")).expect("it is planted");
    let token = secret
        .split_whitespace()
        .find(|word| word.starts_with("wt"))
        .expect("a token");
    let methods: Vec<Value> = ran
        .out
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).expect("a line is JSON")["method"].clone())
        .collect();
    assert_eq!(
        methods,
        ["initialize", "notifications/initialized", "tools/call"]
    );

    let command = told("send");
    let command = command.rsplit('|').next().expect("a command").trim();
    let words = shell_words::split(command).expect("a shell line");
    let answer = by_hand(&words, &ran.out, 2);
    assert!(answer.contains(token), "the secret came back: {answer}");
    // A sound server is asked the same, and keeps it.
    let sound: Vec<String> = words
        .iter()
        .filter(|word| !FLAW.contains(&word.as_str()))
        .cloned()
        .collect();
    let answer = by_hand(&sound, &ran.out, 2);
    assert!(
        answer.contains("1000") && !answer.contains(token),
        "{answer}"
    );

    let kept = Path::new(&told("planted")).to_owned();
    assert!(
        kept.file_name()
            .is_some_and(|name| name.to_string_lossy().starts_with("watertight-replay-"))
    );
    fs::remove_dir_all(kept).expect("it is ours");
}

/// Pipes lines into a server and returns what it says, once it has answered `answers` of them.
fn by_hand(words: &[String], lines: &str, answers: usize) -> String {
    use std::io::{BufRead as _, BufReader};
    let mut server = Command::new(&words[0])
        .args(&words[1..])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("the server starts");
    let mut input = server.stdin.take().expect("it is piped");
    input.write_all(lines.as_bytes()).expect("it reads");
    let output = BufReader::new(server.stdout.take().expect("it is piped"));
    let said: Vec<String> = output.lines().take(answers).map_while(Result::ok).collect();
    drop(input);
    server.kill().ok();
    server.wait().expect("it is our child");
    said.join("\n")
}

#[test]
fn what_is_not_stored_has_to_be_given_again() {
    let flags = [&PROBE[..], &["--env", "SECRET_WORD=hunter2"]].concat();
    let report = report_of(&flags, &reference(&FLAW));
    assert!(!report.contains("hunter2"), "a value is in no report");
    replay(&report, &[TRIAL])
        .code(2)
        .tells(&["--env SECRET_WORD=VALUE", "fix:"]);
    replay(&report, &[TRIAL, "--env", "SECRET_WORD=other"]).code(1);
}

#[test]
fn a_policy_of_its_own_goes_along() {
    let policy = "capabilities:\n  filesystem:\n    allowed_paths: ['{allowed}']\n    denied_paths: ['{allowed}/private']\n";
    let args = [
        "run",
        "--probe",
        "fs.read.deny-inside-allow",
        "--policy",
        "policy.yaml",
        "--report",
        "json=r.json",
    ];
    let ran = Run::new(&[&args[..], &reference(&[])].concat())
        .file("policy.yaml", policy)
        .go();
    let report = ran.read("r.json");
    let value: Value = serde_json::from_str(&report).expect("JSON");
    let trials = value["probes"][0]["trials"].as_array().expect("trials");
    let breached = trials
        .iter()
        .find(|trial| trial["verdict"] == "breached" && trial["tool"] == "read_file")
        .expect("the reference knows no such denial without being told");
    // No policy file is there any more.
    let ran = replay(&report, &[breached["id"].as_str().expect("an id")]);
    ran.code(1);
    assert!(ran.out.contains("as in the report"), "{}", ran.out);
}

#[test]
fn a_trial_that_is_not_there_is_told_with_those_that_are() {
    let report = report_of(&PROBE, &reference(&FLAW));
    for (trial, told) in [
        ("fs.read.prefix-sibling/digits@read_file:path", TRIAL),
        ("digit@read_file", TRIAL),
        ("nonsense", "probes[].trials[].id"),
    ] {
        let ran = replay(&report, &[trial]);
        ran.code(2).tells(&["replay::trial", told]);
        assert!(!ran.err.contains("launching"), "{}", ran.err);
    }
    replay("{}", &[TRIAL]).code(2).tells(&["no report"]);
    Run::new(&["replay", "-", TRIAL])
        .go()
        .code(2)
        .tells(&["as a file"]);
    let mut old: Value = serde_json::from_str(&report).expect("JSON");
    old.as_object_mut().expect("an object").remove("repeat");
    replay(&old.to_string(), &[TRIAL])
        .code(2)
        .tells(&["older program"]);
    let mut edited: Value = serde_json::from_str(&report).expect("JSON");
    edited["repeat"]["flags"][0] = Value::from("--no-such-flag");
    replay(&edited.to_string(), &[TRIAL])
        .code(2)
        .tells(&["--no-such-flag", "fix:"]);
}
