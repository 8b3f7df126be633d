//! From a report to what the user gets: texts on standard output, files, and the exit code.
//!
//! Owns where each report goes and what happens when it cannot get there.

use std::{path::PathBuf, sync::Arc};

use super::{
    event_log::EventLog,
    interrupt::Interrupts,
    print::{complain, deliver, shout},
    style,
};
use crate::{
    config::{ReportFormat, Settings, Verbosity},
    diag::Look,
    exit::Exit,
    report::{
        BaselineFault, BaselineProblem, Format, Report, conclusion_line, render_terminal,
        write_reports,
    },
};

/// Delivers the report. Files are finished; a second interrupt ends the wait for a pipe that nobody reads, and where
/// standard output is one, the first.
pub(super) async fn conclude(
    settings: &Settings,
    report: Report,
    log: EventLog,
    interrupts: &mut Interrupts,
) -> Exit {
    let deliveries = Arc::new(Deliveries::of(settings));
    let report = Arc::new(report);
    let code = report.summary.exit_code;
    mend(settings, &report);
    log.write(&conclusion_line(&report));
    // Files first: they do not depend on who reads our output, and how fast.
    let mut written = tokio::task::spawn_blocking({
        let (deliveries, report) = (Arc::clone(&deliveries), Arc::clone(&report));
        move || deliveries.write(&report)
    });
    let mut once = false;
    let mut lost = loop {
        tokio::select! {
            // What it panicked with has been told already.
            lost = &mut written => break lost.unwrap_or_default(),
            _ = interrupts.next() => {
                if once {
                    break vec![GIVEN_UP.to_owned()];
                }
                once = true;
                shout("interrupted: the reports are being written; once more to give up\n");
            }
        }
    };
    lost.extend(tokio::select! {
        lost = tokio::task::spawn_blocking(move || deliveries.print(&report)) => lost.unwrap_or_default(),
        _ = interrupts.next() => vec![String::from(
            "interrupted while the report was printed\n\
             fix: look whether somebody reads the pipe that standard output goes to",
        )],
    });
    lost.extend(log.lost());
    for why in &lost {
        complain(why);
    }
    let verdict = Exit::ALL
        .iter()
        .map(|(exit, _)| *exit)
        .find(|exit| exit.code() == code);
    match verdict {
        // A breach is one, whether or not all could read of it.
        Some(exit) if lost.is_empty() || exit == Exit::Breached => exit,
        _ => Exit::HarnessFault,
    }
}

/// Tells what is wrong with the baseline, at its place in the file.
fn mend(settings: &Settings, report: &Report) {
    let (Some(baseline), Some(told)) = (&settings.baseline, &report.baseline) else {
        return;
    };
    let mut problems = told.problems.iter().peekable();
    while let Some(first) = problems.next() {
        let Some(at) = baseline.find(&first.trial) else {
            continue;
        };
        let probe = |problem: &BaselineProblem| problem.trial.split('/').next().map(str::to_owned);
        let mut more = 0;
        while problems
            .next_if(|next| next.kind == first.kind && probe(next) == probe(first))
            .is_some()
        {
            more += 1;
        }
        let (code, help) = match first.kind {
            BaselineFault::Stale => (
                "baseline::stale",
                "remove what is no longer so; `watertight baseline` does that from a report",
            ),
            BaselineFault::Expired => (
                "baseline::expired",
                "mend the server, or accept it anew with a later day",
            ),
        };
        let message = match more {
            0 => first.message.clone(),
            more => format!("{}; the same goes for {more} more", first.message),
        };
        let told = baseline.problem(code, message, at).help(help);
        shout(&told.render(Look::of_stderr()));
    }
}

const GIVEN_UP: &str = "interrupted while the reports were written: some may be missing\n\
     fix: look whether somebody reads the pipe or device that a report goes to";

/// What goes where.
struct Deliveries {
    files: Vec<(Format, PathBuf)>,
    printed: Vec<Format>,
    /// Whether standard output has the events.
    followed: bool,
    verbosity: Verbosity,
}

impl Deliveries {
    fn of(settings: &Settings) -> Self {
        let mut made = Self {
            files: Vec::new(),
            printed: Vec::new(),
            followed: false,
            verbosity: settings.verbosity,
        };
        for wanted in &settings.reports {
            // Written by now.
            if wanted.format == ReportFormat::Jsonl {
                made.followed |= wanted.path.is_none();
                continue;
            }
            let format = Format::from(wanted.format);
            match &wanted.path {
                Some(path) => made.files.push((format, PathBuf::from(path))),
                None => made.printed.push(format),
            }
        }
        made
    }

    /// Writes the files; returns why some could not be.
    fn write(&self, report: &Report) -> Vec<String> {
        let lost = write_reports(report, &self.files);
        lost.iter().map(ToString::to_string).collect()
    }

    /// Writes what goes to standard output; returns why some of it could not be.
    fn print(&self, report: &Report) -> Vec<String> {
        let texts: Vec<String> = if self.printed.is_empty() && !self.followed {
            vec![self.page(report)]
        } else {
            self.printed
                .iter()
                .map(|format| match format {
                    Format::Terminal => render_terminal(report, &style::look(false)),
                    other => other.render(report),
                })
                .collect()
        };
        let failed = texts.iter().filter_map(|text| deliver(text).err());
        failed
            .map(|error| {
                format!(
                    "the report could not be printed: {error}\n\
                     fix: free some space where standard output goes, or write a file with --report"
                )
            })
            .collect()
    }

    /// What a person reads when no report was asked for on standard output.
    fn page(&self, report: &Report) -> String {
        let page = render_terminal(report, &style::look(self.verbosity == Verbosity::Verbose));
        if self.verbosity == Verbosity::Quiet {
            // What stands below the last rule.
            let lines: Vec<&str> = page.trim_end().lines().collect();
            let rule = lines.iter().rposition(|line| line.contains("───"));
            format!("{}\n", lines[rule.map_or(0, |at| at + 1)..].join("\n"))
        } else {
            page
        }
    }
}
