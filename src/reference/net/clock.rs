//! The time limit of a call.
//!
//! Owns the limit and what it is laid around: for the sound server the whole call, and nothing else. Must not know
//! what is done in that time.

use std::time::Duration;

use futures::FutureExt as _;
use futures::future::BoxFuture;

use crate::reference::refusal::Refusal;
use crate::reference::{Flaw, FlawSet};

/// The limit where none is given.
const DEFAULT: Duration = Duration::from_secs(30);

/// What a limit may be laid around, from the outermost in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::reference) enum Span {
    /// A whole call: name resolution, all attempts and redirects, and the body.
    Call,
    /// One attempt with its redirects.
    Attempt,
    /// One request of an attempt.
    Hop,
    /// Request and reply on an open connection.
    Exchange,
    /// One read of a reply.
    Read,
    /// Nothing at all.
    Nothing,
}

/// The limit, and the one span that it is laid around.
#[derive(Clone, Copy, Debug)]
pub(in crate::reference) struct Clock {
    limit: Duration,
    span: Span,
}

impl Clock {
    pub(super) fn new(limit: Option<Duration>, flaws: &FlawSet) -> Self {
        let spans = [
            (Flaw::TimeNoTimeout, Span::Nothing),
            // The limit is laid around the wait for the work.
            (Flaw::TimeOrphanWork, Span::Nothing),
            (Flaw::TimeIdleTimeout, Span::Read),
            (Flaw::TimeConnectUnbounded, Span::Exchange),
            (Flaw::TimePerHop, Span::Hop),
            (Flaw::TimeRetryAfter, Span::Attempt),
        ];
        let flawed = spans.iter().find(|(flaw, _)| flaws.has(*flaw));
        Self {
            limit: limit.unwrap_or(DEFAULT),
            span: flawed.map_or(Span::Call, |(_, span)| *span),
        }
    }

    /// The most time that a call may take.
    pub(in crate::reference) fn limit(self) -> Duration {
        self.limit
    }

    /// Runs a piece of work, within the limit if the limit is laid around such spans.
    ///
    /// Boxed: spans lie inside of each other, and each would hold those within it more than once.
    pub(in crate::reference) fn within<'a, T: Send + 'a>(
        self,
        span: Span,
        work: impl Future<Output = Result<T, Refusal>> + Send + 'a,
    ) -> BoxFuture<'a, Result<T, Refusal>> {
        if span == self.span {
            self.limited(work)
        } else {
            work.boxed()
        }
    }

    /// Runs a call that is a single attempt and a single hop.
    pub(in crate::reference) fn once<'a, T: Send + 'a>(
        self,
        work: impl Future<Output = Result<T, Refusal>> + Send + 'a,
    ) -> BoxFuture<'a, Result<T, Refusal>> {
        match self.span {
            Span::Call | Span::Attempt | Span::Hop => self.limited(work),
            Span::Exchange | Span::Read | Span::Nothing => work.boxed(),
        }
    }

    fn limited<'a, T: Send + 'a>(
        self,
        work: impl Future<Output = Result<T, Refusal>> + Send + 'a,
    ) -> BoxFuture<'a, Result<T, Refusal>> {
        tokio::time::timeout(self.limit, work)
            .map(|outcome| outcome.unwrap_or(Err(Refusal::TimedOut)))
            .boxed()
    }
}
