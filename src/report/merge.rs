//! From the parts of a run to its report: whether they belong together.
//!
//! Owns what parts must agree in, and the refusal of any that do not. What is said of several as of
//! one is `join.rs`.

use std::collections::BTreeSet;

use thiserror::Error;

use crate::{
    plan::digest_of,
    report::{AccountError, Report, ShardReport, ToolReport, join::joined, visible},
};

/// Why parts do not make a report.
#[derive(Debug, Error)]
pub enum MergeError {
    /// There is nothing to merge.
    #[error("there are no parts to merge")]
    Nothing,
    /// A report of a whole run, or of parts that are merged already.
    #[error(
        "{file} is no part of a run: {why}\nfix: merge takes the JSON reports of `watertight run --shard I/N`"
    )]
    Whole {
        /// Of the report.
        file: String,
        /// What it is instead.
        why: &'static str,
    },
    /// A part is not there.
    #[error(
        "{} of {of} missing\nfix: give the reports of all {of} parts; a part whose job failed has to be run again",
        listed(missing)
    )]
    Missing {
        /// Which.
        missing: Vec<u32>,
        /// How many there are.
        of: u32,
    },
    /// A part is there twice.
    #[error(
        "part {number} is there twice: {one} and {other}\nfix: give one report of each part; that of the run which counts, if it was repeated"
    )]
    Twice {
        /// Its number.
        number: u32,
        /// One file.
        one: String,
        /// The other.
        other: String,
    },
    /// Two parts are not of the same run.
    #[error(transparent)]
    Foreign(Box<Foreign>),
    /// The parts do not hold the trials of the plan.
    #[error(
        "the parts hold {found} trials and not the {planned} of their plan: one was edited\nfix: use the reports as they were written, or repeat the runs"
    )]
    Plan {
        /// Trials of the plan.
        planned: usize,
        /// Trials that the parts hold.
        found: usize,
    },
    /// What they add up to is no report.
    #[error(
        "the parts do not add up: {0}\nfix: use the reports as they were written, or repeat the runs"
    )]
    Account(#[from] AccountError),
}

/// In what two parts differ that are to be of one run.
#[derive(Debug, Error)]
#[error(
    "{other} is no part of the run that {one} is of: {what} differs\n  {one}: {ours}\n  {other}: {theirs}\nfix: {fix}"
)]
pub struct Foreign {
    /// The file of the first.
    pub one: String,
    /// The file of the one that differs from it.
    pub other: String,
    /// In what.
    pub what: &'static str,
    /// What the first says.
    pub ours: String,
    /// What the other says.
    pub theirs: String,
    /// What to do.
    pub fix: &'static str,
}

/// A part with the name of its file.
pub(super) type Part<'a> = (&'a str, &'a Report, &'a ShardReport);

/// Joins the parts of a run, each with the name of its file.
///
/// # Errors
/// One is missing, doubled, or not of the same run; see [`MergeError`].
pub fn merge(files: &[(String, Report)]) -> Result<Report, MergeError> {
    let mut parts = Vec::with_capacity(files.len());
    for (file, report) in files {
        let Some(shard) = &report.harness.shard else {
            let why = match report.harness.parts.is_empty() {
                true => "it is the report of a whole one",
                false => "it was merged from parts already",
            };
            let file = file.clone();
            return Err(MergeError::Whole { file, why });
        };
        parts.push((file.as_str(), report, shard));
    }
    parts.sort_by_key(|(_, _, shard)| shard.number);
    let Some((first, others)) = parts.split_first() else {
        return Err(MergeError::Nothing);
    };
    for other in others {
        same(first, other)?;
    }
    complete(&parts)?;
    let ids = parts.iter().flat_map(|(_, report, _)| trial_ids(report));
    let found = ids.clone().count();
    let (_, _, shard) = first;
    if found != shard.planned || digest_of(ids) != shard.plan {
        let planned = shard.planned;
        return Err(MergeError::Plan { planned, found });
    }
    Ok(Report::new(joined(&parts, first))?)
}

fn trial_ids(report: &Report) -> impl Iterator<Item = &str> + Clone {
    let trials = report.probes.iter().flat_map(|probe| &probe.trials);
    trials.map(|trial| &*trial.id)
}

/// Each part once.
fn complete(parts: &[Part<'_>]) -> Result<(), MergeError> {
    for pair in parts.windows(2) {
        if let [(one, _, a), (other, _, b)] = pair
            && a.number == b.number
        {
            return Err(MergeError::Twice {
                number: a.number,
                one: (*one).to_owned(),
                other: (*other).to_owned(),
            });
        }
    }
    let of = parts.first().map_or(0, |(_, _, shard)| shard.of);
    let there: BTreeSet<u32> = parts.iter().map(|(_, _, shard)| shard.number).collect();
    let missing: Vec<u32> = (1..=of).filter(|number| !there.contains(number)).collect();
    match missing.is_empty() {
        true => Ok(()),
        false => Err(MergeError::Missing { missing, of }),
    }
}

/// Numbers of parts; of many, the first.
fn listed(numbers: &[u32]) -> String {
    /// Numbers that are named.
    const NAMED: usize = 20;
    let named: Vec<String> = numbers.iter().take(NAMED).map(u32::to_string).collect();
    let more = match numbers.len().saturating_sub(NAMED) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    let parts = if numbers.len() == 1 { "part" } else { "parts" };
    format!("{parts} {}{more}", named.join(", "))
}

/// That two parts are of the same run.
fn same(one: &Part<'_>, other: &Part<'_>) -> Result<(), MergeError> {
    const SAME_JOB: &str = "merge only reports of one run: the jobs must differ in --shard alone";
    let facts = |part: &Part<'_>| {
        let (_, report, shard) = part;
        let thresholds = &report.summary.thresholds;
        let named = |what: &str, digest: &str| format!("{what} {}", head(digest));
        [
            (
                "the version of watertight",
                report.harness.version.clone(),
                "use one version in all jobs",
            ),
            (
                "the number of parts",
                shard.of.to_string(),
                "give every job the same number behind the slash of --shard",
            ),
            (
                "the target",
                match report.target.transport.as_str() {
                    "stdio" => named(&command(report), &shard.target),
                    _ => named(&report.target.display, &shard.target),
                },
                SAME_JOB,
            ),
            (
                "the release of the target",
                format!(
                    "{} {}",
                    report.target.name.as_deref().unwrap_or("(no name)"),
                    report.target.version.as_deref().unwrap_or("(no version)")
                ),
                "pin the version of the server, so that every job starts the same",
            ),
            ("the policy", named("policy", &shard.policy), SAME_JOB),
            (
                "the selection of probes",
                named(&report.harness.selection.join(", "), &shard.probes),
                SAME_JOB,
            ),
            (
                "the seed",
                report.harness.seed.to_string(),
                "give every job the same --seed, or none",
            ),
            (
                "the testbed",
                report.testbed.kind.clone(),
                "use machines of one kind; `watertight doctor` tells what one allows",
            ),
            (
                "what it takes to pass",
                format!(
                    "severity {:?}, coverage {}",
                    thresholds.min_severity, thresholds.min_coverage
                ),
                SAME_JOB,
            ),
            (
                "the baseline",
                match &report.baseline {
                    Some(told) => told.file.clone(),
                    None => String::from("none"),
                },
                SAME_JOB,
            ),
            (
                "a setting, such as --timeout or --bind",
                named("settings", &shard.settings),
                SAME_JOB,
            ),
            (
                "the plan, as the target's tools were found otherwise",
                format!(
                    "{} trials ({}); {}",
                    shard.planned,
                    head(&shard.plan),
                    tools(report)
                ),
                "run `watertight discover` once and commit bindings.lock, or tell with --bind how the tools are used",
            ),
        ]
    };
    for ((what, ours, fix), (_, theirs, _)) in facts(one).into_iter().zip(facts(other)) {
        if ours != theirs {
            return Err(MergeError::Foreign(Box::new(Foreign {
                one: one.0.to_owned(),
                other: other.0.to_owned(),
                what,
                ours: visible(&ours, 300).into_owned(),
                theirs: visible(&theirs, 300).into_owned(),
                fix,
            })));
        }
    }
    Ok(())
}

/// The beginning of a digest, enough to tell two apart.
fn head(digest: &str) -> &str {
    digest.get(..12).unwrap_or(digest)
}

/// The command of a target without the directories of its run.
fn command(report: &Report) -> String {
    let (target, testbed) = (&report.target, &report.testbed);
    // Directories of a run are named at random, and differ between its parts.
    let bed = std::path::Path::new(&testbed.allowed)
        .parent()
        .map(|bed| bed.display().to_string())
        .filter(|bed| bed.len() > 1);
    match bed {
        Some(bed) => target.display.replace(&bed, "..."),
        None => target.display.clone(),
    }
}

/// The roles that were found, by tool.
fn tools(report: &Report) -> String {
    let of = |tool: &ToolReport| {
        let unproven = tool.unproven.iter().map(|(role, _)| role);
        let mut roles: Vec<String> = tool
            .proven
            .iter()
            .chain(unproven)
            .map(|role| crate::report::role_word(*role))
            .collect();
        roles.sort();
        roles.dedup();
        format!("{} ({})", tool.name, roles.join(" "))
    };
    let tools: Vec<String> = report.target.tools.iter().map(of).collect();
    tools.join(", ")
}
