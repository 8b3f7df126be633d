//! A discovery as text and as JSON.
//!
//! Owns the wording. Whatever a target wrote goes through the page, which makes it harmless, or
//! through the JSON writer, which escapes it.

use serde::Serialize;
use serde_json::{Map, Value};

use super::{Locked, Outcome};
use crate::{
    channel::{
        Change, Channel, Follow, NetForm, PathForm, PatternForm, Proof, Take, Unbound, UriForm,
    },
    config::word,
    probe::{Role, Slot},
    report::{
        Look,
        terminal::page::{BOLD, CODE, FAINT, GOOD, PLAIN, Page, UNSURE, Wrap},
        visible,
    },
};

/// Steps of a proof that are shown unless all are asked for.
const STEPS: usize = 2;

/// The discovery for a person.
pub(super) fn text(outcome: &Outcome, look: &Look) -> String {
    let mut page = Page::new(look);
    let channels = &outcome.discovery.channels;
    let name = match &*outcome.info.name {
        "" => &outcome.display,
        _ => &outcome.info.name,
    };
    page.line(&[
        (BOLD, String::from("watertight")),
        (FAINT, format!(" {} · ", env!("CARGO_PKG_VERSION"))),
        (BOLD, name.clone()),
        (PLAIN, format!(" {}", outcome.info.version)),
    ]);
    let proven = channels
        .iter()
        .filter(|channel| channel.proof.proven())
        .count();
    let remark = format!("{proven} proven, {} not", channels.len() - proven);
    page.heading(PLAIN, "What the tools do", &remark);
    if channels.is_empty() {
        let words = "No tool was found to do anything that a probe asks about.";
        page.paragraph(3, 0, PLAIN, Wrap::Prose, words);
    }
    for (number, channel) in channels.iter().enumerate() {
        if number > 0 {
            page.blank();
        }
        block(&mut page, outcome, channel, look);
    }
    unbound(&mut page, &outcome.discovery.unbound, look.verbose);
    closing(&mut page, outcome);
    page.finish()
}

fn block(page: &mut Page, outcome: &Outcome, channel: &Channel, look: &Look) {
    let verbose = look.verbose;
    let (style, mark) = if channel.proof.proven() {
        (GOOD, "proven")
    } else {
        (UNSURE, "unproven")
    };
    page.line(&[
        (style, format!("{mark:<10}")),
        (BOLD, channel.tool.clone()),
        (PLAIN, String::from("  ")),
        (CODE, channel.role.to_string()),
        (
            FAINT,
            if channel.destructive {
                String::from("  destructive")
            } else {
                String::new()
            },
        ),
    ]);
    page.field("takes", PLAIN, Wrap::Code, &takes(channel));
    if let Some(then) = &channel.then {
        page.field("then", PLAIN, Wrap::Code, &follows(then));
    }
    if !channel.fixed.is_empty() {
        let fixed = Value::Object(channel.fixed.clone()).to_string();
        page.field("always", PLAIN, Wrap::Code, &named(&fixed, outcome));
    }
    match &channel.proof {
        Proof::Proven { steps } if !verbose => {
            for (number, step) in steps.iter().take(STEPS).enumerate() {
                let label = if number == 0 { "proof" } else { "" };
                let step = named(step, outcome);
                let step = step.strip_prefix(&channel.tool).unwrap_or(&step);
                page.field(label, FAINT, Wrap::Code, &short(step.trim_start(), look));
            }
        }
        Proof::Proven { .. } => {}
        Proof::Unproven { why } => page.field("why not", PLAIN, Wrap::Quote, &named(why, outcome)),
    }
    if verbose {
        let steps = outcome
            .discovery
            .log
            .iter()
            .filter(|step| step.tool == channel.tool && step.role == channel.role);
        for (number, step) in steps.enumerate() {
            let label = if number == 0 { "steps" } else { "" };
            let mark = if step.evidence { "yes" } else { "no " };
            let what = format!("{mark} {}", named(&step.what, outcome));
            page.field(label, FAINT, Wrap::Code, &what);
        }
    }
}

/// A step on one line: what was sent is cut in its middle, what came of it is not.
fn short(step: &str, look: &Look) -> String {
    /// Columns before the text of a field, and the least that is worth showing of a request.
    const GUTTER: usize = 13;
    const LEAST: usize = 16;
    let Some((sent, came)) = step.rsplit_once(" -> ") else {
        return step.to_owned();
    };
    let width = look.width.max(72) - GUTTER;
    let room = width
        .saturating_sub(came.chars().count() + " -> ".len() + 1)
        .max(LEAST);
    let letters: Vec<char> = sent.chars().collect();
    if letters.len() <= room {
        return step.to_owned();
    }
    let head: String = letters[..room / 2].iter().collect();
    let tail: String = letters[letters.len() - (room - room / 2)..]
        .iter()
        .collect();
    format!("{head}…{tail} -> {came}")
}

/// Where the slots go, how paths and hosts are spelled, and how sure the names were.
fn takes(channel: &Channel) -> String {
    let mut parts: Vec<String> = channel
        .slots
        .iter()
        .map(|(slot, pointers)| format!("{} {}", word(slot), pointers.join(" + ")))
        .collect();
    if channel.role.of_network() {
        let joined = channel.slots.get(&Slot::Host) == channel.slots.get(&Slot::Port);
        parts.extend(
            match (channel.role, channel.net) {
                (Role::HttpFetch, NetForm::Whole | NetForm::TextPort) => Some("whole URLs"),
                (Role::HttpFetch, NetForm::Secure) => Some("whole URLs with https"),
                (Role::HttpFetch, NetForm::Bare) => Some("URLs without their scheme"),
                (Role::HttpFetch, NetForm::Host) => Some("hosts in place of URLs"),
                (Role::HttpFetch, NetForm::Split) => Some("host and path apart"),
                (Role::HttpFetch, NetForm::SplitBase) => Some("base URL and path apart"),
                (Role::ApiPath, NetForm::Rooted) => Some("paths that begin with a slash"),
                (Role::NetConnect, _) if joined => Some("host and port in one"),
                (Role::NetConnect, NetForm::TextPort) => Some("ports as text"),
                _ => None,
            }
            .map(String::from),
        );
        parts.push(format!("score {:.2}", channel.score));
        return parts.join(", ");
    }
    let form = match channel.form {
        PathForm::Absolute => "absolute paths",
        PathForm::Relative => "relative paths",
        PathForm::Rooted => "paths rooted at the allowed directory",
        PathForm::Uri => "file: URIs",
        PathForm::Glob => "patterns of absolute paths",
        PathForm::RelativeGlob => "patterns of relative paths",
        PathForm::Stem => "names without extension",
        PathForm::Split | PathForm::SplitRelative => "directory and name apart",
    };
    if let Some(uri) = &channel.uri {
        let escaped = if uri.escaped { ", escaped" } else { "" };
        parts.push(format!(
            "URIs {}… with {form}{escaped}",
            visible(&uri.prefix, 60)
        ));
    } else if channel.role != Role::IdentRead {
        parts.push(String::from(form));
    }
    if channel.role == Role::FileSearch {
        parts.push(String::from(match channel.pattern {
            PatternForm::Plain => "plain patterns",
            PatternForm::Glob | PatternForm::DeepGlob => "globs",
        }));
    }
    let directories = matches!(
        channel.role,
        Role::DirList | Role::DirCreate | Role::FileSearch | Role::RepoRead | Role::RepoCreate
    );
    if !directories {
        parts.push(format!("{} files", channel.extension));
    }
    parts.push(format!("score {:.2}", channel.score));
    parts.join(", ")
}

fn follows(then: &Follow) -> String {
    let from = match &then.take {
        Take::Text => String::from("the text of the answer"),
        Take::Member(pointer) => format!("{pointer} of the answer"),
        Take::Word(number) => format!("word {number} of the answer"),
    };
    format!("{} with {} = {from}", then.tool, then.pointer)
}

/// The allowed directory of a run is another one each time; what is said of it should not be.
fn named(text: &str, outcome: &Outcome) -> String {
    text.replace(&*outcome.allowed.to_string_lossy(), "{allowed}")
}

/// Parameters of tools that stay unbound as a whole add nothing, so only `verbose` shows them.
fn unbound(page: &mut Page, unbound: &[Unbound], verbose: bool) {
    if unbound.is_empty() {
        return;
    }
    let whole = unbound.iter().filter(|one| one.parameter.is_none()).count();
    let count = |number: usize, what: &str| match number {
        1 => format!("1 {what}"),
        _ => format!("{number} {what}s"),
    };
    let remark = format!(
        "{}, {}",
        count(whole, "tool"),
        count(unbound.len() - whole, "parameter")
    );
    page.heading(PLAIN, "What stays unbound", &remark);
    let covered = |one: &Unbound| {
        one.parameter.is_some()
            && unbound
                .iter()
                .any(|whole| whole.parameter.is_none() && whole.tool == one.tool)
    };
    let shown: Vec<&Unbound> = unbound
        .iter()
        .filter(|one| verbose || !covered(one))
        .collect();
    let mut rest = shown.as_slice();
    while let Some(first) = rest.first() {
        // Parameters of a tool that share their reason share a line.
        let same = |one: &&&Unbound| {
            one.tool == first.tool
                && one.why == first.why
                && one.parameter.is_some() == first.parameter.is_some()
        };
        let count = rest.iter().take_while(same).count();
        let (group, after) = rest.split_at(count);
        let parameters: Vec<&str> = group
            .iter()
            .filter_map(|one| one.parameter.as_deref())
            .collect();
        let name = if parameters.is_empty() {
            first.tool.clone()
        } else {
            format!("{} {}", first.tool, parameters.join(", "))
        };
        page.paragraph(3, 3, PLAIN, Wrap::Code, &format!("{name}: {}", first.why));
        rest = after;
    }
}

fn closing(page: &mut Page, outcome: &Outcome) {
    page.heading(
        PLAIN,
        "Lock",
        &format!("{} requests", outcome.discovery.calls),
    );
    for note in &outcome.notes {
        page.paragraph(3, 3, UNSURE, Wrap::Code, note);
    }
    let Some(lock) = &outcome.lock else {
        let words = "No lock file was written.";
        page.paragraph(3, 0, PLAIN, Wrap::Prose, words);
        return;
    };
    let path = lock.path.display();
    let words = match (lock.existed, lock.written) {
        (false, _) => format!("{path} was written: commit it, and `watertight run` uses it."),
        (true, true) => format!("{path} was updated:"),
        (true, false) => format!("{path} is up to date."),
    };
    page.paragraph(3, 0, PLAIN, Wrap::Code, &words);
    for change in &lock.changes {
        page.paragraph(5, 3, PLAIN, Wrap::Code, &change.to_string());
    }
}

/// The discovery for a program.
#[derive(Debug, Serialize)]
pub(super) struct Json<'a> {
    target: Target<'a>,
    channels: Vec<Row<'a>>,
    unbound: &'a [Unbound],
    notes: &'a [String],
    calls: usize,
    lock: Option<LockRow<'a>>,
}

#[derive(Debug, Serialize)]
struct Target<'a> {
    display: &'a str,
    name: &'a str,
    version: &'a str,
    protocol: &'a str,
    tools: Vec<&'a str>,
}

#[derive(Debug, Serialize)]
struct Row<'a> {
    tool: &'a str,
    role: Role,
    proven: bool,
    slots: &'a std::collections::BTreeMap<Slot, Vec<String>>,
    form: PathForm,
    /// Only of those that want paths in URIs of their own.
    #[serde(skip_serializing_if = "Option::is_none")]
    uri: Option<&'a UriForm>,
    /// Only of roles that reach hosts.
    #[serde(skip_serializing_if = "Option::is_none")]
    net: Option<NetForm>,
    pattern: PatternForm,
    extension: &'a str,
    score: f64,
    destructive: bool,
    fixed: &'a Map<String, Value>,
    then: Option<&'a Follow>,
    /// What proves it; empty when nothing does.
    proof: Vec<String>,
    /// Why it is not proven.
    why: Option<String>,
    /// Every experiment with the tool in this role.
    steps: Vec<Step>,
}

#[derive(Debug, Serialize)]
struct Step {
    what: String,
    evidence: bool,
}

#[derive(Debug, Serialize)]
struct LockRow<'a> {
    path: String,
    written: bool,
    changes: &'a [Change],
}

pub(super) fn json(outcome: &Outcome) -> Json<'_> {
    let row = |channel| row(outcome, channel);
    Json {
        target: Target {
            display: &outcome.display,
            name: &outcome.info.name,
            version: &outcome.info.version,
            protocol: &outcome.info.protocol,
            tools: outcome.tools.iter().map(|tool| &*tool.name).collect(),
        },
        channels: outcome.discovery.channels.iter().map(row).collect(),
        unbound: &outcome.discovery.unbound,
        notes: &outcome.notes,
        calls: outcome.discovery.calls,
        lock: outcome.lock.as_ref().map(|lock: &Locked| LockRow {
            path: lock.path.display().to_string(),
            written: lock.written,
            changes: &lock.changes,
        }),
    }
}

fn row<'a>(outcome: &'a Outcome, channel: &'a Channel) -> Row<'a> {
    let (proof, why) = match &channel.proof {
        Proof::Proven { steps } => {
            let steps = steps.iter().map(|step| named(step, outcome)).collect();
            (steps, None)
        }
        Proof::Unproven { why } => (Vec::new(), Some(named(why, outcome))),
    };
    Row {
        tool: &channel.tool,
        role: channel.role,
        proven: channel.proof.proven(),
        slots: &channel.slots,
        form: channel.form,
        uri: channel.uri.as_ref(),
        net: channel.role.of_network().then_some(channel.net),
        pattern: channel.pattern,
        extension: &channel.extension,
        score: (f64::from(channel.score) * 100.0).round() / 100.0,
        destructive: channel.destructive,
        fixed: &channel.fixed,
        then: channel.then.as_ref(),
        proof,
        why,
        steps: outcome
            .discovery
            .log
            .iter()
            .filter(|step| step.tool == channel.tool && step.role == channel.role)
            .map(|step| Step {
                what: named(&step.what, outcome),
                evidence: step.evidence,
            })
            .collect(),
    }
}
