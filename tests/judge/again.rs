//! What is run again, and that it ends.

use watertight::{
    judge::{Again, Attempt, Facts, Response, Verdict, again, judge},
    probe::EvidenceKind,
};

use super::{every::kinds, *};

/// One beside others, three alone for a signal, one more with patience.
const MOST: usize = 5;

#[test]
fn only_what_repetition_can_settle_is_run_again() {
    let beside = |change: &dyn Fn(&mut Attempt)| {
        let mut attempt = refused();
        change(&mut attempt);
        attempt
    };
    let signal = |alone: bool| {
        beside(&|one| {
            one.alone = alone;
            one.signals.push(seen(EvidenceKind::Access));
        })
    };
    let late = |alone: bool| {
        beside(&|one| {
            one.alone = alone;
            one.response = Response::Timeout;
        })
    };
    let lost = |alone: bool| {
        beside(&|one| {
            one.alone = alone;
            one.after = failed();
        })
    };
    let rows: Vec<(&str, Vec<Attempt>, Option<Again>)> = vec![
        ("nothing was run", vec![], None),
        ("held", vec![refused()], None),
        (
            "proof",
            vec![beside(&|one| one.proofs.push(seen(EvidenceKind::Token)))],
            None,
        ),
        ("a signal", vec![signal(false)], Some(Again::Alone)),
        (
            "a signal, then quiet",
            vec![signal(false), refused_alone()],
            Some(Again::Alone),
        ),
        (
            "a signal, then quiet twice",
            vec![signal(false), refused_alone(), refused_alone()],
            Some(Again::Alone),
        ),
        (
            "a signal, then quiet three times",
            vec![
                signal(false),
                refused_alone(),
                refused_alone(),
                refused_alone(),
            ],
            None,
        ),
        (
            "a signal that came once of three",
            vec![signal(true), refused_alone(), refused_alone()],
            None,
        ),
        ("late", vec![late(false)], Some(Again::Patient)),
        ("late, though alone", vec![late(true)], Some(Again::Patient)),
        ("late twice", vec![late(false), late(true)], None),
        (
            "died beside others",
            vec![beside(&|one| one.response = died())],
            Some(Again::Fresh),
        ),
        (
            "died alone",
            vec![beside(&|one| {
                one.alone = true;
                one.response = died();
            })],
            None,
        ),
        ("control lost", vec![lost(false)], Some(Again::Fresh)),
        (
            "control lost, though alone",
            vec![lost(true)],
            Some(Again::Fresh),
        ),
        ("control lost twice", vec![lost(false), lost(true)], None),
        (
            "control failed while the channel works",
            vec![beside(&|one| one.before = failed())],
            Some(Again::Alone),
        ),
        (
            "control failed for good",
            vec![beside(&|one| {
                one.before = failed();
                one.after = failed();
            })],
            None,
        ),
        (
            "the harness failed",
            vec![beside(&|one| one.response = fault())],
            None,
        ),
        (
            "inert",
            vec![beside(&|one| one.liveness = Liveness::Inert)],
            None,
        ),
    ];
    for (about, attempts, expected) in rows {
        assert_eq!(again(&reading(attempts)), expected, "{about}");
    }
}

/// Follows every way in which reruns can go.
fn follow(facts: &mut Facts, later: &[Attempt], ways: &mut usize) {
    assert!(
        facts.attempts.len() <= MOST,
        "{} attempts: {facts:#?}",
        facts.attempts.len()
    );
    if again(facts).is_none() {
        *ways += 1;
        return;
    }
    assert_eq!(judge(facts).verdict(), Verdict::Inconclusive, "{facts:#?}");
    for next in later {
        facts.attempts.push(next.clone());
        follow(facts, later, ways);
        facts.attempts.pop();
    }
}

#[test]
fn reruns_end_whatever_comes() {
    let later = kinds(true);
    let mut ways = 0;
    for first in kinds(false).into_iter().chain(kinds(true)) {
        for race in [None, Some(raced(200, 0))] {
            let mut facts = Facts {
                race,
                ..reading([first.clone()])
            };
            follow(&mut facts, &later, &mut ways);
        }
    }
    assert!(ways > 10_000, "only {ways} ways were followed");
}
