//! Findings in MCP client configs.

use super::{
    finding::{Finder, Place},
    launch,
};
use crate::{probe::Severity, target::ClientConfig};

pub(super) fn check(finder: &mut Finder<'_>, config: &ClientConfig) {
    for at in config.servers.values() {
        let server = &at.value;
        for (name, value) in &server.env {
            let value = value.with(value.value.0.clone());
            finder.secrets(Place::File, Some(name), &value);
            finder.in_clear(&value, Severity::Low);
        }
        for (name, value) in &server.headers {
            finder.secrets(Place::File, Some(name), &value.with(value.value.0.clone()));
        }
        if let Some(url) = &server.url {
            finder.secrets(Place::File, None, url);
            finder.in_clear(url, Severity::Medium);
        }
        if let Some(words) = server.command_line() {
            launch::check(finder, &words);
        }
    }
    if config.commented {
        let text = finder.source.text();
        let start = first_difference(text, config.source().text());
        let strict = text.contains("\"mcpServers\"");
        if strict {
            finder.add(
                "lint.comment",
                start..start + 2,
                "no JSON",
                "a comment or a trailing comma in a file that many clients read as plain JSON",
            );
        }
    }
}

fn first_difference(written: &str, read: &str) -> usize {
    written
        .bytes()
        .zip(read.bytes())
        .position(|(a, b)| a != b)
        .unwrap_or_default()
}
