//! `watertight baseline`: a file of known verdicts, from a report.
//!
//! Owns what is written and what stays: entries that still hold keep their words and the comments
//! around them; trials that are no longer as known go. What an entry means is the config's business.

use std::{
    collections::BTreeSet,
    path::PathBuf,
    time::{Duration, SystemTime},
};

use clap::Args;
use toml_edit::{Array, ArrayOfTables, DocumentMut, Item, Table, Value, value};

use super::print::{complain, deliver, problem, shout};
use crate::{
    config::{Baseline, is_day},
    diag::Source,
    exit::Exit,
    judge::{Basis, Verdict},
    report::{Report, is_plain, read_report, visible, write::store},
};

/// How long what is known is accepted, unless the user says otherwise.
const DAYS: u64 = 90;

/// The file that is written when no other is named.
const FILE: &str = "baseline.toml";

const HEAD: &str = "\
# Verdicts that are known: `watertight run --baseline FILE` does not fail because of them until they
# expire. An entry that has expired, or that no longer matches, fails the run.
format = 1
";

/// Arguments of `watertight baseline`.
#[derive(Debug, Clone, Args)]
pub struct BaselineArgs {
    /// The JSON report; - reads standard input
    #[arg(value_name = "REPORT")]
    pub report: PathBuf,

    /// The file to write, or to bring up to date; - prints it
    #[arg(long, short, value_name = "FILE", default_value = FILE)]
    pub output: PathBuf,

    /// Why new entries are accepted
    #[arg(
        long,
        value_name = "TEXT",
        default_value = "known when this baseline was written"
    )]
    pub reason: String,

    /// Last day of new entries, and of those that have expired [default: in 90 days]
    #[arg(long, value_name = "YYYY-MM-DD")]
    pub expires: Option<String>,

    /// Accept what could not be judged too
    #[arg(long)]
    pub inconclusive: bool,
}

/// What was done to a file.
#[derive(Debug, Default, PartialEq, Eq)]
struct Done {
    kept: usize,
    added: usize,
    removed: usize,
    renewed: usize,
    expired: usize,
}

/// Writes the baseline of a report.
#[must_use]
pub fn run(args: &BaselineArgs) -> Exit {
    let report = match read_report(&args.report) {
        Ok(report) => report,
        Err(error) => return refuse(&error.to_string()),
    };
    if let Some(day) = args.expires.as_ref().filter(|day| !is_day(day)) {
        let day = visible(day, 40);
        return refuse(&format!(
            "--expires {day} is no day\nfix: write it as 2027-01-31"
        ));
    }
    if let Some(past) = args.expires.as_ref().filter(|day| **day < today()) {
        return refuse(&format!(
            "--expires {past} is past, so that the next run would fail by it\nfix: give a day to come"
        ));
    }
    if args.reason.trim().is_empty() {
        return refuse("the reason is empty\nfix: say with --reason why this is accepted");
    }
    let printed = args.output.as_os_str() == "-";
    if !printed
        && args
            .output
            .extension()
            .is_none_or(|ending| ending != "toml")
    {
        let path = visible(&args.output.display().to_string(), 200).into_owned();
        return refuse(&format!(
            "a baseline is TOML, and {path} is not called so\nfix: name a file that ends in .toml"
        ));
    }
    let old = match Baseline::read(&args.output) {
        _ if printed || !args.output.exists() => None,
        Ok(old) => Some(old.source().text().to_owned()),
        Err(problems) => return problem(&problems),
    };
    let (text, done) = match update(old.as_deref(), &report, args) {
        Ok(made) => made,
        Err(message) => return refuse(&message),
    };
    // What was written must be readable: the program's own fault otherwise.
    if let Err(problems) = Baseline::parse(Source::new(FILE, text.as_str())) {
        problem(&problems);
        return Exit::HarnessFault;
    }
    if old.is_none() && done.added == 0 && !printed {
        shout("nothing is to be accepted; no baseline is written\n");
        return Exit::Held;
    }
    let written = match printed {
        true => deliver(&text),
        false => store(&args.output, text.as_bytes()),
    };
    if let Err(error) = written {
        let path = args.output.display();
        complain(&format!(
            "cannot write {path}: {error}\nfix: name another file with --output"
        ));
        return Exit::HarnessFault;
    }
    shout(&told(args, &done));
    Exit::Held
}

fn refuse(message: &str) -> Exit {
    complain(message);
    Exit::BadInput
}

fn told(args: &BaselineArgs, done: &Done) -> String {
    let counts = [
        (done.added, "new"),
        (done.kept, "kept"),
        (done.removed, "removed, because they are no longer so"),
        (done.renewed, "renewed"),
        (done.expired, "expired: give --expires to renew them"),
    ];
    let words: Vec<String> = counts
        .iter()
        .filter(|(count, _)| *count > 0)
        .map(|(count, what)| format!("{count} {what}"))
        .collect();
    let words = match words.is_empty() {
        true => String::from("nothing is known"),
        false => words.join(", "),
    };
    format!(
        "{}: trials {words}\n",
        visible(&args.output.display().to_string(), 200)
    )
}

/// The text of the file as it should be, and what was done to it.
fn update(
    old: Option<&str>,
    report: &Report,
    args: &BaselineArgs,
) -> Result<(String, Done), String> {
    let mut document: DocumentMut = old
        .unwrap_or(HEAD)
        .parse()
        .map_err(|error| format!("the baseline is no TOML: {error}\nfix: write it as TOML"))?;
    let mut done = Done::default();
    let today = today();
    let known = document
        .entry("known")
        .or_insert(Item::ArrayOfTables(ArrayOfTables::new()))
        .as_array_of_tables_mut()
        .ok_or("`known` is no array of tables\nfix: write its entries as [[known]]")?;
    let mut covered = BTreeSet::new();
    for table in known.iter_mut() {
        refresh(
            table,
            report,
            &today,
            args.expires.as_deref(),
            &mut covered,
            &mut done,
        );
    }
    known.retain(|table| {
        let trials = table.get("trials").and_then(Item::as_array);
        trials.is_none_or(|trials| !trials.is_empty())
    });
    let expires = args
        .expires
        .clone()
        .unwrap_or_else(|| day(Duration::from_secs(DAYS * 86_400)));
    for (verdict, word) in [
        (Verdict::Breached, "breached"),
        (Verdict::Inconclusive, "inconclusive"),
    ] {
        if verdict == Verdict::Inconclusive && !args.inconclusive {
            continue;
        }
        for probe in &report.probes {
            let names: Vec<&str> = probe
                .trials
                .iter()
                .filter(|trial| trial.verdict == verdict && trial.basis != Basis::NotRun)
                .filter(|trial| !covered.contains(&trial.id))
                .filter_map(|trial| Some(trial.id.split_once('/')?.1))
                .collect();
            if names.is_empty() {
                continue;
            }
            done.added += names.len();
            let mut table = Table::new();
            table.decor_mut().set_prefix("\n");
            table["probe"] = Item::Value(quoted(&probe.id.0));
            table["verdict"] = value(word);
            table["trials"] = value(list(&names));
            table["reason"] = Item::Value(quoted(&args.reason));
            table["expires"] = value(&expires);
            known.push(table);
        }
    }
    if known.is_empty() {
        document.remove("known");
    }
    Ok((document.to_string(), done))
}

/// Takes from an entry what is no longer so, and counts the rest.
fn refresh(
    table: &mut Table,
    report: &Report,
    today: &str,
    renew: Option<&str>,
    covered: &mut BTreeSet<String>,
    done: &mut Done,
) {
    let text = |table: &Table, key: &str| {
        let text = table.get(key).and_then(Item::as_str);
        text.unwrap_or_default().to_owned()
    };
    let (id, verdict) = (text(table, "probe"), text(table, "verdict"));
    let Some(trials) = table.get_mut("trials").and_then(Item::as_array_mut) else {
        return;
    };
    // A report that did not ask says nothing.
    if let Some(probe) = report.probes.iter().find(|probe| probe.id.0 == id) {
        let before = trials.len();
        trials.retain(|name| {
            let name = name.as_str().unwrap_or_default();
            let trial = probe
                .trials
                .iter()
                .find(|trial| trial.id.split_once('/').map(|(_, own)| own) == Some(name));
            trial.is_some_and(|trial| match trial.verdict {
                Verdict::Breached => verdict == "breached",
                // Not judged is not fixed.
                Verdict::Inconclusive => true,
                Verdict::Held | Verdict::NotApplicable => false,
            })
        });
        done.removed += before - trials.len();
    }
    let names = trials.iter().filter_map(Value::as_str);
    covered.extend(names.map(|name| format!("{id}/{name}")));
    let count = trials.len();
    match (*text(table, "expires") < *today, renew) {
        (false, _) => done.kept += count,
        (true, None) => done.expired += count,
        (true, Some(day)) => {
            if let Some(expires) = table.get_mut("expires").and_then(Item::as_value_mut) {
                let decor = expires.decor().clone();
                *expires = Value::from(day);
                *expires.decor_mut() = decor;
            }
            done.renewed += count;
        }
    }
}

/// A text as a basic string in which nothing can act on a terminal: tools have names of the target's
/// choice.
fn quoted(text: &str) -> Value {
    let mut toml = String::from("\"");
    for c in text.chars() {
        match c {
            '"' | '\\' => toml.extend(['\\', c]),
            c if is_plain(c) => toml.push(c),
            c => toml.push_str(&format!("\\U{:08x}", u32::from(c))),
        }
    }
    toml.push('"');
    toml.parse().unwrap_or_else(|_| Value::from(text))
}

/// Names, one to a line.
fn list(names: &[&str]) -> Array {
    let mut array = Array::new();
    for name in names {
        let mut name = quoted(name);
        name.decor_mut().set_prefix("\n    ");
        array.push_formatted(name);
    }
    array.set_trailing("\n");
    array.set_trailing_comma(true);
    array
}

/// The day that is so far from now, UTC.
fn today() -> String {
    day(Duration::ZERO)
}

fn day(ahead: Duration) -> String {
    let time = humantime::format_rfc3339_seconds(SystemTime::now() + ahead).to_string();
    time.get(..10).unwrap_or_default().to_owned()
}
