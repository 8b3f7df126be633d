//! A control group of its own for a target that is put under a strain.
//!
//! Owns making, filling and removing one group of version 2 (cgroups(7)), where that is delegated to us. It bounds
//! the tree as a whole, which limits of single processes cannot: a thousand small processes keep to every rlimit.
//! Knows nothing of strains.

use std::{
    ffi::OsString,
    fs::{self, File},
    io,
    os::fd::AsRawFd as _,
    path::{Path, PathBuf},
    process,
    sync::OnceLock,
    thread,
    time::Duration,
};

use super::Bounds;

/// Where the hierarchy of version 2 is mounted: alone, or beside those of version 1 (file-hierarchy(7)).
const MOUNTS: [&str; 2] = ["/sys/fs/cgroup", "/sys/fs/cgroup/unified"];

/// What bounds a strain.
const CONTROLLERS: [&str; 2] = ["memory", "pids"];

/// Which controllers the groups below a group have.
const GIVES: &str = "cgroup.subtree_control";

/// How the names of our groups begin.
const PREFIX: &str = "watertight-";

/// A group, which is removed with this. Whatever is still in it then is ended.
#[derive(Debug)]
pub(super) struct Group {
    at: PathBuf,
    controllers: Vec<&'static str>,
    /// Those that its parent has for our sake.
    lent: Vec<&'static str>,
}

/// The groups that ours may be made in, for as long as this process lives.
static BASES: OnceLock<Vec<Base>> = OnceLock::new();

/// One of them, held open: later its path may lead into a world where nothing can be changed.
#[derive(Debug)]
struct Base {
    _open: File,
    /// Leads there by way of the descriptor (proc_pid_fd(5)).
    at: PathBuf,
    /// For people.
    name: PathBuf,
}

/// Holds on to the groups that ours may be made in, which is to be done while they can be reached for writing.
pub fn hold_groups() {
    BASES.get_or_init(bases);
}

/// Which controllers bound a target that is put under a strain, beside the limits of its processes.
///
/// # Errors
/// Why none does, in words.
pub fn controllers() -> Result<Vec<&'static str>, String> {
    Ok(Group::make()?.controllers.clone())
}

impl Group {
    /// Makes one, with as many controllers as can be had.
    ///
    /// It is made below our own group, or beside it: processes and the controller of memory do not go together in
    /// one group, so that a delegated one keeps its processes in a group below it.
    pub(super) fn make() -> Result<Self, String> {
        let mut refused = String::from("neither memory nor pids is delegated to us");
        BASES
            .get_or_init(bases)
            .iter()
            .filter_map(|base| {
                Self::below(&base.at)
                    .map_err(|error| refused = format!("{}: {error}", base.name.display()))
                    .ok()
            })
            .filter(|group| !group.controllers.is_empty())
            .max_by_key(|group| group.controllers.len())
            .ok_or(refused)
    }

    /// Makes one below a group, which gets the controllers that it has to give.
    fn below(base: &Path) -> io::Result<Self> {
        // In a bottle every harness is process 1.
        let number = fastrand::u32(..);
        let at = base.join(format!("{PREFIX}{}-{number:08x}", process::id()));
        let had = listed(&base.join(GIVES))?;
        fs::create_dir(&at)?;
        let mut group = Self {
            at,
            controllers: Vec::new(),
            lent: Vec::new(),
        };
        for name in listed(&base.join("cgroup.controllers"))? {
            if !had.contains(&name) && fs::write(base.join(GIVES), format!("+{name}")).is_ok() {
                group.lent.push(name);
            }
        }
        // Below a group with processes it can be one of threads only, which takes no process in.
        if fs::read_to_string(group.at.join("cgroup.type"))?.trim_end() == "domain" {
            group.controllers = listed(&group.at.join("cgroup.controllers"))?;
        }
        Ok(group)
    }

    /// Sets what all processes in it may take together.
    pub(super) fn bound(&self, bounds: Bounds) -> io::Result<()> {
        for controller in &self.controllers {
            if *controller == "memory" {
                self.set("memory.max", bounds.memory)?;
                // Else it would go on there. Kernels without swap have no such file.
                let _none = self.set("memory.swap.max", 0);
            } else {
                self.set("pids.max", bounds.threads)?;
            }
        }
        Ok(())
    }

    /// Takes a process in; its later children follow it.
    pub(super) fn take(&self, pid: u32) -> io::Result<()> {
        self.set("cgroup.procs", u64::from(pid))
    }

    fn set(&self, file: &str, value: u64) -> io::Result<()> {
        fs::write(self.at.join(file), value.to_string())
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        // Since Linux 5.14. Before that, what is in it has been ended one by one, or the group stays.
        let _older = self.set("cgroup.kill", 1);
        for _ in 0..100 {
            match fs::remove_dir(&self.at) {
                // The ended are in it until they are reaped.
                Err(error) if error.kind() == io::ErrorKind::ResourceBusy => {
                    thread::sleep(Duration::from_millis(5));
                }
                _ => break,
            }
        }
        // Another group of ours may have come to need them meanwhile: then it is the last one there.
        let Some(base) = self.at.parent().filter(|base| !has_groups(base)) else {
            return;
        };
        for name in &self.lent {
            let _kept = fs::write(base.join(GIVES), format!("-{name}"));
        }
    }
}

/// Whether a group of ours is below it, be it another process's.
fn has_groups(base: &Path) -> bool {
    let ours = |name: OsString| name.to_string_lossy().starts_with(PREFIX);
    fs::read_dir(base).is_ok_and(|mut entries| {
        entries.any(|entry| entry.is_ok_and(|entry| ours(entry.file_name())))
    })
}

/// The group that we are in, after the one around it.
fn bases() -> Vec<Base> {
    let groups = fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
    // The line of version 2 names no controllers.
    let Some(path) = groups.lines().find_map(|line| line.strip_prefix("0::/")) else {
        return Vec::new();
    };
    let is_group = |at: &Path| at.join("cgroup.controllers").exists();
    let own = MOUNTS.iter().map(|mount| Path::new(mount).join(path));
    let Some(own) = own.into_iter().find(|own| is_group(own)) else {
        return Vec::new();
    };
    let around = own.parent().filter(|around| is_group(around));
    around
        .into_iter()
        .chain([own.as_path()])
        .filter_map(|at| {
            let open = File::open(at).ok()?;
            Some(Base {
                at: format!("/proc/self/fd/{}", open.as_raw_fd()).into(),
                name: at.to_owned(),
                _open: open,
            })
        })
        .collect()
}

/// Those of our controllers that a file of a group names.
fn listed(file: &Path) -> io::Result<Vec<&'static str>> {
    let listed = fs::read_to_string(file)?;
    let is = |name: &&str| listed.split_whitespace().any(|word| word == *name);
    Ok(CONTROLLERS.into_iter().filter(is).collect())
}
