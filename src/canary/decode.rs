//! Which decoders a text is worth: each is tried only where its alphabet or its mark occurs.

use super::Decoder;
use super::layer::{DEPTH, Layer, Queue};
use super::regions::{Class, either, regions, span};
use super::{binary, leaves, matcher, numeric, radix, text};

/// Queues what every decoder makes of `layer`.
pub(super) fn expand(layer: &mut Layer<'_>, queue: &mut Queue<'_>) {
    binary::expand(layer, queue);
    numeric::expand(layer, queue);
    // A whole JSON text is searched by its strings; as plain text it has nothing to add.
    if leaves::expand(layer, queue) {
        return;
    }
    let read = radix::expand(layer, queue);
    layer.blank(&read);
    let layer = &*layer;
    let bytes: &[u8] = &layer.bytes;
    if bytes.contains(&0) {
        push_changed(layer, queue, Decoder::WideText, text::without_nuls(bytes));
    }
    if !layer.path.is_empty() && looks_binary(bytes) {
        return;
    }
    if bytes.contains(&b'\\') {
        push_changed(layer, queue, Decoder::Escapes, text::unescaped(bytes));
    }
    if bytes.contains(&b'%') {
        push_changed(layer, queue, Decoder::Percent, text::percent_decoded(bytes));
    }
    if bytes.contains(&b'&') {
        push_changed(
            layer,
            queue,
            Decoder::Entities,
            text::entities_resolved(bytes),
        );
    }
    if has_lone(bytes, b'=') {
        let decoded = text::quoted_printable_decoded(bytes);
        push_changed(layer, queue, Decoder::QuotedPrintable, decoded);
    }
    expand_layout(layer, queue);
}

/// Decoders that rearrange text without an alphabet of their own. Those that commute are applied
/// in one order only, and reversal and rotation are not combined, since the matcher knows their
/// combinations on the token itself.
fn expand_layout(layer: &Layer<'_>, queue: &mut Queue<'_>) {
    let bytes: &[u8] = &layer.bytes;
    if layer.is_after(Decoder::Whitespace) {
        return;
    }
    push_changed(
        layer,
        queue,
        Decoder::LinePrefix,
        text::without_line_prefixes(bytes),
    );
    if layer.is_after(Decoder::Reversed) || layer.is_after(Decoder::Rot13) {
        return;
    }
    // The reversed or rotated token itself is known to the matcher.
    if layer.depth + 2 <= DEPTH && looks_encoded(bytes) {
        let reversed = bytes.iter().rev().copied().collect();
        queue.push(layer, Decoder::Reversed, 0, reversed);
        let rotated = bytes.iter().map(|byte| matcher::rot13(*byte)).collect();
        queue.push(layer, Decoder::Rot13, 0, rotated);
    }
    if !bytes.is_ascii() {
        push_changed(
            layer,
            queue,
            Decoder::Invisible,
            text::without_invisibles(bytes),
        );
    }
    push_changed(
        layer,
        queue,
        Decoder::Whitespace,
        text::without_whitespace(bytes),
    );
}

/// Queues `layer` without its white space.
pub(super) fn join_lines(layer: &Layer<'_>, queue: &mut Queue<'_>) {
    let joined = text::without_whitespace(&layer.bytes);
    push_changed(layer, queue, Decoder::Whitespace, joined);
}

fn push_changed(
    layer: &Layer<'_>,
    queue: &mut Queue<'_>,
    decoder: Decoder,
    decoded: Option<Vec<u8>>,
) {
    if let Some(decoded) = decoded {
        queue.push(layer, decoder, 0, decoded);
    }
}

/// Whether control characters are as frequent as in noise, where they make up 27 of 256 bytes; a
/// text that is half noise still passes.
fn looks_binary(bytes: &[u8]) -> bool {
    const SAMPLES: usize = 512;
    if bytes.len() < 64 {
        return false;
    }
    let step = bytes.len().div_ceil(SAMPLES);
    let samples = bytes.iter().step_by(step);
    let controls = samples
        .filter(|byte| byte.is_ascii_control() && !byte.is_ascii_whitespace())
        .count();
    controls * 100 > bytes.len() / step * 7
}

/// Whether a mark stands by itself somewhere, and not in a row of its like.
fn has_lone(bytes: &[u8], mark: u8) -> bool {
    memchr::memchr_iter(mark, bytes).any(|at| {
        let is_mark = |at: usize| bytes.get(at) == Some(&mark);
        !is_mark(at + 1) && !is_mark(at.wrapping_sub(1))
    })
}

/// Whether half of a stretch is no white space.
fn is_filled(run: &[u8]) -> bool {
    let blank = |byte: &&u8| byte.is_ascii_whitespace();
    2 * run.iter().filter(blank).count() <= run.len()
}

/// Whether the text has a stretch that could be an encoded token: something longer than a word that is no
/// path, or short groups in a row.
fn looks_encoded(bytes: &[u8]) -> bool {
    static WORD: Class = span(b'!', b'~');
    // The digits of hexadecimal, and what they are rotated by 13.
    static GROUPS: Class = either(
        span(b'0', b':'),
        super::regions::class(b" ,.;-abcdefABCDEFxnopqrsNOPQRSk"),
    );
    regions(bytes, &WORD, 20).any(|word| radix::is_no_path(&bytes[word]))
        || regions(bytes, &GROUPS, 32).any(|run| is_filled(&bytes[run]))
}
