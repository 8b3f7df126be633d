//! The log witness: reads what an audit log gains, through rotations.
//!
//! Owns open files by inode, so that what is rotated away or removed is read to its end, and what
//! standard error said. Knows nothing of calls: whoever asks knows which word to look for.

mod record;
mod shape;

use std::{
    collections::HashMap,
    fs::{self, File, OpenOptions},
    io::{self, Read as _, Seek as _, SeekFrom},
    os::unix::fs::{MetadataExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use rustix::fs::OFlags;

pub use record::*;
pub use shape::*;

/// Longest record that is kept whole.
const RECORD: usize = 1 << 20;

/// Bytes of records that are kept; a log that grows by more during a run is no audit log of ours.
const KEPT: usize = 64 << 20;

/// One line of the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// The file, or `stderr`.
    pub source: String,
    /// Its bytes, without the line feed.
    pub bytes: Vec<u8>,
}

impl Line {
    /// Whether a word stands in it.
    #[must_use]
    pub fn holds(&self, word: &str) -> bool {
        memchr::memmem::find(&self.bytes, word.as_bytes()).is_some()
    }

    /// As text; what is not UTF-8 is replaced.
    #[must_use]
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.bytes).into_owned()
    }
}

/// Watches the audit log of a target.
#[derive(Debug, Clone)]
pub struct LogWitness {
    files: Arc<Vec<PathBuf>>,
    stderr: bool,
    state: Arc<Mutex<State>>,
}

#[derive(Debug, Default)]
struct State {
    tails: HashMap<(u64, u64), Tail>,
    heard: Vec<u8>,
    lines: Vec<Line>,
    bytes: usize,
    trouble: Option<String>,
}

#[derive(Debug)]
struct Tail {
    file: File,
    path: PathBuf,
    at: u64,
    partial: Vec<u8>,
}

impl LogWitness {
    /// Begins at the end of what stands there now. To be called before the target is launched.
    #[must_use]
    pub fn start(files: Vec<PathBuf>, stderr: bool) -> Self {
        let witness = Self {
            files: Arc::new(files),
            stderr,
            state: Arc::default(),
        };
        for path in witness.generations() {
            if let Ok((file, key)) = open(&path) {
                let at = file.metadata().map_or(0, |metadata| metadata.len());
                witness.lock().tails.insert(key, Tail::new(file, path, at));
            }
        }
        witness
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The current files.
    #[must_use]
    pub fn files(&self) -> &[PathBuf] {
        &self.files
    }

    /// Takes what standard error said, if the log is there.
    pub fn hear(&self, bytes: &[u8]) {
        if !self.stderr {
            return;
        }
        let mut state = self.lock();
        let mut heard = std::mem::take(&mut state.heard);
        heard.extend_from_slice(bytes);
        // Pieces come by lines, with or without their end.
        state.take(&mut heard, "stderr");
        if !heard.is_empty() && !bytes.ends_with(b"\n") {
            heard.push(b'\n');
            state.take(&mut heard, "stderr");
        }
        state.heard = heard;
    }

    /// Reads what is new.
    pub fn look(&self) {
        let generations = self.generations();
        let mut state = self.lock();
        for path in generations {
            match open(&path) {
                Ok((file, key)) => match state.tails.get_mut(&key) {
                    Some(tail) => tail.path = path,
                    None => {
                        state.tails.insert(key, Tail::new(file, path, 0));
                    }
                },
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => {
                    state.trouble = Some(format!("{} cannot be read: {error}", path.display()));
                }
            }
        }
        let keys: Vec<_> = state.tails.keys().copied().collect();
        for key in keys {
            let Some(mut tail) = state.tails.remove(&key) else {
                continue;
            };
            if let Err(error) = state.read(&mut tail) {
                state.trouble = Some(format!("{} cannot be read: {error}", tail.path.display()));
            }
            state.tails.insert(key, tail);
        }
    }

    /// How many lines came so far.
    #[must_use]
    pub fn count(&self) -> usize {
        self.lock().lines.len()
    }

    /// The lines that came after the first `from`.
    #[must_use]
    pub fn since(&self, from: usize) -> Vec<Line> {
        let state = self.lock();
        state.lines.get(from..).unwrap_or_default().to_vec()
    }

    /// Why the log tells nothing, if so.
    #[must_use]
    pub fn blind(&self) -> Option<String> {
        let state = self.lock();
        if let Some(trouble) = &state.trouble {
            return Some(trouble.clone());
        }
        if !state.lines.is_empty() {
            return None;
        }
        let missing = self.files.iter().find(|path| !path.exists());
        Some(match missing {
            Some(path) => format!("there is no audit log at {}", path.display()),
            None => {
                String::from("nothing was written to the audit log since the target was started")
            }
        })
    }

    /// The current files that exist, and those that were rotated away beside them: the same name with
    /// something after it, or something between its stem and its ending. Compressed ones are not read.
    #[must_use]
    pub fn generations(&self) -> Vec<PathBuf> {
        let mut found: Vec<PathBuf> = Vec::new();
        for path in self.files.iter() {
            let (Some(parent), Some(name)) = (path.parent(), path.file_name()) else {
                continue;
            };
            let name = name.to_string_lossy().into_owned();
            for entry in fs::read_dir(parent).into_iter().flatten().flatten() {
                let other = entry.file_name().to_string_lossy().into_owned();
                if is_generation(&name, &other) {
                    found.push(entry.path());
                }
            }
        }
        found.sort();
        found.dedup();
        found
    }
}

fn is_generation(name: &str, other: &str) -> bool {
    const PACKED: [&str; 5] = [".gz", ".zst", ".xz", ".bz2", ".zip"];
    if PACKED.iter().any(|ending| other.ends_with(ending)) {
        return false;
    }
    let after = |rest: &str| rest.is_empty() || rest.starts_with(['.', '-', '_']);
    if other.strip_prefix(name).is_some_and(after) {
        return true;
    }
    let Some((stem, ending)) = name.rsplit_once('.') else {
        return false;
    };
    other
        .strip_prefix(stem)
        .and_then(|rest| rest.strip_suffix(ending)?.strip_suffix('.'))
        .is_some_and(after)
}

/// Opens a regular file without waiting for anybody, and tells who it is.
fn open(path: &Path) -> io::Result<(File, (u64, u64))> {
    let flags = (OFlags::NONBLOCK | OFlags::NOCTTY).bits().cast_signed();
    let file = OpenOptions::new()
        .read(true)
        .custom_flags(flags)
        .open(path)?;
    let metadata = file.metadata()?;
    if !metadata.is_file() {
        return Err(io::Error::other("it is no regular file"));
    }
    Ok((file, (metadata.dev(), metadata.ino())))
}

impl Tail {
    fn new(file: File, path: PathBuf, at: u64) -> Self {
        Self {
            file,
            path,
            at,
            partial: Vec::new(),
        }
    }
}

impl State {
    fn read(&mut self, tail: &mut Tail) -> io::Result<()> {
        if tail.file.metadata()?.len() < tail.at {
            // Cut off and begun anew, as `copytruncate` does.
            tail.at = 0;
            tail.partial.clear();
        }
        tail.file.seek(SeekFrom::Start(tail.at))?;
        let mut fresh = Vec::new();
        let room = KEPT.saturating_sub(self.bytes) as u64;
        (&tail.file).take(room + 1).read_to_end(&mut fresh)?;
        if fresh.len() as u64 > room {
            self.trouble = Some(format!(
                "{} grew by more than {} MiB",
                tail.path.display(),
                KEPT >> 20
            ));
        }
        if fresh.contains(&0) {
            self.trouble = Some(format!("{} is binary", tail.path.display()));
        }
        tail.at += fresh.len() as u64;
        tail.partial.append(&mut fresh);
        let source = tail.path.display().to_string();
        self.take(&mut tail.partial, &source);
        Ok(())
    }

    /// Takes the whole lines of a buffer.
    fn take(&mut self, buffer: &mut Vec<u8>, source: &str) {
        let Some(end) = memchr::memrchr(b'\n', buffer) else {
            if buffer.len() > RECORD {
                self.trouble = Some(format!("{source} holds a line of more than 1 MiB"));
                buffer.clear();
            }
            return;
        };
        let rest = buffer.split_off(end + 1);
        for line in std::mem::replace(buffer, rest).split(|byte| *byte == b'\n') {
            if !line.is_empty() && self.bytes < KEPT {
                self.bytes += line.len();
                self.lines.push(Line {
                    source: source.to_owned(),
                    bytes: line.to_vec(),
                });
            }
        }
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]
mod tests {
    use std::io::Write as _;

    use super::*;

    fn append(path: &Path, text: &str) {
        let mut options = OpenOptions::new();
        let mut file = options.create(true).append(true).open(path).unwrap();
        file.write_all(text.as_bytes()).unwrap();
    }

    fn texts(witness: &LogWitness) -> Vec<String> {
        witness.look();
        witness.since(0).iter().map(Line::text).collect()
    }

    #[test]
    fn rotation_loses_nothing_and_the_past_does_not_count() {
        let directory = tempfile::tempdir().unwrap();
        let log = directory.path().join("server.log");
        append(&log, "old\n");
        let witness = LogWitness::start(vec![log.clone()], false);
        assert!(witness.blind().is_some());
        append(&log, "one\ntw");
        assert_eq!(texts(&witness), ["one"]);
        append(&log, "o\n");
        fs::rename(&log, directory.path().join("server.log.1")).unwrap();
        append(&log, "three\n");
        let mut found = texts(&witness);
        found.sort();
        assert_eq!(found, ["one", "three", "two"]);
        // Removed before it was read, but opened before that.
        append(&log, "four\n");
        fs::remove_file(&log).unwrap();
        assert!(texts(&witness).contains(&String::from("four")));
        // Cut off in place.
        append(&log, "fifth\n");
        assert!(texts(&witness).contains(&String::from("fifth")));
        fs::write(&log, "6\n").unwrap();
        assert!(texts(&witness).contains(&String::from("6")));
        assert_eq!(witness.blind(), None);
    }

    #[test]
    fn what_cannot_be_read_is_told() {
        let directory = tempfile::tempdir().unwrap();
        let log = directory.path().join("server.log");
        let witness = LogWitness::start(vec![log.clone()], false);
        witness.look();
        assert!(witness.blind().unwrap().contains("no audit log"));
        append(&log, "a\0b\n");
        witness.look();
        assert!(witness.blind().unwrap().contains("binary"));
        let odd = LogWitness::start(vec![directory.path().to_owned()], false);
        odd.look();
        assert!(odd.blind().is_some());
    }

    #[test]
    fn generations_are_known_by_their_names() {
        for other in [
            "a.log",
            "a.log.1",
            "a.log-20260101",
            "a-2026.log",
            "a.1.log",
        ] {
            assert!(is_generation("a.log", other), "{other}");
        }
        for other in ["a.log.1.gz", "ab.log", "b.log", "a.txt", "alog"] {
            assert!(!is_generation("a.log", other), "{other}");
        }
    }

    #[test]
    fn standard_error_is_a_log_where_the_policy_says_so() {
        let witness = LogWitness::start(Vec::new(), true);
        witness.hear(b"one");
        witness.hear(b"two\n");
        assert_eq!(witness.since(0).len(), 2);
        let other = LogWitness::start(Vec::new(), false);
        other.hear(b"one\n");
        assert_eq!(other.count(), 0);
    }
}
