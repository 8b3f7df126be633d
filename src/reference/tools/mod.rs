//! The tools: one table of names, descriptions, effects, schemas and functions; one file per family.
//!
//! Owns the table. Must not know the protocol beyond a tool's declaration.

mod archive;
mod copy;
mod download;
mod environment;
pub(super) mod execute;
mod list;
mod net;
mod patch;
mod read;
mod render;
mod repo;
mod write;

use std::sync::Arc;

use futures::future::BoxFuture;
use rmcp::handler::server::common::schema_for_type;
use rmcp::model::{JsonObject, Tool, ToolAnnotations};
use serde::de::DeserializeOwned;

use super::Flaw;
use super::refusal::Refusal;
use super::world::World;

/// What a call changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Effect {
    /// Nothing on disk.
    Reads,
    /// Creates or replaces.
    Writes,
    /// Removes without putting anything in place; a client should ask before.
    Destroys,
    /// Nothing here; it reaches hosts.
    Reaches,
    /// Nothing here; it asks the API of the server.
    Asks,
    /// A file of what a host sends.
    Downloads,
    /// Nothing by itself; it runs programs, or evaluates what the caller gives.
    Executes,
    /// Nothing; it tells of the server itself.
    Tells,
}

/// How a call is run.
#[derive(Clone, Copy)]
pub(super) enum Run {
    /// On a thread of its own.
    Blocks(fn(&World, JsonObject) -> Result<String, Refusal>),
    /// Among others; dropped when the client cancels it.
    Awaits(fn(Arc<World>, JsonObject) -> BoxFuture<'static, Result<String, Refusal>>),
}

/// One tool.
pub(super) struct ToolSpec {
    pub(super) name: &'static str,
    description: &'static str,
    effect: Effect,
    schema: fn() -> Arc<JsonObject>,
    pub(super) run: Run,
}

impl ToolSpec {
    /// What kind of event a call of it is, in the audit log.
    pub(super) fn event(&self) -> &'static str {
        match self.effect {
            Effect::Reaches | Effect::Asks | Effect::Downloads => "network_request",
            Effect::Executes => "command_execution",
            Effect::Reads | Effect::Writes | Effect::Destroys | Effect::Tells => "file_access",
        }
    }

    /// Whether the server has the tool at all.
    pub(super) fn exists(&self, world: &World) -> bool {
        match self.effect {
            Effect::Reaches => world.net.is_some(),
            Effect::Asks => world.net.as_ref().is_some_and(|net| net.api.is_some()),
            Effect::Downloads => world.net.as_ref().is_some_and(|net| net.downloads),
            Effect::Executes => world.options.execution.is_some() || world.flaws().of_execution(),
            Effect::Tells => !world.options.variables.is_empty() || world.flaws().of_environment(),
            _ => true,
        }
    }

    /// Whether the server's mode has the tool.
    pub(super) fn available(&self, world: &World) -> bool {
        const FORGOTTEN: [&str; 3] = ["edit_file", "move_file", "create_directory"];
        self.harmless()
            || !world.options.read_only
            || (world.has(Flaw::ReadOnlyPartial) && FORGOTTEN.contains(&self.name))
    }

    fn harmless(&self) -> bool {
        matches!(
            self.effect,
            Effect::Reads | Effect::Reaches | Effect::Asks | Effect::Executes | Effect::Tells
        )
    }

    /// The tool as a client sees it.
    pub(super) fn declaration(&self) -> Tool {
        let hints = ToolAnnotations::new()
            .read_only(self.harmless())
            .destructive(self.effect == Effect::Destroys)
            .idempotent(self.harmless())
            .open_world(matches!(
                self.effect,
                Effect::Reaches | Effect::Asks | Effect::Downloads
            ));
        Tool::new(self.name, self.description, (self.schema)()).with_annotations(hints)
    }
}

/// Reads the arguments of a call.
fn parse<A: DeserializeOwned>(arguments: JsonObject) -> Result<A, Refusal> {
    serde_json::from_value(arguments.into())
        .map_err(|error| Refusal::invalid(format!("Invalid arguments: {error}")))
}

/// Bytes as text; what is not UTF-8 is replaced.
fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// Declares the table: name, effect, how it runs, function, argument type, description.
macro_rules! tools {
    ($($name:literal $effect:ident $run:ident $module:ident::$function:ident($arguments:ident) $text:literal)*) => {
        /// Every tool, in the order in which they are listed.
        pub(super) static TOOLS: &[ToolSpec] = &[$(ToolSpec {
            name: $name,
            description: $text,
            effect: Effect::$effect,
            schema: schema_for_type::<$module::$arguments>,
            run: Run::$run($module::$function),
        },)*];
    };
}

tools! {
    "read_file" Reads Blocks read::read_file(ReadFile) "Read a text file, or a part of it"
    "read_files" Reads Blocks read::read_files(ReadFiles) "Read several text files at once"
    "file_info" Reads Blocks read::file_info(FileInfo) "Show the size, modification time and SHA-256 of a file"
    "get_note" Reads Blocks read::get_note(GetNote) "Show the note with an identifier: the file <id>.md or <id>.txt in the first allowed directory"
    "stage_file" Reads Blocks read::stage_file(StageFile) "Read a file into memory; answers with an id for show_staged"
    "show_staged" Reads Blocks read::show_staged(ShowStaged) "Show the content of a file that stage_file has read"
    "list_directory" Reads Blocks list::list_directory(ListDirectory) "List the entries of a directory with their sizes"
    "search_files" Reads Blocks list::search_files(SearchFiles) "Find the lines that contain a text in the files below a directory; links are not followed"
    "render" Reads Blocks render::render(Render) "Render a text document; a line `@include PATH` is replaced by that file's content"
    "read_archive" Reads Blocks archive::read_archive(ReadArchive) "Show the names and the text of the members of a zip, tar or tar.gz archive"
    "git_log" Reads Blocks repo::git_log(GitLog) "Show the commit messages of a git repository"
    "write_file" Writes Blocks write::write_file(WriteFile) "Create a file, or replace its content"
    "edit_file" Writes Blocks write::edit_file(EditFile) "Replace texts in a file; answers with the difference"
    "export_report" Writes Blocks write::export_report(ExportReport) "Save a short report with a title to a file"
    "create_directory" Writes Blocks write::create_directory(CreateDirectory) "Create a directory and its missing parents"
    "create_project" Writes Blocks write::create_project(CreateProject) "Create a project: a new directory with a README"
    "delete_file" Destroys Blocks write::delete_file(DeleteFile) "Delete a file"
    "copy_file" Writes Blocks copy::copy_file(CopyFile) "Copy a file, or a directory with what is in it"
    "move_file" Writes Blocks copy::move_file(MoveFile) "Move or rename a file; the new name must not be taken"
    "apply_patch" Writes Blocks patch::apply_patch(ApplyPatch) "Apply a unified diff whose paths are relative to the first allowed directory"
    "extract_archive" Writes Blocks archive::extract_archive(ExtractArchive) "Extract a zip, tar or tar.gz archive into a directory"
    "sort_lines" Executes Blocks execute::sort_lines(SortLines) "Sort lines of text by a key, with the program sort"
    "run_command" Executes Blocks execute::run_command(RunCommand) "Run one of the allowed commands"
    "calculate" Executes Blocks execute::calculate(Calculate) "Calculate the value of an arithmetic expression"
    "fill_template" Executes Blocks execute::fill_template(FillTemplate) "Fill in a template"
    "run_code" Executes Blocks execute::run_code(RunCode) "Run Python code that prints something"
    "query" Executes Blocks execute::query(Query) "Run a SQL query on the database"
    "describe_table" Executes Blocks execute::describe_table(DescribeTable) "Show the columns of a table"
    "add_allowed_directory" Executes Blocks execute::add_directory(AddDirectory) "Add a directory to the allowed ones"
    "http_get" Reaches Awaits net::http_get(HttpGet) "Fetch a URL with GET; answers with the status and the body"
    "download" Downloads Awaits download::download(Download) "Download a URL to a file in the first allowed directory, under the name that the host gives it"
    "can_connect" Reaches Awaits net::can_connect(CanConnect) "Find out whether a TCP connection to a port of a host can be made"
    "get_variable" Tells Blocks environment::get_variable(GetVariable) "Show the value of an environment variable"
    "show_message" Tells Blocks environment::show_message(ShowMessage) "Show a message as it would stand in the log"
    "server_status" Tells Blocks environment::server_status(ServerStatus) "Show how the server runs"
    "get_record" Asks Awaits net::get_record(GetRecord) "Show the notes of a record by its id"
    "resolve" Reaches Awaits net::resolve(Resolve) "Look up the addresses of a host name"
}
