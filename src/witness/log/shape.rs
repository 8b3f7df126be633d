//! Shapes: what tells two records of a log apart, apart from the calls that they are of.
//!
//! Owns what differs from call to call: the names that the caller chose, times, ids, and numbers that were not the
//! same in several calls. Knows no field by its name, for every log has its own.

use std::{ops::Range, sync::LazyLock};

use regex::Regex;

use super::{Record, time};

/// What is left of a record when everything that differs from call to call is taken away.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Shape {
    /// Its words field by field; numbers leave a mark.
    words: Vec<String>,
    /// The numbers that stand alone, in order: a status tells a refusal as well as a word does, an id does not.
    numbers: Vec<String>,
}

impl Shape {
    /// The shape of a line of a call that is known by these words.
    #[must_use]
    pub fn of(line: &str, words: &[&str]) -> Self {
        let record = Record::read(line);
        let mut shape = Self::default();
        if !record.object {
            shape.take("", line, words);
            return shape;
        }
        shape.take("", &record.header, words);
        for (name, value) in &record.fields {
            shape.take(name, value, words);
        }
        shape
    }

    fn take(&mut self, name: &str, value: &str, words: &[&str]) {
        let text = without_names(value, words);
        let text = time().replace_all(&text, " ");
        let text = measures().replace_all(&text, " # ");
        let measured = measure_name().is_match(name);
        let mut tokens = Vec::new();
        for token in text.split_whitespace() {
            // A pair in a line of text has a name of its own.
            let own = token.split_once('=').map_or("", |(name, _)| name);
            let numbers = (!measured && !measure_name().is_match(own)).then_some(&mut self.numbers);
            tokens.push(without_numbers(token, numbers));
        }
        // What named the target alone says nothing more.
        if tokens
            .iter()
            .any(|token| token.contains(char::is_alphanumeric) || token == "#")
        {
            self.words.push(format!("{name}: {}", tokens.join(" ")));
        }
    }
}

/// The shapes of records of permitted calls.
#[derive(Debug, Default)]
pub struct Shapes(Vec<(usize, Shape)>);

impl Shapes {
    /// Takes in a record of one of several calls.
    pub fn add(&mut self, call: usize, shape: Shape) {
        self.0.push((call, shape));
    }

    /// Whether nothing tells this one from a record of a permitted call.
    #[must_use]
    pub fn like(&self, other: &Shape) -> bool {
        let same: Vec<_> = self
            .0
            .iter()
            .filter(|(_, it)| it.words == other.words)
            .collect();
        let numbers = |at: usize| {
            same.iter()
                .filter_map(move |(call, it)| Some((*call, it.numbers.get(at)?)))
        };
        !same.is_empty()
            && other.numbers.iter().enumerate().all(|(at, number)| {
                let known = numbers(at).any(|(_, it)| it == number);
                // A number that was never the same in two calls says nothing, whatever it is.
                let kept = numbers(at)
                    .all(|(call, it)| numbers(at).any(|(other, its)| other != call && its == it));
                known || !kept
            })
    }
}

/// The text without the names that hold one of the words: paths and URLs, as far as they go.
fn without_names(text: &str, words: &[&str]) -> String {
    let mut left = text.to_owned();
    for word in words.iter().filter(|word| !word.is_empty()) {
        while let Some(at) = left.find(word) {
            left.replace_range(name_around(&left, at..at + word.len()), " ");
        }
    }
    left
}

/// Where the name begins and ends that the word at this place is a part of.
fn name_around(text: &str, word: Range<usize>) -> Range<usize> {
    let ends = |letter: char| letter.is_whitespace() || "\"'`<>|;,={}()[]".contains(letter);
    let after = |letter: char| ends(letter) || letter == ':';
    let end = text[word.end..]
        .find(after)
        .map_or(text.len(), |at| word.end + at);
    let begin = text[..word.start]
        .char_indices()
        .rfind(|(_, letter)| ends(*letter))
        .map_or(0, |(at, letter)| at + letter.len_utf8());
    // In `denied:/srv/a` the name begins after the colon, in `http://host:80/a` and `C:\a` it does not.
    let name = &text[begin..word.start];
    let first = name.find(['/', '\\']).unwrap_or(name.len());
    let colon = match name[..first].rfind(':') {
        Some(at) if name[at..].starts_with("://") => name[..at].rfind(':'),
        Some(at) if name[at + 1..first].bytes().all(|it| it.is_ascii_digit()) && at + 1 < first => {
            None
        }
        Some(1) if name.starts_with(|letter: char| letter.is_ascii_alphabetic()) => None,
        other => other,
    };
    begin + colon.map_or(0, |at| at + 1)..end
}

/// The token with a mark for each of its numbers; those that are no part of another value are handed out.
fn without_numbers(token: &str, mut numbers: Option<&mut Vec<String>>) -> String {
    let bare = token.trim_matches(|letter: char| !letter.is_ascii_alphanumeric());
    let is_id = bare.len() >= 8
        && bare
            .bytes()
            .all(|byte| byte.is_ascii_hexdigit() || byte == b'-');
    if is_id {
        return token.replace(bare, "#");
    }
    let mut left = String::new();
    let mut rest = token;
    while let Some(at) = rest.find(|letter: char| letter.is_ascii_digit()) {
        let (before, from) = rest.split_at(at);
        let length = from
            .find(|letter: char| !letter.is_ascii_digit())
            .unwrap_or(from.len());
        let (number, after) = from.split_at(length);
        left.push_str(before);
        // `0.35`, `10.0.0.1` and `12ms` are values of another kind.
        let follows = left.ends_with(['.', ':', ',', '-']) && left[..left.len() - 1].ends_with('#');
        let goes_on = after.starts_with(char::is_alphanumeric)
            || (after.starts_with(['.', ':', ',', '-'])
                && after[1..].starts_with(|letter: char| letter.is_ascii_digit()));
        if let Some(numbers) = numbers.as_deref_mut()
            && !follows
            && !goes_on
        {
            numbers.push(number.to_owned());
        }
        left.push('#');
        rest = after;
    }
    left + rest
}

/// Numbers with their units: how long it took and how much it was differs by chance.
fn measures() -> &'static Regex {
    static MEASURES: LazyLock<Regex> = LazyLock::new(|| {
        Regex::new(r"(?i-u)\b\d+(?:\.\d+)? ?(?:[mun]?s|secs?|seconds?|millis|bytes?|[kmg]?i?b)\b")
            .expect("the pattern is ours")
    });
    &MEASURES
}

/// The names of fields that hold such numbers.
fn measure_name() -> &'static Regex {
    static NAME: LazyLock<Regex> = LazyLock::new(|| {
        Regex::new(concat!(
            r"(?i-u:(?:^|[._\-])(?:[mun]s|secs?|seconds|millis|time|took|elapsed|duration|latency|uptime",
            r"|bytes|size|len|length)$)|(?:Ms|Seconds|Time|Size|Length)$",
        ))
        .expect("the pattern is ours")
    });
    &NAME
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whether the refusal `denied` looks like the permitted calls; all lines hold their word as `@`.
    fn alike(permitted: [&str; 3], denied: &str) -> bool {
        let mut shapes = Shapes::default();
        for (call, (line, word)) in permitted
            .into_iter()
            .zip(["xyzzyb", "xyzzyc", "xyzzyd"])
            .enumerate()
        {
            shapes.add(call, Shape::of(&line.replace('@', word), &[word]));
        }
        shapes.like(&Shape::of(&denied.replace('@', "plugh"), &["plugh"]))
    }

    #[test]
    fn what_differs_by_call_alone_is_no_difference() {
        for (permitted, denied) in [
            (
                [
                    r#"{"time":"2026-01-02T03:04:05Z","id":17,"target":"/a/@-t/b","outcome":"ok"}"#,
                    r#"{"time":"2026-01-02T03:04:06Z","id":18,"target":"/a/@-t/c","outcome":"ok"}"#,
                    r#"{"time":"2026-01-02T03:04:07Z","id":19,"target":"/a/@-t/d","outcome":"ok"}"#,
                ],
                r#"{"time":"2026-01-02T03:04:08Z","id":20,"target":"/x/@","outcome":"ok"}"#,
            ),
            (
                ["read /a/@ at 5", "read /a/@ at 6", "read /a/@ at 7"],
                "read /b/@ at 8",
            ),
            (
                [
                    "5:01:02 read:/a/@ 3 ms",
                    "5:01:02 read:/a/@ 3 ms",
                    "5:01:02 read:/a/@ 3 ms",
                ],
                "5:01:02 read:../b/@ 4 ms",
            ),
            (["t=1.5 took=3 p=/a/@"; 3], "t=1.6 took=4 p=/b/@"),
            (
                [r#"{"ts":1767323045.123,"durationMs":1,"url":"http://10.0.0.1:80/@/p"}"#; 3],
                r#"{"ts":1767323046.9,"durationMs":22,"url":"http://192.168.0.100:80/@/q"}"#,
            ),
        ] {
            assert!(alike(permitted, denied), "{denied}");
        }
    }

    #[test]
    fn an_outcome_is_told_wherever_it_stands() {
        for (permitted, denied) in [
            (
                r#"{"target":"/a/@","status":200}"#,
                r#"{"target":"/b/@","status":403}"#,
            ),
            (
                r#"{"message":"read /a/@"}"#,
                r#"{"message":"read /b/@ denied by policy"}"#,
            ),
            (r#"{"message":"read /a/@"}"#, r#"{"message":"denied:/b/@"}"#),
            (r#"{"message":"/a/@:ok"}"#, r#"{"message":"/b/@:denied"}"#),
            (r#"INFO {"path":"/a/@"}"#, r#"WARNING {"path":"/b/@"}"#),
            (
                "2026-01-02T03:04:05Z ALLOWED file tool=t target=/a/@",
                "2026-01-02T03:04:05Z DENIED file tool=t target=/b/@",
            ),
            ("tool=t target=/a/@ - ok", "tool=t target=/b/@ - denied"),
            ("GET /a/@ E0", "GET /b/@ E403"),
            ("/a/@|200|t", "/b/@|403|t"),
        ] {
            assert!(!alike([permitted; 3], denied), "{denied}");
            assert!(alike([permitted; 3], permitted), "{permitted}");
        }
    }

    #[test]
    fn a_number_tells_only_what_several_calls_had_in_common() {
        let line = |number: u32| format!(r#"{{"path":"/@","n":{number}}}"#);
        let shapes = |numbers: &[u32]| {
            let mut shapes = Shapes::default();
            for (call, number) in numbers.iter().enumerate() {
                shapes.add(call, Shape::of(&line(*number), &["@"]));
            }
            shapes
        };
        let denied = Shape::of(&line(403), &["@"]);
        assert!(shapes(&[200]).like(&denied));
        assert!(shapes(&[200, 201, 202]).like(&denied));
        assert!(shapes(&[200, 200, 201]).like(&denied));
        assert!(!shapes(&[200, 200]).like(&denied));
        // A record of the request and one of its end, in each call.
        let mut both = shapes(&[0, 0]);
        both.add(0, Shape::of(&line(1), &["@"]));
        both.add(1, Shape::of(&line(1), &["@"]));
        assert!(!both.like(&denied));
        assert!(!Shapes::default().like(&denied));
    }
}
