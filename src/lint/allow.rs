//! Comments that allow a finding: `# watertight: allow RULE`, on its line or on the line above.
//!
//! Owns where such comments are and what each covers. `RULE` is an id, or its beginning up to a
//! dot; several are separated by commas; what follows ` -- ` is the reason, for people.

use std::ops::Range;

use super::finding::Finder;
use crate::{
    diag::{Format, Source},
    suite::is_below,
};

/// Comments beyond these are not heeded, nor are lines further below one.
const MOST: usize = 1000;
const BELOW: usize = 20;

const MARK: &str = "watertight: allow ";

/// A comment that allows.
struct Allow {
    rules: Vec<String>,
    /// Bytes of the mark and the rules.
    span: Range<usize>,
    /// Bytes of the lines that it covers.
    covers: Range<usize>,
}

/// Marks findings that are allowed by comments, and adds those comments that allow nothing.
pub(super) fn by_comments(finder: &mut Finder<'_>, format: Option<Format>) {
    let before = finder.found.len();
    for allow in comments(finder.source, format).into_iter().take(MOST) {
        let mut used = false;
        for finding in &mut finder.found[..before] {
            let on_line = allow.covers.contains(&finding.span.start);
            if on_line
                && allow
                    .rules
                    .iter()
                    .any(|rule| is_below(finding.rule.id, rule))
            {
                finding.allowed = true;
                used = true;
            }
        }
        if !used {
            let message = format!("`{}` allows nothing", allow.rules.join(", "));
            finder.add("lint.unused-allow", allow.span, "nothing to allow", message);
        }
    }
}

/// Marks findings that are allowed by a flag: `RULE`, or `RULE=FILE` for one file.
pub(super) fn by_flags(finder: &mut Finder<'_>, flags: &[String]) {
    let file = finder.source.name();
    for flag in flags {
        let (rule, only) = match flag.split_once('=') {
            Some((rule, only)) => (rule, Some(only)),
            None => (flag.as_str(), None),
        };
        if only.is_some_and(|only| only != file) {
            continue;
        }
        for finding in &mut finder.found {
            finding.allowed |= is_below(finding.rule.id, rule);
        }
    }
}

fn comments(source: &Source, format: Option<Format>) -> Vec<Allow> {
    let text = source.text();
    // In JSON a comment is what reading without comments blanks out.
    let stripped = (format == Some(Format::Json)).then(|| source.without_comments());
    let mut found = Vec::new();
    let mut start = 0;
    for line in text.split_inclusive('\n') {
        let at = start;
        start += line.len();
        let Some(mark) = line.find(MARK) else {
            continue;
        };
        let head = line[..mark].trim_end();
        let opens = head.ends_with('#') || head.ends_with("//") || head.ends_with("/*");
        let blanked = stripped
            .as_ref()
            .is_none_or(|stripped| stripped.text().as_bytes().get(at + mark) == Some(&b' '));
        if !opens || !blanked {
            continue;
        }
        let rest = line[mark + MARK.len()..].trim_end();
        let list = rest.split(" -- ").next().unwrap_or(rest);
        let rules: Vec<String> = list
            .split([',', ' '])
            .map(|rule| rule.trim_end_matches("*/").trim().to_owned())
            .filter(|rule| !rule.is_empty())
            .collect();
        let alone = head
            .trim_start_matches(['#', '/', '*', ' ', '\t'])
            .is_empty();
        let end = if alone {
            // Down to the end of the first line below that is no comment.
            let mut end = start;
            for below in text[start..].split_inclusive('\n').take(BELOW) {
                end += below.len();
                let bare = below.trim();
                if !bare.is_empty() && !bare.starts_with('#') && !bare.starts_with("//") {
                    break;
                }
            }
            end
        } else {
            start
        };
        let span = at + mark..at + mark + MARK.len() + list.trim_end().len();
        found.push(Allow {
            rules,
            span,
            covers: at..end,
        });
    }
    found
}
