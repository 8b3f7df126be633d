//! `grow.file`: a file below the size limit grows beyond it while it is read.
//!
//! Owns the thread that appends and cuts off again. What it appends ends in the token of the
//! plant, so only who read beyond the limit has it; in the twin all of it stays below the limit.

use std::{
    fs::{self, OpenOptions},
    io::{self, Write as _},
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread::JoinHandle,
    time::Duration,
};

use super::{Act, plant};
use crate::testbed::Scene;

/// Growth and cut take turns every few hundred microseconds; this many calls meet both.
const TRIES: u32 = 40;

/// How long each state stands: some time for a reader to be in the middle of the file.
const STANDS: Duration = Duration::from_micros(300);

/// Bytes above the limit after growth; in the twin, below it.
const OVER: i64 = 1024;

/// Bytes that are appended.
const APPENDED: usize = 2048;

/// A thread that lets the plant `secret` grow and shrink.
pub(super) struct Grow {
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Grow {
    pub(super) fn begin(scene: &mut Scene) -> io::Result<Self> {
        let path = plant(scene, "secret")?;
        let grown = scene.sized("secret", OVER).map_err(io::Error::other)?;
        let at = grown.len().saturating_sub(APPENDED);
        let (small, rest) = grown.split_at(at);
        fs::write(&path, small)?;
        scene.reveal("secret");
        let rest = rest.to_vec();
        let stop = Arc::new(AtomicBool::new(false));
        let thread = std::thread::Builder::new()
            .name(String::from("grow"))
            .spawn({
                let stop = Arc::clone(&stop);
                move || {
                    while !stop.load(Ordering::Relaxed) && turn(&path, &rest, at as u64).is_ok() {}
                }
            })?;
        Ok(Self {
            stop,
            thread: Some(thread),
        })
    }
}

fn turn(path: &Path, rest: &[u8], at: u64) -> io::Result<()> {
    let mut file = OpenOptions::new().append(true).open(path)?;
    file.write_all(rest)?;
    std::thread::sleep(STANDS);
    file.set_len(at)?;
    std::thread::sleep(STANDS);
    Ok(())
}

impl Act for Grow {
    fn tries(&self) -> u32 {
        TRIES
    }
}

impl Drop for Grow {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            // The thread cannot panic: it only makes system calls.
            let _ = thread.join();
        }
    }
}
