//! How a value is re-spelled before it is sent.
//!
//! Owns the meaning of [`Spelling`]; which decoder would undo it is the target's affair.

use std::fmt::Write as _;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use unicode_normalization::UnicodeNormalization as _;

use crate::probe::Spelling;

/// Everything but unreserved letters and digits; a path stays recognisable to no naive check.
const ALL: &AsciiSet = NON_ALPHANUMERIC;

/// Spells `value` in the given way.
#[must_use]
pub(super) fn spell(value: &str, spelling: Spelling) -> String {
    match spelling {
        Spelling::Percent => utf8_percent_encode(value, ALL).to_string(),
        Spelling::PercentTwice => {
            utf8_percent_encode(&utf8_percent_encode(value, ALL).to_string(), ALL).to_string()
        }
        Spelling::Overlong => value.replace('.', "%c0%ae").replace('/', "%c0%af"),
        Spelling::PercentU => value.replace('.', "%u002e").replace('/', "%u002f"),
        Spelling::FullWidth => value.chars().map(full_width).collect(),
        Spelling::Backslash => value.replace('/', "\\"),
        Spelling::FileUri => format!("file://{value}"),
        Spelling::UpperCase => value.to_uppercase(),
        Spelling::Decomposed => value.nfd().collect(),
        Spelling::FoldAlike => value.replace('k', "\u{212a}").replace('s', "\u{17f}"),
        Spelling::Share => value.replacen(':', "$", 1),
        Spelling::GlobClass => value.chars().fold(String::new(), |mut spelled, character| {
            if character.is_ascii_alphabetic() || character == '.' {
                // Writing to a String cannot fail.
                let _ = write!(spelled, "[{character}]");
            } else {
                spelled.push(character);
            }
            spelled
        }),
    }
}

/// The full-width form of printable ASCII (Unicode block "Halfwidth and Fullwidth Forms").
fn full_width(character: char) -> char {
    match character {
        '!'..='~' => char::from_u32(u32::from(character) - 0x21 + 0xFF01).unwrap_or(character),
        other => other,
    }
}
