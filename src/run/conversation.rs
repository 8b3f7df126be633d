//! The session of a run, restarted when the target ends.
//!
//! Owns launching with the set-up calls of the configuration, and the number of restarts.

use std::{
    sync::{
        PoisonError, RwLock,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
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
    /// Opens a session and makes the set-up calls.
    pub(super) async fn open(
        endpoint: Endpoint,
        options: Options,
        setup: Vec<Setup>,
        deadline: Duration,
        transcript: Transcript,
    ) -> Result<Self, OpenError> {
        let session = Session::open(&endpoint, &options, transcript.clone()).await?;
        let conversation = Self {
            endpoint,
            options,
            setup,
            deadline,
            transcript,
            current: RwLock::new(session),
            restarts: AtomicUsize::new(0),
        };
        conversation.set_up(&conversation.session()).await;
        Ok(conversation)
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
