//! The files of a fleet: where each report goes.
//!
//! Owns names. All lie in one directory, so that the overview reaches them wherever it is moved to.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use crate::{
    config::{Fleet, ReportFormat},
    report::{FleetFile, Format},
};

/// Where the reports of a fleet go.
pub(super) struct Files {
    directory: PathBuf,
    formats: Vec<Format>,
    servers: Vec<String>,
}

impl Files {
    pub(super) fn new(fleet: &Fleet) -> Self {
        let own = [ReportFormat::Json, ReportFormat::Html];
        let formats = own.iter().chain(&fleet.formats);
        Self {
            directory: fleet.directory.clone(),
            formats: formats.map(|format| Format::from(*format)).collect(),
            servers: fleet.servers.clone(),
        }
    }

    /// Makes the directory, and takes out what an earlier fleet wrote about the same servers: an old
    /// report must not be taken for a new one.
    pub(super) fn clear(&self) -> io::Result<()> {
        fs::create_dir_all(&self.directory)?;
        let servers = self.servers.iter().flat_map(|server| self.of(server));
        let paths = servers
            .map(|(_, path)| path)
            .chain(self.servers.iter().map(|server| self.log(server)))
            .chain(["fleet.json", "index.html"].map(|name| self.overview(name)));
        for path in paths {
            match fs::remove_file(path) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
        }
        // Found out now, and not after an hour.
        tempfile::Builder::new()
            .prefix(".watertight-")
            .tempfile_in(&self.directory)
            .map(drop)
    }

    /// A file of the overview.
    pub(super) fn overview(&self, name: &str) -> PathBuf {
        self.directory.join(name)
    }

    /// The reports of a server.
    pub(super) fn of(&self, server: &str) -> Vec<(Format, PathBuf)> {
        let path = |format: &Format| {
            let name = format!("{server}.{}", extension(*format));
            (*format, self.directory.join(name))
        };
        self.formats.iter().map(path).collect()
    }

    /// What the run of a server said.
    pub(super) fn log(&self, server: &str) -> PathBuf {
        self.directory.join(format!("{server}.log"))
    }

    /// The files of a server that are there.
    pub(super) fn there(&self, server: &str) -> Vec<FleetFile> {
        let log = (String::from("log"), self.log(server));
        let reports = self.of(server).into_iter();
        reports
            .map(|(format, path)| (format.to_string(), path))
            .chain([log])
            .filter(|(_, path)| path.is_file())
            .filter_map(|(format, path)| {
                let path = relative(&path)?;
                Some(FleetFile { format, path })
            })
            .collect()
    }
}

fn relative(path: &Path) -> Option<String> {
    Some(path.file_name()?.to_str()?.to_owned())
}

fn extension(format: Format) -> &'static str {
    match format {
        Format::Terminal => "txt",
        Format::Json => "json",
        Format::Html => "html",
        Format::Junit => "junit.xml",
        Format::Sarif => "sarif",
        Format::Markdown => "md",
        Format::Jsonl => "jsonl",
        Format::InToto => "intoto.json",
        Format::Oscal => "oscal.json",
    }
}
