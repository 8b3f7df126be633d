//! One HTTP request on an open connection, and its reply.
//!
//! Owns the bytes of both. Must not know where the connection leads, nor whether it may.

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};

use super::clock::{Clock, Span};
use crate::reference::refusal::Refusal;

/// Most bytes of a body.
pub(in crate::reference) const BODY: usize = 1 << 20;
/// Most bytes of a head.
const HEAD: usize = 64 << 10;
/// Most header lines of a reply.
const LINES: usize = 128;

/// A connection, encrypted or not.
pub(in crate::reference) trait Stream:
    AsyncRead + AsyncWrite + Send + Unpin
{
}

impl<S: AsyncRead + AsyncWrite + Send + Unpin> Stream for S {}

/// Header lines: names and values.
pub(in crate::reference) type Headers = Vec<(String, String)>;

/// What a server answers.
#[derive(Debug)]
pub(in crate::reference) struct Reply {
    pub(in crate::reference) status: u16,
    pub(in crate::reference) headers: Headers,
    pub(in crate::reference) body: Vec<u8>,
}

impl Reply {
    /// The first value of a header.
    pub(in crate::reference) fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(own, _)| own.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.as_str())
    }
}

/// The bytes of a GET request; nothing in them is checked.
pub(in crate::reference) fn request(path: &str, authority: &str, headers: &Headers) -> Vec<u8> {
    let mut text = format!("GET {path} HTTP/1.1\r\nHost: {authority}\r\n");
    for (name, value) in headers {
        text.push_str(&format!("{name}: {value}\r\n"));
    }
    let named = |wanted: &str| {
        headers
            .iter()
            .any(|(name, _)| name.eq_ignore_ascii_case(wanted))
    };
    for (name, value) in [("Accept", "*/*"), ("User-Agent", "watertight-reference")] {
        if !named(name) {
            text.push_str(&format!("{name}: {value}\r\n"));
        }
    }
    text.push_str("Connection: close\r\n\r\n");
    text.into_bytes()
}

/// Sends a request and reads the whole reply.
pub(in crate::reference) async fn exchange(
    stream: &mut dyn Stream,
    clock: Clock,
    request: &[u8],
) -> Result<Reply, Refusal> {
    let lost = |_| Refusal::Unreachable;
    stream.write_all(request).await.map_err(lost)?;
    stream.flush().await.map_err(lost)?;
    let mut reader = Reader {
        stream,
        clock,
        bytes: Vec::new(),
    };
    loop {
        let (mut reply, rest) = reader.head().await?;
        // Interim replies precede the one that counts.
        if (100..200).contains(&reply.status) && reply.status != 101 {
            reader.bytes = rest;
            continue;
        }
        reader.bytes = rest;
        reply.body = reader.body(&reply).await?;
        return Ok(reply);
    }
}

/// Reads from the stream; what came and is not used yet is in `bytes`.
struct Reader<'a> {
    stream: &'a mut dyn Stream,
    clock: Clock,
    bytes: Vec<u8>,
}

impl Reader<'_> {
    /// Waits for more; whether any came.
    async fn more(&mut self) -> Result<bool, Refusal> {
        let (stream, bytes) = (&mut self.stream, &mut self.bytes);
        let read = async {
            stream
                .read_buf(bytes)
                .await
                .map_err(|_| Refusal::Unreachable)
        };
        Ok(self.clock.within(Span::Read, read).await? > 0)
    }

    async fn head(&mut self) -> Result<(Reply, Vec<u8>), Refusal> {
        loop {
            let mut lines = [httparse::EMPTY_HEADER; LINES];
            let mut head = httparse::Response::new(&mut lines);
            match head.parse(&self.bytes) {
                Ok(httparse::Status::Complete(length)) => {
                    let headers = head.headers.iter();
                    let reply = Reply {
                        status: head.code.unwrap_or(0),
                        headers: headers
                            .map(|line| {
                                let value = String::from_utf8_lossy(line.value).into_owned();
                                (line.name.to_owned(), value)
                            })
                            .collect(),
                        body: Vec::new(),
                    };
                    return Ok((reply, self.bytes[length..].to_vec()));
                }
                Ok(httparse::Status::Partial) if self.bytes.len() < HEAD => {
                    if !self.more().await? {
                        return Err(Refusal::Unreachable);
                    }
                }
                _ => return Err(Refusal::NotHttp),
            }
        }
    }

    async fn body(&mut self, reply: &Reply) -> Result<Vec<u8>, Refusal> {
        if matches!(reply.status, 101 | 204 | 304) {
            return Ok(Vec::new());
        }
        let chunked = reply
            .header("transfer-encoding")
            .is_some_and(|coding| coding.trim().eq_ignore_ascii_case("chunked"));
        if chunked {
            return self.chunks().await;
        }
        match reply.header("content-length").map(str::parse::<usize>) {
            Some(Ok(length)) => self.exactly(length).await,
            Some(Err(_)) => Err(Refusal::NotHttp),
            None => {
                while self.more().await? {
                    if self.bytes.len() > BODY {
                        return Err(Refusal::TooLarge(BODY as u64));
                    }
                }
                Ok(std::mem::take(&mut self.bytes))
            }
        }
    }

    async fn exactly(&mut self, length: usize) -> Result<Vec<u8>, Refusal> {
        if length > BODY {
            return Err(Refusal::TooLarge(BODY as u64));
        }
        while self.bytes.len() < length {
            if !self.more().await? {
                return Err(Refusal::Unreachable);
            }
        }
        let rest = self.bytes.split_off(length);
        Ok(std::mem::replace(&mut self.bytes, rest))
    }

    async fn chunks(&mut self) -> Result<Vec<u8>, Refusal> {
        let mut body = Vec::new();
        loop {
            match httparse::parse_chunk_size(&self.bytes) {
                Ok(httparse::Status::Complete((_, 0))) => return Ok(body),
                Ok(httparse::Status::Complete((head, size))) => {
                    let size = usize::try_from(size).unwrap_or(usize::MAX);
                    if body.len().saturating_add(size) > BODY {
                        return Err(Refusal::TooLarge(BODY as u64));
                    }
                    // With the line end that follows the chunk.
                    let chunk = self.exactly(head + size + 2).await?;
                    body.extend_from_slice(&chunk[head..head + size]);
                }
                Ok(httparse::Status::Partial) if self.bytes.len() < HEAD => {
                    if !self.more().await? {
                        return Err(Refusal::Unreachable);
                    }
                }
                _ => return Err(Refusal::NotHttp),
            }
        }
    }
}
