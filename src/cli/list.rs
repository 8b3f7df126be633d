//! `watertight list`: the probes of the catalogue, filtered.
//!
//! Owns the table and its JSON form. What a probe is, is said by `explain`.

use clap::Args;
use serde::Serialize;
use unicode_width::UnicodeWidthStr;

use super::select::of_date;
use crate::{
    probe::{Catalog, Priority, Probe, Role, Severity, near},
    suite::{Suite, is_below},
};

/// Width of the table in columns.
const WIDTH: usize = 80;

/// Arguments of `watertight list`. Every filter narrows what the others left.
#[derive(Debug, Clone, Default, Args)]
pub struct ListArgs {
    /// Only this boundary and those below it, such as `fs` or `fs.read`
    #[arg(long, value_name = "B")]
    pub boundary: Option<String>,
    /// Only this severity: low, medium, high or critical
    #[arg(long, value_name = "S", value_parser = word::<Severity>)]
    pub severity: Option<Severity>,
    /// Only this priority: P0, P1 or P2
    #[arg(long, value_name = "P", value_parser = word::<Priority>)]
    pub priority: Option<Priority>,
    /// Only probes of this suite
    #[arg(long, value_name = "NAME")]
    pub suite: Option<String>,
    /// Suites and probes as they were at this date, such as 2026.11
    #[arg(long, value_name = "DATE")]
    pub frozen_suite: Option<String>,
    /// Only probes that can be asked through this role, such as `file.read`
    #[arg(long, value_name = "R", value_parser = word::<Role>)]
    pub role: Option<Role>,
    /// Print JSON instead of a table
    #[arg(long)]
    pub json: bool,
}

/// Reads a word as the file formats spell it.
fn word<T: serde::de::DeserializeOwned>(text: &str) -> Result<T, String> {
    let value = serde_json::Value::from(text);
    serde_json::from_value(value).map_err(|error| error.to_string())
}

/// Lists the probes.
///
/// # Errors
/// No suite, date or boundary has that name; the message says which there are.
pub fn run(args: &ListArgs, catalog: &Catalog) -> Result<String, String> {
    let dated = match &args.frozen_suite {
        None => None,
        Some(date) => Some(of_date(date).map_err(|problem| problem.to_string())?),
    };
    let (catalog, suites) = match &dated {
        None => (catalog, Suite::embedded()),
        Some((catalog, suites)) => (catalog, suites.as_slice()),
    };
    let suite =
        match &args.suite {
            None => None,
            Some(name) => Some(suites.iter().find(|suite| suite.name == *name).ok_or_else(
                || {
                    let known = suites.iter().map(|suite| suite.name.as_str());
                    format!("no suite is called `{name}`\n  {}", near(name, known))
                },
            )?),
        };
    if let Some(above) = &args.boundary
        && !catalog
            .probes()
            .any(|probe| is_below(probe.id.boundary(), above))
    {
        let known = catalog.probes().map(|probe| probe.id.boundary());
        let mut known: Vec<&str> = known.collect();
        known.dedup();
        return Err(format!(
            "no boundary is called `{above}`\n  {}",
            near(above, known)
        ));
    }
    let probes: Vec<&Probe> = catalog
        .probes()
        .filter(|probe| {
            let boundary = args.boundary.as_ref();
            boundary.is_none_or(|above| is_below(probe.id.boundary(), above))
                && args
                    .severity
                    .is_none_or(|severity| probe.severity == severity)
                && args
                    .priority
                    .is_none_or(|priority| probe.priority == priority)
                && args.role.is_none_or(|role| probe.roles.contains(&role))
                && suite.is_none_or(|suite| suite.select.selects(probe))
        })
        .collect();
    if args.json {
        return json(&probes, suites);
    }
    Ok(table(&probes))
}

/// A probe in the JSON list.
#[derive(Debug, Serialize)]
struct Row<'a> {
    id: &'a str,
    boundary: &'a str,
    title: &'a str,
    question: &'a str,
    priority: Priority,
    severity: Severity,
    roles: &'a [Role],
    claim: crate::probe::Claim,
    platforms: &'a [crate::probe::Platform],
    evidence: &'a [crate::probe::EvidenceKind],
    variants: Vec<&'a str>,
    references: &'a crate::probe::References,
    suites: Vec<&'a str>,
    digest: String,
}

fn json(probes: &[&Probe], suites: &[Suite]) -> Result<String, String> {
    let rows: Vec<Row<'_>> = probes
        .iter()
        .map(|probe| Row {
            id: &probe.id.0,
            boundary: probe.id.boundary(),
            title: &probe.title,
            question: &probe.question,
            priority: probe.priority,
            severity: probe.severity,
            roles: &probe.roles,
            claim: probe.claim,
            platforms: &probe.platforms,
            evidence: &probe.evidence,
            variants: probe.variants.iter().map(|v| v.name.as_str()).collect(),
            references: &probe.references,
            suites: suites
                .iter()
                .filter(|suite| suite.select.selects(probe))
                .map(|suite| suite.name.as_str())
                .collect(),
            digest: probe.digest(),
        })
        .collect();
    serde_json::to_string_pretty(&rows)
        .map(|text| text + "\n")
        .map_err(|error| error.to_string())
}

fn table(probes: &[&Probe]) -> String {
    if probes.is_empty() {
        return String::from("no probe passes all of these filters\n");
    }
    let mut lines = Vec::new();
    let id_width = probes
        .iter()
        .map(|probe| probe.id.0.width())
        .max()
        .unwrap_or(0);
    let severity_width = "critical".len();
    lines.push(row(
        "ID",
        id_width,
        "P",
        "SEVERITY",
        severity_width,
        "TITLE",
    ));
    for probe in probes {
        let (priority, severity) = (probe.priority.to_string(), probe.severity.to_string());
        lines.push(row(
            &probe.id.0,
            id_width,
            &priority,
            &severity,
            severity_width,
            &probe.title,
        ));
    }
    let variants: usize = probes.iter().map(|probe| probe.variants.len()).sum();
    lines.push(String::new());
    lines.push(format!("{} probes, {variants} variants", probes.len()));
    lines.join("\n") + "\n"
}

fn row(
    id: &str,
    id_width: usize,
    priority: &str,
    severity: &str,
    severity_width: usize,
    title: &str,
) -> String {
    let head = format!("{id:id_width$}  {priority:2}  {severity:severity_width$}  ");
    let room = WIDTH.saturating_sub(head.width());
    let mut cut = String::new();
    for c in title.chars() {
        cut.push(c);
        if cut.width() > room {
            cut.truncate(cut.len() - c.len_utf8());
            while cut.width() + 3 > room && cut.pop().is_some() {}
            cut.push_str("...");
            break;
        }
    }
    format!("{head}{cut}").trim_end().to_owned()
}
