//! Decoders that rewrite a text as a whole. Each returns nothing if it would change nothing.

/// What a rewriting step found at the head of the rest: bytes to emit, and how many it consumed.
type Step = Option<(Emit, usize)>;

enum Emit {
    Byte(u8),
    Char(char),
    Nothing,
}

/// Copies `bytes`, replacing what `step` recognises at each `mark`.
fn rewrite(bytes: &[u8], mark: u8, step: impl Fn(&[u8]) -> Step) -> Option<Vec<u8>> {
    let mut text = Vec::with_capacity(bytes.len());
    let mut rest = bytes;
    let mut changed = false;
    while let Some(at) = memchr::memchr(mark, rest) {
        text.extend_from_slice(&rest[..at]);
        rest = &rest[at..];
        let (emit, consumed) = match step(rest) {
            Some(found) => {
                changed = true;
                found
            }
            None => (Emit::Byte(mark), 1),
        };
        match emit {
            Emit::Byte(byte) => text.push(byte),
            Emit::Char(char) => text.extend_from_slice(char.encode_utf8(&mut [0; 4]).as_bytes()),
            Emit::Nothing => {}
        }
        rest = &rest[consumed..];
    }
    text.extend_from_slice(rest);
    changed.then_some(text)
}

/// The number that up to `most` digits of `radix` at the head of `bytes` spell, and their count.
fn number(bytes: &[u8], radix: u32, most: usize) -> (u32, usize) {
    let digits = bytes
        .iter()
        .take(most)
        .map(|byte| char::from(*byte).to_digit(radix));
    digits
        .map_while(|digit| digit)
        .fold((0, 0), |(value, count), digit| {
            (value * radix + digit, count + 1)
        })
}

fn hex_pair(bytes: &[u8]) -> Option<u8> {
    let (value, digits) = number(bytes, 16, 2);
    (digits == 2).then_some(value as u8)
}

/// `\u0077`, `\u{77}`, `\U00000077`, `\x77`, `\167` and the escapes of one letter.
pub(super) fn unescaped(bytes: &[u8]) -> Option<Vec<u8>> {
    rewrite(bytes, b'\\', |rest| {
        let code = |digits: &[u8], least: usize, most: usize, head: usize, tail: usize| {
            let (value, count) = number(digits, 16, most);
            let char = char::from_u32(value).filter(|_| count >= least)?;
            Some((Emit::Char(char), head + count + tail))
        };
        match rest.get(1)? {
            b'u' if rest.get(2) == Some(&b'{') => code(&rest[3..], 1, 6, 3, 1)
                .filter(|(_, consumed)| rest.get(consumed - 1) == Some(&b'}')),
            b'u' => code(&rest[2..], 4, 4, 2, 0),
            b'U' => code(&rest[2..], 8, 8, 2, 0),
            b'x' => Some((Emit::Byte(hex_pair(&rest[2..])?), 4)),
            b'0'..=b'7' => {
                let (value, count) = number(&rest[1..], 8, 3);
                Some((Emit::Byte(u8::try_from(value).ok()?), 1 + count))
            }
            b'n' => Some((Emit::Byte(b'\n'), 2)),
            b'r' => Some((Emit::Byte(b'\r'), 2)),
            b't' => Some((Emit::Byte(b'\t'), 2)),
            b'\n' => Some((Emit::Nothing, 2)),
            quoted @ (b'"' | b'\'' | b'\\' | b'/') => Some((Emit::Byte(*quoted), 2)),
            _ => None,
        }
    })
}

/// RFC 3986.
pub(super) fn percent_decoded(bytes: &[u8]) -> Option<Vec<u8>> {
    match percent_encoding::percent_decode(bytes).into() {
        std::borrow::Cow::Borrowed(_) => None,
        std::borrow::Cow::Owned(decoded) => Some(decoded),
    }
}

/// Numeric character references, and the named ones of XML; no other names a character that a
/// token or one of the other encodings uses.
pub(super) fn entities_resolved(bytes: &[u8]) -> Option<Vec<u8>> {
    const NAMED: [(&[u8], u8); 5] = [
        (b"&amp;", b'&'),
        (b"&lt;", b'<'),
        (b"&gt;", b'>'),
        (b"&quot;", b'"'),
        (b"&apos;", b'\''),
    ];
    rewrite(bytes, b'&', |rest| {
        if rest.get(1) != Some(&b'#') {
            let (name, byte) = NAMED.iter().find(|(name, _)| rest.starts_with(name))?;
            return Some((Emit::Byte(*byte), name.len()));
        }
        let (head, (value, digits)) = match rest.get(2)? {
            b'x' | b'X' => (3, number(&rest[3..], 16, 6)),
            _ => (2, number(&rest[2..], 10, 7)),
        };
        let char = char::from_u32(value).filter(|_| digits > 0)?;
        let semicolon = usize::from(rest.get(head + digits) == Some(&b';'));
        Some((Emit::Char(char), head + digits + semicolon))
    })
}

/// RFC 2045, section 6.7.
pub(super) fn quoted_printable_decoded(bytes: &[u8]) -> Option<Vec<u8>> {
    rewrite(bytes, b'=', |rest| match rest.get(1..)? {
        [b'\n', ..] => Some((Emit::Nothing, 2)),
        [b'\r', b'\n', ..] => Some((Emit::Nothing, 3)),
        digits => Some((Emit::Byte(hex_pair(digits)?), 3)),
    })
}

/// ASCII in UTF-16 and UTF-32 of either byte order is ASCII with NULs in between.
pub(super) fn without_nuls(bytes: &[u8]) -> Option<Vec<u8>> {
    Some(bytes.iter().copied().filter(|byte| *byte != 0).collect())
}

/// Drops white space and characters of no width, so that wrapped or spaced-out text is whole again.
pub(super) fn without_whitespace(bytes: &[u8]) -> Option<Vec<u8>> {
    without(bytes, |rest| match rest {
        [b' ' | b'\t' | b'\n' | b'\r' | 0x0b | 0x0c, ..] => 1,
        [0x00..=0x7f, ..] => 0,
        _ => invisible(rest),
    })
}

/// Drops characters of no width and blanks beyond ASCII, and leaves lines and columns as they are.
pub(super) fn without_invisibles(bytes: &[u8]) -> Option<Vec<u8>> {
    without(bytes, invisible)
}

/// The length of the invisible character at the head of `rest` in UTF-8, or 0.
fn invisible(rest: &[u8]) -> usize {
    match rest {
        // U+00A0 no-break space, U+00AD soft hyphen.
        [0xc2, 0xa0 | 0xad, ..] => 2,
        // U+180E, U+2000 to U+200F, U+2028, U+2029, U+202F, U+2060 to U+2064, U+3000, U+FEFF.
        [0xe1, 0xa0, 0x8e, ..]
        | [0xe2, 0x80, 0x80..=0x8f | 0xa8 | 0xa9 | 0xaf, ..]
        | [0xe2, 0x81, 0xa0..=0xa4, ..]
        | [0xe3, 0x80, 0x80, ..]
        | [0xef, 0xbb, 0xbf, ..] => 3,
        _ => 0,
    }
}

fn without(bytes: &[u8], dropped: impl Fn(&[u8]) -> usize) -> Option<Vec<u8>> {
    let mut text = Vec::with_capacity(bytes.len());
    let mut rest = bytes;
    while let [byte, tail @ ..] = rest {
        match dropped(rest) {
            0 => {
                text.push(*byte);
                rest = tail;
            }
            length => rest = &rest[length..],
        }
    }
    (text.len() < bytes.len()).then_some(text)
}

/// Drops what tools put before each line: `12:`, `12\t`, `12|`, `+`, `-`, `>`, `|`, `file:12:`,
/// `data:` of event streams. Nothing unless two lines have such a prefix.
pub(super) fn without_line_prefixes(bytes: &[u8]) -> Option<Vec<u8>> {
    let mut text = Vec::new();
    let mut stripped = 0;
    for line in bytes.split_inclusive(|byte| *byte == b'\n') {
        let bare = match after_number(line) {
            Some(rest) => Some(rest),
            None => after_marker(line).or_else(|| after_location(line)),
        };
        stripped += usize::from(bare.is_some());
        text.extend_from_slice(bare.unwrap_or(line));
    }
    (stripped >= 2).then_some(text)
}

fn trimmed(line: &[u8]) -> &[u8] {
    let blanks = line.iter().take_while(|byte| matches!(byte, b' ' | b'\t'));
    &line[blanks.count()..]
}

/// What follows a line number and its delimiter.
fn after_number(line: &[u8]) -> Option<&[u8]> {
    let line = trimmed(line);
    let digits = line.iter().take_while(|byte| byte.is_ascii_digit()).count();
    match line[digits..] {
        _ if digits == 0 => None,
        [b':' | b'|' | b'\t' | b')' | b'.', ref rest @ ..] => Some(trimmed(rest)),
        [b' ', ref rest @ ..] => match trimmed(rest) {
            [b'|' | b':', rest @ ..] => Some(trimmed(rest)),
            rest => Some(rest),
        },
        // U+2192, the arrow that some file viewers put after the number.
        [0xe2, 0x86, 0x92, ref rest @ ..] => Some(trimmed(rest)),
        _ => None,
    }
}

/// What follows the marker of a diff, of a quotation or of an event stream.
fn after_marker(line: &[u8]) -> Option<&[u8]> {
    let line = trimmed(line);
    match line {
        [b'+' | b'-' | b'>' | b'|', rest @ ..] => Some(trimmed(rest)),
        _ => line.strip_prefix(b"data:").map(trimmed),
    }
}

/// What follows `:12:` or `-12-`, as grep puts after the name of the file.
fn after_location(line: &[u8]) -> Option<&[u8]> {
    const LONGEST: usize = 256;
    let window = &line[..line.len().min(LONGEST)];
    let mut from = 0;
    while let Some(at) = window[from..]
        .iter()
        .position(|byte| matches!(byte, b':' | b'-'))
    {
        let mark = window[from + at];
        let rest = &window[from + at + 1..];
        let digits = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
        from += at + 1 + digits;
        if digits > 0 && window.get(from) == Some(&mark) {
            return Some(&line[from + 1..]);
        }
    }
    None
}
