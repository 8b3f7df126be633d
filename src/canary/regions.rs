//! Maximal runs of a byte class, found without looking at most bytes of ordinary text.

use std::ops::Range;

/// A set of byte values.
pub(super) type Class = [bool; 256];

/// The class of the bytes in `members`.
pub(super) const fn class(members: &[u8]) -> Class {
    let mut class = [false; 256];
    let mut i = 0;
    while i < members.len() {
        class[members[i] as usize] = true;
        i += 1;
    }
    class
}

/// The class of the bytes from `first` to `last`.
pub(super) const fn span(first: u8, last: u8) -> Class {
    let mut class = [false; 256];
    let mut byte = first as usize;
    while byte <= last as usize {
        class[byte] = true;
        byte += 1;
    }
    class
}

/// The bytes of either class.
pub(super) const fn either(a: Class, b: Class) -> Class {
    let mut class = a;
    let mut byte = 0;
    while byte < 256 {
        class[byte] = a[byte] || b[byte];
        byte += 1;
    }
    class
}

/// The maximal runs of at least `min` bytes of `class`, in order.
///
/// Looks at every `min`-th byte only, since a run that long cannot pass between two of them, and
/// widens from there: linear at worst, `1 / min` of that in text where the class is rare.
pub(super) fn regions<'a>(
    bytes: &'a [u8],
    class: &'a Class,
    min: usize,
) -> impl Iterator<Item = Range<usize>> + 'a {
    let is_member = move |byte: &u8| class[usize::from(*byte)];
    let mut floor = 0;
    std::iter::from_fn(move || {
        loop {
            let probe = floor + min - 1;
            if !is_member(bytes.get(probe)?) {
                floor = probe + 1;
                continue;
            }
            let before = bytes[floor..probe].iter().rev();
            let start = probe - before.take_while(|byte| is_member(byte)).count();
            let after = bytes[probe..].iter();
            let end = probe + after.take_while(|byte| is_member(byte)).count();
            floor = end + 1;
            if end - start >= min {
                return Some(start..end);
            }
        }
    })
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::*;

    #[test]
    fn finds_what_a_walk_over_every_byte_finds() {
        let digits = span(b'0', b'9');
        let mut random = fastrand::Rng::with_seed(7);
        for _ in 0..500 {
            let text: Vec<u8> = (0..200)
                .map(|_| *random.choice(b"0123456x").unwrap())
                .collect();
            let min = random.usize(1..12);
            let mut expected = Vec::new();
            let mut start = 0;
            for end in 0..=text.len() {
                if end == text.len() || text[end] == b'x' {
                    if end - start >= min {
                        expected.push(start..end);
                    }
                    start = end + 1;
                }
            }
            let found: Vec<_> = regions(&text, &digits, min).collect();
            assert_eq!(found, expected, "min {min}");
        }
    }
}
