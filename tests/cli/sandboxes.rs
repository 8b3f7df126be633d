//! A code runner whose sandbox has a network of its own: it holds where the code gets nowhere else, and only where it
//! gets somewhere at all.

use serde_json::Value;

use crate::run::Run;

const POLICY: &str = r#"{
  "capabilities": { "filesystem": { "allowed_paths": ["{allowed}"] } },
  "server": { "network": { "allowed_hosts": ["10.0.1.50/32"] } }
}"#;

/// The verdicts of the trials of `exec.sandbox-net`, with their variants, where the proxy of the sandbox lets code
/// reach these hosts. `None` where there can be no sandbox.
fn verdicts(reachable: &[&str]) -> Option<Vec<(String, String)>> {
    let flags = [
        "run",
        "--no-lock",
        "--policy",
        "policy.json",
        "--probe",
        "exec.sandbox-net",
        "--report",
        "json=report.json",
        "--",
        "python3",
        "boxed.py",
    ];
    let ran = Run::new(&[&flags, reachable].concat())
        .file("policy.json", POLICY)
        .file("boxed.py", include_str!("boxed.py"))
        .go();
    if ran.ended_with(2) {
        return None;
    }
    let report = ran.json("report.json");
    let trials = report["probes"].as_array().expect("a list").iter();
    let trials = trials.flat_map(|probe| probe["trials"].as_array().expect("a list"));
    let word = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let of = |trial: &Value| (word(&trial["variant"]), word(&trial["verdict"]));
    let found: Vec<_> = trials.map(of).collect();
    // One trial alone: nothing runs code, since no namespaces can be made below ours.
    (found.len() > 1).then_some(found)
}

fn of<'v>(verdicts: &'v [(String, String)], variant: &str) -> &'v str {
    let found = verdicts.iter().find(|(name, _)| name == variant);
    found.map_or("none", |(_, verdict)| verdict)
}

#[test]
fn a_sandbox_with_one_way_out_holds() {
    let Some(found) = verdicts(&["10.0.1.50"]) else {
        return;
    };
    for variant in ["python-loopback", "python-metadata", "python-engine-host"] {
        assert_eq!(of(&found, variant), "held", "{found:?}");
    }
}

#[test]
fn a_sandbox_whose_proxy_serves_loopback_does_not() {
    let Some(found) = verdicts(&["10.0.1.50", "127.0.0.1"]) else {
        return;
    };
    assert_eq!(of(&found, "python-loopback"), "breached", "{found:?}");
    assert_eq!(of(&found, "python-metadata"), "held", "{found:?}");
}

/// That nothing forbidden is reached says nothing of the forbidden where nothing permitted is either.
#[test]
fn a_sandbox_without_a_way_out_is_not_said_to_hold() {
    let Some(found) = verdicts(&[]) else {
        return;
    };
    let none_held = found.iter().all(|(_, verdict)| verdict == "not-applicable");
    assert!(none_held, "{found:?}");
}
