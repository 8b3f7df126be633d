//! `fd.inherit`: the target inherits an open descriptor on a forbidden file.
//!
//! Owns the descriptor. It lives without close-on-exec (`open(2)`) for as long as the act goes on,
//! so the engine must launch the target meanwhile and nothing else.

use std::{fs::File, io, os::fd::AsRawFd as _};

use rustix::io::{FdFlags, fcntl_setfd};

use super::{Act, plant};
use crate::testbed::Scene;

/// An open descriptor on the plant `secret`.
pub(super) struct Inherited {
    _file: File,
}

impl Inherited {
    pub(super) fn begin(scene: &mut Scene) -> io::Result<Self> {
        let file = File::open(plant(scene, "secret")?)?;
        fcntl_setfd(&file, FdFlags::empty())?;
        scene.descriptor = Some(file.as_raw_fd());
        Ok(Self { _file: file })
    }
}

impl Act for Inherited {}
