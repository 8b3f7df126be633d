//! The tools that run programs or evaluate what the caller gives.
//!
//! Owns the sound ways: argument vectors instead of shells, one option for one value, an allow-list
//! of commands whose paths pass the guard, and evaluators that know nothing but what they are for.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::process::{Command, Stdio};

use rmcp::model::JsonObject;
use schemars::JsonSchema;
use serde::Deserialize;

use super::{parse, text};
use crate::reference::Flaw;
use crate::reference::flawed::execute as flawed;
use crate::reference::refusal::Refusal;
use crate::reference::world::World;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct SortLines {
    /// The lines to sort.
    text: String,
    /// What to sort by, as sort(1) has it: `2`, `2,3`, `1n`.
    key: String,
}

pub(super) fn sort_lines(world: &World, arguments: JsonObject) -> Result<String, Refusal> {
    let arguments: SortLines = parse(arguments)?;
    let lines = match world.has(Flaw::ExecTemplate) {
        true => filled(
            &arguments.text,
            |inner| Ok(value(inner).unwrap_or_default()),
        )?,
        false => arguments.text,
    };
    match flawed::sort(world, &lines, &arguments.key) {
        Some(sorted) => sorted,
        None => {
            let mut sort = program(world, "sort");
            sort.arg("-k").arg(&arguments.key);
            run(sort, &lines)
        }
    }
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct RunCommand {
    /// One of the allowed commands with its arguments; there is no shell, and paths must be permitted.
    command: String,
    /// The directory to run it in; without one, the first allowed directory.
    cwd: Option<String>,
    /// Variables for it: `LANG`, `LC_ALL` and `TZ`.
    #[serde(default)]
    env: BTreeMap<String, String>,
}

/// The variables that a caller may set for a command.
const HARMLESS: [&str; 3] = ["LANG", "LC_ALL", "TZ"];

pub(super) fn run_command(world: &World, arguments: JsonObject) -> Result<String, Refusal> {
    let arguments: RunCommand = parse(arguments)?;
    if let Some(answer) = flawed::command(world, &arguments.command, arguments.cwd.as_deref()) {
        return answer;
    }
    let words = shell_words::split(&arguments.command)
        .map_err(|error| Refusal::invalid(format!("Not a command: {error}")))?;
    let (name, rest) = words
        .split_first()
        .ok_or_else(|| Refusal::invalid("Not a command"))?;
    if !allowed(world, name) {
        return Err(Refusal::Command);
    }
    let cwd = match &arguments.cwd {
        Some(cwd) => world.guard.existing(cwd)?.path(),
        None => world.guard.first_root()?.to_path_buf(),
    };
    let harmless = |name: &String| HARMLESS.contains(&name.as_str());
    if !world.has(Flaw::ExecAnyVariable) && !arguments.env.keys().all(harmless) {
        return Err(Refusal::invalid("Not a variable that may be set"));
    }
    let mut command = program(world, name);
    command.current_dir(&cwd).envs(&arguments.env);
    for word in rest {
        let plain = word
            .bytes()
            .skip(usize::from(word.starts_with('-')))
            .all(|byte| byte.is_ascii_alphanumeric());
        let option = word.starts_with('-') || word.bytes().all(|byte| byte.is_ascii_digit());
        match option && plain {
            true => command.arg(word),
            false => command.arg(
                world
                    .guard
                    .existing(&cwd.join(word).to_string_lossy())?
                    .path(),
            ),
        };
    }
    run(command, "")
}

/// A program that is given nothing of the server's environment but where programs are.
fn program(world: &World, name: &str) -> Command {
    let mut program = Command::new(name);
    if !world.has(Flaw::EnvChildren) {
        program
            .env_clear()
            .envs(std::env::var_os("PATH").map(|path| ("PATH", path)));
    }
    program
}

/// Whether a command is on the list, by exactly this name.
pub(in crate::reference) fn allowed(world: &World, name: &str) -> bool {
    let listed = world.options.execution.as_ref();
    listed.is_some_and(|options| options.commands.iter().any(|known| known == name))
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Calculate {
    /// An arithmetic expression of numbers, `+ - * /` and brackets.
    expression: String,
}

pub(super) fn calculate(world: &World, arguments: JsonObject) -> Result<String, Refusal> {
    let arguments: Calculate = parse(arguments)?;
    if world.has(Flaw::ExecExpression) {
        return flawed::evaluated(&arguments.expression);
    }
    value(&arguments.expression)
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct RunCode {
    /// Python code: `print(...)` of arithmetic, or of `open("PATH").read()`.
    code: String,
}

pub(super) fn run_code(world: &World, arguments: JsonObject) -> Result<String, Refusal> {
    let arguments: RunCode = parse(arguments)?;
    if let Some(answer) = flawed::code(world, &arguments.code) {
        return answer;
    }
    let printed = arguments.code.trim();
    let printed = printed
        .strip_prefix("print(")
        .and_then(|rest| rest.strip_suffix(')'))
        .ok_or_else(|| Refusal::invalid("SyntaxError: only print(...) is known"))?;
    match opened(printed) {
        Some(path) => Ok(text(&world.read(path)?)),
        None => value(printed),
    }
}

/// The path in `open("PATH").read()`.
pub(in crate::reference) fn opened(code: &str) -> Option<&str> {
    let rest = code.trim().strip_prefix("open(")?;
    let (argument, _) = rest.split_once(')')?;
    Some(argument.split(',').next()?.trim().trim_matches(['"', '\'']))
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Query {
    /// A SELECT statement of SQL on the one table, `notes`: arithmetic, or `read_text('PATH')`.
    sql: String,
}

pub(super) fn query(world: &World, arguments: JsonObject) -> Result<String, Refusal> {
    let arguments: Query = parse(arguments)?;
    let statement = arguments.sql.trim();
    if let Some(answer) = flawed::query(world, statement) {
        return answer;
    }
    let statement = statement.trim_end_matches(';');
    let selected = statement
        .get(..7)
        .filter(|word| word.eq_ignore_ascii_case("select "))
        .map(|_| &statement[7..])
        .filter(|rest| !rest.contains(';'))
        .ok_or_else(|| Refusal::invalid("Only one SELECT statement is permitted"))?;
    if let Some(path) = read_text(selected) {
        return Ok(text(&world.read(path)?));
    }
    if let Some((factor, inner)) = selected
        .strip_prefix("v * ")
        .and_then(|rest| rest.split_once(" AS answer FROM (SELECT "))
    {
        let inner = inner.split(" AS v").next().unwrap_or(inner);
        return value(&format!("{factor} * {inner}"));
    }
    value(selected.split(" AS ").next().unwrap_or(selected))
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct DescribeTable {
    /// Name of the table.
    table: String,
}

pub(super) fn describe_table(world: &World, arguments: JsonObject) -> Result<String, Refusal> {
    let arguments: DescribeTable = parse(arguments)?;
    if world.has(Flaw::SqlIdentifier)
        && let Some((_, rest)) = arguments.table.split_once("SELECT ")
    {
        return value(rest.split([')', '-']).next().unwrap_or(rest));
    }
    match arguments.table.as_str() {
        "notes" => Ok(String::from("notes: body TEXT")),
        _ => Err(Refusal::invalid("no such table")),
    }
}

/// The path in `... read_text('PATH')`.
pub(in crate::reference) fn read_text(sql: &str) -> Option<&str> {
    let (_, rest) = sql.split_once("read_text(")?;
    rest.split('\'').nth(1)
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct FillTemplate {
    /// A template: what stands in `{{` and `}}` is an arithmetic expression, and is replaced by its value.
    template: String,
}

pub(super) fn fill_template(world: &World, arguments: JsonObject) -> Result<String, Refusal> {
    let arguments: FillTemplate = parse(arguments)?;
    filled(&arguments.template, |expression| {
        let escapes = world.has(Flaw::ExecTemplateEscape);
        let escaped = escapes.then(|| flawed::rendered(expression)).flatten();
        escaped.unwrap_or_else(|| value(expression))
    })
}

/// Text with each `{{expression}}` replaced by its value.
pub(in crate::reference) fn filled(
    template: &str,
    value: impl Fn(&str) -> Result<String, Refusal>,
) -> Result<String, Refusal> {
    let mut out = String::new();
    let mut rest = template;
    while let Some((before, after)) = rest.split_once("{{") {
        let Some((inner, behind)) = after.split_once("}}") else {
            break;
        };
        out.push_str(before);
        out.push_str(&value(inner)?);
        rest = behind;
    }
    out.push_str(rest);
    Ok(out)
}

/// The value of an arithmetic expression, as text.
pub(in crate::reference) fn value(expression: &str) -> Result<String, Refusal> {
    let mut rest: &str = expression;
    let value = sum(&mut rest)?;
    match rest.trim() {
        "" => Ok(value.to_string()),
        _ => Err(Refusal::invalid("Not an arithmetic expression")),
    }
}

fn sum(rest: &mut &str) -> Result<f64, Refusal> {
    let mut value = product(rest)?;
    loop {
        match next(rest, &['+', '-']) {
            Some('+') => value += product(rest)?,
            Some(_) => value -= product(rest)?,
            None => return Ok(value),
        }
    }
}

fn product(rest: &mut &str) -> Result<f64, Refusal> {
    let mut value = atom(rest)?;
    loop {
        match next(rest, &['*', '/']) {
            Some('*') => value *= atom(rest)?,
            Some(_) => value /= atom(rest)?,
            None => return Ok(value),
        }
    }
}

fn atom(rest: &mut &str) -> Result<f64, Refusal> {
    let broken = || Refusal::invalid("Not an arithmetic expression");
    if next(rest, &['(']).is_some() {
        let value = sum(rest)?;
        return next(rest, &[')']).map(|_| value).ok_or_else(broken);
    }
    *rest = rest.trim_start();
    let end = rest
        .find(|letter: char| !letter.is_ascii_digit() && letter != '.')
        .unwrap_or(rest.len());
    let number = rest[..end].parse().map_err(|_| broken())?;
    *rest = &rest[end..];
    Ok(number)
}

fn next(rest: &mut &str, wanted: &[char]) -> Option<char> {
    let trimmed = rest.trim_start();
    let first = trimmed.chars().next().filter(|it| wanted.contains(it))?;
    *rest = &trimmed[first.len_utf8()..];
    Some(first)
}

/// Runs a program with this input; what it prints, or that it failed.
pub(in crate::reference) fn run(mut program: Command, input: &str) -> Result<String, Refusal> {
    let mut child = program
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()?;
    if let Some(mut pipe) = child.stdin.take() {
        // A program need not read what it is given.
        let _ = pipe.write_all(input.as_bytes());
    }
    let output = child.wait_with_output()?;
    match output.status.success() {
        true => Ok(text(&output.stdout)),
        false => Err(Refusal::invalid("The program failed")),
    }
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct AddDirectory {
    /// Path of the directory to add to the allowed ones; it must lie below one of them.
    path: String,
}

pub(super) fn add_directory(world: &World, arguments: JsonObject) -> Result<String, Refusal> {
    let arguments: AddDirectory = parse(arguments)?;
    if world.has(Flaw::ScopeWidens) {
        world.widen(&arguments.path);
        return Ok(format!("{} is allowed now", arguments.path));
    }
    if world.has(Flaw::ScopePersists) {
        world.keep(&arguments.path)?;
        return Ok(format!(
            "{} is allowed from the next start on",
            arguments.path
        ));
    }
    world.guard.existing(&arguments.path)?.directory()?;
    Ok(format!("{} is allowed", arguments.path))
}
