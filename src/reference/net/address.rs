//! What an address is by itself: whether it is public, and which IPv4 address an IPv6 one stands for.
//!
//! Owns the special-purpose ranges. Must not know rules, names or sockets.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::LazyLock;

use ipnet::{IpNet, Ipv6Net};

/// IPv4 ranges that are not public: the special-purpose registry of RFC 6890, multicast, and the metadata services of
/// clouds that lie outside of both.
const SPECIAL_V4: &[&str] = &[
    "0.0.0.0/8",
    "10.0.0.0/8",
    "100.64.0.0/10",
    "127.0.0.0/8",
    "168.63.129.16/32",
    "169.254.0.0/16",
    "172.16.0.0/12",
    "192.0.0.0/24",
    "192.0.2.0/24",
    "192.31.196.0/24",
    "192.52.193.0/24",
    "192.88.99.0/24",
    "192.168.0.0/16",
    "192.175.48.0/24",
    "198.18.0.0/15",
    "198.51.100.0/24",
    "203.0.113.0/24",
    "224.0.0.0/4",
    "240.0.0.0/4",
];

/// The only IPv6 range of global unicast addresses: loopback, mapped, translated, unique local, link-local, site-local
/// and multicast addresses are all outside of it.
const GLOBAL_V6: &str = "2000::/3";

/// Ranges inside of [`GLOBAL_V6`] that are not public.
const SPECIAL_V6: &[&str] = &[
    "2001::/23",
    "2001:db8::/32",
    "2002::/16",
    "2620:4f:8000::/48",
    "3fff::/20",
];

static SPECIAL: LazyLock<Vec<IpNet>> = LazyLock::new(|| {
    SPECIAL_V4
        .iter()
        .chain(SPECIAL_V6)
        .filter_map(|range| range.parse().ok())
        .collect()
});

static GLOBAL: LazyLock<Option<Ipv6Net>> = LazyLock::new(|| GLOBAL_V6.parse().ok());

/// Whether anybody on the internet may have this address, and nobody else.
pub(in crate::reference) fn is_public(address: IpAddr) -> bool {
    let global = match address {
        IpAddr::V4(_) => true,
        IpAddr::V6(v6) => GLOBAL.is_some_and(|range| range.contains(&v6)),
    };
    global && !SPECIAL.iter().any(|range| range.contains(&address))
}

/// The special ranges, for a check that gets their edges wrong.
pub(in crate::reference) fn special_ranges() -> impl Iterator<Item = &'static IpNet> {
    SPECIAL.iter()
}

/// What an IPv6 address has to do with the IPv4 address in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::reference) enum Embedded {
    /// It is another spelling of that host: mapped, or translated by the network (SIIT, NAT64).
    Same(Ipv4Addr),
    /// It leads by way of that host: compatible, 6to4, or the server or client of Teredo.
    By(Ipv4Addr),
}

/// The IPv4 addresses in an IPv6 address, by every form that has a meaning on the internet.
pub(in crate::reference) fn embedded(address: Ipv6Addr) -> Vec<Embedded> {
    let words = address.segments();
    let v4 = |high: u16, low: u16| Ipv4Addr::from(u32::from(high) << 16 | u32::from(low));
    let last = v4(words[6], words[7]);
    match words {
        [0, 0, 0, 0, 0, 0xffff, ..] | [0, 0, 0, 0, 0xffff, 0, ..] => vec![Embedded::Same(last)],
        [0x64, 0xff9b, 0, 0, 0, 0, ..] => vec![Embedded::Same(last)],
        // The prefix of local translators may have any length of RFC 6052 from 48 on.
        [0x64, 0xff9b, 1, fourth, fifth, ..] => vec![
            Embedded::Same(last),
            Embedded::By(v4(fourth, (fifth & 0xff) << 8 | words[5] >> 8)),
        ],
        // `::` and `::1` are no compatible addresses.
        [0, 0, 0, 0, 0, 0, high, low] if high != 0 || low > 1 => vec![Embedded::By(last)],
        [0x2002, high, low, ..] => vec![Embedded::By(v4(high, low))],
        [0x2001, 0, high, low, ..] => vec![
            Embedded::By(v4(high, low)),
            Embedded::By(v4(!words[6], !words[7])),
        ],
        _ => Vec::new(),
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]
mod tests {
    use super::*;

    #[test]
    fn every_range_is_read() {
        assert_eq!(SPECIAL.len(), SPECIAL_V4.len() + SPECIAL_V6.len());
        assert!(GLOBAL.is_some());
    }

    #[test]
    fn only_public_addresses_are_public() {
        for text in [
            "0.0.0.0",
            "10.0.0.5",
            "100.64.0.1",
            "100.100.100.200",
            "127.0.0.1",
            "127.255.255.255",
            "168.63.129.16",
            "169.254.169.254",
            "169.254.170.2",
            "172.16.0.0",
            "172.31.255.255",
            "192.0.0.192",
            "192.0.2.1",
            "192.168.0.1",
            "198.18.0.1",
            "198.19.255.255",
            "198.51.100.1",
            "203.0.113.1",
            "224.0.0.1",
            "240.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "::ffff:8.8.8.8",
            "::ffff:a00:5",
            "64:ff9b::808:808",
            "64:ff9b:1::a00:5",
            "100::1",
            "2001::1",
            "2001:0:a00:5::",
            "2001:db8::1",
            "2002:808:808::1",
            "3fff::1",
            "5f00::1",
            "fc00::5",
            "fd00:ec2::254",
            "fe80::1",
            "fec0::5",
            "ff02::1",
        ] {
            assert!(!is_public(text.parse().unwrap()), "{text}");
        }
        for text in [
            "1.1.1.1",
            "8.8.8.8",
            "9.255.255.255",
            "11.0.0.0",
            "100.63.255.255",
            "100.128.0.0",
            "126.255.255.255",
            "128.0.0.0",
            "172.15.255.255",
            "172.32.0.0",
            "198.17.255.255",
            "198.20.0.0",
            "223.255.255.255",
            "2606:4700::1111",
            "2001:4860:4860::8888",
        ] {
            assert!(is_public(text.parse().unwrap()), "{text}");
        }
    }

    #[test]
    fn embedded_addresses_are_found() {
        let (same, by) = (Embedded::Same, Embedded::By);
        let v4 = Ipv4Addr::new(10, 0, 0, 5);
        for (text, expected) in [
            ("::ffff:10.0.0.5", same(v4)),
            ("::ffff:0:a00:5", same(v4)),
            ("64:ff9b::a00:5", same(v4)),
            ("64:ff9b:1::a00:5", same(v4)),
            ("64:ff9b:1:a00:0:500::", by(v4)),
            ("::10.0.0.5", by(v4)),
            ("2002:a00:5::1", by(v4)),
            ("2001:0:a00:5::", by(v4)),
            ("2001:0:1:2:3:4:f5ff:fffa", by(v4)),
        ] {
            assert!(
                embedded(text.parse().unwrap()).contains(&expected),
                "{text}"
            );
        }
        for text in ["::", "::1", "2606:4700::a00:5", "fd00::a00:5"] {
            assert_eq!(embedded(text.parse().unwrap()), [], "{text}");
        }
    }
}
