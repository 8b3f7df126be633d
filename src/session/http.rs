//! Streamable HTTP with every byte kept.
//!
//! Owns the requests, and what their responses are: rmcp's own reqwest client decodes bodies
//! before anybody has seen them, and drops those that it cannot decode. Here heads, bodies and
//! event streams reach the transcript and the board first. A POST correlates its answer even
//! when the id in it is wrong or missing. Knows nothing of lifecycles.

use std::{
    borrow::Cow,
    collections::HashMap,
    fmt::Write as _,
    io,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use futures::{StreamExt, stream::BoxStream};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use rmcp::{
    model::{ClientJsonRpcMessage, ServerJsonRpcMessage},
    transport::{
        common::client_side_sse::NeverRetry,
        streamable_http_client::{
            SseError, StreamableHttpClient, StreamableHttpClientTransportConfig,
            StreamableHttpError, StreamableHttpPostResponse,
        },
    },
};
use sse_stream::{Sse, SseStream};

use super::{
    Direction, HttpEndpoint, Outcome,
    board::{Board, over},
    error::OpenError,
    lines::{Lines, Piece},
    printable,
};

/// Characters of a body that messages show.
const SHOWN: usize = 200;
const SESSION: &str = "mcp-session-id";

/// What the first request met that was no answer.
#[derive(Debug, Clone)]
pub(super) enum Failure {
    Unreachable(String),
    Status { status: u16, body: String },
    ContentType { content_type: String, body: String },
}

/// rmcp's HTTP client, tapped.
#[derive(Debug, Clone)]
pub(super) struct TappedClient {
    http: reqwest::Client,
    board: Arc<Board>,
    failure: Arc<Mutex<Option<Failure>>>,
}

type Error = StreamableHttpError<reqwest::Error>;

/// The transport settings for an endpoint.
pub(super) fn config(
    endpoint: &HttpEndpoint,
    limit: usize,
) -> Result<StreamableHttpClientTransportConfig, OpenError> {
    let bad = |what: String| OpenError::BadOption(what);
    let url = reqwest::Url::parse(&endpoint.url)
        .map_err(|error| bad(format!("`{}` is no URL: {error}", endpoint.url)))?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err(bad(format!(
            "`{}` is no URL of an MCP endpoint: it must begin with http:// or https://",
            endpoint.url
        )));
    }
    let mut headers = HashMap::new();
    for (name, value) in &endpoint.headers {
        let parsed = name
            .parse::<HeaderName>()
            .map_err(|error| bad(format!("`{name}` is no name of a header: {error}")))?;
        if matches!(parsed.as_str(), "accept" | "last-event-id" | SESSION) {
            return Err(bad(format!(
                "the header `{name}` belongs to the protocol and cannot be set"
            )));
        }
        let value = value
            .parse::<HeaderValue>()
            .map_err(|error| bad(format!("the value of header `{name}`: {error}")))?;
        headers.insert(parsed, value);
    }
    let mut config = StreamableHttpClientTransportConfig::with_uri(endpoint.url.as_str())
        .custom_headers(headers)
        // Else rmcp opens a new session after a 404 and sends the call again, unseen.
        .reinit_on_expired_session(false)
        .max_concurrent_requests(64)
        .max_json_response_size(limit)
        .max_sse_event_size(limit);
    if let Some(bearer) = &endpoint.bearer {
        config = config.auth_header(bearer.as_str());
    }
    config.retry_config = Arc::new(NeverRetry::default());
    Ok(config)
}

/// What requests are sent with.
pub(super) fn client() -> Result<reqwest::Client, OpenError> {
    // Whoever came first, a library user included, has chosen.
    let _ = tokio_rustls::rustls::crypto::ring::default_provider().install_default();
    reqwest::Client::builder()
        // A proxy from the environment would swallow requests to loopback targets.
        .no_proxy()
        .redirect(reqwest::redirect::Policy::none())
        .connect_timeout(Duration::from_secs(5))
        .pool_idle_timeout(Duration::from_secs(5))
        .build()
        .map_err(|error| OpenError::BadOption(format!("no HTTP client: {error}")))
}

impl TappedClient {
    pub(super) fn new(board: Arc<Board>) -> Result<Self, OpenError> {
        Ok(TappedClient {
            http: client()?,
            board,
            failure: Arc::default(),
        })
    }

    pub(super) fn failure(&self) -> Option<Failure> {
        self.failure
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    fn fail(&self, failure: Failure) {
        *self.failure.lock().unwrap_or_else(PoisonError::into_inner) = Some(failure);
    }

    fn sent(&self, method: &str, uri: &str, body: &[u8]) {
        let mut bytes = format!("{method} {uri}\r\n").into_bytes();
        bytes.extend_from_slice(body);
        self.board
            .transcript
            .push(Direction::Sent, bytes.into(), false);
    }

    fn head(&self, response: &reqwest::Response) {
        let mut head = format!("{:?} {}\r\n", response.version(), response.status());
        for (name, value) in response.headers() {
            let value = String::from_utf8_lossy(value.as_bytes());
            let _infallible = write!(head, "{name}: {value}\r\n");
        }
        self.board.count(head.len());
        self.board.tap(head.into_bytes().into(), false);
    }

    /// Reads a whole body; the flag says whether it was cut at the limit.
    async fn body(&self, mut response: reqwest::Response) -> Result<(Arc<[u8]>, bool), Error> {
        let limit = self.board.limits.line;
        let mut body = Vec::new();
        let mut cut = false;
        while let Some(chunk) = response.chunk().await.map_err(Error::Client)? {
            if !self.board.count(chunk.len()) {
                cut = true;
                break;
            }
            if cut {
                self.board.tap(chunk.as_ref().into(), true);
            } else {
                body.extend_from_slice(&chunk);
                if body.len() > limit {
                    cut = true;
                    self.board.tap(std::mem::take(&mut body).into(), true);
                }
            }
        }
        let body: Arc<[u8]> = body.into();
        if !body.is_empty() {
            self.board.tap(Arc::clone(&body), false);
        }
        Ok((body, cut))
    }

    fn events(
        &self,
        response: reqwest::Response,
        number: Option<i64>,
    ) -> BoxStream<'static, Result<Sse, SseError>> {
        let board = Arc::clone(&self.board);
        let limit = board.limits.line;
        let since_event = Arc::new(AtomicUsize::new(0));
        let since = Arc::clone(&since_event);
        let mut lines = Lines::new(limit);
        let tapped = Arc::clone(&board);
        let bytes = response.bytes_stream().map(move |chunk| {
            let chunk = chunk.map_err(io::Error::other)?;
            lines.feed(&chunk, |piece| match piece {
                Piece::Line(bytes) | Piece::End { bytes, .. } => tapped.tap(bytes, false),
                Piece::Part(bytes) => tapped.tap(bytes, true),
            });
            if !tapped.count(chunk.len()) {
                return Err(io::Error::other("the limit of the session is exceeded"));
            }
            if since.fetch_add(chunk.len(), Ordering::Relaxed) > limit {
                tapped.note(super::NoiseKind::OverLong, b"an event");
                return Err(io::Error::other("an event exceeds the limit"));
            }
            Ok(chunk)
        });
        let ended = Ended { board, number };
        SseStream::from_bytes_stream(bytes)
            .flat_map(move |event| {
                since_event.store(0, Ordering::Relaxed);
                let event = match event {
                    Ok(event) => event,
                    Err(error) => return futures::stream::iter(vec![Err(error)]),
                };
                let Some(data) = &event.data else {
                    return futures::stream::iter(vec![Ok(event)]);
                };
                let mut messages = Vec::new();
                ended
                    .board
                    .receive(&data.as_bytes().into(), |message| messages.push(message));
                futures::stream::iter(
                    messages
                        .iter()
                        .filter_map(|message| serde_json::to_string(message).ok())
                        .map(|data| {
                            Ok(Sse {
                                data: Some(data),
                                ..event.clone()
                            })
                        })
                        .collect::<Vec<_>>(),
                )
            })
            .boxed()
    }

    fn request(
        &self,
        builder: reqwest::RequestBuilder,
        session: Option<&str>,
        bearer: Option<String>,
        headers: HashMap<HeaderName, HeaderValue>,
    ) -> reqwest::RequestBuilder {
        let mut all = HeaderMap::new();
        all.extend(headers.into_iter().map(|(name, value)| (Some(name), value)));
        if let Some(session) = session.and_then(|session| session.parse().ok()) {
            all.insert(SESSION, session);
        }
        let builder = builder.headers(all);
        match bearer {
            Some(bearer) => builder.bearer_auth(bearer),
            None => builder,
        }
    }

    fn give_up(&self, number: Option<i64>, failure: Failure, why: &str) -> Error {
        self.fail(failure);
        if let Some(number) = number {
            self.board
                .settle(number, Outcome::SendFailed(why.to_owned()), Arc::default());
        }
        Error::UnexpectedServerResponse(Cow::Owned(why.to_owned()))
    }

    async fn answer(
        &self,
        response: reqwest::Response,
        number: Option<i64>,
    ) -> Result<StreamableHttpPostResponse, Error> {
        self.head(&response);
        let status = response.status();
        let session = response
            .headers()
            .get(SESSION)
            .and_then(|value| value.to_str().ok())
            .map(str::to_owned);
        let content_type = response
            .headers()
            .get(header::CONTENT_TYPE)
            .map(|value| printable(value.as_bytes(), 80));
        let is = |wanted: &str| {
            content_type.as_deref().is_some_and(|found| {
                found
                    .split(';')
                    .next()
                    .is_some_and(|essence| essence.trim().eq_ignore_ascii_case(wanted))
            })
        };
        if status.is_success() && is("text/event-stream") {
            return Ok(StreamableHttpPostResponse::Sse(
                self.events(response, number),
                session,
            ));
        }
        let json = is("application/json");
        let (body, cut) = self.body(response).await?;
        let Some(number) = number else {
            // Nothing of a notification's answer is needed; requests in it would be out of place.
            return if status.is_success() {
                Ok(StreamableHttpPostResponse::Accepted)
            } else {
                Err(Error::UnexpectedServerResponse(Cow::Owned(format!(
                    "HTTP {status}"
                ))))
            };
        };
        if cut {
            self.board.note(super::NoiseKind::OverLong, b"a body");
            self.board
                .settle(number, Outcome::Undecodable, Arc::default());
            return Ok(StreamableHttpPostResponse::Json(over(number), session));
        }
        let barred = matches!(status, StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN);
        if json && !barred && !body.is_empty() {
            let mut messages = Vec::new();
            self.board.receive(&body, |message| messages.push(message));
            let answered = messages.into_iter().find(|message| match message {
                ServerJsonRpcMessage::Response(response) => is_number(&response.id, number),
                ServerJsonRpcMessage::Error(error) => {
                    error.id.as_ref().is_some_and(|id| is_number(id, number))
                }
                _ => false,
            });
            if let Some(message) = answered {
                return Ok(StreamableHttpPostResponse::Json(message, session));
            }
            // Middleware cannot echo the id, yet the body of this POST answers this request.
            if let Some(message) = self.board.receive_as(number, &body) {
                return Ok(StreamableHttpPostResponse::Json(message, session));
            }
        }
        let shown = printable(body.trim_ascii(), SHOWN);
        if !status.is_success() {
            let why = format!("HTTP {status}{}", suffix(&shown));
            let failure = Failure::Status {
                status: status.as_u16(),
                body: shown,
            };
            return Err(self.give_up(Some(number), failure, &why));
        }
        let content_type = content_type.unwrap_or_else(|| "no content type".into());
        let why = format!("an answer of {content_type}{}", suffix(&shown));
        if json {
            self.board.settle(number, Outcome::Undecodable, body);
            return Ok(StreamableHttpPostResponse::Json(over(number), session));
        }
        let failure = Failure::ContentType {
            content_type,
            body: shown,
        };
        Err(self.give_up(Some(number), failure, &why))
    }
}

/// Ends the wait for a reply when its event stream ends without one.
struct Ended {
    board: Arc<Board>,
    number: Option<i64>,
}

impl Drop for Ended {
    fn drop(&mut self) {
        if let Some(number) = self.number
            && self.board.awaits(number)
        {
            self.board.settle(
                number,
                Outcome::Died("its event stream ended without the reply".into()),
                Arc::default(),
            );
        }
    }
}

fn is_number(id: &rmcp::model::RequestId, number: i64) -> bool {
    matches!(id, rmcp::model::RequestId::Number(found) if *found == number)
        || matches!(id, rmcp::model::RequestId::String(found) if found.parse() == Ok(number))
}

fn suffix(shown: &str) -> String {
    if shown.is_empty() {
        String::new()
    } else {
        format!(": {shown}")
    }
}

/// reqwest hides the reason ("connection refused") in the chain of its sources.
fn reason(error: &reqwest::Error) -> String {
    let mut why = error.to_string();
    let mut source = std::error::Error::source(error);
    while let Some(inner) = source {
        why = inner.to_string();
        source = inner.source();
    }
    printable(why.as_bytes(), SHOWN)
}

impl StreamableHttpClient for TappedClient {
    type Error = reqwest::Error;

    async fn post_message(
        &self,
        uri: Arc<str>,
        message: ClientJsonRpcMessage,
        session_id: Option<Arc<str>>,
        auth_header: Option<String>,
        custom_headers: HashMap<HeaderName, HeaderValue>,
    ) -> Result<StreamableHttpPostResponse, Error> {
        let number = self.board.sending(&message);
        let body = serde_json::to_vec(&message)?;
        self.sent("POST", &uri, &body);
        let builder = self
            .http
            .post(uri.as_ref())
            .header(header::ACCEPT, "application/json, text/event-stream")
            .header(header::CONTENT_TYPE, "application/json");
        let sent = self
            .request(builder, session_id.as_deref(), auth_header, custom_headers)
            .body(body)
            .send()
            .await;
        let answer = match sent {
            Ok(response) => self.answer(response, number).await,
            Err(error) => Err(Error::Client(error)),
        };
        answer.map_err(|error| match error {
            Error::Client(error) => {
                let why = reason(&error);
                self.give_up(number, Failure::Unreachable(why.clone()), &why)
            }
            error => error,
        })
    }

    async fn delete_session(
        &self,
        uri: Arc<str>,
        session_id: Arc<str>,
        auth_header: Option<String>,
        custom_headers: HashMap<HeaderName, HeaderValue>,
    ) -> Result<(), Error> {
        self.sent("DELETE", &uri, b"");
        let response = self
            .request(
                self.http.delete(uri.as_ref()),
                Some(&session_id),
                auth_header,
                custom_headers,
            )
            .send()
            .await?;
        self.head(&response);
        Ok(())
    }

    async fn get_stream(
        &self,
        uri: Arc<str>,
        session_id: Option<Arc<str>>,
        last_event_id: Option<String>,
        auth_header: Option<String>,
        custom_headers: HashMap<HeaderName, HeaderValue>,
    ) -> Result<BoxStream<'static, Result<Sse, SseError>>, Error> {
        self.sent("GET", &uri, b"");
        let mut builder = self
            .http
            .get(uri.as_ref())
            .header(header::ACCEPT, "text/event-stream");
        if let Some(id) = last_event_id {
            builder = builder.header("last-event-id", id);
        }
        let response = self
            .request(builder, session_id.as_deref(), auth_header, custom_headers)
            .send()
            .await?;
        self.head(&response);
        let streams = response
            .headers()
            .get(header::CONTENT_TYPE)
            .is_some_and(|value| value.as_bytes().starts_with(b"text/event-stream"));
        if !response.status().is_success() || !streams {
            let _tapped = self.body(response).await?;
            return Err(Error::ServerDoesNotSupportSse);
        }
        Ok(self.events(response, None))
    }
}
