//! Text of a target made fit for a terminal and a report line.
//!
//! Owns escaping and cutting only; what the text means is nobody's business here.

use std::fmt::Write as _;

/// Renders bytes of a target as one line of at most `limit` characters: control characters,
/// direction overrides and bytes that are not UTF-8 are escaped, so that the text can neither
/// drive a terminal nor forge a line of ours.
#[must_use]
pub fn printable(bytes: &[u8], limit: usize) -> String {
    let mut shown = String::new();
    let mut count = 0;
    for chunk in bytes.utf8_chunks() {
        for char in chunk.valid().chars() {
            if count == limit {
                shown.push('…');
                return shown;
            }
            count += 1;
            if char.is_control() || is_invisible(char) {
                shown.extend(char.escape_default());
            } else {
                shown.push(char);
            }
        }
        for byte in chunk.invalid() {
            if count == limit {
                shown.push('…');
                return shown;
            }
            count += 1;
            let _infallible = write!(shown, "\\x{byte:02x}");
        }
    }
    shown
}

/// Characters without a glyph that reorder or hide their neighbours (Unicode TR 36, CVE-2021-42574).
fn is_invisible(char: char) -> bool {
    matches!(
        char,
        '\u{200b}'..='\u{200f}'
            | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{2069}'
            | '\u{feff}'
            | '\u{e0000}'..='\u{e007f}'
    )
}

#[cfg(test)]
mod tests {
    use super::printable;

    #[test]
    fn control_characters_cannot_reach_a_terminal() {
        assert_eq!(
            printable(b"\x1b[2Jgone\r\nnext", 80),
            "\\u{1b}[2Jgone\\r\\nnext"
        );
        assert_eq!(printable("a\u{202e}b".as_bytes(), 80), "a\\u{202e}b");
        assert_eq!(printable(b"\xff\xfe", 80), "\\xff\\xfe");
    }

    #[test]
    fn long_text_is_cut_at_the_limit() {
        assert_eq!(printable(b"abcdef", 3), "abc…");
        assert_eq!(printable(b"abc", 3), "abc");
    }
}
