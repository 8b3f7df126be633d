//! What of the machine stands in the world of a process: doors through which it would leave it.
//!
//! Owns where such doors are, and whether a process may use them by its ids, by modes and by mounts. What a
//! security module or a filter of system calls says beyond that is not known here. Nothing is written, and
//! nothing is read of what stands behind a door.

use std::{
    fs,
    io::{self, Seek as _},
    os::unix::{fs::MetadataExt as _, net::UnixListener},
    path::{Path, PathBuf},
};

use rustix::fs::{Access, AtFlags, CWD, accessat};
use serde::{Deserialize, Serialize};

use super::{
    Read, Status,
    credentials::{secret, shown as shown_by},
    files::{Wish, Writer},
    inside::{Found, Root},
    mounts::{Mount, holding, mounts},
    read,
};

/// Sockets of container engines. Whoever may connect to one starts containers as root, with any directory of
/// the machine in them.
const SOCKETS: [&str; 13] = [
    "/run/docker.sock",
    "/var/run/docker.sock",
    "/run/containerd/containerd.sock",
    "/run/k3s/containerd/containerd.sock",
    "/run/podman/podman.sock",
    "/var/run/podman/podman.sock",
    "/run/crio/crio.sock",
    "/var/run/crio/crio.sock",
    "/run/cri-dockerd.sock",
    "/run/buildkit/buildkitd.sock",
    "/var/lib/lxd/unix.socket",
    "/var/snap/lxd/common/lxd/unix.socket",
    "/var/lib/incus/unix.socket",
];

/// The same of engines of one user, below `/run/user/ID`.
const OF_A_USER: [&str; 2] = ["docker.sock", "podman/podman.sock"];

/// Files of the kernel by which whoever may write them commands the machine, or changes it for all; to write
/// them takes no capability (core(5), proc_sys_kernel(5), proc_sysrq-trigger(5)).
const KERNEL: [&str; 7] = [
    "/proc/sys/kernel/core_pattern",
    "/proc/sys/kernel/modprobe",
    "/proc/sysrq-trigger",
    "/proc/sys/fs/binfmt_misc/register",
    "/sys/kernel/uevent_helper",
    "/sys/kernel/mm/transparent_hugepage/enabled",
    "/sys/power/state",
];

/// What of the machine stands in the world of a process.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct World {
    /// What makes it another world than its launcher's; nothing, where it is the same.
    pub own: Option<String>,
    /// Whether its root directory is its launcher's all the same.
    pub same_root: bool,
    /// How many mounts there are.
    pub mounts: usize,
    /// What was found.
    pub doors: Vec<Door>,
    /// What could not be looked at, by kind.
    pub unseen: Vec<(DoorKind, String)>,
}

/// Something of the machine.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Door {
    /// What it is.
    pub kind: DoorKind,
    /// Where, as the process sees it.
    pub at: PathBuf,
    /// Where its launcher has it, if that is another place.
    pub from: Option<PathBuf>,
    /// Whether a mount was made for it, or for what it stands in.
    pub given: bool,
    /// Whether ids, modes and mounts let the process use it.
    pub open: bool,
}

/// A kind of door.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DoorKind {
    /// A socket of a container engine.
    Engine,
    /// A file of the kernel, or the tree of control groups.
    Kernel,
    /// A disk, past all file systems.
    Disk,
    /// The root directory of the launcher.
    Root,
    /// Credentials of the user who launched it, or of a pod.
    Credentials,
}

/// The world of the launcher.
pub(super) struct Outside {
    mounts: Vec<Mount>,
    root: (u64, u64),
    namespace: Option<String>,
    groups: String,
    /// Roots of its trees of control groups.
    trees: Vec<(u64, u64)>,
}

impl Outside {
    /// Of the harness itself.
    pub(super) fn of(pid: u32, who: &Writer<'_>) -> Read<Self> {
        let mounts = mounts(pid)?;
        let root = Root::of(pid)?;
        let trees = mounts
            .iter()
            .filter(|mount| mount.system.starts_with("cgroup"))
            .filter_map(|mount| root.find(&mount.point, who).ok()?)
            .map(|found| (found.stat.st_dev, found.stat.st_ino))
            .collect();
        Ok(Self {
            root: root.identity().map_err(|error| error.to_string())?,
            namespace: read::namespaces(pid)?.get("mnt").cloned(),
            groups: read::text(pid, "cgroup")?,
            trees,
            mounts,
        })
    }

    /// Where it has what a mount shows.
    fn paths<'a>(&'a self, mount: &'a Mount) -> impl Iterator<Item = PathBuf> + 'a {
        self.mounts
            .iter()
            .filter_map(|own| Some(own.point.join(own.inner(mount)?)))
    }

    /// Whether it has the same mount at the same place.
    fn has(&self, mount: &Mount) -> bool {
        let alike = |own: &Mount| own.same(mount) && own.point == mount.point;
        self.mounts.iter().any(alike)
    }
}

/// Looks at the world of a process.
pub(super) fn world(pid: u32, who: &Writer<'_>, outside: &Outside) -> Read<World> {
    let inside = Inside {
        root: Root::of(pid)?,
        mounts: mounts(pid)?,
        groups: read::text(pid, "cgroup")?,
        who,
        outside,
    };
    let identity = inside.root.identity().map_err(|error| error.to_string())?;
    let same_root = identity == outside.root;
    let namespace = read::namespaces(pid)?.get("mnt").cloned();
    let own = if namespace != outside.namespace {
        Some("a mount namespace of its own")
    } else {
        (!same_root).then_some("a root directory of its own")
    };
    inside.sighted(pid)?;
    let mut world = World {
        own: own.map(str::to_owned),
        same_root,
        mounts: inside.mounts.len(),
        ..World::default()
    };
    if world.own.is_none() {
        return Ok(world);
    }
    for (kind, found) in [
        (DoorKind::Engine, inside.engines()),
        (DoorKind::Kernel, inside.kernel()),
        (DoorKind::Disk, inside.disks()),
        (DoorKind::Root, inside.roots()),
        (DoorKind::Credentials, inside.credentials()),
    ] {
        match found {
            Ok(doors) => world.doors.extend(doors),
            Err(error) => world.unseen.push((kind, error.to_string())),
        }
    }
    Ok(world)
}

/// The world of a process, while it is looked at.
struct Inside<'a> {
    root: Root,
    mounts: Vec<Mount>,
    groups: String,
    who: &'a Writer<'a>,
    outside: &'a Outside,
}

impl Inside<'_> {
    /// What runs is where it says: else paths of the process lead elsewhere than ours below its root.
    fn sighted(&self, pid: u32) -> Read<()> {
        let link = read::place(pid, "exe");
        let blind = |error: io::Error| read::told(pid, "exe", &error);
        let path = fs::read_link(&link).map_err(blind)?;
        let runs = fs::metadata(&link).map_err(blind)?;
        let found = self.root.find(&path, self.who).map_err(blind)?;
        match found {
            Some(found) if (found.stat.st_dev, found.stat.st_ino) == (runs.dev(), runs.ino()) => {
                Ok(())
            }
            // It was removed, or is covered by now: nothing can be told by it.
            _ if path.to_string_lossy().ends_with(" (deleted)") => Ok(()),
            _ => Err(format!(
                "the program of the process, {}, was not found below its root directory, so that nothing else would be",
                path.display()
            )),
        }
    }

    fn door(&self, kind: DoorKind, found: &Found, open: bool) -> Door {
        let mount = holding(&self.mounts, &found.path);
        let given =
            mount.is_some_and(|mount| mount.point != Path::new("/") && !self.outside.has(mount));
        let from = mount.and_then(|mount| {
            let below = found.path.strip_prefix(&mount.point).ok()?;
            let path: PathBuf = self.outside.paths(mount).next()?.join(below);
            // An empty rest leaves a slash at the end.
            let path: PathBuf = path.components().collect();
            (path != found.path).then_some(path)
        });
        Door {
            kind,
            at: found.path.clone(),
            from,
            given,
            open,
        }
    }

    fn engines(&self) -> io::Result<Vec<Door>> {
        let user = self.who.status.users[1];
        let of_user = OF_A_USER.map(|name| PathBuf::from(format!("/run/user/{user}/{name}")));
        let known: Vec<PathBuf> = SOCKETS.iter().map(PathBuf::from).chain(of_user).collect();
        // Under another name.
        let renamed = self.mounts.iter().filter(|mount| {
            let named =
                |path: &PathBuf| known.iter().any(|one| one.file_name() == path.file_name());
            self.outside.paths(mount).any(|path| named(&path)) || named(&mount.root)
        });
        let renamed = renamed.map(|mount| mount.point.clone());
        let mut doors: Vec<Door> = Vec::new();
        for path in known.iter().cloned().chain(renamed) {
            let Some(found) = self.root.find(&path, self.who)? else {
                continue;
            };
            if found.socket() && !doors.iter().any(|door| door.at == found.path) {
                let open = found.permits(self.who, Wish::Write)?;
                doors.push(self.door(DoorKind::Engine, &found, open));
            }
        }
        Ok(doors)
    }

    fn kernel(&self) -> io::Result<Vec<Door>> {
        // They ask for the user only, and a capability counts for nothing.
        let user = &Writer {
            status: self.who.status,
            powers: false,
        };
        let mut doors = Vec::new();
        for path in KERNEL {
            if let Some(found) = self.root.find(Path::new(path), user)? {
                let open = found.permits(user, Wish::Write)?;
                doors.push(self.door(DoorKind::Kernel, &found, open));
            }
        }
        let trees = self
            .mounts
            .iter()
            .filter(|mount| mount.system.starts_with("cgroup"));
        for mount in trees {
            let Some(found) = self.shown(mount)? else {
                continue;
            };
            // A tree that begins at a group of its own rules nobody else.
            let (device, number) = (found.stat.st_dev, found.stat.st_ino);
            if !self.outside.trees.contains(&(device, number)) {
                continue;
            }
            let path = found.path.join("cgroup.procs");
            if let Some(file) = self.root.find(&path, self.who)? {
                let open = file.permits(self.who, Wish::Write)?;
                doors.push(self.door(DoorKind::Kernel, &file, open));
            }
        }
        Ok(doors)
    }

    /// What a mount shows, unless another one covers it.
    fn shown(&self, mount: &Mount) -> io::Result<Option<Found>> {
        let Some(found) = self.root.find(&mount.point, self.who)? else {
            return Ok(None);
        };
        Ok(found.on(mount.id)?.then_some(found))
    }

    fn disks(&self) -> io::Result<Vec<Door>> {
        let mut doors: Vec<Door> = Vec::new();
        let devices = self.root.find(Path::new("/dev"), self.who)?;
        let named = devices.map_or_else(|| Ok(Vec::new()), |found| found.names())?;
        let named = named.iter().map(|name| Path::new("/dev").join(name));
        // One may be mounted at any other place, as a file.
        let mounted = self.mounts.iter().map(|mount| mount.point.clone());
        for path in named.chain(mounted) {
            // One that leads to a process's own descriptors leads nowhere for us.
            let Ok(Some(found)) = self.root.find(&path, self.who) else {
                continue;
            };
            if !found.block_device() || doors.iter().any(|door| door.at == found.path) {
                continue;
            }
            let may =
                found.permits(self.who, Wish::Read)? || found.permits(self.who, Wish::Write)?;
            if !may {
                doors.push(self.door(DoorKind::Disk, &found, false));
                continue;
            }
            // Mounts and control groups forbid devices, which only an attempt tells; nothing is read.
            match found
                .opened()
                .and_then(|mut disk| disk.seek(io::SeekFrom::End(0)))
            {
                // A loop device without a file, a drive without a disk.
                Ok(0) => {}
                // Ours may forbid it and its own not, and the other way round.
                _ if self.groups != self.outside.groups => {
                    return Err(io::Error::other(format!(
                        "{} is there, and its control group may forbid it, which no file tells",
                        found.path.display()
                    )));
                }
                Ok(_) => doors.push(self.door(DoorKind::Disk, &found, true)),
                Err(_) => doors.push(self.door(DoorKind::Disk, &found, false)),
            }
        }
        Ok(doors)
    }

    fn roots(&self) -> io::Result<Vec<Door>> {
        let mut doors = Vec::new();
        let below = self.mounts.iter().filter(|one| one.point != Path::new("/"));
        for mount in below {
            let Some(found) = self.shown(mount)? else {
                continue;
            };
            if (found.stat.st_dev, found.stat.st_ino) == self.outside.root {
                let open = found.permits(self.who, Wish::Enter)?;
                doors.push(self.door(DoorKind::Root, &found, open));
            }
        }
        Ok(doors)
    }

    /// By mounts that were made for it: what the root of the launcher shows nobody gave.
    fn credentials(&self) -> io::Result<Vec<Door>> {
        let home = std::env::home_dir();
        let mut doors: Vec<Door> = Vec::new();
        for mount in self.mounts.iter().filter(|one| !self.outside.has(one)) {
            let shown = self.outside.paths(mount);
            let shown = shown.flat_map(|from| shown_by(&from, &mount.point, home.as_deref()));
            for (place, inside) in shown {
                let (Ok(own), Some(found)) =
                    (fs::metadata(&place), self.root.find(&inside, self.who)?)
                else {
                    continue;
                };
                // Another mount may cover it, so that it is hidden.
                let same = (found.stat.st_dev, found.stat.st_ino) == (own.dev(), own.ino());
                let empty = own.is_dir() && found.names().is_ok_and(|names| !secret(&names));
                if !same || empty || doors.iter().any(|door| door.at == found.path) {
                    continue;
                }
                let open = found.permits(self.who, Wish::Read)?;
                let mut door = self.door(DoorKind::Credentials, &found, open);
                door.from = (place != found.path).then_some(place);
                doors.push(door);
            }
        }
        Ok(doors)
    }
}

/// Shows that doors are found: one that the harness makes, and those of its own world.
///
/// # Errors
/// When one is not found, or is told otherwise than the kernel does.
pub(super) fn rehearse(status: &Status, outside: &Outside) -> Read<String> {
    let told = |error: io::Error| format!("no door could be made to be found: {error}");
    let bed = tempfile::tempdir().map_err(told)?;
    let run = bed.path().join("run");
    fs::create_dir(&run).map_err(told)?;
    fs::create_dir(bed.path().join("var")).map_err(told)?;
    std::os::unix::fs::symlink("/run", bed.path().join("var/run")).map_err(told)?;
    let _listener = UnixListener::bind(run.join("docker.sock")).map_err(told)?;
    let who = &Writer {
        status,
        powers: false,
    };
    let inside = Inside {
        root: Root::at(bed.path()).map_err(told)?,
        mounts: outside.mounts.clone(),
        groups: outside.groups.clone(),
        who,
        outside,
    };
    let engines = inside.engines().map_err(told)?;
    let at = Path::new("/run/docker.sock");
    if !engines.iter().any(|door| door.at == at && door.open) {
        return Err(String::from(
            "a socket of the harness at the place of an engine's was not found by the same look",
        ));
    }
    let own = Root::at(Path::new("/")).map_err(told)?;
    let mut agreed = 0;
    for path in KERNEL.map(Path::new) {
        let Some(found) = own.find(path, who).map_err(told)? else {
            continue;
        };
        let reckoned = found.permits(who, Wish::Write).map_err(told)?;
        let kernel = accessat(CWD, path, Access::WRITE_OK, AtFlags::EACCESS).is_ok();
        if reckoned != kernel {
            return Err(format!(
                "the kernel tells otherwise than the look whether the harness may write {}",
                path.display()
            ));
        }
        agreed += 1;
    }
    Ok(format!(
        "the same look found a socket that the harness had put at the place of an engine's, and told of {agreed} files of the kernel what the kernel tells the harness"
    ))
}
