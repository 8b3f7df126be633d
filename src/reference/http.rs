//! The reference target over streamable HTTP: who is let in, and the record of who is not.
//!
//! Owns the listener and the check of the credential. Must not know tools.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use axum::extract::{ConnectInfo, Request, State};
use axum::http::{StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse as _, Response};
use rmcp::transport::streamable_http_server::session::local::LocalSessionManager;
use rmcp::transport::streamable_http_server::{StreamableHttpServerConfig, StreamableHttpService};

use super::server::Server;
use super::world::World;
use super::{Door, Flaw, ReferenceError};

/// Where the endpoint lies.
const PATH: &str = "/mcp";

/// Serves until the process ends, after `listening` was told the URL.
///
/// # Errors
/// When nothing can listen at the address.
pub(super) async fn serve(
    server: Server,
    door: Door,
    listening: impl FnOnce(&str),
) -> Result<(), ReferenceError> {
    let guard = Arc::new(Guard {
        world: server.world(),
        bearer: door.bearer,
    });
    let service: StreamableHttpService<Server, LocalSessionManager> = StreamableHttpService::new(
        move || Ok(server.clone()),
        Arc::default(),
        StreamableHttpServerConfig::default(),
    );
    let router = Router::new()
        .nest_service(PATH, service)
        .layer(middleware::from_fn_with_state(guard, admit));
    let listener = tokio::net::TcpListener::bind(door.listen).await?;
    listening(&format!("http://{}{PATH}", listener.local_addr()?));
    let router = router.into_make_service_with_connect_info::<SocketAddr>();
    Ok(axum::serve(listener, router).await?)
}

/// What the door needs to know.
struct Guard {
    world: Arc<World>,
    bearer: Option<String>,
}

async fn admit(State(guard): State<Arc<Guard>>, request: Request, next: Next) -> Response {
    let sent = request.headers().get(header::AUTHORIZATION);
    let told = sent.and_then(|value| value.to_str().ok()?.strip_prefix("Bearer "));
    if guard
        .bearer
        .as_deref()
        .is_none_or(|bearer| told == Some(bearer))
    {
        return next.run(request).await;
    }
    let peer = request.extensions().get::<ConnectInfo<SocketAddr>>();
    let peer = peer.map_or_else(String::new, |ConnectInfo(peer)| peer.to_string());
    let audit = guard.world.audit.iter();
    let recorded = audit
        .filter(|_| !guard.world.has(Flaw::AuditAuthUnrecorded))
        .try_for_each(|audit| audit.refused(&peer, request.uri().path()));
    match recorded {
        Ok(()) => (
            StatusCode::UNAUTHORIZED,
            [(header::WWW_AUTHENTICATE, "Bearer")],
        )
            .into_response(),
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}
