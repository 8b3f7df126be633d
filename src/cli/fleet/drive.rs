//! The runs of a fleet: so many at once, each a process of ours, until all are done or the user has
//! seen enough.
//!
//! Owns the processes. Each has a process group of its own, so that a signal of the terminal reaches it
//! once and through us; it tidies up after itself as any run does.

use std::{
    cell::{Cell, RefCell},
    collections::BTreeMap,
    io,
    path::Path,
    process::Stdio,
    time::Instant,
};

use futures::{StreamExt as _, stream};
use rustix::process::{Pid, Signal, kill_process};
use tokio::{
    io::{AsyncRead, AsyncReadExt as _},
    process::Command,
};

use super::files::Files;
use crate::{
    cli::interrupt::Interrupts,
    config::Fleet,
    exit::Exit,
    report::{Found, Outcome, ServerReport, read_report, severity_word, write::store},
};

/// Bytes of what a run says that are kept: its end.
const LOG: usize = 256 << 10;

/// Lines of it that stand in the overview.
const LINES: usize = 12;

/// What the runs have in common.
struct Fleets<'f> {
    file: &'f Path,
    files: &'f Files,
    tell: &'f dyn Fn(&str),
    stopped: Cell<bool>,
    /// Runs that have not been waited for yet.
    going: RefCell<BTreeMap<String, u32>>,
}

/// Runs all servers; returns them in order, and whether that was cut short.
pub(super) async fn drive(
    file: &Path,
    fleet: &Fleet,
    files: &Files,
    mut interrupts: Interrupts,
    tell: &dyn Fn(&str),
) -> (Vec<ServerReport>, bool) {
    let common = Fleets {
        file,
        files,
        tell,
        stopped: Cell::new(false),
        going: RefCell::default(),
    };
    let runs = stream::iter(fleet.servers.iter().enumerate())
        .map(|(place, name)| {
            let common = &common;
            async move { (place, common.server(name).await) }
        })
        .buffer_unordered(fleet.jobs)
        .collect::<Vec<_>>();
    tokio::pin!(runs);
    let mut done = loop {
        tokio::select! {
            done = &mut runs => break done,
            signal = interrupts.next() => common.stop(signal),
        }
    };
    done.sort_unstable_by_key(|(place, _)| *place);
    let servers = done.into_iter().map(|(_, server)| server).collect();
    (servers, common.stopped.get())
}

impl Fleets<'_> {
    /// Passes a signal on, and starts no more.
    fn stop(&self, signal: i32) {
        let again = self.stopped.replace(true);
        (self.tell)(match again {
            false => {
                "   interrupted: runs end in order and write their reports; once more to end at once\n"
            }
            true => "   interrupted twice: runs end at once\n",
        });
        for pid in self.going.borrow().values() {
            let pid = i32::try_from(*pid).ok().and_then(Pid::from_raw);
            if let (Some(pid), Some(signal)) = (pid, Signal::from_named_raw(signal)) {
                // It may have ended meanwhile, and is not waited for yet: its id is still its own.
                let _gone = kill_process(pid, signal);
            }
        }
    }

    async fn server(&self, name: &str) -> ServerReport {
        if self.stopped.get() {
            return self.without_report(name, None, 0, "the fleet was interrupted before");
        }
        (self.tell)(&format!("   probing {name}\n"));
        let begun = Instant::now();
        let ended = self.run(name).await;
        let took_ms = u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX);
        let server = match ended {
            Ok((code, said)) => self.judged(name, code, took_ms, &said),
            Err(error) => {
                let why = format!("it could not be started: {error}");
                self.without_report(name, Some(Exit::HarnessFault.code()), took_ms, &why)
            }
        };
        let severity = server.found.as_ref().and_then(|found| found.severity);
        let degree = severity.map_or_else(String::new, |severity| {
            format!(" ({})", severity_word(severity))
        });
        (self.tell)(&format!(
            "   {} {name} {}{degree}\n",
            server.outcome.sign(),
            server.outcome.word()
        ));
        server
    }

    /// Runs this program on one server; returns the exit code, if it ended by itself, and what it said.
    async fn run(&self, name: &str) -> io::Result<(Option<u8>, String)> {
        let mut command = Command::new(std::env::current_exe()?);
        command
            .args(["run", "--quiet", "--progress", "none", "--server", name])
            .arg("--config")
            .arg(self.file);
        for (format, path) in self.files.of(name) {
            let mut word = std::ffi::OsString::from(format!("{format}="));
            word.push(path);
            command.arg("--report").arg(word);
        }
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .process_group(0)
            .kill_on_drop(true)
            .spawn()?;
        if let Some(pid) = child.id() {
            self.going.borrow_mut().insert(name.to_owned(), pid);
        }
        let stderr = child.stderr.take();
        let said = async {
            match stderr {
                Some(stream) => end_of(stream).await,
                None => Vec::new(),
            }
        };
        let wait = async {
            let status = child.wait().await;
            self.going.borrow_mut().remove(name);
            status
        };
        let (status, said) = tokio::join!(wait, said);
        let code = status?.code().and_then(|code| u8::try_from(code).ok());
        let said = String::from_utf8_lossy(&said).into_owned();
        if !said.trim().is_empty() {
            store(&self.files.log(name), said.as_bytes())?;
        }
        Ok((code, said))
    }

    fn judged(&self, name: &str, code: Option<u8>, took_ms: u64, said: &str) -> ServerReport {
        let json = self.files.of(name).into_iter().next();
        let report = json.filter(|(_, path)| path.is_file());
        let report = report.map(|(_, path)| read_report(&path));
        match (report, code) {
            (Some(Ok(report)), Some(code)) => ServerReport {
                name: name.to_owned(),
                outcome: Outcome::from(report.summary.verdict),
                exit_code: Some(code),
                took_ms,
                found: Some(Found::from(&report)),
                reports: self.files.there(name),
                message: None,
            },
            (Some(Err(error)), _) => {
                let code = Some(Exit::HarnessFault.code());
                self.without_report(name, code, took_ms, &error.to_string())
            }
            (_, None) => {
                let why = format!("the run was ended from outside\n{}", last_lines(said));
                // A signal of the user, before it could hear of it, is no fault.
                let code = (!self.stopped.get()).then(|| Exit::HarnessFault.code());
                self.without_report(name, code, took_ms, why.trim_end())
            }
            (None, Some(code)) => self.without_report(name, Some(code), took_ms, &last_lines(said)),
        }
    }

    fn without_report(
        &self,
        name: &str,
        exit_code: Option<u8>,
        took_ms: u64,
        why: &str,
    ) -> ServerReport {
        let unreached = [None, Some(Exit::Inconclusive.code())].contains(&exit_code);
        ServerReport {
            name: name.to_owned(),
            outcome: match exit_code {
                // Proven before it was cut short.
                Some(1) => Outcome::Breached,
                _ if unreached && self.stopped.get() => Outcome::NotRun,
                _ => Outcome::Failed,
            },
            exit_code,
            took_ms,
            found: None,
            reports: self.files.there(name),
            message: Some(why.to_owned()),
        }
    }
}

/// The last bytes of a stream.
async fn end_of(mut stream: impl AsyncRead + Unpin) -> Vec<u8> {
    let mut kept = Vec::new();
    let mut chunk = vec![0; 8 << 10];
    // What cannot be read is not said.
    while let Ok(read @ 1..) = stream.read(&mut chunk).await {
        kept.extend_from_slice(&chunk[..read]);
        if kept.len() > 2 * LOG {
            kept.drain(..kept.len() - LOG);
        }
    }
    kept
}

fn last_lines(said: &str) -> String {
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
    match &lines[from..] {
        [] => String::from("it ended without a report and without a word"),
        lines => lines.join("\n"),
    }
}
