//! From settings to what a run is ordered to do: how the target is launched, and what is called first.
//!
//! Owns the replacing of placeholders by the directories of the run.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use serde_json::{Map, Value, json};

use super::failure::Failure;
use crate::{
    channel::Channel,
    config::{self, Reach, Settings, TargetSpec},
    diag::Source,
    policy::{Placeholders, SINK},
    report::LAUNCHED_HTTP,
    run::{self, Setup},
    session::{Endpoint, Era, HttpEndpoint, Inside, Launch, Limits, Options},
    target::{Base, Launcher, OFFLINE, environment, launcher, resolve, wrapper},
    testbed::{Bed, Rule, namespace::Bottle},
};

/// Where a server finds its API outside of the bottle: nobody answers at the port of discard.
const NOBODY: &str = "http://127.0.0.1:9";

/// The values of placeholders in this run.
pub(super) fn placeholders(bed: &Bed, settings: &Settings) -> Placeholders {
    let sink = match Bottle::around() {
        Some(_) => settings.policy.network().hosts().base.url(),
        None => NOBODY.to_owned(),
    };
    let text = |path: &Path| path.display().to_string();
    Placeholders::new()
        .with("allowed", text(&bed.allowed))
        .with("denied", text(&bed.denied))
        .with("outside", text(&bed.outside))
        .with("home", text(&bed.home))
        .with("tmp", text(&bed.tmp))
        .with(SINK, sink)
}

/// The launch as it would stand in a config file: placeholders and what was taken from variables by their names.
pub(super) fn launch_text(spec: &TargetSpec) -> Option<Source> {
    let named = |pairs: &[(String, String)]| -> Map<String, Value> {
        let told = |(name, value): &(String, String)| (name.clone(), json!(spec.conceal(value)));
        pairs.iter().map(told).collect()
    };
    let mut target = match &spec.reach {
        Reach::Command(words) => {
            let words: Vec<String> = words.iter().map(|word| spec.conceal(word)).collect();
            let mut told =
                json!({ "command": words, "env": named(&spec.env), "roots": spec.roots });
            if let Some(at) = &spec.serves {
                told["url"] = json!(spec.conceal(&at.url));
                told["headers"] = json!(named(&at.headers));
            }
            told
        }
        Reach::Url { url, headers, .. } => {
            json!({ "url": spec.conceal(url), "headers": named(headers), "roots": spec.roots })
        }
        Reach::Inside(_) => return None,
    };
    let paths = [
        ("allowed", &spec.allowed),
        ("cwd", &spec.cwd.as_ref().map(PathBuf::from)),
    ];
    for (key, path) in paths {
        if let Some(path) = path {
            target[key] = json!(path);
        }
    }
    let text = toml::to_string(&json!({ "target": target }));
    let text = text.expect("texts and lists of them are TOML");
    Some(Source::new(config::FILE_NAME, text))
}

/// How the target is reached in this run.
pub(super) struct Target {
    pub(super) endpoint: Endpoint,
    /// How it is shown: without what was taken from variables.
    pub(super) display: String,
    pub(super) transport: &'static str,
    pub(super) environment: Vec<String>,
    pub(super) cwd: Option<String>,
    pub(super) allowed_is_argument: bool,
    /// The first argument that is the server's own, if that is known.
    pub(super) server_at: Option<usize>,
    pub(super) notes: Vec<String>,
}

/// Makes launch or attachment out of the settings.
pub(super) fn endpoint(
    spec: &TargetSpec,
    places: &Placeholders,
    bed: &Bed,
) -> Result<Target, Failure> {
    let expand = |text: &str| {
        places
            .expand(text)
            .map_err(|error| Failure::Input(error.to_string()))
    };
    match &spec.reach {
        Reach::Url {
            url,
            headers,
            bearer_env,
        } => {
            let endpoint = Endpoint::Http(http(url, headers, bearer_env.as_ref(), places)?);
            Ok(Target {
                display: spec.conceal(&run::display(&endpoint)),
                endpoint,
                transport: "http",
                environment: Vec::new(),
                cwd: None,
                allowed_is_argument: false,
                server_at: None,
                notes: Vec::new(),
            })
        }
        Reach::Inside(server) => {
            let (server, places) = (server.clone(), places.clone());
            let inside = Inside::new(move |pipe| server.serve(&places, pipe));
            let endpoint = Endpoint::Inside(inside);
            Ok(Target {
                display: run::display(&endpoint),
                endpoint,
                transport: "in-process",
                environment: Vec::new(),
                cwd: None,
                allowed_is_argument: false,
                server_at: None,
                notes: vec![String::from(
                    "the server runs inside of the process that tests it: nothing is asked that needs a \
                     process of its own",
                )],
            })
        }
        Reach::Command(command) => {
            let here = std::env::current_dir()
                .map_err(|error| Failure::Input(format!("no working directory: {error}")))?;
            let words = command
                .iter()
                .map(|word| expand(word))
                .collect::<Result<Vec<_>, _>>()?;
            let (program, args) = words
                .split_first()
                .map_or((String::new(), Vec::new()), |(program, args)| {
                    (program.clone(), args.to_vec())
                });
            let wrapped = wrapped(spec);
            let resolved = resolve(&program, &args, std::env::var_os("PATH").as_deref(), &here)
                .map_err(|error| Failure::Input(error.to_string()))?;
            let set: BTreeMap<String, String> = spec
                .env
                .iter()
                .map(|(name, value)| Ok((name.clone(), expand(value)?)))
                .collect::<Result<_, Failure>>()?;
            let own = std::env::vars_os().collect();
            let base = Base {
                home: &bed.home,
                tmp: &bed.tmp,
            };
            let launcher = launcher_of(spec);
            let mut made = environment(&own, base, launcher, &spec.pass_env, &set);
            if Bottle::around().is_some() {
                for (name, value) in OFFLINE {
                    let variable = made.variables.entry((*name).to_owned());
                    variable.or_insert_with(|| (*value).to_owned());
                }
            }
            let mut notes: Vec<String> = made
                .missing
                .iter()
                .map(|name| {
                    format!(
                        "the environment variable {name} is to be passed on, but is not set here"
                    )
                })
                .collect();
            notes.extend(launcher.map(|launcher| launcher.note().to_owned()));
            let cwd = match &spec.cwd {
                Some(cwd) => here.join(expand(cwd)?),
                None => here,
            };
            if !cwd.is_dir() {
                return Err(Failure::Input(format!(
                    "the working directory {} does not exist\nfix: create it, or give another with --cwd",
                    cwd.display()
                )));
            }
            let serves = spec.serves.as_ref();
            let serves = serves
                .map(|at| http(&at.url, &at.headers, at.bearer_env.as_ref(), places))
                .transpose()?;
            let transport = if serves.is_some() {
                LAUNCHED_HTTP
            } else {
                "stdio"
            };
            let own = &command[wrapped.unwrap_or_default()..];
            let allowed_is_argument = own.iter().any(|word| word.contains("{allowed}"))
                || spec
                    .env
                    .iter()
                    .any(|(_, value)| value.contains("{allowed}"));
            let environment = made.variables.keys().cloned().collect();
            let shown_cwd = Some(cwd.display().to_string());
            let endpoint = Endpoint::Stdio(Launch {
                program: resolved.program.display().to_string(),
                args,
                env: made.variables,
                cwd,
                by: Vec::new(),
                serves,
            });
            Ok(Target {
                display: spec.conceal(&run::display(&endpoint)),
                environment,
                cwd: shown_cwd,
                endpoint,
                transport,
                allowed_is_argument,
                server_at: wrapped.map(|words| words.saturating_sub(1)),
                notes,
            })
        }
    }
}

/// Where a target is spoken to over HTTP.
fn http(
    url: &str,
    headers: &[(String, String)],
    bearer_env: Option<&String>,
    places: &Placeholders,
) -> Result<HttpEndpoint, Failure> {
    let expand = |text: &str| {
        places
            .expand(text)
            .map_err(|error| Failure::Input(error.to_string()))
    };
    let bearer = bearer_env.map(|name| {
        std::env::var(name).map_err(|_| {
            Failure::Input(format!(
                "the environment variable {name} of --bearer-env is not set, or is no text\nfix: set it, and export it, before the run"
            ))
        })
    });
    let headers = headers.iter();
    Ok(HttpEndpoint {
        url: expand(url)?,
        headers: headers
            .map(|(name, value)| Ok((name.clone(), expand(value)?)))
            .collect::<Result<_, Failure>>()?,
        bearer: bearer.transpose()?,
    })
}

/// How the target is spoken to.
pub(super) fn options(settings: &Settings, places: &Placeholders) -> Result<Options, Failure> {
    let roots = settings
        .target
        .roots
        .iter()
        .map(|root| places.expand(root).map(PathBuf::from))
        .collect::<Result<Vec<_>, _>>()
        .map_err(|error| Failure::Input(error.to_string()))?;
    Ok(Options {
        era: match settings.target.era {
            config::Era::Auto => Era::Auto,
            config::Era::Handshake => Era::Handshake,
            config::Era::Stateless => Era::Stateless,
        },
        roots: (!roots.is_empty()).then_some(roots),
        limits: Limits {
            startup: settings.startup_timeout,
            ..Limits::default()
        },
        protocol: None,
    })
}

/// The calls to make before probing.
pub(super) fn setup(settings: &Settings, places: &Placeholders) -> Result<Vec<Setup>, Failure> {
    let call = |call: &config::SetupCall| {
        let arguments = TargetSpec::expand_arguments(&call.arguments, places)
            .map_err(|error| Failure::Input(error.to_string()))?;
        Ok(Setup {
            tool: call.tool.value.clone(),
            arguments,
        })
    };
    settings.target.setup.iter().map(call).collect()
}

/// The channels that the user bound.
pub(super) fn given(settings: &Settings, places: &Placeholders) -> Result<Vec<Channel>, Failure> {
    let channel = |binding: &config::Binding| {
        let fixed = TargetSpec::expand_arguments(&binding.arguments, places)
            .map_err(|error| Failure::Input(error.to_string()))?;
        Ok(Channel::given(binding, fixed))
    };
    settings.bindings.iter().map(channel).collect()
}

/// Where the target has directories of ours, as the user says.
pub(super) fn maps(spec: &TargetSpec, places: &Placeholders) -> Result<Vec<Rule>, Failure> {
    let expand = |text: &str| {
        places
            .expand(text)
            .map_err(|error| Failure::Input(error.to_string()))
    };
    let rule = |(host, inside): &(String, String)| {
        Ok(Rule {
            host: expand(host)?.into(),
            inside: match inside.as_str() {
                "" => None,
                inside => Some(expand(inside)?.into()),
            },
        })
    };
    spec.maps.iter().map(rule).collect()
}

/// How many words of the command are those of a wrapper: as the user says, else as it looks.
pub(super) fn wrapped(spec: &TargetSpec) -> Option<usize> {
    match &spec.reach {
        Reach::Command(words) => spec.wrapped.or_else(|| wrapper(words)),
        Reach::Url { .. } | Reach::Inside(_) => None,
    }
}

/// The registry launcher that the server is started by, inside a wrapper or not.
pub(super) fn launcher_of(spec: &TargetSpec) -> Option<Launcher> {
    let Reach::Command(words) = &spec.reach else {
        return None;
    };
    let starts = |words: &[String]| {
        let (program, args) = words.split_first()?;
        launcher(program, args)
    };
    starts(words).or_else(|| starts(&words[wrapped(spec)?..]))
}
