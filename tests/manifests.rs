//! What CI systems are given: the action with its scripts, workflows, and the examples under `examples/ci/`.
//!
//! Schemas and linters are installed on demand; where Python is missing those trials are ignored with the reason,
//! and fail where `CI` is set. The scripts of the action are run here as a runner would run them.

#[path = "support/program.rs"]
mod program;
#[expect(dead_code, reason = "tests of real servers need more of it than this")]
#[path = "support/servers.rs"]
mod servers;

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
    process::{Command, ExitCode, Output},
};

use libtest_mimic::{Arguments, Failed, Trial};
use servers::{Installed, trial};

const ROOT: &str = env!("CARGO_MANIFEST_DIR");
const PROGRAM: &str = env!("CARGO_BIN_EXE_watertight");

type Linted = fn(&[Installed]) -> Result<(), Failed>;
type Plain = fn() -> Result<(), Failed>;

fn main() -> ExitCode {
    let linted: [(&str, Linted); 5] = [
        ("workflows_and_action_follow_their_schemas", github),
        ("zizmor_finds_nothing", zizmor),
        ("gitlab_jobs_follow_their_schema", gitlab),
        ("kubernetes_objects_follow_their_schemas", kubernetes),
        ("the_linters_find_mistakes", mistakes),
    ];
    let plain: [(&str, Plain); 6] = [
        ("examples_use_flags_that_there_are", flags),
        ("the_action_says_what_became_of_a_run", action_runs),
        ("inputs_of_the_action_are_never_code", inputs_are_words),
        ("the_action_installs_only_what_its_checksum_says", install),
        ("binstall_finds_what_the_release_workflow_builds", binstall),
        ("the_example_fleet_is_one", fleet),
    ];
    let trials = linted
        .into_iter()
        .map(|(name, check)| trial(name, &["linters"], check))
        .chain(
            plain
                .into_iter()
                .map(|(name, check)| Trial::test(name, check)),
        )
        .collect();
    libtest_mimic::run(&Arguments::from_args(), trials).exit_code()
}

fn equal<T: PartialEq + std::fmt::Debug>(found: &T, wanted: &T, what: &str) -> Result<(), Failed> {
    match found == wanted {
        true => Ok(()),
        false => Err(format!("{what}: {found:?} instead of {wanted:?}").into()),
    }
}

/// Runs a linter at the root of the repository; what it says is the reason if it is not content.
fn lint(program: &Path, arguments: &[&str]) -> Result<(), Failed> {
    let output = Command::new(program)
        .args(arguments)
        .current_dir(ROOT)
        .output()?;
    match output.status.success() {
        true => Ok(()),
        false => Err(said(&output).into()),
    }
}

fn said(output: &Output) -> String {
    format!(
        "{}\n{}{}",
        output.status,
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    )
}

/// A program of the linters' environment. Its script names a directory that is gone; the module does not.
fn python(linters: &Installed) -> PathBuf {
    linters.program.clone()
}

fn schema(linters: &Installed, name: &str, files: &[&str]) -> Result<(), Failed> {
    let name = format!("vendor.{name}");
    let arguments = ["-I", "-m", "check_jsonschema", "--builtin-schema", &name];
    lint(&python(linters), &[&arguments[..], files].concat())
}

const WORKFLOWS: [&str; 3] = [
    ".github/workflows/ci.yml",
    ".github/workflows/release.yml",
    "examples/ci/github.yml",
];

fn github(installed: &[Installed]) -> Result<(), Failed> {
    let there: BTreeSet<String> = fs::read_dir(Path::new(ROOT).join(".github/workflows"))?
        .map(|entry| {
            Ok(format!(
                ".github/workflows/{}",
                entry?.file_name().to_string_lossy()
            ))
        })
        .collect::<std::io::Result<_>>()?;
    for workflow in &there {
        if !WORKFLOWS.contains(&workflow.as_str()) {
            return Err(format!("{workflow} is not linted: add it to WORKFLOWS").into());
        }
    }
    schema(&installed[0], "github-workflows", &WORKFLOWS)?;
    schema(&installed[0], "github-actions", &["action.yml"])
}

fn zizmor_on(linters: &Installed, files: &[&str]) -> Result<(), Failed> {
    let flags = [
        "--offline",
        "--no-progress",
        "--config",
        ".github/zizmor.yml",
    ];
    lint(
        &linters.home.join("bin/zizmor"),
        &[&flags[..], files].concat(),
    )
}

fn zizmor(installed: &[Installed]) -> Result<(), Failed> {
    zizmor_on(&installed[0], &[&WORKFLOWS[..], &["action.yml"]].concat())
}

fn gitlab(installed: &[Installed]) -> Result<(), Failed> {
    schema(&installed[0], "gitlab-ci", &["examples/ci/gitlab.yml"])
}

fn kubernetes_on(linters: &Installed, file: &str) -> Result<(), Failed> {
    let script = "import sys; from kubernetes_validate.__main__ import main; sys.exit(main())";
    lint(
        &python(linters),
        &["-I", "-c", script, "--strict", "--quiet", file],
    )
}

fn kubernetes(installed: &[Installed]) -> Result<(), Failed> {
    kubernetes_on(&installed[0], "examples/ci/kubernetes.yml")
}

/// A linter that is content with everything would be no use.
fn mistakes(installed: &[Installed]) -> Result<(), Failed> {
    let linters = &installed[0];
    let directory = tempfile::tempdir()?;
    let edited = |from: &str, old: &str, new: &str| -> Result<String, Failed> {
        let text = fs::read_to_string(Path::new(ROOT).join(from))?;
        if !text.contains(old) {
            return Err(format!("{from} has no {old:?}").into());
        }
        let path = directory
            .path()
            .join(Path::new(from).file_name().unwrap_or_default());
        fs::write(&path, text.replacen(old, new, 1))?;
        Ok(path.display().to_string())
    };
    let github = "examples/ci/github.yml";
    let bad = edited(github, "runs-on:", "run-on:")?;
    let found = [
        schema(linters, "github-workflows", &[&bad]),
        schema(
            linters,
            "github-actions",
            &[&edited("action.yml", "using: composite", "using: compost")?],
        ),
        schema(
            linters,
            "gitlab-ci",
            &[&edited(
                "examples/ci/gitlab.yml",
                "parallel: 4",
                "parallel: four",
            )?],
        ),
        kubernetes_on(
            linters,
            &edited(
                "examples/ci/kubernetes.yml",
                "completions: 8",
                "completion: 8",
            )?,
        ),
        zizmor_on(
            linters,
            &[&edited(
                "action.yml",
                "run: bash \"$GITHUB_ACTION_PATH/.github/action/run.sh\"",
                "run: echo ${{ inputs.command }}",
            )?],
        ),
    ];
    for (index, found) in found.iter().enumerate() {
        if found.is_ok() {
            return Err(format!("mistake {index} was not found").into());
        }
    }
    Ok(())
}

/// Every subcommand and flag of ours that the files name.
fn flags() -> Result<(), Failed> {
    let mut seen = 0;
    for file in [
        "examples/ci/github.yml",
        "examples/ci/gitlab.yml",
        "examples/ci/kubernetes.yml",
        ".github/action/run.sh",
        ".github/workflows/release.yml",
    ] {
        let text = fs::read_to_string(Path::new(ROOT).join(file))?.replace("\\\n", " ");
        // In the script the arguments are collected first.
        let text = match file.ends_with(".sh") {
            true => format!("watertight run {}", text.replace('\n', " ")),
            false => text,
        };
        for line in text.lines() {
            for (_, rest) in line
                .match_indices("watertight ")
                .map(|(at, word)| line.split_at(at + word.len()))
            {
                let words: Vec<&str> = rest.split_whitespace().collect();
                let Some(command) = words.first().filter(|word| ["run", "merge"].contains(word))
                else {
                    continue;
                };
                let help = Command::new(PROGRAM).args([command, &"--help"]).output()?;
                let help = String::from_utf8_lossy(&help.stdout).into_owned();
                for flag in words.iter().flat_map(|word| word.split(['(', ')', '"'])) {
                    let named = flag.strip_prefix("--").is_some_and(|name| {
                        !name.is_empty()
                            && name
                                .bytes()
                                .all(|byte| byte.is_ascii_lowercase() || byte == b'-')
                    });
                    if named && !["--check", "--strict", "--quiet"].contains(&flag) {
                        seen += 1;
                        if !help.contains(flag) {
                            return Err(
                                format!("{file}: `watertight {command}` has no {flag}").into()
                            );
                        }
                    }
                }
            }
        }
    }
    match seen > 10 {
        true => Ok(()),
        false => Err(format!("only {seen} flags were found").into()),
    }
}

/// A runner with nothing but what the action needs.
struct Runner {
    directory: tempfile::TempDir,
}

struct Step {
    output: Output,
    outputs: String,
    summary: String,
}

impl Runner {
    fn new() -> Result<Self, Failed> {
        let directory = tempfile::tempdir()?;
        fs::create_dir(directory.path().join("bin"))?;
        std::os::unix::fs::symlink(PROGRAM, directory.path().join("bin/watertight"))?;
        Ok(Self { directory })
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// Runs a script of the action with these inputs.
    fn step(&self, script: &str, inputs: &[(&str, &str)]) -> Result<Step, Failed> {
        let (outputs, summary) = (self.path("outputs"), self.path("summary"));
        fs::write(&outputs, "")?;
        fs::write(&summary, "")?;
        fs::create_dir_all(self.path("work"))?;
        let path = std::env::var("PATH")?;
        let mut command = Command::new("bash");
        command
            .arg(Path::new(ROOT).join(".github/action").join(script))
            .current_dir(self.path("work"))
            .env("PATH", format!("{}:{path}", self.path("bin").display()))
            .env("GITHUB_OUTPUT", &outputs)
            .env("GITHUB_STEP_SUMMARY", &summary)
            .env("GITHUB_PATH", self.path("github-path"))
            .env("RUNNER_TEMP", self.directory.path());
        for name in [
            "COMMAND", "URL", "ALLOWED", "POLICY", "SUITE", "CONFIG", "SHARD",
        ] {
            command.env(name, "");
        }
        command.env("FAIL_ON", "inconclusive").env("OUTPUT", "out");
        let output = command.envs(inputs.iter().copied()).output()?;
        Ok(Step {
            output,
            outputs: fs::read_to_string(outputs)?,
            summary: fs::read_to_string(summary)?,
        })
    }
}

const CONFIG: &str = "testbed = \"host\"\nprobes = [\"fs.read.prefix-sibling\"]\n";

fn action_runs() -> Result<(), Failed> {
    let runner = Runner::new()?;
    fs::create_dir_all(runner.path("work"))?;
    fs::write(runner.path("work/watertight.toml"), CONFIG)?;
    let sound = format!("{PROGRAM} reference {{allowed}}");
    let flawed = format!("{PROGRAM} reference --flaw fs.prefix-sibling '{{allowed}}'");
    for (command, fail_on, code, exit) in [
        (&*sound, "inconclusive", 0, 0),
        (&flawed, "inconclusive", 1, 1),
        (&flawed, "breached", 1, 1),
        (&flawed, "never", 1, 0),
        ("./no-such-program", "never", 2, 2),
    ] {
        let step = runner.step("run.sh", &[("COMMAND", command), ("FAIL_ON", fail_on)])?;
        let what = format!("{command}, fail-on {fail_on}\n{}", said(&step.output));
        equal(&step.output.status.code(), &Some(exit), &what)?;
        equal(
            &step.outputs.contains(&format!("exit-code={code}\n")),
            &true,
            &what,
        )?;
        for format in ["json", "html", "sarif"] {
            let line = step
                .outputs
                .lines()
                .find_map(|line| line.strip_prefix(&format!("{format}=")));
            // An old one must not be taken for one of this run.
            equal(&line.is_some(), &(code != 2), &what)?;
            if let Some(path) = line {
                equal(&Path::new(path).is_file(), &true, path)?;
            }
        }
        equal(&step.summary.starts_with("## "), &(code != 2), &what)?;
    }
    let step = runner.step("run.sh", &[("COMMAND", &sound), ("FAIL_ON", "maybe")])?;
    equal(&step.output.status.code(), &Some(2), &said(&step.output))?;
    let both = [("COMMAND", &*sound), ("URL", "http://127.0.0.1:9/")];
    let step = runner.step("run.sh", &both)?;
    equal(&step.output.status.code(), &Some(2), &said(&step.output))?;
    let parts = [
        ("COMMAND", &*sound),
        ("SHARD", "1/2"),
        ("SUITE", "core network"),
    ];
    let step = runner.step("run.sh", &parts)?;
    let report = fs::read_to_string(runner.path("work/out/report.json"))?;
    let report: serde_json::Value = serde_json::from_str(&report)?;
    equal(
        &report["harness"]["shard"]["of"],
        &2.into(),
        &said(&step.output),
    )?;
    equal(
        &report["harness"]["selection"][1],
        &"suite network".into(),
        "the suites",
    )
}

fn inputs_are_words() -> Result<(), Failed> {
    let runner = Runner::new()?;
    // Says what it was called with.
    fs::remove_file(runner.path("bin/watertight"))?;
    program::install(
        &runner.path("bin/watertight"),
        "#!/bin/sh\nfor word in \"$@\"; do printf '<%s>\\n' \"$word\"; done > words\n",
    );
    let hostile = "$(touch owned) `touch owned`; touch owned & \"two words\" '{allowed}' * a\\ b";
    let step = runner.step(
        "run.sh",
        &[
            ("COMMAND", hostile),
            ("POLICY", "$(touch owned)"),
            ("SUITE", "core ;touch owned"),
        ],
    )?;
    equal(&step.output.status.code(), &Some(0), &said(&step.output))?;
    equal(&runner.path("work/owned").exists(), &false, "code was run")?;
    let words = fs::read_to_string(runner.path("work/words"))?;
    for word in [
        "<$(touch>",
        "<two words>",
        "<{allowed}>",
        "<*>",
        "<a b>",
        "<$(touch owned)>",
        "<;touch>",
    ] {
        equal(&words.contains(word), &true, &format!("{word} in {words}"))?;
    }
    Ok(())
}

fn install() -> Result<(), Failed> {
    let runner = Runner::new()?;
    let pack = runner.path("pack");
    fs::create_dir(&pack)?;
    program::install(
        &pack.join("watertight"),
        "#!/bin/sh\necho watertight 9.9.9\n",
    );
    let archive = format!(
        "watertight-{}-unknown-linux-gnu.tar.gz",
        std::env::consts::ARCH
    );
    let packed = Command::new("sh")
        .args([
            "-c",
            r#"tar -czf "$0" watertight && sha256sum "$0" > "$0.sha256""#,
            &archive,
        ])
        .current_dir(&pack)
        .status()?;
    equal(&packed.success(), &true, "the archive is packed")?;
    // Takes files from there, whatever the address, and writes down which.
    program::install(
        &runner.path("bin/curl"),
        "#!/bin/sh\nwhile [ $# -gt 1 ]; do [ \"$1\" = --output ] && out=$2; shift; done\n\
         echo \"$1\" >> \"$RUNNER_TEMP/asked\"; cp \"$RUNNER_TEMP/pack/${1##*/}\" \"$out\"\n",
    );
    let inputs = [
        ("VERSION", "0.1.0"),
        ("REPOSITORY", "o/r"),
        ("SERVER", "https://example.org"),
    ];
    let step = runner.step("install.sh", &inputs)?;
    equal(&step.output.status.code(), &Some(0), &said(&step.output))?;
    let told = String::from_utf8_lossy(&step.output.stdout).into_owned();
    equal(&told.contains("watertight 9.9.9"), &true, &told)?;
    let added = fs::read_to_string(runner.path("github-path"))?;
    equal(
        &Path::new(added.trim()).join("watertight").is_file(),
        &true,
        &added,
    )?;
    let asked = fs::read_to_string(runner.path("asked"))?;
    let address = format!("https://example.org/o/r/releases/download/v0.1.0/{archive}\n");
    equal(&asked.starts_with(&address), &true, &asked)?;

    let bad = [
        ("VERSION", "../../x"),
        ("REPOSITORY", "o/r"),
        ("SERVER", "https://example.org"),
    ];
    let step = runner.step("install.sh", &bad)?;
    equal(&step.output.status.code(), &Some(2), &said(&step.output))?;
    // Somebody else's archive under the same name.
    fs::write(pack.join(&archive), "other")?;
    let step = runner.step("install.sh", &inputs)?;
    equal(&step.output.status.code(), &Some(2), &said(&step.output))?;
    let told = String::from_utf8_lossy(&step.output.stdout).into_owned();
    equal(&told.contains("checksum"), &true, &told)
}

/// Names of archives in metadata, workflow and action are one.
fn binstall() -> Result<(), Failed> {
    let manifest: toml::Table =
        toml::from_str(&fs::read_to_string(Path::new(ROOT).join("Cargo.toml"))?)?;
    let package = &manifest["package"];
    let binstall = &package["metadata"]["binstall"];
    let text = |value: &toml::Value| value.as_str().unwrap_or_default().to_owned();
    let (url, inside) = (text(&binstall["pkg-url"]), text(&binstall["bin-dir"]));
    equal(
        &text(&binstall["pkg-fmt"]),
        &String::from("tgz"),
        "the format",
    )?;
    equal(
        &inside,
        &String::from("{ bin }{ binary-ext }"),
        "the place in the archive",
    )?;
    let wanted = "{ repo }/releases/download/v{ version }/{ name }-{ target }.tar.gz";
    equal(&url.as_str(), &wanted, "the address")?;
    let release = fs::read_to_string(Path::new(ROOT).join(".github/workflows/release.yml"))?;
    let install = fs::read_to_string(Path::new(ROOT).join(".github/action/install.sh"))?;
    equal(
        &release.contains("watertight-$TARGET.tar.gz"),
        &true,
        "the workflow packs it",
    )?;
    equal(
        &install.contains("watertight-$target.tar.gz"),
        &true,
        "the action fetches it",
    )?;
    for target in ["x86_64-unknown-linux-gnu", "aarch64-unknown-linux-gnu"] {
        equal(
            &release.contains(&format!("target: {target}")),
            &true,
            target,
        )?;
        equal(
            &install.contains(&format!("target={target}")),
            &true,
            target,
        )?;
    }
    Ok(())
}

fn fleet() -> Result<(), Failed> {
    let file = Path::new(ROOT).join("examples/ci/fleet.toml");
    let fleet = watertight::config::Fleet::read(&file).map_err(|problems| problems.to_string())?;
    equal(&fleet.servers.len(), &2, "its servers")
}
