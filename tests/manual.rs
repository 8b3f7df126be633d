//! Completions and manual pages, by the shells and the program that read them.

use std::{
    env, fs,
    path::PathBuf,
    process::{Command, ExitCode, Output},
};

use libtest_mimic::{Arguments, Completion, Trial};

const PROGRAM: &str = env!("CARGO_BIN_EXE_watertight");

fn watertight(args: &[&str]) -> String {
    let output = Command::new(PROGRAM).args(args).output();
    text(output.expect("the program starts"))
}

fn text(output: Output) -> String {
    let complaint = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{complaint}");
    assert_eq!(complaint, "");
    String::from_utf8(output.stdout).expect("it is text")
}

fn main() -> ExitCode {
    let args = Arguments::from_args();
    let plain: [(&str, fn()); 4] = [
        ("bash::completes_commands_and_flags", bash_completes),
        ("shells::have_theirs", other_shells),
        ("pages::of_every_command", pages),
        ("pages::of_no_command", no_page),
    ];
    let mut trials: Vec<Trial> = plain
        .into_iter()
        .map(|(name, test)| {
            Trial::test(name, move || {
                test();
                Ok(())
            })
        })
        .collect();
    trials.push(Trial::ignorable_test("pages::are_rendered_by_man", || {
        let path = env::var_os("PATH").unwrap_or_default();
        let there = env::split_paths(&path).any(|directory| directory.join("man").is_file());
        match (there, env::var_os("CI").is_some()) {
            (true, _) => rendered(),
            (false, true) => return Err("man is missing, and CI must have it".into()),
            (false, false) => return Ok(Completion::ignored_with("man is not installed")),
        }
        Ok(Completion::Completed)
    }));
    libtest_mimic::run(&args, trials).exit_code()
}

/// What bash offers for a line: the function that the script registers, called as bash calls it.
fn offered(words: &[&str]) -> Vec<String> {
    let script = r#"source /dev/stdin <<< "$SCRIPT"
        COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1))
        name=$(complete -p watertight); name=${name##*-F }; name=${name%% *}
        "$name" watertight "${COMP_WORDS[COMP_CWORD]}" "${COMP_WORDS[COMP_CWORD-1]}"
        printf '%s\n' "${COMPREPLY[@]}""#;
    let output = Command::new("bash")
        .args(["--norc", "-c", script, "bash"])
        .args(words)
        .env("SCRIPT", watertight(&["completions", "bash"]))
        .output();
    let offered = text(output.expect("bash is there"));
    offered.lines().map(str::to_owned).collect()
}

fn bash_completes() {
    let has = |words: &[&str], wanted: &[&str]| {
        let offered = offered(words);
        for wanted in wanted {
            assert!(
                offered.iter().any(|one| one == wanted),
                "{wanted}: {offered:?}"
            );
        }
    };
    has(&["watertight", "dis"], &["discover"]);
    has(&["watertight", ""], &["run", "lint", "man"]);
    has(&["watertight", "run", "--pol"], &["--policy"]);
    has(&["watertight", "completions", "z"], &["zsh"]);
}

fn other_shells() {
    for (shell, sign) in [
        ("zsh", "#compdef watertight"),
        ("fish", "complete -c watertight"),
        ("elvish", "edit:completion"),
        ("powershell", "Register-ArgumentCompleter"),
    ] {
        let script = watertight(&["completions", shell]);
        assert!(
            script.contains(sign) && script.contains("discover"),
            "{shell}"
        );
    }
    let refused = Command::new(PROGRAM).args(["completions", "csh"]).output();
    assert_eq!(refused.expect("the program starts").status.code(), Some(2));
}

/// All pages, in a directory that goes with its owner.
fn written() -> (tempfile::TempDir, PathBuf) {
    let place = tempfile::tempdir().expect("a directory");
    let out = place.path().join("man1");
    watertight(&["man", "--out", &out.display().to_string()]);
    (place, out)
}

fn pages() {
    let (_place, out) = written();
    let page = |name: &str| fs::read_to_string(out.join(name)).expect("the page is there");
    assert_eq!(page("watertight.1"), watertight(&["man"]));
    assert_eq!(page("watertight-run.1"), watertight(&["man", "run"]));
    let listed = watertight(&["--help"]);
    let commands: Vec<&str> = listed
        .lines()
        .skip_while(|line| *line != "Commands:")
        .skip(1)
        .take_while(|line| !line.is_empty())
        .filter_map(|line| line.split_whitespace().next())
        .filter(|name| *name != "help")
        .collect();
    assert!(commands.len() > 8, "{listed}");
    for name in commands {
        let page = page(&format!("watertight-{name}.1"));
        assert!(page.contains(".SH SYNOPSIS"), "{name}");
    }
}

fn rendered() {
    let (_place, out) = written();
    for (name, parts) in [
        (
            "watertight.1",
            &["watertight - ", "discover", "bad input"][..],
        ),
        (
            "watertight-run.1",
            &["watertight-run - ", "SYNOPSIS", "--policy"],
        ),
    ] {
        let output = Command::new("man")
            .arg("-l")
            .arg(out.join(name))
            .env("MANWIDTH", "80")
            .env("MANPAGER", "cat")
            .output();
        let page = text(output.expect("man starts"));
        for part in parts {
            assert!(page.contains(part), "{part}: {page}");
        }
    }
}

fn no_page() {
    let refused = Command::new(PROGRAM).args(["man", "runn"]).output();
    let refused = refused.expect("the program starts");
    assert_eq!(refused.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&refused.stderr).contains("did you mean `run`?"));
}
