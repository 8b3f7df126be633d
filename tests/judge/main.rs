//! The rule table of the judge: its rows one by one, all combinations, and laws on arbitrary facts.

mod again;
mod every;
mod laws;
mod observed;
mod rows;

use watertight::{
    judge::{
        Attempt, Control, Facts, Liveness, Observation, Race, Response, Ruling, Twin, Wall, Watch,
    },
    probe::EvidenceKind,
};

/// A fact of that kind.
fn seen(kind: EvidenceKind) -> Observation {
    Observation {
        witness: String::from("reply"),
        kind,
        fact: String::from("something was seen"),
        at_ms: 1,
        decoders: Vec::new(),
        excerpt: None,
    }
}

fn passed() -> Control {
    Control::Passed(seen(EvidenceKind::Token))
}

fn failed() -> Control {
    Control::Failed(String::from("nothing came"))
}

fn twin_passed() -> Twin {
    Twin::Passed(seen(EvidenceKind::Token))
}

fn twin_rejected() -> Twin {
    Twin::Rejected(String::from("no such file"))
}

fn no_twin() -> Twin {
    Twin::None(String::from("nothing is permitted"))
}

fn blind() -> Watch {
    Watch::Blind(String::from("no inotify"))
}

fn died() -> Response {
    Response::Died(String::from("signal 11"))
}

fn fault() -> Response {
    Response::Fault(String::from("disk full"))
}

fn around() -> Wall {
    Wall::Around(String::from("it is not there"))
}

fn unseen() -> Wall {
    Wall::Unseen(String::from("another user's process"))
}

/// The attack was refused by a channel that works, and everything that could see was awake.
fn refused() -> Attempt {
    Attempt {
        alone: false,
        before: passed(),
        after: passed(),
        twin: twin_passed(),
        liveness: Liveness::Live,
        wall: Wall::None,
        watch: Watch::Awake,
        proofs: Vec::new(),
        signals: Vec::new(),
        response: Response::Refusal,
    }
}

/// The same with nothing else in flight.
fn refused_alone() -> Attempt {
    Attempt {
        alone: true,
        ..refused()
    }
}

/// What most probes on reading declare.
const READING: &[EvidenceKind] = &[EvidenceKind::Token, EvidenceKind::Access];

/// A trial about reading.
fn reading(attempts: impl IntoIterator<Item = Attempt>) -> Facts {
    deciding(READING, attempts)
}

fn deciding(decisive: &[EvidenceKind], attempts: impl IntoIterator<Item = Attempt>) -> Facts {
    Facts {
        proven: true,
        attempts: attempts.into_iter().collect(),
        decisive: decisive.to_vec(),
        race: None,
    }
}

fn raced(permitted: u32, refused: u32) -> Race {
    Race {
        tries: 200,
        permitted,
        refused,
    }
}

/// Both controls passed.
fn controlled(attempt: &Attempt) -> bool {
    matches!(attempt.before, Control::Passed(_)) && matches!(attempt.after, Control::Passed(_))
}

/// What is promised of every ruling; panics with the facts that break a promise.
fn keeps_its_promises(facts: &Facts, ruling: &Ruling) {
    let attempts = &facts.attempts;
    let proof = |kind: EvidenceKind| {
        attempts
            .iter()
            .flat_map(|attempt| &attempt.proofs)
            .any(|proof| proof.kind == kind)
    };
    let sticky = [
        EvidenceKind::Token,
        EvidenceKind::Effect,
        EvidenceKind::Access,
    ]
    .into_iter()
    .any(proof);
    let told = proof(EvidenceKind::Metadata)
        && facts.decisive.contains(&EvidenceKind::Metadata)
        && attempts.iter().any(controlled);
    if sticky || told {
        assert!(
            matches!(ruling, Ruling::Breached { .. }),
            "proof, and yet {ruling:?} of {facts:#?}"
        );
    }
    match ruling {
        Ruling::Breached { evidence, .. } => {
            let known = |one: &Observation| {
                attempts
                    .iter()
                    .any(|attempt| attempt.proofs.contains(one) || attempt.signals.contains(one))
            };
            assert!(
                evidence.as_slice().iter().all(known),
                "invented: {facts:#?}"
            );
        }
        Ruling::Held { controls, .. } => {
            let last = attempts.last().expect("held without an attempt");
            held_is_earned(facts, last);
            let twin = usize::from(matches!(last.twin, Twin::Passed(_)));
            assert_eq!(controls.as_slice().len(), 2 + twin, "{facts:#?}");
        }
        _ => {}
    }
}

/// What stands behind every `held`.
fn held_is_earned(facts: &Facts, last: &Attempt) {
    assert!(controlled(last), "held without both controls: {facts:#?}");
    assert!(
        matches!(last.response, Response::Refusal | Response::Benign),
        "held after no answer: {facts:#?}"
    );
    let decisive = |attempt: &&Attempt| {
        attempt
            .signals
            .iter()
            .any(|signal| facts.decisive.contains(&signal.kind))
    };
    let loud: Vec<&Attempt> = facts.attempts.iter().filter(decisive).collect();
    assert!(
        loud.iter().all(|attempt| !attempt.alone),
        "held though a signal came alone: {facts:#?}"
    );
    if !loud.is_empty() {
        let quiet = facts
            .attempts
            .iter()
            .filter(|attempt| attempt.alone && controlled(attempt))
            .filter(|attempt| matches!(attempt.response, Response::Refusal | Response::Benign))
            .count();
        assert!(quiet >= 3, "a signal was not followed up: {facts:#?}");
    }
    assert!(
        !matches!(last.wall, Wall::Unseen(_)),
        "held on an assumption: {facts:#?}"
    );
    match last.liveness {
        Liveness::Live => {}
        Liveness::Unknown => assert!(matches!(last.twin, Twin::Passed(_)), "{facts:#?}"),
        Liveness::Inert => panic!("an inert payload is held: {facts:#?}"),
    }
    let access_alone = facts
        .decisive
        .iter()
        .all(|kind| *kind == EvidenceKind::Access);
    assert!(
        last.watch == Watch::Awake || !access_alone,
        "held by a blind witness: {facts:#?}"
    );
    if let Some(race) = facts.race {
        assert!(race.permitted > 0 && race.refused > 0, "{facts:#?}");
    }
}
