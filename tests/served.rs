//! Commands that serve HTTP, run as users run them: started in the world of the run, and spoken to at their address.
//!
//! Without namespaces the tests are ignored and say so; with `CI=true` they fail.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "support/needs.rs"]
mod needs;
#[path = "support/report.rs"]
mod report;

use std::process::Output;

use serde_json::Value;

const PROGRAM: &str = env!("CARGO_BIN_EXE_watertight");

needs::main! {
    &[needs::NAMESPACES];
    what_is_sound_holds_also_at_a_port_that_the_sink_would_have,
    what_is_flawed_is_breached,
    it_cannot_be_there_twice_and_need_not_end_with_its_input,
    what_does_not_serve_is_told,
    who_listens_already_is_not_taken_for_the_command,
    a_command_serves_on_this_machine,
}

/// A run with these flags, and the report, if there is one.
fn run(flags: &[&str]) -> (Output, Option<Value>) {
    report::run(tempfile::tempdir().unwrap().path(), flags)
}

/// The verdicts of probes on the reference target, which serves at a port.
fn verdicts(port: u16, probes: &[&str], words: &[&str]) -> Vec<String> {
    let (address, url) = (
        format!("127.0.0.1:{port}"),
        format!("http://127.0.0.1:{port}/mcp"),
    );
    let mut flags = vec!["--url", &url];
    flags.extend(probes.iter().flat_map(|probe| ["--probe", probe]));
    flags.extend(["--", PROGRAM, "reference", "--listen", &address]);
    flags.extend(words);
    let report = report::report(tempfile::tempdir().unwrap().path(), &flags);
    assert_eq!(report["target"]["transport"], "http-command");
    assert_eq!(report["testbed"]["kind"], "namespace");
    let told = |probe: &&str| {
        let all = report["probes"].as_array().unwrap();
        let found = all.iter().find(|one| one["id"] == **probe).unwrap();
        found["verdict"].as_str().unwrap().to_owned()
    };
    probes.iter().map(told).collect()
}

const PROBES: [&str; 3] = [
    "fs.read.dotdot",
    "net.egress.denied-ip",
    "net.egress.loopback-alias",
];

fn what_is_sound_holds_also_at_a_port_that_the_sink_would_have() {
    for port in [8123, 8080] {
        let found = verdicts(port, &PROBES, &["--network", "{allowed}"]);
        assert_eq!(found, ["held", "held", "held"], "{port}");
    }
}

fn what_is_flawed_is_breached() {
    let flaws = ["--flaw", "fs.join-only", "--flaw", "net.no-check"];
    let words = [&["--network"], &flaws[..], &["{allowed}"]].concat();
    let found = verdicts(8123, &PROBES, &words);
    assert_eq!(found, ["breached", "breached", "breached"]);
    let words = ["--network", "--api", "{sink}", "--flaw", "net.base-join"];
    let found = verdicts(8123, &["net.egress.base-url"], &words);
    assert_eq!(found, ["breached"]);
    let words = ["--network", "--api", "{sink}", "--header-upstream"];
    let header = ["net.egress.header-upstream"];
    assert_eq!(verdicts(8123, &header, &words), ["held"]);
    let words = [&words[..], &["--flaw", "net.header-upstream"]].concat();
    assert_eq!(verdicts(8123, &header, &words), ["breached"]);
}

fn it_cannot_be_there_twice_and_need_not_end_with_its_input() {
    let probes = ["fs.read.empty-allowlist", "proc.orphans"];
    for verdict in verdicts(8123, &probes, &["{allowed}"]) {
        assert_eq!(verdict, "not-applicable");
    }
}

fn what_does_not_serve_is_told() {
    let url = ["--url", "http://127.0.0.1:8123/mcp"];
    for (command, told) in [
        (
            &["sh", "-c", "echo no such option >&2; exit 3"][..],
            "no such option",
        ),
        (&["sleep", "60"][..], "nobody listens at"),
    ] {
        let flags = [&url[..], &["--startup-timeout", "2", "--"], command].concat();
        let (output, report) = run(&flags);
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(report.is_none() && said.contains(told), "{said}");
    }
}

fn who_listens_already_is_not_taken_for_the_command() {
    let other = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/mcp", other.local_addr().unwrap());
    let (output, report) = run(&["--testbed", "host", "--url", &url, "--", "sleep", "60"]);
    let said = String::from_utf8_lossy(&output.stderr);
    let told = said.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(report.is_none(), "{said}");
    assert!(told.contains("another program listens at"), "{said}");
}

fn a_command_serves_on_this_machine() {
    let (output, _) = run(&["--url", "https://mcp.example.org/mcp", "--", "server"]);
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{said}");
    assert!(said.contains("config::two-targets"), "{said}");
}
