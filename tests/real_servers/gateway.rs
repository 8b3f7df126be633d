//! A server behind streamable HTTP: started, waited for, ended.
//!
//! Owns the gateway's process. Must not know what it is probed for.

use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use libtest_mimic::Failed;
use tempfile::TempDir;

use crate::servers::Installed;

/// A cold interpreter on a loaded machine was seen to take 45 s to its first answer.
const PATIENCE: Duration = Duration::from_secs(90);

/// A running gateway and the directory that the server behind it may use. Dropped, it ends both.
pub(crate) struct Gateway {
    child: Child,
    /// Where it listens.
    pub(crate) url: String,
    room: TempDir,
}

impl Gateway {
    /// Puts `behind` behind `gateway` and waits until something listens.
    pub(crate) fn start(gateway: &Installed, behind: &Installed) -> Result<Self, Failed> {
        // Not in the directory for temporary files, which some servers allow silently.
        let room = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR"))?;
        let allowed = room.path().join("allowed");
        std::fs::create_dir(&allowed)?;
        let allowed = allowed.display().to_string();
        let command = shell_words::join(behind.argv(&[("{allowed}", &allowed)]));
        let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?
            .local_addr()?
            .port();
        let argv = gateway.argv(&[("{command}", &command), ("{port}", &port.to_string())]);
        let (program, args) = argv.split_first().ok_or("a command line has a program")?;
        let child = Command::new(program)
            .args(args)
            .current_dir(room.path())
            .env_clear()
            .envs(std::env::vars_os().filter(|(name, _)| name == "PATH" || name == "SystemRoot"))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()?;
        let mut gateway = Self {
            child,
            url: format!("http://127.0.0.1:{port}/mcp"),
            room,
        };
        gateway.listen(port)?;
        Ok(gateway)
    }

    /// The directory that the server shares with whoever probes it.
    pub(crate) fn allowed(&self) -> PathBuf {
        self.room.path().join("allowed")
    }

    fn listen(&mut self, port: u16) -> Result<(), Failed> {
        let deadline = Instant::now() + PATIENCE;
        while TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_err() {
            if let Some(status) = self.child.try_wait()? {
                return Err(format!("the gateway ended: {status}").into());
            }
            if Instant::now() > deadline {
                return Err("the gateway does not listen".into());
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        Ok(())
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        // The server behind it ends by the end of its input. There is nobody to tell about a failure.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
