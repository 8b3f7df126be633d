//! Servers on loopback: one that speaks HTTP on every loopback address, and name servers.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use hickory_proto::op::{Message, MessageType, OpCode, ResponseCode};
use hickory_proto::rr::rdata::{A, AAAA, CNAME};
use hickory_proto::rr::{Name, RData, Record, RecordType};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpListener, UdpSocket};
use tokio::task::AbortHandle;

use crate::bench::PLAIN;

/// A connection that arrived: which address it was meant for, and what came on it.
#[derive(Clone, Debug)]
pub(crate) struct Hit {
    pub(crate) at: IpAddr,
    pub(crate) request: String,
}

/// A web server that remembers every connection.
#[derive(Clone)]
pub(crate) struct Web {
    pub(crate) port: u16,
    hits: Arc<Mutex<Vec<Hit>>>,
    /// How many clients hung up while they were kept waiting.
    pub(crate) hung_up: Arc<Mutex<usize>>,
    task: Option<AbortHandle>,
}

impl Web {
    pub(crate) fn start(listener: std::net::TcpListener) -> Self {
        listener.set_nonblocking(true).unwrap();
        let listener = TcpListener::from_std(listener).unwrap();
        let own = Self {
            port: listener.local_addr().unwrap().port(),
            hits: Arc::default(),
            hung_up: Arc::default(),
            task: None,
        };
        let mut web = own.clone();
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let at = stream.local_addr().unwrap().ip().to_canonical();
                let index = {
                    let mut hits = own.hits.lock().unwrap();
                    hits.push(Hit {
                        at,
                        request: String::new(),
                    });
                    hits.len() - 1
                };
                let own = own.clone();
                tokio::spawn(async move {
                    let _ = own.serve(stream, index).await;
                });
            }
        });
        web.task = Some(task.abort_handle());
        web
    }

    /// Listens no longer.
    pub(crate) fn stop(&self) {
        self.task.as_ref().unwrap().abort();
    }

    pub(crate) fn hits(&self) -> Vec<Hit> {
        self.hits.lock().unwrap().clone()
    }

    async fn serve(
        &self,
        mut stream: impl AsyncRead + AsyncWrite + Unpin,
        index: usize,
    ) -> std::io::Result<()> {
        let mut request = Vec::new();
        while !request.ends_with(b"\r\n\r\n") {
            let read =
                tokio::time::timeout(Duration::from_millis(200), stream.read_buf(&mut request));
            if !matches!(read.await, Ok(Ok(1..))) {
                break;
            }
        }
        let request = String::from_utf8_lossy(&request).into_owned();
        self.hits.lock().unwrap()[index]
            .request
            .clone_from(&request);
        let path = request.split(' ').nth(1).unwrap_or_default().to_owned();
        let (path, query) = path.split_once('?').unwrap_or((&path, ""));
        let (status, header, body) = match path {
            "/to" => ("302 Found", format!("Location: {query}"), String::new()),
            "/slow" => {
                tokio::time::sleep(Duration::from_millis(700)).await;
                let left: u32 = query.parse().unwrap_or(0);
                match left {
                    0 => ("200 OK", "X-End: 1".to_owned(), PLAIN.to_owned()),
                    left => (
                        "302 Found",
                        format!("Location: /slow?{}", left - 1),
                        String::new(),
                    ),
                }
            }
            "/refresh" => (
                "200 OK",
                "Content-Type: text/html".to_owned(),
                format!("<meta http-equiv=\"refresh\" content=\"0;url={query}\">"),
            ),
            "/page" => (
                "200 OK",
                "Content-Type: text/html".to_owned(),
                format!("<p>{PLAIN}<img src=\"{query}\">"),
            ),
            "/busy" => (
                "503 Service Unavailable",
                format!("Retry-After: {query}"),
                String::new(),
            ),
            "/hang" => {
                let mut more = [0];
                let wait = Duration::from_secs(3);
                if tokio::time::timeout(wait, stream.read(&mut more))
                    .await
                    .is_ok()
                {
                    *self.hung_up.lock().unwrap() += 1;
                    return Ok(());
                }
                ("200 OK", "X-End: 1".to_owned(), PLAIN.to_owned())
            }
            "/drip" => {
                stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await?;
                for _ in 0..8 {
                    stream.write_all(b".").await?;
                    tokio::time::sleep(Duration::from_millis(400)).await;
                }
                return Ok(());
            }
            "/chunks" => {
                let body = "6\r\nPLAIN-\r\n6;x=y\r\nb2e4a9\r\n0\r\n\r\n";
                let head = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
                return stream.write_all(format!("{head}{body}").as_bytes()).await;
            }
            "/large" => ("200 OK", "X-Large: 1".to_owned(), ".".repeat((1 << 20) + 1)),
            _ => ("200 OK", "X-End: 1".to_owned(), PLAIN.to_owned()),
        };
        let length = body.len();
        let reply =
            format!("HTTP/1.1 {status}\r\n{header}\r\nContent-Length: {length}\r\n\r\n{body}");
        stream.write_all(reply.as_bytes()).await
    }
}

/// What a name server says to a name.
#[derive(Clone, Debug)]
pub(crate) enum Say {
    Addresses(Vec<IpAddr>),
    /// The first address at first, the second ever after.
    Flip(IpAddr, IpAddr),
    Alias(&'static str, IpAddr),
    Fail,
    Nothing,
}

/// A name server that remembers what it was asked.
pub(crate) struct Dns {
    pub(crate) at: SocketAddr,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Dns {
    pub(crate) async fn start(zone: BTreeMap<&'static str, Say>) -> Self {
        let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let at = socket.local_addr().unwrap();
        let asked = Arc::<Mutex<Vec<String>>>::default();
        let log = asked.clone();
        tokio::spawn(async move {
            let mut flips = BTreeMap::<String, usize>::new();
            let mut buffer = [0; 4096];
            while let Ok((length, from)) = socket.recv_from(&mut buffer).await {
                let question = Message::from_vec(&buffer[..length]).unwrap();
                let query = question.queries[0].clone();
                let name = query.name().to_ascii().trim_end_matches('.').to_owned();
                log.lock().unwrap().push(name.clone());
                let mut answer =
                    Message::new(question.metadata.id, MessageType::Response, OpCode::Query);
                answer.add_query(query.clone());
                let record = |owner: &Name, data| Record::from_rdata(owner.clone(), 0, data);
                let wanted = |address: &IpAddr| match (address, query.query_type()) {
                    (IpAddr::V4(v4), RecordType::A) => Some(RData::A(A(*v4))),
                    (IpAddr::V6(v6), RecordType::AAAA) => Some(RData::AAAA(AAAA(*v6))),
                    _ => None,
                };
                match zone.get(name.as_str()) {
                    Some(Say::Nothing) => continue,
                    Some(Say::Fail) => answer.metadata.response_code = ResponseCode::ServFail,
                    Some(Say::Addresses(addresses)) => {
                        let found = addresses.iter().filter_map(wanted);
                        answer.add_answers(found.map(|data| record(query.name(), data)));
                    }
                    Some(Say::Flip(first, then)) if query.query_type() == RecordType::A => {
                        let count = flips.entry(name).or_default();
                        *count += 1;
                        let address = if *count == 1 { first } else { then };
                        answer.add_answers(wanted(address).map(|data| record(query.name(), data)));
                    }
                    Some(Say::Flip(..)) => {}
                    Some(Say::Alias(alias, address)) => {
                        let alias = Name::from_ascii(format!("{alias}.")).unwrap();
                        let data = RData::CNAME(CNAME(alias.clone()));
                        answer.add_answers([record(query.name(), data)]);
                        answer.add_answers(wanted(address).map(|data| record(&alias, data)));
                    }
                    None => answer.metadata.response_code = ResponseCode::NXDomain,
                }
                socket
                    .send_to(&answer.to_vec().unwrap(), from)
                    .await
                    .unwrap();
            }
        });
        Self { at, asked }
    }

    pub(crate) fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }
}
