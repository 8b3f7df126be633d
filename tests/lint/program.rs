//! The program from the outside: exit codes, streams, directories and standard input.

use std::{
    fs,
    io::Write as _,
    path::Path,
    process::{Command, Output, Stdio},
};

use super::filled;

fn watertight(directory: &Path, args: &[&str], stdin: &str) -> Output {
    let mut child = Command::new(env!("CARGO_BIN_EXE_watertight"))
        .arg("lint")
        .args(args)
        .current_dir(directory)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program starts");
    let mut pipe = child.stdin.take().expect("a pipe");
    // A program that reads no input may end before it is written.
    let _ = pipe.write_all(stdin.as_bytes());
    drop(pipe);
    child.wait_with_output().expect("the program ends")
}

fn code(output: &Output) -> i32 {
    output.status.code().expect("an exit code")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[test]
fn exit_codes_tell_what_was_found() {
    let directory = tempfile::tempdir().expect("a directory");
    let here = directory.path();
    fs::write(here.join("Dockerfile"), "FROM a\nUSER app\n").expect("a file");
    fs::write(here.join("root.Dockerfile"), "FROM a:1\n").expect("a file");
    fs::write(here.join("broken.json"), "{").expect("a file");
    for (args, expected) in [
        (&["Dockerfile"][..], 0),
        (&["Dockerfile", "--min-severity", "low"], 1),
        (&["root.Dockerfile"], 1),
        (&["root.Dockerfile", "--min-severity", "high"], 0),
        (&["root.Dockerfile", "--allow", "container.root-user"], 0),
        (&["Dockerfile", "root.Dockerfile"], 1),
        (&["broken.json"], 2),
        (&["root.Dockerfile", "broken.json"], 2),
        (&["missing.json"], 2),
        (&["root.Dockerfile", "--allow", "container.root"], 2),
        (&["--list-rules"], 0),
        // What has a known name in the working directory: the first two.
        (&[], 1),
        (&["--allow", "container.root-user"], 0),
    ] {
        let output = watertight(here, args, "");
        assert_eq!(
            code(&output),
            expected,
            "{args:?}\n{}{}",
            text(&output.stdout),
            text(&output.stderr)
        );
    }
    let output = watertight(here, &["root.Dockerfile", "broken.json", "--json"], "");
    let report: serde_json::Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert_eq!(report["counts"]["medium"], 1);
    assert!(text(&output.stderr).contains("broken.json:1:1"));
}

#[test]
fn directories_are_searched_for_known_names() {
    let directory = tempfile::tempdir().expect("a directory");
    let here = directory.path();
    let config = r#"{ "mcpServers": { "a": { "command": "npx", "args": ["x"] } } }"#;
    for name in [
        ".mcp.json",
        ".vscode/mcp.json",
        "a/b/Dockerfile.dev",
        "a/b/c/Dockerfile",
        "node_modules/x/Dockerfile",
        "package.json",
        "target/Dockerfile",
    ] {
        let path = here.join(name);
        fs::create_dir_all(path.parent().expect("a parent")).expect("a directory");
        let text = if name.ends_with("json") {
            config
        } else {
            "FROM a:1\nUSER b\n"
        };
        fs::write(path, text).expect("a file");
    }
    let output = watertight(here, &[".", "--json"], "");
    let report: serde_json::Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let files: Vec<&str> = report["files"]
        .as_array()
        .expect("a list")
        .iter()
        .filter_map(|file| file["file"].as_str())
        .collect();
    assert_eq!(
        files,
        [".mcp.json", ".vscode/mcp.json", "a/b/Dockerfile.dev"]
    );
    let empty = watertight(here, &["node_modules/x/../../a/b/c/.."], "");
    assert_eq!(code(&empty), 0, "{}", text(&empty.stderr));
    fs::create_dir(here.join("empty")).expect("a directory");
    let empty = watertight(here, &["empty"], "");
    assert_eq!(code(&empty), 2);
    assert!(text(&empty.stderr).contains("claude_desktop_config.json"));
}

#[test]
fn standard_input_is_recognised_by_its_content() {
    let directory = tempfile::tempdir().expect("a directory");
    let (config, secrets) = filled(
        "{ \"mcpServers\": { \"a\": { \"command\": \"x\", \"env\": { \"A_TOKEN\": \"@{:24}\" } } } }",
    );
    for (input, expected, told) in [
        (config.as_str(), 1, "<stdin>:1:"),
        ("FROM a:1\nUSER app\n", 0, "0 findings in 1 file"),
        ("", 2, "nothing in <stdin>"),
        ("just words", 2, "<stdin>"),
    ] {
        let output = watertight(directory.path(), &["-"], input);
        let all = text(&output.stdout) + &text(&output.stderr);
        assert_eq!(code(&output), expected, "{all}");
        assert!(all.contains(told), "{all}");
        assert!(!all.contains(&secrets[0]), "{all}");
    }
}
