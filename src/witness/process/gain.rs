//! Whether a process could become another user by executing a program.
//!
//! Owns the rules of execve(2) for set-user-id programs, and the search for one. Nothing is executed.

use std::{
    fs::{self, File},
    io::{self, Read as _},
    ops::RangeInclusive,
    os::unix::fs::{MetadataExt as _, PermissionsExt as _},
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use rustix::fs::{StatVfsMountFlags, statfs, statvfs};
use serde::{Deserialize, Serialize};

use super::{
    Read, Status,
    files::{Owned, Wish, Writer},
    read,
};

/// Longer than all files of a large machine take.
const PATIENCE: Duration = Duration::from_secs(30);

/// Where such programs usually stand: looked at first, since one is enough.
const USUAL: [&str; 6] = [
    "usr/local/bin",
    "usr/sbin",
    "usr/bin",
    "sbin",
    "bin",
    "run/wrappers",
];

/// File systems of the kernel's own, which hold no programs (`linux/magic.h`): proc, sysfs, both versions of cgroup,
/// devpts, debugfs, tracefs, securityfs, bpf, mqueue.
const WITHOUT: [u64; 10] = [
    0x9fa0,
    0x6265_6572,
    0x0027_e0eb,
    0x6367_7270,
    0x1cd1,
    0x6462_6720,
    0x7472_6163,
    0x7363_6673,
    0xcafe_4a11,
    0x1980_0202,
];

/// What executing a program could make of a process.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Gain {
    /// Nobody else, and why.
    Nobody(String),
    /// It is root already, who becomes anybody without a program.
    Root,
    /// Another user.
    User {
        /// Whose id it gains.
        id: u32,
        /// By which program, as it sees it.
        by: PathBuf,
    },
}

/// What could become of a process, whose user namespace is the harness's own if it is `ours`; its capabilities count
/// for files of ours then.
///
/// # Errors
/// When it cannot be told.
pub(super) fn gain(pid: u32, status: &Status, ours: bool) -> Read<Gain> {
    match status.no_new_privileges {
        Some(true) => return Ok(Gain::Nobody(String::from("no_new_privs is set"))),
        Some(false) => {}
        None => return Err(String::from("the kernel does not tell no_new_privs")),
    }
    if status.users.contains(&0) {
        return Ok(Gain::Root);
    }
    // A program of a user whom the namespace does not know is executed as if it had no such bit
    // (user_namespaces(7), "Set-user-ID and set-group-ID programs").
    let known = known(&read::text(pid, "uid_map")?, ours);
    if known.is_empty() {
        return Err(format!("/proc/{pid}/uid_map tells no user"));
    }
    let own = status.users[1];
    if known.iter().all(|ids| ids == &(own..=own)) {
        return Ok(Gain::Nobody(format!(
            "its user namespace knows no other user than {own}"
        )));
    }
    let search = Search {
        who: Writer {
            status,
            powers: ours,
        },
        known: &known,
        honours: &honours,
    };
    let root = read::place(pid, "root");
    Ok(match search.below(&root)? {
        (Some((by, id)), _) => Gain::User { id, by },
        (None, looked) => Gain::Nobody(format!(
            "of the {looked} files and directories that it sees, none is a program that makes it another user"
        )),
    })
}

/// The ids that a user namespace knows, as we number them. The second field of a line numbers them for whoever reads
/// it from another namespace; who reads it from `ours` is told those of the parent there (user_namespaces(7)).
fn known(map: &str, ours: bool) -> Vec<RangeInclusive<u32>> {
    map.lines()
        .filter_map(|line| {
            let fields: Vec<u32> = line
                .split_whitespace()
                .map(str::parse)
                .collect::<Result<_, _>>()
                .ok()?;
            let &[inside, outside, count] = &fields[..] else {
                return None;
            };
            let first = if ours { inside } else { outside };
            Some(first..=first.saturating_add(count.checked_sub(1)?))
        })
        .collect()
}

/// Whether a mount lets programs change the user.
fn honours(path: &Path) -> bool {
    let ignored = StatVfsMountFlags::NOSUID | StatVfsMountFlags::NOEXEC;
    statvfs(path).is_ok_and(|found| !found.f_flag.intersects(ignored))
}

struct Search<'a> {
    who: Writer<'a>,
    known: &'a [RangeInclusive<u32>],
    honours: &'a dyn Fn(&Path) -> bool,
}

impl Search<'_> {
    /// The first program below a directory that makes the process another user, with that one's id, as the process
    /// sees it, and how much was looked at.
    fn below(&self, root: &Path) -> Read<(Option<(PathBuf, u32)>, usize)> {
        let begin = Instant::now();
        let (mut looked, mut unlisted) = (0, None);
        let usual = USUAL.iter().map(|name| root.join(name));
        let usual = usual.filter(|path| fs::symlink_metadata(path).is_ok_and(|it| it.is_dir()));
        let mut ahead: Vec<(PathBuf, Option<u64>)> = [root.to_path_buf()]
            .into_iter()
            .chain(usual)
            .map(|path| (path, None))
            .collect();
        while let Some((directory, device)) = ahead.pop() {
            if begin.elapsed() > PATIENCE {
                return Err(format!(
                    "there are more files than can be looked at in {} s",
                    PATIENCE.as_secs()
                ));
            }
            let Ok(metadata) = fs::metadata(&directory) else {
                continue;
            };
            if !self.who.may(Owned::from(&metadata), Wish::Enter)
                || (device != Some(metadata.dev()) && bare(&directory))
            {
                continue;
            }
            let entries = match fs::read_dir(&directory) {
                Ok(entries) => entries,
                Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
                    unlisted.get_or_insert_with(|| directory.clone());
                    continue;
                }
                Err(_) => continue,
            };
            for entry in entries.flatten() {
                looked += 1;
                let path = entry.path();
                let found = match fs::symlink_metadata(&path) {
                    Ok(found) => found,
                    Err(error) => {
                        // It is gone, or we may list the directory and not go through it.
                        if error.kind() == io::ErrorKind::PermissionDenied {
                            unlisted.get_or_insert_with(|| directory.clone());
                        }
                        continue;
                    }
                };
                if found.is_dir() {
                    ahead.push((path, Some(metadata.dev())));
                } else if self.makes_another(&path, &found) {
                    let inside = path.strip_prefix(root).unwrap_or(&path);
                    let by = Path::new("/").join(inside);
                    return Ok((Some((by, found.uid())), looked));
                }
            }
        }
        match unlisted {
            None => Ok((None, looked)),
            Some(directory) => Err(format!(
                "the harness may not look through {}, and the process may go through it",
                directory.display()
            )),
        }
    }

    fn makes_another(&self, path: &Path, found: &fs::Metadata) -> bool {
        found.is_file()
            && found.permissions().mode() & 0o4000 != 0
            && found.uid() != self.who.status.users[1]
            && self.known.iter().any(|ids| ids.contains(&found.uid()))
            && self.who.may(Owned::from(found), Wish::Enter)
            && (self.honours)(path)
            && executable(path)
    }
}

/// Whether a directory begins a file system that holds no programs.
fn bare(directory: &Path) -> bool {
    statfs(directory)
        .is_ok_and(|found| u64::try_from(found.f_type).is_ok_and(|kind| WITHOUT.contains(&kind)))
}

/// The kernel honours the bit of programs only, not of scripts (execve(2)). One that may be executed and not read
/// is a program: an interpreter could not read it either.
fn executable(path: &Path) -> bool {
    let mut first = [0; 4];
    match File::open(path).and_then(|mut file| file.read_exact(&mut first)) {
        Ok(()) => &first == b"\x7fELF",
        Err(error) => error.kind() == io::ErrorKind::PermissionDenied,
    }
}

/// Shows that such programs are found: one that the harness makes, which nobody executes.
///
/// # Errors
/// When it is not found.
pub(super) fn rehearse() -> Read<String> {
    let told =
        |error: io::Error| format!("no set-user-id program could be made to be found: {error}");
    let bed = tempfile::tempdir().map_err(told)?;
    let places = [bed.path().join("opt"), bed.path().join("opt/tool")];
    fs::create_dir(&places[0]).map_err(told)?;
    for path in [bed.path(), &places[0]] {
        fs::set_permissions(path, fs::Permissions::from_mode(0o755)).map_err(told)?;
    }
    fs::write(&places[1], b"\x7fELF").map_err(told)?;
    fs::set_permissions(&places[1], fs::Permissions::from_mode(0o4755)).map_err(told)?;
    let owner = fs::metadata(&places[1]).map_err(told)?.uid();
    let other = Status {
        users: [owner.wrapping_add(1); 4],
        groups: [u32::MAX; 4],
        ..Status::default()
    };
    let search = Search {
        who: Writer {
            status: &other,
            powers: false,
        },
        known: &[owner..=owner],
        // Where temporary files are, such programs often count for nothing; here one is to be found.
        honours: &|_| true,
    };
    match search.below(bed.path())? {
        (Some((by, id)), _) if by == Path::new("/opt/tool") && id == owner => Ok(String::from(
            "the same search found a set-user-id program that the harness had made",
        )),
        _ => Err(String::from(
            "a set-user-id program of the harness was not found by the same search",
        )),
    }
}

#[cfg(all(test, target_os = "linux"))]
#[expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]
mod tests {
    use super::*;

    #[test]
    fn maps_are_read_as_ranges() {
        let one = "         0       4242          1\n";
        assert_eq!(known(one, false), [4242..=4242]);
        let rootless = "0 1000 1\n1 100000 65536\n";
        assert_eq!(known(rootless, false), [1000..=1000, 100_000..=165_535]);
        // Of a harness in the same container: who is root there is 0 for both.
        assert_eq!(known(rootless, true), [0..=0, 1..=65536]);
        assert_eq!(known("0 0 4294967295\n", true), [0..=u32::MAX - 1]);
        assert_eq!(known("nothing\n0 1 0\n", false), []);
    }

    #[test]
    fn only_programs_of_others_that_it_may_execute_count() {
        let bed = tempfile::tempdir().unwrap();
        let path = bed.path().join("tool");
        fs::set_permissions(bed.path(), fs::Permissions::from_mode(0o755)).unwrap();
        let owner = fs::metadata(bed.path()).unwrap().uid();
        let stranger = Status {
            users: [owner + 1; 4],
            groups: [u32::MAX; 4],
            ..Status::default()
        };
        let everybody = [0..=u32::MAX];
        let found = |status: &Status, known: &[RangeInclusive<u32>], honours: bool| {
            let search = Search {
                who: Writer {
                    status,
                    powers: false,
                },
                known,
                honours: &|_| honours,
            };
            search.below(bed.path()).unwrap().0.is_some()
        };
        let put = |content: &[u8], mode: u32| {
            fs::write(&path, content).unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        };
        put(b"\x7fELF...", 0o4755);
        assert!(found(&stranger, &everybody, true));
        assert!(!found(&stranger, &everybody, false));
        assert!(!found(&stranger, &[owner + 1..=owner + 1], true));
        let itself = Status {
            users: [owner; 4],
            ..stranger.clone()
        };
        assert!(!found(&itself, &everybody, true));
        for (content, mode) in [
            (&b"\x7fELF..."[..], 0o755),
            (b"\x7fELF...", 0o4750),
            (b"#!/bin/sh\n", 0o4755),
        ] {
            put(content, mode);
            assert!(!found(&stranger, &everybody, true), "{mode:o}");
        }
    }

    #[test]
    fn one_that_is_made_is_found() {
        rehearse().unwrap();
    }
}
