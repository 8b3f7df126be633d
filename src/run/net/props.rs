//! What stands ready on the network for one trial: places at the sink, names, a port.
//!
//! Owns planting them, their values in texts, and their removal. Files of the same trial are the scene's.

mod base;
mod stand;

use std::{
    net::IpAddr,
    path::{Path, PathBuf},
};

use super::Wire;
use crate::{
    canary::{Mint, Token},
    probe::{Claim, Part, Reference, Role, Spelling, Text},
    run::stage::Ask,
    testbed::{
        Scene, SceneError,
        net::{Answers, Data, GlassError, Nonce, Server, Socket},
        spell,
    },
};

/// More directories than lie above any place where a target keeps what it downloads.
const DEPTH: usize = 12;

/// The props of one trial in one world.
#[derive(Debug)]
pub(in crate::run) struct Props {
    items: Vec<Prop>,
    values: Vec<(&'static str, String)>,
    /// What arrives at the port is the trial's without a word.
    nonce: Nonce,
    port: Option<u16>,
    /// The permitted host by its name, in a twin: where hosts are allowed by name only, no address need be served.
    named: Option<String>,
    /// Where names lead that hosts give.
    away: PathBuf,
    /// Ports that URLs of the two schemes must name, where the default ones are not permitted.
    in_url: [Option<u16>; 2],
}

#[derive(Debug)]
struct Prop {
    name: String,
    nonce: Nonce,
    token: Token,
    tag: String,
    /// The whole name, of a record.
    host: Option<String>,
    leads: bool,
    /// What no request of the trial, or for the place, may carry.
    unwanted: Unwanted,
    /// What a record says in the second call.
    next: Vec<Data>,
    /// A Unix socket, and where it is.
    socket: Option<(Socket, String)>,
    /// Keeps its callers waiting.
    stalls: bool,
}

/// What requests must not carry.
#[derive(Debug, Default)]
pub(super) struct Unwanted {
    /// The name of a header field.
    pub(super) field: Option<String>,
    /// A text in a header field.
    pub(super) value: Option<String>,
}

impl Props {
    /// Plants what the trial needs.
    ///
    /// # Errors
    /// When a text cannot be rendered or no port can be listened at.
    pub(super) fn set(
        wire: Wire<'_>,
        ask: &Ask<'_>,
        scene: &Scene,
        mint: &Mint,
    ) -> Result<Self, SceneError> {
        let glass = wire.glass;
        let nonce = glass.nonce();
        let twin = scene.geometry.twin;
        let unheard = |error: GlassError| SceneError::Listen(error.to_string());
        let lone = wire
            .denied(ask, twin)
            .filter(|_| names(ask, "net.lone-port"));
        let port = match lone {
            Some(address) => Some(glass.listen_alone(address, &nonce).map_err(unheard)?),
            None if names(ask, "net.denied-port") && !twin => {
                Some(unlisted(wire, &nonce).map_err(unheard)?)
            }
            None => needs_port(ask)
                .then(|| glass.listen_for(wire.own_port(), &nonce))
                .transpose()
                .map_err(unheard)?,
        };
        let by_address = wire
            .hosts
            .permitted
            .first()
            .is_some_and(|it| wire.network.permits(*it));
        let mut props = Self {
            items: Vec::new(),
            values: Vec::new(),
            nonce,
            port,
            named: wire.hosts.named.clone().filter(|_| twin && !by_address),
            away: scene.geometry.denied.clone(),
            in_url: [wire.in_url(80), wire.in_url(443)],
        };
        let permitted = wire.hosts.permitted.first().copied();
        let text = |address: Option<IpAddr>| address.map(|address| address.to_string());
        let own_name = format!("{}.{}", props.nonce, wire.hosts.domain);
        if let Some(address) = permitted {
            let answers = Answers::addresses([address]);
            let name = wire.hosts.named.as_ref().unwrap_or(&own_name);
            glass.names().set(Server::Any, name, answers);
        }
        let own_name = wire.hosts.named.clone().unwrap_or(own_name);
        let name = match ask.named {
            Some(named) if ask.claim == Claim::HostName => named.name.clone(),
            _ => own_name,
        };
        if let Some(address) = permitted.filter(|_| ask.named.is_some()) {
            let answers = Answers::addresses([address]);
            glass.names().set(Server::Any, &name, answers);
        }
        props
            .values
            .extend(text(permitted).map(|value| ("net.address", value)));
        let allowed = wire.hosts.named.clone().or(text(permitted));
        props
            .values
            .extend(allowed.map(|value| ("net.allowed", value)));
        props
            .values
            .extend(text(wire.denied(ask, twin)).map(|value| ("net.denied", value)));
        props
            .values
            .extend(wire.other(twin).map(|value| ("net.other", value)));
        props
            .values
            .extend(wire.proxy().map(|value| ("net.proxy", value)));
        let line_break = if twin { "-" } else { "\r\n" };
        props.values.push(("net.break", line_break.to_owned()));
        props.base(wire, ask, twin);
        let away = match twin {
            true => String::new(),
            false => format!("{}/", scene.geometry.denied.display()),
        };
        let climb = match twin {
            true => String::new(),
            false => format!("{}{}", "../".repeat(DEPTH), away.trim_start_matches('/')),
        };
        props
            .values
            .extend([("net.away", away), ("net.climb", climb)]);
        let rule = match (ask.named, wire.hosts.allowed_names.first()) {
            (Some(named), _) if ask.claim == Claim::HostName => named.rule.name.clone(),
            (_, Some(first)) => first.rule.name.clone(),
            _ => name.clone(),
        };
        props.values.push(("net.rule", rule));
        let denied = ask
            .named
            .filter(|_| !twin && ask.claim == Claim::DeniedName);
        let denied = denied.map_or_else(|| name.clone(), |named| named.name.clone());
        props.values.push(("net.denied-name", denied));
        props.values.push(("net.name", name));
        props.values.push(("net.domain", wire.hosts.domain.clone()));
        props
            .values
            .extend(port.map(|port| ("net.port", port.to_string())));
        props
            .values
            .extend(port.map(|port| ("net.denied-port", port.to_string())));
        props
            .values
            .extend(port.map(|port| ("net.lone-port", port.to_string())));
        let listed = wire.network.ports.as_ref().and_then(|ports| ports.first());
        let listed = listed.map_or_else(|| String::from("80"), u16::to_string);
        props.values.push(("net.port-listed", listed));
        for plant in &ask.plants {
            if !plant.on_network() {
                continue;
            }
            props.items.push(Prop {
                name: plant.name.clone(),
                nonce: glass.nonce(),
                token: mint.token(),
                tag: mint.tag().to_owned(),
                host: None,
                leads: false,
                unwanted: Unwanted::default(),
                next: Vec::new(),
                socket: None,
                stalls: false,
            });
            if let Some(socket) = &plant.socket {
                props.socket(wire, scene, &socket.at)?;
            }
            if let Some(site) = &plant.site {
                props.site(wire, scene, site)?;
            }
            if let Some(record) = &plant.record {
                props.record(wire, scene, record)?;
            }
        }
        Ok(props)
    }

    /// The port on which only this trial listens, if it needs one.
    pub(super) fn port(&self) -> Option<u16> {
        self.port
    }

    /// Gives the port of the trial free. One of the policy's is listened at by all.
    pub(super) fn close(&self, wire: Wire<'_>, port: u16) {
        match &wire.network.ports {
            Some(ports) if ports.contains(&port) => wire.glass.release(port, &self.nonce),
            _ => wire.glass.close(port),
        }
    }

    /// Where names lead that hosts give.
    pub(super) fn away(&self) -> &Path {
        &self.away
    }

    /// The words of what is reached last: of what leads nowhere else.
    pub(super) fn goals(&self) -> impl Iterator<Item = &Nonce> {
        let last = self.items.iter().filter(|prop| !prop.leads);
        last.map(|prop| &prop.nonce).chain([&self.nonce])
    }

    /// The tokens that only what stands at the sink carries.
    pub(super) fn tokens(&self) -> impl Iterator<Item = &Token> {
        self.items.iter().map(|prop| &prop.token)
    }

    /// The words by which hits are known to be the trial's.
    pub(in crate::run) fn nonces(&self) -> impl Iterator<Item = &Nonce> {
        self.items
            .iter()
            .map(|prop| &prop.nonce)
            .chain([&self.nonce])
    }

    /// What requests must not carry, each with the word of its place.
    pub(super) fn unwanted(&self) -> impl Iterator<Item = (&Nonce, &Unwanted)> {
        self.items.iter().map(|prop| (&prop.nonce, &prop.unwanted))
    }

    /// Whether the trial is about what is put into a request, wherever it goes.
    pub(super) fn smuggles(&self) -> bool {
        self.items.iter().any(|prop| prop.unwanted.field.is_some())
    }

    /// Whether a socket of the machine is what the trial is about.
    pub(super) fn has_socket(&self) -> bool {
        self.items.iter().any(|prop| prop.socket.is_some())
    }

    /// Has the names say what they say in a second call; whether there is one.
    pub(super) fn turn(&self, wire: Wire<'_>) -> bool {
        let mut turned = false;
        for prop in &self.items {
            if let (Some(host), false) = (&prop.host, prop.next.is_empty()) {
                let next = Answers::Fixed(prop.next.clone());
                wire.glass.names().set(Server::Any, host, next);
                turned = true;
            }
        }
        turned
    }

    /// Ends the wait of callers that places of the trial keep waiting.
    pub(super) fn let_go(&self, wire: Wire<'_>) {
        for prop in self.items.iter().filter(|prop| prop.stalls) {
            wire.glass.let_go(&prop.nonce);
        }
    }

    /// Whether a place or a name of the trial leads to the denied host.
    pub(super) fn lead_on(&self) -> bool {
        self.items.iter().any(|prop| prop.leads)
    }

    /// The address behind the name of the permitted host; any other text as it is.
    pub(super) fn address_of<'t>(&'t self, text: &'t str) -> &'t str {
        let mut values = self.values.iter();
        let address = values.find(|(name, _)| *name == "net.address");
        match address {
            Some((_, address)) if self.named.as_deref() == Some(text) => address,
            _ => text,
        }
    }

    /// The text with all references replaced by their values.
    pub(super) fn render(&self, scene: &Scene, text: &Text) -> Result<String, SceneError> {
        let mut rendered = String::new();
        for part in &text.0 {
            match part {
                Part::Literal(literal) => rendered.push_str(literal),
                Part::Reference(reference) if reference.symbol.ends_with(".request") => {
                    rendered.push_str(&self.port_of(&rendered));
                    rendered.push_str(&self.value(reference).unwrap_or_default());
                }
                Part::Reference(reference) => match self.value(reference) {
                    Some(value) => rendered.push_str(
                        &reference
                            .spelling
                            .map_or_else(|| value.clone(), |how| spell(&value, how)),
                    ),
                    None => rendered.push_str(&scene.tell(&Text(vec![part.clone()]))?),
                },
            }
        }
        Ok(rendered)
    }

    /// What has to follow the beginning of a URL, up to the host: a port that the policy permits, where that of
    /// the scheme is not, and none is written.
    fn port_of(&self, begun: &str) -> String {
        let Some((scheme, authority)) = begun.split_once("//") else {
            return String::new();
        };
        let host = authority.rsplit(['@', ']']).next().unwrap_or_default();
        let port = match scheme.to_ascii_lowercase().as_str() {
            "http:" | "" => self.in_url[0],
            "https:" => self.in_url[1],
            _ => None,
        };
        match port {
            Some(port) if !authority.contains(['/', '?', '#']) && !host.contains(':') => {
                format!(":{port}")
            }
            _ => String::new(),
        }
    }

    fn value(&self, reference: &Reference) -> Option<String> {
        let symbol = reference.symbol.as_str();
        let plain = matches!(reference.spelling, None | Some(Spelling::Bracketed));
        if let (Some(name), "net.denied", true) = (&self.named, symbol, plain) {
            return Some(name.clone());
        }
        if let Some((_, value)) = self.values.iter().find(|(name, _)| *name == symbol) {
            return Some(value.clone());
        }
        let (name, field) = symbol.split_once('.')?;
        let prop = self.items.iter().find(|prop| prop.name == name)?;
        match field {
            "nonce" => Some(prop.nonce.to_string()),
            "request" => Some(format!("/{}/page.html", prop.nonce)),
            "host" => prop.host.clone(),
            "token" => Some(prop.token.as_str().to_owned()),
            "tag" => Some(prop.tag.clone()),
            "path" => prop.socket.as_ref().map(|(_, path)| path.clone()),
            _ => None,
        }
    }
}

/// Whether a text of the trial names the port, or its role needs one that no text gives.
fn needs_port(ask: &Ask<'_>) -> bool {
    names(ask, "net.port")
        || names(ask, "net.denied-port")
        || (ask.channel.role == Role::NetConnect && ask.variant.port.is_none())
}

/// Listens at a port that the policy does not list.
fn unlisted(wire: Wire<'_>, nonce: &Nonce) -> Result<u16, GlassError> {
    loop {
        let port = wire.glass.listen_for(0, nonce)?;
        if !wire.network.opens(port) {
            return Ok(port);
        }
    }
}

/// Whether a text that is sent, or that a place answers with, names the symbol.
fn names(ask: &Ask<'_>, symbol: &str) -> bool {
    let variant = ask.variant;
    let sites = ask.plants.iter().filter_map(|plant| plant.site.as_ref());
    [&variant.url, &variant.host, &variant.port, &variant.text]
        .into_iter()
        .flatten()
        .chain(sites.flat_map(|site| site.headers.values()))
        .flat_map(Text::references)
        .any(|reference| reference.symbol == symbol)
}
