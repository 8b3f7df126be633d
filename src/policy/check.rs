//! From a document to rules: what serde cannot state.
//!
//! Owns every mistake that is one of policies: its code, its words and its fix.

mod files;
mod hosts;

use std::collections::HashMap;

use crate::{
    diag::{At, Diagnostic, Source},
    policy::{STDERR, document::Document, filesystem::Filesystem},
};

/// Turns a document into rules; mistakes and warnings are added to `found`.
pub(super) fn check(
    document: &Document,
    source: &Source,
    found: &mut Vec<Diagnostic>,
) -> Option<Filesystem> {
    let mut checker = Checker { source, found };
    if let Some(server) = &document.server {
        if let Some(name) = &server.name {
            checker.not_empty(name, "a name");
        }
        if let Some(network) = &server.network {
            checker.network(network);
        }
        if let Some(timeout) = &server.timeout_seconds {
            checker.positive(timeout, "timeout_seconds");
        }
    }
    if let Some(audit) = &document.audit {
        let files = audit.log_file.iter().chain(&audit.log_files);
        for file in files.filter(|at| at.value != STDERR) {
            checker.path(file);
        }
        if let Some(fields) = &audit.fields {
            let named = [
                &fields.event,
                &fields.tool,
                &fields.target,
                &fields.outcome,
                &fields.time,
            ];
            for name in named.into_iter().flatten() {
                checker.not_empty(name, "a field");
            }
        }
        if let Some(rotate) = &audit.rotate {
            checker.positive(&rotate.max_size_mb, "max_size_mb");
            checker.positive(
                &rotate.max_files.with(rotate.max_files.value.into()),
                "max_files",
            );
        }
    }
    if let Some(limit) = document
        .resources
        .as_ref()
        .and_then(|resources| resources.max_memory_mb.as_ref())
    {
        checker.positive(limit, "max_memory_mb");
    }
    if let Some(credentials) = &document.credentials {
        for name in &credentials.variables {
            checker.variable(name);
        }
    }
    if let Some(process) = &document.process {
        if let Some(user) = &process.user {
            checker.not_empty(user, "a user");
        }
        for path in &process.read_only_paths {
            checker.path(path);
        }
    }
    if let Some(execution) = &document.execution {
        for command in &execution.allowed_commands {
            checker.not_empty(command, "a command");
        }
    }
    let files = document.capabilities.as_ref()?.filesystem.as_ref()?;
    Some(checker.files(files))
}

struct Checker<'a> {
    source: &'a Source,
    found: &'a mut Vec<Diagnostic>,
}

impl Checker<'_> {
    fn error<T>(
        &mut self,
        at: &At<T>,
        code: &'static str,
        message: String,
        label: &str,
        help: &str,
    ) {
        self.found.push(
            Diagnostic::error(code, message)
                .within(self.source)
                .label(at.span.clone(), label)
                .help(help),
        );
    }

    fn not_empty(&mut self, at: &At<String>, what: &str) -> bool {
        let full = !at.value.trim().is_empty();
        if !full {
            self.error(
                at,
                "policy::empty",
                format!("{what} must not be empty"),
                "empty",
                "give it a value, or remove it",
            );
        }
        full
    }

    fn positive(&mut self, at: &At<f64>, key: &str) -> bool {
        let value = at.value;
        let (code, message) = if value < 0.0 {
            ("policy::negative", format!("`{key}` must not be negative"))
        } else if value == 0.0 {
            ("policy::zero", format!("`{key}` must be more than 0"))
        } else {
            return true;
        };
        self.error(
            at,
            code,
            message,
            "not a usable limit",
            "leave the key out to claim no limit",
        );
        false
    }

    fn variable(&mut self, at: &At<String>) {
        if self.not_empty(at, "a variable") && at.value.contains(['=', '\0', ' ']) {
            self.error(
                at,
                "policy::variable",
                format!("`{}` is no name of an environment variable", at.value),
                "not a name",
                "write the name only; values do not belong into a policy",
            );
        }
    }

    /// Entries that a list holds twice.
    fn twice(&mut self, list: &[At<String>], key: fn(&str) -> String) {
        let mut seen: HashMap<String, &At<String>> = HashMap::new();
        for at in list {
            match seen.get(&key(&at.value)) {
                Some(first) => self.found.push(
                    Diagnostic::warning("policy::twice", format!("`{}` is listed twice", at.value))
                        .within(self.source)
                        .label(at.span.clone(), "again here")
                        .label(first.span.clone(), "first here"),
                ),
                None => {
                    seen.insert(key(&at.value), at);
                }
            }
        }
    }

    /// Entries that are both allowed and denied.
    fn contradictions(
        &mut self,
        allowed: &[At<String>],
        denied: &[At<String>],
        key: fn(&str) -> String,
    ) {
        for deny in denied {
            let same = allowed
                .iter()
                .find(|allow| key(&allow.value) == key(&deny.value));
            if let Some(allow) = same.filter(|at| !at.value.trim().is_empty()) {
                self.found.push(
                    Diagnostic::error(
                        "policy::contradiction",
                        format!("`{}` is both allowed and denied", deny.value),
                    )
                    .within(self.source)
                    .label(deny.span.clone(), "denied here")
                    .label(allow.span.clone(), "allowed here")
                    .help("remove one of them"),
                );
            }
        }
    }
}
