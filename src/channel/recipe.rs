//! What a tool that executes texts is asked, so that only doing it gives the answer.
//!
//! Owns the table of languages and commands with their harmless sentences. An echo of a sentence is
//! no answer to it: the product of two numbers, or what stands in a file or directory.

use crate::probe::Role;

/// A sentence of a language, or a command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Recipe {
    pub(crate) role: Role,
    /// The language, or the command; what follows a hyphen is a way to use it.
    pub(crate) name: &'static str,
    /// `{path}` is a file, `{dir}` a directory with one file whose name is the answer, `{one}` and
    /// `{two}` are numbers.
    sentence: &'static str,
    /// The directory in which it is run, of sentences that name no place.
    pub(crate) place: Option<RunIn>,
    /// A word of the sentence that does not come back where it is executed; the sentence is for tools whose names say
    /// nothing of it.
    pub(crate) silent: Option<&'static str>,
}

/// A directory in which a command shows what it does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum RunIn {
    /// One with a file whose name is the answer.
    Named,
    /// A link to a directory whose name is the answer.
    Linked,
    /// A repository with a commit on the answer.
    Repo,
}

const fn recipe(role: Role, name: &'static str, sentence: &'static str) -> Recipe {
    Recipe {
        role,
        name,
        sentence,
        place: None,
        silent: None,
    }
}

/// A command that says nothing of where: the directory in which it is run does.
const fn inside(name: &'static str, sentence: &'static str, place: RunIn) -> Recipe {
    Recipe {
        place: Some(place),
        ..recipe(Role::ExecCommand, name, sentence)
    }
}

/// In the order of trying.
const RECIPES: &[Recipe] = &[
    recipe(Role::ExecCommand, "cat", "cat {path}"),
    recipe(Role::ExecCommand, "ls", "ls {dir}"),
    recipe(Role::ExecCommand, "grep", "grep . {path}"),
    recipe(Role::ExecCommand, "head", "head -n 20 {path}"),
    recipe(Role::ExecCommand, "tail", "tail -n 20 {path}"),
    recipe(Role::ExecCommand, "find", "find {dir}"),
    recipe(Role::ExecCommand, "sed", "sed -n p {path}"),
    recipe(Role::ExecCommand, "awk", "awk 1 {path}"),
    recipe(Role::ExecCommand, "sort", "sort {path}"),
    recipe(Role::ExecCommand, "tar", "tar -cf - {path}"),
    recipe(
        Role::ExecCommand,
        "git",
        "git diff --no-index /dev/null {path}",
    ),
    recipe(Role::ExecCommand, "tree", "tree {dir}"),
    recipe(Role::ExecCommand, "du", "du -a {dir}"),
    recipe(Role::ExecCommand, "diff", "diff /dev/null {path}"),
    recipe(Role::ExecCommand, "nl", "nl {path}"),
    recipe(Role::ExecCommand, "cut", "cut -c 1-200 {path}"),
    recipe(Role::ExecCommand, "base64", "base64 {path}"),
    recipe(Role::ExecCommand, "strings", "strings {path}"),
    recipe(Role::ExecCommand, "uniq", "uniq {path}"),
    recipe(Role::ExecCommand, "rg", "rg . {path}"),
    inside("ls-here", "ls", RunIn::Named),
    inside("pwd-here", "pwd", RunIn::Linked),
    inside("find-here", "find", RunIn::Named),
    inside("tree-here", "tree", RunIn::Named),
    inside("git-log", "git log", RunIn::Repo),
    inside("git-branch", "git branch", RunIn::Repo),
    inside("git-status", "git status", RunIn::Repo),
    recipe(Role::ExecCode, "python", "print({one} * {two})"),
    recipe(Role::ExecCode, "javascript", "console.log({one} * {two})"),
    recipe(Role::ExecCode, "javascript-value", "{one} * {two}"),
    recipe(Role::ExecCode, "javascript-return", "return {one} * {two}"),
    recipe(Role::ExecCode, "shell", "echo $(({one} * {two}))"),
    // Of tools whose names say nothing: what a shell expands in a text that it is given shows no more than a flaw.
    Recipe {
        silent: Some("echo"),
        ..recipe(Role::ExecCode, "shell-alone", "echo $(({one} * {two}))")
    },
    recipe(Role::ExecExpression, "expression", "{one} * {two}"),
    recipe(Role::ExecExpression, "braces", "{{ {one} * {two} }}"),
    recipe(Role::ExecExpression, "dollar", "${{one} * {two}}"),
    recipe(Role::ExecExpression, "tag", "<%= {one} * {two} %>"),
    recipe(Role::SqlQuery, "sql", "SELECT {one} * {two} AS answer"),
    // Tools that write refuse statements by their first word.
    recipe(Role::SqlQuery, "sql-values", "VALUES ({one} * {two})"),
    recipe(
        Role::SqlQuery,
        "sql-with",
        "WITH a AS (SELECT {one} * {two} AS answer) SELECT answer FROM a",
    ),
];

/// The recipes of a role, in the order of trying.
pub(crate) fn recipes(role: Role) -> impl Iterator<Item = &'static Recipe> {
    RECIPES.iter().filter(move |recipe| recipe.role == role)
}

/// The recipe of that name, or the first one of the role.
pub(crate) fn recipe_of(role: Role, name: Option<&str>) -> Option<&'static Recipe> {
    recipes(role)
        .find(|recipe| Some(recipe.name) == name)
        .or_else(|| recipes(role).next())
}

impl Recipe {
    /// The sentence about a file and the directory `dir`, or about two numbers.
    pub(crate) fn about(&self, path: &str, dir: &str, factors: (u64, u64)) -> String {
        self.sentence
            .replace("{path}", path)
            .replace("{dir}", dir)
            .replace("{one}", &factors.0.to_string())
            .replace("{two}", &factors.1.to_string())
    }

    /// Whether it is a value alone, which whoever evaluates expressions answers as well as whoever runs code.
    pub(crate) fn is_expression(&self) -> bool {
        self.sentence == "{one} * {two}"
    }

    /// Whether it is an expression in a template, between the delimiters of one.
    pub(crate) fn is_template(&self) -> bool {
        self.role == Role::ExecExpression && !self.is_expression()
    }

    /// The command, or the language.
    pub(crate) fn language(&self) -> &'static str {
        self.name.split('-').next().unwrap_or(self.name)
    }

    /// Whether the answer is what stands in a file.
    pub(crate) fn reads(&self) -> bool {
        self.sentence.contains("{path}")
    }

    /// Whether the answer is a product, and not what stands in a file.
    pub(crate) fn computes(&self) -> bool {
        self.role != Role::ExecCommand
    }
}
