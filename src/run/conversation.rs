//! The session of a run, restarted when the target ends.
//!
//! Owns launching with the set-up calls of the configuration, and the number of restarts.

use std::{
    path::PathBuf,
    sync::{
        PoisonError, RwLock,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use serde_json::{Map, Value};

use super::{Order, RunError};
use crate::{
    session::{
        Caller as _, Ending, Endpoint, OpenError, Options, Outcome, Session, Transcript, printable,
    },
    testbed::{Bed, View},
};

/// A call to make before probing, such as "open this workspace".
#[derive(Debug, Clone, PartialEq)]
pub struct Setup {
    /// The tool.
    pub tool: String,
    /// Its arguments.
    pub arguments: Map<String, Value>,
}

/// A target that ends more often than this is not worth another start. One that dies of each payload of a family is.
const RESTARTS: usize = 48;

/// How long answers may still come once the run is to end. The longest call may take far longer.
const GRACE: Duration = Duration::from_secs(5);

/// Characters of a refusal that are told.
const TOLD: usize = 300;

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
    view: View,
    server_at: usize,
    current: RwLock<Session>,
    restarts: AtomicUsize,
}

impl Conversation {
    /// Opens a session. The set-up calls are made by [`prepare`](Self::prepare).
    pub(super) async fn open(order: &Order<'_>) -> Result<Self, OpenError> {
        let (endpoint, transcript) = (&order.endpoint, &order.transcript);
        let view = View::new(order.maps.clone());
        let mut options = order.options.clone();
        let mut session = Session::open(endpoint, &options, transcript.clone()).await?;
        view.attach(session.serving());
        // Which roots are to be told is known only now.
        let roots = options.roots.as_ref().map(|roots| {
            let told =
                |root: &PathBuf| PathBuf::from(told(order.bed, &view, &root.to_string_lossy()));
            roots.iter().map(told).collect::<Vec<_>>()
        });
        if roots != options.roots {
            options.roots = roots;
            session.close().await;
            session = Session::open(endpoint, &options, transcript.clone()).await?;
            view.attach(session.serving());
        }
        let mut setup = order.setup.clone();
        for call in &mut setup {
            call.arguments = told_arguments(order.bed, &view, &call.arguments);
        }
        Ok(Self {
            endpoint: endpoint.clone(),
            options,
            setup,
            deadline: order.deadline,
            transcript: transcript.clone(),
            view,
            server_at: order.server_at.unwrap_or_default(),
            current: RwLock::new(session),
            restarts: AtomicUsize::new(0),
        })
    }

    /// Makes the set-up calls.
    ///
    /// # Errors
    /// When one of them is refused, or not answered.
    pub(super) async fn prepare(&self) -> Result<(), RunError> {
        self.set_up(&self.session()).await
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

    /// Whether it was started too often already.
    pub(super) fn is_spent(&self) -> bool {
        self.restarts() >= RESTARTS
    }

    /// Ends what is left of the session and opens a new one. `false` when the target was started
    /// too often already, or does not start any more.
    pub(super) async fn restart(&self) -> bool {
        if self.is_spent() {
            return false;
        }
        self.restarts.fetch_add(1, Ordering::Relaxed);
        let old = self.session();
        old.close().await;
        let Ok(session) =
            Session::open(&self.endpoint, &self.options, self.transcript.clone()).await
        else {
            return false;
        };
        self.view.attach(session.serving());
        // It was made before; what it is worth now, the controls tell.
        let _again = self.set_up(&session).await;
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

    /// Another session beside this one, of a target that is launched otherwise, and how that one sees
    /// the disk.
    pub(super) async fn beside(&self, endpoint: &Endpoint) -> Result<(Session, View), OpenError> {
        let session = Session::open(endpoint, &self.options, self.transcript.clone()).await?;
        let view = self.view.beside(session.serving());
        let _again = self.set_up(&session).await;
        Ok((session, view))
    }

    /// The first argument of the command that is the server's own.
    pub(super) fn server_at(&self) -> usize {
        self.server_at
    }

    /// How the target sees the disk.
    pub(super) fn view(&self) -> &View {
        &self.view
    }

    /// Ends the conversation.
    pub(super) async fn close(self) -> Ending {
        self.session().close().await
    }

    async fn set_up(&self, session: &Session) -> Result<(), RunError> {
        for call in &self.setup {
            let arguments = call.arguments.clone();
            let made = session.call(&call.tool, arguments, self.deadline).await;
            if made.outcome.is_error() || !matches!(made.outcome, Outcome::Result(_)) {
                return Err(RunError::SetUp {
                    tool: call.tool.clone(),
                    why: printable(made.outcome.text().as_bytes(), TOLD),
                });
            }
        }
        Ok(())
    }
}

/// A text with the directories of the run as the target has them.
pub(super) fn told(bed: &Bed, view: &View, text: &str) -> String {
    let mut told = text.to_owned();
    for place in [&bed.allowed, &bed.denied, &bed.outside, &bed.home, &bed.tmp] {
        let inside = view.shown(place);
        if inside != *place {
            told = told.replace(&*place.to_string_lossy(), &inside.to_string_lossy());
        }
    }
    told
}

/// The same for the texts of arguments.
pub(super) fn told_arguments(
    bed: &Bed,
    view: &View,
    arguments: &Map<String, Value>,
) -> Map<String, Value> {
    fn value(bed: &Bed, view: &View, old: &Value) -> Value {
        match old {
            Value::String(text) => Value::String(told(bed, view, text)),
            Value::Array(items) => items.iter().map(|item| value(bed, view, item)).collect(),
            Value::Object(members) => Value::Object(told_arguments(bed, view, members)),
            other => other.clone(),
        }
    }
    let mut made = arguments.clone();
    if !view.is_same() {
        for member in made.values_mut() {
            *member = value(bed, view, member);
        }
    }
    made
}
