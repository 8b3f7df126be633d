//! Flags of every subcommand that starts a target or attaches to one.
//!
//! Owns their names and help texts.

use std::path::{Path, PathBuf};

use clap::Args;

use super::word_of_flag;
use crate::{
    channel::LOCK_FILE,
    config::{Era, Testbed},
};

/// Flags that say which target is started, and how it is spoken to.
#[derive(Debug, Clone, Default, Args)]
pub struct LaunchArgs {
    /// Program and arguments of the server; `{allowed}` is its directory
    #[arg(last = true, value_name = "COMMAND", help_heading = "Target")]
    pub command: Vec<String>,

    /// Run the server by this sandbox, one text as for a shell
    #[arg(
        long,
        value_name = "COMMAND LINE",
        help_heading = "Target",
        long_help = "Run the server by this sandbox, one text as for a shell\n\n\
            The same as to write it before the server's command. That says what is sandbox and what is \
            server, where no `--` in the command does."
    )]
    pub wrapper: Option<String>,

    /// Attach to a running server, or say where the command serves
    #[arg(
        long,
        value_name = "URL",
        help_heading = "Target",
        long_help = "Attach to a running server (streamable HTTP), or say where the command serves\n\n\
            With a command, that is started, in the world of the run, and spoken to at this address of \
            the machine, which must name the port."
    )]
    pub url: Option<String>,

    /// Take the server that an MCP client is configured with
    #[arg(
        long,
        value_name = "FILE",
        help_heading = "Target",
        conflicts_with_all = ["command", "url"]
    )]
    pub from: Option<PathBuf>,

    /// Which server of --from, or of a fleet file given by --config
    #[arg(
        long,
        value_name = "NAME",
        help_heading = "Target",
        conflicts_with_all = ["command", "url"]
    )]
    pub server: Option<String>,

    /// Send a header with each request; repeatable
    #[arg(long, value_name = "NAME: VALUE", help_heading = "Target")]
    pub header: Vec<String>,

    /// Send the bearer token that this variable holds
    #[arg(long, value_name = "VARIABLE", help_heading = "Target")]
    pub bearer_env: Option<String>,

    /// Share this existing directory with the server
    #[arg(long, value_name = "DIR", help_heading = "Target")]
    pub allowed: Option<String>,

    /// Set a variable for the server; repeatable
    ///
    /// `API_URL={sink}` tells a server that its API is where the run answers for it; `{allowed}`, `{denied}`, `{outside}`,
    /// `{home}` and `{tmp}` stand for directories of the run. All may stand in the command, too.
    #[arg(long, value_name = "NAME=VALUE", help_heading = "Target")]
    pub env: Vec<String>,

    /// Pass a variable of yours on to the server; repeatable
    #[arg(long, value_name = "NAME", help_heading = "Target")]
    pub pass_env: Vec<String>,

    /// Run the server in this directory
    #[arg(long, value_name = "DIR", help_heading = "Target")]
    pub cwd: Option<String>,

    /// Copy what is in this directory into the allowed one first
    #[arg(
        long,
        value_name = "DIR",
        help_heading = "Target",
        conflicts_with = "allowed",
        long_help = "Copy what is in this directory into the allowed one, before the server starts: a repository, a \
            database, a configuration that it cannot start without"
    )]
    pub fixture: Option<String>,

    /// Tell the server this root; repeatable
    #[arg(long, value_name = "PATH", help_heading = "Target")]
    pub roots: Vec<String>,

    /// Tell where the server has a directory; repeatable
    #[arg(
        long,
        value_name = "HOST=INSIDE",
        help_heading = "Target",
        long_help = "Tell where the server has a directory; repeatable\n\n\
            Only where that cannot be found out, since its process cannot be looked at: a server on \
            another machine, or of another user. An empty INSIDE says that it is not there at all."
    )]
    pub map: Vec<String>,

    /// Protocol lifecycle: auto, handshake or stateless
    #[arg(long, value_name = "ERA", help_heading = "Target", value_parser = word_of_flag::<Era>)]
    pub era: Option<Era>,

    /// Call a tool before probing; repeatable
    #[arg(long, value_name = "TOOL=JSON", help_heading = "Target")]
    pub setup: Vec<String>,

    /// Tell how a tool is used; repeatable
    #[arg(
        long,
        value_name = "TOOL:ROLE=POINTER",
        help_heading = "Target",
        long_help = "Tell how a tool is used; repeatable\n\n\
            TOOL:ROLE=POINTER[,SLOT=POINTER]..., such as read:file.read=/path or \
            put:file.write=/path,content=/text; or the whole binding as JSON."
    )]
    pub bind: Vec<String>,

    /// Let this destructive tool be called; repeatable
    #[arg(long, value_name = "TOOL", help_heading = "Target")]
    pub allow_destructive: Vec<String>,

    /// Policy file: JSON, YAML or TOML
    #[arg(long, value_name = "FILE", help_heading = "What is tested")]
    pub policy: Option<String>,

    /// World of the server: auto, host or namespace
    #[arg(
        long,
        value_name = "WORLD",
        help_heading = "How it runs",
        value_parser = word_of_flag::<Testbed>
    )]
    pub testbed: Option<Testbed>,

    /// Calls in flight at once
    #[arg(long, short, value_name = "N", help_heading = "How it runs")]
    pub jobs: Option<u32>,

    /// Seconds that a call may take [default: 10]
    #[arg(long, value_name = "SECONDS", help_heading = "How it runs")]
    pub timeout: Option<f64>,

    /// Seconds until the first answer [default: 120]
    #[arg(long, value_name = "SECONDS", help_heading = "How it runs")]
    pub startup_timeout: Option<f64>,

    /// Read this instead of ./watertight.toml
    #[arg(long, value_name = "FILE", help_heading = "How it runs")]
    pub config: Option<PathBuf>,

    /// Tool bindings [default: ./bindings.lock]
    #[arg(
        long,
        value_name = "FILE",
        help_heading = "How it runs",
        conflicts_with = "no_lock"
    )]
    pub lock: Option<PathBuf>,

    /// Use no file of tool bindings
    #[arg(long, help_heading = "How it runs")]
    pub no_lock: bool,
}

impl LaunchArgs {
    /// The file of tool bindings: the one given, else the one beside the config file, else the one
    /// in `here`, which need not be there.
    #[must_use]
    pub fn lock_file(&self, here: &Path) -> Option<PathBuf> {
        if self.no_lock {
            return None;
        }
        let beside = self
            .config
            .as_deref()
            .and_then(Path::parent)
            .map(|directory| directory.join(LOCK_FILE))
            .filter(|path| path.is_file());
        let given = self.lock.clone().or(beside);
        Some(given.unwrap_or_else(|| here.join(LOCK_FILE)))
    }
}
