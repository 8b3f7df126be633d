//! The tool that reads git repositories: loose objects only, without a git program.

use std::collections::{BTreeSet, VecDeque};
use std::io::Read as _;
use std::path::{Path, PathBuf};

use flate2::read::ZlibDecoder;
use rmcp::model::JsonObject;
use schemars::JsonSchema;
use serde::Deserialize;

use super::{parse, text};
use crate::reference::Flaw;
use crate::reference::flawed;
use crate::reference::refusal::Refusal;
use crate::reference::world::World;

/// Most commits in an answer.
const COMMITS: usize = 200;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct GitLog {
    /// Path of the repository, absolute or relative to the first allowed directory.
    repo_path: String,
}

pub(super) fn git_log(world: &World, arguments: JsonObject) -> Result<String, Refusal> {
    let arguments: GitLog = parse(arguments)?;
    let repository = Repository::open(world, &arguments.repo_path)?;
    if world.has(Flaw::ExecPath) {
        flawed::execute::run_nearby();
    }
    if world.has(Flaw::ExecStoredOption) {
        flawed::execute::sort_branch(&repository.git);
    }
    if world.has(Flaw::ExecRepoConfig) {
        flawed::execute::run_configured(&repository.git);
    }
    let mut queue = VecDeque::from([repository.head()?]);
    let mut seen = BTreeSet::new();
    let mut answer = String::new();
    while let Some(id) = queue.pop_front() {
        if seen.len() >= COMMITS || !seen.insert(id.clone()) {
            continue;
        }
        let commit = repository.commit(&id)?;
        let (headers, message) = commit.split_once("\n\n").unwrap_or((&commit, ""));
        answer.push_str(&format!("commit {id}\n{}\n", message.trim_end()));
        let parents = headers
            .lines()
            .filter_map(|line| line.strip_prefix("parent "));
        queue.extend(parents.map(str::to_owned));
    }
    Ok(answer)
}

/// A repository; every file of it passes the guard, unless a flaw led here.
struct Repository<'a> {
    world: &'a World,
    git: PathBuf,
    /// Further directories of objects.
    alternates: Vec<PathBuf>,
    checked: bool,
}

impl<'a> Repository<'a> {
    fn open(world: &'a World, requested: &str) -> Result<Self, Refusal> {
        let mut repository = Self {
            world,
            git: PathBuf::new(),
            alternates: Vec::new(),
            checked: true,
        };
        if world.has(Flaw::RepoUnchecked) {
            repository.git = flawed::git_above(world, requested)?;
            repository.checked = false;
            return Ok(repository);
        }
        let path = world.guard.existing(requested)?.path();
        let git = path.join(".git");
        let place = world.guard.existing(&git.to_string_lossy())?;
        if world.has(Flaw::Gitdir) {
            repository.git = flawed::git_redirected(&path);
            repository.alternates = flawed::alternates(&repository.git);
            repository.checked = false;
        } else {
            // A file there points elsewhere, as in a work tree or a submodule; it is not followed.
            place.directory().map_err(|_| Refusal::NotADirectory)?;
            repository.git = place.path();
        }
        Ok(repository)
    }

    fn read(&self, path: &Path) -> Result<Vec<u8>, Refusal> {
        if self.checked {
            self.world.read(&path.to_string_lossy())
        } else {
            flawed::read_path(self.world, path)
        }
    }

    /// The id of the commit that HEAD names.
    fn head(&self) -> Result<String, Refusal> {
        let head = text(&self.read(&self.git.join("HEAD"))?);
        let Some(name) = head.trim().strip_prefix("ref: ") else {
            return Ok(head.trim().to_owned());
        };
        match self.read(&self.git.join(name)) {
            Ok(id) => Ok(text(&id).trim().to_owned()),
            Err(Refusal::NotFound) => text(&self.read(&self.git.join("packed-refs"))?)
                .lines()
                .filter_map(|line| line.split_once(' '))
                .find(|(_, packed)| *packed == name)
                .map(|(id, _)| id.to_owned())
                .ok_or(Refusal::NotFound),
            Err(refusal) => Err(refusal),
        }
    }

    /// Headers and message of a commit.
    fn commit(&self, id: &str) -> Result<String, Refusal> {
        let broken = || Refusal::invalid("Not a readable loose commit");
        if !matches!(id.len(), 40 | 64) || !id.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Err(broken());
        }
        let (directory, name) = id.split_at(2);
        let own = self.git.join("objects");
        let compressed = std::iter::once(&own)
            .chain(&self.alternates)
            .map(|objects| self.read(&objects.join(directory).join(name)))
            .find(|object| !matches!(object, Err(Refusal::NotFound)))
            .unwrap_or(Err(Refusal::NotFound))?;
        let limit = self.world.unpack_limit();
        let mut object = Vec::new();
        ZlibDecoder::new(compressed.as_slice())
            .take(limit.saturating_add(1))
            .read_to_end(&mut object)
            .map_err(|_| broken())?;
        if object.len() as u64 > limit {
            return Err(Refusal::TooLarge(limit));
        }
        let object = text(&object);
        match object.split_once('\0') {
            Some((header, commit)) if header.starts_with("commit ") => Ok(commit.to_owned()),
            _ => Err(broken()),
        }
    }
}
