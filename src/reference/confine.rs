//! What the server does to itself when it starts: the powers that it gives up, and the flaws that are about its process.
//!
//! Owns the process. Must not know tools. What only a launcher can do (namespaces, filters of system calls) is not here.

use std::{
    fs, io,
    os::unix::fs::PermissionsExt as _,
    path::Path,
    process::{Child, Command, Stdio},
};

use rustix::{
    process::{Gid, Resource, Rlimit, Uid, setrlimit},
    thread::{
        CapabilitySet, capabilities, set_no_new_privs, set_thread_groups, set_thread_res_gid,
        set_thread_res_uid,
    },
};
use tokio::signal::unix::{SignalKind, signal};

use super::{Flaw, FlawSet};

/// The user to whom nothing belongs.
const NOBODY: u32 = 65534;

/// Gives up what can be given up. To be called before there is a second thread: ids are those of a thread.
pub(super) fn confine(install: &Path, flaws: &FlawSet) -> io::Result<()> {
    let mode = if flaws.has(Flaw::ProcInstall) {
        0o777
    } else {
        0o555
    };
    fs::set_permissions(install, fs::Permissions::from_mode(mode))?;
    if !flaws.has(Flaw::ProcUnlimited) {
        for (resource, most) in [
            (Resource::Nofile, 256),
            (Resource::Fsize, 64 << 20),
            (Resource::Cpu, 600),
        ] {
            let both = Rlimit {
                current: Some(most),
                maximum: Some(most),
            };
            setrlimit(resource, both)?;
        }
    }
    // In a user namespace with one user there is nobody to become.
    let may = capabilities(None)?
        .effective
        .contains(CapabilitySet::SETUID | CapabilitySet::SETGID);
    if may && !flaws.has(Flaw::ProcRoot) {
        let (user, group) = (Uid::from_raw(NOBODY), Gid::from_raw(NOBODY));
        set_thread_groups(&[])?;
        set_thread_res_gid(group, group, group)?;
        set_thread_res_uid(user, user, user)?;
    }
    if !flaws.has(Flaw::ProcGains) {
        set_no_new_privs(true)?;
    }
    Ok(())
}

/// What keeps the flaws of a process alive.
#[derive(Debug, Default)]
pub(super) struct Ills {
    _listener: Option<std::net::TcpListener>,
    _helpers: Vec<Child>,
}

/// Does what the flaws say that a process does when it starts.
pub(super) fn misbehave(flaws: &FlawSet) -> io::Result<Ills> {
    let listener = flaws
        .has(Flaw::ProcListens)
        .then(|| std::net::TcpListener::bind("0.0.0.0:0"))
        .transpose()?;
    if flaws.has(Flaw::ProcOrphan) {
        let mut child = Command::new("sleep");
        child
            .arg("600")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        child.spawn()?;
    }
    let mut helpers = Vec::new();
    let secret = format!("{:032x}", fastrand::u128(..));
    if flaws.has(Flaw::EnvExcess) {
        helpers.push(helper(&[], Some(("BILLING_API_TOKEN", &secret)))?);
    }
    if flaws.has(Flaw::EnvArgv) {
        helpers.push(helper(&["--password", &secret], None)?);
    }
    if flaws.has(Flaw::ProcDeaf) {
        // Once heard, it no longer ends the process.
        let mut deaf = signal(SignalKind::terminate())?;
        tokio::spawn(async move { while deaf.recv().await.is_some() {} });
    }
    Ok(Ills {
        _listener: listener,
        _helpers: helpers,
    })
}

/// A child that ends with this process, whose end closes its input.
fn helper(words: &[&str], variable: Option<(&str, &str)>) -> io::Result<Child> {
    let mut helper = Command::new("sh");
    helper
        .args(["-c", "cat; exit", "helper"])
        .args(words)
        .envs(variable)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    helper.spawn()
}
