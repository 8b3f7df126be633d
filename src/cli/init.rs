//! `watertight init`: the files that a project commits to have its server tested.
//!
//! Owns which files there are and when they are written: after a discovery, all of them or none.
//! What stands in them is told in `init/files.rs`.

mod files;

use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};

use super::{
    LaunchArgs, RunArgs, discover,
    print::{problem, put, shout},
    run::Failure,
};
use crate::{
    channel::LOCK_FILE,
    config::{FILE_NAME, Settings},
    diag::{Diagnostic, Look, Source},
    exit::Exit,
    lint::lint,
    probe::Severity,
    report::write::store,
};

/// The policy that is written when none is given.
const POLICY: &str = "policy.toml";

/// Arguments of `watertight init`.
#[derive(Debug, Clone, Default, Args)]
#[command(after_help = "Such as:\n  \
    watertight init -- npx -y PACKAGE {allowed}\n  \
    watertight init --from .mcp.json --server notes --ci gitlab")]
pub struct InitArgs {
    /// The target.
    #[command(flatten)]
    pub launch: LaunchArgs,

    /// Write a job for this CI
    #[arg(
        long,
        value_name = "CI",
        default_value = "github",
        help_heading = "Output"
    )]
    pub ci: Ci,

    /// Overwrite files that are there
    #[arg(long, help_heading = "Output")]
    pub force: bool,

    /// Print the next command only
    #[arg(long, short, help_heading = "Output")]
    pub quiet: bool,
}

/// A CI that a job can be written for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum Ci {
    /// GitHub Actions.
    #[default]
    Github,
    /// GitLab CI/CD.
    Gitlab,
    /// No job.
    None,
}

/// A file to write.
struct File {
    path: PathBuf,
    text: String,
    /// What it is, for people.
    what: &'static str,
}

/// The settings of the discovery.
///
/// # Errors
/// The exit code, once it is told what is wrong: also that a file is there already.
pub(super) fn settle(args: &InitArgs) -> Result<Settings, Exit> {
    let launch = &args.launch;
    let taken: Vec<String> = paths(args)
        .into_iter()
        .filter(|path| path.exists() && !args.force)
        .map(|path| path.display().to_string())
        .collect();
    if !taken.is_empty() {
        let told = Diagnostic::error(
            "init::exists",
            format!(
                "nothing was written: {} would be overwritten",
                taken.join(", ")
            ),
        );
        return Err(problem(
            &told
                .help("overwrite with --force, or move them away")
                .into(),
        ));
    }
    if launch.command.is_empty() && launch.url.is_none() && launch.from.is_none() {
        let told = Diagnostic::error("config::no-target", "there is no target to write files for");
        return Err(problem(
            &told
                .help(
                    "name the server's command: watertight init -- npx -y PACKAGE {allowed}\n\
                     or the config of an MCP client: watertight init --from .mcp.json",
                )
                .into(),
        ));
    }
    let run = RunArgs {
        launch: launch.clone(),
        quiet: args.quiet,
        ..RunArgs::default()
    };
    let mut settings = run.settle_alone().map_err(|problems| problem(&problems))?;
    settings.lock = Some(PathBuf::from(LOCK_FILE));
    Ok(settings)
}

/// Discovers, and writes.
pub(super) async fn settled(args: &InitArgs, settings: &Settings) -> Exit {
    let found = match discover::explore(settings).await {
        Ok(found) => found,
        Err(failure) => return failure.tell(),
    };
    match write(args, settings, &found) {
        Ok(()) if found.proven > 0 => Exit::Held,
        Ok(()) => Exit::Inconclusive,
        Err(failure) => failure.tell(),
    }
}

fn write(args: &InitArgs, settings: &Settings, found: &discover::Explored) -> Result<(), Failure> {
    let own_policy = args.launch.policy.is_none();
    let config = files::config(settings, &args.launch, own_policy.then_some(POLICY));
    let mut files = vec![File {
        path: FILE_NAME.into(),
        text: config,
        what: "what is tested",
    }];
    if own_policy {
        files.push(File {
            path: POLICY.into(),
            text: files::policy(found),
            what: "the contract that the server is held to",
        });
    }
    let package = files::Package::here();
    if let Some(package) = &package {
        files.push(File {
            path: files::TEST.into(),
            text: files::test(),
            what: "the trials as tests of the package",
        });
        if let Some(manifest) = package.with_test() {
            files.push(File {
                path: "Cargo.toml".into(),
                text: manifest,
                what: "the test, and watertight as a dependency of tests",
            });
        }
    }
    if let Some(path) = job(args.ci) {
        files.push(File {
            path,
            text: files::job(args.ci, settings, package.is_some()),
            what: "the job that runs it",
        });
    }
    let mut told = String::new();
    for file in &files {
        store(&file.path, file.text.as_bytes()).map_err(|error| {
            Failure::Input(format!(
                "cannot write {}: {error}\nfix: run it where files can be written",
                file.path.display()
            ))
        })?;
        told.push_str(&line("wrote", &file.path, file.what));
    }
    if found.locked {
        let what = "the tools that were found, with their roles";
        told.push_str(&line("wrote", Path::new(LOCK_FILE), what));
    }
    told.push_str(&format!(
        "\n   {} of {} roles that the tools offer can be driven, with proof{}\n",
        found.proven,
        found.proven + found.unproven,
        match found.proven {
            0 => ": `watertight discover` says why not, and --bind helps",
            _ => "",
        }
    ));
    let next = match package {
        Some(_) => "watertight run, or cargo test --test isolation",
        None => "watertight run",
    };
    let next = format!("   next: {next}\n");
    put(&if args.quiet { next } else { told + &next });
    warn(&files);
    if args.ci == Ci::Gitlab && job(args.ci).is_some_and(|path| path != Path::new(GITLAB)) {
        shout("   note: add to .gitlab-ci.yml: include: [{ local: watertight.gitlab-ci.yml }]\n");
    }
    Ok(())
}

fn line(done: &str, path: &Path, what: &str) -> String {
    format!("   {done} {:<34} {what}\n", path.display().to_string())
}

/// Secrets that came from the command line or a client's config are not for files that are committed.
fn warn(files: &[File]) {
    for file in files {
        let source = Source::new(file.path.display().to_string(), file.text.as_str());
        let Ok(linted) = lint(&source, &[]) else {
            continue;
        };
        for diagnostic in linted.diagnostics(Severity::Critical) {
            shout(&diagnostic.render(Look::of_stderr()));
        }
    }
}

const GITLAB: &str = ".gitlab-ci.yml";

/// Where the job goes. A pipeline that is there already is not ours to change.
fn job(ci: Ci) -> Option<PathBuf> {
    match ci {
        Ci::Github => Some(PathBuf::from(".github/workflows/watertight.yml")),
        Ci::Gitlab => Some(PathBuf::from(if Path::new(GITLAB).exists() {
            "watertight.gitlab-ci.yml"
        } else {
            GITLAB
        })),
        Ci::None => None,
    }
}

/// The files that would be overwritten; `Cargo.toml` is only added to.
fn paths(args: &InitArgs) -> Vec<PathBuf> {
    let mut paths = vec![PathBuf::from(FILE_NAME)];
    if args.launch.policy.is_none() {
        paths.push(POLICY.into());
    }
    if files::Package::here().is_some() {
        paths.push(files::TEST.into());
    }
    paths.extend(job(args.ci));
    paths
}
