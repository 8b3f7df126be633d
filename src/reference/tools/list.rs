//! Tools that walk directories.

use std::fmt::Write as _;

use rmcp::model::JsonObject;
use schemars::JsonSchema;
use serde::Deserialize;

use super::{parse, text};
use crate::reference::Flaw;
use crate::reference::beneath::EntryKind;
use crate::reference::flawed;
use crate::reference::guard::Place;
use crate::reference::refusal::Refusal;
use crate::reference::world::{Extent, World};

/// Deepest nesting that is walked.
const DEPTH: usize = 32;
/// Most lines in an answer.
const LINES: usize = 10_000;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ListDirectory {
    /// Path of the directory to list, absolute or relative to the first allowed directory.
    path: String,
    /// Whether to list what is in its directories too.
    recursive: Option<bool>,
}

pub(super) fn list_directory(world: &World, arguments: JsonObject) -> Result<String, Refusal> {
    let arguments: ListDirectory = parse(arguments)?;
    let depth = match arguments.recursive {
        Some(true) => DEPTH,
        _ => 0,
    };
    if world.has(Flaw::ListUnchecked) {
        return flawed::list(world, &arguments.path, depth);
    }
    let place = world.guard.existing(&arguments.path)?;
    let mut lines = Vec::new();
    list(world, &place, "", depth, &mut lines)?;
    Ok(lines.join("\n"))
}

/// Adds a line for each entry that is permitted. A link is named and not looked behind.
fn list(
    world: &World,
    place: &Place,
    prefix: &str,
    depth: usize,
    lines: &mut Vec<String>,
) -> Result<(), Refusal> {
    for (name, status) in place.directory()?.entries()? {
        let Ok(child) = world.guard.child(place, &name) else {
            continue;
        };
        if lines.len() >= LINES {
            break;
        }
        let shown = format!("{prefix}{}", name.to_string_lossy());
        match status.kind {
            EntryKind::File if status.shared => lines.push(shown),
            EntryKind::File => lines.push(format!("{shown}\t{} bytes", status.size)),
            EntryKind::Directory => {
                lines.push(format!("{shown}/"));
                if depth > 0 {
                    // A directory that vanished or may not be read is no reason to fail.
                    let _ = list(world, &child, &format!("{shown}/"), depth - 1, lines);
                }
            }
            EntryKind::Link if world.has(Flaw::ListSizes) => {
                lines.push(format!("{shown}\t{}", flawed::target_status(&child.path())));
            }
            EntryKind::Link => lines.push(format!("{shown} (link)")),
            EntryKind::Other => lines.push(format!("{shown} (special)")),
        }
    }
    Ok(())
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct SearchFiles {
    /// Path of the directory to search, absolute or relative to the first allowed directory.
    path: String,
    /// Text that a line must contain.
    pattern: String,
}

pub(super) fn search_files(world: &World, arguments: JsonObject) -> Result<String, Refusal> {
    let arguments: SearchFiles = parse(arguments)?;
    if arguments.pattern.is_empty() {
        return Err(Refusal::invalid("The pattern is empty"));
    }
    let place = world.guard.existing(&arguments.path)?;
    let mut found = Found {
        pattern: &arguments.pattern,
        backtracks: world.has(Flaw::ResSearchBacktracks),
        lines: 0,
        answer: String::new(),
    };
    if world.has(Flaw::SearchFollows) {
        flawed::walk_following_links(&place.path(), |name, content| found.file(name, content));
    } else {
        search(world, &place, "", DEPTH, &mut found)?;
    }
    Ok(found.answer)
}

struct Found<'a> {
    pattern: &'a str,
    /// [`Flaw::ResSearchBacktracks`].
    backtracks: bool,
    lines: usize,
    answer: String,
}

impl Found<'_> {
    fn file(&mut self, name: &str, content: &[u8]) {
        for (index, line) in text(content).lines().enumerate() {
            let matches = if self.backtracks {
                flawed::strain::found(self.pattern, line)
            } else {
                line.contains(self.pattern)
            };
            if matches && self.lines < LINES {
                self.lines += 1;
                // Writing to a string does not fail.
                let _ = writeln!(self.answer, "{name}:{}: {line}", index + 1);
            }
        }
    }
}

/// Searches the permitted files below a place; files that may not be read, or are too large, are left out.
fn search(
    world: &World,
    place: &Place,
    prefix: &str,
    depth: usize,
    found: &mut Found<'_>,
) -> Result<(), Refusal> {
    for (name, status) in place.directory()?.entries()? {
        let Ok(child) = world.guard.child(place, &name) else {
            continue;
        };
        let shown = format!("{prefix}{}", name.to_string_lossy());
        match status.kind {
            EntryKind::File => {
                if let Ok(content) = world.read_place(&child, Extent::Whole) {
                    found.file(&shown, &content);
                }
            }
            EntryKind::Directory if depth > 0 => {
                // As in a listing.
                let _ = search(world, &child, &format!("{shown}/"), depth - 1, found);
            }
            EntryKind::Directory | EntryKind::Link | EntryKind::Other => {}
        }
    }
    Ok(())
}
