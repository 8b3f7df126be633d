//! From what the settings say of a target to how it is reached in a run.
//!
//! Owns the replacement of placeholders in commands, addresses and variables, and how a target is
//! shown to people.

use std::collections::BTreeMap;

use super::failure::Failure;
use crate::{
    config::{Reach, TargetSpec},
    policy::Placeholders,
    run,
    session::{Endpoint, HttpEndpoint, Inside, Launch},
    target::{Base, OFFLINE, environment, resolve},
    testbed::{Bed, namespace::Bottle},
};

/// How the target is reached in this run.
pub(super) struct Target {
    pub(super) endpoint: Endpoint,
    /// How it is shown: without what was taken from variables.
    pub(super) display: String,
    pub(super) transport: &'static str,
    pub(super) environment: Vec<String>,
    pub(super) cwd: Option<String>,
    pub(super) allowed_is_argument: bool,
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
            let bearer = match bearer_env {
                None => None,
                Some(name) => Some(std::env::var(name).map_err(|_| {
                    Failure::Input(format!(
                        "the environment variable {name} of --bearer-env is not set, or is no text\nfix: set it, and export it, before the run"
                    ))
                })?),
            };
            let headers = headers
                .iter()
                .map(|(name, value)| Ok((name.clone(), expand(value)?)))
                .collect::<Result<_, Failure>>()?;
            let url = expand(url)?;
            let endpoint = Endpoint::Http(HttpEndpoint {
                url,
                headers,
                bearer,
            });
            Ok(Target {
                display: spec.conceal(&run::display(&endpoint)),
                endpoint,
                transport: "http",
                environment: Vec::new(),
                cwd: None,
                allowed_is_argument: false,
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
            let mut made = environment(&own, base, resolved.launcher, &spec.pass_env, &set);
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
            notes.extend(resolved.launcher.map(|launcher| launcher.note().to_owned()));
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
            let allowed_is_argument = command.iter().any(|word| word.contains("{allowed}"))
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
            });
            Ok(Target {
                display: spec.conceal(&run::display(&endpoint)),
                environment,
                cwd: shown_cwd,
                endpoint,
                transport: "stdio",
                allowed_is_argument,
                notes,
            })
        }
    }
}
