//! How an address is spelled otherwise.
//!
//! Owns the forms of an address that some parser takes for the same one. A value that is no address of the
//! kind comes back as it is.

use std::net::{IpAddr, Ipv4Addr};

use crate::{policy::carrying, probe::Spelling};

/// Spells an address; `None` when the spelling is none of addresses.
pub(super) fn spell_address(value: &str, spelling: Spelling) -> Option<String> {
    let forms = match spelling {
        Spelling::Hyphens => return Some(value.replace(['.', ':'], "-")),
        Spelling::Bracketed => {
            let bracketed = value
                .parse::<IpAddr>()
                .is_ok_and(|address| address.is_ipv6());
            return Some(if bracketed {
                format!("[{value}]")
            } else {
                value.to_owned()
            });
        }
        Spelling::Decimal => |v4: Ipv4Addr| v4.to_bits().to_string(),
        Spelling::Hex => |v4: Ipv4Addr| format!("{:#010x}", v4.to_bits()),
        Spelling::HexParts => |v4: Ipv4Addr| parts(v4, |part| format!("{part:#x}")),
        Spelling::OctalParts => |v4: Ipv4Addr| parts(v4, |part| format!("0{part:o}")),
        Spelling::OctalPadded => |v4: Ipv4Addr| parts(v4, |part| format!("0000{part:o}")),
        Spelling::TwoParts => {
            |v4: Ipv4Addr| format!("{}.{}", v4.octets()[0], v4.to_bits() & 0x00ff_ffff)
        }
        Spelling::ThreeParts => |v4: Ipv4Addr| {
            let [a, b, ..] = v4.octets();
            format!("{a}.{b}.{}", v4.to_bits() & 0xffff)
        },
        Spelling::MixedParts => |v4: Ipv4Addr| {
            let [a, b, c, d] = v4.octets();
            format!("{a:#x}.0{b:o}.{c}.{d:#x}")
        },
        Spelling::Mapped => |v4: Ipv4Addr| format!("::ffff:{v4}"),
        Spelling::MappedHex => |v4: Ipv4Addr| {
            let [a, b, c, d] = v4.octets();
            let (high, low) = (u16::from_be_bytes([a, b]), u16::from_be_bytes([c, d]));
            format!("::ffff:{high:x}:{low:x}")
        },
        Spelling::MappedLong => |v4: Ipv4Addr| {
            let [a, b, c, d] = v4.octets();
            format!("0:0:0:0:0:ffff:{a:02x}{b:02x}:{c:02x}{d:02x}")
        },
        Spelling::Translated => |v4| carried([0, 0, 0, 0, 0xffff, 0], v4),
        Spelling::Nat64 => |v4| carried([0x64, 0xff9b, 0, 0, 0, 0], v4),
        Spelling::Nat64Local => |v4| carried([0x64, 0xff9b, 1, 0, 0, 0], v4),
        Spelling::Compatible => |v4| carried([0; 6], v4),
        Spelling::SixToFour => |v4: Ipv4Addr| {
            let [a, b, c, d] = v4.octets();
            let (high, low) = (u16::from_be_bytes([a, b]), u16::from_be_bytes([c, d]));
            format!("2002:{high:x}:{low:x}::1")
        },
        // The client's address stands there with all bits flipped.
        Spelling::Teredo => |v4: Ipv4Addr| {
            carried(
                [0x2001, 0, 0x5db8, 0xd822, 0, 0xfb3f],
                Ipv4Addr::from_bits(!v4.to_bits()),
            )
        },
        _ => return None,
    };
    Some(match value.parse() {
        Ok(v4) => forms(v4),
        Err(_) => value.to_owned(),
    })
}

fn parts(v4: Ipv4Addr, spell: impl Fn(u8) -> String) -> String {
    v4.octets().map(spell).join(".")
}

fn carried(prefix: [u16; 6], v4: Ipv4Addr) -> String {
    carrying(prefix, v4).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_of_one_address() {
        for (spelling, expected) in [
            (Spelling::Decimal, "167772165"),
            (Spelling::Hex, "0x0a000005"),
            (Spelling::HexParts, "0xa.0x0.0x0.0x5"),
            (Spelling::OctalParts, "012.00.00.05"),
            (Spelling::OctalPadded, "000012.00000.00000.00005"),
            (Spelling::TwoParts, "10.5"),
            (Spelling::ThreeParts, "10.0.5"),
            (Spelling::MixedParts, "0xa.00.0.0x5"),
            (Spelling::Mapped, "::ffff:10.0.0.5"),
            (Spelling::MappedHex, "::ffff:a00:5"),
            (Spelling::MappedLong, "0:0:0:0:0:ffff:0a00:0005"),
            (Spelling::Nat64, "64:ff9b::a00:5"),
            (Spelling::SixToFour, "2002:a00:5::1"),
            (Spelling::Teredo, "2001:0:5db8:d822:0:fb3f:f5ff:fffa"),
            (Spelling::Hyphens, "10-0-0-5"),
            (Spelling::Bracketed, "10.0.0.5"),
        ] {
            assert_eq!(
                spell_address("10.0.0.5", spelling).as_deref(),
                Some(expected)
            );
        }
        assert_eq!(
            spell_address("fd00::1", Spelling::Bracketed).as_deref(),
            Some("[fd00::1]")
        );
        assert_eq!(
            spell_address("fd00::1", Spelling::Decimal).as_deref(),
            Some("fd00::1")
        );
        assert_eq!(spell_address("10.0.0.5", Spelling::Backslash), None);
    }

    #[test]
    fn what_carries_an_address_is_read_back() {
        for spelling in [
            Spelling::Translated,
            Spelling::Nat64,
            Spelling::Nat64Local,
            Spelling::SixToFour,
            Spelling::Teredo,
            Spelling::Compatible,
        ] {
            let text = spell_address("10.0.0.5", spelling).unwrap_or_default();
            let address: IpAddr = text.parse().expect("an address");
            assert_eq!(
                crate::policy::carried(address)
                    .map(|v4| v4.to_string())
                    .as_deref(),
                Some("10.0.0.5"),
                "{spelling}"
            );
        }
    }
}
