//! The flaw is found: the tests of `tests/flawed.rs` fail, and say what was read.

use std::process::Command;

#[test]
fn the_trusting_server_fails() {
    let output = Command::new(env!("CARGO"))
        // As one with the packages around it, so that nothing is built twice.
        .args([
            "test",
            "--offline",
            "--quiet",
            "--workspace",
            "--test",
            "flawed",
        ])
        .output()
        .expect("cargo starts");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let complaint = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(101), "{text}{complaint}");
    for told in [
        "---- fs.read.dotdot::after-root::read_note:path ----",
        "BREACHED (critical): the token planted at",
        "---- fs.write.dotdot::",
        "fix  ",
    ] {
        assert!(
            text.contains(told),
            "`{told}` is missing:\n{text}{complaint}"
        );
    }
}
