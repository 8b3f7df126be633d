//! Whether an answer tells the size or time of a planted file.
//!
//! Owns the spellings in which tools print sizes and times. Planted sizes and times are random
//! enough that their number in an answer is no accident.

use std::time::{Duration, SystemTime};

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
