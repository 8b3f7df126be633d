//! The time limit of a call.
//!
//! Owns the limit and what it is laid around: for the sound server the whole call, and nothing else. Must not know
//! what is done in that time.

use std::time::Duration;

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
    pub(in crate::reference) async fn within<T>(
        self,
        span: Span,
        work: impl Future<Output = Result<T, Refusal>>,
    ) -> Result<T, Refusal> {
        if span != self.span {
            return work.await;
        }
        self.limited(work).await
    }

    /// Runs a call that is a single attempt and a single hop.
    pub(in crate::reference) async fn once<T>(
        self,
        work: impl Future<Output = Result<T, Refusal>>,
    ) -> Result<T, Refusal> {
        match self.span {
            Span::Call | Span::Attempt | Span::Hop => self.limited(work).await,
            Span::Exchange | Span::Read | Span::Nothing => work.await,
        }
    }

    async fn limited<T>(
        self,
        work: impl Future<Output = Result<T, Refusal>>,
    ) -> Result<T, Refusal> {
        tokio::time::timeout(self.limit, work)
            .await
            .unwrap_or(Err(Refusal::TimedOut))
    }
}
