//! The tool that renders documents which name other files.

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
pub(super) struct Render {
    /// Path of the text document to render, absolute or relative to the first allowed directory.
    path: String,
}

pub(super) fn render(world: &World, arguments: JsonObject) -> Result<String, Refusal> {
    let arguments: Render = parse(arguments)?;
    let document = text(&world.read(&arguments.path)?);
    let unchecked = world.has(Flaw::Include);
    let mut answer = String::new();
    for line in document.lines() {
        if let Some(path) = line.strip_prefix("@include ") {
            let path = path.trim();
            let content = match unchecked {
                true => flawed::read(world, path),
                false => world.read(path),
            };
            // A refused part leaves the rest readable.
            match content {
                Ok(content) => answer.push_str(&text(&content)),
                Err(refusal) => answer.push_str(&format!("[{refusal}]")),
            }
        } else {
            answer.push_str(line);
            if unchecked {
                answer.push_str(&flawed::file_references(world, line));
            }
        }
        answer.push('\n');
    }
    Ok(answer)
}
