//! `watertight merge`: the one report of a run that was done in parts.
//!
//! Owns the flags. What belongs together is the report's to say.

use std::path::PathBuf;

use clap::Args;

use super::{
    exit_of,
    print::{complain, deliver},
    style,
};
use crate::{
    exit::Exit,
    report::{
        Format, Report, merge, parse_destination, read_report, render_terminal, write_reports,
    },
};

/// Arguments of `watertight merge`.
#[derive(Debug, Clone, Args)]
pub struct MergeArgs {
    /// JSON reports of all parts, in any order
    #[arg(value_name = "REPORT", required = true)]
    pub parts: Vec<PathBuf>,

    /// Write the merged JSON report to this file
    #[arg(long, short, value_name = "PATH")]
    pub output: Option<PathBuf>,

    /// Write a report (formats: see render); repeatable
    #[arg(long, value_name = "FORMAT=PATH", value_parser = destination)]
    pub report: Vec<(Format, PathBuf)>,

    /// Print the summary only
    #[arg(long, short)]
    pub quiet: bool,
}

fn destination(text: &str) -> Result<(Format, PathBuf), String> {
    parse_destination(text).map_err(|error| error.to_string())
}

/// Merges, writes, prints. The exit code is that of the run.
pub fn run(args: &MergeArgs) -> Exit {
    match merged(args) {
        Ok(report) => tell(args, &report),
        Err(message) => {
            complain(&message);
            Exit::BadInput
        }
    }
}

fn merged(args: &MergeArgs) -> Result<Report, String> {
    let mut parts = Vec::with_capacity(args.parts.len());
    for path in &args.parts {
        let report = read_report(path).map_err(|error| error.to_string())?;
        parts.push((path.display().to_string(), report));
    }
    merge(&parts).map_err(|error| error.to_string())
}

fn tell(args: &MergeArgs, report: &Report) -> Exit {
    let json = args.output.iter().map(|path| (Format::Json, path.clone()));
    let (printed, files): (Vec<_>, Vec<_>) = json
        .chain(args.report.iter().cloned())
        .partition(|(_, path)| path.as_os_str() == "-");
    let mut lost: Vec<String> = write_reports(report, &files)
        .iter()
        .map(ToString::to_string)
        .collect();
    let page = render_terminal(report, &style::look(false));
    let texts: Vec<String> = match (&*printed, args.quiet) {
        ([], false) => vec![page],
        ([], true) => vec![format!(
            "{}\n",
            page.trim_end().lines().last().unwrap_or_default()
        )],
        (formats, _) => formats
            .iter()
            .map(|(format, _)| format.render(report))
            .collect(),
    };
    lost.extend(texts.iter().filter_map(|text| {
        let error = deliver(text).err()?;
        Some(format!(
            "the report could not be printed: {error}\nfix: free some space where standard output goes, or write a file with --output"
        ))
    }));
    for why in &lost {
        complain(why);
    }
    match exit_of(report.summary.exit_code) {
        exit if lost.is_empty() || exit == Exit::Breached => exit,
        _ => Exit::HarnessFault,
    }
}
