//! The command line of `watertight reference`.
//!
//! Owns the options' names and help texts. Must not start anything.

use std::ffi::OsString;
use std::net::SocketAddr;
use std::path::PathBuf;

use super::network::NetworkArgs;
use super::{
    AuditOptions, Door, ExecutionOptions, FlawSet, Kind, NetworkOptions, ReferenceError,
    ReferenceOptions,
};

/// Run the reference server: sound, unless flaws are switched on.
#[derive(Clone, Debug, Default, clap::Args)]
pub struct ReferenceArgs {
    /// What to be, then the directories to allow: `[KIND] [ROOT]...`
    ///
    /// KIND is sound (the default), dead, mute, refuse-all, echo, silently-empty or silent-exfil. A directory of such a
    /// name is written with `./` before it. Relative paths in calls belong to the first ROOT; without a ROOT every file is refused.
    #[arg(value_name = "KIND|ROOT")]
    kind_and_roots: Vec<OsString>,
    /// Switch a flaw on (repeatable)
    #[arg(long = "flaw", value_name = "NAME")]
    flaws: Vec<String>,
    /// List the flaws and exit
    #[arg(long)]
    pub list_flaws: bool,
    /// Refuse an absolute path or a glob, although a root holds it (repeatable)
    #[arg(long, value_name = "PATTERN")]
    deny: Vec<String>,
    /// Refuse to read or write files over this size
    #[arg(long, value_name = "BYTES")]
    max_file_size: Option<u64>,
    /// Leave the writing tools out
    #[arg(long)]
    read_only: bool,
    /// Refuse to write files of this name, or with this end of the path (repeatable)
    #[arg(long, value_name = "NAME")]
    protect: Vec<String>,
    /// List the tools that run programs, and let run_command run this one (repeatable)
    #[arg(long, value_name = "NAME")]
    allow_command: Vec<String>,
    /// List the tools that tell of the server, and let them tell this environment variable (repeatable)
    #[arg(long, value_name = "NAME")]
    tell_variable: Vec<String>,
    /// Record every call as a JSON line in this file, or on `stderr`
    #[arg(long, value_name = "FILE")]
    audit: Option<PathBuf>,
    /// Begin a new audit log at this size
    #[arg(long, value_name = "BYTES", requires = "audit")]
    audit_max_bytes: Option<u64>,
    /// Keep this many audit logs, the current one included
    #[arg(long, value_name = "N", requires = "audit", default_value_t = 5)]
    audit_max_files: u32,
    /// Give up all powers at the start: root becomes nobody, nothing can be gained by executing, files, processor
    /// time and descriptors are limited, and DIR cannot be written
    #[arg(long, value_name = "DIR")]
    confine: Option<PathBuf>,
    /// Serve streamable HTTP at this address, such as 127.0.0.1:0, instead of standard input and output; the URL is
    /// printed on standard error
    #[arg(long, value_name = "ADDRESS")]
    listen: Option<SocketAddr>,
    /// Let in only who sends the token in this environment variable
    #[arg(long, value_name = "NAME", requires = "listen")]
    bearer_env: Option<String>,
    #[command(flatten)]
    network: NetworkArgs,
}

impl ReferenceArgs {
    /// Where to listen; nowhere for a server of standard input and output.
    ///
    /// # Errors
    /// [`ReferenceError::Bearer`] for a variable without a text.
    pub fn door(&self) -> Result<Option<Door>, ReferenceError> {
        let token = |name: &String| {
            std::env::var(name).map_err(|_| ReferenceError::Bearer { name: name.clone() })
        };
        let bearer = self.bearer_env.as_ref().map(token).transpose()?;
        Ok(self.listen.map(|listen| Door { listen, bearer }))
    }

    /// What to serve.
    ///
    /// # Errors
    /// [`ReferenceError::UnknownFlaw`] for a flaw that does not exist, [`ReferenceError::Dns`] for a name server that is
    /// no address.
    pub fn into_parts(self) -> Result<(Kind, ReferenceOptions), ReferenceError> {
        let mut roots = self.kind_and_roots;
        let kind = roots
            .first()
            .and_then(|word| Kind::NAMES.iter().find(|(name, _)| *word == **name))
            .map(|(_, kind)| *kind);
        if kind.is_some() {
            roots.remove(0);
        }
        let options = ReferenceOptions {
            roots: roots.into_iter().map(PathBuf::from).collect(),
            deny: self.deny,
            max_file_size: self.max_file_size,
            read_only: self.read_only,
            protect: self.protect,
            execution: (!self.allow_command.is_empty()).then_some(ExecutionOptions {
                commands: self.allow_command,
            }),
            variables: self.tell_variable,
            confine: self.confine,
            network: self.network.options()?,
            audit: self.audit.map(|to| AuditOptions {
                to,
                max_bytes: self.audit_max_bytes,
                max_files: self.audit_max_files,
            }),
            flaws: FlawSet::from_names(self.flaws)?,
        };
        Ok((kind.unwrap_or_default(), options))
    }
}

/// Run an MCP server that permits everything: what it cannot do, the sandbox around it forbids.
#[derive(Clone, Debug, Default, clap::Args)]
pub struct StubArgs {
    /// The directory to which relative paths in calls belong
    #[arg(value_name = "DIR")]
    root: Option<PathBuf>,
}

impl StubArgs {
    /// What to serve: the whole disk, and every host.
    #[must_use]
    pub fn options(self) -> ReferenceOptions {
        ReferenceOptions {
            roots: self.root.into_iter().chain([PathBuf::from("/")]).collect(),
            network: Some(NetworkOptions {
                allow: Some(["0.0.0.0/0", "::/0"].map(String::from).to_vec()),
                ..NetworkOptions::default()
            }),
            ..ReferenceOptions::default()
        }
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]
mod tests {
    use clap::Parser as _;

    use super::*;
    use crate::reference::Flaw;

    #[derive(clap::Parser)]
    struct Cli {
        #[command(flatten)]
        args: ReferenceArgs,
    }

    fn parts(args: &[&str]) -> Result<(Kind, ReferenceOptions), ReferenceError> {
        let args = std::iter::once("reference").chain(args.iter().copied());
        Cli::try_parse_from(args)
            .map(|cli| cli.args.into_parts())
            .unwrap_or_else(|error| panic!("{error}"))
    }

    #[test]
    fn the_first_word_may_be_a_kind() {
        let (kind, options) = parts(&["echo", "/a", "--flaw", "fs.no-check", "/b"]).unwrap();
        assert_eq!(kind, Kind::Echo);
        assert_eq!(options.roots, [PathBuf::from("/a"), PathBuf::from("/b")]);
        assert!(options.flaws.has(Flaw::NoCheck));
        let (kind, options) = parts(&["./echo"]).unwrap();
        assert_eq!((kind, options.roots.len()), (Kind::Sound, 1));
        let (kind, options) = parts(&[""]).unwrap();
        assert_eq!((kind, options.roots.len()), (Kind::Sound, 1));
    }

    #[test]
    fn an_unknown_flaw_is_an_error() {
        let error = parts(&["--flaw", "fs.symlink"]).unwrap_err().to_string();
        assert!(error.contains("`fs.symlink`"), "{error}");
    }
}
