//! How the target is spoken to: lifecycle, limits, calls before probing, tools that are told.
//!
//! Owns the way from settings to what a run is ordered, where placeholders have values.

use std::path::PathBuf;

use super::failure::Failure;
use crate::{
    channel::Channel,
    config::{self, Settings, TargetSpec},
    policy::Placeholders,
    run::Setup,
    session::{Era, Limits, Options},
};

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
