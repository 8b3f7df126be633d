//! `watertight baseline` and `run --baseline`: what is known, until when, and what no longer is.

use crate::run::{Ran, Run, reference};

const PROBES: [&str; 4] = [
    "--probe",
    "fs.read.prefix-sibling",
    "--probe",
    "fs.read.dotdot",
];
const FLAWED: [&str; 2] = ["--flaw", "fs.prefix-sibling"];

const LAST: &str = "2999-12-31";

/// A report of the flawed server, and the baseline made from it, which expires on that day.
fn made(expires: &str) -> (String, String) {
    let report = crate::diff::report_of(&PROBES, &reference(&FLAWED));
    let ran = Run::new(&[
        "baseline",
        "report.json",
        "--reason",
        "told",
        "--expires",
        LAST,
    ])
    .file("report.json", &report)
    .go();
    ran.code(0).tells(&["baseline.toml: trials", "new"]);
    let baseline = ran.read("baseline.toml").replace(LAST, expires);
    (report, baseline)
}

fn run(baseline: &str, probes: &[&str], flaws: &[&str]) -> Ran {
    let args = [
        "run",
        "--baseline",
        "baseline.toml",
        "--report",
        "json=out.json",
    ];
    Run::new(&[&args[..], probes, &reference(flaws)].concat())
        .file("baseline.toml", baseline)
        .go()
}

#[test]
fn what_is_known_passes_until_it_is_mended_or_expires() {
    let (_, baseline) = made("2999-12-31");
    let ran = run(&baseline, &PROBES, &FLAWED);
    ran.code(0);
    for part in [
        "BREACHED",
        "KNOWN",
        "told",
        "until 2999-12-31, baseline.toml:",
    ] {
        assert!(ran.out.contains(part), "{part}: {}", ran.out);
    }
    let report = ran.json("out.json");
    assert_eq!(report["summary"]["verdict"], "breached");
    assert_ne!(report["baseline"]["accepted"], 0);

    // Another flaw of the same server is not known.
    run(&baseline, &PROBES, &["--flaw", "fs.no-check"]).code(1);

    run(&baseline, &PROBES, &[])
        .code(2)
        .tells(&["baseline::stale", "baseline.toml:", "is held"]);
    // What is not asked is not stale.
    run(&baseline, &PROBES[2..], &[]).code(0);

    let (_, expired) = made("2001-01-01");
    run(&expired, &PROBES, &FLAWED)
        .code(1)
        .tells(&["baseline::expired", "2001-01-01"]);
}

#[test]
fn a_baseline_is_brought_up_to_date_without_its_comments_being_touched() {
    let (report, baseline) = made("2001-01-01");
    let commented = baseline
        .replace("[[known]]", "# Ask Ada before this is renewed.\n[[known]]")
        .replace("reason = \"told\"", "reason = 'told' # twice")
        + "\n[[known]]\nprobe = \"fs.read.dotdot\"\nverdict = \"breached\"\ntrials = [\"plain@read_file:path\"]\n\
           reason = \"was so once\"\nexpires = \"2999-01-01\"\n\n\
           [[known]]\nprobe = \"fs.read.case\"\nverdict = \"breached\"\ntrials = [\"not@asked:/here\"]\n\
           reason = \"r\"\nexpires = \"2999-01-01\"\n";
    let again = |flags: &[&str]| {
        let ran = Run::new(&[&["baseline", "report.json"], flags].concat())
            .file("report.json", &report)
            .file("baseline.toml", &commented)
            .go();
        ran.code(0);
        ran
    };
    let ran = again(&[]);
    ran.tells(&["expired: give --expires", "1 removed", "1 kept"]);
    let text = ran.read("baseline.toml");
    for part in [
        "# Ask Ada",
        "reason = 'told' # twice",
        "2001-01-01",
        "not@asked:/here",
    ] {
        assert!(text.contains(part), "{part}: {text}");
    }
    assert!(!text.contains("was so once"), "{text}");

    let ran = again(&["--expires", "2999-12-31"]);
    ran.tells(&["renewed"]);
    let text = ran.read("baseline.toml");
    assert!(
        !text.contains("2001-01-01") && text.contains("# Ask Ada"),
        "{text}"
    );
    run(&text, &PROBES, &FLAWED).code(0);

    let printed = again(&["-o", "-"]);
    assert!(printed.out.contains("[[known]]"), "{}", printed.out);
    assert_eq!(printed.read("baseline.toml"), commented);
}

#[test]
fn what_is_wrong_with_a_baseline_is_told_before_anything_is_started() {
    let (_, baseline) = made("2999-12-31");
    let refused = |text: &str, told: &[&str]| {
        let ran = run(text, &PROBES, &FLAWED);
        ran.code(2).tells(told);
        assert!(!ran.err.contains("launching"), "{}", ran.err);
    };
    refused(
        &baseline.replace("fs.read.prefix-sibling", "fs.read.prefix-sibbling"),
        &[
            "baseline::probe",
            "prefix-sibbling",
            "did you mean",
            "baseline.toml:",
        ],
    );
    refused(
        &baseline.replace("2999-12-31", "tomorrow"),
        &["no day", "baseline.toml:"],
    );
    Run::new(&[&["run", "--baseline", "nowhere.toml"], &reference(&[])[..]].concat())
        .go()
        .code(2)
        .tells(&["nowhere.toml", "watertight baseline"]);
    let config = "baseline = \"gone.toml\"\n";
    Run::new(&[&["run"], &reference(&[])[..]].concat())
        .file("watertight.toml", config)
        .go()
        .code(2)
        .tells(&["gone.toml", "watertight.toml:1"]);
}

#[test]
fn a_report_without_breaches_makes_no_baseline() {
    let sound = crate::diff::report_of(&PROBES[2..], &reference(&[]));
    let ran = Run::new(&["baseline", "report.json"])
        .file("report.json", &sound)
        .go();
    ran.code(0).tells(&["no baseline is written"]);
    assert_eq!(ran.made(), [""; 0]);
    for (flags, told) in [
        (["--expires", "soon"], "no day"),
        (["--expires", "2001-01-01"], "is past"),
        (["--reason", " "], "reason"),
        (["-o", "report.json"], "ends in .toml"),
    ] {
        Run::new(&[&["baseline", "report.json"], &flags[..]].concat())
            .file("report.json", &sound)
            .go()
            .code(2)
            .tells(&[told]);
    }
}
