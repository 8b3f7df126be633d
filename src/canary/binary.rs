//! Compressed streams and archives, at any place in a text where their header occurs. PNG `zTXt`
//! chunks and PDF `FlateDecode` streams are zlib streams, PNG `tEXt` chunks are plain text: both
//! are found without knowing the format around them. Brotli and Zstandard are not decoded.

use std::io::{Cursor, Read};

use flate2::read::{DeflateDecoder, GzDecoder, ZlibDecoder};
use zip::ZipArchive;

use super::Decoder;
use super::layer::{Layer, Queue};

const GZIP: &[u8] = &[0x1f, 0x8b, 8];
const ZIP: &[u8] = b"PK\x03\x04";

/// Queues what every compressed stream in `layer` yields.
pub(super) fn expand(layer: &Layer<'_>, queue: &mut Queue<'_>) {
    let bytes: &[u8] = &layer.bytes;
    for at in places(bytes, GZIP[0]).filter(|at| bytes[*at..].starts_with(GZIP)) {
        push_stream(
            layer,
            queue,
            Decoder::Gzip,
            at,
            GzDecoder::new(&bytes[at..]),
        );
    }
    let zlib = places(bytes, b'x').filter(|at| is_zlib(&bytes[*at..]));
    for at in zlib {
        push_stream(
            layer,
            queue,
            Decoder::Zlib,
            at,
            ZlibDecoder::new(&bytes[at..]),
        );
    }
    if let Some(at) = places(bytes, ZIP[0]).find(|at| bytes[*at..].starts_with(ZIP)) {
        expand_archive(layer, queue, at);
    }
    // Nothing marks a bare deflate stream, so it is only looked for where no text starts.
    let head = &bytes[..bytes.len().min(32)];
    if head
        .iter()
        .any(|byte| !byte.is_ascii() || (byte.is_ascii_control() && !byte.is_ascii_whitespace()))
    {
        push_stream(
            layer,
            queue,
            Decoder::Deflate,
            0,
            DeflateDecoder::new(bytes),
        );
    }
}

fn places(bytes: &[u8], byte: u8) -> impl Iterator<Item = usize> {
    let mut from = 0;
    std::iter::from_fn(move || {
        let at = from + bytes[from..].iter().position(|other| *other == byte)?;
        from = at + 1;
        Some(at)
    })
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
