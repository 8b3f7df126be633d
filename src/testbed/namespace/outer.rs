//! What the outer process does for the bottle: starts it, tells the kernel who is who, looks at the
//! real disk and writes to it.
//!
//! Owns the outer end of the wire. Signals and waiting are the command line's.

use std::{
    io,
    os::{fd::OwnedFd, unix::net::UnixStream},
    path::Path,
    process::{Command, Stdio},
};

use super::{
    MARK, Refusal, Tried, changes,
    gate::map_ids,
    mark,
    wire::{Message, Wire},
};

/// What concerns whoever waits for the bottle.
#[derive(Debug)]
pub enum Word {
    /// The pid of the inner process.
    Child(u32),
    /// There is no bottle.
    Refused(Refusal),
    /// The bottle is there.
    Ready,
    /// The inner process hears signals.
    Listening,
    /// What was tried in the bottle.
    Tried(Tried),
}

/// The command that starts this program once more, as the gate, and the outer end of its wire. It
/// has a process group of its own, so that signals of the terminal reach it through us only.
///
/// # Errors
/// Without a socket, or without a name of this program.
pub fn launch() -> io::Result<(Command, Wire)> {
    use std::os::unix::process::CommandExt as _;
    let (ours, theirs) = UnixStream::pair()?;
    let mut words = std::env::args_os();
    words.next();
    let mut gate = Command::new(std::env::current_exe()?);
    gate.args(words)
        .env(MARK, mark("gate", 0))
        .stdin(Stdio::from(OwnedFd::from(theirs)))
        .process_group(0);
    Ok((gate, Wire::from(ours)))
}

/// Answers the bottle until something comes that concerns the caller; none when the bottle is gone.
/// `store` puts a file into its place; `known` is what was found out before.
///
/// # Errors
/// When what comes is no message.
pub fn serve(
    wire: &Wire,
    gate: u32,
    store: impl Fn(&Path, &[u8]) -> io::Result<()>,
    known: Option<&str>,
) -> io::Result<Option<Word>> {
    while let Some((message, bytes)) = wire.receive()? {
        let answer = match message {
            Message::Unshared => Message::Mapped(map_ids(gate).err().map(|e| e.to_string())),
            Message::Store(path) => {
                Message::Stored(store(&path, &bytes).err().map(|error| (&error).into()))
            }
            Message::Recall => Message::Recalled(known.map(str::to_owned)),
            Message::Look(paths) => Message::Seen(changes::look(&paths)),
            Message::Child(pid) => return Ok(Some(Word::Child(pid))),
            Message::Refused(refusal) => return Ok(Some(Word::Refused(refusal))),
            Message::Tried(tried) => return Ok(Some(Word::Tried(tried))),
            Message::Ready => return Ok(Some(Word::Ready)),
            Message::Listening => return Ok(Some(Word::Listening)),
            Message::Mapped(_) | Message::Stored(_) | Message::Seen(_) | Message::Recalled(_) => {
                continue;
            }
        };
        // If it is gone, the next look shows it.
        let _gone = wire.send(&answer, &[]);
    }
    Ok(None)
}
