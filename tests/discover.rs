//! `discover`, `schema` and the lock file, as users run them on the reference target.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test fails by panicking"
)]

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Output},
};

use serde_json::Value;
use watertight::channel::Lock;

/// What each tool of the reference target is for. `show_staged` gives out what `stage_file` takes in.
const ROLES: &[(&str, &str)] = &[
    ("apply_patch", "file.patch"),
    ("copy_file", "file.copy"),
    ("create_directory", "dir.create"),
    ("create_project", "dir.create"),
    ("create_project", "repo.create"),
    ("delete_file", "file.delete"),
    ("edit_file", "file.edit"),
    ("export_report", "file.save"),
    ("extract_archive", "archive.extract"),
    ("file_info", "file.info"),
    ("get_note", "ident.read"),
    ("git_log", "repo.read"),
    ("list_directory", "dir.list"),
    ("move_file", "file.move"),
    ("read_archive", "archive.read"),
    ("read_file", "file.read"),
    ("read_files", "file.read-many"),
    ("render", "file.read"),
    ("search_files", "file.search"),
    ("stage_file", "file.stage"),
    ("write_file", "file.write"),
];

/// A directory for the files of one test, in which the command runs.
struct Desk(tempfile::TempDir);

impl Desk {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn lock(&self) -> PathBuf {
        self.0.path().join("bindings.lock")
    }

    fn watertight(&self, flags: &[&str]) -> Output {
        let program = env!("CARGO_BIN_EXE_watertight");
        Command::new(program)
            .current_dir(self.0.path())
            .args(flags)
            .args(["--", program, "reference", "{allowed}"])
            .output()
            .unwrap()
    }

    fn discover(&self, flags: &[&str]) -> String {
        let output = self.watertight(&[&["discover", "--quiet"], flags].concat());
        let text = String::from_utf8(output.stdout).unwrap();
        let errors = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(0), "{text}{errors}");
        text
    }

    fn json(&self, flags: &[&str]) -> Value {
        serde_json::from_str(&self.discover(&[&["--json"], flags].concat())).unwrap()
    }
}

fn proven(found: &Value) -> Vec<(&str, &str)> {
    let mut proven: Vec<(&str, &str)> = found["channels"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|channel| channel["proven"] == true)
        .map(|channel| {
            (
                channel["tool"].as_str().unwrap(),
                channel["role"].as_str().unwrap(),
            )
        })
        .collect();
    proven.sort_unstable();
    proven
}

fn channel<'f>(found: &'f Value, tool: &str) -> &'f Value {
    found["channels"]
        .as_array()
        .unwrap()
        .iter()
        .find(|channel| channel["tool"] == tool)
        .unwrap_or_else(|| panic!("no channel of {tool}"))
}

#[test]
fn every_tool_of_the_reference_target_is_proven_in_its_role() {
    let desk = Desk::new();
    let found = desk.json(&["--allow-destructive", "delete_file"]);
    assert_eq!(proven(&found), ROLES, "{found:#}");
    assert_eq!(
        found["channels"].as_array().unwrap().len(),
        ROLES.len(),
        "a tool that is proven has no unproven roles: {found:#}"
    );
    assert_eq!(found["target"]["tools"].as_array().unwrap().len(), 21);

    let read = &channel(&found, "read_file")["slots"];
    for slot in ["path", "head", "tail", "offset", "length"] {
        assert_eq!(read[slot], serde_json::json!([format!("/{slot}")]));
    }
    let then = &channel(&found, "stage_file")["then"];
    assert_eq!(then["tool"], "show_staged");
    assert_eq!(then["pointer"], "/id");
    assert_eq!(then["take"], "text");

    for channel in found["channels"].as_array().unwrap() {
        assert!(channel["proof"].as_array().unwrap().len() >= 2);
        assert!(!channel.to_string().contains("/allowed/"), "{channel:#}");
    }
    assert_eq!(
        found["unbound"],
        serde_json::json!([{
            "tool": "export_report", "parameter": "/title", "why": "filled with a harmless value"
        }])
    );
}

#[test]
fn a_tool_that_deletes_is_left_alone_unless_it_is_named() {
    let desk = Desk::new();
    let found = desk.json(&["--no-lock"]);
    assert_eq!(proven(&found).len(), ROLES.len() - 1);
    let skipped = found["unbound"]
        .as_array()
        .unwrap()
        .iter()
        .find(|one| one["tool"] == "delete_file")
        .unwrap();
    assert!(skipped["why"].as_str().unwrap().contains("destructive"));
    assert!(found["lock"].is_null());
    assert!(!desk.lock().exists());
}

#[test]
fn the_text_fits_a_terminal_and_says_what_is_proven() {
    let desk = Desk::new();
    let text = desk.discover(&[]);
    let wide: Vec<&str> = text
        .lines()
        .filter(|line| line.chars().count() > 80)
        .collect();
    assert!(wide.is_empty(), "{wide:#?}");
    assert!(text.contains("20 proven, 0 not"), "{text}");
    assert!(text.contains("show_staged with /id"), "{text}");
    assert!(text.contains("bindings.lock was written"), "{text}");
    assert!(
        text.contains("delete_file: skipped as destructive"),
        "{text}"
    );
    let output = desk.watertight(&["discover", "--verbose", "--no-lock"]);
    let verbose = String::from_utf8(output.stdout).unwrap();
    assert!(verbose.lines().count() > text.lines().count());
}

#[test]
fn the_lock_is_written_read_again_and_compared() {
    let desk = Desk::new();
    let found = desk.json(&[]);
    assert_eq!(found["lock"]["written"], true);
    let text = fs::read_to_string(desk.lock()).unwrap();
    let lock = Lock::parse(&text).unwrap();
    assert_eq!(lock.entries.len(), ROLES.len() - 1);
    assert!(lock.entries.iter().all(|entry| entry.proven));
    assert_eq!(lock.to_toml().unwrap(), text);

    let again = desk.json(&[]);
    assert_eq!(proven(&again), proven(&found));
    assert_eq!(again["lock"]["written"], false, "{again:#}");
    assert_eq!(again["notes"], serde_json::json!([]));
    assert_eq!(fs::read_to_string(desk.lock()).unwrap(), text);

    // Another definition of one tool, a wrong form of another, a tool that is gone.
    let digest = lock
        .entries
        .iter()
        .find(|entry| entry.channel.tool == "read_file")
        .and_then(|entry| entry.definition.clone())
        .unwrap();
    let changed = text
        .replace(&digest, &format!("sha256:{}", "0".repeat(64)))
        .replace("tool = \"render\"", "tool = \"rendered\"");
    fs::write(desk.lock(), changed).unwrap();
    let third = desk.json(&[]);
    assert_eq!(proven(&third), proven(&found));
    let notes = third["notes"].to_string();
    assert!(
        notes.contains("the definition of tool read_file changed since it was locked"),
        "{notes}"
    );
    assert!(
        notes.contains("locked tools that are gone: rendered"),
        "{notes}"
    );
    let changes = third["lock"]["changes"].to_string();
    for what in ["changed definition", "new", "gone"] {
        assert!(changes.contains(what), "{changes}");
    }
    assert_eq!(fs::read_to_string(desk.lock()).unwrap(), text);
}

#[test]
fn a_run_uses_the_lock_and_proves_it_anew() {
    let desk = Desk::new();
    desk.discover(&[]);
    let text = fs::read_to_string(desk.lock()).unwrap();
    // A form that the target does not take: a lock is a claim, not a proof.
    let wrong = text.replacen("form = \"absolute\"", "form = \"rooted\"", 1);
    assert_ne!(wrong, text);
    let digest = text.split("definition = \"").nth(1).unwrap();
    let digest = &digest[..digest.find('"').unwrap()];
    fs::write(
        desk.lock(),
        wrong.replace(digest, &format!("sha256:{}", "0".repeat(64))),
    )
    .unwrap();
    let report = run(&desk, &[]);
    let notes = report["notes"].to_string();
    assert!(notes.contains("changed since it was locked"), "{notes}");
    assert_eq!(
        report["summary"]["verdict"], "held",
        "{:#}",
        report["summary"]
    );
    let without = run(&desk, &["--no-lock"]);
    assert_eq!(without["notes"], serde_json::json!([]));
}

fn run(desk: &Desk, flags: &[&str]) -> Value {
    let flags = [
        &["run", "--quiet", "--report", "json=report.json"],
        &[
            "--probe",
            "fs.read.outside-abs",
            "--probe",
            "fs.read.indirect-consume",
        ],
        flags,
    ]
    .concat();
    let output = desk.watertight(&flags);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{errors}");
    let text = fs::read_to_string(desk.0.path().join("report.json")).unwrap();
    serde_json::from_str(&text).unwrap()
}

#[test]
fn a_lock_that_is_missing_or_broken_is_told() {
    let desk = Desk::new();
    let told = |flags: &[&str]| {
        let output = desk.watertight(flags);
        let errors = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{errors}");
        errors
    };
    let missing = told(&["run", "--lock", "other.lock"]);
    assert!(missing.contains("no file other.lock"), "{missing}");
    fs::write(desk.lock(), "format = 1\n[[channels]]\n").unwrap();
    for subcommand in ["run", "discover"] {
        let broken = told(&[subcommand]);
        assert!(
            broken.contains("channels") && broken.contains("bindings.lock"),
            "{broken}"
        );
    }
    assert!(
        fs::read_to_string(desk.lock())
            .unwrap()
            .contains("[[channels]]")
    );
}

#[test]
fn a_target_of_which_nothing_is_proven_is_inconclusive() {
    let desk = Desk::new();
    let program = env!("CARGO_BIN_EXE_watertight");
    let output = Command::new(program)
        .current_dir(desk.0.path())
        .args([
            "discover",
            "--quiet",
            "--",
            program,
            "reference",
            "refuse-all",
            "{allowed}",
        ])
        .output()
        .unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(3), "{text}");
    assert!(text.contains("0 proven"), "{text}");
}

#[test]
fn schemas_are_those_of_the_repository() {
    for format in ["policy", "config", "probe", "suite", "report"] {
        let output = Command::new(env!("CARGO_BIN_EXE_watertight"))
            .args(["schema", format])
            .output()
            .unwrap();
        assert!(output.status.success());
        let file =
            Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("reports/{format}-v1.schema.json"));
        let expected = fs::read_to_string(&file).expect("the schema is checked in");
        assert!(
            String::from_utf8(output.stdout).unwrap() == expected,
            "`watertight schema {format}` differs from {}",
            file.display()
        );
    }
}

/// A tool of an earlier run that is not listed any more is known to exist, so that its refusal shows something.
#[test]
fn tools_of_an_earlier_run_are_called_though_they_are_not_listed() {
    let desk = Desk::new();
    desk.discover(&["--lock", "bindings.lock"]);
    let run = |flags: &[&str], lock: &[&str]| {
        let program = env!("CARGO_BIN_EXE_watertight");
        let output = Command::new(program)
            .current_dir(desk.0.path())
            .args([
                "run",
                "--probe",
                "surface.disabled-tool",
                "--report",
                "json=-",
            ])
            .args(lock)
            .args([
                "--progress",
                "none",
                "--",
                program,
                "reference",
                "--read-only",
            ])
            .args(flags)
            .arg("{allowed}")
            .output()
            .unwrap();
        let report: Value = serde_json::from_slice(&output.stdout).unwrap();
        let trial = report["probes"][0]["trials"][0].clone();
        (output.status.code(), trial)
    };
    let (code, trial) = run(&[], &["--no-lock"]);
    assert_eq!(
        (code, &trial["verdict"]),
        (Some(3), &"not-applicable".into()),
        "{trial:#}"
    );
    let (code, trial) = run(&[], &["--lock", "bindings.lock"]);
    assert_eq!(
        (code, &trial["verdict"]),
        (Some(0), &"held".into()),
        "{trial:#}"
    );
    let (code, trial) = run(
        &["--flaw", "surface.hidden-tools"],
        &["--lock", "bindings.lock"],
    );
    assert_eq!(
        (code, &trial["verdict"]),
        (Some(1), &"breached".into()),
        "{trial:#}"
    );
    assert!(
        trial["evidence"][0]["fact"]
            .as_str()
            .unwrap()
            .contains("write_file"),
        "{trial:#}"
    );
}
