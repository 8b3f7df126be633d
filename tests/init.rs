//! `watertight init` and `--from`, from the outside: what they write works at once.
//!
//! Owns projects in directories of their own. The server is the reference target.

use std::{
    fs,
    path::Path,
    process::{Command, Output},
};

use serde_json::{Value, json};
use tempfile::TempDir;

const PROGRAM: &str = env!("CARGO_BIN_EXE_watertight");

/// Two probes: enough to see that a run was one.
const QUICK: [&str; 4] = [
    "--probe",
    "fs.read.dotdot",
    "--probe",
    "fs.read.prefix-sibling",
];

fn project() -> TempDir {
    tempfile::tempdir().expect("a directory")
}

fn watertight(project: &Path, args: &[&str]) -> Output {
    Command::new(PROGRAM)
        .args(args)
        .current_dir(project)
        .env("NOTES_TOKEN", "Zk3uWq8Lr5Tn2Xb7")
        .env_remove("NOTES_MISSING")
        .output()
        .expect("the program starts")
}

fn all(output: &Output) -> String {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    text(&output.stdout) + &text(&output.stderr)
}

#[track_caller]
fn ends(output: &Output, code: i32, texts: &[&str]) {
    let all = all(output);
    assert_eq!(output.status.code(), Some(code), "{all}");
    for text in texts {
        assert!(all.contains(text), "`{text}` is missing:\n{all}");
    }
}

fn init(project: &Path, more: &[&str]) -> Output {
    let server = ["--", PROGRAM, "reference", "{allowed}"];
    watertight(project, &[&["init"], more, &server].concat())
}

fn read(project: &Path, file: &str) -> String {
    fs::read_to_string(project.join(file)).unwrap_or_else(|error| panic!("{file}: {error}"))
}

#[test]
fn what_is_written_works_at_once() {
    let project = project();
    let project = project.path();
    ends(
        &init(project, &[]),
        0,
        &[
            "wrote watertight.toml",
            "wrote policy.toml",
            "wrote .github/workflows/watertight.yml",
            "wrote bindings.lock",
            "can be driven, with proof",
            "next: watertight run",
        ],
    );
    ends(
        &watertight(project, &[&["run"], &QUICK[..]].concat()),
        0,
        &["held"],
    );
    for report in [
        "watertight-report/report.html",
        "watertight-report/report.json",
    ] {
        assert!(project.join(report).is_file(), "{report}");
    }
    ends(
        &watertight(project, &["lint", "policy.toml", "watertight.toml"]),
        0,
        &[],
    );
    let job: Value = serde_saphyr::from_str(&read(project, ".github/workflows/watertight.yml"))
        .expect("the job is YAML");
    let steps = job["jobs"]["watertight"]["steps"].to_string();
    assert!(
        steps.contains("watertight run") && !job["on"].is_null(),
        "{job}"
    );
}

#[test]
fn nothing_is_overwritten_unasked() {
    let project = project();
    let project = project.path();
    fs::write(project.join("policy.toml"), "mine").expect("it is written");
    ends(
        &init(project, &[]),
        2,
        &[
            "nothing was written: policy.toml would be overwritten",
            "--force",
        ],
    );
    assert_eq!(read(project, "policy.toml"), "mine");
    assert!(!project.join("watertight.toml").exists());
    ends(
        &init(project, &["--force", "--ci", "none"]),
        0,
        &["wrote policy.toml"],
    );
    assert!(read(project, "policy.toml").contains("allowed_paths"));
    assert!(!project.join(".github").exists());
}

#[test]
fn a_policy_that_is_given_stays_the_policy() {
    let project = project();
    let project = project.path();
    let policy = r#"{ "capabilities": { "filesystem": { "allowed_paths": ["{allowed}"] } } }"#;
    fs::write(project.join("own.json"), policy).expect("it is written");
    ends(
        &init(project, &["--policy", "own.json", "--ci", "gitlab"]),
        0,
        &[".gitlab-ci.yml"],
    );
    assert!(!project.join("policy.toml").exists());
    assert!(read(project, "watertight.toml").contains("policy = \"own.json\""));
    let job: Value = serde_saphyr::from_str(&read(project, ".gitlab-ci.yml")).expect("YAML");
    assert!(job["watertight"]["script"].is_array(), "{job}");
    ends(
        &watertight(project, &[&["run"], &QUICK[..]].concat()),
        0,
        &["held"],
    );
}

#[test]
fn a_package_gets_a_test() {
    let project = project();
    let project = project.path();
    let manifest =
        "[package]\nname = \"notes\"\nversion = \"0.1.0\"\n\n[dev-dependencies]\nserde = \"1\"";
    fs::write(project.join("Cargo.toml"), manifest).expect("it is written");
    ends(
        &init(project, &["--ci", "none"]),
        0,
        &[
            "wrote tests/isolation.rs",
            "wrote Cargo.toml",
            "cargo test --test isolation",
        ],
    );
    assert!(read(project, "tests/isolation.rs").contains("watertight::cargo_test::main()"));
    let written = read(project, "Cargo.toml");
    assert!(written.starts_with(manifest), "{written}");
    let table: toml::Table = written.parse().expect("it is TOML still");
    assert_eq!(table["test"][0]["harness"].as_bool(), Some(false));
    assert_eq!(
        table["dev-dependencies"]["watertight"]["version"].as_str(),
        Some(env!("CARGO_PKG_VERSION"))
    );
    assert!(table["dev-dependencies"]["serde"].is_str());
    // The same once more adds nothing.
    ends(&init(project, &["--ci", "none", "--force"]), 0, &[]);
    assert_eq!(read(project, "Cargo.toml"), written);
}

#[test]
fn without_a_target_or_a_server_nothing_is_written() {
    let project = project();
    let project = project.path();
    ends(
        &watertight(project, &["init"]),
        2,
        &["no target", "watertight init -- "],
    );
    ends(
        &watertight(project, &["init", "--", "false"]),
        2,
        &["before it answered"],
    );
    assert_eq!(fs::read_dir(project).expect("it is there").count(), 0);
}

/// A client's config with the reference target, and with others.
fn client(project: &Path) {
    let config = json!({ "mcpServers": {
        "notes": {
            "command": PROGRAM,
            "args": ["reference", "--flaw", "fs.prefix-sibling", "{allowed}"],
            "env": { "NOTES_TOKEN": "${NOTES_TOKEN}", "LEVEL": "${NOTES_LEVEL:-info}" },
        },
        "rooted": { "command": PROGRAM, "args": ["reference", project.join("docs")] },
        "incomplete": { "command": PROGRAM, "args": ["reference", "${NOTES_MISSING}"] },
        "asking": { "command": PROGRAM, "env": { "KEY": "${input:key}" } },
    }});
    fs::create_dir(project.join("docs")).expect("it is made");
    fs::write(project.join("mcp.json"), config.to_string()).expect("it is written");
}

#[test]
fn a_client_config_names_the_target() {
    let project = project();
    let project = project.path();
    client(project);
    let run = |server: &[&str]| {
        let args = [
            &["run", "--from", "mcp.json", "--report", "json=-"],
            &QUICK[..],
            server,
        ];
        watertight(project, &args.concat())
    };
    let ran = run(&["--server", "notes"]);
    ends(&ran, 1, &[]);
    let report: Value = serde_json::from_slice(&ran.stdout).expect("it is JSON");
    let environment = report["target"]["environment"].to_string();
    assert!(
        environment.contains("NOTES_TOKEN") && environment.contains("LEVEL"),
        "{environment}"
    );
    ends(&run(&[]), 2, &["names 4 servers", "--server"]);
    ends(&run(&["--server", "note"]), 2, &["did you mean `notes`?"]);
    ends(
        &run(&["--server", "incomplete"]),
        2,
        &["the variable NOTES_MISSING is not set", "mcp.json:1:"],
    );
    ends(
        &run(&["--server", "asking"]),
        2,
        &["only the client knows `${input:key}`", "--env KEY=VALUE"],
    );
    ends(
        &run(&["--server", "notes", "--url", "http://127.0.0.1:1/"]),
        2,
        &["--from"],
    );
    ends(
        &watertight(project, &["run", "--server", "notes"]),
        2,
        &["--from"],
    );
    ends(
        &watertight(project, &["run", "--from", "gone.json"]),
        2,
        &["gone.json"],
    );
    fs::write(project.join("other.json"), r#"{ "name": "x" }"#).expect("it is written");
    ends(
        &watertight(project, &["run", "--from", "other.json"]),
        2,
        &["other.json is no config of an MCP client"],
    );
}

#[test]
fn a_directory_of_the_config_becomes_that_of_the_run() {
    let project = project();
    let project = project.path();
    client(project);
    let args = [
        &["run", "--from", "mcp.json", "--server", "rooted"],
        &QUICK[..],
    ]
    .concat();
    ends(
        &watertight(project, &args),
        0,
        &["gets a directory of the run instead of", "docs", "held"],
    );
    let left = fs::read_dir(project.join("docs")).expect("it is there");
    assert_eq!(left.count(), 0);
}

#[test]
fn init_passes_on_what_the_config_refers_to() {
    let project = project();
    let project = project.path();
    client(project);
    let args = [
        "init", "--from", "mcp.json", "--server", "notes", "--ci", "none",
    ];
    ends(&watertight(project, &args), 0, &[]);
    let config = read(project, "watertight.toml");
    assert!(config.contains("pass_env = [\"NOTES_TOKEN\"]"), "{config}");
    assert!(
        config.contains("LEVEL = \"info\"") && !config.contains("Zk3u"),
        "{config}"
    );
    ends(
        &watertight(project, &[&["run"], &QUICK[..]].concat()),
        1,
        &["BREACHED"],
    );
}

#[test]
fn a_value_that_was_looked_up_is_not_shown() {
    let project = project();
    let project = project.path();
    let config = json!({ "mcpServers": { "notes": {
        "command": "sh",
        "args": ["-c", "exec \"$0\" reference \"$1\"", PROGRAM, "{allowed}", "--token=${NOTES_TOKEN}"],
    }}});
    fs::write(project.join("mcp.json"), config.to_string()).expect("it is written");
    let args = [
        &["run", "--from", "mcp.json", "--report", "json=-"],
        &QUICK[..],
    ]
    .concat();
    let ran = watertight(project, &args);
    ends(&ran, 0, &["--token=${NOTES_TOKEN}"]);
    assert!(!all(&ran).contains("Zk3uWq8Lr5Tn2Xb7"), "{}", all(&ran));
}
