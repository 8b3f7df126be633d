//! From what was written, in the file or in flags, to values that a run can use.
//!
//! Owns every mistake that is one of configuration: its code, its words and its fix.

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use http::{HeaderName, HeaderValue, Uri};

use crate::{
    config::{Baseline, Binding, PolicyChoice, Report, ReportSpec, SetupCall, word},
    diag::{At, Diagnostic, Source},
    policy::{Policy, near_misses, occurrences},
};

/// Longer waits are mistakes of unit.
const MAX_SECONDS: f64 = 86_400.0;

/// Checks values of one source: the file, or one flag.
pub(crate) struct Checker<'a> {
    /// What the values were read from.
    pub(crate) source: &'a Source,
    /// What relative paths are relative to.
    pub(crate) base: &'a Path,
    /// Mistakes and warnings.
    pub(crate) found: &'a mut Vec<Diagnostic>,
}

impl Checker<'_> {
    pub(crate) fn error<T>(
        &mut self,
        at: &At<T>,
        code: &'static str,
        message: impl Into<String>,
        label: impl Into<String>,
        help: impl Into<String>,
    ) {
        self.found.push(
            Diagnostic::error(code, message)
                .within(self.source)
                .label(at.span.clone(), label)
                .help(help),
        );
    }

    /// Any text in which placeholders may stand.
    pub(crate) fn text(&mut self, at: &At<String>) -> String {
        if at.value.contains('\0') {
            self.error(
                at,
                "config::nul",
                "a text cannot hold a NUL",
                "NUL inside",
                "remove it",
            );
        }
        if let Some((_, name)) = near_misses(&at.value).next() {
            self.found.push(
                Diagnostic::warning(
                    "config::placeholder",
                    format!("`{}` holds no placeholder", at.value),
                )
                .within(self.source)
                .label(at.span.clone(), "is used as it stands")
                .help(format!("did you mean `{{{name}}}`?")),
            );
        }
        at.value.clone()
    }

    /// A text that is not empty.
    pub(crate) fn full(&mut self, at: &At<String>, what: &str) -> String {
        if at.value.trim().is_empty() {
            self.error(
                at,
                "config::empty",
                format!("{what} must not be empty"),
                "empty",
                "give it a value, or remove it",
            );
        }
        self.text(at)
    }

    /// Texts that are not empty.
    pub(crate) fn list(&mut self, list: &[At<String>], what: &str) -> Vec<String> {
        list.iter().map(|at| self.full(at, what)).collect()
    }

    /// A path; a relative one is relative to where it was written.
    pub(crate) fn path(&mut self, at: &At<String>) -> String {
        let text = self.full(at, "a path");
        let whole =
            text.starts_with("file:") || occurrences(&text).any(|(span, _)| span.start == 0);
        if whole || self.base.as_os_str().is_empty() {
            return text;
        }
        self.base.join(text).display().to_string()
    }

    /// A directory that must be there.
    pub(crate) fn directory(&mut self, at: &At<String>) -> PathBuf {
        let path = PathBuf::from(self.path(at));
        if !path.is_dir() {
            let message = if path.exists() {
                format!("{} is no directory", path.display())
            } else {
                format!("there is no directory {}", path.display())
            };
            self.error(
                at,
                "config::directory",
                message,
                "must be an existing directory",
                "create it, or name another one",
            );
        }
        path
    }

    pub(crate) fn seconds(&mut self, at: &At<f64>, key: &str) -> Duration {
        if at.value > 0.0 && at.value <= MAX_SECONDS {
            return Duration::from_secs_f64(at.value);
        }
        let message = if at.value < 0.0 {
            format!("`{key}` must not be negative")
        } else {
            format!("`{key}` must be more than 0 and at most a day")
        };
        self.error(
            at,
            "config::seconds",
            message,
            "seconds",
            "write a number such as 10 or 0.5",
        );
        Duration::ZERO
    }

    pub(crate) fn jobs(&mut self, at: &At<u32>) -> usize {
        if at.value == 0 {
            self.error(
                at,
                "config::jobs",
                "`jobs` must be at least 1",
                "no call could be made",
                "leave it out to let the harness choose",
            );
        }
        usize::try_from(at.value).unwrap_or(usize::MAX)
    }

    pub(crate) fn coverage(&mut self, at: &At<f64>) -> f64 {
        if !(0.0..=1.0).contains(&at.value) {
            self.error(
                at,
                "config::coverage",
                "coverage must be between 0 and 1",
                "out of range",
                "write 0.9 for 90 %",
            );
        }
        at.value
    }

    /// Program and arguments.
    pub(crate) fn command(&mut self, list: &At<Vec<At<String>>>) -> Vec<String> {
        let Some((program, arguments)) = list.value.split_first() else {
            self.error(
                list,
                "config::command",
                "the command is empty",
                "no program",
                "name the program first: [\"npx\", \"-y\", \"package\", \"{allowed}\"]",
            );
            return Vec::new();
        };
        let mut command = vec![self.program(program)];
        command.extend(arguments.iter().map(|at| self.text(at)));
        command
    }

    /// A program by name is looked up in `PATH`; one by relative path is made absolute, since the
    /// target may run in another directory.
    fn program(&mut self, at: &At<String>) -> String {
        let text = self.full(at, "the program");
        let by_name = !text.contains('/') || occurrences(&text).next().is_some();
        if by_name || Path::new(&text).is_absolute() {
            return text;
        }
        std::path::absolute(self.base.join(&text)).map_or(text, |path| path.display().to_string())
    }

    pub(crate) fn url(&mut self, at: &At<String>) -> String {
        let text = self.full(at, "the URL");
        let usable = text.parse::<Uri>().is_ok_and(|url| {
            matches!(url.scheme_str(), Some("http" | "https")) && url.host().is_some()
        });
        if !usable {
            self.error(
                at,
                "config::url",
                format!("`{text}` is no URL of an MCP server"),
                "must begin with http:// or https://",
                "write it in full: http://127.0.0.1:8000/mcp",
            );
        }
        text
    }

    pub(crate) fn header(&mut self, name: &str, at: &At<String>) -> (String, String) {
        let value = self.text(at);
        if name.parse::<HeaderName>().is_err() || value.parse::<HeaderValue>().is_err() {
            self.error(
                at,
                "config::header",
                format!("`{name}: {value}` is no HTTP header"),
                "cannot be sent",
                "names are letters, digits and `-`; values are one line",
            );
        }
        (name.to_owned(), value)
    }

    pub(crate) fn variable(&mut self, name: &str, at: &At<String>) {
        if name.is_empty() || name.contains(['=', '\0']) {
            self.error(
                at,
                "config::variable",
                format!("`{name}` is no name of an environment variable"),
                "cannot be set",
                "names hold neither `=` nor NUL",
            );
        }
    }

    /// A report, unless it would overwrite one of the earlier ones.
    pub(crate) fn report(&mut self, report: &Report, earlier: &[ReportSpec]) -> ReportSpec {
        let path = (report.path.value != "-").then(|| self.path(&report.path));
        if path
            .as_ref()
            .is_some_and(|path| std::path::Path::new(path).is_dir())
        {
            self.error(
                &report.path,
                "config::report-directory",
                format!(
                    "the report cannot be written: `{}` is a directory",
                    report.path.value
                ),
                "a directory",
                "name a file in it",
            );
        }
        if earlier.iter().any(|other| other.path == path) {
            self.error(
                &report.path,
                "config::report-twice",
                format!("two reports are written to `{}`", report.path.value),
                "the second one",
                "give each report a file of its own",
            );
        }
        ReportSpec {
            format: report.format,
            path,
        }
    }

    /// Reports, in order.
    pub(crate) fn reports(&mut self, reports: &[Report]) -> Vec<ReportSpec> {
        let mut specs = Vec::with_capacity(reports.len());
        for report in reports {
            specs.push(self.report(report, &specs));
        }
        specs
    }

    /// Where the target has a directory.
    pub(crate) fn map(&mut self, host: &str, inside: &At<String>) -> Option<(String, String)> {
        let absolute = |path: &str| path.starts_with(['/', '{']);
        if absolute(host) && (inside.value.is_empty() || absolute(&inside.value)) {
            return Some((host.to_owned(), self.text(inside)));
        }
        self.error(
            inside,
            "config::map",
            format!("`{host}` cannot be mapped to `{}`", inside.value),
            "both must be absolute",
            "write HOST=INSIDE, such as {allowed}=/data; an empty INSIDE says that it is not there",
        );
        None
    }

    pub(crate) fn setup(&mut self, call: &SetupCall) -> SetupCall {
        self.full(&call.tool, "the tool");
        call.clone()
    }

    pub(crate) fn binding(&mut self, binding: &Binding) -> Binding {
        self.full(&binding.tool, "the tool");
        let role = binding.role.value;
        let needed = role.slots();
        for (slot, pointers) in &binding.slots.value {
            if !needed.contains(slot) {
                let known: Vec<String> = needed.iter().copied().map(word).collect();
                self.error(
                    pointers,
                    "config::slot",
                    format!("the role `{}` has no slot `{}`", word(role), word(*slot)),
                    "is never filled",
                    format!("its slots: {}", known.join(", ")),
                );
            }
            if pointers.value.is_empty() {
                self.error(
                    pointers,
                    "config::no-pointer",
                    format!("the slot `{}` goes nowhere", word(*slot)),
                    "empty",
                    "name the argument: [\"/path\"]",
                );
            }
            for pointer in &pointers.value {
                self.pointer(pointer);
            }
        }
        for slot in needed {
            if !binding.slots.value.contains_key(slot) {
                self.error(
                    &binding.slots,
                    "config::slot-missing",
                    format!("the role `{}` needs the slot `{}`", word(role), word(*slot)),
                    "incomplete",
                    format!("add {} = [\"/NAME_OF_ARGUMENT\"]", word(*slot)),
                );
            }
        }
        if let Some(extension) = &binding.extension
            && !extension.value.starts_with('.')
        {
            self.error(
                extension,
                "config::extension",
                format!("the extension `{}` has no dot", extension.value),
                "must begin with a dot",
                format!("write \".{}\"", extension.value),
            );
        }
        binding.clone()
    }

    /// RFC 6901, section 3: empty, or `/` before each token, in which `~` is `~0` or `~1`.
    fn pointer(&mut self, at: &At<String>) {
        let text = &at.value;
        let escapes = text
            .split('~')
            .skip(1)
            .all(|after| after.starts_with(['0', '1']));
        if !text.starts_with('/') || !escapes {
            self.error(
                at,
                "config::pointer",
                format!("`{text}` is no JSON Pointer to an argument"),
                "cannot be followed",
                format!("write \"/{}\"", text.trim_start_matches(['/', '.', '$'])),
            );
        }
    }

    /// Reads a baseline; its own mistakes are shown in its own file.
    pub(crate) fn baseline(&mut self, at: &At<String>) -> Option<Baseline> {
        let path = PathBuf::from(self.path(at));
        let source = match Source::read(&path) {
            Ok(source) => source,
            Err(unreadable) => {
                self.error(
                    at,
                    "config::baseline-file",
                    unreadable.message(),
                    "no baseline here",
                    "`watertight baseline REPORT` writes one",
                );
                return None;
            }
        };
        match Baseline::parse(source) {
            Ok(baseline) => Some(baseline),
            Err(problems) => {
                self.found.extend(problems.into_vec());
                None
            }
        }
    }

    /// Reads the policy; its own mistakes are shown in its own file.
    pub(crate) fn policy(&mut self, choice: &At<PolicyChoice>) -> Option<Policy> {
        let policy = match &choice.value {
            PolicyChoice::Inline(document) => Policy::new((**document).clone(), self.source),
            PolicyChoice::Path(path) => {
                let path = PathBuf::from(self.path(&choice.with(path.clone())));
                match Source::read(&path) {
                    Ok(source) => Policy::load(&source),
                    Err(unreadable) => {
                        self.error(
                            choice,
                            "config::policy-file",
                            unreadable.message(),
                            "no policy here",
                            "name a policy file, or leave it out for the default policy",
                        );
                        return None;
                    }
                }
            }
        };
        match policy {
            Ok(policy) => Some(policy),
            Err(problems) => {
                self.found.extend(problems.into_vec());
                None
            }
        }
    }
}
