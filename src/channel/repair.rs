//! Learning from a validation error what a call should have looked like.
//!
//! Owns what is changed in a channel for a missing, unknown or mistyped field. What an answer
//! complains of is read elsewhere.

use serde_json::Value;

use super::{
    arguments::{ALLOWED, escape, put, tokens},
    choices::fitting,
    complaint::{Defect, defects, dotted},
    fill::{MADE_UP, SIDE_FILE, side_file, value_for},
    flatten::{Form, Kind, Leaf},
    meaning::meaning,
    score::joined,
    slots::{leaf_score, single},
    words::EXTENSIONS,
};
use crate::{
    channel::{Channel, NetForm},
    probe::{Role, Slot},
};

/// How often one channel is changed.
pub(super) const ROUNDS: usize = 3;

/// Longer texts are content, not complaints.
const MAX_TEXT: usize = 8 * 1024;

/// Parameters in which some servers want everything else.
const WRAPPERS: &[&str] = &[
    "params",
    "args",
    "arguments",
    "input",
    "request",
    "options",
    "payload",
    "parameters",
    "req",
];

/// Changes the channel by what an answer complains of; returns what was changed, in words.
pub(super) fn repair(channel: &mut Channel, form: &Form, answer: &str) -> Option<String> {
    if answer.len() > MAX_TEXT {
        return None;
    }
    let mut changes: Vec<String> = Vec::new();
    for defect in defects(answer) {
        changes.extend(mend(channel, form, &defect));
    }
    changes.extend(absent(channel, answer));
    changes.extend(other_type(channel, answer));
    changes.extend(encoding(channel, answer));
    changes.extend(scheme(channel, answer));
    (!changes.is_empty()).then(|| changes.join(", "))
}

/// Names a file that is there, where a made-up word was taken for one that is not.
fn absent(channel: &mut Channel, answer: &str) -> Option<String> {
    const COMPLAINTS: &[&str] = &[
        "no such file",
        "not found",
        "not exist",
        "n't exist",
        "enoent",
        "cannot find",
        "cannot open",
        "not a file",
    ];
    let answer = answer.to_lowercase();
    let complains = COMPLAINTS.iter().any(|words| answer.contains(words));
    if channel.role.of_network() || !complains || !answer.contains(MADE_UP) {
        return None;
    }
    let mut named = Vec::new();
    for (name, value) in &mut channel.fixed {
        if value == MADE_UP {
            *value = Value::from(format!("{ALLOWED}/{SIDE_FILE}"));
            named.push(name.clone());
        }
    }
    (!named.is_empty()).then(|| format!("named a file in `{}`", named.join("`, `")))
}

/// Sends content in Base64 where an answer complains that it is none.
fn encoding(channel: &mut Channel, answer: &str) -> Option<String> {
    let complains = answer.to_lowercase().contains("base64");
    let changes = complains && !channel.encoded && channel.slots.contains_key(&Slot::Content);
    channel.encoded |= changes;
    changes.then(|| String::from("sent the content in Base64"))
}

/// Asks with https where an answer speaks of it.
fn scheme(channel: &mut Channel, answer: &str) -> Option<String> {
    let complains = answer.to_lowercase().contains("https");
    let changes = complains && channel.role == Role::HttpFetch && channel.net == NetForm::Whole;
    if changes {
        channel.net = NetForm::Secure;
    }
    changes.then(|| String::from("asked with https"))
}

/// Names a file of a type that the answer asks for, where the one that was named is of another.
fn other_type(channel: &mut Channel, answer: &str) -> Option<String> {
    const COMPLAINTS: &[&str] = &["support", "format", "extension", "file type", "must be"];
    let answer = answer.to_lowercase();
    if !COMPLAINTS.iter().any(|words| answer.contains(words)) {
        return None;
    }
    let plain = format!("{ALLOWED}/{SIDE_FILE}");
    let told = |extension: &&str| {
        answer.match_indices(*extension).any(|(at, _)| {
            let rest = &answer[at + extension.len()..];
            !rest.starts_with(|letter: char| letter.is_alphanumeric())
        })
    };
    let mut known = EXTENSIONS.iter().map(|(_, extension)| *extension);
    let extension = known.find(|extension| !SIDE_FILE.ends_with(extension) && told(extension))?;
    let mut named = Vec::new();
    for (name, value) in &mut channel.fixed {
        if *value == plain {
            *value = Value::from(format!("{ALLOWED}/{}", side_file(extension)));
            named.push(name.clone());
        }
    }
    (!named.is_empty()).then(|| format!("named a {extension} file in `{}`", named.join("`, `")))
}

fn mend(channel: &mut Channel, form: &Form, defect: &Defect) -> Option<String> {
    match defect {
        Defect::Missing(path, kind) => missing(channel, form, path, *kind),
        Defect::Unknown(path, known) => unknown(channel, path, known),
        Defect::Mistyped(path, kind) => mistyped(channel, path, *kind),
        Defect::Choice(path, said, choices) => choose(channel, form, path, said, choices),
    }
}

/// The pointer that a complaint names, below the parameter that wraps all others if there is one.
fn pointer(channel: &Channel, path: &[String]) -> String {
    let pointer: String = path
        .iter()
        .map(|token| format!("/{}", escape(token)))
        .collect();
    let outer = wrapper(channel);
    match outer {
        Some(outer) if path.first().map(String::as_str) != Some(outer.as_str()) => {
            format!("/{}{pointer}", escape(&outer))
        }
        _ => pointer,
    }
}

fn wrapper(channel: &Channel) -> Option<String> {
    let firsts: Vec<Vec<String>> = channel
        .slots
        .values()
        .flatten()
        .map(|pointer| tokens(pointer).collect())
        .collect();
    let first = firsts.first()?.first()?;
    let wraps = firsts
        .iter()
        .all(|tokens| tokens.len() > 1 && tokens[0] == *first && identifier_key(&tokens[1]));
    wraps.then(|| first.clone())
}

fn identifier_key(token: &str) -> bool {
    token != "-" && token.parse::<usize>().is_err()
}

fn held(channel: &Channel, pointer: &str) -> bool {
    let inside = format!("{pointer}/");
    channel
        .slots
        .values()
        .flatten()
        .any(|slot| *slot == pointer || slot.starts_with(&inside))
        || Value::Object(channel.fixed.clone())
            .pointer(pointer)
            .is_some()
}

fn missing(
    channel: &mut Channel,
    form: &Form,
    path: &[String],
    kind: Option<Kind>,
) -> Option<String> {
    let name = path.iter().rfind(|token| identifier_key(token))?;
    let place = pointer(channel, path);
    if held(channel, &place) {
        return None;
    }
    let declared = form
        .leaves
        .iter()
        .find(|leaf| !leaf.guessed && single(&leaf.pointer) == place);
    let mut leaf = declared.cloned().unwrap_or_else(|| Leaf::guess(name));
    if let Some(kind) = kind {
        leaf.kinds = vec![kind];
    }
    if WRAPPERS.contains(&joined(name).as_str())
        && path.len() == 1
        && kind != Some(Kind::Text)
        && declared.is_none()
    {
        let inside = Value::Object(std::mem::take(&mut channel.fixed));
        let mut fixed = Value::Object(serde_json::Map::new());
        put(&mut fixed, &place, inside);
        if let Value::Object(fixed) = fixed {
            channel.fixed = fixed;
        }
        for pointers in channel.slots.values_mut() {
            for slot in pointers {
                *slot = format!("{place}{slot}");
            }
        }
        return Some(format!("put everything into `{name}`"));
    }
    // A slot whose place was only guessed moves to the place that the server asks for.
    let role = channel.role;
    let guessed = channel
        .slots
        .iter()
        .filter(|(_, pointers)| {
            pointers.len() == 1
                && !form.leaves.iter().any(|leaf| {
                    !leaf.guessed
                        && (single(&leaf.pointer) == pointers[0] || leaf.pointer == pointers[0])
                })
        })
        .map(|(slot, _)| (leaf_score(&leaf, meaning(role, *slot)), *slot))
        .filter(|(score, _)| *score >= 0.25)
        .max_by(|a, b| a.0.total_cmp(&b.0));
    if let Some((_, slot)) = guessed {
        let array = leaf.kinds.first() == Some(&Kind::Array);
        let to = if array { format!("{place}/-") } else { place };
        channel.slots.insert(slot, vec![to.clone()]);
        return Some(format!("moved {slot:?} to `{to}`"));
    }
    let value = value_for(&leaf, role);
    let mut fixed = Value::Object(std::mem::take(&mut channel.fixed));
    put(&mut fixed, &place, value);
    if let Value::Object(fixed) = fixed {
        channel.fixed = fixed;
    }
    Some(format!("added `{name}`"))
}

fn unknown(channel: &mut Channel, path: &[String], known: &[String]) -> Option<String> {
    let name = path.last()?;
    let place = pointer(channel, path);
    if remove(channel, &place) {
        return Some(format!("left out `{name}`"));
    }
    let role = channel.role;
    let slot = channel
        .slots
        .iter()
        .find(|(_, pointers)| pointers.contains(&place))
        .map(|(slot, _)| *slot)?;
    let best = known
        .iter()
        .filter(|name| !held(channel, &pointer(channel, &dotted(name))))
        .map(|name| (leaf_score(&Leaf::guess(name), meaning(role, slot)), name))
        .filter(|(score, _)| *score >= 0.25)
        .max_by(|a, b| a.0.total_cmp(&b.0))?;
    let to = pointer(channel, &dotted(best.1));
    channel.slots.insert(slot, vec![to.clone()]);
    Some(format!("moved {slot:?} to `{to}`"))
}

/// Puts one of the values that an answer lists where it complains of another.
fn choose(
    channel: &mut Channel,
    form: &Form,
    path: &[String],
    said: &[String],
    choices: &[String],
) -> Option<String> {
    let place = if path.is_empty() {
        meant(channel, form, said)?
    } else {
        pointer(channel, path)
    };
    let slots = channel.slots.values().flatten();
    if slots.into_iter().any(|slot| *slot == place) {
        return None;
    }
    let mut fixed = Value::Object(channel.fixed.clone());
    let now = fixed.pointer(&place);
    let taken = |value: &Value| choices.iter().any(|choice| value == choice);
    if now.is_some_and(|value| !value.is_string() || taken(value)) {
        return None;
    }
    let chosen = fitting(channel.role, &channel.tool, choices)?;
    put(&mut fixed, &place, Value::from(chosen.as_str()));
    if let Value::Object(fixed) = fixed {
        channel.fixed = fixed;
    }
    Some(format!("chose `{chosen}` for `{place}`"))
}

/// The argument that a complaint without a field is about: one that it names, or whose value it repeats.
fn meant(channel: &Channel, form: &Form, said: &[String]) -> Option<String> {
    let said_names: Vec<String> = said.iter().map(|word| joined(word)).collect();
    let taken = |leaf: &&Leaf| {
        leaf.takes_text()
            && !leaf.in_array()
            && !leaf.guessed
            && said_names.contains(&joined(&leaf.name))
    };
    let slots: Vec<&String> = channel.slots.values().flatten().collect();
    let mut named = form
        .leaves
        .iter()
        .filter(taken)
        .map(|leaf| single(&leaf.pointer));
    if let Some(named) = named.find(|place| !slots.contains(&place)) {
        return Some(named);
    }
    let texts = channel
        .fixed
        .iter()
        .filter_map(|(name, value)| Some((name, value.as_str()?)));
    let place = |(name, _): (&String, &str)| format!("/{}", escape(name));
    let mut repeated = texts
        .clone()
        .filter(|(_, text)| said.iter().any(|word| word == text));
    let mut unknown = texts.filter(|(name, _)| said_names.contains(&joined(name)));
    repeated.next().or_else(|| unknown.next()).map(place)
}

fn remove(channel: &mut Channel, place: &str) -> bool {
    let Some((parent, key)) = place.rsplit_once('/') else {
        return false;
    };
    let key = key.replace("~1", "/").replace("~0", "~");
    let mut fixed = Value::Object(std::mem::take(&mut channel.fixed));
    let removed = fixed
        .pointer_mut(parent)
        .and_then(Value::as_object_mut)
        .and_then(|members| members.shift_remove(&key))
        .is_some();
    if let Value::Object(fixed) = fixed {
        channel.fixed = fixed;
    }
    removed
}

fn mistyped(channel: &mut Channel, path: &[String], kind: Kind) -> Option<String> {
    let place = pointer(channel, path);
    for (slot, pointers) in &mut channel.slots {
        let [only] = pointers.as_mut_slice() else {
            continue;
        };
        if kind == Kind::Array && *only == place {
            let mark = if matches!(slot, Slot::Paths | Slot::Url) {
                "-"
            } else {
                "0"
            };
            *only = format!("{place}/{mark}");
            return Some(format!("made `{place}` an array"));
        }
        if kind == Kind::Text && (*only == format!("{place}/0") || *only == format!("{place}/-")) {
            only.clone_from(&place);
            return Some(format!("made `{place}` a text"));
        }
    }
    let mut fixed = Value::Object(std::mem::take(&mut channel.fixed));
    let changed = fixed.pointer_mut(&place).and_then(|value| {
        let new = match kind {
            Kind::Array if !value.is_array() => Value::Array(vec![value.clone()]),
            Kind::Text if value.is_number() || value.is_boolean() => {
                Value::String(value.to_string())
            }
            Kind::Text if !value.is_string() => Value::String(String::from("sample")),
            Kind::Integer | Kind::Number if !value.is_number() => Value::from(1),
            Kind::Boolean if !value.is_boolean() => Value::Bool(false),
            Kind::Object if !value.is_object() => Value::Object(serde_json::Map::new()),
            _ => return None,
        };
        *value = new;
        Some(format!("retyped `{place}`"))
    });
    if let Value::Object(fixed) = fixed {
        channel.fixed = fixed;
    }
    changed
}
