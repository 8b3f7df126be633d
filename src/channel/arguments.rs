//! From slot values to the arguments of a call.
//!
//! Owns how a path or pattern is spelled for a channel and how values reach their JSON Pointers.
//! Knows nothing of where the values come from.

use std::borrow::Cow;
use std::{collections::BTreeMap, path::Path};

use data_encoding::BASE64;
use serde_json::{Map, Value};

use super::fresh;
use crate::{
    channel::{Channel, NetForm, PathForm, PatternForm, Spelled},
    probe::{Role, Slot},
    session::asking,
};

/// Stands in [`Channel::fixed`] for the allowed directory, which differs from run to run.
pub const ALLOWED: &str = "{allowed}";

/// The tool name of channels that are no tool: the request `resources/read`.
pub const RESOURCES_READ: &str = "resources/read";

/// Values for the slots of one call.
pub type Values = BTreeMap<Slot, SlotValue>;

/// What goes into a slot.
#[derive(Debug, Clone, PartialEq)]
pub enum SlotValue {
    /// A path or text, spelled as the channel wants it.
    Text(String),
    /// Several of them, for slot `paths`.
    Many(Vec<String>),
    /// Exactly this value, as it stands.
    Json(Value),
}

impl NetForm {
    /// Spells a URL. Purely lexical: another scheme than `http` and `https` (an attack) stays.
    #[must_use]
    pub fn apply(self, url: &str) -> Cow<'_, str> {
        let rest = ["http://", "https://"]
            .iter()
            .find_map(|scheme| url.strip_prefix(scheme))
            .unwrap_or(url);
        match self {
            NetForm::Whole
            | NetForm::TextPort
            | NetForm::Split
            | NetForm::SplitBase
            | NetForm::Rooted => url.into(),
            NetForm::Secure if rest.len() == url.len() => url.into(),
            NetForm::Secure => format!("https://{rest}").into(),
            NetForm::Bare => rest.into(),
            NetForm::Host if rest.contains("://") => url.into(),
            NetForm::Host => rest.split(['/', '?', '#']).next().unwrap_or(rest).into(),
        }
    }
}

/// A URL in two: host and port, with the scheme before them where that is wanted, and all that follows.
fn halves(url: &str, with_scheme: bool) -> Spelled {
    let rest = &*NetForm::Bare.apply(url);
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let scheme = &url[..url.len() - rest.len()];
    Spelled::Two {
        dir: format!("{}{}", if with_scheme { scheme } else { "" }, &rest[..end]),
        name: match &rest[end..] {
            path if path.starts_with('/') => path.to_owned(),
            other => format!("/{other}"),
        },
    }
}

/// Host and port in one text; the colons of an IPv6 address need brackets.
fn join(host: &str, port: &str) -> String {
    if host.contains(':') && !host.starts_with('[') {
        format!("[{host}]:{port}")
    } else {
        format!("{host}:{port}")
    }
}

impl PatternForm {
    /// Spells a search pattern; one that already is a glob stays as it is.
    #[must_use]
    pub fn apply(self, pattern: &str) -> String {
        match self {
            _ if pattern.contains('*') => pattern.to_owned(),
            PatternForm::Plain => pattern.to_owned(),
            PatternForm::Glob => format!("*{pattern}*"),
            PatternForm::DeepGlob => format!("**/*{pattern}*"),
        }
    }
}

impl Channel {
    /// The arguments of a call: the fixed ones and the given slots, spelled as the channel wants
    /// them. Slots without a value are left out, which is how a missing argument is tried.
    #[must_use]
    pub fn arguments(&self, values: &Values, root: &Path) -> Map<String, Value> {
        let mut arguments = Value::Object(self.fixed.clone());
        self.settle(&mut arguments, root);
        for (slot, pointers) in &self.slots {
            let (Some(value), Some(first)) = (values.get(slot), pointers.first()) else {
                continue;
            };
            match value {
                _ if *slot == Slot::Port => {
                    let port = self.port(first, value, values);
                    put(&mut arguments, first, port);
                }
                SlotValue::Text(text) if *slot == Slot::Text && self.takes_words() => {
                    put_words(&mut arguments, pointers, text);
                }
                SlotValue::Json(value) => put(&mut arguments, first, value.clone()),
                SlotValue::Text(text) => match self.spell(*slot, root, text) {
                    Spelled::One(text) => put(&mut arguments, first, Value::String(text)),
                    Spelled::Two { dir, name } => {
                        put(&mut arguments, first, Value::String(dir));
                        if let Some(second) = pointers.get(1) {
                            put(&mut arguments, second, Value::String(name));
                        }
                    }
                },
                SlotValue::Many(texts) => {
                    let texts = texts
                        .iter()
                        .map(|text| match self.spell(*slot, root, text) {
                            Spelled::One(text) => text,
                            Spelled::Two { dir, name } => format!("{dir}/{name}"),
                        })
                        .collect();
                    put_many(&mut arguments, first, texts);
                }
            }
        }
        match arguments {
            Value::Object(arguments) => arguments,
            // `put` only replaces the root for the pointer "", and no slot has that one.
            _ => Map::new(),
        }
    }

    /// Method and parameters of the request that [`Channel::arguments`] go into.
    #[must_use]
    pub fn request(&self, values: &Values, root: &Path) -> (&'static str, Value) {
        let arguments = self.arguments(values, root);
        if self.role == Role::ResourceRead && self.tool == RESOURCES_READ {
            (RESOURCES_READ, Value::Object(arguments))
        } else {
            asking(&self.tool, arguments)
        }
    }

    /// The value at the pointer of the port, which may be the host's too.
    fn port(&self, pointer: &String, value: &SlotValue, values: &Values) -> Value {
        let text = match value {
            SlotValue::Text(text) => text.clone(),
            SlotValue::Json(Value::String(text)) => text.clone(),
            SlotValue::Json(other) => other.to_string(),
            SlotValue::Many(texts) => texts.join(","),
        };
        let joined = self
            .slots
            .get(&Slot::Host)
            .is_some_and(|pointers| pointers.first() == Some(pointer));
        match (values.get(&Slot::Host), value) {
            (Some(SlotValue::Text(host)), _) if joined => Value::String(join(host, &text)),
            _ if self.net == NetForm::TextPort => Value::String(text),
            (_, SlotValue::Json(exact)) => exact.clone(),
            _ => text.parse::<u64>().map_or(Value::String(text), Value::from),
        }
    }

    /// Whether a command goes into the channel word by word.
    fn takes_words(&self) -> bool {
        let places = self.slots.get(&Slot::Text).into_iter().flatten();
        self.role == Role::ExecCommand && places.clone().any(|pointer| pointer.contains("/-"))
    }

    fn spell(&self, slot: Slot, root: &Path, text: &str) -> Spelled {
        match slot {
            Slot::Path | Slot::Paths | Slot::Source => self.in_uri(self.form.apply(root, text)),
            Slot::Ident if self.form == PathForm::SplitRelative => self.form.apply(root, text),
            Slot::Pattern => Spelled::One(self.pattern.apply(text)),
            Slot::Content if self.encoded => Spelled::One(BASE64.encode(text.as_bytes())),
            Slot::Url if matches!(self.net, NetForm::Split | NetForm::SplitBase) => {
                halves(text, self.net == NetForm::SplitBase)
            }
            Slot::Url => Spelled::One(self.net.apply(text).into_owned()),
            _ => Spelled::One(text.to_owned()),
        }
    }

    /// A path inside the URI that the channel wants around it.
    fn in_uri(&self, path: Spelled) -> Spelled {
        match (&self.uri, path) {
            (None, path) => path,
            (Some(uri), Spelled::One(path)) => Spelled::One(uri.apply(&path)),
            (Some(uri), Spelled::Two { dir, name }) => Spelled::Two {
                dir: uri.apply(&dir),
                name,
            },
        }
    }

    /// Puts the allowed directory of this run where `{allowed}` stands, and a new name where `{new}` does.
    fn settle(&self, value: &mut Value, root: &Path) {
        match value {
            Value::String(text) if text.contains(ALLOWED) || text.contains(fresh::NEW) => {
                let path = text.replace(ALLOWED, &root.to_string_lossy());
                let path = fresh::named(&path);
                let form = match self.form {
                    PathForm::Split | PathForm::Glob => PathForm::Absolute,
                    PathForm::SplitRelative | PathForm::RelativeGlob | PathForm::Stem => {
                        PathForm::Relative
                    }
                    form => form,
                };
                *text = match self.in_uri(form.apply(root, &path)) {
                    Spelled::One(text) => text,
                    Spelled::Two { .. } => path,
                };
            }
            Value::Array(items) => items.iter_mut().for_each(|item| self.settle(item, root)),
            Value::Object(members) => members
                .values_mut()
                .for_each(|member| self.settle(member, root)),
            _ => {}
        }
    }
}

/// The tokens of a JSON Pointer (RFC 6901), unescaped.
pub(super) fn tokens(pointer: &str) -> impl Iterator<Item = String> {
    pointer
        .split('/')
        .skip(1)
        .map(|token| token.replace("~1", "/").replace("~0", "~"))
}

/// A key as a token of a JSON Pointer.
pub(super) fn escape(key: &str) -> String {
    key.replace('~', "~0").replace('/', "~1")
}

/// Puts a value at a pointer, making the objects and arrays on the way. `-` and numbers are array
/// places unless an object is there already.
pub(super) fn put(document: &mut Value, pointer: &str, value: Value) {
    let mut here = document;
    for token in tokens(pointer) {
        let index = if token == "-" {
            Some(0)
        } else {
            token.parse::<usize>().ok().filter(|index| *index < 64)
        };
        here = match index {
            Some(index) if !here.is_object() || here.as_object().is_some_and(Map::is_empty) => {
                if !here.is_array() {
                    *here = Value::Array(Vec::new());
                }
                let Value::Array(items) = here else { return };
                while items.len() <= index {
                    items.push(Value::Object(Map::new()));
                }
                &mut items[index]
            }
            _ => {
                if !here.is_object() {
                    *here = Value::Object(Map::new());
                }
                let Value::Object(members) = here else { return };
                members
                    .entry(token)
                    .or_insert_with(|| Value::Object(Map::new()))
            }
        };
    }
    *here = value;
}

/// Puts the words of a command where they go: all into one array, or the first beside the others.
fn put_words(document: &mut Value, pointers: &[String], command: &str) {
    let mut words = shell_words::split(command)
        .unwrap_or_else(|_| command.split_whitespace().map(str::to_owned).collect());
    match pointers {
        [all] => put_many(document, all, words),
        [first, rest, ..] => {
            let others = words.split_off(words.len().min(1));
            put(
                document,
                first,
                Value::from(words.pop().unwrap_or_default()),
            );
            put_many(document, rest, others);
        }
        [] => {}
    }
}

/// Puts several texts at a pointer that holds `/-`: one array element each, alike in everything
/// else that the first element has.
fn put_many(document: &mut Value, pointer: &str, texts: Vec<String>) {
    let (prefix, suffix) = match pointer.split_once("/-") {
        Some((prefix, suffix)) => (prefix, suffix),
        None => (pointer, ""),
    };
    let template = document.pointer(&format!("{prefix}/0")).cloned();
    let elements = texts
        .into_iter()
        .map(|text| {
            let mut element = template.clone().unwrap_or(Value::Object(Map::new()));
            put(&mut element, suffix, Value::String(text));
            element
        })
        .collect();
    put(document, prefix, Value::Array(elements));
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn arrays_of_objects_are_filled_alike() {
        let mut document = json!({ "files": [{ "mode": "r" }] });
        put_many(&mut document, "/files/-/path", vec!["a".into(), "b".into()]);
        assert_eq!(
            document,
            json!({ "files": [{ "mode": "r", "path": "a" }, { "mode": "r", "path": "b" }] })
        );
        let mut document = json!({});
        put_many(&mut document, "/params/paths/-", vec!["a".into()]);
        put(&mut document, "/edits/0/old~1text", json!("x"));
        assert_eq!(
            document,
            json!({ "params": { "paths": ["a"] }, "edits": [{ "old/text": "x" }] })
        );
    }
}
