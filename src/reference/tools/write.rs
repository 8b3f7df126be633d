//! Tools that create, change and delete single files and directories.

use std::ffi::OsStr;

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

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct WriteFile {
    /// Path of the file to write, absolute or relative to the first allowed directory.
    path: String,
    /// The new content.
    content: String,
}

pub(super) fn write_file(world: &World, arguments: JsonObject) -> Result<String, Refusal> {
    let arguments: WriteFile = parse(arguments)?;
    let bytes = arguments.content.as_bytes();
    world.may_write(bytes)?;
    if world
        .guard
        .protected_exactly(&arguments.path, &world.options.protect)
    {
        return Err(Refusal::Protected);
    }
    if let Some(log) = world.exposed_log(&arguments.path) {
        std::fs::write(log, bytes)?;
        return Ok(format!("Wrote {} bytes", bytes.len()));
    }
    match flawed::write_for_write_file(world, &arguments.path, bytes) {
        Some(written) => written?,
        None => world.write(&arguments.path, bytes)?,
    }
    Ok(format!("Wrote {} bytes", bytes.len()))
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct EditFile {
    /// Path of the file to edit, absolute or relative to the first allowed directory.
    path: String,
    /// The replacements, made one after the other.
    edits: Vec<Edit>,
    /// Whether to show the difference only.
    dry_run: Option<bool>,
}

/// One replacement.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Edit {
    /// Text to find; its first occurrence is replaced.
    old_text: String,
    /// Text to put there.
    new_text: String,
}

pub(super) fn edit_file(world: &World, arguments: JsonObject) -> Result<String, Refusal> {
    let arguments: EditFile = parse(arguments)?;
    let place = world.guard.existing(&arguments.path)?;
    world.guard.unprotected(&place)?;
    let before = world.read_place(&place, Extent::Whole)?;
    let before =
        String::from_utf8(before).map_err(|_| Refusal::invalid("The file is not UTF-8 text"))?;
    let mut after = before.clone();
    for Edit { old_text, new_text } in &arguments.edits {
        if old_text.is_empty() || !after.contains(old_text) {
            return Err(Refusal::invalid("The file does not contain an oldText"));
        }
        after = after.replacen(old_text, new_text, 1);
    }
    world.may_write(after.as_bytes())?;
    if arguments.dry_run != Some(true) {
        world.write_place(&place, after.as_bytes())?;
    }
    Ok(diffy::create_patch(&before, &after).to_string())
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ExportReport {
    /// Title of the report.
    title: String,
    /// Path of the file to save the report to, absolute or relative to the first allowed directory.
    output: String,
}

pub(super) fn export_report(world: &World, arguments: JsonObject) -> Result<String, Refusal> {
    let arguments: ExportReport = parse(arguments)?;
    let report = format!("# {}\n\nNothing to report.\n", arguments.title);
    if world.has(Flaw::SaveUnchecked) {
        world.may_write(report.as_bytes())?;
        flawed::write(world, &arguments.output, report.as_bytes())?;
    } else {
        world.write(&arguments.output, report.as_bytes())?;
    }
    Ok("Saved the report".to_owned())
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct CreateDirectory {
    /// Path of the directory to create, absolute or relative to the first allowed directory.
    path: String,
}

pub(super) fn create_directory(world: &World, arguments: JsonObject) -> Result<String, Refusal> {
    let arguments: CreateDirectory = parse(arguments)?;
    if world.has(Flaw::CreateUnchecked)
        || (world.has(Flaw::WriteDirLink) && flawed::lexically_inside(world, &arguments.path))
    {
        flawed::create_directories(world, &arguments.path)?;
    } else {
        let (base, missing) = world.guard.deepest(&arguments.path)?;
        let missing: Vec<_> = missing.iter().map(|name| name.as_os_str()).collect();
        make_below(world, base, &missing)?;
    }
    Ok("Created the directory".to_owned())
}

/// Creates the missing ones of nested directories, each in the opened one before.
pub(super) fn make_below(
    world: &World,
    mut place: Place,
    names: &[&OsStr],
) -> Result<Place, Refusal> {
    let mut directory = place.directory()?;
    for name in names {
        place = world.guard.child(&place, name)?;
        world.guard.unprotected(&place)?;
        match directory.make_directory(name) {
            // It was there, or somebody made it meanwhile; if it is a link, opening it fails.
            Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {}
            result => result?,
        }
        directory = directory.directory(name)?;
    }
    Ok(place)
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct CreateProject {
    /// Path of the project's directory, absolute or relative to the first allowed directory; it must not exist.
    path: String,
}

pub(super) fn create_project(world: &World, arguments: JsonObject) -> Result<String, Refusal> {
    const README: &[u8] = b"# New project\n";
    let arguments: CreateProject = parse(arguments)?;
    if world.has(Flaw::CreateUnchecked) {
        flawed::create_directories(world, &arguments.path)?;
        flawed::write(world, &format!("{}/README.md", arguments.path), README)?;
    } else {
        let place = world.guard.writable(&arguments.path)?;
        let readme = world.guard.child(&place, OsStr::new("README.md"))?;
        world.guard.unprotected(&readme)?;
        let (directory, name) = place.in_parent()?;
        directory.make_directory(name)?;
        world.write_place(&readme, README)?;
    }
    Ok("Created the project".to_owned())
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct DeleteFile {
    /// Path of the file to delete, absolute or relative to the first allowed directory; a link is deleted itself.
    path: String,
}

pub(super) fn delete_file(world: &World, arguments: JsonObject) -> Result<String, Refusal> {
    let arguments: DeleteFile = parse(arguments)?;
    if world.has(Flaw::DeleteUnchecked) {
        flawed::delete(world, &arguments.path)?;
    } else {
        let place = world.guard.writable(&arguments.path)?;
        let (directory, name) = place.in_parent()?;
        match directory.status(name)?.ok_or(Refusal::NotFound)?.kind {
            EntryKind::File | EntryKind::Link => directory.remove(name)?,
            EntryKind::Directory | EntryKind::Other => return Err(Refusal::NotAFile),
        }
    }
    Ok("Deleted the file".to_owned())
}
