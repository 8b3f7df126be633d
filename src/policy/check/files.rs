//! Checks of paths, patterns and the filesystem section.

use std::path::Path;

use crate::{
    diag::{At, Diagnostic},
    policy::{
        check::Checker,
        document::Files,
        filesystem::{DenyRule, Entry, Filesystem, Location, is_pattern, pattern, protected},
        placeholder::{SINK, near_misses, occurrences},
    },
};

/// 10 MB are 10 MiB to one server and 10^7 bytes to another; only the larger reading makes a file
/// that is too large beyond doubt.
const MEGABYTE: f64 = 1_048_576.0;

impl Checker<'_> {
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
        if occurrences(text).any(|(_, name)| name == SINK) {
            self.error(
                at,
                "policy::placeholder",
                format!("`{{{SINK}}}` in `{text}`"),
                "stands for a URL",
                "name a directory of the run, such as `{allowed}`",
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
    pub(super) fn path(&mut self, at: &At<String>) -> bool {
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
            let bare_name = !at.value.trim().is_empty() && !at.value.contains('/');
            if bare_name && !rooted(&at.value) {
                if self.path_text(at) {
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
            return self.path(at).then_some(DenyRule {
                entry,
                pattern: None,
            });
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

    pub(super) fn files(&mut self, files: &Files) -> Filesystem {
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
        if let Some(root) = allowed_list.iter().find(|at| same_path(&at.value) == "/") {
            self.found.push(
                Diagnostic::warning("policy::everything", "everything is allowed")
                    .within(self.source)
                    .label(root.span.clone(), "the root directory")
                    .help("name the directories that the server needs"),
            );
        }
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

/// Bytes of a positive number of megabytes.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "the number is positive, and the cast saturates"
)]
fn bytes(megabytes: f64) -> u64 {
    (megabytes * MEGABYTE) as u64
}
