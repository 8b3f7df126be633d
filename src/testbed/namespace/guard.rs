//! Proves that nothing leaves the bottle, before anything is sent to any address.
//!
//! Owns three of the four facts that must hold: a network namespace of our own, nothing but `lo`
//! in it, no route out of it. That an arbitrary address is answered by us is proven by whoever
//! answers. Fails closed: what cannot be read counts as open.

use std::fs;

use super::gate::inode;

/// Checks that this process is in another network namespace than `outer`, which has no device but
/// `lo` and no default route by another one.
///
/// # Errors
/// What is open, in words.
pub fn guard(outer: u64) -> Result<(), String> {
    let own = inode("/proc/self/ns/net").map_err(|error| format!("/proc/self/ns/net: {error}"))?;
    if own == outer {
        return Err(String::from("it is the one of the machine"));
    }
    let read = |path: &str| fs::read_to_string(path).map_err(|error| format!("{path}: {error}"));
    let devices = devices(&read("/proc/net/dev")?);
    if devices.iter().any(|device| device != "lo") {
        return Err(format!("it has the devices {}", devices.join(", ")));
    }
    let mut routes = route(&read("/proc/net/route")?, 0, 1, |field| field == "00000000");
    // Without IPv6 there is no such file, and nothing to leave by.
    if let Ok(table) = fs::read_to_string("/proc/net/ipv6_route") {
        routes.extend(route(&table, 9, 1, |field| field == "00"));
    }
    match routes.iter().find(|device| *device != "lo") {
        None => Ok(()),
        Some(device) => Err(format!("it has a default route by {device}")),
    }
}

/// Names in the table of proc_pid_net(5), `dev`: two lines of heading, then `name: figures`.
fn devices(table: &str) -> Vec<String> {
    table
        .lines()
        .skip(2)
        .filter_map(|line| Some(line.split_once(':')?.0.trim().to_owned()))
        .collect()
}

/// Devices of the routes whose field at `field` says that they lead everywhere.
fn route(table: &str, device: usize, field: usize, everywhere: fn(&str) -> bool) -> Vec<String> {
    table
        .lines()
        .filter_map(|line| {
            let fields: Vec<&str> = line.split_ascii_whitespace().collect();
            everywhere(fields.get(field)?).then(|| fields.get(device).map(|name| (*name).into()))?
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn devices_and_default_routes_are_read() {
        let dev = "Inter-|   Receive\n face |bytes\n    lo: 0 0\n  eth0:12 0\n";
        assert_eq!(devices(dev), ["lo", "eth0"]);
        let four = "Iface\tDestination\tGateway\neth0\t00000000\t0100A8C0\neth0\t0000A8C0\t0\n";
        assert_eq!(route(four, 0, 1, |field| field == "00000000"), ["eth0"]);
        let six = format!(
            "{0} 00 {0} 00 {0} ffffffff 1 0 00200200 wlan0\n",
            "0".repeat(32)
        );
        assert_eq!(route(&six, 9, 1, |field| field == "00"), ["wlan0"]);
    }

    #[test]
    fn the_namespace_of_the_machine_is_refused() {
        let own = inode("/proc/self/ns/net").expect("there is /proc");
        assert!(guard(own).is_err_and(|why| why.contains("of the machine")));
    }
}
