//! The directories that are no disk: `/proc`, `/sys`, `/dev`, `/run`.
//!
//! Owns what of the machine's devices, processes and sockets is seen inside: as little as programs
//! need, and nothing by which the machine could be changed.

use std::{
    fs, io,
    os::unix::fs::{PermissionsExt as _, symlink},
    path::Path,
};

use rustix::process::geteuid;

use super::{
    Refusal, Step,
    mounts::{bind, bind_read_only, fresh, memory},
};

/// Names in `/` that are made here.
pub(super) const NAMES: [&str; 4] = ["proc", "sys", "dev", "run"];

const DEVICES: [&str; 6] = ["null", "zero", "full", "random", "urandom", "tty"];

/// Makes them in `new`; `old` is the real root. `root_is_real`: whether user 0 of the machine exists
/// inside, to whom files of `/proc` belong. `nests`: whether the target is to make namespaces of its own.
pub(super) fn make(old: &Path, new: &Path, root_is_real: bool, nests: bool) -> Result<(), Refusal> {
    for name in NAMES {
        fs::create_dir(new.join(name)).map_err(|error| Refusal::new(Step::Root, error))?;
    }
    let proc = new.join("proc");
    fresh("proc", &proc, false, "").map_err(|error| Refusal::new(Step::Proc, error))?;
    if root_is_real {
        lock_proc(&proc).map_err(|error| Refusal::new(Step::Proc, error))?;
        if nests {
            unlocked_proc(&new.join("run")).map_err(|error| Refusal::new(Step::Proc, error))?;
        }
    }
    let root = |error: io::Error| Refusal::new(Step::Root, error);
    sys(old, new, &proc).map_err(root)?;
    dev(&old.join("dev"), &new.join("dev")).map_err(root)?;
    run(old, &new.join("run")).map_err(root)?;
    if geteuid().as_raw() != 0 {
        for name in ["dev", "run"] {
            let root_only = fs::Permissions::from_mode(0o555);
            fs::set_permissions(new.join(name), root_only).map_err(root)?;
        }
    }
    Ok(())
}

/// Takes from user 0 what belongs to it without any capability: settings of the kernel.
fn lock_proc(proc: &Path) -> io::Result<()> {
    for entry in fs::read_dir(proc)?.flatten() {
        let name = entry.file_name();
        let process = name.as_encoded_bytes().iter().all(u8::is_ascii_digit);
        let found = entry.metadata()?;
        let writable = found.is_dir() || found.permissions().mode() & 0o222 != 0;
        if !process && writable && !found.file_type().is_symlink() {
            let path = entry.path();
            bind_read_only(&path, &path, &proc.join("self/mountinfo"))?;
        }
    }
    Ok(())
}

/// A second `/proc` of which nothing is locked. In a user namespace a fresh one can be mounted only where one
/// is that shows everything (`mount_too_revealing` in fs/namespace.c of Linux); it need not be reachable, and
/// what is mounted on `run` next hides it.
fn unlocked_proc(run: &Path) -> io::Result<()> {
    let at = run.join("proc");
    fs::create_dir(&at)?;
    fresh("proc", &at, false, "")
}

/// A fresh one shows the devices of our own network; where that is refused, the machine's.
fn sys(old: &Path, new: &Path, proc: &Path) -> io::Result<()> {
    let mountinfo = proc.join("self/mountinfo");
    let at = new.join("sys");
    if fresh("sysfs", &at, true, "").is_err() {
        return bind_read_only(&old.join("sys"), &at, &mountinfo);
    }
    // Runtimes read their limits there.
    let groups = Path::new("fs/cgroup");
    let (from, to) = (old.join("sys").join(groups), at.join(groups));
    if from.is_dir() && to.is_dir() {
        bind_read_only(&from, &to, &mountinfo)?;
    }
    Ok(())
}

fn dev(old: &Path, new: &Path) -> io::Result<()> {
    memory(new, "mode=755,size=1m")?;
    for name in DEVICES {
        if old.join(name).exists() {
            bind(&old.join(name), &new.join(name))?;
        }
    }
    for (name, to) in [
        ("fd", "/proc/self/fd"),
        ("stdin", "/proc/self/fd/0"),
        ("stdout", "/proc/self/fd/1"),
        ("stderr", "/proc/self/fd/2"),
        ("ptmx", "pts/ptmx"),
    ] {
        symlink(to, new.join(name))?;
    }
    fs::create_dir(new.join("pts"))?;
    fresh(
        "devpts",
        &new.join("pts"),
        false,
        "newinstance,ptmxmode=0666,mode=620",
    )?;
    fs::create_dir(new.join("shm"))?;
    memory(&new.join("shm"), "mode=1777,size=64m")
}

/// Sockets of services must not be reached, so nothing of the real one is there but links (some
/// systems have their programs behind one) and the file that names the resolvers.
fn run(old: &Path, new: &Path) -> io::Result<()> {
    memory(new, "mode=755,size=16m")?;
    for entry in fs::read_dir(old.join("run"))?.flatten() {
        if let Ok(to) = fs::read_link(entry.path()) {
            symlink(to, new.join(entry.file_name()))?;
        }
    }
    let lock = new.join("lock");
    if fs::symlink_metadata(&lock).is_err() {
        fs::create_dir(&lock)?;
        fs::set_permissions(&lock, fs::Permissions::from_mode(0o1777))?;
    }
    if let Ok(to) = fs::read_link(old.join("etc/resolv.conf")) {
        let named = Path::new("/etc").join(to);
        let below = super::plan::plain(&named);
        if let Ok(below) = below.strip_prefix("/run")
            && let Ok(text) = fs::read(old.join("run").join(below))
        {
            let at = new.join(below);
            at.parent().map_or(Ok(()), fs::create_dir_all)?;
            fs::write(at, text)?;
        }
    }
    Ok(())
}
