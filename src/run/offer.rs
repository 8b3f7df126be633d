//! What a target offers before anything is tried: its tools and prompts, and the URIs of its resources.
//!
//! Owns what a refused list means. What is offered is believed of nobody: channels are proven.

use std::time::Duration;

use serde_json::Value;

use super::order::Order;
use crate::{
    channel::RESOURCES_READ,
    session::{Endpoint, ListError, Session, Tool, printable},
};

/// Characters of a name that are told.
const NAME: usize = 60;

/// The tools. A target that did not announce any may refuse to list them: it has none.
pub(super) async fn tools(session: &Session, order: &Order<'_>) -> Result<Vec<Tool>, ListError> {
    let announced = session.info().capabilities.get("tools").is_some();
    match session.tools(patience(order)).await {
        Err(ListError::Refused { .. }) if !announced => Ok(Vec::new()),
        listed => listed,
    }
}

/// The prompts that take arguments, as tools: they are asked in the same way.
pub(super) async fn prompts(session: &Session, order: &Order<'_>) -> Vec<Tool> {
    session.asking_prompts(patience(order)).await
}

/// What flags and configuration say of tools that the target does not have.
pub(super) fn missing(order: &Order<'_>, tools: &[Tool]) -> Vec<String> {
    let bound = order.given.iter().map(|channel| (&channel.tool, "bound"));
    let allowed = order.allow_destructive.iter();
    let named = bound.chain(allowed.map(|tool| (tool, "allowed as destructive")));
    let absent = named.filter(|(name, _)| {
        *name != RESOURCES_READ && !tools.iter().any(|tool| tool.name == **name)
    });
    absent
        .map(|(name, what)| {
            let name = printable(name.as_bytes(), NAME);
            format!("the tool `{name}`, which is {what}, is none of the target's")
        })
        .collect()
}

/// What is likely wrong where nothing of a target that was attached to works.
pub(super) fn unshared(order: &Order<'_>, proven: usize) -> Option<String> {
    let attached = matches!(order.endpoint, Endpoint::Http(_));
    let own = order.bed.allowed.starts_with(order.bed.base());
    (attached && own && proven == 0).then(|| {
        String::from(
            "no tool could be seen to work: a target that runs already does not know the directory that the run \
             made; give the one that it serves with --allowed DIR",
        )
    })
}

/// The templates and the URIs of the resources, for targets that announced such. A list that does
/// not come tells nothing.
pub(super) async fn uris(session: &Session, order: &Order<'_>) -> Vec<String> {
    if session.info().capabilities.get("resources").is_none() {
        return Vec::new();
    }
    let templates = session.resource_templates(order.deadline).await;
    let resources = session.resources(order.deadline).await;
    let member = |list: Vec<Value>, name: &str| -> Vec<String> {
        let text = |item: &Value| item.get(name)?.as_str().map(str::to_owned);
        list.iter().filter_map(text).collect()
    };
    let mut uris = member(templates.unwrap_or_default(), "uriTemplate");
    uris.extend(member(resources.unwrap_or_default(), "uri"));
    uris
}

/// Lists may be slow to come for the first time.
fn patience(order: &Order<'_>) -> Duration {
    order.deadline.max(order.options.limits.startup)
}
