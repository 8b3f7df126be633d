//! The flaw is found: the tests of `tests/flawed.rs` fail, and say what was read.

use std::process::Command;

#[test]
fn the_trusting_server_fails() {
    let mut cargo = Command::new(env!("CARGO"));
    // What Cargo tells a test of its package makes build scripts run anew, and all that rests on them.
    for (name, _) in std::env::vars_os() {
        let told = ["CARGO_PKG_", "CARGO_MANIFEST_", "CARGO_BIN_"];
        if told
            .iter()
            .any(|prefix| name.to_string_lossy().starts_with(prefix))
        {
            cargo.env_remove(name);
        }
    }
    let output = cargo
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
