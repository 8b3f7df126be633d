//! A run in parts: `run --shard` and `merge`.

use std::{collections::BTreeMap, sync::OnceLock};

use serde_json::Value;

use crate::run::{PROGRAM, Ran, Run, reference};

/// Some that breach, some that hold, some that do not apply.
const QUESTIONS: [&str; 9] = [
    "--probe",
    "fs.read.prefix-sibling",
    "--probe",
    "fs.read.dotdot",
    "--probe",
    "fs.read.symlink-dir",
    "--probe",
    "fs.size",
    "--quiet",
];

/// `run` on the reference target with a flaw; returns the JSON report.
fn report(flags: &[&str], exit: &[i32]) -> String {
    let args = [
        &["run", "--testbed", "host", "--report", "json=report.json"],
        &QUESTIONS[..],
        flags,
        &reference(&["--flaw", "fs.prefix-sibling"]),
    ]
    .concat();
    let ran = Run::new(&args).go();
    assert!(exit.iter().any(|code| ran.ended_with(*code)), "{}", ran.err);
    ran.read("report.json")
}

/// Both halves of one run.
fn halves() -> &'static [String; 2] {
    static HALVES: OnceLock<[String; 2]> = OnceLock::new();
    HALVES.get_or_init(|| ["1/2", "2/2"].map(|shard| report(&["--shard", shard], &[0, 1])))
}

/// Names and texts.
type Files<'a> = &'a [(&'a str, &'a str)];

fn merge(files: Files, flags: &[&str]) -> Ran {
    let names = files.iter().map(|(name, _)| *name);
    let args: Vec<&str> = ["merge"].into_iter().chain(names).collect();
    let run = Run::new(&[&args, flags].concat());
    let put = |run: Run, (name, text): &(&str, &str)| run.file(name, text);
    files.iter().fold(run, put).go()
}

/// Verdict and basis of every trial, and verdict and strength of every probe.
fn verdicts(report: &Value) -> BTreeMap<String, String> {
    let mut verdicts = BTreeMap::new();
    for probe in report["probes"].as_array().expect("a list") {
        let said = format!("{} {}", probe["verdict"], probe["strength"]);
        verdicts.insert(probe["id"].to_string(), said);
        for trial in probe["trials"].as_array().expect("a list") {
            let said = format!("{} {}", trial["verdict"], trial["basis"]);
            let twice = verdicts.insert(trial["id"].to_string(), said);
            assert_eq!(twice, None, "{}", trial["id"]);
        }
    }
    verdicts
}

fn value(text: &str) -> Value {
    serde_json::from_str(text).expect("a report is JSON")
}

#[test]
fn merged_parts_are_the_report_of_the_whole() {
    let whole = value(&report(&["--seed", "0"], &[1]));
    let parts = ["1/3", "2/3", "3/3"].map(|shard| report(&["--shard", shard], &[0, 1]));
    let sizes = parts.each_ref().map(|part| {
        value(part)["summary"]["planned"]
            .as_u64()
            .expect("a number")
    });
    assert_eq!(
        sizes.iter().sum::<u64>(),
        whole["summary"]["planned"].as_u64().expect("a number")
    );
    assert!(
        sizes.iter().max() <= sizes.iter().min().map(|least| least + 1).as_ref(),
        "{sizes:?}"
    );
    // In any order.
    let files = [("b", &*parts[1]), ("c", &*parts[2]), ("a", &*parts[0])];
    let flags = ["-o", "all.json", "--report", "sarif=-"];
    let ran = merge(&files, &flags);
    ran.code(1);
    assert!(ran.out.contains("2.1.0"), "{}", ran.out);
    let merged = ran.json("all.json");
    assert_eq!(verdicts(&merged), verdicts(&whole));
    for member in ["summary", "boundaries", "not_tested"] {
        assert_eq!(merged[member], whole[member], "{member}");
    }
    assert_eq!(merged["harness"]["shard"], Value::Null);
    let numbers: Vec<u64> = merged["harness"]["parts"]
        .as_array()
        .expect("a list")
        .iter()
        .filter_map(|part| part["number"].as_u64())
        .collect();
    assert_eq!(numbers, [1, 2, 3]);
    // A merged report is one like any other.
    for format in ["html", "junit", "markdown", "text", "oscal", "in-toto"] {
        let args = ["render", "all.json", "--format", format];
        Run::new(&args)
            .file("all.json", &ran.read("all.json"))
            .go()
            .code(0);
    }
}

#[test]
fn a_part_says_which_it_is() {
    let part = &halves()[1];
    for format in ["text", "html", "markdown", "sarif"] {
        let ran = Run::new(&["render", "part.json", "--format", format])
            .file("part.json", part)
            .go();
        ran.code(0);
        let words = ran.out.replace("part-2-of-2", "part 2 of 2");
        assert!(words.contains("part 2 of 2"), "{format}:\n{}", ran.out);
    }
}

#[test]
fn what_does_not_belong_together_is_refused() {
    let [one, two] = halves();
    let edit = |text: &str, pointer: &str, to: Value| {
        let mut report = value(text);
        *report.pointer_mut(pointer).expect("it is there") = to;
        report.to_string()
    };
    let other = |pointer, to: &str| edit(two, pointer, Value::String(to.to_owned()));
    let alone: [(Files, &[&str]); 4] = [
        (&[("a.json", one)], &["part 2 of 2 missing", "fix:"]),
        (
            &[("a.json", one), ("b.json", two), ("c.json", two)],
            &["part 2 is there twice: b.json and c.json", "fix:"],
        ),
        (
            &[("a.json", one), ("b.json", "{}")],
            &["b.json is no report"],
        ),
        (
            &[("a.json", one), ("b.json", &two[..two.len() / 2])],
            &["b.json ends in the middle"],
        ),
    ];
    for (files, told) in alone {
        let ran = merge(files, &["-o", "out.json"]);
        ran.code(2).tells(told);
        assert!(!ran.made().contains(&String::from("out.json")));
    }
    for (changed, what) in [
        (
            other("/harness/version", "9.9.9"),
            "the version of watertight",
        ),
        (
            edit(two, "/harness/shard/of", Value::from(3)),
            "the number of parts",
        ),
        (other("/harness/shard/target", "00"), "the target"),
        (other("/target/version", "7"), "the release of the target"),
        (other("/harness/shard/policy", "00"), "the policy"),
        (
            other("/harness/shard/probes", "00"),
            "the selection of probes",
        ),
        (edit(two, "/harness/seed", Value::from(5)), "the seed"),
        (other("/testbed/kind", "namespace"), "the testbed"),
        (other("/harness/shard/settings", "00"), "a setting"),
        (other("/harness/shard/plan", "00"), "the plan"),
    ] {
        merge(&[("a.json", one), ("b.json", &changed)], &[])
            .code(2)
            .tells(&[
                "b.json is no part of the run that a.json is of",
                what,
                "fix:",
            ]);
    }
    // A trial that was taken out of a part, with its counts made to fit.
    let mut less = value(two);
    let probes = less["probes"].as_array_mut().expect("a list");
    let gone = probes
        .iter()
        .position(|probe| probe["verdict"] == "not-applicable")
        .expect("some do not apply");
    let removed = probes.remove(gone);
    let trials = removed["trials"].as_array().expect("a list").len() as u64;
    for pointer in ["/summary/planned", "/summary/trials/not_applicable"] {
        let count = less.pointer_mut(pointer).expect("it is there");
        *count = Value::from(count.as_u64().expect("a number") - trials);
    }
    let boundary = removed["boundary"].clone();
    let rows = less["boundaries"].as_array_mut().expect("a list");
    for row in rows.iter_mut().filter(|row| row["id"] == boundary) {
        for (of, by) in [("trials", trials), ("probes", 1)] {
            let count = row[of]["not_applicable"].as_u64().expect("a number");
            row[of]["not_applicable"] = Value::from(count - by);
        }
    }
    let count = &mut less["summary"]["probes"]["not_applicable"];
    *count = Value::from(count.as_u64().expect("a number") - 1);
    // Unless that was the last probe of its boundary, the part adds up; merged it does not.
    let ran = merge(&[("a.json", one), ("b.json", &less.to_string())], &[]);
    ran.code(2).tells(&["fix:"]);
    // Whole reports are no parts.
    let whole = report(&["--seed", "0"], &[1]);
    merge(&[("a.json", &whole), ("b.json", two)], &[])
        .code(2)
        .tells(&["a.json is no part of a run", "report of a whole one"]);
}

#[test]
fn jobs_that_are_told_otherwise_are_of_different_runs() {
    let one = &halves()[0];
    let flags: [(&[&str], &str); 3] = [
        (&["--seed", "9"], "the seed"),
        (&["--timeout", "11"], "a setting"),
        (&["--env", "MORE=1"], "the target"),
    ];
    for (flags, what) in flags {
        let other = report(&[&["--shard", "2/2"], flags].concat(), &[0, 1]);
        merge(&[("a.json", one), ("b.json", &other)], &[])
            .code(2)
            .tells(&[what]);
    }
}

#[test]
fn a_shard_is_read_from_flag_and_job() {
    let run = ["run", "--quiet", "--testbed", "host", "--probe", "fs.size"];
    for (shard, told) in [
        ("0/4", "shards count from 1"),
        ("5/4", "the last is 4/4"),
        ("1/0", "at least one shard"),
        ("2", "such as 2/8"),
        ("x/8", "no number"),
        ("+1/8", "no number"),
        ("1/100000", "at most 10000"),
        ("auto", "not set"),
    ] {
        let args = [&run[..], &["--shard", shard], &reference(&[])].concat();
        Run::new(&args).go().code(2).tells(&[told]);
    }
    for (variables, shard, number) in [
        (&["JOB_COMPLETION_INDEX=1"][..], "auto/3", Some(2)),
        (
            &["JOB_COMPLETION_INDEX=0", "JOB_COMPLETIONS=3"],
            "auto",
            Some(1),
        ),
        (&["CI_NODE_INDEX=3", "CI_NODE_TOTAL=3"], "auto", Some(3)),
        (&["JOB_COMPLETION_INDEX=3"], "auto/3", None),
        (&["JOB_COMPLETION_INDEX=1"], "auto", None),
    ] {
        let words = [
            &run[..],
            &["--shard", shard, "--report", "json=-"],
            &reference(&[]),
        ]
        .concat();
        let output = std::process::Command::new(PROGRAM)
            .args(words)
            .envs(variables.iter().filter_map(|pair| pair.split_once('=')))
            .output()
            .expect("it starts");
        match number {
            Some(number) => {
                let report = value(&String::from_utf8_lossy(&output.stdout));
                assert_eq!(report["harness"]["shard"]["number"], number);
                assert_eq!(report["harness"]["shard"]["of"], 3);
            }
            None => {
                assert_eq!(output.status.code(), Some(2));
                let told = String::from_utf8_lossy(&output.stderr);
                assert!(told.contains("JOB_COMPLETION_INDEX"), "{told}");
            }
        }
    }
}

#[test]
fn a_shard_without_trials_is_no_failure() {
    let flags = ["--shard", "300/300", "--seed", "3"];
    let report = value(&report(&flags, &[0]));
    assert_eq!(report["summary"]["planned"], 0);
    assert_eq!(report["harness"]["shard"]["number"], 300);
}
