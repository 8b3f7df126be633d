//! The audit log of a run, and the door at which callers are let in or not.
//!
//! Owns what is watched from before the target is launched. What a record says is not known here.

use crate::{
    policy::AuditLog,
    run::Order,
    session::{Direction, Endpoint, HttpEndpoint},
    witness::LogWitness,
};

/// The audit log of a run.
#[derive(Debug)]
pub(in crate::run) struct Ledger {
    pub(in crate::run) log: LogWitness,
    pub(in crate::run) claimed: AuditLog,
    /// Where callers are let in or not, of a target over HTTP.
    pub(super) door: Option<HttpEndpoint>,
}

impl Ledger {
    /// The log that the policy names, watched from before the target is launched.
    pub(in crate::run) fn of(order: &Order<'_>) -> Option<Self> {
        let claimed = order.policy.audit()?;
        let log = LogWitness::start(claimed.files.clone(), claimed.stderr);
        let listener = log.clone();
        order.transcript.listen(Box::new(move |entry| {
            if entry.direction == Direction::Stderr {
                listener.hear(&entry.bytes);
            }
        }));
        let door = match &order.endpoint {
            Endpoint::Http(endpoint) => Some(endpoint.clone()),
            Endpoint::Stdio(launch) => launch.serves.clone(),
            Endpoint::Inside(_) => None,
        };
        Some(Self { log, claimed, door })
    }
}
