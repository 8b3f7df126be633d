//! The session: calls, what is known of the other side, and the end.
//!
//! Owns deadlines and cancellation. Opening, correlation and processes are done elsewhere.

use std::{
    fmt,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use rmcp::{
    RoleClient,
    model::{
        CancelledNotification, CancelledNotificationParam, ClientNotification, ClientRequest,
        CustomRequest, RequestId,
    },
    service::{Peer, PeerRequestOptions, RunningService, ServiceError},
};
use serde_json::Value;

use super::{
    Bounds, Burden, Caller, Death, Endpoint, Era, Exchange, Member, Noise, NoiseKind, OpenError,
    Options, Outcome, Transcript,
    board::Board,
    handler::Handler,
    link::Link,
    open::{self, Opened},
    served, serving,
};

/// What the target says of itself, as it says it. Attacker-controlled text: escape before showing.
#[derive(Debug, Clone, PartialEq)]
pub struct ServerInfo {
    /// `serverInfo.name`.
    pub name: String,
    /// `serverInfo.version`.
    pub version: String,
    /// The revision that was agreed on; whatever the target answered in the handshake era.
    pub protocol: String,
    /// The lifecycle in use; never [`Era::Auto`].
    pub era: Era,
    /// `capabilities` as advertised.
    pub capabilities: Value,
    /// `instructions`, if any.
    pub instructions: Option<String>,
    /// Time from launch (or first request) to the answer.
    pub startup: Duration,
}

/// Whether the target can still be talked to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Health {
    /// As far as we know.
    Alive,
    /// No more, and why.
    Died(String),
}

/// How a session ended.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Ending {
    /// Exit status or signal of the launched command; `None` over HTTP, or if it is not known.
    pub status: Option<String>,
    /// Processes that did not end with their input and had to be ended by a signal.
    pub killed: Vec<u32>,
    /// Processes that still live because we may not signal them (another user's).
    pub survivors: Vec<u32>,
}

/// A conversation with a target. Clones share it; many calls may be in flight at once.
#[derive(Clone)]
pub struct Session(Arc<Inner>);

struct Inner {
    peer: Peer<RoleClient>,
    running: Mutex<Option<RunningService<RoleClient, Handler>>>,
    board: Arc<Board>,
    link: Option<Arc<Link>>,
    base: i64,
    url: Option<String>,
    info: ServerInfo,
    next: AtomicU64,
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Session")
            .field("info", &self.0.info)
            .field("health", &self.health())
            .finish_non_exhaustive()
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        // Without `close` there is no grace, but there are no survivors either.
        if let Some(link) = &self.link {
            self.board.die(Death::Closed);
            link.kill();
        }
    }
}

impl Session {
    /// Launches or connects to the target and performs the lifecycle. Needs a tokio runtime with
    /// its I/O and time drivers.
    ///
    /// # Errors
    /// See [`OpenError`]; nothing that was launched is left running.
    pub async fn open(
        endpoint: &Endpoint,
        options: &Options,
        transcript: Transcript,
    ) -> Result<Self, OpenError> {
        let Opened {
            running,
            board,
            link,
            base,
            info,
        } = match endpoint {
            Endpoint::Stdio(launch) => match &launch.serves {
                Some(at) => served::open(launch, at, options, transcript).await?,
                None => {
                    let start = |board| Link::spawn(launch, board);
                    open::stdio(start, &launch.program, options, transcript).await?
                }
            },
            Endpoint::Inside(inside) => {
                let start = |board| Link::inside(inside, board);
                open::stdio(start, "the server in this process", options, transcript).await?
            }
            Endpoint::Http(endpoint) => open::http(endpoint, options, transcript).await?,
        };
        Ok(Session(Arc::new(Inner {
            peer: running.peer().clone(),
            running: Mutex::new(Some(running)),
            board,
            link,
            base,
            url: match endpoint {
                Endpoint::Http(endpoint) => Some(endpoint.url.clone()),
                Endpoint::Stdio(launch) => launch.serves.as_ref().map(|at| at.url.clone()),
                Endpoint::Inside(_) => None,
            },
            info,
            next: AtomicU64::new(0),
        })))
    }

    /// What the target says of itself.
    #[must_use]
    pub fn info(&self) -> &ServerInfo {
        &self.0.info
    }

    /// The pid of the launched command; `None` where there is none.
    #[must_use]
    pub fn pid(&self) -> Option<u32> {
        self.0.link.as_ref()?.pid
    }

    /// The process that really serves, behind whatever wraps it.
    ///
    /// # Errors
    /// Why it is not known, in words.
    pub fn serving(&self) -> Result<u32, String> {
        match (&self.0.link, &self.0.url) {
            (Some(link), _) => link.serving(),
            (None, Some(url)) => serving::listening(url),
            (None, None) => Err(String::from("it was not launched")),
        }
    }

    /// What the processes of the target take of the machine now; `None` over HTTP, and where it
    /// cannot be told.
    #[must_use]
    pub fn burden(&self) -> Option<Burden> {
        self.0.link.as_ref()?.burden()
    }

    /// Limits the processes of the target, and those that they start from now on. Says how many
    /// could be limited.
    pub fn bound(&self, bounds: Bounds) -> usize {
        self.0.link.as_ref().map_or(0, |link| link.bound(bounds))
    }

    /// Sends bytes as they are, whether or not they are a message. Nothing answers them here.
    ///
    /// # Errors
    /// When the target has ended, or is spoken to over HTTP.
    pub async fn send_raw(&self, bytes: Vec<u8>) -> std::io::Result<()> {
        match &self.0.link {
            Some(link) if self.0.url.is_none() => link.raw(bytes).await,
            _ => Err(std::io::ErrorKind::Unsupported.into()),
        }
    }

    /// Ends all processes of the target at once.
    pub fn kill(&self) {
        if let Some(link) = &self.0.link {
            link.kill();
        }
    }

    /// The living processes that the target consists of, the launched command among them if it
    /// lives; empty over HTTP, and where trees of processes cannot be seen.
    #[must_use]
    pub fn processes(&self) -> Vec<Member> {
        self.0
            .link
            .as_ref()
            .map_or_else(Vec::new, |link| link.members())
    }

    /// Whether the target can still be talked to.
    #[must_use]
    pub fn health(&self) -> Health {
        self.0
            .board
            .dead()
            .map_or(Health::Alive, |why| Health::Died(why.to_string()))
    }

    /// Gives up waiting for all answers that are still due, as if their deadlines had passed: those of
    /// calls in flight, and of later ones.
    pub fn hurry(&self) {
        self.0.board.hurry();
    }

    /// What came that was no part of the conversation.
    #[must_use]
    pub fn noise(&self) -> Vec<Noise> {
        self.0.board.noise()
    }

    /// The last lines of the target's standard error, escaped; empty over HTTP.
    #[must_use]
    pub fn stderr(&self) -> Vec<String> {
        self.0
            .link
            .as_ref()
            .map_or_else(Vec::new, |link| link.stderr().0)
    }

    /// The transcript that the session writes.
    #[must_use]
    pub fn transcript(&self) -> &Transcript {
        &self.0.board.transcript
    }

    pub(super) fn note(&self, kind: NoiseKind, bytes: &[u8]) {
        self.0.board.note(kind, bytes);
    }

    /// Ends the conversation, and every process that the target started. Calls in flight, and
    /// later calls on other clones, end as died.
    pub async fn close(self) -> Ending {
        let inner = &self.0;
        let running = inner
            .running
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        let grace = inner.board.limits.close;
        let by_input = inner.url.is_none();
        let Some(link) = &inner.link else {
            if let Some(mut running) = running {
                // Gives rmcp the time to delete the session on the server, but no more.
                let _ended = running.close_with_timeout(grace).await;
            }
            inner.board.die(Death::Closed);
            return Ending::default();
        };
        drop(running);
        match by_input {
            true => link.end(grace).await,
            // The end of its input is nothing to a server of HTTP.
            false => link.terminate(grace).await,
        }
    }

    /// Ends the conversation by `SIGTERM` to the launched command, with its input still open. What
    /// has not ended when `grace` is over is ended, and named. Over HTTP it only closes.
    pub async fn terminate(self, grace: Duration) -> Ending {
        match &self.0.link {
            Some(link) => link.terminate(grace).await,
            None => self.close().await,
        }
    }
}

/// Tells the target when nobody waits for its reply any more, be it for a deadline or because
/// the caller was dropped.
struct InFlight<'a> {
    session: &'a Inner,
    id: RequestId,
    number: i64,
    settled: bool,
}

impl Drop for InFlight<'_> {
    fn drop(&mut self) {
        if self.settled {
            return;
        }
        self.session.board.abandon(self.number);
        if self.session.board.dead().is_some() {
            return;
        }
        let peer = self.session.peer.clone();
        let notification = CancelledNotification::new(CancelledNotificationParam::new(
            Some(self.id.clone()),
            Some("deadline passed".into()),
        ));
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            runtime.spawn(async move {
                // The target may have ended meanwhile.
                let _sent = peer
                    .send_notification(ClientNotification::CancelledNotification(notification))
                    .await;
            });
        }
    }
}

impl Inner {
    async fn ask(&self, method: &str, params: &Value, deadline: Duration) -> (String, Answer) {
        let began = Instant::now();
        let until = (began + deadline).into();
        let params = (!params.is_null()).then(|| params.clone());
        let request = ClientRequest::CustomRequest(CustomRequest::new(method, params));
        let queued = self
            .peer
            .send_request_with_option(request, PeerRequestOptions::no_options());
        let handle = match tokio::time::timeout_at(until, queued).await {
            Ok(Ok(handle)) => handle,
            Ok(Err(error)) => return (String::new(), self.unsent(&error, began).await),
            Err(_) => return (String::new(), Answer::bare(Outcome::Timeout, began)),
        };
        let RequestId::Number(sent) = handle.id else {
            unreachable!("rmcp numbers its requests");
        };
        let number = sent + self.base;
        let reply = self.board.claim(number);
        let mut flight = InFlight {
            session: self,
            id: handle.id.clone(),
            number,
            settled: false,
        };
        let patience = async {
            tokio::select! {
                () = tokio::time::sleep_until(until) => {}
                () = self.board.hurried() => {}
            }
        };
        let answer = tokio::select! {
            biased;
            reply = reply => Some(reply),
            () = patience => None,
        };
        let answer = match answer {
            Some(Ok(reply)) => {
                flight.settled = true;
                Answer {
                    took: reply.at.saturating_duration_since(began),
                    outcome: reply.outcome,
                    raw: reply.raw,
                }
            }
            Some(Err(_)) => {
                flight.settled = true;
                Answer::bare(Outcome::Died(self.reason()), began)
            }
            None => Answer::bare(Outcome::Timeout, began),
        };
        (number.to_string(), answer)
    }

    fn reason(&self) -> String {
        self.board
            .dead()
            .map_or_else(|| "the conversation ended".into(), |why| why.to_string())
    }

    async fn unsent(&self, error: &ServiceError, began: Instant) -> Answer {
        if !matches!(error, ServiceError::TransportClosed) {
            return Answer::bare(Outcome::SendFailed(error.to_string()), began);
        }
        // rmcp notices the end of the pipe before the status of the process is known.
        let why = tokio::time::timeout(Duration::from_secs(1), self.board.death()).await;
        let why = why.map_or_else(|_| self.reason(), |why| why.to_string());
        Answer::bare(Outcome::Died(why), began)
    }
}

struct Answer {
    outcome: Outcome,
    raw: Arc<[u8]>,
    took: Duration,
}

impl Answer {
    fn bare(outcome: Outcome, began: Instant) -> Self {
        Answer {
            outcome,
            raw: Arc::default(),
            took: began.elapsed(),
        }
    }
}

impl Caller for Session {
    /// Parameters must be an object or null; anything else cannot be sent through the typed
    /// client and is left out. A result of type `input_required` is given back as it is.
    async fn request(&self, method: &str, params: Value, deadline: Duration) -> Exchange {
        let number = self.0.next.fetch_add(1, Ordering::Relaxed);
        let (id, answer) = self.0.ask(method, &params, deadline).await;
        Exchange {
            number,
            id,
            method: method.to_owned(),
            params,
            outcome: answer.outcome,
            raw: answer.raw,
            took: answer.took,
        }
    }
}
