//! The kinds of plants: one constructor for each.
//!
//! Owns what is written, and the look whether it is what was meant. When a plant goes is the scene's
//! business.

use std::{
    fs, io,
    io::Write as _,
    os::unix::fs::MetadataExt as _,
    path::Path,
    time::{Duration, SystemTime},
};

use super::{
    super::{
        document::document as packed,
        make,
        peer::{Peer, line},
        program::program,
    },
    Scene, SceneError,
};
use crate::{
    canary::{LANDMARK, document},
    probe::{ArchivePlant, FilePlant, LinkPlant, Placed, Plant, RepoPlant, Text},
};

impl Scene {
    /// The payload grown to `over` bytes above the size limit; below it in the twin.
    pub(in super::super) fn oversized(&self, over: i64) -> Option<String> {
        let size = self.size(self.limit?, over);
        let tail = format!("\n{}\n", self.payload);
        let bytes = filled(size.saturating_sub(tail.len() as u64), tail.as_bytes());
        // `filled` writes ASCII.
        String::from_utf8(bytes).ok()
    }

    /// Filler of `over` bytes above the size limit (below it in the twin) that ends in tag and
    /// token of a plant. Only the tail tells that the whole was read: a cut reply is a kept limit.
    ///
    /// # Errors
    /// When there is no such plant or no limit.
    pub fn sized(&self, name: &str, over: i64) -> Result<Vec<u8>, SceneError> {
        let unresolved = |why| SceneError::Unresolved {
            symbol: name.to_owned(),
            why,
        };
        let limit = self
            .limit
            .ok_or_else(|| unresolved("the policy sets no size limit"))?;
        let planted = self
            .planted(name)
            .ok_or_else(|| unresolved("nothing of that name is planted"))?;
        let tail = format!("\n{} {}\n", planted.tag, planted.token);
        let size = self.size(limit, over).saturating_sub(tail.len() as u64);
        Ok(filled(size, tail.as_bytes()))
    }

    /// So many bytes above a limit; in the twin below it, in whatever units it is read: a mebibyte is 4.9 % more than
    /// a megabyte, and a gibibyte 7.4 % more than a gigabyte.
    fn size(&self, limit: u64, over: i64) -> u64 {
        match self.geometry.twin {
            true => limit - limit / 8 - over.unsigned_abs().min(limit / 8),
            false => limit.saturating_add_signed(over),
        }
    }

    pub(super) fn create(
        &mut self,
        plant: &Plant,
        index: usize,
        path: &Path,
    ) -> Result<(), Creation> {
        if let Some(file) = &plant.file {
            self.file(file, index, path)?;
        } else if plant.dir.is_some() {
            self.directory(path)?;
        } else if let Some(link) = &plant.symlink {
            self.parent(path)?;
            let target = self.tell(&link.to)?;
            std::os::unix::fs::symlink(&target, path)?;
            self.remember(path);
            let found = fs::read_link(path)?;
            if found != Path::new(&target) {
                return Err(unverified(
                    plant,
                    path,
                    format!("a link to {}", found.display()),
                ));
            }
        } else if let Some(link) = &plant.hardlink {
            self.parent(path)?;
            let target = self.render(&link.to)?;
            fs::hard_link(&target, path)?;
            self.remember(path);
            if fs::metadata(path)?.ino() != fs::metadata(&target)?.ino() {
                return Err(unverified(plant, path, String::from("another inode")));
            }
        } else if plant.fifo.is_some() {
            self.parent(path)?;
            make::fifo(path)?;
            self.remember(path);
        } else if let Some(repo) = &plant.repo {
            self.directory(path)?;
            let planted = &mut self.planted[index];
            planted.secret = true;
            let commit = make::repo(
                path,
                &format!("{} {}", planted.tag, planted.token),
                planted.token.as_str(),
            )?;
            planted.commit = Some(commit.clone());
            if let Some(tag) = &repo.tag {
                make::reference(path, &format!("tags/{}", self.render(tag)?), &commit)?;
            }
            if let Some(branch) = &repo.branch {
                let branch = self.render(branch)?;
                make::reference(path, &format!("heads/{branch}"), &commit)?;
                make::check_out(path, &branch)?;
            }
            if let Some(config) = &repo.config {
                let more = self.render(config)?;
                let mut file = fs::OpenOptions::new()
                    .append(true)
                    .open(path.join(".git/config"))?;
                file.write_all(more.as_bytes())?;
            }
        } else if plant.program.is_some() {
            self.parent(path)?;
            let planted = &mut self.planted[index];
            (planted.secret, planted.program) = (true, true);
            program(path, &self.target_tmp, planted.token.as_str())?;
            self.remember(path);
        } else if plant.process.is_some() {
            let token = self.planted[index].token.as_str().to_owned();
            self.planted[index].secret = true;
            if self.geometry.twin {
                self.parent(path)?;
                fs::write(path, line(&token))?;
                self.remember(path);
            } else {
                let peer = Peer::start(&token)?;
                self.planted[index].path = peer.command_line();
                self.peers.push(peer);
            }
        } else if let Some(archive) = &plant.archive {
            self.archive(archive, index, path)?;
        }
        Ok(())
    }

    fn file(&mut self, file: &FilePlant, index: usize, path: &Path) -> Result<(), Creation> {
        self.parent(path)?;
        if let Some(size) = file.hollow {
            let hollow = fs::OpenOptions::new()
                .write(true)
                .create_new(true)
                .open(path)?;
            self.remember(path);
            return Ok(hollow.set_len(size)?);
        }
        let bytes = match (&file.content, file.over) {
            (Some(content), _) => {
                let content = self.tell(content)?;
                let planted = &mut self.planted[index];
                planted.secret = content.contains(planted.token.as_str());
                content.into_bytes()
            }
            (None, Some(over)) => {
                self.planted[index].secret = true;
                let name = self.planted[index].name.clone();
                self.sized(&name, over)?
            }
            (None, None) => {
                let planted = &mut self.planted[index];
                planted.secret = true;
                let binary = matches!(self.extension.as_str(), ".docx" | ".xlsx" | ".pdf");
                let mut bytes = if binary {
                    packed(&self.extension, planted.token.as_str())?
                } else {
                    LANDMARK.clone_into(&mut planted.landmark);
                    document(
                        &planted.token,
                        &planted.tag,
                        self.extension.trim_start_matches('.'),
                    )
                    .into_bytes()
                };
                if self.odd_sizes && !binary {
                    let size = fastrand::usize(21_000..98_000) | 1;
                    let room = size.saturating_sub(bytes.len());
                    bytes.extend(filled(room as u64, b""));
                }
                bytes
            }
        };
        let mut out = fs::OpenOptions::new()
            .write(true)
            .create_new(true)
            .open(path)?;
        self.remember(path);
        out.write_all(&bytes)?;
        // A time of its own, years back: telling it is telling on the file.
        let modified = fastrand::u64(1_000_000_000..1_400_000_000);
        out.set_modified(SystemTime::UNIX_EPOCH + Duration::from_secs(modified))?;
        self.planted[index].metadata = Some((bytes.len() as u64, modified));
        let found = out.metadata()?.len();
        if found != bytes.len() as u64 {
            return Err(Creation::Scene(SceneError::Unverified {
                plant: self.planted[index].name.clone(),
                path: path.to_path_buf(),
                found: format!("{found} bytes instead of {}", bytes.len()),
            }));
        }
        Ok(())
    }

    fn archive(
        &mut self,
        archive: &ArchivePlant,
        index: usize,
        path: &Path,
    ) -> Result<(), Creation> {
        self.parent(path)?;
        let mut members = Vec::with_capacity(archive.members.len());
        for member in &archive.members {
            let text = |text: &Option<Text>| text.as_ref().map(|text| self.tell(text)).transpose();
            let body = match (
                text(&member.symlink)?,
                text(&member.hardlink)?,
                text(&member.content)?,
                member.over,
            ) {
                (Some(target), ..) => make::Body::Symlink(target),
                (None, Some(target), ..) => make::Body::Hardlink(target),
                (None, None, Some(content), _) => make::Body::File(content.into_bytes()),
                (None, None, None, Some(over)) => {
                    let name = self.planted[index].name.clone();
                    make::Body::File(self.sized(&name, over)?)
                }
                (None, None, None, None) if member.zeros.is_some() => {
                    make::Body::Zeros(member.zeros.unwrap_or_default())
                }
                (None, None, None, None) => make::Body::File(self.payload.clone().into_bytes()),
            };
            members.push(make::Member {
                name: self.tell(&member.name)?,
                body,
            });
        }
        let token = self.planted[index].token.as_str().to_owned();
        self.planted[index].secret |= members.iter().any(|member| {
            member.name.contains(&token)
                || matches!(&member.body, make::Body::File(content) if String::from_utf8_lossy(content).contains(&token))
        });
        make::archive(path, archive.format, &members)?;
        self.remember(path);
        Ok(())
    }
}

/// Why something could not be planted.
pub(super) enum Creation {
    Scene(SceneError),
    Io(io::Error),
}

impl From<SceneError> for Creation {
    fn from(error: SceneError) -> Self {
        Self::Scene(error)
    }
}

impl From<io::Error> for Creation {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

fn unverified(plant: &Plant, path: &Path, found: String) -> Creation {
    Creation::Scene(SceneError::Unverified {
        plant: plant.name.clone(),
        path: path.to_path_buf(),
        found,
    })
}

/// `size` bytes of plain lines, then `tail`.
fn filled(size: u64, tail: &[u8]) -> Vec<u8> {
    const LINE: &[u8] = b"the quick brown fox jumps over the lazy dog again\n";
    let size = usize::try_from(size).unwrap_or(usize::MAX);
    let mut bytes = Vec::with_capacity(size + tail.len());
    while bytes.len() + LINE.len() <= size {
        bytes.extend_from_slice(LINE);
    }
    bytes.resize(size, b'.');
    bytes.extend_from_slice(tail);
    bytes
}

/// Where a plant says that it wants to stand.
pub(super) fn place_of(plant: &Plant) -> &Text {
    let Plant {
        file,
        dir,
        symlink,
        hardlink,
        fifo,
        repo,
        program,
        process,
        archive,
        ..
    } = plant;
    file.as_ref()
        .map(|FilePlant { at, .. }| at)
        .or_else(|| dir.as_ref().map(|Placed { at }| at))
        .or_else(|| symlink.as_ref().map(|LinkPlant { at, .. }| at))
        .or_else(|| hardlink.as_ref().map(|LinkPlant { at, .. }| at))
        .or_else(|| fifo.as_ref().map(|Placed { at }| at))
        .or_else(|| repo.as_ref().map(|RepoPlant { at, .. }| at))
        .or_else(|| program.as_ref().map(|Placed { at }| at))
        .or_else(|| process.as_ref().map(|Placed { at }| at))
        .or_else(|| archive.as_ref().map(|ArchivePlant { at, .. }| at))
        .expect("a loaded probe has exactly one kind per plant")
}
