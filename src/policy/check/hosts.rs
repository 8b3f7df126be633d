//! Checks of addresses, CIDR ranges and host names.

use std::{collections::BTreeMap, net::IpAddr};

use ipnet::IpNet;

use crate::{
    diag::{At, Diagnostic},
    policy::{check::Checker, document::Network},
};

impl Checker<'_> {
    pub(super) fn network(&mut self, network: &Network) {
        let allowed = network.allowed_hosts.as_deref().unwrap_or_default();
        for at in allowed.iter().chain(&network.denied_hosts) {
            self.host(at);
        }
        self.twice(allowed, same_host);
        self.twice(&network.denied_hosts, same_host);
        self.contradictions(allowed, &network.denied_hosts, same_host);
        if let Some(ports) = &network.allowed_ports {
            self.ports(ports);
        }
        if let Some(at) = &network.dns_override
            && at.value.parse::<IpAddr>().is_err()
        {
            self.error(
                at,
                "policy::address",
                format!("`{}` is no IP address", at.value),
                "must be one address",
                "write the address of the resolver, such as 10.0.1.10",
            );
        }
    }

    fn ports(&mut self, ports: &At<Vec<At<u32>>>) {
        if ports.value.is_empty() {
            self.error(
                ports,
                "policy::empty",
                String::from("`allowed_ports` must not be empty"),
                "no port at all may be reached",
                "list ports, such as 443, or write `allowed_hosts = []` to deny every host",
            );
        }
        let mut seen = BTreeMap::new();
        for at in &ports.value {
            if !(1..=65535).contains(&at.value) {
                self.error(
                    at,
                    "policy::port",
                    format!("{} is no port", at.value),
                    "ports are 1 to 65535",
                    "write the number of a TCP or UDP port, such as 443",
                );
            }
            if let Some(first) = seen.insert(at.value, at) {
                self.found.push(
                    Diagnostic::warning("policy::twice", format!("{} is listed twice", at.value))
                        .within(self.source)
                        .label(at.span.clone(), "again here")
                        .label(first.span.clone(), "first here"),
                );
            }
        }
    }

    fn host(&mut self, at: &At<String>) {
        if !self.not_empty(at, "a host") {
            return;
        }
        let text = &at.value;
        let numeric =
            text.contains([':', '/']) || text.chars().all(|c| c.is_ascii_digit() || c == '.');
        if numeric {
            if text.parse::<IpAddr>().is_ok() {
                return;
            }
            match text.parse::<IpNet>() {
                Ok(range) if range.addr() == range.network() => {}
                Ok(range) => self.found.push(
                    Diagnostic::warning(
                        "policy::host-bits",
                        format!("`{text}` means the range {}", range.trunc()),
                    )
                    .within(self.source)
                    .label(at.span.clone(), "an address inside of a range")
                    .help(format!(
                        "write `{}`, or `{}` for the one address",
                        range.trunc(),
                        range.addr()
                    )),
                ),
                Err(_) => self.error(
                    at,
                    "policy::cidr",
                    format!("`{text}` is no address and no CIDR range"),
                    "cannot be read",
                    "write 10.0.0.0/8, 2001:db8::/32, 10.0.1.50 or a host name; no scheme, and ports in `allowed_ports`",
                ),
            }
            return;
        }
        let name = text.strip_prefix("*.").unwrap_or(text);
        let label = |label: &str| {
            !label.is_empty()
                && label.len() <= 63
                && label
                    .chars()
                    .all(|c| c.is_alphanumeric() || c == '-' || c == '_')
        };
        if !name.trim_end_matches('.').split('.').all(label) {
            self.error(
                at,
                "policy::host",
                format!("`{text}` is no host name"),
                "cannot be read",
                "write example.org, or *.example.org for all names below it",
            );
        }
    }
}

/// Two hosts are the same when they name the same addresses.
fn same_host(text: &str) -> String {
    if let Ok(address) = text.parse::<IpAddr>() {
        return IpNet::from(address).to_string();
    }
    match text.parse::<IpNet>() {
        Ok(range) => range.trunc().to_string(),
        Err(_) => text.trim_end_matches('.').to_lowercase(),
    }
}
