//! The tool that keeps what it fetches, under a name that the other side gives.
//!
//! Owns where that name comes from: `Content-Disposition` (RFC 6266, RFC 8187), else the last part of the URL.

use std::sync::Arc;

use futures::FutureExt as _;
use futures::future::BoxFuture;
use percent_encoding::percent_decode_str;
use rmcp::model::JsonObject;
use schemars::JsonSchema;
use serde::Deserialize;

use super::parse;
use crate::reference::net::{Headers, Reply};
use crate::reference::refusal::Refusal;
use crate::reference::world::World;
use crate::reference::{Flaw, flawed};

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Download {
    /// URL to download, http or https.
    url: String,
}

pub(super) fn download(
    world: Arc<World>,
    arguments: JsonObject,
) -> BoxFuture<'static, Result<String, Refusal>> {
    async move {
        let arguments: Download = parse(arguments)?;
        let net = world.net.as_ref().ok_or(Refusal::Host)?;
        let reply = net.get(&arguments.url, &Headers::new()).await?;
        if reply.status != 200 {
            return Err(Refusal::Unreachable);
        }
        let given = given_name(&reply, &arguments.url);
        if world.has(Flaw::NetRemoteName) {
            flawed::write(&world, &given, &reply.body)?;
        } else {
            world.write(last(&given)?, &reply.body)?;
        }
        Ok(format!("Saved {} bytes", reply.body.len()))
    }
    .boxed()
}

/// The name that the host gives, whatever it holds.
fn given_name(reply: &Reply, url: &str) -> String {
    let disposition = reply.header("content-disposition").unwrap_or_default();
    let parameter = |wanted: &str| {
        let mut parts = disposition.split(';').skip(1);
        parts.find_map(|part| {
            let (name, value) = part.split_once('=')?;
            let fits = name.trim().eq_ignore_ascii_case(wanted);
            fits.then(|| value.trim().trim_matches('"').to_owned())
        })
    };
    let decoded = |text: &str| percent_decode_str(text).decode_utf8_lossy().into_owned();
    let extended = parameter("filename*").and_then(|value| {
        let (_, text) = value.split_once("''")?;
        Some(decoded(text))
    });
    extended
        .or_else(|| parameter("filename"))
        .unwrap_or_else(|| {
            let path = url.split(['?', '#']).next().unwrap_or_default();
            decoded(path.rsplit('/').next().unwrap_or_default())
        })
}

/// The last part of a name, by the separators of any system.
fn last(name: &str) -> Result<&str, Refusal> {
    let last = name.rsplit(['/', '\\']).next().unwrap_or_default();
    let plain = !last.is_empty() && !last.starts_with('.') && !last.contains(char::is_control);
    plain.then_some(last).ok_or(Refusal::Denied)
}

#[cfg(test)]
mod tests {
    use super::{given_name, last};
    use crate::reference::net::Reply;

    #[test]
    fn names_are_read_where_hosts_write_them_and_cut_to_their_last_part() {
        let reply = |value: Option<&str>| Reply {
            status: 200,
            headers: value
                .map(|value| ("Content-Disposition".to_owned(), value.to_owned()))
                .into_iter()
                .collect(),
            body: Vec::new(),
        };
        for (header, url, name, kept) in [
            (None, "http://h/a/b.txt?c#d", "b.txt", Some("b.txt")),
            (
                None,
                "http://h/..%2f..%2fb.txt",
                "../../b.txt",
                Some("b.txt"),
            ),
            (
                Some("attachment; filename=\"../b.txt\""),
                "http://h/a",
                "../b.txt",
                Some("b.txt"),
            ),
            (
                Some("attachment; filename=a.txt; filename*=UTF-8''..%2Fb.txt"),
                "http://h/a",
                "../b.txt",
                Some("b.txt"),
            ),
            (
                Some("attachment; filename=\"..\\b.txt\""),
                "http://h/a",
                "..\\b.txt",
                Some("b.txt"),
            ),
            (None, "http://h/..", "..", None),
        ] {
            let given = given_name(&reply(header), url);
            assert_eq!(given, name);
            assert_eq!(last(&given).ok(), kept);
        }
    }
}
