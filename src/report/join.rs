//! Parts of a run that belong together, said as one.
//!
//! Owns what the whole says where parts say it each. Verdicts are counted anew from the trials, as for
//! any report; nothing of a part's own summary is used.

use std::collections::BTreeMap;

use sha2::{Digest, Sha256};

use crate::{
    judge::Verdict,
    report::{
        Calls, Findings, Harness, PartReport, ProbeReport, Report, TargetReport, TestbedReport,
        Told, TrialReport, merge::Part, probe_verdict, render_json,
    },
};

/// What the parts were told of known verdicts; they are of one run when all were told, or none.
fn baselines(parts: &[Part<'_>]) -> Option<Told> {
    let told = parts
        .iter()
        .filter_map(|(_, report, _)| report.baseline.clone());
    let told: Vec<_> = told.collect();
    (!told.is_empty()).then_some(Told::Parts(told))
}

/// What the parts found together. `first` is one of them, whose words stand for all where they agree.
pub(super) fn joined(parts: &[Part<'_>], first: &Part<'_>) -> Findings {
    let reports = || parts.iter().map(|(_, report, _)| *report);
    let (_, model, shard) = *first;
    let mut not_tested = Vec::new();
    for gap in reports().flat_map(|report| &report.not_tested) {
        if !not_tested.contains(gap) {
            not_tested.push(gap.clone());
        }
    }
    let sum = |of: fn(&Calls) -> usize| reports().map(|report| of(&report.calls)).sum();
    Findings {
        harness: harness(parts, model),
        probes: probes(reports()),
        planned: shard.planned,
        repeat: model.repeat.clone(),
        baseline: baselines(parts),
        not_tested,
        target: target(reports(), model),
        policy: model.policy.clone(),
        testbed: testbed(reports(), model),
        // One that not all parts were made with says nothing of the whole.
        calibration: model
            .calibration
            .clone()
            .filter(|made| reports().all(|report| report.calibration.as_ref() == Some(made))),
        calls: Calls {
            sent: sum(|calls| calls.sent),
            reached_tool: sum(|calls| calls.reached_tool),
            rejected_by_schema: sum(|calls| calls.rejected_by_schema),
            unanswered: sum(|calls| calls.unanswered),
        },
        notes: notes(parts),
        roles_bound: reports()
            .map(|report| report.summary.roles_bound)
            .min()
            .unwrap_or(0),
        roles_offered: reports()
            .map(|report| report.summary.roles_offered)
            .max()
            .unwrap_or(0),
        thresholds: model.summary.thresholds,
    }
}

fn harness(parts: &[Part<'_>], model: &Report) -> Harness {
    let harnesses = || parts.iter().map(|(_, report, _)| &report.harness);
    let longest = |of: fn(&Harness) -> u64| harnesses().map(of).max().unwrap_or(0);
    Harness {
        // RFC 3339 in UTC sorts as text.
        started: harnesses()
            .map(|harness| harness.started.clone())
            .min()
            .unwrap_or_default(),
        took_ms: longest(|harness| harness.took_ms),
        startup_ms: longest(|harness| harness.startup_ms),
        interrupted: harnesses().any(|harness| harness.interrupted),
        shard: None,
        parts: parts
            .iter()
            .map(|(_, report, shard)| PartReport {
                number: shard.number,
                run: report.harness.run.clone(),
                started: report.harness.started.clone(),
                took_ms: report.harness.took_ms,
                sha256: data_encoding::HEXLOWER.encode(&Sha256::digest(render_json(report))),
            })
            .collect(),
        ..model.harness.clone()
    }
}

fn probes<'a>(reports: impl Iterator<Item = &'a Report>) -> Vec<ProbeReport> {
    let mut by_id: BTreeMap<&str, ProbeReport> = BTreeMap::new();
    for probe in reports.flat_map(|report| &report.probes) {
        match by_id.get_mut(&*probe.id.0) {
            Some(known) => known.trials.extend_from_slice(&probe.trials),
            None => {
                by_id.insert(&probe.id.0, probe.clone());
            }
        }
    }
    let whole = |mut probe: ProbeReport| {
        probe.trials.sort_by(|one, other| one.id.cmp(&other.id));
        (probe.verdict, probe.strength) = probe_verdict(&probe.trials);
        let applies = |trial: &TrialReport| trial.verdict != Verdict::NotApplicable;
        probe.reason = match probe.trials.iter().any(applies) {
            true => None,
            false => probe.trials.first().map(|trial| trial.reason.clone()),
        };
        probe
    };
    by_id.into_values().map(whole).collect()
}

/// A role is proven if it was in every part: verdicts of all of them rest on it.
fn target<'a>(reports: impl Iterator<Item = &'a Report> + Clone, model: &Report) -> TargetReport {
    let mut target = model.target.clone();
    for tool in &mut target.tools {
        let alike = || {
            let tools = reports.clone().flat_map(|report| &report.target.tools);
            tools.filter(|other| other.name == tool.name)
        };
        tool.trials = alike().map(|other| other.trials).sum();
        let unproven = alike().flat_map(|other| &other.unproven);
        for (role, why) in unproven {
            if !tool.unproven.iter().any(|(known, _)| known == role) {
                tool.unproven.push((*role, why.clone()));
            }
        }
        let doubted: Vec<_> = tool.unproven.iter().map(|(role, _)| *role).collect();
        tool.proven.retain(|role| {
            !doubted.contains(role) || alike().all(|other| other.proven.contains(role))
        });
    }
    target
}

fn testbed<'a>(reports: impl Iterator<Item = &'a Report> + Clone, model: &Report) -> TestbedReport {
    let mut testbed = model.testbed.clone();
    testbed.clean = reports.clone().all(|report| report.testbed.clean);
    for witness in &mut testbed.witnesses {
        let blind = reports.clone().flat_map(|report| &report.testbed.witnesses);
        let blind = blind
            .filter(|other| other.name == witness.name)
            .find(|other| !other.awake);
        if let Some(blind) = blind {
            *witness = blind.clone();
        }
    }
    testbed
}

/// What all parts say is said once; what one says, with its number.
fn notes(parts: &[Part<'_>]) -> Vec<String> {
    let in_all = |note: &String| {
        parts
            .iter()
            .all(|(_, report, _)| report.notes.contains(note))
    };
    let mut notes = Vec::new();
    for (_, report, shard) in parts {
        for note in &report.notes {
            let note = match in_all(note) {
                true => note.clone(),
                false => format!("part {}: {note}", shard.number),
            };
            if !notes.contains(&note) {
                notes.push(note);
            }
        }
    }
    notes
}
