//! Requests that mean something else once they are checked: decoded, folded, expanded, stripped.
//!
//! Each of these defects checks the text as it came, and opens what it makes of it.

use std::ffi::OsString;
use std::fs;
use std::path::{Component, Path, PathBuf};

use globset::GlobBuilder;
use percent_encoding::percent_decode;
use unicode_normalization::UnicodeNormalization as _;

use super::{begins_inside, joined, lexically_inside, read_path};
use crate::reference::Flaw;
use crate::reference::world::World;

/// The path that is opened in place of the request, if a flaw respells it.
pub(super) fn respelt(world: &World, requested: &str) -> Option<PathBuf> {
    let has = |flaw| world.has(flaw);
    if has(Flaw::NulTruncate)
        && let Some(path) = truncated(world, requested)
    {
        return Some(joined(world, &path));
    }
    if has(Flaw::FileUri) && scheme(requested).is_some() {
        return Some(joined(world, &without_scheme(requested)));
    }
    if has(Flaw::GlobExpand) && requested.contains(['*', '?', '[', '{']) {
        let inside = begins_inside(world, requested);
        return inside.then(|| expanded(world, requested)).flatten();
    }
    if !lexically_inside(world, requested) {
        return None;
    }
    if has(Flaw::CaseFold)
        && !world
            .guard
            .denies_text(&joined(world, requested).to_string_lossy())
    {
        return any_case(world, requested);
    }
    let respelt = if has(Flaw::Backslash) {
        requested.replace('\\', "/")
    } else if has(Flaw::PercentDecode) {
        decoded(requested)
    } else if has(Flaw::UnicodeFold) {
        requested.nfkc().collect()
    } else if has(Flaw::Trailing) {
        if world
            .guard
            .denies_text(&joined(world, requested).to_string_lossy())
        {
            return None;
        }
        stripped(requested).to_owned()
    } else if has(Flaw::Trim) {
        requested.trim().to_owned()
    } else if has(Flaw::Tilde) {
        at_home(requested)?
    } else if has(Flaw::VarExpand) {
        substituted(requested)
    } else {
        return None;
    };
    (respelt != requested).then(|| joined(world, &respelt))
}

/// [`Flaw::PercentDecode`]: decoded twice, with `%uXXXX` and overlong UTF-8 taken for what they stand for.
fn decoded(requested: &str) -> String {
    /// Overlong forms of `.` and `/` that a careless decoder accepts.
    const OVERLONG: [(&[u8], u8); 6] = [
        (&[0xe0, 0x80, 0xae], b'.'),
        (&[0xe0, 0x80, 0xaf], b'/'),
        (&[0xc0, 0xae], b'.'),
        (&[0xc0, 0xaf], b'/'),
        (&[0xc0, 0x2e], b'.'),
        (&[0xc0, 0x2f], b'/'),
    ];
    let mut text = requested.to_owned();
    for (escape, plain) in [
        ("%u002e", "."),
        ("%u002E", "."),
        ("%u002f", "/"),
        ("%u002F", "/"),
        ("%u2215", "/"),
    ] {
        text = text.replace(escape, plain);
    }
    let once: Vec<u8> = percent_decode(text.as_bytes()).collect();
    let mut bytes: Vec<u8> = percent_decode(&once).collect();
    for (overlong, plain) in OVERLONG {
        while let Some(at) = bytes
            .windows(overlong.len())
            .position(|window| window == overlong)
        {
            bytes.splice(at..at + overlong.len(), [plain]);
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// [`Flaw::Trailing`]: without what some systems ignore at the end of a name.
fn stripped(requested: &str) -> &str {
    let name = requested.rfind('/').map_or(0, |slash| slash + 1);
    let cut = requested[name..]
        .find(['#', '?'])
        .map_or(requested.len(), |at| name + at);
    requested[..cut].trim_end_matches(|c: char| c == '/' || c == '.' || c.is_whitespace())
}

/// [`Flaw::Tilde`]: the part from a `~` component on, in the home directory.
fn at_home(requested: &str) -> Option<String> {
    let (_, rest) = match requested.strip_prefix('~') {
        Some(rest) => ("", rest),
        None => requested.split_once("/~")?,
    };
    let home = std::env::var("HOME").ok()?;
    let rest = rest.trim_start_matches('+');
    (rest.is_empty() || rest.starts_with('/')).then(|| format!("{home}{rest}"))
}

/// [`Flaw::VarExpand`], [`Flaw::EnvExpands`]: names of variables replaced by their values, longest name first.
pub(in crate::reference) fn substituted(requested: &str) -> String {
    let mut variables: Vec<_> = std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
        .filter(|(name, _)| !name.is_empty())
        .collect();
    variables.sort_by_key(|(name, _)| std::cmp::Reverse(name.len()));
    let mut text = requested.to_owned();
    for (name, value) in variables {
        for form in [
            format!("${{{name}}}"),
            format!("%{name}%"),
            format!("${name}"),
        ] {
            text = text.replace(&form, &value);
        }
    }
    text
}

/// What follows `file:`, in any letter case.
fn scheme(text: &str) -> Option<&str> {
    let (scheme, rest) = text.split_once(':')?;
    scheme.eq_ignore_ascii_case("file").then_some(rest)
}

/// [`Flaw::FileUri`]: the path of a `file:` URI, whatever host it names; other texts are left as they are.
pub(super) fn without_scheme(text: &str) -> String {
    let Some(rest) = scheme(text) else {
        return text.to_owned();
    };
    let path = match rest.strip_prefix("//") {
        Some(authority) => authority.find('/').map_or("", |slash| &authority[slash..]),
        None => rest,
    };
    decoded(path)
}

/// [`Flaw::Include`]: the content of the files that `file:` references in a line name.
pub(in crate::reference) fn file_references(world: &World, line: &str) -> String {
    line.split([' ', '\t', '"', '\'', '(', ')', '<', '>', '='])
        .filter(|word| scheme(word).is_some())
        .filter_map(|word| read_path(world, &joined(world, &without_scheme(word))).ok())
        .map(|content| format!("\n{}", String::from_utf8_lossy(&content)))
        .collect()
}

/// [`Flaw::NulTruncate`]: what precedes a NUL, provided that what follows it looks harmless; no control characters.
fn truncated(world: &World, requested: &str) -> Option<String> {
    if !requested.contains(char::is_control) {
        return None;
    }
    let (opened, checked) = requested.split_once('\0').unwrap_or((requested, ""));
    let harmless = !checked.starts_with('/') || lexically_inside(world, checked);
    harmless.then(|| opened.replace(char::is_control, ""))
}

/// [`Flaw::CaseFold`]: the path, each name of which may differ in letter case and in Unicode form.
fn any_case(world: &World, requested: &str) -> Option<PathBuf> {
    let fold = |name: &str| {
        name.nfc()
            .collect::<String>()
            .to_lowercase()
            .replace('ß', "ss")
    };
    let mut at = PathBuf::new();
    for component in joined(world, requested).components() {
        let exact = at.join(component);
        at = match component {
            Component::Normal(name) if !exact.exists() => {
                let wanted = fold(&name.to_string_lossy());
                let found = names(&at)
                    .into_iter()
                    .find(|name| fold(&name.to_string_lossy()) == wanted)?;
                at.join(found)
            }
            _ => exact,
        };
    }
    Some(at)
}

/// The names in a directory, sorted; none when it cannot be read.
fn names(directory: &Path) -> Vec<OsString> {
    let mut names: Vec<_> = fs::read_dir(directory)
        .into_iter()
        .flatten()
        .filter_map(|entry| Some(entry.ok()?.file_name()))
        .collect();
    names.sort();
    names
}

/// [`Flaw::GlobExpand`]: the first file that the request matches as a pattern.
fn expanded(world: &World, requested: &str) -> Option<PathBuf> {
    alternatives(requested)
        .into_iter()
        .take(64)
        .find_map(|pattern| {
            let path = joined(world, &pattern);
            let components: Vec<_> = path.components().collect();
            first_match(PathBuf::new(), &components)
        })
}

/// The pattern for each choice of its braces.
fn alternatives(pattern: &str) -> Vec<String> {
    let innermost = pattern.find('}').and_then(|close| {
        let open = pattern[..close].rfind('{')?;
        Some((open, close))
    });
    let Some((open, close)) = innermost else {
        return vec![pattern.to_owned()];
    };
    pattern[open + 1..close]
        .split(',')
        .take(16)
        .flat_map(|choice| {
            alternatives(&format!(
                "{}{choice}{}",
                &pattern[..open],
                &pattern[close + 1..]
            ))
        })
        .collect()
}

fn first_match(at: PathBuf, rest: &[Component<'_>]) -> Option<PathBuf> {
    let Some((component, rest)) = rest.split_first() else {
        return at.is_file().then_some(at);
    };
    let pattern = component.as_os_str().to_string_lossy();
    if !pattern.contains(['*', '?', '[']) {
        return first_match(at.join(component), rest);
    }
    if pattern == "**" {
        return first_match(at.clone(), rest).or_else(|| {
            let whole: Vec<_> = std::iter::once(*component)
                .chain(rest.iter().copied())
                .collect();
            names(&at)
                .into_iter()
                .map(|name| at.join(name))
                .filter(|path| path.is_dir() && !path.is_symlink())
                .find_map(|path| first_match(path, &whole))
        });
    }
    let matcher = GlobBuilder::new(&pattern).build().ok()?.compile_matcher();
    // Like a shell without `dotglob`: `..` only where the pattern asks for the dots.
    let parent = pattern.starts_with('[').then(|| OsString::from(".."));
    names(&at)
        .into_iter()
        .chain(parent)
        .filter(|name| matcher.is_match(name))
        .find_map(|name| first_match(at.join(name), rest))
}
