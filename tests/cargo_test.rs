//! Isolation tests as users write them, from the outside: what Cargo, nextest and people see.
//!
//! Owns the subjects, test programs that this one turns into when [`SUBJECT`] says so, and what is
//! expected of them. The servers are the reference target with and without a flaw, and programs that
//! are no servers.

use std::{
    collections::BTreeSet,
    env, fs,
    path::{Path, PathBuf},
    process::{Command, ExitCode, Output},
};

use libtest_mimic::{Arguments, Failed, Trial};
use serde_json::Value;
use watertight::{
    cargo_test::{self, IsolationTest},
    config::Testbed,
    policy::Policy,
    probe::Severity,
};

/// Names the test program that this one is to be.
const SUBJECT: &str = "WATERTIGHT_TEST_SUBJECT";

const SERVER: &str = env!("CARGO_BIN_EXE_watertight");

/// A test of the sound reference, and what is expected of the flawed one.
const DOTDOT: &str = "fs.read.dotdot::after-root::read_file:path";
const SIBLING: &str = "fs.read.prefix-sibling::digit::read_file:path";

fn reference(flaws: &[&str]) -> IsolationTest {
    let flaws = flaws.iter().flat_map(|flaw| ["--flaw", flaw]);
    IsolationTest::command(SERVER)
        .arg("reference")
        .args(flaws)
        .arg("{allowed}")
}

/// Two probes of reading, and one that does not apply.
fn three(test: IsolationTest) -> IsolationTest {
    test.probes("fs.read.dotdot")
        .probes("fs.read.prefix-sibling")
        .probes("fs.size.read-over")
}

fn subject(name: &str) -> ExitCode {
    let flawed = || three(reference(&["fs.prefix-sibling"]));
    match name {
        "sound" => three(reference(&[])),
        "flawed" => flawed(),
        "host" => flawed().testbed(Testbed::Host),
        "lenient" => flawed().min_severity(Severity::Critical),
        "policy" => reference(&["fs.prefix-sibling"])
            .policy(
                Policy::builder()
                    .allow_path("{allowed}")
                    .max_file_size_mb(1.0),
            )
            .probes("fs.read.prefix-sibling")
            .probes("fs.size.read-over"),
        "mistake" => reference(&[]).policy(Policy::builder().allow_path("here")),
        "dead" => three(IsolationTest::command("false")),
        "missing" => IsolationTest::command("no-such-server"),
        "nothing" => reference(&[]).probes("fs.size.read-over"),
        "skipped" => reference(&[]).probes("fs.read.dotdot").skip("fs.read"),
        "unknown" => reference(&[]).probes("fs.raed"),
        "config" => return cargo_test::main(),
        other => panic!("there is no subject {other}"),
    }
    .run()
}

fn main() -> ExitCode {
    if let Ok(name) = env::var(SUBJECT) {
        return subject(&name);
    }
    let args = Arguments::from_args();
    libtest_mimic::run(&args, tests()).exit_code()
}

fn tests() -> Vec<Trial> {
    let tests: [(&str, fn()); 14] = [
        ("all::pass_on_a_sound_server", all_pass),
        ("all::fail_with_the_story", fail_with_the_story),
        ("all::on_the_host", on_the_host),
        ("all::of_a_config_file", of_a_config_file),
        ("all::as_json", as_json),
        ("all::under_a_policy_in_code", under_a_policy_in_code),
        ("all::write_reports", write_reports),
        ("list::is_the_same_each_time", list),
        ("some::by_name", by_name),
        ("some::by_filter", by_filter),
        ("some::of_other_test_programs", of_others),
        ("none::is_a_failure", none),
        ("none::without_a_server", without_a_server),
        ("nextest::shares_one_run", nextest),
    ];
    let trial = |(name, test): (&str, fn())| {
        Trial::test(name, move || {
            test();
            Ok::<(), Failed>(())
        })
    };
    tests.into_iter().map(trial).collect()
}

struct Ran(Output);

impl Ran {
    fn text(&self) -> String {
        String::from_utf8_lossy(&self.0.stdout).into_owned()
    }

    /// Everything that a person sees.
    fn all(&self) -> String {
        self.text() + &String::from_utf8_lossy(&self.0.stderr)
    }

    fn code(&self, code: i32) -> &Self {
        assert_eq!(self.0.status.code(), Some(code), "{}", self.all());
        self
    }

    fn tells(&self, texts: &[&str]) -> &Self {
        for text in texts {
            assert!(
                self.all().contains(text),
                "`{text}` is missing:\n{}",
                self.all()
            );
        }
        self
    }

    /// Names that a terse list holds.
    fn names(&self) -> BTreeSet<String> {
        let names: BTreeSet<String> = self
            .text()
            .lines()
            .filter_map(|line| line.strip_suffix(": test"))
            .map(str::to_owned)
            .collect();
        assert_eq!(names.len(), self.text().lines().count(), "{}", self.all());
        names
    }

    /// Lines of results: passed, failed, ignored.
    fn counts(&self) -> (usize, usize, usize) {
        let count = |end: &str| {
            let line = |line: &&str| line.starts_with("test ") && line.contains(end);
            self.text().lines().filter(line).count()
        };
        (count("... ok"), count("... FAILED"), count("... ignored"))
    }
}

fn command(program: &Path, subject: &str, args: &[&str]) -> Command {
    let mut command = Command::new(program);
    command.args(args).env(SUBJECT, subject);
    for (name, _) in env::vars_os() {
        if name.to_string_lossy().starts_with("NEXTEST") {
            command.env_remove(name);
        }
    }
    command
}

fn run(subject: &str, args: &[&str]) -> Ran {
    let program = env::current_exe().expect("this program has a path");
    Ran(command(&program, subject, args)
        .output()
        .expect("this program starts"))
}

/// A directory that goes with its owner.
fn directory() -> tempfile::TempDir {
    tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("a directory")
}

fn all_pass() {
    let ran = run("sound", &[]);
    let (passed, failed, ignored) = ran.code(0).counts();
    assert!(passed > 10 && failed == 0 && ignored > 0, "{}", ran.all());
    ran.tells(&[
        DOTDOT,
        SIBLING,
        "test watertight::run",
        "the policy sets no size limit (`max_file_size_mb`)",
        "isolation: boundaries 1 held",
    ]);
}

fn fail_with_the_story() {
    let ran = run("flawed", &[]);
    ran.code(101).tells(&[
        &format!("---- {SIBLING} ----"),
        "BREACHED (critical): the token planted at",
        "question  Does the server return files of a neighbouring directory",
        "asked     read_file {\"path\":",
        "forbidden ",
        "seen      the token planted at",
        "proof     ",
        "fix       Compare paths by components",
        "by hand   watertight run --probe fs.read.prefix-sibling --seed ",
        &format!("repeat    cargo test -p watertight --test cargo_test -- --exact {SIBLING}"),
    ]);
    let (passed, failed, _) = ran.counts();
    assert!(passed > 5 && failed > 5, "{}", ran.all());
    assert!(
        !ran.all().contains(&format!("---- {DOTDOT} ----")),
        "{}",
        ran.all()
    );
}

fn on_the_host() {
    let ran = run("host", &["--exact", SIBLING]);
    ran.code(101).tells(&["BREACHED"]);
    let ran = run("host", &["--exact", DOTDOT]);
    assert_eq!(ran.code(0).counts(), (1, 0, 0), "{}", ran.all());
}

fn of_a_config_file() {
    let package = directory();
    let start = |text: Option<&str>| {
        if let Some(text) = text {
            fs::write(package.path().join("watertight.toml"), text).expect("it is written");
        }
        let program = env::current_exe().expect("this program has a path");
        let mut command = command(&program, "config", &[]);
        command
            .env("CARGO_MANIFEST_DIR", package.path())
            .env("CARGO_BIN_EXE_my-server", SERVER)
            .current_dir(package.path());
        Ran(command.output().expect("this program starts"))
    };
    start(None)
        .code(101)
        .tells(&["there is no file watertight.toml", "watertight init"]);
    // A program that Cargo built is known by its name.
    let target = "probes = ['fs.read.dotdot']\n[target]\ncommand = ['my-server', 'reference', '{allowed}']\n";
    let ran = start(Some(target));
    assert!(ran.code(0).counts().0 > 5, "{}", ran.all());
    start(Some("probes = 7"))
        .code(101)
        .tells(&["watertight.toml", "watertight::run"]);
}

fn as_json() {
    let ran = run("flawed", &["--format", "json"]);
    ran.code(101);
    let events: Vec<Value> = ran
        .text()
        .lines()
        .map(|line| serde_json::from_str(line).unwrap_or_else(|e| panic!("{e}: {line}")))
        .collect();
    let failed = events
        .iter()
        .find(|event| event["name"] == SIBLING && event["event"] == "failed")
        .expect("the flaw is found");
    let story = failed["stdout"].as_str().unwrap_or_default();
    assert!(story.contains("BREACHED"), "{failed}");
}

fn under_a_policy_in_code() {
    let ran = run("policy", &[]);
    ran.code(101)
        .tells(&["test fs.size.read-over::", SIBLING, "repeat    cargo test"]);
    // Such a policy is in no file that a command line could name.
    assert!(!ran.all().contains("by hand"), "{}", ran.all());
    run("mistake", &[])
        .code(101)
        .tells(&["the policy in the test", "\"here\""]);
    let ran = run("lenient", &[]);
    ran.code(101).tells(&["BREACHED (critical)"]);
}

fn write_reports() {
    let package = directory();
    let text = format!(
        "probes = ['fs.read.dotdot']\n[target]\ncommand = ['{SERVER}', 'reference', '{{allowed}}']\n\
         [[report]]\nformat = 'junit'\npath = 'out/junit.xml'\n"
    );
    fs::write(package.path().join("watertight.toml"), text).expect("it is written");
    let program = env::current_exe().expect("this program has a path");
    let mut command = command(&program, "config", &[]);
    command.current_dir(package.path());
    command.env_remove("CARGO_MANIFEST_DIR");
    Ran(command.output().expect("this program starts")).code(0);
    let report = fs::read_to_string(package.path().join("out/junit.xml")).expect("it is there");
    assert!(report.contains("fs.read.dotdot"), "{report}");
}

fn list() {
    let list = |more: &[&str]| {
        let args = [&["--list", "--format", "terse"], more].concat();
        let ran = run("flawed", &args);
        ran.code(0);
        ran
    };
    let all = list(&[]);
    let names = all.names();
    assert!(
        names.contains(DOTDOT) && names.contains("watertight::run"),
        "{names:?}"
    );
    assert_eq!(all.text(), list(&[]).text());
    let ignored = list(&["--ignored"]).names();
    assert_eq!(ignored, BTreeSet::from([String::from("fs.size.read-over")]));
    assert!(ignored.is_subset(&names));
    // Nothing but the list, or nextest does not read it.
    assert!(all.0.stderr.is_empty(), "{}", all.all());
}

fn by_name() {
    let ran = run("flawed", &["--exact", DOTDOT, "--nocapture"]);
    assert_eq!(ran.code(0).counts(), (1, 0, 0), "{}", ran.all());
    let ran = run("flawed", &["--exact", SIBLING]);
    assert_eq!(ran.code(101).counts(), (0, 1, 0), "{}", ran.all());
    // It does not apply, asked for or not.
    let ran = run(
        "flawed",
        &["--exact", "fs.size.read-over", "--include-ignored"],
    );
    assert_eq!(ran.code(0).counts(), (0, 0, 1), "{}", ran.all());
    // One that is gone is no success.
    let ran = run(
        "flawed",
        &["--exact", "fs.read.dotdot::after-root::gone:path"],
    );
    ran.code(101)
        .tells(&["planned, but it did not run this time"]);
    // A flawed server is one, but the run itself was done.
    let ran = run("flawed", &["--exact", "watertight::run"]);
    assert_eq!(ran.code(0).counts(), (1, 0, 0), "{}", ran.all());
}

fn by_filter() {
    let ran = run("flawed", &["dotdot::after-root"]);
    let (passed, failed, _) = ran.code(0).counts();
    assert!(passed > 0 && failed == 0, "{}", ran.all());
    let ran = run("flawed", &["prefix-sibling"]);
    assert!(ran.code(101).counts().1 > 0, "{}", ran.all());
    let ran = run("flawed", &["--skip", "prefix-sibling"]);
    let (passed, failed, ignored) = ran.code(0).counts();
    assert!(passed > 1 && failed == 0 && ignored > 0, "{}", ran.all());
    let ran = run("flawed", &["--ignored"]);
    assert_eq!(ran.code(0).counts(), (0, 0, 1), "{}", ran.all());
}

/// Cargo hands one filter to all test programs.
fn of_others() {
    // No server is started for such a name: this one would not start.
    for args in [&["--exact", "parser::reads_all"][..], &["parser::reads"]] {
        let ran = run("missing", args);
        assert_eq!(ran.code(0).counts(), (0, 0, 0), "{}", ran.all());
    }
}

fn none() {
    run("nothing", &[]).code(101).tells(&[
        "no trial is planned",
        "1 trial: the policy sets no size limit",
        "fix: ",
    ]);
    run("skipped", &[])
        .code(101)
        .tells(&["no probe is left to ask"]);
    run("unknown", &[])
        .code(101)
        .tells(&["no probe is called `fs.raed`"]);
}

fn without_a_server() {
    for (subject, told) in [
        ("dead", "ended before it answered the first request"),
        ("missing", "command not found: `no-such-server`"),
    ] {
        run(subject, &[])
            .code(101)
            .tells(&["test watertight::run", told]);
        // Other tests of the workspace are run by nextest only if this list can be had.
        let names = run(subject, &["--list", "--format", "terse"]).names();
        assert_eq!(names, BTreeSet::from([String::from("watertight::run")]));
    }
    // Whatever it was that was asked for, it could not be tested.
    for args in [&["--exact", DOTDOT][..], &["dotdot"], &["--ignored"]] {
        run("dead", args).code(101);
    }
}

/// What cargo-nextest does: two lists, then a process for each test.
fn nextest() {
    let place = directory();
    let program: PathBuf = place.path().join("isolation-0123456789abcdef");
    let own = env::current_exe().expect("this program has a path");
    fs::hard_link(&own, &program).expect("a link in the same file system");
    let start = |run: &str, attempt: &str, args: &[&str]| {
        let mut command = command(&program, "flawed", args);
        command
            .env("NEXTEST", "1")
            .env("NEXTEST_RUN_ID", run)
            .env("NEXTEST_ATTEMPT", attempt);
        Ran(command.output().expect("this program starts"))
    };
    let one = |run: &str, attempt: &str, name: &str| {
        start(run, attempt, &["--exact", name, "--nocapture"])
    };
    let names = start("a", "1", &["--list", "--format", "terse"]).names();
    for name in names.iter().take(4) {
        let wanted = if name.contains("prefix-sibling") {
            101
        } else {
            0
        };
        one("a", "1", name).code(wanted);
    }
    let kept = place
        .path()
        .join("isolation-0123456789abcdef.watertight-run.json");
    let first = fs::read(&kept).expect("the run is kept");
    one("a", "1", SIBLING).code(101);
    one("a", "1", "watertight::run").code(0);
    // A second attempt is not the first one told again.
    one("a", "2", SIBLING).code(101);
    assert_eq!(fs::read(&kept).expect("the run is kept"), first);
    one("b", "1", DOTDOT).code(0);
    assert_ne!(fs::read(&kept).expect("the run is kept"), first);
    // A failure that was not listed is not lost.
    let list = place
        .path()
        .join("isolation-0123456789abcdef.watertight-list.json");
    fs::write(&list, format!("[\"{DOTDOT}\"]")).expect("it is written");
    one("b", "1", "watertight::run")
        .code(101)
        .tells(&["not in the list of tests", SIBLING]);
}
