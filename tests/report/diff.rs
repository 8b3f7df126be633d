//! Diffs: every way in which a trial can change is told, and only what got worse fails.

use insta::assert_snapshot;
use serde_json::Value;
use unicode_width::UnicodeWidthStr;
use watertight::{
    judge::{Basis, Strength, Verdict},
    report::{
        Cause, Diff, Findings, Look, Report, Worse, basis_verdict, compare, diff_schema, is_plain,
        render_diff,
    },
};

use crate::{
    NARROW, checked_in,
    sample::{fact, findings, poisoned, report},
};

const ALL: [Worse; 3] = [Worse::Breached, Worse::Lost, Worse::Weaker];

/// The sample, changed.
fn changed(change: impl FnOnce(&mut Findings)) -> Report {
    let mut changed = findings();
    change(&mut changed);
    for probe in &mut changed.probes {
        let (verdict, strength) = watertight::report::probe_verdict(&probe.trials);
        (probe.verdict, probe.strength) = (verdict, strength);
    }
    changed.planned = changed.probes.iter().map(|probe| probe.trials.len()).sum();
    Report::new(changed).expect("it adds up")
}

/// Gives a trial another basis, with the verdict that it leads to.
fn rebase(findings: &mut Findings, id: &str, basis: Basis) {
    let trials = findings
        .probes
        .iter_mut()
        .flat_map(|probe| &mut probe.trials);
    let trial = trials
        .filter(|trial| trial.id == id)
        .last()
        .expect("the sample has it");
    trial.basis = basis;
    trial.verdict = basis_verdict(basis);
    trial.strength = (trial.verdict == Verdict::Held).then_some(Strength::Strong);
    trial.evidence = vec![fact("reply", "a fact")];
}

fn ids(changes: &[watertight::report::Change]) -> Vec<&str> {
    let trials = changes.iter().flat_map(|change| &change.trials);
    trials.map(|trial| &*trial.id).collect()
}

fn lost(diff: &Diff) -> Vec<(Cause, &str, usize)> {
    let losses = diff.lost.iter();
    losses
        .map(|loss| (loss.cause, &*loss.name, loss.trials.len()))
        .collect()
}

/// Worse in every way, and better in every way.
fn shaken() -> Report {
    changed(|findings| {
        findings.harness.run = String::from("c0ffee");
        findings.harness.started = String::from("2026-12-01T08:00:00Z");
        findings.target.version = Some(String::from("0.3.0"));
        findings
            .target
            .tools
            .retain(|tool| tool.name != "list_directory");
        findings.policy = serde_json::json!({ "default": false });
        rebase(
            findings,
            "fs.read.dotdot/plain@read_file:path",
            Basis::Token,
        );
        rebase(
            findings,
            "fs.read.outside-abs/deep@read_file:path",
            Basis::Timeout,
        );
        rebase(
            findings,
            "fs.read.prefix-sibling/dotdot@read_file:path",
            Basis::Policy,
        );
        rebase(
            findings,
            "fs.read.prefix-sibling/plain@read_multiple_files:path",
            Basis::ControlFailed,
        );
        rebase(
            findings,
            "fs.read.hardlink/plain@read_file:path",
            Basis::Filtered,
        );
        for probe in &mut findings.probes {
            probe.trials.retain(|trial| trial.tool != "list_directory");
            for trial in &mut probe.trials {
                if trial.id == "fs.read.outside-abs/plain@read_file:path" {
                    trial.strength = Some(Strength::Weak);
                }
            }
        }
        findings
            .probes
            .retain(|probe| probe.id.0 != "fs.write.outside-abs");
    })
}

#[test]
fn a_report_is_the_same_as_itself_however_often_it_was_run() {
    let later = changed(|findings| {
        findings.harness.run = String::from("ffffff");
        findings.harness.seed = 7;
        let old = findings.testbed.allowed.clone();
        findings.testbed.allowed = String::from("/var/tmp/beds/bed-2/allowed");
        findings.testbed.denied = String::from("/var/tmp/beds/bed-2/denied");
        findings.target.display = findings
            .target
            .display
            .replace(&old, &findings.testbed.allowed);
    });
    let diff = compare(&report(), &later, &ALL);
    assert_eq!(diff.exit_code, 0);
    assert_eq!(diff.unlike, [""; 0]);
    assert_eq!((ids(&diff.breached), lost(&diff)), (vec![], vec![]));
    assert_eq!(ids(&diff.remaining).len(), report().summary.trials.breached);
    let text = render_diff(&diff, &later, &NARROW);
    assert!(
        text.ends_with("exit code 0\n               5 still breached\n"),
        "{text}"
    );
}

#[test]
fn every_change_is_told_once_and_for_what_it_is() {
    let diff = compare(&report(), &shaken(), &ALL);
    assert_eq!(ids(&diff.breached), ["fs.read.dotdot/plain@read_file:path"]);
    assert_eq!(
        ids(&diff.fixed),
        ["fs.read.prefix-sibling/dotdot@read_file:path"]
    );
    assert_eq!(
        ids(&diff.weaker),
        ["fs.read.outside-abs/plain@read_file:path"]
    );
    assert_eq!(ids(&diff.gained), ["fs.read.hardlink/plain@read_file:path"]);
    assert_eq!(
        lost(&diff),
        [
            (Cause::Tool, "list_directory", 3),
            (Cause::Probe, "fs.write.outside-abs", 2),
            (Cause::Inconclusive, "fs.read.outside-abs", 1),
            // Breached before: that it is not judged any more does not fix it.
            (Cause::Inconclusive, "fs.read.prefix-sibling", 1),
        ]
    );
    assert_eq!(diff.unlike, ["the policy is another one"]);
    assert_eq!(diff.exit_code, 1);

    let back = compare(&shaken(), &report(), &ALL);
    assert_eq!(ids(&back.stronger), ids(&diff.weaker));
    assert_eq!(ids(&back.fixed), ids(&diff.breached));
    // A breach where nothing was judged before is a new one.
    assert_eq!(
        ids(&back.breached),
        [
            "fs.read.prefix-sibling/dotdot@read_file:path",
            "fs.read.prefix-sibling/plain@read_multiple_files:path",
        ]
    );
}

#[test]
fn what_fails_can_be_chosen() {
    let weaker = changed(|findings| {
        for probe in &mut findings.probes {
            for trial in &mut probe.trials {
                trial.strength = trial.strength.map(|_| Strength::Medium);
            }
        }
    });
    for (fails_on, code) in [
        (&ALL[..], 1),
        (&[Worse::Weaker], 1),
        (&[Worse::Breached, Worse::Lost], 0),
    ] {
        let diff = compare(&report(), &weaker, fails_on);
        assert_eq!(diff.exit_code, code, "{fails_on:?}");
        assert!(
            !diff.weaker.is_empty(),
            "what does not fail is told all the same"
        );
    }
}

#[test]
fn diff_at_80_columns() {
    let new = shaken();
    assert_snapshot!(render_diff(&compare(&report(), &new, &ALL), &new, &NARROW));
}

#[test]
fn the_schema_is_checked_in_and_a_diff_fits_it() {
    let schema = serde_json::to_value(diff_schema()).expect("a schema is JSON");
    let text = serde_json::to_string_pretty(&schema).expect("a schema is JSON") + "\n";
    checked_in("reports/diff-v1.schema.json", &text);
    let validator = jsonschema::validator_for(&schema).expect("it is a JSON Schema");
    let diff = compare(&report(), &shaken(), &ALL);
    let mut value = serde_json::to_value(&diff).expect("a diff is JSON");
    let errors: Vec<String> = validator
        .iter_errors(&value)
        .map(|e| e.to_string())
        .collect();
    assert!(errors.is_empty(), "{errors:?}");
    value["lost"][0]["cause"] = Value::from("gone");
    assert!(validator.validate(&value).is_err());
}

#[test]
fn hostile_text_stays_text() {
    for (old, new) in [
        (report(), poisoned()),
        (poisoned(), report()),
        (poisoned(), shaken()),
    ] {
        let diff = compare(&old, &new, &ALL);
        for width in [72, 80, 120] {
            let text = render_diff(
                &diff,
                &new,
                &Look {
                    width,
                    verbose: true,
                    ..NARROW
                },
            );
            for line in text.lines() {
                assert!(line.chars().all(is_plain), "raw character in {line:?}");
                assert!(
                    line.width() <= width || line.contains("watertight"),
                    "wide: {line}"
                );
            }
        }
    }
}
