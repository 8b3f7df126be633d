//! Processes of this program that go side by side, each doing a part of what the user asked for.
//!
//! Owns how they are started and how a signal reaches them. Each has a process group of its own, so that a
//! signal of the terminal reaches it once and through us; it tidies up after itself as any run does. Knows
//! nothing of what they do.

use std::{
    cell::{Cell, RefCell},
    collections::BTreeSet,
    io,
    process::Stdio,
};

use rustix::process::{Pid, Signal, kill_process};
use tokio::{
    io::{AsyncRead, AsyncReadExt as _},
    process::Command,
};

/// Bytes of what one says on standard error that are kept: its end.
const LOG: usize = 256 << 10;

/// Those that are going, and whether they are to end.
#[derive(Debug, Default)]
pub(super) struct Children {
    stopped: Cell<bool>,
    /// Not waited for yet.
    going: RefCell<BTreeSet<u32>>,
}

/// One that has ended.
#[derive(Debug)]
pub(super) struct Ended {
    /// Its exit code, if it ended by itself.
    pub(super) code: Option<u8>,
    /// What it wrote to standard output, if that was piped.
    pub(super) out: Vec<u8>,
    /// The end of what it said on standard error.
    pub(super) said: String,
}

impl Children {
    /// Whether somebody wants them to end, and no more are to be started.
    pub(super) fn stopped(&self) -> bool {
        self.stopped.get()
    }

    /// Passes a signal on. Returns whether it is the first one.
    pub(super) fn stop(&self, signal: i32) -> bool {
        let again = self.stopped.replace(true);
        for pid in self.going.borrow().iter() {
            let pid = i32::try_from(*pid).ok().and_then(Pid::from_raw);
            if let (Some(pid), Some(signal)) = (pid, Signal::from_named_raw(signal)) {
                // It may have ended meanwhile, and is not waited for yet: its id is still its own.
                let _gone = kill_process(pid, signal);
            }
        }
        !again
    }

    /// Runs this program with the arguments; its standard output goes to `out`.
    ///
    /// # Errors
    /// When it cannot be started, or not be waited for.
    pub(super) async fn run(
        &self,
        arguments: impl FnOnce(&mut Command),
        out: Stdio,
    ) -> io::Result<Ended> {
        let mut command = Command::new(std::env::current_exe()?);
        arguments(&mut command);
        let mut child = command
            .stdin(Stdio::null())
            .stdout(out)
            .stderr(Stdio::piped())
            .process_group(0)
            .kill_on_drop(true)
            .spawn()?;
        let pid = child.id();
        self.going.borrow_mut().extend(pid);
        let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
        let out = read(stdout, usize::MAX);
        let said = read(stderr, LOG);
        let wait = async {
            let status = child.wait().await;
            if let Some(pid) = pid {
                self.going.borrow_mut().remove(&pid);
            }
            status
        };
        let (status, out, said) = tokio::join!(wait, out, said);
        Ok(Ended {
            code: status?.code().and_then(|code| u8::try_from(code).ok()),
            out,
            said: String::from_utf8_lossy(&said).into_owned(),
        })
    }
}

/// The last bytes of a stream.
async fn read(stream: Option<impl AsyncRead + Unpin>, most: usize) -> Vec<u8> {
    let mut kept = Vec::new();
    let Some(mut stream) = stream else {
        return kept;
    };
    let mut chunk = vec![0; 8 << 10];
    // What cannot be read is not said.
    while let Ok(read @ 1..) = stream.read(&mut chunk).await {
        kept.extend_from_slice(&chunk[..read]);
        if kept.len() > most.saturating_mul(2) {
            kept.drain(..kept.len() - most);
        }
    }
    kept
}

/// The last lines that one said, as far as there are any.
pub(super) fn last_lines(said: &str) -> Option<String> {
    /// How many.
    const LINES: usize = 12;
    let mut lines: Vec<String> = Vec::new();
    for line in said.lines().filter(|line| !line.trim().is_empty()) {
        match lines.last_mut() {
            // Errors are laid out for a terminal, each line under its own beginning.
            Some(last) if line.starts_with("     ") => {
                last.push(' ');
                last.push_str(line.trim());
            }
            _ => lines.push(line.to_owned()),
        }
    }
    let from = lines.len().saturating_sub(LINES);
    (!lines.is_empty()).then(|| lines[from..].join("\n"))
}
