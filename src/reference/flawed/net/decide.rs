//! The defective decisions on names and addresses.
//!
//! Pure: what each of them lets through, whatever the sound rules say. Must not look at how a host was spelt.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::IpNet;

use crate::reference::Flaw;
use crate::reference::net::{
    Embedded, Host, Net, Pattern, Purpose, Rules, Verdict, embedded, is_public, special_ranges,
};
use crate::reference::refusal::Refusal;

/// The metadata services of clouds, besides the link-local range.
const METADATA: [IpAddr; 4] = [
    IpAddr::V4(Ipv4Addr::new(100, 100, 100, 200)),
    IpAddr::V4(Ipv4Addr::new(168, 63, 129, 16)),
    IpAddr::V4(Ipv4Addr::new(192, 0, 0, 192)),
    IpAddr::V6(Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254)),
];

/// Whether a defective check permits the address.
pub(in crate::reference) fn permits(net: &Net, address: IpAddr, by_name: bool) -> bool {
    let has = |flaw| net.has(flaw);
    let rules = &net.rules;
    (has(Flaw::NetAllowUnlisted) && unlisted_rules(rules).permit(address, by_name))
        || (has(Flaw::NetFirstMatch) && first_match(rules, address))
        || (has(Flaw::NetCidrStringPrefix) && permitted_as(rules, address, as_text))
        || (has(Flaw::NetCidrOffByOne)
            && (permitted_as(rules, address, inside) || on_special_edge(rules, address)))
        || (has(Flaw::NetSpecialPartial) && !is_public(address) && !well_known(address))
        || (has(Flaw::NetMetadataOpen) && is_metadata(address))
}

/// Whether a defective check lets any port through.
pub(in crate::reference) fn opens(net: &Net, purpose: Purpose) -> bool {
    net.has(Flaw::NetPortUnchecked)
        || (net.has(Flaw::NetPortRedirect) && purpose == Purpose::Redirect)
}

/// [`Flaw::NetPortPattern`]: the port that is checked instead of the one that is connected to.
pub(in crate::reference) fn port_checked(net: &Net, written: &str) -> Option<u16> {
    if !net.has(Flaw::NetPortPattern) {
        return None;
    }
    let mut numbers = written.split(':').skip(1).filter_map(|rest| {
        let end = rest.find(|c: char| !c.is_ascii_digit());
        rest[..end.unwrap_or(rest.len())].parse().ok()
    });
    numbers.next()
}

/// Whether a defective check lets the host through before its addresses are looked at.
pub(super) fn passes(net: &Net, host: &Host) -> bool {
    match host {
        Host::Address(IpAddr::V6(address)) => {
            let mapped = address.to_ipv4_mapped().is_some();
            (net.has(Flaw::NetMappedIpv6) && mapped)
                || (net.has(Flaw::NetV6Unchecked)
                    && !mapped
                    && !address.is_loopback()
                    && !address.is_unspecified())
        }
        Host::Address(IpAddr::V4(_)) => false,
        Host::Name(name) => {
            let mut allowed = net.rules.all.iter().filter(|rule| rule.allow);
            // A name of a rule itself is for the sound check.
            net.rules.of_name(name) == Verdict::Unnamed
                && allowed.any(|rule| resembles(net, &rule.pattern, name))
        }
    }
}

/// Whether a defective comparison takes a name for one that the pattern names.
fn resembles(net: &Net, pattern: &Pattern, name: &str) -> bool {
    let (text, below) = match pattern {
        Pattern::Name(text) => (text.as_str(), false),
        Pattern::Below(text) => (text.as_str(), true),
        Pattern::Range(_) => return false,
    };
    let end = name.len().checked_sub(text.len());
    let (before, end) = match end.and_then(|at| name.split_at_checked(at)) {
        Some((before, end)) => (before, Some(end)),
        None => ("", None),
    };
    let dotted = |end: &str| {
        let mut letters = end.bytes().zip(text.bytes());
        letters.all(|(letter, dot)| letter == dot || dot == b'.')
    };
    (net.has(Flaw::NetNameSuffix) && end == Some(text))
        || (net.has(Flaw::NetNamePrefix) && name.starts_with(text))
        || (net.has(Flaw::NetNameBelow) && end == Some(text) && before.ends_with('.'))
        || (net.has(Flaw::NetNamePattern)
            && end.is_some_and(dotted)
            && if below {
                before.len() > 1 && before.ends_with('.')
            } else {
                before.is_empty()
            })
}

/// Whether a defective check knows nothing of a rule that denies the name; `written` is the host as it came.
pub(super) fn forgets(net: &Net, name: &str, written: &str) -> bool {
    let mut denying = net.rules.all.iter().filter(|rule| !rule.allow);
    net.rules.of_name(name) == Verdict::Deny
        && (net.has(Flaw::NetDenyIgnored)
            || (net.has(Flaw::NetDenyExact)
                && denying.all(|rule| rule.pattern.fit(written).is_none())))
}

/// What a name leads to, its addresses checked and nothing else.
pub(super) async fn by_address(net: &Net, name: &str) -> Result<Vec<IpAddr>, Refusal> {
    let found = net.look_up(name).await?;
    net.screen(name, &found)
}

/// [`Flaw::NetAllowUnlisted`]: what a name leads to that the sound server would not look up.
pub(super) async fn unlisted(net: &Net, name: &str) -> Option<Result<Vec<IpAddr>, Refusal>> {
    if net.rules.of_name(name) == Verdict::Deny {
        return None;
    }
    Some(by_address(net, name).await)
}

fn unlisted_rules(rules: &Rules) -> Rules {
    Rules {
        listed_only: false,
        ..rules.clone()
    }
}

/// [`Flaw::NetFirstMatch`].
fn first_match(rules: &Rules, address: IpAddr) -> bool {
    rules
        .all
        .iter()
        .find(|rule| matches!(&rule.pattern, Pattern::Range(range) if range.contains(&address)))
        .is_some_and(|rule| rule.allow)
}

/// The rules, with another notion of what lies inside of a range.
fn permitted_as(rules: &Rules, address: IpAddr, contains: impl Fn(&IpNet, IpAddr) -> bool) -> bool {
    let closest = rules
        .all
        .iter()
        .filter_map(|rule| match &rule.pattern {
            Pattern::Range(range) if contains(range, address) => {
                Some((range.prefix_len(), !rule.allow))
            }
            _ => None,
        })
        .max();
    match closest {
        Some((_, denied)) => !denied,
        None => !rules.listed_only && (!rules.public_only || is_public(address)),
    }
}

/// [`Flaw::NetCidrStringPrefix`]: `10.0.0.0/8` is `10`, and so `100.0.0.1` is inside.
fn as_text(range: &IpNet, address: IpAddr) -> bool {
    match (range, address) {
        (IpNet::V4(range), IpAddr::V4(address)) => {
            let whole = usize::from(range.prefix_len() / 8);
            let octets = range.network().octets();
            let prefix: Vec<String> = octets[..whole].iter().map(u8::to_string).collect();
            address.to_string().starts_with(&prefix.join("."))
        }
        _ => range.contains(&address),
    }
}

/// [`Flaw::NetCidrOffByOne`]: inside, but not at an edge.
fn inside(range: &IpNet, address: IpAddr) -> bool {
    let edge = address == range.network() || address == range.broadcast();
    range.contains(&address) && (!edge || range.max_prefix_len() - range.prefix_len() < 2)
}

/// [`Flaw::NetCidrOffByOne`]: the same with the special ranges.
fn on_special_edge(rules: &Rules, address: IpAddr) -> bool {
    rules.public_only
        && rules.of_address(address) == Verdict::Unnamed
        && !rules.listed_only
        && special_ranges().any(|range| range.contains(&address) && !inside(range, address))
}

/// The ranges that [`Flaw::NetSpecialPartial`] knows.
fn well_known(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => address.is_private() || address.is_loopback(),
        // What is only another spelling of those is not what the flaw is about.
        IpAddr::V6(address) => {
            let known = |inner: Embedded| {
                let (Embedded::Same(v4) | Embedded::By(v4)) = inner;
                v4.is_private() || v4.is_loopback()
            };
            address.is_loopback() || embedded(address).into_iter().any(known)
        }
    }
}

/// What [`Flaw::NetMetadataOpen`] opens.
fn is_metadata(address: IpAddr) -> bool {
    METADATA.contains(&address) || matches!(address, IpAddr::V4(address) if address.is_link_local())
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]
mod tests {
    use super::*;
    use crate::reference::{FlawSet, NetworkOptions};

    /// Whether the server with these flaws and no rule lets the address through.
    fn open(flaws: &[Flaw], address: &str) -> bool {
        let flaws: FlawSet = flaws.iter().copied().collect();
        let net = Net::new(&NetworkOptions::default(), &flaws).unwrap();
        let address: IpAddr = address.parse().unwrap();
        net.rules.permit(address, false)
            || permits(&net, address, false)
            || passes(&net, &Host::Address(address))
    }

    #[test]
    fn addresses_that_are_not_contacted_in_tests_pass_on_their_flaw_only() {
        for (flaw, address) in [
            (Flaw::NetMetadataOpen, "169.254.169.254"),
            (Flaw::NetMetadataOpen, "100.100.100.200"),
            (Flaw::NetMetadataOpen, "fd00:ec2::254"),
            (Flaw::NetV6Unchecked, "64:ff9b::a00:5"),
            (Flaw::NetV6Unchecked, "2002:a00:5::1"),
            (Flaw::NetV6Unchecked, "fec0::5"),
            (Flaw::NetV6Unchecked, "fc00::5"),
            (Flaw::NetMappedIpv6, "::ffff:10.0.0.5"),
            (Flaw::NetSpecialPartial, "100.64.0.1"),
            (Flaw::NetSpecialPartial, "198.18.0.1"),
            (Flaw::NetSpecialPartial, "240.0.0.1"),
            (Flaw::NetCidrOffByOne, "10.0.0.0"),
            (Flaw::NetCidrOffByOne, "10.255.255.255"),
        ] {
            assert!(!open(&[], address), "{address}");
            assert!(open(&[flaw], address), "{flaw} {address}");
        }
        for (flaw, address) in [
            (Flaw::NetMetadataOpen, "10.0.0.5"),
            (Flaw::NetV6Unchecked, "::ffff:10.0.0.5"),
            (Flaw::NetV6Unchecked, "::1"),
            (Flaw::NetMappedIpv6, "64:ff9b::a00:5"),
            (Flaw::NetSpecialPartial, "172.16.0.1"),
            (Flaw::NetSpecialPartial, "::ffff:10.0.0.5"),
            (Flaw::NetCidrOffByOne, "10.0.0.1"),
            (Flaw::NetAllowUnlisted, "10.0.0.5"),
        ] {
            assert!(!open(&[flaw], address), "{flaw} {address}");
        }
        assert!(open(&[], "9.9.9.9") && open(&[], "2606:4700::1111"));
    }
}
