//! Compressed streams and archives, at any place in a text where their header occurs. PNG `zTXt`
//! chunks and PDF `FlateDecode` streams are zlib streams, PNG `tEXt` chunks are plain text: both
//! are found without knowing the format around them. Brotli and Zstandard are not decoded.

use std::io::{Cursor, Read};

use flate2::read::{DeflateDecoder, GzDecoder, ZlibDecoder};
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
        || memmem::find(bytes, GZIP).is_some()
        || memmem::find(bytes, ZIP).is_some()
}

fn zlib_places(bytes: &[u8]) -> impl Iterator<Item = usize> {
    memchr::memchr_iter(0x78, bytes).filter(|at| is_zlib(&bytes[*at..]))
}

/// Nothing marks a bare deflate stream (RFC 1951), so it is only looked for where no text starts,
/// and where the first block is compressed and, in a short stream, the last one.
fn may_be_deflate(bytes: &[u8]) -> bool {
    const SHORT: usize = 1024;
    let is_text = |byte: &u8| byte.is_ascii_graphic() || byte.is_ascii_whitespace();
    let Some(first) = bytes.first() else {
        return false;
    };
    matches!(first >> 1 & 3, 1 | 2)
        && (first & 1 == 1 || bytes.len() >= SHORT)
        && !bytes.iter().take(32).all(is_text)
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
