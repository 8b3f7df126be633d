//! The defective checks of `read_file`.
//!
//! Each looks at a request and either opens what it should not, or leaves the request to the sound check.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use rustix::fs::{Mode, OFlags};

use super::{
    begins_inside, cleaned, joined, lexically_inside, open_path, open_path_with, spelling, window,
};
use crate::reference::Flaw;
use crate::reference::refusal::Refusal;
use crate::reference::world::World;

/// What the flaws make of a request: an open file, or `None` for what the sound check is to decide.
pub(in crate::reference) fn open_for_read_file(
    world: &World,
    requested: &str,
) -> Option<Result<File, Refusal>> {
    if let Some(opened) = raced(world, requested) {
        return Some(opened);
    }
    if world.has(Flaw::TimeLocalUnbounded) && lexically_inside(world, requested) {
        return Some(File::open(joined(world, requested)).map_err(Refusal::from));
    }
    let path = defective_check(world, requested).or_else(|| spelling::respelt(world, requested))?;
    Some(open_path(&path).map_err(Refusal::from))
}

/// The path that a defective check lets through.
fn defective_check(world: &World, requested: &str) -> Option<PathBuf> {
    let has = |flaw| world.has(flaw);
    let path = joined(world, requested);
    let passes = (has(Flaw::NoCheck))
        || (has(Flaw::JoinOnly) && begins_inside(world, requested))
        || (has(Flaw::PrefixSibling) && prefix_inside(world, &path))
        || (has(Flaw::FollowFileLink) && parent_inside(world, &path))
        || (has(Flaw::FollowDirLink) && lexically_inside(world, requested) && !path.is_symlink())
        || (has(Flaw::OneHop) && one_hop_inside(world, &path))
        || (has(Flaw::LexicalDotdot) && cleaned_is_permitted(world, &path))
        || (has(Flaw::ProcAllowed) && path.starts_with("/proc"))
        || (has(Flaw::FdAllowed) && is_descriptor(requested));
    if passes {
        return Some(path);
    }
    if has(Flaw::RelativeCwd) && Path::new(requested).is_relative() {
        return std::env::current_dir().ok().map(|cwd| cwd.join(requested));
    }
    None
}

/// [`Flaw::PrefixSibling`]: the resolved path begins with the letters of a root.
pub(super) fn prefix_inside(world: &World, path: &Path) -> bool {
    let Ok(canonical) = path.canonicalize() else {
        return false;
    };
    let canonical = canonical.to_string_lossy();
    world
        .guard
        .roots()
        .any(|root| canonical.starts_with(&*root.to_string_lossy()))
}

/// [`Flaw::FollowFileLink`]: the directory is resolved and inside, the last component is not looked at.
fn parent_inside(world: &World, path: &Path) -> bool {
    let Some(Ok(parent)) = cleaned(path).parent().map(Path::canonicalize) else {
        return false;
    };
    world.guard.roots().any(|root| parent.starts_with(root))
}

/// [`Flaw::OneHop`]: the first link on the way points, as text, inside.
fn one_hop_inside(world: &World, path: &Path) -> bool {
    let path = cleaned(path);
    let mut at = PathBuf::new();
    let mut components = path.components();
    while let Some(component) = components.next() {
        at.push(component);
        if let (Ok(target), Some(parent)) = (at.read_link(), at.parent()) {
            let hop = cleaned(&parent.join(target).join(components.as_path()));
            return world.guard.roots().any(|root| hop.starts_with(root));
        }
    }
    false
}

/// [`Flaw::LexicalDotdot`]: the path is permitted once `..` is cleaned as text.
fn cleaned_is_permitted(world: &World, path: &Path) -> bool {
    let clean = cleaned(path);
    let checked = world.guard.existing(&clean.to_string_lossy());
    clean != path && matches!(checked, Ok(_) | Err(Refusal::NotFound))
}

/// [`Flaw::FdAllowed`]: an open file of the server itself.
fn is_descriptor(requested: &str) -> bool {
    ["/dev/fd/", "/proc/self/fd/"].iter().any(|prefix| {
        requested
            .strip_prefix(prefix)
            .is_some_and(|number| number.parse::<u32>().is_ok())
    })
}

/// [`Flaw::RaceLeaf`] and [`Flaw::RaceParent`]: a sound check, and then an open that resolves again.
fn raced(world: &World, requested: &str) -> Option<Result<File, Refusal>> {
    let leaf = world.has(Flaw::RaceLeaf);
    if !leaf && !world.has(Flaw::RaceParent) {
        return None;
    }
    Some(
        world
            .guard
            .existing(requested)
            .and_then(|place| match leaf {
                true => {
                    let (directory, name) = place.in_parent()?;
                    window();
                    let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::CLOEXEC;
                    Ok(rustix::fs::openat(&directory, name, flags, Mode::empty())
                        .map(File::from)
                        .map_err(io::Error::from)?)
                }
                false => {
                    window();
                    Ok(open_path_with(&joined(world, requested), OFlags::NOFOLLOW)?)
                }
            }),
    )
}
