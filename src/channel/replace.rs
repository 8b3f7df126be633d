//! Whether a tool that writes also writes over what is there already, and how it is told to.
//!
//! Owns the experiment with an existing file and the parameters that permit it. Without it nobody could tell a
//! boundary that holds from a tool that leaves every existing file alone.

use std::fs;

use serde_json::Value;

use super::{
    arguments::{escape, put},
    bench::{Bench, Case, common_word},
    complaint::quoted,
    evidence::{Evidence, Fact},
    flatten::{Form, Kind, Leaf},
    prove::{Lab, Steered, excerpt, spelled},
    score::joined,
    slots::single,
    words::{Words, words},
};
use crate::{
    channel::Channel,
    probe::Role,
    session::{Caller, Exchange},
    testbed::document::document,
};

/// Changes of a call that are tried at most.
const CHANGES: usize = 4;

/// Words of parameters that permit it, and of values that choose it.
const PERMITS: Words =
    Words("overwrite overwritten overwriting force forced replace clobber override truncate");
/// Names of parameters that permit it, written in one word.
const PERMIT_NAMES: Words = Words("existok allowexisting exist");
/// Names of parameters that forbid it.
const FORBIDS: Words = Words(
    "nooverwrite noclobber createonly createnew failifexist exclusive skipexisting keepexisting preserveexisting \
     onlyifnew errorifexist nooverwriting donotoverwrite dontoverwrite",
);
/// Names of parameters that say what is done with what exists.
const MANNERS: Words = Words(
    "mode writemode openmode ifexist onconflict conflict onexist existing existingfile onexisting conflictresolution \
     strategy filemode collision oncollision action",
);

impl<C: Caller> Lab<'_, C> {
    /// Writes over a file by a proven channel; comes back with the arguments that permit it, or with the reason why
    /// it cannot be done.
    pub(super) async fn over(
        &self,
        order: usize,
        channel: Channel,
        form: Option<&Form>,
        bare: bool,
    ) -> Channel {
        if channel.role == Role::ApiPath {
            return self.around(channel).await;
        }
        if !may_write_over(channel.role) {
            return channel;
        }
        let site = self.site(&channel, bare);
        let mut bench = match Bench::set_up(channel.role, &site) {
            Ok(bench) => bench,
            Err(error) => {
                return kept(
                    channel,
                    &format!("cannot plant what the proof needs: {error}"),
                );
            }
        };
        for case in &mut bench.cases {
            if let Err(why) = occupy(case, &channel.extension) {
                return kept(channel, &why);
            }
        }
        let [one, two] = &bench.cases;
        let (plain, answer) = self.written_over(order, &channel, one).await;
        if plain {
            return channel;
        }
        let said = excerpt(&answer);
        let text = answer.outcome.text();
        for change in changes(form, &text).into_iter().take(CHANGES) {
            let mut changed = channel.clone();
            let mut fixed = Value::Object(std::mem::take(&mut changed.fixed));
            for (pointer, value) in change {
                put(&mut fixed, &pointer, value);
            }
            if let Value::Object(fixed) = fixed {
                changed.fixed = fixed;
            }
            if changed.fixed == channel.fixed || !self.written_over(order, &changed, two).await.0 {
                continue;
            }
            // What permits it must not forbid to write a new file.
            if let Steered::Proven(_) = self.steer(order, &changed, bare).await {
                return changed;
            }
        }
        kept(channel, &said)
    }

    async fn written_over(
        &self,
        order: usize,
        channel: &Channel,
        case: &Case<'_>,
    ) -> (bool, Exchange) {
        let answer = self.send(channel, &case.values).await;
        let shown = case.evidence.shown(&answer);
        let asked = spelled(channel, &case.values, self.ground.told);
        let what = format!("over what exists: {asked} -> {}", excerpt(&answer));
        self.note(order, channel, what, shown);
        (shown, answer)
    }
}

/// Whether tools of a role may meet a file where they write one.
fn may_write_over(role: Role) -> bool {
    matches!(
        role,
        Role::FileWrite | Role::FileCopy | Role::FileMove | Role::FileSave
    )
}

fn kept(channel: Channel, why: &str) -> Channel {
    let keeps = Some(why.to_owned());
    Channel { keeps, ..channel }
}

/// Puts a file where the case is about to write one.
fn occupy(case: &mut Case<'_>, extension: &str) -> Result<(), String> {
    let Evidence::Disk(facts) = &mut case.evidence else {
        return Err(String::from("nothing on the disk shows what it does"));
    };
    let word = common_word();
    let path = match facts.first() {
        Some(Fact::Holds(path, _)) => path.clone(),
        Some(Fact::Begins(dir, stem)) => {
            // That a file of the name is there says nothing any more.
            let path = dir.join(format!("{stem}{extension}"));
            *facts = vec![
                Fact::Exists(path.clone()),
                Fact::Lacks(path.clone(), word.clone()),
            ];
            path
        }
        _ => return Err(String::from("it is not known where it writes")),
    };
    let content = document(extension, &word).map_err(|error| error.to_string())?;
    fs::write(&path, content).map_err(|error| format!("cannot plant {}: {error}", path.display()))
}

/// Arguments that may permit to write over a file, the likeliest set first.
fn changes(form: Option<&Form>, answer: &str) -> Vec<Vec<(String, Value)>> {
    let leaves = form.into_iter().flat_map(|form| &form.leaves);
    let mut single: Vec<(String, Value)> = leaves.filter_map(permission).collect();
    for name in told(answer) {
        let pointer = format!("/{}", escape(&name));
        if !single.iter().any(|(known, _)| *known == pointer) {
            single.push((pointer, Value::Bool(true)));
        }
    }
    let one_each = single.iter().cloned().map(|change| vec![change]);
    let mut all: Vec<Vec<(String, Value)>> = one_each.collect();
    if single.len() > 1 {
        all.insert(0, single);
    }
    all
}

/// What a parameter has to hold for a call that may write over a file, if it has to do with that.
fn permission(leaf: &Leaf) -> Option<(String, Value)> {
    if leaf.in_array() || leaf.guessed || leaf.constant.is_some() {
        return None;
    }
    let pointer = single(&leaf.pointer);
    let (name, whole) = (words(&leaf.name), joined(&leaf.name));
    if leaf.kinds.contains(&Kind::Boolean) {
        if FORBIDS.has(&whole) {
            return Some((pointer, Value::Bool(false)));
        }
        let permits = PERMIT_NAMES.has(&whole) || name.iter().any(|word| PERMITS.has(word));
        return permits.then_some((pointer, Value::Bool(true)));
    }
    if !leaf.takes_text() {
        return None;
    }
    let chosen =
        |choice: &str| choice == "w" || words(choice).first().is_some_and(|word| PERMITS.has(word));
    let offered = leaf
        .choices
        .iter()
        .find(|choice| choice.as_str().is_some_and(chosen));
    if let Some(offered) = offered {
        return Some((pointer, offered.clone()));
    }
    let described = || {
        quoted(&leaf.description)
            .into_iter()
            .find(|choice| chosen(choice))
    };
    let said = (leaf.choices.is_empty() && MANNERS.has(&whole)).then(described)?;
    said.map(|choice| (pointer, Value::String(choice)))
}

/// Names of which an answer says that they have to be true: `overwrite=true`, `"force": true`, `set replace to true`.
fn told(answer: &str) -> Vec<String> {
    const LOOKED_AT: usize = 2048;
    const TOLD: usize = 2;
    let answer: String = answer.chars().take(LOOKED_AT).collect();
    let is_name = |letter: char| letter.is_alphanumeric() || "_-".contains(letter);
    let tokens: Vec<&str> = answer
        .split(|letter: char| !is_name(letter))
        .filter(|token| !token.is_empty())
        .collect();
    let affirms = |at: usize| {
        let mut after = tokens.iter().skip(at + 1).map(|token| token.to_lowercase());
        match after.next().as_deref() {
            Some("true") => true,
            Some("to" | "as" | "is") => after.next().as_deref() == Some("true"),
            _ => false,
        }
    };
    let mut names: Vec<String> = Vec::new();
    for (at, token) in tokens.iter().enumerate() {
        let permits = words(token).iter().any(|word| PERMITS.has(word));
        let known = names.iter().any(|name| name == token);
        if permits && !known && affirms(at) {
            names.push((*token).to_owned());
        }
    }
    names.truncate(TOLD);
    names
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::channel::flatten::flatten;

    fn of(properties: &Value, answer: &str) -> Vec<Vec<(String, Value)>> {
        let forms = flatten(&json!({ "type": "object", "properties": properties }));
        changes(forms.first(), answer)
    }

    fn set(name: &str, value: Value) -> Vec<(String, Value)> {
        vec![(name.to_owned(), value)]
    }

    #[test]
    fn parameters_that_permit_it_are_known_by_their_words() {
        let boolean = json!({ "type": "boolean" });
        let mode = json!({ "enum": ["create", "append", "overwrite"] });
        let spoken = json!({ "type": "string", "description": "One of 'skip' or 'replace'" });
        for (name, schema, value) in [
            ("overwrite", &boolean, json!(true)),
            ("allowOverwrite", &boolean, json!(true)),
            ("force", &boolean, json!(true)),
            ("exist_ok", &boolean, json!(true)),
            ("no_clobber", &boolean, json!(false)),
            ("fail_if_exists", &boolean, json!(false)),
            ("mode", &mode, json!("overwrite")),
            ("if_exists", &spoken, json!("replace")),
        ] {
            let expected = [set(&format!("/{name}"), value)];
            assert_eq!(of(&json!({ name: schema }), ""), expected, "{name}");
        }
        for name in ["recursive", "create_dirs", "dry_run", "append"] {
            assert!(of(&json!({ name: boolean }), "").is_empty(), "{name}");
        }
        let both = of(&json!({ "force": boolean, "mode": mode }), "");
        assert_eq!((both.len(), both[0].len()), (3, 2));
    }

    #[test]
    fn an_answer_may_name_what_the_schema_does_not() {
        for answer in [
            "already exists, set overwrite=true",
            "exists (pass {\"overwrite\": true})",
            "exists: set `overwrite` to true",
        ] {
            assert_eq!(
                of(&json!({}), answer),
                [set("/overwrite", json!(true))],
                "{answer}"
            );
        }
        for answer in [
            "will not overwrite it",
            "overwrite=false",
            "",
            &"=".repeat(9000),
        ] {
            assert!(of(&json!({}), answer).is_empty());
        }
    }
}
