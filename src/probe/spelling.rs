//! The ways in which a value can be spelled otherwise.
//!
//! Owns their names in probe files. What each makes of a value is the testbed's to know.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A way to spell a value so that a decoder behind the check would restore it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Spelling {
    /// Every byte that is no letter or digit as `%xx`.
    Percent,
    /// Percent-encoded twice.
    PercentTwice,
    /// Dots and slashes as overlong UTF-8 in percent form (`%c0%ae`, `%c0%af`).
    Overlong,
    /// `%uXXXX` escapes for dots and slashes.
    PercentU,
    /// ASCII punctuation and letters as full-width forms (U+FF01 block).
    FullWidth,
    /// Slashes as backslashes.
    Backslash,
    /// A `file://` URI with an empty host.
    FileUri,
    /// Upper case.
    UpperCase,
    /// For a glob: each dot and letter in a bracket class of its own (`[n][o][t]`).
    GlobClass,
    /// Canonically decomposed (NFD).
    Decomposed,
    /// `k` and `s` as the characters that case folding maps to them (U+212A, U+017F).
    FoldAlike,
    /// A Windows path as the rest of an administrative share: `C:\x` as `C$\x`.
    Share,
    /// Every byte as `%xx`, letters and digits too.
    PercentAll,
    /// ASCII letters and digits as circled ones (`①`).
    Circled,
    /// Dots as ideographic full stops (`。`).
    IdeographicDot,
    /// The first dot as a letter, `x`: what a dot of a pattern stands for, too.
    LetterDot,
    /// An address: IPv4 as one decimal number.
    Decimal,
    /// An address: IPv4 as one hexadecimal number.
    Hex,
    /// An address: each part of IPv4 in hexadecimal.
    HexParts,
    /// An address: each part of IPv4 in octal, with one leading zero.
    OctalParts,
    /// An address: each part of IPv4 in octal, with many leading zeros.
    OctalPadded,
    /// An address: the last three parts of IPv4 as one number (`10.5`).
    TwoParts,
    /// An address: the last two parts of IPv4 as one number (`10.0.5`).
    ThreeParts,
    /// An address: hexadecimal, octal and decimal parts in one.
    MixedParts,
    /// An address: IPv4 as a mapped one of IPv6, with dots (`::ffff:10.0.0.5`).
    Mapped,
    /// An address: the same in hexadecimal (`::ffff:a00:5`).
    MappedHex,
    /// An address: the same with nothing left out.
    MappedLong,
    /// An address: IPv4-translated (RFC 7915).
    Translated,
    /// An address: behind the well-known prefix of NAT64 (RFC 6052).
    Nat64,
    /// An address: behind the local prefix of NAT64 (RFC 8215).
    Nat64Local,
    /// An address: 6to4 (RFC 3056).
    SixToFour,
    /// An address: Teredo's client (RFC 4380).
    Teredo,
    /// An address: IPv4-compatible (deprecated by RFC 4291).
    Compatible,
    /// An address with hyphens: `10-0-0-5`.
    Hyphens,
    /// An address of IPv6 in brackets, one of IPv4 as it is: what stands in a URL.
    Bracketed,
    /// A port: 65536 more than its number, which is the same in 16 bits.
    Wrapped,
}

impl fmt::Display for Spelling {
    /// The word of the file format.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.serialize(f)
    }
}
