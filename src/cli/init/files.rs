//! What stands in the files of `watertight init`.
//!
//! Owns the texts. Values are written by a serializer; what people are to read and change is written
//! around them.

use toml::{Table, Value};

use super::Ci;
use crate::{
    cli::{LaunchArgs, discover::Explored},
    config::{Reach, Settings},
    probe::Role,
};

/// The test of a Cargo package.
pub(super) const TEST: &str = "tests/isolation.rs";

/// `watertight.toml`.
pub(super) fn config(settings: &Settings, launch: &LaunchArgs, policy: Option<&str>) -> String {
    let policy = policy.map(str::to_owned).or_else(|| launch.policy.clone());
    let mut text = String::from(
        "# What `watertight run` tests here. Every key is also a flag; `watertight schema config`\n\
         # describes them.\n",
    );
    text.push_str(&key("policy", policy.unwrap_or_default()));
    text.push_str(&key("suites", strings(["core"])));
    text.push_str("\n# The server. `{allowed}` is the directory that it may use, made anew in each run.\n[target]\n");
    text.push_str(&target(settings));
    text.push_str(
        "\n# Least severity that fails. A share of probes that must be judged can be set too: coverage = 0.9\n\
         [thresholds]\nseverity = \"low\"\n",
    );
    for (format, file) in [("html", "report.html"), ("json", "report.json")] {
        text.push_str(&format!(
            "\n[[report]]\nformat = \"{format}\"\npath = \"watertight-report/{file}\"\n"
        ));
    }
    text
}

fn target(settings: &Settings) -> String {
    let target = &settings.target;
    let mut text = String::new();
    let mut say = |name: &str, value: Option<Value>| {
        text.push_str(&value.map_or_else(String::new, |value| key(name, value)));
    };
    let list = |values: &[String]| (!values.is_empty()).then(|| strings(values.iter().cloned()));
    let table = |pairs: &[(String, String)]| {
        let pairs = pairs
            .iter()
            .map(|(name, value)| (name.clone(), Value::from(value.as_str())));
        Some(Table::from_iter(pairs))
            .filter(|pairs| !pairs.is_empty())
            .map(Value::Table)
    };
    // A value that came from a variable of the same name is passed on, not written out.
    let (passed, set): (Vec<_>, Vec<_>) = target.env.iter().cloned().partition(|(name, value)| {
        target
            .concealed
            .iter()
            .any(|(hidden, reference)| hidden == value && reference == name)
    });
    let pass_env: Vec<String> = target
        .pass_env
        .iter()
        .cloned()
        .chain(passed.into_iter().map(|(name, _)| name))
        .collect();
    match &target.reach {
        Reach::Command(words) => say("command", Some(strings(words.iter().cloned()))),
        Reach::Url {
            url,
            headers,
            bearer_env,
        } => {
            say("url", Some(Value::from(url.as_str())));
            say("headers", table(headers));
            say("bearer_env", bearer_env.as_deref().map(Value::from));
        }
        // No flag names one.
        Reach::Inside(_) => {}
    }
    if let Some(at) = &target.serves {
        say("url", Some(Value::from(at.url.as_str())));
        say("headers", table(&at.headers));
        say("bearer_env", at.bearer_env.as_deref().map(Value::from));
    }
    say("env", table(&set));
    say("pass_env", list(&pass_env));
    say("cwd", target.cwd.as_deref().map(Value::from));
    say("roots", list(&target.roots));
    let allowed = target
        .allowed
        .as_ref()
        .map(|path| path.display().to_string());
    say("allowed", allowed.map(Value::from));
    let fixture = target.fixture.as_ref();
    say(
        "fixture",
        fixture.map(|path| Value::from(path.display().to_string())),
    );
    say("allow_destructive", list(&target.allow_destructive));
    let calls: Vec<Value> = target
        .setup
        .iter()
        .filter_map(|call| {
            let arguments = Value::try_from(&call.arguments).ok()?;
            let tool = Value::from(call.tool.value.as_str());
            let pairs = [
                ("tool".to_owned(), tool),
                ("arguments".to_owned(), arguments),
            ];
            Some(Value::Table(Table::from_iter(pairs)))
        })
        .collect();
    say("setup", (!calls.is_empty()).then_some(Value::Array(calls)));
    text
}

fn strings<S: Into<String>>(values: impl IntoIterator<Item = S>) -> Value {
    Value::Array(
        values
            .into_iter()
            .map(|value| Value::String(value.into()))
            .collect(),
    )
}

/// One line: tables and lists are written inline.
fn key(name: &str, value: impl Into<Value>) -> String {
    format!("{name} = {}\n", value.into())
}

/// `policy.toml`, with what may be claimed of such a server.
pub(super) fn policy(found: &Explored) -> String {
    let mut text = String::from(
        "# What the server may reach. What stands here is tested, nothing else is; `watertight schema\n\
         # policy` describes all of it.\n\n\
         [capabilities.filesystem]\n\
         # `{allowed}` is the directory that each run gives the server, with no file of yours in it.\n\
         # watertight: allow policy.env-file -- the directory is made for the run\n\
         allowed_paths = [\"{allowed}\"]\n\
         # Inside of it, these are not for the server; the longest path wins, and a denial wins a tie.\n\
         # denied_paths = [\"{allowed}/private\", \"**/.env\"]\n\
         # protected_names = [\".git/hooks\", \".npmrc\"]\n\
         # max_file_size_mb = 10\n",
    );
    if !found.roles.iter().any(|role| changes(*role)) {
        text.push_str(
            "# No tool that writes was found. To have that tested:\n# read_only = true\n",
        );
    }
    text.push_str(
        "\n# Where nothing is said of hosts, public ones are permitted, and loopback, private and link-local\n\
         # addresses are denied.\n",
    );
    if found.roles.iter().any(|role| role.of_network()) {
        text.push_str("# This server has tools that reach hosts:\n");
    }
    text.push_str(
        "# [server.network]\n\
         # allowed_hosts = [\"api.example.org\"]\n\
         # denied_hosts = [\"10.0.0.0/8\"]\n\
         # allowed_ports = [443]\n",
    );
    text
}

fn changes(role: Role) -> bool {
    role.creates() || role == Role::FileStage
}

/// The package that the working directory holds.
pub(super) struct Package {
    manifest: String,
}

impl Package {
    /// It, if there is one.
    pub(super) fn here() -> Option<Self> {
        let manifest = std::fs::read_to_string("Cargo.toml").ok()?;
        let table: Table = manifest.parse().ok()?;
        table.contains_key("package").then_some(Self { manifest })
    }

    /// The manifest with what the test needs, unless it has it, or it cannot be added at the end.
    pub(super) fn with_test(&self) -> Option<String> {
        let table: Table = self.manifest.parse().ok()?;
        let tests = table.get("test").and_then(Value::as_array);
        let has_test = tests
            .into_iter()
            .flatten()
            .any(|test| test.get("name").and_then(Value::as_str) == Some("isolation"));
        let has_us = ["dependencies", "dev-dependencies"].iter().any(|section| {
            table
                .get(*section)
                .and_then(|section| section.get("watertight"))
                .is_some()
        });
        let mut text = format!("{}\n", self.manifest.trim_end());
        if !has_us {
            text.push_str(&format!(
                "\n[dev-dependencies.watertight]\nversion = \"{}\"\n",
                env!("CARGO_PKG_VERSION")
            ));
        }
        if !has_test {
            text.push_str(&format!(
                "\n[[test]]\nname = \"isolation\"\npath = \"{TEST}\"\nharness = false\n"
            ));
        }
        // What was written inline cannot be added to so.
        ((!has_us || !has_test) && text.parse::<Table>().is_ok()).then_some(text)
    }
}

/// `tests/isolation.rs`.
pub(super) fn test() -> String {
    String::from(
        "//! Each trial of Watertight as a test. What is tested stands in watertight.toml.\n\n\
         fn main() -> std::process::ExitCode {\n    watertight::cargo_test::main()\n}\n",
    )
}

/// The job of a CI.
pub(super) fn job(ci: Ci, settings: &Settings, package: bool) -> String {
    let version = env!("CARGO_PKG_VERSION");
    let launcher = match &settings.target.reach {
        Reach::Command(words) => words.first().map_or("", String::as_str),
        Reach::Url { .. } | Reach::Inside(_) => "",
    };
    // The image of the one has Node and pipx; that of the other is Debian with Rust.
    let build = match (launcher, ci) {
        _ if package => "cargo build",
        ("uvx" | "uv", Ci::Gitlab) => {
            "apt-get update && apt-get install -y pipx && pipx install uv && ln -s ~/.local/bin/uv* /usr/local/bin/"
        }
        ("uvx" | "uv", _) => "pipx install uv",
        ("npx", Ci::Gitlab) => "apt-get update && apt-get install -y --no-install-recommends npm",
        ("npx", _) => "node --version",
        _ => "echo \"Build or install the server here\"",
    };
    match ci {
        Ci::None => String::new(),
        Ci::Github => format!(
            "# Written by `watertight init`.\n\
             name: Isolation\n\n\
             on:\n  push:\n  pull_request:\n\n\
             permissions:\n  contents: read\n\n\
             jobs:\n  watertight:\n    runs-on: ubuntu-latest\n    timeout-minutes: 30\n    steps:\n      \
             - uses: actions/checkout@v6\n        with:\n          persist-credentials: false\n      \
             - name: Allow namespaces to this job\n        \
             run: sudo sysctl -w kernel.apparmor_restrict_unprivileged_userns=0\n      \
             - name: Prepare the server\n        run: {build}\n      \
             - name: Install Watertight\n        run: cargo install --locked watertight@{version}\n      \
             - name: Probe the server\n        run: watertight run --report markdown=\"$GITHUB_STEP_SUMMARY\"\n      \
             - uses: actions/upload-artifact@v5\n        if: always()\n        with:\n          \
             name: watertight-report\n          path: watertight-report/\n"
        ),
        Ci::Gitlab => format!(
            "# Written by `watertight init`.\n\
             watertight:\n  image: rust:latest\n  script:\n    \
             # Prepare the server.\n    \
             - {build}\n    \
             # Where the runner forbids namespaces, `watertight doctor` says so: hosts are not tested then.\n    \
             - cargo install --locked watertight@{version}\n    \
             - watertight run --report junit=watertight-report/junit.xml\n  \
             artifacts:\n    when: always\n    paths:\n      - watertight-report/\n    \
             reports:\n      junit: watertight-report/junit.xml\n"
        ),
    }
}
