//! One row per flaw: the sound server withstands the attack, the flawed one does not, and both do what is permitted.

use std::collections::BTreeSet;
use std::net::TcpListener;
use std::os::fd::{AsFd as _, OwnedFd};
use std::time::Duration;

use futures::future::join_all;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::UnixListener;
use watertight::reference::{Flaw, NetworkOptions, flaws};

use super::{LATE, World, ip, is_plain, listen, strings, timed};
use crate::bench::SECRET;

/// What came of an attack.
struct After<'a> {
    world: &'a World,
    text: String,
    took: Duration,
}

/// One attack.
struct Case {
    flaw: Flaw,
    policy: fn(&mut NetworkOptions),
    /// Calls, one after the other.
    attack: fn(&World) -> Vec<(&'static str, Value)>,
    breached: fn(&After<'_>) -> bool,
}

fn as_is(_: &mut NetworkOptions) {}

fn hit(after: &After<'_>) -> bool {
    !after.world.forbidden().is_empty()
}

/// Permits the port of the web server alone.
fn one_port(to: &mut NetworkOptions) {
    to.ports = Some(vec![0]);
}

/// Denies a name by which the web server can be reached.
fn denying(to: &mut NetworkOptions) {
    to.deny.push("denied.test".to_owned());
}

fn arrived(after: &After<'_>) -> bool {
    !after.world.web.hits().is_empty()
}

fn at_side(after: &After<'_>) -> bool {
    !after.world.side.hits().is_empty()
}

fn secret(after: &After<'_>) -> bool {
    after.text.contains(SECRET)
}

fn late(after: &After<'_>) -> bool {
    after.took > LATE
}

macro_rules! get {
    ($flaw:ident, $url:literal) => {
        get!($flaw, $url, as_is, hit)
    };
    ($flaw:ident, $url:literal, $policy:expr, $breached:expr) => {
        Case {
            flaw: Flaw::$flaw,
            policy: $policy,
            attack: |world| vec![("http_get", world.url($url))],
            breached: $breached,
        }
    };
}

/// Has the API be at the web server.
fn with_api(to: &mut NetworkOptions) {
    to.api = Some(String::from("http://127.0.0.2:PORT"));
}

/// Whether a request was for anything but the notes of a record.
fn astray(after: &After<'_>) -> bool {
    after.world.web.hits().iter().any(|hit| {
        let path = hit.request.split(' ').nth(1).unwrap_or_default();
        !(path.starts_with("/v1/records/") && path.ends_with("/notes")) || path.contains('?')
    })
}

macro_rules! record {
    ($flaw:ident, $id:literal) => {
        Case {
            flaw: Flaw::$flaw,
            policy: with_api,
            attack: |_| vec![("get_record", json!({"id": $id}))],
            breached: astray,
        }
    };
}

macro_rules! connect {
    ($flaw:ident, $host:literal, $policy:expr) => {
        Case {
            flaw: Flaw::$flaw,
            policy: $policy,
            attack: |world| {
                let port = world.web.port;
                vec![("can_connect", json!({"host": $host, "port": port}))]
            },
            breached: hit,
        }
    };
}

fn addresses() -> Vec<Case> {
    vec![
        get!(NetNoCheck, "http://127.0.0.3:PORT/"),
        get!(
            NetAllowUnlisted,
            "http://127.0.0.3:PORT/",
            |to| to.deny.clear(),
            hit
        ),
        get!(
            NetAllowUnlisted,
            "http://bad.test:PORT/",
            |to| to.deny.clear(),
            hit
        ),
        get!(
            NetFirstMatch,
            "http://127.0.0.3:PORT/",
            |to| {
                to.allow = Some(strings(&["127.0.0.0/8"]));
                to.deny = strings(&["127.0.0.3"]);
            },
            hit
        ),
        get!(NetCidrStringPrefix, "http://127.0.0.20:PORT/"),
        get!(
            NetCidrOffByOne,
            "http://127.0.4.255:PORT/",
            |to| {
                to.allow = None;
                to.deny = strings(&["127.0.4.0/24"]);
            },
            hit
        ),
        get!(NetNameUnresolved, "http://bad.test:PORT/"),
        get!(NetDecimalIp, "http://2130706435:PORT/"),
        get!(NetDecimalIp, "http://127.3:PORT/"),
        get!(NetDecimalIp, "http://%31%32%37.0.0.3:PORT/"),
        connect!(NetDecimalIp, "0x7f.0.0.3", as_is),
        get!(
            NetOctalIp,
            "http://127.0.0.010:PORT/",
            |to| to.allow = Some(strings(&["127.0.0.2", "127.0.0.10"])),
            hit
        ),
        get!(NetMappedIpv6, "http://[::ffff:127.0.0.3]:PORT/"),
        connect!(NetMappedIpv6, "::ffff:7f00:3", as_is),
        get!(NetLoopbackLiteral, "http://127.1:PORT/"),
        get!(NetLoopbackLiteral, "http://[::1]:PORT/"),
        get!(NetLoopbackLiteral, "http://LOCALHOST.:PORT/"),
        get!(NetSpecialPartial, "http://0.0.0.0:PORT/"),
        connect!(NetConnectUnchecked, "127.0.0.3", as_is),
        connect!(NetConnectName, "bad.test", as_is),
        connect!(NetNulTruncate, "127.0.0.3\0.allowed.test", |to| to.allow =
            Some(strings(&["127.0.0.2", "*.allowed.test"]))),
        get!(
            NetNulTruncate,
            "http://127.0.0.3%00.allowed.test:PORT/",
            |to| to.allow = Some(strings(&["127.0.0.2", "*.allowed.test"])),
            hit
        ),
        get!(
            NetNameSuffix,
            "http://evilallowed.test:PORT/",
            |to| to.allow = Some(strings(&["127.0.0.2", "allowed.test"])),
            hit
        ),
        get!(
            NetNamePrefix,
            "http://allowed.test.evil:PORT/",
            |to| to.allow = Some(strings(&["127.0.0.2", "allowed.test"])),
            hit
        ),
        get!(
            NetNamePattern,
            "http://allowed-test:PORT/",
            |to| to.allow = Some(strings(&["127.0.0.2", "allowed.test"])),
            hit
        ),
        get!(
            NetNameBelow,
            "http://below.allowed.test:PORT/",
            |to| to.allow = Some(strings(&["127.0.0.2", "allowed.test"])),
            hit
        ),
        get!(NetDenyIgnored, "http://denied.test:PORT/", denying, arrived),
        get!(NetDenyExact, "http://Denied.test:PORT/", denying, arrived),
        get!(NetDenyExact, "http://denied.test.:PORT/", denying, arrived),
    ]
}

fn requests() -> Vec<Case> {
    let injected: fn(&After<'_>) -> bool = |after| {
        let hits = after.world.web.hits();
        hits.iter()
            .any(|hit| hit.request.contains("\r\nX-Injected: 1"))
    };
    vec![
        get!(
            NetPortUnchecked,
            "http://127.0.0.2:SIDE/",
            one_port,
            at_side
        ),
        get!(
            NetPortRedirect,
            "http://127.0.0.2:PORT/to?http://127.0.0.2:SIDE/",
            one_port,
            at_side
        ),
        get!(
            NetPortPattern,
            "http://u:PORT@127.0.0.2:SIDE/",
            one_port,
            at_side
        ),
        get!(NetPortWraps, "http://127.0.0.2:WRAPPED/", one_port, at_side),
        get!(
            NetRedirectUnchecked,
            "http://127.0.0.2:PORT/to?http://127.0.0.3:PORT/"
        ),
        get!(
            NetRedirectUnchecked,
            "http://127.0.0.2:PORT/to?//127.0.0.3:PORT/"
        ),
        get!(
            NetRedirectFile,
            "http://127.0.0.2:PORT/to?file://DIR/s.txt",
            as_is,
            secret
        ),
        get!(
            NetRedirectMeta,
            "http://127.0.0.2:PORT/refresh?http://127.0.0.3:PORT/"
        ),
        get!(NetUrlRegex, "http://127.0.0.2@127.0.0.3:PORT/"),
        get!(NetUrlRegex, "http://127.0.0.3:PORT#@127.0.0.2/"),
        get!(NetUrlRegex, "http://127.0.0.3:PORT\\@127.0.0.2/"),
        get!(
            NetCrlf,
            "http://127.0.0.2:PORT/x\r\nX-Injected: 1",
            as_is,
            injected
        ),
        get!(
            NetCrlf,
            "http://127.0.0.2:PORT/x%0d%0aX-Injected: 1",
            as_is,
            injected
        ),
        Case {
            flaw: Flaw::NetCrlf,
            policy: as_is,
            attack: |world| {
                let mut arguments = world.url("http://127.0.0.2:PORT/");
                arguments["headers"] = json!({"X-A": "1\r\nX-Injected: 1"});
                vec![("http_get", arguments)]
            },
            breached: injected,
        },
        get!(NetSchemeFile, "file://DIR/s.txt", as_is, secret),
        get!(
            NetSchemeAny,
            "gopher://127.0.0.2:PORT/_SECRET-7d1f0c",
            as_is,
            |after| {
                let hits = after.world.web.hits();
                hits.iter().any(|hit| hit.request.starts_with("_SECRET"))
            }
        ),
        get!(NetUnixSocket, "unix:DIR/socket", as_is, secret),
        get!(NetUnixSocket, "http://unix:DIR/socket:/x", as_is, secret),
        get!(
            NetSubresource,
            "http://127.0.0.2:PORT/page?http://127.0.0.3:PORT/"
        ),
        get!(
            NetReferences,
            "http://127.0.0.2:PORT/page?http://127.0.0.3:PORT/"
        ),
        get!(NetProxyBypass, "http://127.0.0.3:80/"),
        Case {
            flaw: Flaw::NetCredForward,
            policy: |to| to.allow = Some(strings(&["127.0.0.2", "127.0.0.4"])),
            attack: |world| {
                let mut arguments = world.url("http://127.0.0.2:PORT/to?http://127.0.0.4:PORT/");
                arguments["headers"] = json!({"Authorization": SECRET});
                vec![("http_get", arguments)]
            },
            breached: |after| {
                let hits = after.world.forbidden();
                assert_eq!(hits.len(), 1, "the redirect is followed");
                hits[0].request.contains(SECRET) && hits[0].request.contains(KEY)
            },
        },
        record!(NetBaseJoin, "/elsewhere"),
        record!(NetBaseConcat, "/elsewhere"),
        record!(NetBaseDotdot, "../elsewhere"),
        record!(NetBaseCut, "one?"),
        get!(NetRobots, "http://127.0.0.3:PORT/"),
        get!(NetHitThenRefuse, "http://127.0.0.3:PORT/"),
    ]
}

fn names() -> Vec<Case> {
    let system: fn(&After<'_>) -> bool = |after| !after.world.system.asked().is_empty();
    vec![
        get!(DnsSystemResolver, "http://ok.test:PORT/", as_is, system),
        get!(DnsCheckThenConnect, "http://flip.test:PORT/"),
        get!(DnsFirstAnswer, "http://mixed.test:OTHER/"),
        get!(DnsV4Only, "http://dual.test:PORT/"),
        get!(DnsCname, "http://alias.test:PORT/"),
        get!(DnsIpName, "http://127-0-0-3.ip.test:PORT/"),
        get!(
            DnsLookupFirst,
            "http://denied.test:PORT/",
            denying,
            |after| !after.world.dns.asked().is_empty()
        ),
        get!(DnsFallback, "http://fail.test:PORT/", as_is, system),
        Case {
            flaw: Flaw::DnsCacheVerdict,
            policy: as_is,
            attack: |world| {
                let call = || ("http_get", world.url("http://flip.test:PORT/"));
                vec![call(), call()]
            },
            breached: hit,
        },
    ]
}

fn times() -> Vec<Case> {
    vec![
        get!(TimeNoTimeout, "http://127.0.0.2:PORT/hang", as_is, late),
        get!(TimeIdleTimeout, "http://127.0.0.2:PORT/drip", as_is, late),
        get!(TimePerHop, "http://127.0.0.2:PORT/slow?4", as_is, late),
        get!(
            TimeConnectUnbounded,
            "http://silent.test:PORT/",
            as_is,
            late
        ),
        get!(
            TimeRetriesUnbounded,
            "http://127.0.0.2:PORT/busy?0",
            |to| to.retries = 2,
            |after| after.world.web.hits().len() > 3
        ),
        get!(
            TimeRetriesSilence,
            "http://127.0.0.2:PORT/hang",
            |to| to.retries = 1,
            |after| after.world.web.hits().len() > 2
        ),
        get!(
            TimeRetryAfter,
            "http://127.0.0.2:PORT/busy?2",
            |to| to.retries = 1,
            late
        ),
    ]
}

/// Flaws with a test of their own: nothing but loopback is contacted here, so what other addresses they let through is
/// tested beside their code. The self-test tries work that outlasts its limit.
const ELSEWHERE: [&str; 8] = [
    "net.beacon",
    // It takes a request over HTTP; it is tried where commands serve that.
    "net.header-upstream",
    "net.metadata-open",
    // It writes a file; the names are tested beside its code.
    "net.remote-name",
    "net.v6-unchecked",
    "time.cancel-ignored",
    "time.local-unbounded",
    "time.orphan-work",
];

/// A key in the environment of the process that runs the cases.
const KEY: &str = "KEY-90cd3f";
/// Set where the standard input is the listener of the proxy in that environment.
const IN_CHILD: &str = "REFERENCE_TEST_CHILD";

async fn run(case: &Case, flaws: &[Flaw]) -> Option<String> {
    let proxied = case.flaw == Flaw::NetProxyBypass;
    let mut world = if proxied {
        World::at(inherited()).await
    } else {
        World::new().await
    };
    (case.policy)(&mut world.options);
    for port in world.options.ports.iter_mut().flatten() {
        *port = world.web.port;
    }
    if let Some(base) = &mut world.options.api {
        *base = base.replace("PORT", &world.web.port.to_string());
    }
    let socket = UnixListener::bind(world.dir.path().join("socket")).unwrap();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = socket.accept().await {
            let _ = stream.read(&mut [0; 1024]).await;
            let reply = format!("HTTP/1.1 200 OK\r\n\r\n{SECRET}");
            let _ = stream.write_all(reply.as_bytes()).await;
        }
    });
    let client = world.client(flaws).await;
    let mut after = After {
        world: &world,
        text: String::new(),
        took: Duration::ZERO,
    };
    for (tool, arguments) in (case.attack)(&world) {
        let (answer, took) = timed(&client, tool, arguments).await;
        after.text.push_str(&answer.text);
        after.took += took;
    }
    let (breached, expected) = ((case.breached)(&after), !flaws.is_empty());
    let attack = (case.attack)(&world);
    if breached != expected {
        let (text, hits) = (&after.text, world.web.hits());
        return Some(format!(
            "{} {flaws:?} {attack:?}: {text:?} {hits:?}",
            case.flaw
        ));
    }
    let client = world.client(flaws).await;
    let twin = client
        .call("http_get", world.url("http://127.0.0.2:PORT/ok"))
        .await;
    (!is_plain(&twin)).then(|| format!("{} {flaws:?}: twin {twin:?}", case.flaw))
}

/// The listener that [`in_child`] hands over.
fn inherited() -> TcpListener {
    let input = std::io::stdin().as_fd().try_clone_to_owned().unwrap();
    TcpListener::from(input)
}

/// Runs the test below in a process with a proxy and a key in its environment: a test may not change its own. The
/// listener of the proxy is made here and handed over, for a port that is only remembered may be taken meanwhile.
fn in_child() {
    let listener = listen("::");
    let port = listener.local_addr().unwrap().port();
    let output = std::process::Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "--nocapture"])
        .arg("network::cases::every_flaw_shows_and_the_sound_server_has_none")
        .env("HTTP_PROXY", format!("http://127.0.0.9:{port}"))
        .env("SERVICE_API_KEY", KEY)
        .env(IN_CHILD, "1")
        .stdin(OwnedFd::from(listener))
        .output()
        .unwrap();
    let log = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{log}");
    let told = String::from_utf8_lossy(&output.stdout);
    assert!(told.contains("1 passed"), "{told}");
}

#[tokio::test(flavor = "multi_thread")]
async fn every_flaw_shows_and_the_sound_server_has_none() {
    if std::env::var_os(IN_CHILD).is_none() {
        return in_child();
    }
    let cases: Vec<Case> = [addresses(), requests(), names(), times()]
        .into_iter()
        .flatten()
        .collect();
    let mut failures = Vec::new();
    for flawed in [false, true] {
        let runs = cases.iter().map(|case| async move {
            let flaws = [case.flaw];
            run(case, if flawed { &flaws } else { &[] }).await
        });
        failures.extend(join_all(runs).await.into_iter().flatten());
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
    let covered: BTreeSet<_> = cases
        .iter()
        .map(|case| case.flaw.name())
        .chain(ELSEWHERE)
        .collect();
    let all: BTreeSet<_> = flaws()
        .iter()
        .map(|(name, _)| *name)
        .filter(|name| {
            ["net.", "dns.", "time."]
                .iter()
                .any(|of| name.starts_with(of))
        })
        .collect();
    assert_eq!(covered, all);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cancelled_call_hangs_up_unless_it_is_flawed() {
    for (flaws, expected) in [(&[][..], 1), (&[Flaw::TimeCancelIgnored][..], 0)] {
        let mut world = World::new().await;
        world.options.timeout = Some(Duration::from_secs(10));
        let client = world.client(flaws).await;
        let arguments = world.url("http://127.0.0.2:PORT/hang");
        client.call_and_cancel("http_get", arguments).await;
        tokio::time::sleep(Duration::from_millis(500)).await;
        assert_eq!(world.web.hits().len(), 1);
        assert_eq!(world.web.hits()[0].at, ip("127.0.0.2"));
        assert_eq!(*world.web.hung_up.lock().unwrap(), expected, "{flaws:?}");
    }
}
