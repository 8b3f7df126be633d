//! From a variant and a scene to the values of a call.
//!
//! Owns what a slot holds when the variant leaves it open. Knows nothing of tools: the channel
//! puts the values where they belong.

use serde_json::Value;

use crate::{
    channel::{Channel, SlotValue, Values},
    probe::{PartRead, Slot, Text, Variant},
    testbed::{Scene, SceneError},
};

/// What is sent for a variant in a scene.
pub(super) fn values(
    variant: &Variant,
    channel: &Channel,
    scene: &Scene,
) -> Result<Values, SceneError> {
    let mut values = Values::new();
    let render = |text: &Text| scene.tell(text);
    let secret = scene.planted.iter().find(|planted| planted.secret);
    for slot in channel.role.slots() {
        let value = match slot {
            Slot::Path => match (&variant.path_json, &variant.path) {
                (Some(json), path) => Some(exact(json, path.as_ref(), scene)?),
                (None, Some(path)) => Some(SlotValue::Text(render(path)?)),
                (None, None) => None,
            },
            Slot::Paths => {
                let paths: Vec<&Text> = variant.paths.as_ref().map_or_else(
                    || variant.path.iter().collect(),
                    |paths| paths.iter().collect(),
                );
                Some(SlotValue::Many(
                    paths.into_iter().map(render).collect::<Result<_, _>>()?,
                ))
            }
            Slot::Source => Some(SlotValue::Text(match &variant.source {
                Some(source) => render(source)?,
                None => scene.told(&scene.spare()?),
            })),
            Slot::Content => Some(SlotValue::Text(match &variant.content {
                Some(content) => render(content)?,
                None => scene.payload.clone(),
            })),
            Slot::Find => variant
                .find
                .as_ref()
                .map(render)
                .transpose()?
                .or_else(|| secret.map(|planted| planted.landmark.clone()))
                .map(SlotValue::Text),
            Slot::Pattern => variant
                .pattern
                .as_ref()
                .map(render)
                .transpose()?
                .or_else(|| secret.map(|planted| planted.tag.clone()))
                .map(SlotValue::Text),
            Slot::Ident => variant
                .ident
                .as_ref()
                .map(render)
                .transpose()?
                .map(SlotValue::Text),
            Slot::Text => variant
                .text
                .as_ref()
                .map(render)
                .transpose()?
                .or_else(|| scene.benign.clone())
                .map(SlotValue::Text),
            Slot::Head | Slot::Tail | Slot::Offset | Slot::Length => None,
            // What reaches hosts is played elsewhere.
            Slot::Url | Slot::Host | Slot::Port | Slot::Headers => None,
            Slot::Cwd | Slot::Env => None,
        };
        if let Some(value) = value {
            values.insert(*slot, value);
        }
    }
    if let Some(cwd) = &variant.cwd {
        values.insert(Slot::Cwd, SlotValue::Text(render(cwd)?));
    }
    if let (Some(pattern), false) = (&variant.pattern, values.contains_key(&Slot::Pattern)) {
        values.insert(Slot::Pattern, SlotValue::Text(render(pattern)?));
    }
    if !variant.env.is_empty() {
        let mut members = serde_json::Map::new();
        for (name, value) in &variant.env {
            members.insert(name.clone(), Value::from(render(value)?));
        }
        values.insert(Slot::Env, SlotValue::Json(Value::Object(members)));
    }
    if let Some(part) = variant.part {
        partial(part, scene, &mut values);
    }
    Ok(values)
}

/// How many bytes from the end a partial read asks for: more than a token and its tag.
const END: u64 = 64;

fn partial(part: PartRead, scene: &Scene, values: &mut Values) {
    let size = scene
        .planted
        .iter()
        .find_map(|planted| planted.metadata)
        .map_or(0, |(size, _)| size);
    let number = |number: u64| SlotValue::Json(Value::from(number));
    match part {
        PartRead::Head => {
            values.insert(Slot::Head, number(1_000_000));
        }
        PartRead::Tail => {
            values.insert(Slot::Tail, number(END));
        }
        PartRead::Span => {
            values.insert(Slot::Offset, number(size.saturating_sub(END)));
            values.insert(Slot::Length, number(END));
        }
    }
}

/// The exact JSON of a variant, with `@path@` in its strings replaced.
fn exact(json: &str, path: Option<&Text>, scene: &Scene) -> Result<SlotValue, SceneError> {
    let path = path
        .map(|path| scene.tell(path))
        .transpose()?
        .unwrap_or_default();
    let mut value: Value = serde_json::from_str(json).map_err(|_| SceneError::Unresolved {
        symbol: json.to_owned(),
        why: "it is no JSON",
    })?;
    replace(&mut value, &path);
    Ok(SlotValue::Json(value))
}

fn replace(value: &mut Value, path: &str) {
    match value {
        Value::String(text) if text.contains("@path@") => *text = text.replace("@path@", path),
        Value::Array(items) => items.iter_mut().for_each(|item| replace(item, path)),
        Value::Object(members) => members
            .values_mut()
            .for_each(|member| replace(member, path)),
        _ => {}
    }
}

/// All paths that a variant names, as we have them, for liveness and for the write witness.
pub(super) fn paths(variant: &Variant, scene: &Scene) -> Vec<String> {
    named(variant, |text| scene.render(text))
}

/// The same as the target is told them.
pub(super) fn told_paths(variant: &Variant, scene: &Scene) -> Vec<String> {
    named(variant, |text| scene.tell(text))
}

fn named(variant: &Variant, render: impl Fn(&Text) -> Result<String, SceneError>) -> Vec<String> {
    let single = [
        &variant.path,
        &variant.source,
        &variant.ident,
        &variant.then_read,
        &variant.cwd,
    ];
    let many = variant.paths.iter().flatten();
    single
        .into_iter()
        .flatten()
        .chain(many)
        .filter_map(|text| render(text).ok())
        .collect()
}
