//! What the three processes say to each other.
//!
//! Owns the messages and their framing. The inner process has no way to the real disk: it asks the
//! outer one to put a file somewhere. So no descriptor inside the bottle leads out of it, and a
//! report goes where it would have gone without a bottle, with links, pipes, devices and the
//! user's own powers.

use std::{
    fs::File,
    io::{self, Read, Write},
    os::{
        fd::{AsFd, OwnedFd},
        unix::net::UnixStream,
    },
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
};

use serde::{Deserialize, Serialize};

use super::{Refusal, Tried};

/// A message. `Store` is followed by the bytes.
#[derive(Debug, Serialize, Deserialize)]
pub enum Message {
    /// Gate: the namespaces are there; who am I in them?
    Unshared,
    /// Outer: answer to it, with the reason if it could not be said.
    Mapped(Option<String>),
    /// Gate: the pid of the inner process, as the gate sees it.
    Child(u32),
    /// Gate or inner: there is no bottle.
    Refused(Refusal),
    /// Inner: the bottle is there.
    Ready,
    /// Inner: signals are heard from now on. Before that, process 1 ignores them.
    Listening,
    /// Inner: what else was tried.
    Tried(Tried),
    /// Inner: what was found out before the bottle was made?
    Recall,
    /// Outer: answer to it, a text that only they understand.
    Recalled(Option<String>),
    /// Inner: put the bytes into this file.
    Store(PathBuf),
    /// Outer: answer to it.
    Stored(Option<Failed>),
    /// Inner: what is at these paths?
    Look(Vec<PathBuf>),
    /// Outer: answer to it, whether there is something.
    Seen(Vec<bool>),
}

/// An error of the outer process, as far as it can be told.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Failed {
    code: Option<i32>,
    text: String,
}

impl From<&io::Error> for Failed {
    fn from(error: &io::Error) -> Self {
        let code = error.raw_os_error().or_else(|| {
            (error.kind() == io::ErrorKind::IsADirectory)
                .then_some(rustix::io::Errno::ISDIR.raw_os_error())
        });
        Self {
            code,
            text: error.to_string(),
        }
    }
}

impl From<Failed> for io::Error {
    fn from(failed: Failed) -> Self {
        match failed.code {
            Some(code) => Self::from_raw_os_error(code),
            None => Self::other(failed.text),
        }
    }
}

/// One end of the socket.
#[derive(Debug)]
pub struct Wire {
    stream: UnixStream,
    /// One question at a time.
    asking: Mutex<()>,
}

impl From<UnixStream> for Wire {
    fn from(stream: UnixStream) -> Self {
        Self {
            stream,
            asking: Mutex::new(()),
        }
    }
}

impl Wire {
    /// The socket on standard input, if there is one.
    #[must_use]
    pub fn of_stdin() -> Option<Self> {
        let stdin: OwnedFd = io::stdin().as_fd().try_clone_to_owned().ok()?;
        let stream = UnixStream::from(stdin);
        stream.local_addr().ok()?;
        Some(Self::from(stream))
    }

    /// Makes standard input an empty one: whatever is started from now on does not get the socket.
    pub(super) fn leave_stdin(&self) -> io::Result<()> {
        Ok(rustix::stdio::dup2_stdin(File::open("/dev/null")?)?)
    }

    /// Sends a message, and bytes after it.
    ///
    /// # Errors
    /// When the other side is gone.
    pub fn send(&self, message: &Message, bytes: &[u8]) -> io::Result<()> {
        let text = serde_json::to_vec(message)?;
        let mut frame = Vec::with_capacity(16 + text.len());
        for length in [text.len(), bytes.len()] {
            frame.extend((length as u64).to_le_bytes());
        }
        frame.extend(text);
        let mut stream = &self.stream;
        stream.write_all(&frame)?;
        stream.write_all(bytes)
    }

    /// Waits for a message and its bytes; none when the other side is gone.
    ///
    /// # Errors
    /// When what came is no message.
    pub fn receive(&self) -> io::Result<Option<(Message, Vec<u8>)>> {
        let mut stream = &self.stream;
        let mut lengths = [0; 16];
        match stream.read_exact(&mut lengths) {
            Ok(()) => {}
            Err(error)
                if matches!(
                    error.kind(),
                    io::ErrorKind::UnexpectedEof | io::ErrorKind::ConnectionReset
                ) =>
            {
                return Ok(None);
            }
            Err(error) => return Err(error),
        }
        let (text, bytes) = lengths.split_at(8);
        let take = |length: &[u8]| {
            let mut eight = [0; 8];
            eight.copy_from_slice(length);
            let mut read = Vec::new();
            let length = u64::from_le_bytes(eight);
            let mut part = (&self.stream).take(length);
            if part.read_to_end(&mut read)? as u64 == length {
                Ok(read)
            } else {
                Err(io::Error::from(io::ErrorKind::UnexpectedEof))
            }
        };
        let text = take(text)?;
        Ok(Some((serde_json::from_slice(&text)?, take(bytes)?)))
    }

    /// Sends a question and waits for the answer.
    ///
    /// # Errors
    /// When the other side is gone.
    pub(super) fn ask(&self, question: &Message, bytes: &[u8]) -> io::Result<Message> {
        let _one = self.asking.lock().unwrap_or_else(PoisonError::into_inner);
        self.send(question, bytes)?;
        match self.receive()? {
            Some((answer, _)) => Ok(answer),
            None => Err(io::ErrorKind::BrokenPipe.into()),
        }
    }

    pub(super) fn store(&self, path: &Path, bytes: &[u8]) -> io::Result<()> {
        match self.ask(&Message::Store(path.to_owned()), bytes)? {
            Message::Stored(None) => Ok(()),
            Message::Stored(Some(failed)) => Err(failed.into()),
            other => Err(io::Error::other(format!("unexpected answer {other:?}"))),
        }
    }

    /// What the outer process found out before.
    pub(super) fn recall(&self) -> io::Result<Option<String>> {
        match self.ask(&Message::Recall, &[])? {
            Message::Recalled(text) => Ok(text),
            other => Err(io::Error::other(format!("unexpected answer {other:?}"))),
        }
    }

    /// Which of the paths the outer process sees.
    pub(super) fn look(&self, paths: Vec<PathBuf>) -> io::Result<Vec<bool>> {
        match self.ask(&Message::Look(paths), &[])? {
            Message::Seen(seen) => Ok(seen),
            other => Err(io::Error::other(format!("unexpected answer {other:?}"))),
        }
    }
}
