//! Every byte that went over the wire, in order, with monotonic time.
//!
//! Owns the record and the listeners. Memory is bounded: the first bytes stay in memory, later
//! ones go to an unlinked temporary file, and past its cap only their head, length and hash are
//! kept. Listeners see all bytes regardless. Knows nothing of JSON-RPC.

use std::{
    fmt,
    fs::File,
    io::{self, Read, Seek, SeekFrom, Write},
    sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock},
    time::{Duration, Instant},
};

use data_encoding::{BASE64, HEXLOWER};
use serde::Serialize;
use sha2::{Digest, Sha256};

/// Bytes kept in memory before the rest goes to a file.
const MEMORY: u64 = 2 << 20;
/// Bytes kept in the file before entries are cut.
const FILE: u64 = 256 << 20;
/// What is kept of an entry that is cut.
const HEAD: usize = 4 << 10;

/// Who sent the bytes, and by which way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Direction {
    /// By us to the target.
    Sent,
    /// By the target, on its standard output or as an HTTP response.
    Received,
    /// By the target, on its standard error.
    Stderr,
}

/// Bytes as a listener gets them: a line with its terminator, the head or body of an HTTP
/// response, or a part of a line that is longer than the session's limit.
#[derive(Debug, Clone)]
pub struct Entry {
    /// Position in the transcript, from 0.
    pub number: u64,
    /// Time since the transcript began.
    pub at: Duration,
    /// Who sent it.
    pub direction: Direction,
    /// The bytes.
    pub bytes: Arc<[u8]>,
    /// More of the same line follows in the next entry of this direction.
    pub partial: bool,
}

/// An entry as it was kept.
#[derive(Debug, Clone)]
pub struct Record {
    /// The entry; its bytes are only the head when `cut` is set.
    pub entry: Entry,
    /// Length and SHA-256 of the whole, when only its head was kept.
    pub cut: Option<(u64, [u8; 32])>,
}

type Listener = dyn Fn(&Entry) + Send + Sync;

/// The transcript of one run. Clones share it.
#[derive(Clone)]
pub struct Transcript(Arc<Inner>);

struct Inner {
    began: Instant,
    // Held while an entry is numbered, kept and shown, so that listeners see the order of numbers
    // and may still read the transcript.
    order: Mutex<()>,
    store: Mutex<Store>,
    listeners: RwLock<Vec<Box<Listener>>>,
}

#[derive(Default)]
struct Store {
    kept: Vec<Kept>,
    in_memory: u64,
    in_file: u64,
    file: Option<File>,
    disk_failed: bool,
}

struct Kept {
    at: Duration,
    direction: Direction,
    partial: bool,
    place: Place,
}

enum Place {
    Memory(Arc<[u8]>),
    File {
        offset: u64,
        len: u64,
    },
    Cut {
        head: Box<[u8]>,
        len: u64,
        hash: Box<[u8; 32]>,
    },
}

impl Default for Transcript {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Transcript {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Transcript")
            .field("entries", &self.len())
            .finish_non_exhaustive()
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Transcript {
    /// An empty transcript whose time begins now.
    #[must_use]
    pub fn new() -> Self {
        Transcript(Arc::new(Inner {
            began: Instant::now(),
            order: Mutex::new(()),
            store: Mutex::default(),
            listeners: RwLock::default(),
        }))
    }

    /// Calls `listener` with every later entry, in order, before the session acts on it. It runs
    /// on the session's own task: it must be quick and must not write to the transcript.
    pub fn listen(&self, listener: Box<dyn Fn(&Entry) + Send + Sync>) {
        self.0
            .listeners
            .write()
            .unwrap_or_else(PoisonError::into_inner)
            .push(listener);
    }

    /// When the transcript began.
    #[must_use]
    pub fn began(&self) -> Instant {
        self.0.began
    }

    /// Time since the transcript began.
    #[must_use]
    pub fn now(&self) -> Duration {
        self.0.began.elapsed()
    }

    /// Number of entries.
    #[must_use]
    pub fn len(&self) -> u64 {
        locked(&self.0.store).kept.len() as u64
    }

    /// Whether nothing was sent or received.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Adds an entry.
    pub fn push(&self, direction: Direction, bytes: Arc<[u8]>, partial: bool) {
        let _order = locked(&self.0.order);
        let at = self.now();
        let number = locked(&self.0.store).keep(at, direction, &bytes, partial);
        let entry = Entry {
            number,
            at,
            direction,
            bytes,
            partial,
        };
        for listener in self
            .0
            .listeners
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .iter()
        {
            listener(&entry);
        }
    }

    /// The entry with this number as it was kept; `None` past the end.
    ///
    /// # Errors
    /// The temporary file cannot be read.
    pub fn get(&self, number: u64) -> io::Result<Option<Record>> {
        locked(&self.0.store).get(number)
    }

    /// All entries that exist now, in order.
    pub fn records(&self) -> impl Iterator<Item = io::Result<Record>> + '_ {
        (0..self.len()).filter_map(|number| self.get(number).transpose())
    }

    /// Writes all entries as JSON lines: `n`, `at_us` (microseconds), `direction`, `partial`, and
    /// the bytes as `text` or, when they are not UTF-8, as `base64`; `len` and `sha256` of the
    /// whole where only the head was kept.
    ///
    /// # Errors
    /// `out` cannot be written or the temporary file cannot be read.
    pub fn write_jsonl(&self, out: &mut dyn Write) -> io::Result<()> {
        #[derive(Serialize)]
        struct Line<'a> {
            n: u64,
            at_us: u64,
            direction: Direction,
            #[serde(skip_serializing_if = "std::ops::Not::not")]
            partial: bool,
            #[serde(skip_serializing_if = "Option::is_none")]
            text: Option<&'a str>,
            #[serde(skip_serializing_if = "Option::is_none")]
            base64: Option<String>,
            #[serde(skip_serializing_if = "Option::is_none")]
            len: Option<u64>,
            #[serde(skip_serializing_if = "Option::is_none")]
            sha256: Option<String>,
        }
        for record in self.records() {
            let Record { entry, cut } = record?;
            let text = std::str::from_utf8(&entry.bytes).ok();
            let line = Line {
                n: entry.number,
                at_us: u64::try_from(entry.at.as_micros()).unwrap_or(u64::MAX),
                direction: entry.direction,
                partial: entry.partial,
                text,
                base64: text.is_none().then(|| BASE64.encode(&entry.bytes)),
                len: cut.map(|(len, _)| len),
                sha256: cut.map(|(_, hash)| HEXLOWER.encode(&hash)),
            };
            serde_json::to_writer(&mut *out, &line)?;
            out.write_all(b"\n")?;
        }
        Ok(())
    }
}

impl Store {
    fn keep(
        &mut self,
        at: Duration,
        direction: Direction,
        bytes: &Arc<[u8]>,
        partial: bool,
    ) -> u64 {
        let len = bytes.len() as u64;
        let place = if self.in_memory + len <= MEMORY {
            self.in_memory += len;
            Place::Memory(Arc::clone(bytes))
        } else {
            self.spill(bytes).unwrap_or_else(|| Place::Cut {
                head: bytes[..bytes.len().min(HEAD)].into(),
                len,
                hash: Box::new(Sha256::digest(bytes).into()),
            })
        };
        self.kept.push(Kept {
            at,
            direction,
            partial,
            place,
        });
        self.kept.len() as u64 - 1
    }

    // A full disk must cost the record, not the run: from the first failure on, entries are cut.
    fn spill(&mut self, bytes: &[u8]) -> Option<Place> {
        let len = bytes.len() as u64;
        if self.disk_failed || self.in_file + len > FILE {
            return None;
        }
        let offset = self.in_file;
        let written = (|| {
            let file = match &mut self.file {
                Some(file) => file,
                none => none.insert(tempfile::tempfile()?),
            };
            file.seek(SeekFrom::Start(offset))?;
            file.write_all(bytes)
        })();
        if written.is_err() {
            self.disk_failed = true;
            return None;
        }
        self.in_file += len;
        Some(Place::File { offset, len })
    }

    fn get(&mut self, number: u64) -> io::Result<Option<Record>> {
        let Some(kept) = usize::try_from(number)
            .ok()
            .and_then(|index| self.kept.get(index))
        else {
            return Ok(None);
        };
        let mut cut = None;
        let bytes: Arc<[u8]> = match &kept.place {
            Place::Memory(bytes) => Arc::clone(bytes),
            Place::File { offset, len } => {
                let mut bytes = Vec::new();
                if let Some(file) = &mut self.file {
                    file.seek(SeekFrom::Start(*offset))?;
                    file.take(*len).read_to_end(&mut bytes)?;
                }
                bytes.into()
            }
            Place::Cut { head, len, hash } => {
                cut = Some((*len, **hash));
                head.as_ref().into()
            }
        };
        Ok(Some(Record {
            entry: Entry {
                number,
                at: kept.at,
                direction: kept.direction,
                bytes,
                partial: kept.partial,
            },
            cut,
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_past_the_memory_cap_come_back_from_the_file() {
        let transcript = Transcript::new();
        for fill in 0..5u8 {
            transcript.push(Direction::Received, vec![fill; 1 << 20].into(), false);
        }
        let lengths: Vec<_> = transcript
            .records()
            .map(|record| record.expect("the file is readable"))
            .map(|record| (record.entry.bytes[0], record.entry.bytes.len(), record.cut))
            .collect();
        assert_eq!(lengths, [0, 1, 2, 3, 4].map(|fill| (fill, 1 << 20, None)));
        assert_eq!(locked(&transcript.0.store).in_memory, 2 << 20);
    }

    #[test]
    fn without_a_disk_the_head_and_the_hash_remain() {
        let transcript = Transcript::new();
        locked(&transcript.0.store).disk_failed = true;
        transcript.push(Direction::Stderr, vec![7; 3 << 20].into(), false);
        let record = transcript
            .get(0)
            .expect("nothing to read from disk")
            .expect("it was pushed");
        assert_eq!(record.entry.bytes.len(), HEAD);
        let whole: [u8; 32] = Sha256::digest(vec![7; 3 << 20]).into();
        assert_eq!(record.cut, Some((3 << 20, whole)));
    }

    #[test]
    fn listeners_see_every_entry_in_order_and_may_read_back() {
        let transcript = Transcript::new();
        let seen = Arc::new(Mutex::new(Vec::new()));
        let (sink, reader) = (Arc::clone(&seen), transcript.clone());
        transcript.listen(Box::new(move |entry| {
            assert!(reader.len() > entry.number);
            locked(&sink).push((entry.number, entry.bytes.to_vec()));
        }));
        transcript.push(Direction::Sent, (*b"a\n").into(), false);
        transcript.push(Direction::Received, (*b"\xff").into(), true);
        assert_eq!(
            *locked(&seen),
            [(0, b"a\n".to_vec()), (1, b"\xff".to_vec())]
        );
        let mut lines = Vec::new();
        transcript
            .write_jsonl(&mut lines)
            .expect("a vector takes everything");
        let lines = String::from_utf8(lines).expect("JSON is UTF-8");
        assert!(lines.contains(r#""direction":"sent","text":"a\n"}"#));
        assert!(lines.contains(r#""direction":"received","partial":true,"base64":"/w=="}"#));
    }
}
