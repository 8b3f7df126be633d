//! Findings in Dockerfiles.
//!
//! Owns a reader of instructions, no more: lines that go on, comments, here-documents. What an
//! instruction builds is not our business.

use std::collections::BTreeMap;

use super::{
    container,
    finding::{Finder, Place},
    secret::secret_name,
};
use crate::{diag::At, probe::Severity};

/// An instruction: its word in capitals, and the rest as it is written, lines that go on included.
#[derive(Debug)]
struct Instruction {
    word: String,
    rest: At<String>,
}

/// Whether a text is a Dockerfile: its first instruction is `FROM`, or `ARG` before a `FROM`.
pub(super) fn is_dockerfile(text: &str) -> bool {
    let read = instructions(text);
    let first = read.first().map(|one| one.word.as_str());
    matches!(first, Some("FROM" | "ARG")) && read.iter().any(|one| one.word == "FROM")
}

fn instructions(text: &str) -> Vec<Instruction> {
    let mut found: Vec<Instruction> = Vec::new();
    let mut escape = '\\';
    let mut until: Option<String> = None;
    let mut goes_on = false;
    let mut start = 0;
    for line in text.split_inclusive('\n') {
        let at = start;
        start += line.len();
        let bare = line.trim();
        if let Some(end) = &until {
            if bare == end {
                until = None;
            }
            continue;
        }
        if bare.is_empty() || bare.starts_with('#') {
            if found.is_empty() && bare.replace(' ', "").eq_ignore_ascii_case("#escape=`") {
                escape = '`';
            }
            continue;
        }
        let content = line.trim_end();
        if goes_on && let Some(last) = found.last_mut() {
            last.rest.span.end = at + content.len();
        } else {
            let indent = line.len() - line.trim_start().len();
            let word: String = bare.chars().take_while(char::is_ascii_alphabetic).collect();
            let from = at + indent + word.len();
            let blanks = text[from..].len() - text[from..].trim_start_matches([' ', '\t']).len();
            found.push(Instruction {
                word: word.to_ascii_uppercase(),
                rest: At {
                    value: String::new(),
                    span: from + blanks..(at + content.len()).max(from + blanks),
                },
            });
            if ["RUN", "COPY", "ADD"]
                .iter()
                .any(|word| bare.to_ascii_uppercase().starts_with(word))
            {
                until = here_document(bare);
            }
        }
        goes_on = content.ends_with(escape) && until.is_none();
    }
    for one in &mut found {
        one.rest.value = text
            .get(one.rest.span.clone())
            .unwrap_or_default()
            .to_owned();
    }
    found
}

/// The word that ends a here-document which a line begins.
fn here_document(line: &str) -> Option<String> {
    let (_, after) = line.split_once("<<")?;
    let after = after.trim_start_matches('-').trim_matches(['"', '\'']);
    let word: String = after
        .chars()
        .take_while(|c| c.is_ascii_alphanumeric() || *c == '_')
        .collect();
    (!word.is_empty()).then_some(word)
}

/// The words of an instruction, with their places; quotes hold blanks together.
fn words(rest: &At<String>) -> Vec<At<String>> {
    let mut words = Vec::new();
    let mut quote = None;
    let mut start = None;
    let text = &rest.value;
    for (index, c) in text.char_indices().chain([(text.len(), ' ')]) {
        let blank = quote.is_none()
            && (c.is_whitespace() || c == '\\' && text[index..].starts_with("\\\n"));
        match (blank, start) {
            (true, Some(from)) => {
                words.push(At {
                    value: text[from..index].to_owned(),
                    span: rest.span.start + from..rest.span.start + index,
                });
                start = None;
            }
            (false, None) => start = Some(index),
            _ => {}
        }
        if quote == Some(c) {
            quote = None;
        } else if quote.is_none() && matches!(c, '"' | '\'') {
            quote = Some(c);
        }
    }
    words
}

/// `NAME=VALUE` words, and the old `ENV NAME VALUE`; an `ARG` may have no value.
fn assignments(instruction: &Instruction) -> Vec<(String, At<String>)> {
    let words = words(&instruction.rest);
    let old = instruction.word == "ENV" && words.first().is_some_and(|at| !at.value.contains('='));
    if let (true, [name, value, ..]) = (old, words.as_slice()) {
        return vec![(name.value.clone(), value.clone())];
    }
    words
        .into_iter()
        .map(|at| {
            let (name, value) = at.value.split_once('=').unwrap_or((&at.value, ""));
            let bare = value.trim_matches(['"', '\'']);
            let quote = usize::from(bare.len() < value.len());
            let start = at.span.start + name.len() + 1 + quote;
            let place = At {
                value: bare.to_owned(),
                span: start..start + bare.len(),
            };
            (name.to_owned(), place)
        })
        .collect()
}

/// A stage of a build.
#[derive(Default)]
struct Stage {
    name: Option<String>,
    base: String,
    from: std::ops::Range<usize>,
    user: Option<At<String>>,
}

pub(super) fn check(finder: &mut Finder<'_>) {
    let read = instructions(finder.source.text());
    let mut stages: Vec<Stage> = Vec::new();
    let mut variables: BTreeMap<String, String> = BTreeMap::new();
    for one in &read {
        match one.word.as_str() {
            "FROM" => stages.extend(stage(finder, one, &stages)),
            "ENV" | "ARG" => {
                for (name, value) in assignments(one) {
                    variable(finder, one, &name, &value);
                    variables.insert(name, value.value);
                }
            }
            "USER" => {
                if let Some(stage) = stages.last_mut() {
                    stage.user = words(&one.rest).into_iter().next();
                }
            }
            "ADD" => add(finder, one),
            "RUN" | "CMD" | "ENTRYPOINT" => finder.secrets(Place::File, None, &one.rest),
            _ => {}
        }
    }
    root(finder, &stages, &variables);
}

fn stage(finder: &mut Finder<'_>, from: &Instruction, earlier: &[Stage]) -> Option<Stage> {
    let words = words(&from.rest);
    let mut plain = words.iter().filter(|at| !at.value.starts_with("--"));
    let image = plain.next()?;
    let name = match (plain.next(), plain.next()) {
        (Some(word), Some(name)) if word.value.eq_ignore_ascii_case("as") => {
            Some(name.value.to_lowercase())
        }
        _ => None,
    };
    let base = image.value.to_lowercase();
    if !earlier
        .iter()
        .any(|stage| stage.name.as_ref() == Some(&base))
    {
        container::image(finder, image);
    }
    Some(Stage {
        name,
        base,
        from: image.span.clone(),
        user: None,
    })
}

fn variable(finder: &mut Finder<'_>, one: &Instruction, name: &str, value: &At<String>) {
    if !value.value.is_empty() {
        finder.secrets(Place::File, Some(name), value);
    } else if one.word == "ARG" && secret_name(name) {
        finder
            .add("secret.named", one.rest.span.clone(), "kept in the image", format!("the build argument `{name}` stays in the history of the image; mount a secret with RUN --mount=type=secret"))
            .severity = Severity::Medium;
    }
}

fn add(finder: &mut Finder<'_>, one: &Instruction) {
    let words = words(&one.rest);
    if words.iter().any(|at| at.value.starts_with("--checksum")) {
        return;
    }
    for at in words.iter().filter(|at| at.value.contains("://")) {
        let clear = at.value.starts_with("http://");
        let finding = finder.add(
            "launch.remote-add",
            at.span.clone(),
            "not checked",
            "a file is fetched into the image without a checksum",
        );
        if clear {
            finding.severity = Severity::Medium;
        }
    }
}

/// The user that the last stage ends with; a stage built on another one begins with its user.
fn root(finder: &mut Finder<'_>, stages: &[Stage], variables: &BTreeMap<String, String>) {
    let Some(last) = stages.last() else {
        return;
    };
    let mut stage = last;
    // Each step goes to an earlier stage.
    for _ in 0..stages.len() {
        if stage.user.is_some() {
            break;
        }
        let Some(base) = stages
            .iter()
            .find(|other| other.name.as_ref() == Some(&stage.base))
        else {
            break;
        };
        if std::ptr::eq(base, stage) {
            break;
        }
        stage = base;
    }
    let Some(user) = &stage.user else {
        // Such images say in their name that they bring a user.
        let brings_user = ["nonroot", "rootless", "unprivileged"]
            .iter()
            .any(|word| stage.base.contains(word));
        if !brings_user && !stage.base.contains('$') {
            finder.add("container.root-user", last.from.clone(), "no USER after this", "the last stage names no user, and runs as root unless its base image says otherwise");
        }
        return;
    };
    let name = user.value.trim_matches(['"', '\'']);
    let name = name.split(':').next().unwrap_or(name);
    let resolved = name
        .strip_prefix('$')
        .map(|variable| variable.trim_matches(['{', '}']))
        .and_then(|variable| variables.get(variable).map(String::as_str))
        .unwrap_or(name);
    if ["root", "0"].contains(&resolved) {
        finder.add(
            "container.root-user",
            user.span.clone(),
            "root",
            "the last stage runs as root",
        );
    }
}
