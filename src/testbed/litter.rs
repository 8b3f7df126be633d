//! What a target makes in a directory that others use too, because calls of the run named it.
//!
//! Owns telling that from what others make there meanwhile: it was not there before the run, and bears a name that was
//! sent. Anything else stays.

use std::{
    collections::{BTreeSet, HashSet},
    ffi::OsString,
    fs, io,
    path::{Component, Path, PathBuf},
    sync::{Mutex, PoisonError},
};

use serde_json::Value;

use super::owner;

/// The names in a shared directory, before the run and in its calls.
#[derive(Debug)]
pub struct Litter {
    directory: PathBuf,
    before: BTreeSet<OsString>,
    sent: Mutex<HashSet<String>>,
}

impl Litter {
    /// Looks at what is in the directory.
    ///
    /// # Errors
    /// When it cannot be listed.
    pub(super) fn look(directory: &Path) -> io::Result<Self> {
        Ok(Self {
            directory: directory.to_path_buf(),
            before: names(directory)?,
            sent: Mutex::default(),
        })
    }

    /// Takes the names out of the arguments of a call that is sent; a head before its JSON is passed over. Words of
    /// the protocol and names of tools are no names of files.
    pub fn hear(&self, message: &[u8]) {
        let start = memchr::memchr(b'{', message).unwrap_or(message.len());
        let message: Value = serde_json::from_slice(&message[start..]).unwrap_or_default();
        let mut sent = self.sent.lock().unwrap_or_else(PoisonError::into_inner);
        self.gather(&message["params"]["arguments"], &mut sent);
    }

    /// The names directly in the directory that the strings of a message can stand for.
    fn gather(&self, value: &Value, sent: &mut HashSet<String>) {
        match value {
            Value::String(text) => {
                let path = Path::new(text);
                let below = path.strip_prefix(&self.directory).unwrap_or(path);
                if let Some(Component::Normal(name)) = below.components().next() {
                    let name = name.to_string_lossy();
                    sent.extend([plain(&name), name.into_owned()]);
                }
            }
            Value::Array(items) => items.iter().for_each(|item| self.gather(item, sent)),
            Value::Object(members) => members
                .values()
                .for_each(|member| self.gather(member, sent)),
            _ => {}
        }
    }

    /// Removes what calls of the run made there. Returns whether nothing of it is left.
    pub(super) fn clear(&self) -> bool {
        let Ok(now) = names(&self.directory) else {
            return true;
        };
        let sent = self.sent.lock().unwrap_or_else(PoisonError::into_inner);
        let made = now.difference(&self.before);
        made.filter(|name| is_sent(&name.to_string_lossy(), &sent))
            .map(|name| self.directory.join(name))
            .fold(true, |clean, path| {
                owner::remove(&path);
                clean && path.symlink_metadata().is_err()
            })
    }
}

fn names(directory: &Path) -> io::Result<BTreeSet<OsString>> {
    let entries = fs::read_dir(directory)?;
    entries.map(|entry| Ok(entry?.file_name())).collect()
}

/// Whether a name was sent, as it stands or without what a server takes for the ending and for signs.
fn is_sent(name: &str, sent: &HashSet<String>) -> bool {
    /// Letters and digits in which two names may agree by chance.
    const CHANCE: usize = 5;
    let stem = name.split_once('.').map_or(name, |(stem, _)| stem);
    let alike = |name: &str| {
        let plain = plain(name);
        plain.len() > CHANCE && sent.contains(&plain)
    };
    sent.contains(name) || alike(name) || alike(stem)
}

/// Small letters and digits only.
fn plain(name: &str) -> String {
    let letters = name.chars().filter(char::is_ascii_alphanumeric);
    letters.map(|letter| letter.to_ascii_lowercase()).collect()
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]
mod tests {
    use super::*;

    #[test]
    fn only_what_was_new_and_was_named_goes() {
        let shared = tempfile::tempdir().unwrap();
        let at = |name: &str| shared.path().join(name);
        fs::write(at("before"), "").unwrap();
        let litter = Litter::look(shared.path()).unwrap();
        let inside = at("made/deep").display().to_string();
        let arguments = serde_json::json!({
            "path": at("before"), "items": ["--file=/x", inside, "/srv/elsewhere", "../above"],
        });
        let call = |arguments: Value| {
            let params = serde_json::json!({ "name": "export_report", "arguments": arguments });
            serde_json::json!({ "method": "tools/call", "params": params }).to_string()
        };
        litter.hear(call(arguments).as_bytes());
        let posted = call(serde_json::json!({ "title": "Qwer Tzuiop" }));
        litter.hear(format!("POST http://127.0.0.1/mcp\r\n{posted}").as_bytes());
        let others = ["elsewhere", "x", "srv", "tools", "export_report"];
        for name in ["--file=", "qwer-tzuiop.md", "made"]
            .into_iter()
            .chain(others)
        {
            fs::create_dir(at(name)).unwrap();
        }
        fs::write(at("--file=").join("x"), "").unwrap();
        assert!(litter.clear());
        let left = names(shared.path()).unwrap();
        let left: Vec<String> = left
            .iter()
            .map(|name| name.to_string_lossy().into_owned())
            .collect();
        assert_eq!(
            left,
            ["before", "elsewhere", "export_report", "srv", "tools", "x"]
        );
    }
}
