//! The formats and how they reach the disk.
//!
//! Owns the registry of formats and the writing of files. A renderer never fails on a report; if
//! one does nevertheless, or a disk is full, the other reports are written all the same.

use std::{
    fmt, fs, io,
    io::Write,
    panic::{AssertUnwindSafe, catch_unwind},
    path::{Path, PathBuf},
    str::FromStr,
};

use thiserror::Error;

use crate::{
    config::ReportFormat,
    report::{
        Look, Report, render_html, render_in_toto, render_json, render_jsonl, render_junit,
        render_markdown, render_oscal, render_sarif, render_terminal,
    },
    testbed::namespace::Bottle,
};

/// A format in which a report can be rendered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Format {
    /// For people, as on the terminal.
    Terminal,
    /// The canonical form, `reports/report-v1.schema.json`.
    Json,
    /// One page for a browser.
    Html,
    /// JUnit XML, for the test views of CI systems.
    Junit,
    /// SARIF 2.1.0, for code scanning.
    Sarif,
    /// For the summary page of a CI job.
    Markdown,
    /// JSON Lines: the events of the run, written while it goes on.
    Jsonl,
    /// An unsigned in-toto statement with a test result.
    InToto,
    /// OSCAL assessment results.
    Oscal,
}

impl Format {
    /// All formats.
    pub const ALL: &'static [Format] = &[
        Format::Terminal,
        Format::Json,
        Format::Html,
        Format::Junit,
        Format::Sarif,
        Format::Markdown,
        Format::Jsonl,
        Format::InToto,
        Format::Oscal,
    ];

    /// The word by which a user names it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Format::Terminal => "text",
            Format::Json => "json",
            Format::Html => "html",
            Format::Junit => "junit",
            Format::Sarif => "sarif",
            Format::Markdown => "markdown",
            Format::Jsonl => "jsonl",
            Format::InToto => "in-toto",
            Format::Oscal => "oscal",
        }
    }

    /// The report in this format as it goes into a file: complete and without colour.
    #[must_use]
    pub fn render(self, report: &Report) -> String {
        match self {
            Format::Terminal => render_terminal(
                report,
                &Look {
                    color: false,
                    width: 100,
                    verbose: true,
                },
            ),
            Format::Json => render_json(report),
            Format::Html => render_html(report),
            Format::Junit => render_junit(report),
            Format::Sarif => render_sarif(report),
            Format::Markdown => render_markdown(report),
            Format::Jsonl => render_jsonl(report),
            Format::InToto => render_in_toto(report),
            Format::Oscal => render_oscal(report),
        }
    }
}

impl From<ReportFormat> for Format {
    fn from(word: ReportFormat) -> Self {
        match word {
            ReportFormat::Text => Format::Terminal,
            ReportFormat::Json => Format::Json,
            ReportFormat::Html => Format::Html,
            ReportFormat::Junit => Format::Junit,
            ReportFormat::Sarif => Format::Sarif,
            ReportFormat::Markdown => Format::Markdown,
            ReportFormat::Jsonl => Format::Jsonl,
            ReportFormat::InToto => Format::InToto,
            ReportFormat::Oscal => Format::Oscal,
        }
    }
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A word that names no format.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum FormatError {
    /// No format has the name.
    #[error("unknown report format `{0}`; known formats: {formats}", formats = known())]
    Unknown(String),
    /// `FORMAT=PATH` was expected.
    #[error("`{0}` is not FORMAT=PATH; write for example `json=report.json` (known formats: {formats})", formats = known())]
    NoPath(String),
}

fn known() -> String {
    let names: Vec<&str> = Format::ALL.iter().map(|format| format.name()).collect();
    names.join(", ")
}

impl FromStr for Format {
    type Err = FormatError;

    fn from_str(word: &str) -> Result<Self, FormatError> {
        Format::ALL
            .iter()
            .copied()
            .find(|format| format.name() == word)
            .ok_or_else(|| FormatError::Unknown(String::from(word)))
    }
}

/// Reads `FORMAT=PATH`, as `--report` takes it.
///
/// # Errors
/// The format is unknown, or the path is missing.
pub fn parse_destination(text: &str) -> Result<(Format, PathBuf), FormatError> {
    match text.split_once('=') {
        Some((format, path)) if !path.is_empty() => Ok((format.parse()?, PathBuf::from(path))),
        _ => Err(FormatError::NoPath(String::from(text))),
    }
}

/// A report that could not be written.
#[derive(Debug, Error)]
pub enum WriteError {
    /// The renderer failed: a fault of the harness.
    #[error("the {format} report for {} could not be rendered; this is a fault of watertight", path.display())]
    Render {
        /// The format.
        format: Format,
        /// Where it was to go.
        path: PathBuf,
    },
    /// The file system refused.
    #[error("cannot write the {format} report to {}: {source}; {}", path.display(), advice(source))]
    Io {
        /// The format.
        format: Format,
        /// Where it was to go.
        path: PathBuf,
        /// Why it did not.
        source: io::Error,
    },
}

fn advice(error: &io::Error) -> &'static str {
    match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
            "free some space, or name another place with --report"
        }
        io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => {
            "make the directory writable, or name another place with --report"
        }
        io::ErrorKind::IsADirectory => "name a file in it",
        _ => "name another place with --report",
    }
}

/// Renders and writes each report apart from the others and returns what went wrong, in order.
///
/// A file appears whole or not at all: it is written beside its place and renamed. Missing
/// directories are made. Devices and pipes are written in place.
#[must_use = "a report that is missing must be told"]
pub fn write_reports(report: &Report, destinations: &[(Format, PathBuf)]) -> Vec<WriteError> {
    destinations
        .iter()
        .filter_map(|(format, path)| write_one(report, *format, path).err())
        .collect()
}

fn write_one(report: &Report, format: Format, path: &Path) -> Result<(), WriteError> {
    let text = catch_unwind(AssertUnwindSafe(|| format.render(report))).map_err(|_| {
        WriteError::Render {
            format,
            path: path.to_owned(),
        }
    })?;
    store(path, text.as_bytes()).map_err(|source| WriteError::Io {
        format,
        path: path.to_owned(),
        source,
    })
}

/// Puts a file in its place, whole or not at all. In a bottle the outer process does it: what is
/// written inside is gone with the bottle.
pub(crate) fn store(path: &Path, bytes: &[u8]) -> io::Result<()> {
    if let Some(bottle) = Bottle::around() {
        return bottle.store(path, bytes);
    }
    // Renaming over a link or a device would replace it, `/dev/stdout` included.
    let path = match fs::metadata(path) {
        Ok(found) if found.is_dir() => return Err(io::ErrorKind::IsADirectory.into()),
        Ok(found) if !found.is_file() => {
            return fs::OpenOptions::new()
                .write(true)
                .open(path)?
                .write_all(bytes);
        }
        Ok(_) => fs::canonicalize(path)?,
        Err(_) => path.to_owned(),
    };
    let parent = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    fs::create_dir_all(parent)?;
    let mut builder = tempfile::Builder::new();
    builder.prefix(".watertight-");
    // The file's default would be private to its owner; CI uploads reports as another user.
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
    let mut file = builder.tempfile_in(parent).map_err(cause)?;
    file.write_all(bytes)?;
    file.as_file().sync_all()?;
    file.persist(&path)?;
    Ok(())
}

/// The error of the system, without the name of a file that is of no interest.
fn cause(error: io::Error) -> io::Error {
    let source = error.get_ref().and_then(|error| error.source());
    let system = source.and_then(|source| source.downcast_ref::<io::Error>());
    match system.and_then(io::Error::raw_os_error) {
        Some(code) => io::Error::from_raw_os_error(code),
        None => error.kind().into(),
    }
}
