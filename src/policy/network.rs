//! The rules of a policy on hosts, and the decision on an address.
//!
//! Owns precedence: the longest prefix wins, a denial wins a tie, an allow-list denies the rest. An
//! IPv6 address that carries an IPv4 address is denied when either is.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::IpNet;

use super::document;
use crate::diag::At;

/// The special-purpose ranges that no server needs unless its policy says so: what a policy without
/// a network section denies. RFC 6890 with its registry as of 2024, multicast, the deprecated
/// site-local range (RFC 3879), and the forms of IPv6 that stand for IPv4 (RFC 6052, 8215, 3056, 4380).
pub const SPECIAL: &[&str] = &[
    "0.0.0.0/8",
    "10.0.0.0/8",
    "100.64.0.0/10",
    "127.0.0.0/8",
    "169.254.0.0/16",
    "172.16.0.0/12",
    "192.0.0.0/24",
    "192.0.2.0/24",
    "192.168.0.0/16",
    "198.18.0.0/15",
    "198.51.100.0/24",
    "203.0.113.0/24",
    "224.0.0.0/4",
    "240.0.0.0/4",
    "::/127",
    "64:ff9b:1::/48",
    "100::/64",
    "2001::/32",
    "2001:db8::/32",
    "fc00::/7",
    "fe80::/10",
    "fec0::/10",
    "ff00::/8",
];

/// A host name of a policy: `example.org`, or `*.example.org` for all names below it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NameRule {
    /// Lower case, without a final dot and without `*.`.
    pub name: String,
    /// Whether names below it are meant, and not the name itself.
    pub below: bool,
}

impl NameRule {
    fn read(text: &str) -> Self {
        let text = text.trim_end_matches('.').to_lowercase();
        match text.strip_prefix("*.") {
            Some(name) => Self {
                name: name.to_owned(),
                below: true,
            },
            None => Self {
                name: text,
                below: false,
            },
        }
    }

    /// Whether the rule is about this name.
    #[must_use]
    pub fn covers(&self, name: &str) -> bool {
        let name = name.trim_end_matches('.').to_lowercase();
        if self.below {
            name.strip_suffix(&self.name)
                .is_some_and(|rest| rest.len() > 1 && rest.ends_with('.'))
        } else {
            name == self.name
        }
    }

    /// How closely the rule names this name, if it does: a whole name most closely of all.
    fn fit(&self, name: &str) -> Option<usize> {
        let close = if self.below {
            self.name.len()
        } else {
            usize::MAX
        };
        self.covers(name).then_some(close)
    }
}

/// Which hosts may be reached.
#[derive(Debug, Clone)]
pub struct Network {
    /// What may be reached; all that is not denied where there is no list.
    pub allowed: Option<Vec<IpNet>>,
    /// Names that may be reached.
    pub allowed_names: Vec<NameRule>,
    /// What may not be reached.
    pub denied: Vec<IpNet>,
    /// Names that may not be reached.
    pub denied_names: Vec<NameRule>,
    /// The ports that may be reached; all where there is no list.
    pub ports: Option<Vec<u16>>,
    /// The only resolver that may be asked.
    pub resolver: Option<IpAddr>,
    /// Whether the policy itself says so, and it is not what anybody would expect.
    pub claimed: bool,
}

impl Network {
    /// What a policy without a network section says: public addresses only.
    pub(super) fn expected() -> Self {
        Self {
            allowed: None,
            allowed_names: Vec::new(),
            denied: SPECIAL
                .iter()
                .filter_map(|text| text.parse().ok())
                .collect(),
            denied_names: Vec::new(),
            ports: None,
            resolver: None,
            claimed: false,
        }
    }

    /// Reads a section without mistakes; what cannot be read was told by the checks.
    pub(super) fn read(section: &document::Network) -> Self {
        let (mut denied, mut denied_names) = (Vec::new(), Vec::new());
        for at in &section.denied_hosts {
            sort(&at.value, &mut denied, &mut denied_names);
        }
        let mut allowed_names = Vec::new();
        let allowed = section.allowed_hosts.as_ref().map(|list| {
            let mut ranges = Vec::new();
            for at in list {
                sort(&at.value, &mut ranges, &mut allowed_names);
            }
            ranges
        });
        Self {
            allowed,
            allowed_names,
            denied,
            denied_names,
            ports: section.allowed_ports.as_ref().map(|list| {
                let ports = list.value.iter();
                ports.filter_map(|at| at.value.try_into().ok()).collect()
            }),
            resolver: section
                .dns_override
                .as_ref()
                .and_then(|at| at.value.parse().ok()),
            claimed: true,
        }
    }

    /// Whether the address may be reached, whatever it is called.
    #[must_use]
    pub fn permits(&self, address: IpAddr) -> bool {
        let carried = carried(address);
        let plain = match address.to_canonical() {
            IpAddr::V6(_) if carried.is_some() && self.allowed.is_none() => true,
            plain => self.ranges_permit(plain),
        };
        plain && carried.is_none_or(|carried| self.ranges_permit(IpAddr::V4(carried)))
    }

    /// What the rules on names say of this one, whatever its addresses: the closest decides, a denial wins a tie.
    /// Nothing where no rule is about it.
    #[must_use]
    pub fn permits_name(&self, name: &str) -> Option<bool> {
        let closest = |rules: &[NameRule]| rules.iter().filter_map(|rule| rule.fit(name)).max();
        match (closest(&self.allowed_names), closest(&self.denied_names)) {
            (None, None) => None,
            (allowed, denied) => Some(allowed > denied),
        }
    }

    /// Whether the port of a permitted host may be reached.
    #[must_use]
    pub fn opens(&self, port: u16) -> bool {
        self.ports
            .as_ref()
            .is_none_or(|ports| ports.contains(&port))
    }

    fn ranges_permit(&self, address: IpAddr) -> bool {
        let longest = |ranges: &[IpNet]| {
            ranges
                .iter()
                .filter(|range| range.contains(&address))
                .map(IpNet::prefix_len)
                .max()
        };
        let allowed = self.allowed.as_deref().and_then(longest);
        match (allowed, longest(&self.denied)) {
            (Some(allowed), Some(denied)) => allowed > denied,
            (Some(_), None) => true,
            (None, Some(_)) => false,
            (None, None) => self.allowed.is_none(),
        }
    }
}

/// The first host of a list that is a name.
pub(super) fn first_name(list: &[At<String>]) -> Option<&At<String>> {
    list.iter().find(|at| {
        let (mut ranges, mut names) = (Vec::new(), Vec::new());
        sort(&at.value, &mut ranges, &mut names);
        !names.is_empty()
    })
}

fn sort(text: &str, ranges: &mut Vec<IpNet>, names: &mut Vec<NameRule>) {
    if let Ok(address) = text.parse::<IpAddr>() {
        ranges.push(address.into());
    } else if let Ok(range) = text.parse::<IpNet>() {
        ranges.push(range.trunc());
    } else {
        names.push(NameRule::read(text));
    }
}

/// The IPv4 address for which a form of IPv6 stands: translated (RFC 6052, 8215, 7915), 6to4
/// (RFC 3056), Teredo's client (RFC 4380), or the deprecated compatible form (RFC 4291 §2.5.5.1).
/// Mapped addresses (`::ffff:0:0/96`) are IPv4 to the system, and so is not asked for here.
#[must_use]
pub fn carried(address: IpAddr) -> Option<Ipv4Addr> {
    let IpAddr::V6(address) = address.to_canonical() else {
        return None;
    };
    let parts = address.segments();
    let join = |high: u16, low: u16| Ipv4Addr::from(u32::from(high) << 16 | u32::from(low));
    match parts {
        [0x64, 0xff9b, 0, 0, 0, 0, high, low]
        | [0x64, 0xff9b, 1, _, _, _, high, low]
        | [0, 0, 0, 0, 0xffff, 0, high, low] => Some(join(high, low)),
        [0x2002, high, low, ..] => Some(join(high, low)),
        [0x2001, 0, .., high, low] => Some(join(!high, !low)),
        [0, 0, 0, 0, 0, 0, high, low] if high != 0 => Some(join(high, low)),
        _ => None,
    }
}

/// The IPv6 address `::ffff:a.b.c.d` and its like, by their prefix.
#[must_use]
pub fn carrying(prefix: [u16; 6], address: Ipv4Addr) -> Ipv6Addr {
    let [a, b, c, d] = address.octets();
    let [p0, p1, p2, p3, p4, p5] = prefix;
    Ipv6Addr::new(
        p0,
        p1,
        p2,
        p3,
        p4,
        p5,
        u16::from_be_bytes([a, b]),
        u16::from_be_bytes([c, d]),
    )
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]
mod tests {
    use super::*;

    fn network(allowed: Option<&[&str]>, denied: &[&str]) -> Network {
        let (mut ranges, mut names) = (Vec::new(), Vec::new());
        for text in denied {
            sort(text, &mut ranges, &mut names);
        }
        let mut allowed_names = Vec::new();
        Network {
            allowed: allowed.map(|list| {
                let mut ranges = Vec::new();
                for text in list {
                    sort(text, &mut ranges, &mut allowed_names);
                }
                ranges
            }),
            allowed_names,
            denied: ranges,
            denied_names: names,
            ports: None,
            resolver: None,
            claimed: true,
        }
    }

    #[test]
    fn the_longest_prefix_wins_and_a_denial_wins_a_tie() {
        let policy = network(
            Some(&["10.0.1.50/32", "192.0.2.0/24"]),
            &["10.0.0.0/8", "192.0.2.0/24"],
        );
        for (address, permitted) in [
            ("10.0.1.50", true),
            ("10.0.1.49", false),
            ("10.0.1.51", false),
            ("10.255.255.255", false),
            ("192.0.2.1", false),
            ("8.8.8.8", false),
            ("::ffff:10.0.1.50", true),
            ("::ffff:10.0.1.51", false),
            ("64:ff9b::a00:5", false),
            ("2001:4860::1", false),
        ] {
            assert_eq!(
                policy.permits(address.parse().unwrap()),
                permitted,
                "{address}"
            );
        }
    }

    #[test]
    fn what_is_expected_of_anybody_denies_special_ranges_in_every_guise() {
        let policy = Network::expected();
        assert_eq!(
            policy.denied.len(),
            SPECIAL.len(),
            "every range can be read"
        );
        for (address, permitted) in [
            ("93.184.216.34", true),
            ("172.15.255.255", true),
            ("172.16.0.0", false),
            ("172.31.255.255", false),
            ("172.32.0.0", true),
            ("11.0.0.0", true),
            ("127.9.9.9", false),
            ("169.254.169.254", false),
            ("100.100.100.200", false),
            ("::1", false),
            ("::", false),
            ("::10.0.0.5", false),
            ("::ffff:127.0.0.1", false),
            ("64:ff9b::a00:5", false),
            ("64:ff9b::5db8:d822", true),
            ("2002:a00:5::1", false),
            ("2002:5db8:d822::1", true),
            ("fd00:ec2::254", false),
            ("fec0::5", false),
            ("2606:2800::1", true),
        ] {
            assert_eq!(
                policy.permits(address.parse().unwrap()),
                permitted,
                "{address}"
            );
        }
    }

    #[test]
    fn names_are_compared_whole() {
        let exact = NameRule::read("Example.org.");
        assert!(exact.covers("example.ORG") && exact.covers("example.org."));
        assert!(!exact.covers("a.example.org") && !exact.covers("notexample.org"));
        let below = NameRule::read("*.example.org");
        assert!(below.covers("a.example.org") && below.covers("a.b.example.org"));
        assert!(
            !below.covers("example.org")
                && !below.covers("notexample.org")
                && !below.covers(".example.org")
        );
    }

    #[test]
    fn the_closest_rule_on_a_name_decides() {
        let policy = network(
            Some(&["*.example.org", "a.deep.example.org", "both.example.net"]),
            &["a.example.org", "*.deep.example.org", "both.example.net"],
        );
        for (name, permitted) in [
            ("www.example.org", Some(true)),
            ("A.example.org.", Some(false)),
            ("b.deep.example.org", Some(false)),
            ("a.deep.example.org", Some(true)),
            ("both.example.net", Some(false)),
            ("example.org", None),
        ] {
            assert_eq!(policy.permits_name(name), permitted, "{name}");
        }
    }

    #[test]
    fn carried_addresses_are_read() {
        let v4: Ipv4Addr = "10.0.0.5".parse().unwrap();
        for text in [
            "64:ff9b::a00:5",
            "64:ff9b:1::a00:5",
            "2002:a00:5::1",
            "::ffff:0:a00:5",
            "::a00:5",
            "2001:0:1:2:3:4:f5ff:fffa",
        ] {
            assert_eq!(carried(text.parse().unwrap()), Some(v4), "{text}");
        }
        for text in ["::1", "::", "2001:db8::1", "::ffff:10.0.0.5", "fe80::1"] {
            assert_eq!(carried(text.parse().unwrap()), None, "{text}");
        }
        assert_eq!(
            carrying([0x64, 0xff9b, 0, 0, 0, 0], v4).to_string(),
            "64:ff9b::a00:5"
        );
    }
}
