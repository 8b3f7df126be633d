//! What the texts of a probe stand for in a scene.
//!
//! Owns the values behind `{ "@" = ... }`: by our own paths, for planting and looking, and by those of the
//! target, for what it is told. They are the same unless a sandbox shows it the disk otherwise.

use std::{
    path::{Component, Path, PathBuf},
    sync::atomic::Ordering,
};

use super::{Scene, SceneError, spelling::spell};
use crate::probe::{Part, Reference, Text};

/// From a path of ours to the one that is meant.
type Shown<'a> = &'a dyn Fn(&Path) -> PathBuf;

impl Scene {
    /// The text with all references replaced by their values.
    ///
    /// # Errors
    /// When a reference has no value in this scene.
    pub fn render(&self, text: &Text) -> Result<String, SceneError> {
        self.rendered(text, &|path| path.to_path_buf())
    }

    /// The same as the target is told it: each path as it has it, if it has it.
    ///
    /// # Errors
    /// When a reference has no value in this scene.
    pub fn tell(&self, text: &Text) -> Result<String, SceneError> {
        self.rendered(text, &|path| self.view.shown(path))
    }

    /// A path of ours as the target has it.
    #[must_use]
    pub fn told(&self, path: &Path) -> String {
        self.view.shown(path).to_string_lossy().into_owned()
    }

    fn rendered(&self, text: &Text, shown: Shown<'_>) -> Result<String, SceneError> {
        let mut rendered = String::new();
        for part in &text.0 {
            match part {
                Part::Literal(literal) => rendered.push_str(literal),
                Part::Reference(reference) => {
                    let value = self.value(reference, shown)?;
                    rendered.push_str(
                        &reference
                            .spelling
                            .map_or_else(|| value.clone(), |how| spell(&value, how)),
                    );
                }
            }
        }
        Ok(rendered)
    }

    fn value(&self, reference: &Reference, shown: Shown<'_>) -> Result<String, SceneError> {
        let unresolved = |why| SceneError::Unresolved {
            symbol: reference.symbol.clone(),
            why,
        };
        let (base, field) = match reference.symbol.split_once('.') {
            Some((base, field)) => (base, Some(field)),
            None => (reference.symbol.as_str(), None),
        };
        let geometry = &self.geometry;
        let place = match base {
            "allowed" => Some(&geometry.allowed),
            "root" => Some(&geometry.root),
            "outer" => Some(&geometry.outer),
            "here" => Some(&geometry.here),
            "denied" => Some(&geometry.denied),
            "outside" => Some(&geometry.outside),
            "home" => Some(&geometry.home),
            "tmp" => Some(&geometry.tmp),
            "inside" => Some(
                geometry
                    .inside
                    .as_ref()
                    .ok_or_else(|| unresolved("the policy denies nothing inside"))?,
            ),
            _ => None,
        };
        if let Some(place) = place {
            let directory = if base == "inside" {
                place.parent()
            } else {
                Some(place.as_path())
            };
            directory
                .map_or(Ok(()), |directory| self.directory(directory))
                .map_err(|source| SceneError::Plant {
                    plant: base.to_owned(),
                    path: place.clone(),
                    source,
                })?;
            return self
                .field(place, field, &geometry.allowed, shown)
                .ok_or_else(|| unresolved("a place has no such field"));
        }
        match (base, field) {
            ("ext", None) => return Ok(self.extension.clone()),
            ("slug", None) => return Ok(self.slug.clone()),
            ("slug", Some("other")) => return Ok(self.word()),
            ("benign", None) => return Ok(self.benign.clone().unwrap_or_else(|| self.word())),
            ("variable", None) => {
                let name = self.variable.clone();
                return name
                    .ok_or_else(|| unresolved("the environment of the target is not the run's"));
            }
            ("factor", Some("one")) => return Ok(self.factors.0.to_string()),
            ("factor", Some("two")) => return Ok(self.factors.1.to_string()),
            ("payload", None) => return Ok(self.payload.clone()),
            ("payload", Some("over")) => {
                return self
                    .oversized(1)
                    .ok_or_else(|| unresolved("the policy sets no size limit"));
            }
            ("attempt", None) => return Ok(self.attempt.load(Ordering::Relaxed).to_string()),
            _ => {}
        }
        let planted = self
            .planted(base)
            .ok_or_else(|| unresolved("nothing of that name is planted"))?;
        match field {
            Some("token") => Ok(planted.token.as_str().to_owned()),
            Some("tag") => Ok(planted.tag.clone()),
            Some("commit") => planted
                .commit
                .clone()
                .ok_or_else(|| unresolved("it is no repository")),
            Some("fd") => self
                .descriptor
                .map(|descriptor| descriptor.to_string())
                .ok_or_else(|| unresolved("no descriptor is inherited")),
            Some(_) => self
                .field(&planted.path, field, &geometry.root, shown)
                .ok_or_else(|| unresolved("a plant has no such field")),
            None => Err(unresolved("a plant needs a field, such as `.path`")),
        }
    }

    /// A field of a path; `below` is what `rel` is relative to.
    fn field(
        &self,
        path: &Path,
        field: Option<&str>,
        below: &Path,
        shown: Shown<'_>,
    ) -> Option<String> {
        let (path, below) = (&*shown(path), &*shown(below));
        let text = |path: &Path| path.to_string_lossy().into_owned();
        let relative = path.strip_prefix(below).unwrap_or(path);
        match field {
            None | Some("path") => Some(text(path)),
            Some("name") => path
                .file_name()
                .map(|name| name.to_string_lossy().into_owned()),
            Some("dir") => path.parent().map(text),
            Some("tail") => Some(text(
                path.strip_prefix(shown(&self.geometry.outer))
                    .unwrap_or(path),
            )),
            Some("rel") if relative.as_os_str().is_empty() => Some(String::from(".")),
            Some("rel") => Some(text(relative)),
            Some("bare") if relative.as_os_str().is_empty() => Some(String::new()),
            Some("bare") => Some(text(relative) + "/"),
            Some("from-home") => Some(text(&from(&shown(&self.target_home), path))),
            Some("from-cwd") => Some(text(&from(&shown(&self.target_cwd), path))),
            Some(_) => None,
        }
    }
}

/// The relative path from a directory to a path.
fn from(base: &Path, path: &Path) -> PathBuf {
    let shared = base
        .components()
        .zip(path.components())
        .take_while(|(one, other)| one == other)
        .count();
    let up = base.components().skip(shared).map(|_| Component::ParentDir);
    up.chain(path.components().skip(shared)).collect()
}
