//! JSON Lines, written while the run goes on.
//!
//! Owns the files and pipes that take them: a line is written whole and at once, so that whoever
//! follows the file sees what happens. One that cannot be written any more costs no other report. From
//! within a bottle a file can only be put out whole: it is, every so often and at the end.

use std::{
    cell::RefCell,
    fs::File,
    io::Write,
    path::PathBuf,
    time::{Duration, Instant},
};

use super::print::deliver;
use crate::{
    config::{ReportFormat, Settings},
    report::{event_line, write::store},
    run::Event,
    testbed::namespace::Bottle,
};

/// How old the file that a bottle put out may get while there is more to tell.
const OFTEN: Duration = Duration::from_millis(500);

/// Where the lines of a run go.
#[derive(Debug, Default)]
pub(super) struct EventLog {
    sinks: RefCell<Vec<Sink>>,
}

#[derive(Debug)]
struct Sink {
    /// `None` for standard output.
    path: Option<PathBuf>,
    /// `None` for standard output, and once it failed.
    file: Option<File>,
    /// In a bottle: all lines, and when they were put out last.
    kept: Option<(String, Instant)>,
    lost: Option<String>,
}

impl EventLog {
    /// Opens what the settings name; an older file is begun anew.
    pub(super) fn open(settings: &Settings) -> Self {
        let wanted = settings
            .reports
            .iter()
            .filter(|report| report.format == ReportFormat::Jsonl);
        let sinks = wanted.map(|report| Sink::open(report.path.clone().map(PathBuf::from)));
        Self {
            sinks: RefCell::new(sinks.collect()),
        }
    }

    /// Writes an event.
    pub(super) fn tell(&self, event: &Event) {
        if !self.sinks.borrow().is_empty() {
            self.write(&event_line(event));
        }
    }

    /// Writes a line that was made elsewhere.
    pub(super) fn write(&self, line: &str) {
        for sink in self.sinks.borrow_mut().iter_mut() {
            sink.write(line);
        }
    }

    /// Why lines are missing, for each place where some are.
    pub(super) fn lost(self) -> Vec<String> {
        let sinks = self.sinks.into_inner().into_iter();
        sinks.filter_map(Sink::finish).collect()
    }
}

impl Sink {
    fn open(path: Option<PathBuf>) -> Self {
        let mut sink = Self {
            path,
            file: None,
            kept: None,
            lost: None,
        };
        if Bottle::around().is_some() {
            sink.kept = Some((String::new(), Instant::now()));
        } else if let Some(path) = sink.path.clone() {
            let directory = path
                .parent()
                .filter(|parent| !parent.as_os_str().is_empty());
            let made = directory.map_or(Ok(()), std::fs::create_dir_all);
            match made.and_then(|()| File::create(&path)) {
                Ok(file) => sink.file = Some(file),
                Err(error) => sink.fail(&error),
            }
        }
        sink
    }

    fn write(&mut self, line: &str) {
        let written = match (&self.path, &mut self.file, &mut self.kept) {
            _ if self.lost.is_some() => return,
            (None, ..) => deliver(line),
            (Some(_), Some(file), _) => file.write_all(line.as_bytes()),
            (Some(path), None, Some((lines, last))) => {
                lines.push_str(line);
                if last.elapsed() < OFTEN {
                    return;
                }
                *last = Instant::now();
                store(path, lines.as_bytes())
            }
            (Some(_), None, None) => return,
        };
        if let Err(error) = written {
            self.fail(&error);
        }
    }

    fn finish(mut self) -> Option<String> {
        if let (Some(path), Some((lines, _)), None) = (&self.path, &self.kept, &self.lost)
            && let Err(error) = store(path, lines.as_bytes())
        {
            self.fail(&error);
        }
        self.lost
    }

    fn fail(&mut self, error: &std::io::Error) {
        let place = self.path.as_ref().map_or_else(
            || String::from("standard output"),
            |path| path.display().to_string(),
        );
        self.lost = Some(format!(
            "cannot write the jsonl report to {place}: {error}\n\
             fix: name another place with --report"
        ));
        self.file = None;
    }
}
