//! Text of a target, made safe to show.
//!
//! Everything that a target says is written by a possible attacker: names, replies, stderr, even
//! its version. Each renderer and the progress display pass it through here. Storage does not:
//! the JSON report keeps what was said and escapes it in JSON's own way ([`is_plain`] decides).

use std::borrow::Cow;

use serde_json::Value;
use unicode_width::UnicodeWidthChar;

/// Characters of one text of a target that a report holds; the transcript has all.
pub const STORED: usize = 2_000;

/// Whether a character may reach a terminal as it stands.
///
/// Refuses controls, escapes, bidirectional overrides, zero-width and tag characters, combining
/// marks, unassigned and private-use code points. The judgement is that of
/// [`char::escape_debug`], which follows the general categories of Unicode; characters that are
/// letters by category yet take no column (Hangul fillers) are refused by their width.
#[must_use]
pub fn is_plain(c: char) -> bool {
    match c {
        '\'' | '"' | '\\' => true,
        _ => c.escape_debug().len() == 1 && c.width().is_some_and(|columns| columns > 0),
    }
}

/// Text of a target on one line: what is not [plain](is_plain) is spelled out (`\n`, `\u{1b}`),
/// and `[…]` stands for what follows the first `limit` characters.
///
/// A backslash is left alone, so that paths and JSON stay readable; a target can therefore write
/// `\u{1b}` itself, which is as harmless as it looks.
#[must_use]
pub fn visible(text: &str, limit: usize) -> Cow<'_, str> {
    let (kept, rest) = cut(text, limit);
    if rest.is_empty() && kept.chars().all(is_plain) {
        return Cow::Borrowed(text);
    }
    let mut shown = String::with_capacity(kept.len() + 32);
    for c in kept.chars() {
        match c {
            '\n' => shown.push_str("\\n"),
            '\r' => shown.push_str("\\r"),
            '\t' => shown.push_str("\\t"),
            _ if is_plain(c) => shown.push(c),
            _ => shown.extend(c.escape_unicode()),
        }
    }
    if !rest.is_empty() {
        shown.push_str(" […]");
    }
    Cow::Owned(shown)
}

/// Shortens a text that goes into a report to [`STORED`] characters and a count of the bytes that
/// were cut. The characters themselves are kept as they came.
pub fn shorten(text: &mut String) {
    let (kept, rest) = cut(text, STORED);
    if !rest.is_empty() {
        *text = format!("{kept} [{} more bytes]", rest.len());
    }
}

/// [`shorten`] for every string in a value, keys apart: a probe of size limits sends megabytes.
pub fn shorten_value(value: &mut Value) {
    match value {
        Value::String(text) => shorten(text),
        Value::Array(items) => items.iter_mut().for_each(shorten_value),
        Value::Object(fields) => fields.values_mut().for_each(shorten_value),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

fn cut(text: &str, limit: usize) -> (&str, &str) {
    let end = text
        .char_indices()
        .nth(limit)
        .map_or(text.len(), |(index, _)| index);
    text.split_at(end)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    #[test]
    fn hostile_characters_are_spelled_out() {
        for (hostile, shown) in [
            (
                "\u{1b}[31mred\u{1b}]0;title\u{7}",
                r"\u{1b}[31mred\u{1b}]0;title\u{7}",
            ),
            ("a\nb\r\tc", r"a\nb\r\tc"),
            ("nul\0del\u{7f}c1\u{9b}2J", r"nul\u{0}del\u{7f}c1\u{9b}2J"),
            ("\u{202e}gpj.exe\u{2066}", r"\u{202e}gpj.exe\u{2066}"),
            ("zero\u{200b}width\u{feff}", r"zero\u{200b}width\u{feff}"),
            ("tag\u{e0041}", r"tag\u{e0041}"),
            ("e\u{301}", r"e\u{301}"),
            ("filler\u{3164}", r"filler\u{3164}"),
            ("nbsp\u{a0}", r"nbsp\u{a0}"),
            ("line\u{2028}", r"line\u{2028}"),
        ] {
            assert_eq!(visible(hostile, 100), shown);
        }
    }

    #[test]
    fn ordinary_text_is_untouched() {
        for text in [
            "C:\\Users\\a",
            "{\"path\":\"/a\"}",
            "it's größer, 漢字, שלום, 🦀",
        ] {
            assert!(matches!(visible(text, 100), Cow::Borrowed(same) if same == text));
        }
    }

    #[test]
    fn long_text_is_cut() {
        assert_eq!(visible("abcdef", 6), "abcdef");
        assert_eq!(visible("abcdef", 4), "abcd […]");
        let mut value = json!({ "a": ["ö".repeat(1 << 20), 1, "short"] });
        shorten_value(&mut value);
        let text = format!(
            "{} [{} more bytes]",
            "ö".repeat(STORED),
            ((1 << 20) - STORED) * 2
        );
        assert_eq!(value, json!({ "a": [text, 1, "short"] }));
    }

    proptest! {
        #[test]
        fn nothing_raw_comes_through(text in any::<String>(), limit in 0_usize..80) {
            let shown = visible(&text, limit);
            prop_assert!(shown.chars().all(is_plain), "{shown:?}");
        }
    }
}
