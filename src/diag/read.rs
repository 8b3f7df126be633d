//! From a tree to a value, with every mistake collected.
//!
//! serde stops at the first mistake. So the value that a mistake points at is taken out of the
//! tree and the rest is read again, until nothing is wrong or nothing is left.

use serde::{
    Deserialize, Deserializer,
    de::{
        self, DeserializeOwned, DeserializeSeed, IntoDeserializer, MapAccess, SeqAccess, Visitor,
        value::{BorrowedStrDeserializer, MapAccessDeserializer, StrDeserializer},
    },
    forward_to_deserialize_any,
};
use serde_spanned::de::{SpannedDeserializer, is_spanned};

use crate::diag::{
    Diagnostic, Format, Problems, Source,
    fault::Fault,
    json, toml,
    tree::{Key, Kind, Node},
    yaml,
};

/// More mistakes than these are not worth a reader's time.
const MAX_MISTAKES: usize = 20;

/// Reads a value from a text.
pub(super) fn read<T: DeserializeOwned>(source: &Source, format: Format) -> Result<T, Problems> {
    let nothing = || {
        let message = format!("there is nothing in {}", source.name());
        Problems::from(Diagnostic::error("file::empty", message))
    };
    if source.text().trim().is_empty() {
        return Err(nothing());
    }
    let mut tree = match format {
        Format::Json => json::parse(source)?,
        Format::Yaml => yaml::parse(source)?,
        Format::Toml => toml::parse(source)?,
    };
    if matches!(tree.kind, Kind::Null) {
        return Err(nothing());
    }
    tree.number(&mut 0);
    let mut found = Vec::new();
    tree.refuse_duplicates(source, &mut found);
    let mut removed: Vec<(usize, String)> = Vec::new();
    let value = loop {
        let fault = match T::deserialize(&tree) {
            Ok(value) => break Some(value),
            Err(fault) => fault,
        };
        let node = fault.node;
        // A key is not missing if it was taken out for being wrong.
        let known = fault
            .missing
            .zip(node)
            .is_some_and(|(key, node)| removed.iter().any(|(at, name)| *at == node && name == key));
        if !known {
            found.push(fault.into_diagnostic(source));
        }
        if found.len() >= MAX_MISTAKES {
            break None;
        }
        match node.and_then(|node| tree.prune(node)) {
            Some(place) => removed.extend(place),
            None => break None,
        }
    };
    found.sort_by_key(|one| one.span().map_or(0, |span| span.start));
    match (Problems::new(found), value) {
        (Some(problems), _) => Err(problems),
        (None, Some(value)) => Ok(value),
        (None, None) => unreachable!("reading ends without a value only after a mistake"),
    }
}

/// A value that is written as one word, such as a role or a severity.
///
/// # Errors
///
/// That the word is unknown, and the one that was probably meant.
pub fn word_of<'de, T: Deserialize<'de>>(word: &'de str) -> Result<T, String> {
    let deserializer: BorrowedStrDeserializer<'de, Fault> = BorrowedStrDeserializer::new(word);
    T::deserialize(deserializer).map_err(|fault| fault.to_string())
}

impl<'de> IntoDeserializer<'de, Fault> for &'de Node {
    type Deserializer = Self;

    fn into_deserializer(self) -> Self {
        self
    }
}

impl<'de> Deserializer<'de> for &'de Node {
    type Error = Fault;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        let value = match &self.kind {
            Kind::Null => visitor.visit_unit(),
            Kind::Bool(truth) => visitor.visit_bool(*truth),
            Kind::Int(number) => visitor.visit_i64(*number),
            Kind::Uint(number) => visitor.visit_u64(*number),
            // It would reach JSON as `null`.
            Kind::Float(number) if !number.is_finite() => Err(Fault::new(
                "file::out-of-range",
                String::from("a number that JSON cannot hold"),
            )),
            Kind::Float(number) => visitor.visit_f64(*number),
            Kind::Text(text) => visitor.visit_borrowed_str(text),
            Kind::Date(date) => Err(Fault::new(
                "file::bare-date",
                String::from("a date without quotes"),
            )
            .help(format!("put it in quotes: \"{date}\""))),
            Kind::List(items) => visitor.visit_seq(Items(items.iter())),
            Kind::Map(entries) => visitor.visit_map(Entries {
                entries: entries.iter(),
                value: None,
            }),
        };
        value.map_err(|fault| fault.at(self))
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        // Whether a boundary is claimed must not hang on a value that somebody forgot.
        if matches!(self.kind, Kind::Null) {
            return Err(
                Fault::new("file::no-value", String::from("a key without a value"))
                    .help(String::from("give it a value, or remove the key"))
                    .at(self),
            );
        }
        visitor.visit_some(self)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        visitor: V,
    ) -> Result<V::Value, Fault> {
        visitor
            .visit_newtype_struct(self)
            .map_err(|fault| fault.at(self))
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        _fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Fault> {
        if is_spanned(name) {
            visitor.visit_map(SpannedDeserializer::new(self, self.span.clone()))
        } else {
            self.deserialize_any(visitor)
        }
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _name: &'static str,
        _variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Fault> {
        let value = match &self.kind {
            Kind::Text(word) => visitor.visit_enum(word.as_str().into_deserializer()),
            Kind::Map(entries) => visitor.visit_enum(MapAccessDeserializer::new(Entries {
                entries: entries.iter(),
                value: None,
            })),
            _ => return self.deserialize_any(visitor),
        };
        value.map_err(|fault: Fault| fault.at(self))
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf unit
        unit_struct seq tuple tuple_struct map identifier ignored_any
    }
}

struct Items<'de>(std::slice::Iter<'de, Node>);

impl<'de> SeqAccess<'de> for Items<'de> {
    type Error = Fault;

    fn next_element_seed<T: DeserializeSeed<'de>>(
        &mut self,
        seed: T,
    ) -> Result<Option<T::Value>, Fault> {
        self.0.next().map(|node| seed.deserialize(node)).transpose()
    }
}

struct Entries<'de> {
    entries: std::slice::Iter<'de, (Key, Node)>,
    value: Option<(&'de Key, &'de Node)>,
}

impl<'de> MapAccess<'de> for Entries<'de> {
    type Error = Fault;

    fn next_key_seed<K: DeserializeSeed<'de>>(
        &mut self,
        seed: K,
    ) -> Result<Option<K::Value>, Fault> {
        let Some((key, node)) = self.entries.next() else {
            return Ok(None);
        };
        self.value = Some((key, node));
        let name: StrDeserializer<'_, Fault> = key.name.as_str().into_deserializer();
        seed.deserialize(name).map(Some).map_err(|mut fault| {
            fault.span = Some(key.span.clone());
            fault.node = Some(node.id);
            fault
        })
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, Fault> {
        let (key, node) = self
            .value
            .take()
            .ok_or_else(|| de::Error::custom("a value was read before its key"))?;
        seed.deserialize(node).map_err(|fault| {
            let mut fault = fault.at(node);
            fault.within.push(key.name.clone());
            fault
        })
    }
}
