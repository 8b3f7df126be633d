//! What a policy makes of the user of a process, its groups and its powers.
//!
//! Owns the comparison of ids and capabilities. A pure function of what was seen.

use super::process::Finding::{self, Against, Agrees, Blind};
use crate::{
    policy::Policy,
    witness::process::{Posture, Postures, Status},
};

/// Groups whose members become root, or read what only root reads.
const POWERFUL: [&str; 12] = [
    "root", "docker", "sudo", "wheel", "admin", "adm", "disk", "shadow", "lxd", "libvirt", "kmem",
    "podman",
];

/// Shells that let nobody in.
const CLOSED: [&str; 3] = ["nologin", "false", "sync"];

/// Names of capabilities by their number (linux/capability.h).
const CAPABILITIES: [&str; 41] = [
    "chown",
    "dac_override",
    "dac_read_search",
    "fowner",
    "fsetid",
    "kill",
    "setgid",
    "setuid",
    "setpcap",
    "linux_immutable",
    "net_bind_service",
    "net_broadcast",
    "net_admin",
    "net_raw",
    "ipc_lock",
    "ipc_owner",
    "sys_module",
    "sys_rawio",
    "sys_chroot",
    "sys_ptrace",
    "sys_pacct",
    "sys_admin",
    "sys_boot",
    "sys_nice",
    "sys_resource",
    "sys_time",
    "sys_tty_config",
    "mknod",
    "lease",
    "audit_write",
    "audit_control",
    "setfcap",
    "mac_override",
    "mac_admin",
    "syslog",
    "wake_alarm",
    "block_suspend",
    "audit_read",
    "perfmon",
    "bpf",
    "checkpoint_restore",
];

pub(super) fn root_user(status: &Status) -> Finding {
    let kinds = ["real", "effective", "saved"];
    let root: Vec<&str> = kinds
        .into_iter()
        .zip(&status.users)
        .filter_map(|(kind, id)| (*id == 0).then_some(kind))
        .collect();
    if root.is_empty() {
        Agrees(format!("has user id {}", status.users[1]))
    } else {
        Against(format!("has user id 0 ({})", root.join(", ")))
    }
}

pub(super) fn root_group(status: &Status) -> Finding {
    if status.groups[..3].contains(&0) {
        Against(String::from("has group id 0"))
    } else if status.more_groups.contains(&0) {
        Against(String::from("has group 0 among its supplementary groups"))
    } else {
        Agrees(format!("has group id {}", status.groups[1]))
    }
}

/// A user by name, or by number where it has none.
pub(super) fn user_name(id: u32, all: &Postures) -> String {
    all.accounts
        .users
        .get(&id)
        .map_or_else(|| id.to_string(), |account| account.name.clone())
}

pub(super) fn named_user(status: &Status, all: &Postures, policy: &Policy) -> Finding {
    let wanted = policy.process_user().unwrap_or_default();
    let ids = &status.users[..3];
    let fits = |id: &u32| user_name(*id, all) == wanted || id.to_string() == wanted;
    match ids.iter().find(|id| !fits(id)) {
        None => Agrees(format!("runs as {wanted}")),
        Some(other) => Against(format!(
            "runs as {}, not as {wanted}",
            user_name(*other, all)
        )),
    }
}

pub(super) fn own_user(status: &Status, all: &Postures) -> Finding {
    match &all.own.status {
        Ok(own) if own.users[1] == status.users[1] => Against(format!(
            "runs as {}, the user who started it",
            user_name(status.users[1], all)
        )),
        Ok(own) => Agrees(format!(
            "runs as user {}, was started by user {}",
            status.users[1], own.users[1]
        )),
        Err(why) => Blind(why.clone()),
    }
}

pub(super) fn login_shell(status: &Status, all: &Postures) -> Finding {
    match all.accounts.users.get(&status.users[1]) {
        None => Agrees(format!(
            "runs as user {}, who has no account",
            status.users[1]
        )),
        Some(account) => {
            let shell = account.shell.rsplit('/').next().unwrap_or_default();
            // An empty field stands for /bin/sh (passwd(5)).
            if CLOSED.contains(&shell) {
                Agrees(format!(
                    "runs as {}, with the shell {}",
                    account.name, account.shell
                ))
            } else {
                Against(format!(
                    "runs as {}, who can log in with the shell {}",
                    account.name,
                    if shell.is_empty() {
                        "/bin/sh"
                    } else {
                        &account.shell
                    }
                ))
            }
        }
    }
}

pub(super) fn power_groups(status: &Status, all: &Postures) -> Finding {
    let own = status.more_groups.iter().chain(&status.groups[..3]);
    let mut powerful: Vec<String> = own
        .filter_map(|id| all.accounts.groups.get(id))
        .filter(|name| POWERFUL.contains(&name.as_str()))
        .cloned()
        .collect();
    powerful.sort_unstable();
    powerful.dedup();
    if powerful.is_empty() {
        Agrees(String::from(
            "is in no group that gives power over the machine",
        ))
    } else {
        Against(format!("is in the group {}", powerful.join(", ")))
    }
}

pub(super) fn named(set: u64) -> String {
    let all = (1_u64 << CAPABILITIES.len()) - 1;
    if set & all == all {
        return String::from("all capabilities");
    }
    let names: Vec<&str> = CAPABILITIES
        .iter()
        .enumerate()
        .filter(|(number, _)| set & (1 << number) != 0)
        .map(|(_, name)| *name)
        .collect();
    format!("the capabilities {}", names.join(", "))
}

pub(super) fn capabilities(status: &Status, one: &Posture, all: &Postures) -> Finding {
    let held: u64 = ["CapEff", "CapPrm", "CapInh", "CapAmb"]
        .iter()
        .filter_map(|name| status.capabilities.get(*name))
        .fold(0, |held, set| held | set);
    if held == 0 {
        return Agrees(String::from("holds no capability"));
    }
    let user = |posture: &Posture| {
        posture
            .namespaces
            .clone()
            .map(|all| all.get("user").cloned())
    };
    match (user(one), user(&all.own)) {
        (Ok(theirs), Ok(ours)) if theirs == ours => Against(format!("holds {}", named(held))),
        // They reach nothing outside; whether the policy means them, it does not say.
        (Ok(_), Ok(_)) => Blind(format!(
            "it holds {} in a user namespace of its own, where they reach nothing of this machine; whether the policy means those too cannot be told",
            named(held)
        )),
        (Err(why), _) | (_, Err(why)) => Blind(why),
    }
}

pub(super) fn bounding(status: &Status) -> Finding {
    match (status.capabilities.get("CapBnd"), status.no_new_privileges) {
        (Some(0), _) => Agrees(String::from(
            "can gain no capability: its bounding set is empty",
        )),
        // Without new privileges nothing is gained by executing a program.
        (Some(_), Some(true)) => {
            Agrees(String::from("can gain no capability: no_new_privs is set"))
        }
        (Some(set), _) => Against(format!(
            "can gain {} by executing a program that has them",
            named(*set)
        )),
        (None, _) => Blind(String::from("the kernel tells no bounding set")),
    }
}

pub(super) fn no_new_privileges(status: &Status) -> Finding {
    match status.no_new_privileges {
        Some(true) => Agrees(String::from("has no_new_privs set")),
        Some(false) => Against(String::from(
            "can gain powers by executing setuid programs: no_new_privs is not set",
        )),
        None => Blind(String::from("the kernel does not tell no_new_privs")),
    }
}

pub(super) fn seccomp(status: &Status) -> Finding {
    match status.seccomp {
        Some(0) => Against(String::from("runs without a filter of system calls")),
        Some(1) => Agrees(String::from("runs under strict seccomp")),
        Some(_) => Agrees(String::from("runs under a filter of system calls")),
        None => Blind(String::from("the kernel does not tell the seccomp mode")),
    }
}
