//! The objects of one trial: planted before it, verified, named by texts, removed after it.
//!
//! Owns the life of a scene: its directories, what stands in them, and their removal. How each kind of
//! plant is made is told in `kinds`, which directories scenes share in `made`, what texts stand for in
//! `tell`; what is forbidden is the policy's business.

mod kinds;
mod made;

use std::{
    fs, io,
    os::fd::RawFd,
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError, atomic::AtomicU32},
};

use kinds::{Creation, place_of};
pub(super) use made::forget;
use made::remove;

use super::{
    Bed, Geometry, View,
    peer::Peer,
    program::{records, started},
};
use crate::{
    canary::{Mint, Token},
    probe::Plant,
};

/// Why a scene could not be set.
#[derive(Debug, thiserror::Error)]
pub enum SceneError {
    /// A reference has no value in this scene.
    #[error("`{symbol}` has no value here: {why}")]
    Unresolved {
        /// As written in the probe.
        symbol: String,
        /// In words.
        why: &'static str,
    },
    /// An object could not be created.
    #[error("cannot plant `{plant}` at {}: {source}", .path.display())]
    Plant {
        /// Name of the plant.
        plant: String,
        /// Where.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// No port can be listened at.
    #[error("no port can be listened at: {0}")]
    Listen(String),
    /// The call could touch what is not the run's own.
    #[error("a server that takes the path from its working directory would touch {}", .0.display())]
    Stray(PathBuf),
    /// Whatever came of the call would tell nothing; why, in words.
    #[error("{0}")]
    Moot(String),
    /// The plant was created but is not what was meant.
    #[error("planted `{plant}` at {} and found something else there: {found}", .path.display())]
    Unverified {
        /// Name of the plant.
        plant: String,
        /// Where.
        path: PathBuf,
        /// In words.
        found: String,
    },
}

/// An object that stands in the testbed.
#[derive(Debug, Clone)]
pub struct Planted {
    /// Its name in the probe.
    pub name: String,
    /// Where it is.
    pub path: PathBuf,
    /// The token that only its content (or name) carries.
    pub token: Token,
    /// A searchable word beside the token, never secret.
    pub tag: String,
    /// A text that may be sent and that, if one can be, stands in it once: what an edit replaces.
    pub landmark: String,
    /// Whether its content or its name carries the token.
    pub secret: bool,
    /// Size in bytes and time of modification in seconds since 1970, of a regular file.
    pub metadata: Option<(u64, u64)>,
    /// The commit of a repository.
    pub commit: Option<String>,
    /// Whether it is a program, and its token what it prints when it is started.
    pub program: bool,
}

/// What a scene is made with.
#[derive(Debug, Clone)]
pub struct Setting<'a> {
    /// Makes the tokens.
    pub mint: &'a Mint,
    /// Extension that the channel reads, with its dot.
    pub extension: &'a str,
    /// The policy's limit on file sizes in bytes.
    pub limit: Option<u64>,
    /// Whether file sizes must be unmistakable, for probes about metadata.
    pub odd_sizes: bool,
    /// Home directory of the target.
    pub home: &'a Path,
    /// Temporary directory of the target.
    pub tmp: &'a Path,
    /// Working directory of the target.
    pub cwd: &'a Path,
    /// How the target sees the disk.
    pub view: View,
}

/// The objects of one trial in one geometry. Dropped, it removes them.
#[derive(Debug)]
pub struct Scene {
    /// Where its places lie.
    pub geometry: Geometry,
    /// A word unique to the trial.
    pub slug: String,
    /// Unique harmless text that a write attack tries to place.
    pub payload: String,
    /// What stands there.
    pub planted: Vec<Planted>,
    /// Number of the call, of a technique that makes many.
    pub attempt: AtomicU32,
    /// A descriptor that the target inherits, while a technique holds one open.
    pub descriptor: Option<RawFd>,
    /// Two numbers whose product only an evaluation tells.
    pub factors: (u64, u64),
    /// What the attacked parameter holds in the channel's plain call, where that is known.
    pub benign: Option<String>,
    /// A variable that holds a secret, where the target's environment is the run's.
    pub variable: Option<String>,
    target_tmp: PathBuf,
    pub(super) extension: String,
    limit: Option<u64>,
    odd_sizes: bool,
    pub(super) target_home: PathBuf,
    pub(super) target_cwd: PathBuf,
    pub(super) view: View,
    spare_token: Token,
    created: Mutex<Vec<PathBuf>>,
    /// Processes beside the target, which end with the scene.
    peers: Vec<Peer>,
    aside: Option<Aside>,
}

/// Spares a scene the removal of what goes with the testbed anyway.
#[derive(Debug, Clone)]
struct Aside {
    /// Where directories of the trial are moved to.
    to: PathBuf,
    /// What is removed as a whole.
    base: PathBuf,
}

impl Scene {
    /// An empty scene. Its directories are made when something first refers to them: most trials
    /// use two of the five, and making directories is what setting a scene costs.
    pub fn set(geometry: Geometry, slug: &str, setting: Setting<'_>) -> Self {
        Self {
            slug: slug.to_owned(),
            // Never armed, so that an echo of it proves nothing.
            payload: format!("line {} of the record", setting.mint.token()),
            planted: Vec::new(),
            attempt: AtomicU32::new(0),
            descriptor: None,
            factors: factors(),
            benign: None,
            variable: None,
            target_tmp: setting.tmp.to_path_buf(),
            target_home: setting.home.to_path_buf(),
            target_cwd: setting.cwd.to_path_buf(),
            view: setting.view,
            extension: setting.extension.to_owned(),
            limit: setting.limit,
            odd_sizes: setting.odd_sizes,
            spare_token: setting.mint.token(),
            created: Mutex::new(Vec::new()),
            peers: Vec::new(),
            aside: None,
            geometry,
        }
    }

    /// Leaves to the testbed what can wait for its end: the directory of the trial inside the allowed one is
    /// moved away in one step, and what stands outside stays. Removing costs more than planting, and ext4
    /// passes over freed inodes for a minute, so that each removal slows down all that is made after it.
    #[must_use]
    pub fn left_to(mut self, bed: &Bed) -> Self {
        self.aside = bed.aside().map(|to| Aside {
            to: to.to_path_buf(),
            base: bed.base().to_path_buf(),
        });
        self
    }

    /// Leaves nothing to the testbed, whatever it costs: what a target was made to write may fill the disk.
    #[must_use]
    pub fn struck_at_once(mut self) -> Self {
        self.aside = None;
        self
    }

    /// Creates the objects, in order, and verifies each.
    ///
    /// # Errors
    /// When a text cannot be rendered, or an object cannot be created or is not what was meant.
    pub fn plant<'p>(
        &mut self,
        plants: impl IntoIterator<Item = &'p Plant>,
        mint: &Mint,
    ) -> Result<(), SceneError> {
        // What stands on the network is planted there.
        let of_files = |plant: &&Plant| !plant.on_network();
        for plant in plants.into_iter().filter(of_files) {
            self.planted.push(Planted {
                name: plant.name.clone(),
                path: PathBuf::new(),
                token: mint.token(),
                tag: mint.tag().to_owned(),
                landmark: mint.tag().to_owned(),
                secret: false,
                metadata: None,
                commit: None,
                program: false,
            });
            let index = self.planted.len() - 1;
            let at = place_of(plant);
            let path = PathBuf::from(self.render(at)?);
            let planted = &mut self.planted[index];
            planted.secret = path.to_string_lossy().contains(planted.token.as_str());
            planted.path.clone_from(&path);
            self.create(plant, index, &path)
                .map_err(|error| match error {
                    Creation::Scene(error) => error,
                    Creation::Io(source) => SceneError::Plant {
                        plant: plant.name.clone(),
                        path,
                        source,
                    },
                })?;
        }
        Ok(())
    }

    /// A permitted file that two-path tools may take from, made when it is first asked for.
    ///
    /// # Errors
    /// When it cannot be made.
    pub fn spare(&self) -> Result<PathBuf, SceneError> {
        let path = self.geometry.here.join(format!("spare{}", self.extension));
        if !path.exists() {
            self.directory(&self.geometry.here)
                .and_then(|()| fs::write(&path, format!("a spare record {}\n", self.spare_token)))
                .map_err(|source| SceneError::Plant {
                    plant: String::from("spare"),
                    path: path.clone(),
                    source,
                })?;
        }
        Ok(path)
    }

    /// Another word of the trial, which stands in none of its paths.
    #[must_use]
    pub fn word(&self) -> String {
        self.slug.chars().rev().chain("q".chars()).collect()
    }

    /// Whether something stands here to be started.
    #[must_use]
    pub fn has_programs(&self) -> bool {
        self.planted.iter().any(|planted| planted.program)
    }

    /// What the program of that name recorded, if it was started.
    #[must_use]
    pub fn started(&self, planted: &Planted) -> Option<String> {
        started(&records(&planted.path, &self.target_tmp))
    }

    /// Whether a plant is a process, and its path the command line of it.
    #[must_use]
    pub fn is_process(&self, planted: &Planted) -> bool {
        let mut lines = self.peers.iter().map(Peer::command_line);
        lines.any(|line| line == planted.path)
    }

    /// Says that a technique gives away the token of a plant.
    pub fn reveal(&mut self, name: &str) {
        for planted in self
            .planted
            .iter_mut()
            .filter(|planted| planted.name == name)
        {
            planted.secret = true;
        }
    }

    /// The planted object of that name.
    #[must_use]
    pub fn planted(&self, name: &str) -> Option<&Planted> {
        self.planted.iter().find(|planted| planted.name == name)
    }

    fn parent(&self, path: &Path) -> io::Result<()> {
        path.parent()
            .map_or(Ok(()), |parent| self.directory(parent))
    }

    fn remember(&self, path: &Path) {
        self.created
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(path.to_path_buf());
    }

    /// Whether the scene asked for that directory before: every text that names a place asks again.
    #[must_use]
    pub fn uses(&self, path: &Path) -> bool {
        self.created
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .iter()
            .any(|used| used.as_os_str() == path.as_os_str())
    }

    /// Creates a directory and its missing parents, remembering what it created, and what another
    /// scene created and may leave to this one.
    pub(super) fn directory(&self, path: &Path) -> io::Result<()> {
        if self.uses(path) {
            return Ok(());
        }
        let used = made::create(path)?;
        let mut created = self.created.lock().unwrap_or_else(PoisonError::into_inner);
        created.extend(used);
        Ok(())
    }

    /// Removes what stands inside the allowed directory, so that no trap breaks the next trial.
    pub fn strike(&mut self) {
        let geometry = &self.geometry;
        let own = if geometry.twin {
            &geometry.outer
        } else {
            &geometry.here
        };
        let created = std::mem::take(
            self.created
                .get_mut()
                .unwrap_or_else(PoisonError::into_inner),
        );
        let (inside, outside): (Vec<PathBuf>, Vec<PathBuf>) = created
            .into_iter()
            .partition(|path| path.starts_with(&geometry.allowed));
        // What the target left beside the plants goes with the directory.
        if inside.iter().any(|path| path == own) {
            let moved = self.aside.as_ref().is_some_and(|aside| {
                own.file_name()
                    .is_some_and(|name| fs::rename(own, aside.to.join(name)).is_ok())
            });
            if !moved {
                let _ = fs::remove_dir_all(own);
            }
        }
        for path in inside.iter().rev().filter(|path| !path.starts_with(own)) {
            remove(path, &self.slug);
        }
        self.created = Mutex::new(outside);
    }
}

impl Drop for Scene {
    fn drop(&mut self) {
        self.strike();
        let created = self
            .created
            .get_mut()
            .unwrap_or_else(PoisonError::into_inner);
        let stays = |path: &Path| {
            self.aside
                .as_ref()
                .is_some_and(|aside| path.starts_with(&aside.base))
        };
        for path in created.iter().rev().filter(|path| !stays(path)) {
            remove(path, &self.slug);
        }
    }
}

/// Two numbers whose product nobody knows beforehand. It fits into 32 bits with a sign: databases multiply no
/// larger ones without being told.
pub(crate) fn factors() -> (u64, u64) {
    let factor = || fastrand::u64(20_011..46_339) | 1;
    (factor(), factor())
}
