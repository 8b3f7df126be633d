//! JSON with spans: serde_json parses, its raw values are slices of the text, and where a slice
//! lies in the text is its span.

use std::{fmt, ops::Range};

use serde::{
    Deserialize, Deserializer,
    de::{IgnoredAny, MapAccess, Visitor},
};
use serde_json::{Number, value::RawValue};

use crate::diag::{
    Diagnostic, Problems, Source,
    tree::{Key, Kind, MAX_DEPTH, Node},
};

pub(super) fn parse(source: &Source) -> Result<Node, Problems> {
    // The whole text first: an error in a slice would count lines from the start of the slice.
    serde_json::from_str::<IgnoredAny>(source.text())
        .and_then(|_| serde_json::from_str::<&RawValue>(source.text()))
        .map_err(|error| source.json_error(&error))
        .and_then(|raw| node(source, raw, 0))
        .map_err(Problems::from)
}

fn node(source: &Source, raw: &RawValue, depth: usize) -> Result<Node, Diagnostic> {
    let text = raw.get();
    let span = span_of(source.text(), text);
    if depth > MAX_DEPTH {
        return Err(Diagnostic::error(
            "file::too-deep",
            format!("more than {MAX_DEPTH} levels of nesting"),
        )
        .within(source)
        .label(span.start..span.start + 1, "the level too deep"));
    }
    let located = |error: serde_json::Error| {
        Diagnostic::error("file::syntax", error.to_string())
            .within(source)
            .label(span.clone(), "here")
    };
    let kind = match text.as_bytes().first() {
        Some(b'{') => {
            let entries: Entries<'_> = serde_json::from_str(text).map_err(located)?;
            let mut map = Vec::with_capacity(entries.0.len());
            for (key, value) in entries.0 {
                let name = serde_json::from_str(key.get()).map_err(located)?;
                let span = span_of(source.text(), key.get());
                map.push((Key { name, span }, node(source, value, depth + 1)?));
            }
            Kind::Map(map)
        }
        Some(b'[') => {
            let items: Vec<&RawValue> = serde_json::from_str(text).map_err(located)?;
            let items: Result<Vec<Node>, Diagnostic> = items
                .into_iter()
                .map(|item| node(source, item, depth + 1))
                .collect();
            Kind::List(items?)
        }
        Some(b'"') => Kind::Text(serde_json::from_str(text).map_err(located)?),
        Some(b't') => Kind::Bool(true),
        Some(b'f') => Kind::Bool(false),
        Some(b'n') => Kind::Null,
        _ => {
            let number: Number = serde_json::from_str(text).map_err(located)?;
            if let Some(number) = number.as_i64() {
                Kind::Int(number)
            } else if let Some(number) = number.as_u64() {
                Kind::Uint(number)
            } else {
                Kind::Float(number.as_f64().unwrap_or(f64::NAN))
            }
        }
    };
    Ok(Node::new(span, kind))
}

/// Where a slice lies in the text that it was cut from.
fn span_of(text: &str, slice: &str) -> Range<usize> {
    let start = slice.as_ptr().addr() - text.as_ptr().addr();
    start..start + slice.len()
}

/// The entries of an object in their order, duplicates included, keys with their quotes.
struct Entries<'a>(Vec<(&'a RawValue, &'a RawValue)>);

impl<'de> Deserialize<'de> for Entries<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct EntriesVisitor;

        impl<'de> Visitor<'de> for EntriesVisitor {
            type Value = Entries<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut entries = Vec::new();
                while let Some(entry) = map.next_entry()? {
                    entries.push(entry);
                }
                Ok(Entries(entries))
            }
        }

        deserializer.deserialize_map(EntriesVisitor)
    }
}
