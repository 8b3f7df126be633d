//! Where a path leads for somebody with another root than ours.
//!
//! Owns walking it there, component by component and links and all, as the kernel would. Nothing is opened but
//! to look (`O_PATH`).

use std::{
    collections::VecDeque,
    fs::File,
    io,
    os::{fd::OwnedFd, unix::ffi::OsStrExt as _},
    path::{Component, Path, PathBuf},
};

use rustix::fs::{AtFlags, CWD, Mode, OFlags, ResolveFlags, openat, openat2, readlinkat, statat};

/// As many links as the kernel follows (path_resolution(7)).
const LINKS: usize = 40;

/// Device and inode.
pub(super) type Id = (u64, u64);

/// What is at the end of a path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Lead {
    /// It is there.
    There(Id),
    /// Nothing is there; where it would be, with no link in it.
    Nowhere(PathBuf),
}

/// The root directory of a process.
pub(super) struct Root {
    root: OwnedFd,
    process: i32,
}

impl Root {
    pub(super) fn of(process: i32) -> io::Result<Self> {
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let root = openat(CWD, format!("/proc/{process}/root"), flags, Mode::empty())?;
        Ok(Self { root, process })
    }

    /// Where an absolute path of the process leads.
    pub(super) fn lead(&self, path: &Path, follow: bool) -> Lead {
        let how = if follow {
            OFlags::empty()
        } else {
            OFlags::NOFOLLOW
        };
        // What /proc calls `self` is us to the kernel here, and not the process.
        let own = path.starts_with("/proc/self") || path.starts_with("/proc/thread-self");
        match self.open(path, how) {
            Ok(found) if !own => match id(&found) {
                Ok(id) => Lead::There(id),
                Err(_) => self.walk(path, follow),
            },
            _ => self.walk(path, follow),
        }
    }

    fn open(&self, path: &Path, how: OFlags) -> rustix::io::Result<OwnedFd> {
        let flags = OFlags::PATH | OFlags::CLOEXEC | how;
        openat2(
            &self.root,
            path,
            flags,
            Mode::empty(),
            ResolveFlags::IN_ROOT,
        )
    }

    fn walk(&self, path: &Path, follow: bool) -> Lead {
        let mut rest: VecDeque<PathBuf> = parts(path);
        let mut here = PathBuf::from("/");
        let mut links = 0;
        let mut found = None;
        while let Some(part) = rest.pop_front() {
            if part == Path::new("..") {
                here.pop();
                found = None;
                continue;
            }
            let next = here.join(&part);
            let Ok(object) = self.open(&next, OFlags::NOFOLLOW) else {
                // What is not there has no links, and nothing above it by that way.
                let up = rest.iter().any(|part| part == Path::new(".."));
                let rest = rest.into_iter().filter(|_| !up);
                return Lead::Nowhere(rest.fold(next, |path, part| path.join(part)));
            };
            let target = match readlinkat(&object, "", Vec::new()) {
                Ok(target) if follow || !rest.is_empty() => target,
                _ => {
                    here = next;
                    found = Some(object);
                    continue;
                }
            };
            links += 1;
            if links > LINKS {
                return Lead::Nowhere(next);
            }
            let text = std::ffi::OsStr::from_bytes(target.to_bytes()).to_owned();
            let target = match next.to_str() {
                Some("/proc/self") => PathBuf::from(self.inner_pid().unwrap_or_default()),
                _ => PathBuf::from(text),
            };
            if target.is_absolute() {
                here = PathBuf::from("/");
            }
            for part in parts(&target).into_iter().rev() {
                rest.push_front(part);
            }
        }
        let object = match found {
            Some(object) => Ok(object),
            None => self.open(&here, OFlags::NOFOLLOW),
        };
        match object.and_then(|object| id(&object)) {
            Ok(id) => Lead::There(id),
            Err(_) => Lead::Nowhere(here),
        }
    }

    /// The number of the process in its own namespace.
    fn inner_pid(&self) -> Option<String> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.process)).ok()?;
        let line = status
            .lines()
            .find_map(|line| line.strip_prefix("NSpid:"))?;
        line.split_ascii_whitespace().last().map(str::to_owned)
    }
}

fn parts(path: &Path) -> VecDeque<PathBuf> {
    let mut parts = VecDeque::new();
    for part in path.components() {
        match part {
            Component::Normal(name) => parts.push_back(PathBuf::from(name)),
            Component::ParentDir => parts.push_back(PathBuf::from("..")),
            _ => {}
        }
    }
    parts
}

fn id(object: &OwnedFd) -> rustix::io::Result<Id> {
    let found = statat(object, "", AtFlags::EMPTY_PATH)?;
    Ok((found.st_dev, found.st_ino))
}

/// What a process has open under a number.
pub(super) fn held(process: i32, number: i64) -> Option<Id> {
    use std::os::unix::fs::MetadataExt as _;
    // Opened to look: what is behind may be a pipe.
    let flags = OFlags::PATH | OFlags::CLOEXEC;
    let path = format!("/proc/{process}/fd/{number}");
    let object = File::from(openat(CWD, path, flags, Mode::empty()).ok()?);
    let found = object.metadata().ok()?;
    Some((found.dev(), found.ino()))
}

#[cfg(test)]
mod tests {
    use std::{
        fs,
        os::unix::fs::{MetadataExt as _, symlink},
    };

    use super::*;

    #[test]
    fn links_are_followed_to_where_nothing_is() {
        let place = tempfile::tempdir().expect("a directory");
        let base = place.path().canonicalize().expect("it is there");
        let root = Root::of(std::process::id().cast_signed()).expect("our own root");
        fs::create_dir(base.join("in")).expect("a directory");
        fs::write(base.join("in/file"), b"").expect("a file");
        symlink(base.join("gone"), base.join("in/away")).expect("a link");
        symlink("../in", base.join("in/round")).expect("a link");
        let there = |path: &str| {
            let found = fs::symlink_metadata(base.join(path)).expect("it is there");
            Lead::There((found.dev(), found.ino()))
        };
        let nowhere = |path: &str| Lead::Nowhere(base.join(path));
        for (path, follow, expected) in [
            ("in/file", true, there("in/file")),
            ("in/round/round/file", true, there("in/file")),
            ("in/away", false, there("in/away")),
            ("in/away", true, nowhere("gone")),
            ("in/away/x/y", true, nowhere("gone/x/y")),
            ("in/away/x/../y", true, nowhere("gone")),
            ("in/new", true, nowhere("in/new")),
            ("in/round/../gone/deep", true, nowhere("gone/deep")),
        ] {
            assert_eq!(root.lead(&base.join(path), follow), expected, "{path}");
        }
        let own = Path::new("/proc/self/status");
        assert!(matches!(root.lead(own, true), Lead::There(_)));
    }
}
