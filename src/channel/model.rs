//! What a channel is.
//!
//! Owns the types that the plan reads and that `bindings.lock` stores.

use std::{collections::BTreeMap, sync::Arc};

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::{
    arguments::{SlotValue, Values},
    recipe::{Recipe, recipe_of},
    slots::single,
};
use crate::config::Binding;
pub use crate::config::{NetForm, PathForm, UriForm};
use crate::probe::{Role, Slot};

/// The score from which on a channel is attacked although its proof failed: evidence of a breach
/// needs no control, but calls to tools that merely look alike are wasted.
pub const BIND: f32 = 0.70;

/// A tool and its arguments, believed or proven to drive a role.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Channel {
    /// The tool; for `resource.read` the literal `resources/read`.
    pub tool: String,
    /// What it does for us.
    pub role: Role,
    /// Where each slot goes: JSON Pointers into the arguments (RFC 6901), in order of slots. A
    /// pointer may end in `/-` for "an array of such values" (slot `paths`).
    pub slots: BTreeMap<Slot, Vec<String>>,
    /// All other arguments, as they are sent with each call. `{allowed}` in a text stands for the
    /// allowed directory of the run.
    #[serde(default)]
    pub fixed: Map<String, Value>,
    /// How the channel wants paths spelled.
    #[serde(default)]
    pub form: PathForm,
    /// Whether it was seen to take names directly in the allowed directory, and not of what lies deeper.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub bare: bool,
    /// Whether the content that it writes is sent in Base64 (RFC 4648).
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub encoded: bool,
    /// What it chooses of what its tool does, where another choice takes the same parameter in the same role.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub action: Option<String>,
    /// The URI that the channel wants around each path, where it takes those of a scheme of its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub uri: Option<UriForm>,
    /// How the channel wants URLs and ports spelled.
    #[serde(default)]
    pub net: NetForm,
    /// How the channel wants search patterns spelled.
    #[serde(default)]
    pub pattern: PatternForm,
    /// Extension with its dot of files that the channel accepts, such as `.txt`.
    #[serde(default = "plain_text")]
    pub extension: String,
    /// How sure the names were, 0 to 1. 1 for a binding that the user gave.
    #[serde(default = "certain")]
    pub score: f32,
    /// Whether and how it was proven in this run.
    #[serde(skip, default = "Proof::unproven")]
    pub proof: Proof,
    /// Whether annotation or verb call it destructive.
    #[serde(default)]
    pub destructive: bool,
    /// The language or the command by which it was proven, for roles that execute a text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recipe: Option<String>,
    /// The proven channel of the same tool whose plain call a text parameter goes along with
    /// (`param.text`).
    #[serde(skip)]
    pub base: Option<Arc<Channel>>,
    /// What the schema offers for the text parameter, if it does (`param.text`).
    #[serde(skip)]
    pub usual: Option<String>,
    /// Why it leaves a file alone that exists, if a call to write over one did nothing: the answer.
    #[serde(skip)]
    pub keeps: Option<String>,
    /// What stands around the caller's part of a request, as the proof showed it (`api.path`).
    #[serde(skip)]
    pub joined: Option<Joined>,
    /// The second call, for tools that only take in what another gives out (`file.stage`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub then: Option<Follow>,
}

impl Channel {
    /// The argument beside the caller's that the tool joins to the path, too: the last one before it.
    #[must_use]
    pub fn neighbour(&self) -> Option<&str> {
        let joined = self.joined.as_ref()?;
        let mut segments = joined.before.rsplit('/').filter(|it| !it.is_empty());
        segments.find_map(|segment| {
            let mut fixed = self.fixed.iter();
            let (name, _) = fixed.find(|(_, value)| value.as_str() == Some(segment))?;
            Some(name.as_str())
        })
    }
}

/// What a tool puts around a part of a path that the caller gives, in the requests that it makes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Joined {
    /// The path before it, up to and with the last slash: `/v1/items/`.
    pub before: String,
    /// All that follows it, as it is sent: `/notes?all=1`.
    pub after: String,
}

/// A second call, which gives out what the first took in.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Follow {
    /// The tool.
    pub tool: String,
    /// Where the value goes: JSON Pointer into its arguments.
    pub pointer: String,
    /// Whether the value goes there as a number.
    #[serde(default)]
    pub number: bool,
    /// Where the value stands in the answer of the first call.
    pub take: Take,
    /// All other arguments.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub fixed: Map<String, Value>,
}

/// Where a value stands in an answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Take {
    /// It is the whole text.
    Text,
    /// At this JSON Pointer of the structured content, or of the text where that is JSON.
    Member(String),
    /// It is the word of the text with this number, from 0.
    Word(usize),
}

/// How a channel wants search patterns spelled; found by the proof, kept in the attack.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PatternForm {
    /// The bare text.
    #[default]
    Plain,
    /// `*text*`
    Glob,
    /// `**/*text*`
    DeepGlob,
}

fn plain_text() -> String {
    String::from(".txt")
}

fn certain() -> f32 {
    1.0
}

/// Whether a channel was proven.
#[derive(Debug, Clone, PartialEq)]
pub enum Proof {
    /// Two allowed inputs gave their own evidence and a missing one neither.
    Proven {
        /// One line each: what was sent and what came, for reports.
        steps: Vec<String>,
    },
    /// Still attacked, since evidence of a breach needs no control; never `held`.
    Unproven {
        /// The last thing that went wrong, in words.
        why: String,
    },
}

impl Proof {
    fn unproven() -> Self {
        Proof::Unproven {
            why: String::from("not tried yet"),
        }
    }

    /// Whether the channel may carry a `held`.
    #[must_use]
    pub fn proven(&self) -> bool {
        matches!(self, Proof::Proven { .. })
    }
}

/// A tool parameter or tool that no channel drives, and why.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Unbound {
    /// The tool.
    pub tool: String,
    /// The parameter as a JSON Pointer, when the reason concerns one.
    pub parameter: Option<String>,
    /// Why nothing of ours drives it.
    pub why: String,
}

impl Channel {
    /// The channel that a user bound by hand, its other arguments expanded. Still to be proven.
    #[must_use]
    pub fn given(binding: &Binding, fixed: Map<String, Value>) -> Self {
        Self {
            tool: binding.tool.value.clone(),
            role: binding.role.value,
            slots: binding
                .slots
                .value
                .iter()
                .map(|(slot, pointers)| {
                    (
                        *slot,
                        pointers
                            .value
                            .iter()
                            .map(|pointer| pointer.value.clone())
                            .collect(),
                    )
                })
                .collect(),
            fixed,
            form: binding.form.unwrap_or_default(),
            bare: false,
            encoded: false,
            action: None,
            uri: binding.uri.clone(),
            net: binding.net,
            pattern: PatternForm::default(),
            extension: binding
                .extension
                .as_ref()
                .map_or_else(plain_text, |extension| extension.value.clone()),
            score: certain(),
            proof: Proof::unproven(),
            destructive: false,
            recipe: None,
            base: None,
            usual: None,
            keeps: None,
            joined: None,
            then: None,
        }
    }

    /// Whether it was proven by sentences of this language.
    #[must_use]
    pub fn speaks(&self, language: &str) -> bool {
        let recipe = self.recipe.as_deref().unwrap_or_default();
        recipe.split('-').next() == Some(language)
    }

    /// Whether what it evaluates stands in templates, between delimiters.
    pub(crate) fn renders(&self) -> bool {
        self.role == Role::ExecExpression
            && recipe_of(self.role, self.recipe.as_deref()).is_some_and(Recipe::is_template)
    }

    /// What is sent to have it read the file at a path of the target, where it reads files: the path, or a command.
    pub(crate) fn reading(&self, path: &str) -> Option<Values> {
        let recipe = self.recipe.as_deref();
        match self.role {
            Role::FileRead => Some([(Slot::Path, SlotValue::Text(path.to_owned()))].into()),
            Role::ExecCommand if recipe.is_some() => recipe_of(self.role, recipe)
                .filter(|recipe| recipe.reads())
                .map(|recipe| {
                    let sentence = recipe.about(path, path, (1, 1));
                    [(Slot::Text, SlotValue::Text(sentence))].into()
                }),
            _ => None,
        }
    }

    /// Whether it was proven by a command that says nothing of where, in a directory that was given.
    pub(super) fn runs_in_a_place(&self) -> bool {
        let recipe = self.recipe.as_deref();
        recipe.is_some()
            && recipe_of(self.role, recipe).is_some_and(|recipe| recipe.place.is_some())
    }

    /// Whether the channel is worth attacking: proven, or its names leave little doubt.
    #[must_use]
    pub fn likely(&self) -> bool {
        self.proof.proven() || self.score >= BIND
    }

    /// What it always sends at a pointer.
    pub(super) fn sends(&self, pointer: &str) -> Option<Value> {
        let fixed = Value::Object(self.fixed.clone());
        fixed.pointer(&single(pointer)).cloned()
    }

    /// Stable name: `tool` and the pointers of its main slot, such as `read_file:path`, then `!append` for the later of
    /// several actions.
    #[must_use]
    pub fn name(&self) -> String {
        let main = self.role.slots()[0];
        let pointers: Vec<String> = self
            .slots
            .get(&main)
            .into_iter()
            .flatten()
            .map(|pointer| pointer.trim_start_matches('/').replace('/', "."))
            .collect();
        let action = self.action.iter().map(|action| format!("!{action}"));
        format!(
            "{}:{}{}",
            self.tool,
            pointers.join("+"),
            action.collect::<String>()
        )
    }
}
