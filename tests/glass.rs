//! The network of glass: what is sent to any address arrives, is answered as scripted, and is on record.
//!
//! Owns the network namespaces: each run of the tests enters one of its own with unshare(1). Where a machine forbids
//! that, the tests are ignored and say so; in CI they fail.

use std::{
    env, io,
    net::{IpAddr, SocketAddr},
    process::{Command, ExitCode},
    sync::LazyLock,
    time::{Duration, Instant},
};

use futures::future::BoxFuture;
use libtest_mimic::{Arguments, Completion, Failed, Trial};
use tempfile::TempDir;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    runtime::Runtime,
};
use watertight::testbed::net::{Failure, Glass, GlassSpec, Hit, Kind, Page, Script, Spot};

/// Set inside the namespace.
const INSIDE: &str = "WATERTIGHT_GLASS_TEST";
const SOON: Duration = Duration::from_secs(5);

type Fact = Result<(), Failed>;

fn main() -> ExitCode {
    let arguments = Arguments::from_args();
    if env::var_os(INSIDE).is_some() {
        return libtest_mimic::run(&arguments, inside()).exit_code();
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
    let unshare = |program: &str| {
        let mut command = Command::new("unshare");
        command.args(["-rmn", "--propagation", "private", "--", program]);
        command
    };
    let possible = unshare("true")
        .output()
        .map_err(|error| format!("no unshare(1) here: {error}"))?;
    if !possible.status.success() {
        let reason = String::from_utf8_lossy(&possible.stderr);
        return Err(format!("no network namespace here: {}", reason.trim()));
    }
    let program = env::current_exe().map_err(|error| error.to_string())?;
    let status = unshare(&program.display().to_string())
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
        trial("bytes_that_are_no_http_are_echoed", echo),
        trial("a_proxy_is_asked_for_its_target", proxy),
        trial("tls_is_spoken_with_the_authority", tls),
        trial("a_client_that_trusts_nobody_leaves_its_sni", untrusting),
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
        ensure(WORLD.took < Duration::from_millis(100), || {
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
