//! Trials that ask nothing.
//!
//! Owns what rules them out. How something is looked at is the run's business.

use std::sync::Arc;

use super::{Fate, Terrain, Trial, whole};
use crate::{
    judge::Basis,
    probe::{Aspect, Probe},
};

/// A trial that asks nothing, and looks from outside.
pub(super) fn observed(probe: &Arc<Probe>, index: usize, terrain: &Terrain<'_>) -> Trial {
    let text = probe.variants[index].aspect.is_some_and(Aspect::of_text);
    let fate = match terrain.relaunch {
        Err(why) if !text => Fate::NotApplicable {
            basis: Basis::Platform,
            reason: format!("{why}, so that its processes are not known"),
        },
        _ => Fate::Observed,
    };
    Trial {
        id: format!("{}/{}", probe.id, probe.variants[index].name),
        variant: index,
        fate,
        ..whole(probe, Basis::NoClaim, String::new())
    }
}
