//! The program whose execution is proof: what it is, and the record that it leaves.
//!
//! Owns the script and the reading of its records. It runs nothing, uses builtins of `sh` only and
//! touches nothing but its record, so that whoever starts it can do no harm by it.

use std::{
    fs, io,
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
};

/// Letters of a token that stand together in the script: too few to be taken for a part of it.
const PIECE: usize = 6;

/// Writes the program of a token to `path`. Started, it leaves a record and prints the token.
///
/// # Errors
/// When the file cannot be written.
pub fn program(path: &Path, tmp: &Path, token: &str) -> io::Result<()> {
    use std::io::Write as _;
    let mut out = fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o755)
        .open(path)?;
    out.write_all(script(&records(path, tmp), token).as_bytes())
}

/// Where the program leaves its record: beside itself, or where that is not permitted, in `tmp`.
#[must_use]
pub fn records(path: &Path, tmp: &Path) -> [PathBuf; 2] {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let owner = path.parent().and_then(Path::file_name).unwrap_or_default();
    [
        path.with_file_name(format!("{name}.ran")),
        tmp.join(format!("{}-{name}.ran", owner.to_string_lossy())),
    ]
}

/// What a started program recorded: its parent and its arguments.
#[must_use]
pub fn started(records: &[PathBuf]) -> Option<String> {
    records
        .iter()
        .filter_map(|record| fs::read(record).ok())
        .map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
        .find_map(|text| text.lines().next().map(str::to_owned))
}

/// The pieces stand in the opposite order: no reader of the script sees the token.
fn script(records: &[PathBuf], token: &str) -> String {
    let pieces: Vec<&str> = token
        .as_bytes()
        .chunks(PIECE)
        .filter_map(|piece| std::str::from_utf8(piece).ok())
        .collect();
    let mut text = String::from("#!/bin/sh\nparent=unknown\n");
    text.push_str("{ read -r parent < \"/proc/$PPID/comm\"; } 2>/dev/null\n");
    text.push_str("for record in");
    for record in records {
        let quoted = record.to_string_lossy().replace('\'', "'\\''");
        text.push_str(&format!(" '{quoted}'"));
    }
    text.push_str("; do\n  { printf '%s\\n' \"started by $parent with $# arguments: $*\" >> \"$record\"; } 2>/dev/null && break\ndone\n");
    for (number, piece) in pieces.iter().enumerate().rev() {
        text.push_str(&format!("p{number}={piece}\n"));
    }
    text.push_str("printf '%s\\n' \"");
    for number in 0..pieces.len() {
        text.push_str(&format!("$p{number}"));
    }
    text.push_str("\"\n");
    text
}

/// Whether programs of this kind run here at all, and why not.
///
/// # Errors
/// The reason in words.
pub fn runs_in(directory: &Path, tmp: &Path) -> Result<(), String> {
    const TOKEN: &str = "abcdefghijklmnopqrstuvwxyz234567abcd";
    let path = directory.join(format!("try-{:08x}", fastrand::u32(..)));
    let records = records(&path, tmp);
    let told = |error: io::Error| format!("the trial's program cannot be started: {error}");
    let outcome = program(&path, tmp, TOKEN)
        .and_then(|()| {
            std::process::Command::new(&path)
                .env_clear()
                .stdin(std::process::Stdio::null())
                .output()
        })
        .map_err(told);
    let seen = started(&records).is_some();
    for file in records.iter().chain([&path]) {
        // The testbed removes what is left with its whole directory.
        let _ = fs::remove_file(file);
    }
    let printed = String::from_utf8_lossy(&outcome?.stdout).trim() == TOKEN;
    match (seen, printed) {
        (true, true) => Ok(()),
        _ => Err(String::from(
            "the trial's program left no record when the harness started it",
        )),
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]
mod tests {
    use super::*;

    #[test]
    fn it_runs_here_and_does_not_hold_its_token() {
        let base = std::env::temp_dir().join(format!("wt-program-{:08x}", fastrand::u32(..)));
        fs::create_dir(&base).unwrap();
        runs_in(&base, &base).unwrap();
        assert_eq!(fs::read_dir(&base).unwrap().count(), 0);
        fs::remove_dir_all(&base).unwrap();
        let token = "abcdefghijklmnopqrstuvwxyz234567abcd";
        let text = script(&[PathBuf::from("/x/it's.ran")], token);
        let joined: String = text.split_whitespace().collect();
        assert!(
            !text.contains(&token[..8]) && !joined.contains(&token[..8]),
            "{text}"
        );
    }
}
