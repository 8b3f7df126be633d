//! The README says what is so: its report is what the program prints, and its flags, examples and tables are those
//! of the code.
//!
//! Owns no wording. `UPDATE=1 cargo test --test readme` writes the generated parts anew; the rest is compared.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Mutex, PoisonError};

use regex::{Captures, Regex};
use textwrap::{Options, WordSplitter::NoHyphenation};
use watertight::config::{Baseline, Fleet, Layer};
use watertight::diag::{Look, Source};
use watertight::exit::Exit;
use watertight::policy::{PLACEHOLDERS, Policy};

const PROGRAM: &str = env!("CARGO_BIN_EXE_watertight");

/// The run whose report the README shows, as a reader would type it.
const SHOWN: [&str; 3] = [
    "watertight run --seed 7",
    "--probe fs.read.prefix-sibling --probe fs.write.dangling-symlink",
    "-- watertight reference --flaw fs.prefix-sibling --flaw fs.write-dangling {allowed}",
];

/// What differs from run to run, and what stands for it in the README. Tokens are longer or shorter than what stands
/// for them, of which as much is taken.
const PASSING: [(&str, &str); 5] = [
    (r"bed-\w{6}", "bed-7Kq2Xd"),
    (r"tag[a-z]{9}\b", "tagmorvelund"),
    (
        r"\bwt[a-z2-7]{14,}",
        "wtq7m3kzd5ahy2nfx4bgr6cevlspjtuq2wod7",
    ),
    (r"\b[a-z]{8}/notes\.txt", "qelvomar/notes.txt"),
    (r"\+\d+ ms", "+21 ms"),
];

/// Ends a line of a command that goes on.
const CONTINUED: &str = "\\";

/// Where the README leaves something out of the report.
const LEFT_OUT: &str = "[...]";

fn path() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md")
}

fn readme() -> String {
    fs::read_to_string(path()).expect("the README is there")
}

/// What the program prints for these arguments, which must be its help.
fn help(arguments: &[&str]) -> String {
    let output = Command::new(PROGRAM)
        .args(arguments)
        .arg("--help")
        .output()
        .expect("the program starts");
    assert!(output.status.success(), "{arguments:?} has help");
    String::from_utf8(output.stdout).expect("help is text")
}

/// The subcommands that the help lists.
fn subcommands() -> BTreeSet<String> {
    let help = help(&[]);
    let listed = help
        .lines()
        .skip_while(|line| *line != "Commands:")
        .skip(1)
        .take_while(|line| !line.is_empty());
    let names: BTreeSet<String> = listed
        .filter_map(|line| line.split_whitespace().next())
        .map(str::to_owned)
        .collect();
    assert!(names.contains("run"), "{names:?}");
    names
}

/// The lines between `<!-- name -->` and `<!-- /name -->`.
fn part(text: &str, name: &str) -> String {
    let (from, to) = (format!("<!-- {name} -->\n"), format!("<!-- /{name} -->"));
    let (_, rest) = text
        .split_once(&from)
        .unwrap_or_else(|| panic!("{from} is there"));
    let (part, _) = rest
        .split_once(&to)
        .unwrap_or_else(|| panic!("{to} is there"));
    part.to_owned()
}

/// Compares a generated part, or writes it when `UPDATE` is set.
fn generated(name: &str, made: &str, comparable: impl Fn(&str) -> String) {
    // The tests of one process write to one file.
    static TURN: Mutex<()> = Mutex::new(());
    let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    let text = readme();
    let written = part(&text, name);
    if comparable(&written) == comparable(made) {
        return;
    }
    assert!(
        std::env::var_os("UPDATE").is_some(),
        "`{name}` in README.md is out of date: run `UPDATE=1 cargo test --test readme`\n\
         it should be\n{made}"
    );
    let (from, to) = (
        format!("<!-- {name} -->\n{written}"),
        format!("<!-- {name} -->\n{made}"),
    );
    let replaced = text.replacen(&from, &to, 1);
    let unfinished = path().with_extension("new");
    fs::write(&unfinished, replaced).expect("the repository can be written");
    fs::rename(&unfinished, path()).expect("the README can be replaced");
}

fn steady(text: &str) -> String {
    PASSING.iter().fold(text.to_owned(), |text, (from, to)| {
        let from = Regex::new(from).expect("the pattern is right");
        from.replace_all(&text, |found: &Captures<'_>| {
            to[..to.len().min(found[0].len())].to_owned()
        })
        .into_owned()
    })
}

/// Without times and tokens, and without the line breaks that depend on their length.
fn words(text: &str) -> String {
    let words: Vec<&str> = text
        .split_whitespace()
        .filter(|word| *word != CONTINUED)
        .collect();
    steady(&words.join(" "))
}

/// With the program's own place left out of the command that repeats a trial, and that wrapped anew.
fn without_place(report: &str) -> String {
    let command =
        Regex::new(r"(?m)^   repeat    (.*(?:\n {15}.*)*)$").expect("the pattern is right");
    let directory = Path::new(PROGRAM).parent().expect("it lies in a directory");
    let place = format!("{}/", directory.display());
    let wrapped = command.replace_all(report, |found: &Captures<'_>| {
        let words: Vec<&str> = found[1]
            .split_whitespace()
            .filter(|word| *word != CONTINUED)
            .collect();
        let line = words.join(" ").replace(&place, "");
        let lines = textwrap::wrap(&line, Options::new(63).word_splitter(NoHyphenation));
        format!(
            "   repeat    {}",
            lines.join(&format!(" {CONTINUED}\n{:15}", ""))
        )
    });
    wrapped.into_owned()
}

/// The beginning of the report up to its second breach, and its last lines.
fn shortened(report: &str) -> String {
    let lines: Vec<&str> = report.trim_end().lines().collect();
    let second = lines
        .iter()
        .position(|line| line.starts_with(" 2 "))
        .unwrap_or_else(|| panic!("two breaches are found:\n{report}"));
    let last = lines
        .iter()
        .rposition(|line| line.starts_with('\u{2500}'))
        .unwrap_or_else(|| panic!("a rule stands before the last line:\n{report}"));
    let head = lines[..=second].join("\n");
    format!("{head}\n    {LEFT_OUT}\n{}", lines[last..].join("\n"))
}

#[test]
fn the_report_is_what_the_program_prints() {
    let directory = Path::new(PROGRAM).parent().expect("it lies in a directory");
    let here = tempfile::tempdir().expect("there is space");
    let path = std::env::join_paths(std::iter::once(directory.to_owned()).chain(
        std::env::split_paths(&std::env::var_os("PATH").unwrap_or_default()),
    ))
    .expect("directories of PATH hold no colon");
    let output = Command::new(PROGRAM)
        .args(SHOWN.join(" ").split_whitespace().skip(1))
        .env("PATH", path)
        .env_remove("COLUMNS")
        // No configuration of this repository, and no figure of an earlier self-test.
        .current_dir(here.path())
        .env("XDG_STATE_HOME", here.path())
        .env("XDG_CACHE_HOME", here.path())
        .output()
        .expect("the program starts");
    let printed = String::from_utf8(output.stdout).expect("the report is text");
    assert_eq!(
        output.status.code(),
        Some(i32::from(Exit::Breached.code())),
        "{printed}\n{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let command = SHOWN.join(&format!(" {CONTINUED}\n{:6}", ""));
    let shown = shortened(&without_place(&printed));
    let place = Path::new(PROGRAM).parent().expect("it lies in a directory");
    assert!(
        !shown.contains(&place.display().to_string()),
        "no place of this machine is shown:\n{shown}"
    );
    let made = format!("```text\n$ {command}\n{}\n```\n", steady(&shown));
    generated("report", &made, words);
}

#[test]
fn exit_codes_are_those_of_the_program() {
    let mut made = String::from("| Code | Meaning |\n|------|---------|\n");
    for (exit, meaning) in Exit::ALL {
        made.push_str(&format!("| {} | {meaning} |\n", exit.code()));
    }
    generated("exit codes", &made, str::to_owned);
}

#[test]
fn placeholders_are_those_of_the_program() {
    let mut made = String::from("| Placeholder | Stands for |\n|-------------|------------|\n");
    for (name, meaning) in PLACEHOLDERS {
        made.push_str(&format!("| `{{{name}}}` | {meaning} |\n"));
    }
    generated("placeholders", &made, str::to_owned);
}

#[test]
fn every_subcommand_exists() {
    let known = subcommands();
    let named = Regex::new(r"watertight ([a-z][a-z-]*)|cargo run --release -- ([a-z-]+)")
        .expect("the pattern is right");
    // Code may be broken over two lines of prose.
    let text = readme().split_whitespace().collect::<Vec<_>>().join(" ");
    let mut found = BTreeSet::new();
    for quoted in code(&text) {
        for captures in named.captures_iter(&quoted) {
            let name = captures.get(1).or(captures.get(2)).expect("one matched");
            found.insert(name.as_str().to_owned());
        }
    }
    assert!(found.len() >= 5, "subcommands were found: {found:?}");
    let unknown: Vec<_> = found.difference(&known).collect();
    assert!(unknown.is_empty(), "no subcommands: {unknown:?}");
    let silent: Vec<_> = known
        .iter()
        .filter(|name| *name != "help" && !found.contains(*name))
        .collect();
    assert!(silent.is_empty(), "the README does not name {silent:?}");
}

/// What stands in backquotes or in indented or fenced blocks, on one line each.
fn code(flat: &str) -> Vec<String> {
    let quoted = flat.split('`').skip(1).step_by(2).map(str::to_owned);
    let text = readme();
    let blocks = text
        .lines()
        .filter(|line| line.starts_with("    ") || line.starts_with("$ "))
        .map(str::to_owned);
    quoted.chain(blocks).collect()
}

#[test]
fn every_flag_exists() {
    let flag = Regex::new(r"(?:^|[\s`(])(--[a-z][a-z-]+)").expect("the pattern is right");
    let mut known: BTreeSet<String> = BTreeSet::new();
    for name in subcommands().iter().filter(|name| *name != "help") {
        let help = help(&[name]);
        known.extend(flag.captures_iter(&help).map(|found| found[1].to_owned()));
    }
    assert!(known.len() > 20, "flags were found: {known:?}");
    // Flags of other programs that the README calls.
    for foreign in [
        "--release",
        "--path",
        "--test",
        "--bench",
        "--root",
        "--ro-bind",
        "--symlink",
        "--proc",
        "--dev",
        "--unshare-all",
        "--flags",
    ] {
        known.insert(foreign.to_owned());
    }
    let text = readme();
    let named: BTreeSet<String> = flag
        .captures_iter(&text)
        .map(|found| found[1].to_owned())
        .collect();
    assert!(named.len() > 10, "flags were found: {named:?}");
    let unknown: Vec<_> = named.difference(&known).collect();
    assert!(unknown.is_empty(), "no flags: {unknown:?}");
}

/// The fenced blocks whose first line is `language kind`.
fn examples(kind: &str) -> Vec<(String, String)> {
    let text = readme();
    let mut examples = Vec::new();
    let mut blocks = text.split("```").skip(1).step_by(2);
    for block in &mut blocks {
        let (first, body) = block.split_once('\n').expect("a block has a first line");
        if let Some((language, found)) = first.split_once(' ')
            && found == kind
        {
            examples.push((language.to_owned(), body.to_owned()));
        }
    }
    assert!(!examples.is_empty(), "examples of {kind} are there");
    examples
}

#[test]
fn policies_load() {
    for (language, text) in examples("policy") {
        let source = Source::new(format!("README.{language}"), text);
        match Policy::load(&source) {
            Ok(policy) => assert!(policy.warnings().is_empty(), "{:?}", policy.warnings()),
            Err(problems) => panic!("{}", problems.render(Look::PLAIN)),
        }
    }
}

#[test]
fn the_first_policy_is_the_default() {
    let (_, first) = examples("policy").remove(0);
    let shown = Policy::load(&Source::new("README.toml", first)).expect("policies_load checks it");
    assert_eq!(
        shown.document(),
        Policy::default_policy().document(),
        "the README shows the default policy"
    );
}

#[test]
fn configurations_load() {
    let policy = examples("policy").swap_remove(1).1;
    for (language, text) in examples("config") {
        let here = tempfile::tempdir().expect("there is space");
        fs::write(here.path().join("policy.yaml"), &policy).expect("there is space");
        let source = Source::new(format!("README.{language}"), text);
        let settled = Layer::of_source(&source, here.path()).settle();
        if let Err(problems) = settled {
            panic!("{}", problems.render(Look::PLAIN));
        }
    }
}

#[test]
fn baselines_load() {
    for (language, text) in examples("baseline") {
        let source = Source::new(format!("README.{language}"), text);
        match Baseline::parse(source) {
            Ok(baseline) => assert_eq!(baseline.known().len(), 1),
            Err(problems) => panic!("{}", problems.render(Look::PLAIN)),
        }
    }
}

#[test]
fn the_fleet_loads() {
    let here = tempfile::tempdir().expect("there is space");
    let put = |name: &str, text: &str| {
        let path = here.path().join(name);
        fs::create_dir_all(path.parent().expect("it lies below")).expect("there is space");
        fs::write(path, text).expect("there is space");
    };
    put("policy.yaml", &examples("policy").swap_remove(1).1);
    put("mine/policy.yaml", &examples("policy").swap_remove(1).1);
    put("mine/watertight.toml", &examples("config").swap_remove(0).1);
    put("fleet.toml", &examples("fleet").swap_remove(0).1);
    match Fleet::read(&here.path().join("fleet.toml")) {
        Ok(fleet) => assert_eq!(fleet.servers, ["files", "mine"]),
        Err(problems) => panic!("{}", problems.render(Look::PLAIN)),
    }
}
