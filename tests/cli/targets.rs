//! Targets that are no servers, or bad ones.

use serde_json::Value;

use crate::{
    program,
    run::{PROGRAM, Ran, Run, reference},
};

/// Enough for a shell script to start, and not long to wait for one that never answers.
const SOON: &[&str] = &["--startup-timeout", "3"];

/// Every trial of the report: (id, verdict).
fn trials(report: &Value) -> Vec<(String, String)> {
    report["probes"]
        .as_array()
        .expect("a report has probes")
        .iter()
        .flat_map(|probe| probe["trials"].as_array().expect("a probe has trials"))
        .map(|trial| {
            let text = |name: &str| trial[name].as_str().unwrap_or_default().to_owned();
            (text("id"), text("verdict"))
        })
        .collect()
}

fn with(report: &Value, verdict: &str) -> usize {
    trials(report)
        .iter()
        .filter(|(_, found)| found == verdict)
        .count()
}

fn refused(ran: &Ran, texts: &[&str]) {
    ran.code(2).tells(texts).tells(&["fix:"]);
    assert_eq!(ran.made(), [""; 0]);
}

#[test]
fn a_command_that_does_not_exist() {
    let ran = Run::new(&["run", "--", "no-such-server", "{allowed}"]).go();
    refused(&ran, &["command not found: `no-such-server`", "PATH"]);
}

#[test]
fn a_file_that_cannot_be_executed() {
    let run = |text: &str| Run::new(&["run", "--", "./server"]).file("server", text);
    let executable = |text: &str| {
        let run = Run::new(&["run", "--", "./server"]);
        program::install(&run.path("server"), text);
        run.go()
    };
    refused(&run("text").go(), &["permission denied", "chmod +x"]);
    refused(
        &executable("#!/no/such/interpreter\n"),
        &["the interpreter in its first line does not exist"],
    );
    refused(&executable("junk"), &["no program, and has no `#!` line"]);
    let directory = Run::new(&["run", "--", "./server"]).file("server/file", "text");
    refused(&directory.go(), &["it is a directory"]);
}

#[test]
fn one_that_exits_at_once() {
    let script = r"printf 'boom \033[2J bad\nsecond\n' >&2; exit 3";
    let ran = Run::script(SOON, script).go();
    refused(
        &ran,
        &[
            "ended before it answered",
            "exit status 3",
            r"boom \u{1b}[2J bad",
            "second",
        ],
    );
}

#[test]
fn a_long_complaint_is_cut() {
    let script = "i=0; while [ $i -lt 500 ]; do echo \"line $i\" >&2; i=$((i+1)); done; exit 1";
    let ran = Run::script(SOON, script).go();
    refused(&ran, &["line 499"]);
}

#[test]
fn programs_that_are_no_servers() {
    for (script, told) in [
        (
            "exec cat",
            "prints something on its standard output, but no MCP",
        ),
        ("exec yes", "y"),
        (
            "printf 'Password: '; sleep 1000; echo $x",
            "began with: Password:",
        ),
        (
            "printf 'Token? ' >&2; sleep 1000; echo $x",
            "standard error: Token?",
        ),
        ("sleep 1000", "did not answer the first request within 3 s"),
        (
            "exec \"$WATERTIGHT\" reference mute",
            "did not answer the first request",
        ),
        (
            "exec \"$WATERTIGHT\" reference dead",
            "ended before it answered",
        ),
        ("exec >&-; sleep 1000", "closed its standard output"),
    ] {
        refused(&Run::script(SOON, script).go(), &[told]);
    }
}

#[test]
fn one_that_never_lists_its_tools() {
    let script = "grep --line-buffered -v tools/list | \"$WATERTIGHT\" reference \"$1\"";
    let flags = [SOON, &["--timeout", "3"]].concat();
    refused(&Run::script(&flags, script).go(), &["`tools/list`"]);
}

/// Probes the unchecked reference target through a script and returns the report.
fn flawed(script: &str, code: i32) -> (Ran, Value) {
    let flags = [
        "--probe",
        "fs.read.dotdot",
        "--timeout",
        "3",
        "--report",
        "json=report.json",
    ];
    let ran = Run::script(&flags, script).go();
    ran.code(code);
    let report = ran.json("report.json");
    (ran, report)
}

const SERVE: &str = "\"$WATERTIGHT\" reference --flaw fs.no-check \"$1\"";

#[test]
fn a_banner_is_no_obstacle() {
    let (_, report) = flawed(
        &format!("echo 'Welcome to the server v1.0'; exec {SERVE}"),
        1,
    );
    assert!(with(&report, "breached") > 0);
    let notes = report["notes"].to_string();
    assert!(notes.contains("Welcome to the server"), "{notes}");
}

#[test]
fn garbage_between_frames_is_no_obstacle() {
    let noise = r#"sed -u 's/^/debug: not a frame\n{"jsonrpc": \n[]\n/'"#;
    let (_, report) = flawed(&format!("{SERVE} | {noise}"), 1);
    assert!(with(&report, "breached") > 0);
    let notes = report["notes"].to_string();
    assert!(notes.contains("debug: not a frame"), "{notes}");
}

#[test]
fn one_that_dies_again_and_again_holds_nothing() {
    // Nothing is checked by this server, so whatever were held would be held wrongly. The first
    // attack is the last thing that it reads; whether it still answers is a matter of luck.
    let script = format!("sed -u '/[.][.][/]/q' | {SERVE}");
    let flags = [
        "--probe",
        "fs.read.dotdot",
        "--timeout",
        "3",
        "--report",
        "json=report.json",
    ];
    let ran = Run::script(&flags, &script).go();
    assert!(ran.err.contains("restarted"), "{}", ran.err);
    let report = ran.json("report.json");
    assert_eq!(with(&report, "held"), 0, "{:?}", trials(&report));
    ran.code(if with(&report, "breached") > 0 { 1 } else { 3 });
}

/// What one trial lost for all that were in flight with it is asked again, and not taken for lost with each of them.
#[test]
fn one_that_dies_of_some_payloads_is_judged_on_the_others() {
    let script = "sed -u '/%/Q' | \"$WATERTIGHT\" reference \"$1\"";
    let flags = ["--suite", "filesystem", "--report", "json=report.json"];
    let report = Run::script(&flags, script).go().json("report.json");
    let probes = report["probes"].as_array().expect("a report has probes");
    let trials = probes.iter().filter_map(|probe| probe["trials"].as_array());
    let lost: Vec<&Value> = trials
        .flatten()
        .filter(|trial| trial["verdict"] == "inconclusive")
        .collect();
    assert!(!lost.is_empty());
    for trial in &lost {
        // A race on a machine under load may be without evidence.
        let raced = trial["id"].to_string().contains(".race-");
        assert!(
            raced || trial["asked"].to_string().contains('%'),
            "{trial:#}"
        );
    }
    assert!(with(&report, "held") > 100, "{lost:?}");
}

#[test]
fn an_endless_answer_ends() {
    // One is enough: decoders look at every byte of it.
    let script = format!(
        "exec 3>&1\nwhile read -r line; do case $line in *../*) \
         if [ ! -e fed ]; then : >fed; tr '\\0' x </dev/zero >&3; fi;; esac\n\
         printf '%s\\n' \"$line\"; done | {SERVE} >&3"
    );
    let (ran, report) = flawed(&script, 1);
    assert!(ran.err.contains("restarted"), "{}", ran.err);
    let flawed = |(id, found): &(String, String)| id.contains("@read_file") && found == "held";
    assert!(!trials(&report).iter().any(flawed), "{:?}", trials(&report));
}

#[test]
fn dummies_hold_nothing() {
    for kind in ["refuse-all", "echo", "silently-empty"] {
        let flags = ["run", "--timeout", "3", "--report", "json=r.json"];
        let ran = Run::new(&[&flags[..], &reference(&[kind])].concat()).go();
        ran.code(3);
        let report = ran.json("r.json");
        assert!(!trials(&report).is_empty());
        assert_eq!(
            with(&report, "held") + with(&report, "breached"),
            0,
            "{kind}"
        );
    }
}

#[test]
fn the_text_of_a_target_cannot_drive_the_terminal() {
    let script = format!("printf '\\033]0;owned\\007\\033[2J' >&2; echo '\\033[31m'; exec {SERVE}");
    let (ran, _) = flawed(&script, 1);
    assert!(!ran.err.contains('\u{1b}'), "{:?}", ran.err);
    assert!(!ran.out.contains('\u{1b}'), "{:?}", ran.out);
    assert!(
        PROGRAM.starts_with('/'),
        "the script must find it from anywhere"
    );
}

/// A server that gives away its environment gives away what the user passed on; the report must not.
#[test]
fn what_is_passed_on_is_in_no_report() {
    let secret = "Real-Value-4711";
    let server = [PROGRAM, "reference", "--flaw", "env.dump", "{allowed}"];
    let flags = [
        "run",
        "--probe",
        "env.direct",
        "--env",
        &format!("MY_API_KEY={secret}"),
        "--env",
        "STORE=postgres://app:hunter2@127.0.0.1/store",
        "--report",
        "json=report.json",
        "--report",
        "html=report.html",
        "--",
    ];
    let ran = Run::new(&[&flags[..], &server].concat()).go();
    ran.code(1).tells(&["env.direct"]);
    for text in [&ran.out, &ran.read("report.json"), &ran.read("report.html")] {
        assert!(!text.contains(secret) && !text.contains("hunter2"));
    }
    assert!(ran.read("report.json").contains("${MY_API_KEY}"));
}

/// A secret on the command line of a server is told by `ps` already, but not by the report.
#[test]
fn what_is_secret_on_a_command_line_is_in_no_report() {
    let secret = "correct-horse-9f31c7";
    // The shell keeps its words, as a wrapper does that waits for the server.
    let server = format!("'{PROGRAM}' reference \"$1\"; exit");
    let flags = [
        "run",
        "--no-lock",
        "--probe",
        "env.argv",
        "--report",
        "json=report.json",
        "--report",
        "html=report.html",
        "--",
        "sh",
        "-c",
        &server,
        "wrapper",
        "{allowed}",
        "--password",
        secret,
    ];
    let ran = Run::new(&flags).go();
    ran.code(1).tells(&["env.argv"]);
    for text in [&ran.out, &ran.read("report.json"), &ran.read("report.html")] {
        assert!(!text.contains(secret));
    }
    let report = ran.read("report.json");
    assert!(report.contains("the value of `password` stands on the command line (`corr...`"));
    assert!(report.contains("${SECRET_ARGUMENT_1}"));
}

/// The same server is judged by what it is launched with, and by the policy that it is held to.
#[test]
fn launch_and_policy_are_judged_with_the_server() {
    let judged = |policy: &str, flags: &[&str], code: i32| {
        let run = [
            "run",
            "--no-lock",
            "--suite",
            "config",
            "--report",
            "json=r.json",
        ];
        let args = [&run[..], &["--policy", "p.toml"], flags, &reference(&[])].concat();
        let run = Run::new(&args);
        std::fs::write(run.path("p.toml"), policy).expect("it can be written");
        let ran = run.go();
        ran.code(code);
        trials(&ran.json("r.json"))
    };
    let of = |trials: &[(String, String)], id: &str| {
        let found = trials.iter().find(|(known, _)| known == id);
        found.map_or(String::from("missing"), |(_, verdict)| verdict.clone())
    };
    let files = |allowed: &str| {
        format!(
            "[capabilities.filesystem]\nallowed_paths = [{allowed:?}]\ndenied_paths = ['**/.env']\n"
        )
    };
    let narrow = judged(&files("{allowed}"), &["--pass-env", "HOME"], 0);
    let wide = judged(
        &format!(
            "# key ghp_{}\n{}",
            "x9Kd03mQ7pLw2ZtR5vYb8NcF1sHj4GaE6uTk",
            files("/")
        ),
        &[
            "--env",
            "API_TOKEN=9f8e7d6c5b4a39281706f5e4d3c2b1a0",
            "--roots",
            "/",
        ],
        1,
    );
    for id in [
        "env.hardcoded/launch",
        "env.hardcoded/policy",
        "config.launch/launch",
        "config.policy/policy",
    ] {
        assert_eq!(of(&narrow, id), "held", "{id}");
        assert_eq!(of(&wide, id), "breached", "{id}");
    }
}

/// What runs some commands and refuses the programs of the run has a list, whatever the policy says.
#[test]
fn a_list_of_commands_of_its_own_is_found_and_gone_around() {
    let verdict = |flags: &[&str], code: i32| {
        let own = [&["--allow-command", "cat"], flags].concat();
        let args = [
            &[
                "run",
                "--no-lock",
                "--probe",
                "exec.allowlist-chain",
                "--report",
                "json=r.json",
            ][..],
            &reference(&own),
        ];
        let run = Run::new(&args.concat());
        let path = run.path("r.json");
        let ran = run.go();
        ran.code(code);
        let text = std::fs::read(path).expect("a report was written");
        serde_json::from_slice::<Value>(&text).expect("it is JSON")
    };
    let report = verdict(&[], 0);
    assert!(with(&report, "held") > 0 && with(&report, "breached") == 0);
    let report = verdict(&["--flaw", "exec.first-word"], 1);
    assert!(with(&report, "breached") > 0);
    // What runs everything has none.
    let report = verdict(&["--flaw", "exec.any-command"], 3);
    assert_eq!(with(&report, "not-applicable"), trials(&report).len());
}
