//! The worst-of rules, enumerated, and the exit code.

use watertight::{
    judge::{Basis, Strength, Verdict},
    probe::{Priority, Severity},
    report::{
        Extent, Findings, Look, NotTested, ProbeReport, Report, Thresholds, TrialReport,
        boundary_report, boundary_reports, breach_severity, nothing_driven, of_nothing_driven,
        probe_verdict, render_terminal, summary,
    },
};

use crate::sample::{findings, probe, trial};

#[test]
fn a_probe_is_as_bad_as_its_worst_trial() {
    use Verdict::*;
    let bases = [
        (NotApplicable, Basis::Inert),
        (Held, Basis::Policy),
        (Inconclusive, Basis::Timeout),
        (Breached, Basis::Token),
    ];
    assert_eq!(probe_verdict(&[]), (NotApplicable, None));
    // All 15 non-empty sets of verdicts, in both orders.
    for set in 1_usize..16 {
        let chosen: Vec<_> = (0..4).filter(|bit| set & (1 << bit) != 0).collect();
        let mut trials: Vec<_> = chosen
            .iter()
            .map(|bit| trial("a.b", &bit.to_string(), "tool", bases[*bit].1))
            .collect();
        let worst = bases[*chosen.last().expect("the set is not empty")].0;
        let strength = (worst == Held).then_some(Strength::Strong);
        assert_eq!(probe_verdict(&trials), (worst, strength), "{set:04b}");
        trials.reverse();
        assert_eq!(probe_verdict(&trials), (worst, strength), "{set:04b}");
    }
    let mut trials = ["x", "y"].map(|variant| trial("a.b", variant, "tool", Basis::Policy));
    trials[1].strength = Some(Strength::Weak);
    assert_eq!(probe_verdict(&trials), (Held, Some(Strength::Weak)));
}

/// One probe of boundary `a` for each of the given bases; the priority decides its name.
fn boundary(core: &[Basis], rest: &[Basis]) -> Vec<ProbeReport> {
    let make = |priority, bases: &[Basis]| -> Vec<ProbeReport> {
        bases
            .iter()
            .map(|basis| {
                let id = format!("a.{priority:?}-{basis:?}").to_lowercase();
                let trial = trial(&id, "plain", "tool", *basis);
                probe(&id, priority, vec![trial])
            })
            .collect()
    };
    [make(Priority::P0, core), make(Priority::P1, rest)].concat()
}

#[test]
fn boundaries_and_exit_codes() {
    use Basis::{Inert as N, Platform as P, Policy as H, Timeout as I, Token as B};
    use Verdict::*;
    let table: &[(&[Basis], &[Basis], Verdict, u8)] = &[
        (&[], &[], NotApplicable, 3),
        (&[N], &[N], NotApplicable, 3),
        (&[H], &[], Held, 0),
        (&[H, N], &[N], Held, 0),
        (&[H], &[H], Held, 0),
        // A breach anywhere.
        (&[B], &[], Breached, 1),
        (&[H], &[B], Breached, 1),
        (&[I], &[B], Breached, 1),
        (&[N], &[B], Breached, 1),
        // A core probe that could not be judged.
        (&[H, I], &[], Inconclusive, 3),
        (&[I], &[H], Inconclusive, 3),
        // Core probes were selected, and the machine ruled them out.
        (&[P], &[H], Inconclusive, 3),
        (&[P, N], &[H], Inconclusive, 3),
        // Core probes were selected, and nothing is there that they could be asked of.
        (&[N], &[H], Held, 0),
        (&[N], &[I], Inconclusive, 3),
        // No core probe was selected: what was asked for is what is told.
        (&[], &[H], Held, 0),
        (&[], &[I], Inconclusive, 3),
        (&[], &[H, I], Inconclusive, 3),
        (&[], &[H, N], Held, 0),
        // Held, but half of the probes could not be judged: coverage.
        (&[H], &[I], Held, 3),
    ];
    for (core, rest, verdict, code) in table {
        let probes = boundary(core, rest);
        let row = boundary_report("a", &probes, Extent::Whole);
        assert_eq!(row.verdict, *verdict, "{core:?} {rest:?}");
        assert_eq!(row.strength.is_some(), *verdict == Held);
        let rows = boundary_reports(&probes, Extent::Whole);
        let summary = summary(
            &rows,
            &probes,
            probes.len(),
            (1, 1),
            Thresholds::default(),
            false,
            Extent::Whole,
        );
        assert_eq!(summary.verdict, *verdict, "{core:?} {rest:?}");
        assert_eq!(summary.exit_code, *code, "{core:?} {rest:?}");
    }
}

/// What is watched of the launch holds whoever is asked; it must not stand for tools that nobody knew how to call.
#[test]
fn what_is_watched_does_not_stand_for_tools_that_were_not_driven() {
    let watched = TrialReport {
        role: None,
        ..trial("proc.user", "all", "tool", Basis::Observed)
    };
    let probes = |rest: Basis| {
        let asked = trial("fs.read.dotdot", "bare", "tool", rest);
        [
            probe("proc.user", Priority::P0, vec![watched.clone()]),
            probe("fs.read.dotdot", Priority::P0, vec![asked]),
        ]
    };
    let gap = |parameter: Option<&str>| NotTested {
        tool: Some(String::from("collect")),
        parameter: parameter.map(String::from),
        probe: None,
        why: String::from("no role fits"),
    };
    let told = |rest: Basis, gaps: &[NotTested]| {
        let probes = probes(rest);
        let rows = boundary_reports(&probes, Extent::Whole);
        let thresholds = Thresholds::default();
        let watched = summary(&rows, &probes, 2, (0, 1), thresholds, false, Extent::Whole);
        let summary = match nothing_driven(&probes, gaps) {
            true => of_nothing_driven(watched),
            false => watched,
        };
        (summary.verdict, summary.exit_code)
    };
    let takes = [gap(Some("assets"))];
    assert_eq!(told(Basis::NoChannel, &takes), (Verdict::Inconclusive, 3));
    assert_eq!(told(Basis::Policy, &takes), (Verdict::Held, 0));
    // A tool that takes nothing cannot be driven anywhere.
    assert_eq!(told(Basis::NoChannel, &[gap(None)]), (Verdict::Held, 0));
    assert_eq!(told(Basis::Token, &takes), (Verdict::Breached, 1));
}

#[test]
fn thresholds_move_the_exit_code_only() {
    let code = |probes: &[ProbeReport], min_severity, min_coverage, interrupted| {
        let thresholds = Thresholds {
            min_severity,
            min_coverage,
        };
        let rows = boundary_reports(probes, Extent::Whole);
        let summary = summary(
            &rows,
            probes,
            probes.len(),
            (1, 1),
            thresholds,
            interrupted,
            Extent::Whole,
        );
        (summary.verdict, summary.exit_code)
    };
    let breached = boundary(&[Basis::Token, Basis::Policy], &[]);
    let half = boundary(&[Basis::Policy], &[Basis::Timeout]);
    let held = boundary(&[Basis::Policy], &[]);
    let (high, critical) = (Severity::High, Severity::Critical);
    assert_eq!(code(&breached, high, 0.9, false), (Verdict::Breached, 1));
    assert_eq!(
        code(&breached, critical, 0.9, false),
        (Verdict::Breached, 0)
    );
    assert_eq!(code(&breached, critical, 0.9, true), (Verdict::Breached, 3));
    assert_eq!(code(&half, high, 0.5, false), (Verdict::Held, 0));
    assert_eq!(code(&half, high, 0.51, false), (Verdict::Held, 3));
    assert_eq!(code(&held, high, 0.9, true), (Verdict::Held, 3));
}

#[test]
fn the_last_line_tells_verdict_and_exit_code() {
    let last = |core: &[Basis], rest: &[Basis], change: fn(&mut Findings)| {
        let mut findings = findings();
        findings.probes = boundary(core, rest);
        findings.planned = findings.probes.len();
        change(&mut findings);
        let report = Report::new(findings).expect("it adds up");
        let look = Look {
            color: false,
            width: 80,
            verbose: false,
        };
        let text = render_terminal(&report, &look);
        String::from(text.lines().last().expect("a last line").trim())
    };
    use Basis::{Inert, Policy, Timeout, Token};
    assert_eq!(
        last(&[Policy], &[], |_| {}),
        "✓ held  exit code 0 · 1 boundary · 100 % judged"
    );
    assert_eq!(
        last(&[Policy], &[Timeout], |_| {}),
        "✓ held  exit code 3 · 1 boundary · 50 % judged, 90 % needed"
    );
    assert_eq!(
        last(&[Policy, Timeout], &[], |_| {}),
        "? inconclusive  exit code 3 · 1 of 1 boundary · 50 % judged, 90 % needed"
    );
    assert_eq!(
        last(&[Inert], &[], |_| {}),
        "- not applicable  exit code 3 · nothing that was selected applies"
    );
    assert_eq!(
        last(&[Token], &[], |_| {}),
        "✗ BREACHED  exit code 1 · 1 of 1 boundary · 100 % judged"
    );
    assert_eq!(
        last(&[Token], &[], |findings| findings.thresholds.min_severity =
            Severity::Critical),
        "✗ BREACHED  exit code 0 · 1 of 1 boundary, all below critical · 100 % judged"
    );
    assert_eq!(
        last(&[Policy], &[], |findings| findings.harness.interrupted =
            true),
        "✓ held  exit code 3 · interrupted · 1 boundary · 100 % judged"
    );
}

#[test]
fn a_read_that_returned_nothing_is_one_step_less_severe() {
    let access = boundary(&[Basis::Access], &[]);
    let token = boundary(&[Basis::Token], &[]);
    let held = boundary(&[Basis::Policy], &[]);
    assert_eq!(breach_severity(&access[0]), Some(Severity::Medium));
    assert_eq!(breach_severity(&token[0]), Some(Severity::High));
    assert_eq!(breach_severity(&held[0]), None);
}

/// What was watched while no tool was driven says nothing of a boundary that only calls can cross.
#[test]
fn watching_alone_holds_no_boundary_of_calls() {
    use Verdict::*;
    let watched = |id: &str| {
        let mut watched = trial(id, "whole-run", "(server)", Basis::Observed);
        watched.role = None;
        probe(id, Priority::P0, vec![watched])
    };
    let asked = |id: &str, basis| probe(id, Priority::P0, vec![trial(id, "plain", "tool", basis)]);
    let verdict =
        |id: &str, probes: &[ProbeReport]| boundary_report(id, probes, Extent::Whole).verdict;
    let lone = [
        watched("fs.read.watched"),
        asked("fs.read.asked", Basis::NoChannel),
    ];
    assert_eq!(verdict("fs.read", &lone), NotApplicable);
    assert_eq!(verdict("env", &[watched("env.watched")]), Held);
    let driven = [
        watched("fs.read.watched"),
        asked("fs.read.asked", Basis::Policy),
    ];
    assert_eq!(verdict("fs.read", &driven), Held);
    let left = [
        watched("fs.read.watched"),
        asked("fs.read.asked", Basis::Timeout),
    ];
    assert_eq!(verdict("fs.read", &left), Inconclusive);
}
