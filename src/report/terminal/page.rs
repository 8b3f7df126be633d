//! Lines, fields and tables of a fixed width.
//!
//! Owns layout, styles and the one rule that everything that is written was made
//! [visible](crate::report::visible) first. Knows nothing of reports.

use std::fmt::Write;

use anstyle::{AnsiColor, Style};
use textwrap::{Options, WordSeparator, WordSplitter, WrapAlgorithm};
use unicode_width::UnicodeWidthStr;

use crate::report::{Look, visible};

pub(crate) const PLAIN: Style = Style::new();
pub(crate) const BOLD: Style = Style::new().bold();
pub(crate) const FAINT: Style = Style::new().dimmed();
pub(crate) const GOOD: Style = AnsiColor::Green.on_default();
pub(crate) const BAD: Style = AnsiColor::Red.on_default().bold();
pub(crate) const UNSURE: Style = AnsiColor::Yellow.on_default();
pub(crate) const CODE: Style = AnsiColor::Cyan.on_default();

/// Characters of any one text that are shown; the JSON report has the rest.
const LIMIT: usize = 480;
/// The same for what a target said: enough to recognise it by.
const QUOTED: usize = 200;
/// Columns before the text of a field, and before its label.
const GUTTER: usize = 13;
const INDENT: usize = 3;
/// Narrower than this, a table of verdicts makes no sense; a narrower terminal wraps by itself.
const NARROWEST: usize = 72;
/// Lines of prose get hard to read beyond this.
const WIDEST: usize = 132;

/// A piece of a line in one style.
pub(crate) type Span = (Style, String);

pub(crate) struct Page {
    out: String,
    width: usize,
    color: bool,
}

/// How a text is broken into lines.
#[derive(Clone, Copy)]
pub(crate) enum Wrap {
    /// Prose of ours: white space is folded, lines are balanced.
    Prose,
    /// Names, requests and facts: spaces kept, broken anywhere if need be.
    Code,
    /// As `Code`, for what the target said: shortened more.
    Quote,
}

impl Page {
    pub(crate) fn new(look: &Look) -> Self {
        Self {
            out: String::new(),
            width: look.width.clamp(NARROWEST, WIDEST),
            color: look.color,
        }
    }

    pub(crate) fn finish(self) -> String {
        self.out
    }

    pub(crate) fn blank(&mut self) {
        self.out.push('\n');
    }

    /// One line, cut at the width.
    pub(crate) fn line(&mut self, spans: &[Span]) {
        let mut room = self.width;
        for (style, text) in spans {
            let text = visible(text, LIMIT);
            let piece = head(&text, room);
            room -= piece.width();
            self.paint(*style, piece);
            if piece.len() < text.len() {
                break;
            }
        }
        self.end_line();
    }

    /// A line of parts behind a mark. Those for which it is too short stand below.
    pub(crate) fn parts(&mut self, style: Style, mark: &str, parts: &[String]) {
        let indent = INDENT + mark.width() + 2;
        let mut lines: Vec<String> = Vec::new();
        for part in parts {
            match lines.last_mut() {
                Some(line) if indent + line.width() + 3 + part.width() <= self.width => {
                    line.push_str(" · ");
                    line.push_str(part);
                }
                _ => lines.push(part.clone()),
            }
        }
        for (index, line) in lines.into_iter().enumerate() {
            let mark = if index == 0 { mark } else { "" };
            let blank = " ".repeat(indent - INDENT - mark.width());
            self.line(&[
                (PLAIN, " ".repeat(INDENT)),
                (style, String::from(mark)),
                (PLAIN, blank + &line),
            ]);
        }
    }

    /// A section heading: title, rule, remark at the right edge.
    pub(crate) fn heading(&mut self, style: Style, title: &str, remark: &str) {
        let rule = self
            .width
            .saturating_sub(title.width() + remark.width() + 2);
        self.blank();
        self.line(&[
            (style.bold(), String::from(title)),
            (FAINT, format!(" {} ", "─".repeat(rule))),
            (FAINT, String::from(remark)),
        ]);
        self.blank();
    }

    pub(crate) fn rule(&mut self) {
        self.line(&[(FAINT, "─".repeat(self.width))]);
    }

    /// A labelled text; lines after the first hang below its beginning.
    pub(crate) fn field(&mut self, label: &str, style: Style, wrap: Wrap, text: &str) {
        let lines = self.wrap(text, self.width - GUTTER, wrap);
        self.labelled(label, style, &lines);
    }

    /// A shell line, broken between words with backslashes so that it can be pasted. A word is
    /// never broken: a word that is wider than the page makes a line that is too.
    pub(crate) fn shell(&mut self, label: &str, command: &str) {
        let words = shell_words::split(command).map_or_else(
            |_| vec![visible(command, LIMIT).into_owned()],
            |words| {
                words
                    .iter()
                    .map(|word| shell_words::quote(&visible(word, LIMIT)).into_owned())
                    .collect()
            },
        );
        let room = self.width - GUTTER - " \\".len();
        let mut lines: Vec<String> = Vec::new();
        for word in words {
            match lines.last_mut() {
                Some(line) if line.width() + 1 + word.width() <= room => {
                    line.push(' ');
                    line.push_str(&word);
                }
                Some(line) => {
                    line.push_str(" \\");
                    lines.push(format!("  {word}"));
                }
                None => lines.push(word),
            }
        }
        self.labelled(label, CODE, &lines);
    }

    /// A wrapped paragraph, `indent` columns in, with a hanging indent of `hang` more.
    pub(crate) fn paragraph(
        &mut self,
        indent: usize,
        hang: usize,
        style: Style,
        wrap: Wrap,
        text: &str,
    ) {
        let lines = self.wrap(text, self.width - indent - hang, wrap);
        for (number, line) in lines.iter().enumerate() {
            let indent = indent + if number == 0 { 0 } else { hang };
            self.paint(PLAIN, &" ".repeat(indent));
            self.paint(style, line);
            self.end_line();
        }
    }

    /// A table without rules; columns are as wide as their widest cell, and `right` says which
    /// are aligned to the right. Without enough room first column `optional` is left out, then
    /// the gaps are narrowed, then lines are cut.
    pub(crate) fn table(&mut self, optional: Option<usize>, right: &[bool], rows: &[Vec<Span>]) {
        let widths: Vec<usize> = (0..right.len())
            .map(|column| {
                rows.iter()
                    .map(|row| visible(&row[column].1, LIMIT).width())
                    .max()
                    .unwrap_or(0)
            })
            .collect();
        let fits = |skip: Option<usize>, gap: usize| {
            let shown = (0..right.len()).filter(|column| skip != Some(*column));
            let total: usize = shown.map(|column| widths[column] + gap).sum();
            INDENT + total - gap <= self.width
        };
        let (skip, gap) = if fits(None, 2) {
            (None, 2)
        } else if fits(optional, 2) {
            (optional, 2)
        } else {
            (optional, 1)
        };
        for row in rows {
            let mut line = vec![(PLAIN, " ".repeat(INDENT))];
            for (column, (style, text)) in row.iter().enumerate() {
                if skip == Some(column) {
                    continue;
                }
                if line.len() > 1 {
                    line.push((PLAIN, " ".repeat(gap)));
                }
                let pad = " ".repeat(widths[column] - visible(text, LIMIT).width());
                let cell = (*style, text.clone());
                match right[column] {
                    true => line.extend([(PLAIN, pad), cell]),
                    false => line.extend([cell, (PLAIN, pad)]),
                }
            }
            self.line(&line);
        }
    }

    fn labelled(&mut self, label: &str, style: Style, lines: &[String]) {
        let mut label = label;
        for line in lines {
            let label = std::mem::take(&mut label);
            self.paint(PLAIN, &" ".repeat(INDENT));
            self.paint(FAINT, &format!("{label:<pad$}", pad = GUTTER - INDENT));
            self.paint(style, line);
            self.end_line();
        }
    }

    fn wrap(&self, text: &str, width: usize, wrap: Wrap) -> Vec<String> {
        let options = Options::new(width).word_splitter(WordSplitter::NoHyphenation);
        let options = options.word_separator(WordSeparator::AsciiSpace);
        let first_fit = options.clone().wrap_algorithm(WrapAlgorithm::FirstFit);
        let folded;
        let (text, limit, options) = match wrap {
            Wrap::Prose => {
                folded = text.split_whitespace().collect::<Vec<_>>().join(" ");
                // Not a target's text: a probe author's sentences are not cut.
                (&*folded, usize::MAX, options)
            }
            Wrap::Code => (text, LIMIT, first_fit),
            Wrap::Quote => (text, QUOTED, first_fit),
        };
        let shown = visible(text, limit);
        textwrap::wrap(&shown, options)
            .into_iter()
            .map(std::borrow::Cow::into_owned)
            .collect()
    }

    fn paint(&mut self, style: Style, text: &str) {
        let written = if self.color && style != PLAIN && !text.trim().is_empty() {
            write!(self.out, "{style}{text}{style:#}")
        } else {
            write!(self.out, "{text}")
        };
        written.expect("writing to a String does not fail");
    }

    fn end_line(&mut self) {
        self.out.truncate(self.out.trim_end_matches(' ').len());
        self.out.push('\n');
    }
}

/// The longest beginning of a text that fits into `room` columns.
fn head(text: &str, room: usize) -> &str {
    let mut end = text.len();
    while text[..end].width() > room {
        end = text[..end]
            .char_indices()
            .next_back()
            .map_or(0, |(index, _)| index);
    }
    &text[..end]
}
