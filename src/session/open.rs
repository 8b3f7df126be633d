//! How a session comes about: launch or connect, greet, and say what went wrong if it did.
//!
//! Owns the choice of the lifecycle and the translation of failures. Calls are not its business.
//!
//! `Era::Auto` greets with `initialize` first and tries `server/discover` only when that is refused.
//! The other order looks more modern and is worse: nearly all servers of today are of the
//! handshake era, older SDKs end the process on a first request that is not `initialize`, some
//! servers never answer unknown methods, so that each would cost a second start-up or a
//! timeout. A server of both eras answers `initialize` at once; only one that has left the
//! handshake behind pays for the order, with a single refused request in the same process.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use rmcp::{
    ClientLifecycleMode, ClientServiceExt, RoleClient,
    model::ProtocolVersion,
    service::{ClientCacheConfig, RunningService},
    transport::{StreamableHttpClientTransport, Transport},
};
use serde_json::Value;

use super::{
    Death, Era, HttpEndpoint, NoiseKind, OpenError, Options, Outcome, ServerInfo, Transcript,
    board::{Board, Hello},
    handler::Handler,
    http::{self, Failure, TappedClient},
    link::Link,
    printable,
};

/// Characters of a target's message that an error shows.
const SHOWN: usize = 300;
/// First number of the requests of the second lifecycle on one process.
const SECOND: i64 = 1 << 20;

/// An open conversation, before it is a session.
pub(super) struct Opened {
    pub(super) running: RunningService<RoleClient, Handler>,
    pub(super) board: Arc<Board>,
    pub(super) link: Option<Arc<Link>>,
    pub(super) base: i64,
    pub(super) info: ServerInfo,
}

struct Greeting<'a> {
    options: &'a Options,
    era: Era,
    until: Instant,
}

enum Unanswered {
    Timeout,
    Failed(String),
}

impl<'a> Greeting<'a> {
    fn new(options: &'a Options, began: Instant) -> Self {
        // A revision that is asked for by name decides the lifecycle that it has.
        let stateless = options
            .protocol
            .as_deref()
            .is_some_and(|asked| asked >= ProtocolVersion::V_2026_07_28.as_str());
        Greeting {
            options,
            era: match options.era {
                Era::Auto if stateless => Era::Stateless,
                era => era,
            },
            until: began + options.limits.startup,
        }
    }

    fn method(&self) -> &'static str {
        match self.era {
            Era::Stateless => "server/discover",
            Era::Auto | Era::Handshake => "initialize",
        }
    }

    fn version(&self) -> Result<ProtocolVersion, OpenError> {
        let Some(asked) = &self.options.protocol else {
            return Ok(match self.era {
                Era::Stateless => ProtocolVersion::V_2026_07_28,
                Era::Auto | Era::Handshake => ProtocolVersion::LATEST_WITH_INITIALIZE,
            });
        };
        serde_json::from_value(Value::from(asked.as_str())).map_err(|error| {
            OpenError::BadOption(format!("`{asked}` is no protocol revision: {error}"))
        })
    }

    /// Performs the lifecycle over `transport`. rmcp has no deadline of its own here.
    async fn greet<T>(
        &self,
        transport: T,
    ) -> Result<Result<RunningService<RoleClient, Handler>, Unanswered>, OpenError>
    where
        T: Transport<RoleClient> + 'static,
    {
        let version = self.version()?;
        let handler = Handler::new(self.options.roots.as_deref(), version.clone());
        let mode = match self.era {
            Era::Stateless => ClientLifecycleMode::Discover {
                preferred_versions: vec![version],
            },
            Era::Auto | Era::Handshake => ClientLifecycleMode::Initialize,
        };
        let greeting = tokio::time::timeout_at(
            self.until.into(),
            handler.serve_with_lifecycle(transport, mode),
        );
        Ok(match greeting.await {
            Ok(Ok(running)) => {
                // On, it serves lists from memory even after the server has died.
                running
                    .peer()
                    .set_response_cache_config(ClientCacheConfig::disabled())
                    .await;
                Ok(running)
            }
            Ok(Err(error)) => Err(Unanswered::Failed(printable(
                error.to_string().as_bytes(),
                SHOWN,
            ))),
            Err(_) => Err(Unanswered::Timeout),
        })
    }

    fn info(
        &self,
        running: &RunningService<RoleClient, Handler>,
        board: &Board,
        startup: Duration,
    ) -> ServerInfo {
        let hello = match board.hello() {
            Some(Hello {
                outcome: Outcome::Result(value),
                ..
            }) => value,
            _ => Value::Null,
        };
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let stateless = self.era == Era::Stateless;
        let protocol = match hello.get("protocolVersion") {
            Some(Value::String(version)) if !stateless => version.clone(),
            _ => running
                .peer()
                .peer_info()
                .map(|info| info.protocol_version.to_string())
                .unwrap_or_default(),
        };
        ServerInfo {
            name: text(&hello["serverInfo"]["name"]),
            version: text(&hello["serverInfo"]["version"]),
            protocol,
            era: if stateless {
                Era::Stateless
            } else {
                Era::Handshake
            },
            capabilities: hello.get("capabilities").cloned().unwrap_or_default(),
            instructions: hello
                .get("instructions")
                .and_then(Value::as_str)
                .map(str::to_owned),
            startup,
        }
    }

    /// The refusal that the answer to the first request amounts to, if there was an answer.
    fn refusal(&self, hello: Option<Hello>, target: &str) -> Option<OpenError> {
        let (target, method) = (target.to_owned(), self.method());
        let Hello { outcome, raw } = hello?;
        Some(match outcome {
            Outcome::Error { code, message } => OpenError::Refused {
                target,
                method,
                code,
                message: printable(message.as_bytes(), SHOWN),
            },
            Outcome::Result(value) if value["supportedVersions"].is_array() => {
                OpenError::NoCommonRevision {
                    target,
                    theirs: printable(value["supportedVersions"].to_string().as_bytes(), SHOWN),
                }
            }
            Outcome::Result(_) | Outcome::Undecodable => OpenError::OddAnswer {
                target,
                method,
                reply: printable(raw.trim_ascii(), SHOWN),
            },
            _ => return None,
        })
    }
}

/// Whether another lifecycle may fare better: the target answered, but not as we hoped.
fn may_be_stateless(error: &OpenError) -> bool {
    match error {
        OpenError::Refused { .. } | OpenError::OddAnswer { .. } => true,
        OpenError::Status { status, .. } => {
            (400..500).contains(status) && !matches!(status, 401 | 403 | 429)
        }
        _ => false,
    }
}

/// Opens a target that is reached over pipes: `start` starts it, `program` is its name for people.
pub(super) async fn stdio(
    start: impl Fn(Arc<Board>) -> Result<Arc<Link>, OpenError>,
    program: &str,
    options: &Options,
    transcript: Transcript,
) -> Result<Opened, OpenError> {
    let began = Instant::now();
    let mut greeting = Greeting::new(options, began);
    let spawn = || -> Result<(Arc<Board>, Arc<Link>), OpenError> {
        let board = Arc::new(Board::new(
            transcript.clone(),
            options.limits.clone(),
            options.roots.is_some(),
        ));
        let link = start(Arc::clone(&board))?;
        Ok((board, link))
    };
    let (mut board, mut link) = spawn()?;
    let mut base = 0;
    let mut first_error = None;
    loop {
        let error = match greeting.greet(link.transport(base)).await? {
            Ok(running) => {
                return Ok(Opened {
                    info: greeting.info(&running, &board, began.elapsed()),
                    running,
                    board,
                    link: Some(link),
                    base,
                });
            }
            Err(unanswered) => stdio_error(&greeting, &unanswered, &board, &link, program).await,
        };
        if greeting.era != Era::Auto || !may_be_stateless(&error) {
            link.end(options.limits.close).await;
            // What the target said to the lifecycle that nearly all speak is the better message.
            return Err(first_error.unwrap_or(error));
        }
        first_error = Some(error);
        greeting.era = Era::Stateless;
        board.forget_hello();
        base = SECOND;
        // Some end themselves after a refusal; a moment tells.
        let ended = tokio::time::timeout(Duration::from_millis(30), board.death());
        if ended.await.is_ok() {
            link.end(options.limits.close).await;
            (board, link) = spawn()?;
            base = 0;
        }
    }
}

async fn stdio_error(
    greeting: &Greeting<'_>,
    unanswered: &Unanswered,
    board: &Board,
    link: &Link,
    program: &str,
) -> OpenError {
    let program = program.to_owned();
    if let Some(refusal) = greeting.refusal(board.hello(), &format!("`{program}`")) {
        return refusal;
    }
    // The last words may still be on their way through the pipe.
    tokio::time::sleep(Duration::from_millis(20)).await;
    let stderr = link.stderr();
    let line = board.first_noise(NoiseKind::NotJsonRpc);
    let stdout = line.clone().or_else(|| link.unfinished());
    // We end what sends too much ourselves, so its status tells nothing.
    if let Some(why) = board.dead().filter(Death::is_excess) {
        return OpenError::TooMuch {
            target: format!("`{program}`"),
            why: why.to_string(),
        };
    }
    if let Some(status) = link.exit() {
        return OpenError::Exited {
            program,
            status,
            stdout,
            stderr,
        };
    }
    match (board.dead(), unanswered) {
        (Some(Death::ClosedOutput), _) => OpenError::ClosedOutput {
            program,
            stdout,
            stderr,
        },
        (Some(why), _) => OpenError::Other {
            target: format!("`{program}`"),
            why: why.to_string(),
        },
        (None, Unanswered::Timeout) => match line {
            Some(line) => OpenError::NotMcp {
                program,
                line,
                stderr,
            },
            None => OpenError::Silent {
                program,
                waited: greeting.options.limits.startup,
                stdout,
                stderr,
            },
        },
        (None, Unanswered::Failed(error)) => OpenError::Other {
            target: format!("`{program}`"),
            why: error.clone(),
        },
    }
}

pub(super) async fn http(
    endpoint: &HttpEndpoint,
    options: &Options,
    transcript: Transcript,
) -> Result<Opened, OpenError> {
    let began = Instant::now();
    let mut greeting = Greeting::new(options, began);
    let mut first_error = None;
    loop {
        let board = Arc::new(Board::new(
            transcript.clone(),
            options.limits.clone(),
            options.roots.is_some(),
        ));
        let config = http::config(endpoint, options.limits.line)?;
        let client = TappedClient::new(Arc::clone(&board))?;
        let transport = StreamableHttpClientTransport::with_client(client.clone(), config);
        let error = match greeting.greet(transport).await? {
            Ok(running) => {
                return Ok(Opened {
                    info: greeting.info(&running, &board, began.elapsed()),
                    running,
                    board,
                    link: None,
                    base: 0,
                });
            }
            Err(unanswered) => http_error(&greeting, &unanswered, &board, &client, endpoint),
        };
        if greeting.era != Era::Auto || !may_be_stateless(&error) {
            return Err(first_error.unwrap_or(error));
        }
        first_error = Some(error);
        greeting.era = Era::Stateless;
    }
}

fn http_error(
    greeting: &Greeting<'_>,
    unanswered: &Unanswered,
    board: &Board,
    client: &TappedClient,
    endpoint: &HttpEndpoint,
) -> OpenError {
    let url = printable(endpoint.url.as_bytes(), SHOWN);
    if let Some(refusal) = greeting.refusal(board.hello(), &url) {
        return refusal;
    }
    match (client.failure(), unanswered) {
        (Some(Failure::Unreachable(why)), _) => OpenError::Unreachable { url, why },
        (Some(Failure::Status { status, body }), _) => OpenError::Status { url, status, body },
        (Some(Failure::ContentType { content_type, body }), _) => OpenError::NotMcpEndpoint {
            url,
            content_type,
            body,
        },
        (None, Unanswered::Timeout) => OpenError::SilentEndpoint {
            url,
            waited: greeting.options.limits.startup,
        },
        (None, Unanswered::Failed(error)) => OpenError::Other {
            target: url,
            why: board
                .dead()
                .map_or_else(|| error.clone(), |why| why.to_string()),
        },
    }
}
