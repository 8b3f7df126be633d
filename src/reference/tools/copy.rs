//! Tools that take a source and a destination.

use rmcp::model::JsonObject;
use schemars::JsonSchema;
use serde::Deserialize;

use super::parse;
use crate::reference::Flaw;
use crate::reference::beneath::EntryKind;
use crate::reference::flawed;
use crate::reference::guard::Place;
use crate::reference::refusal::Refusal;
use crate::reference::world::{Extent, World};

/// Deepest nesting that is copied.
const DEPTH: usize = 32;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct CopyFile {
    /// Path of the file or directory to copy, absolute or relative to the first allowed directory.
    source: String,
    /// Path of the copy, absolute or relative to the first allowed directory.
    destination: String,
}

pub(super) fn copy_file(world: &World, arguments: JsonObject) -> Result<String, Refusal> {
    let CopyFile {
        source,
        destination,
    } = parse(arguments)?;
    if world.has(Flaw::CopySource) || world.has(Flaw::MoveDest) {
        flawed::copy(world, &source, &destination)?;
        return Ok("Copied".to_owned());
    }
    let source = world.guard.existing(&source)?;
    let destination = world.guard.writable(&destination)?;
    if destination.path().starts_with(source.path()) {
        return Err(Refusal::invalid("The destination is in the source"));
    }
    match source.directory() {
        Ok(_) => copy_directory(world, &source, &destination, DEPTH)?,
        Err(_) => {
            let content = world.read_place(&source, Extent::Whole)?;
            world.write_place(&destination, &content)?;
        }
    }
    Ok("Copied".to_owned())
}

/// Copies the permitted files and directories into a new directory; links and special files stay behind.
fn copy_directory(
    world: &World,
    source: &Place,
    destination: &Place,
    depth: usize,
) -> Result<(), Refusal> {
    let (parent, name) = destination.in_parent()?;
    parent.make_directory(name)?;
    for (name, status) in source.directory()?.entries()? {
        let Ok(from) = world.guard.child(source, &name) else {
            continue;
        };
        let to = world.guard.child(destination, &name)?;
        world.guard.unprotected(&to)?;
        match status.kind {
            EntryKind::File => {
                let content = world.read_place(&from, Extent::Whole)?;
                world.write_place(&to, &content)?;
            }
            EntryKind::Directory if depth > 0 => copy_directory(world, &from, &to, depth - 1)?,
            EntryKind::Link if world.has(Flaw::CopyDeref) => {
                flawed::copy_following_links(world, &from.path(), &to.path())?;
            }
            EntryKind::Directory | EntryKind::Link | EntryKind::Other => {}
        }
    }
    Ok(())
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct MoveFile {
    /// Path of the file to move, absolute or relative to the first allowed directory.
    source: String,
    /// New path of the file, absolute or relative to the first allowed directory.
    destination: String,
}

/// Moves a file. Not a directory: rules about paths inside it would not move along.
pub(super) fn move_file(world: &World, arguments: JsonObject) -> Result<String, Refusal> {
    let MoveFile {
        source,
        destination,
    } = parse(arguments)?;
    if world.has(Flaw::CopySource) || world.has(Flaw::MoveDest) {
        flawed::rename(world, &source, &destination)?;
        return Ok("Moved".to_owned());
    }
    let from = world.guard.writable(&source)?;
    let to = world.guard.writable(&destination)?;
    let (source, name) = from.in_parent()?;
    let status = source.status(name)?.ok_or(Refusal::NotFound)?;
    match status.kind {
        EntryKind::File if status.shared => return Err(Refusal::HardLink),
        EntryKind::File => {}
        EntryKind::Directory | EntryKind::Link | EntryKind::Other => return Err(Refusal::NotAFile),
    }
    let (destination, new_name) = to.in_parent()?;
    source.move_to(name, &destination, new_name)?;
    Ok("Moved".to_owned())
}
