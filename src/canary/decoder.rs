//! The names of the encodings that the detector can undo.

use std::fmt;

/// One step from the bytes as they were seen to the token as it was planted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Decoder {
    /// Letters in another case.
    CaseFold,
    /// Back to front.
    Reversed,
    /// Letters rotated by 13.
    Rot13,
    /// Zero-width characters between the characters.
    Invisible,
    /// White space and zero-width characters between the characters.
    Whitespace,
    /// Line numbers, diff markers, quote markers or `file:line:` before each line.
    LinePrefix,
    /// Strings of a JSON text, joined.
    JsonStrings,
    /// Backslash escapes of JSON, C and shells: `\u0077`, `\x77`, `\167`.
    Escapes,
    /// Percent encoding (RFC 3986); twice encoded text takes it twice.
    Percent,
    /// HTML and XML character references.
    Entities,
    /// Quoted-printable (RFC 2045).
    QuotedPrintable,
    /// NUL bytes between the characters: UTF-16 and UTF-32 in either byte order.
    WideText,
    /// Base64, standard or URL-safe, wrapped or not (RFC 4648).
    Base64,
    /// Base32 (RFC 4648).
    Base32,
    /// Base58 with the alphabet of Bitcoin.
    Base58,
    /// Ascii85 of Adobe.
    Ascii85,
    /// Base85 with the alphabet of RFC 1924, as Git and Python use it.
    Base85,
    /// Base85 of ZeroMQ.
    Z85,
    /// Hexadecimal digits with or without separators and prefixes.
    Hex,
    /// Lines of `xxd`, `hexdump -C` or `od`.
    HexDump,
    /// Decimal byte values in a list, such as JSON of a Node.js Buffer.
    DecimalBytes,
    /// Octal byte values in a list.
    OctalBytes,
    /// Gzip (RFC 1952).
    Gzip,
    /// Zlib (RFC 1950), also inside PNG `zTXt` and PDF `FlateDecode`.
    Zlib,
    /// Deflate without a header (RFC 1951).
    Deflate,
    /// Members of a ZIP archive.
    Zip,
}

impl Decoder {
    /// The name in reports: lower-case words with hyphens.
    pub fn name(self) -> &'static str {
        match self {
            Decoder::CaseFold => "case-fold",
            Decoder::Reversed => "reversed",
            Decoder::Rot13 => "rot13",
            Decoder::Invisible => "invisible",
            Decoder::Whitespace => "whitespace",
            Decoder::LinePrefix => "line-prefix",
            Decoder::JsonStrings => "json-strings",
            Decoder::Escapes => "escapes",
            Decoder::Percent => "percent",
            Decoder::Entities => "entities",
            Decoder::QuotedPrintable => "quoted-printable",
            Decoder::WideText => "wide-text",
            Decoder::Base64 => "base64",
            Decoder::Base32 => "base32",
            Decoder::Base58 => "base58",
            Decoder::Ascii85 => "ascii85",
            Decoder::Base85 => "base85",
            Decoder::Z85 => "z85",
            Decoder::Hex => "hex",
            Decoder::HexDump => "hex-dump",
            Decoder::DecimalBytes => "decimal-bytes",
            Decoder::OctalBytes => "octal-bytes",
            Decoder::Gzip => "gzip",
            Decoder::Zlib => "zlib",
            Decoder::Deflate => "deflate",
            Decoder::Zip => "zip",
        }
    }
}

impl fmt::Display for Decoder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
