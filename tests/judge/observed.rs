//! Trials that ask nothing: what is looked at from outside.

use watertight::{
    judge::{Attempt, Basis, Liveness, Response, Strength, Verdict, judge},
    probe::EvidenceKind,
};

use super::*;

fn observed(attempt: Attempt) -> watertight::judge::Facts {
    watertight::judge::Facts {
        attempts: vec![attempt],
        proven: true,
        decisive: vec![EvidenceKind::Posture],
        race: None,
    }
}

fn looked() -> Attempt {
    Attempt {
        alone: true,
        before: passed(),
        after: passed(),
        twin: no_twin(),
        liveness: Liveness::Live,
        watch: Watch::Awake,
        proofs: Vec::new(),
        signals: Vec::new(),
        response: Response::Observed,
    }
}

#[test]
fn what_is_as_it_is_to_be_is_held_without_a_twin() {
    let ruling = judge(&observed(looked()));
    assert_eq!(ruling.basis(), Basis::Observed);
    assert_eq!(ruling.strength(), Some(Strength::Medium));
    let mut facts = observed(looked());
    facts.proven = false;
    assert_eq!(judge(&facts).strength(), Some(Strength::Weak));
}

#[test]
fn what_is_seen_breaches_whatever_else_was_not_seen() {
    let ruling = judge(&observed(Attempt {
        proofs: vec![seen(EvidenceKind::Posture)],
        watch: blind(),
        before: failed(),
        after: failed(),
        ..looked()
    }));
    assert_eq!(ruling.basis(), Basis::Posture);
    assert_eq!(ruling.verdict(), Verdict::Breached);
}

#[test]
fn what_is_not_seen_is_not_held() {
    for (attempt, basis) in [
        (
            Attempt {
                watch: blind(),
                ..looked()
            },
            Basis::WitnessBlind,
        ),
        (
            Attempt {
                before: failed(),
                ..looked()
            },
            Basis::ControlFailed,
        ),
        (
            Attempt {
                liveness: Liveness::Inert,
                ..looked()
            },
            Basis::Inert,
        ),
    ] {
        assert_eq!(judge(&observed(attempt)).basis(), basis);
    }
}
