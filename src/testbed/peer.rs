//! A process of the harness's own beside the target: somebody else's, for whoever looks.
//!
//! Owns its life and what stands on its command line. It waits for a line that never comes, and ends with the
//! harness, whose end of its input is closed then.

use std::{
    fs, io,
    path::PathBuf,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

/// How long a program may take to start on a busy machine.
const PATIENCE: Duration = Duration::from_secs(5);

/// Between two looks.
const PAUSE: Duration = Duration::from_micros(200);

/// The words of its command line before the token.
const WORDS: [&str; 3] = ["sh", "-c", "read -r line"];

/// A process that waits. Dropped, it ends.
#[derive(Debug)]
pub(super) struct Peer(Child);

impl Peer {
    /// Starts one with the token on its command line, and looks whether it is there.
    pub(super) fn start(token: &str) -> io::Result<Self> {
        use std::os::unix::process::CommandExt as _;
        let mut command = Command::new("/bin/sh");
        command.arg0(WORDS[0]).args(&WORDS[1..]).arg(token);
        let child = command
            .env_clear()
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()?;
        let peer = Self(child);
        // A parent goes on as soon as the child has let go of its memory (vfork(2)), which is before the words stand
        // in the new one.
        let begin = Instant::now();
        loop {
            match fs::read(peer.command_line())? {
                found if found == line(token) => return Ok(peer),
                found if begin.elapsed() > PATIENCE => {
                    return Err(io::Error::other(format!(
                        "its command line is `{}`",
                        String::from_utf8_lossy(&found)
                    )));
                }
                _ => std::thread::sleep(PAUSE),
            }
        }
    }

    /// The file of `/proc` that tells its command line.
    pub(super) fn command_line(&self) -> PathBuf {
        PathBuf::from(format!("/proc/{}/cmdline", self.0.id()))
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        // It may have been ended by others, and then only has to be waited for.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// What proc_pid_cmdline(5) tells of one.
pub(super) fn line(token: &str) -> Vec<u8> {
    let words = WORDS.into_iter().chain([token]);
    words
        .flat_map(|word| [word.as_bytes(), b"\0"].concat())
        .collect()
}

#[cfg(all(test, target_os = "linux"))]
#[expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]
mod tests {
    use super::*;

    #[test]
    fn it_is_seen_while_it_lives() {
        let peer = Peer::start("onuvakel").unwrap();
        let path = peer.command_line();
        assert_eq!(fs::read(&path).unwrap(), line("onuvakel"));
        drop(peer);
        assert!(!path.exists());
    }
}
