//! The servers that do nothing useful, and what all servers list.

use std::time::Duration;

use rmcp::ServiceExt as _;
use serde_json::json;
use watertight::reference::{Flaw, Kind, ReferenceOptions, serve_on};

use crate::bench::{Bench, Client};

#[tokio::test]
async fn dead_ends_at_once_and_mute_never_answers() {
    let (_ours, theirs) = tokio::io::duplex(1024);
    let (read, write) = tokio::io::split(theirs);
    serve_on(Kind::Dead, ReferenceOptions::default(), read, write)
        .await
        .unwrap();

    let (ours, theirs) = tokio::io::duplex(1024);
    let (read, write) = tokio::io::split(theirs);
    tokio::spawn(serve_on(
        Kind::Mute,
        ReferenceOptions::default(),
        read,
        write,
    ));
    let served = tokio::time::timeout(Duration::from_millis(300), ().serve(ours)).await;
    assert!(served.is_err(), "a mute server answered");
}

#[tokio::test]
async fn dummies_list_the_same_tools_and_answer_in_their_way() {
    let bench = Bench::new();
    let sound = Client::start(Kind::Sound, bench.options(&[])).await;
    let tools = sound.tools().await;
    for (kind, refused, answer) in [
        (Kind::RefuseAll, true, "Access denied"),
        (Kind::Echo, false, r#"{"path":"ok.txt"}"#),
        (Kind::SilentlyEmpty, false, ""),
    ] {
        let client = Client::start(kind, bench.options(&[])).await;
        assert_eq!(client.tools().await, tools, "{kind:?}");
        let got = client.call("read_file", json!({"path": "ok.txt"})).await;
        assert_eq!(
            (got.refused, got.text.as_str()),
            (refused, answer),
            "{kind:?}"
        );
    }
}

#[tokio::test]
async fn tools_are_described_and_annotated() {
    let bench = Bench::new();
    let client = Client::start(Kind::Sound, bench.options(&[])).await;
    for tool in client.tools().await {
        let hints = tool.annotations.as_ref().unwrap();
        assert!(hints.read_only_hint.is_some(), "{}", tool.name);
        assert!(tool.description.is_some(), "{}", tool.name);
        let properties = tool.input_schema["properties"].as_object().unwrap();
        assert!(!properties.is_empty(), "{}", tool.name);
        for (name, property) in properties {
            assert!(property["description"].is_string(), "{} {name}", tool.name);
        }
    }
    let got = client.call("no_such_tool", json!({})).await;
    assert!(got.refused);
}

#[tokio::test]
async fn read_only_mode_lists_no_writing_tool_and_refuses_each() {
    let bench = Bench::new();
    let all = Client::start(Kind::Sound, bench.options(&[]))
        .await
        .tools()
        .await;
    let mut options = bench.options(&[]);
    options.read_only = true;
    let client = Client::start(Kind::Sound, options.clone()).await;
    let listed = client.tools().await;
    assert!(!listed.is_empty());
    for tool in &listed {
        assert_eq!(
            tool.annotations.as_ref().unwrap().read_only_hint,
            Some(true)
        );
    }
    for tool in all.iter().filter(|tool| !listed.contains(tool)) {
        let got = client.call(&tool.name, json!({"path": "new.txt"})).await;
        assert!(
            got.refused && got.text.contains("read-only"),
            "{}",
            tool.name
        );
    }

    options.flaws = [Flaw::ReadOnlyPartial].into_iter().collect();
    let partial = Client::start(Kind::Sound, options).await.tools().await;
    assert_eq!(partial.len(), listed.len() + 3);
}
