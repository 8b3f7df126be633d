//! What the sound server permits and denies, and the server that refuses everything and does it all the same.

use std::time::Duration;

use serde_json::json;
use watertight::reference::{Kind, NetworkOptions, ReferenceOptions};

use super::{LATE, World, ip, is_plain, strings, timed};
use crate::bench::Client;

/// Allowed hosts, denied hosts, a host, and whether it may be reached.
type Row = (
    Option<&'static [&'static str]>,
    &'static [&'static str],
    &'static str,
    bool,
);

const DENY: &[&str] = &["127.0.0.0/8"];
const NONE: &[&str] = &[];

const ROWS: &[Row] = &[
    // The longest prefix wins, deny wins ties, a list denies the rest.
    (Some(&["127.0.0.2/32"]), DENY, "127.0.0.2", true),
    (Some(&["127.0.0.2/32"]), DENY, "127.0.0.1", false),
    (Some(&["127.0.0.2/32"]), DENY, "127.0.0.3", false),
    (Some(&["127.0.0.2/32"]), DENY, "127.0.0.20", false),
    (Some(&["127.0.0.2/32"]), DENY, "[::1]", false),
    (Some(&["127.0.0.2"]), &["127.0.0.2"], "127.0.0.2", false),
    (Some(&["127.0.0.0/8"]), &["127.0.0.2"], "127.0.0.2", false),
    (Some(&["127.0.0.0/8"]), &["127.0.0.2"], "127.0.0.3", true),
    (Some(&["127.0.4.0/24"]), NONE, "127.0.4.255", true),
    (Some(&["127.0.4.0/24"]), NONE, "127.0.5.0", false),
    (Some(NONE), NONE, "127.0.0.2", false),
    (None, &["127.0.0.3"], "127.0.0.2", true),
    (None, &["127.0.0.3"], "127.0.0.3", false),
    // Without rules only public addresses are permitted.
    (None, NONE, "127.0.0.2", false),
    (None, NONE, "localhost", false),
    (None, NONE, "0.0.0.0", false),
    (None, NONE, "ok.test", false),
    // Spellings mean the same host.
    (Some(&["127.0.0.2/32"]), DENY, "2130706434", true),
    (Some(&["127.0.0.2/32"]), DENY, "0177.0.0.2", true),
    (Some(&["127.0.0.2/32"]), DENY, "127.2", true),
    (Some(&["127.0.0.2/32"]), DENY, "127.0.0.2.", true),
    (Some(&["127.0.0.2/32"]), DENY, "[::ffff:127.0.0.2]", true),
    (Some(&["127.0.0.2/32"]), DENY, "[::ffff:7f00:3]", false),
    (Some(&["127.0.0.2/32"]), DENY, "127.3", false),
    (None, DENY, "[::ffff:7f00:2]", false),
    // A name is permitted by its addresses, or by a rule for it.
    (Some(&["127.0.0.2/32"]), DENY, "ok.test", true),
    (Some(&["127.0.0.2/32"]), DENY, "OK.test.", true),
    (Some(&["127.0.0.2/32"]), DENY, "bad.test", false),
    (Some(&["127.0.0.2/32"]), DENY, "alias.test", false),
    (Some(&["127.0.0.2/32"]), DENY, "good-alias.test", true),
    (Some(&["127.0.0.2/32"]), DENY, "localhost", false),
    (Some(&["ok.test"]), NONE, "ok.test", true),
    (Some(&["ok.test"]), NONE, "bad.test", false),
    (Some(&["ok.test"]), NONE, "127.0.0.2", false),
    (Some(&["ok.test"]), DENY, "ok.test", false),
    (Some(&["bad.test", "127.0.0.2"]), DENY, "bad.test", false),
    (Some(&["*.allowed.test"]), NONE, "sub.allowed.test", true),
    (Some(&["*.allowed.test"]), NONE, "evilallowed.test", false),
    (Some(&["allowed.test"]), NONE, "allowed.test.evil", false),
    (Some(&["127.0.0.2"]), &["*.test"], "ok.test", false),
    (
        Some(&["127.0.0.2", "ok.test"]),
        &["*.test"],
        "ok.test",
        true,
    ),
    (
        Some(&["127.0.0.2"]),
        &["denied.test"],
        "denied-alias.test",
        false,
    ),
];

#[tokio::test(flavor = "multi_thread")]
async fn the_policy_decides_for_every_tool() {
    for (allow, deny, host, permitted) in ROWS {
        let mut world = World::new().await;
        world.options.allow = allow.map(strings);
        world.options.deny = strings(deny);
        let client = world.client(&[]).await;
        let row = format!("{allow:?} {deny:?} {host}");

        let got = client
            .call("http_get", world.url(&format!("http://{host}:PORT/")))
            .await;
        assert_eq!(is_plain(&got), *permitted, "{row}: {got:?}");
        let hits = world.web.hits().len();
        assert_eq!(hits, usize::from(*permitted), "{row}: {got:?}");

        let arguments = json!({"host": host, "port": world.web.port});
        let got = client.call("can_connect", arguments).await;
        assert_eq!(!got.refused, *permitted, "{row}: {got:?}");

        let got = client.call("resolve", json!({"name": host})).await;
        assert_eq!(!got.refused, *permitted, "{row}: {got:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn permitted_requests_work_in_all_their_forms() {
    let mut world = World::new().await;
    world.options.retries = 2;
    let client = world.client(&[]).await;
    for url in [
        "http://127.0.0.2:PORT/to?/ok",
        "http://127.0.0.2:PORT/to?http://ok.test:PORT/ok",
        "http://user:word@127.0.0.2:PORT/ok",
        "HTTP://ok.test:PORT/chunks",
        "http://127.0.0.2:PORT/slow?0",
        "http://127.0.0.2:PORT/refresh?http://127.0.0.3:PORT/PLAIN-b2e4a9",
        "http://127.0.0.2:PORT/page?http://127.0.0.3:PORT/",
        "http://mixed.test:PORT/",
        "http://dual.test:PORT/",
    ] {
        let got = client.call("http_get", world.url(url)).await;
        assert!(is_plain(&got), "{url}: {got:?}");
    }
    assert!(world.forbidden().is_empty(), "{:?}", world.forbidden());
    assert!(world.system.asked().is_empty());

    let before = world.web.hits().len();
    let got = client
        .call("http_get", world.url("http://127.0.0.2:PORT/busy?0"))
        .await;
    assert!(got.text.starts_with("HTTP 503"), "{got:?}");
    assert_eq!(world.web.hits().len(), before + 3, "one call, two retries");

    for url in [
        "http://127.0.0.2:PORT/large",
        "http://127.0.0.2:PORT/to?http://127.0.0.3:PORT/",
        "http://127.0.0.2:PORT/to?gopher://127.0.0.2:PORT/",
        "ftp://127.0.0.2:PORT/",
        "http://missing.test:PORT/",
    ] {
        let got = client.call("http_get", world.url(url)).await;
        assert!(got.refused, "{url}: {got:?}");
    }
    for header in ["Host", "host", "Connection", "Transfer-Encoding", "A B", ""] {
        let mut arguments = world.url("http://127.0.0.2:PORT/");
        arguments["headers"] = json!({header: "x"});
        let got = client.call("http_get", arguments).await;
        assert!(got.refused, "{header}: {got:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_outlasts_the_limit() {
    let mut world = World::new().await;
    world.options.retries = 5;
    let client = world.client(&[]).await;
    for url in [
        "http://127.0.0.2:PORT/hang",
        "http://127.0.0.2:PORT/drip",
        "http://127.0.0.2:PORT/slow?4",
        "http://127.0.0.2:PORT/busy?86400",
        "http://silent.test:PORT/",
        // A server that never answers the hello.
        "https://127.0.0.2:PORT/",
    ] {
        let (got, took) = timed(&client, "http_get", world.url(url)).await;
        assert!(took < LATE, "{url} took {took:?}: {got:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn network_tools_are_listed_only_where_a_policy_or_a_flaw_is_about_them() {
    let names = async |options: ReferenceOptions| {
        let tools = Client::start(Kind::Sound, options).await.tools().await;
        tools
            .iter()
            .filter(|tool| ["http_get", "can_connect", "resolve"].contains(&&*tool.name))
            .count()
    };
    let options = ReferenceOptions::default();
    assert_eq!(names(options.clone()).await, 0);
    let client = Client::start(Kind::Sound, options.clone()).await;
    let got = client
        .call("http_get", json!({"url": "http://127.0.0.1/"}))
        .await;
    assert!(got.text.contains("no tool"), "{got:?}");
    let flaws = ["fs.no-check", "net.no-check"].map(|name| {
        let mut flawed = options.clone();
        flawed.flaws = watertight::reference::FlawSet::from_names([name]).unwrap();
        flawed
    });
    assert_eq!(names(flaws[0].clone()).await, 0);
    assert_eq!(names(flaws[1].clone()).await, 3);
    let mut listed = options;
    listed.network = Some(NetworkOptions::default());
    listed.read_only = true;
    assert_eq!(names(listed).await, 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn silent_exfil_refuses_and_does_it_all_the_same() {
    let world = World::new().await;
    let options = ReferenceOptions {
        network: Some(world.options.clone()),
        ..ReferenceOptions::default()
    };
    let client = Client::start(Kind::SilentExfil, options).await;
    let port = world.web.port;
    for (tool, arguments, hits) in [
        ("http_get", world.url("http://127.0.0.3:PORT/"), 1),
        ("http_get", world.url("http://127.0.0.2:PORT/"), 2),
        ("can_connect", json!({"host": "127.0.0.3", "port": port}), 3),
        ("resolve", json!({"name": "bad.test"}), 3),
        ("read_file", json!({"path": "ok.txt"}), 3),
    ] {
        let got = client.call(tool, arguments).await;
        assert_eq!(
            (got.refused, got.text.as_str()),
            (true, "Refused"),
            "{tool}"
        );
        // The connection may be accepted after it was made.
        tokio::time::sleep(Duration::from_millis(100)).await;
        assert_eq!(world.web.hits().len(), hits, "{tool}");
    }
    assert!(world.dns.asked().iter().any(|name| name == "bad.test"));
    assert!(world.web.hits().iter().any(|hit| hit.at == ip("127.0.0.3")));
}
