//! `bindings.lock`: the channels that were found, as a file to review, change and commit.
//!
//! Owns the file format. A line in it is a claim like any other: it is proven again in each run.

use std::{collections::BTreeMap, fmt::Write as _};

use data_encoding::HEXLOWER;
use miette::SourceSpan;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};
use thiserror::Error;

use crate::{
    channel::{Channel, Follow, NetForm, PathForm, PatternForm, Proof, RESOURCES_READ, UriForm},
    probe::{Role, Slot},
    session::Tool,
};

/// Where `discover` puts it and `run` looks for it.
pub const LOCK_FILE: &str = "bindings.lock";

const FORMAT: u32 = 1;
const HEADER: &str = "\
# What each tool was found to do and how it is called. Made by `watertight discover`.
# Edit it where a guess was wrong: what stands here is tried as it is, and proven again in each run.
# `{allowed}` in a fixed argument stands for the allowed directory.
";

/// A lock file.
#[derive(Debug, Clone, PartialEq)]
pub struct Lock {
    /// The bindings, in the order of the file.
    pub entries: Vec<Entry>,
}

/// One binding.
#[derive(Debug, Clone, PartialEq)]
pub struct Entry {
    /// How to call the tool. Its proof is not stored; it is `Unproven` until it is proven again.
    pub channel: Channel,
    /// Whether it was proven when the file was written.
    pub proven: bool,
    /// `sha256:` and the digest of the tool's definition then; `None` when written by hand.
    pub definition: Option<String>,
}

/// A lock file that cannot be read.
#[derive(Debug, Error)]
#[error("{message}")]
pub struct LockError {
    /// What is wrong and how to put it right.
    pub message: String,
    /// Where, in bytes of the file.
    pub span: Option<SourceSpan>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    format: u32,
    #[serde(default, rename = "channel")]
    channels: Vec<Row>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Row {
    tool: String,
    role: Role,
    #[serde(default)]
    form: PathForm,
    #[serde(default, skip_serializing_if = "usual")]
    net: NetForm,
    #[serde(default)]
    pattern: PatternForm,
    #[serde(default = "text_file")]
    extension: String,
    #[serde(default = "certain")]
    score: f64,
    #[serde(default)]
    proven: bool,
    #[serde(default)]
    destructive: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    definition: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    recipe: Option<String>,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    bare: bool,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    encoded: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    action: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    uri: Option<UriForm>,
    slots: BTreeMap<Slot, Vec<String>>,
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    fixed: Map<String, Value>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    then: Option<Follow>,
}

fn usual(form: &NetForm) -> bool {
    *form == NetForm::default()
}

fn text_file() -> String {
    String::from(".txt")
}

fn certain() -> f64 {
    1.0
}

impl Lock {
    /// A lock of channels as they were found, sorted by tool and role.
    #[must_use]
    pub fn new(channels: &[Channel], tools: &[Tool]) -> Lock {
        let entries: Vec<Entry> = channels
            .iter()
            .map(|channel| Entry {
                channel: channel.clone(),
                proven: channel.proof.proven(),
                definition: tools
                    .iter()
                    .find(|tool| tool.name == channel.tool)
                    .map(definition_hash),
            })
            .collect();
        let mut lock = Lock { entries };
        lock.sort();
        lock
    }

    /// Takes over from an earlier lock what could not be tried now: roles that reach hosts, of tools that are
    /// still there and were found to do nothing of that role. Returns how many.
    pub fn keep_of_network(&mut self, old: &Lock, tools: &[Tool]) -> usize {
        let kept: Vec<Entry> = old
            .entries
            .iter()
            .filter(|entry| entry.channel.role.of_network())
            .filter(|entry| tools.iter().any(|tool| tool.name == entry.channel.tool))
            .filter(|entry| {
                let channel = &entry.channel;
                let same = |new: &Entry| {
                    new.channel.tool == channel.tool && new.channel.role == channel.role
                };
                !self.entries.iter().any(same)
            })
            .cloned()
            .collect();
        let count = kept.len();
        self.entries.extend(kept);
        self.sort();
        count
    }

    fn sort(&mut self) {
        self.entries.sort_by(|a, b| {
            (&a.channel.tool, a.channel.role, a.channel.name()).cmp(&(
                &b.channel.tool,
                b.channel.role,
                b.channel.name(),
            ))
        });
    }

    /// Reads a lock file.
    ///
    /// # Errors
    ///
    /// When it is no TOML, has unknown keys or is of another format; with the place in the file.
    pub fn parse(text: &str) -> Result<Lock, LockError> {
        let document: Document = toml::from_str(text).map_err(|error| LockError {
            message: error.message().to_owned(),
            span: error.span().map(SourceSpan::from),
        })?;
        if document.format != FORMAT {
            return Err(LockError {
                message: format!(
                    "format {} is not known: this version reads {FORMAT}; delete the file to have it made anew",
                    document.format
                ),
                span: text
                    .find("format")
                    .map(|at| SourceSpan::from((at, "format".len()))),
            });
        }
        for row in &document.channels {
            if let Some(missing) = row
                .role
                .slots()
                .iter()
                .find(|slot| row.slots.get(slot).is_none_or(Vec::is_empty))
            {
                return Err(LockError {
                    message: format!(
                        "the channel of `{}` has no pointer for slot {missing:?}, which its role needs",
                        row.tool
                    ),
                    span: text
                        .find(&format!("\"{}\"", row.tool))
                        .map(|at| SourceSpan::from((at, row.tool.len() + 2))),
                });
            }
        }
        let entries = document
            .channels
            .into_iter()
            .map(|row| Entry {
                proven: row.proven,
                definition: row.definition,
                channel: Channel {
                    tool: row.tool,
                    role: row.role,
                    slots: row.slots,
                    fixed: row.fixed,
                    form: row.form,
                    uri: row.uri,
                    net: row.net,
                    pattern: row.pattern,
                    extension: row.extension,
                    score: row.score as f32,
                    proof: Proof::Unproven {
                        why: String::from("not proven in this run"),
                    },
                    destructive: row.destructive,
                    recipe: row.recipe,
                    bare: row.bare,
                    encoded: row.encoded,
                    action: row.action,
                    base: None,
                    usual: None,
                    keeps: None,
                    joined: None,
                    then: row.then,
                },
            })
            .collect();
        Ok(Lock { entries })
    }

    /// The file. The same channels always give the same bytes.
    ///
    /// # Errors
    ///
    /// When a fixed argument cannot be written as TOML, which has no `null`.
    pub fn to_toml(&self) -> Result<String, toml::ser::Error> {
        let document = Document {
            format: FORMAT,
            channels: self
                .entries
                .iter()
                .map(|entry| Row {
                    tool: entry.channel.tool.clone(),
                    role: entry.channel.role,
                    form: entry.channel.form,
                    uri: entry.channel.uri.clone(),
                    net: entry.channel.net,
                    pattern: entry.channel.pattern,
                    extension: entry.channel.extension.clone(),
                    score: (f64::from(entry.channel.score) * 100.0).round() / 100.0,
                    proven: entry.proven,
                    destructive: entry.channel.destructive,
                    definition: entry.definition.clone(),
                    recipe: entry.channel.recipe.clone(),
                    bare: entry.channel.bare,
                    encoded: entry.channel.encoded,
                    action: entry.channel.action.clone(),
                    slots: entry.channel.slots.clone(),
                    fixed: sorted(&entry.channel.fixed),
                    then: entry.channel.then.clone(),
                })
                .collect(),
        };
        Ok(format!("{HEADER}\n{}", toml::to_string(&document)?))
    }

    /// The channels to try as they are. What the user bound to the same tool and role wins; what
    /// names a tool that is gone is left out.
    #[must_use]
    pub fn given(&self, bound: &[Channel], tools: &[Tool]) -> Vec<Channel> {
        self.entries
            .iter()
            .map(|entry| &entry.channel)
            .filter(|channel| {
                let told = bound
                    .iter()
                    .any(|own| own.tool == channel.tool && own.role == channel.role);
                let there = channel.tool == RESOURCES_READ
                    || tools.iter().any(|tool| tool.name == channel.tool);
                !told && there
            })
            .cloned()
            .collect()
    }

    /// What a reader of a run should know: tools that are gone or defined otherwise than when they
    /// were locked. One sentence each.
    #[must_use]
    pub fn notes(&self, tools: &[Tool]) -> Vec<String> {
        let changed = self.changed(tools);
        let (here, gone): (Vec<&str>, Vec<&str>) = changed
            .into_iter()
            .partition(|name| tools.iter().any(|tool| tool.name == *name));
        let mut notes: Vec<String> = here
            .into_iter()
            .map(|name| format!("the definition of tool {name} changed since it was locked"))
            .collect();
        if !gone.is_empty() {
            notes.push(format!("locked tools that are gone: {}", gone.join(", ")));
        }
        notes
    }

    /// Names of tools whose definition is no longer the one of the file, or which are gone.
    #[must_use]
    pub fn changed<'l>(&'l self, tools: &[Tool]) -> Vec<&'l str> {
        let mut names: Vec<&str> = self
            .entries
            .iter()
            .filter(|entry| {
                let Some(definition) = &entry.definition else {
                    return false;
                };
                tools
                    .iter()
                    .find(|tool| tool.name == entry.channel.tool)
                    .is_none_or(|tool| definition_hash(tool) != *definition)
            })
            .map(|entry| entry.channel.tool.as_str())
            .collect();
        names.dedup();
        names
    }
}

/// `sha256:` and the digest of a tool's definition with its keys sorted.
#[must_use]
pub fn definition_hash(tool: &Tool) -> String {
    let mut text = String::from("sha256:");
    let canonical = canonical(&tool.definition).to_string();
    // Writing to a String does not fail.
    let _ = text.write_str(&HEXLOWER.encode(&Sha256::digest(canonical.as_bytes())));
    text
}

fn canonical(value: &Value) -> Value {
    match value {
        Value::Object(members) => Value::Object(sorted(members)),
        Value::Array(items) => Value::Array(items.iter().map(canonical).collect()),
        other => other.clone(),
    }
}

fn sorted(members: &Map<String, Value>) -> Map<String, Value> {
    let ordered: BTreeMap<&String, Value> = members
        .iter()
        .map(|(key, value)| (key, canonical(value)))
        .collect();
    ordered
        .into_iter()
        .map(|(key, value)| (key.clone(), value))
        .collect()
}
