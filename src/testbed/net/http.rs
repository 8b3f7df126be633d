//! Requests as they came, byte for byte.
//!
//! Owns the reading of heads and bodies. What is answered is not decided here.

use std::io;

use super::{
    log::Kind,
    nonce::Nonce,
    speak::{Conversation, Io},
};

/// A longer head is no request.
const HEAD: usize = 64 << 10;
const FIELDS: usize = 256;

/// What the sink needs to know of a request to answer it.
#[derive(Debug)]
pub(super) struct Request {
    pub(super) method: String,
    /// Path and query, without scheme and host of the absolute form.
    pub(super) path: String,
    pub(super) nonce: Option<Nonce>,
    /// The head as it came.
    pub(super) head: Vec<u8>,
    /// The client takes another answer on this connection.
    pub(super) keep: bool,
    /// CONNECT: the host and port that the client wants to be led to.
    pub(super) tunnel: bool,
}

/// What came next on a connection.
pub(super) enum Next {
    Request(Request),
    /// Something that is no request; it is recorded.
    Garbage,
    /// Nothing: the peer closed.
    End,
}

/// Reads one request, its body included, and records it. What was read beyond it stays in `buffer`.
pub(super) async fn read(
    talk: &mut Conversation,
    io: &mut dyn Io,
    buffer: &mut Vec<u8>,
) -> io::Result<Next> {
    loop {
        let mut fields = [httparse::EMPTY_HEADER; FIELDS];
        let mut parsed = httparse::Request::new(&mut fields);
        match parsed.parse(buffer) {
            Ok(httparse::Status::Complete(length)) => {
                let (request, body) = record(talk, &parsed, &buffer[..length]);
                buffer.drain(..length);
                body.read(talk, io, buffer).await?;
                return Ok(Next::Request(request));
            }
            Ok(httparse::Status::Partial) if buffer.len() < HEAD => {}
            Ok(httparse::Status::Partial) | Err(_) => {
                let mut hit = talk.hit(Kind::Request);
                hit.raw = buffer.as_slice().into();
                talk.push(hit);
                return Ok(Next::Garbage);
            }
        }
        if talk.read(io, buffer).await? == 0 {
            if !buffer.is_empty() {
                talk.bytes(buffer);
            }
            return Ok(Next::End);
        }
    }
}

fn record(
    talk: &mut Conversation,
    parsed: &httparse::Request<'_, '_>,
    head: &[u8],
) -> (Request, Body) {
    let latin = |bytes: &[u8]| bytes.iter().copied().map(char::from).collect::<String>();
    let method = parsed.method.unwrap_or_default().to_string();
    let target = parsed.path.unwrap_or_default();
    let tunnel = method == "CONNECT";
    let (authority, path) = if tunnel {
        (Some(target), "")
    } else {
        match target.split_once("://") {
            Some((scheme, rest)) if scheme.bytes().all(|it| it.is_ascii_alphanumeric()) => {
                let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
                (Some(&rest[..end]), &rest[end..])
            }
            _ => (None, target),
        }
    };
    let mut hit = talk.hit(Kind::Request);
    hit.headers = parsed
        .headers
        .iter()
        .map(|field| (field.name.to_string(), latin(field.value)))
        .collect();
    if let Some(authority) = authority {
        hit.proxied = Some(authority.to_string());
    }
    hit.host = authority
        .or(hit.header("host"))
        .map(|authority| host(authority).to_string());
    hit.method = Some(method.clone());
    hit.path = Some(path.to_string());
    hit.raw = head.into();
    let body = Body::of(&hit);
    let close = hit
        .header("connection")
        .is_some_and(|value| value.to_ascii_lowercase().contains("close"));
    if tunnel {
        talk.proxied.clone_from(&hit.proxied);
    }
    let request = Request {
        nonce: talk.push(hit),
        method,
        path: path.to_string(),
        head: head.to_vec(),
        keep: parsed.version == Some(1) && !close,
        tunnel,
    };
    (request, body)
}

/// `host` of `user:password@host:port`; the brackets of IPv6 go.
fn host(authority: &str) -> &str {
    let host = authority.rsplit('@').next().unwrap_or(authority).trim();
    match host.strip_prefix('[').and_then(|it| it.split_once(']')) {
        Some((address, _)) => address,
        None => host.rsplit_once(':').map_or(host, |(host, _)| host),
    }
}

struct Body {
    length: u64,
    chunked: bool,
    expected: bool,
}

impl Body {
    fn of(hit: &super::Hit) -> Self {
        let has = |name: &str, word: &str| {
            hit.header(name)
                .is_some_and(|value| value.to_ascii_lowercase().contains(word))
        };
        Self {
            length: hit
                .header("content-length")
                .and_then(|value| value.trim().parse().ok())
                .unwrap_or(0),
            chunked: has("transfer-encoding", "chunked"),
            expected: has("expect", "100-continue"),
        }
    }

    async fn read(
        &self,
        talk: &mut Conversation,
        io: &mut dyn Io,
        buffer: &mut Vec<u8>,
    ) -> io::Result<()> {
        if self.expected {
            talk.write(io, b"HTTP/1.1 100 Continue\r\n\r\n").await?;
        }
        let mut left = self.length;
        let mut tail = Vec::new();
        while self.chunked || left > 0 {
            if buffer.is_empty() && talk.read(io, buffer).await? == 0 {
                return Ok(());
            }
            let take = match self.chunked {
                true => buffer.len(),
                false => usize::try_from(left)
                    .unwrap_or(usize::MAX)
                    .min(buffer.len()),
            };
            talk.bytes(&buffer[..take]);
            left = left.saturating_sub(take as u64);
            tail.extend(buffer.drain(..take));
            tail.drain(..tail.len().saturating_sub(7));
            if self.chunked && (tail.ends_with(b"\n0\r\n\r\n") || tail == b"0\r\n\r\n") {
                return Ok(());
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn hosts_are_told_from_users_and_ports() {
        for (authority, host) in [
            ("a.test", "a.test"),
            ("a.test:80", "a.test"),
            ("ok:80@b.test:8080", "b.test"),
            ("[2001:db8::1]:80", "2001:db8::1"),
        ] {
            assert_eq!(super::host(authority), host);
        }
    }
}
