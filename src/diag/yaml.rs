//! YAML with spans: serde-saphyr keeps them.
//!
//! Booleans are `true` and `false` only, and `0755` stays a text: what a policy says must not
//! change its type by itself.

use std::fmt;

use serde::{
    Deserialize, Deserializer,
    de::{self, MapAccess, SeqAccess, Visitor},
};
use serde_saphyr::{DuplicateKeyPolicy, Spanned};

use crate::diag::{
    Problems, Source,
    tree::{Key, Kind, MAX_DEPTH, Node},
};

pub(super) fn parse(source: &Source) -> Result<Node, Problems> {
    let options = serde_saphyr::options! {
        // Duplicates are reported by the tree, with both places.
        duplicate_keys: DuplicateKeyPolicy::PassThrough,
        budget: serde_saphyr::budget! { max_depth: MAX_DEPTH },
        strict_booleans: true,
        leading_zero_numbers_as_strings: true,
    };
    let raw: Raw = serde_saphyr::from_str_with_options(source.text(), options)
        .map_err(|error| source.yaml_error(&error))?;
    Ok(node(source, raw))
}

/// A value as serde-saphyr hands it over.
struct Raw(Spanned<RawKind>);

enum RawKind {
    Scalar(Kind),
    List(Vec<Raw>),
    Map(Vec<(Spanned<String>, Raw)>),
}

fn node(source: &Source, raw: Raw) -> Node {
    let mut span = source.yaml_span(raw.0.referenced);
    let kind = match raw.0.value {
        RawKind::Scalar(kind) => kind,
        RawKind::List(items) => {
            let items: Vec<Node> = items.into_iter().map(|item| node(source, item)).collect();
            if let Some(last) = items.last() {
                span.end = span.end.max(last.span.end);
            }
            Kind::List(items)
        }
        RawKind::Map(entries) => {
            let entries: Vec<(Key, Node)> = entries
                .into_iter()
                .map(|(key, value)| {
                    let span = source.yaml_span(key.referenced);
                    let name = key.value;
                    (Key { name, span }, node(source, value))
                })
                .collect();
            if let Some((_, last)) = entries.last() {
                span.end = span.end.max(last.span.end);
            }
            Kind::Map(entries)
        }
    };
    Node::new(span, kind)
}

impl<'de> Deserialize<'de> for Raw {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Spanned::deserialize(deserializer).map(Raw)
    }
}

impl<'de> Deserialize<'de> for RawKind {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(KindVisitor)
    }
}

struct KindVisitor;

impl<'de> Visitor<'de> for KindVisitor {
    type Value = RawKind;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_unit<E>(self) -> Result<RawKind, E> {
        Ok(RawKind::Scalar(Kind::Null))
    }

    fn visit_none<E: de::Error>(self) -> Result<RawKind, E> {
        self.visit_unit()
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<RawKind, D::Error> {
        deserializer.deserialize_any(self)
    }

    fn visit_bool<E>(self, truth: bool) -> Result<RawKind, E> {
        Ok(RawKind::Scalar(Kind::Bool(truth)))
    }

    fn visit_i64<E>(self, number: i64) -> Result<RawKind, E> {
        Ok(RawKind::Scalar(Kind::Int(number)))
    }

    fn visit_u64<E>(self, number: u64) -> Result<RawKind, E> {
        Ok(RawKind::Scalar(Kind::Uint(number)))
    }

    fn visit_f64<E>(self, number: f64) -> Result<RawKind, E> {
        Ok(RawKind::Scalar(Kind::Float(number)))
    }

    fn visit_str<E>(self, text: &str) -> Result<RawKind, E> {
        Ok(RawKind::Scalar(Kind::Text(text.to_owned())))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<RawKind, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = items.next_element()? {
            list.push(item);
        }
        Ok(RawKind::List(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<RawKind, A::Error> {
        let mut map = Vec::new();
        while let Some(entry) = entries.next_entry()? {
            map.push(entry);
        }
        Ok(RawKind::Map(map))
    }
}
