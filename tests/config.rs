//! `watertight.toml` and the flags of `run`: what they mean together, what is refused and how
//! that looks.

use std::{fs, path::PathBuf, time::Duration};

use clap::{CommandFactory, Parser};
use serde_json::{Value, json};
use watertight::{
    cli::RunArgs,
    config::{
        self, DEFAULT_STARTUP_TIMEOUT, DEFAULT_TIMEOUT, Era, Layer, PathForm, Reach, ReportFormat,
        ReportSpec, Settings, TargetSpec, Verbosity,
    },
    diag::{Look, Problems, Source},
    policy::Placeholders,
    probe::{Claim, Role, Severity, Slot},
};

/// The flags alone, as `run` and `demo` take them.
#[derive(Debug, Parser)]
#[command(name = "run")]
struct Flags {
    #[command(flatten)]
    run: RunArgs,
}

fn repository() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn flags(words: &[&str]) -> RunArgs {
    Flags::try_parse_from(std::iter::once(&"run").chain(words))
        .unwrap_or_else(|error| panic!("{error}"))
        .run
}

fn settled(result: Result<Settings, Problems>) -> Settings {
    result.unwrap_or_else(|problems| panic!("{}", problems.render(Look::PLAIN)))
}

/// Settings of flags in a directory without a config file.
fn of_flags(words: &[&str]) -> Result<Settings, Problems> {
    let empty = tempfile::tempdir().expect("a directory");
    flags(words).settle(empty.path())
}

fn codes(result: Result<Settings, Problems>) -> Vec<&'static str> {
    let problems = result.expect_err("there is a mistake");
    problems.as_slice().iter().map(|one| one.code()).collect()
}

/// Every file under `tests/bad_input` that begins with `config-` holds one mistake.
#[test]
fn every_mistake_is_shown_with_its_place_and_its_fix() {
    let folder = repository().join("tests/bad_input");
    let mut files: Vec<PathBuf> = fs::read_dir(&folder)
        .expect("the folder is part of the repository")
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| {
            path.file_name()
                .is_some_and(|name| name.to_string_lossy().starts_with("config-"))
        })
        .collect();
    files.sort();
    assert!(files.len() > 25, "only {} files were found", files.len());
    for path in files {
        let name = path.file_name().expect("a file").to_string_lossy();
        let text = fs::read_to_string(&path).expect("a readable file");
        let drawn = Layer::of_source(&Source::new(&name, text), "".as_ref())
            .settle()
            .expect_err("the file has a mistake")
            .render(Look::PLAIN);
        let mut settings = insta::Settings::clone_current();
        settings.set_prepend_module_to_snapshot(false);
        settings.set_omit_expression(true);
        settings.bind(|| insta::assert_snapshot!(format!("bad_input__{name}"), drawn));
    }
}

const FULL: &str = r#"
suites = ["core"]
probes = ["fs.read.symlink-dir"]
skip = ["fs.size"]
probe_dirs = ["probes"]
jobs = 4
timeout = 2.5
startup_timeout = 30
seed = 7

[policy.capabilities.filesystem]
allowed_paths = ["{allowed}"]
denied_paths = ["**/.env"]

[target]
command = ["./server", "--root", "{allowed}"]
env = { MODE = "test", ROOT = "{allowed}" }
pass_env = ["PATH"]
cwd = "build"
roots = ["{allowed}", "src"]
era = "handshake"
setup = [{ tool = "open_workspace", arguments = { path = "{allowed}", deep = { n = 1 } } }]
allow_destructive = ["delete_file"]

[thresholds]
coverage = 0.9
severity = "high"

[[report]]
format = "json"
path = "out/report.json"

[[report]]
format = "text"
path = "-"

[[binding]]
tool = "read"
role = "file.read"
slots = { path = ["/p"] }
arguments = { encoding = "utf-8" }
form = "relative"
extension = ".md"
"#;

#[test]
fn every_key_of_the_file_is_settled() {
    let folder = tempfile::tempdir().expect("a directory");
    let here = folder.path();
    fs::create_dir(here.join("probes")).expect("a directory");
    fs::write(here.join("watertight.toml"), FULL).expect("a file");
    let settings = settled(flags(&[]).settle(here));
    let below = |name: &str| here.join(name).display().to_string();

    let target = &settings.target;
    assert_eq!(
        target.reach,
        Reach::Command(vec![below("server"), "--root".into(), "{allowed}".into()])
    );
    assert_eq!(
        target.env,
        [
            ("MODE".to_owned(), "test".to_owned()),
            ("ROOT".to_owned(), "{allowed}".to_owned())
        ]
    );
    assert_eq!(target.pass_env, ["PATH"]);
    assert_eq!(target.cwd, Some(below("build")));
    assert_eq!(target.roots, ["{allowed}".to_owned(), below("src")]);
    assert_eq!(target.era, Era::Handshake);
    assert_eq!(target.allow_destructive, ["delete_file"]);
    assert_eq!(target.setup[0].tool.value, "open_workspace");
    let placeholders = Placeholders::new().with("allowed", "/a");
    let arguments = TargetSpec::expand_arguments(&target.setup[0].arguments, &placeholders)
        .expect("a value for each placeholder");
    assert_eq!(
        Value::Object(arguments),
        json!({ "path": "/a", "deep": { "n": 1 } })
    );

    assert_eq!(settings.suites, ["core"]);
    assert_eq!(settings.probes, ["fs.read.symlink-dir"]);
    assert_eq!(settings.skip, ["fs.size"]);
    assert_eq!(settings.probe_dirs, [here.join("probes")]);
    assert_eq!(settings.jobs, Some(4));
    assert_eq!(settings.timeout, Duration::from_millis(2500));
    assert_eq!(settings.startup_timeout, Duration::from_secs(30));
    assert_eq!(settings.seed, Some(7));
    assert!((settings.thresholds.coverage - 0.9).abs() < f64::EPSILON);
    assert_eq!(settings.thresholds.severity, Severity::High);
    assert_eq!(
        settings.reports,
        [
            ReportSpec {
                format: ReportFormat::Json,
                path: Some(below("out/report.json"))
            },
            ReportSpec {
                format: ReportFormat::Text,
                path: None
            },
        ]
    );
    let binding = &settings.bindings[0];
    assert_eq!(binding.role.value, Role::FileRead);
    assert_eq!(binding.slots.value[&Slot::Path].value[0].value, "/p");
    assert_eq!(binding.form, Some(PathForm::Relative));
    assert_eq!(binding.arguments["encoding"], "utf-8");
    assert!(settings.policy.claims(Claim::DeniedPattern));
    assert_eq!(settings.config, Some(here.join("watertight.toml")));
    assert!(settings.warnings.is_empty(), "{:?}", settings.warnings);
}

#[test]
fn flags_win_over_the_file_and_defaults_fill_the_rest() {
    let folder = tempfile::tempdir().expect("a directory");
    let here = folder.path();
    fs::create_dir(here.join("probes")).expect("a directory");
    fs::write(here.join("watertight.toml"), FULL).expect("a file");
    let settings = settled(
        flags(&[
            "--env",
            "MODE=other",
            "--probe",
            "fs.read.traversal",
            "--jobs",
            "1",
            "--timeout",
            "1",
            "--report",
            "json=mine.json",
            "--bind",
            "read:file.read=/q",
            "--era",
            "stateless",
            "--min-severity",
            "low",
            "--setup",
            "other={}",
            "-q",
            "--",
            "srv",
            "{allowed}",
        ])
        .settle(here),
    );
    assert_eq!(
        settings.target.reach,
        Reach::Command(vec!["srv".into(), "{allowed}".into()])
    );
    assert_eq!(
        settings.target.env[0],
        ("MODE".to_owned(), "other".to_owned())
    );
    assert_eq!(settings.target.env[1].0, "ROOT");
    assert_eq!(settings.target.setup.len(), 1);
    assert_eq!(settings.target.era, Era::Stateless);
    assert!(
        settings.suites.is_empty(),
        "a selection by flags replaces that of the file"
    );
    assert_eq!(settings.probes, ["fs.read.traversal"]);
    assert_eq!(settings.jobs, Some(1));
    assert_eq!(settings.timeout, Duration::from_secs(1));
    assert_eq!(
        settings.startup_timeout,
        Duration::from_secs(30),
        "from the file"
    );
    assert_eq!(settings.reports.len(), 1);
    assert_eq!(settings.bindings.len(), 1);
    assert_eq!(
        settings.bindings[0].slots.value[&Slot::Path].value[0].value,
        "/q"
    );
    assert_eq!(settings.thresholds.severity, Severity::Low);
    assert_eq!(settings.verbosity, Verbosity::Quiet);

    let defaults = settled(of_flags(&["--", "srv"]));
    assert_eq!(defaults.suites, ["core"]);
    assert_eq!(defaults.timeout, DEFAULT_TIMEOUT);
    assert_eq!(defaults.startup_timeout, DEFAULT_STARTUP_TIMEOUT);
    assert!(defaults.policy.claims(Claim::Outside));
    assert_eq!(defaults.config, None);
}

#[test]
fn the_file_may_leave_the_target_to_the_flags() {
    let folder = tempfile::tempdir().expect("a directory");
    let file = "[target]\nenv = { MODE = \"test\" }\n";
    fs::write(folder.path().join("watertight.toml"), file).expect("a file");
    let settings = settled(flags(&["--", "srv"]).settle(folder.path()));
    assert_eq!(settings.target.reach, Reach::Command(vec!["srv".into()]));
    assert_eq!(settings.target.env.len(), 1);
    assert_eq!(
        codes(flags(&[]).settle(folder.path())),
        ["config::no-target"]
    );
}

#[test]
fn a_url_takes_headers_from_file_and_flags() {
    let folder = tempfile::tempdir().expect("a directory");
    let file = "[target]\nurl = \"http://[::1]:1/mcp\"\nheaders = { X-A = \"1\", X-B = \"2\" }\n";
    fs::write(folder.path().join("watertight.toml"), file).expect("a file");
    let settings =
        settled(flags(&["--header", "x-b: 3", "--bearer-env", "TOKEN"]).settle(folder.path()));
    let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    assert_eq!(
        settings.target.reach,
        Reach::Url {
            url: "http://[::1]:1/mcp".into(),
            headers: vec![pair("x-b", "3"), pair("X-A", "1")],
            bearer_env: Some("TOKEN".into()),
        }
    );
    // A command by flag wins over the URL of the file, headers and all.
    let settings = settled(flags(&["--", "srv"]).settle(folder.path()));
    assert_eq!(settings.target.reach, Reach::Command(vec!["srv".into()]));
}

#[test]
fn no_target_is_told_with_both_ways_out() {
    let problems = of_flags(&[]).expect_err("there is no target");
    insta::assert_snapshot!(problems.render(Look::PLAIN));
}

#[test]
fn mistakes_in_flags_are_shown_in_the_flag() {
    let problems = of_flags(&[
        "--bind",
        "put:file.write=/path,contnt=/text",
        "--setup",
        "open={\"path\": }",
        "--env",
        "HOME",
        "--report",
        "xml=x.xml",
        "--policy",
        "no-such-file.json",
        "--timeout",
        "0",
        "--",
        "srv",
        "{alowed}",
    ])
    .expect_err("there are mistakes");
    insta::assert_snapshot!(problems.render(Look::PLAIN));
}

#[test]
fn each_flag_is_checked() {
    for (words, code) in [
        (["--bind", "read"], "config::flag"),
        (["--bind", "read=/p"], "config::flag"),
        (["--bind", "read:file.read=p"], "config::pointer"),
        (["--bind", "put:file.write=/p"], "config::slot-missing"),
        (["--bind", r#"{"tool":"read"}"#], "file::missing-key"),
        (["--header", "nothing"], "config::flag"),
        (["--header", "a b: c"], "config::header"),
        (["--env", "=x"], "config::variable"),
        (["--pass-env", "A=B"], "config::variable"),
        (["--allowed", "/no/such/directory"], "config::directory"),
        (["--probes", "/no/such/directory"], "config::directory"),
        (["--min-coverage", "2"], "config::coverage"),
        (["--jobs", "0"], "config::jobs"),
        (["--suite", ""], "config::empty"),
        (["--config", "/no/such/file.toml"], "file::unreadable"),
    ] {
        let words: Vec<&str> = words.into_iter().chain(["--", "srv"]).collect();
        assert_eq!(codes(of_flags(&words)).first(), Some(&code), "{words:?}");
    }
    assert_eq!(codes(of_flags(&["--url", "localhost"])), ["config::url"]);
    let typo = Flags::try_parse_from(["run", "--era", "stateles"]).expect_err("no such era");
    let text = typo.to_string();
    assert!(text.contains("did you mean `stateless`?"), "{text}");
}

#[test]
fn a_binding_flag_may_name_slots_or_be_json() {
    let settings = settled(of_flags(&[
        "--bind",
        "ns:put:file.write=/a~1b/path,content=/text",
        "--bind",
        r#"{"tool":"get","role":"file.read","slots":{"path":["/dir","/name"]},"form":"split"}"#,
        "--",
        "srv",
    ]));
    let put = &settings.bindings[0];
    assert_eq!(put.tool.value, "ns:put");
    assert_eq!(put.slots.value[&Slot::Path].value[0].value, "/a~1b/path");
    assert_eq!(put.slots.value[&Slot::Content].value[0].value, "/text");
    assert_eq!(settings.bindings[1].form, Some(PathForm::Split));
}

#[test]
fn a_policy_by_path_keeps_its_own_places() {
    let folder = tempfile::tempdir().expect("a directory");
    let here = folder.path();
    let config = "policy = \"p.json\"\n[target]\ncommand = [\"srv\"]\n";
    fs::write(here.join("watertight.toml"), config).expect("a file");
    let policy = "{ \"capabilities\": { \"filesystem\": { \"allowed_paths\": [\"x\"] } } }";
    fs::write(here.join("p.json"), policy).expect("a file");
    let problems = flags(&[])
        .settle(here)
        .expect_err("the policy has a mistake");
    let text = problems.to_string();
    assert!(
        text.contains("p.json:1:55: `x` is a relative path"),
        "{text}"
    );
}

#[test]
fn a_subcommand_with_its_own_target_ignores_the_project() {
    let own = vec![String::from("/proc/self/exe"), String::from("reference")];
    let settings = settled(flags(&["--jobs", "2"]).settle_with(own.clone()));
    assert_eq!(settings.target.reach, Reach::Command(own.clone()));
    assert_eq!(
        codes(flags(&["--", "srv"]).settle_with(own)),
        ["config::own-target"]
    );
}

#[test]
fn a_credential_in_the_file_is_warned_about() {
    let text =
        "[target]\nurl = \"https://example.org/mcp\"\nheaders = { Authorization = \"Bearer x\" }\n";
    let settings = settled(Layer::of_source(&Source::new("w.toml", text), "".as_ref()).settle());
    let codes: Vec<&str> = settings.warnings.iter().map(|one| one.code()).collect();
    assert_eq!(codes, ["config::secret"]);
}

#[test]
fn help_is_one_line_per_flag_in_80_columns() {
    let help = Flags::command().term_width(80).render_help().to_string();
    assert!(
        help.lines().all(|line| line.chars().count() <= 80),
        "{help}"
    );
    insta::assert_snapshot!(help);
}

#[test]
fn the_published_schema_is_the_generated_one_and_fits_a_full_file() {
    let schema = config::schema();
    let text = serde_json::to_string_pretty(&schema).expect("JSON") + "\n";
    let file = repository().join("reports/config-v1.schema.json");
    if std::env::var_os("UPDATE").is_some() {
        fs::write(&file, &text).expect("a writable repository");
    }
    let present = fs::read_to_string(&file).unwrap_or_default();
    assert!(
        present == text,
        "the schema is stale: run `UPDATE=1 cargo test`"
    );

    let validator = jsonschema::validator_for(schema.as_value()).expect("a valid schema");
    let full: Value = toml::from_str(FULL).expect("valid TOML");
    let errors: Vec<String> = validator
        .iter_errors(&full)
        .map(|e| e.to_string())
        .collect();
    assert!(errors.is_empty(), "{errors:?}");
    assert!(!validator.is_valid(&json!({ "suite": ["core"] })));
    assert!(!validator.is_valid(&json!({ "policy": { "capabilites": {} } })));
    assert!(!validator.is_valid(&json!({ "jobs": 0 })));
}
