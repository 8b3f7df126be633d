//! Decoders of base 32, 58, 64 and 85. A run of the alphabet may start with foreign characters, so
//! every alignment is tried.

use std::borrow::Cow;
use std::ops::Range;
use std::sync::LazyLock;

use data_encoding::{Encoding, Specification};

use super::Decoder;
use super::layer::{Layer, Queue};
use super::matcher::PROOF;
use super::regions::{Class, class, either, regions, span};

const ALPHANUMERIC: Class = either(span(b'0', b'9'), either(span(b'A', b'Z'), span(b'a', b'z')));
/// Wrapped text keeps its line ends.
const LINE_ENDS: Class = class(b"\r\n");

const BASE64_CHARS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
const BASE32_CHARS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
const BASE58_CHARS: &[u8] = b"123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz";
const BASE85_CHARS: &[u8] =
    b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz!#$%&()*+-;<=>?@^_`{|}~";
const Z85_CHARS: &[u8] =
    b"0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ.-:+=^!/*?&<>()[]{}@%$#";

static WORD: Class = either(span(b'!', b'~'), LINE_ENDS);
static BASE64_RUN: Class = either(either(ALPHANUMERIC, class(b"+/-_")), LINE_ENDS);
static BASE32_UPPER: Class = either(class(BASE32_CHARS), LINE_ENDS);
static BASE32_LOWER: Class = either(either(span(b'a', b'z'), span(b'2', b'7')), LINE_ENDS);
static BASE58_RUN: Class = class(BASE58_CHARS);
static ASCII85_RUN: Class = span(b'!', b'u');
static BASE85_RUN: Class = class(BASE85_CHARS);
static Z85_RUN: Class = class(Z85_CHARS);

/// Characters that 16 bytes take in each base, the shortest text that can prove anything.
const BASE64_MIN: usize = 22;
const BASE32_MIN: usize = 26;
const BASE58_MIN: usize = 21;
const BASE85_MIN: usize = 20;
/// Longest run of base 64 characters that is also read in base 85.
const BASE85_PLAIN_MAX: usize = 1024;
/// Largest text without blanks in which base 85, which almost any text is, is looked for.
const JOINED_MAX: usize = 4096;
/// Base 58 is no positional code: its cost grows with the square of the length.
const BASE58_MAX: usize = 2048;

static BASE64: LazyLock<Encoding> = LazyLock::new(|| encoding(BASE64_CHARS, "-_", "+/"));
static BASE32: LazyLock<Encoding> = LazyLock::new(|| {
    encoding(
        BASE32_CHARS,
        "abcdefghijklmnopqrstuvwxyz",
        "ABCDEFGHIJKLMNOPQRSTUVWXYZ",
    )
});

static BASE58_VALUES: [u8; 256] = values(BASE58_CHARS);

struct Base85 {
    decoder: Decoder,
    run: &'static Class,
    values: [u8; 256],
}

static BASE85S: [Base85; 3] = [
    Base85 {
        decoder: Decoder::Ascii85,
        run: &ASCII85_RUN,
        values: {
            let mut values = [0; 256];
            let mut value = 0;
            while value < 85 {
                values[b'!' as usize + value] = value as u8;
                value += 1;
            }
            values
        },
    },
    Base85 {
        decoder: Decoder::Base85,
        run: &BASE85_RUN,
        values: values(BASE85_CHARS),
    },
    Base85 {
        decoder: Decoder::Z85,
        run: &Z85_RUN,
        values: values(Z85_CHARS),
    },
];

const fn values(chars: &[u8]) -> [u8; 256] {
    let mut values = [0; 256];
    let mut value = 0;
    while value < chars.len() {
        values[chars[value] as usize] = value as u8;
        value += 1;
    }
    values
}

fn encoding(chars: &[u8], from: &str, to: &str) -> Encoding {
    let mut specification = Specification::new();
    specification
        .symbols
        .extend(chars.iter().map(|byte| char::from(*byte)));
    specification.translate.from.push_str(from);
    specification.translate.to.push_str(to);
    // A run that is cut anywhere has stray bits in its last character.
    specification.check_trailing_bits = false;
    specification
        .encoding()
        .expect("the alphabets above are well-formed")
}

/// Queues what every run of a base's alphabet in `layer` may stand for. Returns the runs that are read: they stand for
/// a text, and for nothing else.
pub(super) fn expand(layer: &Layer<'_>, queue: &mut Queue<'_>) -> Vec<Range<usize>> {
    let mut read = Vec::new();
    // All alphabets at once, since most text holds no run of any.
    for word in regions(&layer.bytes, &WORD, BASE85_MIN) {
        let bytes = &layer.bytes[word.clone()];
        if queue.is_new(layer, bytes) {
            let of_word = expand_word(layer, queue, word.clone());
            queue.read(bytes, of_word);
        }
        let of_word = queue.was_read(bytes).iter();
        read.extend(of_word.map(|run| word.start + run.start..word.start + run.end));
    }
    read
}

fn expand_word(layer: &Layer<'_>, queue: &mut Queue<'_>, word: Range<usize>) -> Vec<Range<usize>> {
    let mut bytes = Cow::Borrowed(&layer.bytes[word.clone()]);
    let within = |run: &Range<usize>| word.start + run.start;
    let mut read = Vec::new();
    // Words that lost their blanks look like one long run of base 32 or 64.
    let is_joined = layer.is_after(Decoder::Whitespace);
    for run in regions(&bytes, &BASE64_RUN, BASE64_MIN) {
        let text = &bytes[run.clone()];
        let may_be = is_mixed(text) || !is_joined && has_capitals(text);
        if may_be && push_aligned(layer, queue, Decoder::Base64, text, within(&run)) {
            read.push(run.start..end_of_text(&bytes, &run));
        }
    }
    for run in &read {
        bytes.to_mut()[run.clone()].fill(b' ');
    }
    for class in [&BASE32_UPPER, &BASE32_LOWER] {
        for run in regions(&bytes, class, BASE32_MIN) {
            let text = &bytes[run.clone()];
            if !is_joined || is_digital(text) {
                push_aligned(layer, queue, Decoder::Base32, text, within(&run));
            }
        }
    }
    for run in regions(&bytes, &BASE58_RUN, BASE58_MIN) {
        let text = &bytes[run.clone()];
        let cost = text.len() * text.len() / 64;
        if text.len() <= BASE58_MAX && is_mixed(text) && queue.pay(cost) {
            queue.push_plausible(layer, Decoder::Base58, within(&run), &base58_decoded(text));
        }
    }
    let mut decoded = Vec::new();
    for base in &BASE85S {
        for run in regions(&bytes, base.run, BASE85_MIN) {
            let text = &bytes[run.clone()];
            if !is_odd(text) {
                continue;
            }
            // A long run without one other character is base 64, and without blanks is prose.
            let is_plain = || text.iter().all(|byte| BASE64_RUN[usize::from(*byte)]);
            let is_long = text.len() > BASE85_PLAIN_MAX;
            if is_joined && layer.bytes.len() > JOINED_MAX || is_long && is_plain() {
                continue;
            }
            for start in 0..5 {
                base85_decode(&text[start..], &base.values, &mut decoded);
                queue.push_plausible(layer, base.decoder, within(&run) + start, &decoded);
            }
        }
    }
    read
}

/// Whether one in sixteen characters is a capital, as in encoded text and not in prose. Base 64 of
/// lower-case text has a third of them.
fn is_mixed(text: &[u8]) -> bool {
    let capitals = text.iter().filter(|byte| byte.is_ascii_uppercase()).count();
    capitals >= 2 && capitals * 16 >= text.len()
}

/// Whether there are two capitals. 22 characters of base 64, the fewest that count, have seven of them or so, and
/// fewer than two once in 5,000 times; a path, the longest word of ordinary text, has none.
fn has_capitals(text: &[u8]) -> bool {
    let capitals = text.iter().filter(|byte| byte.is_ascii_uppercase());
    capitals.take(2).count() == 2
}

/// Whether there are three different characters that are neither small letters nor digits nor stand between those in
/// paths and names. Half of the characters of base 85 are such; a ruler of one of them is no code.
fn is_odd(text: &[u8]) -> bool {
    static ORDINARY: Class = either(either(span(b'a', b'z'), span(b'0', b'9')), class(b"/._-:,"));
    let mut odd = text.iter().filter(|byte| !ORDINARY[usize::from(**byte)]);
    let Some(one) = odd.next() else { return false };
    let mut others = odd.filter(|byte| *byte != one);
    let other = others.next();
    other.is_some_and(|two| others.any(|byte| byte != two))
}

/// Whether a word has what a token in any base has, and the path of a file has not.
pub(super) fn is_no_path(word: &[u8]) -> bool {
    has_capitals(word) || is_odd(word) || is_digital(word)
}

/// Whether one in 32 characters is a digit. Base 32 of lower-case text has a fifth of them.
fn is_digital(text: &[u8]) -> bool {
    let digits = text.iter().filter(|byte| byte.is_ascii_digit()).count();
    digits >= 1 && digits * 32 >= text.len()
}

/// Queues what a run stands for in each alignment; true if it is a text in one of them, which other bytes are not by
/// chance.
fn push_aligned(
    layer: &Layer<'_>,
    queue: &mut Queue<'_>,
    decoder: Decoder,
    text: &[u8],
    at: usize,
) -> bool {
    let (encoding, alignments) = match decoder {
        Decoder::Base32 => (&*BASE32, 8),
        _ => (&*BASE64, 4),
    };
    let chars = text.iter().copied();
    let unwrapped: Vec<u8> = chars.filter(|byte| !byte.is_ascii_whitespace()).collect();
    let mut decoded = vec![0; unwrapped.len()];
    for start in 0..alignments {
        let Some(text) = unwrapped.get(start..) else {
            return false;
        };
        // Some lengths cannot occur; the last characters then hold no whole byte.
        let text = match encoding.decode_len(text.len()) {
            Ok(_) => text,
            Err(error) => &text[..error.position],
        };
        let Ok(length) = encoding.decode_len(text.len()) else {
            continue;
        };
        if let Ok(length) = encoding.decode_mut(text, &mut decoded[..length]) {
            queue.push_plausible(layer, decoder, at + start, &decoded[..length]);
            if is_text(&decoded[..length]) {
                return true;
            }
        }
    }
    false
}

/// Where in `bytes` a run of base 64 that stands for a text ends: behind its padding, and before a short line, which
/// may belong to what follows.
fn end_of_text(bytes: &[u8], run: &Range<usize>) -> usize {
    let text = &bytes[run.clone()];
    let line = text.iter().rposition(|byte| LINE_ENDS[usize::from(*byte)]);
    match line {
        Some(at) if text.len() - at <= BASE64_MIN => run.start + at,
        _ => {
            run.end
                + bytes[run.end..]
                    .iter()
                    .take_while(|byte| **byte == b'=')
                    .count()
        }
    }
}

fn is_text(bytes: &[u8]) -> bool {
    let plain = |char: char| !char.is_control() || matches!(char, '\t' | '\r' | '\n');
    bytes.len() >= PROOF && str::from_utf8(bytes).is_ok_and(|text| text.chars().all(plain))
}

/// The big-endian bytes of the number that `word` writes in base 58, 32 bits at a time.
fn base58_decoded(word: &[u8]) -> Vec<u8> {
    let mut limbs: Vec<u32> = Vec::with_capacity(word.len() / 5 + 1);
    for byte in word {
        let mut carry = u64::from(BASE58_VALUES[usize::from(*byte)]);
        for limb in &mut limbs {
            carry += u64::from(*limb) * 58;
            *limb = carry as u32;
            carry >>= 32;
        }
        if carry > 0 {
            limbs.push(carry as u32);
        }
    }
    let bytes = limbs.iter().rev().flat_map(|limb| limb.to_be_bytes());
    bytes.skip_while(|byte| *byte == 0).collect()
}

/// Groups of five characters to four bytes; n characters at the end to n - 1 bytes. Groups above
/// 32 bits are junk before or after the encoded part and come out as any bytes.
fn base85_decode(text: &[u8], values: &[u8; 256], decoded: &mut Vec<u8>) {
    decoded.clear();
    for group in text.chunks(5) {
        let digits = (0..5).map(|i| group.get(i).map_or(84, |byte| values[usize::from(*byte)]));
        let number = digits.fold(0, |number, digit| number * 85 + u64::from(digit));
        decoded.extend_from_slice(&(number as u32).to_be_bytes()[..group.len() - 1]);
    }
}
