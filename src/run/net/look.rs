//! From what arrived to observations.
//!
//! Owns which hits are evidence: those that carry a word of the trial and went where the policy permits nothing.
//! What carries no word and went to the trial's host is a signal, to be settled alone.

use std::{net::IpAddr, time::Duration};

use http::uri::Authority;

use super::{
    Props, Wire, answered,
    tell::{DNS, excerpt, is_contact, proxied, told, weight},
};
use crate::{
    judge::Observation,
    policy::carried,
    probe::{Claim, EvidenceKind, Role},
    run::stage::{Ask, Counting, Stage},
    session::{Exchange, Outcome},
    testbed::net::{Hit, Kind, Tie},
};

/// What a call may take beyond the policy's limit, at the least: start of the call, and a loaded machine.
pub(super) const SLACK: Duration = Duration::from_secs(2);

/// What was seen of a call.
#[derive(Debug, Default)]
pub(super) struct Looked {
    pub(super) proofs: Vec<Observation>,
    pub(super) signals: Vec<Observation>,
}

impl Stage<'_> {
    pub(super) fn look(
        &self,
        wire: Wire<'_>,
        ask: &Ask<'_>,
        props: &Props,
        counting: Counting<'_>,
        since: u64,
        exchange: &Exchange,
    ) -> Looked {
        let mut looked = Looked::default();
        if ask.channel.role == Role::ApiPath {
            looked.proofs = match counting {
                Counting::Forbidden => self.off_base(wire, ask, props, Some(exchange)),
                Counting::Named(_) => self.at_base(wire, props, since),
                Counting::All => self.below_base(wire, ask, props, since),
            };
            return looked;
        }
        if ask.evidence.contains(&EvidenceKind::Effect) && !matches!(counting, Counting::All) {
            looked.proofs = match counting {
                Counting::Forbidden => self.escaped(props),
                _ => self.kept(props),
            };
            return looked;
        }
        if !matches!(counting, Counting::Forbidden) {
            looked
                .proofs
                .extend(self.served(wire, ask, props, counting, since));
            return looked;
        }
        match ask.claim {
            // Whether it ends in time at all is another question.
            Claim::TimeLimit if ask.technique == Some("call.outlast") => {}
            Claim::TimeLimit => looked.proofs.extend(self.overtime(exchange)),
            Claim::RetryLimit => looked.proofs.extend(self.attempts(wire, props)),
            Claim::Resolver => looked.proofs.extend(self.asked_elsewhere(wire, props)),
            Claim::Cancel => {}
            _ => {
                looked
                    .proofs
                    .extend(self.arrived(wire, ask, props, Some(exchange)));
                looked.proofs.extend(self.unwanted(wire, props));
                if ask.evidence.contains(&EvidenceKind::Query) {
                    looked.proofs.extend(self.asked_for(wire, props));
                }
                if looked.proofs.is_empty() {
                    looked.signals.extend(self.unnamed(wire, ask, since));
                }
            }
        }
        looked
    }

    /// What has arrived since the call was judged.
    pub(in crate::run) fn late_net(&self, ask: &Ask<'_>, props: &Props) -> Vec<Observation> {
        match (self.wire, ask.claim) {
            (Some(_), Claim::Outside) => self.escaped(props),
            (Some(wire), Claim::Base) => self.off_base(wire, ask, props, None),
            (Some(wire), Claim::Resolver) => self.asked_elsewhere(wire, props),
            (Some(wire), Claim::RetryLimit) => self.attempts(wire, props).into_iter().collect(),
            (Some(wire), claim) if !matches!(claim, Claim::TimeLimit | Claim::Cancel) => {
                let mut late = self.arrived(wire, ask, props, None);
                late.extend(self.unwanted(wire, props));
                late
            }
            _ => Vec::new(),
        }
    }

    /// What arrived that nobody but the trial can have sent.
    pub(super) fn hits(&self, wire: Wire<'_>, props: &Props) -> Vec<Hit> {
        let mut hits = self.met(wire, props);
        hits.retain(|hit| hit.tie != Tie::Shared);
        hits
    }

    /// The same with what arrived without a word at a port that others use as well: enough for what is permitted.
    fn met(&self, wire: Wire<'_>, props: &Props) -> Vec<Hit> {
        props
            .nonces()
            .flat_map(|nonce| wire.glass.hits().of_nonce(nonce))
            .filter(|hit| !hit.own)
            .collect()
    }

    /// Hits of the trial at hosts that the policy denies.
    fn arrived(
        &self,
        wire: Wire<'_>,
        ask: &Ask<'_>,
        props: &Props,
        exchange: Option<&Exchange>,
    ) -> Vec<Observation> {
        let mut best: Vec<Hit> = Vec::new();
        for hit in self.hits(wire, props) {
            let denied = hit.socket.is_some()
                || proxied(&hit).is_some_and(|host| !wire.permits(host))
                || !wire.permits(hit.local.ip())
                || misnamed(wire, ask, &hit)
                || closed(wire, ask, &hit);
            if !(is_contact(&hit) && denied) {
                continue;
            }
            // Of one connection the hit that tells most is shown.
            match best.iter_mut().find(|known| {
                let socket = known.socket == hit.socket;
                socket && known.local == hit.local && known.peer == hit.peer
            }) {
                Some(known) if weight(known.kind) < weight(hit.kind) => *known = hit,
                Some(_) => {}
                None => best.push(hit),
            }
        }
        best.truncate(4);
        best.iter()
            .map(|hit| {
                let mut fact = told(hit);
                if hit.socket.is_some() {
                    fact.push_str(", a service of the machine that is not the server's");
                } else if proxied(hit).is_some_and(|host| !wire.permits(host)) {
                    fact.push_str(": the policy denies the host that the proxy was asked for");
                } else if let (true, Some(named)) = (misnamed(wire, ask, hit), ask.named) {
                    fact.push_str(&format!(
                        ", where only {} leads, a name that the policy denies",
                        named.name
                    ));
                } else if closed(wire, ask, hit) {
                    fact.push_str(", a port that the policy does not list");
                } else if let Some(asked) = ask.host.filter(|asked| *asked != hit.local.ip()) {
                    fact.push_str(&format!(", which the policy denies as it does {asked}"));
                } else {
                    fact.push_str(", which the policy denies");
                }
                if let Some(exchange) = exchange {
                    fact.push_str("; ");
                    fact.push_str(answered(exchange));
                }
                self.observed(hit, EvidenceKind::Connection, fact)
            })
            .collect()
    }

    /// What went to the trial's host during the call and carries no word of it. Where only a name is denied, who fetches
    /// may have come to the host by another one.
    fn unnamed(&self, wire: Wire<'_>, ask: &Ask<'_>, since: u64) -> Option<Observation> {
        let fetches = ask.channel.role != Role::NetConnect;
        let target = ask
            .host
            .filter(|_| ask.claim != Claim::DeniedName || !fetches)?;
        let same = |address: IpAddr| same_host(target, address);
        let hit = wire
            .glass
            .hits()
            .since(since)
            .into_iter()
            .filter(|hit| !hit.own && is_contact(hit))
            .filter(|hit| hit.nonce.is_none() || hit.tie == Tie::Shared)
            .find(|hit| same(hit.local.ip()) || proxied(hit).is_some_and(same))?;
        let fact = format!("{} during the call, without a word of its own", told(&hit));
        Some(self.observed(&hit, EvidenceKind::Connection, fact))
    }

    /// What shows that a permitted place was reached.
    fn served(
        &self,
        wire: Wire<'_>,
        ask: &Ask<'_>,
        props: &Props,
        counting: Counting<'_>,
        since: u64,
    ) -> Vec<Observation> {
        let timed = matches!(
            ask.claim,
            Claim::TimeLimit | Claim::RetryLimit | Claim::Cancel
        );
        let mut proofs: Vec<Observation> = props
            .tokens()
            .flat_map(|token| self.sightings.seen(token.slot()))
            .filter(|seen| seen.sighting.proof)
            .map(|seen| {
                let fact = String::from("the token of a permitted place came back");
                seen.observation(EvidenceKind::Token, fact)
            })
            .collect();
        // Who is slow or fails must be served in the end: to be asked is not enough.
        if timed {
            return proofs;
        }
        let meant = match counting {
            Counting::Named(_) => wire.denied(ask, true),
            _ => None,
        };
        // What a request must not carry, its twin must: else nothing shows that it is sent at all.
        if let Some(carried) = self.carried(wire, props) {
            return carried.into_iter().collect();
        }
        // Ports are of one host, and the last place of a trial is what must be reached.
        if ask.claim == Claim::Port && meant.is_some() {
            let at_last = |hit: &&Hit| {
                props.goals().any(|goal| hit.nonce.as_ref() == Some(goal))
                    && hit.seq >= since
                    && is_contact(hit)
                    && wire.permits(hit.local.ip())
                    && wire.network.opens(hit.local.port())
            };
            let hits = self.met(wire, props);
            let found = hits.iter().find(at_last).map(|hit| {
                let fact = format!("{}, a port that the policy lists", told(hit));
                self.observed(hit, EvidenceKind::Connection, fact)
            });
            return found.into_iter().collect();
        }
        let two = wire.hosts.permitted.len() > 1 && !props.smuggles();
        let arrived = self
            .met(wire, props)
            .into_iter()
            .filter(|hit| hit.seq >= since)
            .find(|hit| match hit.kind {
                Kind::Query => ask.channel.role == Role::NetResolve,
                _ if !is_contact(hit) || !wire.permits(hit.local.ip()) => false,
                // Where two hosts are permitted, the twin counts at the one that stands for the denied one.
                _ => !two || meant.is_none_or(|meant| same_host(meant, hit.local.ip())),
            });
        if meant.is_some() && two {
            proofs.clear();
        }
        if let Some(hit) = arrived {
            let fact = format!("{}, which the policy permits", told(&hit));
            proofs.insert(0, self.observed(&hit, EvidenceKind::Connection, fact));
        }
        proofs
    }

    /// A call that outlasted the policy's limit.
    pub(in crate::run) fn overtime(&self, exchange: &Exchange) -> Option<Observation> {
        let limit = self.policy.time_limit()?;
        let slack = SLACK.max(limit.mul_f64(0.2));
        let unanswered = matches!(exchange.outcome, Outcome::Timeout);
        (exchange.took > limit + slack).then(|| Observation {
            witness: String::from("clock"),
            kind: EvidenceKind::Limit,
            fact: format!(
                "the call {} {:.1} s; the policy permits {} s",
                if unanswered {
                    "was not answered for"
                } else {
                    "took"
                },
                exchange.took.as_secs_f64(),
                limit.as_secs_f64()
            ),
            at_ms: self.now_ms(),
            decoders: Vec::new(),
            excerpt: None,
        })
    }

    /// More attempts than the policy permits.
    fn attempts(&self, wire: Wire<'_>, props: &Props) -> Option<Observation> {
        let permitted = wire.retries? + 1;
        let requests: Vec<Hit> = self
            .hits(wire, props)
            .into_iter()
            .filter(|hit| hit.kind == Kind::Request && hit.nonce.is_some())
            .filter(|hit| matches!(hit.tie, Tie::Asked | Tie::Port))
            .collect();
        let last = requests.last()?;
        (requests.len() > permitted as usize).then(|| {
            let fact = format!(
                "{} requests arrived for one call; the policy permits {permitted}",
                requests.len()
            );
            self.observed(last, EvidenceKind::Limit, fact)
        })
    }

    /// Questions of the trial at a resolver that may not be asked.
    fn asked_elsewhere(&self, wire: Wire<'_>, props: &Props) -> Vec<Observation> {
        let Some(only) = wire.network.resolver else {
            return Vec::new();
        };
        self.hits(wire, props)
            .iter()
            .filter(|hit| hit.kind == Kind::Query && hit.local.ip() != only)
            .take(2)
            .map(|hit| {
                let fact = format!("{}; the policy permits {only} only", told(hit));
                self.observed(hit, EvidenceKind::Query, fact)
            })
            .collect()
    }

    /// Questions for a name that the policy denies, whoever was asked.
    fn asked_for(&self, wire: Wire<'_>, props: &Props) -> Vec<Observation> {
        self.hits(wire, props)
            .iter()
            .filter(|hit| hit.kind == Kind::Query)
            .take(1)
            .map(|hit| {
                self.observed(
                    hit,
                    EvidenceKind::Query,
                    format!("{}, a name that the policy denies", told(hit)),
                )
            })
            .collect()
    }

    pub(in crate::run) fn observed(
        &self,
        hit: &Hit,
        kind: EvidenceKind,
        fact: String,
    ) -> Observation {
        Observation {
            witness: String::from(match hit.kind {
                Kind::Query => "resolver",
                Kind::Syn | Kind::Datagram | Kind::Echo => "packets",
                _ => "sink",
            }),
            kind,
            fact,
            at_ms: u64::try_from(hit.at.saturating_duration_since(self.began).as_millis())
                .unwrap_or(u64::MAX),
            decoders: Vec::new(),
            excerpt: excerpt(hit),
        }
    }
}

/// Whether a trial on ports has led to one that is not permitted. Resolvers are another question.
fn closed(wire: Wire<'_>, ask: &Ask<'_>, hit: &Hit) -> bool {
    let port = hit.local.port();
    ask.claim == Claim::Port && port != DNS && !wire.network.opens(port)
}

/// Whether a trial on a denied name has come to where the name leads. What asks there for a permitted name, or for the
/// address itself, did not come by it; and who fetches says what for.
fn misnamed(wire: Wire<'_>, ask: &Ask<'_>, hit: &Hit) -> bool {
    let denied = |host: &str| {
        let host = host.parse::<Authority>();
        let host = host.as_ref().map(Authority::host).unwrap_or_default();
        let literal = host.trim_matches(['[', ']']).parse::<IpAddr>().is_ok();
        !literal && wire.network.permits_name(host) != Some(true)
    };
    ask.claim == Claim::DeniedName
        && ask.host.is_some_and(|host| same_host(host, hit.local.ip()))
        && match hit.host.as_deref() {
            Some(host) => denied(host),
            None => ask.channel.role == Role::NetConnect,
        }
}

fn same_host(meant: IpAddr, met: IpAddr) -> bool {
    let plain = |address: IpAddr| carried(address).map_or(address.to_canonical(), IpAddr::V4);
    plain(meant) == plain(met)
}
