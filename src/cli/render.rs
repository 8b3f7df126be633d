//! `watertight render`: any format from a report that was stored.
//!
//! Owns the flags. Reading, refusing and rendering are the report's.

use std::path::PathBuf;

use clap::Args;

use super::{
    print::{complain, deliver},
    style,
};
use crate::{
    config::ReportFormat,
    diag::word_of,
    exit::Exit,
    report::{Format, read_report, render_terminal, write_reports},
};

/// Arguments of `watertight render`.
#[derive(Debug, Clone, Args)]
pub struct RenderArgs {
    /// A JSON report; - reads standard input
    #[arg(value_name = "REPORT")]
    pub report: PathBuf,

    /// The format: text, json, html, junit, sarif, markdown, jsonl, in-toto or oscal
    #[arg(long, short, value_name = "FORMAT", default_value = "text", value_parser = format_of)]
    pub format: Format,

    /// Write to this file [default: standard output]
    #[arg(long, short, value_name = "PATH")]
    pub output: Option<PathBuf>,
}

fn format_of(text: &str) -> Result<Format, String> {
    word_of::<ReportFormat>(text).map(Format::from)
}

/// Renders a stored report. The exit code tells of the rendering, not of the run.
pub fn run(args: &RenderArgs) -> Exit {
    let report = match read_report(&args.report) {
        Ok(report) => report,
        Err(error) => {
            complain(&error.to_string());
            return Exit::BadInput;
        }
    };
    let lost: Vec<String> = match &args.output {
        Some(path) => write_reports(&report, &[(args.format, path.clone())])
            .iter()
            .map(ToString::to_string)
            .collect(),
        None => {
            let text = match args.format {
                Format::Terminal => render_terminal(&report, &style::look(true)),
                other => other.render(&report),
            };
            let told = deliver(&text).err().map(|error| {
                format!("the report could not be printed: {error}\nfix: free some space where standard output goes, or write a file with --output")
            });
            told.into_iter().collect()
        }
    };
    for why in &lost {
        complain(why);
    }
    if lost.is_empty() {
        Exit::Held
    } else {
        Exit::HarnessFault
    }
}
