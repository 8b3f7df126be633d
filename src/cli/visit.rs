//! The look at a target's processes outside of the bottle, before it is made.
//!
//! Owns when that is needed and how the record of it reaches the inner process. What is seen there is what
//! the target's own launcher gives; inside it would be what the bottle imposes.

use super::{
    order::{endpoint, options, placeholders},
    print::shout,
    select::select,
};
use crate::{
    config::{Reach, Settings},
    run::{Purpose, aspects, visit},
    testbed::{Bed, namespace::Bottle},
    witness::process::Postures,
};

/// Launches the target where the user is, if any probe wants to know its processes. Nothing is asked
/// of it but its list of tools. The record is for [`recall`].
pub(super) async fn record(settings: &Settings) -> Option<String> {
    let target = &settings.target;
    if !matches!(target.reach, Reach::Command(_)) || target.serves.is_some() {
        return None;
    }
    // Mistakes are told inside.
    let probes = select(settings).ok()?.probes;
    let bed = Bed::create().ok()?;
    if let Some(fixture) = &settings.target.fixture {
        bed.furnish(fixture).ok()?;
    }
    let places = placeholders(&bed, settings);
    let policy = settings.policy.expand(&places).ok()?;
    let aspects = aspects(&probes, &policy);
    if aspects.is_empty() {
        return None;
    }
    shout("     looking at the processes of the server outside of the namespaces\n");
    let target = endpoint(&settings.target, &places, &bed).ok()?;
    let options = options(settings, &places).ok()?;
    let purpose = Purpose {
        policy: &policy,
        planted: &[],
        aspects: &aspects,
    };
    let seen = visit(&target.endpoint, &options, purpose).await;
    let place = bed.base().display().to_string();
    if !bed.remove() {
        shout(&format!("     {place} could not be removed\n"));
    }
    serde_json::to_string(&seen).ok()
}

/// What the outer process recorded, inside of a bottle. Nothing where there was nothing to record, or
/// no bottle.
pub(super) fn recall() -> Option<Result<Postures, String>> {
    let text = Bottle::around()?.recall().ok()??;
    serde_json::from_str(&text).ok()
}
