//! Trials that ask nothing, or what no channel asks.
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

/// Whether the target can be watched: from its start on, with a home of the run's making. Its tools are called
/// wherever it runs, and headers sent where it serves.
pub(super) fn watched(probe: &Probe, terrain: &Terrain<'_>) -> Fate {
    let reason = match probe.technique.as_deref() {
        Some("watch.unlisted") => return Fate::Watched,
        Some("watch.headers") if terrain.serves => return Fate::Watched,
        Some("watch.headers") => {
            "headers are sent to a command that serves HTTP: give it and its address (--url http://127.0.0.1:PORT/mcp \
             -- COMMAND), so that it runs on the network of the run"
        }
        _ if terrain.launched => return Fate::Watched,
        _ => {
            "the target is not launched by the harness, so its start, its home and its environment are not the run's"
        }
    };
    Fate::NotApplicable {
        basis: Basis::Platform,
        reason: String::from(reason),
    }
}
