//! Nothing that a target started outlives its session.

use std::{path::Path, time::Duration};

use serde_json::json;
use watertight::session::{Endpoint, Session, Transcript, claim_orphans, end_all};

use super::{LONG, SHORT, call, launch, open, options, server};

fn lives(pid: u32) -> bool {
    std::fs::read_to_string(format!("/proc/{pid}/stat"))
        .ok()
        .and_then(|stat| Some(stat.rsplit_once(')')?.1.trim_start().starts_with('Z')))
        .is_some_and(|zombie| !zombie)
}

fn exists(pid: u32) -> bool {
    Path::new(&format!("/proc/{pid}")).exists()
}

async fn daemon(session: &Session, directory: &Path, wipe: bool) -> u32 {
    let file = directory.join("pid");
    let arguments = json!({ "pid_file": file, "wipe": wipe });
    let exchange = call(session, "daemon", arguments, LONG).await;
    assert!(exchange.outcome.answered(), "{:?}", exchange.outcome);
    for _ in 0..1000 {
        if let Some(pid) = std::fs::read_to_string(&file)
            .ok()
            .and_then(|text| text.trim().parse().ok())
        {
            return pid;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("the daemon did not start");
}

#[tokio::test]
async fn daemons_in_sessions_of_their_own_are_ended_and_buried() {
    let directory = tempfile::tempdir().expect("a directory");
    let mut target = server("good");
    target
        .env
        .insert("HOME".into(), directory.path().display().to_string());
    let session = Session::open(&Endpoint::Stdio(target), &options(), Transcript::new())
        .await
        .expect("a session");
    let pid = daemon(&session, directory.path(), false).await;
    assert!(lives(pid));
    let ending = session.close().await;
    assert!(ending.killed.contains(&pid), "{ending:?}");
    assert_eq!(ending.survivors, [0; 0]);
    assert!(!exists(pid), "not even a zombie");
}

#[tokio::test]
async fn a_session_leaves_the_daemons_of_another_alone() {
    let directories = [(); 2].map(|()| tempfile::tempdir().expect("a directory"));
    let mut sessions = Vec::new();
    for directory in &directories {
        let mut target = server("good");
        target
            .env
            .insert("HOME".into(), directory.path().display().to_string());
        let session = Session::open(&Endpoint::Stdio(target), &options(), Transcript::new())
            .await
            .expect("a session");
        let pid = daemon(&session, directory.path(), false).await;
        sessions.push((session, pid));
    }
    let (second, second_pid) = sessions.pop().expect("two");
    let (first, first_pid) = sessions.pop().expect("two");
    first.close().await;
    assert!(!exists(first_pid));
    assert!(lives(second_pid));
    second.close().await;
    assert!(!exists(second_pid));
}

#[tokio::test]
async fn a_daemon_of_either_of_two_sessions_goes_with_the_last() {
    let directory = tempfile::tempdir().expect("a directory");
    let mut target = server("good");
    target
        .env
        .insert("HOME".into(), directory.path().display().to_string());
    let endpoint = Endpoint::Stdio(target);
    let open = async || {
        Session::open(&endpoint, &options(), Transcript::new())
            .await
            .expect("a session")
    };
    let (first, second) = (open().await, open().await);
    let pid = daemon(&first, directory.path(), false).await;
    second.close().await;
    let lived = lives(pid);
    first.close().await;
    assert!(!exists(pid));
    assert!(lived, "the first session was still using it");
}

#[tokio::test]
async fn children_of_the_host_are_left_alone() {
    use std::os::unix::process::CommandExt;
    let sleep = |group: bool| {
        let mut command = std::process::Command::new("/bin/sleep");
        command.arg("300");
        if group {
            command.process_group(0);
        }
        command.spawn().expect("sleep starts")
    };
    let before = [sleep(false), sleep(true)];
    let session = open("good").await;
    let during = [sleep(false), sleep(true)];
    session.close().await;
    for mut child in before.into_iter().chain(during) {
        let lived = lives(child.id());
        child.kill().expect("it is ours");
        child.wait().expect("it is ours");
        assert!(lived);
    }
}

#[tokio::test]
async fn a_server_that_ignores_every_hint_is_killed_with_its_children() {
    let script = r#"
        trap '' TERM
        read -r line
        printf '%s\n' '{"jsonrpc":"2.0","id":0,"result":{"protocolVersion":"2025-06-18","capabilities":{},"serverInfo":{"name":"stubborn","version":"1"}}}'
        while :; do sleep 1; done
    "#;
    let mut options = options();
    options.limits.close = SHORT;
    let session = Session::open(
        &Endpoint::Stdio(launch("/bin/sh", &["-c", script])),
        &options,
        Transcript::new(),
    )
    .await
    .expect("a session");
    let pid = session.pid().expect("a process");
    let ending = session.close().await;
    assert!(ending.killed.contains(&pid), "{ending:?}");
    assert_eq!(ending.status.as_deref(), Some("killed by signal 9"));
    assert!(!exists(pid));
}

#[tokio::test]
async fn a_dropped_session_leaves_nothing() {
    let session = open("good").await;
    let pid = session.pid().expect("a process");
    assert!(lives(pid));
    drop(session);
    assert!(!lives(pid));
}

/// In a process of its own, because it ends the sessions of all tests in this one.
#[test]
#[expect(clippy::print_stdout, reason = "the outer process reads it")]
fn ending_all_at_once_needs_no_runtime() {
    const MARK: &str = "WATERTIGHT_TEST_END_ALL";
    if std::env::var_os(MARK).is_none() {
        let output = std::process::Command::new(std::env::current_exe().expect("a path"))
            .args([
                "--exact",
                "processes::ending_all_at_once_needs_no_runtime",
                "--nocapture",
            ])
            .env(MARK, "1")
            .output()
            .expect("the test binary runs");
        assert!(
            output.status.success(),
            "{}",
            String::from_utf8_lossy(&output.stdout)
        );
        assert!(String::from_utf8_lossy(&output.stdout).contains("all ended"));
        return;
    }
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let directory = tempfile::tempdir().expect("a directory");
    // The daemon wipes its environment and leaves group and session: only this finds it.
    claim_orphans();
    let (session, pid) = runtime.block_on(async {
        let mut target = server("good");
        target
            .env
            .insert("HOME".into(), directory.path().display().to_string());
        let session = Session::open(&Endpoint::Stdio(target), &options(), Transcript::new())
            .await
            .expect("a session");
        let pid = daemon(&session, directory.path(), true).await;
        (session, pid)
    });
    let ended = end_all();
    assert!(ended.contains(&pid), "{ended:?}");
    assert!(ended.contains(&session.pid().expect("a process")));
    assert!(!exists(pid));
    runtime.block_on(session.close());
    println!("all ended");
}
