//! `feed.fifo`: whoever opens a named pipe is fed more than its size said.
//!
//! Owns the writing thread. It opens the pipe without blocking (`fifo(7)`: ENXIO until a reader
//! is there), so that it ends whether or not anybody reads.

use std::{
    io::{self, Write as _},
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread::JoinHandle,
    time::Duration,
};

use rustix::{
    fs::{Mode, OFlags},
    io::Errno,
};

use super::{Act, plant};
use crate::testbed::Scene;

/// A thread that feeds the plant `secret`.
pub(super) struct Feed {
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Feed {
    pub(super) fn begin(scene: &mut Scene) -> io::Result<Self> {
        let path = plant(scene, "secret")?;
        let bytes = scene.sized("secret", 1).map_err(io::Error::other)?;
        scene.reveal("secret");
        let stop = Arc::new(AtomicBool::new(false));
        let thread = std::thread::Builder::new()
            .name(String::from("feed"))
            .spawn({
                let stop = Arc::clone(&stop);
                move || feed(&path, &bytes, &stop)
            })?;
        Ok(Self {
            stop,
            thread: Some(thread),
        })
    }
}

impl Act for Feed {}

impl Drop for Feed {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            // The thread cannot panic: it only makes system calls.
            let _ = thread.join();
        }
    }
}

fn feed(path: &PathBuf, bytes: &[u8], stop: &AtomicBool) {
    while !stop.load(Ordering::Relaxed) {
        let flags = OFlags::WRONLY | OFlags::NONBLOCK | OFlags::CLOEXEC;
        match rustix::fs::open(path, flags, Mode::empty()) {
            Ok(pipe) => {
                let mut pipe = std::fs::File::from(pipe);
                let mut rest = bytes;
                while !rest.is_empty() && !stop.load(Ordering::Relaxed) {
                    match pipe.write(rest) {
                        Ok(written) => rest = &rest[written..],
                        Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                            std::thread::sleep(Duration::from_micros(200));
                        }
                        // The reader had enough.
                        Err(_) => break,
                    }
                }
                return;
            }
            Err(Errno::NXIO) => std::thread::sleep(Duration::from_millis(1)),
            Err(_) => return,
        }
    }
}
