//! What the words of a tool tell of its arguments where its schema does not.
//!
//! Owns the arguments that a description or a complaint names, the values that a complaint offers, and the schema
//! that says so. The tool is then tried as if it had said so itself.

use std::{collections::BTreeMap, sync::PoisonError};

use serde_json::{Map, Value, json};

use super::{
    complaint::{Defect, defects, quoted},
    environment::tells,
    flatten::{Form, Kind},
    found::Found,
    prove::{Lab, excerpt},
    score::{destructive, forms, joined},
    words::words,
};
use crate::{
    channel::RESOURCES_READ,
    session::{Caller, Tool},
};

/// How often a tool is tried with what it told in the meantime.
const ROUNDS: usize = 2;
/// Arguments of one tool that are believed.
const NAMES: usize = 8;
/// Letters of a description or an answer that are read.
const READ: usize = 4096;

/// What a tool told of its arguments.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Lesson {
    /// Arguments that the schema lacks.
    names: BTreeMap<String, Argument>,
    /// Values that an argument takes, though the schema takes any.
    choices: BTreeMap<String, Vec<String>>,
}

#[derive(Debug, Clone, Copy, PartialEq)]
struct Argument {
    kind: Option<Kind>,
    optional: bool,
}

impl Lesson {
    fn add(&mut self, name: &str, argument: Argument) {
        if self.names.len() < NAMES {
            self.names.entry(name.to_owned()).or_insert(argument);
        }
    }

    /// What an answer to a call by a form tells that the form does not.
    fn learn(&mut self, form: &Form, answer: &str) {
        let declared = |name: &str| {
            let named = |leaf: &&super::flatten::Leaf| joined(&leaf.name) == joined(name);
            let mut leaves = form
                .leaves
                .iter()
                .filter(|leaf| !leaf.guessed && leaf.chain.len() == 1);
            leaves.find(named)
        };
        for defect in defects(answer) {
            match defect {
                Defect::Missing(path, kind) => {
                    if let [name] = path.as_slice()
                        && declared(name).is_none()
                    {
                        self.add(
                            name,
                            Argument {
                                kind,
                                optional: false,
                            },
                        );
                    }
                }
                Defect::Choice(path, said, choices) => {
                    let mut named = path.iter().chain(&said).filter_map(|name| declared(name));
                    let leaf = named.find(|leaf| leaf.takes_text() && leaf.choices.is_empty());
                    if let Some(leaf) = leaf {
                        self.choices.entry(leaf.name.clone()).or_insert(choices);
                    }
                }
                Defect::Unknown(..) | Defect::Mistyped(..) => {}
            }
        }
    }

    /// The tool as it would be if its schema said so too; none where that is the same.
    fn applied(&self, tool: &Tool) -> Option<Tool> {
        let mut schema = match &tool.input_schema {
            Value::Object(schema) => schema.clone(),
            _ => Map::new(),
        };
        let listed = |key: &str| schema.get(key).cloned();
        let mut properties = match listed("properties") {
            Some(Value::Object(properties)) => properties,
            _ => Map::new(),
        };
        let mut required = match listed("required") {
            Some(Value::Array(required)) => required,
            _ => Vec::new(),
        };
        let before = properties.clone();
        for (name, argument) in &self.names {
            if properties.contains_key(name) {
                continue;
            }
            let word = match argument.kind {
                Some(Kind::Integer) => "integer",
                Some(Kind::Number) => "number",
                Some(Kind::Boolean) => "boolean",
                Some(Kind::Array) => "array",
                Some(Kind::Object) => "object",
                Some(Kind::Text) | None => "string",
            };
            let mut property = json!({ "type": word });
            if word == "array" {
                property["items"] = json!({ "type": "string" });
            }
            properties.insert(name.clone(), property);
            if !argument.optional {
                required.push(Value::from(name.as_str()));
            }
        }
        for (name, choices) in &self.choices {
            let property = properties.get_mut(name).and_then(Value::as_object_mut);
            if let Some(property) = property.filter(|it| !it.contains_key("enum")) {
                property.insert(String::from("enum"), json!(choices));
            }
        }
        if properties == before {
            return None;
        }
        schema.insert(String::from("type"), Value::from("object"));
        schema.insert(String::from("properties"), Value::Object(properties));
        schema.insert(String::from("required"), Value::Array(required));
        Some(Tool {
            input_schema: Value::Object(schema),
            ..tool.clone()
        })
    }
}

impl<C: Caller> Lab<'_, C> {
    /// Keeps what an answer to a call tells of a tool's arguments.
    pub(super) fn keep_lesson(&self, order: usize, form: &Form, answer: &str) {
        if answer.len() > READ {
            return;
        }
        let mut lessons = self.lessons.lock().unwrap_or_else(PoisonError::into_inner);
        lessons.entry(order).or_default().learn(form, answer);
    }

    fn lesson(&self, order: usize) -> Lesson {
        let lessons = self.lessons.lock().unwrap_or_else(PoisonError::into_inner);
        lessons.get(&order).cloned().unwrap_or_default()
    }

    /// Tries a tool again with the arguments and values that it told of by words.
    pub(super) async fn taught(&self, order: usize, tool: &Tool, found: &mut Found) {
        if found.skipped.is_some() || tool.name == RESOURCES_READ || self.hangs(order) {
            return;
        }
        let undeclared = forms(tool)
            .iter()
            .all(|form| form.leaves.iter().all(|leaf| leaf.guessed));
        let none_proven =
            |found: &Found| !found.channels.iter().any(|channel| channel.proof.proven());
        let mut lesson = Lesson::default();
        if undeclared && none_proven(found) {
            for (name, argument) in spoken(&tool.description) {
                lesson.add(&name, argument);
            }
            if lesson.names.is_empty() {
                self.ask_with_nothing(order, tool).await;
            }
        }
        let mut known: Option<Tool> = None;
        for _ in 0..ROUNDS {
            let told = self.lesson(order);
            lesson.choices.extend(told.choices);
            if none_proven(found) {
                for (name, argument) in told.names {
                    lesson.add(&name, argument);
                }
            }
            let Some(amended) = lesson.applied(tool) else {
                return;
            };
            if known
                .as_ref()
                .is_some_and(|known| known.input_schema == amended.input_schema)
            {
                return;
            }
            let mut again = self.tool(order, &amended, &[]).await;
            if none_proven(&again) {
                self.guess(order, &amended, &mut again).await;
            }
            again.channels.retain(|channel| channel.proof.proven());
            for channel in again.channels {
                let same = |other: &crate::channel::Channel| {
                    other.role == channel.role
                        && (other.proof.proven() || other.name() == channel.name())
                };
                found
                    .channels
                    .retain(|other| other.proof.proven() || !same(other));
                if !found.channels.iter().any(same) {
                    found.channels.push(channel);
                }
            }
            found.settle(|channel| channel.score >= 1.0);
            known = Some(amended);
        }
    }

    /// Calls a tool that declares no argument without any, to hear what it lacks; not one that says that it takes none.
    async fn ask_with_nothing(&self, order: usize, tool: &Tool) {
        let closed = tool.input_schema.get("additionalProperties") == Some(&Value::Bool(false));
        // Without arguments it may restart what runs, or publish what is there.
        let harmless = tells(tool) || (self.ground.forgets && !self.ground.read_only);
        if destructive(tool).is_some() || closed || !harmless {
            return;
        }
        let params = json!({ "name": tool.name, "arguments": {} });
        let answer = self.ask("tools/call", params).await;
        if answer.outcome.is_error() && !excerpt(&answer).is_empty() {
            self.keep_lesson(order, &Form::default(), &answer.outcome.text());
        }
    }
}

/// The arguments that a description names: below `Args:` or after `Takes`.
fn spoken(description: &str) -> Vec<(String, Argument)> {
    const HEADS: &[&str] = &[
        "args:",
        "arguments:",
        "parameters:",
        "params:",
        "inputs:",
        "input:",
        "takes ",
        "expects ",
        "requires ",
    ];
    const ENDS: &[&str] = &["returns", "example", "raises", "output"];
    let text: String = description.chars().take(READ).collect();
    let lower = text.to_lowercase();
    if lower.len() != text.len() {
        return Vec::new();
    }
    let head = HEADS
        .iter()
        .find_map(|head| Some(lower.find(head)? + head.len()));
    let Some(start) = head else {
        return Vec::new();
    };
    let end = ENDS.iter().filter_map(|end| lower[start..].find(end)).min();
    let rest = end.map_or(&text[start..], |end| &text[start..start + end]);
    let lines = rest.lines().filter(|line| !line.trim().is_empty());
    let several = lines.clone().count() > 1;
    let parts: Vec<&str> = if several {
        lines.collect()
    } else {
        rest.split([',', ';']).collect()
    };
    let mut found: Vec<(String, Argument)> = Vec::new();
    for part in parts.into_iter().take(2 * NAMES) {
        let Some(name) = quoted(part).into_iter().next().or_else(|| leading(part)) else {
            continue;
        };
        let said = words(part);
        let says = |list: &[&str]| said.iter().any(|word| list.contains(&word.as_str()));
        let kind = [
            (Kind::Integer, &["int", "integer", "number"][..]),
            (Kind::Boolean, &["bool", "boolean"][..]),
            (Kind::Array, &["array", "list"][..]),
        ]
        .into_iter()
        .find_map(|(kind, names)| says(names).then_some(kind));
        let optional = says(&["optional", "optionally", "default"]);
        if !found.iter().any(|(known, _)| *known == name) {
            found.push((name, Argument { kind, optional }));
        }
    }
    found.truncate(NAMES);
    found
}

/// The name with which a line begins, if what follows says that it is one.
fn leading(part: &str) -> Option<String> {
    let part =
        part.trim_start_matches(|letter: char| letter.is_whitespace() || "-*•".contains(letter));
    let end = part
        .find(|letter: char| !(letter.is_alphanumeric() || letter == '_'))
        .unwrap_or(part.len());
    let (name, rest) = part.split_at(end);
    let rest = rest.trim_start();
    let named = (1..=40).contains(&name.len())
        && (rest.is_empty()
            || rest.starts_with([':', '(', '-', '–', '=']) && !rest.starts_with("://"));
    named.then(|| name.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(description: &str) -> Vec<String> {
        spoken(description)
            .into_iter()
            .map(|(name, _)| name)
            .collect()
    }

    #[test]
    fn arguments_are_named_in_many_ways() {
        for description in [
            "Stores it.\n\nArgs:\n    path: where\n    text (str, optional): what\n\nReturns:\n    nothing: at all",
            "Stores it. Arguments: `path` (string), `text` (string, optional).",
            "Stores it. Parameters: path (string), text (string)",
            "Stores it. Takes 'path', and 'text' which is optional.",
            "Inputs:\n- path: where\n- text: what",
        ] {
            assert_eq!(names(description), ["path", "text"], "{description}");
        }
        let told = spoken("Args:\n  n (int): how many\n  all (bool, optional): whether");
        assert_eq!(
            told[0].1,
            Argument {
                kind: Some(Kind::Integer),
                optional: false
            }
        );
        assert_eq!(
            told[1].1,
            Argument {
                kind: Some(Kind::Boolean),
                optional: true
            }
        );
        for description in [
            "",
            "Lists the allowed directories.",
            "Takes no arguments.",
            "args:",
            "\u{130} args: a",
        ] {
            assert!(names(description).is_empty(), "{description}");
        }
    }

    #[test]
    fn complaints_amend_the_schema() {
        let tool = Tool {
            input_schema: json!({ "type": "object", "properties": { "mode": { "type": "string" } } }),
            ..Tool::named("perform")
        };
        let form = forms(&tool).remove(0);
        let mut lesson = Lesson::default();
        assert!(lesson.applied(&tool).is_none());
        lesson.learn(&form, "mode must be one of: read, write");
        lesson.learn(&form, "missing required argument: path");
        let amended = lesson.applied(&tool).map(|tool| tool.input_schema);
        let expected = json!({
            "type": "object",
            "properties": {
                "mode": { "type": "string", "enum": ["read", "write"] },
                "path": { "type": "string" }
            },
            "required": ["path"]
        });
        assert_eq!(amended, Some(expected));
    }
}
