//! Whether a value is a secret that is written out.
//!
//! Owns what makes a name that of a secret, what makes a value a reference or a placeholder, and
//! how random a text looks. Knows nothing of files; `keys.rs` knows credentials by their shape.

use std::{borrow::Cow, collections::BTreeMap, ops::Range};

use super::{finding::short, keys, url};
use crate::probe::Severity;

/// Bits per character from which a text of mixed letters and digits looks random. Base64 of random
/// bytes has 4.4 at 24 characters and more beyond; identifiers and words stay below 4.
const RANDOM: f64 = 4.2;

/// Characters from which a random text is worth a word. Shorter ones have no entropy to measure.
const RANDOM_LENGTH: usize = 24;

/// A secret in a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Hit {
    /// The rule that found it.
    pub(super) rule: &'static str,
    /// Bytes of the text.
    pub(super) span: Range<usize>,
    /// What it is, with its article.
    pub(super) what: Cow<'static, str>,
    /// How bad, where it differs from the rule.
    pub(super) severity: Option<Severity>,
}

impl Hit {
    pub(super) fn new(
        rule: &'static str,
        span: Range<usize>,
        what: impl Into<Cow<'static, str>>,
    ) -> Self {
        Self {
            rule,
            span,
            what: what.into(),
            severity: None,
        }
    }

    fn at(mut self, severity: Severity) -> Self {
        self.severity = Some(severity);
        self
    }
}

/// Which bytes have been told already.
#[derive(Debug, Default)]
pub(super) struct Taken(BTreeMap<usize, usize>);

impl Taken {
    /// Takes bytes, unless any of them is taken.
    pub(super) fn take(&mut self, span: &Range<usize>) -> bool {
        let before = self.0.range(..span.end).next_back();
        let free = before.is_none_or(|(_, end)| *end <= span.start);
        if free {
            self.0.insert(span.start, span.end);
        }
        free
    }
}

/// Secrets in a value that stands under a name, if it has one; the strongest reason for each.
pub(super) fn secrets(name: Option<&str>, value: &str) -> Vec<Hit> {
    let mut hits = keys::scan(value);
    let mut taken = Taken::default();
    for hit in &hits {
        taken.take(&hit.span);
    }
    let mut add = |hits: &mut Vec<Hit>, hit: Hit| {
        if taken.take(&hit.span) {
            hits.push(hit);
        }
    };
    for hit in url::secrets(value) {
        add(&mut hits, hit);
    }
    let (start, bare) = without_scheme(value);
    let span = start..start + bare.len();
    if let Some(name) = name.filter(|name| secret_name(name)) {
        if let Some(severity) = literal(name, bare) {
            let what = format!("the value of `{}`", short(name));
            add(&mut hits, Hit::new("secret.named", span, what).at(severity));
        }
        return hits;
    }
    // Headers inside of a value, as JSON or as arguments of a command.
    for (start, _) in value.match_indices("Bearer ") {
        let start = start + "Bearer ".len();
        let rest = &value[start..];
        let end = rest.find(|c: char| c.is_whitespace() || "\"'\\,;}".contains(c));
        let token = &rest[..end.unwrap_or(rest.len())];
        // `${TOKEN}` ends before its brace here.
        if let Some(severity) = literal("authorization", token).filter(|_| !token.contains('$')) {
            let hit = Hit::new("secret.named", start..start + token.len(), "a bearer token");
            add(&mut hits, hit.at(severity));
        }
    }
    if looks_random(bare) {
        add(
            &mut hits,
            Hit::new("secret.entropy", span, "a text that looks random"),
        );
    }
    hits
}

/// Without `Bearer` and its like, and where the rest begins.
fn without_scheme(value: &str) -> (usize, &str) {
    let start = value.len() - value.trim_start().len();
    for scheme in ["bearer ", "basic ", "token ", "apikey ", "bot "] {
        if value
            .get(start..start + scheme.len())
            .is_some_and(|head| head.eq_ignore_ascii_case(scheme))
        {
            let rest = value[start + scheme.len()..].trim();
            return (value.rfind(rest).unwrap_or(start), rest);
        }
    }
    (start, value.trim())
}

/// How bad it is that a secret has this value; none when it is no literal.
pub(super) fn literal(name: &str, value: &str) -> Option<Severity> {
    let same = |a: &str, b: &str| {
        let plain = |text: &str| text.replace(['_', '-', ' '], "").to_lowercase();
        plain(a) == plain(b)
    };
    let lower = value.to_lowercase();
    let switch = [
        "true", "false", "null", "none", "yes", "no", "on", "off", "auto", "required",
    ];
    if value.len() < 3
        || reference(value)
        || placeholder(value)
        || same(name, value)
        || switch.contains(&lower.as_str())
        || is_path(value)
        || value.contains("://")
    {
        return None;
    }
    let known = [
        "password",
        "passwd",
        "pass",
        "secret",
        "token",
        "apikey",
        "api-key",
        "api_key",
        "postgres",
        "root",
        "admin",
        "user",
        "test",
        "guest",
        "mysql",
        "redis",
        "mypassword",
    ];
    if known.contains(&lower.as_str()) {
        return Some(Severity::Low);
    }
    let mixed = value.contains(|c: char| c.is_ascii_digit()) && value.contains(char::is_alphabetic);
    Some(if value.len() >= 16 && mixed && entropy(value) >= 3.0 {
        Severity::High
    } else {
        Severity::Medium
    })
}

/// Whether a name is that of something to keep secret.
pub(super) fn secret_name(name: &str) -> bool {
    let words = words(name);
    let Some(last) = words.last().map(String::as_str) else {
        return false;
    };
    let before = words
        .len()
        .checked_sub(2)
        .map(|index| words[index].as_str());
    match last {
        "token" | "secret" | "password" | "passwd" | "passphrase" | "apikey" | "authtoken"
        | "accesstoken" | "secretkey" | "authorization" | "credentials" | "credential" | "pat" => {
            // How much of something there may be, or what it is called.
            !matches!(
                before,
                Some("max" | "min" | "num" | "per" | "next" | "page" | "sort")
            )
        }
        "pass" => words.len() > 1,
        "pwd" => words.len() > 1 && before != Some("old"),
        "cookie" => words.len() == 1,
        "key" => matches!(
            before,
            Some(
                "api"
                    | "access"
                    | "secret"
                    | "private"
                    | "auth"
                    | "encryption"
                    | "signing"
                    | "master"
                    | "license"
                    | "service"
                    | "account"
                    | "role"
                    | "admin"
                    | "app"
                    | "subscription"
                    | "integration"
                    | "openai"
                    | "anthropic"
                    | "client"
            )
        ),
        _ => false,
    }
}

/// Lower-case words of a name: `apiKey`, `API_KEY`, `x-api-key`.
fn words(name: &str) -> Vec<String> {
    let mut words: Vec<String> = vec![String::new()];
    let mut lower = false;
    for c in name.chars() {
        if !c.is_alphanumeric() || (c.is_uppercase() && lower) {
            words.push(String::new());
        }
        lower = c.is_lowercase();
        if c.is_alphanumeric()
            && let Some(word) = words.last_mut()
        {
            word.extend(c.to_lowercase());
        }
    }
    words.retain(|word| !word.is_empty());
    words
}

/// Whether a value names a secret that is kept elsewhere, instead of being one.
pub(super) fn reference(value: &str) -> bool {
    const STORES: [&str; 24] = [
        "op://",
        "vault:",
        "vault://",
        "secret:",
        "secret://",
        "secrets:",
        "secretref:",
        "ref+",
        "env:",
        "file:",
        "keychain:",
        "keyring:",
        "bw://",
        "pass:",
        "doppler:",
        "akeyless:",
        "aws-sm:",
        "arn:aws:",
        "gcp-sm:",
        "projects/",
        "azkv:",
        "enc[",
        "infisical:",
        "!secret ",
    ];
    let value = value.trim();
    let lower = value.to_lowercase();
    STORES.iter().any(|store| lower.starts_with(store))
        || within(value, "${", "}")
        || within(value, "$(", ")")
        || within(value, "{{", "}}")
        || within(value, "`", "`")
        || (within(value, "%", "%") && !value.contains(' '))
        || value.strip_prefix('$').is_some_and(|name| {
            !name.is_empty()
                && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
                && !name.starts_with(|c: char| c.is_ascii_digit())
        })
        || lower.starts_with("$env:")
        || lower.starts_with("process.env.")
}

fn within(value: &str, open: &str, close: &str) -> bool {
    value
        .find(open)
        .is_some_and(|start| value[start + open.len()..].contains(close))
}

/// Whether a value plainly stands where somebody is to put theirs.
pub(super) fn placeholder(value: &str) -> bool {
    const WORDS: [&str; 26] = [
        "your",
        "changeme",
        "change-me",
        "change_me",
        "replace",
        "placeholder",
        "example",
        "redacted",
        "insert",
        "dummy",
        "sample",
        "xxxx",
        "....",
        "****",
        "____",
        "fixme",
        "todo-",
        "todo_",
        "goes-here",
        "goes_here",
        "goes here",
        "-here",
        "_here",
        "my-api",
        "my_api",
        "1234567890abcdef",
    ];
    let value = value.trim();
    let lower = value.to_lowercase();
    let only = |c: char| c == 'x' || "*.-_".contains(c);
    lower.is_empty()
        || lower.chars().all(only)
        || WORDS.iter().any(|word| lower.contains(word))
        || (value.starts_with('<') && value.ends_with('>'))
        || (value.starts_with('[') && value.ends_with(']'))
        || (value.starts_with('{') && value.ends_with('}'))
        || lower.starts_with("my-")
        || lower.starts_with("my_")
        || lower.contains("...")
        || value.contains('\u{2026}')
        || ["todo", "abc123", "123456", "fake", "mock", "test-key", "foo", "bar", "key", "value"]
            .contains(&lower.as_str())
        // Four of one character in a row and little else.
        || (value.len() >= 4 && distinct(value) <= 2)
}

fn distinct(value: &str) -> usize {
    let mut characters: Vec<char> = value.chars().collect();
    characters.sort_unstable();
    characters.dedup();
    characters.len()
}

fn is_path(value: &str) -> bool {
    value.starts_with(['/', '~'])
        || value.starts_with("./")
        || value.starts_with("../")
        || value.get(1..3) == Some(":\\")
        || [
            ".json", ".pem", ".key", ".txt", ".toml", ".yaml", ".yml", ".env", ".p12", ".crt",
        ]
        .iter()
        .any(|ending| value.ends_with(ending))
}

/// Whether a text has the length, the characters and the disorder of a key. Hexadecimal texts are
/// commits and digests more often than keys, and are not counted.
fn looks_random(value: &str) -> bool {
    let plain = value
        .chars()
        .all(|c| c.is_ascii_alphanumeric() || "+/=_-".contains(c));
    let has = |of: fn(&char) -> bool| value.chars().any(|c| of(&c));
    (RANDOM_LENGTH..=256).contains(&value.len())
        && plain
        && has(char::is_ascii_uppercase)
        && has(char::is_ascii_lowercase)
        && has(char::is_ascii_digit)
        && !is_path(value)
        // Digests of lock files say what they are.
        && !["sha1-", "sha256-", "sha384-", "sha512-", "h1"].iter().any(|head| value.starts_with(head))
        && !reference(value)
        && !placeholder(value)
        && entropy(value) >= RANDOM
}

/// Shannon entropy in bits per byte.
pub(super) fn entropy(text: &str) -> f64 {
    let mut counts = [0_u32; 256];
    for byte in text.bytes() {
        counts[usize::from(byte)] += 1;
    }
    let total = f64::from(u32::try_from(text.len()).unwrap_or(u32::MAX).max(1));
    counts
        .iter()
        .filter(|count| **count > 0)
        .map(|count| {
            let share = f64::from(*count) / total;
            -share * share.log2()
        })
        .sum()
}

/// How a secret is told: its first characters, never more than a quarter of it and never more than
/// four, and its length.
pub(super) fn told(secret: &str) -> String {
    let length = secret.chars().count();
    let head: String = secret.chars().take(shown(length)).collect();
    format!("`{head}...`, {length} characters")
}

/// How many characters of a secret of this length are shown.
pub(super) fn shown(length: usize) -> usize {
    (length / 4).min(4)
}
