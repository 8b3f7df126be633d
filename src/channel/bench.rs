//! The objects with which a role is proven.
//!
//! Owns what is planted for a proof, what is sent, what must come of it, and that nothing of it
//! stays. Knows nothing of tools: values are slots, evidence is words and files.

mod sentence;

use std::{
    fs, io,
    path::{Path, PathBuf},
    time::{Duration, SystemTime},
};

use data_encoding::HEXLOWER;
use sha2::{Digest, Sha256};

use super::{
    evidence::{Evidence, Fact, Mark, prime},
    reach::reaches,
    recipe::Recipe,
    told::told,
};
use crate::{
    channel::{Net, NetForm, PathForm, SlotValue, Values},
    probe::{ArchiveFormat, Role, Slot},
    testbed::{
        document::document,
        make::{self, Body, Member},
    },
};

/// Where and how the objects of a proof are planted.
pub(super) struct Site<'a> {
    pub(super) root: &'a Path,
    /// The same as the target has it.
    pub(super) told: &'a Path,
    pub(super) mint: &'a (dyn Fn() -> String + Sync),
    pub(super) extension: &'a str,
    pub(super) form: PathForm,
    pub(super) net: Option<&'a dyn Net>,
    pub(super) net_form: NetForm,
    /// The sentence for tools that execute one.
    pub(super) recipe: Option<&'static Recipe>,
    /// Directly in the root (files), or not there yet (directories that are to be created).
    pub(super) bare: bool,
}

/// An input that names nothing, and what must not come of it beyond the evidence of the cases.
pub(super) type Missing<'a> = Option<(Values, Option<Evidence<'a>>)>;

/// One input and what must come of it.
pub(super) struct Case<'a> {
    pub(super) values: Values,
    pub(super) evidence: Evidence<'a>,
}

/// The objects of one proof; removed again when dropped.
pub(super) struct Bench<'a> {
    pub(super) cases: [Case<'a>; 2],
    pub(super) missing: Missing<'a>,
    _litter: Litter,
}

#[derive(Default)]
struct Litter {
    dir: PathBuf,
    files: Vec<PathBuf>,
}

impl Drop for Litter {
    fn drop(&mut self) {
        // A server may have removed or locked them; the testbed's own clean-up has the last word.
        for file in &self.files {
            let _ = fs::remove_file(file);
        }
        let _ = fs::remove_dir_all(&self.dir);
    }
}

/// A word that may be sent: unlike a minted one it is no evidence by itself.
pub(super) fn common_word() -> String {
    (0..10).map(|_| fastrand::lowercase()).collect()
}

pub(super) struct Planter<'a> {
    site: &'a Site<'a>,
    litter: Litter,
}

impl<'a> Bench<'a> {
    /// Plants what the proof of a role needs.
    pub(super) fn set_up(role: Role, site: &Site<'a>) -> io::Result<Bench<'a>> {
        if role.of_network() {
            let (cases, missing) = reaches(role, site.net_form, site.net, site.mint)?;
            return Ok(Bench {
                cases,
                missing,
                _litter: Litter::default(),
            });
        }
        let dir = site.root.join(format!("work-{}", common_word()));
        fs::create_dir(&dir)?;
        let mut planter = Planter {
            site,
            litter: Litter {
                dir,
                files: Vec::new(),
            },
        };
        let first = planter.case(role)?;
        let second = planter.case(role)?;
        let mut cases = [first, second];
        if role == Role::FileSearch {
            // One pattern in two directories: what differs is the place, which is what is attacked.
            let pattern = cases[0].values.get(&Slot::Pattern).cloned();
            if let Some(pattern) = pattern {
                cases[1].values.insert(Slot::Pattern, pattern);
            }
        }
        let mut missing = planter.missing(role, &cases[0])?;
        told(site, &mut cases, &mut missing);
        Ok(Bench {
            cases,
            missing,
            _litter: planter.litter,
        })
    }
}

pub(super) fn text(path: &Path) -> SlotValue {
    SlotValue::Text(path.to_string_lossy().into_owned())
}

fn word(word: &str) -> Evidence<'static> {
    Evidence::Reply(vec![vec![Mark::Word(word.to_owned())]])
}

impl Planter<'_> {
    fn mint(&self) -> String {
        (self.site.mint)()
    }

    /// A place for a file of the site's extension.
    pub(super) fn file(&mut self) -> PathBuf {
        let path = self.site.root.join(common_word() + self.site.extension);
        // Where what is taken for the directory is none, the name is all there is.
        let split = matches!(self.site.form, PathForm::Split | PathForm::SplitRelative);
        if self.site.bare || split {
            self.litter.files.push(path.clone());
        }
        match self.site.bare {
            true => path,
            false => self.litter.dir.join(path.file_name().unwrap_or_default()),
        }
    }

    /// A file that holds a fresh word.
    fn secret(&mut self) -> io::Result<(PathBuf, String)> {
        let (path, token) = (self.file(), self.mint());
        fs::write(&path, document(self.site.extension, &token)?)?;
        Ok((path, token))
    }

    pub(super) fn dir(&self) -> io::Result<PathBuf> {
        let path = self.litter.dir.join(common_word());
        fs::create_dir(&path)?;
        Ok(path)
    }

    fn case(&mut self, role: Role) -> io::Result<Case<'static>> {
        let (values, evidence) = match role {
            Role::FileRead | Role::FileStage | Role::ResourceRead => {
                let (path, token) = self.secret()?;
                (vec![(Slot::Path, text(&path))], word(&token))
            }
            Role::FileReadMany => {
                let (one, other) = (self.secret()?, self.secret()?);
                let paths = [&one.0, &other.0].map(|path| path.to_string_lossy().into_owned());
                (
                    vec![(Slot::Paths, SlotValue::Many(paths.to_vec()))],
                    Evidence::Reply(vec![vec![Mark::Word(one.1)], vec![Mark::Word(other.1)]]),
                )
            }
            Role::FileInfo => self.facts()?,
            Role::DirList => {
                let (dir, token) = (self.dir()?, self.mint());
                let extension = self.site.extension;
                let path = dir.join(format!("{token}{extension}"));
                fs::write(path, document(extension, "note")?)?;
                (vec![(Slot::Path, text(&dir))], word(&token))
            }
            Role::FileSearch => {
                let (dir, token, pattern) = (self.dir()?, self.mint(), self.pattern());
                fs::write(
                    dir.join(format!("{pattern}-{token}.txt")),
                    format!("{pattern} {token}\n"),
                )?;
                (
                    vec![
                        (Slot::Path, text(&dir)),
                        (Slot::Pattern, SlotValue::Text(pattern)),
                    ],
                    word(&token),
                )
            }
            Role::FileWrite => {
                let (path, payload) = (self.file(), common_word());
                let content = String::from_utf8(document(self.site.extension, &payload)?)
                    .unwrap_or_else(|_| payload.clone());
                (
                    vec![
                        (Slot::Path, text(&path)),
                        (Slot::Content, SlotValue::Text(content)),
                    ],
                    Evidence::Disk(vec![Fact::Holds(path, payload)]),
                )
            }
            Role::FileEdit => {
                let (path, old, new) = (self.file(), common_word(), common_word());
                fs::write(&path, format!("first line\n{old}\nlast line\n"))?;
                (
                    vec![
                        (Slot::Path, text(&path)),
                        (Slot::Find, SlotValue::Text(old.clone())),
                        (Slot::Content, SlotValue::Text(new.clone())),
                    ],
                    Evidence::Disk(vec![Fact::Holds(path.clone(), new), Fact::Lacks(path, old)]),
                )
            }
            Role::FileMove | Role::FileCopy => {
                let (source, token) = self.secret()?;
                let target = self.file();
                let after = if role == Role::FileMove {
                    Fact::Gone(source.clone())
                } else {
                    Fact::Exists(source.clone())
                };
                (
                    vec![(Slot::Source, text(&source)), (Slot::Path, text(&target))],
                    Evidence::Disk(vec![Fact::Holds(target, token), after]),
                )
            }
            Role::FileDelete => {
                let (path, _) = self.secret()?;
                (
                    vec![(Slot::Path, text(&path))],
                    Evidence::Disk(vec![Fact::Gone(path)]),
                )
            }
            Role::FileSave => {
                let path = self.file();
                let parent = path.parent().unwrap_or(self.site.root).to_owned();
                let stem = path.file_stem().unwrap_or_default();
                let begins = Fact::Begins(parent, stem.to_string_lossy().into_owned());
                (
                    vec![(Slot::Path, text(&path))],
                    Evidence::Disk(vec![begins]),
                )
            }
            Role::FilePatch => self.patch()?,
            Role::DirCreate => {
                let path = self.litter.dir.join(common_word());
                (
                    vec![(Slot::Path, text(&path))],
                    Evidence::Disk(vec![Fact::IsDir(path)]),
                )
            }
            Role::ArchiveExtract => {
                let (archive, token) = self.archive()?;
                let target = if self.site.bare {
                    self.litter.dir.join(common_word())
                } else {
                    self.dir()?
                };
                (
                    vec![(Slot::Source, text(&archive)), (Slot::Path, text(&target))],
                    Evidence::Disk(vec![Fact::HoldsBelow(target, token)]),
                )
            }
            Role::ArchiveRead => {
                let (archive, token) = self.archive()?;
                (vec![(Slot::Path, text(&archive))], word(&token))
            }
            Role::IdentRead => {
                let (mut ident, token) = (common_word(), self.mint());
                if self.site.form == PathForm::SplitRelative {
                    let shelf = self.litter.dir.file_name().unwrap_or_default();
                    ident = format!("{}/{ident}", shelf.to_string_lossy());
                }
                let path = self
                    .site
                    .root
                    .join(format!("{ident}{}", self.site.extension));
                fs::write(&path, document(self.site.extension, &token)?)?;
                self.litter.files.push(path);
                (vec![(Slot::Ident, SlotValue::Text(ident))], word(&token))
            }
            Role::RepoRead => {
                let (dir, token) = (self.dir()?, self.mint());
                make::repo(&dir, &format!("A note on {token}"), &token)?;
                (vec![(Slot::Path, text(&dir))], word(&token))
            }
            Role::RepoCreate => {
                let dir = if self.site.bare {
                    self.litter.dir.join(common_word())
                } else {
                    self.dir()?
                };
                (
                    vec![(Slot::Path, text(&dir))],
                    Evidence::Disk(vec![Fact::Inhabited(dir)]),
                )
            }
            Role::ExecCommand | Role::ExecCode | Role::ExecExpression | Role::SqlQuery => {
                self.sentence()?
            }
            Role::ScopeWiden => {
                let dir = self.dir()?;
                (vec![(Slot::Path, text(&dir))], Evidence::Disk(vec![]))
            }
            Role::HttpFetch
            | Role::NetConnect
            | Role::NetResolve
            | Role::ApiPath
            | Role::ParamText => {
                return Err(io::Error::other("it is no matter of files"));
            }
        };
        Ok(Case {
            values: Values::from_iter(values),
            evidence,
        })
    }

    fn pattern(&mut self) -> String {
        // The same for all cases of a bench: cut from the name of its directory.
        self.litter
            .dir
            .file_name()
            .map(|name| name.to_string_lossy().replace("work-", "note"))
            .unwrap_or_default()
    }

    /// A file whose size, time and digest are its own.
    fn facts(&mut self) -> io::Result<(Vec<(Slot, SlotValue)>, Evidence<'static>)> {
        let path = self.file();
        let size = prime();
        let mut content = document(self.site.extension, &common_word())?;
        content.resize(size as usize, b'\n');
        fs::write(&path, &content)?;
        // Minutes and seconds are the same in most time zones; 1980 to 2010 is not now.
        let second = fastrand::u64(320_000_000..1_260_000_000);
        fs::File::options()
            .write(true)
            .open(&path)?
            .set_modified(SystemTime::UNIX_EPOCH + Duration::from_secs(second))?;
        let marks = vec![
            Mark::Number(size),
            Mark::Text(second.to_string()),
            Mark::Text(format!(":{:02}:{:02}", second / 60 % 60, second % 60)),
            Mark::Word(HEXLOWER.encode(&Sha256::digest(&content))),
            Mark::Word(HEXLOWER.encode(&<sha1::Sha1 as sha1::Digest>::digest(&content))),
        ];
        Ok((
            vec![(Slot::Path, text(&path))],
            Evidence::Reply(vec![marks]),
        ))
    }

    fn patch(&mut self) -> io::Result<(Vec<(Slot, SlotValue)>, Evidence<'static>)> {
        let (path, old, new) = (self.file(), common_word(), common_word());
        fs::write(&path, format!("first line\n{old}\nlast line\n"))?;
        let name = path.to_string_lossy().into_owned();
        let (before, after) = match path.strip_prefix(self.site.root) {
            Ok(relative) if self.site.form == PathForm::Relative => {
                let relative = relative.to_string_lossy();
                (format!("a/{relative}"), format!("b/{relative}"))
            }
            _ => (name.clone(), name),
        };
        let diff = format!(
            "--- {before}\n+++ {after}\n@@ -1,3 +1,3 @@\n first line\n-{old}\n+{new}\n last line\n"
        );
        Ok((
            vec![(Slot::Content, SlotValue::Text(diff))],
            Evidence::Disk(vec![Fact::Holds(path.clone(), new), Fact::Lacks(path, old)]),
        ))
    }

    fn archive(&mut self) -> io::Result<(PathBuf, String)> {
        let (path, token) = (self.file(), self.mint());
        let format = match self.site.extension {
            ".tar" => ArchiveFormat::Tar,
            ".tar.gz" => ArchiveFormat::TarGz,
            _ => ArchiveFormat::Zip,
        };
        let member = Member {
            name: format!("{token}.txt"),
            body: Body::File(format!("{token}\n").into_bytes()),
        };
        make::archive(&path, format, &[member])?;
        Ok((path, token))
    }
}
