//! A name server at port 53 of every address, over UDP and TCP.
//!
//! Owns the messages. What a name means is decided elsewhere; which server was asked is the address that was meant.

use std::{
    io,
    net::{IpAddr, SocketAddr},
    sync::Arc,
};

use hickory_proto::{
    op::{Header, Message, OpCode, Query, ResponseCode},
    rr::{
        Name, RData, Record, RecordType,
        rdata::{
            A, AAAA, CNAME, HTTPS, NULL, SRV, SVCB, TXT,
            svcb::{IpHint, SvcParamKey, SvcParamValue},
        },
    },
    serialize::binary::{BinDecodable, BinDecoder},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    task::JoinSet,
};

use super::{
    glass::Shared,
    log::{Hit, Kind},
    names::{Data, Plan, Rcode},
    nonce::Nonce,
    udp::{Datagram, Datagrams},
};

/// Where name servers listen.
pub(super) const PORT: u16 = 53;

/// What `/etc/nsswitch.conf` should say, so that glibc asks the files and this resolver alone.
pub const NSSWITCH: &str = "hosts: files dns\n";

/// The text of `/etc/resolv.conf` for these servers. Names are not completed.
#[must_use]
pub fn resolv_conf(servers: &[IpAddr]) -> String {
    let servers = servers.iter().map(|it| format!("nameserver {it}\n"));
    servers.collect::<String>() + "search .\n"
}

/// A question of the harness's own, which no script answers.
pub(super) fn test_question(nonce: &Nonce) -> Vec<u8> {
    let mut message = Message::query();
    if let Ok(name) = Name::from_ascii(format!("{nonce}.invalid.")) {
        message.add_query(Query::query(name, RecordType::A));
    }
    message.to_vec().unwrap_or_default()
}

/// Answers datagrams until it is dropped.
pub(super) async fn serve(shared: Arc<Shared>, socket: Arc<Datagrams>) {
    let mut answers = JoinSet::new();
    loop {
        tokio::select! {
            received = socket.receive() => if let Ok(asked) = received {
                let (shared, socket) = (Arc::clone(&shared), Arc::clone(&socket));
                answers.spawn(async move { datagram(&shared, &socket, &asked).await });
            },
            Some(_) = answers.join_next() => {}
        }
    }
}

async fn datagram(shared: &Shared, socket: &Datagrams, asked: &Datagram) {
    let hit = Hit::new(Kind::Query, asked.local, asked.peer);
    if let Some(answer) = answer(shared, hit, &asked.bytes, true).await {
        let _ = socket.answer(asked, &answer).await;
    }
}

/// Answers questions on a TCP connection to its end.
pub(super) async fn converse(shared: Arc<Shared>, mut stream: TcpStream, peer: SocketAddr) {
    let Ok(local) = stream.local_addr() else {
        return;
    };
    let number = shared.connection();
    let hit = |kind| {
        let mut hit = Hit::new(kind, local, peer);
        hit.connection = Some(number);
        hit
    };
    let mut connected = hit(Kind::Connection);
    connected.own = shared.own.has(peer.port());
    shared.hits.push(connected);
    let result: io::Result<()> = async {
        loop {
            let mut bytes = vec![0; usize::from(stream.read_u16().await?)];
            stream.read_exact(&mut bytes).await?;
            if let Some(answer) = answer(&shared, hit(Kind::Query), &bytes, false).await {
                let length = u16::try_from(answer.len()).map_err(io::Error::other)?;
                let message = [&length.to_be_bytes()[..], &answer].concat();
                stream.write_all(&message).await?;
            }
        }
    }
    .await;
    drop(result);
    shared.hits.push(hit(Kind::Closed));
}

/// Records a question and answers it, after the scripted time.
async fn answer(shared: &Shared, mut hit: Hit, bytes: &[u8], udp: bool) -> Option<Vec<u8>> {
    hit.own = shared.own.has(hit.peer.port());
    hit.raw = bytes.into();
    let Some((header, query)) = question(bytes) else {
        shared.hits.push(hit);
        return None;
    };
    let name = query.name().to_ascii();
    let name = name.trim_end_matches('.');
    let kind = u16::from(query.query_type());
    let server = hit.local.ip();
    hit.host = Some(name.to_string());
    hit.path = Some(query.query_type().to_string());
    shared.hits.push(hit);
    let plan = shared.names.find(server, name, kind);
    if plan.never {
        return None;
    }
    tokio::time::sleep(plan.delay).await;
    let mut message = Message::response(header.metadata.id, header.metadata.op_code);
    message.metadata.recursion_desired = header.metadata.recursion_desired;
    message.metadata.recursion_available = true;
    message.add_query(query);
    fill(&mut message, plan, udp);
    message.to_vec().ok()
}

/// The one question of a message; what else it holds is not needed.
fn question(bytes: &[u8]) -> Option<(Header, Query)> {
    let mut decoder = BinDecoder::new(bytes);
    let header = Header::read(&mut decoder).ok()?;
    let query = header.metadata.op_code == OpCode::Query && header.counts.queries == 1;
    query.then(|| Query::read(&mut decoder).ok().map(|query| (header, query)))?
}

fn fill(message: &mut Message, plan: Plan, udp: bool) {
    message.metadata.response_code = match plan.rcode {
        None => ResponseCode::NoError,
        Some(Rcode::ServFail) => ResponseCode::ServFail,
        Some(Rcode::NxDomain) => ResponseCode::NXDomain,
        Some(Rcode::Refused) => ResponseCode::Refused,
    };
    if plan.truncated && udp {
        message.metadata.truncation = true;
        return;
    }
    for (owner, data) in plan.records {
        let record = Name::from_ascii(format!("{owner}."))
            .ok()
            .zip(record_data(&data))
            .map(|(owner, data)| Record::from_rdata(owner, 0, data));
        match record {
            Some(record) => message.answers.push(record),
            // A scripted name that no message can carry must not look like an answer.
            None => message.metadata.response_code = ResponseCode::ServFail,
        }
    }
}

fn record_data(data: &Data) -> Option<RData> {
    let name = |name: &str| Name::from_ascii(format!("{}.", name.trim_end_matches('.'))).ok();
    let service = |target: &str, hints: &[IpAddr]| {
        let four = hints.iter().filter_map(|it| match it {
            IpAddr::V4(it) => Some(A(*it)),
            IpAddr::V6(_) => None,
        });
        let six = hints.iter().filter_map(|it| match it {
            IpAddr::V4(_) => None,
            IpAddr::V6(it) => Some(AAAA(*it)),
        });
        let (four, six): (Vec<A>, Vec<AAAA>) = (four.collect(), six.collect());
        let mut hints = Vec::new();
        if !four.is_empty() {
            hints.push((SvcParamKey::Ipv4Hint, SvcParamValue::Ipv4Hint(IpHint(four))));
        }
        if !six.is_empty() {
            hints.push((SvcParamKey::Ipv6Hint, SvcParamValue::Ipv6Hint(IpHint(six))));
        }
        Some(SVCB::new(1, name(target)?, hints))
    };
    Some(match data {
        Data::Address(IpAddr::V4(address)) => RData::A(A(*address)),
        Data::Address(IpAddr::V6(address)) => RData::AAAA(AAAA(*address)),
        Data::Cname(target) => RData::CNAME(CNAME(name(target)?)),
        Data::Dname(target) => {
            let mut bytes = Vec::new();
            for label in name(target)?.iter() {
                bytes.push(u8::try_from(label.len()).ok()?);
                bytes.extend(label);
            }
            bytes.push(0);
            RData::Unknown {
                code: RecordType::DNAME,
                rdata: NULL::with(bytes),
            }
        }
        Data::Https { target, hints } => RData::HTTPS(HTTPS(service(target, hints)?)),
        Data::Svcb { target, hints } => RData::SVCB(service(target, hints)?),
        Data::Srv { target, port } => RData::SRV(SRV::new(0, 0, *port, name(target)?)),
        Data::Text(text) => RData::TXT(TXT::from_bytes(text.chunks(255).collect())),
    })
}
