//! Sessions over streamable HTTP, with an rmcp server and with servers that are none.

use std::{net::SocketAddr, sync::Arc};

use axum::{
    Router,
    http::{HeaderMap, StatusCode, header},
    response::IntoResponse,
    routing::post,
};
use rmcp::{
    ErrorData, RoleServer, ServerHandler,
    model::{
        CallToolRequestParams, CallToolResponse, CallToolResult, ContentBlock, JsonObject,
        ListToolsResult, PaginatedRequestParams, ServerCapabilities, ServerConfig, Tool,
    },
    service::RequestContext,
    transport::streamable_http_server::{
        StreamableHttpServerConfig, StreamableHttpService, session::local::LocalSessionManager,
    },
};
use serde_json::json;
use watertight::session::{
    Caller, Direction, Endpoint, Era, Health, HttpEndpoint, OpenError, Options, Outcome, Session,
    Transcript,
};

use super::{LONG, call, options};

#[derive(Clone)]
struct Echo;

impl ServerHandler for Echo {
    fn get_info(&self) -> ServerConfig {
        ServerConfig::new(ServerCapabilities::builder().enable_tools().build())
    }

    async fn list_tools(
        &self,
        _request: Option<PaginatedRequestParams>,
        _context: RequestContext<RoleServer>,
    ) -> Result<ListToolsResult, ErrorData> {
        let schema = Arc::new(JsonObject::new());
        Ok(ListToolsResult::with_all_items(vec![Tool::new(
            "echo",
            "says it again",
            schema,
        )]))
    }

    async fn call_tool(
        &self,
        request: CallToolRequestParams,
        _context: RequestContext<RoleServer>,
    ) -> Result<CallToolResponse, ErrorData> {
        let text = request
            .arguments
            .as_ref()
            .and_then(|arguments| arguments.get("text")?.as_str())
            .unwrap_or_default();
        Ok(CallToolResult::success(vec![ContentBlock::text(text)]).into())
    }
}

async fn listen(router: Router) -> String {
    let listener = tokio::net::TcpListener::bind(SocketAddr::from(([127, 0, 0, 1], 0)))
        .await
        .expect("a free port");
    let address = listener.local_addr().expect("it is bound");
    tokio::spawn(async move { axum::serve(listener, router).await });
    format!("http://{address}/mcp")
}

async fn rmcp_server(config: StreamableHttpServerConfig) -> String {
    let service: StreamableHttpService<Echo, LocalSessionManager> =
        StreamableHttpService::new(|| Ok(Echo), Arc::default(), config);
    listen(Router::new().nest_service("/mcp", service)).await
}

fn endpoint(url: &str) -> HttpEndpoint {
    HttpEndpoint {
        url: url.into(),
        headers: vec![("x-tenant".into(), "t1".into())],
        bearer: Some("sesame".into()),
    }
}

async fn open(url: &str, options: &Options, transcript: Transcript) -> Result<Session, OpenError> {
    Session::open(&Endpoint::Http(endpoint(url)), options, transcript).await
}

#[tokio::test]
async fn json_and_event_streams_of_both_eras() {
    for (json_response, era) in [
        (false, Era::Auto),
        (true, Era::Auto),
        (false, Era::Stateless),
        (true, Era::Stateless),
    ] {
        let url = rmcp_server(
            StreamableHttpServerConfig::default()
                .with_legacy_session_mode(!json_response)
                .with_json_response(json_response),
        )
        .await;
        let transcript = Transcript::new();
        let chosen = Options { era, ..options() };
        let session = open(&url, &chosen, transcript.clone())
            .await
            .unwrap_or_else(|error| panic!("json {json_response}, {era:?}: {error}"));
        let expected = match era {
            Era::Stateless => (Era::Stateless, "2026-07-28"),
            _ => (Era::Handshake, "2025-11-25"),
        };
        assert_eq!(
            (session.info().era, session.info().protocol.as_str()),
            expected
        );
        assert_eq!(session.tools(LONG).await.expect("a list")[0].name, "echo");
        let calls = (0..50).map(|number| {
            let session = session.clone();
            async move {
                let text = format!("number {number}");
                let exchange = call(&session, "echo", json!({ "text": text }), LONG).await;
                assert_eq!(exchange.outcome.text(), text);
                assert!(!exchange.raw.is_empty());
            }
        });
        futures::future::join_all(calls).await;
        let unknown = session.request("no/such", json!({}), LONG).await;
        assert!(
            matches!(
                unknown.outcome,
                Outcome::Error {
                    code: Some(-32601),
                    ..
                }
            ),
            "{:?}",
            unknown.outcome
        );
        session.close().await;
        let received: Vec<u8> = transcript
            .records()
            .map(|record| record.expect("readable").entry)
            .filter(|entry| entry.direction == Direction::Received)
            .flat_map(|entry| entry.bytes.to_vec())
            .collect();
        let received = String::from_utf8(received).expect("text");
        assert!(received.contains("HTTP/1.1 200 OK"));
        assert!(received.contains("number 49"));
    }
}

#[tokio::test]
async fn headers_and_bearer_are_sent() {
    let url = listen(Router::new().route(
        "/mcp",
        post(|headers: HeaderMap, body: String| async move {
            let sent = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
            if (sent("authorization"), sent("x-tenant")) != (Some("Bearer sesame"), Some("t1")) {
                return StatusCode::UNAUTHORIZED.into_response();
            }
            let message: serde_json::Value = serde_json::from_str(&body).expect("JSON");
            if message["id"].is_null() {
                return StatusCode::ACCEPTED.into_response();
            }
            let answer = if message["method"] == "initialize" {
                json!({ "jsonrpc": "2.0", "id": message["id"], "result": {
                    "protocolVersion": "2025-06-18", "capabilities": {},
                    "serverInfo": { "name": "strict", "version": "1" } } })
                .to_string()
            } else {
                // Middleware that cannot echo the id, then one that answers with no JSON at all.
                match message["params"]["name"].as_str() {
                    Some("null id") => {
                        r#"{"jsonrpc":"2.0","id":null,"error":{"code":-32000,"message":"no"}}"#
                            .to_owned()
                    }
                    Some("garbage") => "}{".to_owned(),
                    Some("page") => return "<html>".into_response(),
                    _ => return (StatusCode::BAD_GATEWAY, "upstream gone").into_response(),
                }
            };
            ([(header::CONTENT_TYPE, "application/json")], answer).into_response()
        }),
    ))
    .await;
    let session = open(&url, &options(), Transcript::new())
        .await
        .expect("a session");
    assert_eq!(session.info().name, "strict");
    let outcome = async |tool: &str| call(&session, tool, json!({}), LONG).await.outcome;
    assert_eq!(
        outcome("null id").await,
        Outcome::Error {
            code: Some(-32000),
            message: "no".into()
        }
    );
    assert_eq!(outcome("garbage").await, Outcome::Undecodable);
    assert_eq!(
        outcome("gateway").await,
        Outcome::SendFailed("HTTP 502 Bad Gateway: upstream gone".into())
    );
    assert!(matches!(outcome("page").await, Outcome::SendFailed(_)));
    assert_eq!(session.health(), Health::Alive);
    session.close().await;
}

#[tokio::test]
async fn what_is_no_endpoint_is_told_apart() {
    let closed = std::net::TcpListener::bind("127.0.0.1:0")
        .and_then(|listener| listener.local_addr())
        .expect("a free port");
    let error = open(
        &format!("http://{closed}/mcp"),
        &options(),
        Transcript::new(),
    )
    .await
    .expect_err("nothing listens");
    assert!(matches!(error, OpenError::Unreachable { .. }), "{error}");
    assert!(error.to_string().contains("onnection refused"), "{error}");

    for status in [401, 403, 404, 405, 500] {
        let code = StatusCode::from_u16(status).expect("a status");
        let url =
            listen(Router::new().route("/mcp", post(move || async move { (code, "no") }))).await;
        let error = open(&url, &options(), Transcript::new())
            .await
            .expect_err("refused");
        assert!(
            matches!(&error, OpenError::Status { status: found, body, .. }
                if *found == status && body == "no"),
            "{error}"
        );
    }

    let page = || async { ([(header::CONTENT_TYPE, "text/html")], "<h1>Welcome\x1b") };
    let url = listen(Router::new().route("/mcp", post(page))).await;
    let error = open(&url, &options(), Transcript::new())
        .await
        .expect_err("a web page");
    assert!(
        matches!(&error, OpenError::NotMcpEndpoint { content_type, body, .. }
            if content_type == "text/html" && body == "<h1>Welcome\\u{1b}"),
        "{error}"
    );

    let error = open("localhost:3000", &options(), Transcript::new())
        .await
        .expect_err("no URL");
    assert!(matches!(error, OpenError::BadOption(_)), "{error}");
}
