//! The harness's end of the pipe.
//!
//! Owns reading it at once, so that no tracer, and with it a target, ever waits for us; and what is kept.

use std::{
    collections::VecDeque,
    fs::{File, OpenOptions},
    io::{self, Read as _},
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    thread::JoinHandle,
};

use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    fs::{CWD, Mode, OFlags, mkfifoat},
};

use super::event::{Deed, Event};

/// Events that are kept: far more than a run was measured to make.
const KEPT: usize = 200_000;

/// Hears the tracers of a run.
#[derive(Debug)]
pub struct SyscallWitness {
    path: PathBuf,
    /// Goes last: it holds the pipe.
    _place: tempfile::TempDir,
    shared: Arc<Shared>,
    reader: Option<JoinHandle<()>>,
}

#[derive(Debug)]
struct Shared {
    pipe: File,
    heard: Mutex<Heard>,
    over: AtomicBool,
}

#[derive(Debug, Default)]
struct Heard {
    /// A line that has not ended.
    rest: Vec<u8>,
    events: VecDeque<Event>,
    /// The number of the first of them.
    first: u64,
    ring: bool,
    foreign: bool,
    garbled: bool,
}

impl SyscallWitness {
    /// Makes the pipe and begins to listen.
    ///
    /// # Errors
    /// When it cannot be made.
    pub fn start() -> io::Result<Self> {
        let place = tempfile::tempdir()?;
        let path = place.path().join("calls");
        mkfifoat(CWD, &path, Mode::RUSR | Mode::WUSR)?;
        // Open at both ends, it never ends: tracers come and go.
        let pipe = OpenOptions::new()
            .read(true)
            .write(true)
            .custom_flags(OFlags::NONBLOCK.bits().cast_signed())
            .open(&path)?;
        let shared = Arc::new(Shared {
            pipe,
            heard: Mutex::default(),
            over: AtomicBool::new(false),
        });
        let reading = Arc::clone(&shared);
        let reader = std::thread::Builder::new()
            .name(String::from("calls"))
            .spawn(move || reading.keep_reading())?;
        Ok(Self {
            path,
            _place: place,
            shared,
            reader: Some(reader),
        })
    }

    /// Where tracers tell their events.
    #[must_use]
    pub fn events_to(&self) -> &Path {
        &self.path
    }

    /// The number of the next event.
    #[must_use]
    pub fn mark(&self) -> u64 {
        let heard = self.shared.catch_up();
        heard.first + heard.events.len() as u64
    }

    /// What was seen since the event of this number.
    ///
    /// # Errors
    /// Why some of it is missing.
    pub fn since(&self, mark: u64) -> Result<Vec<Event>, String> {
        let heard = self.shared.catch_up();
        if heard.garbled {
            return Err(String::from("a tracer was heard that made no sense"));
        }
        if mark < heard.first {
            return Err(String::from("more system calls were made than are kept"));
        }
        let from = usize::try_from(mark - heard.first).unwrap_or(usize::MAX);
        Ok(heard.events.iter().skip(from).cloned().collect())
    }

    /// Why something that targets did may not have been seen, if so.
    #[must_use]
    pub fn hidden(&self) -> Option<&'static str> {
        let heard = self.shared.catch_up();
        match (heard.foreign, heard.ring) {
            (true, _) => Some("calls of 32-bit programs were made, and are not seen"),
            (false, true) => {
                Some("the target made a ring (io_uring), and what it does by that is not seen")
            }
            (false, false) => None,
        }
    }
}

impl Shared {
    fn keep_reading(&self) {
        const LOOK: Timespec = Timespec {
            tv_sec: 0,
            tv_nsec: 100_000_000,
        };
        while !self.over.load(Ordering::Relaxed) {
            let mut waiting = [PollFd::new(&self.pipe, PollFlags::IN)];
            if poll(&mut waiting, Some(&LOOK)).is_ok_and(|ready| ready > 0) {
                drop(self.catch_up());
            }
        }
    }

    /// Reads all that is in the pipe.
    fn catch_up(&self) -> MutexGuard<'_, Heard> {
        let mut heard = self.heard.lock().unwrap_or_else(PoisonError::into_inner);
        let mut buffer = [0; 65536];
        // It would block when there is nothing more.
        while let Ok(count @ 1..) = (&self.pipe).read(&mut buffer) {
            heard.hear(&buffer[..count]);
        }
        heard
    }
}

impl Heard {
    fn hear(&mut self, bytes: &[u8]) {
        self.rest.extend_from_slice(bytes);
        let Some(end) = self.rest.iter().rposition(|byte| *byte == b'\n') else {
            return;
        };
        let rest = self.rest.split_off(end + 1);
        let whole = std::mem::replace(&mut self.rest, rest);
        for line in whole
            .split(|byte| *byte == b'\n')
            .filter(|line| !line.is_empty())
        {
            match serde_json::from_slice::<Event>(line) {
                Ok(event) => self.keep(event),
                Err(_) => self.garbled = true,
            }
        }
    }

    fn keep(&mut self, event: Event) {
        self.ring |= event.deed == Deed::Ring && event.errno == 0;
        self.foreign |= event.deed == Deed::Foreign;
        self.events.push_back(event);
        if self.events.len() > KEPT {
            self.events.pop_front();
            self.first += 1;
        }
    }
}

impl Drop for SyscallWitness {
    fn drop(&mut self) {
        self.shared.over.store(true, Ordering::Relaxed);
        if let Some(reader) = self.reader.take() {
            let _panicked = reader.join();
        }
    }
}
