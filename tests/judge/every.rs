//! All combinations of facts.

use std::collections::BTreeMap;

use watertight::{
    judge::{Attempt, Basis, Facts, Liveness, Response, Strength, Verdict, judge},
    probe::EvidenceKind,
};

use super::*;

const DECISIVE: &[&[EvidenceKind]] = &[
    &[],
    &[EvidenceKind::Token],
    &[EvidenceKind::Access],
    &[EvidenceKind::Effect],
    &[EvidenceKind::Metadata, EvidenceKind::Token],
    READING,
    &[
        EvidenceKind::Token,
        EvidenceKind::Access,
        EvidenceKind::Effect,
    ],
];

/// Every attempt that differs in what a rule may look at.
fn attempts() -> Vec<Attempt> {
    let none = Vec::new;
    let one = |kind| vec![seen(kind)];
    let mut all = Vec::new();
    for alone in [false, true] {
        for before in [passed(), failed()] {
            for after in [passed(), failed()] {
                for twin in [twin_passed(), twin_rejected(), no_twin()] {
                    for liveness in [Liveness::Live, Liveness::Unknown, Liveness::Inert] {
                        for (watch, wall) in [
                            (Watch::Awake, Wall::None),
                            (blind(), Wall::None),
                            (Watch::Awake, around()),
                            (Watch::Awake, unseen()),
                        ] {
                            for proofs in [
                                none(),
                                one(EvidenceKind::Token),
                                one(EvidenceKind::Effect),
                                one(EvidenceKind::Access),
                                one(EvidenceKind::Metadata),
                            ] {
                                for signals in
                                    [none(), one(EvidenceKind::Access), one(EvidenceKind::Token)]
                                {
                                    for response in [
                                        Response::Refusal,
                                        Response::Benign,
                                        Response::Timeout,
                                        died(),
                                        fault(),
                                    ] {
                                        all.push(Attempt {
                                            alone,
                                            before: before.clone(),
                                            after: after.clone(),
                                            twin: twin.clone(),
                                            liveness,
                                            wall: wall.clone(),
                                            watch: watch.clone(),
                                            proofs: proofs.clone(),
                                            signals: signals.clone(),
                                            response,
                                        });
                                    }
                                }
                            }
                        }
                    }
                }
            }
        }
    }
    all
}

/// Whether a basis leads to a verdict, as `verdict.rs` documents it.
fn belongs(basis: Basis) -> Verdict {
    match basis {
        Basis::Token | Basis::Effect | Basis::Access | Basis::Metadata => Verdict::Breached,
        Basis::Policy | Basis::Syntax | Basis::Filtered | Basis::Envelope => Verdict::Held,
        Basis::ControlFailed
        | Basis::ControlLost
        | Basis::ServerDied
        | Basis::Timeout
        | Basis::WitnessBlind
        | Basis::Unmapped
        | Basis::WeakSignal
        | Basis::NoEvidence
        | Basis::HarnessFault
        | Basis::NotRun => Verdict::Inconclusive,
        _ => Verdict::NotApplicable,
    }
}

/// What a `held` is worth, said in other words than the judge's.
fn worth(facts: &Facts) -> Strength {
    let last = facts.attempts.last().expect("held without an attempt");
    let kinds = &facts.decisive;
    let armed = kinds.contains(&EvidenceKind::Effect)
        || kinds.contains(&EvidenceKind::Access) && facts.race.is_none();
    let witness = armed && last.watch == Watch::Awake;
    let twin = matches!(last.twin, Twin::Passed(_));
    if witness && twin {
        Strength::Strong
    } else if witness || twin {
        Strength::Medium
    } else {
        Strength::Weak
    }
}

fn examine(facts: &Facts, met: &mut BTreeMap<Basis, usize>) {
    let ruling = judge(facts);
    assert_eq!(belongs(ruling.basis()), ruling.verdict(), "{facts:#?}");
    keeps_its_promises(facts, &ruling);
    match ruling.verdict() {
        Verdict::Held => assert_eq!(ruling.strength(), Some(worth(facts)), "{facts:#?}"),
        Verdict::NotApplicable => {
            assert_eq!(ruling.strength(), None);
            let last = facts.attempts.last().expect("inert without an attempt");
            let served = matches!(last.twin, Twin::Passed(_));
            // A live form that no witness watches, and whose twin told nothing, tells nothing either.
            let mute = matches!(last.twin, Twin::Rejected(_))
                && last.response == Response::Benign
                && !facts.decisive.contains(&EvidenceKind::Effect);
            assert!(
                last.liveness == Liveness::Inert
                    || last.liveness == Liveness::Unknown && !served
                    || mute,
                "{facts:#?}"
            );
        }
        _ => assert_eq!(ruling.strength(), None),
    }
    *met.entry(ruling.basis()).or_default() += 1;
}

#[test]
fn every_single_attempt() {
    let attempts = attempts();
    let mut met = BTreeMap::new();
    let mut count = 0;
    for decisive in DECISIVE {
        for race in [
            None,
            Some(raced(200, 0)),
            Some(raced(0, 200)),
            Some(raced(90, 110)),
        ] {
            for attempt in &attempts {
                let facts = Facts {
                    proven: true,
                    attempts: vec![attempt.clone()],
                    decisive: decisive.to_vec(),
                    race,
                };
                examine(&facts, &mut met);
                count += 1;
            }
        }
    }
    assert_eq!(count, 604_800);
    for basis in [
        Basis::Token,
        Basis::Effect,
        Basis::Access,
        Basis::Metadata,
        Basis::Policy,
        Basis::Syntax,
        Basis::Filtered,
        Basis::Envelope,
        Basis::Unmapped,
        Basis::ControlFailed,
        Basis::ControlLost,
        Basis::ServerDied,
        Basis::Timeout,
        Basis::WitnessBlind,
        Basis::WeakSignal,
        Basis::NoEvidence,
        Basis::HarnessFault,
        Basis::Inert,
    ] {
        assert!(met.contains_key(&basis), "no facts lead to {basis:?}");
    }
}

/// Attempts that differ in what a later one is judged by.
pub(super) fn kinds(alone: bool) -> Vec<Attempt> {
    let base = Attempt { alone, ..refused() };
    let with = |change: &dyn Fn(&mut Attempt)| {
        let mut attempt = base.clone();
        change(&mut attempt);
        attempt
    };
    vec![
        base.clone(),
        with(&|one| one.response = Response::Benign),
        with(&|one| one.response = Response::Timeout),
        with(&|one| one.response = died()),
        with(&|one| one.response = fault()),
        with(&|one| one.before = failed()),
        with(&|one| one.after = failed()),
        with(&|one| one.watch = blind()),
        with(&|one| one.liveness = Liveness::Inert),
        with(&|one| (one.liveness, one.twin) = (Liveness::Unknown, twin_rejected())),
        with(&|one| one.signals = vec![seen(EvidenceKind::Access)]),
        with(&|one| one.signals = vec![seen(EvidenceKind::Token)]),
        with(&|one| {
            one.signals = vec![seen(EvidenceKind::Access)];
            one.response = Response::Timeout;
        }),
        with(&|one| one.proofs = vec![seen(EvidenceKind::Metadata)]),
        with(&|one| one.proofs = vec![seen(EvidenceKind::Token)]),
    ]
}

#[test]
fn every_sequence_of_up_to_four_attempts() {
    let any: Vec<Attempt> = kinds(false).into_iter().chain(kinds(true)).collect();
    let alone = kinds(true);
    let mut met = BTreeMap::new();
    let mut count = 0_usize;
    for decisive in [READING, &[EvidenceKind::Metadata, EvidenceKind::Token]] {
        for first in &any {
            for second in &alone {
                examine(
                    &deciding(decisive, [first, second].map(Clone::clone)),
                    &mut met,
                );
                for third in &alone {
                    examine(
                        &deciding(decisive, [first, second, third].map(Clone::clone)),
                        &mut met,
                    );
                    for fourth in &alone {
                        examine(
                            &deciding(decisive, [first, second, third, fourth].map(Clone::clone)),
                            &mut met,
                        );
                        count += 1;
                    }
                }
            }
        }
    }
    assert_eq!(count, 2 * 30 * 15 * 15 * 15);
    assert!(met.contains_key(&Basis::Policy) && met.contains_key(&Basis::WeakSignal));
}
