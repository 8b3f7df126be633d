//! One run of the program in a directory of its own.
//!
//! Owns the launch, the patience, and the look at what is left. Must not know what a run is about.

use std::{
    collections::BTreeSet,
    fs,
    io::Read,
    path::{Component, Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    sync::{Arc, Mutex},
    thread::JoinHandle,
    time::{Duration, Instant},
};

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

use crate::program;

/// The program under test.
pub(crate) const PROGRAM: &str = env!("CARGO_BIN_EXE_watertight");

/// Far longer than any run here takes, also on a machine that has better things to do.
const PATIENCE: Duration = Duration::from_secs(240);

/// The command line of the reference target: `reference(&["--flaw", "fs.no-check"])`.
pub(crate) fn reference<'a>(flags: &[&'a str]) -> Vec<&'a str> {
    [&["--", PROGRAM, "reference"], flags, &["{allowed}"]].concat()
}

/// A run in preparation.
pub(crate) struct Run {
    cwd: TempDir,
    args: Vec<String>,
    env: Vec<(&'static str, PathBuf)>,
    stdout: Option<Stdio>,
    ignored: Option<&'static str>,
}

impl Run {
    /// `watertight ARGS...`.
    pub(crate) fn new(args: &[&str]) -> Self {
        Self {
            cwd: tempfile::tempdir().expect("a directory for the run"),
            args: args.iter().map(|arg| (*arg).to_owned()).collect(),
            env: Vec::new(),
            stdout: None,
            ignored: None,
        }
    }

    /// `watertight run FLAGS... -- ./server {allowed}`, where the server is a shell script. In it,
    /// `$WATERTIGHT` is the program and `$1` the allowed directory.
    pub(crate) fn script(flags: &[&str], script: &str) -> Self {
        let run = Self::new(&[&["run"], flags, &["--", "./server", "{allowed}"]].concat());
        let text = format!("#!/bin/sh\nWATERTIGHT='{PROGRAM}'\n{script}\n");
        program::install(&run.path("server"), text);
        run
    }

    /// Puts a file into the working directory.
    pub(crate) fn file(self, name: &str, text: &str) -> Self {
        let path = self.path(name);
        let parent = path.parent().expect("it lies in the working directory");
        fs::create_dir_all(parent).expect("the directory is ours");
        fs::write(path, text).expect("the directory is ours");
        self
    }

    /// Where a file of the working directory is.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.cwd.path().join(name)
    }

    /// Sets a variable.
    pub(crate) fn env(mut self, name: &'static str, value: &Path) -> Self {
        self.env.push((name, value.to_owned()));
        self
    }

    /// Sends standard output elsewhere.
    pub(crate) fn stdout(mut self, stdout: impl Into<Stdio>) -> Self {
        self.stdout = Some(stdout.into());
        self
    }

    /// Has a signal ignored from the beginning, as nohup(1) does.
    pub(crate) fn ignoring(mut self, signal: &'static str) -> Self {
        self.ignored = Some(signal);
        self
    }

    /// Starts it.
    pub(crate) fn start(self) -> Going {
        let piped = self.stdout.is_none();
        // Whoever runs the tests in the background has SIGINT ignored, and we would inherit that.
        let mut child = Command::new("env")
            .arg("--default-signal=INT,TERM,HUP")
            .args(
                self.ignored
                    .map(|signal| format!("--ignore-signal={signal}")),
            )
            .arg(PROGRAM)
            .args(&self.args)
            .current_dir(self.cwd.path())
            .stdin(Stdio::null())
            .stdout(self.stdout.unwrap_or_else(Stdio::piped))
            .stderr(Stdio::piped())
            .env_remove("RUST_BACKTRACE")
            .env_remove("NO_COLOR")
            .env_remove("CLICOLOR_FORCE")
            .envs(self.env)
            .spawn()
            .expect("the program starts");
        let out = Collected::of(piped.then(|| child.stdout.take()).flatten());
        let err = Collected::of(child.stderr.take());
        Going {
            before: files(self.cwd.path()),
            cwd: self.cwd,
            child,
            out,
            err,
        }
    }

    /// Runs it to its end.
    pub(crate) fn go(self) -> Ran {
        self.start().end()
    }
}

/// What a stream has brought so far.
struct Collected {
    bytes: Arc<Mutex<Vec<u8>>>,
    thread: JoinHandle<()>,
}

impl Collected {
    fn of(stream: Option<impl Read + Send + 'static>) -> Self {
        let bytes = Arc::new(Mutex::new(Vec::new()));
        let kept = Arc::clone(&bytes);
        let thread = std::thread::spawn(move || {
            let Some(mut stream) = stream else { return };
            let mut chunk = [0; 4096];
            while let Ok(read @ 1..) = stream.read(&mut chunk) {
                kept.lock().expect("nobody panics").extend(&chunk[..read]);
            }
        });
        Self { bytes, thread }
    }

    fn text(&self) -> String {
        String::from_utf8_lossy(&self.bytes.lock().expect("nobody panics")).into_owned()
    }

    fn end(self) -> String {
        self.thread.join().expect("the thread only reads");
        String::from_utf8_lossy(&self.bytes.lock().expect("nobody panics")).into_owned()
    }
}

/// A run under way.
pub(crate) struct Going {
    cwd: TempDir,
    before: BTreeSet<PathBuf>,
    child: Child,
    out: Collected,
    err: Collected,
}

impl Going {
    /// Waits until standard error holds `text`.
    pub(crate) fn wait_for(&mut self, text: &str) -> &mut Self {
        self.until(text, |going| going.err.text().contains(text))
    }

    /// Waits until the file is there.
    pub(crate) fn wait_for_file(&mut self, name: &str) -> &mut Self {
        self.until(name, |going| going.cwd.path().join(name).exists())
    }

    fn until(&mut self, what: &str, reached: impl Fn(&Self) -> bool) -> &mut Self {
        let until = Instant::now() + PATIENCE;
        while !reached(self) {
            let ended = self.child.try_wait().expect("it is our child");
            assert!(
                ended.is_none() && Instant::now() < until,
                "{what:?} never came ({ended:?}):\n{}",
                self.err.text()
            );
            std::thread::sleep(Duration::from_millis(5));
        }
        self
    }

    /// Sends a signal.
    pub(crate) fn signal(&mut self, signal: Signal) -> &mut Self {
        kill_process(self.pid(), signal).expect("it is our child");
        self
    }

    fn pid(&self) -> Pid {
        Pid::from_child(&self.child)
    }

    /// Waits for the end, without a look at what is left.
    pub(crate) fn wait(mut self) -> Ran {
        let until = Instant::now() + PATIENCE;
        let status = loop {
            if let Some(status) = self.child.try_wait().expect("it is our child") {
                break status;
            }
            if Instant::now() > until {
                self.child.kill().expect("it is our child");
                panic!("it does not end:\n{}", self.err.text());
            }
            std::thread::sleep(Duration::from_millis(5));
        };
        Ran {
            status,
            out: self.out.end(),
            err: self.err.end(),
            before: self.before,
            cwd: self.cwd,
        }
    }

    /// Waits for the end, and that nothing is left.
    pub(crate) fn end(self) -> Ran {
        let ran = self.wait();
        ran.leaves_nothing();
        ran
    }
}

/// A run that has ended.
pub(crate) struct Ran {
    status: ExitStatus,
    pub(crate) out: String,
    pub(crate) err: String,
    before: BTreeSet<PathBuf>,
    cwd: TempDir,
}

impl Ran {
    /// Asserts the exit code.
    pub(crate) fn code(&self, code: i32) -> &Self {
        assert_eq!(self.status.code(), Some(code), "{}", self.all());
        self
    }

    /// Whether this is the exit code.
    pub(crate) fn ended_with(&self, code: i32) -> bool {
        self.status.code() == Some(code)
    }

    /// Asserts that standard error is short and holds each of the texts; spaces and line ends
    /// count as the same.
    pub(crate) fn tells(&self, texts: &[&str]) -> &Self {
        let joined = joined(&self.err);
        for text in texts {
            assert!(
                joined.contains(text),
                "{text:?} is missing:\n{}",
                self.all()
            );
        }
        let lines = self.err.lines().count();
        assert!(lines <= 20, "{lines} lines are too many:\n{}", self.err);
        let foreign = |char: char| char.is_control() && char != '\n';
        assert!(!self.err.contains(foreign), "{:?}", self.err);
        self
    }

    /// The text of a file that the run wrote.
    pub(crate) fn read(&self, name: &str) -> String {
        fs::read_to_string(self.cwd.path().join(name)).expect("the run wrote it")
    }

    /// A file of the working directory, as JSON.
    pub(crate) fn json(&self, name: &str) -> serde_json::Value {
        let text = fs::read_to_string(self.cwd.path().join(name))
            .unwrap_or_else(|error| panic!("{name}: {error}\n{}", self.all()));
        serde_json::from_str(&text).expect("a report is JSON")
    }

    /// Files that the run made in the working directory.
    pub(crate) fn made(&self) -> Vec<String> {
        files(self.cwd.path())
            .difference(&self.before)
            .map(|path| path.display().to_string())
            .collect()
    }

    /// The testbeds that the run spoke of.
    pub(crate) fn beds(&self) -> BTreeSet<PathBuf> {
        beds(&format!("{} {}", self.err, self.out))
    }

    fn leaves_nothing(&self) {
        for bed in self.beds() {
            assert!(!bed.exists(), "{} is left:\n{}", bed.display(), self.all());
            // On a busy machine, what was ended may not have got round to its end.
            let until = Instant::now() + Duration::from_secs(5);
            let mut left = knowing(&bed);
            while !left.is_empty() && Instant::now() < until {
                std::thread::sleep(Duration::from_millis(50));
                left = knowing(&bed);
            }
            assert!(left.is_empty(), "{left:?} live on:\n{}", self.all());
        }
    }

    fn all(&self) -> String {
        format!(
            "{}\n--- standard error\n{}--- standard output\n{}",
            self.status, self.err, self.out
        )
    }
}

fn joined(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// The directories called `bed-...` that a text names.
fn beds(text: &str) -> BTreeSet<PathBuf> {
    text.split(|char: char| char.is_whitespace() || matches!(char, '"' | '\'' | '`'))
        .filter(|word| word.starts_with('/') && word.contains("/bed-"))
        .map(|word| {
            let mut path = PathBuf::new();
            for part in Path::new(word).components() {
                path.push(part);
                if matches!(part, Component::Normal(name)
                    if name.to_string_lossy().starts_with("bed-"))
                {
                    break;
                }
            }
            path
        })
        .collect()
}

/// Living processes that have the path in their environment or command line.
pub(crate) fn knowing(path: &Path) -> Vec<String> {
    let wanted = path.as_os_str().as_encoded_bytes();
    let holds = |file: PathBuf| {
        fs::read(file).is_ok_and(|bytes| bytes.windows(wanted.len()).any(|part| part == wanted))
    };
    fs::read_dir("/proc")
        .expect("this is Linux")
        .flatten()
        .map(|entry| entry.path())
        .filter(|process| holds(process.join("environ")) || holds(process.join("cmdline")))
        .map(|process| fs::read_to_string(process.join("stat")).unwrap_or_default())
        .collect()
}

fn files(top: &Path) -> BTreeSet<PathBuf> {
    walkdir::WalkDir::new(top)
        .into_iter()
        .filter_map(Result::ok)
        .filter(|entry| !entry.file_type().is_dir())
        .filter_map(|entry| Some(entry.path().strip_prefix(top).ok()?.to_path_buf()))
        .collect()
}
