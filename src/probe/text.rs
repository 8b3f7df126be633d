//! Texts with structural references: `["/a/", { "@" = "secret.name" }]`.
//!
//! Owns how a reference is written in a probe file and which symbols exist. A literal is never
//! interpolated, so payloads may hold `${x}`, `{{x}}` or `%x%`. Values come from the testbed.

use std::{fmt, ops::Range};

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{
    Deserialize, Deserializer,
    de::{self, MapAccess, SeqAccess, Visitor},
};

/// A text made of literals and references, in order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Text(pub Vec<Part>);

/// A piece of a [`Text`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Part {
    /// Sent as it stands.
    Literal(String),
    /// Stands for something in the testbed.
    Reference(Reference),
}

/// A reference to a place, a plant or a value of the trial, and how it is spelled.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reference {
    /// The symbol: a place (`root`), a value (`payload`), or `<plant>.<field>`.
    pub symbol: String,
    /// Byte range of the symbol in its file, for messages.
    pub span: Range<usize>,
    /// How the value is re-spelled before it is sent.
    pub spelling: Option<Spelling>,
}

/// A way to spell a value so that a decoder behind the check would restore it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Spelling {
    /// Every byte that is no letter or digit as `%xx`.
    Percent,
    /// Percent-encoded twice.
    PercentTwice,
    /// Dots and slashes as overlong UTF-8 in percent form (`%c0%ae`, `%c0%af`).
    Overlong,
    /// `%uXXXX` escapes for dots and slashes.
    PercentU,
    /// ASCII punctuation and letters as full-width forms (U+FF01 block).
    FullWidth,
    /// Slashes as backslashes.
    Backslash,
    /// A `file://` URI with an empty host.
    FileUri,
    /// Upper case.
    UpperCase,
    /// Backslash-escaped for a glob: each dot and letter in a bracket class.
    GlobClass,
}

/// Places: directories of the trial, absolute, without a trailing slash. In the twin they lie
/// inside the allowed root.
pub const PLACES: &[(&str, &str)] = &[
    ("root", "the allowed directory"),
    (
        "root.rel",
        "the allowed directory relative to itself, `.` in the attack",
    ),
    ("root.name", "the last component of the allowed directory"),
    ("outer", "the parent of the allowed directory"),
    ("here", "a directory of this trial inside the allowed one"),
    ("here.rel", "that directory relative to the allowed one"),
    ("here.name", "the last component of that directory"),
    (
        "denied",
        "a directory of this trial in a forbidden sibling of the allowed one",
    ),
    (
        "outside",
        "a directory of this trial far from the allowed one",
    ),
    ("home", "a directory of this trial in the target's home"),
    (
        "tmp",
        "a directory of this trial in the target's temporary directory",
    ),
    (
        "inside",
        "a place below the allowed directory that the policy denies: a file",
    ),
    ("inside.dir", "the directory of that place"),
    ("inside.name", "the file name of that place"),
];

/// Values of the trial.
pub const VALUES: &[(&str, &str)] = &[
    (
        "ext",
        "the file extension that the channel reads, with its dot, such as `.txt`",
    ),
    ("slug", "a word that is unique to the trial"),
    (
        "payload",
        "unique harmless text that a write attack tries to place",
    ),
];

/// Fields of a plant.
pub const FIELDS: &[(&str, &str)] = &[
    ("path", "its absolute path"),
    ("name", "its last component"),
    ("dir", "the directory that holds it"),
    (
        "tail",
        "its path relative to `outer`: what follows `root/../`",
    ),
    ("rel", "its path relative to the root of the geometry"),
    (
        "tag",
        "a searchable word written beside the token, never secret",
    ),
    (
        "token",
        "the secret token; allowed in the content of plants, never in what is sent",
    ),
];

impl Text {
    /// The references in order.
    pub fn references(&self) -> impl Iterator<Item = &Reference> {
        self.0.iter().filter_map(|part| match part {
            Part::Reference(reference) => Some(reference),
            Part::Literal(_) => None,
        })
    }
}

impl<'de> Deserialize<'de> for Text {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(TextVisitor)
    }
}

struct TextVisitor;

impl<'de> Visitor<'de> for TextVisitor {
    type Value = Text;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a string, or a list of strings and { \"@\" = \"symbol\" } references")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Text, E> {
        Ok(Text(vec![Part::Literal(text.to_owned())]))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut parts: A) -> Result<Text, A::Error> {
        let mut text = Vec::new();
        while let Some(part) = parts.next_element::<Part>()? {
            text.push(part);
        }
        if text.is_empty() {
            return Err(de::Error::invalid_length(0, &"at least one part"));
        }
        Ok(Text(text))
    }
}

impl<'de> Deserialize<'de> for Part {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(PartVisitor)
    }
}

struct PartVisitor;

impl<'de> Visitor<'de> for PartVisitor {
    type Value = Part;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a string or a { \"@\" = \"symbol\" } reference")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Part, E> {
        Ok(Part::Literal(text.to_owned()))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Part, A::Error> {
        let (mut symbol, mut spelling) = (None, None);
        while let Some(key) = map.next_key::<String>()? {
            match key.as_str() {
                "@" => symbol = Some(map.next_value::<toml::Spanned<String>>()?),
                "as" => spelling = Some(map.next_value()?),
                other => return Err(de::Error::unknown_field(other, &["@", "as"])),
            }
        }
        let symbol = symbol.ok_or_else(|| de::Error::missing_field("@"))?;
        Ok(Part::Reference(Reference {
            span: symbol.span(),
            symbol: symbol.into_inner(),
            spelling,
        }))
    }
}

impl JsonSchema for Text {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Text".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let spelling = generator.subschema_for::<Spelling>();
        json_schema!({
            "description": "A literal string, or a list of literals and references.",
            "anyOf": [
                { "type": "string" },
                { "type": "array", "minItems": 1, "items": { "anyOf": [
                    { "type": "string" },
                    { "type": "object", "required": ["@"], "additionalProperties": false,
                      "properties": { "@": { "type": "string" }, "as": spelling } }
                ] } }
            ]
        })
    }
}
