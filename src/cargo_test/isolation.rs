//! The test of a server, built in code.
//!
//! Owns what can be said in Rust. Each method is a flag of `watertight run`, with its checks and its
//! defaults; only the policy is a value of its own.

use std::{path::PathBuf, process::ExitCode, sync::Arc, time::Duration};

use libtest_mimic::Arguments;
use serde_json::Value;
use tokio::io::DuplexStream;

use super::{binary::built, package, trials::trials};
use crate::{
    cli::{RunArgs, errand::perform},
    config::{Era, InProcess, Layer, Reach, Settings, Testbed},
    diag::{Diagnostic, Look, Problems},
    exit::Exit,
    policy::{Placeholders, Policy},
    probe::Severity,
    testbed::namespace::{Stage, gate},
};

/// An isolation test of an MCP server: which server, under which policy, and what is asked.
///
/// ```no_run
/// use std::{process::ExitCode, time::Duration};
///
/// use watertight::{cargo_test::IsolationTest, policy::Policy, probe::Severity};
///
/// fn main() -> ExitCode {
///     IsolationTest::command("notes-server")
///         .args(["--root", "{allowed}"])
///         .env("LOG_LEVEL", "error")
///         .policy(Policy::builder().allow_path("{allowed}").max_file_size_mb(2.0))
///         .suite("core")
///         .skip("fs.read.existence-oracle")
///         .timeout(Duration::from_secs(20))
///         .min_coverage(0.9)
///         .min_severity(Severity::Medium)
///         .report("html", "target/isolation.html")
///         .run()
/// }
/// ```
///
/// `{allowed}` stands for the directory that the server may use, which each run makes anew; see the
/// README for the other placeholders. Relative paths are relative to the directory of the package.
#[derive(Debug, Clone)]
#[must_use = "nothing is tested before `run`"]
pub struct IsolationTest {
    args: RunArgs,
    policy: Option<Result<Policy, Problems>>,
    inside: Option<InProcess>,
}

/// What a server that runs in the process of its test is given: the directories of the run.
#[derive(Debug, Clone)]
pub struct World(Placeholders);

impl World {
    /// The directory that the server may use: `{allowed}`.
    #[must_use]
    pub fn allowed(&self) -> PathBuf {
        self.path("allowed")
    }

    /// A directory that can stand for the home of the server: `{home}`.
    #[must_use]
    pub fn home(&self) -> PathBuf {
        self.path("home")
    }

    /// A directory for its temporary files: `{tmp}`.
    #[must_use]
    pub fn tmp(&self) -> PathBuf {
        self.path("tmp")
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.get(name).map(PathBuf::from).unwrap_or_default()
    }
}

/// Why a server could not serve.
pub type ServeError = Box<dyn std::error::Error + Send + Sync>;

impl IsolationTest {
    /// Tests a server that is started by this program. A program without `/` that is called as a
    /// binary of the package is the one that Cargo built; others are looked up in `PATH`.
    pub fn command(program: impl Into<String>) -> Self {
        Self::new(|args| args.launch.command = vec![program.into()])
    }

    /// Tests a server that runs already, at this address. What the test may use of the disk is named
    /// by [`allowed`](Self::allowed).
    pub fn url(url: impl Into<String>) -> Self {
        Self::new(|args| args.launch.url = Some(url.into()))
    }

    /// Tests what this config file says, a `watertight.toml`. Methods of this type go before it.
    pub fn config(path: impl Into<PathBuf>) -> Self {
        Self::new(|args| args.launch.config = Some(path.into()))
    }

    /// Tests a server that runs inside of the process of the test, on a thread of its own, and speaks
    /// over a pipe in memory. `serve` is called for each conversation, of which there are several when
    /// the server ends; its future ends with the conversation.
    ///
    /// ```no_run
    /// use rmcp::{ServerHandler, ServiceExt as _};
    /// use watertight::cargo_test::IsolationTest;
    ///
    /// # #[derive(Clone)]
    /// # struct Notes;
    /// # impl Notes { fn new(_: std::path::PathBuf) -> Self { Self } }
    /// # impl ServerHandler for Notes {}
    /// fn main() -> std::process::ExitCode {
    ///     IsolationTest::in_process(|world, pipe| async move {
    ///         let server = Notes::new(world.allowed());
    ///         server.serve(pipe).await?.waiting().await?;
    ///         Ok(())
    ///     })
    ///     .probes("fs.read")
    ///     .run()
    /// }
    /// ```
    ///
    /// Files and hosts are watched as they are for a launched server, and each trial has its controls.
    /// Trials that need a process of the server's own, such as those that start it in another
    /// directory, are not applicable. A launched server is tested for more: prefer
    /// [`command`](Self::command) where there is a binary.
    pub fn in_process<F, S>(serve: F) -> Self
    where
        F: Fn(World, DuplexStream) -> S + Send + Sync + 'static,
        S: Future<Output = Result<(), ServeError>> + 'static,
    {
        let mut test = Self::new(|_| {});
        test.inside = Some(InProcess::new(Arc::new(move |places, pipe| {
            let served = serve(World(places), pipe);
            Box::pin(async move { served.await.map_err(|error| error.to_string()) })
        })));
        test
    }

    fn new(say: impl FnOnce(&mut RunArgs)) -> Self {
        let mut args = RunArgs::default();
        say(&mut args);
        Self {
            args,
            policy: None,
            inside: None,
        }
    }

    fn with(mut self, say: impl FnOnce(&mut RunArgs)) -> Self {
        say(&mut self.args);
        self
    }

    /// One more argument of the program.
    pub fn arg(self, arg: impl Into<String>) -> Self {
        self.with(|args| args.launch.command.push(arg.into()))
    }

    /// More arguments of the program.
    pub fn args<A: Into<String>>(self, more: impl IntoIterator<Item = A>) -> Self {
        self.with(|args| args.launch.command.extend(more.into_iter().map(Into::into)))
    }

    /// Sets a variable for the server. It sees none of those of the test but `PATH` and the locale.
    pub fn env(self, name: &str, value: &str) -> Self {
        self.with(|args| args.launch.env.push(format!("{name}={value}")))
    }

    /// Passes a variable of the test on to the server.
    pub fn pass_env(self, name: impl Into<String>) -> Self {
        self.with(|args| args.launch.pass_env.push(name.into()))
    }

    /// Runs the server in this directory, instead of that of the package.
    pub fn cwd(self, path: impl Into<String>) -> Self {
        self.with(|args| args.launch.cwd = Some(path.into()))
    }

    /// Copies what is in this directory into the allowed one, before the server starts.
    pub fn fixture(self, path: impl Into<String>) -> Self {
        self.with(|args| args.launch.fixture = Some(path.into()))
    }

    /// Shares this existing directory with the server, instead of a new one.
    pub fn allowed(self, path: impl Into<String>) -> Self {
        self.with(|args| args.launch.allowed = Some(path.into()))
    }

    /// Sends a header with each request to a URL.
    pub fn header(self, name: &str, value: &str) -> Self {
        self.with(|args| args.launch.header.push(format!("{name}: {value}")))
    }

    /// Sends the bearer token that this variable holds to a URL.
    pub fn bearer_env(self, name: impl Into<String>) -> Self {
        self.with(|args| args.launch.bearer_env = Some(name.into()))
    }

    /// Tells the server this root, a path or a `file:` URI.
    pub fn root(self, path: impl Into<String>) -> Self {
        self.with(|args| args.launch.roots.push(path.into()))
    }

    /// Which lifecycle of the protocol is spoken, instead of the one that the server takes.
    pub fn era(self, era: Era) -> Self {
        self.with(|args| args.launch.era = Some(era))
    }

    /// Calls a tool before probing, such as "open this workspace".
    pub fn setup(self, tool: &str, arguments: &Value) -> Self {
        self.with(|args| args.launch.setup.push(format!("{tool}={arguments}")))
    }

    /// Tells how a tool is used, where its schema does not: `TOOL:ROLE=POINTER`, as `--bind` does.
    pub fn bind(self, binding: impl Into<String>) -> Self {
        self.with(|args| args.launch.bind.push(binding.into()))
    }

    /// Lets a tool be called that says of itself, or looks as if, it destroys something.
    pub fn allow_destructive(self, tool: impl Into<String>) -> Self {
        self.with(|args| args.launch.allow_destructive.push(tool.into()))
    }

    /// The contract that the server is held to: a [`Policy`], or a builder of one. Mistakes in it fail
    /// the test `watertight::run`.
    pub fn policy<P>(mut self, policy: P) -> Self
    where
        P: TryInto<Policy>,
        P::Error: Into<Problems>,
    {
        self.policy = Some(policy.try_into().map_err(Into::into));
        self
    }

    /// The contract as a file: JSON, YAML or TOML.
    pub fn policy_file(self, path: impl Into<String>) -> Self {
        self.with(|args| args.launch.policy = Some(path.into()))
    }

    /// Asks the probes of this suite; `core` when neither suites nor probes are named.
    pub fn suite(self, name: impl Into<String>) -> Self {
        self.with(|args| args.suite.push(name.into()))
    }

    /// Takes suites and probes as they were at this date, such as `2026.11`.
    pub fn frozen_suite(self, date: impl Into<String>) -> Self {
        self.with(|args| args.frozen_suite = Some(date.into()))
    }

    /// Asks this probe, or all whose ids begin so, up to a dot: `fs.read`.
    pub fn probes(self, id: impl Into<String>) -> Self {
        self.with(|args| args.probe.push(id.into()))
    }

    /// Leaves this probe out, or all whose ids begin so, up to a dot.
    pub fn skip(self, id: impl Into<String>) -> Self {
        self.with(|args| args.skip.push(id.into()))
    }

    /// Loads probes and suites of your own from a directory.
    pub fn probe_dir(self, path: impl Into<String>) -> Self {
        self.with(|args| args.probes.push(path.into()))
    }

    /// Least share of the probes that apply which must be judged, 0 to 1.
    pub fn min_coverage(self, share: f64) -> Self {
        self.with(|args| args.min_coverage = Some(share))
    }

    /// Least severity of a breach that fails; those below are ignored, and say so.
    pub fn min_severity(self, severity: Severity) -> Self {
        self.with(|args| args.min_severity = Some(severity))
    }

    /// The world of the server; namespaces where the machine allows them, when left out.
    pub fn testbed(self, testbed: Testbed) -> Self {
        self.with(|args| args.launch.testbed = Some(testbed))
    }

    /// Calls in flight at once.
    pub fn jobs(self, jobs: u32) -> Self {
        self.with(|args| args.launch.jobs = Some(jobs))
    }

    /// How long a call may take; 10 seconds when left out.
    pub fn timeout(self, time: Duration) -> Self {
        self.with(|args| args.launch.timeout = Some(time.as_secs_f64()))
    }

    /// How long the first answer of the server may take; 120 seconds when left out.
    pub fn startup_timeout(self, time: Duration) -> Self {
        self.with(|args| args.launch.startup_timeout = Some(time.as_secs_f64()))
    }

    /// Repeats the names of what is planted.
    pub fn seed(self, seed: u64) -> Self {
        self.with(|args| args.seed = Some(seed))
    }

    /// Writes a report of each run that asks all selected probes; for the formats see `watertight
    /// render`. `jsonl`, the log of a run while it goes on, is not written by tests.
    pub fn report(self, format: &str, path: &str) -> Self {
        self.with(|args| args.report.push(format!("{format}={path}")))
    }

    /// Runs the tests that the arguments of the process ask for, as a test program does. To be called
    /// first thing in `main`: the process may be one that the first one started.
    #[must_use = "the exit code tells Cargo whether the tests passed"]
    pub fn run(self) -> ExitCode {
        match Stage::of_process() {
            Stage::Gate(wire) => gate(&wire, Exit::HarnessFault.code()).into(),
            stage @ Stage::Inner { .. } => perform(stage, self.settings()).into(),
            Stage::Outer => {
                let args = Arguments::from_args();
                libtest_mimic::run(&args, trials(self.settings(), &args)).exit_code()
            }
        }
    }

    /// What the tests are told, or the mistakes in it.
    fn settings(&self) -> Result<Settings, String> {
        let told = |problems: Problems| problems.render(Look::PLAIN);
        let file = match &self.args.launch.config {
            None => Layer::default(),
            Some(path) if path.is_file() => Layer::of_file(path),
            Some(path) => {
                let missing = format!("there is no file {}", path.display());
                let missing = Diagnostic::error("config::missing", missing);
                let help = "`watertight init -- COMMAND` writes one";
                return Err(told(missing.help(help).into()));
            }
        };
        let mut layer = self.args.layer();
        layer.inside.clone_from(&self.inside);
        match &self.policy {
            None => {}
            Some(Ok(policy)) => layer.policy = Some(policy.clone()),
            Some(Err(problems)) => return Err(told(problems.clone())),
        }
        let mut settings = layer.over(file).settle().map_err(told)?;
        settings.lock = self.args.launch.lock_file(&package());
        if let Reach::Command(words) = &mut settings.target.reach
            && let Some(program) = words.first_mut()
            && let Some(path) = built(program)
        {
            *program = path.display().to_string();
        }
        Ok(settings)
    }
}
