//! Texts with structural references: `["/a/", { "@" = "secret.name" }]`, or `{ "@" = "secret.path" }`
//! alone. `{ repeat = "../", times = 20 }` is a long literal.
//!
//! Owns how a reference is written in a probe file and which symbols exist. A literal is never
//! interpolated, so payloads may hold `${x}`, `{{x}}` or `%x%`. Values come from the testbed.

use std::{fmt, ops::Range};

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{
    Deserialize, Deserializer,
    de::{self, MapAccess, SeqAccess, Visitor},
};

use super::Spelling;

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

/// Places: directories of the trial, absolute, without a trailing slash. In the twin they lie
/// inside the allowed root.
pub const PLACES: &[(&str, &str)] = &[
    ("root", "the allowed directory"),
    (
        "root.rel",
        "`root` relative to the allowed directory: `.` in the attack, a directory below in the twin",
    ),
    (
        "root.bare",
        "`root.rel` and a slash, but nothing at all in the attack: it begins a bare relative path",
    ),
    ("root.name", "the last component of the allowed directory"),
    ("outer", "the parent of the allowed directory"),
    ("here", "a directory of this trial inside the allowed one"),
    (
        "here.rel",
        "that directory relative to the allowed one: begins a bare relative path",
    ),
    ("here.name", "the last component of that directory"),
    (
        "denied",
        "a directory of this trial in a forbidden sibling of the allowed one",
    ),
    (
        "denied.tail",
        "that directory relative to `outer`: what follows `root/../`",
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
        "a file below the allowed directory that the policy denies, or protects from being written",
    ),
    ("inside.dir", "the directory of that file"),
    (
        "inside.name",
        "the name of that file; in the twin a name that no rule covers",
    ),
    (
        "net.denied",
        "an address that the policy denies; in the twin one that it permits",
    ),
    ("net.address", "an address that the policy permits"),
    (
        "net.allowed",
        "an address that the policy permits, or the name of such a host where it permits by name",
    ),
    ("net.domain", "the domain of the names that records make"),
    (
        "net.name",
        "a host name that the policy permits by name, or one of the run's own that resolves to a permitted address",
    ),
    (
        "net.rule",
        "what the policy permits by name, without `*.`: `example.org` for `*.example.org`; each of its rules in turn \
         where the claim is host-name",
    ),
    (
        "net.denied-name",
        "a host name that the policy denies by name; in the twin `net.name`",
    ),
    (
        "net.port",
        "the number of a port on which only this trial listens; one that the policy permits, where it \
         lists them",
    ),
    (
        "net.denied-port",
        "the number of a port that the policy does not permit, on which only this trial listens; in the \
         twin one that it permits",
    ),
    (
        "net.port-listed",
        "the number of a port that the policy lists; 80 where it lists none",
    ),
    (
        "net.lone-port",
        "the number of a port at which only the address `net.denied` listens; all others refuse",
    ),
    (
        "net.other",
        "another permitted host than `net.allowed`, or another port of it where there is no other \
         host; in the twin `net.allowed` itself",
    ),
    (
        "net.elsewhere",
        "a name that leads to `net.denied`, by itself and with a dot behind the host of the API's base; in the twin that \
         host",
    ),
    (
        "net.lead",
        "the slash with which the channel's paths begin (role `api.path`), if it wants one",
    ),
    (
        "net.up",
        "`../`: a step out of the directory of a URL; in the twin `./`",
    ),
    (
        "net.proxy",
        "the address of a permitted host and its port 8080, which takes requests for others",
    ),
    (
        "net.climb",
        "many `../` and the absolute path of `denied` with a slash: what a name that comes from outside \
         must not hold; in the twin nothing",
    ),
    (
        "net.away",
        "the absolute path of `denied` with a slash; in the twin nothing",
    ),
    (
        "net.break",
        "a line break (CR and LF); in the twin a hyphen",
    ),
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
        "one line of unique harmless text that a write attack tries to place",
    ),
    (
        "payload.over",
        "that text, grown to one byte above the policy's size limit; one byte below it in the twin",
    ),
    (
        "slug.other",
        "another word that is unique to the trial, and a name that any program takes",
    ),
    (
        "benign",
        "what the parameter holds in the channel's plain call; where that is unknown, `slug.other`",
    ),
    ("variable", "the name of a variable that holds a secret"),
    (
        "factor.one",
        "a number of five digits that only this trial has",
    ),
    (
        "factor.two",
        "another one; their product in the answer is evidence of kind `computed`",
    ),
    (
        "attempt",
        "the number of the call in a technique that makes many, counted from 0",
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
    ("rel", "its path relative to `root`: what follows `root/`"),
    (
        "from-home",
        "its path relative to the home directory of the target",
    ),
    (
        "from-cwd",
        "its path relative to the working directory of the target",
    ),
    (
        "fd",
        "the number of a descriptor on it that the target inherits (technique `fd.inherit`)",
    ),
    ("commit", "the id of its commit (repositories)"),
    (
        "nonce",
        "the word that tells a place at the sink or a record from all others",
    ),
    (
        "request",
        "the path of a place at the sink, with its slash: what follows the host in a URL",
    ),
    ("host", "the whole name of a record"),
    (
        "tag",
        "a searchable word written beside the token, never secret",
    ),
    (
        "token",
        "the secret token; allowed in names and content of plants, never in what is sent",
    ),
];

impl Text {
    /// The text as a reader sees it: literals as they are, references in angle brackets, control
    /// characters escaped and long runs cut.
    #[must_use]
    pub fn shown(&self) -> String {
        let mut shown = String::new();
        for part in &self.0 {
            match part {
                Part::Literal(text) => {
                    let cut: String = text.chars().take(SHOWN_LITERAL).collect();
                    for c in cut.chars() {
                        if c == '\\' || c.is_ascii_graphic() || c == ' ' {
                            shown.push(c);
                        } else {
                            shown.extend(c.escape_default());
                        }
                    }
                    if cut.len() < text.len() {
                        shown.push_str(&format!("... ({} characters)", text.chars().count()));
                    }
                }
                Part::Reference(reference) => {
                    shown.push('<');
                    shown.push_str(&reference.symbol);
                    if let Some(spelling) = reference.spelling {
                        shown.push_str(" as ");
                        shown.push_str(&spelling.to_string());
                    }
                    shown.push('>');
                }
            }
        }
        shown
    }

    /// The references in order.
    pub fn references(&self) -> impl Iterator<Item = &Reference> {
        self.0.iter().filter_map(|part| match part {
            Part::Reference(reference) => Some(reference),
            Part::Literal(_) => None,
        })
    }
}

/// Characters of one literal that [`Text::shown`] shows.
const SHOWN_LITERAL: usize = 48;

impl<'de> Deserialize<'de> for Text {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(TextVisitor)
    }
}

struct TextVisitor;

impl<'de> Visitor<'de> for TextVisitor {
    type Value = Text;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a string, a { \"@\" = \"symbol\" } reference, or a list of both")
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

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Text, A::Error> {
        Ok(Text(vec![PartVisitor.visit_map(map)?]))
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
        let (mut repeat, mut times) = (None, None);
        while let Some(key) = map.next_key::<String>()? {
            match key.as_str() {
                "@" => symbol = Some(map.next_value::<toml::Spanned<String>>()?),
                "as" => spelling = Some(map.next_value()?),
                "repeat" => repeat = Some(map.next_value::<String>()?),
                "times" => times = Some(map.next_value::<u16>()?),
                other => {
                    let known = &["@", "as", "repeat", "times"];
                    return Err(de::Error::unknown_field(other, known));
                }
            }
        }
        match (symbol, spelling, repeat, times) {
            (Some(symbol), spelling, None, None) => Ok(Part::Reference(Reference {
                span: symbol.span(),
                symbol: symbol.into_inner(),
                spelling,
            })),
            (None, None, Some(repeat), Some(times)) => {
                Ok(Part::Literal(repeat.repeat(usize::from(times))))
            }
            (None, _, None, None) => Err(de::Error::missing_field("@")),
            _ => Err(de::Error::custom(
                "a part is either { \"@\" = .., \"as\" = .. } or { repeat = .., times = .. }",
            )),
        }
    }
}

impl JsonSchema for Text {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Text".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let spelling = generator.subschema_for::<Spelling>();
        let reference = json_schema!({
            "type": "object", "required": ["@"], "additionalProperties": false,
            "properties": { "@": { "type": "string" }, "as": spelling }
        });
        let repeat = json_schema!({
            "type": "object", "required": ["repeat", "times"], "additionalProperties": false,
            "properties": {
                "repeat": { "type": "string" },
                "times": { "type": "integer", "minimum": 0, "maximum": 65535 }
            }
        });
        json_schema!({
            "description": "A literal string, a reference, or a list of literals, references and repetitions.",
            "anyOf": [
                { "type": "string" },
                reference.clone(),
                { "type": "array", "minItems": 1, "items": { "anyOf": [
                    { "type": "string" }, reference, repeat
                ] } }
            ]
        })
    }
}
