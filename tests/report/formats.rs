//! The formats that other programs read: each fits its schema, says the same as the report, and holds
//! hostile text as text.

use std::{collections::BTreeSet, fs, process::Command};

use serde_json::{Value, json};
use watertight::{
    judge::Verdict,
    report::{
        Format, Place, Report, is_plain, parse_report, render_in_toto, render_json, render_jsonl,
        render_junit, render_markdown, render_oscal, render_sarif,
    },
};

use crate::{
    checked_in,
    sample::{findings, poisoned, report},
};

/// The report that is good, and the one in which every text attacks.
fn reports() -> [Report; 2] {
    [report(), poisoned()]
}

fn json_of(text: &str) -> Value {
    serde_json::from_str(text).expect("it is JSON")
}

fn fits(schema: &str, document: &Value) {
    let path = format!("{}/tests/schemas/{schema}", env!("CARGO_MANIFEST_DIR"));
    let schema = json_of(&fs::read_to_string(&path).expect("the schema is there"));
    let validator = jsonschema::validator_for(&schema).expect("it is a JSON Schema");
    let errors: Vec<String> = validator
        .iter_errors(document)
        .map(|error| format!("{}: {error}", error.instance_path()))
        .take(5)
        .collect();
    assert!(errors.is_empty(), "{errors:#?}");
}

#[test]
fn nothing_raw_is_in_any_format() {
    for format in Format::ALL {
        let text = format.render(&poisoned());
        let raw = text.chars().find(|c| *c != '\n' && !is_plain(*c));
        assert_eq!(raw, None, "in {format}");
    }
}

/// The sample with a line of 1 MiB in each text of one breach, and in a note: as an edited report may have them.
fn with_long_lines() -> Report {
    let line = "A".repeat(1 << 20);
    let mut report = report();
    report.notes.push(line.clone());
    let probe = report
        .probes
        .iter_mut()
        .find(|probe| probe.verdict == Verdict::Breached)
        .expect("the sample has a breach");
    for text in [&mut probe.title, &mut probe.why, &mut probe.fix] {
        text.clone_from(&line);
    }
    for trial in &mut probe.trials {
        trial.reason.clone_from(&line);
        for seen in &mut trial.evidence {
            seen.fact.clone_from(&line);
            seen.excerpt = Some(line.clone());
        }
    }
    report
}

/// Whoever opens a report in a browser, an editor or the page of a CI job can still do so.
#[test]
fn lines_of_a_mebibyte_are_rendered_in_every_format() {
    let report = with_long_lines();
    let stored = render_json(&report);
    assert!(stored.len() > 16 << 20, "the report has them");
    for format in Format::ALL {
        let text = format.render(&report);
        match format {
            Format::Json => assert_eq!(text, stored, "nothing is lost of the report itself"),
            Format::Jsonl => assert!(text.lines().all(|line| json_of(line).is_object())),
            Format::Html | Format::Terminal => assert!(text.len() < 4 << 20, "{format}"),
            _ => assert!(text.len() < 1 << 17, "{format}: {}", text.len()),
        }
    }
}

#[test]
fn junit_fits_its_schema_and_counts_as_the_report_does() {
    let dir = tempfile::tempdir().expect("a directory");
    for report in reports() {
        let text = render_junit(&report);
        let trials = report.summary.trials;
        let count = |what: &str| text.matches(what).count();
        assert_eq!(count("<testcase "), report.summary.planned);
        assert_eq!(count("<failure "), trials.breached);
        assert_eq!(count("<error "), trials.inconclusive);
        assert_eq!(count("<skipped "), trials.not_applicable);
        let file = dir.path().join("junit.xml");
        fs::write(&file, &text).expect("writable");
        let checked = Command::new("xmllint")
            .args(["--noout", "--nonet", "--schema"])
            .arg(concat!(
                env!("CARGO_MANIFEST_DIR"),
                "/tests/schemas/junit.xsd"
            ))
            .arg(&file)
            .output();
        match checked {
            Ok(done) => {
                let said = String::from_utf8_lossy(&done.stderr);
                assert!(done.status.success(), "{said}");
            }
            // CI has it; what could be counted was counted.
            Err(error) => assert!(std::env::var_os("CI").is_none(), "xmllint: {error}"),
        }
    }
}

#[test]
fn sarif_fits_its_schema() {
    for report in reports() {
        let sarif = json_of(&render_sarif(&report));
        fits("sarif-2.1.0.schema.json", &sarif);
        let run = &sarif["runs"][0];
        let results = run["results"].as_array().expect("results");
        assert_eq!(results.len(), report.summary.trials.breached);
        let notes = &run["invocations"][0]["toolExecutionNotifications"];
        assert_eq!(
            notes.as_array().map(Vec::len),
            Some(report.summary.trials.inconclusive)
        );
        for result in results {
            let rule = result["ruleIndex"].as_u64().expect("an index") as usize;
            assert_eq!(run["tool"]["driver"]["rules"][rule]["id"], result["ruleId"]);
        }
    }
}

#[test]
fn sarif_stands_at_the_line_of_the_policy_and_is_the_same_result_in_every_run() {
    let mut later = findings();
    later.harness.run = String::from("ffffff");
    later.harness.started = String::from("2027-01-01T00:00:00Z");
    later.probes[0].claimed = Some(Place {
        file: String::from("policies/my policy.yaml"),
        line: 7,
    });
    let later = json_of(&render_sarif(&Report::new(later).expect("it adds up")));
    let first = json_of(&render_sarif(&report()));
    let prints = |sarif: &Value| -> BTreeSet<String> {
        let results = sarif["runs"][0]["results"].as_array().expect("results");
        let prints = results
            .iter()
            .map(|result| result["partialFingerprints"].to_string());
        prints.collect()
    };
    assert_eq!(prints(&first), prints(&later));
    assert_eq!(prints(&first).len(), report().summary.trials.breached);
    let place = &later["runs"][0]["results"][0]["locations"][0]["physicalLocation"];
    assert_eq!(
        place,
        &json!({
            "artifactLocation": { "uri": "policies/my%20policy.yaml" },
            "region": { "startLine": 7 },
        })
    );
}

#[test]
fn markdown_is_bounded_and_holds_no_markup_of_the_target() {
    let text = render_markdown(&poisoned());
    for bad in ["<script", "<img", "@team", "](http", "```"] {
        assert!(!text.contains(bad), "{bad} in {text}");
    }
    let mut many = findings();
    let gap = many.not_tested[0].clone();
    for number in 0..20_000 {
        let mut gap = gap.clone();
        gap.why = format!("{number} {}", "<&|".repeat(60));
        many.not_tested.push(gap);
    }
    let text = render_markdown(&Report::new(many).expect("it adds up"));
    assert!(text.len() <= 512 << 10, "{} bytes", text.len());
    assert!(text.contains("are left out"));
}

#[test]
fn json_lines_end_with_the_verdict() {
    for report in reports() {
        let text = render_jsonl(&report);
        let lines: Vec<Value> = text.lines().map(json_of).collect();
        let done = lines.iter().filter(|line| line.get("trial-done").is_some());
        let applied = report.summary.planned - report.summary.trials.not_applicable;
        assert_eq!(done.count(), applied);
        let last = lines.last().expect("a last line");
        assert_eq!(last["concluded"]["summary"], json!(report.summary));
    }
}

#[test]
fn in_toto_is_a_statement_about_this_report() {
    for report in reports() {
        let statement = json_of(&render_in_toto(&report));
        fits("in-toto-test-result.schema.json", &statement);
        assert_eq!(statement["predicate"]["result"], "FAILED");
    }
    let report = report();
    let statement = json_of(&render_in_toto(&report));
    let digest = sha2::Sha256::digest(render_json(&report));
    assert_eq!(
        statement["subject"][1]["digest"]["sha256"],
        data_encoding::HEXLOWER.encode(&digest)
    );
}

use sha2::Digest as _;

#[test]
fn oscal_has_what_assessment_results_must_have() {
    for report in reports() {
        let document = json_of(&render_oscal(&report));
        let results = &document["assessment-results"];
        for pointer in [
            "/uuid",
            "/metadata/title",
            "/metadata/last-modified",
            "/metadata/version",
            "/metadata/oscal-version",
            "/import-ap/href",
            "/results/0/uuid",
            "/results/0/start",
            "/results/0/reviewed-controls/control-selections/0",
            "/results/0/observations/0/methods/0",
            "/results/0/observations/0/collected",
            "/results/0/findings/0/target/status/state",
        ] {
            assert!(results.pointer(pointer).is_some(), "{pointer}");
        }
        let policy = results["back-matter"]["resources"][0]["uuid"].as_str();
        let named = results["import-ap"]["href"].as_str();
        assert_eq!(named.and_then(|href| href.strip_prefix('#')), policy);
        let result = &results["results"][0];
        let observed: BTreeSet<&str> = result["observations"]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(|observation| observation["uuid"].as_str())
            .collect();
        let applied = report.probes.len() - report.summary.probes.not_applicable;
        assert_eq!(observed.len(), applied);
        for finding in result["findings"].as_array().expect("findings") {
            for related in finding["related-observations"].as_array().expect("a list") {
                assert!(observed.contains(related["observation-uuid"].as_str().expect("an id")));
            }
        }
    }
}

#[test]
fn samples_of_all_formats_are_up_to_date() {
    for (format, file) in [
        (Format::Html, "report.html"),
        (Format::Junit, "report.junit.xml"),
        (Format::Sarif, "report.sarif"),
        (Format::Markdown, "report.md"),
        (Format::Jsonl, "report.jsonl"),
        (Format::InToto, "report.intoto.json"),
        (Format::Oscal, "report.oscal.json"),
    ] {
        checked_in(
            &format!("reports/samples/{file}"),
            &format.render(&report()),
        );
    }
}

#[test]
fn a_stored_report_says_the_same_in_every_format() {
    let stored = render_json(&report());
    let read = parse_report(stored.as_bytes(), String::from("it")).expect("it is a report");
    for format in Format::ALL {
        assert_eq!(format.render(&read), format.render(&report()), "{format}");
    }
}

#[test]
fn what_is_no_report_is_refused_with_its_reason() {
    let good = render_json(&report());
    let refuse = |text: &str| {
        parse_report(text.as_bytes(), String::from("it.json"))
            .map(|_| ())
            .expect_err("it is refused")
            .to_string()
    };
    let edited = |from: &str, to: &str| {
        assert!(good.contains(from));
        good.replacen(from, to, 1)
    };
    for (text, told) in [
        (good[..good.len() / 2].to_owned(), "truncated"),
        (String::new(), "no JSON"),
        (String::from("<html>"), "no JSON"),
        (String::from("[]"), "no report"),
        (String::from("{}"), "no report"),
        (edited("\"schema\": 1,", "\"schema\": 2,"), "format 2"),
        (
            edited("\"exit_code\": 1,", "\"exit_code\": 0,"),
            "does not add up",
        ),
        (
            edited("\"planned\": 43,", "\"planned\": 44,"),
            "does not add up",
        ),
        (
            edited("\"verdict\": \"breached\"", "\"verdict\": \"passed\""),
            "no report",
        ),
        (
            edited("\"schema\": 1,", "\"schema\": 1, \"extra\": 1,"),
            "no report",
        ),
    ] {
        let said = refuse(&text);
        assert!(said.contains(told) && said.contains("it.json"), "{said}");
    }
    let other = edited("\"schema\": 1,", "\"schema\": 1, \"extra\": 1,").replacen(
        "\"version\": \"0.1.0\"",
        "\"version\": \"0.9.0\"",
        1,
    );
    assert!(refuse(&other).contains("written by watertight 0.9.0"));
}
