//! `--from FILE`: the server that an MCP client is configured with.
//!
//! Owns what its references to variables become, and which directory the run puts in the place of
//! one that the file names. The shapes of such files are the target module's.

use std::{env, path::Path};

use crate::{
    config::{Checker, Layer},
    diag::{At, Diagnostic, Problems, Source},
    target::{ClientConfig, ClientServer},
};

/// What the file says of the server, as if it stood in a config file. Variables that `flags` set are
/// not looked up.
pub(super) fn layer(path: &Path, server: Option<&str>, flags: &Layer) -> Layer {
    read(path, server, flags).unwrap_or_else(|problems| Layer {
        found: problems.into_vec(),
        ..Layer::default()
    })
}

fn read(path: &Path, name: Option<&str>, flags: &Layer) -> Result<Layer, Problems> {
    if path.exists() && !path.is_file() {
        // It is read once more in the namespaces of the run.
        let message = format!("{} is no regular file", path.display());
        return Err(Diagnostic::error("client::file", message).into());
    }
    let source = Source::read(path)?;
    let Some(config) = ClientConfig::recognise(&source) else {
        let message = format!("{} is no config of an MCP client", path.display());
        return Err(Diagnostic::error("client::unknown", message)
            .help(
                "such files have servers below `mcpServers`, `servers` or `mcp.servers`, each with \
                 a `command` or a `url`; a watertight.toml is given with --config",
            )
            .into());
    };
    let config = config?;
    let (name, server) = config.pick(name)?;
    let mut making = Making {
        source: config.source(),
        found: Vec::new(),
        concealed: Vec::new(),
    };
    let layer = making.layer(name, server, flags);
    Ok(Layer {
        found: making.found,
        concealed: making.concealed,
        ..layer
    })
}

struct Making<'a> {
    source: &'a Source,
    found: Vec<Diagnostic>,
    /// Values of variables that were looked up, with their names.
    concealed: Vec<(String, String)>,
}

impl Making<'_> {
    fn layer(&mut self, name: &str, server: &At<ClientServer>, flags: &Layer) -> Layer {
        let mut layer = Layer::default();
        let at = server;
        let server = &at.value;
        if let Some(words) = server.command_line() {
            layer.command = Some(self.command(&words));
        } else if let Some(url) = &server.url {
            let url = url.with(self.resolve(url, "--url"));
            layer.url = Some(self.checker().url(&url));
            for (name, value) in &server.headers {
                let text = value.with(value.value.0.clone());
                let text = self.resolve(&text, "--header");
                layer.headers.push((name.clone(), text));
            }
        } else {
            self.found.push(
                Diagnostic::error(
                    "client::no-command",
                    format!("the server `{name}` has neither a command nor a URL"),
                )
                .within(self.source)
                .label(at.span.clone(), "incomplete"),
            );
        }
        for (name, value) in &server.env {
            if flags.env.contains_key(name) {
                continue;
            }
            let text = value.with(value.value.0.clone());
            let text = self.resolve(&text, &format!("--env {name}=VALUE"));
            layer.env.insert(name.clone(), text);
        }
        layer.cwd = server.cwd.as_ref().map(|cwd| self.resolve(cwd, "--cwd"));
        layer
    }

    fn checker(&mut self) -> Checker<'_> {
        Checker {
            source: self.source,
            base: Path::new(""),
            found: &mut self.found,
        }
    }

    /// The words of the command. A directory that it names to the server becomes the one of the run.
    fn command(&mut self, words: &[At<String>]) -> Vec<String> {
        let mut command: Vec<String> = words
            .iter()
            .map(|word| self.resolve(word, "the command after --"))
            .collect();
        if command.iter().any(|word| word.contains("{allowed}")) {
            return command;
        }
        // What an interpreter is given first is its program.
        let first = if is_interpreter(&command[0]) { 2 } else { 1 };
        let given =
            (first..command.len()).find(|index| is_given(&command[index - 1], &command[*index]));
        if let Some(index) = given {
            self.found.push(
                Diagnostic::warning(
                    "client::directory",
                    format!(
                        "the server gets a directory of the run instead of {}",
                        command[index]
                    ),
                )
                .within(self.source)
                .label(words[index].span.clone(), "replaced by `{allowed}`")
                .help("give the command itself, after --, to have it otherwise"),
            );
            command[index] = String::from("{allowed}");
        }
        command
    }

    /// The text with its references replaced, as clients replace them: `${NAME}` and `${env:NAME}` by
    /// variables of this process, `${NAME:-DEFAULT}` with a default, `${workspaceFolder}` by the
    /// working directory, `${userHome}` by the home directory.
    fn resolve(&mut self, text: &At<String>, flag: &str) -> String {
        let mut resolved = String::new();
        let mut rest = text.value.as_str();
        while let Some(start) = rest.find("${") {
            let Some(length) = rest[start..].find('}') else {
                break;
            };
            resolved.push_str(&rest[..start]);
            let reference = &rest[start + 2..start + length];
            match value(reference) {
                Ok((value, variable)) => {
                    resolved.push_str(&value);
                    self.concealed.extend(variable.map(|name| (value, name)));
                }
                Err(why) => self.found.push(
                    Diagnostic::error("client::reference", why)
                        .within(self.source)
                        .label(text.span.clone(), "refers to it")
                        .help(format!("set it before the run, or give {flag} yourself")),
                ),
            }
            rest = &rest[start + length + 1..];
        }
        resolved.push_str(rest);
        resolved
    }
}

fn is_interpreter(program: &str) -> bool {
    let name = Path::new(program).file_stem().unwrap_or_default();
    let name = name.to_string_lossy();
    let names = ["bun", "deno", "node", "ruby", "sh", "bash"];
    names.contains(&&*name) || name.starts_with("python")
}

/// Whether a word is a directory that the server may use: one that stands alone, or after a flag that
/// says so. After other flags it may be where the server itself lies.
fn is_given(before: &str, word: &str) -> bool {
    let says_so = ["root", "allow"].iter().any(|part| before.contains(part));
    let path = Path::new(word);
    (says_so || !before.starts_with('-')) && path.is_absolute() && path.is_dir()
}

/// What a reference stands for, and the variable that it was taken from.
fn value(reference: &str) -> Result<(String, Option<String>), String> {
    let directory = |path: Option<std::path::PathBuf>| {
        let path = path.ok_or_else(|| format!("`${{{reference}}}` is not known here"))?;
        Ok((path.display().to_string(), None))
    };
    match reference {
        "workspaceFolder" => return directory(env::current_dir().ok()),
        "userHome" => return directory(env::home_dir()),
        _ => {}
    }
    let (name, default) = match reference.split_once(":-") {
        Some((name, default)) => (name, Some(default)),
        None => (reference, None),
    };
    let name = name.strip_prefix("env:").unwrap_or(name);
    if name.contains(':') {
        return Err(format!("only the client knows `${{{reference}}}`"));
    }
    match (env::var(name), default) {
        (Ok(value), _) if !value.is_empty() || default.is_none() => {
            Ok((value, Some(name.to_owned())))
        }
        (_, Some(default)) => Ok((default.to_owned(), None)),
        (_, None) => Err(format!("the variable {name} is not set")),
    }
}
