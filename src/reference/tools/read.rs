//! Tools that answer with the content of single files.

use std::fmt::Write as _;
use std::time::UNIX_EPOCH;

use data_encoding::HEXLOWER;
use rmcp::model::JsonObject;
use schemars::JsonSchema;
use serde::Deserialize;
use sha2::{Digest as _, Sha256};

use super::{parse, text};
use crate::reference::Flaw;
use crate::reference::flawed;
use crate::reference::refusal::Refusal;
use crate::reference::world::{Extent, World};

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ReadFile {
    /// Path of the file to read, absolute or relative to the first allowed directory.
    path: String,
    /// Only this many lines from the start.
    head: Option<usize>,
    /// Only this many lines from the end.
    tail: Option<usize>,
    /// Only from this byte on.
    offset: Option<usize>,
    /// Only this many bytes.
    length: Option<usize>,
}

impl ReadFile {
    fn extent(&self) -> Extent {
        let part = self.head.or(self.tail).or(self.offset).or(self.length);
        part.map_or(Extent::Whole, |_| Extent::Part)
    }

    /// The part of the content that was asked for.
    fn cut(&self, content: &[u8]) -> String {
        let start = self.offset.unwrap_or(0).min(content.len());
        let length = self.length.unwrap_or(usize::MAX);
        let end = start.saturating_add(length).min(content.len());
        let content = text(&content[start..end]);
        let lines: Vec<_> = content.split_inclusive('\n').collect();
        let lines = match (self.head, self.tail) {
            (Some(head), _) => &lines[..head.min(lines.len())],
            (None, Some(tail)) => &lines[lines.len().saturating_sub(tail)..],
            (None, None) => return content,
        };
        lines.concat()
    }
}

pub(super) fn read_file(world: &World, arguments: JsonObject) -> Result<String, Refusal> {
    let (arguments, juggled) = flawed::unjuggle(world, arguments);
    let arguments: ReadFile = parse(arguments)?;
    if let Some(log) = world.exposed_log(&arguments.path) {
        return Ok(arguments.cut(&std::fs::read(log)?));
    }
    let flawed = match juggled {
        true => Some(flawed::open(world, &arguments.path)),
        false if world.widened(&arguments.path) => Some(flawed::open(world, &arguments.path)),
        false => flawed::open_for_read_file(world, &arguments.path),
    };
    let content = || match flawed {
        Some(file) => world.slurp(file?, arguments.extent()),
        None => world.read_place(&world.guard.existing(&arguments.path)?, arguments.extent()),
    };
    let content = content().map_err(|refusal| flawed::talkative(world, refusal))?;
    Ok(arguments.cut(&content))
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ReadFiles {
    /// Paths of the files to read, absolute or relative to the first allowed directory.
    paths: Vec<String>,
}

pub(super) fn read_files(world: &World, arguments: JsonObject) -> Result<String, Refusal> {
    let arguments: ReadFiles = parse(arguments)?;
    let mut answer = String::new();
    for (index, path) in arguments.paths.iter().enumerate() {
        let content = if index > 0 && world.has(Flaw::BatchFirst) {
            flawed::read(world, path)
        } else {
            world.read(path)
        };
        let number = index + 1;
        // One refused file does not take the others away.
        match content {
            Ok(content) => writeln!(answer, "--- file {number}\n{}", text(&content)),
            Err(refusal) if arguments.paths.len() == 1 => return Err(refusal),
            Err(refusal) => writeln!(answer, "--- file {number}: {refusal}"),
        }
        .map_err(|_| Refusal::invalid("The answer cannot be written"))?;
    }
    Ok(answer)
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct FileInfo {
    /// Path of the file to describe, absolute or relative to the first allowed directory.
    path: String,
}

pub(super) fn file_info(world: &World, arguments: JsonObject) -> Result<String, Refusal> {
    let arguments: FileInfo = parse(arguments)?;
    let unchecked = world.has(Flaw::InfoUnchecked);
    let file = if unchecked {
        flawed::open(world, &arguments.path)?
    } else {
        world.open_place(&world.guard.existing(&arguments.path)?)?
    };
    let modified = file
        .metadata()?
        .modified()?
        .duration_since(UNIX_EPOCH)
        .map_or(0, |age| age.as_secs());
    let content = world.slurp(file, Extent::Whole)?;
    let size = content.len();
    let digest = HEXLOWER.encode(&Sha256::digest(&content));
    let mut answer = format!("size: {size}\nmodified: {modified}\nsha256: {digest}\n");
    if unchecked {
        let content = text(&content);
        let preview = content.lines().take(2).collect::<Vec<_>>().join("\n");
        answer.push_str(&format!("preview: {preview}\n"));
    }
    Ok(answer)
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct GetNote {
    /// Identifier of the note.
    id: String,
}

pub(super) fn get_note(world: &World, arguments: JsonObject) -> Result<String, Refusal> {
    let arguments: GetNote = parse(arguments)?;
    let id = arguments.id;
    if world.has(Flaw::IdentPath) {
        return flawed::note(world, &id).map(|content| text(&content));
    }
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    if id.is_empty() || id.starts_with('.') || !id.chars().all(plain) {
        return Err(Refusal::invalid("Not an identifier"));
    }
    match world.read(&format!("{id}.md")) {
        Err(Refusal::NotFound) => world.read(&format!("{id}.txt")),
        result => result,
    }
    .map(|content| text(&content))
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct StageFile {
    /// Path of the file to stage, absolute or relative to the first allowed directory.
    path: String,
}

pub(super) fn stage_file(world: &World, arguments: JsonObject) -> Result<String, Refusal> {
    let arguments: StageFile = parse(arguments)?;
    let content = if world.has(Flaw::StageUnchecked) {
        flawed::read(world, &arguments.path)?
    } else {
        world.read(&arguments.path)?
    };
    Ok(world.stage(content).to_string())
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ShowStaged {
    /// The id that stage_file answered with.
    id: String,
}

pub(super) fn show_staged(world: &World, arguments: JsonObject) -> Result<String, Refusal> {
    let arguments: ShowStaged = parse(arguments)?;
    let staged = world.staged();
    let content = arguments
        .id
        .trim()
        .parse()
        .ok()
        .and_then(|id| staged.get(&id));
    content
        .map(|content| text(content))
        .ok_or_else(|| Refusal::invalid("Nothing is staged under this id"))
}
