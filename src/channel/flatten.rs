//! From an input schema to its leaves.
//!
//! Owns reading JSON Schema leniently: what a target advertises may be empty, wrong or endless, and
//! none of that is an error here. Never follows a reference out of the document.

use serde_json::{Map, Value};

use super::arguments::{escape, tokens};

const MAX_DEPTH: usize = 6;
const MAX_LEAVES: usize = 200;
const MAX_FORMS: usize = 24;

/// One way to call a tool: the branches of a union at the top are forms of their own.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Form {
    pub(super) leaves: Vec<Leaf>,
}

/// A place in the arguments that takes a value.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Leaf {
    /// JSON Pointer; `-` stands for any element of an array.
    pub(super) pointer: String,
    /// Name of the nearest property.
    pub(super) name: String,
    pub(super) kinds: Vec<Kind>,
    /// Each prefix of the pointer, and whether its parent demands it.
    pub(super) chain: Vec<(String, bool)>,
    pub(super) description: String,
    pub(super) format: Option<String>,
    /// `const`.
    pub(super) constant: Option<Value>,
    pub(super) default: Option<Value>,
    pub(super) examples: Vec<Value>,
    /// `enum`.
    pub(super) choices: Vec<Value>,
    pub(super) minimum: Option<f64>,
    pub(super) maximum: Option<f64>,
    pub(super) min_items: u64,
    /// Not advertised: offered because the schema says nothing.
    pub(super) guessed: bool,
}

/// Type of a leaf; none known means any.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Text,
    Integer,
    Number,
    Boolean,
    Array,
    Object,
}

impl Leaf {
    /// A text parameter of that name that no schema mentions.
    pub(super) fn guess(name: &str) -> Leaf {
        let pointer = format!("/{}", escape(name));
        Leaf {
            chain: vec![(pointer.clone(), false)],
            pointer,
            name: name.to_owned(),
            kinds: vec![Kind::Text],
            description: String::new(),
            format: None,
            constant: None,
            default: None,
            examples: Vec::new(),
            choices: Vec::new(),
            minimum: None,
            maximum: None,
            min_items: 0,
            guessed: true,
        }
    }

    /// Whether it may hold a text.
    pub(super) fn takes_text(&self) -> bool {
        self.constant.is_none() && (self.kinds.is_empty() || self.kinds.contains(&Kind::Text))
    }

    /// Whether it is declared to hold a number.
    pub(super) fn takes_number(&self) -> bool {
        self.constant.is_none()
            && self
                .kinds
                .iter()
                .any(|kind| matches!(kind, Kind::Integer | Kind::Number))
    }

    /// Whether it is declared to hold an object of whatever members.
    pub(super) fn takes_object(&self) -> bool {
        self.constant.is_none() && self.kinds.contains(&Kind::Object)
    }

    /// Whether it lies in an array.
    pub(super) fn in_array(&self) -> bool {
        tokens(&self.pointer).any(|token| token == "-")
    }

    /// Whether every call must have it.
    pub(super) fn required(&self) -> bool {
        self.chain.iter().all(|(_, required)| *required)
    }
}

/// The leaves of an input schema. A schema that says nothing gives one form without leaves.
pub(super) fn flatten(schema: &Value) -> Vec<Form> {
    let mut forms: Vec<Form> = alternatives(schema)
        .iter()
        .take(MAX_FORMS)
        .map(|alternative| {
            let mut walk = Walk {
                document: schema,
                leaves: Vec::new(),
            };
            walk.visit(alternative, "", "", &[], 0);
            walk.leaves.retain(|leaf| !leaf.pointer.is_empty());
            Form {
                leaves: walk.leaves,
            }
        })
        .collect();
    forms.dedup();
    forms
}

/// The schema once per branch of a union of objects at the top, or in its only property.
fn alternatives(schema: &Value) -> Vec<Value> {
    let top = resolve(schema, schema);
    if let Some(branches) = object_branches(schema, &top) {
        let mut base = top.clone();
        base.remove("anyOf");
        base.remove("oneOf");
        return branches
            .into_iter()
            .map(|branch| {
                Value::Object(Map::from_iter([(
                    String::from("allOf"),
                    Value::Array(vec![Value::Object(base.clone()), Value::Object(branch)]),
                )]))
            })
            .collect();
    }
    if let Some(properties) = top.get("properties").and_then(Value::as_object)
        && let (1, Some((name, only))) = (properties.len(), properties.iter().next())
        && let Some(branches) = object_branches(schema, &resolve(schema, only))
    {
        return branches
            .into_iter()
            .map(|branch| {
                let mut whole = top.clone();
                whole.insert(
                    String::from("properties"),
                    Value::Object(Map::from_iter([(name.clone(), Value::Object(branch))])),
                );
                Value::Object(whole)
            })
            .collect();
    }
    vec![schema.clone()]
}

fn object_branches(
    document: &Value,
    schema: &Map<String, Value>,
) -> Option<Vec<Map<String, Value>>> {
    let branches: Vec<Map<String, Value>> = ["oneOf", "anyOf"]
        .iter()
        .filter_map(|key| schema.get(*key).and_then(Value::as_array))
        .flatten()
        .map(|branch| resolve(document, branch))
        .filter(|branch| branch.contains_key("properties"))
        .collect();
    (branches.len() > 1).then_some(branches)
}

/// The schema with local references followed; words beside a reference win over its own.
fn resolve(document: &Value, schema: &Value) -> Map<String, Value> {
    let mut found = schema.as_object().cloned().unwrap_or_default();
    for _ in 0..8 {
        let Some(Value::String(reference)) = found.remove("$ref") else {
            break;
        };
        let Some(target) = reference
            .strip_prefix('#')
            .and_then(|pointer| document.pointer(pointer))
            .and_then(Value::as_object)
        else {
            break;
        };
        for (key, value) in target {
            found.entry(key.clone()).or_insert_with(|| value.clone());
        }
    }
    found
}

struct Walk<'d> {
    document: &'d Value,
    leaves: Vec<Leaf>,
}

impl Walk<'_> {
    fn visit(
        &mut self,
        schema: &Value,
        pointer: &str,
        name: &str,
        chain: &[(String, bool)],
        depth: usize,
    ) {
        if depth > MAX_DEPTH || self.leaves.len() >= MAX_LEAVES {
            return;
        }
        let schema = self.merged(schema, 0);
        if let Some(properties) = schema.get("properties").and_then(Value::as_object) {
            let required: Vec<&str> = schema
                .get("required")
                .and_then(Value::as_array)
                .into_iter()
                .flatten()
                .filter_map(Value::as_str)
                .collect();
            for (key, child) in properties {
                let pointer = format!("{pointer}/{}", escape(key));
                let mut chain = chain.to_vec();
                chain.push((pointer.clone(), required.contains(&key.as_str())));
                self.visit(child, &pointer, key, &chain, depth + 1);
            }
            if !properties.is_empty() {
                return;
            }
        }
        let branches: Vec<&Value> = ["anyOf", "oneOf"]
            .iter()
            .filter_map(|key| schema.get(*key).and_then(Value::as_array))
            .flatten()
            .filter(|branch| branch.get("type").and_then(Value::as_str) != Some("null"))
            .collect();
        if !branches.is_empty() {
            for branch in branches {
                let mut branch = resolve(self.document, branch);
                for word in ["description", "default", "examples"] {
                    if let Some(value) = schema.get(word) {
                        branch.entry(word).or_insert_with(|| value.clone());
                    }
                }
                self.visit(&Value::Object(branch), pointer, name, chain, depth + 1);
            }
            return;
        }
        let leaf = leaf(&schema, pointer, name, chain);
        if let Some(items) = schema.get("items").filter(|items| items.is_object()) {
            let pointer = format!("{pointer}/-");
            let mut chain = chain.to_vec();
            chain.push((pointer.clone(), leaf.min_items > 0));
            let mut items = resolve(self.document, items);
            if let Some(description) = schema.get("description") {
                items
                    .entry("description")
                    .or_insert_with(|| description.clone());
            }
            self.visit(&Value::Object(items), &pointer, name, &chain, depth + 1);
        }
        match self
            .leaves
            .iter_mut()
            .find(|known| known.pointer == pointer)
        {
            Some(known) => {
                known.kinds.extend(leaf.kinds);
                known.choices.extend(leaf.choices);
            }
            None => self.leaves.push(leaf),
        }
    }

    /// The schema with its references followed and `allOf` put into one.
    fn merged(&self, schema: &Value, depth: usize) -> Map<String, Value> {
        let mut whole = resolve(self.document, schema);
        let Some(Value::Array(parts)) = whole.remove("allOf") else {
            return whole;
        };
        if depth > MAX_DEPTH {
            return whole;
        }
        for part in &parts {
            for (key, value) in self.merged(part, depth + 1) {
                match (whole.get_mut(&key), value) {
                    (Some(Value::Object(known)), Value::Object(more)) => {
                        for (name, value) in more {
                            known.insert(name, value);
                        }
                    }
                    (Some(Value::Array(known)), Value::Array(more)) => known.extend(more),
                    (Some(_), _) => {}
                    (None, value) => {
                        whole.insert(key, value);
                    }
                }
            }
        }
        whole
    }
}

fn leaf(schema: &Map<String, Value>, pointer: &str, name: &str, chain: &[(String, bool)]) -> Leaf {
    let words = match schema.get("type") {
        Some(Value::String(word)) => vec![word.as_str()],
        Some(Value::Array(words)) => words.iter().filter_map(Value::as_str).collect(),
        _ => Vec::new(),
    };
    let kinds = words
        .into_iter()
        .filter_map(|word| match word {
            "string" => Some(Kind::Text),
            "integer" => Some(Kind::Integer),
            "number" => Some(Kind::Number),
            "boolean" => Some(Kind::Boolean),
            "array" => Some(Kind::Array),
            "object" => Some(Kind::Object),
            _ => None,
        })
        .collect();
    let list = |key: &str| {
        schema
            .get(key)
            .and_then(Value::as_array)
            .cloned()
            .unwrap_or_default()
    };
    let text = |key: &str| schema.get(key).and_then(Value::as_str).map(str::to_owned);
    let mut examples = list("examples");
    examples.extend(schema.get("example").cloned());
    let number = |keys: [&str; 2]| {
        keys.iter()
            .find_map(|key| schema.get(*key).and_then(Value::as_f64))
    };
    Leaf {
        pointer: pointer.to_owned(),
        name: name.to_owned(),
        kinds,
        chain: chain.to_vec(),
        description: [text("title"), text("description")]
            .into_iter()
            .flatten()
            .collect::<Vec<_>>()
            .join(". "),
        format: text("format"),
        constant: schema.get("const").cloned(),
        default: schema
            .get("default")
            .filter(|value| !value.is_null())
            .cloned(),
        examples,
        choices: list("enum")
            .into_iter()
            .filter(|value| !value.is_null())
            .collect(),
        minimum: number(["minimum", "exclusiveMinimum"]),
        maximum: number(["maximum", "exclusiveMaximum"]),
        min_items: schema.get("minItems").and_then(Value::as_u64).unwrap_or(0),
        guessed: false,
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;
    use serde_json::json;

    fn pointers(schema: &Value) -> Vec<Vec<String>> {
        flatten(schema)
            .into_iter()
            .map(|form| form.leaves.into_iter().map(|leaf| leaf.pointer).collect())
            .collect()
    }

    #[test]
    fn wrappers_references_and_arrays_are_followed() {
        let schema = json!({
            "type": "object",
            "required": ["params"],
            "properties": { "params": { "anyOf": [{ "$ref": "#/$defs/P" }, { "type": "null" }] } },
            "$defs": { "P": {
                "type": "object",
                "required": ["files"],
                "properties": {
                    "files": { "type": "array", "minItems": 1, "items": { "allOf": [{ "$ref": "#/$defs/F" }] } },
                    "next": { "$ref": "#/$defs/P" }
                }
            }, "F": { "properties": { "path": { "type": ["string", "null"] } }, "required": ["path"] } }
        });
        let forms = flatten(&schema);
        let path = forms[0]
            .leaves
            .iter()
            .find(|leaf| leaf.pointer == "/params/files/-/path")
            .unwrap();
        assert!(path.takes_text() && path.in_array() && path.required());
        assert!(forms[0].leaves.len() < MAX_LEAVES);
    }

    #[test]
    fn a_union_at_the_top_gives_forms() {
        let schema = json!({ "oneOf": [
            { "properties": { "op": { "const": "read" }, "path": { "type": "string" } } },
            { "properties": { "op": { "const": "list" }, "dir": { "type": "string" } } }
        ] });
        assert_eq!(pointers(&schema), [["/op", "/path"], ["/op", "/dir"]]);
    }

    #[test]
    fn nothing_in_a_schema_is_an_error() {
        for schema in [
            Value::Null,
            json!({}),
            json!([]),
            json!({ "properties": [] }),
            json!({ "$ref": "#" }),
            json!({ "$ref": "http://example.com/schema" }),
            json!({ "allOf": [{ "$ref": "#" }] }),
        ] {
            assert!(pointers(&schema).concat().is_empty(), "{schema}");
        }
    }
}
