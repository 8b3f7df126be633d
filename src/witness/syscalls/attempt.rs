//! What a target attempted of a trial's object, as it is told.
//!
//! Owns the words. How it is found in the calls is the search's.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::errno::Layer;

/// What a target attempted of the object of a trial.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Attempted {
    /// How far it came.
    pub how: How,
    /// In one sentence.
    pub fact: String,
    /// The call that shows it, such as `openat`; nothing where there was none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub call: Option<String>,
    /// The error of the kernel, such as `ENOENT`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub errno: Option<String>,
    /// What of the kernel's refused it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub layer: Option<Layer>,
}

/// How far an attempt came.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "kebab-case")]
pub enum How {
    /// No call was about the object.
    NotMade,
    /// It was looked at (`stat`, `readlink`, `O_PATH`), and no more.
    Looked,
    /// The server had the kernel refuse what does not lie where it should (`O_NOFOLLOW`, `RESOLVE_BENEATH`).
    Guarded,
    /// Even looking at it was refused by the kernel.
    LookRefused,
    /// The kernel refused it.
    Refused,
    /// It failed in a way that does not tell why.
    Failed,
    /// The kernel let it pass.
    Succeeded,
    /// The witness did not see the permitted call either.
    Unseen,
}

impl How {
    /// In words, as what became of so many attacks.
    #[must_use]
    pub fn words(self) -> &'static str {
        match self {
            Self::NotMade => "not attempted",
            Self::Looked => "no more than looked at",
            Self::Guarded => "refused by the kernel as the server asked it to",
            Self::LookRefused => "refused by the kernel when looked at",
            Self::Refused => "attempted, and refused by the kernel",
            Self::Failed => "attempted, and failed",
            Self::Succeeded => "attempted, and let pass by the kernel",
            Self::Unseen => "not seen by the witness",
        }
    }
}

impl Attempted {
    /// What cannot be told, since the witness did not see.
    #[must_use]
    pub fn unseen(why: &str) -> Self {
        Self {
            how: How::Unseen,
            fact: why.to_owned(),
            call: None,
            errno: None,
            layer: None,
        }
    }
}
