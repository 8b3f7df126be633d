//! Decoders of bytes that are written as numbers: hexadecimal, dumps, decimal and octal lists.

use super::Decoder;
use super::layer::{Layer, Queue};
use super::matcher::{PROOF, WEAK};
use super::regions::{Class, class, either, regions, span};

static HEX: Class = either(
    either(span(b'0', b'9'), class(b"abcdefABCDEF")),
    class(b" \t\r\n:,.-;_xX\\%"),
);
static LIST: Class = either(span(b'0', b'9'), class(b" \t\r\n,;[]"));

/// Queues what every run of numbers in `layer` may stand for.
pub(super) fn expand(layer: &Layer<'_>, queue: &mut Queue<'_>) {
    for run in regions(&layer.bytes, &HEX, 2 * WEAK) {
        let nibbles = nibbles(&layer.bytes[run.clone()]);
        for start in 0..2 {
            if nibbles.len() >= start + 2 * WEAK {
                let pairs = nibbles[start..].as_chunks::<2>().0.iter();
                let bytes: Vec<u8> = pairs.map(|[high, low]| high << 4 | low).collect();
                queue.push_plausible(layer, Decoder::Hex, run.start, &bytes);
            }
        }
    }
    // No byte value of a token character has fewer than two digits, and one separator follows.
    for run in regions(&layer.bytes, &LIST, 3 * PROOF - 1) {
        let (decimal, octal) = listed(&layer.bytes[run.clone()]);
        queue.push(layer, Decoder::DecimalBytes, run.start, decimal);
        queue.push(layer, Decoder::OctalBytes, run.start, octal);
    }
    if let Some(bytes) = dumped(&layer.bytes) {
        queue.push(layer, Decoder::HexDump, 0, bytes);
    }
}

/// The hexadecimal digits of `text` without the `0` of a prefix `0x`.
fn nibbles(text: &[u8]) -> Vec<u8> {
    let mut nibbles = Vec::with_capacity(text.len());
    for byte in text {
        match byte {
            b'x' | b'X' if nibbles.last() == Some(&0) => {
                nibbles.pop();
            }
            _ => nibbles.extend(char::from(*byte).to_digit(16).map(|digit| digit as u8)),
        }
    }
    nibbles
}

/// The numbers in `text` that fit into a byte, read as decimal and, if of three digits, as octal.
fn listed(text: &[u8]) -> (Vec<u8>, Vec<u8>) {
    let (mut decimal, mut octal) = (Vec::new(), Vec::new());
    for digits in text.split(|byte| !byte.is_ascii_digit()) {
        let Ok(digits) = str::from_utf8(digits) else {
            continue;
        };
        decimal.extend(digits.parse::<u8>());
        if digits.len() == 3 {
            octal.extend(u8::from_str_radix(digits, 8));
        }
    }
    (decimal, octal)
}

/// The bytes in the lines of a dump: an address, hexadecimal or octal columns, and perhaps the
/// characters after two blanks (`xxd`) or between bars (`hexdump -C`).
fn dumped(bytes: &[u8]) -> Option<Vec<u8>> {
    let mut dumped = Vec::new();
    for line in bytes.split(|byte| *byte == b'\n') {
        let digits = line
            .iter()
            .take_while(|byte| byte.is_ascii_hexdigit())
            .count();
        if digits < 6 {
            continue;
        }
        let columns = match &line[digits..] {
            [b':', columns @ ..] => &columns[..wide_gap(columns)],
            [b' ' | b'\t', ..] => line[digits..].split(|byte| *byte == b'|').next()?,
            _ => continue,
        };
        for column in columns.split(|byte| byte.is_ascii_whitespace()) {
            let Ok(column) = str::from_utf8(column) else {
                continue;
            };
            if column.len() == 3 {
                dumped.extend(u8::from_str_radix(column, 8));
            } else if let Ok(decoded) = data_encoding::HEXLOWER_PERMISSIVE.decode(column.as_bytes())
            {
                dumped.extend(decoded);
            }
        }
    }
    (dumped.len() >= WEAK).then_some(dumped)
}

fn wide_gap(columns: &[u8]) -> usize {
    let gap = columns.windows(2).position(|pair| pair == b"  ");
    gap.unwrap_or(columns.len())
}
