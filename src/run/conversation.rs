//! The session of a run, restarted when the target ends.
//!
//! Owns launching with the set-up calls of the configuration, and the number of restarts.

use std::{
    sync::{
        PoisonError, RwLock,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use serde_json::{Map, Value};

use crate::session::{Caller as _, Ending, Endpoint, OpenError, Options, Session, Transcript};

/// A call to make before probing, such as "open this workspace".
#[derive(Debug, Clone, PartialEq)]
pub struct Setup {
    /// The tool.
    pub tool: String,
    /// Its arguments.
    pub arguments: Map<String, Value>,
}

/// A target that ends more often than this is not worth another start.
const RESTARTS: usize = 12;

/// How long answers may still come once the run is to end. The longest call may take far longer.
const GRACE: Duration = Duration::from_secs(5);

/// How often it is looked whether the run is to end.
const LOOK: Duration = Duration::from_millis(100);

/// The conversation with the target, across restarts.
#[derive(Debug)]
pub(super) struct Conversation {
    endpoint: Endpoint,
    options: Options,
    setup: Vec<Setup>,
    deadline: Duration,
    transcript: Transcript,
    current: RwLock<Session>,
    restarts: AtomicUsize,
}

impl Conversation {
    /// Opens a session. The set-up calls are made by [`prepare`](Self::prepare).
    pub(super) async fn open(
        endpoint: Endpoint,
        options: Options,
        setup: Vec<Setup>,
        deadline: Duration,
        transcript: Transcript,
    ) -> Result<Self, OpenError> {
        let session = Session::open(&endpoint, &options, transcript.clone()).await?;
        Ok(Self {
            endpoint,
            options,
            setup,
            deadline,
            transcript,
            current: RwLock::new(session),
            restarts: AtomicUsize::new(0),
        })
    }

    /// Makes the set-up calls.
    pub(super) async fn prepare(&self) {
        self.set_up(&self.session()).await;
    }

    /// The session as it is now.
    pub(super) fn session(&self) -> Session {
        self.current
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// How the target is launched or reached.
    pub(super) fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }

    /// How often the target was started anew.
    pub(super) fn restarts(&self) -> usize {
        self.restarts.load(Ordering::Relaxed)
    }

    /// Ends what is left of the session and opens a new one. `false` when the target was started
    /// too often already, or does not start any more.
    pub(super) async fn restart(&self) -> bool {
        if self.restarts.fetch_add(1, Ordering::Relaxed) >= RESTARTS {
            return false;
        }
        let old = self.session();
        old.close().await;
        let Ok(session) =
            Session::open(&self.endpoint, &self.options, self.transcript.clone()).await
        else {
            return false;
        };
        self.set_up(&session).await;
        *self.current.write().unwrap_or_else(PoisonError::into_inner) = session;
        true
    }

    /// Waits until the run is to end, and a little longer for the answers that are due; then gives up on all
    /// that have not come. Never returns: a session may be opened anew, and then is hurried too.
    pub(super) async fn hurry_after(&self, stop: &AtomicBool) -> ! {
        let mut asked = None;
        loop {
            tokio::time::sleep(LOOK).await;
            if stop.load(Ordering::Relaxed)
                && asked.get_or_insert_with(Instant::now).elapsed() > GRACE
            {
                self.session().hurry();
            }
        }
    }

    /// Another session beside this one, of a target that is launched otherwise.
    pub(super) async fn beside(&self, endpoint: &Endpoint) -> Result<Session, OpenError> {
        let session = Session::open(endpoint, &self.options, self.transcript.clone()).await?;
        self.set_up(&session).await;
        Ok(session)
    }

    /// Ends the conversation.
    pub(super) async fn close(self) -> Ending {
        self.session().close().await
    }

    async fn set_up(&self, session: &Session) {
        for call in &self.setup {
            session
                .call(&call.tool, call.arguments.clone(), self.deadline)
                .await;
        }
    }
}
