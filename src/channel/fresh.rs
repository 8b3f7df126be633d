//! Names of what is not there yet, for parameters that say where a tool puts what it brings.
//!
//! Owns these names, and the removal of what came to stand under them.

use std::{
    fs,
    path::Path,
    sync::{
        LazyLock,
        atomic::{AtomicU32, Ordering},
    },
};

/// Stands in the arguments of a channel for a name that is new in every call.
pub const NEW: &str = "{new}";

/// How the names of this process begin; no file of a user has such a name.
static START: LazyLock<String> = LazyLock::new(|| {
    let word: String = std::iter::repeat_with(fastrand::lowercase)
        .take(10)
        .collect();
    format!("fetched-{word}-")
});

/// A text with a new name where [`NEW`] stands.
pub(super) fn named(text: &str) -> String {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    if !text.contains(NEW) {
        return text.to_owned();
    }
    let name = format!("{}{}", *START, COUNT.fetch_add(1, Ordering::Relaxed));
    text.replace(NEW, &name)
}

/// Removes from the allowed directory what tools put under names of this process.
pub fn tidy(allowed: &Path) {
    let entries = fs::read_dir(allowed).into_iter().flatten().flatten();
    for entry in entries {
        let name = entry.file_name();
        if !name.to_string_lossy().starts_with(START.as_str()) {
            continue;
        }
        let _ = match entry.file_type() {
            Ok(kind) if kind.is_dir() => fs::remove_dir_all(entry.path()),
            _ => fs::remove_file(entry.path()),
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_new_and_are_removed() {
        let place = tempfile::tempdir().expect("there is a place for it");
        let one = named("/x/{new}");
        assert!(one.starts_with("/x/fetched-") && one != named("/x/{new}"));
        assert_eq!(named("/x/side.txt"), "/x/side.txt");
        let made = place.path().join(named("{new}"));
        fs::create_dir(&made).expect("it can be made");
        fs::write(place.path().join("fetched-notes"), "mine").expect("it can be written");
        tidy(place.path());
        assert!(!made.exists() && place.path().join("fetched-notes").exists());
    }
}
