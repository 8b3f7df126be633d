//! Which requests wait for which reply, and what became of each.
//!
//! Owns the correlation of raw replies with requests, for stdio and HTTP alike. The typed client
//! gets lifecycle answers and requests of the target decoded; of a call it only learns that it is
//! over, because its decoding is lossy and costs more than ours. Knows nothing of pipes.

use std::{
    collections::{HashMap, HashSet},
    ops::ControlFlow,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Instant,
};

use rmcp::model::{
    ClientJsonRpcMessage, ClientRequest, DiscoverResult, ErrorCode, ErrorData, InitializeResult,
    ProtocolVersion, RequestId, ServerJsonRpcMessage, ServerResult,
};
use serde_json::{Value, json};
use tokio::sync::{oneshot, watch};

use super::{
    Death, Direction, Limits, Noise, NoiseKind, Outcome, Transcript,
    frame::{self, Frame},
    noise::NoiseLog,
};

/// Requests of the target that may await our answer at the same time.
const UNANSWERED: usize = 256;
/// Ids of abandoned requests that are remembered, to tell a late reply from an invented one.
const ABANDONED: usize = 4096;

/// What came back for one request.
#[derive(Debug)]
pub(super) struct Reply {
    pub(super) outcome: Outcome,
    pub(super) raw: Arc<[u8]>,
    pub(super) at: Instant,
}

/// The answer to `initialize` or `server/discover`, as it came.
#[derive(Debug, Clone)]
pub(super) struct Hello {
    pub(super) outcome: Outcome,
    pub(super) raw: Arc<[u8]>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Initialize,
    Discover,
    /// The typed client derives the `Mcp-Param-*` headers of later calls from the tool list.
    ToolList,
    Call,
}

#[derive(Debug)]
struct Slot {
    kind: Kind,
    waiter: Option<oneshot::Sender<Reply>>,
    reply: Option<Reply>,
}

#[derive(Debug, Default)]
struct State {
    slots: HashMap<i64, Slot>,
    abandoned: HashSet<i64>,
    hello: Option<Hello>,
    unanswered: usize,
}

/// The board of one session.
#[derive(Debug)]
pub(super) struct Board {
    state: Mutex<State>,
    noise: Mutex<NoiseLog>,
    death: watch::Sender<Option<Death>>,
    hurry: watch::Sender<bool>,
    received: AtomicU64,
    offers_roots: bool,
    pub(super) transcript: Transcript,
    pub(super) limits: Limits,
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Board {
    pub(super) fn new(transcript: Transcript, limits: Limits, offers_roots: bool) -> Self {
        Board {
            state: Mutex::default(),
            noise: Mutex::default(),
            death: watch::Sender::new(None),
            hurry: watch::Sender::new(false),
            received: AtomicU64::new(0),
            offers_roots,
            transcript,
            limits,
        }
    }

    /// Notes that a message is about to be sent. A request has its slot before its first byte
    /// leaves, so that no reply can come too early.
    pub(super) fn sending(&self, message: &ClientJsonRpcMessage) -> Option<i64> {
        match message {
            ClientJsonRpcMessage::Request(request) => {
                let RequestId::Number(number) = request.id else {
                    return None;
                };
                let kind = match &request.request {
                    ClientRequest::InitializeRequest(_) => Kind::Initialize,
                    ClientRequest::DiscoverRequest(_) => Kind::Discover,
                    ClientRequest::CustomRequest(custom) if custom.method == "tools/list" => {
                        Kind::ToolList
                    }
                    _ => Kind::Call,
                };
                let mut state = locked(&self.state);
                state
                    .slots
                    .entry(number)
                    .or_insert_with(|| Slot {
                        kind,
                        waiter: None,
                        reply: None,
                    })
                    .kind = kind;
                Some(number)
            }
            ClientJsonRpcMessage::Response(_) | ClientJsonRpcMessage::Error(_) => {
                let mut state = locked(&self.state);
                state.unanswered = state.unanswered.saturating_sub(1);
                None
            }
            ClientJsonRpcMessage::Notification(_) => None,
        }
    }

    /// Waits for the reply to the request with this number.
    pub(super) fn claim(&self, number: i64) -> oneshot::Receiver<Reply> {
        let (waiter, reply) = oneshot::channel();
        let mut state = locked(&self.state);
        let answered = state
            .slots
            .get_mut(&number)
            .and_then(|slot| slot.reply.take());
        if let Some(answer) = answered {
            state.slots.remove(&number);
            let _receiver_is_held = waiter.send(answer);
        } else if let Some(why) = self.dead() {
            state.slots.remove(&number);
            let _receiver_is_held = waiter.send(Reply {
                outcome: Outcome::Died(why.to_string()),
                raw: Arc::default(),
                at: Instant::now(),
            });
        } else {
            state
                .slots
                .entry(number)
                .or_insert(Slot {
                    kind: Kind::Call,
                    waiter: None,
                    reply: None,
                })
                .waiter = Some(waiter);
        }
        reply
    }

    /// Gives up waiting.
    pub(super) fn abandon(&self, number: i64) {
        let mut state = locked(&self.state);
        state.slots.remove(&number);
        if state.abandoned.len() < ABANDONED {
            state.abandoned.insert(number);
        }
    }

    /// Settles a request whatever the target may still say.
    pub(super) fn settle(&self, number: i64, outcome: Outcome, raw: Arc<[u8]>) {
        let mut state = locked(&self.state);
        let Some(slot) = state.slots.get_mut(&number) else {
            return;
        };
        if matches!(slot.kind, Kind::Initialize | Kind::Discover) {
            state.slots.remove(&number);
            state.hello = Some(Hello { outcome, raw });
            return;
        }
        let reply = Reply {
            outcome,
            raw,
            at: Instant::now(),
        };
        match slot.waiter.take() {
            Some(waiter) => {
                state.slots.remove(&number);
                let _caller_may_have_left = waiter.send(reply);
            }
            None => slot.reply = Some(reply),
        }
    }

    /// Whether the request with this number still waits for its reply.
    pub(super) fn awaits(&self, number: i64) -> bool {
        locked(&self.state)
            .slots
            .get(&number)
            .is_some_and(|slot| slot.reply.is_none())
    }

    /// Declares the conversation over: all calls in flight, and all later ones, end with `why`.
    /// Only the first reason counts.
    pub(super) fn die(&self, why: Death) {
        let first = self.death.send_if_modified(|death| {
            let first = death.is_none();
            if first {
                *death = Some(why.clone());
            }
            first
        });
        if !first {
            return;
        }
        let mut state = locked(&self.state);
        for slot in state.slots.values_mut() {
            let reply = Reply {
                outcome: Outcome::Died(why.to_string()),
                raw: Arc::default(),
                at: Instant::now(),
            };
            match slot.waiter.take() {
                Some(waiter) => {
                    let _caller_may_have_left = waiter.send(reply);
                }
                None if slot.reply.is_none() => slot.reply = Some(reply),
                None => {}
            }
        }
        state.slots.retain(|_, slot| slot.reply.is_some());
    }

    /// Why the conversation is over, if it is.
    pub(super) fn dead(&self) -> Option<Death> {
        self.death.borrow().clone()
    }

    /// Waits until the conversation is over.
    pub(super) async fn death(&self) -> Death {
        let mut death = self.death.subscribe();
        loop {
            if let Some(why) = death.borrow_and_update().clone() {
                return why;
            }
            // Cannot fail: the sender lives as long as the board.
            let _changed = death.changed().await;
        }
    }

    /// Ends the patience with all calls in flight, and with all later ones.
    pub(super) fn hurry(&self) {
        self.hurry.send_replace(true);
    }

    /// Waits until there is no patience any more.
    pub(super) async fn hurried(&self) {
        let mut hurry = self.hurry.subscribe();
        // Cannot fail: the sender lives as long as the board.
        let _hurried = hurry.wait_for(|hurry| *hurry).await;
    }

    /// The answer to the last lifecycle request.
    pub(super) fn hello(&self) -> Option<Hello> {
        locked(&self.state).hello.clone()
    }

    /// Forgets the answer, before another lifecycle is tried.
    pub(super) fn forget_hello(&self) {
        locked(&self.state).hello = None;
    }

    pub(super) fn note(&self, kind: NoiseKind, bytes: &[u8]) {
        locked(&self.noise).add(kind, bytes);
    }

    pub(super) fn noise(&self) -> Vec<Noise> {
        locked(&self.noise).all()
    }

    pub(super) fn first_noise(&self, kind: NoiseKind) -> Option<String> {
        locked(&self.noise).first(kind).map(str::to_owned)
    }

    /// Counts bytes that the target sent. When they exceed the total of the session, the
    /// conversation is over, and the answer `false`.
    pub(super) fn count(&self, bytes: usize) -> bool {
        let bytes = bytes as u64;
        let within = self.received.fetch_add(bytes, Ordering::Relaxed) + bytes <= self.limits.total;
        if !within {
            self.die(Death::TooMuch(self.limits.total));
        }
        within
    }

    /// Keeps received bytes and shows them to the listeners.
    pub(super) fn tap(&self, bytes: Arc<[u8]>, partial: bool) {
        self.transcript.push(Direction::Received, bytes, partial);
    }

    /// Settles the request that an over-long line answers, if its edges tell which.
    pub(super) fn overlong(&self, head: &[u8], tail: &[u8]) -> Option<ServerJsonRpcMessage> {
        self.note(NoiseKind::OverLong, head);
        let number = frame::number_at_edges(head, tail)?;
        if !self.awaits(number) {
            return None;
        }
        self.settle(number, Outcome::Undecodable, head.into());
        Some(over(number))
    }

    /// Takes a whole line or body and gives out what the typed client has to know of it.
    pub(super) fn receive(&self, raw: &Arc<[u8]>, mut give: impl FnMut(ServerJsonRpcMessage)) {
        let at = Instant::now();
        let text = String::from_utf8_lossy(raw);
        let text = text.trim_start_matches('\u{feff}').trim_ascii();
        if text.is_empty() {
            return;
        }
        let whole = Frame::each(text, |item| -> ControlFlow<()> {
            let Some(frame) = Frame::read(item) else {
                self.note(NoiseKind::NotJsonRpc, item.as_bytes());
                return ControlFlow::Continue(());
            };
            let message = match &frame.method {
                Some(method) => self.request(method, &frame, item),
                None => self.reply(&frame, item, raw, at),
            };
            if let Some(message) = message {
                give(message);
            }
            ControlFlow::Continue(())
        });
        debug_assert!(whole.is_continue(), "the visitor never breaks");
    }

    /// Takes a body which answers the request with this number though it carries another id.
    pub(super) fn receive_as(&self, number: i64, raw: &Arc<[u8]>) -> Option<ServerJsonRpcMessage> {
        let text = String::from_utf8_lossy(raw);
        let frame = Frame::read(text.trim_ascii())?;
        let kind = locked(&self.state).slots.get(&number)?.kind;
        if frame.method.is_some() {
            return None;
        }
        let outcome = frame.outcome(self.limits.depth);
        let message = match kind {
            Kind::Initialize | Kind::Discover => self.greeting(number, kind, &outcome),
            Kind::ToolList | Kind::Call => over(number),
        };
        self.settle(number, outcome, Arc::clone(raw));
        Some(message)
    }

    fn request(&self, method: &str, frame: &Frame<'_>, text: &str) -> Option<ServerJsonRpcMessage> {
        // Notifications are in the transcript; the typed client would spawn a task for each.
        frame.id?;
        match method {
            "initialize" | "server/discover" => {
                self.note(NoiseKind::NotJsonRpc, text.as_bytes());
                return None;
            }
            "roots/list" if self.offers_roots => {}
            "roots/list" | "sampling/createMessage" | "elicitation/create" => {
                self.note(NoiseKind::UnadvertisedRequest, text.as_bytes());
            }
            _ => {}
        }
        let Ok(message) = serde_json::from_str(text) else {
            self.note(NoiseKind::NotJsonRpc, text.as_bytes());
            return None;
        };
        let mut state = locked(&self.state);
        if state.unanswered >= UNANSWERED {
            drop(state);
            self.note(NoiseKind::RequestFlood, text.as_bytes());
            return None;
        }
        state.unanswered += 1;
        Some(message)
    }

    fn reply(
        &self,
        frame: &Frame<'_>,
        text: &str,
        raw: &Arc<[u8]>,
        at: Instant,
    ) -> Option<ServerJsonRpcMessage> {
        let number = frame.number().or_else(|| self.greeted_anonymously(frame));
        let kind = number.and_then(|number| {
            let state = locked(&self.state);
            let slot = state.slots.get(&number)?;
            slot.reply.is_none().then_some(slot.kind)
        });
        let (Some(number), Some(kind)) = (number, kind) else {
            let late = number.is_some_and(|number| locked(&self.state).abandoned.remove(&number));
            let kind = if late {
                NoiseKind::LateReply
            } else {
                NoiseKind::UnknownId
            };
            self.note(kind, text.as_bytes());
            return None;
        };
        let outcome = frame.outcome(self.limits.depth);
        let message = match kind {
            Kind::Initialize | Kind::Discover => self.greeting(number, kind, &outcome),
            Kind::ToolList => serde_json::from_str(text)
                .ok()
                .filter(|message| matches!(message, ServerJsonRpcMessage::Response(_)))
                .unwrap_or_else(|| over(number)),
            Kind::Call => over(number),
        };
        let raw = if text.len() == raw.len() {
            Arc::clone(raw)
        } else {
            text.as_bytes().into()
        };
        let mut state = locked(&self.state);
        if matches!(kind, Kind::Initialize | Kind::Discover) {
            state.slots.remove(&number);
            state.hello = Some(Hello { outcome, raw });
            return Some(message);
        }
        let slot = state.slots.get_mut(&number)?;
        let reply = Reply { outcome, raw, at };
        match slot.waiter.take() {
            Some(waiter) => {
                state.slots.remove(&number);
                drop(state);
                let _caller_may_have_left = waiter.send(reply);
            }
            None => slot.reply = Some(reply),
        }
        Some(message)
    }

    /// A server that could not read the first request answers it with `id: null`. Then there is
    /// one request only, so the answer is to it; later such errors belong to nobody.
    fn greeted_anonymously(&self, frame: &Frame<'_>) -> Option<i64> {
        if !frame.anonymous() {
            return None;
        }
        let state = locked(&self.state);
        state
            .slots
            .iter()
            .find(|(_, slot)| matches!(slot.kind, Kind::Initialize | Kind::Discover))
            .map(|(number, _)| *number)
    }

    /// The lifecycle answer for the typed client, mended where a server left members out: that is
    /// noted, but it does not keep us from testing the server's boundaries.
    fn greeting(&self, number: i64, kind: Kind, outcome: &Outcome) -> ServerJsonRpcMessage {
        let id = RequestId::Number(number);
        match outcome {
            Outcome::Result(value) => match mended(kind, value) {
                Some((result, whole)) => {
                    if !whole {
                        self.note(NoiseKind::BrokenHandshake, value.to_string().as_bytes());
                    }
                    ServerJsonRpcMessage::response(result, id)
                }
                None => refusal(id, "an answer of unknown shape"),
            },
            Outcome::Error { code, message } => {
                let code = code.and_then(|code| i32::try_from(code).ok()).unwrap_or(0);
                ServerJsonRpcMessage::error(
                    ErrorData::new(ErrorCode(code), message.clone(), None),
                    Some(id),
                )
            }
            _ => refusal(id, "an undecodable answer"),
        }
    }
}

fn refusal(id: RequestId, why: &'static str) -> ServerJsonRpcMessage {
    ServerJsonRpcMessage::error(ErrorData::new(ErrorCode(0), why, None), Some(id))
}

/// Tells the typed client that a request is over.
pub(super) fn over(number: i64) -> ServerJsonRpcMessage {
    ServerJsonRpcMessage::response(ServerResult::empty(()), RequestId::Number(number))
}

fn mended(kind: Kind, value: &Value) -> Option<(ServerResult, bool)> {
    let mut members = value.as_object()?.clone();
    let before = members.len();
    for (name, default) in [
        ("capabilities", json!({})),
        ("serverInfo", json!({ "name": "", "version": "" })),
    ] {
        members.entry(name).or_insert(default);
    }
    if kind == Kind::Discover {
        let whole = members.len() == before;
        let result: DiscoverResult = serde_json::from_value(Value::Object(members)).ok()?;
        return Some((ServerResult::DiscoverResult(result), whole));
    }
    members
        .entry("protocolVersion")
        .or_insert_with(|| json!(ProtocolVersion::LATEST_WITH_INITIALIZE));
    let whole = members.len() == before;
    let mut result: InitializeResult = serde_json::from_value(Value::Object(members)).ok()?;
    // A server that echoes any version would put the typed client into the stateless era.
    if !result.protocol_version.has_initialize() {
        result.protocol_version = ProtocolVersion::LATEST_WITH_INITIALIZE;
    }
    Some((ServerResult::InitializeResult(result), whole))
}
