//! Which sentences a tool that executes texts is asked first.
//!
//! Owns their order. The sentences themselves stand in the table of recipes.

use serde_json::Value;

use super::{
    recipe::{Recipe, recipes},
    score::{CANDIDATE, Candidate},
    slots::parts,
    words::words,
};
use crate::{
    probe::{Role, Slot},
    session::Tool,
};

/// The sentences for a candidate, the likeliest first.
pub(super) fn likely(tool: &Tool, candidate: &Candidate) -> Vec<&'static Recipe> {
    let role = candidate.role;
    // Where no name says that code is run, what evaluates expressions is not taken for what does.
    let guessed = candidate.score < CANDIDATE && role == Role::ExecCode;
    let told = told(tool, candidate);
    let mut likely: Vec<&Recipe> = recipes(role)
        .filter(|recipe| !(guessed && recipe.is_expression()))
        .filter(|recipe| match recipe.language() {
            "shell" => guessed == recipe.silent.is_some(),
            _ => true,
        })
        .filter(|recipe| recipe.place.is_none() || has_place(candidate))
        .collect();
    // What the tool itself names is what it likely runs.
    likely.sort_by_key(|recipe| !names(&told, recipe.name));
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
