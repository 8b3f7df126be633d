//! Which parameters could fill the slots of a role.
//!
//! Owns the weights of a parameter's own words and the ways to put slots and parameters together.
//! What the tool's name says on the role is not weighed here.

use std::collections::BTreeMap;

use serde_json::Value;

use super::{
    flatten::{Form, Leaf},
    meaning::{Meaning, meaning},
    recipe::recipes,
    words::{self, words},
};
use crate::probe::{Role, Slot};

pub(super) const NAME: f32 = 0.45;
pub(super) const CONTRADICTION: f32 = -0.40;
const WEAK_NAME: f32 = 0.30;
const FORMAT: f32 = 0.40;
const SHAPE: f32 = 0.35;
const DESCRIPTION: f32 = 0.25;

/// Where the slots go.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Binding {
    pub(super) slots: BTreeMap<Slot, Vec<String>>,
}

impl Binding {
    /// Whether the path goes into two arguments.
    pub(super) fn split(&self) -> bool {
        self.slots
            .iter()
            .any(|(slot, pointers)| matches!(slot, Slot::Path | Slot::Ident) && pointers.len() > 1)
    }
}

pub(super) fn top(ranked: &[(f32, &Leaf)]) -> f32 {
    ranked.first().map_or(0.0, |(score, _)| *score)
}

/// Leaves that may fill a slot, best first.
pub(super) fn ranked<'f>(role: Role, slot: Slot, leaves: &[&'f Leaf]) -> Vec<(f32, &'f Leaf)> {
    let wanted = meaning(role, slot);
    let mut ranked: Vec<(f32, &Leaf)> = leaves
        .iter()
        // A command that is chosen from a few takes its arguments beside it.
        .filter(|leaf| leaf.choices.is_empty() || (role == Role::ExecCommand && offers(leaf)))
        .filter(|leaf| leaf.takes_text() || (slot == Slot::Port && leaf.takes_number()))
        .filter(|leaf| {
            let many = leaf.in_array();
            match (role, slot) {
                (_, Slot::Paths) => many,
                // An object in a list of them takes one file.
                (Role::FileRead, _) => !many || leaf.pointer.contains("/-/"),
                _ => true,
            }
        })
        .filter(|leaf| {
            !words(&leaf.name)
                .iter()
                .any(|word| words::CREDENTIALS.has(word))
        })
        .map(|leaf| {
            let mut score = leaf_score(leaf, wanted);
            if matches!(slot, Slot::Path) && !is_dir_role(role) && is_dir(leaf) && !two_paths(role)
            {
                score -= 0.15;
            }
            if leaf.required() {
                score += 0.05;
            }
            // What there are several of goes in.
            if role == Role::FileSave && leaf.in_array() {
                score -= 0.1;
            }
            (score, *leaf)
        })
        .filter(|(score, _)| *score >= 0.25)
        .collect();
    ranked.sort_by(|a, b| b.0.total_cmp(&a.0));
    ranked
}

/// Whether what a parameter offers are commands.
fn offers(leaf: &Leaf) -> bool {
    let mut commands = leaf.choices.iter().filter_map(Value::as_str);
    commands.any(|command| recipes(Role::ExecCommand).any(|recipe| recipe.language() == command))
}

fn is_dir_role(role: Role) -> bool {
    matches!(
        role,
        Role::DirList | Role::DirCreate | Role::FileSearch | Role::RepoRead | Role::RepoCreate
    )
}

fn two_paths(role: Role) -> bool {
    role.slots().contains(&Slot::Source)
}

fn is_dir(leaf: &Leaf) -> bool {
    words(&leaf.name)
        .iter()
        .any(|word| words::DIRECTORIES.has(word))
}

/// How likely a leaf means what a slot needs, by its own words alone.
pub(super) fn leaf_score(leaf: &Leaf, wanted: &Meaning) -> f32 {
    let name = words(&leaf.name);
    let whole = name.concat();
    let last = name.last().map_or("", String::as_str);
    let mut sum: f32 = 0.0;
    if wanted.names.has(&whole) {
        sum += NAME;
    } else if wanted.names.has(last) {
        sum += NAME - 0.02;
    } else if wanted.weak.has(&whole)
        || wanted.weak.has(last)
        || name.iter().any(|word| wanted.names.has(word))
    {
        sum += WEAK_NAME;
    }
    let against = !wanted.names.has(&whole) && name.iter().any(|word| wanted.against.has(word));
    if against {
        sum += CONTRADICTION;
    }
    if leaf
        .format
        .as_deref()
        .is_some_and(|format| wanted.formats.has(format))
    {
        sum += FORMAT;
    }
    let shaped: fn(&str) -> bool = if wanted.formats.has("path") {
        looks_like_a_path
    } else if wanted.formats.has("url") {
        looks_like_a_url
    } else {
        |_| false
    };
    if leaf
        .default
        .iter()
        .chain(&leaf.examples)
        .filter_map(Value::as_str)
        .any(shaped)
    {
        sum += SHAPE;
    }
    // What excludes a pattern is described with the same words as what is searched for.
    let described = words(&leaf.description)
        .iter()
        .take(30)
        .any(|word| wanted.phrases.has(word));
    if described && !against {
        sum += DESCRIPTION;
    }
    sum.clamp(0.0, 1.0)
}

fn looks_like_a_url(text: &str) -> bool {
    text.starts_with("http://") || text.starts_with("https://")
}

fn looks_like_a_path(text: &str) -> bool {
    if looks_like_a_url(text) {
        return false;
    }
    text.starts_with('/')
        || text.starts_with("~/")
        || text.starts_with("./")
        || text == "."
        || text.contains('\\')
        || text.rsplit_once('.').is_some_and(|(stem, extension)| {
            !stem.is_empty() && (1..=5).contains(&extension.len()) && !text.contains(' ')
        })
}

/// The ways to fill the slots: the best leaf of each, then directory and name in two, then the
/// next best main leaves.
pub(super) fn bindings(
    role: Role,
    slots: &[(Slot, Vec<(f32, &Leaf)>)],
    usable: &[&Leaf],
) -> Vec<Binding> {
    let pointer = |slot: Slot, leaf: &Leaf| {
        if matches!(slot, Slot::Paths | Slot::Url) || role == Role::ExecCommand {
            leaf.pointer.clone()
        } else {
            single(&leaf.pointer)
        }
    };
    let best: BTreeMap<Slot, Vec<String>> = slots
        .iter()
        .filter_map(|(slot, ranked)| {
            let (_, leaf) = ranked.first()?;
            Some((*slot, vec![pointer(*slot, leaf)]))
        })
        .collect();
    let mut found = vec![Binding {
        slots: best.clone(),
    }];
    let main = role.slots()[0];
    if main == Slot::Path && !is_dir_role(role) && !two_paths(role) {
        let folder = usable
            .iter()
            .find(|leaf| leaf.takes_text() && leaf.choices.is_empty() && is_dir(leaf));
        let file = usable.iter().find(|leaf| {
            let name = words(&leaf.name);
            leaf.takes_text()
                && leaf.choices.is_empty()
                && !is_dir(leaf)
                && name.last().is_some_and(|last| words::FILES.has(last))
        });
        if let (Some(folder), Some(file)) = (folder, file) {
            let mut slots = best.clone();
            slots.insert(
                Slot::Path,
                vec![single(&folder.pointer), single(&file.pointer)],
            );
            let split = Binding { slots };
            if folder.required() {
                found.insert(0, split);
            } else {
                found.push(split);
            }
        }
    }
    found.extend(on_shelves(role, &best, usable, &found));
    if role == Role::HttpFetch {
        found.splice(0..0, with_path(&best, usable));
    }
    if role == Role::ExecCommand {
        found.splice(0..0, with_words(&best, usable));
    }
    if let Some((_, ranked)) = slots.iter().find(|(slot, _)| *slot == main) {
        for (_, leaf) in ranked
            .iter()
            .skip(1)
            .take(if leaf_is_guess(ranked) { 6 } else { 2 })
        {
            let used = best
                .iter()
                .any(|(slot, pointers)| *slot != main && pointers.contains(&single(&leaf.pointer)));
            if !used {
                let mut slots = best.clone();
                slots.insert(main, vec![pointer(main, leaf)]);
                found.push(Binding { slots });
            }
        }
    }
    // `pattern` and `query` of one tool: which is searched for, and which only picks files, shows.
    if let Some((_, ranked)) = slots
        .iter()
        .find(|(slot, _)| *slot == Slot::Pattern && main != Slot::Pattern)
    {
        for (_, leaf) in ranked.iter().skip(1).take(2) {
            let place = pointer(Slot::Pattern, leaf);
            if !best.values().any(|pointers| pointers.contains(&place)) {
                let mut slots = best.clone();
                slots.insert(Slot::Pattern, vec![place]);
                found.push(Binding { slots });
            }
        }
    }
    found
}

/// A directory and what lies in it, where another text is demanded besides, whatever it is called: `shelf` and `book`.
pub(super) fn on_shelves(
    role: Role,
    best: &BTreeMap<Slot, Vec<String>>,
    usable: &[&Leaf],
    known: &[Binding],
) -> Vec<Binding> {
    let main = role.slots()[0];
    let by_name = matches!(
        role,
        Role::FileRead | Role::FileWrite | Role::FileEdit | Role::IdentRead | Role::FileInfo
    );
    let Some([name]) = best.get(&main).map(Vec::as_slice).filter(|_| by_name) else {
        return Vec::new();
    };
    let free = |leaf: &&&Leaf| {
        let place = single(&leaf.pointer);
        let taken = best.values().flatten().any(|pointer| *pointer == place);
        let secret = words(&leaf.name)
            .iter()
            .any(|word| words::CREDENTIALS.has(word));
        leaf.required()
            && leaf.takes_text()
            && leaf.choices.is_empty()
            && !leaf.in_array()
            && !leaf.guessed
            && !taken
            && !secret
    };
    let shelf = |leaf: &&Leaf| {
        let mut slots = best.clone();
        slots.insert(main, vec![single(&leaf.pointer), name.clone()]);
        Binding { slots }
    };
    let shelves = usable.iter().filter(free).map(shelf);
    shelves
        .filter(|binding| !known.contains(binding))
        .take(2)
        .collect()
}

/// A host or base URL in one parameter and the rest of the URL in another, if there is one for it.
fn with_path(best: &BTreeMap<Slot, Vec<String>>, usable: &[&Leaf]) -> Option<Binding> {
    const BASES: words::Words = words::Words(
        "host hostname domain server base baseurl origin site hosturl serverurl apibase",
    );
    const RESTS: words::Words =
        words::Words("path endpoint route resource uri pathname urlpath requestpath apipath");
    let named = |list: words::Words| {
        usable.iter().find(move |leaf| {
            leaf.takes_text()
                && leaf.choices.is_empty()
                && !leaf.in_array()
                && list.has(&words(&leaf.name).concat())
        })
    };
    let (base, rest) = (named(BASES)?, named(RESTS)?);
    // A tool that takes a whole URL is asked with that first.
    let whole = best.get(&Slot::Url)?.first()?;
    (*whole == base.pointer || *whole == rest.pointer).then(|| Binding {
        slots: BTreeMap::from([(Slot::Url, vec![base.pointer.clone(), rest.pointer.clone()])]),
    })
}

/// The command in one parameter and its arguments in another, if there is one for them.
fn with_words(best: &BTreeMap<Slot, Vec<String>>, usable: &[&Leaf]) -> Option<Binding> {
    const ARGUMENTS: words::Words = words::Words("args arg argv argument parameter param");
    let [command] = best.get(&Slot::Text)?.as_slice() else {
        return None;
    };
    let rest = usable.iter().find(|leaf| {
        leaf.takes_text()
            && leaf.in_array()
            && leaf.pointer != *command
            && words(&leaf.name)
                .last()
                .is_some_and(|last| ARGUMENTS.has(last))
    })?;
    let pointers = vec![command.clone(), rest.pointer.clone()];
    Some(Binding {
        slots: BTreeMap::from([(Slot::Text, pointers)]),
    })
}

/// The parameters of optional slots, such as those that ask for a part of what is read, by their names alone: a slot that two
/// parameters fit stays open, since a wrong number in a call would only make it fail.
pub(super) fn parts(role: Role, form: &Form) -> BTreeMap<Slot, Vec<String>> {
    const SHOWN: words::Words =
        words::Words("pattern regex regexp grep regularexpression linepattern linefilter");
    let fitting = |slot: Slot| {
        let wanted = meaning(role, slot);
        form.leaves.iter().filter(move |leaf| {
            let fits = match slot {
                Slot::Headers | Slot::Env => leaf.takes_object(),
                Slot::Cwd | Slot::Pattern => leaf.takes_text(),
                _ => leaf.takes_number(),
            };
            let name = words(&leaf.name).concat();
            let named = match slot {
                // Elsewhere any text may be searched for.
                Slot::Pattern => SHOWN.has(&name),
                _ => wanted.names.has(&name),
            };
            fits && named && !leaf.in_array() && leaf.constant.is_none() && leaf.choices.is_empty()
        })
    };
    role.optional_slots()
        .iter()
        .filter_map(|slot| {
            let mut leaves = fitting(*slot);
            match (leaves.next(), leaves.next()) {
                (Some(only), None) => Some((*slot, vec![only.pointer.clone()])),
                _ => None,
            }
        })
        .collect()
}

fn leaf_is_guess(ranked: &[(f32, &Leaf)]) -> bool {
    ranked.first().is_some_and(|(_, leaf)| leaf.guessed)
}

/// A pointer to the first element wherever it goes through an array.
pub(super) fn single(pointer: &str) -> String {
    pointer
        .split('/')
        .map(|token| if token == "-" { "0" } else { token })
        .collect::<Vec<_>>()
        .join("/")
}
