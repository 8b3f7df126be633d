//! Tools that read and extract archives.

use std::ffi::OsStr;
use std::io::{Cursor, Read};
use std::path::{Path, PathBuf};

use flate2::read::GzDecoder;
use rmcp::model::JsonObject;
use schemars::JsonSchema;
use serde::Deserialize;

use super::write::make_below;
use super::{parse, text};
use crate::reference::Flaw;
use crate::reference::flawed;
use crate::reference::refusal::Refusal;
use crate::reference::world::{CEILING, World};

/// Most members of an archive.
const MEMBERS: usize = 10_000;

struct Member {
    name: String,
    body: Body,
}

enum Body {
    File(Vec<u8>),
    Directory,
    Link(PathBuf),
    Other,
}

/// Reads bytes that come out of an archive, and counts them: the limit is on their sum.
struct Budget {
    limit: u64,
    left: u64,
}

impl Budget {
    fn read(&mut self, source: impl Read) -> Result<Vec<u8>, Refusal> {
        let mut bytes = Vec::new();
        source
            .take(self.left.saturating_add(1))
            .read_to_end(&mut bytes)?;
        self.left = self
            .left
            .checked_sub(bytes.len() as u64)
            .ok_or(Refusal::TooLarge(self.limit))?;
        Ok(bytes)
    }
}

/// The members of an archive, whatever format its first bytes tell.
fn members(world: &World, archive: &[u8]) -> Result<Vec<Member>, Refusal> {
    let limit = world.unpack_limit();
    let mut budget = Budget { limit, left: limit };
    match archive {
        [b'P', b'K', ..] => zip_members(archive, &mut budget),
        // Headers and long names are not counted as members' bytes, yet must end.
        [0x1f, 0x8b, ..] => tar_members(GzDecoder::new(archive).take(CEILING), &mut budget),
        _ => tar_members(archive, &mut budget),
    }
}

fn zip_members(archive: &[u8], budget: &mut Budget) -> Result<Vec<Member>, Refusal> {
    let broken = |_| Refusal::invalid("Not a readable zip archive");
    let mut archive = zip::ZipArchive::new(Cursor::new(archive)).map_err(broken)?;
    let mut members = Vec::new();
    for index in 0..archive.len().min(MEMBERS) {
        let mut member = archive.by_index(index).map_err(broken)?;
        let name = member.name().map_err(broken)?.into_owned();
        let body = if member.is_dir() {
            Body::Directory
        } else if member.is_symlink() {
            Body::Link(PathBuf::from(text(&budget.read(&mut member)?)))
        } else {
            Body::File(budget.read(&mut member)?)
        };
        members.push(Member { name, body });
    }
    Ok(members)
}

fn tar_members(archive: impl Read, budget: &mut Budget) -> Result<Vec<Member>, Refusal> {
    let broken = |_| Refusal::invalid("Not a readable archive");
    let mut archive = tar::Archive::new(archive);
    let mut members = Vec::new();
    for member in archive.entries().map_err(broken)?.take(MEMBERS) {
        let mut member = member.map_err(broken)?;
        let name = text(&member.path_bytes());
        let kind = member.header().entry_type();
        let body = if kind.is_dir() {
            Body::Directory
        } else if kind.is_symlink() || kind.is_hard_link() {
            let target = member.link_name().map_err(broken)?;
            Body::Link(target.map(|target| target.into_owned()).unwrap_or_default())
        } else if kind.is_file() {
            Body::File(budget.read(&mut member)?)
        } else {
            Body::Other
        };
        members.push(Member { name, body });
    }
    Ok(members)
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ReadArchive {
    /// Path of the archive to read, absolute or relative to the first allowed directory.
    path: String,
}

pub(super) fn read_archive(world: &World, arguments: JsonObject) -> Result<String, Refusal> {
    let arguments: ReadArchive = parse(arguments)?;
    if world.has(Flaw::ArchiveLink) && flawed::is_link_inside(world, &arguments.path) {
        return flawed::read(world, &arguments.path).map(|content| text(&content));
    }
    let place = world.guard.existing(&arguments.path)?;
    let archive = world.read(&arguments.path)?;
    let mut answer = String::new();
    for Member { name, body } in members(world, &archive)? {
        answer.push_str(&match body {
            Body::File(content) => format!("--- {name}\n{}\n", text(&content)),
            Body::Directory => format!("--- {name} (directory)\n"),
            Body::Link(target) if world.has(Flaw::ArchiveLink) => {
                let path = place.path();
                let target = path.parent().unwrap_or(&path).join(target);
                match flawed::read_path(world, &target) {
                    Ok(content) => format!("--- {name}\n{}\n", text(&content)),
                    Err(refusal) => format!("--- {name}: {refusal}\n"),
                }
            }
            Body::Link(_) => format!("--- {name} (link, not followed)\n"),
            Body::Other => format!("--- {name} (special)\n"),
        });
    }
    Ok(answer)
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ExtractArchive {
    /// Path of the archive to extract, absolute or relative to the first allowed directory.
    archive: String,
    /// Path of the directory to extract into; it is created if only its last name is missing.
    destination: String,
}

pub(super) fn extract_archive(world: &World, arguments: JsonObject) -> Result<String, Refusal> {
    let arguments: ExtractArchive = parse(arguments)?;
    let archive = world.read(&arguments.archive)?;
    let members = members(world, &archive)?;
    let slip = world.has(Flaw::ArchiveSlip);
    // All names are checked before the first member is written.
    let paths: Vec<Vec<&str>> = members
        .iter()
        .filter(|_| !slip)
        .map(|member| plain_names(&member.name))
        .collect::<Result<_, _>>()?;

    if world.has(Flaw::ArchiveDestination) {
        let destination = world.guard.first_root()?.join(&arguments.destination);
        for Member { name, body } in &members {
            extract_by_path(&destination, name, body)?;
        }
        return Ok(format!("Extracted {} members", members.len()));
    }
    let (base, missing) = world.guard.deepest(&arguments.destination)?;
    if missing.len() > 1 {
        return Err(Refusal::NotFound);
    }
    let missing: Vec<_> = missing.iter().map(|name| name.as_os_str()).collect();
    let destination = make_below(world, base, &missing)?;

    let (mut written, mut left_out) = (0, 0);
    if slip || world.has(Flaw::ArchiveLink) {
        for Member { name, body } in &members {
            extract_by_path(&destination.path(), name, body)?;
            written += 1;
        }
    } else {
        for (Member { body, .. }, names) in members.iter().zip(&paths) {
            let names: Vec<_> = names.iter().map(OsStr::new).collect();
            match (body, names.split_last()) {
                (Body::File(content), Some((name, parents))) => {
                    let parent = make_below(world, destination.clone(), parents)?;
                    let place = world.guard.child(&parent, name)?;
                    world.guard.unprotected(&place)?;
                    world.write_place(&place, content)?;
                    written += 1;
                }
                (Body::Directory, _) => drop(make_below(world, destination.clone(), &names)?),
                _ => left_out += 1,
            }
        }
    }
    Ok(format!(
        "Extracted {written} files; left out {left_out} links and special files"
    ))
}

/// The components of a member's name, none of which leads anywhere else.
fn plain_names(name: &str) -> Result<Vec<&str>, Refusal> {
    if name.starts_with('/') || name.contains(['\\', '\0']) {
        return Err(Refusal::Denied);
    }
    let names: Vec<_> = name
        .split('/')
        .filter(|part| !part.is_empty() && *part != ".")
        .collect();
    if names.contains(&"..") {
        return Err(Refusal::Denied);
    }
    Ok(names)
}

/// [`Flaw::ArchiveSlip`], [`Flaw::ArchiveLink`] and [`Flaw::ArchiveDestination`]: joins the name, follows links on the way, and creates links.
fn extract_by_path(destination: &Path, name: &str, body: &Body) -> Result<(), Refusal> {
    let path = destination.join(name);
    if let Some(parent) = path.parent() {
        std::fs::create_dir_all(parent)?;
    }
    match body {
        Body::File(content) => flawed::write_path(&path, content),
        Body::Directory => Ok(std::fs::create_dir_all(&path)?),
        Body::Link(target) => flawed::create_link(target, &path),
        Body::Other => Ok(()),
    }
}
