//! Strings of JSON texts, joined: a token may be cut over the blocks of a reply.

use std::collections::BTreeMap;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

use super::Decoder;
use super::layer::{Layer, Queue};

/// A string that starts like JSON and is at least this long is searched by itself.
const NESTED: usize = 24;

/// Texts that start like JSON and are not, before a layer is given up.
const FAILURES: usize = 8;

/// Queues the strings of every JSON text in `layer`: all of them in lines, those under the same
/// key joined, and each that may be JSON again by itself. True if there is nothing else in it.
pub(super) fn expand(layer: &Layer<'_>, queue: &mut Queue<'_>) -> bool {
    let mut leaves = Leaves::default();
    let mut rest: &[u8] = &layer.bytes;
    let mut is_whole = true;
    let mut failures = 0;
    while let Some(start) = opening(rest) {
        is_whole &= rest[..start].trim_ascii().is_empty();
        rest = &rest[start..];
        let mut values = serde_json::Deserializer::from_slice(rest).into_iter::<IgnoredAny>();
        let end = match values.next() {
            Some(Ok(_)) => values.byte_offset(),
            _ => {
                is_whole = false;
                failures += 1;
                1
            }
        };
        let collector = Collector {
            leaves: &mut leaves,
            key: "",
        };
        // What a text that breaks off holds until then is worth reading as well.
        let _ = collector.deserialize(&mut serde_json::Deserializer::from_slice(rest));
        rest = &rest[end..];
        if failures == FAILURES {
            break;
        }
    }
    is_whole &= rest.trim_ascii().is_empty();
    for nested in leaves.nested {
        queue.push(layer, Decoder::JsonStrings, 0, nested.into_bytes());
    }
    queue.push(layer, Decoder::JsonStrings, 0, leaves.lines.into_bytes());
    let groups = leaves.groups.into_values().filter(|(count, _)| *count > 1);
    for (_, joined) in groups {
        queue.push(layer, Decoder::JsonStrings, 0, joined.into_bytes());
    }
    is_whole
}

/// Where an object or an array with a string in it, or a composite of them, may start.
fn opening(bytes: &[u8]) -> Option<usize> {
    memchr::memchr2_iter(b'{', b'[', bytes).find(|at| {
        matches!(
            bytes.get(at + 1),
            Some(b'"' | b'{' | b'[' | b' ' | b'\t' | b'\r' | b'\n')
        )
    })
}

#[derive(Default)]
struct Leaves {
    lines: String,
    nested: Vec<String>,
    /// By key: how many strings, and all of them without anything in between.
    groups: BTreeMap<String, (usize, String)>,
}

impl Leaves {
    fn add(&mut self, key: &str, text: &str) {
        if text.len() >= NESTED && text.trim_start().starts_with(['{', '[']) {
            self.nested.push(text.to_owned());
        } else {
            self.add_line(text);
        }
        if !self.groups.contains_key(key) {
            self.groups.insert(key.to_owned(), (0, String::new()));
        }
        if let Some((count, joined)) = self.groups.get_mut(key) {
            *count += 1;
            joined.push_str(text);
        }
    }

    /// The blank keeps strings apart that are no lines of one text.
    fn add_line(&mut self, text: &str) {
        self.lines.push_str(text);
        self.lines.push_str(" \n");
    }
}

/// Reads one value and keeps the strings in it; elements of an array have the key of the array.
struct Collector<'a> {
    leaves: &'a mut Leaves,
    key: &'a str,
}

impl<'de> DeserializeSeed<'de> for Collector<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Collector<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any JSON value")
    }

    fn visit_str<E>(self, text: &str) -> Result<(), E> {
        self.leaves.add(self.key, text);
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<(), A::Error> {
        loop {
            let element = Collector {
                leaves: &mut *self.leaves,
                key: self.key,
            };
            if seq.next_element_seed(element)?.is_none() {
                return Ok(());
            }
        }
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some(key) = map.next_key::<String>()? {
            self.leaves.add_line(&key);
            map.next_value_seed(Collector {
                leaves: &mut *self.leaves,
                key: &key,
            })?;
        }
        Ok(())
    }

    fn visit_bool<E>(self, _: bool) -> Result<(), E> {
        Ok(())
    }

    fn visit_i64<E>(self, _: i64) -> Result<(), E> {
        Ok(())
    }

    fn visit_u64<E>(self, _: u64) -> Result<(), E> {
        Ok(())
    }

    fn visit_f64<E>(self, _: f64) -> Result<(), E> {
        Ok(())
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }
}
