//! Disks of the host testbed that are full or cannot be written: each run here has file systems of its own.
//!
//! Owns the namespaces. They need unshare(1) and user namespaces; where a machine forbids them, the
//! tests are ignored and say so.

use std::process::{Command, ExitCode, Output};

use libtest_mimic::{Arguments, Completion, Failed, Trial};

const PROGRAM: &str = env!("CARGO_BIN_EXE_watertight");

/// Lists what is left, so that it can be looked at from outside, and keeps the exit code.
const ENDING: &str = "code=$?; ls -A /var/tmp; exit $code";

fn main() -> ExitCode {
    let trials = vec![
        trial("a_full_disk_is_told_before_anything_runs", full),
        trial("a_disk_that_cannot_be_written_is_told", read_only),
        trial("tmpdir_is_used_where_var_tmp_is_full", elsewhere),
        trial("a_disk_that_fills_up_makes_no_verdict", fills),
    ];
    libtest_mimic::run(&Arguments::from_args(), trials).exit_code()
}

fn trial(name: &str, test: fn() -> Result<(), Failed>) -> Trial {
    Trial::ignorable_test(name, move || {
        let possible = unshared("mount -t tmpfs none /var/tmp");
        match possible {
            Ok(output) if output.status.success() => test().map(|()| Completion::Completed),
            Ok(output) => Ok(Completion::ignored_with(format!(
                "no mounts in a user namespace here: {}",
                String::from_utf8_lossy(&output.stderr).trim()
            ))),
            Err(error) => Ok(Completion::ignored_with(format!(
                "no unshare(1) here: {error}"
            ))),
        }
    })
}

fn unshared(script: &str) -> std::io::Result<Output> {
    Command::new("unshare")
        .args(["-rm", "sh", "-c", script, PROGRAM])
        .env_remove("RUST_BACKTRACE")
        .current_dir("/")
        .output()
}

/// Runs the script and asserts the exit code, the texts in its output, and that nothing is left.
fn expect(script: &str, code: i32, texts: &[&str]) -> Result<(), Failed> {
    let output = unshared(&format!("{script}\n{ENDING}"))?;
    let out = String::from_utf8_lossy(&output.stdout);
    let err = String::from_utf8_lossy(&output.stderr);
    let all = format!("{}\n{err}\n{out}", output.status);
    let words = all.split_whitespace().collect::<Vec<_>>().join(" ");
    if output.status.code() != Some(code) {
        return Err(format!("the exit code is not {code}: {all}").into());
    }
    if let Some(missing) = texts.iter().find(|text| !words.contains(**text)) {
        return Err(format!("{missing:?} is missing: {all}").into());
    }
    // ls(1) is the last to write, and has nothing to say.
    if out.lines().any(|line| line.starts_with("bed-")) {
        return Err(format!("a testbed is left: {all}").into());
    }
    Ok(())
}

const RUN: &str =
    "\"$0\" run --testbed host --probe fs.read.search-content -- \"$0\" reference '{allowed}'";

fn full() -> Result<(), Failed> {
    expect(
        &format!("mount -t tmpfs -o size=1m none /var/tmp\nTMPDIR=/var/tmp {RUN}"),
        2,
        &[
            "no testbed can be made",
            "/var/tmp: No space left",
            "8 MiB",
            "fix: free some space",
        ],
    )
}

fn read_only() -> Result<(), Failed> {
    expect(
        &format!("mount -t tmpfs -o ro none /var/tmp\nTMPDIR=/var/tmp {RUN}"),
        2,
        &[
            "no testbed can be made",
            "Read-only file system",
            "set TMPDIR",
        ],
    )
}

fn elsewhere() -> Result<(), Failed> {
    let place = tempfile::tempdir()?;
    let path = place.path().display();
    expect(
        &format!("mount -t tmpfs -o size=1m none /var/tmp\nTMPDIR={path} {RUN}"),
        0,
        &[&format!("{path}/bed-")],
    )?;
    match std::fs::read_dir(place.path())?.next() {
        None => Ok(()),
        Some(left) => Err(format!("{left:?} is left").into()),
    }
}

fn fills() -> Result<(), Failed> {
    let place = tempfile::tempdir()?;
    let server = place.path().join("server");
    std::fs::write(
        &server,
        format!(
            "dd if=/dev/zero of=\"$HOME/fill\" bs=1M 2>/dev/null\n\
             exec '{PROGRAM}' reference \"$1\"\n"
        ),
    )?;
    expect(
        &format!(
            "mount -t tmpfs -o size=12m none /var/tmp\nTMPDIR=/var/tmp \"$0\" run \
             --testbed host --probe fs.read.search-content -- sh {} '{{allowed}}'",
            server.display()
        ),
        3,
        &["No space left on device", "0 held, 0 breached"],
    )
}
