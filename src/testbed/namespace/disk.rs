//! The disk that forgets: the real one below, memory above.
//!
//! Owns the layout of the new root. One overlay of `/` is refused in a user namespace, since mounts
//! below it are locked; so each directory without mounts below it gets an overlay of its own, and
//! what leads to a mount is made anew. Where no overlay can be had, the real directory is shown
//! unchangeable. Either way nothing that is written reaches the real disk.

use std::{
    collections::BTreeSet,
    ffi::OsStr,
    fs, io,
    os::{
        fd::OwnedFd,
        unix::fs::{MetadataExt as _, PermissionsExt as _, chown, symlink},
    },
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
};

use rustix::{
    fs::{Access, Mode, OFlags},
    mount::{MountPropagationFlags, UnmountFlags, mount_change, unmount},
    process::{fchdir, geteuid, pivot_root},
};

use super::{
    Refusal, Step, Wanted,
    decoy::{self, Planted},
    gate::follow_parent,
    mounts::{bind_read_only, memory, mounted, overlay},
    special,
};
use crate::{canary::Mint, testbed::Decoy};

/// Bytes that everybody in the bottle can write together, besides the testbed.
const ROOM: &str = "mode=755,size=1g";
/// Bytes for testbeds.
const BEDS: &str = "mode=755,size=512m";
/// Files up to this size are copied where they cannot be put on an overlay.
const COPIED: u64 = 1 << 20;

/// Places of the staging area, which is the root while the new one is built.
const OLD: &str = "/old";
const NEW: &str = "/new";
const UPPER: &str = "/upper";

/// A directory whose changes are kept apart from it.
#[derive(Debug, Clone)]
pub(super) struct Area {
    /// Where it lies inside.
    pub(super) at: PathBuf,
    /// Its name among the upper layers; none for memory that was mounted there.
    pub(super) upper: Option<String>,
}

/// The disk inside.
#[derive(Debug)]
pub struct Disk {
    /// The directory of all upper layers, which has no name any more.
    pub(super) uppers: OwnedFd,
    pub(super) areas: Vec<Area>,
    /// Where testbeds are made.
    pub(super) beds: PathBuf,
    made: Mutex<BTreeSet<PathBuf>>,
}

impl Disk {
    /// Remembers what the harness made itself.
    pub(super) fn made(&self, paths: impl IntoIterator<Item = PathBuf>) {
        self.made
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .extend(paths);
    }

    pub(super) fn is_made(&self, path: &Path) -> bool {
        self.made
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .contains(path)
    }
}

/// Builds it and makes it the root of this process.
pub(super) fn build(
    wanted: &Wanted,
    mint: &Mint,
) -> Result<(Disk, Vec<Decoy>, Vec<String>), Refusal> {
    let root = |error: io::Error| Refusal::new(Step::Root, error);
    follow_parent().map_err(root)?;
    let wanted = wanted.settled();
    let planted = decoy::planted(&wanted, mint);
    let private = MountPropagationFlags::PRIVATE | MountPropagationFlags::REC;
    mount_change("/", private).map_err(|error| root(error.into()))?;
    let points = mounted(Path::new("/proc/self/mountinfo")).map_err(root)?;
    stage().map_err(root)?;
    let mut builder = Builder {
        points: points.into_iter().map(|mount| mount.point).collect(),
        areas: Vec::new(),
        made: BTreeSet::new(),
        notes: Vec::new(),
    };
    builder.survey().map_err(root)?;
    for path in &wanted.allowed {
        builder.directory(path, None).map_err(root)?;
    }
    builder.directory(&wanted.beds, None).map_err(root)?;
    for one in &planted {
        builder.plant(one).map_err(root)?;
    }
    builder.mount()?;
    let real = root_is_real(Path::new(OLD)).map_err(root)?;
    special::make(Path::new(OLD), Path::new(NEW), real, wanted.nests)?;
    if real && wanted.nests {
        builder.notes.push(String::from(
            "user 0 may mount a /proc of its own, which the sandbox around the server needs: settings of \
             the kernel are out of the server's reach by that sandbox alone",
        ));
    }
    memory(&inside(&wanted.beds), BEDS).map_err(root)?;
    for one in &planted {
        builder.cover(one).map_err(root)?;
    }
    let uppers = rustix::fs::open(UPPER, OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())
        .map_err(|error| root(error.into()))?;
    if geteuid().as_raw() != 0 {
        // As on the real disk, only root makes something in `/`.
        fs::set_permissions(NEW, fs::Permissions::from_mode(0o555)).map_err(root)?;
    }
    enter(&wanted.cwd).map_err(root)?;
    let decoys = planted.into_iter().map(|one| one.decoy).collect();
    let disk = Disk {
        uppers,
        areas: builder.areas,
        beds: wanted.beds,
        made: Mutex::new(builder.made),
    };
    Ok((disk, decoys, builder.notes))
}

/// Where a path of the new root is while it is built.
fn inside(path: &Path) -> PathBuf {
    below(NEW, path)
}

fn below(base: &str, path: &Path) -> PathBuf {
    Path::new(base).join(path.strip_prefix("/").unwrap_or(path))
}

/// Makes memory the root; the real root is [`OLD`] in it.
fn stage() -> io::Result<()> {
    let place = ["/tmp", "/mnt", "/var/tmp", "/run"]
        .into_iter()
        .map(Path::new)
        .find(|place| place.is_dir())
        .ok_or_else(|| io::Error::other("no directory to mount anything on"))?;
    memory(place, ROOM)?;
    for name in ["old", "new", "upper", "work", "lower"] {
        fs::create_dir(place.join(name))?;
    }
    pivot_root(place, place.join("old"))?;
    rustix::process::chdir("/")?;
    memory(Path::new(NEW), "mode=755,size=64m")
}

/// Makes the new root the root, with nothing of the old one left.
fn enter(cwd: &Path) -> io::Result<()> {
    let new = rustix::fs::open(NEW, OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())?;
    fchdir(&new)?;
    pivot_root(".", ".")?;
    // What was the root lies on the new one now, and is the working directory's mount.
    unmount(".", UnmountFlags::DETACH)?;
    rustix::process::chdir("/")?;
    std::env::set_current_dir(cwd).map_err(|error| {
        io::Error::new(
            error.kind(),
            format!("the working directory {}: {error}", cwd.display()),
        )
    })
}

/// Whether user 0 of the machine exists in this user namespace.
fn root_is_real(old: &Path) -> io::Result<bool> {
    let map = fs::read_to_string(old.join("proc/self/uid_map"))?;
    Ok(map
        .lines()
        .any(|line| line.split_ascii_whitespace().next() == Some("0")))
}

struct Builder {
    /// Where something is mounted on the real disk.
    points: Vec<PathBuf>,
    areas: Vec<Area>,
    made: BTreeSet<PathBuf>,
    notes: Vec<String>,
}

impl Builder {
    fn survey(&mut self) -> io::Result<()> {
        self.children(Path::new("/"))
    }

    /// Shows all that is in a directory.
    fn children(&mut self, at: &Path) -> io::Result<()> {
        for entry in fs::read_dir(below(OLD, at))?.flatten() {
            let name = entry.file_name();
            if at == Path::new("/") && special::NAMES.iter().any(|special| *special == name) {
                continue;
            }
            self.show(&at.join(&name));
        }
        Ok(())
    }

    /// Shows what is at a path. What cannot be shown is missing inside.
    fn show(&mut self, at: &Path) {
        let from = below(OLD, at);
        let Ok(found) = fs::symlink_metadata(&from) else {
            return;
        };
        let shown = if found.is_symlink() {
            fs::read_link(&from).and_then(|to| symlink(to, inside(at)))
        } else if found.is_dir() {
            self.show_directory(at, &from)
        } else if found.is_file() && found.len() <= COPIED {
            // A file that may not be read is none to anybody inside either.
            copy(&from, &inside(at))
        } else if found.is_file() {
            bind_read_only(&from, &inside(at), Path::new("/old/proc/self/mountinfo"))
        } else {
            Ok(())
        };
        if let Err(error) = shown {
            self.notes
                .push(format!("{} is missing inside: {error}", at.display()));
        }
        self.made.insert(at.to_path_buf());
    }

    fn show_directory(&mut self, at: &Path, from: &Path) -> io::Result<()> {
        fs::create_dir(inside(at))?;
        let nested = self
            .points
            .iter()
            .any(|point| point != at && point.starts_with(at));
        if nested {
            mirror(from, &inside(at))?;
            return self.children(at);
        }
        let name = self.areas.len().to_string();
        fs::create_dir(below(UPPER, Path::new(&name)))?;
        fs::create_dir(below("/work", Path::new(&name)))?;
        mirror(from, &below(UPPER, Path::new(&name)))?;
        // Options of overlays are a list of texts; this name needs no escaping.
        symlink(from, below("/lower", Path::new(&name)))?;
        self.areas.push(Area {
            at: at.to_path_buf(),
            upper: Some(name),
        });
        Ok(())
    }

    /// Where a path is written to make it appear: in the upper layer of its area, or in the new root.
    fn place(&self, path: &Path) -> (PathBuf, PathBuf) {
        let area = self
            .areas
            .iter()
            .filter(|area| path.starts_with(&area.at))
            .max_by_key(|area| area.at.components().count());
        match area.and_then(|area| Some((area, area.upper.as_ref()?))) {
            Some((area, upper)) => (area.at.clone(), below(UPPER, Path::new(upper))),
            None => (PathBuf::from("/"), PathBuf::from(NEW)),
        }
    }

    /// Makes a directory appear, with its parents. What exists on the real disk keeps its looks.
    /// Returns where it is written.
    fn directory(&mut self, path: &Path, mode: Option<u32>) -> io::Result<PathBuf> {
        let (top, base) = self.place(path);
        let mut at = top.clone();
        let mut to = base;
        for part in path.strip_prefix(&top).unwrap_or(path).components() {
            at.push(part);
            to.push(part);
            if fs::symlink_metadata(&to).is_ok() {
                continue;
            }
            fs::create_dir(&to)?;
            let from = below(OLD, &at);
            if from.is_dir() {
                mirror(&from, &to)?;
            } else if let Some(mode) = mode.filter(|_| at == path) {
                fs::set_permissions(&to, fs::Permissions::from_mode(mode))?;
            }
            self.made.insert(at.clone());
        }
        Ok(to)
    }

    /// Makes a decoy appear that is a file.
    fn plant(&mut self, one: &Planted) -> io::Result<()> {
        if one.covers {
            self.directory(&one.decoy.path, Some(0o755))?;
            return Ok(());
        }
        let Some((_, content)) = one.files.first() else {
            return Ok(());
        };
        let Some(parent) = one.decoy.path.parent() else {
            return Ok(());
        };
        let to = self.directory(parent, None)?;
        let to = to.join(one.decoy.path.file_name().unwrap_or_default());
        fs::write(&to, content)?;
        dress(&below(OLD, &one.decoy.path), &to, 0o644)?;
        self.made.insert(one.decoy.path.clone());
        Ok(())
    }

    /// Covers a directory with decoys.
    fn cover(&mut self, one: &Planted) -> io::Result<()> {
        if !one.covers {
            return Ok(());
        }
        let at = inside(&one.decoy.path);
        let from = below(OLD, &one.decoy.path);
        memory(&at, "mode=755,size=16m")?;
        for (name, content) in &one.files {
            fs::write(at.join(name), content)?;
            dress(&from.join(name), &at.join(name), 0o600)?;
            self.made.insert(one.decoy.path.join(name));
        }
        dress(&from, &at, 0o755)?;
        self.areas.push(Area {
            at: one.decoy.path.clone(),
            upper: None,
        });
        Ok(())
    }

    fn mount(&mut self) -> Result<(), Refusal> {
        let mut kept = Vec::with_capacity(self.areas.len());
        let mut first = None;
        for area in std::mem::take(&mut self.areas) {
            let name = area.upper.clone().unwrap_or_default();
            let name: &OsStr = name.as_ref();
            let of = |base: &str| Path::new(base).join(name);
            let at = inside(&area.at);
            match overlay(&at, &of("/lower"), &of(UPPER), &of("/work")) {
                Ok(()) => kept.push(area),
                Err(error) => {
                    let unchangeable = bind_read_only(
                        &below(OLD, &area.at),
                        &at,
                        Path::new("/old/proc/self/mountinfo"),
                    );
                    self.notes.push(match unchangeable {
                        Ok(()) => format!(
                            "{} cannot be written inside, since it takes no overlay: {error}",
                            area.at.display()
                        ),
                        Err(_) => format!("{} is missing inside: {error}", area.at.display()),
                    });
                    first.get_or_insert(error);
                }
            }
        }
        self.areas = kept;
        match (self.areas.is_empty(), first) {
            (true, Some(error)) => Err(Refusal::new(Step::Overlay, error)),
            _ => Ok(()),
        }
    }
}

/// Gives `to` the permissions of `from`, or `mode` if there is none.
fn dress(from: &Path, to: &Path, mode: u32) -> io::Result<()> {
    if fs::symlink_metadata(from).is_ok() {
        mirror(from, to)
    } else {
        fs::set_permissions(to, fs::Permissions::from_mode(mode))
    }
}

fn copy(from: &Path, to: &Path) -> io::Result<()> {
    match fs::copy(from, to) {
        Ok(_) => {}
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
            fs::write(to, "")?;
            return fs::set_permissions(to, fs::Permissions::from_mode(0o0));
        }
        Err(error) => return Err(error),
    }
    mirror(from, to)
}

/// Gives `to` owner and permissions of `from`. To an ordinary user inside belongs what is made there,
/// so the user gets as owner what could be done with `from`, no more.
fn mirror(from: &Path, to: &Path) -> io::Result<()> {
    let found = fs::metadata(from)?;
    let mut mode = found.mode() & 0o7777;
    // Owners that do not exist inside cannot be had.
    let _strange = chown(to, Some(found.uid()), Some(found.gid()));
    if geteuid().as_raw() != 0 {
        let may = |access, bits| {
            if rustix::fs::access(from, access).is_ok() {
                bits
            } else {
                0
            }
        };
        mode = mode & 0o1077
            | may(Access::READ_OK, 0o400)
            | may(Access::WRITE_OK, 0o200)
            | may(Access::EXEC_OK, 0o100);
    }
    fs::set_permissions(to, fs::Permissions::from_mode(mode))
}
