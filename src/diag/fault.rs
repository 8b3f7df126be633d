//! A mistake on its way out of serde, in words for people who do not write Rust.

use std::{fmt, ops::Range};

use serde::de::{self, Expected, Unexpected};

use crate::diag::{Diagnostic, Source, nearest, tree::Node};

/// A mistake on its way out of serde.
#[derive(Debug)]
pub(super) struct Fault {
    words: Box<Words>,
    /// Keys around it, innermost first.
    pub(super) within: Vec<String>,
    pub(super) span: Option<Range<usize>>,
    /// What has to go so that the rest can be read.
    pub(super) node: Option<usize>,
    /// The key that is missing, if that is the mistake.
    pub(super) missing: Option<&'static str>,
}

/// What it says; apart, since serde passes errors by value through every level.
#[derive(Debug)]
struct Words {
    code: &'static str,
    message: String,
    label: String,
    help: Option<String>,
}

impl Fault {
    pub(super) fn new(code: &'static str, message: String) -> Self {
        Self {
            words: Box::new(Words {
                code,
                message,
                label: String::new(),
                help: None,
            }),
            within: Vec::new(),
            span: None,
            node: None,
            missing: None,
        }
    }

    pub(super) fn label(mut self, label: String) -> Self {
        self.words.label = label;
        self
    }

    pub(super) fn help(mut self, help: String) -> Self {
        self.words.help = Some(help);
        self
    }

    /// Places it, unless it was placed further in.
    pub(super) fn at(mut self, node: &Node) -> Self {
        if self.node.is_none() {
            self.node = Some(node.id);
            self.span.get_or_insert_with(|| node.span.clone());
        }
        self
    }

    pub(super) fn into_diagnostic(self, source: &Source) -> Diagnostic {
        let Words {
            code,
            mut message,
            label,
            help,
        } = *self.words;
        if !self.within.is_empty() {
            let keys: Vec<&str> = self.within.iter().rev().map(String::as_str).collect();
            let place = keys.join(".");
            message = match code {
                "file::unknown-key" | "file::missing-key" => format!("{message} in `{place}`"),
                _ => format!("`{place}`: {message}"),
            };
        }
        let diagnostic = Diagnostic::error(code, message)
            .within(source)
            .label(self.span.unwrap_or(0..0), label);
        match help {
            Some(help) => diagnostic.help(help),
            None => diagnostic,
        }
    }
}

/// With the help, for where nothing can be underlined.
impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.words.message)?;
        match &self.words.help {
            Some(help) => write!(f, ", {help}"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for Fault {}

/// `did you mean`, or the words that are known.
fn suggest(word: &str, known: &'static [&'static str]) -> String {
    match nearest(word, known.iter().copied()) {
        Some(near) => format!("did you mean `{near}`?"),
        None if known.is_empty() => String::from("no key is known here"),
        None => format!("known here: {}", known.join(", ")),
    }
}

/// What serde expects, for people who do not write Rust.
fn plainly(expected: &dyn Expected) -> String {
    let expected = expected.to_string();
    match expected.as_str() {
        "u8" | "u16" | "u32" | "u64" | "usize" => String::from("a whole number, 0 or more"),
        "i8" | "i16" | "i32" | "i64" | "isize" => String::from("a whole number"),
        "f32" | "f64" => String::from("a number"),
        "a string" => String::from("a text"),
        "a boolean" => String::from("true or false"),
        "a sequence" => String::from("a list"),
        other if other == "a map" || other.starts_with("struct ") => {
            String::from("a table of keys")
        }
        other if other.starts_with("enum ") => String::from("one of the known words"),
        _ => expected,
    }
}

fn found(unexpected: Unexpected<'_>) -> String {
    match unexpected {
        Unexpected::Bool(truth) => format!("`{truth}`"),
        Unexpected::Unsigned(number) => format!("the number {number}"),
        Unexpected::Signed(number) => format!("the number {number}"),
        Unexpected::Float(number) => format!("the number {number}"),
        Unexpected::Str(text) => format!("the text \"{text}\""),
        Unexpected::Unit | Unexpected::Option => String::from("nothing"),
        Unexpected::Seq => String::from("a list"),
        Unexpected::Map | Unexpected::StructVariant => String::from("a table of keys"),
        other => other.to_string(),
    }
}

impl de::Error for Fault {
    fn custom<T: fmt::Display>(message: T) -> Self {
        Self::new("file::value", message.to_string())
    }

    fn invalid_type(unexpected: Unexpected<'_>, expected: &dyn Expected) -> Self {
        let message = format!("{} is the wrong type", found(unexpected));
        Self::new("file::wrong-type", message).label(format!("expected {}", plainly(expected)))
    }

    fn invalid_value(unexpected: Unexpected<'_>, expected: &dyn Expected) -> Self {
        let (code, what) = match unexpected {
            Unexpected::Signed(number) if number < 0 => ("file::negative", "must not be negative"),
            Unexpected::Signed(_) | Unexpected::Unsigned(_) | Unexpected::Float(_) => {
                ("file::out-of-range", "is out of range")
            }
            _ => ("file::value", "cannot be used"),
        };
        let message = format!("{} {what}", found(unexpected));
        Self::new(code, message).label(format!("expected {}", plainly(expected)))
    }

    fn invalid_length(length: usize, expected: &dyn Expected) -> Self {
        let message = format!("{length} is the wrong number of entries");
        Self::new("file::length", message).label(format!("expected {}", plainly(expected)))
    }

    fn unknown_variant(word: &str, known: &'static [&'static str]) -> Self {
        Self::new("file::unknown-word", format!("unknown word `{word}`")).help(suggest(word, known))
    }

    fn unknown_field(key: &str, known: &'static [&'static str]) -> Self {
        Self::new("file::unknown-key", format!("unknown key `{key}`")).help(suggest(key, known))
    }

    fn missing_field(key: &'static str) -> Self {
        let mut fault = Self::new("file::missing-key", format!("the key `{key}` is missing"))
            .label(format!("needs `{key}`"));
        fault.missing = Some(key);
        fault
    }
}
