//! The files of `/proc/PID`, one function each.
//!
//! Owns their formats (proc_pid_status(5) and its neighbours). Knows nothing of trees.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs, io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    path::{Path, PathBuf},
};

use super::{Account, Accounts, Listener, Read, Status, kin::Work};

/// Where a file of a process is.
pub(super) fn place(pid: u32, file: &str) -> PathBuf {
    PathBuf::from(format!("/proc/{pid}/{file}"))
}

pub(super) fn told(pid: u32, file: &str, error: &io::Error) -> String {
    format!("/proc/{pid}/{file} cannot be read: {error}")
}

pub(super) fn text(pid: u32, file: &str) -> Read<String> {
    fs::read(place(pid, file))
        .map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
        .map_err(|error| told(pid, file, &error))
}

pub(super) fn status(pid: u32) -> Read<Status> {
    let text = text(pid, "status")?;
    let fields: BTreeMap<&str, &str> = text
        .lines()
        .filter_map(|line| line.split_once(':'))
        .map(|(name, value)| (name, value.trim()))
        .collect();
    let missing = |name: &str| format!("/proc/{pid}/status tells no `{name}`");
    let four = |name: &str| -> Read<[u32; 4]> {
        let numbers: Vec<u32> = fields
            .get(name)
            .into_iter()
            .flat_map(|value| value.split_whitespace())
            .filter_map(|number| number.parse().ok())
            .collect();
        numbers.try_into().map_err(|_| missing(name))
    };
    let number = |name: &str| fields.get(name).and_then(|value| value.parse::<u32>().ok());
    Ok(Status {
        users: four("Uid")?,
        groups: four("Gid")?,
        more_groups: fields
            .get("Groups")
            .into_iter()
            .flat_map(|value| value.split_whitespace())
            .filter_map(|number| number.parse().ok())
            .collect(),
        capabilities: ["CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"]
            .into_iter()
            .filter_map(|name| {
                let set = u64::from_str_radix(fields.get(name)?, 16).ok()?;
                Some((name.to_owned(), set))
            })
            .collect(),
        no_new_privileges: number("NoNewPrivs").map(|set| set == 1),
        seccomp: number("Seccomp"),
        filters: number("Seccomp_filters"),
    })
}

/// What all threads of a process did so far: nanoseconds on a processor, and how often they were
/// given one. Anybody may read that of any process.
pub(super) fn work(pid: u32) -> Work {
    let Ok(threads) = fs::read_dir(place(pid, "task")) else {
        return Work::default();
    };
    let of = |path: PathBuf| -> Option<Work> {
        let text = fs::read_to_string(path.join("schedstat")).ok()?;
        let mut fields = text.split_whitespace().map(str::parse);
        Some(Work {
            nanoseconds: fields.next()?.ok()?,
            turns: fields.nth(1)?.ok()?,
        })
    };
    threads
        .flatten()
        .filter_map(|thread| of(thread.path()))
        .fold(Work::default(), |sum, one| Work {
            nanoseconds: sum.nanoseconds + one.nanoseconds,
            turns: sum.turns + one.turns,
        })
}

pub(super) fn label(pid: u32) -> Read<Option<String>> {
    let bytes = match fs::read(place(pid, "attr/current")) {
        Ok(bytes) => bytes,
        // Without any security module the file is there and cannot be read.
        Err(error) if error.kind() == io::ErrorKind::InvalidInput => {
            return status(pid).map(|_| None);
        }
        Err(error) => return Err(told(pid, "attr/current", &error)),
    };
    let text = String::from_utf8_lossy(&bytes)
        .trim_end_matches(['\0', '\n'])
        .to_owned();
    let nothing = ["", "unconfined", "kernel"].contains(&&*text);
    Ok((!nothing).then_some(text))
}

pub(super) fn namespaces(pid: u32) -> Read<BTreeMap<String, String>> {
    let read = fs::read_dir(place(pid, "ns")).map_err(|error| told(pid, "ns", &error))?;
    let mut found = BTreeMap::new();
    for entry in read.flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        // What children will get, is theirs.
        if name.ends_with("_for_children") {
            continue;
        }
        let link = fs::read_link(entry.path()).map_err(|error| told(pid, "ns", &error))?;
        found.insert(name, link.to_string_lossy().into_owned());
    }
    Ok(found)
}

pub(super) fn root_read_only(pid: u32) -> Read<bool> {
    let text = text(pid, "mountinfo")?;
    // The last one mounted at a place hides those below it.
    let options = text
        .lines()
        .filter_map(|line| {
            let mut fields = line.split(' ');
            let of_mount = (fields.nth(4)? == "/").then(|| fields.next())??;
            // Options of the file system itself come last.
            Some((of_mount, fields.next_back().unwrap_or_default()))
        })
        .next_back()
        .ok_or_else(|| format!("/proc/{pid}/mountinfo tells no root"))?;
    let read_only = |options: &str| options.split(',').any(|option| option == "ro");
    Ok(read_only(options.0) || read_only(options.1))
}

pub(super) fn descriptors(pid: u32) -> Read<BTreeMap<u32, String>> {
    let read = fs::read_dir(place(pid, "fd")).map_err(|error| told(pid, "fd", &error))?;
    Ok(read
        .flatten()
        .filter_map(|entry| {
            let number = entry.file_name().to_str()?.parse().ok()?;
            let link = fs::read_link(entry.path()).ok()?;
            Some((number, link.to_string_lossy().into_owned()))
        })
        .collect())
}

/// Sockets that wait, of those that the descriptors lead to.
pub(super) fn listeners(pid: u32, descriptors: &BTreeMap<u32, String>) -> Read<Vec<Listener>> {
    let own: BTreeSet<&str> = descriptors
        .values()
        .filter_map(|link| link.strip_prefix("socket:[")?.strip_suffix(']'))
        .collect();
    let mut found = Vec::new();
    if own.is_empty() {
        return Ok(found);
    }
    // State 0A waits for connections; 07 is a datagram socket that anybody may send to.
    for (file, protocol, waiting) in [
        ("net/tcp", "tcp", "0A"),
        ("net/tcp6", "tcp", "0A"),
        ("net/udp", "udp", "07"),
        ("net/udp6", "udp", "07"),
    ] {
        let table = match text(pid, file) {
            Ok(table) => table,
            // A kernel without IPv6 has no such table.
            Err(_) if file.ends_with('6') => continue,
            Err(why) => return Err(why),
        };
        for line in table.lines().skip(1) {
            let fields: Vec<&str> = line.split_whitespace().collect();
            let (Some(local), Some(state), Some(inode)) =
                (fields.get(1), fields.get(3), fields.get(9))
            else {
                continue;
            };
            if *state != waiting || !own.contains(inode) {
                continue;
            }
            if let Some(at) = socket_address(local) {
                found.push(Listener {
                    protocol: protocol.to_owned(),
                    at,
                });
            }
        }
    }
    Ok(found)
}

/// `0100007F:1F90`: words of the address in the byte order of the machine.
fn socket_address(text: &str) -> Option<SocketAddr> {
    let (address, port) = text.split_once(':')?;
    let port = u16::from_str_radix(port, 16).ok()?;
    let words: Vec<[u8; 4]> = (0..address.len() / 8)
        .map(|word| {
            let word = address.get(word * 8..word * 8 + 8)?;
            Some(u32::from_str_radix(word, 16).ok()?.to_ne_bytes())
        })
        .collect::<Option<_>>()?;
    let bytes: Vec<u8> = words.into_iter().flatten().collect();
    let address = match bytes.len() {
        4 => IpAddr::from(Ipv4Addr::from(<[u8; 4]>::try_from(bytes).ok()?)),
        16 => IpAddr::from(Ipv6Addr::from(<[u8; 16]>::try_from(bytes).ok()?)),
        _ => return None,
    };
    Some(SocketAddr::new(address, port))
}

pub(super) fn limits(pid: u32) -> Read<BTreeMap<String, Option<u64>>> {
    let text = text(pid, "limits")?;
    Ok(text
        .lines()
        .skip(1)
        .filter_map(|line| {
            // Name, soft, hard, unit; the name holds single blanks.
            let (name, rest) = line.split_once("  ")?;
            let soft = rest.split_whitespace().next()?;
            Some((name.trim().to_owned(), soft.parse().ok()))
        })
        .collect())
}

/// Limits of the cgroup, in either version; a file that is not there limits nothing.
pub(super) fn cgroup(pid: u32) -> BTreeMap<String, u64> {
    let mut found = BTreeMap::new();
    let Ok(text) = text(pid, "cgroup") else {
        return found;
    };
    for line in text.lines() {
        let mut fields = line.splitn(3, ':');
        let (Some(_), Some(controllers), Some(path)) =
            (fields.next(), fields.next(), fields.next())
        else {
            continue;
        };
        let mount = match controllers {
            "" => PathBuf::from("/sys/fs/cgroup"),
            name => Path::new("/sys/fs/cgroup").join(name),
        };
        for (file, name) in [
            ("pids.max", "pids.max"),
            ("memory.max", "memory.max"),
            ("memory.limit_in_bytes", "memory.max"),
        ] {
            // Any cgroup above limits too.
            for above in Path::new(path.trim_start_matches('/')).ancestors() {
                let Ok(text) = fs::read_to_string(mount.join(above).join(file)) else {
                    continue;
                };
                // Version 1 writes no limit as a number beyond every memory.
                let limit = text.trim().parse().ok().filter(|limit| *limit < 1 << 60);
                if let Some(limit) = limit {
                    let least = found.entry(name.to_owned()).or_insert(limit);
                    *least = limit.min(*least);
                }
            }
        }
    }
    found
}

/// The users and groups of this machine.
pub(super) fn accounts() -> Accounts {
    let lines = |file: &str| fs::read_to_string(file).unwrap_or_default();
    let users = lines("/etc/passwd")
        .lines()
        .filter_map(|line| {
            let fields: Vec<&str> = line.split(':').collect();
            let account = Account {
                name: (*fields.first()?).to_owned(),
                shell: (*fields.get(6)?).to_owned(),
            };
            Some((fields.get(2)?.parse().ok()?, account))
        })
        .collect();
    let groups = lines("/etc/group")
        .lines()
        .filter_map(|line| {
            let fields: Vec<&str> = line.split(':').collect();
            Some((fields.get(2)?.parse().ok()?, (*fields.first()?).to_owned()))
        })
        .collect();
    Accounts { users, groups }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read_as_the_kernel_writes_them() {
        let of = |text| socket_address(text).map(|at| at.to_string());
        if cfg!(target_endian = "little") {
            assert_eq!(of("0100007F:1F90").as_deref(), Some("127.0.0.1:8080"));
            assert_eq!(
                of("00000000000000000000000001000000:0050").as_deref(),
                Some("[::1]:80")
            );
        }
        assert_eq!(of("00000000:0016").as_deref(), Some("0.0.0.0:22"));
        assert_eq!(of("nonsense"), None);
    }

    #[test]
    fn this_process_is_read_as_it_is() {
        let pid = std::process::id();
        let status = status(pid).expect("it is our own");
        assert_eq!(status.users[1], rustix::process::geteuid().as_raw());
        assert_eq!(status.groups[1], rustix::process::getegid().as_raw());
        let limits = limits(pid).expect("it is our own");
        assert!(limits.contains_key("Max open files"), "{limits:?}");
        assert!(namespaces(pid).expect("it is our own").contains_key("mnt"));
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
        let at = listener.local_addr().expect("it has one");
        let open = descriptors(pid).expect("it is our own");
        let found = listeners(pid, &open).expect("it is our own");
        assert!(found.iter().any(|one| one.at == at), "{found:?}");
    }
}
