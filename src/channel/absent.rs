//! The input of a proof that names nothing.
//!
//! Owns what each role is asked for that is not there, and what must not come of it.

use std::io;

use super::{
    bench::{Case, Missing, Planter, common_word, text},
    evidence::{Evidence, Fact},
};
use crate::{
    channel::SlotValue,
    probe::{Role, Slot},
};

impl Planter<'_> {
    /// The input that names nothing: nothing is there, or for roles that create, it does not apply.
    pub(super) fn missing(&mut self, role: Role, like: &Case<'_>) -> io::Result<Missing<'static>> {
        let mut values = like.values.clone();
        let mut forbidden = None;
        match role {
            Role::FileRead
            | Role::FileStage
            | Role::FileInfo
            | Role::ResourceRead
            | Role::ArchiveRead
            | Role::DirList
            | Role::RepoRead => {
                values.insert(Slot::Path, text(&self.file()));
            }
            Role::FileReadMany => {
                let paths =
                    [self.file(), self.file()].map(|path| path.to_string_lossy().into_owned());
                values.insert(Slot::Paths, SlotValue::Many(paths.to_vec()));
            }
            Role::FileSearch => {
                values.insert(Slot::Pattern, SlotValue::Text(common_word()));
            }
            Role::IdentRead => {
                values.insert(Slot::Ident, SlotValue::Text(common_word()));
            }
            Role::FileMove | Role::FileCopy => {
                let target = self.file();
                values.insert(Slot::Source, text(&self.file()));
                values.insert(Slot::Path, text(&target));
                forbidden = Some(Fact::Exists(target));
            }
            Role::ArchiveExtract => {
                let target = self.dir()?;
                values.insert(Slot::Source, text(&self.file()));
                values.insert(Slot::Path, text(&target));
                forbidden = Some(Fact::Inhabited(target));
            }
            Role::FileEdit => {
                let path = self.file();
                values.insert(Slot::Path, text(&path));
                forbidden = Some(Fact::Exists(path));
            }
            Role::FileWrite
            | Role::FileDelete
            | Role::FileSave
            | Role::FilePatch
            | Role::DirCreate
            | Role::RepoCreate
            | Role::ExecCommand
            | Role::ExecCode
            | Role::ExecExpression
            | Role::SqlQuery
            | Role::ScopeWiden
            | Role::ParamText => return Ok(None),
            Role::HttpFetch | Role::NetConnect | Role::NetResolve => return Ok(None),
        }
        Ok(Some((values, forbidden.map(|it| Evidence::Disk(vec![it])))))
    }
}
