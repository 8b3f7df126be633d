//! The encodings of the tests, one line each, and the encoders that no crate has.

use std::io::Write;

use data_encoding::{BASE32, BASE64, BASE64URL_NOPAD, HEXLOWER, HEXUPPER};
use flate2::Compression;
use flate2::write::{DeflateEncoder, GzEncoder, ZlibEncoder};

/// What an encoding can be applied to, and what can be applied to its output.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Takes {
    /// Any bytes, wherever they are in a chain.
    Bytes,
    /// ASCII text.
    Text,
    /// The plain token only: it would spoil any other encoding.
    Token,
}

#[derive(Clone, Copy)]
pub(crate) struct Encoding {
    pub(crate) name: &'static str,
    pub(crate) takes: Takes,
    pub(crate) encode: fn(&[u8]) -> Vec<u8>,
}

impl std::fmt::Debug for Encoding {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name)
    }
}

const fn encoding(name: &'static str, takes: Takes, encode: fn(&[u8]) -> Vec<u8>) -> Encoding {
    Encoding {
        name,
        takes,
        encode,
    }
}

pub(crate) const ENCODINGS: &[Encoding] = &[
    encoding("plain", Takes::Bytes, <[u8]>::to_vec),
    encoding("upper case", Takes::Token, |b| b.to_ascii_uppercase()),
    encoding("JSON \\u", Takes::Text, |b| {
        each(b, |b| format!("\\u{b:04x}"))
    }),
    encoding("\\u{}", Takes::Text, |b| {
        each(b, |b| format!("\\u{{{b:x}}}"))
    }),
    encoding("C \\x", Takes::Bytes, |b| {
        each(b, |b| format!("\\x{b:02X}"))
    }),
    encoding("C octal", Takes::Bytes, |b| {
        each(b, |b| format!("\\{b:03o}"))
    }),
    encoding("percent", Takes::Bytes, |b| {
        each(b, |b| format!("%{b:02X}"))
    }),
    encoding("percent twice", Takes::Bytes, |b| {
        each(b, |b| format!("%25{b:02x}"))
    }),
    encoding("decimal references", Takes::Text, |b| {
        each(b, |b| format!("&#{b};"))
    }),
    encoding("hexadecimal references", Takes::Text, |b| {
        each(b, |b| format!("&#x{b:X};"))
    }),
    encoding("quoted-printable", Takes::Bytes, |b| {
        each(b, |b| format!("={b:02X}"))
    }),
    encoding("soft line ends", Takes::Token, |b| wrap(b, 13, "", "=\r\n")),
    encoding("base64", Takes::Bytes, |b| BASE64.encode(b).into()),
    encoding("base64 after one byte", Takes::Text, |b| {
        BASE64.encode(&[b"#", b].concat()).into()
    }),
    encoding("base64 after two bytes", Takes::Text, |b| {
        BASE64.encode(&[b"##", b].concat()).into()
    }),
    encoding("base64 for URLs", Takes::Bytes, |b| {
        BASE64URL_NOPAD.encode(b).into()
    }),
    encoding("base64 in lines", Takes::Bytes, |b| {
        wrap(BASE64.encode(b).as_bytes(), 76, "", "\r\n")
    }),
    encoding("base32", Takes::Bytes, |b| BASE32.encode(b).into()),
    encoding("base32 lower case", Takes::Bytes, |b| {
        BASE32.encode(b).to_lowercase().into()
    }),
    encoding("base58", Takes::Bytes, base58),
    encoding("ascii85", Takes::Bytes, |b| base85(b, b'!'..=b'u')),
    encoding("base85", Takes::Bytes, |b| {
        base85(b, *b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz!#$%&()*+-;<=>?@^_`{|}~")
    }),
    encoding("Z85", Takes::Bytes, |b| {
        base85(b, *b"0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ.-:+=^!/*?&<>()[]{}@%$#")
    }),
    encoding("hex", Takes::Bytes, |b| HEXLOWER.encode(b).into()),
    encoding("HEX", Takes::Bytes, |b| HEXUPPER.encode(b).into()),
    encoding("hex with blanks", Takes::Bytes, |b| {
        each(b, |b| format!("{b:02x} "))
    }),
    encoding("hex with colons", Takes::Bytes, |b| {
        each(b, |b| format!("{b:02X}:"))
    }),
    encoding("hex with 0x", Takes::Bytes, |b| {
        each(b, |b| format!("0x{b:02x}, "))
    }),
    encoding("xxd", Takes::Bytes, xxd),
    encoding("hexdump", Takes::Bytes, hexdump),
    encoding("octal dump", Takes::Bytes, octal_dump),
    encoding("octal list", Takes::Bytes, |b| {
        each(b, |b| format!("{b:03o} "))
    }),
    encoding("Buffer", Takes::Bytes, |b| {
        serde_json::json!({"type": "Buffer", "data": b})
            .to_string()
            .into()
    }),
    encoding("decimal list in lines", Takes::Bytes, |b| {
        each(b, |b| format!("  {b},\n"))
    }),
    encoding("UTF-16LE", Takes::Text, |b| wide(b, 0, 1)),
    encoding("UTF-16BE", Takes::Text, |b| wide(b, 1, 0)),
    encoding("UTF-32LE", Takes::Text, |b| wide(b, 0, 3)),
    encoding("UTF-32BE", Takes::Text, |b| wide(b, 3, 0)),
    encoding("ROT13", Takes::Text, |b| {
        b.iter().map(|b| rot13(*b)).collect()
    }),
    encoding("reversed", Takes::Text, |b| {
        b.iter().rev().copied().collect()
    }),
    encoding("gzip", Takes::Bytes, |b| {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
        encoder.write_all(b).unwrap();
        encoder.finish().unwrap()
    }),
    encoding("zlib", Takes::Bytes, zlib),
    encoding("deflate", Takes::Bytes, |b| {
        let mut encoder = DeflateEncoder::new(Vec::new(), Compression::default());
        encoder.write_all(b).unwrap();
        encoder.finish().unwrap()
    }),
    encoding("zip", Takes::Bytes, zip),
    encoding("PNG tEXt", Takes::Text, |b| {
        png(b"tEXt", &[b"Comment\0", b].concat())
    }),
    encoding("PNG zTXt", Takes::Bytes, |b| {
        png(b"zTXt", &[&b"Comment\0\0"[..], &zlib(b)].concat())
    }),
    encoding("PDF stream", Takes::Bytes, |b| {
        let packed = zlib(b);
        let head = format!(
            "%PDF-1.4\n1 0 obj <</Length {}/Filter/FlateDecode>>\nstream\n",
            packed.len()
        );
        [head.as_bytes(), &packed, b"\nendstream endobj"].concat()
    }),
    encoding("diff", Takes::Text, |b| wrap(b, 11, "+", "\n")),
    encoding("quotation", Takes::Text, |b| wrap(b, 11, "> ", "\n")),
    encoding("line numbers", Takes::Text, |b| {
        let lines = b.chunks(11).enumerate();
        lines
            .flat_map(|(i, line)| [format!("{:6}\t", i + 1).as_bytes(), line, b"\n"].concat())
            .collect()
    }),
    encoding("found by grep", Takes::Text, |b| {
        let lines = b.chunks(11).enumerate();
        lines
            .flat_map(|(i, line)| [format!("a/b-c.txt:{i}:").as_bytes(), line, b"\n"].concat())
            .collect()
    }),
    encoding("wrapped", Takes::Text, |b| wrap(b, 7, "", "\n    ")),
    encoding("spaced out", Takes::Text, |b| wrap(b, 1, "", " ")),
    encoding("zero-width", Takes::Text, |b| wrap(b, 1, "", "\u{200b}")),
    encoding("blocks of a reply", Takes::Text, |b| {
        let chunks = b.chunks(9).map(String::from_utf8_lossy);
        let blocks: Vec<_> = chunks
            .map(|text| serde_json::json!({"type": "text", "text": text}))
            .collect();
        serde_json::json!({"jsonrpc": "2.0", "id": 1, "result": {"content": blocks}})
            .to_string()
            .into()
    }),
    encoding("JSON in JSON", Takes::Text, |b| {
        let inner = serde_json::json!({"parts": [String::from_utf8_lossy(b)]}).to_string();
        serde_json::json!({"text": inner}).to_string().into()
    }),
];

fn each(bytes: &[u8], spell: impl Fn(u8) -> String) -> Vec<u8> {
    bytes
        .iter()
        .flat_map(|byte| spell(*byte).into_bytes())
        .collect()
}

fn wrap(bytes: &[u8], width: usize, before: &str, after: &str) -> Vec<u8> {
    let lines = bytes.chunks(width);
    lines
        .flat_map(|line| [before.as_bytes(), line, after.as_bytes()].concat())
        .collect()
}

fn wide(bytes: &[u8], before: usize, after: usize) -> Vec<u8> {
    let unit = |byte: &u8| [&vec![0; before][..], &[*byte], &vec![0; after]].concat();
    bytes.iter().flat_map(unit).collect()
}

fn rot13(byte: u8) -> u8 {
    match byte {
        b'a'..=b'z' => (byte - b'a' + 13) % 26 + b'a',
        b'A'..=b'Z' => (byte - b'A' + 13) % 26 + b'A',
        _ => byte,
    }
}

fn base58(bytes: &[u8]) -> Vec<u8> {
    const CHARS: &[u8] = b"123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz";
    let mut digits: Vec<u32> = Vec::new();
    for byte in bytes {
        let mut carry = u32::from(*byte);
        for digit in &mut digits {
            carry += *digit << 8;
            *digit = carry % 58;
            carry /= 58;
        }
        while carry > 0 {
            digits.push(carry % 58);
            carry /= 58;
        }
    }
    digits
        .iter()
        .rev()
        .map(|digit| CHARS[*digit as usize])
        .collect()
}

fn base85(bytes: &[u8], chars: impl IntoIterator<Item = u8>) -> Vec<u8> {
    let chars: Vec<u8> = chars.into_iter().collect();
    let mut text = Vec::new();
    for group in bytes.chunks(4) {
        let mut padded = [0; 4];
        padded[..group.len()].copy_from_slice(group);
        let number = u32::from_be_bytes(padded);
        let digits = (0..5)
            .rev()
            .map(|power| chars[(number / 85u32.pow(power) % 85) as usize]);
        text.extend(digits.take(group.len() + 1));
    }
    text
}

fn xxd(bytes: &[u8]) -> Vec<u8> {
    let mut dump = String::new();
    for (number, row) in bytes.chunks(16).enumerate() {
        dump.push_str(&format!("{:08x}:", number * 16));
        for pair in row.chunks(2) {
            dump.push_str(&format!(" {}", HEXLOWER.encode(pair)));
        }
        dump.push_str(&format!("  {}\n", ".".repeat(row.len())));
    }
    dump.into()
}

fn hexdump(bytes: &[u8]) -> Vec<u8> {
    let mut dump = String::new();
    for (number, row) in bytes.chunks(16).enumerate() {
        dump.push_str(&format!("{:08x} ", number * 16));
        for half in row.chunks(8) {
            dump.push_str(
                &half
                    .iter()
                    .map(|byte| format!(" {byte:02x}"))
                    .collect::<String>(),
            );
            dump.push(' ');
        }
        dump.push_str(&format!(" |{}|\n", ".".repeat(row.len())));
    }
    dump.into()
}

fn octal_dump(bytes: &[u8]) -> Vec<u8> {
    let mut dump = String::new();
    for (number, row) in bytes.chunks(16).enumerate() {
        dump.push_str(&format!("{:07o}", number * 16));
        dump.push_str(
            &row.iter()
                .map(|byte| format!(" {byte:03o}"))
                .collect::<String>(),
        );
        dump.push('\n');
    }
    dump.into()
}

pub(crate) fn zlib(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn zip(bytes: &[u8]) -> Vec<u8> {
    let mut writer = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    for name in ["empty.txt", "full.txt"] {
        writer
            .start_file(name, zip::write::SimpleFileOptions::default())
            .unwrap();
    }
    writer.write_all(bytes).unwrap();
    writer.finish().unwrap().into_inner()
}

fn png(kind: &[u8], data: &[u8]) -> Vec<u8> {
    let length = (data.len() as u32).to_be_bytes();
    [b"\x89PNG\r\n\x1a\n", &length[..], kind, data, &[0; 4]].concat()
}

/// Pairs that an encoder could produce and the detector does not undo.
pub(crate) fn is_out_of_scope(inner: &Encoding, outer: &Encoding) -> bool {
    let any = |name, names: &[&str]| names.contains(&name);
    // Rotated or reversed columns and prefixes are no longer told from data; blanks that part
    // numbers or lines are lost among other blanks.
    let has_layout = any(
        inner.name,
        &["xxd", "hexdump", "octal dump", "octal list", "hex with 0x"],
    ) || any(
        inner.name,
        &[
            "soft line ends",
            "diff",
            "quotation",
            "line numbers",
            "found by grep",
        ],
    ) || any(inner.name, &["decimal list in lines"]);
    let cuts_lines = any(
        outer.name,
        &["diff", "quotation", "line numbers", "found by grep"],
    );
    let is_list = any(
        inner.name,
        &["octal dump", "octal list", "decimal list in lines"],
    );
    (has_layout && any(outer.name, &["ROT13", "reversed", "wrapped", "spaced out"]))
        || (inner.name == "found by grep" && cuts_lines)
        || (is_list && (cuts_lines || outer.name == "zero-width"))
        || steps(inner) + steps(outer) > 3
}

/// How many decoders an encoding takes.
fn steps(encoding: &Encoding) -> usize {
    1 + usize::from(["percent twice", "JSON in JSON"].contains(&encoding.name))
}
