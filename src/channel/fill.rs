//! The arguments of a call that no slot fills.
//!
//! Owns values for required parameters and the parameters that keep a call small and harmless.
//! Every value is one that any server may be given: nothing here attacks. So is the file that some of them name.

use std::path::Path;

use serde_json::{Map, Value};

use super::{
    arguments::{ALLOWED, put},
    complaint::quoted,
    flatten::{Kind, Leaf},
    fresh::NEW,
    score::{Candidate, joined, writes},
    slots::{Binding, single},
    words::{self, Words, words},
};
use crate::{
    channel::{Channel, NetForm, PathForm, PatternForm, Proof},
    probe::{Role, Slot},
    session::Tool,
    testbed::document::{NAME, document},
};

/// A harmless file in the allowed directory for required file parameters that no slot drives; others differ from it
/// by their extension.
pub const SIDE_FILE: &str = "side.txt";

/// A text where nothing tells what one is for.
pub(super) const MADE_UP: &str = NAME;

/// A channel as the names suggest it: not proven, and its form not yet known.
pub(super) fn draft(tool: &Tool, candidate: &Candidate, binding: &Binding) -> Channel {
    Channel {
        tool: tool.name.clone(),
        role: candidate.role,
        slots: binding.slots.clone(),
        fixed: fixed(candidate, binding),
        form: PathForm::Absolute,
        bare: false,
        encoded: binding.slots.get(&Slot::Content).is_some_and(|pointers| {
            let mut named = pointers.iter().flat_map(|pointer| words(pointer));
            named.any(|word| matches!(word.as_str(), "base64" | "b64"))
        }),
        action: None,
        uri: None,
        net: NetForm::default(),
        pattern: PatternForm::Plain,
        extension: String::from(".txt"),
        score: candidate.score,
        proof: Proof::Unproven {
            why: String::from("not tried yet"),
        },
        destructive: false,
        recipe: None,
        base: None,
        usual: None,
        keeps: None,
        joined: None,
        then: None,
    }
}

fn fixed(candidate: &Candidate, binding: &Binding) -> Map<String, Value> {
    let slots: Vec<String> = binding
        .slots
        .values()
        .flatten()
        .map(|p| general(p))
        .collect();
    // What lies around a slot is there in every call, so its required members are too.
    let opened: Vec<&str> = slots
        .iter()
        .flat_map(|slot| {
            slot.char_indices()
                .filter(|(at, letter)| *at > 0 && *letter == '/')
                .map(|(at, _)| &slot[..at])
        })
        .collect();
    let mut arguments = Value::Object(Map::new());
    for leaf in &candidate.form.leaves {
        if slots.contains(&leaf.pointer) || opened.contains(&leaf.pointer.as_str()) {
            continue;
        }
        let needed = leaf
            .chain
            .iter()
            .all(|(prefix, required)| *required || opened.contains(&prefix.as_str()));
        let there = leaf
            .chain
            .iter()
            .rev()
            .skip(1)
            .all(|(prefix, required)| *required || opened.contains(&prefix.as_str()));
        let value = if needed && leaf.kinds.first() == Some(&Kind::Array) {
            Some(items(leaf, candidate))
        } else if needed {
            Some(value_for(leaf, candidate.role))
        } else if there {
            safety(leaf, candidate.role)
        } else {
            None
        };
        if let Some(value) = value {
            put(&mut arguments, &single(&leaf.pointer), value);
        }
    }
    if let Some((pointer, value)) = &candidate.choice {
        put(&mut arguments, &single(pointer), value.clone());
    }
    match arguments {
        Value::Object(arguments) => arguments,
        _ => Map::new(),
    }
}

/// A required array: with one harmless file where it lists files, since most tools refuse to work
/// on none; with one element where that can be made up without a text, such as a range of lines; else as empty as its
/// type allows.
fn items(leaf: &Leaf, candidate: &Candidate) -> Value {
    let element = format!("{}/-", leaf.pointer);
    let file = candidate
        .form
        .leaves
        .iter()
        .find(|leaf| leaf.pointer == element && leaf.takes_text() && pathlike(leaf));
    match file {
        Some(file) => Value::Array(vec![value_for(file, candidate.role)]),
        None => element_of(&element, candidate).map_or_else(
            || value_for(leaf, candidate.role),
            |one| Value::Array(vec![one]),
        ),
    }
}

/// An element of an array with the members that it must have, where each is a number or what the schema offers.
fn element_of(element: &str, candidate: &Candidate) -> Option<Value> {
    let below = |pointer: &str| {
        let rest = pointer.strip_prefix(element);
        rest.is_some_and(|rest| rest.starts_with('/'))
    };
    let demanded: Vec<&Leaf> = candidate
        .form
        .leaves
        .iter()
        .filter(|leaf| below(&leaf.pointer))
        .filter(|leaf| {
            let mut inside = leaf.chain.iter().filter(|(prefix, _)| below(prefix));
            inside.all(|(_, required)| *required)
        })
        .collect();
    let offered =
        |leaf: &Leaf| leaf.constant.is_some() || leaf.default.is_some() || !leaf.choices.is_empty();
    if demanded.is_empty()
        || demanded
            .iter()
            .any(|leaf| leaf.takes_text() && !offered(leaf))
    {
        return None;
    }
    let mut made = Value::Object(Map::new());
    for leaf in demanded {
        put(
            &mut made,
            &single(&leaf.pointer[element.len()..]),
            value_for(leaf, candidate.role),
        );
    }
    Some(made)
}

fn general(pointer: &str) -> String {
    pointer
        .split('/')
        .map(|token| if token == "0" { "-" } else { token })
        .collect::<Vec<_>>()
        .join("/")
}

/// Optional parameters that are sent all the same: a rehearsal proves nothing, and what waits for a confirmation
/// neither. That is given for files alone, which are the run's own.
fn safety(leaf: &Leaf, role: Role) -> Option<Value> {
    let means_it = match joined(&leaf.name).as_str() {
        "dryrun" | "preview" | "previewonly" | "simulate" => false,
        "confirm" | "confirmed" | "approved" | "acknowledged" if writes(role) => true,
        _ => return None,
    };
    leaf.kinds
        .contains(&Kind::Boolean)
        .then_some(Value::Bool(means_it))
}

/// A value for a required parameter: what the schema offers, else what its name asks for, else the
/// least of its type.
pub(super) fn value_for(leaf: &Leaf, role: Role) -> Value {
    if let Some(value) = safety(leaf, role)
        .or_else(|| time_limit(leaf))
        .or_else(|| of_network(leaf, role))
    {
        return value;
    }
    let offered = leaf
        .constant
        .as_ref()
        .or(leaf.default.as_ref())
        .or(leaf
            .examples
            .first()
            .filter(|_| leaf.choices.is_empty() && !pathlike(leaf)))
        .or(leaf.choices.first());
    if let Some(value) = offered {
        return value.clone();
    }
    match leaf.kinds.first() {
        Some(Kind::Boolean) => Value::Bool(false),
        Some(Kind::Integer | Kind::Number) => number(leaf),
        Some(Kind::Array) => Value::Array(Vec::new()),
        Some(Kind::Object) => Value::Object(Map::new()),
        Some(Kind::Text) | None => Value::String(text(leaf, role)),
    }
}

/// How long a call may take, where it has to say so: with less it is given up before it is answered.
fn time_limit(leaf: &Leaf) -> Option<Value> {
    const LIMITS: Words = Words("timeout deadline");
    const MILLISECONDS: Words = Words("ms millis milli millisecond milliseconds");
    let name = words(&leaf.name);
    let has = |list: Words| name.iter().any(|word| list.has(word));
    let told = leaf.constant.is_some() || leaf.default.is_some();
    if !leaf.takes_number() || told || !has(LIMITS) {
        return None;
    }
    let about = words(&leaf.description);
    let in_milliseconds = has(MILLISECONDS) || about.iter().any(|word| MILLISECONDS.has(word));
    Some(at_most(leaf, if in_milliseconds { 10_000.0 } else { 10.0 }))
}

/// A number, or the largest that the parameter takes.
fn at_most(leaf: &Leaf, wanted: f64) -> Value {
    let value = leaf.maximum.map_or(wanted, |most| most.min(wanted));
    Value::from(value as i64)
}

/// Values without which a request is refused, or cut short.
fn of_network(leaf: &Leaf, role: Role) -> Option<Value> {
    if !role.of_network() || leaf.constant.is_some() || leaf.default.is_some() {
        return None;
    }
    let name = words(&leaf.name);
    let has = |list: &[&str]| name.iter().any(|word| list.contains(&word.as_str()));
    let text = leaf.takes_text() && !leaf.takes_number();
    if text && has(&["method", "verb"]) {
        let get = |choice: &&Value| {
            choice
                .as_str()
                .is_some_and(|choice| choice.eq_ignore_ascii_case("get"))
        };
        return match leaf.choices.iter().find(get) {
            Some(choice) => Some(choice.clone()),
            None => leaf
                .choices
                .is_empty()
                .then(|| Value::String(String::from("GET"))),
        };
    }
    if text && leaf.choices.is_empty() && has(&["body", "data", "payload"]) {
        return Some(Value::String(String::new()));
    }
    if !leaf.takes_number() {
        return None;
    }
    let lengths = has(&["length", "byte", "char", "character", "size"]);
    (lengths && has(&["max", "limit", "maximum"])).then(|| at_most(leaf, 10_000.0))
}

fn number(leaf: &Leaf) -> Value {
    const ENDS: &[&str] = &[
        "end", "limit", "length", "count", "max", "size", "num", "head", "tail",
    ];
    const STARTS: &[&str] = &["start", "from", "begin", "first", "offset", "index"];
    const COUNTED: &[&str] = &["lines", "rows", "bytes", "chars", "characters", "results"];
    let name = words(&leaf.name);
    let has = |list: &[&str]| name.iter().any(|word| list.contains(&word.as_str()));
    // `lines` is how many, `line` is which one.
    let counted = leaf.name.to_lowercase();
    let counts = COUNTED.iter().any(|word| counted.ends_with(word));
    let wanted: f64 = if has(ENDS) || (counts && !has(STARTS)) {
        100.0
    } else {
        1.0
    };
    let value = wanted
        .max(leaf.minimum.unwrap_or(f64::MIN))
        .min(leaf.maximum.unwrap_or(f64::MAX));
    if leaf.kinds.contains(&Kind::Integer) || value.fract() == 0.0 {
        Value::from(value as i64)
    } else {
        Value::from(value)
    }
}

pub(super) fn pathlike(leaf: &Leaf) -> bool {
    const PLACES: &[&str] = &[
        "path", "file", "filename", "filepath", "source", "src", "input",
    ];
    words(&leaf.name)
        .iter()
        .any(|word| PLACES.contains(&word.as_str()) || words::DIRECTORIES.has(word))
}

fn text(leaf: &Leaf, role: Role) -> String {
    let name = words(&leaf.name);
    let has = |list: &[&str]| name.iter().any(|word| list.contains(&word.as_str()));
    let git = matches!(role, Role::RepoRead);
    match leaf.format.as_deref() {
        Some("uri" | "url") => return String::from("https://example.com/"),
        Some("date-time") => return String::from("2026-01-01T00:00:00Z"),
        Some("date") => return String::from("2026-01-01"),
        Some("email") => return String::from("a@example.com"),
        Some("uuid") => return String::from("00000000-0000-4000-8000-000000000000"),
        _ => {}
    }
    // Choices that stand in the description instead of an enum.
    if let [first, _, ..] = quoted(&leaf.description).as_slice()
        && !first.contains(['.', '/'])
    {
        return first.clone();
    }
    let text = if git
        && has(&[
            "revision", "rev", "ref", "commit", "sha", "branch", "target", "base", "head",
        ]) {
        "HEAD"
    } else if name.iter().any(|word| words::DIRECTORIES.has(word)) {
        ALLOWED
    } else if pathlike(leaf) && role.of_network() {
        // Where it puts what it fetches: clients of repositories refuse what is there already.
        return format!("{ALLOWED}/{NEW}");
    } else if pathlike(leaf) {
        return format!("{ALLOWED}/{SIDE_FILE}");
    } else if has(&["url", "uri", "link", "href"]) {
        "https://example.com/"
    } else if has(&["encoding", "charset"]) {
        "utf-8"
    } else if has(&["pattern", "glob"]) {
        "*"
    } else if has(&["email", "mail"]) {
        "a@example.com"
    } else {
        MADE_UP
    };
    text.to_owned()
}

/// The harmless file of an extension.
pub(super) fn side_file(extension: &str) -> String {
    format!("side{extension}")
}

/// The harmless file that a channel counts on, if it does.
pub(super) fn needs_side_file(channel: &Channel) -> Option<String> {
    let fixed = Value::Object(channel.fixed.clone()).to_string();
    let start = format!("{ALLOWED}/{}", side_file("."));
    let (_, rest) = fixed.split_once(&start)?;
    let extension: String = rest.chars().take_while(|letter| *letter != '"').collect();
    Some(side_file(&format!(".{extension}")))
}

/// Plants the harmless file that a channel counts on, unless it is there; comes back with its name, or with the reason
/// why it cannot.
pub(super) fn plant_side_file(root: &Path, channel: &Channel) -> Result<Option<String>, String> {
    let Some(name) = needs_side_file(channel) else {
        return Ok(None);
    };
    let side = root.join(&name);
    if side.exists() {
        return Ok(None);
    }
    let content = match name.strip_prefix("side") {
        Some(extension) if name != SIDE_FILE => document(extension, "note"),
        _ => Ok(b"a note\n".to_vec()),
    };
    match content.and_then(|content| std::fs::write(&side, content)) {
        Ok(()) => Ok(Some(name)),
        Err(error) => Err(format!("cannot plant {}: {error}", side.display())),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::channel::flatten::flatten;

    fn items_of(item: &Value) -> Value {
        let schema = json!({
            "type": "object",
            "required": ["path", "parts"],
            "properties": { "path": { "type": "string" }, "parts": { "type": "array", "items": item } }
        });
        let candidate = Candidate {
            role: Role::FileRead,
            score: 1.0,
            form: flatten(&schema).remove(0),
            bindings: Vec::new(),
            choice: None,
        };
        let slots = [(Slot::Path, vec![String::from("/path")])].into();
        Value::Object(fixed(&candidate, &Binding { slots }))["parts"].clone()
    }

    /// None of a file is what tools give that are asked for no part of it.
    #[test]
    fn a_required_array_has_an_element_where_one_can_be_made_up() {
        let number = json!({ "type": "integer" });
        let range = json!({
            "type": "object",
            "required": ["start"],
            "properties": { "start": number, "end": { "type": ["integer", "null"] } }
        });
        assert_eq!(items_of(&range), json!([{ "start": 1 }]));
        let shown = json!({ "type": "object", "required": ["as"], "properties": { "as": { "enum": ["text"] } } });
        assert_eq!(items_of(&shown), json!([{ "as": "text" }]));
        // What would be a text to change is left to the slots.
        let edit = json!({
            "type": "object",
            "required": ["line", "text"],
            "properties": { "line": number, "text": { "type": "string" } }
        });
        assert_eq!(items_of(&edit), json!([]));
        assert_eq!(items_of(&number), json!([]));
    }
}
