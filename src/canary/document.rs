//! What a planted file carries: dull text with a token in it, well-formed for its extension.

use super::Token;

/// How the lines of a document are written in one family of formats.
struct Wrapper {
    extensions: &'static [&'static str],
    open: &'static str,
    before: &'static str,
    after: &'static str,
    /// Written instead of `after` on the last line: JSON allows no comma there.
    last: &'static str,
    close: &'static str,
}

const PLAIN: Wrapper = Wrapper {
    extensions: &[],
    open: "",
    before: "",
    after: "\n",
    last: "\n",
    close: "",
};

const WRAPPERS: &[Wrapper] = &[
    Wrapper {
        extensions: &["json"],
        open: "[\n",
        before: "  \"",
        after: "\",\n",
        last: "\"\n",
        close: "]\n",
    },
    Wrapper {
        extensions: &["gif"],
        open: "GIF89a\n",
        before: "",
        after: "\n",
        last: "\n",
        close: "",
    },
    Wrapper {
        extensions: &["csv"],
        open: "\"entry\"\n",
        before: "\"",
        after: "\"\n",
        last: "\"\n",
        close: "",
    },
    Wrapper {
        extensions: &["html", "htm"],
        open: "<!doctype html>\n<html><head><title>Inventory</title></head><body>\n",
        before: "<p>",
        after: "</p>\n",
        last: "</p>\n",
        close: "</body></html>\n",
    },
    Wrapper {
        extensions: &["xml", "svg"],
        open: "<?xml version=\"1.0\"?>\n<entries>\n",
        before: "  <entry>",
        after: "</entry>\n",
        last: "</entry>\n",
        close: "</entries>\n",
    },
    Wrapper {
        extensions: &["yaml", "yml"],
        open: "",
        before: "- \"",
        after: "\"\n",
        last: "\"\n",
        close: "",
    },
    Wrapper {
        extensions: &["toml"],
        open: "entries = [\n",
        before: "  \"",
        after: "\",\n",
        last: "\",\n",
        close: "]\n",
    },
    Wrapper {
        extensions: &["py"],
        open: "ENTRIES = [\n",
        before: "    \"",
        after: "\",\n",
        last: "\",\n",
        close: "]\n",
    },
    Wrapper {
        extensions: &["js", "mjs", "ts"],
        open: "const entries = [\n",
        before: "  \"",
        after: "\",\n",
        last: "\",\n",
        close: "];\n",
    },
];

/// A sentence that stands in every [`document`] exactly once, is no secret, and may be sent: what an
/// edit replaces.
pub const LANDMARK: &str = "Twelve chairs and four tables stand near the window.";

/// The text of a planted file: `token` at head, middle and tail, each time on one line with `tag`,
/// between neutral lines. Well-formed for `extension` (without its dot, any case); plain lines for
/// one that is not known.
pub fn document(token: &Token, tag: &str, extension: &str) -> String {
    let wrapper = WRAPPERS
        .iter()
        .find(|wrapper| {
            let mut known = wrapper.extensions.iter();
            known.any(|known| known.eq_ignore_ascii_case(extension))
        })
        .unwrap_or(&PLAIN);
    let marked = format!("{tag} {token}");
    let lines = [
        marked.as_str(),
        "Inventory of the reading room as counted in spring.",
        LANDMARK,
        marked.as_str(),
        "The long shelf holds atlases and two boxes of maps.",
        "Lamps were cleaned and one bulb was replaced.",
        marked.as_str(),
    ];
    let mut text = String::from(wrapper.open);
    for (number, line) in lines.iter().enumerate() {
        let is_last = number + 1 == lines.len();
        text.push_str(wrapper.before);
        text.push_str(line);
        text.push_str(if is_last { wrapper.last } else { wrapper.after });
    }
    text.push_str(wrapper.close);
    text
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::*;
    use crate::canary::Mint;

    const EXTENSIONS: &[&str] = &[
        "txt", "md", "json", "csv", "html", "xml", "yaml", "toml", "py", "js", "", "PNG", "JSON",
    ];

    #[test]
    fn every_form_carries_the_token_three_times_beside_the_tag() {
        let mint = Mint::new();
        let token = mint.token();
        for extension in EXTENSIONS {
            let text = document(&token, mint.tag(), extension);
            let marked = format!("{} {token}", mint.tag());
            let lines = text.lines().filter(|line| line.contains(&marked));
            assert_eq!(lines.count(), 3, "{extension}: {text}");
            for word in ["secret", "canary", "password", "token", "watertight"] {
                assert!(!text.to_lowercase().contains(word), "{extension}: {word}");
            }
        }
    }

    #[test]
    fn structured_forms_parse() {
        let mint = Mint::new();
        let token = mint.token();
        let json = document(&token, mint.tag(), "json");
        assert_eq!(serde_json::from_str::<Vec<String>>(&json).unwrap().len(), 7);
        let toml = document(&token, mint.tag(), "toml");
        assert!(toml.parse::<toml::Table>().unwrap().contains_key("entries"));
        let yaml = document(&token, mint.tag(), "yaml");
        let entries: Vec<String> = serde_saphyr::from_str(&yaml).unwrap();
        assert_eq!(entries.len(), 7);
    }
}
