//! Which process really serves.
//!
//! A command is often wrapped: a launcher starts a shell, that a sandbox, that the server. Owns finding
//! the last of them, by the pipes that were handed down to it; or the process that listens where a URL
//! leads. Knows nothing of what the process may do.

use std::{
    collections::HashMap,
    fs,
    os::fd::AsFd,
    path::{Path, PathBuf},
};

use super::processes::Process;

/// Programs that only pass on what others serve.
const RELAYS: [&str; 6] = [
    "docker-proxy",
    "rootlessport",
    "slirp4netns",
    "pasta",
    "socat",
    "ssh",
];

/// The inodes of pipes, as far as they are known.
pub(super) fn pipes(stdin: &impl AsFd, stdout: &impl AsFd) -> Vec<u64> {
    let inode =
        |descriptor: std::os::fd::BorrowedFd<'_>| Some(rustix::fs::fstat(descriptor).ok()?.st_ino);
    [inode(stdin.as_fd()), inode(stdout.as_fd())]
        .into_iter()
        .flatten()
        .collect()
}

/// The process below the launched one that serves: the deepest that holds one of the pipes; below that, one
/// with mounts of its own, to whom what is said is passed on.
pub(super) fn below(launched: u32, tree: &[Process], pipes: &[u64]) -> Result<u32, String> {
    if tree.is_empty() {
        return if cfg!(target_os = "linux") {
            Err(String::from("it has ended"))
        } else {
            Ok(launched)
        };
    }
    let parents: HashMap<u32, u32> = tree.iter().map(|one| (one.pid, one.parent)).collect();
    let depth = |pid: u32| {
        let up = std::iter::successors(Some(pid), |pid| parents.get(pid).copied());
        // What cannot be a chain is cut.
        up.take(tree.len() + 1).count()
    };
    let deepest =
        |among: &mut dyn Iterator<Item = u32>| among.max_by_key(|pid| (depth(*pid), *pid));
    let all = || tree.iter().map(|one| one.pid);
    let holder = deepest(&mut all().filter(|pid| holds(*pid, pipes)));
    let mounts = |pid: u32| fs::read_link(format!("/proc/{pid}/ns/mnt")).ok();
    let top = holder.unwrap_or(launched);
    let under = |pid: u32| {
        let mut up = std::iter::successors(Some(pid), |pid| parents.get(pid).copied());
        pid != top && up.by_ref().take(tree.len() + 1).any(|pid| pid == top)
    };
    let own = mounts(top);
    let relayed = deepest(&mut all().filter(|pid| {
        let theirs = mounts(*pid);
        theirs.is_some() && theirs != own && under(*pid)
    }));
    Ok(relayed
        .or(holder)
        .or_else(|| deepest(&mut all()))
        .unwrap_or(launched))
}

/// Whether the standard input or output of a process is one of the pipes.
fn holds(pid: u32, pipes: &[u64]) -> bool {
    [0, 1].iter().any(|number| {
        let held = fs::read_link(format!("/proc/{pid}/fd/{number}"));
        held.is_ok_and(|held| {
            pipes
                .iter()
                .any(|pipe| held == Path::new(&format!("pipe:[{pipe}]")))
        })
    })
}

/// The process of this machine that listens where a URL leads.
pub(super) fn listening(url: &str) -> Result<u32, String> {
    let uri: http::Uri = url.parse().map_err(|error| format!("{url}: {error}"))?;
    let host = uri.host().unwrap_or_default().trim_matches(['[', ']']);
    let local = host == "localhost"
        || host
            .parse::<std::net::IpAddr>()
            .is_ok_and(|address| address.is_loopback());
    if !local {
        return Err(format!("{host} may be another machine"));
    }
    let tls = uri.scheme_str() == Some("https");
    let port = uri.port_u16().unwrap_or(if tls { 443 } else { 80 });
    let sockets: Vec<PathBuf> = ["/proc/net/tcp", "/proc/net/tcp6"]
        .iter()
        .filter_map(|table| fs::read_to_string(table).ok())
        .flat_map(|table| listeners(&table, port))
        .map(|inode| PathBuf::from(format!("socket:[{inode}]")))
        .collect();
    let mut holders: Vec<u32> = fs::read_dir("/proc")
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
        .filter(|pid| has(*pid, &sockets))
        .collect();
    holders.sort_unstable();
    match holders.as_slice() {
        [] => Err(format!(
            "no process that we may look at listens at port {port}"
        )),
        [one, ..] if relays(*one) => Err(format!("at port {port} listens only what passes it on")),
        [one, ..] => Ok(*one),
    }
}

/// Inodes of the sockets that listen at a port, of the table in proc_pid_net(5), `tcp`.
fn listeners(table: &str, port: u16) -> Vec<String> {
    /// `TCP_LISTEN`.
    const LISTENS: &str = "0A";
    let of = |line: &str| {
        let fields: Vec<&str> = line.split_ascii_whitespace().collect();
        let (_, at) = fields.get(1)?.rsplit_once(':')?;
        let fits = u16::from_str_radix(at, 16) == Ok(port) && fields.get(3) == Some(&LISTENS);
        fits.then(|| fields.get(9).map(|inode| (*inode).to_owned()))?
    };
    table.lines().filter_map(of).collect()
}

fn has(pid: u32, sockets: &[PathBuf]) -> bool {
    fs::read_dir(format!("/proc/{pid}/fd"))
        .into_iter()
        .flatten()
        .flatten()
        .any(|entry| fs::read_link(entry.path()).is_ok_and(|held| sockets.contains(&held)))
}

fn relays(pid: u32) -> bool {
    let program = fs::read_link(format!("/proc/{pid}/exe")).unwrap_or_default();
    program
        .file_name()
        .is_some_and(|name| RELAYS.iter().any(|relay| name == *relay))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn listeners_are_read_from_the_table() {
        let table = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n\
            0: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 4711 1\n\
            1: 0100007F:1F90 0100007F:C350 01 00000000:00000000 00:00000000 00000000     0        0 4712 1\n\
            2: 0100007F:1F91 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 4713 1\n";
        assert_eq!(listeners(table, 8080), ["4711"]);
    }

    #[test]
    fn our_own_listener_is_found() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port is free");
        let port = listener.local_addr().expect("it is bound").port();
        let found = listening(&format!("http://127.0.0.1:{port}/mcp"));
        assert_eq!(found, Ok(std::process::id()));
        assert!(listening("http://192.0.2.1/mcp").is_err());
    }
}
