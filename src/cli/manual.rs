//! `watertight completions` and `watertight man`: what shells and readers of manuals want.
//!
//! Owns nothing of the texts: they are made from the command line's own definition.

use std::path::{Path, PathBuf};

use clap::{Args, Command, CommandFactory as _};
use clap_complete::Shell;
use clap_mangen::Man;

use super::{
    Cli,
    print::{complain, put},
};
use crate::{diag::nearest, exit::Exit, report::write::store};

/// Arguments of `watertight completions`.
#[derive(Debug, Clone, Args)]
#[command(after_help = "Such as:\n  \
    bash   watertight completions bash > ~/.local/share/bash-completion/completions/watertight\n  \
    zsh    watertight completions zsh > \"${fpath[1]}/_watertight\"\n  \
    fish   watertight completions fish > ~/.config/fish/completions/watertight.fish")]
pub struct CompletionsArgs {
    /// The shell
    #[arg(value_name = "SHELL")]
    pub shell: Shell,
}

/// Arguments of `watertight man`.
#[derive(Debug, Clone, Args)]
#[command(after_help = "Such as:\n  watertight man run | man -l -\n  \
    watertight man --out ~/.local/share/man/man1")]
pub struct ManArgs {
    /// The subcommand that the page is about
    #[arg(value_name = "COMMAND", conflicts_with = "out")]
    pub command: Option<String>,

    /// Write all pages into this directory
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
}

/// Prints the completions for a shell.
pub(super) fn completions(args: &CompletionsArgs) -> Exit {
    let mut text = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "watertight", &mut text);
    put(&String::from_utf8_lossy(&text))
}

/// Prints a page, or writes all of them.
pub(super) fn man(args: &ManArgs) -> Exit {
    let mut all = Cli::command();
    // Gives subcommands the flags that all have.
    all.build();
    if let Some(directory) = &args.out {
        return write(&all, directory);
    }
    let page = match &args.command {
        None => page(&all, &[]),
        Some(name) => match all.find_subcommand(name) {
            Some(command) => page(command, &["watertight"]),
            None => {
                let names = all.get_subcommands().map(Command::get_name);
                let help = match nearest(name, names) {
                    Some(near) => format!("did you mean `{near}`?"),
                    None => String::from("`watertight --help` lists them"),
                };
                complain(&format!("there is no subcommand `{name}`\nfix: {help}"));
                return Exit::BadInput;
            }
        },
    };
    match page {
        Ok(text) => put(&text),
        Err(error) => {
            complain(&error.to_string());
            Exit::HarnessFault
        }
    }
}

/// The page of a command, below others.
fn page(command: &Command, below: &[&str]) -> std::io::Result<String> {
    let name = [below, &[command.get_name()]].concat().join("-");
    let mut text = Vec::new();
    Man::new(
        command
            .clone()
            .version(env!("CARGO_PKG_VERSION"))
            .display_name(name.clone()),
    )
    .title(name.to_uppercase())
    .render(&mut text)?;
    Ok(String::from_utf8_lossy(&text).into_owned())
}

fn write(all: &Command, directory: &Path) -> Exit {
    let commands = all
        .get_subcommands()
        .filter(|command| command.get_name() != "help")
        .map(|command| (command, &["watertight"][..]));
    for (command, below) in std::iter::once((all, &[][..])).chain(commands) {
        let name = [below, &[command.get_name()]].concat().join("-");
        let path = directory.join(format!("{name}.1"));
        let written = page(command, below).and_then(|text| store(&path, text.as_bytes()));
        if let Err(error) = written {
            complain(&format!(
                "cannot write {}: {error}\nfix: name another directory with --out",
                path.display()
            ));
            return Exit::BadInput;
        }
    }
    Exit::Held
}
