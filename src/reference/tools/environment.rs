//! Tools that tell of the server itself: its state, and those of its variables that may be known.
//!
//! Owns what is told. Which variables may be known is the policy's business.

use std::env;

use rmcp::model::JsonObject;
use schemars::JsonSchema;
use serde::Deserialize;

use super::parse;
use crate::reference::Flaw;
use crate::reference::flawed;
use crate::reference::refusal::Refusal;
use crate::reference::world::World;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct GetVariable {
    /// Name of an environment variable of the server.
    name: String,
}

pub(super) fn get_variable(world: &World, arguments: JsonObject) -> Result<String, Refusal> {
    let arguments: GetVariable = parse(arguments)?;
    if !known(world, &arguments.name) && !world.has(Flaw::EnvAnyName) {
        return Err(Refusal::Variable);
    }
    env::var(&arguments.name).map_err(|_| Refusal::invalid("There is no such variable"))
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ShowMessage {
    /// The message.
    message: String,
}

pub(super) fn show_message(world: &World, arguments: JsonObject) -> Result<String, Refusal> {
    let ShowMessage { message } = parse(arguments)?;
    let message = match world.has(Flaw::EnvExpands) {
        true => flawed::substituted(&message),
        false => message,
    };
    Ok(format!("INFO {message}"))
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ServerStatus {}

pub(super) fn server_status(world: &World, arguments: JsonObject) -> Result<String, Refusal> {
    let ServerStatus {} = parse(arguments)?;
    if world.has(Flaw::EnvDump) {
        return Ok(flawed::environment());
    }
    let known = env::vars().filter(|(name, _)| known(world, name));
    let lines: Vec<String> = known
        .map(|(name, value)| format!("{name}={value}"))
        .collect();
    Ok(format!("running\n{}", lines.join("\n")))
}

fn known(world: &World, name: &str) -> bool {
    world.options.variables.iter().any(|known| known == name)
}
