//! A reference target that runs already, reached over HTTP with a credential.

use std::{
    fs,
    io::{BufRead as _, BufReader},
    path::PathBuf,
    process::{Child, Command, Stdio},
};

use serde_json::Value;
use tempfile::TempDir;

use crate::run::{PROGRAM, Run};

/// A listening reference target with an audit log. Dropped, it ends.
struct Listening {
    child: Child,
    url: String,
    room: TempDir,
}

impl Listening {
    fn start(flags: &[&str]) -> Self {
        let room = tempfile::tempdir().expect("a directory for the target");
        let shared = room.path().join("shared");
        fs::create_dir(&shared).expect("the directory is ours");
        let mut child = Command::new(PROGRAM)
            .args([
                "reference",
                "--listen",
                "127.0.0.1:0",
                "--bearer-env",
                "TOKEN",
            ])
            .args(flags)
            .arg("--audit")
            .arg(room.path().join("log/server.log"))
            .arg(shared)
            .env("TOKEN", "an-example")
            .stdin(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the program starts");
        let mut line = String::new();
        BufReader::new(child.stderr.take().expect("it is a pipe"))
            .read_line(&mut line)
            .expect("it tells where it listens");
        let url = line
            .trim()
            .rsplit(' ')
            .next()
            .unwrap_or_default()
            .to_owned();
        Self { child, url, room }
    }

    fn shared(&self) -> PathBuf {
        self.room.path().join("shared")
    }

    /// A run against it, of some flags.
    fn probed(&self, flags: &[&str]) -> Run {
        let log = self.room.path().join("log/server.log");
        let policy = format!(
            "[capabilities.filesystem]\nallowed_paths = [\"{{allowed}}\"]\n\
             [audit]\nenabled = true\nlog_file = \"{}\"\nevents = [\"auth_failure\"]\n",
            log.display()
        );
        let shared = self.shared().display().to_string();
        let words = [
            &[
                "run",
                "--url",
                &self.url,
                "--header",
                "Authorization: Bearer an-example",
            ],
            &["--allowed", &shared, "--policy", "policy.toml"][..],
        ];
        Run::new(&[&words.concat(), flags].concat()).file("policy.toml", &policy)
    }
}

impl Drop for Listening {
    fn drop(&mut self) {
        // There is nobody to tell about a failure.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Verdicts and reasons.
fn asked(listening: &Listening, code: i32) -> Vec<(String, String)> {
    let flags = [
        "--probe",
        "audit.auth-failure",
        "--report",
        "json=report.json",
    ];
    let ran = listening.probed(&flags).go();
    ran.code(code);
    let report = ran.json("report.json");
    let trials = report["probes"][0]["trials"]
        .as_array()
        .expect("it has trials");
    let text = |trial: &Value, name: &str| trial[name].as_str().unwrap_or_default().to_owned();
    trials
        .iter()
        .map(|trial| (text(trial, "verdict"), text(trial, "reason")))
        .collect()
}

#[test]
fn callers_who_are_not_let_in_are_recorded() {
    let listening = Listening::start(&[]);
    let found = asked(&listening, 0);
    assert_eq!(found.len(), 3);
    for (verdict, reason) in found {
        assert_eq!(verdict, "held", "{reason}");
        assert!(reason.contains("auth_failure"), "{reason}");
    }
}

#[test]
fn callers_who_are_not_let_in_are_not_recorded() {
    let listening = Listening::start(&["--flaw", "audit.auth-unrecorded"]);
    let found = asked(&listening, 1);
    assert_eq!(found.len(), 3);
    for (verdict, reason) in found {
        assert_eq!(verdict, "breached", "{reason}");
        assert!(reason.contains("no record"), "{reason}");
    }
}

/// What a server makes in a directory that is not the run's goes, and nothing else does.
#[test]
fn a_shared_directory_is_left_as_it_was() {
    let listening = Listening::start(&[]);
    fs::write(listening.shared().join("mine.txt"), "mine").expect("the directory is ours");
    listening.probed(&["--suite", "execution"]).go().code(0);
    let left = fs::read_dir(listening.shared()).expect("it is there");
    let left: Vec<_> = left.flatten().map(|entry| entry.file_name()).collect();
    assert_eq!(left, ["mine.txt"]);
}
