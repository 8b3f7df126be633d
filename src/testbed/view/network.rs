//! Whether a process has a network of its own that leads nowhere.
//!
//! Owns the reading of namespaces and routes in `/proc` (proc(5), network_namespaces(7)).

use std::fs;

/// Why nothing can leave the process but by what a sandbox passes on for it: its network is not ours, and has no
/// route off the loopback device. Nothing where that is not so, or cannot be told.
pub(super) fn apart(pid: u32) -> Option<String> {
    let namespace = |who: &str| fs::read_link(format!("/proc/{who}/ns/net")).ok();
    if namespace("self")? == namespace(&pid.to_string())? {
        return None;
    }
    let routes = |table: &str| fs::read_to_string(format!("/proc/{pid}/net/{table}")).ok();
    // The first line of the one is a heading that begins with `Iface`; the other has none.
    let four = routes("route")?;
    let mut four = four
        .lines()
        .skip(1)
        .filter_map(|line| line.split_whitespace().next());
    // There is no such table where IPv6 is off.
    let six = routes("ipv6_route").unwrap_or_default();
    let mut six = six
        .lines()
        .filter_map(|line| line.split_whitespace().last());
    let leads = |device: &str| device != "lo";
    (!four.any(leads) && !six.any(leads)).then(|| {
        format!(
            "process {pid}, which serves, has a network of its own, and no way out of it but what the sandbox passes on"
        )
    })
}
