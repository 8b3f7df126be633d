//! Which types of files a tool is tried with.
//!
//! Owns their order, by role and by what the tool says of itself.

use super::words::{EXTENSIONS, words};
use crate::{probe::Role, session::Tool};

/// Extensions for the files of a role, the likeliest first; never empty.
pub(super) fn extensions(tool: &Tool, role: Role) -> Vec<&'static str> {
    const OTHERS: &[&str] = &[".md", ".json", ".csv", ".html", ".py", ".xml", ".yaml"];
    match role {
        Role::ArchiveExtract | Role::ArchiveRead => return vec![".zip", ".tar", ".tar.gz"],
        Role::IdentRead => return vec![".md", ".txt", ".json"],
        Role::DirCreate
        | Role::FileSearch
        | Role::RepoRead
        | Role::RepoCreate
        | Role::FileDelete => return vec![".txt"],
        _ => {}
    }
    // Only what looks into files, or makes them, cares for their type; what lists them may show one alone.
    let others = match role {
        Role::FileRead | Role::FileReadMany | Role::FileWrite | Role::FileSave => OTHERS,
        Role::DirList => &[],
        _ => &OTHERS[..1],
    };
    let named: Vec<&'static str> = words(&tool.name)
        .iter()
        .filter_map(|word| extension(word))
        .collect();
    let described = words(&tool.description)
        .into_iter()
        .take(40)
        .filter_map(|word| extension(&word))
        .collect::<Vec<_>>();
    let mut found: Vec<&'static str> = Vec::new();
    let unknown_name = named.is_empty();
    for extension in named
        .into_iter()
        .filter(|extension| *extension != ".txt")
        .chain(unknown_name.then_some(".txt"))
        .chain([".txt"])
        .chain(described)
        .chain(others.iter().copied())
    {
        if !found.contains(&extension) {
            found.push(extension);
        }
    }
    found
}

/// The extension that a word stands for.
pub(super) fn extension(word: &str) -> Option<&'static str> {
    EXTENSIONS
        .iter()
        .find(|(name, _)| *name == word)
        .map(|(_, extension)| *extension)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_lists_may_list_one_type_alone() {
        let tool = |description: &str| Tool {
            description: description.to_owned(),
            ..Tool::named("list_documents")
        };
        let listed = |description| extensions(&tool(description), Role::DirList);
        assert_eq!(listed("Lists what is in a directory"), [".txt"]);
        assert_eq!(
            listed("Lists the Word files of a directory"),
            [".txt", ".docx"]
        );
    }
}
