//! Known verdicts: accepted where they match, prominent in every format, and failing where they do not.

use insta::assert_snapshot;
use serde_json::{Value, json};
use watertight::{
    config::{Baseline, baseline_schema},
    diag::{Look, Source},
    judge::Verdict,
    report::{
        AccountError, BaselineFault, Findings, Format, Report, Told, is_plain, parse_report,
        render_in_toto, render_json, render_junit, render_sarif, render_terminal,
    },
};

use crate::{
    NARROW, checked_in,
    sample::{HOSTILE, findings, report},
};

/// Knows every breach of the sample.
fn all() -> String {
    let report = report();
    let entries = report.probes.iter().filter_map(|probe| {
        let trials: Vec<&str> = probe
            .trials
            .iter()
            .filter(|trial| trial.verdict == Verdict::Breached)
            .filter_map(|trial| Some(trial.id.split_once('/')?.1))
            .collect();
        let trials = json!(trials).to_string();
        // JSON escapes are TOML's, but for NUL and the like, which both spell \u0000.
        (trials != "[]").then(|| entry(&probe.id.0, "breached", &trials, "2027-01-31"))
    });
    std::iter::once(String::from("format = 1\n"))
        .chain(entries)
        .collect()
}

fn entry(probe: &str, verdict: &str, trials: &str, expires: &str) -> String {
    format!(
        "\n[[known]]\nprobe = \"{probe}\"\nverdict = \"{verdict}\"\ntrials = {trials}\n\
         reason = \"told to the vendor\"\nexpires = \"{expires}\"\n"
    )
}

fn baseline(text: &str) -> Baseline {
    Baseline::parse(Source::new("baseline.toml", text))
        .unwrap_or_else(|problems| panic!("{}", problems.render(Look::PLAIN)))
}

/// The sample, whose run began on 2026-11-23, with a baseline.
fn with(text: &str) -> Report {
    with_of(text, |_| {})
}

fn with_of(text: &str, change: impl FnOnce(&mut Findings)) -> Report {
    let mut findings = findings();
    findings.baseline = Some(Told::File(baseline(text)));
    findings.thresholds.min_coverage = 0.0;
    change(&mut findings);
    Report::new(findings).expect("it adds up")
}

fn faults(report: &Report) -> Vec<(BaselineFault, &str, usize)> {
    let told = report.baseline.as_ref().expect("there is a baseline");
    let faults = told.problems.iter();
    faults
        .map(|problem| (problem.kind, &*problem.trial, problem.place.line))
        .collect()
}

const DOTDOT: &str = "fs.read.prefix-sibling/dotdot@read_file:path";

#[test]
fn what_is_known_does_not_decide_and_stays_what_it_is() {
    let report = with(&all());
    assert_eq!(report.summary.exit_code, 0);
    assert_eq!(report.summary.verdict, Verdict::Breached);
    assert_eq!(report.summary.trials, self::report().summary.trials);
    assert_eq!(faults(&report), []);
    let stored = render_json(&report);
    let read = parse_report(stored.as_bytes(), String::from("it")).expect("it adds up");
    assert_eq!(render_json(&read), stored);
}

#[test]
fn what_is_not_named_is_not_known() {
    let one = entry(
        "fs.read.prefix-sibling",
        "breached",
        "[\"dotdot@read_file:path\"]",
        "2027-01-31",
    );
    let report = with(&format!("format = 1\n{one}"));
    assert_eq!(report.summary.exit_code, 1);
    let accepted: Vec<&str> = report
        .probes
        .iter()
        .flat_map(|probe| &probe.trials)
        .filter(|trial| trial.accepted.is_some())
        .map(|trial| &*trial.id)
        .collect();
    assert_eq!(accepted, [DOTDOT]);
}

#[test]
fn an_entry_that_has_expired_fails_on_the_day_after_its_last() {
    for (expires, code) in [("2026-11-23", 0), ("2026-11-22", 1)] {
        let report = with(&all().replace("2027-01-31", expires));
        assert_eq!(report.summary.exit_code, code, "{expires}");
        let expired = faults(&report);
        assert_eq!(expired.is_empty(), code == 0, "{expires}");
        assert!(
            expired
                .iter()
                .all(|(kind, ..)| *kind == BaselineFault::Expired)
        );
    }
}

#[test]
fn an_entry_that_no_longer_matches_is_stale() {
    let stale = [
        entry(
            "fs.read.dotdot",
            "breached",
            "[\"plain@read_file:path\"]",
            "2027-01-31",
        ),
        entry(
            "fs.write.outside-abs",
            "breached",
            "[\n  \"gone@write_file:path\",\n]",
            "2027-01-31",
        ),
        // Not judged is not fixed.
        entry(
            "fs.read.hardlink",
            "breached",
            "[\"plain@read_file:path\"]",
            "2027-01-31",
        ),
        // Not asked.
        entry(
            "fs.read.other",
            "breached",
            "[\"plain@read_file:path\"]",
            "2027-01-31",
        ),
    ];
    let report = with(&format!("{}{}", all(), stale.concat()));
    let lines: Vec<(BaselineFault, &str)> = faults(&report)
        .iter()
        .map(|(kind, trial, _)| (*kind, *trial))
        .collect();
    assert_eq!(
        lines,
        [
            (BaselineFault::Stale, "fs.read.dotdot/plain@read_file:path"),
            (
                BaselineFault::Stale,
                "fs.write.outside-abs/gone@write_file:path"
            ),
        ]
    );
    assert_eq!(report.summary.exit_code, 2);
    // A breach that is not known counts more.
    let report = with(&format!("format = 1\n{}", stale.concat()));
    assert_eq!(report.summary.exit_code, 1);
    let (_, trial, line) = faults(&report)[1];
    assert_eq!(
        (trial, line),
        ("fs.write.outside-abs/gone@write_file:path", 14)
    );
}

#[test]
fn what_cannot_be_judged_can_be_known_too() {
    let only = |findings: &mut Findings| {
        let keep = ["fs.read.dotdot", "fs.read.hardlink"];
        findings.probes.retain(|probe| keep.contains(&&*probe.id.0));
        for probe in &mut findings.probes {
            probe.priority = watertight::probe::Priority::P0;
        }
        findings.planned = findings.probes.iter().map(|probe| probe.trials.len()).sum();
    };
    let known = entry(
        "fs.read.hardlink",
        "inconclusive",
        "[\"plain@read_file:path\"]",
        "2027-01-31",
    );
    assert_eq!(with_of("format = 1\n", only).summary.exit_code, 3);
    let report = with_of(&format!("format = 1\n{known}"), only);
    assert_eq!(report.summary.exit_code, 0);
    assert_eq!(report.summary.verdict, Verdict::Inconclusive);
}

#[test]
fn a_report_in_which_something_was_made_known_by_hand_is_refused() {
    let report = with(&all());
    let mut more = report.clone();
    let held = more.probes.iter_mut().flat_map(|probe| &mut probe.trials);
    let accepted = with(&all())
        .probes
        .iter()
        .flat_map(|probe| &probe.trials)
        .find_map(|trial| trial.accepted.clone());
    for trial in held.filter(|trial| trial.verdict == Verdict::Held).take(1) {
        trial.accepted = accepted.clone();
    }
    assert!(matches!(more.account(), Err(AccountError::Accepted(_))));
    let mut gone = report;
    gone.baseline = None;
    assert!(matches!(gone.account(), Err(AccountError::Accepted(_))));
}

#[test]
fn terminal_with_a_baseline() {
    let stale = entry(
        "fs.read.dotdot",
        "breached",
        "[\"plain@read_file:path\"]",
        "2027-01-31",
    );
    let text = render_terminal(&with(&format!("{}{stale}", all())), &NARROW);
    let from = text.find("KNOWN").expect("the section is there");
    let to = text.find("INCONCLUSIVE").expect("the next one too");
    let last = text.lines().last().expect("a last line");
    assert_snapshot!(format!("{}\n{last}", &text[from..to]));
    let first = text
        .lines()
        .find(|line| line.contains("fs.read.prefix-sibling"));
    assert!(
        first.is_some_and(|line| line.ends_with("critical  known")),
        "{first:?}"
    );
}

#[test]
fn every_format_tells_what_is_known_and_what_is_stale() {
    let stale = entry(
        "fs.read.dotdot",
        "breached",
        "[\"plain@read_file:path\"]",
        "2027-01-31",
    );
    let report = with(&format!("{}{stale}", all()));
    for format in Format::ALL {
        // Markdown escapes points.
        let text = format.render(&report).replace('\\', "");
        if !matches!(format, Format::InToto) {
            assert!(
                text.contains("fs.read.dotdot/plain"),
                "{format} tells what is stale"
            );
        }
        // Events hold no reasons.
        if !matches!(format, Format::InToto | Format::Jsonl) {
            assert!(text.contains("told to the vendor"), "{format} tells why");
        }
    }
    let junit = render_junit(&report);
    let trials = report.summary.trials;
    assert_eq!(
        junit.matches("<skipped ").count(),
        trials.not_applicable + trials.breached
    );
    assert_eq!(junit.matches("<failure ").count(), 1);
    let json = |text: &str| serde_json::from_str::<Value>(text).expect("it is JSON");
    let sarif = json(&render_sarif(&report));
    let results = sarif["runs"][0]["results"].as_array().expect("results");
    assert_eq!(results.len(), trials.breached);
    assert!(
        results
            .iter()
            .all(|result| result["suppressions"][0]["status"] == "accepted")
    );
    let statement = |report: &Report| json(&render_in_toto(report))["predicate"].clone();
    assert_eq!(statement(&report)["result"], "FAILED");
    let fine = statement(&with(&all()));
    assert_eq!(
        (&fine["result"], &fine["failedTests"]),
        (&json!("WARNED"), &json!([]))
    );
    let warned = fine["warnedTests"].as_array().expect("a list");
    assert!(warned.contains(&json!("fs.read.prefix-sibling")));
}

#[test]
fn hostile_words_of_a_baseline_are_inert() {
    let mut report = with(&all());
    report.baseline.as_mut().expect("there is one").file = String::from(HOSTILE);
    for trial in report.probes.iter_mut().flat_map(|probe| &mut probe.trials) {
        if let Some(accepted) = &mut trial.accepted {
            accepted.reason = String::from(HOSTILE);
            accepted.expires = String::from(HOSTILE);
            accepted.place.file = String::from(HOSTILE);
        }
    }
    for format in Format::ALL {
        let text = format.render(&report);
        let raw = text.chars().find(|c| *c != '\n' && !is_plain(*c));
        assert_eq!(raw, None, "in {format}");
        if matches!(format, Format::Html | Format::Markdown | Format::Junit) {
            assert!(!text.contains("<img src=x"), "{format}");
        }
    }
}

#[test]
fn mistakes_in_a_baseline_are_shown_at_their_place() {
    let text = "format = 2\n\n[[known]]\nprobe = \"fs.read.dotdot\"\nverdict = \"breached\"\n\
        trials = [\"a@b:c\", \"a@b:c\"]\nreason = \" \"\nexpires = \"2027-02-30\"\n\n\
        [[known]]\nprobe = \"fs.read.dotdot\"\nverdict = \"breached\"\ntrials = []\nreason = \"r\"\nexpires = \"soon\"\n";
    let problems =
        Baseline::parse(Source::new("baseline.toml", text)).expect_err("it has mistakes");
    assert_snapshot!(problems.to_string());
    for (bad, told) in [
        ("format = 1\nknow = []\n", "know"),
        ("format = 1\n[[known]]\nprobe = \"a\"\n", "verdict"),
        (&*all().replace("\"breached\"", "\"held\""), "held"),
        (
            &*all().replace("\"2027-01-31\"", "2027-01-31"),
            "2027-01-31",
        ),
    ] {
        let problems = Baseline::parse(Source::new("b.toml", bad)).expect_err(bad);
        assert!(problems.to_string().contains(told), "{problems}");
    }
}

#[test]
fn the_schema_is_checked_in() {
    let text = serde_json::to_string_pretty(&baseline_schema()).expect("a schema is JSON") + "\n";
    checked_in("reports/baseline-v1.schema.json", &text);
    let schema: Value = serde_json::from_str(&text).expect("a schema is JSON");
    let validator = jsonschema::validator_for(&schema).expect("it is a JSON Schema");
    let file: toml::Value = toml::from_str(&all()).expect("it is TOML");
    let mut file = serde_json::to_value(file).expect("it is JSON too");
    assert!(validator.validate(&file).is_ok());
    file["known"][0]["verdict"] = json!("held");
    assert!(validator.validate(&file).is_err());
}
