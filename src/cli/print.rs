//! The only places that write to standard output and standard error.
//!
//! Owns what happens when nobody listens, and how an error is laid out. A closed pipe is no fault;
//! a report that was lost for another reason is one.

use std::io::{self, Write as _};

use textwrap::{Options, WordSeparator, WordSplitter};

use crate::{
    diag::{Look, Problems},
    exit::Exit,
};

/// Columns of an error beyond which lines are hard to read.
const WIDEST: usize = 100;

/// Writes to standard output; colours only where they are wanted. How the program ends when that is all it does.
pub(super) fn put(text: &str) -> Exit {
    match deliver(text) {
        Ok(()) => Exit::Held,
        Err(error) => {
            complain(&format!(
                "standard output cannot be written to: {error}\nfix: free some space where it goes"
            ));
            Exit::HarnessFault
        }
    }
}

/// Writes a report to standard output.
///
/// # Errors
/// When it cannot be written though somebody listens, as on a full disk.
pub(super) fn deliver(text: &str) -> io::Result<()> {
    let mut out = anstream::stdout();
    let written = out.write_all(text.as_bytes()).and_then(|()| out.flush());
    match written {
        // Whoever closed the pipe has seen enough.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        other => other,
    }
}

/// Writes to standard error.
pub(super) fn shout(text: &str) {
    let _ = anstream::stderr().write_all(text.as_bytes());
}

/// Tells an error: what is wrong, what is known of it, and after `fix:` what to do.
pub(super) fn complain(message: &str) {
    shout(&lay_out(message, textwrap::termwidth().min(WIDEST)));
}

/// Tells mistakes in what the user gave.
pub(super) fn problem(problems: &Problems) -> Exit {
    shout(&problems.render(Look::of_stderr()));
    Exit::BadInput
}

/// The lines of an error, each wrapped under its own beginning.
fn lay_out(message: &str, width: usize) -> String {
    let options = Options::new(width)
        // Paths and commands are copied from messages: no breaks inside of them.
        .break_words(false)
        .word_separator(WordSeparator::AsciiSpace)
        .word_splitter(WordSplitter::NoHyphenation);
    let mut text = String::new();
    for (index, line) in message.lines().enumerate() {
        let label = if index == 0 { "error: " } else { "" };
        let hang = if index == 0 {
            "       "
        } else if line.starts_with("fix: ") {
            "     "
        } else {
            "    "
        };
        let options = options
            .clone()
            .initial_indent(label)
            .subsequent_indent(hang);
        text.push_str(&textwrap::fill(line, options));
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::lay_out;

    #[test]
    fn an_error_is_wrapped_under_its_labels() {
        let message = "`server` ended before it answered the first request (exit status 3)\n\
            the end of its standard error:\n  boom\n\
            fix: run the command by hand; it must keep running and read its input";
        insta::assert_snapshot!(lay_out(message, 40), @r"
        error: `server` ended before it answered
               the first request (exit status 3)
        the end of its standard error:
          boom
        fix: run the command by hand; it must
             keep running and read its input
        ");
    }
}
