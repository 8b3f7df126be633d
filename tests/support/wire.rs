//! A bare MCP wire for tests: one JSON-RPC message a line over a child's pipes.
//!
//! Owns nothing that the harness uses, on purpose: it says what a server publishes without the code under test. Must
//! not know any server by name.

use std::collections::BTreeMap;
use std::io::{self, BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

/// A cold interpreter on a loaded machine was seen to take 45 s to its first answer.
const PATIENCE: Duration = Duration::from_secs(90);

/// A server on the other end of two pipes, after the handshake. Dropping it ends the server.
pub(crate) struct Pipe {
    child: Guard,
    stdin: ChildStdin,
    messages: Receiver<Value>,
    last_id: u64,
}

/// Ends the child when dropped, so that no failed test leaves a server behind.
struct Guard(Child);

impl Drop for Guard {
    fn drop(&mut self) {
        // Already gone is what this wants; there is nobody to tell about anything else.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Pipe {
    /// Starts `argv` in `cwd` with `variables` on top of `PATH` alone, and shakes hands.
    pub(crate) fn launch(
        argv: &[String],
        variables: &BTreeMap<String, String>,
        cwd: &Path,
    ) -> io::Result<Self> {
        let mut child = command(argv, cwd)
            .envs(variables)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let stdin = child.stdin.take().ok_or(io::ErrorKind::BrokenPipe)?;
        let stdout = child.stdout.take().ok_or(io::ErrorKind::BrokenPipe)?;
        let (sender, messages) = mpsc::channel();
        thread::spawn(move || {
            let lines = BufReader::new(stdout).lines().map_while(Result::ok);
            for message in lines.filter_map(|line| serde_json::from_str(&line).ok()) {
                if sender.send(message).is_err() {
                    break;
                }
            }
        });
        let mut pipe = Self {
            child: Guard(child),
            stdin,
            messages,
            last_id: 0,
        };
        pipe.request("initialize", &handshake())?;
        pipe.send(&json!({ "jsonrpc": "2.0", "method": "notifications/initialized" }))?;
        Ok(pipe)
    }

    /// The tools of the first page.
    pub(crate) fn tools(&mut self) -> io::Result<Vec<Value>> {
        let mut reply = self.request("tools/list", &json!({}))?;
        match reply["result"]["tools"].take() {
            Value::Array(tools) => Ok(tools),
            _ => Err(io::Error::other(format!("no list of tools: {reply}"))),
        }
    }

    fn request(&mut self, method: &str, params: &Value) -> io::Result<Value> {
        self.last_id += 1;
        let id = self.last_id;
        self.send(&json!({ "jsonrpc": "2.0", "id": id, "method": method, "params": params }))?;
        let deadline = Instant::now() + PATIENCE;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            match self.messages.recv_timeout(left) {
                Ok(message) if message["id"] == id && message.get("method").is_none() => {
                    return Ok(message);
                }
                Ok(_) => {}
                Err(_) => {
                    let state = self.child.0.try_wait()?;
                    return Err(io::Error::other(format!(
                        "no answer to {method}; process: {state:?}"
                    )));
                }
            }
        }
    }

    fn send(&mut self, message: &Value) -> io::Result<()> {
        writeln!(self.stdin, "{message}")?;
        self.stdin.flush()
    }
}

fn handshake() -> Value {
    json!({
        "protocolVersion": "2025-06-18",
        "capabilities": {},
        "clientInfo": { "name": "watertight-tests", "version": env!("CARGO_PKG_VERSION") },
    })
}

fn command(argv: &[String], cwd: &Path) -> Command {
    let (program, args) = argv.split_first().expect("a command line has a program");
    let mut command = Command::new(program);
    command
        .args(args)
        .current_dir(cwd)
        .env_clear()
        .envs(std::env::vars_os().filter(|(name, _)| name == "PATH" || name == "SystemRoot"))
        .env("HOME", cwd)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    command
}
