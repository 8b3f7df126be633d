//! The tools that reach hosts, on loopback: 127.0.0.2 is allowed, the rest of 127.0.0.0/8 is not.

use std::collections::BTreeMap;
use std::net::{IpAddr, TcpListener};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tempfile::TempDir;
use watertight::reference::{Flaw, Kind, NetworkOptions, ReferenceOptions};

use self::bench::{Dns, Hit, Say, Web};
use crate::bench::{Answer, Client, PLAIN, SECRET};

mod bench;
mod cases;
mod sound;

/// The limit of a call.
const LIMIT: Duration = Duration::from_secs(1);
/// A call that is over by then has kept to it.
const LATE: Duration = Duration::from_millis(1900);
/// No call is waited for longer.
const PATIENCE: Duration = Duration::from_millis(2500);

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

/// A listener at an address, on a port of its own; `::` is every loopback address.
fn listen(at: &str) -> TcpListener {
    TcpListener::bind((ip(at), 0)).unwrap()
}

fn strings(texts: &[&str]) -> Vec<String> {
    texts.iter().map(|text| (*text).to_owned()).collect()
}

/// All servers, and a directory with a secret.
struct World {
    web: Web,
    /// Listens on the denied 127.0.0.3 alone.
    other: Web,
    /// Listens on the allowed 127.0.0.2 alone, at a port of its own.
    side: Web,
    dns: Dns,
    system: Dns,
    dir: TempDir,
    options: NetworkOptions,
}

impl Drop for World {
    fn drop(&mut self) {
        // Its listener may be shared with the next one.
        self.web.stop();
    }
}

impl World {
    async fn new() -> Self {
        Self::at(listen("::")).await
    }

    /// With a listener for the web server.
    async fn at(listener: TcpListener) -> Self {
        let zone = || {
            let one = |text| Say::Addresses(vec![ip(text)]);
            BTreeMap::from([
                ("ok.test", one("127.0.0.2")),
                ("bad.test", one("127.0.0.3")),
                ("sub.allowed.test", one("127.0.0.2")),
                ("evilallowed.test", one("127.0.0.3")),
                ("allowed.test.evil", one("127.0.0.3")),
                ("allowed-test", one("127.0.0.3")),
                ("below.allowed.test", one("127.0.0.3")),
                ("elsewhere.test", one("127.0.0.4")),
                ("127-0-0-3.ip.test", one("127.0.0.2")),
                ("denied.test", one("127.0.0.2")),
                ("alias.test", Say::Alias("deep.test", ip("127.0.0.3"))),
                ("good-alias.test", Say::Alias("deep.test", ip("127.0.0.2"))),
                (
                    "denied-alias.test",
                    Say::Alias("denied.test", ip("127.0.0.2")),
                ),
                (
                    "mixed.test",
                    Say::Addresses(vec![ip("127.0.0.2"), ip("127.0.0.3")]),
                ),
                (
                    "dual.test",
                    Say::Addresses(vec![ip("127.0.0.2"), ip("::1")]),
                ),
                ("flip.test", Say::Flip(ip("127.0.0.2"), ip("127.0.0.3"))),
                ("silent.test", Say::Nothing),
            ])
        };
        let mut failing = zone();
        failing.insert("fail.test", Say::Fail);
        let mut system = zone();
        system.insert("fail.test", Say::Addresses(vec![ip("127.0.0.2")]));
        let (dns, system) = (Dns::start(failing).await, Dns::start(system).await);
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("s.txt"), SECRET).unwrap();
        let resolv_conf = dir.path().join("resolv.conf");
        std::fs::write(&resolv_conf, format!("nameserver {}\n", system.at)).unwrap();
        Self {
            web: Web::start(listener),
            other: Web::start(listen("127.0.0.3")),
            side: Web::start(listen("127.0.0.2")),
            options: NetworkOptions {
                allow: Some(strings(&["127.0.0.2/32"])),
                deny: strings(&["127.0.0.0/8"]),
                dns: Some(dns.at),
                resolv_conf,
                timeout: Some(LIMIT),
                ..NetworkOptions::default()
            },
            dns,
            system,
            dir,
        }
    }

    async fn client(&self, flaws: &[Flaw]) -> Client {
        let options = ReferenceOptions {
            network: Some(self.options.clone()),
            flaws: flaws.iter().copied().collect(),
            ..ReferenceOptions::default()
        };
        Client::start(Kind::Sound, options).await
    }

    /// Arguments of `http_get` for a URL in which `PORT` is that of the web server, `SIDE` that of the other one of its host.
    fn url(&self, url: &str) -> Value {
        let url = url
            .replace("PORT", &self.web.port.to_string())
            .replace("WRAPPED", &(65536 + u32::from(self.side.port)).to_string())
            .replace("SIDE", &self.side.port.to_string())
            .replace("OTHER", &self.other.port.to_string())
            .replace("DIR", &self.dir.path().display().to_string());
        json!({"url": url})
    }

    /// Connections that arrived where the policy does not let them.
    fn forbidden(&self) -> Vec<Hit> {
        let mut hits = self.web.hits();
        hits.extend(self.other.hits());
        hits.retain(|hit| hit.at != ip("127.0.0.2"));
        hits
    }
}

/// A call that is given up after [`PATIENCE`], and how long it took.
async fn timed(client: &Client, tool: &str, arguments: Value) -> (Answer, Duration) {
    let start = Instant::now();
    let answer = tokio::time::timeout(PATIENCE, client.call(tool, arguments))
        .await
        .unwrap_or_else(|_| Answer {
            text: "given up".to_owned(),
            refused: true,
        });
    (answer, start.elapsed())
}

fn is_plain(answer: &Answer) -> bool {
    !answer.refused && answer.text.contains(PLAIN)
}
