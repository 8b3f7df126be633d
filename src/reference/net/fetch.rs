//! The way of `http_get`: attempts, redirects, and the headers that each request carries.
//!
//! Owns what is sent where, and how often. Must not know how a host is checked.

use std::time::Duration;

use ::http::{HeaderName, HeaderValue};
use url::Url;

use super::{Asked, Headers, Net, Place, Purpose, Reply, Span, exchange, read_url, request};
use crate::reference::refusal::Refusal;
use crate::reference::{Flaw, flawed};

/// Most redirects of one attempt.
const REDIRECTS: usize = 5;
/// Between two attempts, where the server names no time.
const PAUSE: Duration = Duration::from_millis(100);
/// Headers of the caller that any server may see.
const HARMLESS: [&str; 3] = ["accept", "accept-language", "user-agent"];
/// Headers that say how the request is to be read; they are not the caller's to give.
const OWN: [&str; 9] = [
    "connection",
    "content-length",
    "expect",
    "host",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];

impl Net {
    /// Fetches what a URL names.
    ///
    /// # Errors
    /// [`Refusal`].
    pub(in crate::reference) async fn get(
        &self,
        text: &str,
        headers: &Headers,
    ) -> Result<Reply, Refusal> {
        let call = async {
            if let Some(reply) = flawed::net::odd_url(self, text).await {
                return reply;
            }
            let url = match flawed::net::url_without_controls(self, text) {
                Some(url) => url?,
                None => {
                    check_headers(headers)?;
                    read_url(text)?
                }
            };
            self.attempts(&url, text, headers).await
        };
        self.clock.within(Span::Call, call).await
    }

    async fn attempts(&self, url: &Url, text: &str, headers: &Headers) -> Result<Reply, Refusal> {
        let retries = match (
            self.has(Flaw::TimeRetriesUnbounded),
            flawed::net::impatience(self),
        ) {
            (true, _) => 20,
            (false, Some(_)) => 5,
            (false, None) => self.retries,
        };
        let mut left = retries;
        loop {
            let attempt = self.follow(url, text, headers);
            let attempt = self.clock.within(Span::Attempt, attempt);
            let outcome = match flawed::net::impatience(self) {
                Some(soon) => tokio::time::timeout(soon, attempt)
                    .await
                    .unwrap_or(Err(Refusal::Unreachable)),
                None => attempt.await,
            };
            let pause = match &outcome {
                Err(Refusal::Unreachable) => PAUSE,
                Ok(reply) if matches!(reply.status, 429 | 502..=504) => reply
                    .header("retry-after")
                    .and_then(|seconds| seconds.trim().parse().ok())
                    .map_or(PAUSE, Duration::from_secs),
                _ => return outcome,
            };
            let in_time = pause < self.clock.limit() || self.has(Flaw::TimeRetryAfter);
            if left == 0 || !in_time {
                return outcome;
            }
            left -= 1;
            tokio::time::sleep(pause).await;
        }
    }

    /// One attempt: a request, and those to which the replies redirect.
    async fn follow(&self, url: &Url, text: &str, headers: &Headers) -> Result<Reply, Refusal> {
        let mut url = url.clone();
        let mut written = text.to_owned();
        let mut headers = headers.clone();
        let mut purpose = Purpose::Fetch;
        for _ in 0..=REDIRECTS {
            let hop = self.hop(&url, &written, &headers, purpose);
            let reply = self.clock.within(Span::Hop, hop).await?;
            let location = match reply.status {
                301 | 302 | 303 | 307 | 308 => reply.header("location"),
                _ => None,
            };
            purpose = Purpose::Redirect;
            let next = match location {
                Some(location) => location.to_owned(),
                None => match flawed::net::refresh(self, &reply) {
                    Some(next) => {
                        purpose = Purpose::Unchecked;
                        next
                    }
                    None => {
                        flawed::net::fetch_parts(self, &url, &reply).await;
                        return Ok(reply);
                    }
                },
            };
            let to = url
                .join(&next)
                .map_err(|_| Refusal::invalid("Invalid redirect"))?;
            if let Some(reply) = flawed::net::redirected_to_file(self, &to) {
                return reply;
            }
            if to.origin() != url.origin() {
                match flawed::net::forwarded(self, &headers) {
                    Some(all) => headers = all,
                    None => {
                        headers.retain(|(name, _)| HARMLESS.contains(&name.to_lowercase().as_str()))
                    }
                }
            }
            (url, written) = (to, next);
        }
        Err(Refusal::Redirects)
    }

    /// One request.
    pub(in crate::reference) async fn hop(
        &self,
        url: &Url,
        written: &str,
        headers: &Headers,
        purpose: Purpose,
    ) -> Result<Reply, Refusal> {
        let mut place = Place::of(url)?;
        flawed::net::put_raw_path(self, written, &mut place);
        let asked = Asked {
            host: &place.host,
            written,
            purpose,
        };
        if let Some(reply) = flawed::net::before_check(self, url, &place, headers, asked).await {
            return reply;
        }
        self.admit_port(place.port, written, purpose)?;
        let addresses = self.admit(asked).await?;
        self.send(&place, &addresses, headers).await
    }

    /// Sends a request to checked addresses.
    pub(in crate::reference) async fn send(
        &self,
        place: &Place,
        addresses: &[std::net::IpAddr],
        headers: &Headers,
    ) -> Result<Reply, Refusal> {
        let mut stream = self.open(place, addresses).await?;
        let request = request(&place.path, &place.authority(), headers);
        let exchange = exchange(&mut *stream, self.clock, &request);
        self.clock.within(Span::Exchange, exchange).await
    }
}

/// Refuses headers that would break out of their lines or that are not the caller's to give.
fn check_headers(headers: &Headers) -> Result<(), Refusal> {
    for (name, value) in headers {
        let fine = HeaderName::from_bytes(name.as_bytes())
            .is_ok_and(|name| !OWN.contains(&name.as_str()))
            && HeaderValue::from_str(value).is_ok();
        if !fine {
            return Err(Refusal::invalid("Invalid header"));
        }
    }
    Ok(())
}
