//! The errors of the kernel, and what of it each of them stands for.
//!
//! Owns their numbers, which are the same on all architectures of Linux that are traced.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What of the kernel's refused a call, as its error tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Layer {
    /// The object is not mounted there.
    Mounts,
    /// It is mounted to be read only.
    ReadOnlyMount,
    /// Permissions, or Landlock.
    Permissions,
    /// A privilege that is not there: a capability, a flag of the file, a security module.
    Privileges,
    /// No way leads to the host.
    Network,
}

impl Layer {
    /// In words.
    #[must_use]
    pub fn words(self) -> &'static str {
        match self {
            Self::Mounts => "it is not mounted there",
            Self::ReadOnlyMount => "it is mounted read-only",
            Self::Permissions => "permissions, or Landlock",
            Self::Privileges => "a privilege that is not there",
            Self::Network => "no way leads there",
        }
    }
}

/// Errors of the kernel that tell something, on all architectures of Linux that are traced.
const ERRORS: [(i32, &str, Option<Layer>); 20] = [
    (EPERM, "EPERM", Some(Layer::Privileges)),
    (ENOENT, "ENOENT", Some(Layer::Mounts)),
    (4, "EINTR", None),
    (5, "EIO", None),
    (13, "EACCES", Some(Layer::Permissions)),
    (17, "EEXIST", None),
    (EXDEV, "EXDEV", None),
    (ENOTDIR, "ENOTDIR", None),
    (21, "EISDIR", None),
    (EINVAL, "EINVAL", None),
    (30, "EROFS", Some(Layer::ReadOnlyMount)),
    (36, "ENAMETOOLONG", None),
    (ELOOP, "ELOOP", None),
    (97, "EAFNOSUPPORT", Some(Layer::Network)),
    (99, "EADDRNOTAVAIL", Some(Layer::Network)),
    (100, "ENETDOWN", Some(Layer::Network)),
    (101, "ENETUNREACH", Some(Layer::Network)),
    (110, "ETIMEDOUT", Some(Layer::Network)),
    (111, "ECONNREFUSED", Some(Layer::Network)),
    (113, "EHOSTUNREACH", Some(Layer::Network)),
];
pub(super) const EPERM: i32 = 1;
pub(super) const ENOENT: i32 = 2;
pub(super) const EXDEV: i32 = 18;
pub(super) const ENOTDIR: i32 = 20;
pub(super) const EINVAL: i32 = 22;
pub(super) const ELOOP: i32 = 40;
pub(super) const EINPROGRESS: i32 = 115;

/// What stands behind an error, if it is one that refuses.
pub(super) fn layer(errno: i32) -> Option<Layer> {
    let found = ERRORS.iter().find(|(number, ..)| *number == errno);
    found.and_then(|(.., layer)| *layer)
}

/// Its name; none of a success.
pub(super) fn name(errno: i32) -> Option<String> {
    let found = ERRORS.iter().find(|(number, ..)| *number == errno);
    match found {
        _ if errno == 0 => None,
        Some((_, name, _)) => Some((*name).to_owned()),
        None => Some(format!("error {errno}")),
    }
}
