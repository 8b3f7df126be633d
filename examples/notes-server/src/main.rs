//! An MCP server for notes in one directory: `notes-server DIRECTORY`.
//!
//! The kernel keeps it there: names are opened below a descriptor of the directory, with
//! `RESOLVE_BENEATH` of openat2(2), so neither `..` nor links lead out, whoever changes them meanwhile.
//! With `--trusting` names are joined to the path of the directory instead, which is the flaw that the
//! tests are there to find.

use std::{
    fs::File,
    io::{Read as _, Write as _},
    path::PathBuf,
    sync::Arc,
};

use rmcp::{
    ErrorData, ServiceExt as _,
    handler::server::wrapper::Parameters,
    model::{CallToolResult, ContentBlock},
    tool, tool_router,
    transport::stdio,
};
use rustix::fs::{CWD, Mode, OFlags, ResolveFlags, openat, openat2};
use schemars::JsonSchema;
use serde::Deserialize;

/// The server.
#[derive(Clone)]
struct Notes {
    directory: Arc<File>,
    /// The path that names are joined to, in the flawed server.
    trusting: Option<PathBuf>,
}

/// Which note.
#[derive(Deserialize, JsonSchema)]
struct Which {
    /// Path of the note, relative to the directory of notes.
    path: String,
}

/// A note to write.
#[derive(Deserialize, JsonSchema)]
struct Note {
    /// Path of the note, relative to the directory of notes.
    path: String,
    /// What it says.
    content: String,
}

impl Notes {
    fn open(&self, path: &str, flags: OFlags) -> std::io::Result<File> {
        // A pipe in the place of a note must not keep the server waiting.
        let flags = flags | OFlags::CLOEXEC | OFlags::NONBLOCK;
        let mode = Mode::from_raw_mode(0o644);
        let file = match &self.trusting {
            Some(directory) => openat(CWD, directory.join(path), flags, mode)?,
            None => openat2(
                &*self.directory,
                path,
                flags,
                if flags.contains(OFlags::CREATE) {
                    mode
                } else {
                    Mode::empty()
                },
                ResolveFlags::BENEATH | ResolveFlags::NO_MAGICLINKS,
            )?,
        };
        let file = File::from(file);
        let about = file.metadata()?;
        // Another name of a note may be one outside.
        let shared = std::os::unix::fs::MetadataExt::nlink(&about) > 1;
        if !about.is_file() || (shared && self.trusting.is_none()) {
            return Err(std::io::Error::other("this is no note"));
        }
        Ok(file)
    }
}

#[tool_router(server_handler)]
impl Notes {
    #[tool(description = "Read a note")]
    fn read_note(
        &self,
        Parameters(Which { path }): Parameters<Which>,
    ) -> Result<CallToolResult, ErrorData> {
        let mut text = String::new();
        let read = self
            .open(&path, OFlags::RDONLY)
            .and_then(|mut file| file.read_to_string(&mut text));
        Ok(answer(read.map(|_| text)))
    }

    #[tool(description = "Write a note, over one that is there")]
    fn write_note(
        &self,
        Parameters(Note { path, content }): Parameters<Note>,
    ) -> Result<CallToolResult, ErrorData> {
        // Truncated only once it is known to be a note.
        let written = self
            .open(&path, OFlags::WRONLY | OFlags::CREATE)
            .and_then(|mut file| {
                file.set_len(0)?;
                file.write_all(content.as_bytes())
            });
        Ok(answer(written.map(|()| String::from("written"))))
    }
}

fn answer(result: std::io::Result<String>) -> CallToolResult {
    match result {
        Ok(text) => CallToolResult::success(vec![ContentBlock::text(text)]),
        Err(error) => CallToolResult::error(vec![ContentBlock::text(error.to_string())]),
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut directory = None;
    let mut trusting = false;
    for argument in std::env::args_os().skip(1) {
        if argument == "--trusting" {
            trusting = true;
        } else {
            directory = Some(PathBuf::from(argument));
        }
    }
    let directory = directory.ok_or("usage: notes-server [--trusting] DIRECTORY")?;
    let notes = Notes {
        directory: Arc::new(File::open(&directory)?),
        trusting: trusting.then_some(directory),
    };
    notes.serve(stdio()).await?.waiting().await?;
    Ok(())
}
