//! `fifo.idle`: a named pipe that nobody writes to.
//!
//! Owns the end of the wait: whoever reads such a pipe waits for ever, and a target has few threads to
//! wait with. So the pipe is opened once when the act is over, and readers find its end.

use std::{io, path::PathBuf};

use rustix::fs::{Mode, OFlags};

use super::{Act, plant};
use crate::testbed::Scene;

/// The plant `secret`, to be opened in the end.
pub(super) struct Idle {
    path: PathBuf,
}

impl Idle {
    pub(super) fn begin(scene: &Scene) -> io::Result<Self> {
        Ok(Self {
            path: plant(scene, "secret")?,
        })
    }
}

impl Act for Idle {}

impl Drop for Idle {
    fn drop(&mut self) {
        let flags = OFlags::WRONLY | OFlags::NONBLOCK | OFlags::CLOEXEC;
        // Without a reader there is nobody to release.
        let _released = rustix::fs::open(&self.path, flags, Mode::empty());
    }
}
