//! What stays unbound, and why.
//!
//! Owns the wording. Every tool and every text parameter that no channel drives is accounted for.

use super::{
    flatten::{Kind, Leaf},
    found::Found,
    net::NEEDS_NETWORK,
    score::forms,
    slots::single,
    words::{CREDENTIALS, words},
};
use crate::{
    channel::{Follow, RESOURCES_READ, Unbound},
    session::Tool,
};

/// Writes down what of a tool no channel drives.
pub(super) fn account(tool: &Tool, found: &Found, follows: &[Follow], unbound: &mut Vec<Unbound>) {
    if tool.name == RESOURCES_READ {
        unbound.extend(found.dropped.iter().map(|(_, why)| Unbound {
            tool: tool.name.clone(),
            parameter: None,
            why: format!("no file is a resource: {why}"),
        }));
        return;
    }
    let tried = found
        .dropped
        .iter()
        .map(|(role, why)| format!("{role}: {why}"))
        .collect::<Vec<_>>()
        .join("; ");
    let leaves: Vec<Leaf> = forms(tool)
        .into_iter()
        .flat_map(|form| form.leaves)
        .filter(|leaf| !leaf.guessed && leaf.takes_text())
        .filter(|leaf| leaf.kinds.is_empty() || leaf.kinds.contains(&Kind::Text))
        .collect();
    let fed: Vec<&Follow> = follows
        .iter()
        .filter(|follow| follow.tool == tool.name)
        .collect();
    if found.channels.is_empty() && fed.is_empty() {
        let why = match &found.skipped {
            Some(why) => why.clone(),
            None if !tried.is_empty() => tried.clone(),
            None if leaves.is_empty() => String::from("it takes no text"),
            None => String::from("its names fit no role, and no guess was right"),
        };
        unbound.push(Unbound {
            tool: tool.name.clone(),
            parameter: None,
            why,
        });
    }
    let driven: Vec<&String> = found
        .channels
        .iter()
        .flat_map(|channel| channel.slots.values().flatten())
        .chain(fed.iter().map(|follow| &follow.pointer))
        .collect();
    let mut listed: Vec<&str> = Vec::new();
    for leaf in &leaves {
        let place = single(&leaf.pointer);
        if driven.iter().any(|pointer| single(pointer) == place)
            || listed.contains(&leaf.pointer.as_str())
        {
            continue;
        }
        listed.push(&leaf.pointer);
        let credential = words(&leaf.name).iter().any(|word| CREDENTIALS.has(word));
        let chosen = found.channels.iter().any(|channel| {
            serde_json::Value::Object(channel.fixed.clone())
                .pointer(&place)
                .is_some()
        });
        let why = if found.skipped.is_some() {
            "the tool was skipped"
        } else if found
            .reaching
            .iter()
            .any(|pointer| single(pointer) == place)
        {
            NEEDS_NETWORK
        } else if credential {
            "takes a credential: never attacked"
        } else if !leaf.choices.is_empty() {
            "takes one of a few fixed values"
        } else if chosen {
            "filled with a harmless value"
        } else if found.channels.is_empty() {
            "no channel of the tool was found"
        } else {
            "its name fits no slot of the roles found"
        };
        unbound.push(Unbound {
            tool: tool.name.clone(),
            parameter: Some(leaf.pointer.clone()),
            why: why.to_owned(),
        });
    }
}
