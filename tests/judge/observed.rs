//! What was looked at and not asked for: logs, processes.

use watertight::{
    judge::{Attempt, Basis, Liveness, Response, Strength, Verdict, judge},
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
