//! The defective ways of writing.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use rustix::fs::{Mode, OFlags};

use super::read::prefix_inside;
use super::{begins_inside, joined, lexically_inside, read, read_path, window};
use crate::reference::Flaw;
use crate::reference::refusal::Refusal;
use crate::reference::world::World;

/// Writes to a path in place, following every link.
fn write_path_with(path: &Path, bytes: &[u8], flags: OFlags) -> Result<(), Refusal> {
    let flags = (flags | OFlags::NONBLOCK | OFlags::NOCTTY).bits();
    fs::OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        // The bits fit: they are the constants of open(2).
        .custom_flags(flags.cast_signed())
        .open(path)?
        .write_all(bytes)?;
    Ok(())
}

/// Writes to a path, unchecked.
pub(in crate::reference) fn write_path(path: &Path, bytes: &[u8]) -> Result<(), Refusal> {
    write_path_with(path, bytes, OFlags::empty())
}

/// Writes to a request's path, unchecked.
pub(in crate::reference) fn write(
    world: &World,
    requested: &str,
    bytes: &[u8],
) -> Result<(), Refusal> {
    write_path(&joined(world, requested), bytes)
}

/// What the flaws of `write_file` make of a request; `None` for what the sound check is to decide.
pub(in crate::reference) fn write_for_write_file(
    world: &World,
    requested: &str,
    bytes: &[u8],
) -> Option<Result<(), Refusal>> {
    let has = |flaw| world.has(flaw);
    let path = joined(world, requested);
    if let Some(written) = raced(world, requested, bytes) {
        return Some(written);
    }
    let link = path.is_symlink();
    let checked = || world.guard.writable(requested).is_ok();
    let passes = has(Flaw::WriteNoCheck)
        || (has(Flaw::WriteJoinOnly) && begins_inside(world, requested))
        || (has(Flaw::PrefixSibling)
            && path.parent().is_some_and(|parent| {
                prefix_inside(world, parent) && !lexically_inside(world, requested)
            }))
        || (has(Flaw::WriteLink) && link && path.exists() && checked())
        || (has(Flaw::WriteDangling) && link && !path.exists() && checked())
        || (has(Flaw::WriteDirLink) && !link && lexically_inside(world, requested));
    passes.then(|| write_path(&path, bytes))
}

/// [`Flaw::WriteRaceLeaf`] and [`Flaw::WriteRaceParent`]: a sound check, and then an open that resolves again.
fn raced(world: &World, requested: &str, bytes: &[u8]) -> Option<Result<(), Refusal>> {
    if world.has(Flaw::WriteRaceLeaf) {
        return Some(race_leaf(world, requested, bytes));
    }
    if world.has(Flaw::WriteRaceParent) {
        return Some(world.guard.writable(requested).and_then(|_| {
            window();
            write_path_with(&joined(world, requested), bytes, OFlags::NOFOLLOW)
        }));
    }
    None
}

fn race_leaf(world: &World, requested: &str, bytes: &[u8]) -> Result<(), Refusal> {
    let place = world.guard.writable(requested)?;
    let (directory, name) = place.in_parent()?;
    if place.path().is_symlink() {
        return Err(Refusal::Denied);
    }
    window();
    let flags =
        OFlags::WRONLY | OFlags::CREATE | OFlags::TRUNC | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let fd = rustix::fs::openat(&directory, name, flags, Mode::from_raw_mode(0o644))
        .map_err(io::Error::from)?;
    Ok(File::from(fd).write_all(bytes)?)
}

/// [`Flaw::CreateUnchecked`] and [`Flaw::WriteDirLink`]: makes a directory and its parents, following links.
pub(in crate::reference) fn create_directories(
    world: &World,
    requested: &str,
) -> Result<(), Refusal> {
    Ok(fs::create_dir_all(joined(world, requested))?)
}

/// [`Flaw::DeleteUnchecked`]: deletes any file.
pub(in crate::reference) fn delete(world: &World, requested: &str) -> Result<(), Refusal> {
    Ok(fs::remove_file(joined(world, requested))?)
}

/// [`Flaw::CopySource`] and [`Flaw::MoveDest`] in `move_file`: one end is checked, the other is not.
pub(in crate::reference) fn rename(
    world: &World,
    source: &str,
    destination: &str,
) -> Result<(), Refusal> {
    let from = match world.has(Flaw::CopySource) {
        true => joined(world, source),
        false => world.guard.writable(source)?.path(),
    };
    let to = match world.has(Flaw::MoveDest) {
        true => joined(world, destination),
        false => world.guard.writable(destination)?.path(),
    };
    match fs::rename(&from, &to) {
        Err(error) if error.kind() == io::ErrorKind::CrossesDevices => {
            fs::copy(&from, &to)?;
            Ok(fs::remove_file(&from)?)
        }
        result => Ok(result?),
    }
}

/// [`Flaw::CopySource`] and [`Flaw::MoveDest`] in `copy_file`: one end is checked, the other is not.
pub(in crate::reference) fn copy(
    world: &World,
    source: &str,
    destination: &str,
) -> Result<(), Refusal> {
    let content = match world.has(Flaw::CopySource) {
        true => read(world, source)?,
        false => world.read(source)?,
    };
    match world.has(Flaw::MoveDest) {
        true => write(world, destination, &content),
        false => world.write(destination, &content),
    }
}

/// [`Flaw::CopyDeref`]: copies what a link points to, file or tree.
pub(in crate::reference) fn copy_following_links(
    world: &World,
    from: &Path,
    to: &Path,
) -> Result<(), Refusal> {
    let walk = walkdir::WalkDir::new(from).follow_links(true).max_depth(32);
    for entry in walk.into_iter().filter_map(Result::ok).take(10_000) {
        let below = entry.path().strip_prefix(from).unwrap_or(Path::new(""));
        let target = match below.as_os_str().is_empty() {
            true => to.to_owned(),
            false => to.join(below),
        };
        if entry.file_type().is_dir() {
            fs::create_dir_all(&target)?;
        } else if entry.file_type().is_file() {
            write_path(&target, &read_path(world, entry.path())?)?;
        }
    }
    Ok(())
}

/// [`Flaw::ArchiveLink`]: makes a link, wherever it points.
pub(in crate::reference) fn create_link(target: &Path, link: &Path) -> Result<(), Refusal> {
    Ok(std::os::unix::fs::symlink(target, link)?)
}
