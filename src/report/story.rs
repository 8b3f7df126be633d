//! What every format for people tells of a report, and in which order.
//!
//! Owns selection, grouping and order: breaches worst first with their clearest proof, what could not
//! be judged by reason, what was not tested by reason. Knows nothing of layout; texts of a target
//! leave here as they came.

use std::{cmp::Reverse, collections::BTreeMap};

use serde_json::Value;

use crate::{
    judge::{Basis, Verdict},
    probe::References,
    report::{
        Accepted, EvidenceReport, MappingReport, NotTested, ProbeReport, Report, TrialReport,
        basis_words, breach_severity, stopped,
    },
    testbed::Mapping,
    witness::syscalls::How,
};

/// Witnesses whose facts show that the channel worked, not that the boundary gave way.
const CONTROLS: [&str; 2] = ["control", "twin"];

/// The breached probes, worst first.
pub(crate) fn breaches(report: &Report) -> Vec<&ProbeReport> {
    let mut probes: Vec<&ProbeReport> = report
        .probes
        .iter()
        .filter(|probe| probe.verdict == Verdict::Breached)
        .collect();
    probes.sort_by_key(|probe| (Reverse(breach_severity(probe)), probe.priority));
    probes
}

/// Trials of one probe whose verdict is known, for one reason.
#[derive(Debug)]
pub(crate) struct Known<'a> {
    pub(crate) probe: &'a ProbeReport,
    pub(crate) verdict: Verdict,
    /// Why; its place is that of the first trial.
    pub(crate) accepted: &'a Accepted,
    pub(crate) trials: Vec<&'a TrialReport>,
}

/// What is known and accepted, in order of the probes.
pub(crate) fn known(report: &Report) -> Vec<Known<'_>> {
    let mut groups: Vec<Known<'_>> = Vec::new();
    for probe in &report.probes {
        for trial in &probe.trials {
            let Some(accepted) = &trial.accepted else {
                continue;
            };
            let same = |group: &&mut Known<'_>| {
                group.probe.id == probe.id
                    && group.verdict == trial.verdict
                    && group.accepted.reason == accepted.reason
                    && group.accepted.expires == accepted.expires
            };
            match groups.iter_mut().find(same) {
                Some(group) => group.trials.push(trial),
                None => groups.push(Known {
                    probe,
                    verdict: trial.verdict,
                    accepted,
                    trials: vec![trial],
                }),
            }
        }
    }
    groups
}

/// That a verdict is known, in words.
pub(crate) fn accepted(accepted: &Accepted) -> String {
    let Accepted {
        reason,
        expires,
        place,
    } = accepted;
    format!(
        "accepted until {expires}: {reason} ({}:{})",
        place.file, place.line
    )
}

/// How many of a probe's breached trials are known: `known`, `2 of 3 known`, or nothing.
pub(crate) fn known_share(probe: &ProbeReport) -> Option<String> {
    let breached = trials_of(probe, Verdict::Breached);
    let known = breached.iter().filter(|trial| trial.accepted.is_some());
    match (known.count(), breached.len()) {
        (0, _) => None,
        (known, all) if known == all => Some(String::from("known")),
        (known, all) => Some(format!("{known} of {all} known")),
    }
}

/// The trials of a probe that came to a verdict, in order.
pub(crate) fn trials_of(probe: &ProbeReport, verdict: Verdict) -> Vec<&TrialReport> {
    let wanted = |trial: &&TrialReport| trial.verdict == verdict;
    probe.trials.iter().filter(wanted).collect()
}

/// The breached trial whose proof is easiest to believe.
pub(crate) fn clearest(probe: &ProbeReport) -> Option<&TrialReport> {
    clearest_of(trials_of(probe, Verdict::Breached))
}

/// The same among trials of the caller's choice.
pub(crate) fn clearest_of<'a>(
    trials: impl IntoIterator<Item = &'a TrialReport>,
) -> Option<&'a TrialReport> {
    trials.into_iter().min_by_key(|trial| clarity(trial))
}

fn clarity(trial: &TrialReport) -> (Basis, usize, bool, &str) {
    let decoders = trial
        .evidence
        .iter()
        .map(|evidence| evidence.decoders.len())
        .max();
    let shown = trial.evidence.iter().any(|fact| fact.excerpt.is_some());
    (trial.basis, decoders.unwrap_or(0), !shown, &trial.id)
}

/// The evidence of a trial: controls, which show that the channel worked, and facts.
pub(crate) fn evidence(trial: &TrialReport) -> (Vec<&EvidenceReport>, Vec<&EvidenceReport>) {
    trial
        .evidence
        .iter()
        .partition(|evidence| CONTROLS.contains(&&*evidence.witness))
}

/// A fact with who saw it, how it was decoded, and when.
pub(crate) fn sighting(evidence: &EvidenceReport) -> String {
    let mut source = vec![evidence.witness.clone()];
    if !evidence.decoders.is_empty() {
        source.push(format!("through {}", evidence.decoders.join(" > ")));
    }
    source.extend(evidence.at_ms.map(|at| format!("+{at} ms")));
    format!("{} ({})", evidence.fact, source.join(", "))
}

/// How many held trials were stopped by whom, if that was asked.
pub(crate) fn layers(report: &Report) -> Option<String> {
    let counts = stopped(report);
    let told: Vec<String> = counts
        .iter()
        .map(|(by, count)| format!("{count} by {}", by.words()))
        .collect();
    (!told.is_empty()).then(|| told.join(", "))
}

/// What became of the attacks that the witness of system calls looked for, those that could do nothing here left out.
pub(crate) fn attempts(report: &Report) -> Option<String> {
    let mut counts: BTreeMap<(How, Option<&str>), usize> = BTreeMap::new();
    let trials = report.probes.iter().flat_map(|probe| &probe.trials);
    for trial in trials.filter(|trial| trial.verdict != Verdict::NotApplicable) {
        if let Some(attempted) = &trial.attempted {
            let errno = attempted.errno.as_deref();
            let errno = errno.filter(|_| attempted.layer.is_some());
            *counts.entry((attempted.how, errno)).or_default() += 1;
        }
    }
    let told: Vec<String> = counts
        .iter()
        .map(|((how, errno), count)| match errno {
            Some(errno) => format!("{count} {} ({errno})", how.words()),
            None => format!("{count} {}", how.words()),
        })
        .collect();
    (!told.is_empty()).then(|| told.join(", "))
}

/// Where the server has the directories of the run, unless it has them as they are.
pub(crate) fn paths(report: &Report) -> Option<String> {
    let paths = &report.testbed.paths;
    let plain = |path: &MappingReport| {
        path.mapping == Mapping::Auto && path.inside.as_ref() == Some(&path.host)
    };
    if paths.iter().all(plain) {
        return None;
    }
    let told = paths.iter().map(|path| {
        let how = match path.mapping {
            Mapping::Auto => "",
            Mapping::Spec => " (as told)",
            Mapping::Assumed => " (assumed)",
        };
        match &path.inside {
            Some(inside) if *inside == path.host => format!("{} as it is{how}", path.host),
            Some(inside) => format!("{} as {inside}{how}", path.host),
            None => format!("{} not at all{how}", path.host),
        }
    });
    Some(told.collect::<Vec<_>>().join(", "))
}

/// A request as people read it: the tool and its arguments, or the method and its parameters.
pub(crate) fn call(asked: &Value) -> String {
    let (method, params) = match (
        asked.get("method").and_then(Value::as_str),
        asked.get("params"),
    ) {
        (Some(method), Some(params)) => (method, params),
        _ => ("tools/call", asked),
    };
    match (
        params.get("name").and_then(Value::as_str),
        params.get("arguments"),
    ) {
        (Some(tool), Some(arguments)) if method == "tools/call" => format!("{tool} {arguments}"),
        _ if std::ptr::eq(params, asked) => asked.to_string(),
        _ => format!("{method} {params}"),
    }
}

/// All that there is to know of a trial that failed, each part with its label.
pub(crate) fn account(probe: &ProbeReport, trial: &TrialReport) -> Vec<(&'static str, String)> {
    let mut lines = vec![("question", probe.question.clone())];
    lines.extend(trial.asked.as_ref().map(|asked| ("asked", call(asked))));
    lines.extend(trial.object.clone().map(|object| ("forbidden", object)));
    let attempted = trial.attempted.as_ref();
    lines.extend(attempted.map(|attempted| ("attempted", attempted.fact.clone())));
    lines.extend(trial.answered.clone().map(|answer| ("answered", answer)));
    for fact in evidence(trial).1 {
        lines.push(("seen", sighting(fact)));
        lines.extend(fact.excerpt.clone().map(|excerpt| ("proof", excerpt)));
    }
    if trial.verdict == Verdict::Breached {
        lines.push(("why", probe.why.clone()));
        lines.push(("fix", probe.fix.clone()));
    }
    lines.extend(trial.repro.clone().map(|line| ("repeat", line)));
    lines
}

/// Where a weakness is catalogued, in words.
pub(crate) fn see(references: &References) -> Vec<String> {
    let cwe = references.cwe.iter().map(|cwe| format!("CWE-{cwe}"));
    let owasp = references
        .owasp
        .iter()
        .map(|entry| format!("OWASP {entry}"));
    cwe.chain(references.cve.iter().cloned())
        .chain(owasp)
        .chain(references.spec.iter().cloned())
        .collect()
}

/// Trials by the id of their probe.
pub(crate) type ByProbe<'a> = BTreeMap<&'a str, Vec<&'a TrialReport>>;

/// Trials of one verdict by the rule that decided and then by the reason.
pub(crate) fn by_reason(report: &Report, verdict: Verdict) -> BTreeMap<(Basis, &str), ByProbe<'_>> {
    let mut groups: BTreeMap<_, ByProbe<'_>> = BTreeMap::new();
    for probe in &report.probes {
        for trial in trials_of(probe, verdict) {
            groups
                .entry((trial.basis, &*trial.reason))
                .or_default()
                .entry(&probe.id.0)
                .or_default()
                .push(trial);
        }
    }
    groups
}

/// Things of one kind that were not tested for one reason.
#[derive(Debug)]
pub(crate) struct Gap<'a> {
    /// `tool`, `parameter` or `probe`; empty for what is none of them.
    pub(crate) kind: &'static str,
    /// Why, and what would change it.
    pub(crate) why: &'a str,
    /// Their names; a parameter's has the tool before it.
    pub(crate) names: Vec<Vec<&'a str>>,
}

/// What was not tested, gaps that discovery names and probes that did not apply alike.
pub(crate) fn gaps(report: &Report) -> Vec<Gap<'_>> {
    let mut groups: Vec<Gap<'_>> = Vec::new();
    let mut add = |kind, why, name| match groups
        .iter_mut()
        .find(|gap| gap.kind == kind && gap.why == why)
    {
        Some(gap) => gap.names.push(name),
        None => groups.push(Gap {
            kind,
            why,
            names: vec![name],
        }),
    };
    for gap in &report.not_tested {
        let (kind, name) = subject(gap);
        add(kind, &gap.why, name);
    }
    let named = |probe: &ProbeReport| {
        report
            .not_tested
            .iter()
            .any(|gap| gap.probe.as_ref() == Some(&probe.id))
    };
    for probe in &report.probes {
        if probe.verdict == Verdict::NotApplicable && !named(probe) {
            add("probe", why_not(probe), vec![&*probe.id.0]);
        }
    }
    let order = ["tool", "parameter", "probe", ""];
    groups.sort_by_key(|gap| order.iter().position(|known| *known == gap.kind));
    groups
}

fn subject(gap: &NotTested) -> (&'static str, Vec<&str>) {
    match (&gap.tool, &gap.parameter, &gap.probe) {
        (Some(tool), Some(parameter), _) => ("parameter", vec![tool, parameter]),
        (Some(tool), None, _) => ("tool", vec![tool]),
        (None, Some(parameter), _) => ("parameter", vec![parameter]),
        (None, None, Some(probe)) => ("probe", vec![&probe.0]),
        (None, None, None) => ("", vec!["(in general)"]),
    }
}

/// How many tools, parameters and probes were not tested, those that are none left out:
/// `3 tools, 2 parameters`.
pub(crate) fn gap_counts(gaps: &[Gap<'_>]) -> String {
    let counts: Vec<String> = [
        ("tool", "tools"),
        ("parameter", "parameters"),
        ("probe", "probes"),
    ]
    .into_iter()
    .filter_map(|(one, many)| {
        let own = gaps.iter().filter(|gap| gap.kind == one);
        let total = own.map(|gap| gap.names.len()).sum();
        (total > 0).then(|| counted(total, one, many))
    })
    .collect();
    counts.join(", ")
}

/// Why a probe did not apply: its own reason, else that of its first trial.
pub(crate) fn why_not(probe: &ProbeReport) -> &str {
    match (&probe.reason, probe.trials.first()) {
        (Some(reason), _) => reason,
        (None, Some(trial)) => why(trial),
        (None, None) => "no reason was given",
    }
}

/// Why a trial came to its verdict: its own reason, else what its rule means.
pub(crate) fn why(trial: &TrialReport) -> &str {
    if trial.reason.is_empty() {
        basis_words(trial.basis)
    } else {
        &trial.reason
    }
}

/// `1 trial`, `2 trials`.
pub(crate) fn counted(number: usize, one: &str, many: &str) -> String {
    format!("{number} {}", if number == 1 { one } else { many })
}

/// A share in whole per cent, rounded down: what is too little must not look like enough.
pub(crate) fn percent(share: f64) -> u32 {
    (share * 10_000.0).round() as u32 / 100
}

/// Milliseconds as seconds with one decimal.
pub(crate) fn seconds(ms: u64) -> String {
    format!("{}.{}", ms / 1000, ms % 1000 / 100)
}
