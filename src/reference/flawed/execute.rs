//! The defects of the tools that run programs or evaluate what the caller gives.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::Path;
use std::process::Command;
use std::sync::PoisonError;
use std::time::Duration;

use crate::reference::Flaw;
use crate::reference::refusal::Refusal;
use crate::reference::tools::execute::{allowed, opened, read_text, run, value};
use crate::reference::world::World;

/// A command line given to a shell.
fn shell(line: &str, input: &str) -> Result<String, Refusal> {
    let mut shell = Command::new("sh");
    shell.arg("-c").arg(line);
    run(shell, input)
}

/// The flawed ways to sort, if one is switched on.
pub(in crate::reference) fn sort(
    world: &World,
    lines: &str,
    key: &str,
) -> Option<Result<String, Refusal>> {
    if world.has(Flaw::ExecShell) {
        return Some(shell(&format!("sort -k {key}"), lines));
    }
    if world.has(Flaw::ExecShellQuoted) {
        return Some(shell(&format!("sort -k '{key}'"), lines));
    }
    if world.has(Flaw::ExecShellFiltered) {
        if key.contains([';', '&', '|']) {
            return Some(Err(Refusal::invalid("Not a key")));
        }
        return Some(shell(&format!("sort -k \"{key}\""), lines));
    }
    if world.has(Flaw::ExecShellBlind) {
        let _ = shell(&format!("sort -k '{key}'"), lines);
        return Some(Ok(String::from("Sorted")));
    }
    if world.has(Flaw::ExecOption) {
        let mut sort = Command::new("sort");
        sort.arg(key);
        return Some(run(sort, lines));
    }
    if world.has(Flaw::ExecOptionWord) {
        let mut sort = Command::new("sort");
        sort.arg("-k").args(key.split_whitespace());
        return Some(run(sort, lines));
    }
    if world.has(Flaw::ExecLoad) && Path::new(key).is_file() {
        return Some(shell(&format!("sh '{key}'"), lines));
    }
    None
}

/// The value of an expression in a template, which may start a program.
pub(in crate::reference) fn rendered(expression: &str) -> Option<Result<String, Refusal>> {
    let (_, rest) = expression.split_once("popen('")?;
    Some(shell(rest.split('\'').next()?, ""))
}

/// The flawed ways to run a command, if one is switched on.
pub(in crate::reference) fn command(
    world: &World,
    line: &str,
    cwd: Option<&str>,
) -> Option<Result<String, Refusal>> {
    let first = line.split_whitespace().next().unwrap_or_default();
    if world.has(Flaw::ExecAnyCommand) {
        return Some(shell(line, ""));
    }
    if world.has(Flaw::ExecFirstWord) {
        return Some(match allowed(world, first) {
            true => shell(line, ""),
            false => Err(Refusal::Command),
        });
    }
    let relative = |word: &str| !word.starts_with('/') && !word.contains("..");
    let name = if world.has(Flaw::ExecDirectory) {
        cwd.filter(|_| line.split_whitespace().all(relative))
            .and(Some(first))?
    } else if world.has(Flaw::ExecBaseName) {
        Path::new(first).file_name()?.to_str()?
    } else if world.has(Flaw::ExecCommandPaths) {
        first
    } else {
        return None;
    };
    Some(match allowed(world, name) {
        true => {
            let words = shell_words::split(line).unwrap_or_default();
            let mut command = Command::new(words.first()?);
            command.args(&words[1..]);
            command.current_dir(cwd.unwrap_or("."));
            run(command, "")
        }
        false => Err(Refusal::Command),
    })
}

/// Arithmetic by a shell.
pub(in crate::reference) fn evaluated(expression: &str) -> Result<String, Refusal> {
    shell(&format!("echo $(({expression}))"), "")
}

/// The flawed ways to run code, if one is switched on.
pub(in crate::reference) fn code(world: &World, code: &str) -> Option<Result<String, Refusal>> {
    if world.has(Flaw::ExecCodeShared) {
        let code = match shared(code) {
            Ok(code) => code,
            Err(refusal) => return Some(Err(refusal)),
        };
        let printed = code.trim().strip_prefix("print(")?.strip_suffix(')')?;
        return Some(unchecked(&code).unwrap_or_else(|| value(printed)));
    }
    if world.has(Flaw::ExecCodeFiles)
        && let Some(content) = unchecked(code)
    {
        return Some(content);
    }
    if world.has(Flaw::ExecCodeEscape)
        && let Some((_, rest)) = code.split_once(".system(")
    {
        return Some(shell(rest.split(['"', '\'']).nth(1)?, ""));
    }
    None
}

/// The content of the file that code opens, wherever it lies.
fn unchecked(code: &str) -> Option<Result<String, Refusal>> {
    let (_, rest) = code.split_once("open(")?;
    let path = opened(&format!("open({rest}"))?.to_owned();
    Some(fs::read_to_string(path).map_err(Refusal::from))
}

/// What stands in the file of all calls after an interpreter would have started.
fn shared(code: &str) -> Result<String, Refusal> {
    const START: Duration = Duration::from_millis(30);
    let file = std::env::temp_dir().join("code.py");
    fs::write(&file, code)?;
    std::thread::sleep(START);
    Ok(fs::read_to_string(file)?)
}

/// The flawed ways to run a query, if one is switched on.
pub(in crate::reference) fn query(world: &World, sql: &str) -> Option<Result<String, Refusal>> {
    if world.has(Flaw::SqlNet)
        && let Some(url) = read_text(sql).and_then(|path| path.strip_prefix("http://"))
    {
        return Some(fetched(url));
    }
    if world.has(Flaw::SqlFileRead)
        && let Some(path) = read_text(sql)
    {
        return Some(fs::read_to_string(path).map_err(Refusal::from));
    }
    if world.has(Flaw::SqlDisguised)
        && let Some(answer) = table(world, sql)
    {
        return Some(answer);
    }
    let statements: Vec<&str> = sql
        .split(';')
        .map(str::trim)
        .filter(|statement| !statement.is_empty())
        .collect();
    let last = statements.last()?.to_ascii_uppercase();
    let quoted = || statements.last()?.split('\'').nth(1);
    let stacked = world.has(Flaw::SqlStacked) && statements.len() > 1;
    let writes = ["ATTACH ", "VACUUM INTO ", "COPY "]
        .iter()
        .any(|word| last.starts_with(word));
    if world.has(Flaw::SqlProgram) && last.contains(" PROGRAM ") {
        return Some(shell(quoted()?, ""));
    }
    if (stacked || world.has(Flaw::SqlFileWrite)) && writes {
        let made = fs::write(quoted()?, "a table\n");
        return Some(made.map(|()| String::from("Done")).map_err(Refusal::from));
    }
    None
}

/// Makes a table, unless the statement begins with the word for it, or multiplies what stands in one.
fn table(world: &World, sql: &str) -> Option<Result<String, Refusal>> {
    let mut tables = world.tables.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some((_, made)) = sql.split_once("CREATE TABLE ") {
        if sql.starts_with("CREATE") {
            return Some(Err(Refusal::invalid("Only queries are permitted")));
        }
        let (name, value) = made.split_once(" AS SELECT ")?;
        let value = value.split(' ').next()?.parse().ok()?;
        tables.insert(name.to_owned(), value);
        return Some(Ok(String::from("Done")));
    }
    let (factor, name) = sql
        .strip_prefix("SELECT v * ")?
        .split_once(" AS answer FROM ")
        .filter(|(_, name)| !name.starts_with('('))?;
    let known = tables.get(name).copied();
    let known = known.ok_or_else(|| Refusal::invalid("no such table"));
    let factor: f64 = factor.parse().ok()?;
    Some(known.map(|value| (value * factor).to_string()))
}

/// What a web server answers, as a database reads it: without any check of where it is.
fn fetched(url: &str) -> Result<String, Refusal> {
    let (host, path) = url.split_once('/').unwrap_or((url, ""));
    let address = match host.rsplit_once(':') {
        Some((_, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => host.to_owned(),
        _ => format!("{host}:80"),
    };
    let mut stream = TcpStream::connect(address).map_err(Refusal::from)?;
    write!(stream, "GET /{path} HTTP/1.0\r\nHost: {host}\r\n\r\n").map_err(Refusal::from)?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).map_err(Refusal::from)?;
    Ok(answer)
}

/// What the configuration of a repository names as a program.
pub(in crate::reference) fn run_configured(git: &Path) {
    let config = fs::read_to_string(git.join("config")).unwrap_or_default();
    let named = config
        .lines()
        .filter_map(|line| line.split_once('='))
        .find(|(key, _)| key.trim() == "fsmonitor");
    if let Some((_, program)) = named {
        let _ = shell(program.trim().trim_matches('"'), "");
    }
}

/// What the branch that is checked out is called, as a word of a command.
pub(in crate::reference) fn sort_branch(git: &Path) {
    let head = fs::read_to_string(git.join("HEAD")).unwrap_or_default();
    if let Some(branch) = head.trim().strip_prefix("ref: refs/heads/") {
        let mut sort = Command::new("sort");
        sort.arg(branch);
        let _ = run(sort, "");
    }
}

/// A program called `git` in the working directory, if there is one.
pub(in crate::reference) fn run_nearby() {
    if Path::new("git").is_file() {
        let _ = shell("./git log", "");
    }
}
