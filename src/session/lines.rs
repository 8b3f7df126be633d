//! Cuts a byte stream into lines without ever holding more than a limit of one.
//!
//! Owns the buffer. What a line says, and who gets it, is decided by the caller.

use std::sync::Arc;

/// How much of the head and of the tail of an over-long line is kept to tell whose it was.
const EDGE: usize = 512;

/// A piece of the stream.
#[derive(Debug, PartialEq)]
pub(super) enum Piece {
    /// A whole line with its terminator, or the unterminated rest at the end of the stream.
    Line(Arc<[u8]>),
    /// Part of a line that is longer than the limit; more of it follows.
    Part(Arc<[u8]>),
    /// The last part of a line that was longer than the limit.
    End {
        /// The bytes of this part.
        bytes: Arc<[u8]>,
        /// First bytes of the whole line.
        head: Vec<u8>,
        /// Last bytes of the whole line.
        tail: Vec<u8>,
    },
}

/// A splitter of one stream.
#[derive(Debug)]
pub(super) struct Lines {
    limit: usize,
    buffer: Vec<u8>,
    overlong: Option<Edges>,
}

#[derive(Debug)]
struct Edges {
    head: Vec<u8>,
    tail: Vec<u8>,
}

impl Edges {
    fn extend(&mut self, bytes: &[u8]) {
        self.tail.extend_from_slice(bytes);
        let excess = self.tail.len().saturating_sub(EDGE);
        self.tail.drain(..excess);
    }
}

impl Lines {
    /// A splitter for lines of at most `limit` bytes.
    pub(super) fn new(limit: usize) -> Self {
        Lines {
            limit: limit.max(1),
            buffer: Vec::new(),
            overlong: None,
        }
    }

    /// Takes the next bytes of the stream and gives out what they complete.
    pub(super) fn feed(&mut self, mut bytes: &[u8], mut give: impl FnMut(Piece)) {
        while !bytes.is_empty() {
            let newline = bytes.iter().position(|byte| *byte == b'\n');
            let (line, rest) = bytes.split_at(newline.map_or(bytes.len(), |at| at + 1));
            bytes = rest;
            match (&mut self.overlong, newline) {
                (Some(edges), None) => {
                    edges.extend(line);
                    give(Piece::Part(line.into()));
                }
                (Some(edges), Some(_)) => {
                    edges.extend(line);
                    let Edges { head, tail } = std::mem::replace(
                        edges,
                        Edges {
                            head: Vec::new(),
                            tail: Vec::new(),
                        },
                    );
                    self.overlong = None;
                    give(Piece::End {
                        bytes: line.into(),
                        head,
                        tail,
                    });
                }
                (None, _) if self.buffer.len() + line.len() > self.limit => {
                    self.buffer.extend_from_slice(line);
                    let whole = std::mem::take(&mut self.buffer);
                    let mut edges = Edges {
                        head: whole[..whole.len().min(EDGE)].to_vec(),
                        tail: Vec::new(),
                    };
                    edges.extend(&whole[whole.len().saturating_sub(EDGE)..]);
                    if newline.is_some() {
                        give(Piece::End {
                            bytes: whole.into(),
                            head: edges.head,
                            tail: edges.tail,
                        });
                    } else {
                        self.overlong = Some(edges);
                        give(Piece::Part(whole.into()));
                    }
                }
                (None, Some(_)) if self.buffer.is_empty() => give(Piece::Line(line.into())),
                (None, Some(_)) => {
                    self.buffer.extend_from_slice(line);
                    give(Piece::Line(self.buffer.as_slice().into()));
                    self.buffer.clear();
                    // One large line must not pin its buffer for the rest of the session.
                    self.buffer.shrink_to(64 << 10);
                }
                (None, None) => self.buffer.extend_from_slice(line),
            }
        }
    }

    /// The line that has not ended yet; nothing of one that is too long.
    pub(super) fn rest(&self) -> &[u8] {
        &self.buffer
    }

    /// The unterminated rest, at the end of the stream.
    pub(super) fn finish(&mut self) -> Option<Piece> {
        self.overlong = None;
        let rest = std::mem::take(&mut self.buffer);
        (!rest.is_empty()).then(|| Piece::Line(rest.into()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pieces(limit: usize, chunks: &[&[u8]]) -> Vec<Piece> {
        let mut lines = Lines::new(limit);
        let mut out = Vec::new();
        for chunk in chunks {
            lines.feed(chunk, |piece| out.push(piece));
        }
        out.extend(lines.finish());
        out
    }

    #[test]
    fn lines_are_joined_over_chunks_and_the_rest_is_not_lost() {
        assert_eq!(
            pieces(64, &[b"ab", b"c\nd\ne", b"f"]),
            [
                Piece::Line((*b"abc\n").into()),
                Piece::Line((*b"d\n").into()),
                Piece::Line((*b"ef").into())
            ]
        );
    }

    #[test]
    fn an_overlong_line_is_given_in_parts_and_leaves_the_next_line_whole() {
        assert_eq!(
            pieces(4, &[b"abc", b"def", b"gh", b"i\nnext\n"]),
            [
                Piece::Part((*b"abcdef").into()),
                Piece::Part((*b"gh").into()),
                Piece::End {
                    bytes: (*b"i\n").into(),
                    head: b"abcdef".to_vec(),
                    tail: b"abcdefghi\n".to_vec()
                },
                Piece::End {
                    bytes: (*b"next\n").into(),
                    head: b"next\n".to_vec(),
                    tail: b"next\n".to_vec()
                },
            ]
        );
    }
}
