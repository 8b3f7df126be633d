//! How diagnostics look: colours, characters, width.
//!
//! miette draws; this decides with which theme, and makes hostile text harmless before.

use std::{
    fmt,
    io::{self, IsTerminal},
};

use anstream::{AutoStream, ColorChoice};
use miette::{
    GraphicalReportHandler, GraphicalTheme, LabeledSpan, Severity, SourceCode, SourceSpan,
};

use textwrap::{WordSeparator, WordSplitter};

use crate::diag::{Diagnostic, source::printable};

/// How diagnostics are drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Look {
    /// Columns.
    pub width: usize,
    /// Whether ANSI colours are used.
    pub colour: bool,
    /// Whether box-drawing characters are used; ASCII otherwise.
    pub unicode: bool,
}

impl Look {
    /// 80 columns of ASCII: what a file, a pipe or a CI log gets.
    pub const PLAIN: Look = Look {
        width: 80,
        colour: false,
        unicode: false,
    };

    /// What standard error wants. Colours only on a terminal, unless `NO_COLOR`, `CLICOLOR`,
    /// `CLICOLOR_FORCE` or `TERM` say otherwise.
    #[must_use]
    pub fn of_stderr() -> Self {
        let stderr = io::stderr();
        Self {
            colour: AutoStream::choice(&stderr) != ColorChoice::Never,
            unicode: stderr.is_terminal(),
            ..Self::PLAIN
        }
    }

    /// The same for standard output.
    #[must_use]
    pub fn of_stdout() -> Self {
        let stdout = io::stdout();
        Self {
            colour: AutoStream::choice(&stdout) != ColorChoice::Never,
            unicode: stdout.is_terminal(),
            ..Self::PLAIN
        }
    }

    pub(super) fn draw(self, diagnostic: &Diagnostic) -> String {
        let mut theme = if self.unicode {
            GraphicalTheme::unicode()
        } else {
            GraphicalTheme::ascii()
        };
        if !self.colour {
            theme.styles = GraphicalTheme::none().styles;
        }
        let handler = GraphicalReportHandler::new_themed(theme)
            .with_width(self.width)
            .with_links(false)
            .without_cause_chain()
            .with_context_lines(1)
            // Keys, paths and commands are copied from messages: no breaks inside of them.
            .with_break_words(false)
            .with_word_separator(WordSeparator::AsciiSpace)
            .with_word_splitter(WordSplitter::NoHyphenation);
        let mut drawn = String::new();
        match handler.render_report(&mut drawn, &Drawn(diagnostic)) {
            Ok(()) => {
                let lines: Vec<&str> = drawn.lines().map(str::trim_end).collect();
                let mut drawn = lines.join("\n");
                drawn.truncate(drawn.trim_end().len());
                drawn.push('\n');
                drawn
            }
            // A span that does not fit its text must not swallow the message.
            Err(fmt::Error) => format!("{diagnostic}\n"),
        }
    }
}

/// A diagnostic as miette wants to see it.
struct Drawn<'a>(&'a Diagnostic);

impl fmt::Debug for Drawn<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Display for Drawn<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&printable(&self.0.message))
    }
}

impl std::error::Error for Drawn<'_> {}

impl miette::Diagnostic for Drawn<'_> {
    fn code<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        Some(Box::new(self.0.code))
    }

    fn severity(&self) -> Option<Severity> {
        Some(if self.0.warning {
            Severity::Warning
        } else {
            Severity::Error
        })
    }

    fn help<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        let help = self.0.help.as_deref()?;
        let lines: Vec<String> = help.lines().map(printable).collect();
        Some(Box::new(lines.join("\n")))
    }

    fn source_code(&self) -> Option<&dyn SourceCode> {
        self.0.source.as_ref().map(|source| source.drawn())
    }

    fn labels(&self) -> Option<Box<dyn Iterator<Item = LabeledSpan> + '_>> {
        let source = self.0.source.as_ref()?;
        Some(Box::new(self.0.labels.iter().enumerate().map(
            move |(index, (span, text))| {
                let text = (!text.is_empty()).then(|| printable(text));
                let span = SourceSpan::from(source.first_line(span));
                if index == 0 {
                    LabeledSpan::new_primary_with_span(text, span)
                } else {
                    LabeledSpan::new_with_span(text, span)
                }
            },
        )))
    }
}
