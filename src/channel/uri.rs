//! URIs of a target's own scheme, such as `notes://a.md`.
//!
//! Owns how such are found in what a target tells, and how a path is spelled in one. Whether a URI
//! names a file is no business of its letters: the proof shows it.

use std::fmt::Write as _;

use super::words::EXTENSIONS;
use crate::{channel::UriForm, session::Tool};

/// Ways to name things that one target may be asked in.
const MOST: usize = 4;
/// Schemes that name what is elsewhere.
const FOREIGN: &[&str] = &[
    "http",
    "https",
    "ftp",
    "ftps",
    "sftp",
    "ssh",
    "git",
    "ws",
    "wss",
    "data",
    "mailto",
    "redis",
    "mongodb",
    "postgres",
    "postgresql",
    "mysql",
    "sqlite",
    "jdbc",
    "s3",
    "gs",
    "socks5",
];

/// A URI that a target may read files by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Shape {
    /// What stands before the path.
    pub(super) prefix: String,
    /// The extension of the files, where it is told.
    pub(super) extension: Option<&'static str>,
    /// Whether a client escapes the slashes of the path (`{name}` in a template, RFC 6570).
    pub(super) escaped: bool,
}

impl Shape {
    /// The scheme, where nothing else stands before a path. A whole path after `file://` is a form of its own.
    pub(super) fn scheme_alone(&self) -> Option<&str> {
        let prefix = self
            .prefix
            .strip_suffix(":///")
            .map_or(self.prefix.as_str(), |scheme| {
                &self.prefix[..scheme.len() + "://".len()]
            });
        (prefix.ends_with("://") && !of_files(prefix)).then_some(prefix)
    }
}

impl UriForm {
    /// Spells a path in the URI. What is a URI already (an attack) stays.
    #[must_use]
    pub fn apply(&self, path: &str) -> String {
        let scheme = path.split("://").next().filter(|it| it.len() < path.len());
        if scheme.is_some_and(is_scheme) {
            return path.to_owned();
        }
        let mut uri = self.prefix.clone();
        if !self.escaped {
            return uri + path;
        }
        for byte in path.bytes() {
            if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
                uri.push(char::from(byte));
            } else {
                // Writing to a String does not fail.
                let _ = write!(uri, "%{byte:02X}");
            }
        }
        uri
    }
}

/// The shapes of resources that a target lists, and of its templates.
pub(super) fn advertised(uris: &[String]) -> Vec<Shape> {
    let templates = uris.iter().filter(|uri| uri.contains('{'));
    let listed = uris.iter().filter(|uri| !uri.contains('{'));
    let mut shapes = Vec::new();
    for uri in templates {
        collect(template(uri), &mut shapes);
    }
    for uri in listed {
        let deep = uri.rfind('/').map(|at| shape(&uri[..=at], ending(uri)));
        collect(deep.flatten(), &mut shapes);
        let scheme = uri.find("://").map(|at| shape(&uri[..at + 3], ending(uri)));
        collect(scheme.flatten(), &mut shapes);
    }
    shapes
}

/// The shapes that the definition of a tool tells of.
pub(super) fn described(tool: &Tool) -> Vec<Shape> {
    let mut shapes = quoted(&tool.input_schema.to_string());
    for shape in quoted(&tool.description) {
        collect(Some(shape), &mut shapes);
    }
    shapes
}

/// The shapes that a text quotes, those with an example of a path by their scheme alone first.
pub(super) fn quoted(text: &str) -> Vec<Shape> {
    let mut shapes = Vec::new();
    for (at, mark) in text.match_indices("://") {
        let start = text[..at]
            .rfind(|letter: char| !letter.is_ascii_alphanumeric() && !"+.-".contains(letter))
            .map_or(0, |before| {
                before + text[before..].chars().next().map_or(1, char::len_utf8)
            });
        let rest = &text[at + mark.len()..];
        let end = rest
            .find(|letter: char| letter.is_whitespace() || "\"'`()[]|\\,;^$".contains(letter))
            .unwrap_or(rest.len());
        let (scheme, rest) = (&text[start..at + mark.len()], &rest[..end]);
        if of_files(scheme) {
            continue;
        }
        let open = rest.find(['{', '<']);
        if let Some(open) = open {
            collect(
                shape(&format!("{scheme}{}", &rest[..open]), None),
                &mut shapes,
            );
            continue;
        }
        collect(shape(scheme, ending(rest)), &mut shapes);
        let deep = rest.rfind('/').map_or("", |slash| &rest[..=slash]);
        collect(shape(&format!("{scheme}{deep}"), ending(rest)), &mut shapes);
    }
    shapes
}

/// A template with one expression for one value.
fn template(uri: &str) -> Option<Shape> {
    let (prefix, rest) = uri.split_once('{')?;
    let (expression, tail) = rest.split_once('}')?;
    // What follows a `?` may be left out.
    let tail = match tail.split_once("{?") {
        Some((tail, _)) => tail,
        None => tail,
    };
    if tail.contains('{') || expression.contains(',') {
        return None;
    }
    let whole = expression.starts_with('+') || expression.ends_with('*');
    if !whole && expression.starts_with(|letter: char| !(letter.is_alphabetic() || letter == '_')) {
        return None;
    }
    let extension = match tail {
        "" => None,
        tail => Some(ending(tail)?),
    };
    let mut shape = shape(prefix, extension)?;
    shape.escaped = !whole;
    Some(shape)
}

fn shape(prefix: &str, extension: Option<&'static str>) -> Option<Shape> {
    let (scheme, rest) = prefix.split_once("://")?;
    let foreign = FOREIGN.contains(&scheme.to_ascii_lowercase().as_str());
    let plain_file = of_files(prefix) && rest.is_empty();
    (is_scheme(scheme) && !foreign && !plain_file).then(|| Shape {
        prefix: prefix.to_owned(),
        extension,
        escaped: false,
    })
}

fn of_files(uri: &str) -> bool {
    uri.to_ascii_lowercase().starts_with("file:")
}

fn is_scheme(text: &str) -> bool {
    text.starts_with(|letter: char| letter.is_ascii_alphabetic())
        && text
            .chars()
            .all(|letter| letter.is_ascii_alphanumeric() || "+.-".contains(letter))
}

/// The extension of a file type that we can make.
fn ending(uri: &str) -> Option<&'static str> {
    let (_, ending) = uri.rsplit_once('.')?;
    EXTENSIONS
        .iter()
        .find(|(name, _)| name.eq_ignore_ascii_case(ending))
        .map(|(_, extension)| *extension)
}

fn collect(shape: Option<Shape>, shapes: &mut Vec<Shape>) {
    let Some(shape) = shape else { return };
    let known = shapes.iter().any(|other| other.prefix == shape.prefix);
    if !known && shapes.len() < MOST {
        shapes.push(shape);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn prefixes(shapes: &[Shape]) -> Vec<(String, bool)> {
        let pair = |shape: &'_ Shape| (shape.prefix.clone(), shape.escaped);
        shapes.iter().map(pair).collect()
    }

    #[test]
    fn templates_tell_what_stands_before_a_path() {
        let uris = [
            "notes://{+path}",
            "docs://files/{name}.md",
            "repo://{owner}/{name}",
            "https://example.org/{path}",
            "log:///a/b.txt",
        ];
        let shapes = advertised(&uris.map(String::from));
        assert_eq!(
            prefixes(&shapes),
            [
                (String::from("notes://"), false),
                (String::from("docs://files/"), true),
                (String::from("log:///a/"), false),
                (String::from("log://"), false)
            ]
        );
        assert_eq!(shapes[1].extension, Some(".md"));
    }

    #[test]
    fn texts_quote_their_scheme() {
        let shapes = quoted("Use \"workspace://docs/a.md\" or é(doc://<id>), not http://x/ or ://");
        assert_eq!(
            prefixes(&shapes),
            [
                (String::from("workspace://"), false),
                (String::from("workspace://docs/"), false),
                (String::from("doc://"), false)
            ]
        );
        assert_eq!(quoted("named as workspace://...")[0].prefix, "workspace://");
        assert_eq!(quoted("a path, or file:///x"), []);
        let files = advertised(&[String::from("file:///{path}")]);
        assert_eq!(files[0].prefix, "file:///");
        assert_eq!(files[0].scheme_alone(), None);
    }

    #[test]
    fn a_path_is_spelled_in_the_uri() {
        let form = |escaped| UriForm {
            prefix: String::from("notes://"),
            escaped,
        };
        assert_eq!(form(false).apply("../a b"), "notes://../a b");
        assert_eq!(form(true).apply("../a b"), "notes://..%2Fa%20b");
        assert_eq!(form(true).apply("file:///etc"), "file:///etc");
        assert_eq!(form(false).apply("/etc/a"), "notes:///etc/a");
    }
}
