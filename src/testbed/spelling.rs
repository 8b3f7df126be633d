//! How a value is re-spelled before it is sent.
//!
//! Owns the meaning of [`Spelling`]; which decoder would undo it is the target's affair.

use std::fmt::Write as _;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use unicode_normalization::UnicodeNormalization as _;

use super::address::spell_address;
use crate::probe::Spelling;

/// Everything but unreserved letters and digits; a path stays recognisable to no naive check.
const ALL: &AsciiSet = NON_ALPHANUMERIC;

/// Spells `value` in the given way.
#[must_use]
pub fn spell(value: &str, spelling: Spelling) -> String {
    if let Some(spelled) = spell_address(value, spelling) {
        return spelled;
    }
    match spelling {
        Spelling::PercentAll => value.bytes().fold(String::new(), |mut spelled, byte| {
            // Writing to a String cannot fail.
            let _ = write!(spelled, "%{byte:02x}");
            spelled
        }),
        Spelling::Wrapped => value
            .parse::<u32>()
            .map_or_else(|_| value.to_owned(), |port| (port + 65536).to_string()),
        Spelling::Circled => value.chars().map(circled).collect(),
        Spelling::IdeographicDot => value.replace('.', "\u{3002}"),
        Spelling::LetterDot => value.replacen('.', "x", 1),
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
        _ => value.to_owned(),
    }
}

/// The circled form of an ASCII letter or digit (Unicode block "Enclosed Alphanumerics").
fn circled(character: char) -> char {
    let code = u32::from(character);
    let circled = match character {
        '0' => Some(0x24EA),
        '1'..='9' => Some(code - 0x31 + 0x2460),
        'a'..='z' => Some(code - 0x61 + 0x24D0),
        'A'..='Z' => Some(code - 0x41 + 0x24B6),
        _ => None,
    };
    circled.and_then(char::from_u32).unwrap_or(character)
}

/// The full-width form of printable ASCII (Unicode block "Halfwidth and Fullwidth Forms").
fn full_width(character: char) -> char {
    match character {
        '!'..='~' => char::from_u32(u32::from(character) - 0x21 + 0xFF01).unwrap_or(character),
        other => other,
    }
}
