//! `watertight fleet`: many servers, each in a run of its own.
//!
//! Owns the flags, and what is written and printed. How the runs go is the business of `drive`.

mod drive;
mod files;

use std::path::PathBuf;

use clap::Args;

use super::{
    exit_of,
    interrupt::Interrupts,
    print::{complain, deliver, problem, shout},
    style,
};
use crate::{
    config::Fleet,
    diag::{Diagnostic, Problems},
    exit::Exit,
    report::{
        FleetReport, fleet_outcomes, render_fleet_html, render_fleet_json, render_fleet_terminal,
        write::store,
    },
};
use drive::drive;
use files::Files;

/// Arguments of `watertight fleet`.
#[derive(Debug, Clone, Args)]
pub struct FleetArgs {
    /// The fleet: TOML, YAML or JSON (`watertight schema fleet`)
    #[arg(value_name = "FILE", default_value = "fleet.toml")]
    pub file: PathBuf,

    /// Probe only this server; repeatable
    #[arg(long, value_name = "NAME")]
    pub server: Vec<String>,

    /// Servers probed at once
    #[arg(long, short, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=256))]
    pub jobs: Option<u32>,

    /// Directory of the reports
    #[arg(long, short, value_name = "DIR")]
    pub output: Option<PathBuf>,

    /// Print the summary only
    #[arg(long, short)]
    pub quiet: bool,
}

/// Runs the fleet. The exit code is the worst of its servers.
pub(super) async fn run(args: &FleetArgs) -> Exit {
    let fleet = match chosen(args) {
        Ok(fleet) => fleet,
        Err(problems) => return problem(&problems),
    };
    let interrupts = match Interrupts::listen() {
        Ok(interrupts) => interrupts,
        Err(error) => {
            complain(&format!("interrupts cannot be heard: {error}"));
            return Exit::HarnessFault;
        }
    };
    let files = Files::new(&fleet);
    if let Err(error) = files.clear() {
        complain(&format!(
            "{} cannot hold the reports: {error}\nfix: make it writable, or name another directory with --output",
            fleet.directory.display()
        ));
        return Exit::BadInput;
    }
    let started = humantime::format_rfc3339_seconds(std::time::SystemTime::now()).to_string();
    let begun = std::time::Instant::now();
    let tell = |line: &str| {
        if !args.quiet {
            shout(line);
        }
    };
    let (servers, interrupted) = drive(&args.file, &fleet, &files, interrupts, &tell).await;
    let (outcomes, exit_code) = fleet_outcomes(&servers);
    let report = FleetReport {
        schema: 1,
        version: String::from(env!("CARGO_PKG_VERSION")),
        started,
        took_ms: u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX),
        jobs: fleet.jobs,
        interrupted,
        exit_code,
        outcomes,
        servers,
    };
    conclude(args, &fleet, &files, &report)
}

/// The fleet, as far as it was asked for.
fn chosen(args: &FleetArgs) -> Result<Fleet, Problems> {
    let mut fleet = Fleet::read(&args.file)?;
    for name in &args.server {
        if !fleet.servers.contains(name) {
            let told = Diagnostic::error(
                "fleet::unknown",
                format!("{} has no server called `{name}`", args.file.display()),
            );
            return Err(told
                .help(format!("its servers are {}", fleet.servers.join(", ")))
                .into());
        }
    }
    if !args.server.is_empty() {
        fleet.servers.retain(|name| args.server.contains(name));
    }
    if let Some(jobs) = args.jobs {
        fleet.jobs = jobs as usize;
    }
    if let Some(output) = &args.output {
        fleet.directory.clone_from(output);
    }
    Ok(fleet)
}

fn conclude(args: &FleetArgs, fleet: &Fleet, files: &Files, report: &FleetReport) -> Exit {
    let page = files.overview("index.html");
    let lost = [
        (files.overview("fleet.json"), render_fleet_json(report)),
        (page.clone(), render_fleet_html(report)),
    ]
    .into_iter()
    .filter_map(|(path, text)| {
        let error = store(&path, text.as_bytes()).err()?;
        Some(format!(
            "cannot write the overview to {}: {error}\nfix: make the directory writable, or name another with --output",
            path.display()
        ))
    });
    let mut lost: Vec<String> = lost.collect();
    let text = render_fleet_terminal(report, &style::look(false), &page.display().to_string());
    let text = match args.quiet {
        true => format!("{}\n", text.trim_end().lines().last().unwrap_or_default()),
        false => text,
    };
    if let Err(error) = deliver(&text) {
        lost.push(format!(
            "the overview could not be printed: {error}\nfix: it is in {}",
            fleet.directory.display()
        ));
    }
    for why in &lost {
        complain(why);
    }
    match exit_of(report.exit_code) {
        exit if lost.is_empty() || exit == Exit::Breached => exit,
        _ => Exit::HarnessFault,
    }
}
