//! What data cannot say: acts that go on in the world while calls are made.
//!
//! Owns one file per technique. A technique knows the scene of its trial and nothing of calls,
//! replies or verdicts; the engine decides how often to call while it acts.

mod descriptor;
mod feed;
mod grow;
mod idle;
mod swap;

use std::io;

use crate::testbed::Scene;

/// Something that goes on while calls are made. Dropped, it stops.
pub trait Act: Send {
    /// How many calls are made while it goes on.
    fn tries(&self) -> u32 {
        1
    }

    /// Of a race: whether the forbidden state stands at this moment.
    fn forbidden_now(&self) -> Option<bool> {
        None
    }
}

/// Starts the technique of that name on a scene; `None` for the ones that are no act but a way of
/// comparing answers.
///
/// # Errors
/// When the scene lacks what the technique acts on, or the system refuses.
pub fn begin(name: &str, scene: &mut Scene) -> io::Result<Option<Box<dyn Act>>> {
    Ok(match name {
        "race.swap" => Some(Box::new(swap::Swap::begin(scene)?)),
        "fd.inherit" => Some(Box::new(descriptor::Inherited::begin(scene)?)),
        "feed.fifo" => Some(Box::new(feed::Feed::begin(scene)?)),
        "fifo.idle" => Some(Box::new(idle::Idle::begin(scene)?)),
        "grow.file" => Some(Box::new(grow::Grow::begin(scene)?)),
        _ => None,
    })
}

/// The path of the plant that a technique acts on.
fn plant(scene: &Scene, name: &str) -> io::Result<std::path::PathBuf> {
    scene
        .planted(name)
        .map(|planted| planted.path.clone())
        .ok_or_else(|| io::Error::other(format!("the probe plants no `{name}`")))
}
