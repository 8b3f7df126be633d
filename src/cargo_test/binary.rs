//! The binaries that Cargo built for a test.
//!
//! Owns where they are looked for: the variables of Cargo and of nextest, then the directory of the
//! profile that the test itself was built in.

use std::{
    env,
    ffi::OsString,
    path::{Path, PathBuf},
};

/// The path of the binary of that name, if Cargo built one.
pub(super) fn built(name: &str) -> Option<PathBuf> {
    // A path is none, and a name with other characters cannot be one.
    if name.is_empty() || name.contains(['/', '\\', '=', '\0']) {
        return None;
    }
    let told = ["CARGO_BIN_EXE_", "NEXTEST_BIN_EXE_"]
        .iter()
        .find_map(|prefix| env::var_os(format!("{prefix}{name}")));
    told.map(PathBuf::from).or_else(|| {
        let test = env::current_exe().ok()?;
        beside(&test, name)
    })
}

/// `target/debug/NAME` of `target/debug/deps/TEST-HASH`.
fn beside(test: &Path, name: &str) -> Option<PathBuf> {
    let deps = test.parent().filter(|deps| deps.ends_with("deps"))?;
    let mut file = OsString::from(name);
    file.push(env::consts::EXE_SUFFIX);
    Some(deps.parent()?.join(file)).filter(|path| path.is_file())
}

/// The name of the test that a test program is: its file name without the hash that Cargo adds.
pub(super) fn test_name(program: &Path) -> String {
    let stem = program.file_stem().unwrap_or_default().to_string_lossy();
    match stem.rsplit_once('-') {
        Some((name, hash)) if hash.len() == 16 && hash.bytes().all(|b| b.is_ascii_hexdigit()) => {
            name.to_owned()
        }
        _ => stem.into_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_lose_their_hash_and_nothing_else() {
        let name = |path: &str| test_name(Path::new(path));
        assert_eq!(
            name("/t/debug/deps/isolation-0123456789abcdef"),
            "isolation"
        );
        assert_eq!(name("/t/debug/deps/my-test-0123456789abcdef"), "my-test");
        assert_eq!(name("/t/debug/deps/my-test"), "my-test");
    }

    #[test]
    fn what_is_no_name_is_no_binary() {
        for name in ["", "./server", "/bin/sh", "a=b"] {
            assert_eq!(built(name), None, "{name}");
        }
    }
}
