//! The resolver: which addresses a name has, according to the one server that may be asked.
//!
//! Owns the questions and the reading of the answers. Must not know which names or addresses are permitted. The files
//! of the system's C library are not read, and no answer is kept.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use hickory_proto::op::{Message, MessageType, OpCode, Query, ResponseCode};
use hickory_proto::rr::{Name, RData, RecordType};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpStream, UdpSocket};

use crate::reference::network::read_server;
use crate::reference::refusal::Refusal;
use crate::reference::{Flaw, FlawSet};

/// After how long a question is asked again. The limit of the call ends it.
const PATIENCE: Duration = Duration::from_secs(2);
/// After how long [`Flaw::DnsFallback`] gives up on the server that it should ask.
const FALLBACK: Duration = Duration::from_secs(1);
/// Most names that an alias may lead through.
const ALIASES: usize = 8;

/// What a name leads to.
#[derive(Clone, Debug, Default)]
pub(in crate::reference) struct Found {
    /// The names behind aliases, in the form of a host's name.
    pub(in crate::reference) aliases: Vec<String>,
    /// All addresses, IPv4 first.
    pub(in crate::reference) addresses: Vec<IpAddr>,
}

/// Whom to ask.
#[derive(Clone, Debug)]
pub(super) struct Resolver {
    /// The only server that may be asked; without it the first one of `resolv_conf`.
    pub(super) server: Option<SocketAddr>,
    pub(super) resolv_conf: PathBuf,
    pub(super) flaws: FlawSet,
}

impl Resolver {
    /// Looks up both kinds of addresses, once.
    ///
    /// # Errors
    /// [`Refusal::Unresolved`] when the server fails or there is none; a name without addresses is no error.
    pub(super) async fn look_up(&self, name: &str) -> Result<Found, Refusal> {
        if name == "localhost" || name.ends_with(".localhost") {
            return Ok(Found {
                aliases: Vec::new(),
                addresses: vec![Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into()],
            });
        }
        let server = match self.server {
            Some(server) if !self.flaws.has(Flaw::DnsSystemResolver) => server,
            _ => self.system().await?,
        };
        if self.flaws.has(Flaw::DnsFallback) {
            return match tokio::time::timeout(FALLBACK, both(server, name)).await {
                Ok(Ok(found)) => Ok(found),
                _ => both(self.system().await?, name).await,
            };
        }
        both(server, name).await
    }

    /// The first server of the system's configuration.
    async fn system(&self) -> Result<SocketAddr, Refusal> {
        let text = tokio::fs::read_to_string(&self.resolv_conf)
            .await
            .map_err(|_| Refusal::Unresolved)?;
        text.lines()
            .filter_map(|line| line.trim().strip_prefix("nameserver"))
            .find_map(|server| read_server(server.trim()))
            .ok_or(Refusal::Unresolved)
    }
}

async fn both(server: SocketAddr, name: &str) -> Result<Found, Refusal> {
    let (mut found, v6) = futures::future::try_join(
        follow(server, name, RecordType::A),
        follow(server, name, RecordType::AAAA),
    )
    .await?;
    found.addresses.extend(v6.addresses);
    for alias in v6.aliases {
        if !found.aliases.contains(&alias) {
            found.aliases.push(alias);
        }
    }
    Ok(found)
}

/// The addresses of one kind, behind all aliases.
async fn follow(server: SocketAddr, name: &str, kind: RecordType) -> Result<Found, Refusal> {
    let unreadable = |_| Refusal::Unresolved;
    let mut at = Name::from_ascii(name).map_err(unreadable)?;
    at.set_fqdn(true);
    let mut found = Found::default();
    while found.aliases.len() < ALIASES {
        let answer = ask(server, &at, kind).await?;
        let asked = at.clone();
        for _ in 0..ALIASES {
            let alias = answer.answers.iter().find_map(|record| match &record.data {
                RData::CNAME(target) if record.name == at => Some(target.0.clone()),
                _ => None,
            });
            let Some(alias) = alias else { break };
            found.aliases.push(plain(&alias));
            at = alias;
        }
        found.addresses = answer
            .answers
            .iter()
            .filter(|record| record.name == at)
            .filter_map(|record| match &record.data {
                RData::A(address) => Some(address.0.into()),
                RData::AAAA(address) => Some(address.0.into()),
                _ => None,
            })
            .collect();
        if !found.addresses.is_empty() || at == asked {
            break;
        }
    }
    Ok(found)
}

fn plain(name: &Name) -> String {
    let text = name.to_ascii().to_lowercase();
    text.strip_suffix('.').unwrap_or(&text).to_owned()
}

/// Asks until there is an answer.
async fn ask(server: SocketAddr, name: &Name, kind: RecordType) -> Result<Message, Refusal> {
    let mut id = [0; 2];
    getrandom::fill(&mut id).map_err(|_| Refusal::Unresolved)?;
    let mut question = Message::new(u16::from_be_bytes(id), MessageType::Query, OpCode::Query);
    question.metadata.recursion_desired = true;
    question.add_query(Query::query(name.clone(), kind));
    let bytes = question.to_vec().map_err(|_| Refusal::Unresolved)?;
    let any: IpAddr = match server {
        SocketAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
        SocketAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
    };
    let failed = |_| Refusal::Unresolved;
    let socket = UdpSocket::bind((any, 0)).await.map_err(failed)?;
    socket.connect(server).await.map_err(failed)?;
    let mut reply = vec![0; 4096];
    let answer = loop {
        socket.send(&bytes).await.map_err(failed)?;
        let received = async {
            loop {
                let length = socket.recv(&mut reply).await.map_err(failed)?;
                if let Some(answer) = answers(&question, &reply[..length]) {
                    return Ok::<_, Refusal>(answer);
                }
            }
        };
        if let Ok(answer) = tokio::time::timeout(PATIENCE, received).await {
            break answer?;
        }
    };
    let answer = if answer.metadata.truncation {
        ask_by_tcp(server, &question, &bytes).await?
    } else {
        answer
    };
    match answer.metadata.response_code {
        ResponseCode::NoError | ResponseCode::NXDomain => Ok(answer),
        _ => Err(Refusal::Unresolved),
    }
}

async fn ask_by_tcp(
    server: SocketAddr,
    question: &Message,
    bytes: &[u8],
) -> Result<Message, Refusal> {
    let failed = |_| Refusal::Unresolved;
    let mut stream = TcpStream::connect(server).await.map_err(failed)?;
    let length = u16::try_from(bytes.len()).map_err(|_| Refusal::Unresolved)?;
    stream.write_u16(length).await.map_err(failed)?;
    stream.write_all(bytes).await.map_err(failed)?;
    let mut reply = vec![0; stream.read_u16().await.map_err(failed)?.into()];
    stream.read_exact(&mut reply).await.map_err(failed)?;
    answers(question, &reply).ok_or(Refusal::Unresolved)
}

/// The reply, if it answers this question.
fn answers(question: &Message, reply: &[u8]) -> Option<Message> {
    let answer = Message::from_vec(reply).ok()?;
    let fits = answer.metadata.message_type == MessageType::Response
        && answer.metadata.id == question.metadata.id
        && answer.queries == question.queries;
    fits.then_some(answer)
}
