//! The ruling on what was looked at from outside, without a call of its own.
//!
//! Owns when such a look is held. Breaches of it are found by the rule, like all others.

use super::{
    Attempt, Basis, Facts, Liveness, NonEmpty, Observation, Ruling, Strength, Twin, Watch,
    rule::inconclusive,
};

/// What was looked at and not asked for: there is no payload that could be inert; but there may be
/// nothing to look at, and the look may have been blind.
pub(super) fn observed(facts: &Facts, last: &Attempt, controls: [&Observation; 2]) -> Ruling {
    let (why, twin) = match &last.twin {
        Twin::None(why) | Twin::Rejected(why) => (why.clone(), None),
        Twin::Passed(seen) => (seen.fact.clone(), Some(seen)),
    };
    if last.liveness == Liveness::Inert {
        return Ruling::NotApplicable {
            basis: Basis::Inert,
            reason: why,
        };
    }
    if let Watch::Blind(why) = &last.watch {
        return inconclusive(Basis::WitnessBlind, why);
    }
    let strength = match (facts.proven, twin) {
        (true, Some(_)) => Strength::Strong,
        (true, None) | (false, Some(_)) => Strength::Medium,
        (false, None) => Strength::Weak,
    };
    match NonEmpty::new(controls.into_iter().chain(twin).cloned().collect()) {
        Some(controls) => Ruling::Held {
            basis: Basis::Observed,
            strength,
            controls,
            reason: why,
        },
        None => inconclusive(Basis::ControlFailed, "no control passed"),
    }
}
