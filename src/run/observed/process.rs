//! What a policy makes of processes.
//!
//! Owns the comparison, aspect by aspect: a pure function of what was seen. Every process that may
//! do what a tool call asks for is judged and named; what stands around the server is only named.

use std::{fmt::Write as _, path::Path};

use super::{Proof, Seen};
use crate::{
    policy::{Policy, ProcessLimits},
    probe::{Aspect, EvidenceKind},
    witness::process::{Listener, Part, Posture, Postures, Read, Status},
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

/// What one process is in the eyes of the policy.
enum Finding {
    Against(String),
    Agrees(String),
    Blind(String),
}

use Finding::{Against, Agrees, Blind};

/// Looks at one aspect.
pub(super) fn look(aspect: Aspect, postures: &Postures, policy: &Policy) -> Seen {
    match aspect {
        Aspect::InputEnd => {
            return ending(
                postures,
                postures.endings.input.as_ref(),
                "5 s after its input had ended",
            );
        }
        Aspect::Terminate => {
            return ending(
                postures,
                postures.endings.terminate.as_ref(),
                "5 s after SIGTERM to the launched command",
            );
        }
        _ => {}
    }
    let control = match (&postures.serving, &postures.checked) {
        (Ok(how), Ok(checked)) => Ok(format!("{}; {checked}", found(postures, how))),
        (Err(why), _) | (_, Err(why)) => Err(why.clone()),
    };
    let mut seen = Seen::under(control);
    for one in postures.judged() {
        let who = format!("{} (pid {}, {})", one.name, one.pid, one.part.word());
        for finding in of(aspect, one, postures, policy) {
            match finding {
                Against(what) => seen.against.push(proof(format!("{who} {what}"))),
                Agrees(what) => seen.agreeing.push(format!("{who} {what}")),
                Blind(why) => seen.blind.push(format!("{who}: {why}")),
            }
        }
    }
    seen
}

fn proof(fact: String) -> Proof {
    Proof {
        kind: EvidenceKind::Posture,
        witness: "process-witness",
        fact,
        at_ms: 0,
        decoders: Vec::new(),
        excerpt: None,
    }
}

/// How the server was found, and who stands around it.
fn found(postures: &Postures, how: &str) -> String {
    let around: Vec<String> = postures
        .processes
        .iter()
        .filter(|one| !one.part.judged())
        .map(|one| format!("{} (pid {}, {})", one.name, one.pid, one.part.word()))
        .collect();
    let server = postures.server().map_or_else(String::new, |one| {
        format!("the server is {} (pid {}): ", one.name, one.pid)
    });
    let mut text = format!("{server}{how}");
    if !around.is_empty() {
        let _ = write!(text, "; around it, and not judged: {}", around.join(", "));
    }
    text
}

/// Where the server was not seen while it lived, its absence tells nothing.
fn ending(postures: &Postures, ending: Option<&Read<Vec<String>>>, when: &str) -> Seen {
    let alive = postures.serving.as_ref().map_err(Clone::clone);
    match ending {
        Some(Ok(left)) => {
            let mut seen = Seen::under(alive.map(|how| found(postures, how)));
            seen.against = left
                .iter()
                .map(|who| proof(format!("{who} still lived {when}")))
                .collect();
            seen.agreeing = vec![format!("no process of the target was left {when}")];
            seen
        }
        Some(Err(why)) => Seen::under(Err(why.clone())),
        None => Seen::under(Err(String::from("it was not tried"))),
    }
}

fn of(aspect: Aspect, one: &Posture, all: &Postures, policy: &Policy) -> Vec<Finding> {
    let status = |judge: &dyn Fn(&Status) -> Vec<Finding>| match &one.status {
        Ok(status) => judge(status),
        Err(why) => vec![Blind(why.clone())],
    };
    match aspect {
        Aspect::RootUser => status(&|status| vec![root_user(status)]),
        Aspect::RootGroup => status(&|status| vec![root_group(status)]),
        Aspect::NamedUser => status(&|status| vec![named_user(status, all, policy)]),
        Aspect::OwnUser => status(&|status| vec![own_user(status, all)]),
        Aspect::LoginShell => status(&|status| vec![login_shell(status, all)]),
        Aspect::PowerGroups => status(&|status| vec![power_groups(status, all)]),
        Aspect::Capabilities => status(&|status| vec![capabilities(status, one, all)]),
        Aspect::BoundingSet => status(&|status| vec![bounding(status)]),
        Aspect::NoNewPrivileges => status(&|status| vec![no_new_privileges(status)]),
        Aspect::Seccomp => status(&|status| vec![seccomp(status)]),
        Aspect::SecurityModule => vec![match &one.label {
            Ok(Some(label)) => Agrees(format!("is confined as `{label}`")),
            Ok(None) => Against(String::from("is confined by no security module")),
            Err(why) => Blind(why.clone()),
        }],
        Aspect::Namespaces => namespaces(one, all, policy),
        Aspect::RootMount => vec![match &one.root_read_only {
            Ok(true) => Agrees(String::from("has a read-only root file system")),
            Ok(false) => Against(String::from("has a root file system that can be written")),
            Err(why) => Blind(why.clone()),
        }],
        Aspect::InstallTree => one
            .writable
            .iter()
            .map(|(path, found)| install(path, found))
            .collect(),
        Aspect::Descriptors => vec![descriptors(one, all)],
        Aspect::Listeners => vec![listeners(one)],
        Aspect::Limits => policy
            .process_limits()
            .map_or_else(Vec::new, |limits| self::limits(one, limits)),
        _ => Vec::new(),
    }
}

fn root_user(status: &Status) -> Finding {
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

fn root_group(status: &Status) -> Finding {
    if status.groups[..3].contains(&0) {
        Against(String::from("has group id 0"))
    } else if status.more_groups.contains(&0) {
        Against(String::from("has group 0 among its supplementary groups"))
    } else {
        Agrees(format!("has group id {}", status.groups[1]))
    }
}

/// A user by name, or by number where it has none.
fn user_name(id: u32, all: &Postures) -> String {
    all.accounts
        .users
        .get(&id)
        .map_or_else(|| id.to_string(), |account| account.name.clone())
}

fn named_user(status: &Status, all: &Postures, policy: &Policy) -> Finding {
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

fn own_user(status: &Status, all: &Postures) -> Finding {
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

fn login_shell(status: &Status, all: &Postures) -> Finding {
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

fn power_groups(status: &Status, all: &Postures) -> Finding {
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

fn named(set: u64) -> String {
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

fn capabilities(status: &Status, one: &Posture, all: &Postures) -> Finding {
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

fn bounding(status: &Status) -> Finding {
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

fn no_new_privileges(status: &Status) -> Finding {
    match status.no_new_privileges {
        Some(true) => Agrees(String::from("has no_new_privs set")),
        Some(false) => Against(String::from(
            "can gain powers by executing setuid programs: no_new_privs is not set",
        )),
        None => Blind(String::from("the kernel does not tell no_new_privs")),
    }
}

fn seccomp(status: &Status) -> Finding {
    match status.seccomp {
        Some(0) => Against(String::from("runs without a filter of system calls")),
        Some(1) => Agrees(String::from("runs under strict seccomp")),
        Some(_) => Agrees(String::from("runs under a filter of system calls")),
        None => Blind(String::from("the kernel does not tell the seccomp mode")),
    }
}

fn namespaces(one: &Posture, all: &Postures, policy: &Policy) -> Vec<Finding> {
    let (theirs, ours) = match (&one.namespaces, &all.own.namespaces) {
        (Ok(theirs), Ok(ours)) => (theirs, ours),
        (Err(why), _) | (_, Err(why)) => return vec![Blind(why.clone())],
    };
    policy
        .own_namespaces()
        .map(|wanted| {
            let file = wanted.file();
            match (theirs.get(file), ours.get(file)) {
                (Some(theirs), Some(ours)) if theirs == ours => {
                    Against(format!("shares the {file} namespace of its launcher"))
                }
                (Some(_), Some(_)) => Agrees(format!("has a {file} namespace of its own")),
                _ => Blind(format!("the kernel knows no {file} namespace")),
            }
        })
        .collect()
}

fn install(path: &Path, found: &Read<Option<std::path::PathBuf>>) -> Finding {
    match found {
        Ok(None) => Agrees(format!("cannot write below {}", path.display())),
        Ok(Some(place)) => Against(format!("can write {}", place.display())),
        Err(why) => Blind(why.clone()),
    }
}

/// Pipes, sockets and event descriptors are what a program makes for itself; what it inherits shows
/// in files and directories, and in pipes and sockets that others hold too.
fn descriptors(one: &Posture, all: &Postures) -> Finding {
    let (theirs, ours) = match (&one.descriptors, &all.own.descriptors) {
        (Ok(theirs), Ok(ours)) => (theirs, ours),
        (Err(why), _) | (_, Err(why)) => return Blind(why.clone()),
    };
    let shared: Vec<String> = theirs
        .iter()
        .filter(|(_, link)| ours.values().any(|own| own == *link) && unique(link))
        .map(|(number, link)| format!("{number} -> {link}"))
        .collect();
    if shared.is_empty() {
        Agrees(format!(
            "holds no descriptor of its launcher ({} of its own)",
            theirs.len()
        ))
    } else {
        Against(format!(
            "holds descriptors that it inherited from its launcher: {}",
            shared.join(", ")
        ))
    }
}

/// Whether a link of the same text is the same object.
fn unique(link: &str) -> bool {
    !link.starts_with("anon_inode:") && !link.starts_with("/dev/")
}

fn listeners(one: &Posture) -> Finding {
    match &one.listeners {
        Err(why) => Blind(why.clone()),
        Ok(none) if none.is_empty() => Agrees(String::from("listens on no socket")),
        Ok(some) => {
            let place = |one: &Listener| {
                let reach = match one.at.ip() {
                    ip if ip.is_loopback() => "this machine only",
                    ip if ip.is_unspecified() => "every interface",
                    _ => "one interface",
                };
                format!("{} {} ({reach})", one.protocol, one.at)
            };
            let places: Vec<String> = some.iter().map(place).collect();
            Against(format!("listens on {}", places.join(", ")))
        }
    }
}

fn limits(one: &Posture, wanted: &ProcessLimits) -> Vec<Finding> {
    /// Bytes of an MB.
    const MB: u64 = 1 << 20;
    let soft = match &one.limits {
        Ok(soft) => soft,
        Err(why) => return vec![Blind(why.clone())],
    };
    // RLIMIT_NPROC does not bind root.
    let root = one.status.as_ref().is_ok_and(|status| status.users[0] == 0);
    let rows = [
        (&wanted.open_files, 1, "open files", "Max open files", None),
        (
            &wanted.processes,
            1,
            "processes",
            if root { "" } else { "Max processes" },
            Some("pids.max"),
        ),
        (
            &wanted.memory_mb,
            MB,
            "bytes of memory",
            "Max address space",
            Some("memory.max"),
        ),
        (
            &wanted.file_size_mb,
            MB,
            "bytes of a file",
            "Max file size",
            None,
        ),
        (
            &wanted.cpu_seconds,
            1,
            "seconds of processor time",
            "Max cpu time",
            None,
        ),
    ];
    rows.into_iter()
        .filter_map(|(wanted, unit, what, own, group)| {
            let most = wanted.as_ref()?.value.saturating_mul(unit);
            let own = soft.get(own).copied().flatten();
            let group = group.and_then(|name| one.cgroup.get(name).copied());
            Some(match own.into_iter().chain(group).min() {
                Some(limit) if limit <= most => Agrees(format!("is limited to {limit} {what}")),
                Some(limit) => Against(format!(
                    "is limited to {limit} {what}, where the policy says {most}"
                )),
                None => Against(format!("has no limit of {what}")),
            })
        })
        .collect()
}

/// A process in one sentence, for people.
pub(super) fn portrait(one: &Posture, all: &Postures) -> String {
    let mut words = vec![format!("{} {}", one.part.word(), one.name)];
    match &one.status {
        Ok(status) => {
            words.push(format!("user {}", user_name(status.users[1], all)));
            let effective = status.capabilities.get("CapEff").copied().unwrap_or(0);
            words.push(match effective {
                0 => String::from("no capabilities"),
                set => named(set),
            });
            if status.no_new_privileges == Some(true) {
                words.push(String::from("no_new_privs"));
            }
            if status.seccomp.is_some_and(|mode| mode > 0) {
                words.push(String::from("seccomp"));
            }
        }
        Err(why) => words.push(why.clone()),
    }
    if let (Ok(theirs), Ok(ours)) = (&one.namespaces, &all.own.namespaces) {
        let own: Vec<&str> = theirs
            .iter()
            .filter(|(kind, id)| ours.get(*kind) != Some(id))
            .map(|(kind, _)| kind.as_str())
            .collect();
        if !own.is_empty() {
            words.push(format!("own namespaces {}", own.join(" ")));
        }
    }
    if one.part == Part::Server {
        let root = one.root_read_only.as_ref().ok();
        words.extend(
            root.filter(|only| **only)
                .map(|_| String::from("read-only root")),
        );
    }
    format!("seen from outside: {}", words.join(", "))
}
