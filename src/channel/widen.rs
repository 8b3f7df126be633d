//! Tools that may let a server reach more than it was started with, judged by names alone.
//!
//! Owns the words, and how such a tool is told a directory: as a path, or as the value of a setting that the
//! server itself names. Whether anything was widened shows only afterwards, so none of this is proven before.

use std::collections::BTreeMap;

use serde_json::Value;

use super::{
    arguments::put,
    fill::{draft, pathlike},
    flatten::{Kind, Leaf},
    score::{Candidate, destructive_verb, forms, joined},
    slots::Binding,
    words::{Words, words},
};
use crate::{
    channel::{Channel, Proof},
    probe::{Role, Slot},
    session::Tool,
};

/// What such tools do.
const OPENING: Words = Words(
    "add allow set update grant register open change enable configure authorize permit trust mount include switch \
     use select activate extend expand import attach approve accept confirm unlock elevate whitelist allowlist",
);

/// To what they do it.
const SCOPE: Words = Words(
    "directory dir folder root path workspace workdir cwd project scope access permission allow allowed allowlist \
     whitelist permit permitted sandbox boundary mount volume",
);

/// What else may hold it.
const SETTING: Words = Words("config configuration setting option preference policy");

/// Parameters that name a setting, and those that hold its value; written in one word.
const KEYS: Words =
    Words("key name setting option property field settingname configkey optionname");
const VALUES: Words = Words("value val newvalue settingvalue configvalue");

/// A channel for each way in which one of the tools may be told a directory.
pub(crate) fn openings(tools: &[Tool]) -> Vec<Channel> {
    let mut channels: Vec<Channel> = Vec::new();
    for tool in tools {
        let name = words(&tool.name);
        let says = |table: Words| name.iter().any(|word| table.has(word));
        // A right that is granted takes nothing away.
        let takes_away = destructive_verb(&name).is_some_and(|verb| verb != "grant");
        if takes_away || !says(OPENING) || !(says(SCOPE) || says(SETTING)) {
            continue;
        }
        for form in forms(tool) {
            let places = if says(SCOPE) {
                form.leaves
                    .iter()
                    .filter(|leaf| leaf.takes_text() && pathlike(leaf))
                    .collect()
            } else {
                Vec::new()
            };
            let candidate = Candidate {
                role: Role::ScopeWiden,
                score: 1.0,
                form: form.clone(),
                bindings: Vec::new(),
                choice: None,
            };
            let mut open = |pointer: String, chosen: Option<(&str, &str)>| {
                let slots = BTreeMap::from([(Slot::Path, vec![pointer])]);
                let mut channel = draft(tool, &candidate, &Binding { slots });
                if let Some((pointer, key)) = chosen {
                    let mut fixed = Value::Object(std::mem::take(&mut channel.fixed));
                    put(&mut fixed, pointer, Value::from(key));
                    if let Value::Object(fixed) = fixed {
                        channel.fixed = fixed;
                    }
                }
                channel.proof = Proof::Unproven {
                    why: String::from("what it does shows only in what can be read afterwards"),
                };
                if !channels.iter().any(|other| other.name() == channel.name()) {
                    channels.push(channel);
                }
            };
            for leaf in places {
                open(leaf.pointer.clone(), None);
            }
            let named = |table: Words| {
                let mut leaves = form.leaves.iter();
                leaves.find(|leaf| table.has(&joined(&leaf.name)) && !leaf.guessed)
            };
            let (Some(key), Some(value)) = (named(KEYS), named(VALUES)) else {
                continue;
            };
            let Some(setting) = setting(tool, key) else {
                continue;
            };
            let chosen = Some((key.pointer.as_str(), setting.as_str()));
            if value.kinds.is_empty() || value.kinds.contains(&Kind::Array) {
                open(format!("{}/-", value.pointer), chosen);
            }
            if value.takes_text() {
                open(value.pointer.clone(), chosen);
            }
        }
    }
    channels
}

/// The setting that most likely holds the allowed directories, among those that the server names. One that it
/// does not name may be accepted and mean nothing.
fn setting(tool: &Tool, key: &Leaf) -> Option<String> {
    let offered = key
        .choices
        .iter()
        .chain(&key.examples)
        .filter_map(Value::as_str);
    let texts = [key.description.as_str(), tool.description.as_str()];
    let told = texts.iter().flat_map(|text| {
        text.split(|letter: char| !letter.is_alphanumeric() && !"_-.".contains(letter))
    });
    let fits = |text: &&str| {
        let words = words(text);
        let about = |table: &'static str| words.iter().any(|word| Words(table).has(word));
        about("allow allowed permit permitted trusted accessible whitelist allowlist root")
            && about("directory dir folder path root workspace file")
            && words.len() > 1
    };
    offered
        .chain(told)
        .find(fits)
        .map(|text| text.trim_matches('.').to_owned())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn names(name: &str, description: &str, schema: Value) -> Vec<String> {
        let tool = Tool {
            description: description.to_owned(),
            input_schema: schema,
            ..Tool::named(name)
        };
        let channels = openings(&[tool]);
        let told = |channel: &Channel| {
            let fixed = Value::Object(channel.fixed.clone());
            format!("{} {fixed}", channel.name())
        };
        channels.iter().map(told).collect()
    }

    #[test]
    fn tools_that_widen_are_told_a_directory() {
        let path = json!({
            "type": "object", "properties": { "path": { "type": "string" } }, "required": ["path"]
        });
        for name in [
            "add_allowed_directory",
            "allowPath",
            "set-workspace-root",
            "grant_access",
            "approve_directory",
        ] {
            assert_eq!(names(name, "", path.clone()), [format!("{name}:path {{}}")]);
        }
        for name in [
            "create_directory",
            "list_directory",
            "read_path",
            "remove_allowed_directory",
        ] {
            assert!(names(name, "", path.clone()).is_empty(), "{name}");
        }
        let many = json!({
            "type": "object",
            "properties": { "directories": { "type": "array", "items": { "type": "string" } } },
            "required": ["directories"]
        });
        assert_eq!(
            names("update_roots", "", many),
            ["update_roots:directories.- {}"]
        );
    }

    #[test]
    fn a_setting_is_one_that_the_server_names() {
        let pair = json!({
            "type": "object",
            "properties": { "key": { "type": "string" }, "value": {} },
            "required": ["key", "value"]
        });
        let told = names(
            "set_config",
            "Keys: shell, allowedDirectories (array).",
            pair.clone(),
        );
        let fixed = json!({ "key": "allowedDirectories" });
        assert_eq!(
            told,
            [
                format!("set_config:value.- {fixed}"),
                format!("set_config:value {fixed}")
            ]
        );
        assert!(names("set_config", "Sets a value.", pair).is_empty());
    }
}
