//! What trials are about besides their probe: places inside the allowed directory, and hosts.
//!
//! Owns the choice of a place or an address for each claim, from the policy alone.

use std::{
    net::IpAddr,
    path::{Path, PathBuf},
};

use super::{InsidePlace, Terrain};
use crate::{
    policy::{Access, Named, Network},
    probe::{Claim, Part, RuleKind, Text, Variant},
};

/// What a trial is about besides its probe: a place inside the allowed directory, or a host.
#[derive(Debug, Clone, Default)]
pub(super) struct Spot {
    pub(super) inside: Option<InsidePlace>,
    pub(super) host: Option<IpAddr>,
    pub(super) named: Option<Named>,
}

/// The spots that a claim is about; one empty entry for claims that are about none.
pub(super) fn spots(claim: Claim, terrain: &Terrain<'_>) -> Vec<Spot> {
    let Ok(hosts) = terrain.hosts.or(Err(())) else {
        return insides(claim, terrain);
    };
    let of_host = |host: Option<IpAddr>| Spot {
        host,
        ..Spot::default()
    };
    let of_names = |names: &[Named], host: Option<IpAddr>| {
        let names = names.iter().filter(|_| host.is_some()).cloned().map(Some);
        names
            .map(|named| Spot {
                named,
                ..of_host(host)
            })
            .collect()
    };
    match claim {
        Claim::Host | Claim::OnlyNames => hosts.denied.map(Some).into_iter().map(of_host).collect(),
        // Public addresses where there are any, so that nothing but the name keeps a server from them.
        Claim::HostName => of_names(&hosts.allowed_names, hosts.unlisted.or(hosts.denied)),
        Claim::DeniedName => of_names(&hosts.denied_names, hosts.spare()),
        Claim::HostRange => hosts.edges.iter().copied().map(Some).map(of_host).collect(),
        Claim::HostHole => hosts.holes.iter().copied().map(Some).map(of_host).collect(),
        Claim::UnlistedHost => hosts.unlisted.map(Some).into_iter().map(of_host).collect(),
        Claim::Base => hosts
            .elsewhere()
            .map(Some)
            .into_iter()
            .map(of_host)
            .collect(),
        // Of permitted hosts.
        Claim::Port => vec![of_host(None)],
        Claim::AuditNetwork
        | Claim::Resolver
        | Claim::TimeLimit
        | Claim::RetryLimit
        | Claim::Cancel => {
            vec![of_host(hosts.denied)]
        }
        _ => insides(claim, terrain),
    }
}

/// The places inside that a claim is about.
fn insides(claim: Claim, terrain: &Terrain<'_>) -> Vec<Spot> {
    let denied = terrain.policy.denied_inside();
    let patterns = || {
        denied
            .iter()
            .filter(|denied| denied.pattern)
            .filter_map(|denied| covered(&denied.entry.text, Access::Read, terrain))
    };
    let places: Vec<InsidePlace> = match claim {
        Claim::DeniedInside => denied
            .iter()
            .filter(|denied| !denied.pattern)
            .filter_map(|denied| denied_path(Path::new(&denied.entry.text), terrain))
            .chain(patterns())
            .collect(),
        Claim::DeniedPattern => patterns().collect(),
        Claim::ProtectedNames => terrain
            .policy
            .protected_names()
            .filter_map(|name| covered(&name.text, Access::Write, terrain))
            .collect(),
        _ => return vec![Spot::default()],
    };
    places
        .into_iter()
        .map(|place| Spot {
            inside: Some(place),
            ..Spot::default()
        })
        .collect()
}

/// Whether a variant can be asked of a spot: of a rule of the kind that it wants, and with names of which the policy
/// says what the claim has it say. A name that resembles one rule may be permitted by another.
pub(super) fn suits(claim: Claim, variant: &Variant, spot: &Spot, network: &Network) -> bool {
    let Some(named) = &spot.named else {
        return variant.rule.is_none();
    };
    let wanted = match variant.rule {
        Some(RuleKind::Exact) => !named.rule.below,
        Some(RuleKind::Below) => named.rule.below,
        None => true,
    };
    let records = variant.plants.iter().filter_map(|it| it.record.as_ref());
    let mut names = records
        .filter_map(|record| record.called.as_ref())
        .filter_map(|text| written(text, named));
    wanted
        && names.all(|name| match network.permits_name(&name) {
            Some(permitted) => !permitted,
            None => claim == Claim::HostName,
        })
}

/// The name that a text makes of a rule, if it makes one of nothing else.
fn written(text: &Text, named: &Named) -> Option<String> {
    let parts = text.0.iter().map(|part| match part {
        Part::Literal(literal) => Some(literal.as_str()),
        Part::Reference(reference) if reference.spelling.is_some() => None,
        Part::Reference(reference) => match reference.symbol.as_str() {
            "net.rule" => Some(named.rule.name.as_str()),
            "net.name" | "net.denied-name" => Some(named.name.as_str()),
            _ => None,
        },
    });
    parts.collect()
}

/// A denied path below the allowed directory.
fn denied_path(path: &Path, terrain: &Terrain<'_>) -> Option<InsidePlace> {
    let below = path.starts_with(terrain.allowed) && path != terrain.allowed;
    let place = if names_a_file(path) {
        InsidePlace::File(path.to_path_buf())
    } else {
        InsidePlace::Directory(path.to_path_buf())
    };
    (below && forbidden(&place, Access::Read, terrain)).then_some(place)
}

/// A place below the allowed directory that a pattern covers: its name anywhere, or the one place
/// that it is tied to. None if no such place can be told from the pattern.
fn covered(pattern: &str, access: Access, terrain: &Terrain<'_>) -> Option<InsidePlace> {
    let name = pattern.rsplit_once("**/").map_or(pattern, |(_, name)| name);
    let anywhere = InsidePlace::Name(concrete(name).trim_start_matches('/').to_owned());
    let there = PathBuf::from(concrete(&pattern.replace("**/", "")));
    let tied = there
        .starts_with(terrain.allowed)
        .then_some(InsidePlace::File(there));
    [Some(anywhere), tied]
        .into_iter()
        .flatten()
        .find(|place| forbidden(place, access, terrain))
}

fn forbidden(place: &InsidePlace, access: Access, terrain: &Terrain<'_>) -> bool {
    let sample = place.file(&terrain.allowed.join("sample"), "sample", ".txt");
    !terrain.policy.decide(&sample, access).allowed
}

/// A text that a pattern covers: stars become a word, of alternatives the first stands.
fn concrete(pattern: &str) -> String {
    let mut text = pattern
        .replace("**", "plan")
        .replace('*', "plan")
        .replace('?', "a");
    while let Some((before, rest)) = text.split_once('{') {
        let Some((choices, after)) = rest.split_once('}') else {
            break;
        };
        let first = choices.split(',').next().unwrap_or_default();
        text = format!("{before}{first}{after}");
    }
    text
}

/// Policies do not say whether a denied path is a file; on disk, or by a dot in its name, one can tell.
fn names_a_file(path: &Path) -> bool {
    if path.exists() {
        return path.is_file();
    }
    path.file_name()
        .is_some_and(|name| name.to_string_lossy().contains('.'))
}
