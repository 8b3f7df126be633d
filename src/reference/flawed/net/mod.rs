//! The defects of the tools that reach hosts.
//!
//! Owns where each defect comes in: before a host is checked, in the check of an address, after a name was looked up.
//! What a function does is what the flaw's description says, and no more; time limits hold here as they do in the sound
//! code.

mod base;
mod decide;
mod follow;
mod spelling;

use std::net::IpAddr;
use std::sync::PoisonError;

pub(in crate::reference) use self::base::record_url;
pub(in crate::reference) use self::decide::{opens, permits, port_checked};
pub(in crate::reference) use self::follow::{
    beacon, before_check, exfiltrate, fetch_parts, forwarded, impatience, outlived,
    redirected_to_file, refresh,
};
pub(in crate::reference) use self::spelling::{
    cut_host, odd_url, put_raw_path, url_without_controls,
};

use crate::reference::Flaw;
use crate::reference::net::{Asked, Found, Host, Net, Purpose, upstream};
use crate::reference::refusal::Refusal;

/// What the flaws make of a host: addresses to contact, or `None` for what the sound check is to decide.
pub(in crate::reference) async fn admit(
    net: &Net,
    asked: Asked<'_>,
) -> Option<Result<Vec<IpAddr>, Refusal>> {
    let has = |flaw| net.has(flaw);
    let Asked { host, purpose, .. } = asked;
    let named = matches!(host, Host::Name(_));
    let fetches = matches!(purpose, Purpose::Fetch | Purpose::Redirect);
    let passes = purpose == Purpose::Unchecked
        || (has(Flaw::NetNoCheck) && fetches)
        || (has(Flaw::NetRedirectUnchecked) && purpose == Purpose::Redirect)
        || (has(Flaw::NetConnectUnchecked) && purpose == Purpose::Connect)
        || (has(Flaw::NetConnectName) && purpose == Purpose::Connect && named)
        || (has(Flaw::NetNameUnresolved) && fetches && named)
        || (has(Flaw::NetHeaderUpstream)
            && purpose == Purpose::Fetch
            && upstream().is_some_and(|base| asked.written.starts_with(&base)))
        || spelling::passes(net, asked)
        || decide::passes(net, host);
    if passes {
        return Some(anywhere(net, host).await);
    }
    let Host::Name(name) = host else { return None };
    if has(Flaw::DnsIpName)
        && let Some(address) = spelling::address_in_name(name)
    {
        return Some(Ok(vec![address]));
    }
    if has(Flaw::DnsLookupFirst) {
        // Whatever it leads to: the question is the defect.
        let _ = net.look_up(name).await;
    }
    if decide::forgets(net, name, spelling::written_host(asked.written)) {
        return Some(decide::by_address(net, name).await);
    }
    if has(Flaw::NetAllowUnlisted) && net.rules.refuses_name(name) {
        return decide::unlisted(net, name).await;
    }
    None
}

/// What the flaws make of a name's addresses, or `None` for what the sound check is to decide.
pub(in crate::reference) async fn after_look_up(
    net: &Net,
    name: &str,
    found: &Found,
) -> Option<Result<Vec<IpAddr>, Refusal>> {
    let checked = |addresses: Vec<IpAddr>| {
        let found = Found {
            addresses,
            ..found.clone()
        };
        net.screen(name, &found)
    };
    if net.has(Flaw::DnsCname) && !found.aliases.is_empty() {
        return Some(Ok(found.addresses.clone()));
    }
    if net.has(Flaw::DnsFirstAnswer) {
        let first = found.addresses[..1].to_vec();
        return Some(checked(first).map(|_| found.addresses.clone()));
    }
    if net.has(Flaw::DnsV4Only) {
        let (v4, mut v6): (Vec<_>, Vec<_>) = found.addresses.iter().partition(|a| a.is_ipv4());
        // A name without IPv4 addresses has none that are forbidden.
        let outcome = if v4.is_empty() { Ok(v4) } else { checked(v4) };
        return Some(outcome.map(|v4| {
            v6.extend(v4);
            v6
        }));
    }
    if net.has(Flaw::DnsCheckThenConnect) {
        return Some(match net.screen(name, found) {
            Ok(_) => net.look_up(name).await.map(|again| again.addresses),
            Err(refusal) => Err(refusal),
        });
    }
    if net.has(Flaw::DnsCacheVerdict) {
        let mut trusted = net.trusted.lock().unwrap_or_else(PoisonError::into_inner);
        if trusted.contains(name) {
            return Some(Ok(found.addresses.clone()));
        }
        let outcome = net.screen(name, found);
        if outcome.is_ok() {
            trusted.insert(name.to_owned());
        }
        return Some(outcome);
    }
    None
}

/// The addresses of a host, unchecked.
pub(super) async fn anywhere(net: &Net, host: &Host) -> Result<Vec<IpAddr>, Refusal> {
    match host {
        Host::Address(address) => Ok(vec![*address]),
        Host::Name(name) => {
            let addresses = net.look_up(name).await?.addresses;
            if addresses.is_empty() {
                return Err(Refusal::Unresolved);
            }
            Ok(addresses)
        }
    }
}
