//! The audit log of a reference server: one JSON line per call, rotated by size.
//!
//! Owns what a record says and how a file is begun, rotated and kept private. Must not know how a call was decided.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use serde_json::{Map, Value, json};

use super::{AuditOptions, Flaw, FlawSet};

/// Calls at once above which [`Flaw::AuditDropsUnderLoad`] drops records.
const BUSY: usize = 4;

/// Where records go.
#[derive(Debug)]
pub(super) struct Audit {
    options: AuditOptions,
    flaws: FlawSet,
    file: Mutex<Option<(File, u64)>>,
    busy: AtomicUsize,
}

/// What is recorded of a call.
#[derive(Debug)]
pub(super) struct Entry<'e> {
    pub(super) event: &'static str,
    pub(super) tool: &'e str,
    pub(super) arguments: &'e Map<String, Value>,
    /// Real paths behind those that were asked for.
    pub(super) resolved: Vec<PathBuf>,
    pub(super) outcome: &'static str,
    /// The answer, for [`Flaw::AuditSecretsRecorded`].
    pub(super) answer: &'e str,
}

impl Audit {
    /// Begins the log.
    ///
    /// # Errors
    /// When the file cannot be made: a server that is to record everything does not start without its log.
    pub(super) fn new(options: AuditOptions, flaws: &FlawSet) -> io::Result<Self> {
        let audit = Self {
            options,
            flaws: flaws.clone(),
            file: Mutex::new(None),
            busy: AtomicUsize::new(0),
        };
        audit.write("{\"event\":\"server_start\"}")?;
        Ok(audit)
    }

    /// The file, unless it is standard error.
    pub(super) fn path(&self) -> Option<&Path> {
        (self.options.to.as_os_str() != "stderr").then_some(&*self.options.to)
    }

    /// A call begins; it ends when the guard is dropped.
    pub(super) fn begin(&self) -> Busy<'_> {
        self.busy.fetch_add(1, Ordering::Relaxed);
        Busy(&self.busy)
    }

    /// Records a call.
    ///
    /// # Errors
    /// When the record cannot be written.
    pub(super) fn record(&self, entry: &Entry<'_>) -> io::Result<()> {
        let has = |flaw| self.flaws.has(flaw);
        if has(Flaw::AuditDropsUnderLoad) {
            std::thread::sleep(Duration::from_millis(5));
            if self.busy.load(Ordering::Relaxed) > BUSY {
                return Ok(());
            }
        }
        let unrecorded = (has(Flaw::AuditFilesUnrecorded) && entry.event == "file_access")
            || (has(Flaw::AuditNetworkUnrecorded) && entry.event == "network_request")
            || (has(Flaw::AuditCommandsUnrecorded) && entry.event == "command_execution")
            || (has(Flaw::AuditDenialsUnrecorded) && entry.outcome == "denied");
        if unrecorded {
            return Ok(());
        }
        let mut target: Vec<String> = Vec::new();
        for (name, value) in entry.arguments {
            if !matches!(
                name.as_str(),
                "content" | "edits" | "patch" | "pattern" | "title"
            ) {
                named(value, &mut target);
            }
        }
        let target = target.join(" ");
        let time = humantime::format_rfc3339_millis(SystemTime::now()).to_string();
        if has(Flaw::AuditLinesKept) {
            return self.write(&format!(
                "time={time} event={} tool={} outcome={} target={target}",
                entry.event, entry.tool, entry.outcome
            ));
        }
        let mut record = json!({
            "time": time,
            "event": entry.event,
            "tool": entry.tool,
            "target": target,
            "outcome": entry.outcome,
        });
        if !has(Flaw::AuditAliasOnly) {
            record["resolved"] = entry
                .resolved
                .iter()
                .map(|path| Value::from(path.to_string_lossy()))
                .collect();
        }
        if has(Flaw::AuditSecretsRecorded) {
            record["arguments"] = Value::Object(entry.arguments.clone());
            record["answer"] = entry.answer.into();
        }
        self.write(&record.to_string())
    }

    /// Records that a caller was not let in.
    ///
    /// # Errors
    /// When the record cannot be written.
    pub(super) fn refused(&self, peer: &str, target: &str) -> io::Result<()> {
        let time = humantime::format_rfc3339_millis(SystemTime::now()).to_string();
        let record = json!({
            "time": time,
            "event": "auth_failure",
            "peer": peer,
            "target": target,
            "outcome": "denied",
        });
        self.write(&record.to_string())
    }

    fn write(&self, line: &str) -> io::Result<()> {
        if self.flaws.has(Flaw::AuditOnStdout) {
            writeln!(io::stdout().lock(), "audit: {line}")?;
        }
        let Some(path) = self.path() else {
            return writeln!(io::stderr().lock(), "{line}");
        };
        let mut open = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        let limit = self.options.max_bytes;
        let full =
            |(_, size): &(File, u64)| limit.is_some_and(|most| size + line.len() as u64 >= most);
        if open.as_ref().is_some_and(full) {
            *open = None;
            if !self.flaws.has(Flaw::AuditRotationLoses) {
                self.rotate(path)?;
            } else {
                fs::remove_file(path)?;
                *open = Some(self.open(path)?);
                return Ok(());
            }
        }
        if open.is_none() {
            *open = Some(self.open(path)?);
        }
        if let Some((file, size)) = open.as_mut() {
            // One write, so that records of two servers do not mix.
            file.write_all(format!("{line}\n").as_bytes())?;
            *size += line.len() as u64 + 1;
        }
        Ok(())
    }

    /// `server.log` becomes `server.log.1`, and so on; what would be one too many goes.
    fn rotate(&self, path: &Path) -> io::Result<()> {
        let nth = |number: u32| PathBuf::from(format!("{}.{number}", path.display()));
        let kept = self.options.max_files.max(1);
        for number in (1..kept.saturating_sub(1)).rev() {
            if nth(number).exists() {
                fs::rename(nth(number), nth(number + 1))?;
            }
        }
        if kept == 1 {
            return fs::remove_file(path);
        }
        fs::rename(path, nth(1))
    }

    fn open(&self, path: &Path) -> io::Result<(File, u64)> {
        let open = self.flaws.has(Flaw::AuditWorldReadable);
        if let Some(parent) = path.parent() {
            let mode = if open { 0o755 } else { 0o700 };
            DirBuilder::new()
                .recursive(true)
                .mode(mode)
                .create(parent)?;
        }
        let file = OpenOptions::new()
            .append(true)
            .create(true)
            .mode(if open { 0o644 } else { 0o600 })
            .open(path)?;
        let size = file.metadata()?.len();
        Ok((file, size))
    }
}

/// A call that is under way.
#[derive(Debug)]
pub(super) struct Busy<'a>(&'a AtomicUsize);

impl Drop for Busy<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// What a value names: its texts, URLs without credentials.
fn named(value: &Value, into: &mut Vec<String>) {
    match value {
        Value::String(text) => into.push(match url::Url::parse(text) {
            Ok(mut url) if url.password().is_some() || !url.username().is_empty() => {
                // Both fail only for URLs that cannot have them.
                let _none = url.set_password(None);
                let _none = url.set_username("");
                url.to_string()
            }
            _ => text.clone(),
        }),
        Value::Array(items) => items.iter().for_each(|item| named(item, into)),
        Value::Object(members) => members.values().for_each(|member| named(member, into)),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}
