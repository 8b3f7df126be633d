//! Chains of two tools: one takes a file in, another gives its content out.
//!
//! Owns which tools are put together and what of the first answer the second call is fed with. The
//! proof is that of every other channel.

use serde_json::{Map, Value};

use super::{
    attempts::attempts,
    bench::{Bench, Site},
    fill::draft,
    flatten::{Kind, Leaf},
    follow::{MAX_VALUE, members, scalar, split},
    found::Found,
    meaning::HANDLE,
    prove::{Lab, Steered, excerpt, spelled},
    score::{Candidate, candidates, destructive, forms, joined},
    slots::{NAME, leaf_score, single},
    words::{COMMON, WRITING, words},
};
use crate::{
    channel::{BIND, Channel, Follow, Proof, Take},
    probe::Role,
    session::{Caller, Outcome, Tool},
};

/// Ways in which a file is offered.
const OFFERS: usize = 3;
/// Tools that are asked for it, and values that each is asked with.
const OUTLETS: usize = 3;
const VALUES: usize = 3;
/// Levels of an answer in which a value is looked for.
const DEPTH: usize = 4;
/// Length from which on a value that was sent before is an echo.
const ECHO: usize = 4;

/// A tool that may give out what another took in: one parameter is all it needs.
#[derive(Debug, Clone)]
pub(super) struct Outlet<'t> {
    tool: &'t Tool,
    pointer: String,
    /// The types it takes: a number, or a text.
    number: bool,
    /// The name of what it wants, in one word; none where any value that stands for something will do.
    wants: Option<String>,
}

impl Outlet<'_> {
    /// Whether it is worth asking with a value that was found there.
    fn takes(&self, take: &Take) -> bool {
        let Some(wants) = &self.wants else {
            return true;
        };
        let key = match take {
            Take::Member(pointer) => pointer.rsplit('/').next(),
            _ => None,
        };
        key.is_some_and(|key| joined(key) == *wants)
    }
}

/// The tool as an outlet, if its parameters look like one.
pub(super) fn outlet(tool: &Tool) -> Option<Outlet<'_>> {
    let writes = words(&tool.name).iter().any(|word| WRITING.has(word));
    if writes || destructive(tool).is_some() {
        return None;
    }
    let forms = forms(tool);
    let [form] = forms.as_slice() else {
        return None;
    };
    let declared = || form.leaves.iter().filter(|leaf| !leaf.guessed);
    let required: Vec<&Leaf> = declared().filter(|leaf| leaf.required()).collect();
    let leaf = match required.as_slice() {
        [only] => *only,
        [] => {
            let mut fitting = declared().filter(|leaf| leaf_score(leaf, &HANDLE) >= NAME);
            fitting.next().filter(|_| fitting.next().is_none())?
        }
        _ => return None,
    };
    let number = !leaf.takes_text()
        && leaf
            .kinds
            .iter()
            .any(|kind| matches!(kind, Kind::Integer | Kind::Number));
    let plain = leaf.constant.is_none() && leaf.choices.is_empty() && !leaf.in_array();
    let fits = plain && (number || leaf.takes_text());
    let named = leaf_score(leaf, &HANDLE) >= NAME - 0.02;
    fits.then(|| Outlet {
        tool,
        pointer: single(&leaf.pointer),
        number,
        // What is called like nothing in particular may be called like what another tool answers.
        wants: (!named).then(|| joined(&leaf.name)),
    })
}

/// How much two tools have to do with each other, by their names and what they say of each other.
fn kinship(one: &Tool, other: &Tool) -> usize {
    /// Letters that two words must share at their beginning: `stage` and `staged`, `index` and `indices`.
    const STEM: usize = 4;
    let names = (words(&one.name), words(&other.name));
    let stem =
        |a: &str, b: &str| a.chars().zip(b.chars()).take_while(|(a, b)| a == b).count() >= STEM;
    let shared = names
        .0
        .iter()
        .filter(|word| !COMMON.has(word) && names.1.iter().any(|other| stem(word, other)))
        .count();
    let told = |teller: &Tool, of: &Tool| usize::from(teller.description.contains(&of.name));
    shared + 2 * (told(one, other) + told(other, one))
}

/// Values of an answer that may stand for what was taken in, the likeliest first.
fn handles(answer: &Outcome, sent: &str) -> Vec<(Take, String)> {
    let mut found: Vec<(u8, Take, String)> = Vec::new();
    for whole in members(answer) {
        walk(&whole, "", DEPTH, &mut found);
    }
    let structured = !found.is_empty();
    let text = answer.text();
    let whole = text.trim();
    if !structured && !whole.contains(char::is_whitespace) {
        found.push((0, Take::Text, whole.to_owned()));
    }
    if !structured {
        let mut before = "";
        for (number, word) in split(&text).enumerate() {
            let rank = if names_a_handle(before) {
                1
            } else if word.contains(|letter: char| letter.is_ascii_digit()) {
                2
            } else {
                u8::MAX
            };
            found.push((rank, Take::Word(number), word.to_owned()));
            before = word;
        }
    }
    // What was sent itself stands for nothing that was taken in; a few letters may be there by chance.
    found.retain(|(rank, _, value)| {
        let echoed = value.len() >= ECHO && sent.contains(value.as_str());
        *rank < u8::MAX && (1..=MAX_VALUE).contains(&value.len()) && !echoed
    });
    found.sort_by_key(|(rank, ..)| *rank);
    let mut values: Vec<(Take, String)> = Vec::new();
    for (_, take, value) in found {
        if !values.iter().any(|(_, known)| *known == value) {
            values.push((take, value));
        }
    }
    values.truncate(VALUES);
    values
}

fn names_a_handle(name: &str) -> bool {
    words(name)
        .last()
        .is_some_and(|word| HANDLE.names.has(word))
}

fn walk(value: &Value, pointer: &str, depth: usize, found: &mut Vec<(u8, Take, String)>) {
    let mut visit = |key: &str, value: &Value| {
        let pointer = format!("{pointer}/{}", super::arguments::escape(key));
        match scalar(value) {
            Some(text) => {
                let rank = if names_a_handle(key) { 0 } else { 3 };
                found.push((rank, Take::Member(pointer), text));
            }
            None if depth > 0 => walk(value, &pointer, depth - 1, found),
            None => {}
        }
    };
    match value {
        Value::Object(members) => members.iter().for_each(|(key, value)| visit(key, value)),
        Value::Array(items) => items
            .iter()
            .take(2)
            .enumerate()
            .for_each(|(index, value)| visit(&index.to_string(), value)),
        _ => {}
    }
}

impl<C: Caller> Lab<'_, C> {
    /// Puts tools together of which one takes a file in and another gives it out. Tools that were
    /// seen to do something else already are left alone.
    pub(super) async fn chains(&self, all: &[&Tool], found: &mut [(usize, Found)]) {
        let idle = |one: &Found| {
            one.skipped.is_none() && !one.channels.iter().any(|channel| channel.proof.proven())
        };
        let outlets: Vec<Outlet<'_>> = found
            .iter()
            .filter(|(_, one)| idle(one))
            .filter_map(|(order, _)| outlet(all[*order]))
            .collect();
        let mut fed: Vec<String> = Vec::new();
        for (order, one) in found.iter_mut().filter(|(_, one)| idle(one)) {
            let tool = all[*order];
            let candidate = candidates(tool)
                .into_iter()
                .find(|candidate| candidate.role == Role::FileStage);
            let Some(candidate) = candidate else { continue };
            match self.stage(*order, tool, &candidate, &outlets).await {
                Ok(channel) => {
                    fed.extend(channel.then.iter().map(|then| then.tool.clone()));
                    one.channels.retain(|other| other.role != channel.role);
                    one.channels.push(channel);
                    one.settle(|channel| channel.score >= 1.0);
                }
                Err(why) if candidate.score >= BIND => one.dropped.push((Role::FileStage, why)),
                Err(_) => {}
            }
        }
        for (order, one) in found {
            if fed.contains(&all[*order].name) {
                one.channels
                    .retain(|channel| channel.proof.proven() || channel.score >= 1.0);
            }
        }
    }

    /// Offers a file to the tool and asks the outlets for it; the chain comes back proven, or not
    /// at all with the reason.
    pub(super) async fn stage(
        &self,
        order: usize,
        tool: &Tool,
        candidate: &Candidate,
        outlets: &[Outlet<'_>],
    ) -> Result<Channel, String> {
        let mut outlets: Vec<&Outlet<'_>> = outlets
            .iter()
            .filter(|outlet| outlet.tool.name != tool.name)
            .collect();
        outlets.sort_by_key(|outlet| std::cmp::Reverse(kinship(tool, outlet.tool)));
        let (mut named, mut others): (Vec<_>, Vec<_>) = outlets
            .into_iter()
            .partition(|outlet| outlet.wants.is_none());
        named.truncate(OUTLETS);
        others.truncate(OUTLETS);
        let outlets = [named, others].concat();
        if outlets.is_empty() {
            return Err(String::from(
                "no other tool could give out what it takes in",
            ));
        }
        let mut why = String::from("no parameter fits");
        for attempt in attempts(tool, candidate, self.learned(), self.ground.uris)
            .iter()
            .take(OFFERS)
        {
            let drafted = draft(tool, candidate, &candidate.bindings[attempt.binding]);
            let channel = attempt.apply(&drafted);
            let site = Site {
                root: self.ground.root,
                told: self.ground.told,
                mint: self.ground.mint,
                extension: &channel.extension,
                form: channel.form,
                net: None,
                net_form: channel.net,
                recipe: None,
                bare: attempt.bare,
            };
            let bench = Bench::set_up(Role::FileStage, &site)
                .map_err(|error| format!("cannot plant what the proof needs: {error}"))?;
            let [case, _] = &bench.cases;
            let (method, params) = channel.request(&case.values, self.ground.told);
            let sent = params.to_string();
            let answer = self.ask(method, params).await;
            let asked = spelled(&channel, &case.values, self.ground.told);
            let said = excerpt(&answer);
            self.note(order, &channel, format!("{asked} -> {said}"), false);
            if answer.outcome.is_error() || !answer.outcome.answered() {
                why = said;
                continue;
            }
            if case.evidence.shown(&answer) {
                return Err(String::from("it answers with the content itself"));
            }
            for (take, value) in handles(&answer.outcome, &sent) {
                for outlet in outlets.iter().filter(|outlet| outlet.takes(&take)) {
                    let channel = Channel {
                        then: Some(Follow {
                            tool: outlet.tool.name.clone(),
                            pointer: outlet.pointer.clone(),
                            take: take.clone(),
                            number: outlet.number,
                            fixed: Map::new(),
                        }),
                        ..channel.clone()
                    };
                    let Some((method, params)) = channel.follow(&answer.outcome) else {
                        continue;
                    };
                    let content = self.ask(method, params).await;
                    let shown = case.evidence.shown(&content);
                    let what =
                        format!("{} with {value} -> {}", outlet.tool.name, excerpt(&content));
                    self.note(order, &channel, what, shown);
                    if !shown {
                        continue;
                    }
                    return match self.steer(order, &channel, attempt.bare).await {
                        Steered::Proven(steps) => Ok(Channel {
                            proof: Proof::Proven { steps },
                            ..channel
                        }),
                        Steered::Refuted(why) => Err(why),
                        Steered::Silent { answer, .. } => Err(answer),
                    };
                }
            }
            return Err(String::from("no other tool gave out what it took in"));
        }
        Err(format!("it took no file in: {why}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn found(answer: Value) -> Vec<(Take, String)> {
        handles(&Outcome::Result(answer), "/srv/allowed/work/notes.txt")
    }

    fn text(text: &str) -> Value {
        json!({ "content": [{ "type": "text", "text": text }] })
    }

    #[test]
    fn values_are_found_in_answers_of_many_shapes() {
        let value = |text: &str| text.to_owned();
        assert_eq!(found(text("17")), [(Take::Text, value("17"))]);
        assert_eq!(
            found(text("Staged /srv/allowed/work/notes.txt as id: a-b")),
            [(Take::Word(4), value("a-b"))]
        );
        assert_eq!(
            found(text(
                "{\"ok\": true, \"size\": 9, \"file\": {\"fileId\": \"x1\"}}"
            )),
            [
                (Take::Member(value("/file/fileId")), value("x1")),
                (Take::Member(value("/size")), value("9")),
            ]
        );
        let structured = json!({ "content": [], "structuredContent": { "handle": 4 } });
        assert_eq!(
            found(structured),
            [(Take::Member(value("/handle")), value("4"))]
        );
        assert_eq!(found(text("Done")), [(Take::Text, value("Done"))]);
        assert_eq!(found(text("The file was taken in")), []);
    }
}
