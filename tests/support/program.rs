//! Puts programs where a test can start them. It knows nothing of what they do.
//!
//! A file that somebody holds open for writing cannot be executed (`ETXTBSY`, execve(2)), and a
//! test beside this one that starts a process at the wrong moment hands our descriptor to it. So
//! the file is written by a process of its own, which has ended when the program is started.

use std::{
    io::Write as _,
    path::Path,
    process::{Command, Stdio},
};

/// Writes an executable file; `program` is its content.
///
/// # Panics
/// If it cannot be written.
pub(crate) fn install(path: &Path, program: impl AsRef<[u8]>) {
    let mut writer = Command::new("sh")
        .args(["-c", r#"cat > "$0" && chmod 755 "$0""#])
        .arg(path)
        .stdin(Stdio::piped())
        .spawn()
        .expect("a shell");
    let mut pipe = writer.stdin.take().expect("it is piped");
    pipe.write_all(program.as_ref()).expect("it reads all");
    drop(pipe);
    assert!(writer.wait().expect("it ends").success(), "{path:?}");
}
