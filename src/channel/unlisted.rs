//! Tools that a target may have and does not list: what they are usually called, and those of an earlier run.
//!
//! Owns the words and the style of a name. That a tool is there is shown by what a call of it does.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use super::{
    fill::draft,
    flatten::Form,
    score::Candidate,
    slots::Binding,
    words::{Words, words},
};
use crate::{
    channel::{Channel, Lock},
    probe::{Role, Slot},
    session::Tool,
};

/// What tools are called that write a file, and those that run a command.
const WRITERS: &[&str] = &[
    "write file",
    "create file",
    "save file",
    "write text file",
    "file write",
    "append file",
    "put file",
    "write",
];
const RUNNERS: &[&str] = &[
    "run command",
    "execute command",
    "run shell command",
    "execute shell",
    "shell",
    "bash",
    "exec",
    "run",
    "terminal",
];

/// Verbs of listed tools in whose place another may stand, and those others.
const READING: Words = Words("read get view show open load cat fetch");
const WRITING: &[&str] = &["write", "create", "save", "update", "put"];

/// Where such tools take the path, the content and the command.
const PATHS: [&str; 3] = ["/path", "/file_path", "/filename"];
const COMMANDS: [&str; 2] = ["/command", "/cmd"];

/// Channels of tools that are not listed, each with whether it is known to have worked: those that were proven when
/// `lock` was written, and guesses after the names of the listed ones.
pub(crate) fn unlisted(
    tools: &[Tool],
    channels: &[Arc<Channel>],
    lock: Option<&Lock>,
) -> Vec<(Channel, bool)> {
    let reader = channels
        .iter()
        .find(|channel| channel.role == Role::FileRead && channel.proof.proven());
    let absent = |name: &String| !tools.iter().any(|tool| tool.name == *name);
    let entries = lock.into_iter().flat_map(|lock| &lock.entries);
    let locked = entries
        .filter(|entry| entry.proven)
        .map(|entry| &entry.channel);
    let mut found: Vec<(Channel, bool)> = locked
        .filter(|channel| matches!(channel.role, Role::FileWrite | Role::ExecCommand))
        .filter(|channel| absent(&channel.tool))
        .map(|channel| (channel.clone(), true))
        .collect();
    let own = reader.and_then(|reader| reader.slots.get(&Slot::Path)?.first());
    let mut paths: Vec<&str> = own.map(String::as_str).into_iter().chain(PATHS).collect();
    let mut seen = BTreeSet::new();
    paths.retain(|path| seen.insert(*path));
    let reading = reader.map(|reader| reader.tool.as_str());
    for name in names(tools, WRITERS, reading).into_iter().filter(absent) {
        for path in &paths {
            let slots = [(Slot::Path, *path), (Slot::Content, "/content")];
            let mut channel = guess(&name, Role::FileWrite, &slots);
            channel.form = reader.map(|reader| reader.form).unwrap_or_default();
            found.push((channel, false));
        }
    }
    for name in names(tools, RUNNERS, None).into_iter().filter(absent) {
        for command in COMMANDS {
            let channel = guess(&name, Role::ExecCommand, &[(Slot::Text, command)]);
            found.push((channel, false));
        }
    }
    found
}

fn guess(name: &str, role: Role, slots: &[(Slot, &str)]) -> Channel {
    let tool = Tool::named(name);
    let candidate = Candidate {
        role,
        score: 0.0,
        form: Form::default(),
        bindings: Vec::new(),
        choice: None,
    };
    let slot = |(slot, pointer): &(Slot, &str)| (*slot, vec![(*pointer).to_owned()]);
    let slots: BTreeMap<Slot, Vec<String>> = slots.iter().map(slot).collect();
    draft(&tool, &candidate, &Binding { slots })
}

/// The usual names in the style of the listed ones, after those that the name of the reader suggests.
fn names(tools: &[Tool], usual: &[&str], reading: Option<&str>) -> Vec<String> {
    let listed: Vec<Vec<String>> = tools.iter().map(|tool| words(&tool.name)).collect();
    let style = Style::of(tools);
    let mut names = Vec::new();
    let mut name = |words: &[&str]| {
        let name = style.join(words);
        if !names.contains(&name) {
            names.push(name);
        }
    };
    let reading = words(reading.unwrap_or_default());
    if let Some(verb) = reading.iter().position(|word| READING.has(word)) {
        for other in WRITING {
            let mut words: Vec<&str> = reading.iter().map(String::as_str).collect();
            words[verb] = other;
            name(&words);
        }
    }
    // Many servers begin all names with the same word.
    let first = listed.first().and_then(|words| words.first());
    let prefix = first.filter(|first| {
        listed.len() > 1
            && listed
                .iter()
                .all(|words| words.len() > 1 && words.first() == Some(first))
    });
    for usual in usual {
        let own = prefix.map(String::as_str).into_iter();
        name(&own.chain(usual.split(' ')).collect::<Vec<_>>());
    }
    names
}

/// How the words of a name are joined.
#[derive(Debug, Clone, Copy)]
enum Style {
    By(char),
    Camel,
}

impl Style {
    /// The style of most of the names.
    fn of(tools: &[Tool]) -> Self {
        let count =
            |has: &dyn Fn(&str) -> bool| tools.iter().filter(|tool| has(&tool.name)).count();
        let camel =
            |name: &str| name.contains(char::is_uppercase) && !name.contains(['_', '-', '.']);
        let styles = [
            (Style::By('_'), count(&|name| name.contains('_'))),
            (Style::By('-'), count(&|name| name.contains('-'))),
            (Style::By('.'), count(&|name| name.contains('.'))),
            (Style::Camel, count(&camel)),
        ];
        // The first of the most.
        let most = styles.into_iter().rev().max_by_key(|(_, count)| *count);
        most.map_or(Style::By('_'), |(style, _)| style)
    }

    fn join(self, words: &[&str]) -> String {
        let Style::Camel = self else {
            let Style::By(sign) = self else {
                return String::new();
            };
            return words.join(&sign.to_string());
        };
        let capital = |word: &str| {
            let mut letters = word.chars();
            let first = letters.next().map(|letter| letter.to_ascii_uppercase());
            first.into_iter().chain(letters).collect::<String>()
        };
        let (first, rest) = words.split_first().unwrap_or((&"", &[]));
        rest.iter()
            .fold((*first).to_owned(), |name, word| name + &capital(word))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn listed(names: &[&str]) -> Vec<Tool> {
        names.iter().map(|name| Tool::named(name)).collect()
    }

    #[test]
    fn names_are_in_the_style_of_the_listed_ones() {
        let of = |tools: &[&str], reading| names(&listed(tools), &["write file"], reading);
        assert_eq!(of(&["read_file", "list_directory"], None), ["write_file"]);
        assert_eq!(of(&["readFile", "listDirectory"], None), ["writeFile"]);
        assert_eq!(of(&["fs-read", "fs-list"], None), ["fs-write-file"]);
        assert_eq!(of(&["read"], None), ["write_file"]);
        let analogous = of(&["get_note", "list_note"], Some("get_note"));
        assert_eq!(analogous[..2], ["write_note", "create_note"]);
    }

    #[test]
    fn what_is_listed_is_not_guessed() {
        let found = unlisted(&listed(&["write_file", "shell"]), &[], None);
        assert!(!found.is_empty());
        assert!(
            found
                .iter()
                .all(|(channel, _)| channel.tool != "write_file" && channel.tool != "shell")
        );
    }
}
