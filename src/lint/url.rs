//! Addresses inside of values: passwords and tokens in them, and hosts that are reached in clear.
//!
//! Owns the splitting of an address that may hold references and need not be valid.

use std::{net::IpAddr, ops::Range};

use super::finding::short;
use super::secret::{Hit, literal, placeholder, reference, secret_name};
use crate::probe::Severity;

/// The parts of an address, as bytes of the text in which it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Address {
    pub(super) scheme: Range<usize>,
    pub(super) userinfo: Option<Range<usize>>,
    pub(super) host: Range<usize>,
    pub(super) query: Option<Range<usize>>,
    pub(super) whole: Range<usize>,
}

/// Longer addresses are cut here: nobody types them.
const MOST: usize = 4096;

/// Addresses in a text. One that stands in the query of another is a part of that.
pub(super) fn addresses(text: &str) -> Vec<Address> {
    let mut found = Vec::new();
    let mut from = 0;
    while let Some(colon) = text[from..].find("://").map(|colon| from + colon) {
        let start = colon + 3;
        let scheme_length = text[from..colon]
            .bytes()
            .rev()
            .take_while(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(byte))
            .count();
        from = start;
        if scheme_length == 0 {
            continue;
        }
        let ends = |c: char| c.is_whitespace() || "\"'`<>\\,;".contains(c);
        let length: usize = text[start..]
            .chars()
            .take(MOST)
            .take_while(|c| !ends(*c))
            .map(char::len_utf8)
            .sum();
        from = start + length;
        found.push(address(text, colon - scheme_length..colon, start..from));
    }
    found
}

/// An address whose scheme and whose rest stand here.
fn address(text: &str, scheme: Range<usize>, rest: Range<usize>) -> Address {
    let Range { start, end } = rest;
    let rest = &text[rest];
    let authority = start + rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let userinfo = text[start..authority]
        .rfind('@')
        .map(|at| start..start + at);
    let host_start = userinfo.as_ref().map_or(start, |info| info.end + 1);
    let host = &text[host_start..authority];
    let host_length = if host.starts_with('[') {
        host.find(']').map_or(host.len(), |end| end + 1)
    } else {
        host.find(':').unwrap_or(host.len())
    };
    let query = rest.find('?').map(|mark| {
        let from = start + mark + 1;
        let to = text[from..end].find('#').map_or(end, |hash| from + hash);
        from..to
    });
    Address {
        whole: scheme.start..end,
        scheme,
        userinfo,
        host: host_start..host_start + host_length,
        query,
    }
}

/// Passwords and tokens in the addresses of a text.
pub(super) fn secrets(text: &str) -> Vec<Hit> {
    let mut hits = Vec::new();
    for address in addresses(text) {
        if let Some(info) = &address.userinfo
            && let Some(colon) = text[info.clone()].find(':')
        {
            let user = &text[info.start..info.start + colon];
            let span = info.start + colon + 1..info.end;
            let password = &text[span.clone()];
            if let Some(mut severity) = literal("", password) {
                // What a database is delivered with protects nothing, and is no secret either.
                if user == password || placeholder(user) {
                    severity = Severity::Low;
                }
                let mut hit = Hit::new("secret.url", span, "a password in an address");
                hit.severity = Some(severity.min(Severity::High));
                hits.push(hit);
            }
        }
        for (name, span) in address
            .query
            .iter()
            .flat_map(|query| parameters(text, query))
        {
            let value = &text[span.clone()];
            let named = secret_name(&name) || ["key", "sig", "signature"].contains(&name.as_str());
            if named && value.len() >= 8 && !reference(value) && literal(&name, value).is_some() {
                let what = format!("the value of `{}` in an address", short(&name));
                hits.push(Hit::new("secret.query", span, what));
            }
        }
    }
    hits
}

fn parameters(text: &str, query: &Range<usize>) -> Vec<(String, Range<usize>)> {
    let mut found = Vec::new();
    let mut start = query.start;
    for pair in text[query.clone()].split('&') {
        if let Some(equals) = pair.find('=') {
            found.push((
                pair[..equals].to_lowercase(),
                start + equals + 1..start + pair.len(),
            ));
        }
        start += pair.len() + 1;
    }
    found
}

/// How bad it is to reach a host without encryption; none when nothing leaves the machine, or it
/// cannot be known which host it is.
pub(super) fn in_clear(host: &str) -> Option<Severity> {
    let bare = host
        .trim_matches(['[', ']'])
        .trim_end_matches('.')
        .to_lowercase();
    if bare.is_empty()
        || reference(&bare)
        || bare.contains(['$', '{', '<', '%'])
        || bare.contains("your")
        || bare.contains("example")
    {
        return None;
    }
    if let Ok(address) = bare.parse::<IpAddr>() {
        let near = match address {
            IpAddr::V4(four) => four.is_private() || four.is_link_local(),
            IpAddr::V6(six) => six.is_unique_local() || six.is_unicast_link_local(),
        };
        return match (address.is_loopback() || address.is_unspecified(), near) {
            (true, _) => None,
            (_, true) => Some(Severity::Low),
            _ => Some(Severity::Medium),
        };
    }
    if bare == "localhost" || bare.ends_with(".localhost") {
        return None;
    }
    // Names of containers and of the own network.
    let near = !bare.contains('.')
        || [".local", ".lan", ".internal", ".home.arpa", ".test"]
            .iter()
            .any(|end| bare.ends_with(end));
    Some(if near {
        Severity::Low
    } else {
        Severity::Medium
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_taken_apart() {
        let text = "x postgres://u:p@h.example:5432/db?a=1&token=b#c, y";
        let address = &addresses(text)[0];
        let part = |span: &Range<usize>| text[span.clone()].to_owned();
        assert_eq!(part(&address.scheme), "postgres");
        assert_eq!(address.userinfo.as_ref().map(part).as_deref(), Some("u:p"));
        assert_eq!(part(&address.host), "h.example");
        assert_eq!(
            address.query.as_ref().map(part).as_deref(),
            Some("a=1&token=b")
        );
        assert_eq!(
            part(&address.whole),
            "postgres://u:p@h.example:5432/db?a=1&token=b#c"
        );
        assert_eq!(
            &text[addresses("http://[::1]:80/x")[0].host.start..][..0],
            ""
        );
        assert!(addresses("://nothing").is_empty());
    }

    #[test]
    fn hosts_that_are_near_and_far() {
        for (host, expected) in [
            ("localhost", None),
            ("127.0.0.1", None),
            ("[::1]", None),
            ("0.0.0.0", None),
            ("${HOST}", None),
            ("<host>", None),
            ("db", Some(Severity::Low)),
            ("192.168.1.4", Some(Severity::Low)),
            ("printer.local", Some(Severity::Low)),
            ("8.8.8.8", Some(Severity::Medium)),
            ("mcp.vendor.dev", Some(Severity::Medium)),
        ] {
            assert_eq!(in_clear(host), expected, "{host}");
        }
    }
}
