//! Laws that hold for arbitrary facts.

use proptest::{collection::vec, option, prelude::*};
use watertight::{
    judge::{
        Attempt, Control, Facts, Liveness, Observation, Race, Response, Twin, Verdict, Wall, Watch,
        again, judge,
    },
    probe::EvidenceKind,
};

use super::keeps_its_promises;

fn kind() -> impl Strategy<Value = EvidenceKind> {
    prop_oneof![
        Just(EvidenceKind::Token),
        Just(EvidenceKind::Access),
        Just(EvidenceKind::Effect),
        Just(EvidenceKind::Metadata),
    ]
}

fn observation() -> impl Strategy<Value = Observation> {
    (
        kind(),
        ".{0,12}",
        ".{0,12}",
        any::<u64>(),
        vec(".{0,8}", 0..3),
        option::of(".{0,20}"),
    )
        .prop_map(
            |(kind, witness, fact, at_ms, decoders, excerpt)| Observation {
                witness,
                kind,
                fact,
                at_ms,
                decoders,
                excerpt,
            },
        )
}

fn control() -> impl Strategy<Value = Control> {
    prop_oneof![
        3 => observation().prop_map(Control::Passed),
        1 => ".{0,12}".prop_map(Control::Failed),
    ]
}

fn twin() -> impl Strategy<Value = Twin> {
    prop_oneof![
        observation().prop_map(Twin::Passed),
        ".{0,12}".prop_map(Twin::Rejected),
        ".{0,12}".prop_map(Twin::None),
    ]
}

fn response() -> impl Strategy<Value = Response> {
    prop_oneof![
        3 => Just(Response::Refusal),
        2 => Just(Response::Benign),
        1 => Just(Response::Timeout),
        1 => ".{0,12}".prop_map(Response::Died),
        1 => ".{0,12}".prop_map(Response::Fault),
    ]
}

fn attempt() -> impl Strategy<Value = Attempt> {
    (
        any::<bool>(),
        (control(), control(), twin()),
        prop_oneof![
            3 => Just(Liveness::Live),
            1 => Just(Liveness::Unknown),
            1 => Just(Liveness::Inert),
        ],
        (
            prop_oneof![Just(Watch::Awake), ".{0,12}".prop_map(Watch::Blind)],
            prop_oneof![
                3 => Just(Wall::None),
                1 => ".{0,12}".prop_map(Wall::Around),
                1 => ".{0,12}".prop_map(Wall::Unseen),
            ],
        ),
        prop_oneof![4 => Just(Vec::new()), 1 => vec(observation(), 1..3)],
        prop_oneof![2 => Just(Vec::new()), 1 => vec(observation(), 1..3)],
        response(),
    )
        .prop_map(
            |(alone, (before, after, twin), liveness, (watch, wall), proofs, signals, response)| {
                Attempt {
                    alone,
                    before,
                    after,
                    twin,
                    liveness,
                    wall,
                    watch,
                    proofs,
                    signals,
                    response,
                }
            },
        )
}

fn facts() -> impl Strategy<Value = Facts> {
    let race = (0_u32..500, 0_u32..3, 0_u32..3).prop_map(|(tries, permitted, refused)| Race {
        tries,
        permitted,
        refused,
    });
    (
        vec(attempt(), 0..5),
        vec(kind(), 0..4),
        prop_oneof![3 => Just(None), 1 => race.prop_map(Some)],
    )
        .prop_map(|(attempts, decisive, race)| Facts {
            proven: true,
            attempts,
            decisive,
            race,
        })
}

/// The same facts in words that a refusal would use.
fn reworded(facts: &Facts) -> Facts {
    let mut facts = facts.clone();
    let speak = |text: &mut String| *text = String::from("Access denied: refused by policy");
    let observe = |one: &mut Observation| {
        speak(&mut one.witness);
        speak(&mut one.fact);
        one.decoders.clear();
        one.excerpt = None;
        one.at_ms = 0;
    };
    for attempt in &mut facts.attempts {
        for control in [&mut attempt.before, &mut attempt.after] {
            match control {
                Control::Passed(one) => observe(one),
                Control::Failed(why) => speak(why),
            }
        }
        match &mut attempt.twin {
            Twin::Passed(one) => observe(one),
            Twin::Rejected(why) | Twin::None(why) => speak(why),
        }
        if let Watch::Blind(why) = &mut attempt.watch {
            speak(why);
        }
        if let Response::Died(why) | Response::Fault(why) = &mut attempt.response {
            speak(why);
        }
        attempt.proofs.iter_mut().for_each(observe);
        attempt.signals.iter_mut().for_each(observe);
    }
    facts
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn promises_are_kept(facts in facts()) {
        keeps_its_promises(&facts, &judge(&facts));
    }

    #[test]
    fn proof_never_unmakes_a_breach(facts in facts(), at in any::<prop::sample::Index>(), proof in observation()) {
        prop_assume!(!facts.attempts.is_empty());
        let before = judge(&facts).verdict();
        let mut more = facts.clone();
        let at = at.index(more.attempts.len());
        more.attempts[at].proofs.push(proof.clone());
        let after = judge(&more).verdict();
        if before == Verdict::Breached || proof.kind != EvidenceKind::Metadata {
            prop_assert_eq!(after, Verdict::Breached);
        }
    }

    #[test]
    fn another_attempt_never_unmakes_a_breach(facts in facts(), another in attempt()) {
        let was = judge(&facts).verdict();
        let mut more = facts;
        more.attempts.push(another);
        prop_assert!(was != Verdict::Breached || judge(&more).verdict() == Verdict::Breached);
    }

    #[test]
    fn a_signal_never_makes_held(facts in facts(), at in any::<prop::sample::Index>(), signal in observation()) {
        prop_assume!(!facts.attempts.is_empty() && judge(&facts).verdict() != Verdict::Held);
        let mut more = facts;
        let at = at.index(more.attempts.len());
        more.attempts[at].signals.push(signal);
        prop_assert_ne!(judge(&more).verdict(), Verdict::Held);
    }

    #[test]
    fn a_failed_control_never_makes_held(facts in facts(), at in any::<prop::sample::Index>(), after in any::<bool>()) {
        prop_assume!(!facts.attempts.is_empty());
        let was = judge(&facts).verdict();
        let mut worse = facts;
        let at = at.index(worse.attempts.len());
        let control = if after { &mut worse.attempts[at].after } else { &mut worse.attempts[at].before };
        *control = Control::Failed(String::from("nothing came"));
        let is = judge(&worse).verdict();
        prop_assert!(is != Verdict::Held || was == Verdict::Held);
        if at + 1 == worse.attempts.len() {
            prop_assert_ne!(is, Verdict::Held);
        }
    }

    #[test]
    fn words_do_not_decide(facts in facts()) {
        let (one, other) = (judge(&facts), judge(&reworded(&facts)));
        prop_assert_eq!(one.verdict(), other.verdict());
        prop_assert_eq!(one.basis(), other.basis());
        prop_assert_eq!(one.strength(), other.strength());
        prop_assert_eq!(again(&facts), again(&reworded(&facts)));
    }

    #[test]
    fn a_run_can_be_judged_again_from_its_file(facts in facts()) {
        let file = serde_json::to_string(&facts).expect("facts are plain data");
        let read: Facts = serde_json::from_str(&file).expect("what was written can be read");
        prop_assert_eq!(&read, &facts);
        prop_assert_eq!(judge(&read), judge(&facts));
    }
}

#[test]
fn unknown_facts_are_not_read() {
    let text = r#"{"attempts":[],"decisive":["token"],"race":null,"verdict":"held"}"#;
    let error = serde_json::from_str::<Facts>(text).expect_err("a verdict is no fact");
    assert!(error.to_string().contains("verdict"), "{error}");
}
