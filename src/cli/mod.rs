//! The command line: one file per subcommand.
//!
//! Owns what users type and see. Everything else is called.

pub mod baseline;
mod bottle;
mod calibration;
mod children;
mod conclude;
pub mod demo;
pub mod diff;
pub mod discover;
pub mod doctor;
mod drive;
pub(crate) mod errand;
mod event_log;
pub mod explain;
mod failure;
pub mod fleet;
pub mod init;
mod interrupt;
mod layers;
pub mod lint;
pub mod list;
mod lock;
pub mod manual;
pub mod merge;
mod order;
mod print;
pub mod progress;
mod promise;
pub mod render;
mod repeat;
pub mod replay;
pub mod run;
mod run_args;
pub mod schema;
mod select;
pub mod self_test;
mod shards;
mod shield;
pub mod style;
mod trace;
mod visit;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

pub use run_args::{LaunchArgs, RunArgs};

use crate::{
    config::Settings,
    diag::{Diagnostic, Look},
    exit::Exit,
    probe::Catalog,
    reference::{self, Kind, ReferenceArgs, ReferenceError, StubArgs},
    testbed::namespace::{Stage, gate},
};
use print::{complain, put, shout};
pub use shield::shielded;

/// Proves which boundaries of a running MCP server hold.
#[derive(Debug, Parser)]
#[command(name = "watertight", version, styles = style::HELP, after_help = exit_codes())]
pub struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Probe a server and report which boundaries held
    Run(Box<RunArgs>),
    /// Probe the embedded reference server with some flaws switched on
    #[command(
        mut_arg("url", |arg| arg.hide(true)),
        mut_arg("from", |arg| arg.hide(true)),
        mut_arg("server", |arg| arg.hide(true)),
        mut_arg("command", |arg| arg.hide(true)),
    )]
    Demo(Box<RunArgs>),
    /// Find out which tools do what, with proof, and lock it in a file
    Discover(Box<discover::DiscoverArgs>),
    /// Write what a project needs to have its server tested
    Init(Box<init::InitArgs>),
    /// Join the reports of a run that was done in parts
    Merge(Box<merge::MergeArgs>),
    /// Probe many servers, each in a run of its own, with one overview
    Fleet(Box<fleet::FleetArgs>),
    /// Make any format from a JSON report
    Render(Box<render::RenderArgs>),
    /// Replay one trial of a JSON report, with every message
    Replay(Box<replay::ReplayArgs>),
    /// Compare two JSON reports; fail if something got worse
    Diff(diff::DiffArgs),
    /// Write a file of known verdicts from a JSON report, or bring one up to date
    Baseline(baseline::BaselineArgs),
    /// Say which testbed this machine can have, and what would enable it
    Doctor(doctor::DoctorArgs),
    /// Find secrets and wide-open doors in configs, policies and Dockerfiles
    Lint(lint::LintArgs),
    /// List the probes
    List(list::ListArgs),
    /// Explain a probe: what it asks, how, what a breach means, how to fix it
    Explain(explain::ExplainArgs),
    /// Show on this machine that each probe passes and fails
    SelfTest(self_test::SelfTestArgs),
    /// Print a JSON Schema of a file format
    Schema(schema::SchemaArgs),
    /// Print the completions for a shell
    Completions(manual::CompletionsArgs),
    /// Print the manual, or that of a subcommand
    Man(manual::ManArgs),
    /// Run the reference target, an MCP server that is sound or flawed on purpose
    Reference(Box<ReferenceArgs>),
    /// Run an MCP server that permits everything, to see what the sandbox around it does
    Stub(StubArgs),
    /// Start a target whose system calls are watched
    #[command(hide = true)]
    Trace(trace::TraceArgs),
}

fn exit_codes() -> String {
    let mut text = String::from("Exit codes:\n");
    for (exit, meaning) in Exit::ALL {
        text.push_str(&format!("  {}  {meaning}\n", exit.code()));
    }
    text
}

/// Parses the command line and does what it says.
#[must_use]
pub fn main() -> ExitCode {
    let mut of_target = None;
    let exit = shielded(|| perform(&mut of_target));
    of_target.unwrap_or(exit.into())
}

/// Does it. What stands between the harness and a target ends as that did.
fn perform(of_target: &mut Option<ExitCode>) -> Exit {
    let stage = match Stage::of_process() {
        // It must not have a second thread, and has nothing to read.
        Stage::Gate(wire) => return exit_of(gate(&wire, Exit::HarnessFault.code())),
        stage => stage,
    };
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            // Help and version are no mistakes; clap knows where each is printed.
            let _ = error.print();
            return if error.use_stderr() {
                Exit::BadInput
            } else {
                Exit::Held
            };
        }
    };
    if let Command::Trace(args) = &cli.command {
        // One thread makes all requests, and the target comes of it.
        *of_target = Some(trace::run(args));
        return Exit::Held;
    }
    let task = match cli.command.prepare(stage) {
        Ok(task) => task,
        Err(exit) => return exit,
    };
    let runtime = match tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
    {
        Ok(runtime) => runtime,
        Err(error) => {
            complain(&format!(
                "no asynchronous runtime: {error}\nfix: raise the limits of this process (ulimit -n, ulimit -u)"
            ));
            return Exit::HarnessFault;
        }
    };
    let exit = runtime.block_on(task.perform());
    // A thread that waits for a pipe nobody opens must not keep the program from ending.
    runtime.shutdown_background();
    exit
}

/// A subcommand, as far as it can be prepared by a process with one thread.
enum Task {
    /// One that starts targets, in the world that they are to have.
    Contained(Box<Command>, Box<Settings>),
    Other(Box<Command>),
}

impl Command {
    /// Namespaces are entered before there is any thread.
    fn prepare(self, stage: Stage) -> Result<Task, Exit> {
        let settings = match &self {
            Self::Run(args) => run::settle(args)?,
            Self::Demo(args) => demo::settle(args)?,
            Self::Discover(args) => discover::settle(args)?,
            Self::Init(args) => init::settle(args)?,
            Self::Replay(args) => replay::settle(args)?,
            Self::SelfTest(args) => match self_test::settle(args, &stage)? {
                Some(settings) => settings,
                None => return Ok(Task::Other(Box::new(self))),
            },
            Self::Doctor(args) => return Err(doctor::examine(stage, args)),
            _ => return Ok(Task::Other(Box::new(self))),
        };
        let settings = Box::new(bottle::enter(stage, settings)?);
        Ok(Task::Contained(Box::new(self), settings))
    }
}

impl Task {
    async fn perform(self) -> Exit {
        match self {
            Self::Contained(command, settings) => match *command {
                Command::Discover(args) => discover::settled(&args, &settings).await,
                Command::Init(args) => init::settled(&args, &settings).await,
                Command::Replay(args) => replay::settled(&args, &settings).await,
                Command::SelfTest(args) => self_test::run(&args).await,
                _ => run::settled(&settings).await,
            },
            Self::Other(command) => command.run().await,
        }
    }
}

impl Command {
    async fn run(self) -> Exit {
        match self {
            // Prepared, these are contained, or done.
            Self::Run(_)
            | Self::Demo(_)
            | Self::Discover(_)
            | Self::Init(_)
            | Self::Replay(_)
            | Self::Doctor(_)
            | Self::Trace(_) => Exit::HarnessFault,
            Self::Fleet(args) => fleet::run(&args).await,
            // In parts, each of them contained.
            Self::SelfTest(args) => self_test::parts::run(&args).await,
            Self::Merge(args) => merge::run(&args),
            Self::Render(args) => render::run(&args),
            Self::Diff(args) => diff::run(&args),
            Self::Baseline(args) => baseline::run(&args),
            Self::Lint(args) => lint::run(&args),
            Self::List(args) => told(list::run(&args, Catalog::embedded())),
            Self::Explain(args) => told(explain::run(&args, Catalog::embedded())),
            Self::Schema(args) => told(Ok(schema::run(&args))),
            Self::Completions(args) => manual::completions(&args),
            Self::Man(args) => manual::man(&args),
            Self::Reference(args) => serve(*args).await,
            Self::Stub(args) => served(reference::serve_stdio(Kind::Sound, args.options()).await),
        }
    }
}

/// The meaning of an exit code.
fn exit_of(code: u8) -> Exit {
    Exit::ALL
        .iter()
        .map(|(exit, _)| *exit)
        .find(|exit| exit.code() == code)
        .unwrap_or(Exit::HarnessFault)
}

fn told(text: Result<String, String>) -> Exit {
    match text {
        Ok(text) => put(&text),
        Err(message) => {
            let (what, help) = message.split_once('\n').unwrap_or((&message, ""));
            let told = Diagnostic::error("cli::unknown", what).help(help.trim());
            shout(&told.render(Look::of_stderr()));
            Exit::BadInput
        }
    }
}

async fn serve(args: ReferenceArgs) -> Exit {
    if args.list_flaws {
        let flaws = reference::flaws();
        let lines = flaws
            .iter()
            .map(|(name, what)| format!("{name:28} {what}\n"));
        return put(&lines.collect::<String>());
    }
    served(match (args.door(), args.into_parts()) {
        (Ok(None), Ok((kind, options))) => reference::serve_stdio(kind, options).await,
        (Ok(Some(door)), Ok((kind, options))) => {
            let listening = |url: &str| shout(&format!("listening at {url}\n"));
            reference::serve_http(kind, options, door, listening).await
        }
        (Err(error), _) | (_, Err(error)) => Err(error),
    })
}

fn served(served: Result<(), ReferenceError>) -> Exit {
    match served {
        Ok(()) => Exit::Held,
        Err(error) => {
            complain(&error.to_string());
            Exit::BadInput
        }
    }
}
