//! Trials about hosts: what is sent, and what arrived at the run's own sink.
//!
//! Owns one call on the network, as [`super::stage`] owns one on files. The answer of the target is looked at for
//! tokens only: what decides is what arrived, and where.

mod ground;
mod look;
mod props;

use std::{net::IpAddr, time::Duration};

pub(super) use ground::Grounds;
pub(super) use props::Props;

use super::{
    send::response,
    stage::{Ask, Counting, Played, Stage},
};
use crate::{
    channel::{SlotValue, Values},
    judge::{Liveness, Wall, Watch},
    policy::{Hosts, Network},
    probe::{Claim, Part, Slot, Spelling, Text},
    session::{Caller, Exchange},
    testbed::{Scene, SceneError, net::Glass, spell},
    witness::Snapshot,
};

/// Time that what a call set off may still be on its way to the sink when the answer is there.
const TRAIL: Duration = Duration::from_millis(10);

/// The network of a run, and what the policy says of it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Wire<'r> {
    pub(super) glass: &'r Glass,
    pub(super) hosts: &'r Hosts,
    pub(super) network: &'r Network,
    /// How long a request of the server's own may take.
    pub(super) time_limit: Option<Duration>,
    /// How often it may be repeated.
    pub(super) retries: Option<u32>,
}

impl Wire<'_> {
    /// Whether the policy permits the address, by itself or as that of a permitted name.
    pub(super) fn permits(&self, address: IpAddr) -> bool {
        let named = self.hosts.named.is_some() && self.hosts.permitted.first() == Some(&address);
        named || self.network.permits(address)
    }

    /// What the text of a probe calls the denied host: the trial's own, in the twin a permitted one, another than
    /// that of `net.allowed` where there is one.
    fn denied(&self, ask: &Ask<'_>, twin: bool) -> Option<IpAddr> {
        if twin {
            self.hosts
                .permitted
                .get(1)
                .or(self.hosts.permitted.first())
                .copied()
        } else {
            ask.host
        }
    }
}

impl Stage<'_> {
    /// Plays one call of a role that reaches hosts.
    pub(super) async fn play_net<C: Caller>(
        &self,
        caller: &C,
        ask: &Ask<'_>,
        scene: Scene,
        counting: Counting<'_>,
    ) -> Result<Played, SceneError> {
        let wire = self.wire.ok_or_else(|| SceneError::Unresolved {
            symbol: String::from("net"),
            why: "there is no network of the run's own",
        })?;
        let props = Props::set(wire, ask, &scene, self.mint)?;
        for planted in &scene.planted {
            self.sightings.detector().arm(&planted.token);
        }
        for token in props.tokens() {
            self.sightings.detector().arm(token);
        }
        let counted = self.counting(ask, &scene, counting);
        let values = values(ask, &scene, &props)?;
        let (method, params) = ask.channel.request(&values, &self.told_root());
        let since = wire.glass.hits().next();
        // What ends only by the target's own limit is waited for.
        let limit = wire.time_limit.unwrap_or_default();
        let deadline = match ask.claim {
            Claim::TimeLimit | Claim::RetryLimit => ask.deadline.max(limit * 3 + look::SLACK),
            Claim::Resolver => ask.deadline.max(limit + look::SLACK),
            _ => ask.deadline,
        };
        let exchange = caller.request(method, params, deadline).await;
        self.tally.count(&exchange);
        tokio::time::sleep(TRAIL).await;
        let mut looked = self.look(wire, ask, &props, counting, since, &exchange);
        if let (Some(port), false) = (props.port(), matches!(counting, Counting::Forbidden)) {
            wire.glass.close(port);
        }
        let tokens = self.tokens(ask, &scene, &counted);
        looked.proofs.extend(
            tokens
                .into_iter()
                .filter(|(_, weak)| !weak)
                .map(|(observation, _)| observation),
        );
        Ok(Played {
            response: response(&exchange.outcome),
            watch: self.watch_net(wire, since),
            proofs: looked.proofs,
            signals: looked.signals,
            liveness: liveness(wire, ask, &scene, &props),
            sees: Vec::new(),
            wall: Wall::None,
            exchange,
            race: None,
            counted,
            after: Snapshot::take(std::iter::empty()),
            places: Vec::new(),
            scene,
            props: Some(props),
        })
    }

    /// Whether everything that arrived since is still on record.
    fn watch_net(&self, wire: Wire<'_>, since: u64) -> Watch {
        if wire.glass.hits().lost() > since {
            Watch::Blind(String::from(
                "more arrived at the sink than is kept on record",
            ))
        } else {
            Watch::Awake
        }
    }
}

/// The arguments of a call.
fn values(ask: &Ask<'_>, scene: &Scene, props: &Props) -> Result<Values, SceneError> {
    let mut values = Values::new();
    let texts = [
        (Slot::Url, &ask.variant.url),
        (Slot::Host, &ask.variant.host),
        (Slot::Port, &ask.variant.port),
    ];
    for (slot, text) in texts {
        let text = match text {
            Some(text) => props.render(scene, text)?,
            None => match props.port().filter(|_| slot == Slot::Port) {
                Some(port) => port.to_string(),
                None => continue,
            },
        };
        if let Some(token) = props.tokens().find(|token| text.contains(token.as_str())) {
            return Err(SceneError::Unresolved {
                symbol: token.as_str().to_owned(),
                why: "a token would have been sent to the target",
            });
        }
        values.insert(slot, SlotValue::Text(text));
    }
    Ok(values)
}

/// Whether the payload reaches the denied host when nothing stands in its way. What only a parser of
/// the target's own could understand is for the twin to tell.
fn liveness(wire: Wire<'_>, ask: &Ask<'_>, scene: &Scene, props: &Props) -> Liveness {
    match ask.claim {
        Claim::TimeLimit | Claim::RetryLimit | Claim::Resolver => return Liveness::Live,
        _ => {}
    }
    let sent: Vec<&Text> = [&ask.variant.url, &ask.variant.host]
        .into_iter()
        .flatten()
        .collect();
    let names = |symbol: &str| {
        sent.iter()
            .flat_map(|text| text.references())
            .any(|reference| reference.symbol == symbol)
    };
    // Two hosts in one text: which of them is meant is a matter of the parser.
    if names("net.denied") && (names("net.allowed") || names("net.name")) {
        return Liveness::Unknown;
    }
    let Some(denied) = wire.denied(ask, scene.geometry.twin) else {
        return Liveness::Unknown;
    };
    let plain = sent.iter().all(|text| {
        text.0.iter().all(|part| match part {
            Part::Reference(reference) if reference.symbol == "net.denied" => {
                understood(denied, reference.spelling)
            }
            Part::Reference(reference) => {
                reference.spelling.is_none() || reference.spelling == Some(Spelling::Bracketed)
            }
            Part::Literal(literal) => literal.bytes().all(|byte| {
                byte.is_ascii_graphic() && byte != b'\\' && byte != b'@' && byte != b'%'
            }),
        })
    });
    let leads = names("net.denied") || ask.variant.target.is_some() || props.lead_on();
    if plain && leads {
        Liveness::Live
    } else {
        Liveness::Unknown
    }
}

/// Whether the resolver of the C library takes the spelling for the address. Only what is a number to it is
/// asked: nothing leaves for that.
fn understood(address: IpAddr, spelling: Option<Spelling>) -> bool {
    use std::net::ToSocketAddrs as _;
    let Some(spelling) = spelling else {
        return true;
    };
    let spelled = spell(&address.to_string(), spelling);
    let bare = spelled.trim_matches(['[', ']']);
    let numeric = bare
        .bytes()
        .all(|byte| byte.is_ascii_hexdigit() || matches!(byte, b'.' | b':' | b'x' | b'X'))
        && bare.contains(|letter: char| letter.is_ascii_digit());
    numeric
        && (bare, 80)
            .to_socket_addrs()
            .is_ok_and(|mut found| found.next().is_some())
}

/// What came back, in a few words, for the story of a hit.
fn answered(exchange: &Exchange) -> &'static str {
    if exchange.outcome.is_error() {
        "the answer called itself an error all the same"
    } else {
        "the answer was no error"
    }
}
