//! What a policy makes of processes.
//!
//! Owns the comparison, aspect by aspect: a pure function of what was seen. Every process that may
//! do what a tool call asks for is judged and named; what stands around the server is only named.

use std::{fmt::Write as _, path::Path};

use super::{
    Seen,
    powers::{self, named, user_name},
    secrets, world,
};
use crate::{
    policy::{Policy, ProcessLimits},
    probe::Aspect,
    witness::process::{DoorKind, Listener, Part, Posture, Postures, Read, Status},
};

/// What one process is in the eyes of the policy.
pub(super) enum Finding {
    Against(String),
    Agrees(String),
    Blind(String),
    Moot(String),
}

use Finding::{Against, Agrees, Blind, Moot};

/// Looks at one aspect.
pub(super) fn look(aspect: Aspect, postures: &Postures, policy: &Policy) -> Seen {
    match aspect {
        Aspect::InputEnd => {
            return ending(
                postures,
                postures.endings.input.as_ref(),
                "15 s after its input had ended",
            );
        }
        Aspect::Terminate => {
            return ending(
                postures,
                postures.endings.terminate.as_ref(),
                "15 s after SIGTERM to the launched command",
            );
        }
        _ => {}
    }
    let control = match (&postures.serving, &postures.checked) {
        (Ok(how), Ok(checked)) => Ok(format!("{}; {checked}", found(postures, how))),
        (Err(why), _) | (_, Err(why)) => Err(why.clone()),
    };
    let control = control.and_then(|control| match rehearsed(aspect, postures) {
        Some(found) => Ok(format!("{control}; {}", found.clone()?)),
        None => Ok(control),
    });
    let mut seen = Seen::under(control);
    // What stands on a command line is seen by others, whoever's it is.
    let all = aspect == Aspect::CommandLines;
    for one in postures
        .processes
        .iter()
        .filter(|one| all || one.part.judged())
    {
        let who = format!("{} (pid {}, {})", one.name, one.pid, one.part.word());
        for finding in of(aspect, one, postures, policy) {
            match finding {
                Against(what) => seen.against.push(format!("{who} {what}")),
                Agrees(what) => seen.agreeing.push(format!("{who} {what}")),
                Blind(why) => seen.blind.push(format!("{who}: {why}")),
                Moot(what) => seen.moot.push(format!("{who} {what}")),
            }
        }
    }
    seen
}

/// What shows that the look would have found something, of what has to be looked for.
fn rehearsed(aspect: Aspect, postures: &Postures) -> Option<&Read<String>> {
    match aspect {
        Aspect::SetUserId => Some(&postures.gain_found),
        door if door.of_doors() => Some(&postures.doors_found),
        _ => None,
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
                .map(|who| format!("{who} still lived {when}"))
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
        Aspect::RootUser => status(&|status| vec![powers::root_user(status)]),
        Aspect::RootGroup => status(&|status| vec![powers::root_group(status)]),
        Aspect::NamedUser => status(&|status| vec![powers::named_user(status, all, policy)]),
        Aspect::OwnUser => status(&|status| vec![powers::own_user(status, all)]),
        Aspect::LoginShell => status(&|status| vec![powers::login_shell(status, all)]),
        Aspect::PowerGroups => status(&|status| vec![powers::power_groups(status, all)]),
        Aspect::Capabilities => status(&|status| vec![powers::capabilities(status, one, all)]),
        Aspect::BoundingSet => status(&|status| vec![powers::bounding(status)]),
        Aspect::NoNewPrivileges => status(&|status| vec![powers::no_new_privileges(status)]),
        Aspect::Seccomp => status(&|status| vec![powers::seccomp(status)]),
        Aspect::SecurityModule => vec![match &one.label {
            Ok(Some(label)) => Agrees(format!("is confined as `{label}`")),
            Ok(None) => Against(String::from("is confined by no security module")),
            Err(why) => Blind(why.clone()),
        }],
        Aspect::Namespaces => namespaces(one, all, policy),
        Aspect::EngineSockets => world::doors(DoorKind::Engine, one, all, policy),
        Aspect::KernelFiles => world::doors(DoorKind::Kernel, one, all, policy),
        Aspect::Disks => world::doors(DoorKind::Disk, one, all, policy),
        Aspect::HostRoot => world::doors(DoorKind::Root, one, all, policy),
        Aspect::CredentialMounts => world::doors(DoorKind::Credentials, one, all, policy),
        Aspect::SetUserId => vec![world::gain(one, all)],
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
        Aspect::InheritedVariables => vec![secrets::inherited(one, all)],
        Aspect::SecretVariables => vec![secrets::others(one, all, policy)],
        Aspect::CommandLines => vec![secrets::command_line(one)],
        // How they end was told above.
        Aspect::InputEnd | Aspect::Terminate => Vec::new(),
        // Not seen in processes.
        Aspect::LaunchSecrets
        | Aspect::LaunchDoors
        | Aspect::PolicySecrets
        | Aspect::PolicyDoors => Vec::new(),
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
