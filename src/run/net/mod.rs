//! Trials about hosts: what is sent, and what arrived at the run's own sink.
//!
//! Owns one call on the network, as [`super::stage`] owns one on files. The answer of the target is looked at for
//! tokens only: what decides is what arrived, and where.

mod base;
mod call;
mod carried;
mod ground;
mod landed;
mod look;
mod props;
mod tell;

use std::{
    net::IpAddr,
    sync::atomic::{AtomicUsize, Ordering},
    time::Duration,
};

use call::Sent;
use serde_json::{Map, Value};

pub(super) use ground::Grounds;
pub(super) use props::Props;
pub(super) use tell::{is_contact, told};

use super::{
    Order,
    liveness::Leads,
    send::response,
    stage::{Ask, Counting, Played, Stage},
};
use crate::{
    channel::{SlotValue, Values},
    judge::{Liveness, Response, Wall, Watch},
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
    /// Whether the target is told that its API is at the sink.
    pub(super) sink: bool,
}

impl<'r> Wire<'r> {
    /// The network of a run with what its policy says of it.
    pub(super) fn of(order: &Order<'r>, hosts: &'r Hosts) -> Option<Self> {
        Some(Self {
            glass: *order.glass.as_ref().ok()?,
            hosts,
            network: order.policy.network(),
            time_limit: order.policy.time_limit(),
            retries: order.policy.max_retries(),
            sink: order.sink,
        })
    }
}

impl Wire<'_> {
    /// Whether the policy permits the address, by itself or as that of a permitted name.
    pub(super) fn permits(&self, address: IpAddr) -> bool {
        let named = self.hosts.named.is_some() && self.hosts.permitted.first() == Some(&address);
        named || self.network.permits(address)
    }

    /// The port that must be written out in a URL, where the default one of its scheme is not permitted.
    pub(super) fn in_url(&self, default: u16) -> Option<u16> {
        let ports = self.network.ports.as_ref()?;
        ports.first().filter(|_| !ports.contains(&default)).copied()
    }

    /// A port for something of its own: any, or where the policy lists ports each of them in turn. Where it lists
    /// fewer than the three places on which a channel is proven, connections cannot be told apart, and tools that
    /// only connect stay unproven.
    pub(super) fn own_port(&self) -> u16 {
        static TURN: AtomicUsize = AtomicUsize::new(0);
        self.network.ports.as_ref().map_or(0, |ports| {
            let turn = TURN.fetch_add(1, Ordering::Relaxed);
            ports.get(turn % ports.len().max(1)).copied().unwrap_or(0)
        })
    }

    /// What the text of a probe calls the denied host: the trial's own, in the twin a permitted one, another than
    /// that of `net.allowed` where there is one.
    fn denied(&self, ask: &Ask<'_>, twin: bool) -> Option<IpAddr> {
        if twin && ask.claim == Claim::Base {
            self.hosts.base.address
        } else if twin {
            self.hosts
                .permitted
                .get(1)
                .or(self.hosts.permitted.first())
                .copied()
        } else {
            ask.host
        }
    }

    /// Another permitted host, as it stands in a URL: where there is none, the same at another port. In the
    /// twin it is the same.
    fn other(&self, twin: bool) -> Option<String> {
        let permitted = &self.hosts.permitted;
        let written = |address: &IpAddr| spell(&address.to_string(), Spelling::Bracketed);
        let first = match &self.hosts.named {
            Some(name) => name.clone(),
            None => written(permitted.first()?),
        };
        Some(match (twin, permitted.get(1), &self.hosts.named) {
            (true, ..) => first,
            (false, Some(second), None) => written(second),
            (false, ..) => format!("{first}:{}", self.another()?),
        })
    }

    /// A permitted host that takes requests for others, as it stands in a URL.
    pub(super) fn proxy(&self) -> Option<String> {
        let first = self.hosts.permitted.first()?;
        let host = spell(&first.to_string(), Spelling::Bracketed);
        let usual = self.in_url(80).unwrap_or(80);
        Some(format!("{host}:{}", self.another().unwrap_or(usual)))
    }

    /// A permitted port that is not that of other URLs of a trial, if there is one: at the same port it would be the
    /// same server.
    fn another(&self) -> Option<u16> {
        let usual = self.in_url(80).unwrap_or(80);
        match &self.network.ports {
            Some(ports) if !ports.contains(&PROXY) || usual == PROXY => {
                ports.iter().rfind(|port| **port != usual).copied()
            }
            _ => Some(PROXY),
        }
    }
}

/// The port of the sink where proxies usually are; every port of it is one.
const PROXY: u16 = 8080;

/// A text of a launch, which is made before anything of the trial stands on the network.
///
/// # Errors
/// When a reference has no value yet.
pub(super) fn before_launch(
    wire: Option<Wire<'_>>,
    scene: &Scene,
    text: &Text,
) -> Result<String, SceneError> {
    let mut rendered = String::new();
    for part in &text.0 {
        let known = match part {
            Part::Reference(reference) if reference.symbol == "net.proxy" => {
                wire.as_ref().and_then(Wire::proxy)
            }
            _ => None,
        };
        match known {
            Some(value) => rendered.push_str(&value),
            None => rendered.push_str(&scene.render(&Text(vec![part.clone()]))?),
        }
    }
    Ok(rendered)
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
        let counted = self.counting(ask, &scene, counting, &Leads::default());
        let values = values(ask, &scene, &props)?;
        let mut channel = ask.channel.clone();
        if let (Some(text), Some(name)) = (&ask.variant.neighbour, ask.channel.neighbour()) {
            let text = props.render(&scene, text)?;
            channel.fixed.insert(name.to_owned(), Value::String(text));
        }
        let request = channel.request(&values, &self.told_root());
        let deadline = self.patience(ask);
        let attack = matches!(counting, Counting::Forbidden);
        let looking = self.looking_for_host(match counting {
            Counting::All => wire.hosts.permitted.first().copied(),
            _ if !reaches(ask, &props) => None,
            Counting::Forbidden => ask.host,
            Counting::Named(_) => wire.denied(ask, true),
        });
        let Sent {
            exchange,
            since,
            lingering,
            taken_back,
        } = self
            .make(caller, wire, ask, &props, request, deadline, attack)
            .await;
        tokio::time::sleep(TRAIL).await;
        let mut looked = self.look(wire, ask, &props, counting, since, &exchange);
        looked.proofs.extend(lingering);
        props.let_go(wire);
        if let (Some(port), false) = (props.port(), matches!(counting, Counting::Forbidden)) {
            props.close(wire, port);
        }
        let tokens = self.tokens(ask, &scene, &counted);
        looked.proofs.extend(
            tokens
                .into_iter()
                .filter(|(_, weak)| !weak)
                .map(|(observation, _)| observation),
        );
        let served = !looked.proofs.is_empty();
        let attempted = self.tried(ask, &scene, looking, counting, served);
        Ok(Played {
            // Who took a call back waits for no answer.
            response: if taken_back {
                Response::Benign
            } else {
                response(&exchange.outcome)
            },
            watch: self.watch_net(wire, since),
            proofs: looked.proofs,
            signals: looked.signals,
            liveness: self
                .carries(wire, &props)
                .unwrap_or_else(|| liveness(wire, ask, &scene, &props)),
            sees: Vec::new(),
            wall: match (attack && reaches(ask, &props), self.view.apart()) {
                (true, Some(why)) => Wall::Around(why),
                _ => Wall::None,
            },
            exchange,
            race: None,
            occupied: false,
            counted,
            after: Snapshot::take(std::iter::empty()),
            places: Vec::new(),
            scene,
            props: Some(props),
            attempted,
        })
    }

    /// How long an answer is waited for: what ends only by the target's own limit takes its time.
    pub(super) fn patience(&self, ask: &Ask<'_>) -> Duration {
        let limit = self.policy.time_limit().unwrap_or_default();
        match ask.claim {
            Claim::TimeLimit | Claim::RetryLimit => ask.deadline.max(limit * 3 + look::SLACK),
            Claim::Resolver => ask.deadline.max(limit + look::SLACK),
            _ => ask.deadline,
        }
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
        (Slot::Ident, &ask.variant.ident),
        (Slot::Host, &ask.variant.host),
        (Slot::Port, &ask.variant.port),
        (Slot::Text, &ask.variant.text),
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
    if !ask.variant.headers.is_empty() {
        let mut headers = Map::new();
        for (name, text) in &ask.variant.headers {
            headers.insert(name.clone(), Value::String(props.render(scene, text)?));
        }
        values.insert(Slot::Headers, SlotValue::Json(Value::Object(headers)));
    }
    Ok(values)
}

/// Whether the trial is about reaching a host that is denied, and not about what is sent to another, or for how
/// long.
fn reaches(ask: &Ask<'_>, props: &Props) -> bool {
    let mut unwanted = props.unwanted();
    let of_content = unwanted.any(|(_, it)| it.field.is_some() || it.value.is_some());
    ask.claim.denies_hosts() && !of_content && !props.has_socket()
}

/// Whether the payload reaches the denied host when nothing stands in its way. What only a parser of
/// the target's own could understand is for the twin to tell.
fn liveness(wire: Wire<'_>, ask: &Ask<'_>, scene: &Scene, props: &Props) -> Liveness {
    match ask.claim {
        Claim::TimeLimit | Claim::RetryLimit | Claim::Resolver | Claim::Cancel => {
            return Liveness::Live;
        }
        Claim::Base => return base::liveness(ask),
        Claim::Port => {
            return match ask.variant.url.as_ref().or(ask.variant.port.as_ref()) {
                Some(text) if as_it_is(text) => Liveness::Live,
                _ => Liveness::Unknown,
            };
        }
        _ if props.has_socket() => return Liveness::Live,
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
    // Whether code or a query can connect at all is for the twin to tell.
    if sent.is_empty() {
        return Liveness::Unknown;
    }
    // Whether anybody follows what a page refers to is for the twin to tell.
    let mut pages = ask.plants.iter().filter_map(|plant| plant.site.as_ref());
    if pages.any(|site| site.body.as_ref().is_some_and(refers)) {
        return Liveness::Unknown;
    }
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

/// Whether the text of a page holds a URL of the denied host.
fn refers(body: &Text) -> bool {
    body.references()
        .any(|reference| reference.symbol == "net.denied")
}

/// Whether every parser reads the same in a text: a scheme, a host, a port.
fn as_it_is(text: &Text) -> bool {
    text.0.iter().all(|part| match part {
        Part::Literal(literal) => matches!(literal.as_str(), "http://" | "https://" | ":"),
        Part::Reference(reference) => {
            matches!(reference.spelling, None | Some(Spelling::Bracketed))
        }
    })
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
