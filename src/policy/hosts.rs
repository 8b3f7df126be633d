//! The hosts with which a policy is tested, computed from its ranges.
//!
//! Owns which addresses stand for "permitted" and "denied". No address is listed by hand but those that
//! stand for the public internet.

use std::{
    collections::BTreeSet,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
};

use ipnet::IpNet;

use super::{NameRule, Network};

/// Stand for public hosts, in this order. Nothing is ever sent to the real ones.
const PUBLIC: [Ipv4Addr; 4] = [
    Ipv4Addr::new(93, 184, 216, 34),
    Ipv4Addr::new(93, 184, 216, 35),
    Ipv4Addr::new(151, 101, 1, 69),
    Ipv4Addr::new(1, 1, 1, 1),
];

/// A private host that nobody is expected to reach.
const PRIVATE: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 5);

/// First labels of names below a rule, of which one is taken that no closer rule is about.
const LABELS: [&str; 4] = ["www", "intern", "files", "a1"];

/// The first label of the host of an API.
const API: &str = "api";

/// The domain below which names are made for tests of policies that know no names (RFC 2606).
const DOMAIN: &str = "example.net";

/// The hosts with which a policy is tested.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hosts {
    /// Addresses that the policy permits; the first is that of permitted names. None where the policy
    /// permits no host at all: then no control can pass.
    pub permitted: Vec<IpAddr>,
    /// An address that the policy denies.
    pub denied: Option<IpAddr>,
    /// The first and last address of each denied range.
    pub edges: Vec<IpAddr>,
    /// Denied neighbours of each allowed range, and denied addresses whose text begins that of an
    /// allowed one, or begins with it.
    pub holes: Vec<IpAddr>,
    /// A public address that no list names, of a policy with an allow-list.
    pub unlisted: Option<IpAddr>,
    /// A name that the policy permits by name, if it permits any.
    pub named: Option<String>,
    /// Each rule that permits by name, with a name that it permits: what names that resemble it are made from.
    pub allowed_names: Vec<Named>,
    /// Each rule that denies by name, with a name that it denies.
    pub denied_names: Vec<Named>,
    /// The domain below which names of the tests lie. They are permitted unless `named` is there.
    pub domain: String,
    /// Where the API of a server is that is told `{sink}`.
    pub base: Base,
}

/// A rule on names, and a name for which it decides.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Named {
    /// The rule.
    pub rule: NameRule,
    /// The name; one below that of the rule where names below it are meant.
    pub name: String,
}

/// Where the API of a server is: at the run's own sink.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Base {
    /// The name of its host, one that the policy permits if it permits any.
    pub host: String,
    /// The address to which the name leads; nothing where the policy permits no host at all.
    pub address: Option<IpAddr>,
    /// A port that the policy permits.
    pub port: u16,
}

impl Base {
    /// `http://host`, with the port where it is not that of the scheme. No slash and no path follow.
    #[must_use]
    pub fn url(&self) -> String {
        match self.port {
            80 => format!("http://{}", self.host),
            port => format!("http://{}:{port}", self.host),
        }
    }
}

impl Hosts {
    /// The permitted address to which a name leads that only its own rule denies: another than those of other permitted
    /// hosts, as far as there are so many.
    #[must_use]
    pub fn spare(&self) -> Option<IpAddr> {
        self.permitted.last().copied()
    }

    /// Another host than that of the API: a permitted one if there is one, so that nothing but the base keeps a
    /// server from it.
    #[must_use]
    pub fn elsewhere(&self) -> Option<IpAddr> {
        let other = self.permitted.get(1).copied();
        other.or(self.denied).or(self.unlisted)
    }
}

impl Network {
    /// The hosts with which the policy is tested.
    #[must_use]
    pub fn hosts(&self) -> Hosts {
        let mut permitted: Vec<IpAddr> = self
            .allowed
            .iter()
            .flatten()
            .flat_map(|range| [range.addr(), range.broadcast()])
            .chain(PUBLIC.map(IpAddr::V4))
            .filter(|address| self.permits(*address))
            .collect();
        let mut seen = BTreeSet::new();
        permitted.retain(|address| seen.insert(*address));
        // Addresses of IPv4 first: every server can reach them.
        permitted.sort_by_key(IpAddr::is_ipv6);
        let allowed_names = self.examples(&self.allowed_names, true);
        let named = allowed_names.first().map(|named| named.name.clone());
        if permitted.is_empty() && named.is_some() {
            // A list of names only: its names get the address of a public host.
            permitted.push(IpAddr::V4(PUBLIC[0]));
        }
        Hosts {
            denied: self.representative(&permitted),
            edges: self.edges(&permitted),
            holes: self.holes(&permitted),
            unlisted: self.allowed.is_some().then_some(()).and_then(|()| {
                let unlisted = |address: &IpAddr| {
                    let ranges = self.allowed.iter().flatten().chain(&self.denied);
                    !permitted.contains(address)
                        && !ranges.clone().any(|range| range.contains(address))
                };
                PUBLIC.map(IpAddr::V4).into_iter().rev().find(unlisted)
            }),
            denied_names: self.examples(&self.denied_names, false),
            allowed_names,
            base: self.base(named.as_deref(), &permitted),
            named,
            domain: DOMAIN.to_owned(),
            permitted,
        }
    }

    fn base(&self, named: Option<&str>, permitted: &[IpAddr]) -> Base {
        let usual = |ports: &Vec<u16>| ports.contains(&80).then_some(80).or(ports.first().copied());
        Base {
            host: named.map_or_else(|| format!("{API}.{DOMAIN}"), str::to_owned),
            address: permitted.first().copied(),
            port: self.ports.as_ref().and_then(usual).unwrap_or(80),
        }
    }

    /// The rules, each with a name for which it decides: permitted or denied by name. What closer rules take from a
    /// rule altogether is left out.
    fn examples(&self, rules: &[NameRule], permitted: bool) -> Vec<Named> {
        let name = |rule: &NameRule| {
            let below = LABELS.map(|label| format!("{label}.{}", rule.name));
            let names = if rule.below {
                below.to_vec()
            } else {
                vec![rule.name.clone()]
            };
            let mut names = names.into_iter();
            names.find(|name| self.permits_name(name) == Some(permitted))
        };
        let mut found: Vec<Named> = Vec::new();
        for rule in rules {
            if let Some(name) = name(rule).filter(|_| !found.iter().any(|it| it.rule == *rule)) {
                found.push(Named {
                    rule: rule.clone(),
                    name,
                });
            }
        }
        found
    }

    /// A denied address in the middle of the widest denied range of IPv4, else one that only the
    /// allow-list denies.
    fn representative(&self, permitted: &[IpAddr]) -> Option<IpAddr> {
        let mut ranges: Vec<&IpNet> = self.denied.iter().collect();
        ranges.sort_by_key(|range| (range.addr().is_ipv6(), range.prefix_len()));
        let inside = ranges
            .into_iter()
            .filter(|range| !range.contains(&IpAddr::V4(Ipv4Addr::UNSPECIFIED)));
        [IpAddr::V4(PRIVATE)]
            .into_iter()
            .chain(
                inside
                    .flat_map(|range| [after(range.addr(), 5), Some(range.addr())])
                    .flatten(),
            )
            .chain(PUBLIC.map(IpAddr::V4).into_iter().rev())
            .find(|address| !self.permits(*address) && !permitted.contains(address))
    }

    fn edges(&self, permitted: &[IpAddr]) -> Vec<IpAddr> {
        let ends = self
            .denied
            .iter()
            .flat_map(|range| [range.addr(), range.broadcast()]);
        self.only_denied(ends, permitted)
    }

    fn holes(&self, permitted: &[IpAddr]) -> Vec<IpAddr> {
        let neighbours = self.allowed.iter().flatten().flat_map(|range| {
            [
                before(range.addr(), 1),
                after(range.broadcast(), 1),
                shortened(range.addr()),
                lengthened(range.addr()),
                beyond(range),
            ]
        });
        self.only_denied(neighbours.flatten(), permitted)
    }

    fn only_denied(
        &self,
        addresses: impl Iterator<Item = IpAddr>,
        permitted: &[IpAddr],
    ) -> Vec<IpAddr> {
        let mut seen = BTreeSet::new();
        addresses
            .filter(|address| !self.permits(*address) && !permitted.contains(address))
            .filter(|address| seen.insert(*address))
            .collect()
    }
}

fn after(address: IpAddr, step: u32) -> Option<IpAddr> {
    match address {
        IpAddr::V4(v4) => v4
            .to_bits()
            .checked_add(step)
            .map(|bits| Ipv4Addr::from_bits(bits).into()),
        IpAddr::V6(v6) => v6
            .to_bits()
            .checked_add(step.into())
            .map(|bits| Ipv6Addr::from_bits(bits).into()),
    }
}

fn before(address: IpAddr, step: u32) -> Option<IpAddr> {
    match address {
        IpAddr::V4(v4) => v4
            .to_bits()
            .checked_sub(step)
            .map(|bits| Ipv4Addr::from_bits(bits).into()),
        IpAddr::V6(v6) => v6
            .to_bits()
            .checked_sub(step.into())
            .map(|bits| Ipv6Addr::from_bits(bits).into()),
    }
}

/// The address whose text is a beginning of this one's: `10.0.1.5` for `10.0.1.50`.
fn shortened(address: IpAddr) -> Option<IpAddr> {
    let text = address.to_string();
    text.get(..text.len() - 1)?.parse().ok()
}

/// An address whose text begins with this one's: `10.0.1.50` for `10.0.1.5`.
fn lengthened(address: IpAddr) -> Option<IpAddr> {
    format!("{address}0").parse().ok()
}

/// An address whose text begins with the octets that a range fixes, and goes on with a digit where a dot should be:
/// `10.0.10.5` for `10.0.1.0/24`.
fn beyond(range: &IpNet) -> Option<IpAddr> {
    let IpNet::V4(range) = range else { return None };
    let fixed = usize::from(range.prefix_len() / 8);
    let mut octets = range.addr().octets();
    if fixed == octets.len() {
        return None;
    }
    let last = octets[..fixed].last_mut()?;
    // No octet is written with a zero before other digits.
    *last = last.checked_mul(10).filter(|longer| *longer > 0)?;
    octets[3] = 5;
    Some(Ipv4Addr::from(octets).into())
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]
mod tests {
    use crate::{diag::Source, policy::Policy};

    fn hosts(text: &str) -> super::Hosts {
        Policy::load(&Source::new("policy.toml", text))
            .unwrap()
            .network()
            .hosts()
    }

    fn texts(addresses: &[std::net::IpAddr]) -> Vec<String> {
        addresses.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn a_hole_in_a_denied_range() {
        let hosts = hosts(
            "[server.network]\nallowed_hosts = ['10.0.1.50/32']\ndenied_hosts = ['10.0.0.0/8']",
        );
        assert_eq!(texts(&hosts.permitted), ["10.0.1.50"]);
        assert_eq!(hosts.denied.unwrap().to_string(), "10.0.0.5");
        assert_eq!(texts(&hosts.holes), ["10.0.1.49", "10.0.1.51", "10.0.1.5"]);
        assert_eq!(texts(&hosts.edges), ["10.0.0.0", "10.255.255.255"]);
        assert_eq!(hosts.unlisted.unwrap().to_string(), "1.1.1.1");
    }

    #[test]
    fn what_is_expected_of_anybody() {
        let hosts = hosts("[server]\nname = 'any'");
        assert_eq!(
            texts(&hosts.permitted[..2]),
            ["93.184.216.34", "93.184.216.35"]
        );
        assert_eq!(hosts.denied.unwrap().to_string(), "10.0.0.5");
        assert_eq!(hosts.unlisted, None);
    }

    #[test]
    fn ranges_that_are_compared_as_text_reach_further() {
        let of = |list: &str| {
            let hosts = hosts(&format!("[server.network]\nallowed_hosts = [{list}]"));
            texts(&hosts.holes)
        };
        assert!(of("'10.0.1.0/24'").contains(&String::from("10.0.10.5")));
        assert!(of("'10.2.0.0/16'").contains(&String::from("10.20.0.5")));
        assert!(of("'10.0.0.0/8'").contains(&String::from("100.0.0.5")));
        assert!(of("'10.2.16.0/20'").contains(&String::from("10.20.16.5")));
        // Nothing begins with these and goes on with a digit.
        assert_eq!(of("'10.0.0.0/16'"), ["9.255.255.255", "10.1.0.0"]);
        assert_eq!(of("'192.168.0.0/16'"), ["192.167.255.255", "192.169.0.0"]);
    }

    #[test]
    fn each_rule_on_names_has_a_name_of_its_own() {
        let hosts = hosts(
            "[server.network]\nallowed_hosts = ['*.example.org', 'api.example.net', '*.example.org']\n\
             denied_hosts = ['www.example.org', '*.example.net', '*.corp.example.org']",
        );
        let names = |list: &[super::Named]| -> Vec<String> {
            list.iter().map(|named| named.name.clone()).collect()
        };
        assert_eq!(hosts.named.as_deref(), Some("intern.example.org"));
        assert_eq!(
            names(&hosts.allowed_names),
            ["intern.example.org", "api.example.net"]
        );
        assert_eq!(
            names(&hosts.denied_names),
            ["www.example.org", "www.example.net", "www.corp.example.org"]
        );
    }

    #[test]
    fn names_only_and_nothing_at_all() {
        let by_name = hosts("[server.network]\nallowed_hosts = ['*.example.org']");
        assert_eq!(by_name.named.as_deref(), Some("www.example.org"));
        assert_eq!(texts(&by_name.permitted), ["93.184.216.34"]);
        assert_eq!(by_name.denied.unwrap().to_string(), "10.0.0.5");
        for nothing in ["allowed_hosts = []", "denied_hosts = ['0.0.0.0/0', '::/0']"] {
            let hosts = hosts(&format!("[server.network]\n{nothing}"));
            assert!(hosts.permitted.is_empty());
            assert_eq!(hosts.denied.unwrap().to_string(), "10.0.0.5");
        }
    }
}
