//! Whether the objects that a trial is about are there at all for the target.
//!
//! Owns what a sandbox around the target keeps away by itself. Then the target has done nothing, whatever
//! it answers.

use std::path::{Path, PathBuf};

use super::{
    liveness::{Leads, resolve},
    stage::{Ask, Stage},
    values::{paths, told_paths},
};
use crate::{
    judge::Wall,
    probe::Role,
    testbed::{Mapping, Scene, Seen},
};

impl Stage<'_> {
    /// Where the target has the objects of an attack, and whether it has them.
    pub(super) fn wall(
        &self,
        ask: &Ask<'_>,
        scene: &Scene,
        counted: &[String],
        leads: &Leads,
    ) -> (Vec<(PathBuf, Seen)>, Wall) {
        let objects = self.objects(ask, scene, counted, leads);
        let sees: Vec<(PathBuf, Seen)> = objects
            .into_iter()
            .map(|object| {
                let seen = self.view.see(&object);
                (object, seen)
            })
            .collect();
        let wall = if self.view.is_same() {
            Wall::None
        } else {
            self.between(ask, scene, counted, &sees)
        };
        (sees, wall)
    }

    /// What the attack is to reach: the plants that count, and where the paths that it names lead.
    pub(super) fn objects(
        &self,
        ask: &Ask<'_>,
        scene: &Scene,
        counted: &[String],
        leads: &Leads,
    ) -> Vec<PathBuf> {
        let planted = scene
            .planted
            .iter()
            .filter(|planted| counted.contains(&planted.name))
            .map(|planted| planted.path.clone());
        let bases = [self.bed.allowed.as_path(), self.cwd.as_path()];
        let named: Vec<PathBuf> = paths(ask.variant, scene)
            .iter()
            .flat_map(|path| {
                let path = Path::new(path);
                let at = if path.is_absolute() { 1 } else { bases.len() };
                bases.iter().take(at).map(move |base| base.join(path))
            })
            .filter_map(|path| resolve(&path))
            // A relative path may lead to nothing from one of the bases.
            .filter(|path| ask.channel.role.creates() || path.exists())
            .collect();
        let forbidden = |path: &PathBuf| self.forbids(path, leads);
        // What hides in a patch or an archive, no path of the call tells.
        let hidden = ask.reaches.and_then(|text| scene.render(text).ok());
        let hidden = hidden.and_then(|path| resolve(Path::new(&path)));
        let mut objects: Vec<PathBuf> = planted
            .chain(hidden.filter(forbidden))
            .chain(named.iter().filter(|path| forbidden(path)).cloned())
            .collect();
        if objects.is_empty() {
            objects = named;
        }
        objects.dedup();
        objects
    }

    /// Whether an attack in a role writes only: what it counts it would have to read.
    pub(super) fn only_writes(&self, role: Role, counted: &[String]) -> bool {
        match role {
            Role::FileCopy | Role::FileMove | Role::ArchiveExtract => counted.is_empty(),
            role => role.creates(),
        }
    }

    fn between(
        &self,
        ask: &Ask<'_>,
        scene: &Scene,
        counted: &[String],
        sees: &[(PathBuf, Seen)],
    ) -> Wall {
        if sees
            .iter()
            .any(|(_, seen)| seen.mapping == Mapping::Assumed)
        {
            let why = self.view.unseen().unwrap_or_default();
            return Wall::Unseen(format!(
                "where the server has these paths is only assumed ({why}); say it with --map"
            ));
        }
        // Another process has its own, in each namespace of them: what counts is who is found by it.
        let mut processes = scene.planted.iter();
        if let Some(peer) =
            processes.find(|planted| counted.contains(&planted.name) && scene.is_process(planted))
        {
            return match self.view.tells(&peer.path, peer.token.as_str()) {
                Some(false) => Wall::Around(format!(
                    "the process of {} is not there for the server (held by absence)",
                    peer.path.display()
                )),
                _ => Wall::None,
            };
        }
        // What was handed over open needs no path; other processes have other disks.
        let told = told_paths(ask.variant, scene);
        let by_process = |path: &String| {
            let rest = path.strip_prefix("/proc/");
            rest.is_some_and(|rest| rest.starts_with(|first: char| first.is_ascii_digit()))
        };
        if sees.is_empty() || scene.descriptor.is_some() || told.iter().any(by_process) {
            return Wall::None;
        }
        let root = self.told_root();
        let here = self
            .view
            .cwd()
            .map_or_else(|| root.clone(), |(inside, _)| inside);
        let reached = |object: &Path| {
            told.iter().map(Path::new).any(|path| {
                let bases = [&root, &here];
                bases
                    .iter()
                    .any(|base| self.view.reaches(&base.join(path), object))
            })
        };
        let writes_only = self.only_writes(ask.channel.role, counted);
        let open = |(object, seen): &(PathBuf, Seen)| match &seen.inside {
            Some(_) => !(writes_only && seen.read_only),
            None => reached(object),
        };
        if sees.iter().any(open) {
            return Wall::None;
        }
        let absent = sees.iter().find(|(_, seen)| seen.inside.is_none());
        Wall::Around(match (absent, sees.first()) {
            (Some((object, _)), _) => format!(
                "{} is not there for the server (held by absence)",
                object.display()
            ),
            (None, Some((object, _))) => {
                format!("{} lies where the server cannot write", object.display())
            }
            (None, None) => return Wall::None,
        })
    }
}
