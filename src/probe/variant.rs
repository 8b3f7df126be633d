//! Variants: the spellings and shapes in which a probe's question is asked.
//!
//! Owns what one trial sends and how it changes the launch of the target.

use std::{collections::BTreeMap, net::IpAddr};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::check_rules::given_slots;
use crate::probe::{Aspect, PartRead, Plant, Platform, RecordCheck, Role, Slot, Strain, Text};

/// One spelling or shape of the attack.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Variant {
    /// Kebab-case, unique in the probe; part of the trial id.
    pub name: String,
    /// What the target is put under; such trials get a process of their own.
    #[serde(default)]
    pub strain: Option<Strain>,
    /// What is looked for in the audit log after the call.
    #[serde(default)]
    pub audit: Option<RecordCheck>,
    /// What is looked at from outside, instead of asking anything; in probes without `roles` only.
    #[serde(default)]
    pub aspect: Option<Aspect>,
    /// Main slot of single-path roles: what is read, listed or written.
    #[serde(default)]
    pub path: Option<Text>,
    /// Slot `paths`: several files in one call.
    #[serde(default)]
    pub paths: Option<Vec<Text>>,
    /// Slot `source` of two-path roles.
    #[serde(default)]
    pub source: Option<Text>,
    /// Slot `content`; the trial's payload when absent.
    #[serde(default)]
    pub content: Option<Text>,
    /// Slot `find`; a line of the planted file when absent.
    #[serde(default)]
    pub find: Option<Text>,
    /// Slot `pattern`.
    #[serde(default)]
    pub pattern: Option<Text>,
    /// Slot `ident`.
    #[serde(default)]
    pub ident: Option<Text>,
    /// Slot `url`.
    #[serde(default)]
    pub url: Option<Text>,
    /// Slot `host`.
    #[serde(default)]
    pub host: Option<Text>,
    /// Slot `port`; one on which only this trial listens when absent.
    #[serde(default)]
    pub port: Option<Text>,
    /// Slot `text`: a command, a program, an expression, a query, or the whole of a text parameter.
    #[serde(default)]
    pub text: Option<Text>,
    /// Only on channels that were proven with this language (roles `exec.code`, `exec.command`, `sql.query`).
    #[serde(default)]
    pub language: Option<String>,
    /// Only where the policy allows this command (role `exec.command`).
    #[serde(default)]
    pub command: Option<String>,
    /// Slot `headers`: header fields that the caller gives a request; the variant applies to channels
    /// that have a place for them.
    #[serde(default)]
    pub headers: BTreeMap<String, Text>,
    /// Slot `cwd`: the directory in which the caller wants a command or code to run; the variant applies to
    /// channels that have it.
    #[serde(default)]
    pub cwd: Option<Text>,
    /// Slot `env`: variables that the caller gives a command or code; the variant applies to channels that have a
    /// place for them.
    #[serde(default)]
    pub env: BTreeMap<String, Text>,
    /// The address that `net.denied` stands for, instead of one computed from the policy. The
    /// variant applies where the policy denies it.
    #[serde(default)]
    pub target: Option<IpAddr>,
    /// What a tool is given for another part of the path, before that of slot `ident`; the variant applies to channels
    /// that take such a part, too (role `api.path`).
    #[serde(default)]
    pub neighbour: Option<Text>,
    /// Only on rules of this kind (claims host-name and denied-name, which are tried on each rule).
    #[serde(default)]
    pub rule: Option<RuleKind>,
    /// The main slot as exact JSON text, for values that are no strings; `@path@` inside a JSON
    /// string stands for the rendered `path`.
    #[serde(default)]
    pub path_json: Option<String>,
    /// Only on these roles; all of the probe's when empty.
    #[serde(default)]
    pub roles: Vec<Role>,
    /// Only on these platforms; the probe's when empty.
    #[serde(default)]
    pub platforms: Vec<Platform>,
    /// Plants that only this variant needs, after the probe's own.
    #[serde(default, rename = "plant")]
    pub plants: Vec<Plant>,
    /// Why this variant can have no permitted twin. Without a reason the twin is sent too.
    #[serde(default)]
    pub no_twin: Option<String>,
    /// Reads only a part of the file, through optional arguments of the channel; the variant
    /// applies to the channels that have them.
    #[serde(default)]
    pub part: Option<PartRead>,
    /// Launch changes of this variant, instead of the probe's.
    #[serde(default)]
    pub launch: Option<Launch>,
    /// Technique of this variant, instead of the probe's.
    #[serde(default)]
    pub technique: Option<String>,
    /// A second call, made when the first was answered, through the proven `file.read` channel:
    /// what a chain put inside the allowed root is fetched from there.
    #[serde(default)]
    pub then_read: Option<Text>,
    /// A second call of the same channel, made when the first was answered, with this in slot `text`: its
    /// answer is the trial's.
    #[serde(default)]
    pub then_text: Option<Text>,
}

impl Variant {
    /// Whether it fills no slot: then the plain call of the role is sent.
    #[must_use]
    pub fn is_bare(&self) -> bool {
        given_slots(self).is_empty()
    }

    /// The optional slots that it fills where a channel has them.
    pub fn fills(&self) -> impl Iterator<Item = Slot> {
        let pattern = self.pattern.as_ref().map(|_| Slot::Pattern);
        self.needs().chain(pattern)
    }

    /// The optional slots without which a channel cannot be asked.
    pub fn needs(&self) -> impl Iterator<Item = Slot> {
        let part = self.part.map_or(&[] as &[Slot], PartRead::slots);
        let headers = (!self.headers.is_empty()).then_some(Slot::Headers);
        let cwd = self.cwd.as_ref().map(|_| Slot::Cwd);
        let env = (!self.env.is_empty()).then_some(Slot::Env);
        part.iter().copied().chain(headers).chain(cwd).chain(env)
    }
}

/// What a rule of a policy on host names is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum RuleKind {
    /// One name: `example.org`.
    Exact,
    /// All names below one: `*.example.org`.
    Below,
}

/// Changes to the launch of the target.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Launch {
    /// Working directory of the target.
    #[serde(default)]
    pub cwd: Option<Text>,
    /// What stands in the command line where `{allowed}` stood.
    #[serde(default)]
    pub allowed: Option<AllowedArgument>,
    /// Variables of its environment, besides those that it has.
    #[serde(default)]
    pub env: BTreeMap<String, Text>,
}

/// What replaces the allowed directory in the command line and environment of the target.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum AllowedArgument {
    /// The argument is left out.
    Removed,
    /// The argument is the empty string.
    Empty,
    /// The argument names a directory that does not exist.
    Missing,
}
