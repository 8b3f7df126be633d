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
