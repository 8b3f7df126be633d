//! The runs of a fleet: so many at once, each a process of ours, until all are done or the user has
//! seen enough.
//!
//! Owns what is run, and what is made of how it ended. The processes are those of `children`.

use std::{io, path::Path, process::Stdio, time::Instant};

use futures::{StreamExt as _, stream};

use super::files::Files;
use crate::{
    cli::{
        children::{Children, Ended, last_lines},
        interrupt::Interrupts,
    },
    config::Fleet,
    exit::Exit,
    report::{Found, Outcome, ServerReport, read_report, severity_word, write::store},
};

/// What the runs have in common.
struct Fleets<'f> {
    file: &'f Path,
    files: &'f Files,
    tell: &'f dyn Fn(&str),
    children: Children,
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
        children: Children::default(),
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
    (servers, common.children.stopped())
}

impl Fleets<'_> {
    /// Passes a signal on, and starts no more.
    fn stop(&self, signal: i32) {
        let first = self.children.stop(signal);
        (self.tell)(match first {
            true => {
                "   interrupted: runs end in order and write their reports; once more to end at once\n"
            }
            false => "   interrupted twice: runs end at once\n",
        });
    }

    async fn server(&self, name: &str) -> ServerReport {
        if self.children.stopped() {
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
        let arguments = |command: &mut tokio::process::Command| {
            command
                .args(["run", "--quiet", "--progress", "none", "--server", name])
                .arg("--config")
                .arg(self.file);
            for (format, path) in self.files.of(name) {
                let mut word = std::ffi::OsString::from(format!("{format}="));
                word.push(path);
                command.arg("--report").arg(word);
            }
        };
        let Ended { code, said, .. } = self.children.run(arguments, Stdio::null()).await?;
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
                let why = format!("the run was ended from outside\n{}", last_words(said));
                // A signal of the user, before it could hear of it, is no fault.
                let code = (!self.children.stopped()).then(|| Exit::HarnessFault.code());
                self.without_report(name, code, took_ms, why.trim_end())
            }
            (None, Some(code)) => self.without_report(name, Some(code), took_ms, &last_words(said)),
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
                _ if unreached && self.children.stopped() => Outcome::NotRun,
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

fn last_words(said: &str) -> String {
    last_lines(said).unwrap_or_else(|| String::from("it ended without a report and without a word"))
}
