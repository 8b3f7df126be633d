//! What differs between two lock files, in words.
//!
//! Owns the comparison that a person reads before committing a changed file.

use std::fmt;

use crate::{
    channel::{Channel, Entry, Lock},
    probe::Role,
};

/// One binding that is not what it was.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Change {
    /// The tool.
    pub tool: String,
    /// Its role.
    pub role: Role,
    /// What differs, in words.
    pub what: Vec<String>,
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} as {}: {}",
            self.tool,
            self.role,
            self.what.join(", ")
        )
    }
}

impl Lock {
    /// What `new` holds otherwise, in the order of the new file; then what it no longer holds.
    #[must_use]
    pub fn changes(&self, new: &Lock) -> Vec<Change> {
        let changed = new.entries.iter().filter_map(|entry| {
            let what = match self.find(entry) {
                Some(old) => differences(old, entry),
                None => vec![String::from("new")],
            };
            (!what.is_empty()).then(|| change(entry, what))
        });
        let lost = self
            .entries
            .iter()
            .filter(|entry| new.find(entry).is_none())
            .map(|entry| change(entry, vec![String::from("gone")]));
        changed.chain(lost).collect()
    }

    fn find(&self, like: &Entry) -> Option<&Entry> {
        let same = |entry: &&Entry| {
            entry.channel.tool == like.channel.tool && entry.channel.role == like.channel.role
        };
        // A tool that chooses what it does may have several channels of one role.
        self.entries
            .iter()
            .filter(same)
            .find(|entry| entry.channel.name() == like.channel.name())
            .or_else(|| self.entries.iter().find(same))
    }
}

fn change(entry: &Entry, what: Vec<String>) -> Change {
    Change {
        tool: entry.channel.tool.clone(),
        role: entry.channel.role,
        what,
    }
}

fn differences(old: &Entry, new: &Entry) -> Vec<String> {
    let (was, is): (&Channel, &Channel) = (&old.channel, &new.channel);
    let mut what = Vec::new();
    match (old.proven, new.proven) {
        (true, false) => what.push(String::from("no longer proven")),
        (false, true) => what.push(String::from("now proven")),
        _ => {}
    }
    let parts = [
        ("slots", was.slots != is.slots),
        ("fixed arguments", was.fixed != is.fixed),
        ("path form", was.form != is.form),
        ("URI form", was.uri != is.uri),
        ("network form", was.net != is.net),
        ("pattern form", was.pattern != is.pattern),
        ("extension", was.extension != is.extension),
        ("second call", was.then != is.then),
        (
            "definition",
            old.definition.is_some() && old.definition != new.definition,
        ),
    ];
    let names: Vec<&str> = parts
        .iter()
        .filter(|(_, differs)| *differs)
        .map(|(name, _)| *name)
        .collect();
    if !names.is_empty() {
        what.push(format!("changed {}", names.join(" and ")));
    }
    what
}
