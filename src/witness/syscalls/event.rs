//! What the tracer tells the harness: one line of JSON for each system call that it saw to its end.
//!
//! Owns the form of the line. What a call means for a trial is decided elsewhere.

use std::net::SocketAddr;

use serde::{Deserialize, Serialize};

/// Bytes that one write to a pipe carries whole, whoever else writes to it (pipe(7), `PIPE_BUF`).
const WHOLE: usize = 4096;

/// A system call of a target, and what came of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Event {
    /// The thread that made it, as the tracer counts.
    pub pid: i32,
    /// Its name, such as `openat`.
    pub call: String,
    /// What it would do to its object.
    pub deed: Deed,
    /// What it was about.
    pub object: Object,
    /// The error of the kernel; 0 when there was none.
    pub errno: i32,
    /// Whether the caller itself asked the kernel to refuse what does not lie where it should.
    pub guarded: bool,
}

/// What a call does to its object.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Deed {
    /// Asks about it; takes nothing of what is in it.
    Look,
    /// Reads it, or runs it.
    Read,
    /// Makes, changes or removes it.
    Write,
    /// Takes it to another place: reads and writes.
    Move,
    /// Reaches a host.
    Reach,
    /// Makes a ring through which calls are made that no tracer sees (io_uring(7)).
    Ring,
    /// None that is understood: a call of another architecture.
    Foreign,
}

/// What a call is about.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Object {
    /// Something on the disk, as the target has it.
    File {
        /// Its path as named, made absolute.
        named: String,
        /// Where that leads, links and all, if nothing was there for the target before.
        leads: Option<String>,
        /// Device and inode of what is there.
        id: Option<(u64, u64)>,
    },
    /// A host.
    Host(SocketAddr),
    /// Nothing that has a name.
    Nothing,
}

impl Event {
    /// The line, short enough to be written whole. What does not fit loses the name of its object, and can
    /// still be told by its inode.
    pub(super) fn line(&self) -> Vec<u8> {
        let encoded = |event: &Self| {
            let mut line = serde_json::to_vec(event).unwrap_or_default();
            line.push(b'\n');
            line
        };
        let line = encoded(self);
        if line.len() <= WHOLE {
            return line;
        }
        let mut short = self.clone();
        if let Object::File { named, leads, .. } = &mut short.object {
            named.clear();
            *leads = None;
        }
        encoded(&short)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_never_torn() {
        let mut event = Event {
            pid: 1,
            call: String::from("openat"),
            deed: Deed::Read,
            object: Object::File {
                named: String::from("/a"),
                leads: None,
                id: Some((1, 2)),
            },
            errno: 0,
            guarded: false,
        };
        let back = |event: &Event| serde_json::from_slice::<Event>(&event.line()).expect("JSON");
        assert_eq!(back(&event), event);
        event.object = Object::File {
            named: "\u{1}".repeat(4000),
            leads: None,
            id: Some((1, 2)),
        };
        assert!(event.line().len() <= WHOLE);
        assert!(matches!(
            back(&event).object,
            Object::File {
                id: Some((1, 2)),
                ..
            }
        ));
    }
}
