//! Places, names and sockets of a trial, made to stand.
//!
//! Owns the translation of plants of the probe format into what the run's own network does.

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use super::{Props, Unwanted};
use crate::{
    canary::document,
    probe::{RecordFailure, RecordPlant, SiteFailure, SitePlant, Stall, Text},
    run::net::Wire,
    testbed::{
        Scene, SceneError,
        net::{Answers, Data, Failure, Nonce, Page, Rcode, Script, Server, Spot},
    },
};

/// Attempts that fail in a trial about retries, beyond what the policy permits: enough to tell
/// "one too many" from "without bound".
const TOO_MANY: u32 = 40;

/// The first label of names of a run: no word that a server could know.
const LABEL: &str = "site";

impl Props {
    /// Scripts the last item as a place at the sink.
    pub(super) fn site(
        &mut self,
        wire: Wire<'_>,
        scene: &Scene,
        site: &SitePlant,
    ) -> Result<(), SceneError> {
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
                        SiteFailure::TooMany => Failure::Status(429),
                        SiteFailure::Error => Failure::Status(500),
                        SiteFailure::Silence => Failure::Silence,
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
        let rendered = |text: &Option<Text>| {
            let text = text.as_ref();
            text.map(|text| self.render(scene, text)).transpose()
        };
        let unwanted = Unwanted {
            field: rendered(&site.unwanted_field)?,
            value: rendered(&site.unwanted_value)?,
        };
        if let Some(prop) = self.items.last_mut() {
            prop.leads = leads;
            prop.unwanted = unwanted;
            prop.stalls = site.stall.is_some() || site.fail == Some(SiteFailure::Silence);
        }
        Ok(())
    }

    /// Listens at the last item, a Unix socket.
    pub(super) fn socket(
        &mut self,
        wire: Wire<'_>,
        scene: &Scene,
        at: &Text,
    ) -> Result<(), SceneError> {
        let path = scene.render(at)?;
        let Some(prop) = self.items.last_mut() else {
            return Ok(());
        };
        let text = document(&prop.token, &prop.tag, "txt");
        let socket = wire
            .glass
            .listen_unix(Path::new(&path), &prop.nonce, text)
            .map_err(|source| SceneError::Plant {
                plant: prop.name.clone(),
                path: PathBuf::from(&path),
                source,
            })?;
        prop.socket = Some((socket, path));
        Ok(())
    }

    /// Scripts the last item as a name.
    pub(super) fn record(
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
                    self.address_of(&text)
                        .trim_matches(['[', ']'])
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
        let next = addresses(&record.next)?;
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
            prop.next = next;
        }
        Ok(())
    }
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
