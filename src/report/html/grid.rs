//! Boundaries as a table with bars, and by tool as a matrix.

use std::collections::BTreeMap;

use super::view::class;
use crate::{
    judge::Verdict,
    report::{BoundaryReport, Counts, Report, boundary_title, severity_word, strength_word},
};

/// A row of the table of boundaries.
#[derive(Debug)]
pub(super) struct Row<'a> {
    pub(super) report: &'a BoundaryReport,
    pub(super) title: &'a str,
    pub(super) degree: Option<&'static str>,
    pub(super) bar: Vec<Part>,
    pub(super) bar_label: String,
    pub(super) numbers: [Number; 5],
}

/// A part of a bar of a thousand.
#[derive(Debug)]
pub(super) struct Part {
    pub(super) class: &'static str,
    pub(super) from: usize,
    pub(super) width: usize,
}

/// A count and the verdict that colours it.
#[derive(Debug)]
pub(super) struct Number {
    pub(super) class: &'static str,
    pub(super) value: usize,
}

/// A tool with a cell for each boundary.
#[derive(Debug)]
pub(super) struct Line<'a> {
    pub(super) tool: &'a str,
    pub(super) index: usize,
    pub(super) idle: bool,
    pub(super) trials: usize,
    pub(super) cells: Vec<Option<Cell<'a>>>,
}

/// What became of one boundary on one tool.
#[derive(Debug)]
pub(super) struct Cell<'a> {
    pub(super) boundary: &'a str,
    pub(super) verdict: Verdict,
    pub(super) count: usize,
    pub(super) of: usize,
}

/// The rows of the table of boundaries.
pub(super) fn rows(report: &Report) -> Vec<Row<'_>> {
    report.boundaries.iter().map(row).collect()
}

fn row(report: &BoundaryReport) -> Row<'_> {
    let by = by_verdict(report.probes);
    let all: usize = by.iter().map(|(_, number)| number).sum();
    let mut before = 0;
    let mut bar = Vec::new();
    for (verdict, number) in by {
        let (from, to) = (
            before * 1000 / all.max(1),
            (before + number) * 1000 / all.max(1),
        );
        before += number;
        if number > 0 {
            bar.push(Part {
                class: class(verdict),
                from,
                width: to - from,
            });
        }
    }
    let words: Vec<String> = by
        .iter()
        .filter(|(_, number)| *number > 0)
        .map(|(verdict, number)| format!("{number} {}", class(*verdict).replace('-', " ")))
        .collect();
    let trials: usize = by_verdict(report.trials)
        .iter()
        .map(|(_, number)| number)
        .sum();
    let number = |verdict, value| Number {
        class: if value == 0 { "" } else { class(verdict) },
        value,
    };
    Row {
        report,
        title: match boundary_title(&report.id) {
            title if title == report.id => &report.title,
            title => title,
        },
        degree: report
            .severity
            .map(severity_word)
            .or(report.strength.map(strength_word)),
        bar,
        bar_label: words.join(", "),
        numbers: [
            number(Verdict::Held, report.probes.held),
            number(Verdict::Breached, report.probes.breached),
            number(Verdict::Inconclusive, report.probes.inconclusive),
            number(Verdict::NotApplicable, report.probes.not_applicable),
            Number {
                class: "",
                value: trials,
            },
        ],
    }
}

/// Worst first, as the bars show them.
fn by_verdict(counts: Counts) -> [(Verdict, usize); 4] {
    [
        (Verdict::Breached, counts.breached),
        (Verdict::Inconclusive, counts.inconclusive),
        (Verdict::Held, counts.held),
        (Verdict::NotApplicable, counts.not_applicable),
    ]
}

/// The tools with their verdicts by boundary.
pub(super) struct Matrix<'a> {
    /// Boundaries of which something was tried on a tool.
    pub(super) columns: Vec<&'a str>,
    /// In the order in which the target lists its tools.
    pub(super) lines: Vec<Line<'a>>,
}

/// What each tool was put through.
pub(super) fn matrix<'a>(report: &'a Report) -> Matrix<'a> {
    let mut tried: BTreeMap<(&str, &str), Vec<Verdict>> = BTreeMap::new();
    for probe in &report.probes {
        for trial in probe.trials.iter().filter(|trial| !trial.tool.is_empty()) {
            tried
                .entry((&trial.tool, &probe.boundary))
                .or_default()
                .push(trial.verdict);
        }
    }
    let cell = |tool: &str, row: &'a BoundaryReport| {
        let verdicts = tried.get(&(tool, &*row.id))?;
        let verdict = verdicts.iter().copied().max()?;
        Some(Cell {
            boundary: &row.id,
            verdict,
            count: verdicts.iter().filter(|other| **other == verdict).count(),
            of: match verdict {
                Verdict::NotApplicable => verdicts.len(),
                _ => verdicts.iter().filter(|other| applied(**other)).count(),
            },
        })
    };
    let rows: Vec<&BoundaryReport> = report
        .boundaries
        .iter()
        // What is asked of the server as a whole is tried on none of its tools.
        .filter(|row| {
            let mut tools = report.target.tools.iter();
            tools.any(|tool| tried.contains_key(&(&*tool.name, &*row.id)))
        })
        .collect();
    let tools = report.target.tools.iter().enumerate();
    let lines = tools
        .map(|(index, tool)| {
            let rows = rows.iter().copied();
            let cells: Vec<Option<Cell<'a>>> = rows.map(|row| cell(&tool.name, row)).collect();
            Line {
                tool: &tool.name,
                index,
                trials: tool.trials,
                idle: cells.iter().all(Option::is_none),
                cells,
            }
        })
        .collect();
    Matrix {
        columns: rows.iter().map(|row| &*row.id).collect(),
        lines,
    }
}

fn applied(verdict: Verdict) -> bool {
    verdict != Verdict::NotApplicable
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_asked_of_the_whole_server_has_no_column() {
        let text = include_str!("../../../reports/samples/report.json");
        let mut report: Report = serde_json::from_str(text).expect("a sample is a report");
        let columns = |report: &Report| matrix(report).columns.len();
        let before = columns(&report);
        assert!(before > 0);
        let boundary = report.probes[0].boundary.clone();
        let of = report.probes.iter_mut();
        for probe in of.filter(|probe| probe.boundary == boundary) {
            for trial in &mut probe.trials {
                trial.tool = String::from("(server)");
            }
        }
        assert_eq!(columns(&report), before - 1);
    }
}
