//! What of a command line is a sandbox around the server, and what is the server.
//!
//! Owns the one convention that nearly all wrappers share: what stands behind `--` is the command that they
//! run. Whoever has another wrapper says so.

use std::path::Path;

use super::launcher;

/// Programs that give `--` another meaning: what stands behind it is their own script's.
const INTERPRETERS: [&str; 10] = [
    "node", "python", "python3", "ruby", "perl", "php", "java", "dotnet", "sh", "bash",
];

/// Sandboxes that make namespaces, by name.
const SANDBOXES: [&str; 8] = [
    "bwrap",
    "unshare",
    "nsjail",
    "firejail",
    "srt",
    "runc",
    "crun",
    "minijail0",
];

/// Whether a command starts a sandbox that makes namespaces, judged by its name.
#[must_use]
pub fn nests(program: &str) -> bool {
    let name = Path::new(program).file_name();
    name.is_some_and(|name| SANDBOXES.iter().any(|sandbox| name == *sandbox))
}

/// How many words of a command are those of a wrapper, its `--` among them. Nothing when there is no `--`,
/// or it means something else.
#[must_use]
pub fn wrapper(command: &[String]) -> Option<usize> {
    let (program, rest) = command.split_first()?;
    let name = Path::new(program).file_stem()?.to_str()?;
    if launcher(program, rest).is_some() || INTERPRETERS.contains(&name) {
        return None;
    }
    let dashes = rest.iter().position(|word| word == "--")?;
    // A server follows.
    (dashes + 1 < rest.len()).then_some(dashes + 2)
}

#[cfg(test)]
mod tests {
    use super::wrapper;

    #[test]
    fn what_stands_behind_two_dashes_is_the_server() {
        for (line, expected) in [
            ("bwrap --unshare-all -- server /work", Some(3)),
            ("setpriv --reuid 3 -- npx -y pkg -- --flag", Some(4)),
            ("bwrap --unshare-all server /work", None),
            ("npx -y pkg -- /work", None),
            ("node server.js -- /work", None),
            ("bwrap --", None),
            ("", None),
        ] {
            let words: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
            assert_eq!(wrapper(&words), expected, "{line}");
        }
    }
}
