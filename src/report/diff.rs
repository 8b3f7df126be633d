//! Two reports beside each other: what got worse, what got better, and what can no longer be told.
//!
//! Owns how trials of two runs are matched (by their id, which holds nothing of one run) and what counts
//! as worse. A breach that is no longer judged is lost, not fixed. Knows nothing of layout.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
};

use schemars::JsonSchema;
use serde::Serialize;

use crate::{
    judge::{Basis, Strength, Verdict},
    probe::{ProbeId, Severity},
    report::{
        ProbeReport, Report, TestbedReport, TrialReport, breach_severity,
        story::{why, why_not},
    },
};

/// What changed from one report to another.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct Diff {
    /// Version of this format; always 1.
    pub schema: u32,
    /// Whether something of a kind in `fails_on` is there.
    pub regression: bool,
    /// The exit code that belongs to it: 1 for a regression, else 0.
    pub exit_code: u8,
    /// The kinds of change that are a regression.
    pub fails_on: Vec<Worse>,
    /// The report to compare with.
    pub old: Side,
    /// The report that is compared.
    pub new: Side,
    /// How the two runs differ otherwise, each in a sentence: a change may come from that.
    pub unlike: Vec<String>,
    /// The boundaries of either report, in catalogue order.
    pub boundaries: Vec<BoundaryChange>,
    /// Trials that are breached now and were not.
    pub breached: Vec<Change>,
    /// Trials that were judged and are not now, by cause.
    pub lost: Vec<Loss>,
    /// Trials that are held on less than before.
    pub weaker: Vec<Change>,
    /// Trials that were breached and are held now.
    pub fixed: Vec<Change>,
    /// Trials that are held now and were not judged before.
    pub gained: Vec<Change>,
    /// Trials that are held on more than before.
    pub stronger: Vec<Change>,
    /// Trials that are breached as before.
    pub remaining: Vec<Change>,
}

/// A change for the worse.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, JsonSchema, clap::ValueEnum,
)]
#[serde(rename_all = "kebab-case")]
pub enum Worse {
    /// A trial is breached that was not.
    Breached,
    /// A trial is no longer judged.
    Lost,
    /// A trial is held on less.
    Weaker,
}

/// One of the two reports.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct Side {
    /// Name that the target gives itself, else its command line or URL.
    pub target: String,
    /// Version that the target gives itself.
    pub version: Option<String>,
    /// Id of the run.
    pub run: String,
    /// When it began.
    pub started: String,
    /// Its verdict.
    pub verdict: Verdict,
    /// Trials that it planned.
    pub planned: usize,
    /// Share of the applicable probes that were judged.
    pub coverage: f64,
}

/// A boundary in both reports.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct BoundaryChange {
    /// Its id.
    pub id: String,
    /// In the old report, if it is there.
    pub old: Option<Standing>,
    /// In the new one, if it is there.
    pub new: Option<Standing>,
}

/// How a boundary stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Standing {
    /// Its verdict.
    pub verdict: Verdict,
    /// Of a held boundary.
    pub strength: Option<Strength>,
    /// Of a breached one.
    pub severity: Option<Severity>,
}

/// Trials of one probe that changed in one way.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct Change {
    /// The probe.
    pub probe: ProbeId,
    /// A few words.
    pub title: String,
    /// Of its breach, in the report that has one; of its declaration elsewhere.
    pub severity: Severity,
    /// The trials, in order of id.
    pub trials: Vec<TrialChange>,
}

/// Trials that are no longer judged, for one reason.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct Loss {
    /// What is gone.
    pub cause: Cause,
    /// Name of the tool or id of the probe.
    pub name: String,
    /// In one sentence.
    pub why: String,
    /// The trials, in order of id.
    pub trials: Vec<TrialChange>,
}

/// Why a trial is no longer judged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Cause {
    /// The target does not list the tool any more.
    Tool,
    /// The new run does not ask the probe.
    Probe,
    /// The tool is no longer driven in this way, or the probe has no such variant any more.
    Trial,
    /// The trial no longer applies.
    NotApplicable,
    /// The trial could not be judged.
    Inconclusive,
}

/// A trial in both reports.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct TrialChange {
    /// Its id.
    pub id: String,
    /// The tool.
    pub tool: String,
    /// The variant of the probe.
    pub variant: String,
    /// In the old report, if it is there.
    pub old: Option<State>,
    /// In the new one, if it is there.
    pub new: Option<State>,
}

/// What became of a trial in one report.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
pub struct State {
    /// Its verdict.
    pub verdict: Verdict,
    /// The rule that decided.
    pub basis: Basis,
    /// Of a held trial.
    pub strength: Option<Strength>,
}

/// A trial and the probe that it belongs to.
type Entry<'a> = (&'a ProbeReport, &'a TrialReport);

/// Compares two reports.
#[must_use]
pub fn compare(old: &Report, new: &Report, fails_on: &[Worse]) -> Diff {
    let (before, after) = (index(old), index(new));
    let mut diff = Diff {
        schema: 1,
        regression: false,
        exit_code: 0,
        fails_on: fails_on.to_vec(),
        old: side(old),
        new: side(new),
        unlike: unlike(old, new),
        boundaries: boundaries(old, new),
        breached: Vec::new(),
        lost: Vec::new(),
        weaker: Vec::new(),
        fixed: Vec::new(),
        gained: Vec::new(),
        stronger: Vec::new(),
        remaining: Vec::new(),
    };
    let ids: BTreeSet<&str> = before.keys().chain(after.keys()).copied().collect();
    for id in ids {
        let (was, is) = (before.get(id), after.get(id));
        let judged = |at: Option<&Entry<'_>>| {
            let verdict = at.map(|(_, trial)| trial.verdict);
            verdict.filter(|verdict| matches!(verdict, Verdict::Held | Verdict::Breached))
        };
        let strength = |at: Option<&Entry<'_>>| at?.1.strength;
        let list = match (judged(was), judged(is)) {
            (None, None) => continue,
            (Some(Verdict::Breached), Some(Verdict::Breached)) => &mut diff.remaining,
            (_, Some(Verdict::Breached)) => &mut diff.breached,
            (Some(_), None) => {
                if let Some(was) = was {
                    lose(&mut diff.lost, new, was, is);
                }
                continue;
            }
            (Some(Verdict::Breached), Some(_)) => &mut diff.fixed,
            (None, Some(_)) => &mut diff.gained,
            (Some(_), Some(_)) => match strength(is).cmp(&strength(was)) {
                std::cmp::Ordering::Less => &mut diff.weaker,
                std::cmp::Ordering::Equal => continue,
                std::cmp::Ordering::Greater => &mut diff.stronger,
            },
        };
        add(list, was, is);
    }
    for list in [&mut diff.breached, &mut diff.fixed, &mut diff.remaining] {
        list.sort_by_key(|change| std::cmp::Reverse(change.severity));
    }
    diff.lost.sort_by(|one, other| {
        (one.cause, &one.name, &one.why).cmp(&(other.cause, &other.name, &other.why))
    });
    diff.regression = fails_on.iter().any(|worse| match worse {
        Worse::Breached => !diff.breached.is_empty(),
        Worse::Lost => !diff.lost.is_empty(),
        Worse::Weaker => !diff.weaker.is_empty(),
    });
    diff.exit_code = u8::from(diff.regression);
    diff
}

fn index(report: &Report) -> BTreeMap<&str, Entry<'_>> {
    let of = |probe| move |trial| (probe, trial);
    let all = report
        .probes
        .iter()
        .flat_map(|probe| probe.trials.iter().map(of(probe)));
    all.map(|entry: Entry<'_>| (&*entry.1.id, entry)).collect()
}

fn side(report: &Report) -> Side {
    let target = &report.target;
    Side {
        target: target.name.clone().unwrap_or(target.display.clone()),
        version: target.version.clone(),
        run: report.harness.run.clone(),
        started: report.harness.started.clone(),
        verdict: report.summary.verdict,
        planned: report.summary.planned,
        coverage: report.summary.coverage,
    }
}

fn boundaries(old: &Report, new: &Report) -> Vec<BoundaryChange> {
    let of = |report: &Report, id: &str| {
        let row = report.boundaries.iter().find(|row| row.id == id)?;
        Some(Standing {
            verdict: row.verdict,
            strength: row.strength,
            severity: row.severity,
        })
    };
    let mut ids: Vec<&str> = Vec::new();
    for row in old.boundaries.iter().chain(&new.boundaries) {
        if !ids.contains(&&*row.id) {
            ids.push(&row.id);
        }
    }
    ids.sort_by_key(|id| crate::report::boundary_order(id));
    ids.into_iter()
        .map(|id| BoundaryChange {
            id: id.to_owned(),
            old: of(old, id),
            new: of(new, id),
        })
        .collect()
}

fn state(at: Option<&Entry<'_>>) -> Option<State> {
    let (_, trial) = at?;
    Some(State {
        verdict: trial.verdict,
        basis: trial.basis,
        strength: trial.strength,
    })
}

fn change(was: Option<&Entry<'_>>, is: Option<&Entry<'_>>) -> Option<TrialChange> {
    let (_, trial) = is.or(was)?;
    Some(TrialChange {
        id: trial.id.clone(),
        tool: trial.tool.clone(),
        variant: trial.variant.clone(),
        old: state(was),
        new: state(is),
    })
}

fn add(list: &mut Vec<Change>, was: Option<&Entry<'_>>, is: Option<&Entry<'_>>) {
    let (Some((probe, _)), Some(trial)) = (is.or(was), change(was, is)) else {
        return;
    };
    match list.last_mut() {
        Some(last) if last.probe == probe.id => last.trials.push(trial),
        _ => list.push(Change {
            probe: probe.id.clone(),
            title: probe.title.clone(),
            severity: [is, was]
                .into_iter()
                .flatten()
                .find_map(|(probe, _)| breach_severity(probe))
                .unwrap_or(probe.severity),
            trials: vec![trial],
        }),
    }
}

/// Files a trial that is no longer judged under the reason why.
fn lose(lost: &mut Vec<Loss>, new: &Report, was: &Entry<'_>, is: Option<&Entry<'_>>) {
    let (probe, trial) = was;
    let id = probe.id.0.clone();
    let asked = new.probes.iter().find(|probe| probe.id.0 == id);
    let listed = new.target.tools.iter().any(|tool| tool.name == trial.tool);
    let (cause, name, why) = match (is, asked) {
        (Some((_, now)), _) if now.verdict == Verdict::NotApplicable => {
            (Cause::NotApplicable, id, why(now).to_owned())
        }
        (Some((_, now)), _) => (Cause::Inconclusive, id, why(now).to_owned()),
        (None, _) if !listed => (
            Cause::Tool,
            trial.tool.clone(),
            String::from("the target does not list it any more"),
        ),
        (None, None) => (Cause::Probe, id, String::from("the new run did not ask it")),
        (None, Some(now)) if now.verdict == Verdict::NotApplicable => {
            (Cause::NotApplicable, id, why_not(now).to_owned())
        }
        (None, Some(_)) => (
            Cause::Trial,
            id,
            String::from(
                "the new run had no such trial: the tool is used otherwise, or the probe has changed",
            ),
        ),
    };
    let Some(trial) = change(Some(was), is) else {
        return;
    };
    match lost
        .iter_mut()
        .find(|loss| loss.cause == cause && loss.name == name && loss.why == why)
    {
        Some(loss) => loss.trials.push(trial),
        None => lost.push(Loss {
            cause,
            name,
            why,
            trials: vec![trial],
        }),
    }
}

/// How two runs differ, apart from what the target did.
fn unlike(old: &Report, new: &Report) -> Vec<String> {
    let mut found = Vec::new();
    let mut tell = |what: &str, old: &str, new: &str| {
        if old != new {
            found.push(format!("{what}: {old}, now {new}"));
        }
    };
    let name = |report: &Report| report.target.name.clone().unwrap_or_default();
    tell("another server", &name(old), &name(new));
    let command = |report: &Report| lasting(&report.target.display, &report.testbed);
    tell("target", &command(old), &command(new));
    tell("testbed", &old.testbed.kind, &new.testbed.kind);
    tell("watertight", &old.harness.version, &new.harness.version);
    let selection = |report: &Report| report.harness.selection.join(", ");
    tell("selected", &selection(old), &selection(new));
    let asked = |report: &Report| {
        let asked = report.harness.asked.as_ref();
        asked.map_or_else(String::new, |asked| asked.digest.clone())
    };
    if ![asked(old), asked(new)].contains(&String::new()) {
        tell("digest of the probes", &asked(old), &asked(new));
    }
    let awake = |report: &Report| {
        let awake = report.testbed.witnesses.iter().filter(|one| one.awake);
        let names: Vec<&str> = awake.map(|one| &*one.name).collect();
        names.join(", ")
    };
    tell("witnesses awake", &awake(old), &awake(new));
    let policy = |report: &Report| lasting(&report.policy.to_string(), &report.testbed);
    if policy(old) != policy(new) {
        found.push(String::from("the policy is another one"));
    }
    for (which, report) in [("old", old), ("new", new)] {
        if report.harness.interrupted {
            found.push(format!("the {which} run was interrupted"));
        }
    }
    found
}

/// A text without the directories of one run.
fn lasting(text: &str, testbed: &TestbedReport) -> String {
    let base = Path::new(&testbed.denied).parent();
    let base = base.map_or_else(String::new, |base| base.display().to_string());
    let mut text = text.to_owned();
    for (path, name) in [
        (&testbed.allowed, "{allowed}"),
        (&testbed.denied, "{denied}"),
        (&base, "{testbed}"),
    ] {
        // The root directory is in every path.
        if path.len() > 1 {
            text = text.replace(path.as_str(), name);
        }
    }
    text
}
