//! Every text parameter of every tool, as a channel of its own.
//!
//! Owns which parameters are swept, what goes along with them, and what they hold when nothing is
//! attacked. Asks the target nothing: what a channel needs was proven before.

use std::{collections::BTreeMap, sync::Arc};

use serde_json::Value;

use super::{
    fill::draft,
    flatten::Leaf,
    score::{Candidate, destructive, forms},
    slots::{Binding, single},
    words::{self, words},
};
use crate::{
    channel::{Channel, Proof, RESOURCES_READ},
    probe::{Role, Slot},
    session::Tool,
};

/// Parameters of one tool that are swept at most.
const PER_TOOL: usize = 12;

/// A channel for each text parameter of the tools, except of those that are destructive and not
/// allowed by name, and of parameters that are there for execution. Where a channel of the tool is
/// proven, its plain call goes along.
pub(crate) fn sweep(
    tools: &[Tool],
    proven: &[Arc<Channel>],
    allow_destructive: &[String],
) -> Vec<Channel> {
    let mut swept = Vec::new();
    for tool in tools {
        let allowed = allow_destructive.contains(&tool.name);
        if destructive(tool).is_some() && !allowed {
            continue;
        }
        let known: Vec<&Arc<Channel>> = proven
            .iter()
            .filter(|channel| channel.tool == tool.name)
            .collect();
        let base = known
            .iter()
            .filter(|channel| channel.proof.proven() && channel.then.is_none())
            .filter(|channel| channel.tool != RESOURCES_READ)
            // One that needs no network stands more firmly.
            .min_by_key(|channel| channel.role.of_network())
            .copied();
        let mut seen: Vec<String> = Vec::new();
        for form in forms(tool) {
            for leaf in form.leaves.iter().filter(|leaf| sweeps(leaf, &known)) {
                if seen.contains(&leaf.pointer) || seen.len() == PER_TOOL {
                    continue;
                }
                seen.push(leaf.pointer.clone());
                let candidate = Candidate {
                    role: Role::ParamText,
                    score: 1.0,
                    form: form.clone(),
                    bindings: Vec::new(),
                    choice: None,
                };
                swept.push(channel(tool, &candidate, leaf, base));
            }
        }
    }
    swept
}

/// Whether a parameter is swept: it takes a text, no secret, and nothing that is to be executed.
fn sweeps(leaf: &Leaf, known: &[&Arc<Channel>]) -> bool {
    const EXECUTED: words::Words = words::Words(
        "command cmd commandline shell bash script code snippet program argv javascript python",
    );
    let name = words(&leaf.name);
    let executed = known
        .iter()
        .filter(|channel| {
            matches!(channel.role, Role::ExecCommand | Role::ExecCode) || channel.renders()
        })
        .flat_map(|channel| channel.slots.values().flatten())
        .any(|pointer| single(pointer) == single(&leaf.pointer));
    leaf.takes_text()
        && !leaf.guessed
        && !executed
        && !EXECUTED.has(&name.concat())
        && !name.iter().any(|word| words::CREDENTIALS.has(word))
}

fn channel(
    tool: &Tool,
    candidate: &Candidate,
    leaf: &Leaf,
    base: Option<&Arc<Channel>>,
) -> Channel {
    let pointer = single(&leaf.pointer);
    let slots = BTreeMap::from([(Slot::Text, vec![pointer.clone()])]);
    let mut channel = match base {
        Some(base) => {
            let mut channel = Channel::clone(base);
            channel.role = Role::ParamText;
            channel.slots.extend(slots);
            channel.base = Some(Arc::clone(base));
            channel
        }
        None => draft(tool, candidate, &Binding { slots }),
    };
    channel.usual = usual(leaf);
    if base.is_none() {
        channel.proof = Proof::Unproven {
            why: String::from("nothing is known of what the tool does"),
        };
    }
    channel
}

/// What a parameter holds when nobody means anything by it, where the schema says so.
fn usual(leaf: &Leaf) -> Option<String> {
    leaf.default
        .iter()
        .chain(&leaf.choices)
        .chain(&leaf.examples)
        .find_map(Value::as_str)
        .filter(|text| !text.is_empty())
        .map(str::to_owned)
}
