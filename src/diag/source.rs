//! A text that the user wrote, with its name.
//!
//! Owns reading it, its format, positions in it, and turning the errors of serde's formats into
//! diagnostics.

use std::{fs::File, io::Read, ops::Range, path::Path, sync::Arc};

use miette::{NamedSource, SourceCode};

use crate::diag::{Diagnostic, Problems};

/// Files larger than this are refused: nobody writes such a policy by hand.
const MAX_BYTES: u64 = 4 << 20;

/// A text and its name. Cheap to clone.
#[derive(Clone)]
pub struct Source {
    text: Arc<str>,
    /// The text as it may be printed, byte for byte as long as the text itself.
    drawn: Arc<NamedSource<String>>,
}

impl std::fmt::Debug for Source {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Source").field(&self.name()).finish()
    }
}

/// What a text is written in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// JSON.
    Json,
    /// YAML 1.2.
    Yaml,
    /// TOML 1.0.
    Toml,
}

impl Source {
    /// A text that is at hand. `name` is a path or what else tells the user where it comes from.
    pub fn new(name: impl AsRef<str>, text: impl Into<Arc<str>>) -> Self {
        let text = text.into();
        Self {
            drawn: Arc::new(NamedSource::new(
                printable(name.as_ref()),
                same_length(&text),
            )),
            text,
        }
    }

    /// Reads a file of at most 4 MiB of UTF-8; a byte order mark is dropped.
    ///
    /// # Errors
    ///
    /// A diagnostic `file::unreadable` that names the path and the reason.
    pub fn read(path: &Path) -> Result<Self, Diagnostic> {
        let unreadable = |why: String| {
            Diagnostic::error(
                "file::unreadable",
                format!("cannot read {}: {why}", path.display()),
            )
        };
        let mut bytes = Vec::new();
        File::open(path)
            .and_then(|file| file.take(MAX_BYTES + 1).read_to_end(&mut bytes))
            .map_err(|error| unreadable(error.to_string()))?;
        if bytes.len() as u64 > MAX_BYTES {
            return Err(unreadable(format!("larger than {} MiB", MAX_BYTES >> 20)));
        }
        let text = String::from_utf8(bytes).map_err(|error| {
            let at = error.utf8_error().valid_up_to();
            unreadable(format!("byte {at} is not UTF-8"))
        })?;
        let text = text.strip_prefix('\u{feff}').unwrap_or(&text);
        Ok(Self::new(path.display().to_string(), text))
    }

    /// The same file with its JSON comments and trailing commas read as blanks, for formats that
    /// take them; places stay, and what is drawn is still what was written.
    #[must_use]
    pub fn without_comments(&self) -> Self {
        let mut text = self.text.to_string();
        // An open comment at the end is a mistake that the parser then finds.
        let _ = json_strip_comments::strip(&mut text);
        Self {
            text: text.into(),
            drawn: Arc::clone(&self.drawn),
        }
    }

    /// The same file, drawn with `*` for these bytes.
    #[must_use]
    pub fn masked(&self, spans: &[Range<usize>]) -> Self {
        let mut spans = spans.to_vec();
        spans.sort_by_key(|span| span.start);
        let mut spans = spans.into_iter().peekable();
        let mut until = 0;
        let mut drawn = String::with_capacity(self.text.len());
        for (byte, c) in self.drawn.inner().char_indices() {
            while let Some(span) = spans.next_if(|span| span.start <= byte) {
                until = until.max(span.end);
            }
            if c != '\n' && byte < until {
                drawn.extend(std::iter::repeat_n('*', c.len_utf8()));
            } else {
                drawn.push(c);
            }
        }
        Self {
            text: Arc::clone(&self.text),
            drawn: Arc::new(NamedSource::new(self.name(), drawn)),
        }
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        self.drawn.name()
    }

    /// The text.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Line and column of a byte, both from 1; columns count characters.
    #[must_use]
    pub fn position(&self, byte: usize) -> (usize, usize) {
        let before = &self.text[..self.floor(byte)];
        let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
        (
            before.matches('\n').count() + 1,
            before[line_start..].chars().count() + 1,
        )
    }

    /// The format by the ending of the name, else by what parses: a text that begins with `{` is
    /// JSON, one that parses as TOML is TOML, all else is YAML.
    #[must_use]
    pub fn format(&self) -> Format {
        let ending = Path::new(self.name())
            .extension()
            .and_then(|ending| ending.to_str())
            .map(str::to_ascii_lowercase);
        match ending.as_deref() {
            Some("json") => Format::Json,
            Some("yaml" | "yml") => Format::Yaml,
            Some("toml") => Format::Toml,
            _ if self.text.trim_start().starts_with('{') => Format::Json,
            _ if ::toml::de::DeTable::parse(&self.text).is_ok() => Format::Toml,
            _ => Format::Yaml,
        }
    }

    /// Reads a value of which every [`At`](crate::diag::At) knows its place. All mistakes that
    /// can be told apart are reported at once.
    ///
    /// # Errors
    ///
    /// Syntax errors, or else duplicate keys, unknown keys, wrong types and missing keys.
    pub fn parse<T: serde::de::DeserializeOwned>(&self, format: Format) -> Result<T, Problems> {
        super::read::read(self, format)
    }

    /// An error of the `toml` crate, with the word that it points at.
    #[must_use]
    pub fn toml_error(&self, error: &::toml::de::Error) -> Diagnostic {
        let at = error.span().unwrap_or(0..0);
        if error.message() == "duplicate key" {
            return Diagnostic::error("file::duplicate-key", "a key is given twice")
                .within(self)
                .label(at, "again here")
                .help("remove one of them");
        }
        self.syntax("TOML", error.message(), at)
    }

    /// An error of `serde_json`, with the word at its line and column.
    #[must_use]
    pub fn json_error(&self, error: &serde_json::Error) -> Diagnostic {
        let line_start = match error.line() {
            0 | 1 => 0,
            line => self
                .text
                .match_indices('\n')
                .nth(line - 2)
                .map_or(self.text.len(), |(newline, _)| newline + 1),
        };
        let at = line_start + error.column().saturating_sub(1);
        // The place is underlined; the words of serde_json repeat it.
        let message = error.to_string();
        let message = message
            .rsplit_once(" at line ")
            .map_or(message.as_str(), |(message, _)| message);
        self.syntax("JSON", message, at..at)
    }

    /// An error of `serde-saphyr`, with the word that it points at.
    #[must_use]
    pub fn yaml_error(&self, error: &serde_saphyr::Error) -> Diagnostic {
        let at = error
            .location()
            .map_or(0..0, |location| self.yaml_span(location));
        let message = error.without_snippet().to_string();
        // As above: the place is underlined.
        let message = message
            .rsplit_once(" at line ")
            .map_or(message.as_str(), |(message, _)| message);
        self.syntax("YAML", message, at)
    }

    /// Bytes of a place in a YAML text.
    pub(super) fn yaml_span(&self, location: serde_saphyr::Location) -> Range<usize> {
        let span = location.span();
        let number = |value: Option<u64>| value.and_then(|value| usize::try_from(value).ok());
        if let (Some(start), Some(length)) = (number(span.byte_offset()), number(span.byte_len())) {
            return start..start.saturating_add(length);
        }
        // Errors of the scanner count characters only, and point at one of them.
        let characters = number(Some(span.offset())).unwrap_or(usize::MAX);
        let start = self
            .text
            .char_indices()
            .nth(characters)
            .map_or(self.text.len(), |(byte, _)| byte);
        start..start
    }

    fn syntax(&self, language: &str, message: &str, at: Range<usize>) -> Diagnostic {
        let message = message.trim().replace('\n', ", ");
        Diagnostic::error("file::syntax", format!("this is no valid {language}"))
            .within(self)
            .label(self.word(at), message)
    }

    /// The text as it is drawn.
    pub(super) fn drawn(&self) -> &dyn SourceCode {
        &*self.drawn
    }

    /// The part of a span on its first line, without blanks at its end; one character at least
    /// where there is one.
    pub(super) fn first_line(&self, span: &Range<usize>) -> Range<usize> {
        let start = self.floor(span.start);
        let end = self.floor(span.end).max(start);
        let line = self.text[start..end].lines().next().unwrap_or("");
        let line = line.trim_end();
        if line.is_empty() {
            return self.word(start..start);
        }
        start..start + line.len()
    }

    /// The span itself unless it is empty; else the word at its start, or the last character when
    /// nothing follows.
    fn word(&self, span: Range<usize>) -> Range<usize> {
        let start = self.floor(span.start);
        if self.text[start..].trim().is_empty()
            && let Some(last) = self.text.trim_end().chars().next_back()
        {
            let start = self.text.trim_end().len() - last.len_utf8();
            return start..start + last.len_utf8();
        }
        if self.floor(span.end) > start {
            return start..self.floor(span.end);
        }
        let rest = &self.text[start..];
        let length = rest
            .find(|c: char| !(c.is_alphanumeric() || "_-.".contains(c)))
            .unwrap_or(rest.len());
        let one = rest
            .chars()
            .next()
            .filter(|c| *c != '\n' && *c != '\r')
            .map_or(0, char::len_utf8);
        start..start + length.max(one)
    }

    /// The nearest start of a character at or before a byte.
    fn floor(&self, byte: usize) -> usize {
        let mut byte = byte.min(self.text.len());
        while !self.text.is_char_boundary(byte) {
            byte -= 1;
        }
        byte
    }
}

/// Whether a character may steer a terminal or hide text: controls, and what reorders a line
/// (CVE-2021-42574).
fn steers(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// A text of one line in which nothing steers the terminal.
pub(super) fn printable(text: &str) -> String {
    text.chars()
        .map(|c| if steers(c) { '\u{fffd}' } else { c })
        .collect()
}

/// The same for a whole file; every byte keeps its place, so that spans still fit.
fn same_length(text: &str) -> String {
    let mut harmless = String::with_capacity(text.len());
    for c in text.chars() {
        if steers(c) && !matches!(c, '\n' | '\r' | '\t') {
            harmless.extend(std::iter::repeat_n('?', c.len_utf8()));
        } else {
            harmless.push(c);
        }
    }
    harmless
}
