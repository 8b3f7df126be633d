//! The canonical form: JSON whose order is that of the model.
//!
//! Owns the encoding and the schema. Lossless: text of the target is kept as it came, but whatever
//! could act on a terminal is written as a `\u` escape, so that the file is safe to print.

use std::io;

use schemars::Schema;
use serde::Serialize;
use serde_json::ser::{CharEscape, Formatter, PrettyFormatter, Serializer};

use crate::report::{Diff, Report, is_plain};

/// The report as JSON text, indented by two spaces, with a final newline.
#[must_use]
pub fn render(report: &Report) -> String {
    plain(report)
}

/// A value as JSON text that is safe to print.
pub(crate) fn plain(value: &impl Serialize) -> String {
    let mut bytes = Vec::new();
    let mut serializer = Serializer::with_formatter(&mut bytes, Plain(PrettyFormatter::new()));
    value
        .serialize(&mut serializer)
        .expect("what is printed has string keys and finite numbers, and memory takes all bytes");
    bytes.push(b'\n');
    String::from_utf8(bytes).expect("the serializer writes UTF-8")
}

/// A value as one line of JSON that is safe to print, with its line feed.
pub(crate) fn compact(value: &impl Serialize) -> String {
    let value = serde_json::to_string(value)
        .expect("what is printed has string keys and finite numbers, and memory takes all bytes");
    let mut line = String::with_capacity(value.len() + 1);
    for c in value.chars() {
        if is_plain(c) {
            line.push(c);
        } else {
            // Outside of strings JSON of ours has ASCII only, so this is inside of one.
            for unit in c.encode_utf16(&mut [0; 2]) {
                line.push_str(&format!("\\u{unit:04x}"));
            }
        }
    }
    line.push('\n');
    line
}

/// JSON Schema of the report, version 1.
#[must_use]
pub fn schema() -> Schema {
    schemars::schema_for!(Report)
}

/// JSON Schema of what `diff --json` prints, version 1.
#[must_use]
pub fn diff_schema() -> Schema {
    schemars::schema_for!(Diff)
}

/// Pretty JSON in which every character that is not plain is escaped.
struct Plain<'a>(PrettyFormatter<'a>);

impl Formatter for Plain<'_> {
    fn write_string_fragment<W: ?Sized + io::Write>(
        &mut self,
        writer: &mut W,
        fragment: &str,
    ) -> io::Result<()> {
        let mut rest = fragment;
        while let Some((index, c)) = rest.char_indices().find(|(_, c)| !is_plain(*c)) {
            writer.write_all(&rest.as_bytes()[..index])?;
            for unit in c.encode_utf16(&mut [0; 2]) {
                write!(writer, "\\u{unit:04x}")?;
            }
            rest = &rest[index + c.len_utf8()..];
        }
        writer.write_all(rest.as_bytes())
    }

    fn write_char_escape<W: ?Sized + io::Write>(
        &mut self,
        writer: &mut W,
        escape: CharEscape,
    ) -> io::Result<()> {
        self.0.write_char_escape(writer, escape)
    }

    fn begin_array<W: ?Sized + io::Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.begin_array(writer)
    }

    fn end_array<W: ?Sized + io::Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.end_array(writer)
    }

    fn begin_array_value<W: ?Sized + io::Write>(
        &mut self,
        writer: &mut W,
        first: bool,
    ) -> io::Result<()> {
        self.0.begin_array_value(writer, first)
    }

    fn end_array_value<W: ?Sized + io::Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.end_array_value(writer)
    }

    fn begin_object<W: ?Sized + io::Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.begin_object(writer)
    }

    fn end_object<W: ?Sized + io::Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.end_object(writer)
    }

    fn begin_object_key<W: ?Sized + io::Write>(
        &mut self,
        writer: &mut W,
        first: bool,
    ) -> io::Result<()> {
        self.0.begin_object_key(writer, first)
    }

    fn begin_object_value<W: ?Sized + io::Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.begin_object_value(writer)
    }

    fn end_object_value<W: ?Sized + io::Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.end_object_value(writer)
    }
}
