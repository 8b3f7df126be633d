//! Sees words in the command lines of processes, and what those processes were given.
//!
//! Owns the look at /proc. A word that was sent to a target and stands in the command line of a
//! process reached a command there. Short-lived processes can be missed: not seeing one says nothing.

use std::{
    collections::{HashMap, HashSet},
    fs::{self, File},
    io::{self, Read as _},
    sync::{
        Arc, Condvar, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    thread::JoinHandle,
    time::Duration,
};

use super::process::{environment, is_environment};

/// Between two looks: most programs live longer.
const PAUSE: Duration = Duration::from_micros(300);

/// Bytes of a command line that are looked at; `ARG_MAX` of Linux is 2 MiB.
const MAX_LINE: u64 = 2 << 20;

/// A process with a word in its command line.
#[derive(Debug, Clone)]
pub struct Command {
    /// The name of the program and its arguments.
    pub line: String,
    /// The environment with which it was started, as proc_pid_environ(5) has it; nothing when it could not be read, or was
    /// none any more.
    pub environment: Option<Vec<u8>>,
}

/// What is looked for, and what was found of it.
type Words = HashMap<String, Option<Command>>;

#[derive(Debug, Default)]
struct Shared {
    words: Mutex<Words>,
    wanted: Condvar,
    over: AtomicBool,
}

impl Shared {
    fn words(&self) -> MutexGuard<'_, Words> {
        self.words.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Looks at all processes as long as somebody looks for a word.
#[derive(Debug)]
pub struct ProcessWitness {
    shared: Arc<Shared>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

impl ProcessWitness {
    /// One that looks as soon as somebody seeks a word.
    #[must_use]
    pub fn start() -> Self {
        Self {
            shared: Arc::default(),
            thread: Mutex::default(),
        }
    }

    /// Begins to look for a word.
    pub fn seek(&self, word: &str) {
        self.shared.words().entry(word.to_owned()).or_default();
        let mut thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner);
        if thread.is_none() {
            let theirs = Arc::clone(&self.shared);
            // Without a thread nothing is seen, which says nothing.
            *thread = std::thread::Builder::new()
                .name(String::from("processes"))
                .spawn(move || watch(&theirs))
                .ok();
        }
        self.shared.wanted.notify_one();
    }

    /// The process in whose command line the word was seen so far.
    #[must_use]
    pub fn seen(&self, word: &str) -> Option<Command> {
        self.shared.words().get(word).cloned().flatten()
    }

    /// Ends looking for a word.
    pub fn forget(&self, word: &str) {
        self.shared.words().remove(word);
    }
}

impl Drop for ProcessWitness {
    fn drop(&mut self) {
        self.shared.over.store(true, Ordering::Relaxed);
        self.shared.wanted.notify_one();
        let thread = self
            .thread
            .get_mut()
            .unwrap_or_else(PoisonError::into_inner);
        if let Some(thread) = thread.take() {
            // It cannot panic, and nothing is to be had of it.
            let _ = thread.join();
        }
    }
}

fn watch(shared: &Shared) {
    let mut line = Vec::new();
    // Most of what runs is the kernel's own, which never has a command line.
    let idle: HashSet<u32> = pids()
        .filter(|pid| read_line(*pid, &mut line).is_ok_and(|()| line.is_empty()))
        .chain([std::process::id()])
        .collect();
    while !shared.over.load(Ordering::Relaxed) {
        let words = shared.words();
        let open = words.values().any(Option::is_none);
        if !open {
            // Woken by a new word or the end; the time bounds a wake-up that was missed.
            let pause = Duration::from_millis(100);
            drop(shared.wanted.wait_timeout(words, pause));
            continue;
        }
        drop(words);
        for pid in pids().filter(|pid| !idle.contains(pid)) {
            if read_line(pid, &mut line).is_ok() {
                look(shared, pid, &line);
            }
        }
        std::thread::sleep(PAUSE);
    }
}

fn pids() -> impl Iterator<Item = u32> {
    fs::read_dir("/proc")
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
}

/// What proc_pid_cmdline(5) tells. `fs::read` would ask for a size, which is never told: this is done for every
/// process several hundred times a second.
fn read_line(pid: u32, line: &mut Vec<u8>) -> io::Result<()> {
    line.clear();
    File::open(format!("/proc/{pid}/cmdline"))?
        .take(MAX_LINE)
        .read_to_end(line)?;
    Ok(())
}

fn look(shared: &Shared, pid: u32, line: &[u8]) {
    let line = String::from_utf8_lossy(line).replace('\0', " ");
    let mut words = shared.words();
    for (word, seen) in words.iter_mut().filter(|(_, seen)| seen.is_none()) {
        if line.contains(word.as_str()) {
            *seen = Some(Command {
                line: line.trim_end().chars().take(200).collect(),
                environment: environment(pid).ok().filter(|it| is_environment(it)),
            });
        }
    }
}

#[cfg(all(test, target_os = "linux"))]
#[expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]
mod tests {
    use super::*;

    #[test]
    fn a_word_is_seen_in_a_command_line() {
        let witness = ProcessWitness::start();
        witness.seek("ovimelat");
        let mut child = std::process::Command::new("sh")
            .args(["-c", "read line", "ovimelat"])
            .stdin(std::process::Stdio::piped())
            .spawn()
            .unwrap();
        let mut looks = 0;
        while witness.seen("ovimelat").is_none() && looks < 10_000 {
            std::thread::sleep(Duration::from_millis(1));
            looks += 1;
        }
        let seen = witness.seen("ovimelat");
        child.kill().unwrap();
        child.wait().unwrap();
        let seen = seen.unwrap();
        assert!(seen.line.contains("ovimelat"));
        let given = seen.environment.unwrap();
        assert!(memchr::memmem::find(&given, b"PATH=").is_some());
    }
}
