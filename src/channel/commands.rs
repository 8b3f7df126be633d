//! Which sentences a tool that executes texts is asked first.
//!
//! Owns their order. The sentences themselves stand in the table of recipes.

use serde_json::Value;

use super::{
    flatten::Leaf,
    recipe::{Recipe, recipes},
    score::{CANDIDATE, Candidate},
    slots::{parts, single},
    words::{Words, words},
};
use crate::{
    probe::{Role, Slot},
    session::Tool,
};

/// What templates are called, and what evaluates them.
const TEMPLATES: Words =
    Words("template templates templating jinja jinja2 nunjucks mako twig erb ejs liquid");

/// The sentences for a candidate, the likeliest first.
pub(super) fn likely(tool: &Tool, candidate: &Candidate) -> Vec<&'static Recipe> {
    let role = candidate.role;
    // Where no name says that code is run, what evaluates expressions is not taken for what does.
    let guessed = candidate.score < CANDIDATE && role == Role::ExecCode;
    let told = told(tool, candidate);
    let renders = role == Role::ExecExpression && takes_template(tool, candidate);
    let mut likely: Vec<&Recipe> = recipes(role)
        .filter(|recipe| !(guessed && recipe.is_expression()))
        .filter(|recipe| !recipe.is_template() || renders)
        .filter(|recipe| match recipe.language() {
            "shell" => guessed == recipe.silent.is_some(),
            _ => true,
        })
        .filter(|recipe| recipe.place.is_none() || has_place(candidate))
        .collect();
    // What the tool itself names is what it likely runs.
    likely.sort_by_key(|recipe| !names(&told, recipe.name) && !recipe.is_template());
    likely
}

/// Whether one of the words is the command or language of a recipe.
pub(super) fn names(told: &[String], recipe: &str) -> bool {
    let language = recipe.split('-').next();
    told.iter().any(|word| Some(word.as_str()) == language)
}

/// Whether a tool that runs commands takes the directory in which it does.
fn has_place(candidate: &Candidate) -> bool {
    parts(candidate.role, &candidate.form).contains_key(&Slot::Cwd)
}

/// Whether what stands between delimiters is meant to be evaluated: the parameter says so, or a tool of one parameter.
/// Elsewhere it is a flaw.
pub(super) fn takes_template(tool: &Tool, candidate: &Candidate) -> bool {
    let leaves = &candidate.form.leaves;
    let bound = |leaf: &&Leaf| {
        let mut slots = candidate.bindings.iter().flat_map(|one| one.slots.values());
        slots.any(|pointers| pointers.contains(&single(&leaf.pointer)))
    };
    let alone = leaves.iter().filter(|leaf| leaf.takes_text()).count() == 1;
    let whole = [tool.name.as_str(), &tool.description];
    leaves
        .iter()
        .filter(bound)
        .flat_map(|leaf| [leaf.name.as_str(), &leaf.description])
        .chain(whole.into_iter().filter(|_| alone))
        .flat_map(words)
        .any(|word| TEMPLATES.has(&word))
}

/// The words by which a tool and its parameters are described, and those that it offers.
fn told(tool: &Tool, candidate: &Candidate) -> Vec<String> {
    let leaves = &candidate.form.leaves;
    let offered = leaves.iter().flat_map(|leaf| &leaf.choices);
    let offered = offered.filter_map(Value::as_str);
    let described = leaves.iter().map(|leaf| leaf.description.as_str());
    [tool.description.as_str()]
        .into_iter()
        .chain(described)
        .chain(offered)
        .flat_map(words)
        .collect()
}
