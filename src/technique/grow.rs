//! `grow.file`: a file below the size limit grows beyond it while it is read.
//!
//! Owns the appending thread.

use std::{
    fs::OpenOptions,
    io::{self, Write as _},
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread::JoinHandle,
};

use super::{Act, plant};
use crate::testbed::Scene;

/// Growth is over within milliseconds; the calls are spread over several rounds of it.
const TRIES: u32 = 20;

/// A thread that appends to the plant `secret`, over and over from its beginning.
pub(super) struct Grow {
    path: PathBuf,
    begin: u64,
    rest: Arc<[u8]>,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Grow {
    pub(super) fn begin(scene: &mut Scene) -> io::Result<Self> {
        let path = plant(scene, "secret")?;
        let begin = std::fs::metadata(&path)?.len();
        let whole = scene
            .sized("secret", i64::try_from(begin).unwrap_or(i64::MAX))
            .map_err(io::Error::other)?;
        let rest: Arc<[u8]> = whole[usize::try_from(begin).unwrap_or(0).min(whole.len())..].into();
        let mut grow = Self {
            path,
            begin,
            rest,
            stop: Arc::new(AtomicBool::new(false)),
            thread: None,
        };
        grow.renew()?;
        Ok(grow)
    }

    fn end(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            // The thread cannot panic: it only makes system calls.
            let _ = thread.join();
        }
    }
}

impl Act for Grow {
    fn tries(&self) -> u32 {
        TRIES
    }

    fn renew(&mut self) -> io::Result<()> {
        self.end();
        let mut file = OpenOptions::new().append(true).open(&self.path)?;
        file.set_len(self.begin)?;
        self.stop = Arc::new(AtomicBool::new(false));
        let (rest, stop) = (Arc::clone(&self.rest), Arc::clone(&self.stop));
        self.thread = Some(
            std::thread::Builder::new()
                .name(String::from("grow"))
                .spawn(move || {
                    for chunk in rest.chunks(4096) {
                        if stop.load(Ordering::Relaxed) || file.write_all(chunk).is_err() {
                            return;
                        }
                        std::thread::yield_now();
                    }
                })?,
        );
        Ok(())
    }
}

impl Drop for Grow {
    fn drop(&mut self) {
        self.end();
    }
}
