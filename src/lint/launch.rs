//! Command lines that start a server: what stands on them, what they fetch, what they open.
//!
//! Owns the reading of the flags of launchers, as far as they matter here; those of container
//! engines are read in `container.rs`.

use super::{
    container,
    finding::{Finder, Place, short},
    wide::{Wide, wide_path},
};
use crate::{
    diag::{At, Source},
    probe::Severity,
    target::{Launcher, launcher},
};

/// Checks a command line, program first.
pub(super) fn check(finder: &mut Finder<'_>, words: &[At<String>]) {
    let mut before: Option<&str> = None;
    for word in words {
        argument(finder, before, word);
        before = Some(&word.value);
    }
    let words = unwrapped(words);
    let Some((program, args)) = words.split_first() else {
        return;
    };
    pipe_to_shell(finder, &words);
    let texts: Vec<String> = args.iter().map(|at| at.value.clone()).collect();
    let launched = launcher(&program.value, &texts);
    if launched == Some(Launcher::Container) {
        container::check(finder, args);
        return;
    }
    for at in args {
        let path = match at.value.split_once('=') {
            Some((flag, path)) if flag.starts_with('-') => path,
            _ => at.value.as_str(),
        };
        // Programs and their data lie in directories of the system.
        let wide = wide_path(path).filter(|wide| *wide != Wide::System);
        finder.wide_launch(at.span.clone(), wide);
    }
    if let Some(launched) = launched
        && let Some(package) = package(launched, args)
        && !pinned(launched, &package.value)
    {
        let message = format!(
            "`{}` is launched in whatever version there is",
            short(&package.value)
        );
        finder.add(
            "launch.unpinned",
            package.span.clone(),
            "no exact version",
            message,
        );
    }
}

/// Secrets among the words of a command line: each told without itself, and itself.
pub(crate) fn argument_secrets(words: &[String]) -> Vec<(String, String)> {
    let line = Source::new("command line", words.join(" "));
    let mut finder = Finder::new(&line);
    let mut start = 0;
    let mut before: Option<&str> = None;
    for word in words {
        let at = At {
            value: word.clone(),
            span: start..start + word.len(),
        };
        argument(&mut finder, before, &at);
        start = at.span.end + 1;
        before = Some(word);
    }
    finder
        .found
        .into_iter()
        .filter(|one| one.rule.id == "secret.argument")
        .filter_map(|one| Some((one.message, one.secret?)))
        .collect()
}

/// Secrets and addresses in one argument; the one before it may name it.
fn argument(finder: &mut Finder<'_>, before: Option<&str>, word: &At<String>) {
    finder.in_clear(word, Severity::Medium);
    let text = &word.value;
    // `NAME=VALUE`, `--flag=VALUE`, `Header: VALUE`, or the value of the flag before.
    let named = text
        .split_once('=')
        .filter(|(name, _)| is_name(name))
        .or_else(|| {
            text.split_once(':')
                .filter(|(name, rest)| is_name(name) && !rest.starts_with("//"))
        });
    let (name, value) = match named {
        Some((name, value)) => (Some(name), value),
        None => (
            before.filter(|flag| flag.starts_with('-') && !flag.contains('=')),
            text.as_str(),
        ),
    };
    // Whether the next word is a flag is not known; a flag is no secret.
    let name = name
        .map(|name| name.trim_start_matches('-'))
        .filter(|_| !value.starts_with('-'));
    let start = text.len() - value.len();
    let span = finder.place_of(word, &(start..text.len()));
    let part = At {
        value: value.to_owned(),
        span,
    };
    finder.secrets(Place::CommandLine, name, &part);
}

fn is_name(text: &str) -> bool {
    let bare = text.trim_start_matches('-');
    !bare.is_empty()
        && bare
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || "_-.".contains(c))
        && bare.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
}

/// Without a shell or `env` around it.
fn unwrapped(words: &[At<String>]) -> Vec<At<String>> {
    let stem = |at: &At<String>| {
        let name = at.value.rsplit(['/', '\\']).next().unwrap_or_default();
        name.trim_end_matches(".exe")
            .trim_end_matches(".cmd")
            .to_lowercase()
    };
    let mut words = words.to_vec();
    // A whole line where the program should stand.
    if let [line] = words.as_slice()
        && let Ok(split) = shell_words::split(&line.value)
        && split.len() > 1
    {
        words = parts_of(line, split);
    }
    for _ in 0..3 {
        let Some(program) = words.first() else {
            break;
        };
        let second = words.get(1).map(|at| at.value.to_lowercase());
        match (stem(program).as_str(), second.as_deref()) {
            ("cmd", Some("/c" | "/k")) => {
                words.drain(..2);
            }
            ("sh" | "bash" | "zsh" | "dash", Some("-c" | "-lc" | "-ic" | "-ec")) => {
                let Some(line) = words.get(2).cloned() else {
                    break;
                };
                let Ok(split) = shell_words::split(&line.value) else {
                    break;
                };
                words = parts_of(&line, split);
            }
            ("env" | "exec" | "sudo", _) => {
                words.remove(0);
                while words
                    .first()
                    .is_some_and(|at| at.value.starts_with('-') || at.value.contains('='))
                {
                    words.remove(0);
                }
            }
            // A launcher with its path or ending, as on Windows.
            (name, _) if name != program.value => {
                let name = program.with(name.to_owned());
                words[0] = name;
            }
            _ => break,
        }
    }
    words
}

/// Words that were split from a value, with their own places if the value is written plainly.
fn parts_of(whole: &At<String>, words: Vec<String>) -> Vec<At<String>> {
    // With the quotes around the value: one character each.
    let plain = whole.span.len() == whole.value.len() + 2;
    words
        .into_iter()
        .map(|word| {
            let place = whole.value.find(&word).filter(|_| plain);
            let mut at = whole.with(word);
            if let Some(place) = place {
                let start = whole.span.start + 1 + place;
                at.span = start..start + at.value.len();
            }
            at
        })
        .collect()
}

fn pipe_to_shell(finder: &mut Finder<'_>, words: &[At<String>]) {
    let fetches = |at: &At<String>| ["curl", "wget", "iwr", "irm"].contains(&at.value.as_str());
    let shell =
        |word: &str| ["sh", "bash", "zsh", "iex", "python", "python3", "node"].contains(&word);
    let Some(fetch) = words.iter().find(|at| fetches(at)) else {
        return;
    };
    let mut after_pipe = false;
    for at in words {
        if after_pipe && shell(&at.value) {
            finder.add(
                "launch.pipe-to-shell",
                fetch.span.clone(),
                "fetched, and run at once",
                "a program is fetched and piped into a shell",
            );
            return;
        }
        after_pipe =
            at.value == "|" || (after_pipe && at.value == "sudo") || at.value.ends_with('|');
    }
}

/// The package that a launcher is told to run.
fn package(launched: Launcher, args: &[At<String>]) -> Option<&At<String>> {
    let skipped: &[&str] = match launched {
        Launcher::Npm => &["exec", "x"],
        Launcher::Bun => &["x"],
        Launcher::Pnpm | Launcher::Yarn => &["dlx"],
        Launcher::Uv => &["tool", "run"],
        Launcher::Pipx => &["run"],
        Launcher::Deno | Launcher::Container => return None,
    };
    // Flags that name the package, and flags whose value is something else.
    let names: &[&str] = match launched {
        Launcher::Npm | Launcher::Bun | Launcher::Pnpm | Launcher::Yarn => &["-p", "--package"],
        _ => &["--from", "--spec"],
    };
    let valued = [
        "--python",
        "--with",
        "--index",
        "--index-url",
        "--extra-index-url",
        "--directory",
        "--project",
        "--registry",
        "--cache",
        "--prefix",
        "-c",
        "--call",
        "--env-file",
        "--default-index",
    ];
    let mut rest = args.iter();
    // `uv run` runs a script of the project, unless it is `uv tool run` or `uvx`.
    if launched == Launcher::Uv && args.first().is_some_and(|at| at.value == "run") {
        return None;
    }
    while let Some(at) = rest.next() {
        let word = at.value.as_str();
        if names.contains(&word) {
            return rest.next();
        }
        if valued.contains(&word) || (word == "-p" && launched == Launcher::Uv) {
            // `uv run --directory X script` runs what lies there.
            if ["--directory", "--project"].contains(&word) {
                return None;
            }
            rest.next();
            continue;
        }
        let names_it = names
            .iter()
            .any(|name| word.starts_with(&format!("{name}=")));
        if names_it || (!word.starts_with('-') && !skipped.contains(&word)) {
            return Some(at);
        }
    }
    None
}

fn pinned(launched: Launcher, package: &str) -> bool {
    let package = package
        .rsplit_once("--package=")
        .map_or(package, |(_, name)| name);
    let package = package.strip_prefix("--from=").unwrap_or(package);
    if package.starts_with(['.', '/', '~', '$', '<', '{']) || package.contains("${") {
        return true;
    }
    // Sources in version control are fixed by a tag or a commit.
    if package.contains("://") || package.starts_with("github:") || package.starts_with("git+") {
        let after_host = package.rsplit('/').next().unwrap_or_default();
        return after_host.contains(['@', '#']);
    }
    let version = match launched {
        Launcher::Uv | Launcher::Pipx => package
            .split_once("==")
            .or_else(|| package.split_once('@'))
            .map(|(_, version)| version),
        _ => package
            .get(1..)
            .and_then(|rest| rest.split_once('@'))
            .map(|(_, version)| version),
    };
    version.is_some_and(|version| {
        version
            .trim_start_matches('v')
            .starts_with(|c: char| c.is_ascii_digit())
            && version.contains('.')
            && !version.contains(['x', '*', '^', '~', '>', '<'])
    })
}
