//! `watertight lint`: each rule fires and does not fire, secrets are never told, files that are
//! broken or hostile are refused in peace, and what is harmless is left alone.
//!
//! Secrets in the corpus are made when a file is loaded: `@{ghp_:36}` becomes the prefix and that
//! many mixed characters, so that no scanner of repositories takes a file of ours for a leak.

mod program;
mod properties;

use std::{collections::BTreeSet, fs, path::PathBuf};

use serde_json::Value;
use watertight::{
    diag::{Look, Problems, Source},
    lint::{LintReport, Linted, RULES, lint, schema},
    probe::Severity::{self, High, Low, Medium},
};

fn corpus() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/lint")
}

/// A text with its made-up secrets, and those.
pub(crate) fn filled(text: &str) -> (String, Vec<String>) {
    const MIXED: &[u8] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    let mut filled = String::new();
    let mut secrets = Vec::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("@{") {
        let (mark, after) = after.split_once('}').expect("a mark ends");
        let (prefix, length) = mark.rsplit_once(':').expect("PREFIX:LENGTH");
        let length: usize = length.parse().expect("a length");
        // Each secret differs from the others.
        let from = secrets.len() * 5 + 3;
        let body = (0..length).map(|i| char::from(MIXED[(from + i * 7) % MIXED.len()]));
        let secret: String = prefix.chars().chain(body).collect();
        filled.push_str(before);
        filled.push_str(&secret);
        secrets.push(secret);
        rest = after;
    }
    filled.push_str(rest);
    (filled, secrets)
}

fn load(name: &str) -> (Source, Vec<String>) {
    let text = fs::read_to_string(corpus().join(name)).expect("a file of the corpus");
    let (text, secrets) = filled(&text);
    (Source::new(name, text), secrets)
}

fn linted(source: &Source) -> Linted {
    lint(source, &[]).unwrap_or_else(|problems| panic!("{}", problems.render(Look::PLAIN)))
}

fn refused(source: &Source) -> Problems {
    lint(source, &[]).expect_err("the file is broken")
}

fn names(directory: &str) -> Vec<String> {
    let entries = fs::read_dir(corpus().join(directory)).expect("the corpus is there");
    let mut names: Vec<String> = entries
        .map(|entry| {
            entry
                .expect("an entry")
                .file_name()
                .to_string_lossy()
                .into_owned()
        })
        .map(|name| format!("{directory}/{name}"))
        .collect();
    names.sort();
    names
}

/// All that is printed of a file, on the terminal and as JSON.
fn printed(linted: &Linted) -> String {
    let drawn: Vec<String> = linted
        .diagnostics(Low)
        .iter()
        .map(|one| one.render(Look::PLAIN))
        .collect();
    let report = LintReport::new(std::slice::from_ref(linted));
    let json = serde_json::to_string(&report).expect("JSON");
    drawn.join("\n") + &json
}

/// Rule, severity and line of each finding.
type Expected = &'static [(&'static str, Severity, usize)];

const BAD: &[(&str, Expected)] = &[
    (
        "bad/client.mcp.json",
        &[
            ("secret.argument", High, 7),
            ("secret.argument", High, 8),
            ("secret.argument", High, 9),
            ("secret.key", High, 12),
            ("secret.named", High, 13),
            ("secret.named", Medium, 14),
            ("secret.named", Low, 15),
            ("secret.url", High, 16),
            ("secret.entropy", Low, 17),
            ("secret.named", High, 18),
            ("url.plain-http", Low, 19),
            ("url.plain-http", Medium, 23),
            ("secret.query", Medium, 23),
            ("secret.named", High, 25),
            ("secret.named", High, 26),
            ("launch.unpinned", Low, 31),
            ("launch.wide-path", Medium, 31),
            ("launch.unpinned", Low, 33),
            ("launch.unpinned", Low, 34),
            ("launch.wide-path", Medium, 34),
            ("launch.pipe-to-shell", High, 37),
            ("container.privileged", High, 45),
            ("container.host-network", Medium, 46),
            ("container.weakened", Medium, 47),
            ("container.weakened", Medium, 49),
            ("container.weakened", Medium, 51),
            ("container.root-user", Medium, 53),
            ("container.docker-socket", High, 55),
            ("container.host-mount", High, 57),
            ("container.host-mount", Medium, 59),
            ("secret.argument", High, 61),
            ("launch.unpinned", Low, 62),
        ],
    ),
    (
        "bad/comments.mcp.json",
        &[("lint.comment", Low, 2), ("secret.key", High, 2)],
    ),
    (
        "bad/policy.yaml",
        &[
            ("policy.wide-network", High, 3),
            ("policy.wide-network", High, 3),
            ("policy.wide-network", High, 3),
            ("policy.metadata-host", High, 3),
            ("policy.env-file", Medium, 6),
            ("policy.wide-path", High, 6),
            ("policy.wide-path", High, 6),
            ("policy.wide-path", Medium, 6),
            ("policy.allow-all", High, 8),
        ],
    ),
    (
        "bad/open.policy.toml",
        &[("policy.allow-all", High, 1), ("policy.allow-all", High, 4)],
    ),
    (
        "bad/watertight.toml",
        &[
            ("policy.env-file", Medium, 1),
            ("policy.wide-path", High, 1),
            ("launch.unpinned", Low, 4),
            ("secret.argument", High, 4),
            ("secret.named", High, 5),
            ("launch.wide-path", Medium, 6),
        ],
    ),
    (
        "bad/sandbox.json",
        &[
            ("policy.wide-network", High, 3),
            ("container.docker-socket", High, 4),
            ("container.weakened", Medium, 5),
            ("policy.allow-all", Medium, 7),
            ("policy.wide-path", High, 9),
            ("policy.wide-path", Medium, 9),
            ("container.weakened", Medium, 11),
        ],
    ),
    (
        "bad/Dockerfile",
        &[
            ("launch.unpinned", Low, 2),
            ("secret.named", Medium, 4),
            ("launch.remote-add", Medium, 5),
            ("launch.remote-add", Low, 6),
            ("secret.named", High, 7),
            ("secret.named", Medium, 8),
            ("secret.key", High, 9),
            ("container.root-user", Medium, 11),
        ],
    ),
    ("bad/root.Dockerfile", &[("container.root-user", Medium, 3)]),
];

#[test]
fn every_flaw_is_found_in_its_line_and_no_other() {
    assert_eq!(names("bad").len(), BAD.len(), "each file has its list");
    for (name, expected) in BAD {
        let (source, _) = load(name);
        let linted = linted(&source);
        let found: Vec<(&str, Severity, usize)> = linted
            .findings
            .iter()
            .map(|one| (one.rule.id, one.severity, source.position(one.span.start).0))
            .collect();
        assert_eq!(found, *expected, "{name}\n{}", printed(&linted));
    }
}

#[test]
fn every_rule_fires_somewhere() {
    let mut fired: BTreeSet<&str> = BAD
        .iter()
        .flat_map(|(_, expected)| expected.iter().map(|(rule, ..)| *rule))
        .collect();
    fired.insert("lint.unused-allow"); // See `comments_allow_what_they_name`.
    let known: BTreeSet<&str> = RULES.iter().map(|rule| rule.id).collect();
    assert_eq!(fired, known);
    assert!(RULES.is_sorted_by_key(|rule| rule.id));
}

/// Shapes that the documentation of servers gives as examples, and what careful people write.
#[test]
fn what_is_harmless_is_left_alone() {
    let files = names("good");
    assert!(files.len() >= 8);
    for name in files {
        let (source, _) = load(&name);
        let linted = linted(&source);
        assert!(
            linted.diagnostics(Low).is_empty(),
            "{name}\n{}",
            printed(&linted)
        );
    }
}

#[test]
fn no_secret_is_ever_told() {
    for name in names("bad").into_iter().chain(names("good")) {
        let (source, secrets) = load(&name);
        let printed = printed(&linted(&source));
        for secret in secrets {
            // Not even most of it.
            assert!(
                !printed.contains(&secret[..secret.len() / 2]),
                "{name}: {printed}"
            );
        }
    }
    for name in names("broken") {
        let (source, secrets) = load(&name);
        let problems = refused(&source);
        let printed = format!("{}{problems}", problems.render(Look::PLAIN));
        for secret in secrets {
            assert!(
                !printed.contains(&secret[..secret.len() / 2]),
                "{name}: {printed}"
            );
        }
    }
}

/// A secret that stands in a message of another rule, in escapes, and twice.
#[test]
fn secrets_are_hidden_wherever_they_stand() {
    let (text, secrets) = filled(
        r#"{ "mcpServers": { "a": { "command": "npx",
            "args": ["-y", "git+https://a-rather-long-name-of-somebody:@{ghp_:36}@github.com/x/y"],
            "env": { "A_TOKEN": "@{:24}\u0041", "note": "@{:24}" } } },
            "note": "@{ghp_:36}" }"#,
    );
    let text = text.replace(&secrets[3], &secrets[0]);
    let linted = linted(&Source::new("x.json", text));
    let printed = printed(&linted);
    let rules: Vec<&str> = linted.findings.iter().map(|one| one.rule.id).collect();
    assert!(
        rules.contains(&"launch.unpinned") && rules.contains(&"secret.argument"),
        "{rules:?}"
    );
    assert_eq!(
        rules
            .iter()
            .filter(|rule| rule.starts_with("secret."))
            .count(),
        4,
        "{rules:?}"
    );
    for secret in &secrets[..2] {
        assert!(!printed.contains(&secret[..12]), "{printed}");
    }
}

#[test]
fn broken_files_are_shown_where_they_are_broken() {
    for name in names("broken") {
        let (source, _) = load(&name);
        let drawn = refused(&source).render(Look::PLAIN);
        let mut settings = insta::Settings::clone_current();
        settings.set_omit_expression(true);
        settings.set_snapshot_path("../snapshots");
        let short = name.replace("broken/", "");
        settings.bind(|| insta::assert_snapshot!(format!("broken_{short}"), drawn));
    }
}

#[test]
fn findings_look_like_the_mistakes_of_policies() {
    let (source, _) = load("bad/Dockerfile");
    let drawn: Vec<String> = linted(&source)
        .diagnostics(Medium)
        .iter()
        .map(|one| one.render(Look::PLAIN))
        .collect();
    let drawn = drawn.join("\n");
    assert!(
        drawn.lines().all(|line| line.chars().count() <= 80),
        "{drawn}"
    );
    let mut settings = insta::Settings::clone_current();
    settings.set_omit_expression(true);
    settings.set_snapshot_path("../snapshots");
    settings.bind(|| insta::assert_snapshot!("terminal", drawn));
}

#[test]
fn hostile_text_steers_nothing() {
    let text = "{\"mcpServers\": {\"a\\u001b[2J\": {\"command\": \"npx\", \"args\": \
        [\"-y\", \"x\\u001b]0;y\\u0007\\u202e\"], \"env\": {\"\\u001b[31mTOKEN\": \"hunter2hunter2\u{202e}\"}}}}";
    let linted = linted(&Source::new("x\u{1b}[31m.json", text));
    assert!(!linted.findings.is_empty());
    for one in linted.diagnostics(Low) {
        let drawn = one.render(Look::PLAIN);
        assert!(
            !drawn.contains(['\u{1b}', '\u{7}', '\u{202e}']),
            "{drawn:?}"
        );
    }
    // Deep, long and strange: an answer, and soon.
    let deep = format!(
        "{{\"mcpServers\": {}1{}}}",
        "[".repeat(5000),
        "]".repeat(5000)
    );
    refused(&Source::new("deep.json", deep));
    // What a search could take quadratic time for.
    let private = ["-----BEGIN PRIVATE", " KEY-----"].concat();
    for part in [
        "eyJ",
        "sk-ant-",
        "a://b:c@",
        "a://?key=1&",
        "# watertight: allow x ",
        &private,
    ] {
        let many = part.repeat(20_000);
        let _ = soon(&format!(
            "{{\"mcpServers\": {{\"a\": {{\"command\": \"{many}\"}}}}}}"
        ));
        let _ = soon(&format!("FROM a:1\nENV A={many}\n"));
        let _ = soon(&format!("FROM a:1\n{}", format!("{part}\n").repeat(5_000)));
    }
    let keys = filled(&"@{ghp_:36} ".repeat(2_000)).0;
    let linted = soon(&format!("FROM a:1\nENV A=\"{keys}\"\n")).expect("it can be read");
    assert!(linted.left_out > 0 && linted.findings.len() > 100);
    let _ = soon(&format!("{{\"mcpServers\": \"{keys}\"}}"));
}

fn soon(text: &str) -> Result<Linted, Problems> {
    let started = std::time::Instant::now();
    let linted = lint(&Source::new("x", text), &[]);
    if let Err(problems) = &linted {
        let _ = problems.render(Look::PLAIN);
    }
    let start: String = text.chars().take(60).collect();
    assert!(
        started.elapsed().as_secs() < 20,
        "{:?}: {start}",
        started.elapsed()
    );
    linted
}

#[test]
fn comments_allow_what_they_name() {
    let rules = |text: &str| -> Vec<(String, bool)> {
        let linted = linted(&Source::new("Dockerfile", text));
        let findings = linted.findings.iter();
        findings
            .map(|one| (one.rule.id.to_owned(), one.allowed))
            .collect()
    };
    let root = |allowed| (String::from("container.root-user"), allowed);
    let unused = (String::from("lint.unused-allow"), false);
    assert_eq!(
        rules("FROM a:1 # watertight: allow container.root-user"),
        [root(true)]
    );
    assert_eq!(
        rules("# watertight: allow container\n\n# more\nFROM a:1"),
        [root(true)]
    );
    // Another rule, a part of a word, and one line too far.
    assert_eq!(
        rules("# watertight: allow secret\nFROM a:1"),
        [unused.clone(), root(false)]
    );
    assert_eq!(
        rules("# watertight: allow contain\nFROM a:1"),
        [unused.clone(), root(false)]
    );
    assert_eq!(
        rules("FROM a:1\n# watertight: allow container\nENV A=b\nUSER root"),
        [unused, root(false)]
    );
    // In JSON, only what is a comment.
    let text = r#"{ "mcpServers": { "a": { "command": "npx", "args": ["pkg", "// watertight: allow launch"] } } }"#;
    let linted = linted(&Source::new("x.json", text));
    assert_eq!(linted.findings.len(), 1);
    assert!(!linted.findings[0].allowed);
}

#[test]
fn flags_allow_a_rule_everywhere_or_in_one_file() {
    let source = Source::new("a/Dockerfile", "FROM a:1");
    for (flag, allowed) in [
        ("container.root-user", true),
        ("container", true),
        ("container.root-user=a/Dockerfile", true),
        ("container.root-user=b/Dockerfile", false),
        ("secret", false),
    ] {
        let linted = lint(&source, &[flag.to_owned()]).expect("it can be read");
        assert_eq!(linted.findings[0].allowed, allowed, "{flag}");
    }
}

#[test]
fn the_published_schema_is_the_generated_one_and_fits() {
    let value = serde_json::to_value(schema()).expect("a schema is JSON");
    let text = serde_json::to_string_pretty(&value).expect("JSON") + "\n";
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("reports/lint-v1.schema.json");
    if std::env::var_os("UPDATE").is_some() {
        fs::write(&path, &text).expect("a writable repository");
    }
    let present = fs::read_to_string(&path).unwrap_or_default();
    assert!(
        present == text,
        "reports/lint-v1.schema.json is stale: run `UPDATE=1 cargo test`"
    );
    let validator = jsonschema::validator_for(&value).expect("a valid schema");
    let files: Vec<Linted> = names("bad")
        .iter()
        .map(|name| linted(&load(name).0))
        .collect();
    let report: Value = serde_json::to_value(LintReport::new(&files)).expect("JSON");
    let errors: Vec<String> = validator
        .iter_errors(&report)
        .map(|error| error.to_string())
        .collect();
    assert!(errors.is_empty(), "{errors:?}");
    assert!(!validator.is_valid(&serde_json::json!({ "schema": 1 })));
}
