//! Which of the packets are the harness's own.
//!
//! Owns a range of source ports above the ephemeral ones of Linux, given out in a circle, so that a port is not
//! reused while anything of its last use may still be in flight.

use std::{
    collections::{HashMap, HashSet},
    net::SocketAddr,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU16, Ordering},
    },
    time::{Duration, Instant},
};

use super::glass::Glass;

/// The first port of the range; `net.ipv4.ip_local_port_range` ends at 60999 by default.
const FIRST: u16 = 61_000;
/// How long a port counts as ours after it was given back: witnesses may still have its packets before them.
const LINGER: Duration = Duration::from_secs(1);

/// The source ports in use by the harness. Clones share them.
#[derive(Debug, Clone, Default)]
pub(super) struct Own(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    next: AtomicU16,
    // `None` while in use, else when it was given back.
    ports: Mutex<HashMap<u16, Option<Instant>>>,
    // Ports of loopback at which the harness speaks to the target.
    left: Mutex<HashSet<u16>>,
}

/// A source port of ours until it is dropped.
#[derive(Debug)]
pub(super) struct OwnPort {
    own: Own,
    port: u16,
}

impl Own {
    /// The next port of the circle. It may be taken by somebody else: then bind fails, and the next is tried.
    pub(super) fn port(&self) -> OwnPort {
        let step = self.0.next.fetch_add(1, Ordering::Relaxed);
        let port = FIRST + step % (u16::MAX - FIRST);
        let mut ports = self.0.ports.lock().unwrap_or_else(PoisonError::into_inner);
        ports.retain(|_, ended| ended.is_none_or(|ended| ended.elapsed() < LINGER));
        ports.insert(port, None);
        OwnPort {
            own: self.clone(),
            port,
        }
    }

    /// From now on packets to this port of loopback are taken for ours.
    pub(super) fn leave(&self, port: u16) {
        let mut left = self.0.left.lock().unwrap_or_else(PoisonError::into_inner);
        left.insert(port);
    }

    /// Whether packets to this place are what we say to the target.
    pub(super) fn speaks_to(&self, place: SocketAddr) -> bool {
        let left = self.0.left.lock().unwrap_or_else(PoisonError::into_inner);
        place.ip().to_canonical().is_loopback() && left.contains(&place.port())
    }

    /// Whether packets from this source port are ours.
    pub(super) fn has(&self, port: u16) -> bool {
        self.0
            .ports
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .get(&port)
            .is_some_and(|ended| ended.is_none_or(|ended| ended.elapsed() < LINGER))
    }
}

impl Glass {
    /// Leaves a port of loopback to the target, which is spoken to there: packets to it are the harness's own.
    pub fn leave(&self, port: u16) {
        self.close(port);
        self.shared().own.leave(port);
    }
}

impl OwnPort {
    pub(super) fn number(&self) -> u16 {
        self.port
    }
}

impl Drop for OwnPort {
    fn drop(&mut self) {
        self.own
            .0
            .ports
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(self.port, Some(Instant::now()));
    }
}
