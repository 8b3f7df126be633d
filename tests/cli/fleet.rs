//! `watertight fleet`: many servers, one overview.

use std::collections::BTreeSet;

use rustix::process::Signal;
use serde_json::Value;

use crate::{
    program,
    run::{PROGRAM, Run, knowing},
};

/// A fleet file: what stands before the servers, then each with a name and its flags.
fn fleet(head: &str, servers: &[(&str, &str)]) -> String {
    let mut text = format!(
        "{head}\n[defaults]\ntestbed = \"host\"\nprobes = [\"fs.read.prefix-sibling\", \"fs.read.dotdot\"]\n"
    );
    for (name, flags) in servers {
        text.push_str(&format!(
            "\n[[server]]\nname = \"{name}\"\n[server.target]\ncommand = [\"{PROGRAM}\", \"reference\"{flags}, \"{{allowed}}\"]\n"
        ));
    }
    text
}

const SOUND: (&str, &str) = ("sound", "");
const FLAWED: (&str, &str) = ("flawed", ", \"--flaw\", \"fs.prefix-sibling\"");
const ABSENT: &str =
    "\n[[server]]\nname = \"absent\"\n[server.target]\ncommand = [\"./no-such-program\"]\n";

#[test]
fn every_server_has_its_report_and_the_worst_one_decides() {
    let text = fleet("jobs = 3\nformats = [\"sarif\"]", &[SOUND, FLAWED]) + ABSENT;
    let ran = Run::new(&["fleet"]).file("fleet.toml", &text).go();
    ran.code(1)
        .tells(&["flawed BREACHED", "sound held", "absent failed"]);
    for word in [
        "sound",
        "flawed",
        "absent",
        "1 of 3 servers was breached",
        "exit code 1",
    ] {
        assert!(ran.out.contains(word), "{word}:\n{}", ran.out);
    }
    let made: BTreeSet<String> = ran.made().into_iter().collect();
    let wanted = [
        "absent.log",
        "flawed.html",
        "flawed.json",
        "flawed.sarif",
        "fleet.json",
        "index.html",
        "sound.html",
        "sound.json",
        "sound.sarif",
    ]
    .map(|name| format!("watertight-fleet/{name}"));
    assert_eq!(made, BTreeSet::from(wanted));

    let overview = ran.json("watertight-fleet/fleet.json");
    let schema = serde_json::to_value(watertight::report::fleet_schema()).expect("JSON");
    let validator = jsonschema::validator_for(&schema).expect("a valid schema");
    let mistakes: Vec<String> = validator
        .iter_errors(&overview)
        .map(|mistake| mistake.to_string())
        .collect();
    assert!(mistakes.is_empty(), "{mistakes:?}");
    let told: Vec<(&str, &str, u64)> = overview["servers"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|server| {
            (
                server["name"].as_str().expect("a name"),
                server["outcome"].as_str().expect("a word"),
                server["exit_code"].as_u64().expect("a number"),
            )
        })
        .collect();
    assert_eq!(
        told,
        [
            ("sound", "held", 0),
            ("flawed", "breached", 1),
            ("absent", "failed", 2)
        ]
    );
    assert_eq!(overview["exit_code"], 1);
    let message = overview["servers"][2]["message"].as_str().expect("a text");
    assert!(message.contains("no-such-program"), "{message}");
    let breach = &overview["servers"][1]["found"]["breaches"][0];
    assert_eq!(breach["probe"], "fs.read.prefix-sibling");

    // What the page leads to is there.
    let page = ran.read("watertight-fleet/index.html");
    let links = regex::Regex::new(r##"href="([^"#]+)[^"]*""##).expect("a pattern");
    let links: BTreeSet<&str> = links
        .captures_iter(&page)
        .filter_map(|found| Some(found.get(1)?.as_str()))
        .collect();
    for report in ["flawed.html", "sound.html", "flawed.sarif", "absent.log"] {
        assert!(links.contains(report), "{report} of {links:?}");
    }
    for link in links {
        assert!(made.contains(&format!("watertight-fleet/{link}")), "{link}");
    }
}

#[test]
fn exit_codes_have_an_order() {
    let sound = Run::new(&["fleet", "--server", "sound", "--quiet"])
        .file("fleet.toml", &(fleet("", &[SOUND, FLAWED]) + ABSENT))
        .go();
    sound.code(0);
    assert_eq!(sound.err, "");
    assert!(sound.out.contains("1 of 1 server held"), "{}", sound.out);
    Run::new(&[
        "fleet", "--server", "sound", "--server", "absent", "-o", "out",
    ])
    .file("fleet.toml", &(fleet("", &[SOUND]) + ABSENT))
    .go()
    .code(2)
    .tells(&["absent failed"]);
}

#[test]
fn a_server_may_have_a_file_of_its_own() {
    let own = format!(
        "probes = [\"fs.read.dotdot\"]\ntestbed = \"host\"\n[target]\ncommand = [\"{PROGRAM}\", \"reference\", \"{{allowed}}\"]\n\
         [[report]]\nformat = \"json\"\npath = \"elsewhere.json\"\n"
    );
    let fleet = "directory = \"out\"\n[[server]]\nname = \"own\"\nconfig = \"sub/watertight.toml\"\nskip = [\"fs.write\"]\n";
    let ran = Run::new(&["fleet", "all/fleet.toml"])
        .file("all/fleet.toml", fleet)
        .file("all/sub/watertight.toml", &own)
        // Of an earlier fleet.
        .file("all/out/own.html", "old")
        .file("all/out/own.log", "old")
        .go();
    ran.code(0);
    assert!(ran.read("all/out/own.html").starts_with("<!doctype html>"));
    assert_eq!(
        ran.json("all/out/own.json")["probes"]
            .as_array()
            .map(Vec::len),
        Some(1)
    );
    let made = ran.made();
    assert!(
        !made.iter().any(|name| name.contains("elsewhere")),
        "{made:?}"
    );
    // And can be probed alone.
    let alone = [
        "run",
        "--config",
        "all/fleet.toml",
        "--server",
        "own",
        "--quiet",
    ];
    Run::new(&alone)
        .file("all/fleet.toml", fleet)
        .file("all/sub/watertight.toml", &own)
        .go()
        .code(0);
}

#[test]
fn mistakes_are_told_with_their_line() {
    let target = "[server.target]\ncommand = [\"x\"]\n";
    let server = |name: &str| format!("[[server]]\nname = \"{name}\"\n{target}");
    for (text, told) in [
        (
            String::from("jobs = 1\n"),
            &["the fleet has no servers", "[[server]]"][..],
        ),
        (
            format!("[[server]]\n{target}"),
            &["a server has no name", "fleet.toml:1:1"],
        ),
        (
            server("a/b"),
            &[
                "the name of a server is the name of its reports",
                "fleet.toml:2:8",
            ],
        ),
        (server(".a"), &["hidden file"]),
        (server("Index"), &["the name of the overview itself"]),
        (
            server("a") + &server("A"),
            &["two servers are called `A`", "fleet.toml:6:8"],
        ),
        (
            String::from("[[server]]\nname = \"a\"\n"),
            &["the server `a` has no target", "fleet.toml:1:1"],
        ),
        (
            String::from("[[server]]\nname = \"a\"\nconfig = \"b.toml\"\n"),
            &["there is no file b.toml", "fleet.toml:3:10"],
        ),
        (
            format!("jobs = 0\n{}", server("a")),
            &["jobs", "fleet.toml:1:8"],
        ),
        (
            format!("{}tiemout = 3\n", server("a")),
            &["tiemout", "fleet.toml:5:1"],
        ),
        (
            format!("[defaults]\nname = \"x\"\n{}", server("a")),
            &["the defaults have no name", "fleet.toml:2:8"],
        ),
        (
            format!("[defaults]\ntimeout = -1\n{}{}", server("a"), server("b")),
            &["must not be negative", "fleet.toml:2:11"],
        ),
        (
            format!(
                "[defaults]\npolicy = \"none.yaml\"\n{}{}",
                server("a"),
                server("b")
            ),
            &["none.yaml", "fleet.toml:2:10"],
        ),
    ] {
        let ran = Run::new(&["fleet"]).file("fleet.toml", &text).go();
        ran.code(2).tells(told);
        assert_eq!(ran.made(), [""; 0], "{text}");
    }
    Run::new(&["fleet"]).go().code(2).tells(&["fleet.toml"]);
    Run::new(&["fleet", "--server", "c"])
        .file("fleet.toml", &server("a"))
        .go()
        .code(2)
        .tells(&["no server called `c`", "its servers are a"]);
    Run::new(&["run", "--config", "fleet.toml", "--server", "c"])
        .file("fleet.toml", &server("a"))
        .go()
        .code(2)
        .tells(&["no server called `c`", "its servers are a"]);
}

#[test]
fn no_more_run_at_once_than_were_asked_for() {
    let mut text = String::from("jobs = 2\n[defaults]\ntestbed = \"host\"\n");
    for number in 0..6 {
        text.push_str(&format!(
            "[[server]]\nname = \"s{number}\"\n[server.target]\ncommand = [\"./server\"]\n"
        ));
    }
    let run = Run::new(&["fleet"]).file("fleet.toml", &text);
    let script = "#!/bin/sh\nif mkdir one 2>/dev/null; then mine=one; \
        elif mkdir two 2>/dev/null; then mine=two; else touch too-many; exit; fi\n\
        touch seen-$mine; sleep 0.4; rmdir $mine\n";
    program::install(&run.path("server"), script);
    let ran = run.go();
    ran.code(2);
    let made = ran.made();
    assert!(!made.contains(&String::from("too-many")), "{made:?}");
    for slot in ["seen-one", "seen-two"] {
        assert!(made.contains(&String::from(slot)), "{made:?}");
    }
    let overview = ran.json("watertight-fleet/fleet.json");
    assert_eq!(overview["outcomes"]["failed"], 6);
}

#[test]
fn an_interrupt_ends_all_and_leaves_nothing() {
    for testbed in ["host", "auto"] {
        let mut text = format!("jobs = 2\n[defaults]\ntestbed = \"{testbed}\"\n");
        for name in ["a", "b", "c"] {
            text.push_str(&format!(
                "[[server]]\nname = \"{name}\"\n[server.target]\ncommand = [\"./server\"]\n"
            ));
        }
        let run = Run::new(&["fleet"]).file("fleet.toml", &text);
        // Never answers.
        program::install(
            &run.path("server"),
            "#!/bin/sh\nwhile read -r line; do :; done\n",
        );
        let directory = run.path("");
        let mut going = run.start();
        going.wait_for("probing b");
        // The runs must have come so far that there is something to end.
        std::thread::sleep(std::time::Duration::from_secs(1));
        going.signal(Signal::INT);
        let ran = going.end();
        ran.code(3).tells(&["interrupted"]);
        let overview = ran.json("watertight-fleet/fleet.json");
        assert_eq!(overview["interrupted"], true);
        let words: Vec<&Value> = overview["servers"]
            .as_array()
            .expect("a list")
            .iter()
            .map(|server| &server["outcome"])
            .collect();
        assert_eq!(words, ["not-run", "not-run", "not-run"], "{overview}");
        let left = knowing(&directory);
        assert!(left.is_empty(), "{left:?}");
    }
}

#[test]
fn published_schemas_are_the_generated_ones() {
    for format in ["fleet", "fleet-report"] {
        let ran = Run::new(&["schema", format]).go();
        ran.code(0);
        let file = format!(
            "{}/reports/{format}-v1.schema.json",
            env!("CARGO_MANIFEST_DIR")
        );
        if std::env::var_os("UPDATE").is_some() {
            std::fs::write(&file, &ran.out).expect("the directory is ours");
        }
        let published = std::fs::read_to_string(&file).unwrap_or_default();
        assert_eq!(
            published, ran.out,
            "{file} is stale: run `UPDATE=1 cargo test`"
        );
    }
}
