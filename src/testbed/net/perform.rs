//! Scripts, performed on a connection.
//!
//! Owns the bytes of every HTTP answer. Which script it is was decided elsewhere.

use std::{io, sync::Arc, time::Duration};

use futures::future::BoxFuture;

use super::{
    Failure, Page, Script,
    http::{self, Next, Request},
    speak::{Conversation, Ending, Io},
};

/// Bytes of an endless body that are written at once.
const PIECE: usize = 64 << 10;

/// Reads requests and answers them until the connection is to end.
pub(super) async fn serve(
    talk: &mut Conversation,
    io: &mut dyn Io,
    mut buffer: Vec<u8>,
) -> io::Result<Ending> {
    loop {
        let request = match http::read(talk, io, &mut buffer).await? {
            Next::Request(request) => request,
            Next::Garbage => {
                let page = Page::text("This is no request.\n").status(400);
                page_out(talk, io, &page, false, false).await?;
                return Ok(Ending::Close);
            }
            Next::End => return Ok(Ending::Close),
        };
        if request.tunnel {
            talk.write(io, b"HTTP/1.1 200 Connection established\r\n\r\n")
                .await?;
            return talk.tunnel(io, buffer).await;
        }
        let script = talk.script(request.nonce.as_ref(), &request.path);
        if let Some(ending) = play(talk, io, &mut buffer, &request, &script).await? {
            return Ok(ending);
        }
    }
}

/// Answers one request. `None`: the connection can take another.
fn play<'a>(
    talk: &'a mut Conversation,
    io: &'a mut dyn Io,
    buffer: &'a mut Vec<u8>,
    request: &'a Request,
    script: &'a Script,
) -> BoxFuture<'a, io::Result<Option<Ending>>> {
    Box::pin(async move {
        let bodiless = request.method == "HEAD";
        let page = match script {
            Script::Serve(page) => page.clone(),
            Script::Redirect { status, location } => {
                Page::text("").status(*status).header("Location", location)
            }
            Script::Echo => Page::of("application/octet-stream", request.head.clone()),
            Script::FailTimes {
                failure,
                retry_after,
                ..
            } => match failure {
                Failure::Reset => return Ok(Some(Ending::Reset)),
                Failure::Close => return Ok(Some(Ending::Close)),
                Failure::Silence => {
                    hold(talk, io, request).await;
                    return Ok(Some(Ending::Close));
                }
                Failure::Status(status) => {
                    let page = Page::text("Not now.\n").status(*status);
                    match retry_after {
                        Some(value) => page.header("Retry-After", value),
                        None => page,
                    }
                }
            },
            Script::Tarpit | Script::TlsStall => {
                hold(talk, io, request).await;
                return Ok(Some(Ending::Close));
            }
            Script::HeadersStall => {
                talk.write(io, b"HTTP/1.1 200 OK\r\nContent-Type: text/pl")
                    .await?;
                hold(talk, io, request).await;
                return Ok(Some(Ending::Close));
            }
            Script::Drip {
                every,
                piece,
                total,
            } => {
                head_out(talk, io, *total).await?;
                if !bodiless {
                    let shared = Arc::clone(&talk.shared);
                    tokio::select! {
                        dripped = drip(talk, io, buffer, *every, *piece, *total) => dripped?,
                        () = shared.released(request.nonce.as_ref()) => {}
                    }
                }
                return Ok(Some(Ending::Close));
            }
            Script::Oversize { bytes } => {
                head_out(talk, io, Some(*bytes)).await?;
                if !bodiless {
                    drip(talk, io, buffer, Duration::ZERO, PIECE, Some(*bytes)).await?;
                }
                return Ok(Some(Ending::Close));
            }
            Script::Delay(time, then) => {
                if !talk.pause(io, *time, buffer).await {
                    return Ok(Some(Ending::Close));
                }
                return play(talk, io, buffer, request, then).await;
            }
        };
        page_out(talk, io, &page, request.keep, bodiless).await?;
        Ok((!request.keep).then_some(Ending::Close))
    })
}

/// Keeps the peer waiting until it is gone, or is let go.
async fn hold(talk: &mut Conversation, io: &mut dyn Io, request: &Request) {
    let shared = Arc::clone(&talk.shared);
    tokio::select! {
        () = talk.wait(io) => {}
        () = shared.released(request.nonce.as_ref()) => {}
    }
}

async fn page_out(
    talk: &mut Conversation,
    io: &mut dyn Io,
    page: &Page,
    keep: bool,
    bodiless: bool,
) -> io::Result<()> {
    let reason = http_reason(page.status);
    let mut bytes = format!("HTTP/1.1 {} {reason}\r\n", page.status);
    let given = |name: &str| {
        page.headers
            .iter()
            .any(|(it, _)| it.eq_ignore_ascii_case(name))
    };
    if !given("content-type") {
        bytes += &format!("Content-Type: {}\r\n", page.content_type);
    }
    if !given("content-length") {
        bytes += &format!("Content-Length: {}\r\n", page.body.len());
    }
    bytes += &format!(
        "Connection: {}\r\n",
        if keep { "keep-alive" } else { "close" }
    );
    for (name, value) in &page.headers {
        bytes += &format!("{name}: {value}\r\n");
    }
    let mut bytes = (bytes + "\r\n").into_bytes();
    if !bodiless {
        bytes.extend(&page.body);
    }
    talk.write(io, &bytes).await
}

fn http_reason(status: u16) -> &'static str {
    ::http::StatusCode::from_u16(status)
        .ok()
        .and_then(|status| status.canonical_reason())
        .unwrap_or("Status")
}

/// The head of a body that comes in pieces.
async fn head_out(talk: &mut Conversation, io: &mut dyn Io, length: Option<u64>) -> io::Result<()> {
    let length = length.map_or(String::new(), |it| format!("Content-Length: {it}\r\n"));
    let head =
        format!("HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n{length}Connection: close\r\n\r\n");
    talk.write(io, head.as_bytes()).await
}

/// Writes a body in pieces until it is whole or the peer is gone.
async fn drip(
    talk: &mut Conversation,
    io: &mut dyn Io,
    buffer: &mut Vec<u8>,
    every: Duration,
    piece: usize,
    total: Option<u64>,
) -> io::Result<()> {
    let bytes = vec![b'.'; piece.max(1)];
    let mut left = total.unwrap_or(u64::MAX);
    while left > 0 {
        let take = usize::try_from(left).unwrap_or(usize::MAX).min(bytes.len());
        talk.write(io, &bytes[..take]).await?;
        left -= take as u64;
        if left > 0 && !every.is_zero() && !talk.pause(io, every, buffer).await {
            break;
        }
    }
    Ok(())
}
