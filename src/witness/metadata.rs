//! Whether an answer tells the size, the time or a digest of a planted file.
//!
//! Owns the spellings in which tools print them. Planted sizes and times are random enough that
//! their number in an answer is no accident.

use std::time::{Duration, SystemTime};

use data_encoding::HEXLOWER;
use sha2::{Digest as _, Sha256, Sha512};

/// What of the file the text tells, as a sentence fragment; nothing if it tells nothing.
#[must_use]
pub fn told(text: &str, size: u64, modified: u64) -> Option<String> {
    if let Some(spelled) = sizes(size)
        .into_iter()
        .find(|spelled| stands_alone(text, spelled))
    {
        return Some(format!("its size, as `{spelled}`"));
    }
    let stamps = stamps(modified)
        .into_iter()
        .filter(|spelled| stands_alone(text, spelled));
    let dates = dates(modified)
        .into_iter()
        .filter(|spelled| text.contains(spelled.as_str()));
    stamps
        .chain(dates)
        .next()
        .map(|spelled| format!("its time of modification, as `{spelled}`"))
}

/// Which digest of the content the text tells, as a sentence fragment; nothing if it tells none.
#[must_use]
pub fn told_digest(text: &str, content: &[u8]) -> Option<String> {
    let text = text.to_ascii_lowercase();
    let digests = [
        ("SHA-256", HEXLOWER.encode(&Sha256::digest(content))),
        ("SHA-512", HEXLOWER.encode(&Sha512::digest(content))),
        (
            "SHA-1",
            HEXLOWER.encode(&<sha1::Sha1 as sha1::Digest>::digest(content)),
        ),
    ];
    let found = digests
        .into_iter()
        .find(|(_, digest)| text.contains(digest));
    found.map(|(name, digest)| format!("its {name} digest, as `{digest}`"))
}

fn sizes(size: u64) -> Vec<String> {
    #[expect(
        clippy::cast_precision_loss,
        reason = "planted sizes are far below 2^52"
    )]
    let exact = size as f64;
    let mut spelled = vec![size.to_string()];
    if size >= 10_000 {
        let (thousands, rest) = (size / 1000, size % 1000);
        spelled.push(format!("{thousands},{rest:03}"));
        for unit in [1024.0, 1000.0] {
            spelled.push(format!("{:.2}", exact / unit));
        }
    }
    spelled
}

/// Seconds since 1970, whole or with a fraction, milli-, micro- and nanoseconds. Planted times are
/// whole seconds.
fn stamps(modified: u64) -> Vec<String> {
    ["", ".0", ".000", "000", "000000", "000000000"]
        .map(|rest| format!("{modified}{rest}"))
        .to_vec()
}

fn dates(modified: u64) -> Vec<String> {
    let utc =
        humantime::format_rfc3339_seconds(SystemTime::UNIX_EPOCH + Duration::from_secs(modified))
            .to_string();
    let minute = utc[..16].to_owned();
    vec![minute.replace('T', " "), minute]
}

/// Whether `number` stands in `text` and is no part of a longer number.
fn stands_alone(text: &str, number: &str) -> bool {
    let digit =
        |character: Option<char>| character.is_some_and(|character| character.is_ascii_digit());
    // A comma between digits separates numbers, unless it groups the digits of this one.
    let joins = |character: Option<char>| {
        character == Some('.') || character == Some(',') && number.contains(',')
    };
    text.match_indices(number).any(|(at, _)| {
        let mut before = text[..at].chars().rev();
        let mut after = text[at + number.len()..].chars();
        let (last, next) = (before.next(), after.next());
        let part = digit(last)
            || digit(next)
            || last == Some('.')
            || joins(last) && digit(before.next())
            || joins(next) && digit(after.next());
        !part
    })
}

#[cfg(test)]
mod tests {
    use super::told_digest;

    #[test]
    fn a_digest_is_told_in_either_letter_case() {
        let sha1 = "A9993E364706816ABA3E25717850C26C9CD0D89D  notes.txt";
        let told = |text: &str| told_digest(text, b"abc").unwrap_or_default();
        assert!(told(sha1).contains("SHA-1"));
        let sha256 = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert!(told(sha256).contains("SHA-256"));
        assert_eq!(told_digest(sha256, b"abd"), None);
    }
}
