//! Text of a target, made safe to show.
//!
//! Everything that a target says is written by a possible attacker: names, replies, stderr, even
//! its version. Each renderer and the progress display pass it through here. Storage does not:
//! the JSON report keeps what was said and escapes it in JSON's own way ([`is_plain`] decides).

use std::{borrow::Cow, fmt::Write};

use unicode_width::UnicodeWidthChar;

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
/// and what follows the first `limit` characters is cut and counted in bytes.
///
/// A backslash is left alone, so that paths and JSON stay readable; a target can therefore write
/// `\u{1b}` itself, which is as harmless as it looks.
#[must_use]
pub fn visible(text: &str, limit: usize) -> Cow<'_, str> {
    let end = text
        .char_indices()
        .nth(limit)
        .map_or(text.len(), |(index, _)| index);
    let kept = &text[..end];
    if end == text.len() && kept.chars().all(is_plain) {
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
    if end < text.len() {
        write!(shown, " [{} more bytes]", text.len() - end)
            .expect("writing to a String does not fail");
    }
    Cow::Owned(shown)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

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
    fn long_text_is_cut_and_counted() {
        assert_eq!(visible("abcdef", 6), "abcdef");
        assert_eq!(visible("abcdef", 4), "abcd [2 more bytes]");
        let line = "x".repeat(1 << 20);
        assert_eq!(
            visible(&line, 10),
            format!("{} [{} more bytes]", "x".repeat(10), (1 << 20) - 10)
        );
    }

    proptest! {
        #[test]
        fn nothing_raw_comes_through(text in any::<String>(), limit in 0_usize..80) {
            let shown = visible(&text, limit);
            prop_assert!(shown.chars().all(is_plain), "{shown:?}");
        }
    }
}
