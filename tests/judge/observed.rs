//! What was looked at and not asked for: logs, processes.

use watertight::{
    judge::{Again, Attempt, Basis, Liveness, Response, Strength, Verdict, again, judge},
    probe::EvidenceKind,
};

use super::*;

const LOOKED: &[EvidenceKind] = &[
    EvidenceKind::Record,
    EvidenceKind::Exhaustion,
    EvidenceKind::Posture,
];

fn observed(change: impl FnOnce(&mut Attempt)) -> Attempt {
    let mut attempt = Attempt {
        response: Response::Observed,
        twin: no_twin(),
        ..refused()
    };
    change(&mut attempt);
    attempt
}

fn ruled(attempt: Attempt) -> (Verdict, Basis, Option<Strength>) {
    let ruling = judge(&deciding(LOOKED, [attempt]));
    (ruling.verdict(), ruling.basis(), ruling.strength())
}

#[test]
fn what_is_as_it_must_be_is_held_as_far_as_its_controls_go() {
    assert_eq!(
        ruled(observed(|_| {})),
        (Verdict::Held, Basis::Observed, Some(Strength::Medium))
    );
    assert_eq!(
        ruled(observed(|one| one.twin = twin_passed())),
        (Verdict::Held, Basis::Observed, Some(Strength::Strong))
    );
}

#[test]
fn nothing_is_held_without_controls_or_blindly() {
    for (attempt, basis) in [
        (observed(|one| one.before = failed()), Basis::ControlFailed),
        (observed(|one| one.after = failed()), Basis::ControlLost),
        (observed(|one| one.watch = blind()), Basis::WitnessBlind),
    ] {
        assert_eq!(ruled(attempt), (Verdict::Inconclusive, basis, None));
    }
    let nothing = observed(|one| one.liveness = Liveness::Inert);
    assert_eq!(ruled(nothing), (Verdict::NotApplicable, Basis::Inert, None));
}

#[test]
fn proof_decides_whatever_the_controls_say() {
    for (kind, basis) in [
        (EvidenceKind::Record, Basis::Record),
        (EvidenceKind::Exhaustion, Basis::Exhaustion),
        (EvidenceKind::Posture, Basis::Posture),
    ] {
        let attempt = observed(|one| {
            one.proofs = vec![seen(kind)];
            one.after = failed();
        });
        assert_eq!(ruled(attempt), (Verdict::Breached, basis, None));
    }
}

/// A machine that is busy once is no server that fails.
#[test]
fn a_server_that_does_not_serve_is_breached_when_that_recurs() {
    let failing = || {
        observed(|one| {
            one.alone = true;
            one.signals = vec![seen(EvidenceKind::Exhaustion)];
            one.after = failed();
        })
    };
    let serving = || observed(|one| one.alone = true);
    let of = |attempts: Vec<Attempt>| {
        let facts = deciding(LOOKED, attempts);
        let ruling = judge(&facts);
        (ruling.verdict(), ruling.basis(), again(&facts))
    };
    let open = (Verdict::Inconclusive, Basis::WeakSignal);
    assert_eq!(of(vec![failing()]), (open.0, open.1, Some(Again::Alone)));
    let mixed = vec![failing(), serving()];
    assert_eq!(of(mixed), (open.0, open.1, Some(Again::Alone)));
    let once = vec![failing(), serving(), serving()];
    assert_eq!(of(once), (open.0, open.1, None));
    let twice = vec![failing(), failing()];
    assert_eq!(of(twice), (Verdict::Breached, Basis::Exhaustion, None));
}
