//! `race.swap`: two paths trade places without pause while calls are made.
//!
//! Owns the swapping thread. `renameat2(2)` with `RENAME_EXCHANGE` makes each trade atomic, so a
//! checker that looks first and opens later meets either state, and sometimes both.

use std::{
    fs, io,
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread::JoinHandle,
};

use rustix::fs::{CWD, RenameFlags, renameat_with};

use super::{Act, plant};
use crate::testbed::Scene;

/// Measured on checkers without protection: some lose within ten tries, most within a hundred.
const TRIES: u32 = 200;

/// A race between the plants `steady` (what the path is at rest) and `swap` (what it becomes).
pub(super) struct Swap {
    steady: PathBuf,
    inode: u64,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Swap {
    pub(super) fn begin(scene: &Scene) -> io::Result<Self> {
        let (steady, swap) = (plant(scene, "steady")?, plant(scene, "swap")?);
        let inode = inode(&steady)?;
        // One trade there and back proves that the file system can do it.
        exchange(&steady, &swap)?;
        exchange(&steady, &swap)?;
        let stop = Arc::new(AtomicBool::new(false));
        let thread = std::thread::Builder::new()
            .name(String::from("swap"))
            .spawn({
                let (steady, swap, stop) = (steady.clone(), swap, Arc::clone(&stop));
                move || {
                    while !stop.load(Ordering::Relaxed) {
                        // A target may replace either path; the race then goes on with what stands there.
                        let _ = exchange(&steady, &swap);
                        std::thread::yield_now();
                    }
                }
            })?;
        Ok(Self {
            steady,
            inode,
            stop,
            thread: Some(thread),
        })
    }
}

impl Act for Swap {
    fn tries(&self) -> u32 {
        TRIES
    }

    fn forbidden_now(&self) -> Option<bool> {
        Some(inode(&self.steady).is_ok_and(|inode| inode != self.inode))
    }
}

impl Drop for Swap {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            // The thread cannot panic: it only makes system calls.
            let _ = thread.join();
        }
    }
}

fn exchange(one: &PathBuf, other: &PathBuf) -> io::Result<()> {
    Ok(renameat_with(CWD, one, CWD, other, RenameFlags::EXCHANGE)?)
}

fn inode(path: &PathBuf) -> io::Result<u64> {
    use std::os::unix::fs::MetadataExt as _;
    Ok(fs::symlink_metadata(path)?.ino())
}
