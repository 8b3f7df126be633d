//! Sessions with servers that do what the worst of real ones do.
//!
//! Deadlines here only bound a failure; no test depends on how fast the machine is.

mod fixture;
mod http;
mod processes;
#[path = "../support/program.rs"]
mod program;

use std::{
    collections::BTreeMap,
    path::PathBuf,
    sync::{Arc, Mutex},
    time::Duration,
};

use serde_json::{Map, Value, json};
use watertight::session::{
    Caller, Direction, Endpoint, Era, Exchange, Health, Launch, Limits, NoiseKind, OpenError,
    Options, Outcome, Session, Transcript,
};

const LONG: Duration = Duration::from_secs(30);
const SHORT: Duration = Duration::from_millis(300);

/// Not a test of its own: when the variable is set, this process is the server.
#[test]
fn fixture_server() {
    if let Ok(name) = std::env::var(fixture::SELECT) {
        fixture::serve(&name);
    }
}

fn launch(program: &str, args: &[&str]) -> Launch {
    let home = std::env::temp_dir().join(format!("watertight-home-{}", std::process::id()));
    Launch {
        program: program.into(),
        args: args.iter().map(|arg| (*arg).into()).collect(),
        env: BTreeMap::from([
            ("PATH".into(), "/usr/bin:/bin".into()),
            ("HOME".into(), home.display().to_string()),
        ]),
        cwd: PathBuf::from("/"),
        by: Vec::new(),
        serves: None,
    }
}

fn server(name: &str) -> Launch {
    let own = std::env::current_exe().expect("a test binary has a path");
    let mut launch = launch(
        &own.display().to_string(),
        &["--exact", "fixture_server", "--nocapture"],
    );
    launch.env.insert(fixture::SELECT.into(), name.into());
    launch
}

fn options() -> Options {
    Options {
        limits: Limits {
            startup: LONG,
            ..Limits::default()
        },
        ..Options::default()
    }
}

async fn open(name: &str) -> Session {
    open_with(name, &options()).await
}

async fn open_with(name: &str, options: &Options) -> Session {
    Session::open(&Endpoint::Stdio(server(name)), options, Transcript::new())
        .await
        .unwrap_or_else(|error| panic!("no session with `{name}`: {error}"))
}

async fn refused(launch: Launch, options: &Options) -> OpenError {
    match Session::open(&Endpoint::Stdio(launch), options, Transcript::new()).await {
        Ok(session) => panic!("there is a session: {session:?}"),
        Err(error) => error,
    }
}

async fn call(session: &Session, tool: &str, arguments: Value, deadline: Duration) -> Exchange {
    let Value::Object(arguments) = arguments else {
        panic!("arguments are objects");
    };
    session.call(tool, arguments, deadline).await
}

async fn still_answers(session: &Session) {
    let exchange = call(session, "echo", json!({ "text": "still here" }), LONG).await;
    assert_eq!(exchange.outcome.text(), "still here");
    assert_eq!(session.health(), Health::Alive);
}

#[tokio::test]
async fn prompts_with_arguments_are_asked_like_tools() {
    let session = Session::open(
        &Endpoint::Stdio(server("prompting")),
        &options(),
        Transcript::new(),
    )
    .await
    .expect("a session");
    let prompts = session.asking_prompts(LONG).await;
    let [prompt] = prompts.as_slice() else {
        panic!("what takes no arguments asks for nothing: {prompts:?}");
    };
    assert_eq!(prompt.input_schema["required"], json!(["file"]));
    assert_eq!(
        prompt.input_schema["properties"]["file"]["description"],
        "its path"
    );
    let exchange = call(&session, &prompt.name, json!({ "file": "notes" }), LONG).await;
    assert_eq!(exchange.method, "prompts/get");
    assert_eq!(exchange.params["name"], "review");
    assert!(exchange.outcome.text().contains("notes"));
    session.close().await;
}

fn noise(session: &Session, kind: NoiseKind) -> u64 {
    session
        .noise()
        .iter()
        .find(|noise| noise.kind == kind)
        .map_or(0, |noise| noise.count)
}

#[tokio::test]
async fn a_good_server_is_understood() {
    let transcript = Transcript::new();
    let session = Session::open(
        &Endpoint::Stdio(server("good")),
        &options(),
        transcript.clone(),
    )
    .await
    .expect("a session");
    let info = session.info();
    assert_eq!(
        (info.name.as_str(), info.version.as_str()),
        ("fixture", "1")
    );
    assert_eq!(
        (info.protocol.as_str(), info.era),
        ("2024-11-05", Era::Handshake)
    );
    assert_eq!(info.capabilities, json!({ "tools": {} }));
    assert_eq!(info.instructions.as_deref(), Some("be gentle"));
    assert!(session.pid().is_some());

    let tools = session.tools(LONG).await.expect("a list");
    let names: Vec<_> = tools.iter().map(|tool| tool.name.as_str()).collect();
    assert_eq!(names, ["echo", "broken"]);
    assert_eq!(tools[1].input_schema, "not a schema");
    assert!(session.prompts(LONG).await.is_err());

    let exchange = call(&session, "echo", json!({ "text": "hello" }), LONG).await;
    assert_eq!(exchange.method, "tools/call");
    assert_eq!(exchange.params["arguments"]["text"], "hello");
    assert_eq!(exchange.outcome.text(), "hello");
    let raw: Value = serde_json::from_slice(&exchange.raw).expect("the reply as it came");
    assert_eq!(raw["id"].to_string(), exchange.id);

    let refusal = call(&session, "no such tool", json!({}), LONG).await;
    assert!(refusal.number > exchange.number);
    assert_eq!(
        refusal.outcome,
        Outcome::Error {
            code: Some(-32602),
            message: "Unknown tool".into()
        }
    );

    let initialize = transcript
        .records()
        .map(|record| record.expect("readable").entry)
        .find(|entry| entry.direction == Direction::Sent)
        .expect("something was sent");
    let initialize: Value = serde_json::from_slice(&initialize.bytes).expect("JSON");
    assert_eq!(initialize["method"], "initialize");
    assert_eq!(initialize["params"]["protocolVersion"], "2025-11-25");
    assert_eq!(initialize["params"]["capabilities"], json!({}));
    assert_eq!(initialize["params"]["clientInfo"]["name"], "watertight");

    let ending = session.close().await;
    assert_eq!(ending.status.as_deref(), Some("exit status 0"));
    assert_eq!(ending.killed, [0; 0]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_calls_in_flight_get_their_own_replies() {
    let session = open("good").await;
    let calls = (0..500).map(|number| {
        let session = session.clone();
        async move {
            let text = format!("number {number}");
            let exchange = call(&session, "echo", json!({ "text": text }), LONG).await;
            assert_eq!(exchange.outcome.text(), text);
            exchange.number
        }
    });
    let mut numbers = futures::future::join_all(calls).await;
    numbers.sort_unstable();
    assert_eq!(numbers, (0..500).collect::<Vec<u64>>());
    session.close().await;
}

#[tokio::test]
async fn replies_that_the_typed_client_drops_end_their_call() {
    let session = open("good").await;
    for tool in ["deep", "surrogate", "both", "no version"] {
        let exchange = call(&session, tool, json!({}), LONG).await;
        assert_eq!(exchange.outcome, Outcome::Undecodable, "{tool}");
        assert!(!exchange.raw.is_empty(), "{tool}");
    }
    for tool in [
        "string id",
        "strange content",
        "input",
        "not utf-8",
        "batch",
    ] {
        let exchange = call(&session, tool, json!({}), LONG).await;
        assert!(
            matches!(exchange.outcome, Outcome::Result(_)),
            "{tool}: {:?}",
            exchange.outcome
        );
    }
    let exchange = call(&session, "input", json!({}), LONG).await;
    let Outcome::Result(result) = exchange.outcome else {
        panic!("not a result");
    };
    assert_eq!(result["resultType"], "input_required");
    let exchange = call(&session, "odd code", json!({}), LONG).await;
    assert_eq!(
        exchange.outcome,
        Outcome::Error {
            code: Some(123_456_789_012),
            message: "odd".into()
        }
    );
    still_answers(&session).await;
    session.close().await;
}

#[tokio::test]
async fn a_reply_to_another_id_is_a_timeout_and_noise() {
    let session = open("good").await;
    let exchange = call(&session, "wrong id", json!({}), SHORT).await;
    assert_eq!(exchange.outcome, Outcome::Timeout);
    assert_eq!(noise(&session, NoiseKind::UnknownId), 1);
    still_answers(&session).await;
    session.close().await;
}

#[tokio::test]
async fn a_call_that_times_out_is_cancelled() {
    let transcript = Transcript::new();
    let session = Session::open(
        &Endpoint::Stdio(server("good")),
        &options(),
        transcript.clone(),
    )
    .await
    .expect("a session");
    let exchange = call(&session, "hang", json!({}), SHORT).await;
    assert_eq!(exchange.outcome, Outcome::Timeout);
    still_answers(&session).await;
    let cancelled = transcript
        .records()
        .map(|record| record.expect("readable").entry)
        .filter(|entry| entry.direction == Direction::Sent)
        .filter_map(|entry| serde_json::from_slice::<Value>(&entry.bytes).ok())
        .find(|message| message["method"] == "notifications/cancelled")
        .expect("a cancellation was sent");
    assert_eq!(cancelled["params"]["requestId"].to_string(), exchange.id);
    session.close().await;
}

#[tokio::test]
async fn lines_over_the_limit_are_shown_to_listeners_and_dropped() {
    let mut options = options();
    options.limits.line = 3 << 20;
    let transcript = Transcript::new();
    let received = Arc::new(Mutex::new(0));
    let count = Arc::clone(&received);
    transcript.listen(Box::new(move |entry| {
        if entry.direction == Direction::Received {
            *count.lock().expect("no listener panics") += entry.bytes.len();
        }
    }));
    let session = Session::open(&Endpoint::Stdio(server("good")), &options, transcript)
        .await
        .expect("a session");
    let exchange = call(&session, "huge", json!({ "bytes": 5 << 20 }), LONG).await;
    assert_eq!(exchange.outcome, Outcome::Undecodable);
    assert_eq!(noise(&session, NoiseKind::OverLong), 1);
    assert!(*received.lock().expect("no listener panics") > 5 << 20);
    let exchange = call(&session, "huge", json!({ "bytes": 1 << 19 }), LONG).await;
    assert!(matches!(exchange.outcome, Outcome::Result(_)));
    still_answers(&session).await;
    session.close().await;
}

#[tokio::test]
async fn a_flood_without_a_newline_ends_at_the_total_limit() {
    let mut options = options();
    options.limits.line = 20 << 20;
    options.limits.total = 32 << 20;
    let session = open_with("good", &options).await;
    let exchange = call(&session, "flood", json!({}), LONG).await;
    let Outcome::Died(why) = &exchange.outcome else {
        panic!("{:?}", exchange.outcome);
    };
    assert!(why.contains("33554432 bytes"), "{why}");
    let ending = session.close().await;
    assert_eq!(ending.survivors, [0; 0]);
    assert_eq!(ending.status.as_deref(), Some("killed by signal 9"));
}

#[tokio::test]
async fn death_in_the_middle_of_calls_is_told_to_all_of_them() {
    let session = open("good").await;
    let (waiting, dying) = tokio::join!(
        call(&session, "hang", json!({}), LONG),
        call(&session, "die", json!({}), LONG)
    );
    for exchange in [waiting, dying] {
        assert_eq!(
            exchange.outcome,
            Outcome::Died("it ended with exit status 7".into())
        );
    }
    let later = call(&session, "echo", json!({ "text": "x" }), LONG).await;
    assert_eq!(
        later.outcome,
        Outcome::Died("it ended with exit status 7".into())
    );
    assert_eq!(
        session.health(),
        Health::Died("it ended with exit status 7".into())
    );
    assert_eq!(
        session.close().await.status.as_deref(),
        Some("exit status 7")
    );
}

#[tokio::test]
async fn a_closed_output_is_not_taken_for_silence() {
    let session = open("good").await;
    let exchange = call(&session, "close output", json!({}), LONG).await;
    assert_eq!(
        exchange.outcome,
        Outcome::Died("it closed its standard output, and keeps running".into())
    );
    assert_eq!(session.close().await.survivors, [0; 0]);
}

#[tokio::test]
async fn a_server_that_does_not_read_cannot_hang_us() {
    let session = open("deaf").await;
    let text = "x".repeat(1 << 20);
    let exchange = call(&session, "echo", json!({ "text": text }), SHORT).await;
    assert_eq!(exchange.outcome, Outcome::Timeout);
    let ending = tokio::time::timeout(LONG, session.close())
        .await
        .expect("closing is bounded");
    assert_eq!(ending.survivors, [0; 0]);
    assert_eq!(ending.killed.len(), 1);
}

#[tokio::test]
async fn log_lines_before_and_between_frames_are_skipped() {
    let session = open("chatty").await;
    assert!(noise(&session, NoiseKind::NotJsonRpc) >= 5000);
    still_answers(&session).await;
    session.close().await;
    let session = open("banner").await;
    still_answers(&session).await;
    session.close().await;
}

/// A target that logs what it is given must not wait until all of it was looked at.
#[tokio::test]
async fn standard_error_is_taken_before_it_is_looked_at() {
    const LINES: usize = 128;
    let transcript = Transcript::new();
    let looked_at = Arc::new(Mutex::new((0_usize, None)));
    let count = Arc::clone(&looked_at);
    transcript.listen(Box::new(move |entry| {
        let mut count = count.lock().expect("no listener panics");
        match entry.direction {
            Direction::Stderr => {
                count.0 += 1;
                drop(count);
                std::thread::sleep(Duration::from_millis(2));
            }
            Direction::Received => count.1 = Some(count.0),
            Direction::Sent => {}
        }
    }));
    let session = Session::open(&Endpoint::Stdio(server("good")), &options(), transcript)
        .await
        .expect("a session");
    let text = format!("{}\n", "x".repeat(16_000)).repeat(LINES);
    call(&session, "complain", json!({ "text": text }), LONG).await;
    let (_, at_the_answer) = *looked_at.lock().expect("no listener panics");
    let at_the_answer = at_the_answer.expect("an answer was received");
    assert!(at_the_answer < LINES * 3 / 4, "{at_the_answer} of {LINES}");
    // And nothing of it is lost where the session ends meanwhile.
    session.clone().close().await;
    let (looked_at, _) = *looked_at.lock().expect("no listener panics");
    assert!(looked_at >= LINES, "{looked_at} of {LINES}");
}

#[tokio::test]
async fn standard_error_reaches_the_listeners() {
    let transcript = Transcript::new();
    let lines = Arc::new(Mutex::new(Vec::new()));
    let sink = Arc::clone(&lines);
    transcript.listen(Box::new(move |entry| {
        if entry.direction == Direction::Stderr {
            sink.lock()
                .expect("no listener panics")
                .push(entry.bytes.to_vec());
        }
    }));
    let session = Session::open(&Endpoint::Stdio(server("good")), &options(), transcript)
        .await
        .expect("a session");
    call(&session, "complain", json!({ "text": "a\u{1b}b" }), LONG).await;
    session.clone().close().await;
    assert!(
        lines
            .lock()
            .expect("no listener panics")
            .contains(&b"a\x1bb\n".to_vec())
    );
    assert!(session.stderr().contains(&"a\\u{1b}b".to_owned()));
}

#[tokio::test]
async fn endless_lists_are_cut_and_reported() {
    for (name, least) in [("endless", 100), ("looping", 1)] {
        let session = open(name).await;
        let tools = session.tools(LONG).await.expect("what there was");
        assert!(tools.len() >= least, "{name}: {}", tools.len());
        assert_eq!(noise(&session, NoiseKind::EndlessList), 1, "{name}");
        session.close().await;
    }
}

#[tokio::test]
async fn requests_of_the_server_are_answered_and_reported() {
    let session = open("asking").await;
    still_answers(&session).await;
    assert_eq!(noise(&session, NoiseKind::UnadvertisedRequest), 2);
    session.close().await;

    let mut options = options();
    options.roots = Some(vec![PathBuf::from("/some where")]);
    let transcript = Transcript::new();
    let session = Session::open(
        &Endpoint::Stdio(server("asking")),
        &options,
        transcript.clone(),
    )
    .await
    .expect("a session");
    let answer = loop {
        still_answers(&session).await;
        let answer = transcript
            .records()
            .map(|record| record.expect("readable").entry)
            .filter(|entry| entry.direction == Direction::Sent)
            .filter_map(|entry| serde_json::from_slice::<Value>(&entry.bytes).ok())
            .find(|message| message["id"] == "ask-0");
        if let Some(answer) = answer {
            break answer;
        }
    };
    assert_eq!(answer["result"]["roots"][0]["uri"], "file:///some%20where");
    assert_eq!(noise(&session, NoiseKind::UnadvertisedRequest), 1);
    session.close().await;
}

#[tokio::test]
async fn the_stateless_era_is_found_and_spoken() {
    for name in ["stateless", "quitting-stateless"] {
        let session = open(name).await;
        assert_eq!(
            (session.info().era, session.info().protocol.as_str()),
            (Era::Stateless, "2026-07-28"),
            "{name}"
        );
        assert_eq!(session.info().name, "fixture");
        let exchange = call(&session, "meta", json!({}), LONG).await;
        let Outcome::Result(result) = exchange.outcome else {
            panic!("{name}: {:?}", exchange.outcome);
        };
        assert_eq!(
            result["meta"]["io.modelcontextprotocol/protocolVersion"], "2026-07-28",
            "{name}"
        );
        session.close().await;
    }
    let error = refused(
        server("good"),
        &Options {
            era: Era::Stateless,
            ..options()
        },
    )
    .await;
    assert!(
        matches!(
            &error,
            OpenError::Refused {
                method: "server/discover",
                code: Some(-32601),
                ..
            }
        ),
        "{error}"
    );
}

#[tokio::test]
async fn a_revision_asked_for_by_name_decides_the_lifecycle() {
    for (asked, era) in [
        ("2026-07-28", Era::Stateless),
        ("2025-03-26", Era::Handshake),
    ] {
        let mut options = options();
        options.protocol = Some(asked.into());
        let transcript = Transcript::new();
        let name = if era == Era::Stateless {
            "stateless"
        } else {
            "good"
        };
        let session = Session::open(&Endpoint::Stdio(server(name)), &options, transcript.clone())
            .await
            .expect("a session");
        assert_eq!(session.info().era, era);
        let first = transcript
            .get(0)
            .expect("readable")
            .filter(|record| record.entry.direction == Direction::Sent)
            .expect("we speak first");
        let first = String::from_utf8_lossy(&first.entry.bytes).into_owned();
        assert!(first.contains(asked), "{first}");
        session.close().await;
    }
}

#[tokio::test]
async fn a_handshake_with_missing_members_is_mended_and_reported() {
    let session = open("sparse").await;
    assert_eq!(session.info().protocol, "2026-07-28");
    assert_eq!(session.info().era, Era::Handshake);
    assert_eq!(noise(&session, NoiseKind::BrokenHandshake), 1);
    let exchange = call(&session, "meta", json!({}), LONG).await;
    let Outcome::Result(result) = exchange.outcome else {
        panic!("{:?}", exchange.outcome);
    };
    let meta: &Map<String, Value> = result["meta"].as_object().expect("a progress token");
    assert!(meta.keys().all(|key| !key.contains('/')), "{meta:?}");
    session.close().await;
}

#[tokio::test]
async fn a_command_that_cannot_start_is_named_with_the_fix() {
    let error = refused(launch("no-such-program-here", &[]), &options()).await;
    assert!(matches!(error, OpenError::NotFound { .. }), "{error}");
    assert!(error.to_string().contains("`no-such-program-here`"));

    let directory = tempfile::tempdir().expect("a directory");
    let script = directory.path().join("server");
    std::fs::write(&script, "#!/no/such/interpreter\n").expect("a file");
    let error = refused(launch(&script.display().to_string(), &[]), &options()).await;
    assert!(matches!(error, OpenError::NotExecutable { .. }), "{error}");
    assert!(error.to_string().contains("chmod +x"));
    program::install(&script, "#!/no/such/interpreter\n");
    let error = refused(launch(&script.display().to_string(), &[]), &options()).await;
    assert!(error.to_string().contains("install that interpreter"));

    let mut elsewhere = server("good");
    elsewhere.cwd = directory.path().join("missing");
    let error = refused(elsewhere, &options()).await;
    assert!(matches!(error, OpenError::NoWorkingDirectory(_)), "{error}");
}

#[tokio::test]
async fn a_command_that_is_no_server_is_told_apart() {
    let error = refused(
        launch(
            "/bin/sh",
            &["-c", "echo usage: sh FILE; echo oops >&2; exit 2"],
        ),
        &options(),
    )
    .await;
    let text = error.to_string();
    assert!(matches!(error, OpenError::Exited { .. }), "{text}");
    assert!(text.contains("exit status 2"), "{text}");
    assert!(text.contains("usage: sh FILE"), "{text}");
    assert!(text.contains("  oops"), "{text}");

    let error = refused(server("quitter"), &options()).await;
    assert!(
        matches!(&error, OpenError::Exited { status, .. } if status == "exit status 3"),
        "{error}"
    );

    let mut patience = options();
    patience.limits.startup = Duration::from_secs(2);
    patience.limits.close = SHORT;
    let error = refused(launch("/bin/sleep", &["300"]), &patience).await;
    assert!(matches!(error, OpenError::Silent { .. }), "{error}");

    let error = refused(
        launch(
            "/bin/sh",
            &["-c", "printf 'Password:\\033[5m\\n'; exec sleep 300"],
        ),
        &patience,
    )
    .await;
    assert!(
        matches!(&error, OpenError::NotMcp { line, .. } if line == "Password:\\u{1b}[5m"),
        "{error}"
    );

    for (stream, name) in [(">&1", "output"), (">&2", "error")] {
        let prompt = format!("printf 'Password: ' {stream}; exec sleep 300");
        let text = refused(launch("/bin/sh", &["-c", &prompt]), &patience)
            .await
            .to_string();
        let shown = text
            .lines()
            .skip_while(|line| !line.contains(name))
            .any(|line| line.contains("Password:"));
        assert!(shown, "a prompt has no end of line: {text}");
    }

    // A terminal program echoes what it is sent: our own request is no answer.
    let error = refused(launch("/bin/cat", &[]), &patience).await;
    assert!(matches!(error, OpenError::NotMcp { .. }), "{error}");

    let error = refused(launch("/bin/sh", &["-c", "exec >&-; sleep 300"]), &patience).await;
    assert!(matches!(error, OpenError::ClosedOutput { .. }), "{error}");

    let mut era = options();
    era.era = Era::Handshake;
    let error = refused(server("refusing"), &era).await;
    let text = error.to_string();
    assert!(matches!(error, OpenError::Refused { .. }), "{text}");
    assert!(
        text.contains("no license\\u{1b}[2J (code -32000)"),
        "{text}"
    );
}
