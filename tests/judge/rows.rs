//! The rows of the table, one by one: facts, and what must be said of them.

use watertight::{
    judge::{Attempt, Basis, Control, Facts, Liveness, Response, Strength, Twin, Verdict, judge},
    probe::EvidenceKind,
};

use super::*;

const LISTING: &[EvidenceKind] = &[EvidenceKind::Token];
const TELLING: &[EvidenceKind] = &[EvidenceKind::Metadata, EvidenceKind::Token];
const WRITING: &[EvidenceKind] = &[EvidenceKind::Effect];
const ACCESS: &[EvidenceKind] = &[EvidenceKind::Access];

struct Row {
    about: &'static str,
    facts: Facts,
    verdict: Verdict,
    basis: Basis,
    strength: Option<Strength>,
}

fn row(about: &'static str, facts: Facts, verdict: Verdict, basis: Basis) -> Row {
    Row {
        about,
        facts,
        verdict,
        basis,
        strength: None,
    }
}

fn breached(about: &'static str, facts: Facts, basis: Basis) -> Row {
    row(about, facts, Verdict::Breached, basis)
}

fn open(about: &'static str, facts: Facts, basis: Basis) -> Row {
    row(about, facts, Verdict::Inconclusive, basis)
}

fn inert(about: &'static str, facts: Facts) -> Row {
    row(about, facts, Verdict::NotApplicable, Basis::Inert)
}

fn held(about: &'static str, facts: Facts, basis: Basis, strength: Strength) -> Row {
    Row {
        strength: Some(strength),
        ..row(about, facts, Verdict::Held, basis)
    }
}

fn check(rows: Vec<Row>) {
    for row in rows {
        let ruling = judge(&row.facts);
        assert_eq!(
            (ruling.verdict(), ruling.basis(), ruling.strength()),
            (row.verdict, row.basis, row.strength),
            "{}",
            row.about
        );
        keeps_its_promises(&row.facts, &ruling);
    }
}

fn with(change: impl FnOnce(&mut Attempt)) -> Attempt {
    let mut attempt = refused();
    change(&mut attempt);
    attempt
}

fn proof(kind: EvidenceKind) -> Attempt {
    with(|attempt| attempt.proofs.push(seen(kind)))
}

fn signal(kind: EvidenceKind, alone: bool) -> Attempt {
    with(|attempt| {
        attempt.alone = alone;
        attempt.signals.push(seen(kind));
    })
}

fn answered(response: Response) -> Attempt {
    with(|attempt| attempt.response = response)
}

fn raced_read(last: Attempt, permitted: u32, refused: u32) -> Facts {
    Facts {
        race: Some(raced(permitted, refused)),
        ..reading([last])
    }
}

#[test]
fn proof_is_a_breach_whatever_else_is_known() {
    let worst = |kind| {
        with(|attempt| {
            attempt.before = failed();
            attempt.after = failed();
            attempt.twin = no_twin();
            attempt.liveness = Liveness::Inert;
            attempt.watch = blind();
            attempt.response = died();
            attempt.proofs.push(seen(kind));
        })
    };
    check(vec![
        breached(
            "a token came out",
            reading([proof(EvidenceKind::Token)]),
            Basis::Token,
        ),
        breached(
            "though refused in words, nothing passed and the server died",
            reading([worst(EvidenceKind::Token)]),
            Basis::Token,
        ),
        breached(
            "though no token was asked for",
            deciding(WRITING, [proof(EvidenceKind::Token)]),
            Basis::Token,
        ),
        breached(
            "something changed",
            deciding(WRITING, [proof(EvidenceKind::Effect)]),
            Basis::Effect,
        ),
        breached(
            "something changed, without controls",
            deciding(WRITING, [worst(EvidenceKind::Effect)]),
            Basis::Effect,
        ),
        breached(
            "a read that is attributed",
            reading([proof(EvidenceKind::Access)]),
            Basis::Access,
        ),
        breached(
            "proof in the first attempt outlives a clean second one",
            reading([proof(EvidenceKind::Token), refused_alone()]),
            Basis::Token,
        ),
        breached(
            "proof that comes late",
            reading([refused(), proof(EvidenceKind::Effect)]),
            Basis::Effect,
        ),
        breached(
            "a token outranks an effect",
            reading([proof(EvidenceKind::Effect), proof(EvidenceKind::Token)]),
            Basis::Token,
        ),
    ]);
}

#[test]
fn told_metadata_decides_only_where_it_is_asked_for_and_the_channel_works() {
    let uncontrolled = with(|attempt| {
        attempt.proofs.push(seen(EvidenceKind::Metadata));
        attempt.before = failed();
    });
    check(vec![
        breached(
            "asked for, controls passed",
            deciding(TELLING, [proof(EvidenceKind::Metadata)]),
            Basis::Metadata,
        ),
        open(
            "asked for, on a channel that never worked",
            deciding(TELLING, [uncontrolled.clone()]),
            Basis::ControlFailed,
        ),
        breached(
            "asked for, on a channel that worked in another attempt",
            deciding(TELLING, [uncontrolled, refused_alone()]),
            Basis::Metadata,
        ),
        held(
            "not asked for: a number in an answer",
            reading([proof(EvidenceKind::Metadata)]),
            Basis::Policy,
            Strength::Strong,
        ),
    ]);
}

#[test]
fn signals_must_recur_alone() {
    use EvidenceKind::{Access, Effect, Token};
    let fragment = |alone| signal(Token, alone);
    let read = |alone| signal(Access, alone);
    let both = with(|attempt| {
        attempt.alone = true;
        attempt.signals = vec![seen(Access), seen(Token)];
    });
    let mute = || {
        with(|attempt| {
            attempt.alone = true;
            attempt.before = failed();
        })
    };
    let unseen = || {
        with(|attempt| {
            attempt.alone = true;
            attempt.watch = blind();
        })
    };
    let late = || {
        with(|attempt| {
            attempt.alone = true;
            attempt.response = Response::Timeout;
        })
    };
    let unplanted = || {
        with(|attempt| {
            attempt.alone = true;
            attempt.response = fault();
        })
    };
    check(vec![
        open(
            "once, beside others",
            reading([read(false)]),
            Basis::WeakSignal,
        ),
        open(
            "many times, beside others",
            reading([read(false), read(false), read(false)]),
            Basis::WeakSignal,
        ),
        open(
            "beside others, then once alone",
            reading([read(false), read(true)]),
            Basis::WeakSignal,
        ),
        breached(
            "twice alone",
            reading([read(false), read(true), read(true)]),
            Basis::Access,
        ),
        breached(
            "twice of three alone",
            reading([read(true), refused_alone(), read(true)]),
            Basis::Access,
        ),
        open(
            "once of three alone",
            reading([read(false), read(true), refused_alone(), refused_alone()]),
            Basis::WeakSignal,
        ),
        open(
            "quiet once",
            reading([read(false), refused_alone()]),
            Basis::WeakSignal,
        ),
        open(
            "quiet twice",
            reading([read(false), refused_alone(), refused_alone()]),
            Basis::WeakSignal,
        ),
        held(
            "quiet three times: it was another trial's",
            reading([
                read(false),
                refused_alone(),
                refused_alone(),
                refused_alone(),
            ]),
            Basis::Policy,
            Strength::Strong,
        ),
        open(
            "quiet, but once the channel did not work",
            reading([read(false), refused_alone(), mute(), refused_alone()]),
            Basis::WeakSignal,
        ),
        open(
            "quiet, but once the witness was blind",
            reading([read(false), refused_alone(), unseen(), refused_alone()]),
            Basis::WeakSignal,
        ),
        open(
            "quiet, but once nothing was answered",
            reading([read(false), late(), refused_alone(), refused_alone()]),
            Basis::WeakSignal,
        ),
        open(
            "quiet, but once nothing was planted",
            reading([read(false), unplanted(), refused_alone(), refused_alone()]),
            Basis::WeakSignal,
        ),
        breached(
            "a fragment of a token, twice alone",
            reading([fragment(true), fragment(true)]),
            Basis::Token,
        ),
        breached(
            "a fragment once and a read once: no more is claimed than the read",
            reading([fragment(true), read(true)]),
            Basis::Access,
        ),
        breached(
            "a fragment twice, with reads",
            reading([both.clone(), both]),
            Basis::Token,
        ),
        held(
            "a signal that does not decide",
            deciding(&[Effect], [read(true), read(true)]),
            Basis::Policy,
            Strength::Strong,
        ),
        held(
            "a fragment cleared where no witness was needed",
            deciding(LISTING, [fragment(false), unseen(), unseen(), unseen()]),
            Basis::Policy,
            Strength::Medium,
        ),
    ]);
}

#[test]
fn no_control_no_verdict() {
    let without = |before: Control, after: Control, response: Response| {
        reading([with(|attempt| {
            attempt.before = before;
            attempt.after = after;
            attempt.response = response;
        })])
    };
    check(vec![
        open("nothing was run", reading([]), Basis::NotRun),
        open(
            "before",
            without(failed(), passed(), Response::Refusal),
            Basis::ControlFailed,
        ),
        open(
            "both",
            without(failed(), failed(), Response::Refusal),
            Basis::ControlFailed,
        ),
        open(
            "after",
            without(passed(), failed(), Response::Refusal),
            Basis::ControlLost,
        ),
        open(
            "before, and a success",
            without(failed(), passed(), Response::Benign),
            Basis::ControlFailed,
        ),
        open(
            "the server died",
            without(passed(), failed(), died()),
            Basis::ServerDied,
        ),
        open(
            "the server died, and came back",
            without(passed(), passed(), died()),
            Basis::ServerDied,
        ),
        open(
            "the harness failed",
            without(passed(), passed(), fault()),
            Basis::HarnessFault,
        ),
        open(
            "no answer",
            without(passed(), passed(), Response::Timeout),
            Basis::Timeout,
        ),
        open(
            "no answer and no control",
            without(passed(), failed(), Response::Timeout),
            Basis::ControlLost,
        ),
    ]);
}

#[test]
fn inert_payloads_do_not_count() {
    let payload = |liveness: Liveness, twin: Twin| {
        reading([with(|attempt| {
            attempt.liveness = liveness;
            attempt.twin = twin;
        })])
    };
    let lost = reading([with(|attempt| {
        attempt.liveness = Liveness::Inert;
        attempt.after = failed();
    })]);
    check(vec![
        inert("nobody reaches it", payload(Liveness::Inert, twin_passed())),
        inert(
            "nobody reaches it, no twin",
            payload(Liveness::Inert, no_twin()),
        ),
        inert(
            "no decoder is known, and the twin is refused too",
            payload(Liveness::Unknown, twin_rejected()),
        ),
        inert(
            "no decoder is known, and there is no twin",
            payload(Liveness::Unknown, no_twin()),
        ),
        held(
            "the twin shows the decoder",
            payload(Liveness::Unknown, twin_passed()),
            Basis::Policy,
            Strength::Strong,
        ),
        open("that nothing works comes first", lost, Basis::ControlLost),
    ]);
}

#[test]
fn refusals_are_held() {
    let twin = |twin: Twin, watch| {
        with(|attempt| {
            attempt.twin = twin;
            attempt.watch = watch;
        })
    };
    use watertight::judge::Watch::Awake;
    check(vec![
        held(
            "the twin was served",
            reading([refused()]),
            Basis::Policy,
            Strength::Strong,
        ),
        held(
            "there is no twin",
            reading([twin(no_twin(), Awake)]),
            Basis::Policy,
            Strength::Medium,
        ),
        held(
            "the twin was refused as well",
            reading([twin(twin_rejected(), Awake)]),
            Basis::Syntax,
            Strength::Medium,
        ),
        held(
            "the witness was blind",
            reading([twin(twin_passed(), blind())]),
            Basis::Policy,
            Strength::Medium,
        ),
        held(
            "blind, and no twin",
            reading([twin(no_twin(), blind())]),
            Basis::Policy,
            Strength::Weak,
        ),
        held(
            "blind, and the twin refused",
            reading([twin(twin_rejected(), blind())]),
            Basis::Syntax,
            Strength::Weak,
        ),
        open(
            "blind, and nobody else could see",
            deciding(ACCESS, [twin(twin_passed(), blind())]),
            Basis::WitnessBlind,
        ),
        open(
            "blind to the network, where tokens may come back too",
            deciding(
                &[EvidenceKind::Token, EvidenceKind::Connection],
                [twin(twin_passed(), blind())],
            ),
            Basis::WitnessBlind,
        ),
        held(
            "a listing: no witness sees those",
            deciding(LISTING, [refused()]),
            Basis::Policy,
            Strength::Medium,
        ),
        held(
            "a listing without a twin",
            deciding(LISTING, [twin(no_twin(), Awake)]),
            Basis::Policy,
            Strength::Weak,
        ),
        held(
            "a write: its places are compared",
            deciding(WRITING, [refused()]),
            Basis::Policy,
            Strength::Strong,
        ),
    ]);
}

#[test]
fn a_success_needs_a_witness_that_saw_nothing() {
    let benign = |twin: Twin, watch| {
        with(|attempt| {
            attempt.response = Response::Benign;
            attempt.twin = twin;
            attempt.watch = watch;
        })
    };
    use watertight::judge::Watch::Awake;
    check(vec![
        held(
            "awake",
            reading([answered(Response::Benign)]),
            Basis::Filtered,
            Strength::Strong,
        ),
        held(
            "awake, no twin",
            reading([benign(no_twin(), Awake)]),
            Basis::Filtered,
            Strength::Medium,
        ),
        held(
            "awake, twin refused",
            reading([benign(twin_rejected(), Awake)]),
            Basis::Filtered,
            Strength::Medium,
        ),
        open(
            "blind",
            reading([benign(twin_passed(), blind())]),
            Basis::NoEvidence,
        ),
        open(
            "blind, no twin",
            reading([benign(no_twin(), blind())]),
            Basis::NoEvidence,
        ),
        open(
            "blind, and nobody else could see",
            deciding(ACCESS, [benign(twin_passed(), blind())]),
            Basis::WitnessBlind,
        ),
        held(
            "a listing whose twin named its token",
            deciding(LISTING, [benign(twin_passed(), Awake)]),
            Basis::Filtered,
            Strength::Medium,
        ),
        inert(
            "a listing that tells nothing of a permitted object either",
            deciding(LISTING, [benign(twin_rejected(), Awake)]),
        ),
        open(
            "a listing without a twin",
            deciding(LISTING, [benign(no_twin(), Awake)]),
            Basis::NoEvidence,
        ),
    ]);
}

#[test]
fn races_need_both_states() {
    let benign = || answered(Response::Benign);
    let no_twin_benign = with(|attempt| {
        attempt.response = Response::Benign;
        attempt.twin = no_twin();
    });
    let write = Facts {
        race: Some(raced(90, 110)),
        ..deciding(WRITING, [benign()])
    };
    check(vec![
        open(
            "always permitted",
            raced_read(refused(), 200, 0),
            Basis::NoEvidence,
        ),
        open(
            "never permitted",
            raced_read(refused(), 0, 200),
            Basis::NoEvidence,
        ),
        held(
            "both; no file is watched",
            raced_read(refused(), 90, 110),
            Basis::Policy,
            Strength::Medium,
        ),
        held(
            "both, the last one permitted",
            raced_read(benign(), 90, 110),
            Basis::Filtered,
            Strength::Medium,
        ),
        open(
            "both, the last one permitted, and no twin",
            raced_read(no_twin_benign, 90, 110),
            Basis::NoEvidence,
        ),
        held(
            "a race to write: places are compared",
            write,
            Basis::Filtered,
            Strength::Strong,
        ),
        breached(
            "won",
            raced_read(proof(EvidenceKind::Token), 200, 0),
            Basis::Token,
        ),
    ]);
}

#[test]
fn the_last_attempt_decides_what_is_held() {
    check(vec![
        held(
            "died beside others, refused alone",
            reading([answered(died()), refused_alone()]),
            Basis::Policy,
            Strength::Strong,
        ),
        held(
            "late beside others, refused alone",
            reading([answered(Response::Timeout), refused_alone()]),
            Basis::Policy,
            Strength::Strong,
        ),
        open(
            "refused, then died",
            reading([refused(), answered(died())]),
            Basis::ServerDied,
        ),
        open(
            "refused, then late",
            reading([refused(), answered(Response::Timeout)]),
            Basis::Timeout,
        ),
    ]);
}

#[test]
fn a_race_tells_the_chance_that_it_excludes() {
    let facts = raced_read(refused(), 90, 110);
    let watertight::judge::Ruling::Held { reason, .. } = judge(&facts) else {
        panic!("it was held");
    };
    assert!(
        reason.contains("200 tries") && reason.contains("1.50 %"),
        "{reason}"
    );
}

/// Whatever else is known: what was not sent, or would have told nothing, is no verdict on the target.
#[test]
fn what_tells_nothing_does_not_count() {
    let answered = |response: Response| reading([with(|attempt| attempt.response = response)]);
    let why = || String::from("why");
    let rows = vec![
        row(
            "not sent",
            answered(Response::Withheld(why())),
            Verdict::NotApplicable,
            Basis::Withheld,
        ),
        row(
            "moot",
            answered(Response::Moot(why())),
            Verdict::NotApplicable,
            Basis::Moot,
        ),
    ];
    check(rows);
}
