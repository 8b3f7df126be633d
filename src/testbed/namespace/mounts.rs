//! Mounts: what there is, and the few kinds that are made.
//!
//! Owns mount(2) and proc_pid_mountinfo(5). Messages name the place.

use std::{
    fs::{self, File},
    io,
    os::unix::ffi::OsStringExt as _,
    path::{Path, PathBuf},
};

use rustix::mount::{MountFlags, mount, mount_bind, mount_bind_recursive, mount_remount};

/// A mount of this mount namespace.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Mounted {
    /// Where.
    pub(super) point: PathBuf,
    /// Its own options; those that are locked must be repeated when it is changed.
    flags: MountFlags,
}

/// All mounts, in the order in which they were made.
pub(super) fn mounted(mountinfo: &Path) -> io::Result<Vec<Mounted>> {
    Ok(parse(&fs::read(mountinfo)?))
}

fn parse(text: &[u8]) -> Vec<Mounted> {
    text.split(|byte| *byte == b'\n')
        .filter_map(|line| {
            let mut fields = line.split(|byte| *byte == b' ').skip(4);
            let (point, options) = (fields.next()?, fields.next()?);
            let point = PathBuf::from(std::ffi::OsString::from_vec(unescaped(point)));
            let flags = options
                .split(|byte| *byte == b',')
                .fold(MountFlags::empty(), |flags, option| flags | flag(option));
            Some(Mounted { point, flags })
        })
        .collect()
}

fn flag(option: &[u8]) -> MountFlags {
    match option {
        b"ro" => MountFlags::RDONLY,
        b"nosuid" => MountFlags::NOSUID,
        b"nodev" => MountFlags::NODEV,
        b"noexec" => MountFlags::NOEXEC,
        b"noatime" => MountFlags::NOATIME,
        b"nodiratime" => MountFlags::NODIRATIME,
        b"relatime" => MountFlags::RELATIME,
        b"nosymfollow" => MountFlags::NOSYMFOLLOW,
        _ => MountFlags::empty(),
    }
}

/// Blanks and backslashes are written as three octal digits.
pub(crate) fn unescaped(field: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(field.len());
    let mut rest = field;
    while let Some((first, after)) = rest.split_first() {
        let code = (*first == b'\\')
            .then(|| after.get(..3))
            .flatten()
            .and_then(|digits| u8::from_str_radix(std::str::from_utf8(digits).ok()?, 8).ok());
        match code {
            Some(byte) => {
                out.push(byte);
                rest = &after[3..];
            }
            None => {
                out.push(*first);
                rest = after;
            }
        }
    }
    out
}

/// A file system in memory.
pub(super) fn memory(at: &Path, options: &str) -> io::Result<()> {
    let options = std::ffi::CString::new(options)?;
    let flags = MountFlags::NODEV | MountFlags::NOSUID;
    named(at, mount("tmpfs", at, "tmpfs", flags, &*options))
}

/// Another file system of the kernel.
pub(super) fn fresh(kind: &str, at: &Path, read_only: bool, options: &str) -> io::Result<()> {
    let options = std::ffi::CString::new(options)?;
    let mut flags = MountFlags::NOSUID | MountFlags::NOEXEC;
    // Terminals are devices.
    flags.set(MountFlags::NODEV, kind != "devpts");
    flags.set(MountFlags::RDONLY, read_only);
    named(at, mount(kind, at, kind, flags, &*options))
}

/// An overlay. The attributes of the overlay are kept in the `user` namespace of attributes: those
/// of the `trusted` one are for the real root.
pub(super) fn overlay(at: &Path, lower: &Path, upper: &Path, work: &Path) -> io::Result<()> {
    let options = format!(
        "lowerdir={},upperdir={},workdir={},userxattr",
        lower.display(),
        upper.display(),
        work.display()
    );
    let options = std::ffi::CString::new(options)?;
    let flags = MountFlags::empty();
    named(at, mount("overlay", at, "overlay", flags, &*options))
}

/// Shows a file or directory at a second place; a file is made there to put it on.
pub(super) fn bind(from: &Path, at: &Path) -> io::Result<()> {
    if fs::symlink_metadata(at).is_err() {
        File::create(at)?;
    }
    named(at, mount_bind(from, at))
}

/// The same, with all mounts below, and nothing of it can be changed.
pub(super) fn bind_read_only(from: &Path, at: &Path, mountinfo: &Path) -> io::Result<()> {
    if fs::metadata(from)?.is_dir() {
        fs::create_dir_all(at)?;
    } else if fs::symlink_metadata(at).is_err() {
        File::create(at)?;
    }
    named(at, mount_bind_recursive(from, at))?;
    for below in mounted(mountinfo)? {
        if below.point.starts_with(at) {
            let flags = below.flags | MountFlags::BIND | MountFlags::RDONLY;
            named(&below.point, mount_remount(&below.point, flags, ""))?;
        }
    }
    Ok(())
}

fn named(at: &Path, done: rustix::io::Result<()>) -> io::Result<()> {
    done.map_err(|error| {
        let error = io::Error::from(error);
        io::Error::new(error.kind(), format!("{}: {error}", at.display()))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mountinfo_is_read() {
        let text = b"22 27 0:21 / /proc rw,relatime - proc proc rw\n\
            40 27 8:1 / /mnt/a\\040b ro,nosuid,nodev shared:1 - ext4 /dev/sda1 rw\n";
        let found = parse(text);
        assert_eq!(found[0].point, Path::new("/proc"));
        assert_eq!(found[1].point, Path::new("/mnt/a b"));
        assert_eq!(
            found[1].flags,
            MountFlags::RDONLY | MountFlags::NOSUID | MountFlags::NODEV
        );
        assert_eq!(found.len(), 2);
    }
}
