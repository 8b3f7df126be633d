//! How a path is spelled for a channel.
//!
//! Owns the forms, as letters: nothing here knows what lies at a path.

use std::path::Path;

use crate::channel::PathForm;

/// A path as a channel wants it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Spelled {
    /// In one argument.
    One(String),
    /// In two arguments.
    Two {
        /// The directory.
        dir: String,
        /// The last component.
        name: String,
    },
}

impl PathForm {
    /// Spells a path. Purely lexical: what does not lie below `root` by its letters (an attack)
    /// stays as it is, except that [`PathForm::Split`] always cuts at the last slash.
    #[must_use]
    pub fn apply(self, root: &Path, path: &str) -> Spelled {
        let root = root.to_string_lossy();
        match self {
            PathForm::Absolute => Spelled::One(path.to_owned()),
            PathForm::Relative => Spelled::One(relative(&root, path).to_owned()),
            PathForm::Stem => Spelled::One(stem(relative(&root, path)).to_owned()),
            PathForm::Rooted => Spelled::One(if path == root {
                String::from("/")
            } else {
                match path.strip_prefix(&*root) {
                    Some(rest) if rest.starts_with('/') => rest.to_owned(),
                    _ => path.to_owned(),
                }
            }),
            PathForm::Uri if path.starts_with('/') => Spelled::One(format!("file://{path}")),
            PathForm::Uri => Spelled::One(path.to_owned()),
            PathForm::Glob => Spelled::One(format!("{}/*", path.trim_end_matches('/'))),
            PathForm::RelativeGlob => {
                let path = relative(&root, path).trim_end_matches('/');
                Spelled::One(match path {
                    "." => String::from("*"),
                    path => format!("{path}/*"),
                })
            }
            PathForm::Split => {
                let (dir, name) = cut(path).unwrap_or((&root, path));
                Spelled::Two {
                    dir: dir.to_owned(),
                    name: name.to_owned(),
                }
            }
            PathForm::SplitRelative => {
                let (dir, name) = cut(path).unwrap_or((".", path));
                Spelled::Two {
                    dir: relative(&root, dir).to_owned(),
                    name: name.to_owned(),
                }
            }
        }
    }
}

fn relative<'p>(root: &str, path: &'p str) -> &'p str {
    if path == root {
        return ".";
    }
    match path.strip_prefix(root) {
        Some(rest) => rest.strip_prefix('/').unwrap_or(path),
        None => path,
    }
}

/// A path without the extension of its last component.
fn stem(path: &str) -> &str {
    match path.rsplit_once('.') {
        Some((stem, extension)) if !extension.contains('/') && !stem.is_empty() => {
            if stem.ends_with(['/', '.']) {
                path
            } else {
                stem
            }
        }
        _ => path,
    }
}

fn cut(path: &str) -> Option<(&str, &str)> {
    let (dir, name) = path.rsplit_once('/')?;
    Some((if dir.is_empty() { "/" } else { dir }, name))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one(text: &str) -> Spelled {
        Spelled::One(text.to_owned())
    }

    #[test]
    fn forms_are_lexical() {
        let root = Path::new("/srv/allowed");
        let cases = [
            (PathForm::Absolute, "/srv/allowed/a", "/srv/allowed/a"),
            (PathForm::Relative, "/srv/allowed/a/../b", "a/../b"),
            (PathForm::Relative, "/srv/allowed", "."),
            (
                PathForm::Relative,
                "/srv/allowed-evil/a",
                "/srv/allowed-evil/a",
            ),
            (PathForm::Rooted, "/srv/allowed/a", "/a"),
            (PathForm::Rooted, "/srv/allowed", "/"),
            (PathForm::Stem, "/srv/allowed/../a.md", "../a"),
            (PathForm::Stem, "/srv/allowed/a.d/..", "a.d/.."),
            (PathForm::Stem, "/srv/allowed/a.d/b", "a.d/b"),
            (
                PathForm::Rooted,
                "/srv/allowed-evil/a",
                "/srv/allowed-evil/a",
            ),
            (PathForm::Uri, "/srv/allowed/a", "file:///srv/allowed/a"),
            (PathForm::Uri, "../a", "../a"),
        ];
        for (form, path, expected) in cases {
            assert_eq!(form.apply(root, path), one(expected), "{form:?} {path}");
        }
        assert_eq!(
            PathForm::SplitRelative.apply(root, "/srv/allowed/../x/s.txt"),
            Spelled::Two {
                dir: "../x".into(),
                name: "s.txt".into()
            }
        );
    }
}
