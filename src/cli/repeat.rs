//! How a run is asked for again: from settings into a report, and from a report into settings.
//!
//! Owns what of the settings a report holds. Values of variables and headers, and arguments that were
//! told, stay out of it: they may be secrets. Whoever repeats a run gives them again.

use std::path::Path;

use clap::Parser;
use serde_json::{Map, Value, json};

use super::{RunArgs, failure::Failure};
use crate::{
    config::{Binding, Layer, NetForm, Reach, Settings, TargetSpec, word},
    diag::{Diagnostic, Problems, Source},
    lint::{argument_secrets, is_secret},
    policy::Policy,
    report::{Repeat, visible},
    testbed::Bed,
};

/// The flags of a report, as `run` takes them.
#[derive(Debug, Parser)]
#[command(name = "run", no_binary_name = true)]
struct Flags {
    #[command(flatten)]
    run: RunArgs,
}

/// What a report says of how the same is asked again.
pub(super) fn of(settings: &Settings) -> Repeat {
    let target = &settings.target;
    let mut made = Repeat {
        flags: Vec::new(),
        policy: serde_json::to_value(settings.policy.document()).unwrap_or(Value::Null),
        withheld: Vec::new(),
    };
    // As one word, a value that begins with a hyphen is still one.
    let mut flag = |name: &str, value: &str| made.flags.push(format!("{name}={value}"));
    for name in &target.pass_env {
        flag("--pass-env", name);
    }
    if let Some(cwd) = &target.cwd {
        flag("--cwd", cwd);
    }
    for root in &target.roots {
        flag("--roots", root);
    }
    if let Some(fixture) = &target.fixture {
        flag("--fixture", &absolute(fixture));
    }
    if let Some(allowed) = &target.allowed {
        flag("--allowed", &absolute(allowed));
    }
    flag("--era", &word(target.era));
    for tool in &target.allow_destructive {
        flag("--allow-destructive", tool);
    }
    if let Some(date) = &settings.frozen_suite {
        flag("--frozen-suite", date);
    }
    for directory in &settings.probe_dirs {
        flag("--probes", &absolute(directory));
    }
    flag("--testbed", &word(settings.testbed));
    flag("--timeout", &settings.timeout.as_secs_f64().to_string());
    let startup = settings.startup_timeout.as_secs_f64();
    flag("--startup-timeout", &startup.to_string());
    for call in &target.setup {
        match call.arguments.is_empty() {
            true => flag("--setup", &call.tool.value),
            false => made
                .withheld
                .push((String::from("--setup"), call.tool.value.clone())),
        }
    }
    for binding in &settings.bindings {
        match binding.arguments.is_empty() {
            true => made.flags.push(format!("--bind={}", told(binding))),
            false => made
                .withheld
                .push((String::from("--bind"), binding.tool.value.clone())),
        }
    }
    if let Some(lock) = settings.lock.as_ref().filter(|lock| lock.is_file()) {
        made.flags.push(format!("--lock={}", absolute(lock)));
    }
    for (name, _) in &target.env {
        made.withheld.push((String::from("--env"), name.clone()));
    }
    if let Some(at) = &target.serves {
        made.flags
            .extend(over_http(target, &at.url, at.bearer_env.as_ref()));
        made.withheld.extend(names_of(&at.headers));
    }
    match &target.reach {
        Reach::Command(command) => {
            made.flags.push(String::from("--"));
            // What was taken from variables may be secret.
            made.flags
                .extend(command.iter().map(|word| target.conceal(word)));
        }
        // No command line names one.
        Reach::Inside(_) => {}
        Reach::Url {
            url,
            headers,
            bearer_env,
        } => {
            made.flags
                .extend(over_http(target, url, bearer_env.as_ref()));
            made.withheld.extend(names_of(headers));
        }
    }
    made
}

/// The flags of a target that is spoken to over HTTP.
fn over_http(target: &TargetSpec, url: &str, bearer_env: Option<&String>) -> Vec<String> {
    let bearer = bearer_env.map(|name| format!("--bearer-env={name}"));
    let url = format!("--url={}", target.conceal(url));
    std::iter::once(url).chain(bearer).collect()
}

fn names_of(headers: &[(String, String)]) -> impl Iterator<Item = (String, String)> {
    let names = headers.iter().map(|(name, _)| name.clone());
    names.map(|name| (String::from("--header"), name))
}

/// What the user gives the target and no report may hold, each value with its name: variables that are passed on,
/// those of the ones that are set which are secrets, headers, and on a command line what was looked up for it and
/// what looks like a secret.
pub(super) fn secrets(target: &TargetSpec) -> Vec<(String, String)> {
    let variable = |name: &String| Some((name.clone(), std::env::var(name).ok()?));
    let mut secrets: Vec<(String, String)> = target.pass_env.iter().filter_map(variable).collect();
    // What is set on a command line is most often a mode or a path.
    let set = target.env.iter();
    secrets.extend(set.filter(|(name, value)| is_secret(name, value)).cloned());
    if let Reach::Url {
        headers,
        bearer_env,
        ..
    } = &target.reach
    {
        secrets.extend(headers.iter().cloned());
        secrets.extend(bearer_env.iter().filter_map(variable));
    }
    if let Some(at) = &target.serves {
        secrets.extend(at.headers.iter().cloned());
        secrets.extend(at.bearer_env.iter().filter_map(variable));
    }
    let looked_up = target.concealed.iter();
    secrets.extend(looked_up.map(|(value, name)| (name.clone(), value.clone())));
    if let Reach::Command(words) = &target.reach {
        let on_line = argument_secrets(words).into_iter().enumerate();
        secrets
            .extend(on_line.map(|(at, (_, value))| (format!("SECRET_ARGUMENT_{}", at + 1), value)));
    }
    secrets
}

fn absolute(path: &Path) -> String {
    std::path::absolute(path)
        .unwrap_or_else(|_| path.to_owned())
        .display()
        .to_string()
}

/// A binding as `--bind` takes it.
fn told(binding: &Binding) -> String {
    let slots: Map<String, Value> = binding
        .slots
        .value
        .iter()
        .map(|(slot, pointers)| (word(*slot), json!(pointers.value)))
        .collect();
    let mut value = json!({ "tool": binding.tool, "role": binding.role, "slots": slots });
    if let Some(form) = binding.form {
        value["form"] = json!(form);
    }
    if let Some(uri) = &binding.uri {
        value["uri"] = json!(uri);
    }
    if binding.net != NetForm::default() {
        value["net"] = json!(binding.net);
    }
    if let Some(extension) = &binding.extension {
        value["extension"] = json!(extension);
    }
    value.to_string()
}

/// The settings that a report stands for, under those flags that are given anew.
///
/// # Errors
/// What was withheld is not given, or a flag does not mean anything any more.
pub(super) fn settle(repeat: &Repeat, given: RunArgs, report: &Path) -> Result<Settings, Failure> {
    let name = visible(&report.display().to_string(), 200).into_owned();
    let missing: Vec<String> = repeat
        .withheld
        .iter()
        .filter(|(flag, name)| !is_given(flag, name, &given))
        .map(|(flag, name)| {
            let shape = Repeat::shape(flag, name);
            let shape = match shape.contains(' ') {
                true => format!("'{shape}'"),
                false => shape,
            };
            format!("{} {}", visible(flag, 40), visible(&shape, 80))
        })
        .collect();
    if !missing.is_empty() {
        return Err(Failure::Input(format!(
            "{name} does not hold the values of: {}\nfix: give these flags again; values that may be secrets are in no report",
            missing.join(", ")
        )));
    }
    let stored = Flags::try_parse_from(&repeat.flags).map_err(|error| {
        let why = error.to_string();
        let why = why.lines().next().unwrap_or_default();
        Failure::Input(format!(
            "{name} says in a way that is not understood how its target was started: {}\nfix: give the command after --, or repeat the run",
            visible(why, 200)
        ))
    })?;
    // Of what a file says, only what leads to the target counts.
    let stored = RunArgs {
        launch: stored.run.launch,
        probes: stored.run.probes,
        ..RunArgs::default()
    };
    let mut layer = given.layer().over(stored.layer());
    if let Some(config) = &given.launch.config {
        layer = layer.over(Layer::of_file(config));
    }
    if layer.policy.is_none() {
        let text = repeat.policy.to_string();
        let source = Source::new(format!("the policy in {name}"), text);
        layer.policy = Some(Policy::load(&source).map_err(Failure::Problems)?);
    }
    let mut settings = layer.settle().map_err(Failure::Problems)?;
    settings.lock = given.launch.lock.or(stored.launch.lock);
    Ok(settings)
}

fn is_given(flag: &str, name: &str, given: &RunArgs) -> bool {
    let launch = &given.launch;
    let before = |texts: &[String], end: char| {
        let own = |text: &String| text.split(end).next() == Some(name);
        texts.iter().any(own)
    };
    match flag {
        "--env" => before(&launch.env, '=') || launch.pass_env.iter().any(|own| own == name),
        "--header" => launch.header.iter().any(|text| {
            let own = text.split(':').next();
            own.is_some_and(|own| own.trim().eq_ignore_ascii_case(name))
        }),
        "--setup" => before(&launch.setup, '='),
        "--bind" => launch.bind.iter().any(|text| text.contains(name)),
        // Something that a newer program holds back.
        _ => false,
    }
}

/// A testbed that stays, in a directory that no later run tidies up.
pub(super) fn kept_bed() -> Result<Bed, Failure> {
    let made = tempfile::Builder::new()
        .prefix("watertight-replay-")
        .tempdir()
        .and_then(|parent| Bed::create_in(&parent.keep()));
    made.map_err(|error| {
        Failure::Input(format!(
            "no directory can be made for the trial: {error}\nfix: free some space, or set TMPDIR to a directory that can be written"
        ))
    })
}

/// A mistake in the trial that is named.
pub(super) fn no_trial(message: String, help: String) -> Problems {
    Diagnostic::error("replay::trial", message)
        .help(help)
        .into()
}
