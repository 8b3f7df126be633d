//! How many calls are in flight at once, however many trials are under way: at most so many, or all of them.
//!
//! Owns the count. A trial spends most of its time on planting, looking and waiting for what a call set off;
//! while it does, another one's call may be in flight.

use std::time::Duration;

use serde_json::Value;
use tokio::{
    sync::{Barrier, Semaphore},
    time::timeout,
};

use crate::session::{Caller, Exchange};

/// A caller that lets so many requests through at once.
pub(super) struct AtMost<'c, C> {
    caller: &'c C,
    free: Semaphore,
}

impl<'c, C: Caller> AtMost<'c, C> {
    pub(super) fn new(caller: &'c C, in_flight: usize) -> Self {
        Self {
            caller,
            free: Semaphore::new(in_flight),
        }
    }
}

impl<C: Caller> Caller for AtMost<'_, C> {
    /// The time until its turn is not the target's: it does not count against the deadline.
    async fn request(&self, method: &str, params: Value, deadline: Duration) -> Exchange {
        // It is never closed.
        let _turn = self.free.acquire().await;
        self.caller.request(method, params, deadline).await
    }
}

/// How long the requests of a volley wait for each other.
const MUSTER: Duration = Duration::from_secs(10);

/// A caller that sends requests all at once: each waits until all of them are there, since what goes before a
/// request takes longer than many a target takes to answer it.
pub(super) struct Volley<'c, C> {
    caller: &'c C,
    all: Barrier,
}

impl<'c, C: Caller> Volley<'c, C> {
    pub(super) fn new(caller: &'c C, requests: usize) -> Self {
        Self {
            caller,
            all: Barrier::new(requests),
        }
    }
}

impl<C: Caller> Caller for Volley<'_, C> {
    /// Those that never come are not waited for for ever.
    async fn request(&self, method: &str, params: Value, deadline: Duration) -> Exchange {
        let _ = timeout(MUSTER, self.all.wait()).await;
        self.caller.request(method, params, deadline).await
    }
}
