//! What our output looks like on this terminal.
//!
//! Owns the questions to the environment: is it a terminal, how wide, with colour? `NO_COLOR`,
//! `CLICOLOR_FORCE` and `CLICOLOR` are heard by anstream. Renderers get the answers and ask nothing.

use std::{env, io::IsTerminal};

use anstream::{AutoStream, ColorChoice, stream::RawStream};
use anstyle::{AnsiColor, Style};
use clap::builder::Styles;

use crate::report::Look;

/// Styles of the help text.
pub const HELP: Styles = Styles::styled()
    .header(Style::new().bold())
    .usage(Style::new().bold())
    .literal(AnsiColor::Cyan.on_default())
    .placeholder(Style::new().dimmed())
    .error(AnsiColor::Red.on_default().bold())
    .valid(AnsiColor::Green.on_default())
    .invalid(AnsiColor::Yellow.on_default());

/// How the terminal report shall look on standard output.
#[must_use]
pub fn look(verbose: bool) -> Look {
    Look {
        color: colored(&std::io::stdout()),
        width: textwrap::termwidth(),
        verbose,
    }
}

/// Whether a stream takes colour.
pub(super) fn colored(stream: &impl RawStream) -> bool {
    AutoStream::choice(stream) != ColorChoice::Never
}

/// Whether a person watches standard error as it comes: a terminal, and not that of a CI job.
pub(super) fn watched() -> bool {
    let set = |name| env::var_os(name).is_some_and(|value| !value.is_empty() && value != "false");
    std::io::stderr().is_terminal()
        && !set("CI")
        && env::var_os("TERM").is_none_or(|term| term != "dumb")
}
