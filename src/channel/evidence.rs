//! What shows that a call did what its role says.
//!
//! Owns looking for a word in a reply, for an effect on the disk and for an arrival at a place, for
//! controls only: a channel must show its evidence plainly. What hides in a reply is searched for elsewhere.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use data_encoding::BASE64_NOPAD;

use crate::{
    channel::{Arrival, Net, Place},
    session::{Exchange, Outcome},
};

/// What a call must bring about.
pub(super) enum Evidence<'a> {
    /// For each group, one of its marks in the reply.
    Reply(Vec<Vec<Mark>>),
    /// All of these on the disk.
    Disk(Vec<Fact>),
    /// An arrival at a place, or the word of that place in the reply.
    Net(Reach<'a>),
}

/// A place that a call must reach.
pub(super) struct Reach<'a> {
    pub(super) net: &'a dyn Net,
    pub(super) place: Place,
    pub(super) arrival: Arrival,
    pub(super) mark: Mark,
}

impl Reach<'_> {
    fn arrived(&self) -> bool {
        self.net.arrived(&self.place, self.arrival)
    }
}

/// Something to find in a reply.
#[derive(Debug, Clone)]
pub(super) enum Mark {
    /// A word, in any case, or in Base64.
    Word(String),
    /// A number that stands alone, thousands separated or not.
    Number(u64),
    /// A text as it stands.
    Text(String),
    /// A text that must not stand in it.
    Absent(String),
}

/// A state of the disk.
#[derive(Debug, Clone)]
pub(super) enum Fact {
    Exists(PathBuf),
    Gone(PathBuf),
    IsDir(PathBuf),
    /// The file holds the text.
    Holds(PathBuf, String),
    Lacks(PathBuf, String),
    /// Some file below the directory holds the text.
    HoldsBelow(PathBuf, String),
    /// Something lies in the directory.
    Inhabited(PathBuf),
    /// A file in the directory has a name that starts so.
    Begins(PathBuf, String),
}

impl Evidence<'_> {
    /// Whether the reply alone shows it.
    pub(super) fn in_reply(&self) -> bool {
        matches!(self, Evidence::Reply(_))
    }

    /// Whether it may come a moment after the reply.
    pub(super) fn may_be_late(&self) -> bool {
        matches!(self, Evidence::Net(_))
    }

    /// Whether an effect is there before any call, which would make it worthless.
    pub(super) fn already_there(&self) -> bool {
        match self {
            Evidence::Reply(_) => false,
            Evidence::Disk(facts) => facts.iter().all(Fact::true_now),
            Evidence::Net(reach) => reach.arrived(),
        }
    }

    /// Whether it is there.
    pub(super) fn shown(&self, exchange: &Exchange) -> bool {
        match self {
            Evidence::Reply(groups) => {
                let reply = Reply::of(exchange);
                groups
                    .iter()
                    .all(|group| group.iter().any(|mark| reply.holds(mark)))
            }
            Evidence::Disk(facts) => facts.iter().all(Fact::true_now),
            // What a host answers says nothing of the way that led there.
            Evidence::Net(reach) if reach.arrival == Arrival::Joined => reach.arrived(),
            Evidence::Net(reach) => Reply::of(exchange).holds(&reach.mark) || reach.arrived(),
        }
    }

    /// What shows it, in words for a report.
    pub(super) fn seen(&self, exchange: &Exchange) -> String {
        match self {
            Evidence::Reply(_) => String::from("its own evidence in the reply"),
            Evidence::Disk(_) => String::from("its own effect on the disk"),
            Evidence::Net(reach) => {
                let arrival = match reach.arrival {
                    Arrival::Request => "its own request at the sink",
                    Arrival::Connection => "its own connection at the sink",
                    Arrival::Question => "its own question at the resolver",
                    Arrival::Joined => "its own request at the base of the API",
                };
                [
                    (reach.arrived(), arrival),
                    (self.told(exchange), "its own word in the reply"),
                ]
                .into_iter()
                .filter_map(|(seen, what)| seen.then_some(what))
                .collect::<Vec<_>>()
                .join(" and ")
            }
        }
    }

    /// Whether any part of it is in the reply.
    pub(super) fn told(&self, exchange: &Exchange) -> bool {
        match self {
            Evidence::Reply(_) => self.partly(exchange),
            Evidence::Disk(_) => false,
            Evidence::Net(reach) => Reply::of(exchange).holds(&reach.mark),
        }
    }

    /// Whether all that is there is an empty file: what opens a target before it looks for a source leaves one.
    pub(super) fn empty(&self) -> bool {
        let hollow = |fact: &Fact| match fact {
            Fact::Exists(path) => path.metadata().is_ok_and(|found| found.len() == 0),
            _ => false,
        };
        matches!(self, Evidence::Disk(facts) if facts.iter().all(hollow))
    }

    /// Whether any part of it is there: what another input must not bring about.
    pub(super) fn partly(&self, exchange: &Exchange) -> bool {
        match self {
            Evidence::Reply(groups) => {
                let reply = Reply::of(exchange);
                let mut marks = groups.iter().flatten();
                marks.any(|mark| !matches!(mark, Mark::Absent(_)) && reply.holds(mark))
            }
            Evidence::Disk(_) | Evidence::Net(_) => self.shown(exchange),
        }
    }
}

impl Fact {
    fn true_now(&self) -> bool {
        let holds = |path: &Path, text: &str| -> io::Result<bool> {
            // What converts a text may raise its letters; the words are all in lower case.
            Ok(contains(
                &fs::read(path)?.to_ascii_lowercase(),
                text.as_bytes(),
            ))
        };
        match self {
            Fact::Exists(path) => path.symlink_metadata().is_ok(),
            Fact::Gone(path) => path.symlink_metadata().is_err(),
            Fact::IsDir(path) => path.is_dir(),
            Fact::Holds(path, text) => holds(path, text).unwrap_or(false),
            Fact::Lacks(path, text) => !holds(path, text).unwrap_or(true),
            Fact::HoldsBelow(dir, text) => {
                walkdir::WalkDir::new(dir)
                    .into_iter()
                    .flatten()
                    .any(|entry| {
                        entry.file_type().is_file() && holds(entry.path(), text).unwrap_or(false)
                    })
            }
            Fact::Inhabited(dir) => {
                fs::read_dir(dir).is_ok_and(|mut entries| entries.next().is_some())
            }
            Fact::Begins(dir, stem) => begins(dir, stem).any(|path| path.is_file()),
        }
    }
}

/// What lies in the directory under a name that starts so.
fn begins(dir: &Path, stem: &str) -> impl Iterator<Item = PathBuf> {
    let entries = fs::read_dir(dir).into_iter().flatten().flatten();
    let named = move |entry: &fs::DirEntry| entry.file_name().to_string_lossy().starts_with(stem);
    entries.filter(named).map(|entry| entry.path())
}

fn contains(hay: &[u8], needle: &[u8]) -> bool {
    !needle.is_empty() && hay.windows(needle.len()).any(|window| window == needle)
}

/// The bytes of a reply, once as they came and once in lower case.
struct Reply {
    bytes: Vec<u8>,
    lower: Vec<u8>,
}

impl Reply {
    fn of(exchange: &Exchange) -> Reply {
        let mut bytes = exchange.raw.to_vec();
        match &exchange.outcome {
            // Content that was escaped on the wire.
            Outcome::Result(_) | Outcome::Error { .. } => {
                bytes.push(b'\n');
                bytes.extend(exchange.outcome.text().into_bytes());
            }
            _ => {}
        }
        let lower = bytes.to_ascii_lowercase();
        Reply { bytes, lower }
    }

    fn holds(&self, mark: &Mark) -> bool {
        match mark {
            Mark::Word(word) => {
                contains(&self.lower, word.as_bytes())
                    || base64_cores(word)
                        .iter()
                        .any(|core| contains(&self.bytes, core.as_bytes()))
            }
            Mark::Text(text) => contains(&self.bytes, text.as_bytes()),
            Mark::Absent(text) => !contains(&self.bytes, text.as_bytes()),
            Mark::Number(number) => {
                let plain = number.to_string();
                let cut = plain.len().saturating_sub(3);
                let grouped = [',', '.', '\'', ' ', '_']
                    .map(|mark| format!("{}{mark}{}", &plain[..cut], &plain[cut..]));
                grouped
                    .iter()
                    .chain([&plain])
                    .any(|digits| self.stands_alone(digits.as_bytes()))
            }
        }
    }

    fn stands_alone(&self, digits: &[u8]) -> bool {
        self.bytes
            .windows(digits.len())
            .enumerate()
            .any(|(at, window)| {
                window == digits
                    && !at
                        .checked_sub(1)
                        .is_some_and(|before| self.bytes[before].is_ascii_digit())
                    && !self
                        .bytes
                        .get(at + digits.len())
                        .is_some_and(u8::is_ascii_digit)
            })
    }
}

/// What every Base64 text that holds the word has in it, for each of the three places in which the
/// word may start within a group.
fn base64_cores(word: &str) -> [String; 3] {
    [0, 1, 2].map(|shift: usize| {
        let mut bytes = vec![0; shift];
        bytes.extend(word.as_bytes());
        let text = BASE64_NOPAD.encode(&bytes);
        // Characters that also carry bits of the neighbours are cut off.
        let start = (shift * 8).div_ceil(6);
        let end = bytes.len() * 8 / 6;
        text[start..end].to_owned()
    })
}

/// A size that nothing else has.
pub(super) fn prime() -> u64 {
    loop {
        let number = fastrand::u64(10_007..60_000) | 1;
        if (3..)
            .step_by(2)
            .take_while(|d| d * d <= number)
            .all(|d| number % d != 0)
        {
            return number;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{sync::Arc, time::Duration};

    fn reply(text: &str) -> Exchange {
        Exchange {
            number: 0,
            id: "0".into(),
            method: "tools/call".into(),
            params: serde_json::Value::Null,
            outcome: Outcome::Undecodable,
            raw: Arc::from(text.as_bytes()),
            took: Duration::ZERO,
        }
    }

    #[test]
    fn words_are_found_plain_and_in_base64() {
        let word = "abcdefghij234567";
        let mark =
            |text: &str| Evidence::Reply(vec![vec![Mark::Word(word.into())]]).shown(&reply(text));
        assert!(mark("xx ABCDEFGHIJ234567"));
        for before in ["", "a", "ab", "abc"] {
            let text = data_encoding::BASE64.encode(format!("{before}{word} after").as_bytes());
            assert!(mark(&text), "{before}");
        }
        assert!(!mark("abcdefghij23456"));
    }

    #[test]
    fn numbers_stand_alone() {
        let found =
            |text: &str| Evidence::Reply(vec![vec![Mark::Number(10_007)]]).shown(&reply(text));
        assert!(found("size: 10007") && found("10,007 bytes"));
        assert!(!found("100071") && !found("110007"));
    }
}
