//! `watertight render`: stored reports in, any format out, and what is refused.

use std::{fs::File, path::Path};

use serde_json::Value;

use crate::run::{Run, reference};

const SAMPLE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/reports/samples/report.json");

#[test]
fn a_stored_report_becomes_any_format() {
    for (format, sign) in [
        ("html", "<!doctype html>"),
        ("junit", "<?xml"),
        ("sarif", "\"2.1.0\""),
        ("markdown", "## "),
        ("jsonl", "\"concluded\""),
        ("in-toto", "https://in-toto.io/Statement/v1"),
        ("oscal", "assessment-results"),
        ("json", "\"schema\": 1"),
        ("text", "BREACHED"),
    ] {
        let ran = Run::new(&["render", SAMPLE, "--format", format]).go();
        ran.code(0);
        assert!(ran.out.contains(sign), "{format}");
        let ran = Run::new(&["render", SAMPLE, "-f", format, "-o", "new/out"]).go();
        ran.code(0);
        assert_eq!(ran.made(), ["new/out"]);
    }
}

#[test]
fn what_cannot_be_rendered_is_refused() {
    Run::new(&["render", SAMPLE, "--format", "pdf"])
        .go()
        .code(2)
        .tells(&["pdf", "html"]);
    Run::new(&["render", "nowhere.json"])
        .go()
        .code(2)
        .tells(&["nowhere.json", "fix:"]);
    let text = std::fs::read_to_string(SAMPLE).expect("the sample is there");
    for (bad, told) in [
        (&text[..text.len() / 2], "truncated"),
        ("{}", "no report"),
        (
            &*text.replace("\"exit_code\": 1", "\"exit_code\": 0"),
            "does not add up",
        ),
        (&*text.replace("\"schema\": 1", "\"schema\": 7"), "format 7"),
    ] {
        let ran = Run::new(&["render", "bad.json", "-f", "html", "-o", "out.html"])
            .file("bad.json", bad)
            .go();
        ran.code(2).tells(&[told, "fix:"]);
        assert_eq!(ran.made(), [""; 0]);
    }
}

#[test]
fn one_that_is_too_large_is_refused_without_being_read_whole() {
    let run = Run::new(&["render", "large.json"]).file("large.json", "");
    let file = File::options()
        .write(true)
        .open(run.path("large.json"))
        .expect("it was made");
    file.set_len(500 << 20).expect("a sparse file");
    run.go().code(2).tells(&["larger than 256 MiB"]);
}

#[test]
fn events_are_written_while_the_run_goes_on() {
    let probe = [
        "run",
        "--probe",
        "fs.read.search-content",
        "--report",
        "jsonl=new/events.jsonl",
    ];
    let ran = Run::new(&[&probe[..], &reference(&[])].concat()).go();
    ran.code(0);
    let text = ran.read("new/events.jsonl");
    let lines: Vec<Value> = text
        .lines()
        .map(|line| serde_json::from_str(line).expect("a line is JSON"))
        .collect();
    assert!(lines[0].get("launching").is_some(), "{}", lines[0]);
    let last = lines.last().expect("there are lines");
    assert_eq!(last["concluded"]["summary"]["exit_code"], 0);
    assert!(lines.iter().any(|line| line.get("trial-done").is_some()));
}

#[test]
fn events_on_standard_output_are_alone_there() {
    let probe = [
        "run",
        "--probe",
        "fs.read.search-content",
        "--report",
        "jsonl=-",
    ];
    let ran = Run::new(&[&probe[..], &reference(&[])].concat()).go();
    ran.code(0);
    for line in ran.out.lines() {
        serde_json::from_str::<Value>(line).expect("a line is JSON");
    }
}

#[test]
fn events_that_cannot_be_written_cost_no_other_report() {
    let probe = [
        "run",
        "--probe",
        "fs.read.search-content",
        "--report",
        "jsonl=file/e.jsonl",
    ];
    let flags = ["--report", "json=good.json"];
    let ran = Run::new(&[&probe[..], &flags, &reference(&[])].concat())
        .file("file", "in the way")
        .go();
    ran.code(4)
        .tells(&["cannot write the jsonl report to file/e.jsonl"]);
    assert_eq!(ran.made(), ["good.json"]);
}

#[test]
fn a_breach_stands_at_the_line_of_the_policy() {
    let policy = "capabilities:\n  filesystem:\n    allowed_paths:\n      - '{allowed}'\n";
    let probe = [
        "run",
        "--probe",
        "fs.read.outside-abs",
        "--policy",
        "policy.yaml",
    ];
    let flags = ["--report", "sarif=out.sarif"];
    let ran = Run::new(&[&probe[..], &flags, &reference(&["--flaw", "fs.no-check"])].concat())
        .file("policy.yaml", policy)
        .go();
    ran.code(1);
    let sarif = ran.json("out.sarif");
    let place = &sarif["runs"][0]["results"][0]["locations"][0]["physicalLocation"];
    let file = place["artifactLocation"]["uri"].as_str().expect("a file");
    assert_eq!(Path::new(file).file_name(), Some("policy.yaml".as_ref()));
    let line = place["region"]["startLine"].as_u64();
    assert!(matches!(line, Some(3 | 4)), "{place}");
}
