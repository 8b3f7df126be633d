//! Mistakes in flags and files.

use crate::run::{Ran, Run, reference};

fn refused(ran: &Ran, texts: &[&str]) {
    ran.code(2).tells(texts);
    assert_eq!(ran.out, "");
    assert_eq!(ran.made(), [""; 0]);
}

fn run(flags: &[&str]) -> Run {
    Run::new(&[&["run"], flags, &reference(&[])].concat())
}

#[test]
fn a_mistake_in_the_policy_is_shown_where_it_is() {
    for (name, text, told) in [
        (
            "policy.yaml",
            "capabilities:\n  filesystem:\n    alowed_paths: []\n",
            &["policy.yaml:3:", "alowed_paths"][..],
        ),
        (
            "policy.json",
            "{ \"server\": { \"network\": {\n  \"denied_hosts\": [\"10.0.0.0/99\"] } } }",
            &["policy.json:2:", "10.0.0.0/99"],
        ),
        (
            "policy.toml",
            "[capabilities.filesystem]\nallowed_paths = ",
            &["policy.toml:2:"],
        ),
    ] {
        refused(&run(&["--policy", name]).file(name, text).go(), told);
    }
    refused(&run(&["--policy", "missing.yaml"]).go(), &["missing.yaml"]);
}

#[test]
fn a_mistake_in_the_config_is_shown_where_it_is() {
    let text = "[target]\ncommand = [\"server\"]\n\n[run]\njosb = 3\n";
    let ran = Run::new(&["run"]).file("watertight.toml", text).go();
    refused(&ran, &["watertight.toml:", "help:"]);
    refused(&Run::new(&["run"]).go(), &["target"]);
}

#[test]
fn a_mistake_in_a_probe_is_shown_where_it_is() {
    let ran = run(&["--probes", "mine"])
        .file(
            "mine/fs.read/mine.toml",
            "id = \"fs.read.mine\"\ntitel = \"x\"\n",
        )
        .go();
    refused(&ran, &["mine/fs.read/mine.toml:2", "titel"]);
    refused(&run(&["--probes", "missing"]).go(), &["missing"]);
}

const MINE: &str =
    "format = 1\nname = \"mine\"\ntitle = \"Ours\"\nrequirement = \"None of it is left.\"\n";

#[test]
fn suites_of_ones_own_are_found_beside_the_probes() {
    let list = format!("{MINE}[select]\nids = [\"fs.read.dotdot\"]\n");
    let probe = include_str!("../../probes/fs.read/dotdot.toml");
    let probe = probe.replace("fs.read.dotdot", "fs.read.mine");
    let with = |suite: &str| {
        run(&[
            "--probes",
            "own",
            "--suite",
            "mine",
            "--report",
            "json=report.json",
        ])
        .file("own/fs.read/mine.toml", &probe)
        .file("own/suites/mine.toml", suite)
    };
    let ran = with(&list).go();
    ran.code(0);
    let report = ran.json("report.json");
    assert_eq!(report["harness"]["selection"][0], "suite mine");
    assert_eq!(report["harness"]["asked"]["probes"], 1);

    let unknown = format!("{MINE}[select]\nids = [\"fs.read.dotdto\"]\n");
    refused(
        &with(&unknown).go(),
        &[
            "own/suites/mine.toml:6",
            "no probe is called `fs.read.dotdto`",
        ],
    );
}

#[test]
fn suites_of_a_date_are_asked() {
    let flags = ["--frozen-suite", "2026.11", "--probe", "fs.read.dotdot"];
    let ran = run(&[&flags[..], &["--report", "json=report.json"]].concat()).go();
    ran.code(0);
    let asked = &ran.json("report.json")["harness"]["asked"];
    assert_eq!(asked["frozen_suite"], "2026.11");
    assert_eq!(asked["probes"], 1);
    assert_eq!(asked["digest"].as_str().map(str::len), Some(64));

    refused(
        &run(&["--frozen-suite", "2026.1"]).go(),
        &["no suites are dated `2026.1`", "2026.11"],
    );
}

#[test]
fn selections_that_select_nothing() {
    refused(
        &run(&["--suite", "cor"]).go(),
        &["no suite is called `cor`", "core"],
    );
    refused(
        &run(&["--probe", "fs.read.dotdott"]).go(),
        &["no probe is called `fs.read.dotdott`", "fs.read.dotdot"],
    );
    refused(
        &run(&["--skip", "fs.raed"]).go(),
        &["no probe is called `fs.raed`"],
    );
    refused(
        &run(&["--probe", "fs.read.dotdot", "--skip", "fs"]).go(),
        &["no probe is left to ask"],
    );
}

#[test]
fn directories_that_cannot_be_used() {
    refused(
        &run(&["--allowed", "missing"]).go(),
        &["missing", "create it"],
    );
    refused(
        &run(&["--allowed", "file"]).file("file", "text").go(),
        &["file is no directory"],
    );
    // Nobody can make a directory in /proc.
    refused(
        &run(&["--allowed", "/proc/sys"]).go(),
        &["/proc/sys cannot be the allowed directory", "fix:"],
    );
    refused(
        &run(&["--cwd", "missing"]).go(),
        &["working directory", "missing"],
    );
}

#[test]
fn an_allowed_path_that_is_missing() {
    let policy = "capabilities:\n  filesystem:\n    allowed_paths: [/no/such/directory]\n";
    // In namespaces it would be made.
    let ran = run(&["--testbed", "host", "--policy", "policy.yaml"])
        .file("policy.yaml", policy)
        .go();
    refused(&ran, &["/no/such/directory", "{allowed}"]);
}

#[test]
fn what_means_nothing_for_a_target_is_refused() {
    for flags in [["--header", "X-A: b"], ["--bearer-env", "PATH"]] {
        refused(&run(&flags).go(), &["headers without a URL"]);
    }
    let ran = run(&["--url", "http://127.0.0.1/mcp"]).go();
    refused(&ran, &["names no port"]);
    let fleet = "[[server]]\nname = \"one\"\n[server.target]\ncommand = [\"server\"]\n";
    let ran = Run::new(&["run", "--config", "fleet.toml"]).file("fleet.toml", fleet);
    refused(&ran.go(), &["a fleet of servers", "--server: one"]);
    let ran = run(&["--report", "json=made"]).file("made/note.txt", "mine");
    ran.go().code(2).tells(&["`made` is a directory"]);
}

#[test]
fn a_set_up_that_fails_ends_the_run() {
    let probe = ["--probe", "fs.read.dotdot", "--setup"];
    for (call, told) in [
        ("nope={}", "no tool has this name"),
        ("read_file={\"path\":\"nope\"}", "No such file"),
    ] {
        let ran = run(&[&probe[..], &[call]].concat()).go();
        refused(&ran, &["the set-up call of", told]);
    }
}

#[test]
fn a_tool_that_is_not_there_is_noted() {
    let probe = ["--probe", "fs.read.dotdot"];
    let ran = run(&[&probe[..], &["--allow-destructive", "nope"]].concat()).go();
    assert!(ran.out.contains("the tool `nope`"), "{}", ran.out);
}
