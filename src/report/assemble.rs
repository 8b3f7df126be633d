//! From what a run came to, to its report.
//!
//! Owns the translation of rulings and observations into the words of the report. Decides nothing:
//! verdicts come from the judge, plan-time reasons from the plan.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    sync::Arc,
};

use crate::{
    channel::Channel,
    config::Baseline,
    judge::{Basis, Control, Facts, Observation, Ruling, Twin, Verdict},
    plan::Fate,
    policy::Policy,
    probe::{Probe, Role},
    report::{
        AccountError, Calibration, Calls, EvidenceReport, Findings, Harness, MappingReport,
        NotTested, Place, ProbeReport, Repeat, Report, SYSCALL_WITNESS, TargetReport,
        TestbedReport, Thresholds, Told, ToolReport, TrialReport, WitnessReport, probe_report,
        repro, seen, story::counted,
    },
    run::{Outcome, Ran},
    testbed::{Seen, net::Sight},
};

/// What a report says of the surroundings of a run.
#[derive(Debug, Clone)]
pub struct Surroundings<'a> {
    /// Harness, seed, selection; times are filled in from the run.
    pub harness: Harness,
    /// The probes that were selected.
    pub probes: &'a [Arc<Probe>],
    /// The command line or URL.
    pub display: String,
    /// `stdio`, `http` or `in-process`.
    pub transport: &'static str,
    /// Names of the environment variables of the target.
    pub environment: Vec<String>,
    /// Its working directory.
    pub cwd: Option<String>,
    /// The policy as applied.
    pub policy: serde_json::Value,
    /// The policy file, for the lines that repeat a trial.
    pub policy_path: Option<&'a Path>,
    /// The policy itself, for the lines of its claims.
    pub lines: &'a Policy,
    /// `host` or `remote`.
    pub testbed: &'static str,
    /// The allowed directory.
    pub allowed: String,
    /// The forbidden sibling.
    pub denied: String,
    /// Whether everything that was created is gone again.
    pub clean: bool,
    /// Proof that the harness can pass and fail, when it was made.
    pub calibration: Option<Calibration>,
    /// What it takes to pass.
    pub thresholds: Thresholds,
    /// How the same is asked again.
    pub repeat: Option<Repeat>,
    /// Verdicts that are known.
    pub baseline: Option<Baseline>,
    /// Notes from before the run.
    pub notes: Vec<String>,
}

/// Makes the report of a run.
///
/// # Errors
/// When it does not add up: a fault of the harness.
pub fn assemble(ran: &Ran, around: Surroundings<'_>) -> Result<Report, AccountError> {
    let target = TargetReport {
        display: around.display,
        transport: around.transport.to_owned(),
        name: Some(ran.info.name.clone()).filter(|name| !name.is_empty()),
        version: Some(ran.info.version.clone()).filter(|version| !version.is_empty()),
        protocol: ran.info.protocol.clone(),
        era: ran.info.era.as_str().to_owned(),
        environment: around.environment,
        cwd: around.cwd,
        tools: tools(ran),
    };
    let testbed = TestbedReport {
        kind: around.testbed.to_owned(),
        allowed: around.allowed,
        denied: around.denied,
        paths: ran.places.iter().map(mapping).collect(),
        filesystem: None,
        platform: format!("{} {}", std::env::consts::OS, std::env::consts::ARCH),
        witnesses: witnesses(ran),
        clean: around.clean,
    };
    let mut by_probe: BTreeMap<String, Vec<TrialReport>> = BTreeMap::new();
    for outcome in &ran.outcomes {
        let mut trial = trial(outcome);
        if outcome.facts.is_some() || outcome.trial.channel.is_some() {
            trial.repro = repro(
                &target,
                &testbed,
                around.policy_path,
                around.harness.seed,
                around.repeat.as_ref(),
                &trial,
            );
        }
        by_probe
            .entry(outcome.trial.probe.id.to_string())
            .or_default()
            .push(trial);
    }
    let probes = around
        .probes
        .iter()
        .filter_map(|probe| {
            let trials = by_probe.remove(&probe.id.to_string()).unwrap_or_default();
            if trials.is_empty() && ran.whole.is_some() {
                // Other parts have them.
                return None;
            }
            let whole = trials
                .iter()
                .all(|trial| trial.verdict == Verdict::NotApplicable);
            let reason = whole
                .then(|| trials.first().map(|trial| trial.reason.clone()))
                .flatten();
            Some(ProbeReport {
                claimed: around.policy_path.and_then(|path| {
                    let line = around.lines.line_of(probe.claim)?;
                    let file = path.display().to_string();
                    Some(Place { file, line })
                }),
                ..probe_report(probe, trials, reason)
            })
        })
        .collect();
    let (bound, offered) = roles(&ran.discovery.channels);
    Report::new(Findings {
        harness: Harness {
            took_ms: millis(ran.took),
            startup_ms: millis(ran.info.startup),
            interrupted: ran.interrupted,
            ..around.harness
        },
        probes,
        planned: ran.outcomes.len(),
        not_tested: not_tested(ran),
        target,
        policy: around.policy,
        testbed,
        calibration: around.calibration,
        calls: Calls {
            sent: ran.counted.sent,
            reached_tool: ran.counted.reached,
            rejected_by_schema: ran.counted.rejected,
            unanswered: ran.counted.unanswered,
        },
        notes: around.notes.into_iter().chain(notes(ran)).collect(),
        roles_bound: bound,
        roles_offered: offered,
        thresholds: around.thresholds,
        repeat: around.repeat,
        baseline: around.baseline.map(Told::File),
    })
}

fn millis(time: std::time::Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

fn trial(outcome: &Outcome) -> TrialReport {
    let trial = &outcome.trial;
    let (verdict, basis, strength, reason, evidence) = match (&trial.fate, &outcome.ruling) {
        (Fate::NotApplicable { basis, reason }, _) => (
            Verdict::NotApplicable,
            *basis,
            None,
            reason.clone(),
            Vec::new(),
        ),
        (_, None) => (
            Verdict::Inconclusive,
            Basis::NotRun,
            None,
            String::from("it was not run"),
            Vec::new(),
        ),
        (_, Some(ruling)) => {
            let (reason, evidence) = grounds(ruling, outcome.facts.as_ref());
            (
                ruling.verdict(),
                ruling.basis(),
                ruling.strength(),
                reason,
                evidence,
            )
        }
    };
    let mut made = TrialReport {
        id: trial.id.clone(),
        tool: match (&trial.channel, &trial.fate) {
            (Some(channel), _) => channel.tool.clone(),
            (None, Fate::Watched) => telling(outcome).unwrap_or("(server)").to_owned(),
            (None, _) => String::new(),
        },
        role: trial.channel.as_ref().map(|channel| channel.role),
        variant: if trial.channel.is_some() || outcome.facts.is_some() {
            trial.probe.variants[trial.variant].name.clone()
        } else {
            String::new()
        },
        verdict,
        basis,
        strength,
        accepted: None,
        reason,
        asked: outcome.asked.clone(),
        answered: outcome.answered.clone(),
        object: outcome.object.clone(),
        mapping: outcome.seen.as_ref().map(mapping),
        layers: None,
        attempted: None,
        evidence,
        repro: None,
    };
    if let Some(attempted) = &outcome.attempted {
        seen(&mut made, attempted);
    }
    made
}

/// The tool whose answer told, in a trial that watches all of them.
fn telling(outcome: &Outcome) -> Option<&str> {
    let watched = outcome.trial.fate == Fate::Watched;
    let asked = outcome.asked.as_ref().filter(|_| watched)?;
    asked.pointer("/params/name")?.as_str()
}

/// The tool that was judged by what it widened.
fn widening(outcome: &Outcome) -> Option<&str> {
    let judged = matches!(
        outcome.ruling.as_ref()?.verdict(),
        Verdict::Held | Verdict::Breached
    );
    let channel = outcome.trial.channel.as_deref()?;
    (judged && channel.role == Role::ScopeWiden).then_some(&channel.tool)
}

fn mapping((host, seen): &(PathBuf, Seen)) -> MappingReport {
    MappingReport {
        mapping: seen.mapping,
        host: host.display().to_string(),
        inside: seen.inside.as_ref().map(|path| path.display().to_string()),
    }
}

/// Why, and on what a ruling rests.
fn grounds(ruling: &Ruling, facts: Option<&Facts>) -> (String, Vec<EvidenceReport>) {
    match ruling {
        Ruling::Breached { evidence, .. } => {
            let evidence: Vec<EvidenceReport> =
                evidence.as_slice().iter().map(evidence_report).collect();
            (
                evidence
                    .first()
                    .map(|first| first.fact.clone())
                    .unwrap_or_default(),
                evidence,
            )
        }
        Ruling::Held {
            controls, reason, ..
        } => (
            reason.clone(),
            controls.as_slice().iter().map(evidence_report).collect(),
        ),
        Ruling::Inconclusive { reason, .. } | Ruling::NotApplicable { reason, .. } => {
            let passed = facts
                .into_iter()
                .flat_map(|facts| &facts.attempts)
                .flat_map(|attempt| {
                    let control = match &attempt.before {
                        Control::Passed(seen) => Some(seen),
                        Control::Failed(_) => None,
                    };
                    let twin = match &attempt.twin {
                        Twin::Passed(seen) => Some(seen),
                        Twin::Rejected(_) | Twin::None(_) => None,
                    };
                    control.into_iter().chain(twin).chain(&attempt.signals)
                });
            (reason.clone(), passed.map(evidence_report).collect())
        }
    }
}

fn evidence_report(seen: &Observation) -> EvidenceReport {
    EvidenceReport {
        witness: seen.witness.clone(),
        fact: seen.fact.clone(),
        at_ms: Some(seen.at_ms),
        decoders: seen.decoders.clone(),
        excerpt: seen.excerpt.clone(),
    }
}

fn tools(ran: &Ran) -> Vec<ToolReport> {
    let count = |name: &str| {
        let of = |outcome: &&Outcome| {
            let told = telling(outcome) == Some(name);
            told || outcome.trial.channel.as_ref().is_some_and(|channel| {
                let then = channel.then.as_ref();
                channel.tool == name || then.is_some_and(|then| then.tool == name)
            })
        };
        ran.outcomes
            .iter()
            .filter(of)
            .filter(|outcome| outcome.asked.is_some())
            .count()
    };
    ran.tools
        .iter()
        .map(|tool| {
            let channels = || {
                ran.discovery
                    .channels
                    .iter()
                    .filter(|channel| channel.tool == tool.name)
            };
            ToolReport {
                name: tool.name.clone(),
                proven: channels()
                    .filter(|channel| channel.proof.proven())
                    .map(|channel| channel.role)
                    .collect(),
                unproven: channels()
                    .filter_map(|channel| match &channel.proof {
                        crate::channel::Proof::Unproven { why } => {
                            Some((channel.role, why.clone()))
                        }
                        crate::channel::Proof::Proven { .. } => None,
                    })
                    .collect(),
                trials: count(&tool.name),
            }
        })
        .collect()
}

fn roles(channels: &[Channel]) -> (usize, usize) {
    let count = |channels: &mut dyn Iterator<Item = &Channel>| {
        let mut roles: Vec<Role> = channels.map(|channel| channel.role).collect();
        roles.sort_unstable();
        roles.dedup();
        roles.len()
    };
    (
        count(&mut channels.iter().filter(|channel| channel.proof.proven())),
        count(&mut channels.iter()),
    )
}

fn not_tested(ran: &Ran) -> Vec<NotTested> {
    ran.discovery
        .unbound
        .iter()
        .filter(|unbound| {
            let own = |tool| tool == unbound.tool;
            let told = ran.outcomes.iter().filter_map(telling).any(own);
            let widened = ran.outcomes.iter().filter_map(widening).any(own);
            !widened && (unbound.parameter.is_some() || !told)
        })
        .map(|unbound| NotTested {
            tool: Some(unbound.tool.clone()),
            parameter: unbound.parameter.clone(),
            probe: None,
            why: unbound.why.clone(),
        })
        .collect()
}

fn witnesses(ran: &Ran) -> Vec<WitnessReport> {
    let network = ran.network.as_ref().map(|sight| WitnessReport {
        name: String::from("network-witness"),
        awake: *sight == Sight::Sees,
        note: Some(match sight {
            Sight::Sees => String::from(
                "sees every connection, datagram and question of the run's own network",
            ),
            Sight::Blind(why) => why.clone(),
        }),
    });
    [
        WitnessReport {
            name: String::from("file-witness"),
            awake: ran.blind.is_none(),
            note: Some(ran.blind.clone().unwrap_or_else(|| {
                String::from("sees reads of planted files; not stat, access or O_PATH")
            })),
        },
        WitnessReport {
            name: String::from("write-witness"),
            awake: true,
            note: Some(String::from(
                "compares the planted trees before and after each call and at the end",
            )),
        },
    ]
    .into_iter()
    .chain(network)
    .chain(ran.syscalls.as_ref().map(|(awake, note)| WitnessReport {
        name: String::from(SYSCALL_WITNESS),
        awake: *awake,
        note: Some(note.clone()),
    }))
    .collect()
}

fn notes(ran: &Ran) -> Vec<String> {
    let mut notes: Vec<String> = ran
        .noise
        .iter()
        .map(|noise| {
            format!(
                "{} ({} times; first: {})",
                noise.kind.describe(),
                noise.count,
                noise.example
            )
        })
        .collect();
    if ran.restarts > 0 {
        notes.push(format!(
            "the target was started anew {}, since it had ended or did not serve any more",
            counted(ran.restarts, "time", "times")
        ));
    }
    if !ran.ending.killed.is_empty() {
        notes.push(format!(
            "{} of the target had to be ended by the harness",
            counted(ran.ending.killed.len(), "process", "processes")
        ));
    }
    notes
}
