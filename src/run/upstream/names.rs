//! Names of request headers that may choose where a server sends its own requests.
//!
//! Owns the words: the usual shapes of such names, what the server itself tells, and what goes along. That a header
//! chooses anything is shown by what arrives, never by its name.

use std::collections::{BTreeMap, BTreeSet};

/// Shapes of names, one a line; `{Product}` is a word of the server's own.
const SHAPES: &str = include_str!("headers.txt");
/// Headers of one request at most, so that no usual limit is met.
const MOST: usize = 64;
/// Of them, those that the server tells.
const TOLD: usize = 24;
/// Words of the server's own that shapes are filled with.
const PRODUCTS: usize = 4;
/// Longest name that is one.
const LONGEST: usize = 48;

/// Last words of the names of headers that hold a URL.
const PLACES: [&str; 15] = [
    "url", "uri", "endpoint", "server", "base", "upstream", "target", "instance", "backend",
    "site", "origin", "address", "host", "hostname", "domain",
];
/// Of them, those that hold a host alone.
const HOSTS: [&str; 3] = ["host", "hostname", "domain"];
/// Last words of names that hold a credential, without which a server may look at no other.
const CREDENTIALS: [&str; 8] = [
    "token", "key", "secret", "password", "pat", "user", "username", "email",
];
/// First words of headers that are of HTTP, of MCP, or of what stands before a server.
const OTHERS: [&str; 14] = [
    "accept",
    "access",
    "cache",
    "content",
    "cross",
    "forwarded",
    "http",
    "if",
    "last",
    "mcp",
    "proxy",
    "sec",
    "transfer",
    "www",
];
/// Words of names of servers and tools that name no product.
const PLAIN: [&str; 30] = [
    "mcp", "server", "service", "api", "the", "tool", "tools", "client", "http", "https", "model",
    "context", "protocol", "remote", "test", "get", "list", "create", "update", "delete", "search",
    "add", "set", "read", "write", "run", "find", "fetch", "show", "query",
];

/// What a header holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Holds {
    Url,
    Host,
    Credential,
}

/// A header, and what is known of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Header {
    pub(super) name: String,
    pub(super) holds: Holds,
    /// Whether the server told of it, or the user sends it.
    pub(super) told: bool,
}

/// The headers to try: those that texts of the server name, then those of the usual shapes.
pub(super) fn headers<'t>(
    given: &[(String, String)],
    texts: impl Iterator<Item = &'t str>,
    server: &str,
    tools: &[&str],
) -> Vec<Header> {
    let mut seen = BTreeSet::new();
    let mut found = Vec::new();
    let mut take = |name: String, holds: Holds, told: bool| {
        if seen.insert(name.to_ascii_lowercase()) {
            found.push(Header { name, holds, told });
        }
    };
    for (name, value) in given {
        let holds = match holds(name) {
            Some(Holds::Host) if value.contains("://") => Some(Holds::Url),
            None if value.starts_with("http://") || value.starts_with("https://") => {
                Some(Holds::Url)
            }
            holds => holds,
        };
        // A credential of the user's goes along as it is.
        if let Some(holds) = holds.filter(|holds| *holds != Holds::Credential) {
            take(name.clone(), holds, true);
        }
    }
    let own = |name: &str| {
        given
            .iter()
            .any(|(given, _)| given.eq_ignore_ascii_case(name))
    };
    let mut told = BTreeMap::new();
    for name in texts.flat_map(spoken).filter(|name| !own(name)) {
        if let Some(holds) = holds(name) {
            told.entry(name.to_ascii_lowercase())
                .or_insert((name, holds));
        }
    }
    for (name, holds) in told.into_values().take(TOLD) {
        take(name.to_owned(), holds, true);
    }
    let products = products(server, tools);
    for shape in SHAPES.lines() {
        let names = match shape.contains("{Product}") {
            true => products
                .iter()
                .map(|word| shape.replace("{Product}", word))
                .collect(),
            false => vec![shape.to_owned()],
        };
        for name in names {
            if let Some(holds) = holds(&name) {
                take(name, holds, false);
            }
        }
    }
    found.truncate(MOST);
    found
}

/// What a header of that name holds, as far as its last word tells.
fn holds(name: &str) -> Option<Holds> {
    let words: Vec<String> = name.split('-').map(str::to_ascii_lowercase).collect();
    let [first, .., last] = &words[..] else {
        return None;
    };
    let second = (first == "x").then(|| words[1].as_str());
    if OTHERS.contains(&first.as_str()) || second == Some("forwarded") {
        return None;
    }
    let last = last.as_str();
    if CREDENTIALS.contains(&last) {
        // Much is called a key; a header of one's own is called X-.
        return (first == "x").then_some(Holds::Credential);
    }
    match (HOSTS.contains(&last), PLACES.contains(&last)) {
        (true, _) => Some(Holds::Host),
        (_, true) => Some(Holds::Url),
        _ => None,
    }
}

/// Words of a text that look like the name of a header.
fn spoken(text: &str) -> impl Iterator<Item = &str> {
    text.split(|letter: char| !(letter.is_ascii_alphanumeric() || letter == '-'))
        .filter(|word| word.len() <= LONGEST && word.starts_with(|c: char| c.is_ascii_alphabetic()))
        .filter(|word| word.split('-').count() > 1 && word.split('-').all(|part| !part.is_empty()))
}

/// Words by which a server calls what it serves: those of its name, all of them together, and what its tools' names
/// begin with.
fn products(server: &str, tools: &[&str]) -> Vec<String> {
    let words = |text: &str| -> Vec<String> {
        text.split(|letter: char| !letter.is_ascii_alphanumeric())
            .filter(|word| !word.is_empty() && !PLAIN.contains(&word.to_ascii_lowercase().as_str()))
            .map(capital)
            .collect()
    };
    let named = words(server);
    let mut found: Vec<String> = Vec::new();
    if named.len() > 1 {
        found.push(named.join("-"));
    }
    found.extend(named);
    let mut begun: BTreeMap<String, usize> = BTreeMap::new();
    for tool in tools {
        if let Some(first) = tool
            .split(['_', '-', '.', '/'])
            .next()
            .filter(|first| first != tool)
            && let [word] = &words(first)[..]
        {
            *begun.entry(word.clone()).or_default() += 1;
        }
    }
    found.extend(
        begun
            .into_iter()
            .filter(|(_, count)| *count > 1)
            .map(|(word, _)| word),
    );
    let mut seen = BTreeSet::new();
    found.retain(|word| word.len() <= LONGEST / 2 && seen.insert(word.to_ascii_lowercase()));
    found.truncate(PRODUCTS);
    found
}

fn capital(word: &str) -> String {
    let mut letters = word.chars();
    letters.next().map_or_else(String::new, |first| {
        first.to_ascii_uppercase().to_string() + letters.as_str()
    })
}

#[cfg(test)]
mod tests {
    use super::{Header, Holds, headers};

    fn found(given: &[(&str, &str)], text: &str, server: &str, tools: &[&str]) -> Vec<Header> {
        let given: Vec<(String, String)> = given
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect();
        headers(&given, std::iter::once(text), server, tools)
    }

    #[test]
    fn what_the_server_tells_comes_first_and_is_sorted_by_what_it_holds() {
        let text = "Send `Desk-Instance` (or x-desk-host) with X-Desk-Token; content-type, x-forwarded-host, a \
            well-known cross-site.";
        let all = found(&[("X-Desk-Key", "mine")], text, "desk-mcp", &[]);
        let told: Vec<(&str, Holds)> = all
            .iter()
            .filter(|header| header.told)
            .map(|header| (header.name.as_str(), header.holds))
            .collect();
        let expected = [
            ("Desk-Instance", Holds::Url),
            ("x-desk-host", Holds::Host),
            ("X-Desk-Token", Holds::Credential),
        ];
        assert_eq!(told, expected);
        assert!(all[told.len()..].iter().all(|header| !header.told));
    }

    #[test]
    fn shapes_are_filled_with_words_of_the_server() {
        let all = found(
            &[],
            "",
            "acme-desk-mcp",
            &["hall_list", "hall_get", "get_one", "get_two"],
        );
        let has = |name: &str| all.iter().any(|header| header.name == name);
        for name in [
            "X-Api-Url",
            "X-Acme-Url",
            "X-Acme-Desk-Url",
            "Desk-Url",
            "X-Hall-Url",
        ] {
            assert!(has(name), "{name}: {all:?}");
        }
        assert!(
            !has("X-Mcp-Url") && !has("X-Get-Url") && all.len() <= super::MOST,
            "{all:?}"
        );
    }

    #[test]
    fn a_header_of_the_users_that_holds_a_url_is_tried() {
        let all = found(
            &[("Desk", "https://desk.example.org"), ("X-Desk-Key", "k")],
            "",
            "",
            &[],
        );
        assert_eq!(all[0].name, "Desk");
        assert!(all.iter().all(|header| header.name != "X-Desk-Key"));
    }
}
