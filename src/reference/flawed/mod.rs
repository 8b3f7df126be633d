//! The defects: checks that let too much through, files touched by path, and hosts reached without a check.
//!
//! Everything here is wrong on purpose. A tool comes here only where a flaw is switched on; what a function does with
//! a path is what the flaw's description says, and no more. The size limit still holds, and no open here waits for a
//! peer, so that a flawed server is as quick and as bounded as the sound one.

pub(super) mod execute;
pub(super) mod net;
mod read;
mod repo;
mod spelling;
pub(super) mod strain;
mod write;

use std::fmt::Write as _;
use std::fs::{self, File};
use std::io::{self, Read as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Component, Path, PathBuf};
use std::time::{Duration, Instant};

use rmcp::model::JsonObject;
use rustix::fs::OFlags;
use serde_json::Value;

pub(super) use self::read::open_for_read_file;
pub(super) use self::repo::{alternates, git_above, git_redirected};
pub(super) use self::spelling::{file_references, substituted};
pub(super) use self::write::{
    copy, copy_following_links, create_directories, create_link, delete, rename, write,
    write_for_write_file, write_path,
};

use super::Flaw;
use super::refusal::Refusal;
use super::world::{Extent, World};

/// How long a pipe may stay silent before the first byte.
const PATIENCE: Duration = Duration::from_secs(2);
/// How long it may pause after that.
const PAUSE: Duration = Duration::from_millis(50);
/// How long a file must not grow to be taken for complete.
const GROWTH: Duration = Duration::from_millis(2);

/// Lets other threads in between a check and a use, as a `stat` more or a garbage collection would: about 100 µs.
fn window() {
    std::thread::sleep(Duration::from_micros(100));
}

/// The request as a path, unchecked.
fn joined(world: &World, requested: &str) -> PathBuf {
    match world.guard.first_root() {
        Ok(root) => root.join(requested),
        Err(_) => PathBuf::from(requested),
    }
}

/// The path with `.` and `..` cleaned as text.
fn cleaned(path: &Path) -> PathBuf {
    let mut clean = PathBuf::new();
    for component in path.components() {
        match component {
            Component::CurDir => {}
            Component::ParentDir => drop(clean.pop()),
            part => clean.push(part),
        }
    }
    clean
}

/// The check without a look at the disk: the cleaned path begins with a root.
pub(super) fn lexically_inside(world: &World, requested: &str) -> bool {
    let path = cleaned(&joined(world, requested));
    world.guard.roots().any(|root| path.starts_with(root))
}

/// The check without cleaning: the path as written is relative, or begins with a root.
fn begins_inside(world: &World, requested: &str) -> bool {
    let path = Path::new(requested);
    path.is_relative() || world.guard.roots().any(|root| path.starts_with(root))
}

/// Opens by path, following every link.
fn open_path(path: &Path) -> io::Result<File> {
    open_path_with(path, OFlags::empty())
}

fn open_path_with(path: &Path, flags: OFlags) -> io::Result<File> {
    let flags = (flags | OFlags::NONBLOCK | OFlags::NOCTTY).bits();
    fs::OpenOptions::new()
        .read(true)
        // The bits fit: they are the constants of open(2).
        .custom_flags(flags.cast_signed())
        .open(path)
}

/// Opens a request by path, unchecked.
pub(super) fn open(world: &World, requested: &str) -> Result<File, Refusal> {
    Ok(open_path(&joined(world, requested))?)
}

/// [`Flaw::SecretsTold`]: a refusal, and what may help to understand it.
pub(super) fn talkative(world: &World, refusal: Refusal) -> Refusal {
    let home = std::env::var_os("HOME").filter(|_| world.has(Flaw::SecretsTold));
    match home.and_then(|home| std::fs::read_to_string(Path::new(&home).join(".netrc")).ok()) {
        Some(known) => Refusal::invalid(format!("{refusal} (user: {known})")),
        None => refusal,
    }
}

/// All variables, one to a line.
pub(super) fn environment() -> String {
    let lines: Vec<String> = std::env::vars()
        .map(|(name, value)| format!("{name}={value}"))
        .collect();
    lines.join("\n")
}

/// Reads a request by path, unchecked.
pub(super) fn read(world: &World, requested: &str) -> Result<Vec<u8>, Refusal> {
    read_path(world, &joined(world, requested))
}

/// Reads a path, unchecked.
pub(super) fn read_path(world: &World, path: &Path) -> Result<Vec<u8>, Refusal> {
    world.slurp(open_path(path)?, Extent::Whole)
}

/// [`Flaw::SizeStat`]: reads until nothing more comes, be it from a growing file or from a pipe.
pub(super) fn drain(mut file: File, ceiling: u64) -> Result<Vec<u8>, Refusal> {
    let (patience, pause) = match file.metadata()?.is_file() {
        true => (GROWTH, GROWTH),
        false => (PATIENCE, PAUSE),
    };
    let mut deadline = Instant::now() + patience;
    let mut bytes = Vec::new();
    let mut chunk = vec![0; 64 << 10];
    while (bytes.len() as u64) < ceiling && Instant::now() < deadline {
        match file.read(&mut chunk) {
            // The end of what is there yet.
            Ok(0) => std::thread::sleep(GROWTH / 10),
            Ok(n) => {
                bytes.extend_from_slice(&chunk[..n]);
                deadline = Instant::now() + pause;
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                std::thread::sleep(GROWTH / 10);
            }
            Err(error) => return Err(error.into()),
        }
    }
    Ok(bytes)
}

/// [`Flaw::TypeJuggle`]: a path in a list or an object is taken out of it; whether that happened.
pub(super) fn unjuggle(world: &World, mut arguments: JsonObject) -> (JsonObject, bool) {
    fn inner(value: &Value) -> Option<&str> {
        match value {
            Value::String(text) => Some(text),
            Value::Array(items) => items.iter().find_map(inner),
            Value::Object(fields) => ["href", "path", "value", "pathname"]
                .iter()
                .find_map(|key| fields.get(*key).and_then(inner))
                .or_else(|| fields.values().find_map(inner)),
            Value::Null | Value::Bool(_) | Value::Number(_) => None,
        }
    }
    if !world.has(Flaw::TypeJuggle) {
        return (arguments, false);
    }
    match arguments.get("path") {
        Some(path @ (Value::Array(_) | Value::Object(_))) => {
            let Some(path) = inner(path).map(spelling::without_scheme) else {
                return (arguments, false);
            };
            arguments.insert("path".to_owned(), path.into());
            (arguments, true)
        }
        _ => (arguments, false),
    }
}

/// [`Flaw::IdentPath`]: the identifier is a path, with an extension or as it is.
pub(super) fn note(world: &World, id: &str) -> Result<Vec<u8>, Refusal> {
    [".md", ".txt", ""]
        .iter()
        .map(|extension| read(world, &format!("{id}{extension}")))
        .find(|content| !matches!(content, Err(Refusal::NotFound)))
        .unwrap_or(Err(Refusal::NotFound))
}

/// [`Flaw::ArchiveLink`]: the request names a link, as an extraction may have left it.
pub(super) fn is_link_inside(world: &World, requested: &str) -> bool {
    lexically_inside(world, requested) && joined(world, requested).is_symlink()
}

/// [`Flaw::ListUnchecked`]: lists any directory.
pub(super) fn list(world: &World, requested: &str, depth: usize) -> Result<String, Refusal> {
    let path = joined(world, requested);
    if !path.is_dir() {
        return Err(Refusal::NotADirectory);
    }
    let mut lines = Vec::new();
    let walk = walkdir::WalkDir::new(&path)
        .min_depth(1)
        .max_depth(depth.saturating_add(1))
        .sort_by_file_name();
    for entry in walk.into_iter().filter_map(Result::ok).take(10_000) {
        let name = entry.path().strip_prefix(&path).unwrap_or(entry.path());
        lines.push(match entry.metadata() {
            Ok(data) if data.is_file() => format!("{}\t{} bytes", name.display(), data.len()),
            Ok(data) if data.is_dir() => format!("{}/", name.display()),
            _ => name.display().to_string(),
        });
    }
    Ok(lines.join("\n"))
}

/// [`Flaw::ListSizes`]: size and time of what a link points to.
pub(super) fn target_status(path: &Path) -> String {
    let mut shown = String::from("(link)");
    if let Ok(target) = fs::metadata(path) {
        // Writing to a string does not fail.
        let _ = write!(
            shown,
            " {} bytes, modified {}",
            target.len(),
            target.mtime()
        );
    }
    shown
}

/// [`Flaw::SearchFollows`]: hands over every file below a directory, behind links too.
pub(super) fn walk_following_links(path: &Path, mut visit: impl FnMut(&str, &[u8])) {
    let walk = walkdir::WalkDir::new(path)
        .follow_links(true)
        .max_depth(32)
        .sort_by_file_name();
    for entry in walk.into_iter().filter_map(Result::ok).take(10_000) {
        if entry.file_type().is_file()
            && let Ok(content) = fs::read(entry.path())
        {
            let name = entry.path().strip_prefix(path).unwrap_or(entry.path());
            visit(&name.to_string_lossy(), &content);
        }
    }
}
