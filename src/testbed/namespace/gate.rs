//! The gate: unshares while it has one thread, and starts the inner process.
//!
//! Owns which namespaces there are and who the user is in them.

use std::{
    fs, io,
    os::unix::process::ExitStatusExt as _,
    process::{Command, Stdio},
};

use rustix::{
    process::{Signal, getegid, geteuid, set_parent_process_death_signal},
    thread::UnshareFlags,
};

use super::{MARK, Refusal, Step, caps, mark, wire::Message, wire::Wire};

/// Does the work of the gate; returns the exit code of the inner process.
#[must_use]
pub fn gate(wire: &Wire, failure: u8) -> u8 {
    match open(wire) {
        Ok(code) => code.unwrap_or(failure),
        Err(refusal) => {
            // Whoever cannot hear it sees that we end.
            let _gone = wire.send(&Message::Refused(refusal), &[]);
            failure
        }
    }
}

fn open(wire: &Wire) -> Result<Option<u8>, Refusal> {
    let namespaces = |error: io::Error| Refusal::new(Step::Namespaces, error);
    let outer_net = inode("/proc/self/ns/net").map_err(namespaces)?;
    unshare().map_err(namespaces)?;
    // After that: a change of credentials clears it.
    follow_parent().map_err(namespaces)?;
    match wire.ask(&Message::Unshared, &[]) {
        Ok(Message::Mapped(None)) => {}
        Ok(Message::Mapped(Some(why))) => return Err(Refusal::new(Step::Ids, why)),
        other => return Err(Refusal::new(Step::Ids, format!("{other:?}"))),
    }
    caps::hand_on().map_err(|error| Refusal::new(Step::Capabilities, error))?;
    let program = std::env::current_exe().map_err(namespaces)?;
    let mut words = std::env::args_os();
    words.next();
    let mut inner = Command::new(program)
        .args(words)
        .env(MARK, mark("inner", outer_net))
        .stdin(Stdio::inherit())
        .spawn()
        .map_err(namespaces)?;
    let _told = wire.send(&Message::Child(inner.id()), &[]);
    let status = inner.wait().map_err(namespaces)?;
    Ok(match (status.code(), status.signal()) {
        (Some(code), _) => u8::try_from(code).ok(),
        _ => None,
    })
}

/// The inode that names a namespace.
///
/// # Errors
/// Without /proc.
pub(super) fn inode(path: &str) -> io::Result<u64> {
    use std::os::unix::fs::MetadataExt as _;
    Ok(fs::metadata(path)?.ino())
}

/// Ends this process when its parent ends, however that happens.
pub(super) fn follow_parent() -> io::Result<()> {
    Ok(set_parent_process_death_signal(Some(Signal::KILL))?)
}

#[expect(
    unsafe_code,
    reason = "unshare(2) is unsafe for the table of descriptors only"
)]
fn unshare() -> io::Result<()> {
    let flags = UnshareFlags::NEWUSER
        | UnshareFlags::NEWNS
        | UnshareFlags::NEWNET
        | UnshareFlags::NEWPID
        | UnshareFlags::NEWIPC
        | UnshareFlags::NEWUTS;
    // SAFETY: what makes it unsafe is `FILES`, by which threads come to see different tables of
    // descriptors. That flag is not set, and the gate has one thread.
    Ok(unsafe { rustix::thread::unshare_unsafe(flags) }?)
}

/// Tells the kernel who the user is in the user namespace of the gate: everybody is who they were.
/// To be called by the outer process. Whoever may map all ids (root) does; an ordinary user may map
/// the own one only, and has to forbid setgroups(2) for that.
///
/// # Errors
/// When the kernel refuses both.
pub(super) fn map_ids(gate: u32) -> io::Result<()> {
    let all = |file: &str| -> io::Result<()> {
        let own = fs::read_to_string(format!("/proc/self/{file}"))?;
        fs::write(format!("/proc/{gate}/{file}"), itself(&own))
    };
    if all("gid_map").is_ok() && all("uid_map").is_ok() {
        return Ok(());
    }
    fs::write(format!("/proc/{gate}/setgroups"), "deny")?;
    let one = |file: &str, id: u32| {
        let path = format!("/proc/{gate}/{file}");
        let written = fs::read_to_string(&path).is_ok_and(|map| !map.trim().is_empty());
        if written {
            return Ok(());
        }
        fs::write(path, format!("{id} {id} 1"))
    };
    one("gid_map", getegid().as_raw())?;
    one("uid_map", geteuid().as_raw())
}

/// The map of our own ids to themselves, of user_namespaces(7).
fn itself(own: &str) -> String {
    own.lines()
        .filter_map(|line| {
            let mut fields = line.split_ascii_whitespace();
            let (inside, _, count) = (fields.next()?, fields.next()?, fields.next()?);
            Some(format!("{inside} {inside} {count}\n"))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::itself;

    #[test]
    fn ids_are_mapped_to_themselves() {
        assert_eq!(
            itself("         0          0 4294967295\n"),
            "0 0 4294967295\n"
        );
        assert_eq!(itself("0 1000 1\n1 100000 65536\n"), "0 0 1\n1 1 65536\n");
    }
}
