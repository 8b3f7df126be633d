//! Text inside the page: inert, and addresses of probes and trials.
//!
//! Owns how text of a target stands in HTML: escaped, on its own in reading direction, and with what
//! could act spelled out and marked as such. Knows nothing of reports.

use std::{borrow::Cow, fmt};

use askama::{FastWritable, NO_VALUES, Values, filters::HtmlSafe};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use sha2::{Digest, Sha256};

use crate::report::{STORED, is_plain, visible};

/// Characters of one text that are shown: all of what a report of ours holds, and the count of
/// what was cut.
const SHOWN: usize = STORED + 100;
/// Characters of a name.
const NAME: usize = 120;
/// Bytes of an address; a longer one ends in a digest.
const ADDRESS: usize = 240;

/// What stands for itself in the id of an element and in the fragment of an address.
const PLAIN_IN_ADDRESS: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'.')
    .remove(b'-')
    .remove(b'_')
    .remove(b'/')
    .remove(b'@')
    .remove(b':');

/// A text of the target, or a long one; see [`inert`].
#[derive(Debug)]
pub(in crate::report) struct Inert<T>(T);

/// Shows a text: line breaks as line breaks, whatever else is not plain spelled out and marked.
pub(in crate::report) fn inert<T: AsRef<str>>(text: T) -> Inert<T> {
    Inert(text)
}

// Escapes everything itself, so that the marks can be elements.
impl<T: AsRef<str>> HtmlSafe for Inert<T> {}

impl<T: AsRef<str>> FastWritable for Inert<T> {
    fn write_into(&self, dest: &mut dyn fmt::Write, _: &dyn Values) -> askama::Result<()> {
        write!(dest, "{self}")?;
        Ok(())
    }
}

impl<T: AsRef<str>> fmt::Display for Inert<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("<bdi>")?;
        let mut chars = self.0.as_ref().chars();
        for c in chars.by_ref().take(SHOWN) {
            match c {
                '<' => f.write_str("&lt;")?,
                '>' => f.write_str("&gt;")?,
                '&' => f.write_str("&amp;")?,
                '"' => f.write_str("&quot;")?,
                '\'' => f.write_str("&#39;")?,
                '\n' => f.write_str("\n")?,
                '\t' => f.write_str("<b class=\"odd\">\\t</b>")?,
                '\r' => f.write_str("<b class=\"odd\">\\r</b>")?,
                _ if is_plain(c) => write!(f, "{c}")?,
                _ => write!(f, "<b class=\"odd\">{}</b>", c.escape_unicode())?,
            }
        }
        let rest = chars.as_str().len();
        if rest > 0 {
            write!(f, "<i class=\"cut\"> [{rest} more bytes]</i>")?;
        }
        f.write_str("</bdi>")
    }
}

/// A paragraph of a probe's author, in which `code` stands between backticks.
pub(super) fn prose(text: &str) -> Prose<'_> {
    Prose(text)
}

/// See [`prose`].
#[derive(Debug)]
pub(super) struct Prose<'a>(&'a str);

impl HtmlSafe for Prose<'_> {}

impl FastWritable for Prose<'_> {
    fn write_into(&self, dest: &mut dyn fmt::Write, _: &dyn Values) -> askama::Result<()> {
        // A backtick without a partner is a character like any other.
        let pieces: Vec<&str> = self.0.split('`').collect();
        let paired = pieces.len() % 2 == 1;
        for (index, piece) in pieces.iter().enumerate() {
            let piece = inert(piece);
            match (index % 2 == 1, paired) {
                (true, true) => write!(dest, "<code>{piece}</code>")?,
                (true, false) => write!(dest, "`{piece}")?,
                (false, true) => write!(dest, "{piece}")?,
                (false, false) if index == 0 => write!(dest, "{piece}")?,
                (false, false) => write!(dest, "`{piece}")?,
            }
        }
        Ok(())
    }
}

impl fmt::Display for Prose<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.write_into(f, NO_VALUES).map_err(|_| fmt::Error)
    }
}

/// A name on one line; the engine escapes it.
pub(in crate::report) fn name(text: &str) -> Cow<'_, str> {
    if text.is_empty() {
        return Cow::Borrowed("(none)");
    }
    visible(text, NAME)
}

/// The address of a probe or trial in the page: its id, percent-encoded where it must be.
pub(in crate::report) fn anchor(id: &str) -> String {
    let whole = utf8_percent_encode(id, PLAIN_IN_ADDRESS).to_string();
    if whole.len() <= ADDRESS {
        return whole;
    }
    let digest = data_encoding::HEXLOWER.encode(&Sha256::digest(id)[..8]);
    format!("{}~{digest}", &whole[..ADDRESS])
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_could_act_is_spelled_out_and_marked() {
        assert_eq!(
            inert("<b>\u{1b}[0m\0\u{202e}'\n").to_string(),
            "<bdi>&lt;b&gt;<b class=\"odd\">\\u{1b}</b>[0m<b class=\"odd\">\\u{0}</b>\
             <b class=\"odd\">\\u{202e}</b>&#39;\n</bdi>"
        );
    }

    #[test]
    fn code_in_prose_stands_between_pairs() {
        assert_eq!(
            prose("use `a<b` here").to_string(),
            "<bdi>use </bdi><code><bdi>a&lt;b</bdi></code><bdi> here</bdi>"
        );
        assert_eq!(prose("a ` b").to_string(), "<bdi>a </bdi>`<bdi> b</bdi>");
    }

    #[test]
    fn long_addresses_stay_apart() {
        let long = "ö".repeat(500);
        assert_ne!(anchor(&format!("{long}a")), anchor(&format!("{long}b")));
        assert_eq!(
            anchor("fs.read.x/plain@read_file:path"),
            "fs.read.x/plain@read_file:path"
        );
        assert_eq!(anchor("a b\"<"), "a%20b%22%3C");
    }

    proptest! {
        #[test]
        fn no_text_leaves_its_place(text in any::<String>()) {
            let shown = inert(&*text).to_string().replace("<b class=\"odd\">", "").replace("</b>", "");
            let inner = &shown["<bdi>".len()..shown.len() - "</bdi>".len()];
            prop_assert!(!inner.contains(['<', '>', '"', '\'']), "{inner}");
            prop_assert!(inner.chars().all(|c| c == '\n' || is_plain(c)), "{inner:?}");
        }
    }
}
