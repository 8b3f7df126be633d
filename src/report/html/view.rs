//! What the page shows, arranged: figures, stories, gaps, the list of all probes.
//!
//! Owns arrangement; decides nothing. Text leaves here as it is in the report.

use std::collections::{BTreeMap, BTreeSet};

use crate::{
    judge::{Basis, Verdict},
    probe::Severity,
    report::{
        ProbeReport, Report, TrialReport, basis_word, basis_words, breach_severity, severity_word,
        story::{
            accepted, breaches, by_reason, clearest, counted, known_share, percent, seconds,
            trials_of,
        },
        strength_word,
    },
};

/// A number with its name.
#[derive(Debug)]
pub(super) struct Figure {
    pub(super) label: &'static str,
    pub(super) value: String,
    pub(super) remark: String,
    pub(super) class: &'static str,
}

/// A breached probe.
#[derive(Debug)]
pub(super) struct Story<'a> {
    pub(super) probe: &'a ProbeReport,
    pub(super) severity: &'static str,
    pub(super) trial: Option<&'a TrialReport>,
    pub(super) breached: Vec<&'a TrialReport>,
    pub(super) places: Vec<Place<'a>>,
    pub(super) held: Vec<Place<'a>>,
    pub(super) means: Option<String>,
    pub(super) share: Option<String>,
    pub(super) accepted: Vec<String>,
    pub(super) see: Vec<See>,
}

/// Trials of one tool.
#[derive(Debug)]
pub(super) struct Place<'a> {
    pub(super) tool: &'a str,
    pub(super) trials: Vec<&'a TrialReport>,
}

/// A reference, with its address when it has a well-known one.
#[derive(Debug)]
pub(super) struct See {
    pub(super) text: String,
    pub(super) link: Option<String>,
}

/// Trials that could not be judged, for one reason.
#[derive(Debug)]
pub(super) struct Unjudged<'a> {
    pub(super) basis: &'static str,
    pub(super) why: &'a str,
    pub(super) count: String,
    pub(super) probes: Vec<UnjudgedProbe<'a>>,
}

/// One probe of them.
#[derive(Debug)]
pub(super) struct UnjudgedProbe<'a> {
    pub(super) id: &'a str,
    pub(super) tools: BTreeSet<&'a str>,
}

/// A probe in the list of all.
#[derive(Debug)]
pub(super) struct Entry<'a> {
    pub(super) probe: &'a ProbeReport,
    pub(super) severity: Severity,
    pub(super) count: String,
    pub(super) meta: String,
    pub(super) trials: Vec<Trial<'a>>,
}

/// A trial in that list.
#[derive(Debug)]
pub(super) struct Trial<'a> {
    pub(super) trial: &'a TrialReport,
    pub(super) name: &'a str,
    /// Its place in the list of tools.
    pub(super) tool: Option<usize>,
    pub(super) basis: String,
}

/// The class of what has a verdict; also the word of the JSON report.
pub(super) fn class(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Held => "held",
        Verdict::Breached => "breached",
        Verdict::Inconclusive => "inconclusive",
        Verdict::NotApplicable => "not-applicable",
    }
}

/// The verdict in one sentence.
pub(super) fn headline(report: &Report) -> String {
    let counts = report.summary.boundaries;
    let apply = report.boundaries.len() - counts.not_applicable;
    let of = |number| format!("{number} of {}", counted(apply, "boundary", "boundaries"));
    match report.summary.verdict {
        Verdict::Breached if counts.breached == 1 => format!("{} was breached", of(1)),
        Verdict::Breached => format!("{} were breached", of(counts.breached)),
        Verdict::Inconclusive => format!("{} could not be judged", of(counts.inconclusive)),
        Verdict::Held => match (counts.held, counts.not_applicable) {
            (1, 0) => String::from("The boundary held"),
            (held, 0) => format!("All {held} boundaries held"),
            (held, others) => format!(
                "{} held, {others} did not apply",
                counted(held, "boundary", "boundaries")
            ),
        },
        Verdict::NotApplicable => String::from("Nothing that was selected applies"),
    }
}

/// What the headline is worth.
pub(super) fn measure(report: &Report) -> String {
    let summary = &report.summary;
    let worst = report.boundaries.iter().filter_map(|row| row.severity);
    let part = report.harness.part().map_or_else(String::new, |part| {
        format!("This is {part}: `watertight merge` joins them into the report of the run. ")
    });
    let mut text = part;
    text.push_str(&worst.max().map_or_else(String::new, |worst| {
        let gate = match worst < summary.thresholds.min_severity {
            true => format!(
                ", below {} from which a breach decides",
                severity_word(summary.thresholds.min_severity)
            ),
            false => String::new(),
        };
        format!("Worst severity: {}{gate}. ", severity_word(worst))
    }));
    text.push_str(&format!(
        "{} % of the probes that apply were judged",
        percent(summary.coverage)
    ));
    if summary.thresholds.min_coverage > 0.0 {
        let needed = percent(summary.thresholds.min_coverage);
        text.push_str(&format!(" ({needed} % needed)"));
    }
    text.push('.');
    if report.drove_nothing() {
        text.push_str(" No tool was driven, so that nothing is said of what calls can reach.");
    }
    text.push_str(&format!(" Exit code {}.", summary.exit_code));
    if let Some(baseline) = report.baseline.as_ref().filter(|told| told.accepted > 0) {
        let trials = counted(baseline.accepted, "trial is", "trials are");
        text.push_str(&format!(" {trials} known and accepted."));
    }
    text
}

/// The numbers below the headline.
pub(super) fn figures(report: &Report) -> Vec<Figure> {
    let (summary, calls) = (&report.summary, report.calls);
    let figure = |label, value: String, remark: String, class| Figure {
        label,
        value,
        remark,
        class,
    };
    let probes = |label, verdict, number: usize, trials: usize| {
        let class = if number == 0 { "" } else { class(verdict) };
        let remark = counted(trials, "trial", "trials");
        figure(label, number.to_string(), remark, class)
    };
    let (by_probe, by_trial) = (summary.probes, summary.trials);
    vec![
        probes(
            "Probes breached",
            Verdict::Breached,
            by_probe.breached,
            by_trial.breached,
        ),
        probes(
            "Not judged",
            Verdict::Inconclusive,
            by_probe.inconclusive,
            by_trial.inconclusive,
        ),
        probes("Held", Verdict::Held, by_probe.held, by_trial.held),
        probes(
            "Not applicable",
            Verdict::NotApplicable,
            by_probe.not_applicable,
            by_trial.not_applicable,
        ),
        figure(
            "Calls sent",
            calls.sent.to_string(),
            format!("{} reached the tool", calls.reached_tool),
            "",
        ),
        figure(
            "Wall time",
            format!("{} s", seconds(report.harness.took_ms)),
            format!("{} s of it start-up", seconds(report.harness.startup_ms)),
            "",
        ),
    ]
}

/// The breached probes, worst first.
pub(super) fn stories(report: &Report) -> Vec<Story<'_>> {
    breaches(report).into_iter().map(story).collect()
}

fn story(probe: &ProbeReport) -> Story<'_> {
    let severity = breach_severity(probe).unwrap_or(probe.severity);
    let breached = trials_of(probe, Verdict::Breached);
    let references = &probe.references;
    let cwe = references.cwe.iter().map(|cwe| See {
        text: format!("CWE-{cwe}"),
        link: Some(format!("https://cwe.mitre.org/data/definitions/{cwe}.html")),
    });
    let cve = references.cve.iter().map(|cve| See {
        text: cve.clone(),
        link: cve
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
            .then(|| format!("https://www.cve.org/CVERecord?id={cve}")),
    });
    let owasp = references
        .owasp
        .iter()
        .map(|entry| format!("OWASP {entry}"));
    let words = owasp
        .chain(references.spec.iter().cloned())
        .map(|text| See { text, link: None });
    Story {
        probe,
        severity: severity_word(severity),
        trial: clearest(probe),
        places: places(&breached),
        breached,
        held: places(&trials_of(probe, Verdict::Held)),
        means: (severity != probe.severity).then(|| {
            format!(
                "{}; therefore one step below the declared severity, {}",
                basis_words(Basis::Access),
                severity_word(probe.severity)
            )
        }),
        share: known_share(probe),
        accepted: accepted_words(probe),
        see: cwe.chain(cve).chain(words).collect(),
    }
}

/// Why breaches of a probe are accepted, each reason once.
fn accepted_words(probe: &ProbeReport) -> Vec<String> {
    let mut words: Vec<(&str, String)> = Vec::new();
    for known in trials_of(probe, Verdict::Breached)
        .iter()
        .filter_map(|trial| trial.accepted.as_ref())
    {
        if !words.iter().any(|(reason, _)| *reason == known.reason) {
            words.push((&known.reason, accepted(known)));
        }
    }
    words.into_iter().map(|(_, text)| text).collect()
}

/// Entries of the baseline that fail the run.
pub(super) fn baseline(report: &Report) -> Vec<String> {
    let problems = report.baseline.iter().flat_map(|told| &told.problems);
    problems
        .map(|problem| {
            let place = &problem.place;
            format!("{}:{}: {}", place.file, place.line, problem.message)
        })
        .collect()
}

fn places<'a>(trials: &[&'a TrialReport]) -> Vec<Place<'a>> {
    let mut places: Vec<Place<'a>> = Vec::new();
    for trial in trials {
        match places.iter_mut().find(|place| place.tool == trial.tool) {
            Some(place) => place.trials.push(trial),
            None => places.push(Place {
                tool: &trial.tool,
                trials: vec![trial],
            }),
        }
    }
    places
}

/// What could not be judged.
pub(super) fn unjudged(report: &Report) -> Vec<Unjudged<'_>> {
    by_reason(report, Verdict::Inconclusive)
        .into_iter()
        .map(|((basis, reason), probes)| Unjudged {
            basis: basis_word(basis),
            why: match reason {
                "" => basis_words(basis),
                _ => reason,
            },
            count: counted(probes.values().map(Vec::len).sum(), "trial", "trials"),
            probes: probes
                .into_iter()
                .map(|(id, trials)| {
                    let tools: BTreeSet<&str> = trials.iter().map(|trial| &*trial.tool).collect();
                    UnjudgedProbe { id, tools }
                })
                .collect(),
        })
        .collect()
}

/// Every probe, in order.
pub(super) fn entries(report: &Report) -> Vec<Entry<'_>> {
    let tools: BTreeMap<&str, usize> = report
        .target
        .tools
        .iter()
        .enumerate()
        .map(|(index, tool)| (&*tool.name, index))
        .collect();
    report
        .probes
        .iter()
        .map(|probe| entry(probe, &tools))
        .collect()
}

fn entry<'a>(probe: &'a ProbeReport, tools: &BTreeMap<&str, usize>) -> Entry<'a> {
    let strength = probe.strength.map_or_else(String::new, |strength| {
        format!(" · held {}", strength_word(strength))
    });
    let breached = trials_of(probe, Verdict::Breached).len();
    let trials = counted(probe.trials.len(), "trial", "trials");
    Entry {
        probe,
        severity: breach_severity(probe).unwrap_or(probe.severity),
        count: match breached {
            0 => trials,
            _ => format!("{breached} of {trials}"),
        },
        meta: format!(
            "{:?} · severity {}{strength}",
            probe.priority,
            severity_word(probe.severity)
        ),
        trials: probe
            .trials
            .iter()
            .map(|trial| Trial {
                trial,
                name: trial
                    .id
                    .split_once('/')
                    .map_or(&*trial.id, |(_, name)| name),
                tool: tools.get(&*trial.tool).copied(),
                basis: [
                    Some(String::from(basis_words(trial.basis))),
                    trial
                        .strength
                        .map(|strength| format!("({})", strength_word(strength))),
                    trial
                        .layers
                        .map(|layers| format!("· stopped by {}", layers.stopped_by.words())),
                ]
                .into_iter()
                .flatten()
                .collect::<Vec<_>>()
                .join(" "),
            })
            .collect(),
    }
}
