//! `watertight explain ID`: one probe in words.
//!
//! Owns the wording. Everything it says comes from the probe file, so that a new probe explains itself.

mod claims;
mod tested;

use std::fmt::Write as _;

use clap::Args;

use claims::claim;
use tested::tested;

use crate::probe::{
    Aspect, Assumption, Catalog, EvidenceKind, PartRead, Plant, Probe, TECHNIQUES, Text, Variant,
};

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

fn how(out: &mut String, probe: &Probe) {
    line(out, "");
    line(out, "How");
    if let Some(technique) = &probe.technique {
        item(out, 2, &technique_words(technique));
    }
    if let Some(launch) = &probe.launch {
        item(out, 2, &launch_words(launch));
    }
    if probe.watches() {
        paragraph(out, "It is judged once, for the whole run.", 2);
        return;
    }
    for plant in &probe.plants {
        item(out, 2, &format!("plant {}", plant_words(plant)));
    }
    for variant in &probe.variants {
        let what = match variant.aspect {
            Some(aspect) => format!("looks from outside at {}", aspect_words(aspect)),
            None => sent(variant),
        };
        item(out, 2, &format!("{}: {what}", variant.name));
        for plant in &variant.plants {
            item(out, 6, &format!("plant {}", plant_words(plant)));
        }
        let only = [
            join("only roles", &variant.roles),
            join("only on", &variant.platforms),
            variant
                .language
                .as_ref()
                .map(|language| format!("only where {language} is run")),
            variant
                .command
                .as_ref()
                .map(|command| format!("only where the policy allows the command {command}")),
        ];
        for words in only.into_iter().flatten() {
            item(out, 6, &words);
        }
        if let Some(technique) = &variant.technique {
            item(out, 6, &technique_words(technique));
        }
        if let Some(launch) = &variant.launch {
            item(out, 6, &launch_words(launch));
        }
        if let Some(text) = &variant.then_read {
            item(out, 6, &format!("then reads {}", text.shown()));
        }
        if let Some(text) = &variant.then_text {
            item(out, 6, &format!("then asks {}", text.shown()));
        }
        if let Some(why) = &variant.no_twin {
            item(out, 6, &format!("has no permitted twin: {why}"));
        }
    }
    if probe.observes() {
        let words = match of_text(probe) {
            true => {
                "Nothing is asked of the target. The same rules must find something in a sample."
            }
            false => {
                "The target is asked for nothing but its list of tools. What is read of the harness the same way \
                 must be what the harness knows of itself."
            }
        };
        paragraph(out, words, 2);
        return;
    }
    if probe
        .variants
        .iter()
        .all(|variant| variant.no_twin.is_some())
    {
        return;
    }
    let words = "Each variant is sent once to the forbidden place and once, as its permitted twin, to a \
                 copy of the scene inside the allowed directory, where it must succeed.";
    paragraph(out, words, 2);
}

fn join<T: ToString>(words: &str, items: &[T]) -> Option<String> {
    let names: Vec<String> = items.iter().map(ToString::to_string).collect();
    (!names.is_empty()).then(|| format!("{words} {}", names.join(", ")))
}

/// The description of an aspect, as the schema has it.
fn aspect_words(aspect: Aspect) -> String {
    let schema = serde_json::Value::from(schemars::schema_for!(Aspect));
    let word = serde_json::to_value(aspect).unwrap_or_default();
    let words = schema["oneOf"].as_array().into_iter().flatten();
    let found = words
        .filter(|one| one["const"] == word)
        .find_map(|one| one["description"].as_str());
    let text = found.unwrap_or_default().trim_end_matches('.');
    let mut letters = text.chars();
    match letters.next() {
        // Names in backticks and abbreviations stay as they are.
        Some(first) if text.chars().nth(1).is_some_and(char::is_lowercase) => {
            first.to_lowercase().chain(letters).collect()
        }
        _ => text.to_owned(),
    }
}

fn sent(variant: &Variant) -> String {
    let texts = [
        ("path", &variant.path),
        ("source", &variant.source),
        ("find", &variant.find),
        ("content", &variant.content),
        ("pattern", &variant.pattern),
        ("ident", &variant.ident),
        ("url", &variant.url),
        ("host", &variant.host),
        ("port", &variant.port),
        ("text", &variant.text),
    ];
    let mut sent: Vec<String> = texts
        .into_iter()
        .filter_map(|(name, text)| Some(format!("{name} {}", shown(text.as_ref()?))))
        .collect();
    if let Some(paths) = &variant.paths {
        let paths: Vec<String> = paths.iter().map(shown).collect();
        sent.push(format!("paths {}", paths.join(", ")));
    }
    if let Some(json) = &variant.path_json {
        sent.push(format!("as JSON {json}"));
    }
    if let Some(part) = variant.part {
        sent.push(String::from(match part {
            PartRead::Head => "read by its head",
            PartRead::Tail => "read by its tail",
            PartRead::Span => "read by offset and length",
        }));
    }
    sent.join("; ")
}

fn shown(text: &Text) -> String {
    let shown = text.shown();
    if shown.is_empty() {
        String::from("(empty)")
    } else {
        shown
    }
}

fn plant_words(plant: &Plant) -> String {
    let name = &plant.name;
    if let Some(file) = &plant.file {
        let what = match (&file.content, file.over) {
            (Some(content), _) => format!(" holding {}", content.shown()),
            (None, Some(over)) => format!(" of the size limit {over:+} bytes"),
            (None, None) => String::new(),
        };
        return format!("{name}: file {}{what}", file.at.shown());
    }
    if let Some(repo) = &plant.repo {
        let config = repo.config.as_ref();
        let config = config.map(|config| format!(" configured with {}", config.shown()));
        return format!(
            "{name}: repository {}{}",
            repo.at.shown(),
            config.unwrap_or_default()
        );
    }
    if let Some(archive) = &plant.archive {
        let members: Vec<String> = archive
            .members
            .iter()
            .map(
                |member| match (&member.symlink, &member.hardlink, member.over) {
                    (Some(to), ..) => format!("{} -> {}", member.name.shown(), to.shown()),
                    (_, Some(to), _) => format!("{} => {}", member.name.shown(), to.shown()),
                    (.., Some(over)) => format!("{} of limit {over:+} bytes", member.name.shown()),
                    _ => member.name.shown(),
                },
            )
            .collect();
        return format!(
            "{name}: archive {} of {}",
            archive.at.shown(),
            members.join(", ")
        );
    }
    let placed = [
        ("directory", &plant.dir),
        ("named pipe", &plant.fifo),
        ("program", &plant.program),
        ("Unix socket", &plant.socket),
    ];
    let links = [
        ("symbolic link", &plant.symlink),
        ("hard link", &plant.hardlink),
    ];
    let placed = placed
        .into_iter()
        .find_map(|(kind, placed)| Some(format!("{kind} {}", placed.as_ref()?.at.shown())));
    let words = placed.or_else(|| {
        links.into_iter().find_map(|(kind, link)| {
            let link = link.as_ref()?;
            Some(format!("{kind} {} -> {}", link.at.shown(), link.to.shown()))
        })
    });
    format!("{name}: {}", words.unwrap_or_default())
}

fn technique_words(name: &str) -> String {
    let known = TECHNIQUES.iter().find(|(known, _)| *known == name);
    let does = known.map_or("", |(_, does)| does);
    format!("technique {name}: {does}")
}

fn launch_words(launch: &crate::probe::Launch) -> String {
    let mut words = Vec::new();
    if let Some(cwd) = &launch.cwd {
        words.push(format!("in the working directory {}", cwd.shown()));
    }
    if let Some(allowed) = launch.allowed {
        words.push(format!("with the allowed directory {allowed}"));
    }
    for (name, value) in &launch.env {
        words.push(format!("with {name}={}", value.shown()));
    }
    format!("the target is started {}", words.join(" and "))
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
