//! The shape of the source: modules use only what stands above them, files stay small and say what they are for,
//! and nothing in what judges is keyed to a server that somebody else wrote.
//!
//! Owns the rules that no compiler checks. Reads `src/` as tokens, so that comments and texts cannot fool it.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use proc_macro2::{TokenStream, TokenTree};

const ROOT: &str = env!("CARGO_MANIFEST_DIR");

/// Used by everybody, using nobody; they stand at the top of the list too, but need no order among themselves.
const FOUNDATIONS: [&str; 2] = ["exit", "diag"];

/// Lines of a file of `src/`, above which it holds more than one idea unless it says here why it does not.
const LINES: usize = 450;

/// Files over [`LINES`], with the reason why they are not split, and the length that they may reach.
const LONG: [(&str, usize, &str); 2] = [
    (
        "session/board.rs",
        550,
        "one state machine: the calls in flight and what settles them",
    ),
    (
        "session/http.rs",
        500,
        "one transport, both protocol lifecycles",
    ),
];

/// Names of servers that others wrote. What tests and judges must not know any of them.
const FOREIGN: [&str; 6] = [
    "server-filesystem",
    "mcp-server-",
    "server-everything",
    "markitdown",
    "desktop-commander",
    "excel-mcp",
];

/// Every file below a directory of the repository, sorted, as its path below that and its text.
fn texts(directory: &str) -> Vec<(String, String)> {
    fn walk(directory: &Path, into: &mut Vec<PathBuf>) {
        let entries = fs::read_dir(directory)
            .unwrap_or_else(|e| panic!("{} can be listed: {e}", directory.display()));
        for entry in entries {
            let path = entry.expect("the listing goes on to its end").path();
            if path.is_dir() {
                walk(&path, into);
            } else {
                into.push(path);
            }
        }
    }
    let top = Path::new(ROOT).join(directory);
    let mut files = Vec::new();
    walk(&top, &mut files);
    files.sort();
    assert!(!files.is_empty(), "{directory} holds files");
    files
        .into_iter()
        .map(|path| {
            let text = fs::read_to_string(&path)
                .unwrap_or_else(|e| panic!("{} is text: {e}", path.display()));
            let name = path.strip_prefix(&top).expect("it was found below the top");
            (name.display().to_string(), text)
        })
        .collect()
}

fn sources() -> Vec<(String, String)> {
    let mut sources = texts("src");
    sources.retain(|(name, _)| name.ends_with(".rs"));
    sources
}

/// The module list of `src/lib.rs`, in its order.
fn modules() -> Vec<String> {
    let text =
        fs::read_to_string(Path::new(ROOT).join("src/lib.rs")).expect("the library is there");
    let tokens: TokenStream = text.parse().expect("the library is Rust");
    let tokens: Vec<TokenTree> = tokens.into_iter().collect();
    let modules: Vec<String> = tokens
        .windows(2)
        .filter(|pair| is(&pair[0], "mod"))
        .map(|pair| pair[1].to_string())
        .collect();
    assert!(
        modules.len() > 10,
        "the list of modules was found: {modules:?}"
    );
    modules
}

fn is(token: &TokenTree, word: &str) -> bool {
    matches!(token, TokenTree::Ident(ident) if ident == word)
}

fn is_colon(token: Option<&TokenTree>) -> bool {
    matches!(token, Some(TokenTree::Punct(punct)) if punct.as_char() == ':')
}

/// The first name of every `crate::...` path, imports and macro arguments included.
fn names_of_crate(tokens: TokenStream, into: &mut BTreeSet<String>) {
    let tokens: Vec<TokenTree> = tokens.into_iter().collect();
    for (index, token) in tokens.iter().enumerate() {
        if is(token, "crate") && is_colon(tokens.get(index + 1)) && is_colon(tokens.get(index + 2))
        {
            match tokens.get(index + 3) {
                Some(TokenTree::Ident(name)) => {
                    into.insert(name.to_string());
                }
                Some(TokenTree::Group(group)) => {
                    let listed: Vec<TokenTree> = group.stream().into_iter().collect();
                    into.extend(
                        listed
                            .split(is_comma)
                            .filter_map(|path| match path.first() {
                                Some(TokenTree::Ident(name)) => Some(name.to_string()),
                                _ => None,
                            }),
                    );
                }
                _ => {}
            }
        }
        if let TokenTree::Group(group) = token {
            names_of_crate(group.stream(), into);
        }
    }
}

fn is_comma(token: &TokenTree) -> bool {
    matches!(token, TokenTree::Punct(punct) if punct.as_char() == ',')
}

/// The top module that a file of `src/` belongs to: `run` for `run/mod.rs` and for `run.rs`.
fn module_of(file: &str) -> &str {
    let first = file.split('/').next().unwrap_or(file);
    first.strip_suffix(".rs").unwrap_or(first)
}

#[test]
fn imports_run_one_way() {
    let order = modules();
    let place: BTreeMap<&str, usize> = order
        .iter()
        .enumerate()
        .map(|(place, name)| (name.as_str(), place))
        .collect();
    let mut edges = 0;
    let mut wrong = Vec::new();
    for (file, text) in sources() {
        let module = module_of(&file);
        let Some(&own) = place.get(module) else {
            assert!(
                ["lib", "main", "build"].contains(&module),
                "src/{file} belongs to no module of src/lib.rs"
            );
            continue;
        };
        let tokens = text
            .parse()
            .unwrap_or_else(|e| panic!("src/{file} is Rust: {e}"));
        let mut used = BTreeSet::new();
        names_of_crate(tokens, &mut used);
        for name in used.iter().filter(|name| *name != module) {
            // Anything else is a macro or an item of the crate itself.
            let Some(&other) = place.get(name.as_str()) else {
                continue;
            };
            edges += 1;
            let both_below = FOUNDATIONS.contains(&module) && FOUNDATIONS.contains(&name.as_str());
            if other > own && !both_below {
                wrong.push(format!(
                    "src/{file} uses {name}, which stands below {module}"
                ));
            }
        }
    }
    assert!(edges > 50, "imports were found: {edges}");
    assert!(
        wrong.is_empty(),
        "modules may use those above them in src/lib.rs only:\n{}",
        wrong.join("\n")
    );
}

#[test]
fn paths_are_found_in_every_form() {
    let text = "use crate::{a, b::{c, crate_d}, self as me}; fn f() { crate::e::g(); println!(\"{}\", crate::h::I) }
                // crate::no\n const T: &str = \"crate::no\"; pub(crate) fn x() {}";
    let mut found = BTreeSet::new();
    names_of_crate(text.parse().expect("it is Rust"), &mut found);
    assert_eq!(
        found.iter().map(String::as_str).collect::<Vec<_>>(),
        ["a", "b", "e", "h", "self"]
    );
}

#[test]
fn files_are_short_or_say_why() {
    let sources = sources();
    let mut wrong = Vec::new();
    for (file, text) in &sources {
        let lines = text.lines().count();
        match LONG.iter().find(|(name, ..)| name == file) {
            None if lines > LINES => wrong.push(format!("src/{file} has {lines} lines")),
            Some((_, limit, _)) if lines > *limit => {
                wrong.push(format!("src/{file} has {lines} lines, may have {limit}"));
            }
            Some(_) if lines <= LINES => {
                wrong.push(format!("src/{file} is short now: take it from the list"));
            }
            _ => {}
        }
    }
    for (name, _, reason) in LONG {
        assert!(!reason.is_empty(), "{name} has a reason");
        if !sources.iter().any(|(file, _)| file == name) {
            wrong.push(format!("src/{name} is gone: take it from the list"));
        }
    }
    assert!(wrong.is_empty(), "split them:\n{}", wrong.join("\n"));
}

#[test]
fn files_say_what_they_are_for() {
    let silent: Vec<String> = sources()
        .into_iter()
        .filter(|(_, text)| !text.starts_with("//!"))
        .map(|(file, _)| file)
        .collect();
    assert!(silent.is_empty(), "begin with `//!`: {silent:?}");
}

#[test]
fn nothing_is_keyed_to_a_known_server() {
    let mut wrong = Vec::new();
    for directory in ["src", "probes", "suites"] {
        for (file, text) in texts(directory) {
            for (index, line) in text.lines().enumerate() {
                let line = line.to_lowercase();
                for name in FOREIGN.iter().filter(|name| line.contains(*name)) {
                    wrong.push(format!("{directory}/{file}:{}: {name}", index + 1));
                }
            }
        }
    }
    assert!(
        wrong.is_empty(),
        "a verdict must not depend on whose server it is:\n{}",
        wrong.join("\n")
    );
}
