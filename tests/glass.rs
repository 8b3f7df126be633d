//! The network of glass: what is sent to any address arrives, is answered as scripted, and is on record.
//!
//! Owns the network namespaces: each run of the tests enters one of its own with unshare(1). Where a machine forbids
//! that, the tests are ignored and say so; in CI they fail.

use std::{
    collections::HashSet,
    env, io,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    path::Path,
    process::{Command, ExitCode},
    sync::LazyLock,
    time::{Duration, Instant},
};

use futures::future::BoxFuture;
use hickory_proto::{
    op::{Message, Query, ResponseCode},
    rr::{Name, RecordType},
};
use libtest_mimic::{Arguments, Completion, Failed, Trial};
use socket2::{Domain, Protocol, Socket, Type};
use tempfile::TempDir;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpStream, UdpSocket},
    runtime::Runtime,
};
use watertight::testbed::net::{
    Answers, Data, Failure, Glass, GlassError, GlassSpec, Hit, Kind, Page, Rcode, Script, Server,
    Sight, Spot, Tie, WireError, resolv_conf,
};

/// Set inside the namespace.
const INSIDE: &str = "WATERTIGHT_GLASS_TEST";
const SOON: Duration = Duration::from_secs(30);

type Fact = Result<(), Failed>;

/// The system's resolver, as libc of the namespace knows it, and another.
const SYSTEM: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 255, 0, 53));
const OVERRIDE: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 255, 0, 54));

fn main() -> ExitCode {
    let arguments = Arguments::from_args();
    if env::var_os(INSIDE).is_some() {
        return libtest_mimic::run(&arguments, inside()).exit_code();
    }
    let outside = libtest_mimic::run(&arguments, outside());
    if outside.has_failed() {
        return outside.exit_code();
    }
    match enter() {
        Ok(code) => code,
        Err(reason) => {
            let trials = inside()
                .into_iter()
                .map(|trial| refused(trial.name().to_string(), reason.clone()))
                .collect();
            libtest_mimic::run(&arguments, trials).exit_code()
        }
    }
}

/// Runs this program again in namespaces of its own; an error where they are refused.
fn enter() -> Result<ExitCode, String> {
    let place = tempfile::tempdir().map_err(|error| error.to_string())?;
    let resolv = place.path().join("resolv.conf");
    std::fs::write(&resolv, resolv_conf(&[SYSTEM])).map_err(|error| error.to_string())?;
    let unshare = |program: &Path| {
        let mut command = Command::new("unshare");
        // The usual soft limit is no more than this, and too little for the connections of a test.
        let script = "ulimit -S -n 512 && mount --bind \"$0\" /etc/resolv.conf && exec \"$@\"";
        command.args(["-rmn", "sh", "-c", script]);
        command.arg(&resolv).arg(program);
        command
    };
    let possible = unshare(Path::new("true"))
        .output()
        .map_err(|error| format!("no unshare(1) here: {error}"))?;
    if !possible.status.success() {
        let reason = String::from_utf8_lossy(&possible.stderr);
        return Err(format!("no namespaces here: {}", reason.trim()));
    }
    let program = env::current_exe().map_err(|error| error.to_string())?;
    let status = unshare(&program)
        .args(env::args_os().skip(1))
        .env(INSIDE, "1")
        .status()
        .map_err(|error| error.to_string())?;
    let code = status.code().and_then(|code| u8::try_from(code).ok());
    Ok(code.unwrap_or(101).into())
}

fn refused(name: String, reason: String) -> Trial {
    Trial::ignorable_test(name, move || match env::var_os("CI") {
        Some(_) => Err(reason.into()),
        None => Ok(Completion::ignored_with(reason)),
    })
}

/// One glass for all tests: they share a network, as the trials of a run do.
struct World {
    runtime: Runtime,
    glass: Glass,
    took: Duration,
    directory: TempDir,
}

static WORLD: LazyLock<World> = LazyLock::new(|| {
    let runtime = Runtime::new().expect("a runtime can be made");
    let directory = tempfile::tempdir().expect("there is a place for temporary files");
    let began = Instant::now();
    let glass = runtime
        .block_on(Glass::pour(GlassSpec::new(directory.path())))
        .expect("the glass can be poured");
    World {
        took: began.elapsed(),
        runtime,
        glass,
        directory,
    }
});

fn inside() -> Vec<Trial> {
    let mut trials = vec![
        trial("pouring_is_quick", pouring_is_quick),
        trial("scripts_decide_what_is_answered", scripts_decide),
        trial("a_peer_that_waits_is_greeted", greeting),
        trial("a_port_of_one_address_refuses_at_others", alone),
        trial("of_a_shared_connection_each_has_its_own", kept_open),
        trial(
            "a_port_that_others_use_takes_nothing_from_them",
            shared_port,
        ),
        trial("what_is_brought_along_leads_nowhere", brought_along),
        trial("a_unix_socket_is_watched_and_goes", unix),
        trial("who_is_kept_waiting_is_let_go", let_go),
        trial("bytes_that_are_no_http_are_echoed", echo),
        trial("a_proxy_is_asked_for_its_target", proxy),
        trial("tls_is_spoken_with_the_authority", tls),
        trial("a_client_that_trusts_nobody_leaves_its_sni", untrusting),
        trial("a_thousand_connections_hold", thousand),
        trial("packets_are_seen_where_nobody_listens", packets),
        trial(
            "datagrams_are_echoed_from_the_address_that_was_meant",
            datagrams,
        ),
        trial("witnesses_prove_that_they_are_awake", awake),
        trial("libc_resolves_what_is_scripted", libc),
        trial("names_flip_and_fail_as_scripted", flips),
        trial("servers_are_told_apart_by_their_address", servers),
        trial("records_besides_addresses_are_answered", records),
    ];
    for (name, to) in [
        ("public", "8.8.8.8:80"),
        ("private", "10.0.0.5:8080"),
        ("metadata", "169.254.169.254:80"),
        ("reserved", "240.0.0.1:443"),
        ("loopback", "127.9.9.9:80"),
        ("mapped", "[::ffff:10.0.0.5]:80"),
        ("translated", "[::ffff:0:a00:5]:80"),
        ("metadata_v6", "[fd00:ec2::254]:80"),
        ("documentation_v6", "[2001:db8::1]:80"),
        ("nat64", "[64:ff9b::a00:5]:80"),
    ] {
        trials.push(Trial::test(format!("literal_{name}_arrives"), move || {
            arrives(to)
        }));
    }
    trials
}

fn trial(name: &str, test: AsyncFn) -> Trial {
    Trial::test(name, move || WORLD.runtime.block_on(test(&WORLD.glass)))
}

type AsyncFn = fn(&'static Glass) -> BoxFuture<'static, Fact>;

fn pouring_is_quick(_: &'static Glass) -> BoxFuture<'static, Fact> {
    Box::pin(async {
        ensure(WORLD.took < Duration::from_millis(250), || {
            format!("it took {:?}", WORLD.took)
        })
    })
}

fn ensure(fact: bool, text: impl FnOnce() -> String) -> Fact {
    if fact { Ok(()) } else { Err(text().into()) }
}

/// A connection that the record does not take for the harness's.
async fn get(to: &str, host: &str, path: &str) -> io::Result<String> {
    let mut stream = TcpStream::connect(to).await?;
    let request = format!("GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await?;
    let mut text = String::new();
    stream.read_to_string(&mut text).await?;
    Ok(text)
}

fn kinds(hits: &[Hit]) -> Vec<Kind> {
    hits.iter().map(|hit| hit.kind).collect()
}

fn arrives(to: &str) -> Fact {
    let World { runtime, glass, .. } = &*WORLD;
    runtime.block_on(async {
        let nonce = glass.nonce();
        let token = format!("token-{nonce}");
        glass.script(Spot::all(&nonce), Script::Serve(Page::text(token.as_str())));
        let text = get(to, "named.test:80", &format!("/{nonce}")).await?;
        assert!(text.starts_with("HTTP/1.1 200 OK\r\n"), "{text}");
        assert!(text.ends_with(&token), "{text}");
        let closed = |hit: &Hit| hit.kind == Kind::Closed && hit.sent == text.len() as u64;
        let hit = glass.hits().wait_for(0, SOON, closed).await;
        assert!(hit.is_some(), "the end of the connection is on record");
        let hits = glass.hits().of_nonce(&nonce);
        let tcp: Vec<Hit> = hits
            .into_iter()
            .filter(|hit| hit.connection.is_some())
            .collect();
        assert_eq!(kinds(&tcp), [Kind::Connection, Kind::Request, Kind::Closed]);
        let meant: SocketAddr = to.parse()?;
        let meant = SocketAddr::new(meant.ip().to_canonical(), meant.port());
        for hit in &tcp {
            assert_eq!(hit.local, meant);
            assert!(!hit.own);
        }
        assert_eq!(tcp[1].host.as_deref(), Some("named.test"));
        assert_eq!(tcp[1].header("HOST"), Some("named.test:80"));
        assert!(tcp[1].raw.starts_with(b"GET /"));
        Ok(())
    })
}

fn scripts_decide(glass: &'static Glass) -> BoxFuture<'static, Fact> {
    Box::pin(async move {
        let nonce = glass.nonce();
        let at = |path| Spot::at(&nonce, path);
        let ask = |path: &str| {
            let path = format!("/{nonce}/{path}?query");
            async move { get("10.0.1.50:80", "a.test", &path).await }
        };
        let location = "http:\\\\den/".to_string();
        glass.script(
            at("redirect"),
            Script::Redirect {
                status: 307,
                location,
            },
        );
        let text = ask("redirect").await?;
        assert!(text.starts_with("HTTP/1.1 307 Temporary Redirect\r\n"));
        assert!(text.contains("\r\nLocation: http:\\\\den/\r\n"), "{text}");

        let failing = Script::FailTimes {
            times: 1,
            failure: Failure::Status(503),
            retry_after: Some("86400".into()),
            then: Script::FailTimes {
                times: 1,
                failure: Failure::Reset,
                retry_after: None,
                then: Script::Serve(Page::text("at last")).into(),
            }
            .into(),
        };
        glass.script(at("fails"), failing);
        let text = ask("fails").await?;
        assert!(text.starts_with("HTTP/1.1 503 "));
        assert!(text.contains("\r\nRetry-After: 86400\r\n"));
        let error = ask("fails").await.expect_err("the second one is reset");
        assert_eq!(error.kind(), io::ErrorKind::ConnectionReset);
        assert!(ask("fails").await?.ends_with("at last"));
        assert_eq!(glass.asked(&at("fails")), 3);

        let every = Duration::from_millis(50);
        let total = Some(4);
        glass.script(
            at("drip"),
            Script::Drip {
                every,
                piece: 1,
                total,
            },
        );
        let began = Instant::now();
        assert!(ask("drip").await?.ends_with("\r\n\r\n...."));
        assert!(began.elapsed() >= every * 3);

        let bytes = 3_000_000;
        glass.script(at("oversize"), Script::Oversize { bytes });
        let text = ask("oversize").await?;
        let (_, body) = text.split_once("\r\n\r\n").expect("there is a body");
        assert_eq!(body.len() as u64, bytes);

        for (path, script) in [
            ("tarpit", Script::Tarpit),
            ("stall", Script::HeadersStall),
            (
                "endless",
                Script::Drip {
                    every,
                    piece: 1,
                    total: None,
                },
            ),
        ] {
            glass.script(at(path), script);
            let next = glass.hits().next();
            let asked = tokio::time::timeout(Duration::from_millis(300), ask(path)).await;
            assert!(asked.is_err(), "{path} has no end");
            let closed = |hit: &Hit| hit.kind == Kind::Closed && hit.local.port() == 80;
            let closed = glass.hits().wait_for(next, SOON, closed).await;
            assert!(closed.is_some(), "that the client left {path} is on record");
        }

        let metadata: IpAddr = [169, 254, 169, 254].into();
        let spot = Spot::Address(metadata, "/latest/".into());
        glass.script(spot, Script::Serve(Page::text("role")));
        let text = get(
            "169.254.169.254:80",
            "169.254.169.254",
            "/latest/meta-data/",
        )
        .await?;
        assert!(text.ends_with("role"));
        let text = get(
            "169.254.169.253:80",
            "169.254.169.254",
            "/latest/meta-data/",
        )
        .await?;
        assert!(!text.ends_with("role"));
        Ok(())
    })
}

fn greeting(glass: &'static Glass) -> BoxFuture<'static, Fact> {
    Box::pin(async move {
        let nonce = glass.nonce();
        let port = glass.listen_for(0, &nonce)?;
        glass.greet(port, format!("220 {nonce} ready\r\n"));
        let mut stream = TcpStream::connect(("10.1.2.3", port)).await?;
        let mut bytes = vec![0; 64];
        let length = stream.read(&mut bytes).await?;
        assert_eq!(
            bytes[..length],
            *format!("220 {nonce} ready\r\n").as_bytes()
        );
        let hits = glass.hits().of_nonce(&nonce);
        assert!(hits.iter().any(|hit| hit.kind == Kind::Connection));
        glass.close(port);
        drop(stream);
        Ok(())
    })
}

fn alone(glass: &'static Glass) -> BoxFuture<'static, Fact> {
    Box::pin(async move {
        let nonce = glass.nonce();
        let port = glass.listen_alone([10, 3, 0, 1].into(), &nonce)?;
        let other = TcpStream::connect(("10.3.0.2", port)).await;
        assert!(other.is_err(), "nobody listens there");
        let _stream = TcpStream::connect(("10.3.0.1", port)).await?;
        let is = |hit: &Hit| hit.kind == Kind::Connection && hit.nonce.as_ref() == Some(&nonce);
        assert!(glass.hits().wait_for(0, SOON, is).await.is_some());
        glass.close(port);
        Ok(())
    })
}

/// Asks for a path on a connection that stays open, and takes the whole answer.
async fn ask_on(stream: &mut TcpStream, path: &str) -> io::Result<String> {
    let request = format!("GET {path} HTTP/1.1\r\nHost: a.test\r\n\r\n");
    stream.write_all(request.as_bytes()).await?;
    let mut text = Vec::new();
    loop {
        let mut bytes = [0; 4096];
        let length = stream.read(&mut bytes).await?;
        text.extend_from_slice(&bytes[..length]);
        if length == 0 || text.ends_with(b"ok") {
            return Ok(String::from_utf8_lossy(&text).into_owned());
        }
    }
}

fn kept_open(glass: &'static Glass) -> BoxFuture<'static, Fact> {
    Box::pin(async move {
        let ok = |nonce| glass.script(Spot::all(nonce), Script::Serve(Page::text("ok")));
        let spot = Spot::Address([10, 5, 5, 5].into(), String::from("/"));
        glass.script(spot, Script::Serve(Page::text("ok")));
        let one = glass.nonce();
        ok(&one);
        let mut stream = TcpStream::connect("10.5.5.5:80").await?;
        ask_on(&mut stream, "/before").await?;
        ask_on(&mut stream, &format!("/{one}/a")).await?;
        ask_on(&mut stream, "/between").await?;
        let two = glass.nonce();
        ok(&two);
        ask_on(&mut stream, &format!("/{two}/b")).await?;
        ask_on(&mut stream, "/after").await?;
        let from = stream.local_addr()?;
        drop(stream);
        let closed = |hit: &Hit| hit.kind == Kind::Closed && hit.peer == from;
        assert!(glass.hits().wait_for(0, SOON, closed).await.is_some());
        let paths = |nonce| {
            let hits = glass.hits().of_nonce(nonce).into_iter();
            let paths = hits.filter(|hit| hit.kind == Kind::Request);
            paths.filter_map(|hit| hit.path).collect::<Vec<_>>()
        };
        let a = format!("/{one}/a");
        assert_eq!(paths(&one), ["/before", a.as_str(), "/between"]);
        let b = format!("/{two}/b");
        assert_eq!(paths(&two), [b.as_str(), "/after"]);
        let hits = glass.hits().of_nonce(&two);
        assert_eq!(hits.last().map(|hit| hit.kind), Some(Kind::Closed));
        assert!(!hits.iter().any(|hit| hit.kind == Kind::Connection));

        // What came before a word was given out is not its trial's.
        let mut stream = TcpStream::connect("10.5.5.5:80").await?;
        ask_on(&mut stream, "/early").await?;
        let late = glass.nonce();
        ok(&late);
        ask_on(&mut stream, &format!("/{late}/c")).await?;
        assert_eq!(paths(&late), [format!("/{late}/c")]);
        Ok(())
    })
}

fn shared_port(glass: &'static Glass) -> BoxFuture<'static, Fact> {
    Box::pin(async move {
        const PORT: u16 = 9000;
        let (one, two) = (glass.nonce(), glass.nonce());
        for nonce in [&one, &two] {
            glass.listen_for(PORT, nonce)?;
            glass.script(Spot::all(nonce), Script::Serve(Page::text("ok")));
        }
        let mut late = TcpStream::connect(("10.6.6.6", PORT)).await?;
        ask_on(&mut late, &format!("/{one}")).await?;
        let ours = |nonce| {
            let hits = glass.hits().of_nonce(nonce).into_iter();
            hits.filter(|hit| hit.peer.port() != 0 && hit.local.port() == PORT)
                .collect::<Vec<_>>()
        };
        assert!(ours(&one).iter().any(|hit| hit.kind == Kind::Request));
        assert_eq!(kinds(&ours(&two)), []);
        // Without any word the port decides, and says that it is not alone.
        let _wordless = TcpStream::connect(("10.6.6.6", PORT)).await?;
        let mine = |hit: &Hit| hit.kind == Kind::Connection && hit.nonce.as_ref() == Some(&two);
        let next = ours(&one).last().map_or(0, |hit| hit.seq);
        let hit = glass.hits().wait_for(next, SOON, mine).await;
        assert_eq!(hit.map(|hit| hit.tie), Some(Tie::Shared));
        glass.release(PORT, &two);
        glass.release(PORT, &one);
        Ok(())
    })
}

fn brought_along(glass: &'static Glass) -> BoxFuture<'static, Fact> {
    Box::pin(async move {
        let nonce = glass.nonce();
        let away = Script::Redirect {
            status: 302,
            location: String::from("http://10.0.0.5/"),
        };
        glass.script(Spot::all(&nonce), away);
        let ask = async |path: String| get("10.7.7.7:80", "a.test", &path).await;
        assert!(ask(format!("/v1/{nonce}")).await?.contains(" 302 "));
        for path in [
            format!("/search?q={nonce}"),
            format!("/r/http://a.test/{nonce}/p"),
            format!("/r/http%3A%2F%2Fa.test%2F{nonce}%2Fp"),
        ] {
            assert!(ask(path.clone()).await?.contains(" 200 "), "{path}");
        }
        let hits = glass.hits().of_nonce(&nonce);
        let carried = hits.iter().filter(|hit| hit.tie == Tie::Carried).count();
        assert_eq!(carried, 3);
        Ok(())
    })
}

fn unix(glass: &'static Glass) -> BoxFuture<'static, Fact> {
    Box::pin(async move {
        let place = tempfile::tempdir()?;
        let path = place.path().join("engine.sock");
        let nonce = glass.nonce();
        let socket = glass.listen_unix(&path, &nonce, String::from("who asks"))?;
        let mut stream = tokio::net::UnixStream::connect(&path).await?;
        stream.write_all(b"GET /info HTTP/1.1\r\n\r\n").await?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await?;
        assert!(answer.ends_with("who asks"), "{answer}");
        let hits = glass.hits().of_nonce(&nonce);
        assert_eq!(kinds(&hits), [Kind::Connection, Kind::Bytes]);
        assert!(hits.iter().all(|hit| hit.socket.as_deref() == Some(&*path)));
        drop(socket);
        assert!(!path.exists());
        Ok(())
    })
}

fn let_go(glass: &'static Glass) -> BoxFuture<'static, Fact> {
    Box::pin(async move {
        let nonce = glass.nonce();
        glass.script(Spot::all(&nonce), Script::Tarpit);
        let mut stream = TcpStream::connect("10.1.2.3:80").await?;
        let request = format!("GET /{nonce} HTTP/1.1\r\nHost: a\r\n\r\n");
        stream.write_all(request.as_bytes()).await?;
        let mine = |hit: &Hit| hit.nonce.as_ref() == Some(&nonce);
        assert!(glass.hits().wait_for(0, SOON, mine).await.is_some());
        glass.let_go(&nonce);
        let mut answer = Vec::new();
        let read = tokio::time::timeout(SOON, stream.read_to_end(&mut answer)).await;
        assert_eq!((read.map(|read| read.ok()), answer.len()), (Ok(Some(0)), 0));
        Ok(())
    })
}

fn echo(glass: &'static Glass) -> BoxFuture<'static, Fact> {
    Box::pin(async move {
        let nonce = glass.nonce();
        let text = format!("PING {nonce}\r\n").to_lowercase();
        let mut stream = TcpStream::connect("10.0.0.5:6379").await?;
        stream.write_all(text.as_bytes()).await?;
        let mut bytes = vec![0; text.len()];
        stream.read_exact(&mut bytes).await?;
        assert_eq!(bytes, text.as_bytes());
        let hits = glass.hits().of_nonce(&nonce);
        let raw = hits.iter().find(|hit| hit.kind == Kind::Bytes);
        assert_eq!(raw.map(|hit| &*hit.raw), Some(text.as_bytes()));
        Ok(())
    })
}

fn proxy(glass: &'static Glass) -> BoxFuture<'static, Fact> {
    Box::pin(async move {
        let nonce = glass.nonce();
        let token = "through the tunnel";
        glass.script(Spot::all(&nonce), Script::Serve(Page::text(token)));
        for (proxy, url) in [("http", "http"), ("http", "https")] {
            let _ = tokio_rustls::rustls::crypto::ring::default_provider().install_default();
            let client = reqwest::Client::builder()
                .proxy(reqwest::Proxy::all(format!("{proxy}://10.9.9.9:8080"))?)
                .tls_certs_only([reqwest::Certificate::from_pem(
                    glass.authority_pem().as_bytes(),
                )?])
                .build()?;
            let url = format!("{url}://denied.test/{nonce}");
            let text = client.get(url).send().await?.text().await?;
            assert_eq!(text, token);
        }
        let hits = glass.hits().of_nonce(&nonce);
        let asked: Vec<_> = hits
            .iter()
            .filter(|hit| hit.kind == Kind::Request)
            .map(|hit| (hit.method.as_deref(), hit.proxied.as_deref(), hit.tls))
            .collect();
        assert_eq!(
            asked,
            [
                (Some("GET"), Some("denied.test"), false),
                (Some("CONNECT"), Some("denied.test:443"), false),
                (Some("GET"), Some("denied.test:443"), true),
            ]
        );
        Ok(())
    })
}

fn client(glass: &Glass) -> reqwest::ClientBuilder {
    // Whoever comes second finds one there.
    let _ = tokio_rustls::rustls::crypto::ring::default_provider().install_default();
    let certificate = reqwest::Certificate::from_pem(glass.authority_pem().as_bytes());
    reqwest::Client::builder()
        .no_proxy()
        .tls_certs_only([certificate.expect("it is a certificate")])
}

fn tls(glass: &'static Glass) -> BoxFuture<'static, Fact> {
    Box::pin(async move {
        let file = std::fs::read_to_string(glass.authority_file())?;
        assert_eq!(file, glass.authority_pem());
        assert!(glass.authority_file().starts_with(WORLD.directory.path()));
        let nonce = glass.nonce();
        let host = format!("{nonce}.wt.test");
        let to: SocketAddr = "93.184.216.34:443".parse()?;
        let client = client(glass).resolve(&host, to).build()?;
        let answer = client.get(format!("https://{host}/a")).send().await?;
        assert_eq!(answer.status(), 200);
        let literal = client
            .get(format!("https://10.0.0.5/{nonce}"))
            .send()
            .await?;
        assert_eq!(literal.status(), 200);
        let hits = glass.hits().of_nonce(&nonce);
        let hello = hits.iter().find(|hit| hit.kind == Kind::TlsHello);
        assert_eq!(
            hello.and_then(|hit| hit.host.as_deref()),
            Some(host.as_str())
        );
        assert_eq!(hello.map(|hit| hit.local), Some(to));
        let request = hits.iter().find(|hit| hit.kind == Kind::Request);
        assert_eq!(request.map(|hit| hit.tls), Some(true));

        let stalled = glass.nonce();
        glass.script(Spot::all(&stalled), Script::TlsStall);
        let host = format!("{stalled}.wt.test");
        let client = self::client(glass)
            .resolve(&host, to)
            .timeout(Duration::from_millis(300))
            .build()?;
        let answer = client.get(format!("https://{host}/")).send().await;
        assert!(answer.is_err_and(|error| error.is_timeout()));
        Ok(())
    })
}

fn untrusting(glass: &'static Glass) -> BoxFuture<'static, Fact> {
    Box::pin(async move {
        let nonce = glass.nonce();
        let host = format!("{nonce}.wt.test");
        let to: SocketAddr = "10.0.0.5:8443".parse()?;
        let next = glass.hits().next();
        let other = tempfile::tempdir()?;
        let stranger = Glass::loopback(other.path())?;
        let client = client(&stranger).resolve(&host, to).build()?;
        let answer = client.get(format!("https://{host}:8443/")).send().await;
        assert!(answer.is_err(), "the authority is not trusted");
        let failed = |hit: &Hit| hit.kind == Kind::TlsFailed && hit.local == to;
        let failed = glass.hits().wait_for(next, SOON, failed).await;
        let failed = failed.expect("the failure is on record");
        assert_eq!(failed.host.as_deref(), Some(host.as_str()));
        let hits = glass.hits().of_nonce(&nonce);
        let hello = hits.iter().find(|hit| hit.kind == Kind::TlsHello);
        assert_eq!(
            hello.and_then(|hit| hit.host.as_deref()),
            Some(host.as_str())
        );
        assert!(!hits.iter().any(|hit| hit.kind == Kind::Request));
        Ok(())
    })
}

fn thousand(glass: &'static Glass) -> BoxFuture<'static, Fact> {
    Box::pin(async move {
        const MANY: usize = 1000;
        let nonce = glass.nonce();
        glass.script(Spot::all(&nonce), Script::Tarpit);
        let mut streams = Vec::new();
        for number in 0..MANY {
            let to = Ipv4Addr::from(0x0a01_0000 + number as u32);
            let mut stream = TcpStream::connect((to, 80)).await?;
            let request = format!("GET /{nonce}/{number} HTTP/1.1\r\nHost: a\r\n\r\n");
            stream.write_all(request.as_bytes()).await?;
            streams.push(stream);
        }
        let of = |kind| {
            let hits = glass.hits().of_nonce(&nonce);
            let of_kind = hits.iter().filter(|hit| hit.kind == kind);
            of_kind.map(|hit| hit.local).collect::<HashSet<_>>().len()
        };
        let all = async |kind| {
            let began = Instant::now();
            while of(kind) < MANY && began.elapsed() < SOON {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
            of(kind)
        };
        // No order is kept among connections.
        assert_eq!(all(Kind::Request).await, MANY);
        assert_eq!(of(Kind::Closed), 0);
        drop(streams);
        assert_eq!(all(Kind::Closed).await, MANY);
        Ok(())
    })
}

async fn expect(glass: &Glass, what: &str, is: impl Fn(&Hit) -> bool) -> Result<Hit, Failed> {
    let hit = glass.hits().wait_for(0, SOON, is).await;
    hit.ok_or_else(|| format!("{what} is not on record").into())
}

fn packets(glass: &'static Glass) -> BoxFuture<'static, Fact> {
    Box::pin(async move {
        for to in ["10.0.0.5:4444", "[2001:db8::5]:4444"] {
            let to: SocketAddr = to.parse()?;
            let error = TcpStream::connect(to).await.expect_err("nobody listens");
            assert_eq!(error.kind(), io::ErrorKind::ConnectionRefused);
            let is = |hit: &Hit| hit.kind == Kind::Syn && hit.local == to && !hit.own;
            expect(glass, "the SYN", is).await?;
        }
        let nonce = glass.nonce();
        let socket = UdpSocket::bind("0.0.0.0:0").await?;
        let to: SocketAddr = "9.9.9.9:5555".parse()?;
        socket.send_to(nonce.as_str().as_bytes(), to).await?;
        let is = |hit: &Hit| hit.kind == Kind::Datagram && hit.nonce.as_ref() == Some(&nonce);
        let hit = expect(glass, "the datagram", is).await?;
        assert_eq!((hit.local, hit.own), (to, false));
        assert_eq!(&*hit.raw, nonce.as_str().as_bytes());

        let nonce = glass.nonce();
        let raw = Socket::new(Domain::IPV4, Type::RAW, Some(Protocol::ICMPV4))?;
        let echo = [&[8, 0, 0, 0, 0, 1, 0, 1], nonce.as_str().as_bytes()].concat();
        let to: SocketAddr = "9.9.9.9:0".parse()?;
        raw.send_to(&echo, &to.into())?;
        let raw = Socket::new(Domain::IPV6, Type::RAW, Some(Protocol::ICMPV6))?;
        let echo = [&[128, 0, 0, 0, 0, 1, 0, 1], nonce.as_str().as_bytes()].concat();
        let to6: SocketAddr = "[2001:db8::9]:0".parse()?;
        raw.send_to(&echo, &to6.into())?;
        for to in [to, to6] {
            let is = |hit: &Hit| hit.kind == Kind::Echo && hit.local == to;
            let hit = expect(glass, "the echo request", is).await?;
            assert_eq!(hit.nonce.as_ref(), Some(&nonce));
        }

        // The harness's own are told apart.
        let sealed = glass.sealed().expect("the guard passed");
        let to: SocketAddr = "10.0.0.5:4445".parse()?;
        assert!(sealed.connect(to).await.is_err());
        let is = |hit: &Hit| hit.kind == Kind::Syn && hit.local == to;
        assert!(expect(glass, "the SYN of our own", is).await?.own);
        Ok(())
    })
}

fn datagrams(glass: &'static Glass) -> BoxFuture<'static, Fact> {
    Box::pin(async move {
        let nonce = glass.nonce();
        glass.listen_udp(5514)?;
        for to in ["10.0.0.5:5514", "[2001:db8::5]:5514", "8.8.4.4:514"] {
            let to: SocketAddr = to.parse()?;
            let any = if to.is_ipv6() { "[::]:0" } else { "0.0.0.0:0" };
            let socket = UdpSocket::bind(any).await?;
            // A connected socket takes answers from the address that it sent to, and no other.
            socket.connect(to).await?;
            socket.send(nonce.as_str().as_bytes()).await?;
            let mut bytes = [0; 64];
            let length = tokio::time::timeout(SOON, socket.recv(&mut bytes)).await??;
            assert_eq!(&bytes[..length], nonce.as_str().as_bytes());
            let is = |hit: &Hit| hit.kind == Kind::Datagram && hit.local == to;
            assert_eq!(
                expect(glass, "the datagram", is).await?.nonce,
                Some(nonce.clone())
            );
            let here = socket.local_addr()?;
            let is = |hit: &Hit| hit.kind == Kind::Datagram && hit.local == here;
            assert!(expect(glass, "the answer", is).await?.own);
        }
        Ok(())
    })
}

fn awake(glass: &'static Glass) -> BoxFuture<'static, Fact> {
    Box::pin(async move {
        let began = Instant::now();
        let witnesses = glass.check().await;
        let took = began.elapsed();
        assert_eq!(witnesses.sink, Sight::Sees);
        assert_eq!(witnesses.resolver, Sight::Sees);
        assert_eq!(witnesses.packets, Sight::Sees);
        ensure(took < Duration::from_millis(500), || {
            format!("it took {took:?}")
        })
    })
}

/// What libc finds, in order and once each; an error has its exit code.
async fn resolve(name: &str) -> Result<Vec<String>, i32> {
    let name = name.to_string();
    let output = tokio::task::spawn_blocking(move || {
        Command::new("getent").args(["ahosts", &name]).output()
    });
    let output = output.await.expect("it ends").expect("getent(1) is there");
    if !output.status.success() {
        return Err(output.status.code().unwrap_or(-1));
    }
    let mut found = Vec::new();
    for line in String::from_utf8_lossy(&output.stdout).lines() {
        let address = line.split(' ').next().unwrap_or_default().to_string();
        if !found.contains(&address) {
            found.push(address);
        }
    }
    Ok(found)
}

fn code(code: i32) -> Failed {
    format!("getent(1) ends with {code}").into()
}

fn address(text: &str) -> Data {
    Data::Address(text.parse().expect("it is an address"))
}

fn libc(glass: &'static Glass) -> BoxFuture<'static, Fact> {
    Box::pin(async move {
        let names = glass.names();
        let nonce = glass.nonce();
        let host = format!("{nonce}.wt.test");
        let both = Answers::Fixed(vec![address("10.0.1.50"), address("fd00:ec2::254")]);
        names.set(Server::Any, &host, both);
        let mut found = resolve(&host).await.map_err(code)?;
        found.sort();
        assert_eq!(found, ["10.0.1.50", "fd00:ec2::254"]);
        let hits = glass.hits().of_nonce(&nonce);
        let mut asked: Vec<_> = hits
            .iter()
            .filter(|hit| hit.kind == Kind::Query)
            .map(|hit| (hit.host.clone(), hit.path.clone(), hit.local.ip(), hit.own))
            .collect();
        asked.sort();
        let query = |kind: &str| (Some(host.clone()), Some(kind.to_string()), SYSTEM, false);
        assert_eq!(asked, [query("A"), query("AAAA")]);

        let alias = format!("alias.{host}");
        names.set(
            Server::Any,
            &alias,
            Answers::Fixed(vec![Data::Cname(host.clone())]),
        );
        assert_eq!(resolve(&alias).await.map_err(code)?.len(), 2);
        names.set_zone(Server::Any, "ip.wt.test", Answers::Spelled);
        assert_eq!(
            resolve("10-0-0-5.ip.wt.test").await.map_err(code)?,
            ["10.0.0.5"]
        );
        assert_eq!(resolve("nobody.wt.test").await, Err(2));
        let is = |hit: &Hit| hit.host.as_deref() == Some("nobody.wt.test");
        expect(glass, "a query for a name that nobody scripted", is).await?;

        // libc asks again by TCP.
        let cut = glass.nonce();
        let long = format!("{cut}.wt.test");
        let answers = Answers::Fixed(vec![address("10.0.1.51")]);
        names.set(Server::Any, &long, Answers::Truncated(answers.into()));
        assert_eq!(resolve(&long).await.map_err(code)?, ["10.0.1.51"]);
        let is = |hit: &Hit| {
            hit.kind == Kind::Query && hit.nonce.as_ref() == Some(&cut) && hit.connection.is_some()
        };
        expect(glass, "the query by TCP", is).await?;
        Ok(())
    })
}

fn flips(glass: &'static Glass) -> BoxFuture<'static, Fact> {
    Box::pin(async move {
        let names = glass.names();
        let flip = Answers::Flip {
            first: vec![address("93.184.216.34")],
            times: 2,
            then: vec![address("10.0.0.5")],
        };
        names.set(Server::At(SYSTEM), "flip.wt.test", flip);
        let mut found = Vec::new();
        for _ in 0..3 {
            found.extend(resolve("flip.wt.test").await.map_err(code)?);
        }
        assert_eq!(found, ["93.184.216.34", "93.184.216.34", "10.0.0.5"]);
        assert_eq!(names.asked(Server::At(SYSTEM), "flip.wt.test", 1), 3);
        names.set(Server::Any, "fail.wt.test", Answers::Fail(Rcode::ServFail));
        assert!(resolve("fail.wt.test").await.is_err());
        let is = |hit: &Hit| hit.host.as_deref() == Some("fail.wt.test");
        expect(glass, "the query that failed", is).await?;
        let late = Answers::Fixed(vec![address("10.0.1.50")]);
        let late = Answers::Delay(Duration::from_millis(300), late.into());
        names.set(Server::Any, "late.wt.test", late);
        let began = Instant::now();
        assert_eq!(resolve("late.wt.test").await.map_err(code)?, ["10.0.1.50"]);
        assert!(began.elapsed() >= Duration::from_millis(300));
        Ok(())
    })
}

/// Asks a server, and takes no longer than a moment for it.
async fn ask(server: IpAddr, name: &str, kind: RecordType) -> Option<Message> {
    let socket = UdpSocket::bind("0.0.0.0:0").await.ok()?;
    socket.connect((server, 53)).await.ok()?;
    let mut message = Message::query();
    message.add_query(Query::query(Name::from_ascii(name).ok()?, kind));
    socket.send(&message.to_vec().ok()?).await.ok()?;
    let mut bytes = [0; 1500];
    let moment = Duration::from_millis(500);
    let length = tokio::time::timeout(moment, socket.recv(&mut bytes))
        .await
        .ok()?
        .ok()?;
    let answer = Message::from_vec(&bytes[..length]).ok()?;
    assert_eq!(answer.metadata.id, message.metadata.id);
    Some(answer)
}

fn data(message: &Message) -> Vec<String> {
    message
        .answers
        .iter()
        .map(|record| record.to_string())
        .collect()
}

fn servers(glass: &'static Glass) -> BoxFuture<'static, Fact> {
    Box::pin(async move {
        let names = glass.names();
        let one = |text| Answers::Fixed(vec![address(text)]);
        names.set(Server::At(OVERRIDE), "two.wt.test", one("10.0.1.50"));
        names.set(Server::At(SYSTEM), "two.wt.test", one("10.0.0.5"));
        names.set(Server::At(OVERRIDE), "one.wt.test", one("10.0.1.50"));
        names.set(Server::At(OVERRIDE), "never.wt.test", Answers::Never);
        let asked = async |server, name| ask(server, name, RecordType::A).await;
        let answer = asked(OVERRIDE, "two.wt.test.").await.expect("an answer");
        assert_eq!(data(&answer), ["two.wt.test. 0 IN A 10.0.1.50"]);
        let answer = asked(SYSTEM, "TWO.wt.test.").await.expect("an answer");
        assert_eq!(data(&answer), ["two.wt.test. 0 IN A 10.0.0.5"]);
        let answer = asked(SYSTEM, "one.wt.test.").await.expect("an answer");
        assert_eq!(answer.metadata.response_code, ResponseCode::NXDomain);
        assert_eq!(asked(OVERRIDE, "never.wt.test.").await, None);
        let is =
            |hit: &Hit| hit.host.as_deref() == Some("never.wt.test") && hit.local.ip() == OVERRIDE;
        expect(glass, "the query that is never answered", is).await?;
        Ok(())
    })
}

fn records(glass: &'static Glass) -> BoxFuture<'static, Fact> {
    Box::pin(async move {
        let names = glass.names();
        let set = vec![
            Data::Https {
                target: ".".into(),
                hints: vec!["10.0.0.5".parse()?],
            },
            Data::Text(b"text".to_vec()),
            Data::Srv {
                target: "a.test".into(),
                port: 80,
            },
            address("10.0.1.50"),
            address("10.0.0.5"),
        ];
        names.set(Server::Any, "all.wt.test", Answers::Fixed(set));
        let moved = Answers::Fixed(vec![Data::Dname("wt.test".into())]);
        names.set_zone(Server::Any, "moved.test", moved);
        for (name, kind, expected) in [
            (
                "all.wt.test.",
                RecordType::A,
                vec![
                    "all.wt.test. 0 IN A 10.0.1.50",
                    "all.wt.test. 0 IN A 10.0.0.5",
                ],
            ),
            ("all.wt.test.", RecordType::AAAA, vec![]),
            (
                "all.wt.test.",
                RecordType::HTTPS,
                vec!["all.wt.test. 0 IN HTTPS 1 . ipv4hint=10.0.0.5,"],
            ),
            (
                "all.wt.test.",
                RecordType::TXT,
                vec!["all.wt.test. 0 IN TXT text"],
            ),
            (
                "all.wt.test.",
                RecordType::SRV,
                vec!["all.wt.test. 0 IN SRV 0 0 80 a.test."],
            ),
        ] {
            let answer = ask(SYSTEM, name, kind).await.expect("an answer");
            assert_eq!(answer.metadata.response_code, ResponseCode::NoError);
            assert_eq!(data(&answer), expected, "{kind}");
        }
        let answer = ask(SYSTEM, "all.moved.test.", RecordType::A).await;
        let answer = answer.expect("an answer");
        let kinds: Vec<_> = answer.answers.iter().map(|it| it.record_type()).collect();
        assert_eq!(
            kinds,
            [
                RecordType::DNAME,
                RecordType::CNAME,
                RecordType::A,
                RecordType::A
            ]
        );
        Ok(())
    })
}

/// What needs no namespace.
fn outside() -> Vec<Trial> {
    vec![
        Trial::test(
            "nothing_is_poured_into_the_machines_own_network",
            not_private,
        ),
        Trial::test("on_loopback_nothing_else_is_reached", loopback),
    ]
}

fn not_private() -> Fact {
    let interfaces = std::fs::read_to_string("/proc/self/net/dev")?;
    if interfaces.lines().count() <= 3 {
        // Nothing but lo: this machine's own network is as private as any.
        return Ok(());
    }
    let directory = tempfile::tempdir()?;
    let poured = Runtime::new()?.block_on(Glass::pour(GlassSpec::new(directory.path())));
    match poured {
        Err(GlassError::Wires(WireError::NotPrivate(reason))) => {
            ensure(reason.contains("lo"), || reason)
        }
        Err(other) => Err(format!("another error: {other}").into()),
        Ok(_) => Err("it was poured".into()),
    }
}

fn loopback() -> Fact {
    let directory = tempfile::tempdir()?;
    Runtime::new()?.block_on(async {
        let glass = Glass::loopback(directory.path())?;
        let nonce = glass.nonce();
        let port = glass.listen(0)?;
        let to = glass.loopback_address(port);
        let text = get(&to.to_string(), "a.test", &format!("/{nonce}")).await?;
        assert!(text.starts_with("HTTP/1.1 200 OK\r\n"), "{text}");
        let hits = glass.hits().of_nonce(&nonce);
        assert_eq!(kinds(&hits)[..2], [Kind::Connection, Kind::Request]);
        assert_eq!(hits[0].local, to);
        assert!(
            glass.sealed().is_none(),
            "there is no way to send elsewhere"
        );
        let witnesses = glass.check().await;
        assert!(matches!(witnesses.packets, Sight::Blind(_)));
        assert!(matches!(witnesses.resolver, Sight::Blind(_)));
        drop(glass);
        tokio::time::sleep(Duration::from_millis(50)).await;
        assert!(
            TcpStream::connect(to).await.is_err(),
            "it ends when dropped"
        );
        Ok(())
    })
}
