//! Reports that were stored.
//!
//! Owns what of a file is believed: its version, its shape, and that it adds up. What it says may
//! have been written by anybody; every renderer takes its texts for a target's.

use std::{
    fs::File,
    io::{self, Read},
    path::Path,
};

use serde::Deserialize;
use thiserror::Error;

use crate::report::{AccountError, Report};

/// The version of the format that this program writes, and the newest that it reads.
pub const VERSION: u32 = 1;

/// Bytes of the largest report that is read: forty times that of a run of 5,000 trials.
pub const LARGEST: u64 = 256 << 20;

/// Why a stored report is refused.
#[derive(Debug, Error)]
pub enum ReadError {
    /// The file system refused.
    #[error(
        "{path} cannot be read: {source}\nfix: give the path of a report that `--report json=PATH` wrote, or - for standard input"
    )]
    Io {
        /// Of the file.
        path: String,
        /// Why.
        source: io::Error,
    },
    /// It is larger than [`LARGEST`].
    #[error("{path} is larger than {} MiB, more than any report\nfix: use the reports of its parts", LARGEST >> 20)]
    Large {
        /// Of the file.
        path: String,
    },
    /// It ends in the middle.
    #[error(
        "{path} ends in the middle of the report, at line {line}: it was truncated\nfix: fetch it again, or repeat the run"
    )]
    Truncated {
        /// Of the file.
        path: String,
        /// Where, from 1.
        line: usize,
    },
    /// It is no JSON.
    #[error("{path} is no JSON: {source}\nfix: give a report that `--report json=PATH` wrote")]
    Json {
        /// Of the file.
        path: String,
        /// What and where.
        source: serde_json::Error,
    },
    /// A newer program wrote it.
    #[error("{path} is a report of format {found}, and this is watertight {}, which reads formats up to {VERSION}\nfix: use the program that made it, or a newer one", env!("CARGO_PKG_VERSION"))]
    Newer {
        /// Of the file.
        path: String,
        /// Its version.
        found: u64,
    },
    /// It is JSON, but no report.
    #[error("{path} is no report: {source}{}\nfix: {}", by(writer.as_deref()), what(writer.as_deref()))]
    Shape {
        /// Of the file.
        path: String,
        /// What and where.
        source: serde_json::Error,
        /// The version of the program that wrote it, if another one did.
        writer: Option<String>,
    },
    /// What it states is not what its trials add up to.
    #[error(
        "{path} does not add up: {source}; it was edited, or put together from parts\nfix: use the report as it was written, or repeat the run"
    )]
    Account {
        /// Of the file.
        path: String,
        /// What does not.
        source: AccountError,
    },
}

fn by(writer: Option<&str>) -> String {
    writer.map_or_else(String::new, |version| {
        let version = crate::report::visible(version, 40);
        format!("\nit was written by watertight {version}")
    })
}

fn what(writer: Option<&str>) -> &'static str {
    match writer {
        Some(_) => "use the version that wrote it",
        None => "give a report that `--report json=PATH` wrote",
    }
}

/// Reads a report from a file, or from standard input for `-`, and counts it again.
///
/// # Errors
/// It cannot be read, is no report of a known version, or does not add up; see [`ReadError`].
pub fn read_report(path: &Path) -> Result<Report, ReadError> {
    let name = crate::report::visible(&path.display().to_string(), 200).into_owned();
    let bytes = bytes(path).map_err(|source| ReadError::Io {
        path: name.clone(),
        source,
    })?;
    if bytes.len() as u64 > LARGEST {
        return Err(ReadError::Large { path: name });
    }
    parse_report(&bytes, name)
}

fn bytes(path: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let most = LARGEST + 1;
    match path.as_os_str() == "-" {
        true => io::stdin().lock().take(most).read_to_end(&mut bytes)?,
        false => File::open(path)?.take(most).read_to_end(&mut bytes)?,
    };
    Ok(bytes)
}

/// What every version of a report has.
#[derive(Deserialize)]
struct Head {
    schema: Option<u64>,
    harness: Option<HeadHarness>,
}

#[derive(Deserialize)]
struct HeadHarness {
    version: Option<String>,
}

/// The report in a text that `path` names, counted again.
///
/// # Errors
/// As [`read_report`].
pub fn parse_report(bytes: &[u8], path: String) -> Result<Report, ReadError> {
    use serde_json::error::Category;
    let head: Option<Head> = match serde_json::from_slice(bytes) {
        Ok(head) => Some(head),
        Err(error) => match error.classify() {
            Category::Data => None,
            Category::Eof if !bytes.trim_ascii().is_empty() => {
                return Err(ReadError::Truncated {
                    path,
                    line: error.line(),
                });
            }
            _ => {
                return Err(ReadError::Json {
                    path,
                    source: error,
                });
            }
        },
    };
    let (schema, writer) = head.map_or((None, None), |head| {
        (
            head.schema,
            head.harness.and_then(|harness| harness.version),
        )
    });
    if let Some(found) = schema.filter(|found| *found > u64::from(VERSION)) {
        return Err(ReadError::Newer { path, found });
    }
    let report: Report = serde_json::from_slice(bytes).map_err(|source| ReadError::Shape {
        path: path.clone(),
        source,
        writer: writer.filter(|version| version != env!("CARGO_PKG_VERSION")),
    })?;
    report
        .account()
        .map_err(|source| ReadError::Account { path, source })?;
    Ok(report)
}
