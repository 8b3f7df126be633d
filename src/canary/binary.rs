//! Compressed streams and archives, at any place in a text where their header occurs. PNG `zTXt`
//! chunks and PDF `FlateDecode` streams are zlib streams, PNG `tEXt` chunks are plain text: both
//! are found without knowing the format around them. Brotli and Zstandard are not decoded.

use std::io::{Cursor, Read};

use flate2::bufread::{DeflateDecoder, GzDecoder, ZlibDecoder};
use memchr::memmem;
use zip::ZipArchive;

use super::Decoder;
use super::layer::{Layer, Queue};

const GZIP: &[u8] = &[0x1f, 0x8b, 8];
const ZIP: &[u8] = b"PK\x03\x04";

/// Queues what every compressed stream in `layer` yields.
pub(super) fn expand(layer: &Layer<'_>, queue: &mut Queue<'_>) {
    let bytes: &[u8] = &layer.bytes;
    for at in memmem::find_iter(bytes, GZIP) {
        push_stream(
            layer,
            queue,
            Decoder::Gzip,
            at,
            GzDecoder::new(&bytes[at..]),
        );
    }
    for at in zlib_places(bytes) {
        push_stream(
            layer,
            queue,
            Decoder::Zlib,
            at,
            ZlibDecoder::new(&bytes[at..]),
        );
    }
    if let Some(at) = memmem::find(bytes, ZIP) {
        expand_archive(layer, queue, at);
    }
    if may_be_deflate(bytes) {
        push_stream(
            layer,
            queue,
            Decoder::Deflate,
            0,
            DeflateDecoder::new(bytes),
        );
    }
}

/// Whether [`expand`] would find anything to try.
pub(super) fn is_candidate(bytes: &[u8]) -> bool {
    may_be_deflate(bytes)
        || zlib_places(bytes).next().is_some()
        || holds(bytes, GZIP)
        || holds(bytes, ZIP)
}

/// Setting up a searcher costs more than the search in what is this short.
fn holds(bytes: &[u8], magic: &[u8]) -> bool {
    memchr::memchr_iter(magic[0], bytes).any(|at| bytes[at..].starts_with(magic))
}

fn zlib_places(bytes: &[u8]) -> impl Iterator<Item = usize> {
    memchr::memchr_iter(0x78, bytes).filter(|at| is_zlib(&bytes[*at..]))
}

/// Nothing marks a bare deflate stream (RFC 1951), so it is only looked for where no text starts,
/// and where the first block could be read; where that takes little, it has to be the last one of a
/// short stream too.
fn may_be_deflate(bytes: &[u8]) -> bool {
    const SHORT: usize = 1024;
    let is_text = |byte: &u8| byte.is_ascii_graphic() || byte.is_ascii_whitespace();
    let Some(first) = bytes.first() else {
        return false;
    };
    let may_be = match first >> 1 & 3 {
        0 => is_stored_block(bytes),
        1 => first & 1 == 1 || bytes.len() >= SHORT,
        2 => is_dynamic_block(bytes),
        _ => false,
    };
    may_be && !bytes.iter().take(32).all(is_text)
}

/// Whether a block that holds its bytes as they are (section 3.2.4) tells their number twice. An
/// encoder writes such blocks of what it cannot make smaller, such as another stream.
fn is_stored_block(bytes: &[u8]) -> bool {
    match bytes {
        [_, low, high, not_low, not_high, ..] => *low == !*not_low && *high == !*not_high,
        _ => false,
    }
}

/// Whether a block that brings its own codes (RFC 1951, section 3.2.7) starts with a complete code
/// for their lengths. Starting a decompressor is dear, and of random bytes one in a hundred passes.
fn is_dynamic_block(bytes: &[u8]) -> bool {
    let mut head = [0; 12];
    let length = bytes.len().min(head.len());
    head[..length].copy_from_slice(&bytes[..length]);
    let mut bits = head
        .iter()
        .rev()
        .fold(0_u128, |bits, byte| bits << 8 | u128::from(*byte))
        >> 3;
    let mut take = |count: u32| {
        let taken = (bits & ((1 << count) - 1)) as usize;
        bits >>= count;
        taken
    };
    let (literals, distances, lengths) = (take(5), take(5), take(4) + 4);
    let used: usize = (0..lengths)
        .map(|_| take(3))
        .filter(|length| *length > 0)
        .map(|length| 128 >> length)
        .sum();
    literals <= 29 && distances <= 29 && used == 128
}

/// RFC 1950 with the usual window of 32 KiB and no preset dictionary, followed by a block that is
/// not of the reserved type.
fn is_zlib(bytes: &[u8]) -> bool {
    match bytes {
        [0x78, flags, block, ..] => {
            (0x7800 + u16::from(*flags)) % 31 == 0 && flags & 0x20 == 0 && block >> 1 & 3 != 3
        }
        _ => false,
    }
}

fn push_stream(
    layer: &Layer<'_>,
    queue: &mut Queue<'_>,
    decoder: Decoder,
    at: usize,
    stream: impl Read,
) {
    if !queue.pay_attempt() {
        return;
    }
    let mut bytes = Vec::new();
    // A stream that breaks off is still worth what it yielded until then.
    let _ = stream
        .take(queue.stream_limit() as u64)
        .read_to_end(&mut bytes);
    queue.push(layer, decoder, at, bytes);
}

/// Members by the directory at the end, or one by one from the start if that was cut off.
fn expand_archive(layer: &Layer<'_>, queue: &mut Queue<'_>, at: usize) {
    let bytes = &layer.bytes[at..];
    if let Ok(mut archive) = ZipArchive::new(Cursor::new(bytes)) {
        for number in 0..archive.len() {
            if let Ok(member) = archive.by_index(number) {
                push_stream(layer, queue, Decoder::Zip, at, member);
            }
        }
        return;
    }
    let mut rest = bytes;
    while let Ok(Some(member)) = zip::read::read_zipfile_from_stream(&mut rest) {
        push_stream(layer, queue, Decoder::Zip, at, member);
        if queue.stream_limit() == 0 {
            return;
        }
    }
}
