//! `watertight lint FILE...`: secrets and wide-open doors in configs, policies and Dockerfiles.
//!
//! Owns the flags, which files are read, and what is printed. What is found is the lint module's.

use std::{
    io::Read as _,
    path::{Path, PathBuf},
};

use clap::Args;

use super::{
    print::{complain, deliver, problem},
    run_args::word_of_flag,
};
use crate::{
    diag::{Diagnostic, Look, Source},
    exit::Exit,
    lint::{DEPTH, LintReport, Linted, NAMES, RULES, known_files, lint},
    probe::Severity,
    report::json::plain,
    suite::is_below,
};

/// More than this is no file that a person wrote.
const MAX_BYTES: u64 = 4 << 20;

/// Arguments of `watertight lint`.
#[derive(Debug, Clone, Args)]
#[command(after_help = "Exit codes:\n  \
    0  nothing was found at or above --min-severity\n  \
    1  something was found\n  \
    2  bad input: a file that cannot be read, or is none that is known\n\n\
    A comment allows a finding on its line or on the line below:\n  \
    # watertight: allow RULE -- why")]
pub struct LintArgs {
    /// Files, directories with files of known names, or - for standard input
    #[arg(default_value = ".", value_name = "FILE")]
    pub files: Vec<PathBuf>,

    /// Allow a rule, or a rule in one file; repeatable
    #[arg(long, value_name = "RULE[=FILE]")]
    pub allow: Vec<String>,

    /// Least severity that fails: low, medium, high, critical
    #[arg(long, value_name = "SEVERITY", default_value = "medium", value_parser = word_of_flag::<Severity>)]
    pub min_severity: Severity,

    /// Print JSON instead of text
    #[arg(long)]
    pub json: bool,

    /// Print the rules
    #[arg(long)]
    pub list_rules: bool,
}

/// Lints the files and prints what was found.
#[must_use]
pub fn run(args: &LintArgs) -> Exit {
    if args.list_rules {
        return told(&rules());
    }
    if let Some(unknown) = args.allow.iter().find(|allow| !known_rule(allow)) {
        return problem(&unknown_rule(unknown).into());
    }
    let mut linted = Vec::new();
    let mut bad = false;
    for path in &args.files {
        match sources(path) {
            Ok(sources) => {
                for source in sources {
                    match lint(&source, &args.allow) {
                        Ok(one) => linted.push(one),
                        Err(problems) => {
                            problem(&problems);
                            bad = true;
                        }
                    }
                }
            }
            Err(diagnostic) => {
                problem(&diagnostic.into());
                bad = true;
            }
        }
    }
    let report = LintReport::new(&linted);
    let text = if args.json {
        plain(&report)
    } else {
        text(&linted, &report, args.min_severity)
    };
    // With nothing read there is nothing to tell but what is wrong.
    let printed = if linted.is_empty() && !args.json {
        Exit::Held
    } else {
        told(&text)
    };
    let found = report
        .findings
        .iter()
        .any(|one| !one.allowed && one.severity >= args.min_severity);
    match (printed, bad, found) {
        (Exit::Held, true, _) => Exit::BadInput,
        (Exit::Held, false, true) => Exit::Breached,
        (exit, ..) => exit,
    }
}

fn told(text: &str) -> Exit {
    match deliver(text) {
        Ok(()) => Exit::Held,
        Err(error) => {
            complain(&format!("the findings cannot be written: {error}"));
            Exit::HarnessFault
        }
    }
}

/// The files that a path names.
fn sources(path: &Path) -> Result<Vec<Source>, Diagnostic> {
    if path == Path::new("-") {
        return standard_input().map(|source| vec![source]);
    }
    if !path.is_dir() {
        return Source::read(path).map(|source| vec![source]);
    }
    let files = known_files(path);
    if files.is_empty() {
        let message = format!(
            "no file of a known name is in {} or up to {DEPTH} levels below",
            path.display()
        );
        return Err(Diagnostic::error("lint::nothing", message).help(format!(
            "names: {NAMES}\nother files are linted when they are named themselves"
        )));
    }
    files
        .iter()
        .map(|file| Source::read(file.strip_prefix(".").unwrap_or(file)))
        .collect()
}

fn standard_input() -> Result<Source, Diagnostic> {
    let unreadable = |why: String| {
        Diagnostic::error(
            "file::unreadable",
            format!("cannot read standard input: {why}"),
        )
    };
    let mut text = String::new();
    std::io::stdin()
        .take(MAX_BYTES + 1)
        .read_to_string(&mut text)
        .map_err(|error| unreadable(error.to_string()))?;
    if text.len() as u64 > MAX_BYTES {
        return Err(unreadable(format!("larger than {} MiB", MAX_BYTES >> 20)));
    }
    let text = text.strip_prefix('\u{feff}').unwrap_or(&text);
    Ok(Source::new("<stdin>", text))
}

fn text(linted: &[Linted], report: &LintReport, least: Severity) -> String {
    let look = Look::of_stdout();
    let mut text = String::new();
    for diagnostic in linted.iter().flat_map(|one| one.diagnostics(least)) {
        text.push_str(&diagnostic.render(look));
        text.push('\n');
    }
    text.push_str(&summary(report));
    text
}

/// One line: how much was found, in how many files.
fn summary(report: &LintReport) -> String {
    let plural = |count: usize, word: &str| {
        let s = if count == 1 { "" } else { "s" };
        format!("{count} {word}{s}")
    };
    let files = plural(report.files.len(), "file");
    let mut kinds: Vec<String> = report
        .counts
        .iter()
        .rev()
        .filter(|(_, count)| **count > 0)
        .map(|(severity, count)| format!("{count} {severity}"))
        .collect();
    let found: usize = report.counts.values().sum();
    if report.allowed > 0 {
        kinds.push(format!("{} allowed", report.allowed));
    }
    if report.left_out > 0 {
        kinds.push(format!("{} more left out", report.left_out));
    }
    let kinds = if kinds.is_empty() {
        String::new()
    } else {
        format!(": {}", kinds.join(", "))
    };
    format!("{} in {files}{kinds}\n", plural(found, "finding"))
}

fn rules() -> String {
    let mut text = String::new();
    for rule in RULES {
        text.push_str(&format!(
            "{:24} {:8} CWE-{}\n",
            rule.id,
            rule.severity.to_string(),
            rule.cwe
        ));
        for line in [rule.why.to_owned(), format!("fix: {}", rule.fix)] {
            let options = textwrap::Options::new(80)
                .initial_indent("    ")
                .subsequent_indent("    ");
            text.push_str(&textwrap::fill(&line, options));
            text.push('\n');
        }
    }
    text
}

fn known_rule(allow: &str) -> bool {
    let rule = allow.split('=').next().unwrap_or(allow);
    RULES.iter().any(|known| is_below(known.id, rule))
}

fn unknown_rule(allow: &str) -> Diagnostic {
    let rule = allow.split('=').next().unwrap_or(allow);
    let ids = RULES.iter().map(|rule| rule.id);
    let help = match crate::diag::nearest(rule, ids) {
        Some(near) => format!("did you mean `{near}`?"),
        None => String::from("`watertight lint --list-rules` names them"),
    };
    Diagnostic::error("lint::rule", format!("there is no rule `{rule}`")).help(help)
}
