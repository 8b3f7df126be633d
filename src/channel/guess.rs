//! What a tool may be for whose names say nothing: `datei_lesen`, or a parameter called `f`.
//!
//! Owns which roles and parameters are tried blindly, and in which order. What is believed is decided by the proof,
//! as everywhere; a guess that is not proven is forgotten.

use std::sync::atomic::Ordering;

use serde_json::Value;

use super::{
    commands::takes_template,
    fill::pathlike,
    flatten::{Form, Leaf},
    found::Found,
    prove::Lab,
    score::{Candidate, destructive, destructive_verb, forms, writes},
    slots::{Binding, single},
    words::{self, Words, words},
};
use crate::{
    channel::{Channel, RESOURCES_READ},
    probe::{Role, Slot},
    session::{Caller, Tool},
};

/// Below what any name that fits is worth.
const SCORE: f32 = 0.30;
/// Text parameters of a tool that are tried.
const PARAMETERS: usize = 3;
/// Values of a parameter that chooses what a tool does.
const CHOICES: usize = 6;

/// Roles of one parameter, most telling first.
const ROLES: &[(Role, Slot)] = &[
    (Role::FileRead, Slot::Path),
    (Role::FileInfo, Slot::Path),
    (Role::DirList, Slot::Path),
    (Role::IdentRead, Slot::Ident),
    (Role::HttpFetch, Slot::Url),
    (Role::ExecCommand, Slot::Text),
    (Role::ExecCode, Slot::Text),
    (Role::SqlQuery, Slot::Text),
    (Role::ExecExpression, Slot::Text),
];

/// Those that are tried of a tool whose names say something else.
const PLAIN: &[Role] = &[Role::FileRead, Role::FileWrite];

impl<C: Caller> Lab<'_, C> {
    /// Tries a tool of which nothing is known in roles that its names do not tell. What hangs is left alone.
    pub(super) async fn guess(&self, order: usize, tool: &Tool, found: &mut Found) {
        // What its names say it writes, where nothing may be written, is not asked to read either.
        let wrote = found.dropped.iter().any(|(role, _)| writes(*role));
        let forbidden = wrote && self.ground.read_only;
        // And what takes hosts would look for them outside of this machine.
        let outside = !found.reaching.is_empty();
        if found.skipped.is_some() || tool.name == RESOURCES_READ || forbidden || outside {
            return;
        }
        let reaches = |channel: &Channel| channel.role.of_network();
        let known = |channel: &Channel| channel.proof.proven() || channel.score >= 1.0;
        let guesses = if found.channels.is_empty() {
            guesses(tool)
        } else if !found.channels.iter().any(known) {
            // Its names say what it does not do: `download_file` may read one, and save none.
            let tried = |role| found.channels.iter().any(|channel| channel.role == role);
            // Asked to read, one that writes would leave files where the user is.
            let may_write = found.channels.iter().any(|channel| writes(channel.role));
            let harmless = self.ground.forgets || !may_write;
            let may_be = |one: &Candidate| {
                let renders = one.role == Role::ExecExpression && takes_template(tool, one);
                renders || PLAIN.contains(&one.role)
            };
            let untried = |one: &Candidate| harmless && may_be(one) && !tried(one.role);
            let mut guesses = guesses(tool);
            guesses.iter_mut().for_each(|choice| choice.retain(untried));
            guesses
        } else {
            Vec::new()
        };
        // One that takes files may take URLs in their place, if it says so.
        let takes_files = !found.channels.is_empty() && !found.channels.iter().any(reaches);
        let urls = takes_files.then(|| urls(tool));
        let guesses = urls.into_iter().chain(guesses);
        for choice in guesses {
            for candidate in choice {
                if self.hangs(order) || self.gone.load(Ordering::Relaxed) {
                    return;
                }
                let of_network = candidate.role.of_network() && self.ground.net.is_none();
                // Which of two texts is the path is not known: the other must not become a file of the user's.
                let forbidden =
                    writes(candidate.role) && (self.ground.read_only || !self.ground.forgets);
                if of_network || forbidden {
                    continue;
                }
                let mut channel = self.prove(order, tool, &candidate, false).await;
                if channel.proof.proven() {
                    channel.destructive = destructive(tool).is_some();
                    found.channels.push(channel);
                    break;
                }
            }
        }
        found.settle(|channel| channel.score >= 1.0);
    }
}

/// What each choice of a tool may do, or the tool as it is: a list for each, to be tried until one is proven.
fn guesses(tool: &Tool) -> Vec<Vec<Candidate>> {
    let Some(form) = forms(tool).into_iter().next() else {
        return Vec::new();
    };
    let choices = choices(&form);
    if choices.is_empty() {
        return vec![of_choice(&form, None)];
    }
    choices
        .into_iter()
        .map(|choice| of_choice(&form, Some(choice)))
        .collect()
}

/// The parameters that say that they take URLs, whatever else they take.
fn urls(tool: &Tool) -> Vec<Candidate> {
    const URLS: Words = Words("url urls http https link hyperlink webpage");
    let Some(form) = forms(tool).into_iter().next() else {
        return Vec::new();
    };
    let says = |leaf: &&Leaf| {
        let texts = [&leaf.name, &leaf.description];
        let mut said = texts.into_iter().flat_map(|text| words(text));
        may_steer(leaf) && said.any(|word| URLS.has(&word))
    };
    let leaves = form.leaves.iter().filter(says).take(PARAMETERS);
    leaves
        .map(|leaf| candidate(&form, Role::HttpFetch, &[(Slot::Url, leaf)], None))
        .collect()
}

/// The values of the first parameter that offers some, without those that sound destructive.
fn choices(form: &Form) -> Vec<(String, Value)> {
    let mut leaves = form.leaves.iter().filter(|leaf| !leaf.in_array());
    let Some(leaf) = leaves.find(|leaf| leaf.choices.len() > 1 && leaf.required()) else {
        return Vec::new();
    };
    let harmless = |choice: &&Value| {
        let words = choice.as_str().map(words).unwrap_or_default();
        !words.is_empty() && destructive_verb(&words).is_none()
    };
    let choices = leaf.choices.iter().filter(harmless).take(CHOICES);
    choices
        .map(|choice| (leaf.pointer.clone(), choice.clone()))
        .collect()
}

fn of_choice(form: &Form, choice: Option<(String, Value)>) -> Vec<Candidate> {
    let mut leaves: Vec<&Leaf> = form.leaves.iter().filter(|leaf| may_steer(leaf)).collect();
    leaves.sort_by_key(|leaf| !leaf.required());
    leaves.truncate(PARAMETERS);
    let candidate = |role, slots: &[_]| candidate(form, role, slots, choice.clone());
    let mut found: Vec<Candidate> = ROLES
        .iter()
        .flat_map(|(role, slot)| leaves.iter().map(move |leaf| (*role, *slot, *leaf)))
        .map(|(role, slot, leaf)| candidate(role, &[(slot, leaf)]))
        .collect();
    for path in leaves.iter().filter(|leaf| pathlike(leaf)) {
        let sources = leaves.iter().filter(|leaf| pathlike(leaf));
        for source in sources.filter(|leaf| leaf.pointer != path.pointer) {
            found.push(candidate(
                Role::FileCopy,
                &[(Slot::Path, path), (Slot::Source, source)],
            ));
        }
        found.push(candidate(Role::FileSave, &[(Slot::Path, path)]));
    }
    for path in &leaves {
        for content in leaves.iter().filter(|leaf| leaf.pointer != path.pointer) {
            found.push(candidate(
                Role::FileWrite,
                &[(Slot::Path, path), (Slot::Content, content)],
            ));
        }
    }
    found
}

fn candidate(
    form: &Form,
    role: Role,
    slots: &[(Slot, &Leaf)],
    choice: Option<(String, Value)>,
) -> Candidate {
    Candidate {
        role,
        score: SCORE,
        form: form.clone(),
        bindings: vec![Binding {
            slots: slots
                .iter()
                .map(|(slot, leaf)| (*slot, vec![single(&leaf.pointer)]))
                .collect(),
        }],
        choice,
    }
}

/// Whether a parameter takes any text, and none that is to be kept secret.
pub(super) fn may_steer(leaf: &Leaf) -> bool {
    let secret = |word: &String| words::CREDENTIALS.has(word);
    leaf.takes_text()
        && !leaf.guessed
        && leaf.choices.is_empty()
        && !words(&leaf.name).iter().any(secret)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{ROLES, Role, Tool, guesses};

    fn tool(schema: serde_json::Value) -> Tool {
        Tool {
            input_schema: schema,
            ..Tool::named("perform")
        }
    }

    #[test]
    fn each_choice_is_tried_but_for_those_that_destroy() {
        let tool = tool(json!({
            "type": "object",
            "required": ["op", "what"],
            "properties": {
                "op": { "enum": ["fetch", "delete", "store"] },
                "what": { "type": "string" },
                "with": { "type": "string" },
                "password": { "type": "string" },
            },
        }));
        let found = guesses(&tool);
        let choice = |index: usize| found[index][0].choice.clone().map(|(_, value)| value);
        assert_eq!(found.len(), 2);
        assert_eq!(
            (choice(0), choice(1)),
            (Some(json!("fetch")), Some(json!("store")))
        );
        // The roles of one parameter for two of them, and writing one with the other.
        assert_eq!(found[0].len(), 2 * ROLES.len() + 2);
        let sent: String = format!(
            "{:?}",
            found[0].iter().map(|one| &one.bindings).collect::<Vec<_>>()
        );
        assert!(sent.contains("/with") && !sent.contains("/password"));
    }

    #[test]
    fn reading_comes_first() {
        let tool = tool(json!({ "type": "object", "properties": { "f": { "type": "string" } } }));
        let found = guesses(&tool);
        assert_eq!(found[0][0].role, Role::FileRead);
    }
}
