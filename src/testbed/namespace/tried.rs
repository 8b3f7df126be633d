//! What a bottle may lack and still be one.
//!
//! Owns the attempts, each made as the harness would make it during a run.

use std::{io, path::Path};

use rustix::{
    fs::{XattrFlags, setxattr},
    net::{AddressFamily, SocketType, socket},
};
use serde::{Deserialize, Serialize};

/// Why something failed; none if it did not.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Tried {
    /// A socket that sees every packet.
    pub packets: Option<String>,
    /// Attributes of files in memory, by which an overlay replaces a whole directory.
    pub attributes: Option<String>,
}

pub(super) fn tried(beds: &Path) -> Tried {
    let packets = socket(AddressFamily::PACKET, SocketType::RAW, None)
        .map(drop)
        .map_err(io::Error::from);
    let attributes = tempfile::NamedTempFile::new_in(beds).and_then(|file| {
        Ok(setxattr(
            file.path(),
            "user.overlay.opaque",
            b"y",
            XattrFlags::empty(),
        )?)
    });
    let why = |tried: io::Result<()>| tried.err().map(|error| error.to_string());
    Tried {
        packets: why(packets),
        attributes: why(attributes),
    }
}
