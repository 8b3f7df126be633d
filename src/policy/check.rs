//! From a document to rules: what serde cannot state.
//!
//! Owns every mistake that is one of policies: its code, its words and its fix.

use std::{collections::HashMap, net::IpAddr, path::Path};

use ipnet::IpNet;

use crate::{
    diag::{At, Diagnostic, Source},
    policy::{
        document::{Document, Files, Network},
        filesystem::{DenyRule, Entry, Filesystem, Location, is_pattern, pattern, protected},
        placeholder::{near_misses, occurrences},
    },
};

/// 10 MB are 10 MiB to one server and 10^7 bytes to another; only the larger reading makes a file
/// that is too large beyond doubt.
const MEGABYTE: f64 = 1_048_576.0;

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
        if let Some(file) = &audit.log_file {
            checker.path(file);
        }
        if let Some(rotate) = &audit.rotate {
            checker.positive(&rotate.max_size_mb, "max_size_mb");
            checker.positive(
                &rotate.max_files.with(rotate.max_files.value.into()),
                "max_files",
            );
        }
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

    /// What holds for paths and for patterns.
    fn path_text(&mut self, at: &At<String>) -> bool {
        if !self.not_empty(at, "a path") {
            return false;
        }
        let text = &at.value;
        if let Some((_, name)) = near_misses(text).next() {
            self.error(
                at,
                "policy::placeholder",
                format!("unknown placeholder in `{text}`"),
                "not a placeholder",
                &format!("did you mean `{{{name}}}`?"),
            );
            return false;
        }
        if text.contains('\0') {
            self.error(
                at,
                "policy::nul",
                String::from("a path cannot hold a NUL"),
                "NUL inside",
                "remove it",
            );
            return false;
        }
        if occurrences(text).any(|(span, _)| span.start > 0) {
            self.error(
                at,
                "policy::placeholder-inside",
                format!("a placeholder inside of `{text}`"),
                "stands for a whole absolute path",
                "put the placeholder first",
            );
            return false;
        }
        if text.split('/').any(|component| component == "..") {
            self.error(
                at,
                "policy::parent",
                format!("`..` in `{text}`"),
                "where this leads depends on links",
                "write the path that is meant",
            );
            return false;
        }
        true
    }

    /// An absolute path.
    fn path(&mut self, at: &At<String>) -> bool {
        if !self.path_text(at) {
            return false;
        }
        if rooted(&at.value) {
            return true;
        }
        let help = match at.value.strip_prefix('~') {
            Some(rest) => format!("write `{{home}}{rest}`"),
            None => format!(
                "write it from the root, or `{{allowed}}/{}`",
                at.value.trim_start_matches("./")
            ),
        };
        self.error(
            at,
            "policy::relative-path",
            format!("`{}` is a relative path", at.value),
            "must be absolute",
            &help,
        );
        false
    }

    fn denied_path(&mut self, at: &At<String>) -> Option<DenyRule> {
        let entry = self.entry(at);
        if !is_pattern(&at.value) {
            if at.value.contains('/') || at.value.trim().is_empty() {
                return self.path(at).then_some(DenyRule {
                    entry,
                    pattern: None,
                });
            }
            if self.path_text(at) {
                if rooted(&at.value) {
                    return Some(DenyRule {
                        entry,
                        pattern: None,
                    });
                }
                self.error(
                    at,
                    "policy::relative-path",
                    format!("`{}` is a relative path", at.value),
                    "must be absolute, or a pattern",
                    &format!("for this name in any directory write `**/{}`", at.value),
                );
            }
            return None;
        }
        if !self.path_text(at) {
            return None;
        }
        let text = &at.value;
        if text.contains('/') && !rooted(text) && !text.starts_with("**/") {
            self.error(
                at,
                "policy::relative-path",
                format!("`{text}` is a relative pattern"),
                "must begin at the root or with `**/`",
                &format!("write `**/{text}`"),
            );
            return None;
        }
        match pattern(&shielded(text)) {
            Ok(matcher) => Some(DenyRule {
                entry,
                pattern: Some(matcher),
            }),
            Err(error) => {
                self.bad_pattern(at, &error);
                None
            }
        }
    }

    fn bad_pattern(&mut self, at: &At<String>, error: &globset::Error) {
        let why = error.kind().to_string();
        self.error(
            at,
            "policy::pattern",
            format!("`{}` is no pattern", at.value),
            &why,
            "`*` and `?` match within a name, `**` any directories, `[ab]` one of some characters",
        );
    }

    fn entry(&self, at: &At<String>) -> Entry {
        Entry {
            text: at.value.clone(),
            location: Location::of(self.source, at),
        }
    }

    fn files(&mut self, files: &Files) -> Filesystem {
        let allowed = files.allowed_paths.as_ref().map(|list| {
            let mut entries = Vec::new();
            for at in &list.value {
                if is_pattern(&at.value) {
                    self.error(
                        at,
                        "policy::pattern-allowed",
                        String::from("patterns are for `denied_paths` only"),
                        "a pattern",
                        "allow the directory, and deny what is not meant",
                    );
                } else if self.path(at) {
                    entries.push(self.entry(at));
                }
            }
            entries
        });
        let denied: Vec<DenyRule> = files
            .denied_paths
            .iter()
            .filter_map(|at| self.denied_path(at))
            .collect();
        let allowed_list: &[At<String>] = files
            .allowed_paths
            .as_ref()
            .map_or(&[], |list| list.value.as_slice());
        self.twice(allowed_list, same_path);
        self.twice(&files.denied_paths, same_path);
        self.contradictions(allowed_list, &files.denied_paths, same_path);
        self.redundant(allowed_list, &files.denied_paths);
        let max_file_bytes = files
            .max_file_size_mb
            .as_ref()
            .filter(|at| self.positive(at, "max_file_size_mb"))
            .map(|at| bytes(at.value));
        let mut protected_names = Vec::new();
        for at in &files.protected_names {
            if let Some(glob) = self.protected_name(at) {
                protected_names.push((self.entry(at), glob));
            }
        }
        Filesystem {
            allowed,
            allowed_at: files
                .allowed_paths
                .as_ref()
                .and_then(|list| Location::of(self.source, list)),
            denied,
            max_file_bytes,
            read_only: files.read_only.as_ref().is_some_and(|at| at.value),
            read_only_at: files
                .read_only
                .as_ref()
                .and_then(|at| Location::of(self.source, at)),
            protected: protected_names,
        }
    }

    fn protected_name(&mut self, at: &At<String>) -> Option<globset::GlobMatcher> {
        if !self.path_text(at) {
            return None;
        }
        let text = &at.value;
        if rooted(text) {
            self.error(
                at,
                "policy::absolute-name",
                format!("`{text}` is a path, not a name"),
                "absolute",
                "write the name without the directories above, or use `denied_paths`",
            );
            return None;
        }
        match protected(text) {
            Ok(glob) => Some(glob),
            Err(error) => {
                self.bad_pattern(at, &error);
                None
            }
        }
    }

    fn network(&mut self, network: &Network) {
        let allowed = network.allowed_hosts.as_deref().unwrap_or_default();
        for at in allowed.iter().chain(&network.denied_hosts) {
            self.host(at);
        }
        self.twice(allowed, same_host);
        self.twice(&network.denied_hosts, same_host);
        self.contradictions(allowed, &network.denied_hosts, same_host);
        if let Some(at) = &network.dns_override
            && at.value.parse::<IpAddr>().is_err()
        {
            self.error(
                at,
                "policy::address",
                format!("`{}` is no IP address", at.value),
                "must be one address",
                "write the address of the resolver, such as 10.0.1.10",
            );
        }
    }

    fn host(&mut self, at: &At<String>) {
        if !self.not_empty(at, "a host") {
            return;
        }
        let text = &at.value;
        let numeric =
            text.contains([':', '/']) || text.chars().all(|c| c.is_ascii_digit() || c == '.');
        if numeric {
            if text.parse::<IpAddr>().is_ok() {
                return;
            }
            match text.parse::<IpNet>() {
                Ok(range) if range.addr() == range.network() => {}
                Ok(range) => self.found.push(
                    Diagnostic::warning(
                        "policy::host-bits",
                        format!("`{text}` means the range {}", range.trunc()),
                    )
                    .within(self.source)
                    .label(at.span.clone(), "an address inside of a range")
                    .help(format!(
                        "write `{}`, or `{}` for the one address",
                        range.trunc(),
                        range.addr()
                    )),
                ),
                Err(_) => self.error(
                    at,
                    "policy::cidr",
                    format!("`{text}` is no address and no CIDR range"),
                    "cannot be read",
                    "write 10.0.0.0/8, 2001:db8::/32, 10.0.1.50 or a host name; no scheme, no port",
                ),
            }
            return;
        }
        let name = text.strip_prefix("*.").unwrap_or(text);
        let label = |label: &str| {
            !label.is_empty()
                && label.len() <= 63
                && label
                    .chars()
                    .all(|c| c.is_alphanumeric() || c == '-' || c == '_')
        };
        if !name.trim_end_matches('.').split('.').all(label) {
            self.error(
                at,
                "policy::host",
                format!("`{text}` is no host name"),
                "cannot be read",
                "write example.org, or *.example.org for all names below it",
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

    /// Allowed paths that change nothing, since one above them is allowed and none between denied.
    fn redundant(&mut self, allowed: &[At<String>], denied: &[At<String>]) {
        let below = |inner: &str, outer: &str| {
            same_path(inner) != same_path(outer) && Path::new(inner).starts_with(outer)
        };
        for inner in allowed.iter().filter(|at| rooted(&at.value)) {
            let outer = allowed
                .iter()
                .find(|outer| rooted(&outer.value) && below(&inner.value, &outer.value));
            let needed = denied
                .iter()
                .any(|deny| is_pattern(&deny.value) || below(&inner.value, &deny.value));
            if let (Some(outer), false) = (outer, needed) {
                self.found.push(
                    Diagnostic::warning(
                        "policy::redundant",
                        format!("`{}` is allowed already", inner.value),
                    )
                    .within(self.source)
                    .label(inner.span.clone(), "changes nothing")
                    .label(outer.span.clone(), "covers it"),
                );
            }
        }
    }
}

/// Whether a path is absolute, or will be once its placeholder is replaced.
fn rooted(text: &str) -> bool {
    text.starts_with('/') || occurrences(text).any(|(span, _)| span.start == 0)
}

/// A pattern in which a placeholder that is not replaced yet is no alternation of the glob syntax.
fn shielded(text: &str) -> String {
    match occurrences(text).next() {
        Some((span, name)) => format!("\\{{{name}\\}}{}", &text[span.end..]),
        None => text.to_owned(),
    }
}

/// Two paths are the same when their components are.
fn same_path(text: &str) -> String {
    let path: std::path::PathBuf = Path::new(text).components().collect();
    path.display().to_string()
}

/// Two hosts are the same when they name the same addresses.
fn same_host(text: &str) -> String {
    if let Ok(address) = text.parse::<IpAddr>() {
        return IpNet::from(address).to_string();
    }
    match text.parse::<IpNet>() {
        Ok(range) => range.trunc().to_string(),
        Err(_) => text.trim_end_matches('.').to_lowercase(),
    }
}

/// Bytes of a positive number of megabytes.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "the number is positive, and the cast saturates"
)]
fn bytes(megabytes: f64) -> u64 {
    (megabytes * MEGABYTE) as u64
}
