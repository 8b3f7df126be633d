//! Mistakes in what the user wrote, and the one way to show them.
//!
//! Owns [`Diagnostic`], [`Problems`], the reading of JSON, YAML and TOML with the byte span of
//! every value kept, and the drawing of a message with the word underlined. Knows nothing of what
//! the files mean: policy, config, probe and suite loaders say what is wrong, this says where.

mod at;
mod fault;
mod json;
mod look;
mod nearest;
mod read;
mod schema;
mod source;
mod toml;
mod tree;
mod yaml;

use std::{fmt, ops::Range};

pub use at::At;
pub use look::Look;
pub use nearest::nearest;
pub use read::word_of;
pub use schema::schema_of;
pub use source::{Format, Source};

/// One mistake, or one doubtful thing, in what the user wrote.
#[derive(Debug, Clone)]
pub struct Diagnostic {
    code: &'static str,
    warning: bool,
    message: String,
    source: Option<Source>,
    labels: Vec<(Range<usize>, String)>,
    help: Option<String>,
}

impl Diagnostic {
    /// A mistake. `code` is stable, such as `policy::relative-path`; `message` is one sentence
    /// without a full stop.
    pub fn error(code: &'static str, message: impl Into<String>) -> Self {
        Self {
            code,
            warning: false,
            message: message.into(),
            source: None,
            labels: Vec::new(),
            help: None,
        }
    }

    /// Something that is allowed and probably not what was meant.
    pub fn warning(code: &'static str, message: impl Into<String>) -> Self {
        Self {
            warning: true,
            ..Self::error(code, message)
        }
    }

    /// The text in which the mistake is.
    #[must_use]
    pub fn within(mut self, source: &Source) -> Self {
        self.source = Some(source.clone());
        self
    }

    /// Underlines bytes of the text and says why; may be called several times, main label first.
    /// A span over several lines is cut at the end of its first line.
    #[must_use]
    pub fn label(mut self, span: Range<usize>, text: impl Into<String>) -> Self {
        self.labels.push((span, text.into()));
        self
    }

    /// How to fix it.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// The same with every text passed through `hide`, drawn from `source`: for files in which
    /// secrets stand.
    #[must_use]
    pub fn redacted(mut self, source: &Source, hide: impl Fn(&str) -> String) -> Self {
        self.message = hide(&self.message);
        self.help = self.help.as_deref().map(&hide);
        for (_, text) in &mut self.labels {
            *text = hide(text);
        }
        if self.source.is_some() {
            self.source = Some(source.clone());
        }
        self
    }

    /// Stable code of the mistake.
    #[must_use]
    pub fn code(&self) -> &'static str {
        self.code
    }

    /// What is wrong, in one sentence.
    #[must_use]
    pub fn message(&self) -> &str {
        &self.message
    }

    /// Whether it is only a warning.
    #[must_use]
    pub fn is_warning(&self) -> bool {
        self.warning
    }

    /// Byte span of the main label, if there is one.
    #[must_use]
    pub fn span(&self) -> Option<Range<usize>> {
        self.labels.first().map(|(span, _)| span.clone())
    }

    /// Draws it, ending in a newline.
    #[must_use]
    pub fn render(&self, look: Look) -> String {
        look.draw(self)
    }
}

/// `file:line:column: message (help)`, on one line.
impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(source) = &self.source {
            write!(f, "{}", source.name())?;
            if let Some(span) = self.span() {
                let (line, column) = source.position(span.start);
                write!(f, ":{line}:{column}")?;
            }
            f.write_str(": ")?;
        }
        f.write_str(&source::printable(&self.message))?;
        match &self.help {
            Some(help) => write!(f, " ({})", source::printable(&help.replace('\n', "; "))),
            None => Ok(()),
        }
    }
}

impl std::error::Error for Diagnostic {}

/// All mistakes that were found together; never empty.
#[derive(Debug, Clone)]
pub struct Problems(Vec<Diagnostic>);

impl Problems {
    /// The mistakes, if there are any: warnings alone are none.
    #[must_use]
    pub fn new(diagnostics: Vec<Diagnostic>) -> Option<Self> {
        diagnostics
            .iter()
            .any(|diagnostic| !diagnostic.is_warning())
            .then_some(Self(diagnostics))
    }

    /// Them, in the order of the file.
    #[must_use]
    pub fn as_slice(&self) -> &[Diagnostic] {
        &self.0
    }

    /// Them, in the order of the file.
    #[must_use]
    pub fn into_vec(self) -> Vec<Diagnostic> {
        self.0
    }

    /// Draws all of them, an empty line between each two.
    #[must_use]
    pub fn render(&self, look: Look) -> String {
        let drawn: Vec<String> = self.0.iter().map(|one| one.render(look)).collect();
        drawn.join("\n")
    }
}

impl From<Diagnostic> for Problems {
    fn from(one: Diagnostic) -> Self {
        Self(vec![one])
    }
}

/// What cannot fail has no mistakes.
impl From<std::convert::Infallible> for Problems {
    fn from(never: std::convert::Infallible) -> Self {
        match never {}
    }
}

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, one) in self.0.iter().enumerate() {
            if index > 0 {
                f.write_str("\n")?;
            }
            write!(f, "{one}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Problems {}
