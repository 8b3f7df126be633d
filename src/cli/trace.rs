//! `watertight trace`: what a run starts a target by when system calls are watched. Not for people.
//!
//! Owns the command lines of the tracer and of the shim that becomes the target, and whether tracing is permitted
//! here. What is seen is the witness's.

use std::{
    ffi::OsString,
    path::Path,
    process::{Command, ExitCode, Stdio},
    time::{Duration, Instant},
};

use clap::Args;

use super::print::complain;
use crate::{
    exit::Exit,
    session::Endpoint,
    witness::syscalls::{EVENTS, SyscallWitness, become_target, trace},
};

/// This program, whatever it is called and wherever it lies.
const OURSELVES: &str = "/proc/self/exe";

/// The words before the command of a target.
const WORDS: [&str; 3] = [OURSELVES, "trace", "--"];

/// Arguments of `watertight trace`.
#[derive(Debug, Clone, Default, Args)]
pub(super) struct TraceArgs {
    /// Become the command, once the tracer is there
    #[arg(long)]
    shim: bool,

    /// The command
    #[arg(last = true, required = true, value_name = "COMMAND")]
    command: Vec<OsString>,
}

/// Traces the command, or becomes it. To be called by a process with one thread.
pub(super) fn run(args: &TraceArgs) -> ExitCode {
    let program = args.command[0].to_string_lossy();
    if args.shim {
        let error = become_target(&args.command);
        complain(&format!("`{program}` cannot be started: {error}"));
        return Exit::BadInput.into();
    }
    let Some(events) = std::env::var_os(EVENTS) else {
        complain("this is for the harness: --witness syscalls of `watertight run` uses it");
        return Exit::BadInput.into();
    };
    let mut shim = Command::new(OURSELVES);
    shim.args(["trace", "--shim", "--"]).args(&args.command);
    match trace(Path::new(&events), shim) {
        Ok(ended) => ended.follow().into(),
        Err(error) => {
            complain(&format!("`{program}` cannot be traced: {error}"));
            Exit::HarnessFault.into()
        }
    }
}

/// Has a target started by a tracer of the witness.
pub(super) fn around(endpoint: &mut Endpoint, witness: &SyscallWitness) {
    let Endpoint::Stdio(launch) = endpoint else {
        return;
    };
    launch.by = WORDS.map(str::to_owned).to_vec();
    let events = witness.events_to().display().to_string();
    launch.env.insert(EVENTS.to_owned(), events);
}

/// Starts the witness, and tries it on a program of ours: nothing shows better whether tracing is permitted.
///
/// # Errors
/// What the system said.
pub(super) fn witness() -> Result<SyscallWitness, String> {
    let witness = SyscallWitness::start().map_err(|error| error.to_string())?;
    let output = bounded(
        Command::new(OURSELVES)
            .args(&WORDS[1..])
            .args([OURSELVES, "--version"])
            .env_clear()
            .env(EVENTS, witness.events_to()),
    )?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        let said = said.lines().next().unwrap_or_default().trim();
        return Err(match said {
            "" => format!("a traced program ended with {}", output.status),
            said => said.trim_start_matches("error: ").to_owned(),
        });
    }
    match witness.since(0) {
        Ok(seen) if seen.iter().any(|event| event.call == "execve") => Ok(witness),
        Ok(_) => Err(String::from("no call of a traced program was seen")),
        Err(why) => Err(why),
    }
}

/// The output of a command that must not hang.
fn bounded(command: &mut Command) -> Result<std::process::Output, String> {
    /// It does nothing to speak of.
    const PATIENCE: Duration = Duration::from_secs(20);
    let failed = |error: std::io::Error| error.to_string();
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(failed)?;
    let until = Instant::now() + PATIENCE;
    while child.try_wait().map_err(failed)?.is_none() {
        if Instant::now() > until {
            child.kill().map_err(failed)?;
            child.wait().map_err(failed)?;
            return Err(String::from("a traced program hung"));
        }
        std::thread::sleep(Duration::from_millis(2));
    }
    child.wait_with_output().map_err(failed)
}

/// What would permit it.
pub(super) const FIX: &str = "permit ptrace(2): sudo sysctl -w kernel.yama.ptrace_scope=1; a container: \
     start it with --cap-add SYS_PTRACE";

/// Why there is no such witness, for people.
pub(super) fn refused(why: &str) -> String {
    format!("system calls cannot be watched here: {why}\nfix: {FIX}; or leave out --witness")
}
