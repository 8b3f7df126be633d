//! The tool that applies unified diffs.

use diffy::patch_set::{FileMode, FileOperation, FilePatch, ParseOptions, PatchSet};
use rmcp::model::JsonObject;
use schemars::JsonSchema;
use serde::Deserialize;

use super::{parse, text};
use crate::reference::Flaw;
use crate::reference::flawed;
use crate::reference::refusal::Refusal;
use crate::reference::world::World;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ApplyPatch {
    /// A unified diff; the paths in its headers are relative to the first allowed directory, after `a/` and `b/`.
    patch: String,
}

pub(super) fn apply_patch(world: &World, arguments: JsonObject) -> Result<String, Refusal> {
    let arguments: ApplyPatch = parse(arguments)?;
    let format = match arguments.patch.contains("diff --git ") {
        true => ParseOptions::gitdiff(),
        false => ParseOptions::unidiff(),
    };
    let patches: Vec<_> = PatchSet::parse(&arguments.patch, format)
        .collect::<Result<_, _>>()
        .map_err(|_| Refusal::invalid("Not a unified diff"))?;
    if patches.is_empty() {
        return Err(Refusal::invalid("The patch is empty"));
    }
    for patch in &patches {
        apply(world, patch)?;
    }
    Ok(format!("Patched {} files", patches.len()))
}

fn apply(world: &World, patch: &FilePatch<'_, str>) -> Result<(), Refusal> {
    let (original, target) = match patch.operation() {
        FileOperation::Create(target) => (None, target),
        FileOperation::Modify { original, modified } => (Some(original), modified),
        FileOperation::Delete(_) | FileOperation::Rename { .. } | FileOperation::Copy { .. } => {
            return Err(Refusal::invalid("A patch may create and change files only"));
        }
    };
    if matches!(
        patch.new_mode(),
        Some(FileMode::Symlink | FileMode::Gitlink)
    ) {
        return Err(Refusal::invalid("A patch may not make links"));
    }
    let lines = patch
        .patch()
        .as_text()
        .ok_or_else(|| Refusal::invalid("A patch must be text"))?;

    let unchecked = world.has(Flaw::PatchHeader);
    let read = |path: &str| match unchecked {
        true => flawed::read(world, path),
        false => world.read(path),
    };
    let target = without_prefix(target);
    let before = match original.map(|original| without_prefix(original)) {
        None => String::new(),
        Some(original) => match read(target) {
            Err(Refusal::NotFound) => text(&read(original)?),
            content => text(&content?),
        },
    };
    let after = diffy::apply(&before, lines)
        .map_err(|_| Refusal::invalid("The patch does not fit the file"))?;
    if unchecked {
        world.may_write(after.as_bytes())?;
        flawed::write(world, target, after.as_bytes())
    } else {
        world.write(target, after.as_bytes())
    }
}

/// The path of a header without the `a/` or `b/` that git puts before it.
fn without_prefix(path: &str) -> &str {
    path.strip_prefix("a/")
        .or_else(|| path.strip_prefix("b/"))
        .unwrap_or(path)
}
