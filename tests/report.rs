//! Reports: they add up, their looks, their files, and what hostile text can do to them.

#[path = "report/diff.rs"]
mod diff;
#[path = "report/formats.rs"]
mod formats;
#[path = "report/known.rs"]
mod known;
#[path = "report/sample.rs"]
mod sample;
#[path = "report/tally.rs"]
mod tally;

use std::{fs, path::Path};

use insta::assert_snapshot;
use sample::{HOSTILE_TOOL, findings, report};
use serde_json::Value;
use unicode_width::UnicodeWidthStr;
use watertight::{
    judge::{Basis, Strength, Verdict},
    probe::Role,
    report::{
        AccountError, Format, FormatError, Look, Repeat, Report, WriteError, is_plain,
        parse_destination, render_json, render_terminal, repro, schema, veil, write_reports,
    },
};

const NARROW: Look = Look {
    color: false,
    width: 80,
    verbose: false,
};

#[test]
fn terminal_at_80_columns() {
    assert_snapshot!(render_terminal(&report(), &NARROW));
}

#[test]
fn terminal_at_80_columns_in_colour() {
    let look = Look {
        color: true,
        ..NARROW
    };
    assert_snapshot!(render_terminal(&report(), &look).replace('\u{1b}', "␛"));
}

#[test]
fn terminal_at_120_columns_verbose() {
    let look = Look {
        width: 120,
        verbose: true,
        ..NARROW
    };
    assert_snapshot!(render_terminal(&report(), &look));
}

#[test]
fn colour_changes_nothing_but_colour() {
    let look = Look {
        color: true,
        ..NARROW
    };
    let colored = render_terminal(&report(), &look);
    assert!(colored.contains('\u{1b}'));
    assert_eq!(
        anstream::adapter::strip_str(&colored).to_string(),
        render_terminal(&report(), &NARROW)
    );
}

#[test]
fn hostile_text_stays_text() {
    for width in [72, 80, 100, 120] {
        for verbose in [false, true] {
            let look = Look {
                color: false,
                width,
                verbose,
            };
            let text = render_terminal(&report(), &look);
            for line in text.lines() {
                assert!(line.chars().all(is_plain), "raw character in {line:?}");
                assert!(line.width() <= width, "wider than {width}: {line}");
            }
            assert!(text.contains(r"\u{1b}[31mAPI notes"), "{text}");
        }
    }
    let json = render_json(&report());
    assert!(json.lines().flat_map(str::chars).all(is_plain));
    assert!(
        json.len() < 100_000,
        "a line of 1 MiB must not reach the report"
    );
    assert!(json.contains("more bytes]"));
}

/// Values of the user's, wherever the target put them.
#[test]
fn what_was_passed_on_is_veiled() {
    let mut open = report();
    let (long, short) = ("s3cr\"et/value", "s3cr\"et");
    let breach = open
        .probes
        .iter_mut()
        .find(|probe| probe.verdict == Verdict::Breached)
        .expect("the sample has a breach");
    let trial = &mut breach.trials[0];
    trial.answered = Some(format!("{long} and {short} and abc and secretword"));
    trial.evidence[0].excerpt = Some(format!("text\":{}", serde_json::json!(long)));
    open.target.tools[0].unproven = vec![(Role::FileRead, format!("first answer: {long}"))];
    open.notes.push(format!("critical: {short}"));
    let values = [
        ("SHORT", short),
        ("LONG", long),
        ("TINY", "abc"),
        ("WORD", "secretword"),
        ("SEVERITY", "critical"),
    ]
    .map(|(name, value)| (name.to_owned(), value.to_owned()));

    let veiled = veil(open.clone(), &values).expect("it is still a report");
    let text = render_json(&veiled);
    for value in ["s3cr", "secretword"] {
        assert!(!text.contains(value), "{value}");
    }
    for name in [
        "${LONG} and ${SHORT} and abc and ${WORD}",
        "first answer: ${LONG}",
    ] {
        assert!(text.contains(name), "{name} is missing");
    }
    // A value that is a word of the format costs no member of it.
    assert_eq!(veiled.summary, open.summary);
    assert!(
        veiled
            .notes
            .iter()
            .any(|note| note == "${SEVERITY}: ${SHORT}")
    );
    assert_eq!(
        render_json(&veil(open.clone(), &[]).expect("nothing to do")),
        render_json(&open)
    );
}

#[test]
fn every_tool_that_no_trial_exercised_is_named() {
    let report = report();
    let text = render_terminal(&report, &NARROW);
    let gaps = &text[text.find("NOT TESTED").expect("the section is there")..];
    for tool in report.target.tools.iter().filter(|tool| tool.trials == 0) {
        assert!(
            report
                .not_tested
                .iter()
                .any(|gap| gap.tool.as_ref() == Some(&tool.name))
        );
        let word = tool.name.split('\n').next().expect("a first line");
        assert!(gaps.contains(word), "{word} is missing in {gaps}");
    }
    let hostile = report
        .not_tested
        .iter()
        .find(|gap| gap.tool.as_deref() == Some(HOSTILE_TOOL));
    assert!(
        hostile.is_some_and(|gap| gap.why.contains("two allowed files gave the same answer")),
        "{hostile:?}"
    );
}

/// What the run was told is in the line, except for what is so anyway; values that it withholds are left open.
#[test]
fn the_repro_line_has_the_flags_of_the_run() {
    let told = report();
    let trial = told.probes.iter().flat_map(|probe| &probe.trials).next();
    let given = [
        "--fixture=/srv/notes",
        "--era=auto",
        "--timeout=10",
        "--startup-timeout=7",
        "--",
        "npx",
    ];
    let repeat = Repeat {
        flags: given.map(String::from).into(),
        policy: Value::Null,
        withheld: vec![
            (String::from("--env"), String::from("API_TOKEN")),
            (String::from("--setup"), String::from("login")),
        ],
    };
    let trial = trial.expect("there is one");
    let line = repro(&told.target, &told.testbed, None, 42, Some(&repeat), trial);
    let words = shell_words::split(&line.expect("it is launched")).expect("it is a shell line");
    assert_eq!(
        words[5..12],
        [
            "42",
            "--fixture=/srv/notes",
            "--startup-timeout=7",
            "--env",
            "API_TOKEN=VALUE",
            "--setup",
            "login=JSON",
        ]
    );
    assert_eq!(words[12..14], ["--", "npx"]);
}

#[test]
fn the_repro_line_can_be_pasted() {
    let text = render_terminal(&report(), &NARROW);
    let start = text.find("repeat").expect("a breach has a repro") + "repeat".len();
    let mut line = String::new();
    for piece in text[start..].lines() {
        line.push_str(piece);
        line.push('\n');
        if !piece.ends_with('\\') {
            break;
        }
    }
    assert_eq!(
        shell_words::split(&line).expect("it is a shell line"),
        [
            "watertight",
            "run",
            "--probe",
            "fs.read.prefix-sibling",
            "--seed",
            "42",
            "--",
            "npx",
            "-y",
            "@modelcontextprotocol/server-filesystem@2025.1.14",
            "{allowed}"
        ]
    );
}

#[test]
fn findings_that_do_not_add_up_make_no_report() {
    type Fault = fn(&mut watertight::report::Findings);
    let id = || String::from("fs.read.prefix-sibling/plain@read_file:path");
    let faults: [(Fault, AccountError); 8] = [
        (
            |findings| findings.planned += 1,
            AccountError::Planned {
                planned: 44,
                found: 43,
            },
        ),
        (
            |findings| {
                let twin = findings.probes[0].trials[0].clone();
                findings.probes[0].trials.push(twin);
                findings.planned += 1;
            },
            AccountError::Twice(id()),
        ),
        (
            |findings| {
                let twin = findings.probes[0].clone();
                findings.probes.push(twin);
            },
            AccountError::Twice(String::from("fs.read.prefix-sibling")),
        ),
        (
            |findings| findings.probes[0].trials[0].evidence.clear(),
            AccountError::WithoutEvidence(id()),
        ),
        (
            |findings| findings.probes[0].trials[0].strength = Some(Strength::Weak),
            AccountError::Strength(id()),
        ),
        (
            |findings| findings.probes[0].trials[0].basis = Basis::Policy,
            AccountError::Basis(id()),
        ),
        (
            |findings| findings.probes[0].trials[0].id.insert(0, 'x'),
            AccountError::Misfiled {
                trial: format!("x{}", id()),
                probe: String::from("fs.read.prefix-sibling"),
            },
        ),
        (
            |findings| {
                findings.planned -= findings.probes[0].trials.len();
                findings.probes[0].trials.clear();
            },
            AccountError::Silent(String::from("fs.read.prefix-sibling")),
        ),
    ];
    for (fault, expected) in faults {
        let mut findings = findings();
        fault(&mut findings);
        assert_eq!(Report::new(findings).map(|_| ()), Err(expected));
    }
}

#[test]
fn a_report_from_a_file_is_counted_again() {
    let read = |text: &str| serde_json::from_str::<Report>(text).expect("it is a report");
    let json = render_json(&report());
    assert_eq!(read(&json).account(), Ok(()));
    let mut summary = read(&json);
    summary.summary.exit_code = 0;
    assert!(matches!(summary.account(), Err(AccountError::Stale(_))));
    let mut table = read(&json);
    table.boundaries[0].verdict = Verdict::Held;
    assert!(matches!(table.account(), Err(AccountError::Stale(_))));
    let mut verdict = read(&json);
    verdict.probes[0].verdict = Verdict::Held;
    assert!(matches!(verdict.account(), Err(AccountError::Stale(_))));
}

#[test]
fn schema_is_checked_in_and_the_sample_fits_it() {
    let text = serde_json::to_string_pretty(&schema()).expect("a schema is JSON") + "\n";
    checked_in("reports/report-v1.schema.json", &text);
    let schema: Value = serde_json::from_str(&text).expect("a schema is JSON");
    let validator = jsonschema::validator_for(&schema).expect("it is a JSON Schema");
    let mut sample: Value = serde_json::from_str(&render_json(&report())).expect("JSON");
    let errors: Vec<String> = validator
        .iter_errors(&sample)
        .map(|e| e.to_string())
        .collect();
    assert!(errors.is_empty(), "{errors:?}");
    for (place, bad) in [
        ("/summary/verdict", Value::from("passed")),
        ("/probes/0/trials/0/evidence", Value::Null),
        ("/calls/sent", Value::from(-1)),
    ] {
        let good = sample.pointer_mut(place).expect("the place exists");
        let good = std::mem::replace(good, bad);
        let error = validator.validate(&sample).expect_err(place);
        assert_eq!(error.instance_path().to_string(), place);
        *sample.pointer_mut(place).expect("the place exists") = good;
    }
}

#[test]
fn samples_are_up_to_date() {
    checked_in(
        "reports/samples/report.txt",
        &render_terminal(&report(), &NARROW),
    );
    checked_in("reports/samples/report.json", &render_json(&report()));
}

/// Compares with a file of the repository; `UPDATE=1` rewrites it.
fn checked_in(path: &str, text: &str) {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    if std::env::var_os("UPDATE").is_some() {
        fs::write(&file, text).expect("the repository is writable");
    }
    let found = fs::read_to_string(&file).unwrap_or_default();
    assert!(
        found == text,
        "{path} is stale; run `UPDATE=1 cargo test --test report`"
    );
}

#[test]
fn formats_are_named() {
    assert_eq!("json".parse(), Ok(Format::Json));
    assert_eq!("text".parse(), Ok(Format::Terminal));
    let error = "xml"
        .parse::<Format>()
        .expect_err("there is no such format");
    assert_snapshot!(error, @"unknown report format `xml`; known formats: text, json, html, junit, sarif, markdown, jsonl, in-toto, oscal");
    assert_eq!(
        parse_destination("json=a=b.json"),
        Ok((Format::Json, "a=b.json".into()))
    );
    for bad in ["json", "json="] {
        assert_eq!(parse_destination(bad), Err(FormatError::NoPath(bad.into())));
    }
}

#[test]
fn one_report_that_cannot_be_written_costs_no_other() {
    let dir = tempfile::tempdir().expect("a directory");
    let report = report();
    let file = dir.path().join("file");
    fs::write(&file, "no directory").expect("writable");
    let good = dir.path().join("new/dir/report.json");
    let text = dir.path().join("report.txt");
    fs::write(&text, "an older report").expect("writable");
    let errors = write_reports(
        &report,
        &[
            (Format::Json, file.join("report.json")),
            (Format::Terminal, dir.path().to_owned()),
            (Format::Json, good.clone()),
            (Format::Terminal, text.clone()),
        ],
    );
    let paths: Vec<_> = errors
        .iter()
        .map(|error| match error {
            WriteError::Io { path, .. } | WriteError::Render { path, .. } => path.as_path(),
        })
        .collect();
    assert_eq!(paths, [file.join("report.json").as_path(), dir.path()]);
    for error in &errors {
        let told = error.to_string();
        let advice = ["--report", "name a file in it"];
        assert!(advice.iter().any(|one| told.contains(one)), "{error}");
    }
    assert_eq!(
        fs::read_to_string(&good).expect("written"),
        render_json(&report)
    );
    assert!(
        fs::read_to_string(&text)
            .expect("written")
            .contains("exit code 1")
    );
    let names: Vec<_> = fs::read_dir(dir.path())
        .expect("readable")
        .map(|entry| entry.expect("readable").file_name())
        .collect();
    assert_eq!(names.len(), 3, "a temporary file was left: {names:?}");
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_is_said() {
    let errors = write_reports(&report(), &[(Format::Json, "/dev/full".into())]);
    assert_eq!(errors.len(), 1);
    assert_snapshot!(errors[0], @"cannot write the json report to /dev/full: No space left on device (os error 28); free some space, or name another place with --report");
    assert!(Path::new("/dev/full").exists());
}
