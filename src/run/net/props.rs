//! What stands ready on the network for one trial: places at the sink, names, a port.
//!
//! Owns planting them, their values in texts, and their removal. Files of the same trial are the scene's.

use std::{net::IpAddr, time::Duration};

use super::Wire;
use crate::{
    canary::{Mint, Token, document},
    probe::{
        Part, RecordFailure, RecordPlant, Reference, Role, SiteFailure, SitePlant, Stall, Text,
    },
    run::stage::Ask,
    testbed::{
        Scene, SceneError,
        net::{Answers, Data, Failure, Nonce, Page, Rcode, Script, Server, Spot},
        spell,
    },
};

/// Attempts that fail in a trial about retries, beyond what the policy permits: enough to tell
/// "one too many" from "without bound".
const TOO_MANY: u32 = 40;

/// The first label of names of a run: no word that a server could know.
const LABEL: &str = "site";

/// The props of one trial in one world.
#[derive(Debug)]
pub(in crate::run) struct Props {
    items: Vec<Prop>,
    values: Vec<(&'static str, String)>,
    /// What arrives at the port is the trial's without a word.
    nonce: Nonce,
    port: Option<u16>,
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
        let port = needs_port(ask)
            .then(|| glass.listen_for(0, &nonce))
            .transpose()
            .map_err(|error| SceneError::Listen(error.to_string()))?;
        let mut props = Self {
            items: Vec::new(),
            values: Vec::new(),
            nonce,
            port,
        };
        let permitted = wire.hosts.permitted.first().copied();
        let text = |address: Option<IpAddr>| address.map(|address| address.to_string());
        let own_name = format!("{}.{}", props.nonce, wire.hosts.domain);
        if let Some(address) = permitted {
            let answers = Answers::addresses([address]);
            let name = wire.hosts.named.as_ref().unwrap_or(&own_name);
            glass.names().set(Server::Any, name, answers);
        }
        let name = wire.hosts.named.clone().unwrap_or(own_name);
        props
            .values
            .extend(text(permitted).map(|value| ("net.address", value)));
        let allowed = wire.hosts.named.clone().or(text(permitted));
        props
            .values
            .extend(allowed.map(|value| ("net.allowed", value)));
        props
            .values
            .extend(text(wire.denied(ask, scene.geometry.twin)).map(|value| ("net.denied", value)));
        let rule = wire.hosts.rule.as_ref().unwrap_or(&name).clone();
        props.values.push(("net.rule", rule));
        props.values.push(("net.name", name));
        props.values.push(("net.domain", wire.hosts.domain.clone()));
        props
            .values
            .extend(port.map(|port| ("net.port", port.to_string())));
        for plant in &ask.plants {
            if plant.site.is_none() && plant.record.is_none() {
                continue;
            }
            props.items.push(Prop {
                name: plant.name.clone(),
                nonce: glass.nonce(),
                token: mint.token(),
                tag: mint.tag().to_owned(),
                host: None,
                leads: false,
            });
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

    /// Whether a place or a name of the trial leads to the denied host.
    pub(super) fn lead_on(&self) -> bool {
        self.items.iter().any(|prop| prop.leads)
    }

    /// The text with all references replaced by their values.
    pub(super) fn render(&self, scene: &Scene, text: &Text) -> Result<String, SceneError> {
        let mut rendered = String::new();
        for part in &text.0 {
            match part {
                Part::Literal(literal) => rendered.push_str(literal),
                Part::Reference(reference) => match self.value(reference) {
                    Some(value) => rendered.push_str(
                        &reference
                            .spelling
                            .map_or_else(|| value.clone(), |how| spell(&value, how)),
                    ),
                    None => rendered.push_str(&scene.render(&Text(vec![part.clone()]))?),
                },
            }
        }
        Ok(rendered)
    }

    fn value(&self, reference: &Reference) -> Option<String> {
        let symbol = reference.symbol.as_str();
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
            _ => None,
        }
    }

    /// Scripts the last item as a place at the sink.
    fn site(&mut self, wire: Wire<'_>, scene: &Scene, site: &SitePlant) -> Result<(), SceneError> {
        let Some(prop) = self.items.last() else {
            return Ok(());
        };
        let body = match &site.body {
            Some(body) => self.render(scene, body)?,
            None => document(&prop.token, &prop.tag, "txt"),
        };
        let kind = site.content_type.as_deref().unwrap_or("text/plain");
        let mut page = Page::of(kind, body).status(site.status.unwrap_or(200));
        let mut leads = site.body.is_some();
        for (name, value) in &site.headers {
            leads = true;
            page = page.header(name, &self.render(scene, value)?);
        }
        let twin = scene.geometry.twin;
        let serve = Script::Serve(page);
        let limit = wire.time_limit.unwrap_or(Duration::from_secs(5));
        let script = match (site.stall, site.fail) {
            (Some(stall), _) => stalled(stall, limit, twin, serve, &prop.nonce),
            (None, Some(failure)) => {
                let retries = wire.retries.unwrap_or(0);
                Script::FailTimes {
                    times: if twin {
                        retries.min(1)
                    } else {
                        retries + TOO_MANY
                    },
                    failure: match failure {
                        SiteFailure::Unavailable | SiteFailure::RetryLater => Failure::Status(503),
                        SiteFailure::Reset => Failure::Reset,
                        SiteFailure::Close => Failure::Close,
                    },
                    retry_after: match (failure, twin) {
                        (SiteFailure::RetryLater, false) => Some(String::from("86400")),
                        (SiteFailure::RetryLater, true) => Some(String::from("0")),
                        _ => None,
                    },
                    then: Box::new(serve),
                }
            }
            (None, None) => serve,
        };
        wire.glass.script(Spot::all(&prop.nonce), script);
        if let Some(prop) = self.items.last_mut() {
            prop.leads = leads;
        }
        Ok(())
    }

    /// Scripts the last item as a name.
    fn record(
        &mut self,
        wire: Wire<'_>,
        scene: &Scene,
        record: &RecordPlant,
    ) -> Result<(), SceneError> {
        let Some(prop) = self.items.last() else {
            return Ok(());
        };
        let name = match (&record.called, &record.label) {
            (Some(name), _) => self.render(scene, name)?,
            (None, Some(label)) => format!(
                "{}.{}.{}",
                self.render(scene, label)?,
                prop.nonce,
                wire.hosts.domain
            ),
            (None, None) => format!("{LABEL}.{}.{}", prop.nonce, wire.hosts.domain),
        };
        let addresses = |texts: &[Text]| -> Result<Vec<Data>, SceneError> {
            texts
                .iter()
                .map(|text| {
                    let text = self.render(scene, text)?;
                    text.trim_matches(['[', ']'])
                        .parse()
                        .map(Data::Address)
                        .map_err(|_| SceneError::Unresolved {
                            symbol: text,
                            why: "a record leads to addresses",
                        })
                })
                .collect()
        };
        let to = match &record.alias {
            Some(alias) => vec![Data::Cname(self.render(scene, alias)?)],
            None => addresses(&record.to)?,
        };
        let answers = if record.then.is_empty() {
            Answers::Fixed(to)
        } else {
            Answers::Flip {
                first: to,
                times: record.after.unwrap_or(1),
                then: addresses(&record.then)?,
            }
        };
        let names = wire.glass.names();
        let elsewhere = addresses(&record.elsewhere)?;
        match record.fail {
            Some(how) => {
                let failing = match how {
                    RecordFailure::Servfail => Answers::Fail(Rcode::ServFail),
                    RecordFailure::Nxdomain => Answers::Fail(Rcode::NxDomain),
                    RecordFailure::Silence => Answers::Never,
                };
                names.set(Server::Any, &name, Answers::Fixed(elsewhere));
                let server = wire.network.resolver.map_or(Server::Any, Server::At);
                names.set(server, &name, failing);
            }
            None if !elsewhere.is_empty() => {
                names.set(Server::Any, &name, Answers::Fixed(elsewhere));
                let server = wire.network.resolver.map_or(Server::Any, Server::At);
                names.set(server, &name, answers);
            }
            None => names.set(Server::Any, &name, answers),
        }
        if let Some(prop) = self.items.last_mut() {
            prop.host = Some(name);
            prop.leads = true;
        }
        Ok(())
    }
}

/// Whether a text of the trial names the port, or its role needs one that no text gives.
fn needs_port(ask: &Ask<'_>) -> bool {
    let variant = ask.variant;
    let named = [&variant.url, &variant.host, &variant.port]
        .into_iter()
        .flatten()
        .flat_map(Text::references)
        .any(|reference| reference.symbol == "net.port");
    named || (ask.channel.role == Role::NetConnect && variant.port.is_none())
}

/// A place that keeps the caller waiting, by the policy's limit.
fn stalled(stall: Stall, limit: Duration, twin: bool, serve: Script, nonce: &Nonce) -> Script {
    if twin {
        // Well within the limit, and slow all the same: what refuses slow answers is seen by it.
        return Script::Delay(limit.mul_f64(0.3), Box::new(serve));
    }
    match stall {
        Stall::Answer => Script::Tarpit,
        Stall::Head => Script::HeadersStall,
        Stall::Body => Script::Drip {
            every: limit.mul_f64(0.4),
            piece: 1,
            total: None,
        },
        Stall::Redirects => Script::Delay(
            limit.mul_f64(0.6),
            Box::new(Script::Redirect {
                status: 302,
                location: format!("/{nonce}/page.html"),
            }),
        ),
    }
}
