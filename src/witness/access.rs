//! The file witness: who reads a planted file leaves an event, whatever name he came by.
//!
//! Owns inotify watches on the inodes of planted files (inotify(7)). Measured limits: reads through
//! links, hard links, `/proc/self/root`, mounts and child processes are seen; `stat`, `access`
//! and `O_PATH` are not; an event names no process. An open without a read is not counted: safe
//! servers open a file to check what it is.

use std::{
    collections::HashMap,
    io,
    path::Path,
    sync::{Mutex, MutexGuard, PoisonError},
};

#[cfg(target_os = "linux")]
use inotify::{EventMask, Inotify, WatchDescriptor, WatchMask};

/// One file under watch; ends when dropped from its witness.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct WatchId(u64);

/// Watches planted files for reads.
#[derive(Debug)]
pub struct FileWitness {
    #[cfg(target_os = "linux")]
    state: Option<Mutex<State>>,
    blind: Mutex<Option<String>>,
}

#[cfg(target_os = "linux")]
#[derive(Debug)]
struct State {
    inotify: Inotify,
    next: u64,
    /// Several names of one inode share a descriptor.
    watched: HashMap<WatchDescriptor, Vec<WatchId>>,
    descriptors: HashMap<WatchId, WatchDescriptor>,
    reads: HashMap<WatchId, usize>,
}

#[cfg(target_os = "linux")]
impl FileWitness {
    /// Starts the witness and proves in `ground` that it sees a read.
    #[must_use]
    pub fn start(ground: &Path) -> Self {
        let witness = match Inotify::init() {
            Ok(inotify) => Self {
                state: Some(Mutex::new(State {
                    inotify,
                    next: 0,
                    watched: HashMap::new(),
                    descriptors: HashMap::new(),
                    reads: HashMap::new(),
                })),
                blind: Mutex::new(None),
            },
            Err(error) => return Self::sightless(&format!("inotify is not available: {error}")),
        };
        witness.prove_awake(ground);
        witness
    }

    /// Reads a file of our own under watch. A witness that misses it is blind from then on.
    pub fn prove_awake(&self, ground: &Path) {
        let proof = || -> io::Result<usize> {
            let file = tempfile::NamedTempFile::new_in(ground)?;
            std::fs::write(file.path(), b"self-test")?;
            let watch = self.watch(file.path())?;
            std::fs::read(file.path())?;
            let seen = self.reads(watch);
            self.forget(watch);
            Ok(seen)
        };
        match proof() {
            Ok(0) => self.go_blind("it did not see a read of our own"),
            Ok(_) => {}
            Err(error) => self.go_blind(&format!("its self-test failed: {error}")),
        }
    }

    /// Begins to watch the inode behind `path`.
    ///
    /// # Errors
    /// When the file cannot be watched, such as at the limit `fs.inotify.max_user_watches`.
    pub fn watch(&self, path: &Path) -> io::Result<WatchId> {
        let Some(mut state) = self.lock() else {
            return Err(io::ErrorKind::Unsupported.into());
        };
        let mask = WatchMask::ACCESS | WatchMask::DONT_FOLLOW;
        let descriptor = state
            .inotify
            .watches()
            .add(path, mask)
            .inspect_err(|error| {
                if error.raw_os_error() == Some(rustix::io::Errno::NOSPC.raw_os_error()) {
                    self.go_blind("fs.inotify.max_user_watches is used up");
                }
            })?;
        let id = WatchId(state.next);
        state.next += 1;
        state
            .watched
            .entry(descriptor.clone())
            .or_default()
            .push(id);
        state.descriptors.insert(id, descriptor);
        Ok(id)
    }

    /// How many reads of the file were seen since it is watched. Events are queued by the kernel
    /// before the reader gets its data, so what a reply rests on is already here.
    pub fn reads(&self, watch: WatchId) -> usize {
        let Some(mut state) = self.lock() else {
            return 0;
        };
        self.drain(&mut state);
        state.reads.get(&watch).copied().unwrap_or(0)
    }

    /// Ends a watch.
    pub fn forget(&self, watch: WatchId) {
        let Some(mut state) = self.lock() else { return };
        self.drain(&mut state);
        state.reads.remove(&watch);
        let Some(descriptor) = state.descriptors.remove(&watch) else {
            return;
        };
        let Some(sharing) = state.watched.get_mut(&descriptor) else {
            return;
        };
        sharing.retain(|id| *id != watch);
        if sharing.is_empty() {
            state.watched.remove(&descriptor);
            // The file may be gone already, and its watch with it.
            let _ = state.inotify.watches().remove(descriptor);
        }
    }

    fn drain(&self, state: &mut State) {
        let mut buffer = [0; 4096];
        loop {
            let events = match state.inotify.read_events(&mut buffer) {
                Ok(events) => events,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return,
                Err(error) => return self.go_blind(&format!("its events cannot be read: {error}")),
            };
            let mut any = false;
            for event in events {
                any = true;
                if event.mask.contains(EventMask::Q_OVERFLOW) {
                    self.go_blind("its event queue overflowed (fs.inotify.max_queued_events)");
                }
                if event.mask.contains(EventMask::ACCESS)
                    && let Some(sharing) = state.watched.get(&event.wd)
                {
                    for id in sharing {
                        *state.reads.entry(*id).or_default() += 1;
                    }
                }
            }
            if !any {
                return;
            }
        }
    }

    fn lock(&self) -> Option<MutexGuard<'_, State>> {
        self.state
            .as_ref()
            .map(|state| state.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn sightless(why: &str) -> Self {
        Self {
            state: None,
            blind: Mutex::new(Some(why.to_owned())),
        }
    }
}

#[cfg(not(target_os = "linux"))]
impl FileWitness {
    /// There is no such witness on this platform, so it is blind from the start.
    #[must_use]
    pub fn start(_ground: &Path) -> Self {
        Self {
            blind: Mutex::new(Some(String::from(
                "reads of files can be seen on Linux only",
            ))),
        }
    }

    /// Changes nothing.
    pub fn prove_awake(&self, _ground: &Path) {}

    /// Always fails.
    ///
    /// # Errors
    /// Always.
    pub fn watch(&self, _path: &Path) -> io::Result<WatchId> {
        Err(io::ErrorKind::Unsupported.into())
    }

    /// Sees nothing.
    pub fn reads(&self, _watch: WatchId) -> usize {
        0
    }

    /// Changes nothing.
    pub fn forget(&self, _watch: WatchId) {}
}

impl FileWitness {
    /// Why the witness cannot see, if it cannot.
    #[must_use]
    pub fn blind(&self) -> Option<String> {
        self.blind
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    fn go_blind(&self, why: &str) {
        self.blind
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .get_or_insert_with(|| why.to_owned());
    }
}
