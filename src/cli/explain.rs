//! `watertight explain ID`: one probe in words.
//!
//! Owns the wording. Everything it says comes from the probe file, so that a new probe explains itself.

mod claims;
mod how;
mod tested;

use std::fmt::Write as _;

use clap::Args;

use claims::claim;
use how::how;
use tested::tested;

use crate::probe::{Aspect, Assumption, Catalog, Claim, EvidenceKind, Probe};

/// Width of the explanation in columns.
const WIDTH: usize = 80;

/// Arguments of `watertight explain`.
#[derive(Debug, Clone, Args)]
pub struct ExplainArgs {
    /// The probe, such as `fs.read.symlink-dir`; `watertight list` shows all
    #[arg(value_name = "ID")]
    pub id: String,
}

/// Explains a probe.
///
/// # Errors
/// No probe has that id; the message names near ones.
pub fn run(args: &ExplainArgs, catalog: &Catalog) -> Result<String, String> {
    let Some(probe) = catalog.get(&args.id) else {
        return Err(unknown(&args.id, catalog));
    };
    Ok(explain(probe))
}

fn unknown(id: &str, catalog: &Catalog) -> String {
    let near: Vec<&str> = catalog.near(id).iter().map(|id| id.0.as_str()).collect();
    let help = if near.is_empty() {
        String::from("`watertight list` shows all probes")
    } else {
        format!("near names: {}", near.join(", "))
    };
    format!("no probe is called `{id}`\n  {help}")
}

fn explain(probe: &Probe) -> String {
    let mut out = String::new();
    paragraph(&mut out, &format!("{}: {}", probe.id, probe.title), 0);
    line(
        &mut out,
        &format!("{}, severity {}", probe.priority, probe.severity),
    );
    section(&mut out, "Question", &probe.question);
    section(&mut out, "Applies when", &applies(probe));
    if probe.assumes != Assumption::Caller {
        section(&mut out, "Assumes", assumption(probe.assumes));
    }
    how(&mut out, probe);
    section(&mut out, "A breach is", &breach(probe));
    section(&mut out, "What a breach means", &probe.why);
    section(&mut out, "How to fix it", &probe.fix);
    section(&mut out, "Catalogued as", &catalogued(probe));
    section(&mut out, "Proof that it works", &tested(probe));
    out
}

/// Whether it looks at texts of the user's, and not at the target.
fn of_text(probe: &Probe) -> bool {
    let mut aspects = probe.variants.iter().filter_map(|variant| variant.aspect);
    aspects.any(Aspect::of_text)
}

fn applies(probe: &Probe) -> String {
    let roles: Vec<String> = probe.roles.iter().map(ToString::to_string).collect();
    let mut text = if of_text(probe) {
        format!("{} of any target.", claim(probe.claim))
    } else if probe.observes() {
        format!(
            "{} and the target is launched by the harness, not attached to.",
            claim(probe.claim)
        )
    } else if probe.technique.as_deref() == Some("watch.headers") {
        format!(
            "{} and the target is a command that serves HTTP (`--url` beside it), in namespaces of the run.",
            claim(probe.claim)
        )
    } else if roles.is_empty() {
        format!("{} whatever its tools do.", claim(probe.claim))
    } else {
        format!(
            "{} and a tool has one of the roles {}.",
            claim(probe.claim),
            roles.join(", ")
        )
    };
    if !probe.platforms.is_empty() {
        let names: Vec<String> = probe.platforms.iter().map(ToString::to_string).collect();
        let _ = write!(text, " Platforms: {}.", names.join(", "));
    }
    text
}

fn assumption(assumption: Assumption) -> &'static str {
    match assumption {
        Assumption::Caller => "The attacker calls tools, and nothing else.",
        Assumption::Planter => {
            "The attacker can create objects in an allowed directory: a hostile repository or \
             archive, another tool, another user of the machine."
        }
        Assumption::Operator => {
            "The target is started with a configuration or in a state that its operator did not \
             think of."
        }
    }
}

fn breach(probe: &Probe) -> String {
    let kinds: Vec<&str> = probe
        .evidence
        .iter()
        .map(|kind| match kind {
            EvidenceKind::Token => "the token of a forbidden plant in any byte from the target",
            EvidenceKind::Access => "a forbidden file being opened, as the file witness sees it",
            EvidenceKind::Effect => "a forbidden place that was created, changed or removed",
            EvidenceKind::Metadata => "size, time, digest or existence of a forbidden file told",
            EvidenceKind::Connection if probe.claim == Claim::Base => {
                "a request at the run's own sink for another host than that of the API, for a path above the fixed part \
                 before what the caller gives, or without what the server puts behind it"
            }
            EvidenceKind::Connection => {
                "a connection or request for a forbidden host that arrives at the run's own sink"
            }
            EvidenceKind::Query => {
                "a question that arrives at a resolver, or for a name, that may not be asked"
            }
            EvidenceKind::Record => "an audit log that lacks what happened, or holds what did not",
            EvidenceKind::Exhaustion => {
                "a target that ended, stopped serving, or took more memory than it may"
            }
            EvidenceKind::Posture => {
                "the kernel telling something of a process that contradicts the policy"
            }
            EvidenceKind::Finding => {
                "a rule of `watertight lint` that finds it in the launch or in the policy"
            }
            EvidenceKind::Limit => {
                "more time or more attempts than the policy permits, or work beyond the end of its call"
            }
            EvidenceKind::Execution => {
                "a program of the trial that was started, and left its record or its output"
            }
            EvidenceKind::Computed => "an answer with the product of two numbers that were sent",
        })
        .collect();
    format!("{}.", kinds.join("; or "))
}

fn catalogued(probe: &Probe) -> String {
    let references = &probe.references;
    let mut words: Vec<String> = references
        .cwe
        .iter()
        .map(|cwe| format!("CWE-{cwe}"))
        .collect();
    words.extend(references.cve.iter().cloned());
    words.extend(
        references
            .owasp
            .iter()
            .map(|entry| format!("OWASP {entry}")),
    );
    let mut text = words.join(", ");
    for spec in &references.spec {
        let _ = write!(text, "\n{spec}");
    }
    text
}

fn section(out: &mut String, title: &str, text: &str) {
    if text.is_empty() {
        return;
    }
    line(out, "");
    line(out, title);
    for part in text.lines() {
        paragraph(out, part, 2);
    }
}

fn paragraph(out: &mut String, text: &str, indent: usize) {
    let margin = " ".repeat(indent);
    line(out, &textwrap::fill(text.trim(), wrapped(&margin, &margin)));
}

fn item(out: &mut String, indent: usize, text: &str) {
    let (first, rest) = (" ".repeat(indent), " ".repeat(indent + 4));
    let first = format!("{first}- ");
    line(out, &textwrap::fill(text, wrapped(&first, &rest)));
}

/// The default algorithm lets lines overflow where that looks better; a table of payloads does not.
fn wrapped<'a>(first: &'a str, rest: &'a str) -> textwrap::Options<'a> {
    textwrap::Options::new(WIDTH)
        .wrap_algorithm(textwrap::WrapAlgorithm::FirstFit)
        .initial_indent(first)
        .subsequent_indent(rest)
}

fn line(out: &mut String, text: &str) {
    out.push_str(text.trim_end());
    out.push('\n');
}
