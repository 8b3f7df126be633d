//! How likely it is that a tool drives a role, judged by names alone.
//!
//! Owns the weights of a tool's words and the choice of its action. Makes candidates, never channels: what is
//! believed is decided by the proof.

use std::collections::BTreeMap;

use serde_json::Value;

use super::{
    flatten::{Form, Kind, Leaf, flatten},
    meaning::meaning,
    slots::{Binding, CONTRADICTION, NAME, bindings, leaf_score, ranked, top},
    words::{self, TRADES, Trade, Words, words},
};
use crate::{
    channel::RESOURCES_READ,
    probe::{Role, Slot},
    session::Tool,
};

/// From here on a candidate is worth calls.
pub(super) const CANDIDATE: f32 = 0.45;

const TOOL_NAME: f32 = 0.20;
const TOOL_VERB: f32 = 0.12;
const SIBLING: f32 = 0.15;
const TOOL_DESCRIPTION: f32 = 0.10;

/// A tool that may drive a role, with the ways to fill the role's slots, best first.
#[derive(Debug, Clone)]
pub(super) struct Candidate {
    pub(super) role: Role,
    pub(super) score: f32,
    pub(super) form: Form,
    pub(super) bindings: Vec<Binding>,
    /// The parameter that chooses what the tool does, and the choice.
    pub(super) choice: Option<(String, Value)>,
}

/// The row of a role in the table of words.
pub(super) fn trade(role: Role) -> Option<&'static Trade> {
    TRADES.iter().find(|trade| trade.role == role)
}

/// Whether the proof of a role changes the disk.
pub(super) fn writes(role: Role) -> bool {
    trade(role).is_some_and(|trade| trade.writes)
}

/// All candidates of a tool, best first; ties in the order of the table.
pub(super) fn candidates(tool: &Tool) -> Vec<Candidate> {
    let mut found: Vec<Candidate> = Vec::new();
    for form in forms(tool) {
        for trade in TRADES {
            let mut choices = choices(tool, &form, trade);
            choices.truncate(2);
            if choices.is_empty() {
                found.extend(candidate(tool, &form, trade, None));
            }
            for choice in choices {
                found.extend(candidate(tool, &form, trade, Some(choice)));
            }
        }
    }
    found.sort_by(|a, b| b.score.total_cmp(&a.score));
    found
}

/// The forms of a tool; guesses where its schema says nothing.
pub(super) fn forms(tool: &Tool) -> Vec<Form> {
    let mut forms = flatten(&tool.input_schema);
    let declared = tool
        .input_schema
        .get("properties")
        .and_then(Value::as_object)
        .is_some();
    let typed = tool.input_schema.get("type").is_some() && declared;
    if !typed && forms.iter().all(|form| form.leaves.is_empty()) {
        let mut leaves: Vec<Leaf> = [
            "path",
            "file_path",
            "filePath",
            "filename",
            "file",
            "uri",
            "directory",
            "name",
            "content",
            "text",
            "pattern",
            "query",
            "source",
            "destination",
            "old_string",
            "new_string",
            "repo_path",
            "id",
            "patch",
        ]
        .into_iter()
        .map(Leaf::guess)
        .collect();
        let several = tool.name.ends_with('s')
            || words(&tool.name)
                .iter()
                .any(|word| words::SEVERAL.has(word));
        for name in ["paths", "files"].into_iter().filter(|_| several) {
            let mut leaf = Leaf::guess(name);
            leaf.pointer.push_str("/-");
            leaf.chain.push((leaf.pointer.clone(), false));
            leaves.push(leaf);
        }
        let name = words(&tool.name);
        let of_network = |trade: &&Trade| trade.role.of_network() && any_of(&name, trade.strong);
        if TRADES.iter().any(|trade| of_network(&trade)) {
            leaves.extend(["url", "host", "domain", "port"].map(Leaf::guess));
        }
        forms = vec![Form { leaves }];
        // Edits often come as a list of pairs, which no single name can stand for.
        if trade(Role::FileEdit).is_some_and(|trade| any_of(&words(&tool.name), trade.strong)) {
            let mut leaves = vec![Leaf::guess("path")];
            for name in ["oldText", "newText"] {
                let mut leaf = Leaf::guess(name);
                leaf.pointer = format!("/edits/-/{name}");
                leaf.chain = vec![(leaf.pointer.clone(), false)];
                leaves.push(leaf);
            }
            forms.push(Form { leaves });
        }
    }
    forms
}

/// Whether a verb or annotation calls the tool destructive, with the word that does.
pub(crate) fn destructive(tool: &Tool) -> Option<String> {
    let name = words(&tool.name);
    if let Some(verb) = destructive_verb(&name) {
        return Some(format!("its name holds `{verb}`"));
    }
    let hinted = tool
        .annotations
        .get("destructiveHint")
        .and_then(Value::as_bool)
        == Some(true);
    let known = name
        .iter()
        .any(|word| words::WRITING.has(word) || words::HARMLESS_FIRST.has(word));
    let chosen = forms(tool)
        .iter()
        .flat_map(|form| &form.leaves)
        .any(|leaf| words::ACTIONS.has(&joined(&leaf.name)));
    (hinted && !known && !chosen).then(|| String::from("its annotation says destructiveHint"))
}

pub(super) fn destructive_verb(name: &[String]) -> Option<&String> {
    let first = name.first()?;
    if words::HARMLESS_FIRST.has(first) {
        return None;
    }
    // One may format a text and merge cells.
    const OF_WHOLES: Words = Words("format merge");
    const WHOLES: Words = Words("disk drive volume partition device filesystem branch request");
    let whole = any_of(name, WHOLES);
    let destroys = |word: &&String| words::DESTRUCTIVE.has(word) || whole && OF_WHOLES.has(word);
    name.iter().find(destroys)
}

/// Name without separators: `file_path` and `filePath` are `filepath`.
pub(super) fn joined(name: &str) -> String {
    words(name).concat()
}

/// What the tool's action parameter could be set to for a role, best first.
fn choices(tool: &Tool, form: &Form, trade: &Trade) -> Vec<(String, Value)> {
    let Some(leaf) = action_leaf(tool, form) else {
        return Vec::new();
    };
    let offered: Vec<String> = if let Some(Value::String(only)) = &leaf.constant {
        vec![only.clone()]
    } else if leaf.choices.is_empty() {
        // No enum: the words of the description are all there is.
        let mut named: Vec<String> = leaf
            .description
            .split(|letter: char| !letter.is_alphanumeric() && letter != '_' && letter != '-')
            .filter(|word| !word.is_empty())
            .map(str::to_owned)
            .collect();
        named.dedup();
        named
    } else {
        leaf.choices
            .iter()
            .filter_map(Value::as_str)
            .map(str::to_owned)
            .collect()
    };
    let mut ranked: Vec<(f32, String)> = offered
        .into_iter()
        .filter_map(|choice| {
            let chosen = words(&choice);
            if destructive_verb(&chosen).is_some() && trade.role != Role::FileDelete {
                return None;
            }
            let fit = fit(trade, &chosen, &words(&tool.name));
            (fit > 0.0).then_some((fit, choice))
        })
        .collect();
    ranked.sort_by(|a, b| b.0.total_cmp(&a.0));
    ranked
        .into_iter()
        .map(|(_, choice)| (leaf.pointer.clone(), Value::String(choice)))
        .collect()
}

/// The parameter that chooses what the tool does, if it has one.
fn action_leaf<'f>(tool: &Tool, form: &'f Form) -> Option<&'f Leaf> {
    let verbs_in_name = words(&tool.name)
        .iter()
        .any(|word| TRADES.iter().any(|trade| trade.strong.has(word)));
    form.leaves.iter().find(|leaf| {
        if leaf.in_array() || leaf.guessed || (verbs_in_name && !leaf.required()) {
            return false;
        }
        let texts: Vec<&str> = leaf
            .choices
            .iter()
            .chain(leaf.constant.as_ref())
            .filter_map(Value::as_str)
            .collect();
        let known = texts
            .iter()
            .filter(|text| {
                let words = words(text);
                TRADES.iter().any(|trade| fit(trade, &words, &[]) > 0.0)
            })
            .count();
        let named = words::ACTIONS.has(&joined(&leaf.name));
        let described = texts.is_empty()
            && leaf.takes_text()
            && !verbs_in_name
            && words(&leaf.description)
                .iter()
                .filter(|word| TRADES.iter().any(|trade| trade.strong.has(word)))
                .count()
                >= 2;
        (named && (known > 0 || described)) || known >= 3
    })
}

/// How well the words of a choice fit a role, with the name of its tool for nouns: 0 for not at all.
pub(super) fn fit(trade: &Trade, choice: &[String], tool: &[String]) -> f32 {
    let noun = any_of(choice, trade.nouns) || any_of(tool, trade.nouns);
    let strong = any_of(choice, trade.strong);
    let verb = any_of(choice, trade.verbs);
    if any_of(choice, trade.against) || rival(trade, choice, strong || (verb && noun)) {
        return 0.0;
    }
    match (strong, verb, noun) {
        (true, _, true) => TOOL_NAME + 0.02,
        (true, _, false) => TOOL_NAME,
        (_, true, true) => TOOL_NAME - 0.02,
        (_, true, false) if !trade.needs_noun => TOOL_VERB,
        _ => 0.0,
    }
}

fn any_of(words: &[String], list: Words) -> bool {
    words.iter().any(|word| list.has(word))
}

/// Whether a word says another role and nothing says this one as clearly.
fn rival(trade: &Trade, name: &[String], clear: bool) -> bool {
    let clear = clear && (trade.needs_noun || any_of(name, trade.strong));
    !clear
        && TRADES
            .iter()
            .filter(|other| other.role.of_network() == trade.role.of_network())
            .any(|other| other.role != trade.role && any_of(name, other.strong))
}

/// What the tool's own words say on a role.
fn affinity(tool: &Tool, trade: &Trade, choice: Option<&(String, Value)>, form: &Form) -> f32 {
    let name = words(&tool.name);
    let about: Vec<String> = words(&tool.description).into_iter().take(60).collect();
    let opening = &about[..about.len().min(14)];
    let mut sum = 0.0;
    let described = any_of(opening, trade.verbs) || any_of(opening, trade.strong);
    if described && any_of(&about, trade.nouns) {
        sum += TOOL_DESCRIPTION;
    }
    if let Some((_, Value::String(choice))) = choice {
        return sum + fit(trade, &words(choice), &name);
    }
    let noun = any_of(&name, trade.nouns)
        || (trade.needs_noun
            && (any_of(opening, trade.nouns)
                || form
                    .leaves
                    .iter()
                    .any(|leaf| any_of(&words(&leaf.name), trade.nouns))));
    let strong = any_of(&name, trade.strong);
    let verb = any_of(&name, trade.verbs);
    let rival = rival(trade, &name, strong || (verb && noun));
    sum += match (strong || verb, noun) {
        (true, true) => TOOL_NAME,
        (true, false) if strong || !trade.needs_noun => TOOL_VERB,
        _ => 0.0,
    };
    // What is done to files says that it is not done to hosts, but many a word for hosts (`open`,
    // `load`, `lookup`) says nothing of files.
    let any_verb = TRADES
        .iter()
        .filter(|other| trade.role.of_network() || !other.role.of_network())
        .any(|other| any_of(&name, other.strong) || any_of(&name, other.verbs));
    if any_of(&name, trade.against)
        || rival
        || (any_verb && !verb && !strong)
        || (trade.needs_noun && !noun && !strong)
        || (!any_verb && !described)
    {
        sum += CONTRADICTION;
    }
    if trade.writes
        && tool
            .annotations
            .get("readOnlyHint")
            .and_then(Value::as_bool)
            == Some(true)
    {
        sum += CONTRADICTION;
    }
    sum
}

fn candidate(
    tool: &Tool,
    form: &Form,
    trade: &Trade,
    choice: Option<(String, Value)>,
) -> Option<Candidate> {
    let role = trade.role;
    let affinity = affinity(tool, trade, choice.as_ref(), form);
    let usable: Vec<&Leaf> = form
        .leaves
        .iter()
        .filter(|leaf| {
            choice
                .as_ref()
                .is_none_or(|(pointer, _)| leaf.pointer != *pointer)
        })
        .collect();
    let mut taken: Vec<&str> = Vec::new();
    let mut slots: Vec<(Slot, Vec<(f32, &Leaf)>)> = Vec::new();
    // The slots with the clearest names choose first, so that `path` of a pattern search does not
    // end up as its pattern.
    let mut order: Vec<(Slot, Vec<(f32, &Leaf)>)> = role
        .slots()
        .iter()
        .map(|slot| (*slot, ranked(role, *slot, &usable)))
        .collect();
    order.sort_by(|a, b| top(&b.1).total_cmp(&top(&a.1)));
    if role == Role::NetConnect {
        share_text(&mut order);
    }
    for (slot, mut ranked) in order {
        if slot != Slot::Port {
            ranked.retain(|(_, leaf)| !taken.contains(&leaf.pointer.as_str()));
        }
        taken.push(&ranked.first()?.1.pointer);
        slots.push((slot, ranked));
    }
    let mean = slots.iter().map(|(_, ranked)| top(ranked)).sum::<f32>() / slots.len() as f32;
    let sibling = if slots.len() > 1 && slots.iter().all(|(_, ranked)| top(ranked) >= NAME) {
        SIBLING
    } else {
        0.0
    };
    let mut score = mean + sibling + affinity;
    // A tool that demands text to write is no reader, nor does it make the text itself.
    let demands_content = usable.iter().any(|leaf| {
        leaf.required() && leaf_score(leaf, meaning(Role::FileWrite, Slot::Content)) >= NAME
    });
    if demands_content
        && !role.of_network()
        && !role
            .slots()
            .iter()
            .any(|slot| matches!(slot, Slot::Content | Slot::Pattern | Slot::Find))
    {
        score += CONTRADICTION;
    }
    let mut score = score.clamp(0.0, 0.99);
    // What its own name contradicts may be proven, but is not believed without a proof.
    if choice.is_none() && any_of(&words(&tool.name), trade.against) {
        score = score.min(crate::channel::BIND - 0.01);
    }
    if score < CANDIDATE {
        return None;
    }
    Some(Candidate {
        role,
        score: (score * 100.0).round() / 100.0,
        form: form.clone(),
        bindings: bindings(role, &slots, &usable),
        choice,
    })
}

/// Where no parameter is a port, the one of the host may take it too: `host:port`.
fn share_text(order: &mut [(Slot, Vec<(f32, &Leaf)>)]) {
    const SPOKEN: Words = Words("port endpoint address addr hostport socket");
    let [(_, host), (_, port)] = order else {
        return;
    };
    // Sorted by how clear they are, so an empty one comes last.
    let (Some(first), true) = (host.first().copied(), port.is_empty()) else {
        return;
    };
    let spoken = |text: &str| any_of(&words(text), SPOKEN);
    if spoken(&first.1.name) || spoken(&first.1.description) {
        port.push(first);
    }
}

/// The candidate for resources, which need no tool.
pub(super) fn resource_candidate() -> Candidate {
    let mut leaf = Leaf::guess("uri");
    leaf.kinds = vec![Kind::Text];
    Candidate {
        role: Role::ResourceRead,
        score: 1.0,
        form: Form { leaves: vec![leaf] },
        bindings: vec![Binding {
            slots: BTreeMap::from([(Slot::Path, vec![String::from("/uri")])]),
        }],
        choice: None,
    }
}

/// The definition under which the resource channel is listed.
pub(super) fn resource_tool() -> Tool {
    Tool::named(RESOURCES_READ)
}
