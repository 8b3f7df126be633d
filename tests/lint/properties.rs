//! What is no secret is not taken for one, and nothing brings the linter down.

use proptest::prelude::*;
use watertight::{
    diag::{Look, Source},
    lint::lint,
    probe::Severity,
};

/// Findings above low in a config whose server gets these values under harmless names.
fn above_low(values: &[String]) -> Vec<String> {
    let env: serde_json::Map<String, serde_json::Value> = values
        .iter()
        .enumerate()
        .map(|(index, value)| (format!("SETTING_{index}"), value.clone().into()))
        .collect();
    let config = serde_json::json!({ "mcpServers": { "a": {
        "command": "/opt/server", "args": values, "env": env } } });
    let text = serde_json::to_string_pretty(&config).expect("JSON");
    let linted = lint(&Source::new("x.json", text), &[]).expect("it can be read");
    linted
        .findings
        .iter()
        .filter(|one| one.severity > Severity::Low)
        .map(|one| format!("{}: {}", one.rule.id, one.message))
        .collect()
}

proptest! {
    #[test]
    fn harmless_values_give_nothing_above_low(
        word in "[a-z]{1,12}(-[a-z]{1,12}){0,3}",
        path in "(/[a-z0-9_.-]{1,12}){3,6}",
        uuid in "[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}",
        commit in "[0-9a-f]{40}",
        digest in "sha256:[0-9a-f]{64}",
        integrity in "sha512-[A-Za-z0-9+/]{86}==",
        image in "data:image/png;base64,iVBORw0KGgo[A-Za-z0-9+/]{40,400}",
        base64 in "[A-Za-z0-9+/]{20,120}",
        version in "@[a-z]{2,9}/[a-z-]{2,20}@[0-9]{1,2}\\.[0-9]{1,2}\\.[0-9]{1,2}",
        url in "https://[a-z]{3,9}\\.dev/[a-z0-9/]{0,20}(\\?page=[0-9]{1,3}&q=[a-z]{1,9})?",
        number in "[0-9]{1,19}",
        time in "20[0-9]{2}-[01][0-9]-[0-3][0-9]T[0-2][0-9]:[0-5][0-9]:00Z",
    ) {
        let values = [word, path, uuid, commit, digest, integrity, image, base64, version, url, number, time];
        let found = above_low(&values);
        prop_assert!(found.is_empty(), "{found:?} in {values:?}");
    }

    /// Random passwords under the name of one are found, in each place, and never told.
    #[test]
    fn random_secrets_are_found_and_hidden(secret in "[A-Za-z0-9]{10}[0-9][a-z][A-Z0-9]{8}") {
        for text in [
            format!(r#"{{"mcpServers": {{"a": {{"command": "x", "env": {{"API_TOKEN": "{secret}"}}}}}}}}"#),
            format!(r#"{{"mcpServers": {{"a": {{"command": "x", "args": ["--api-key", "{secret}"]}}}}}}"#),
            format!(r#"{{"mcpServers": {{"a": {{"url": "https://a.dev/", "headers": {{"Authorization": "Bearer {secret}"}}}}}}}}"#),
            format!(r#"{{"servers": {{"a": {{"url": "https://u:{secret}@a.dev/"}}}}}}"#),
            format!("[target]\ncommand = [\"x\"]\nenv = {{ API_TOKEN = '{secret}' }}\n"),
            format!("FROM a:1\nUSER app\nENV API_TOKEN={secret}\n"),
        ] {
            let linted = lint(&Source::new("x", text.clone()), &[]).expect("it can be read");
            let above = linted.diagnostics(Severity::Medium);
            prop_assert!(!above.is_empty(), "{text}");
            for one in above {
                let drawn = one.render(Look::PLAIN);
                prop_assert!(!drawn.contains(&secret[..10]), "{drawn}");
            }
        }
    }

    #[test]
    fn any_text_gets_an_answer(text in any::<String>(), name in "(x|x\\.json|x\\.yaml|x\\.toml|Dockerfile)") {
        if let Ok(linted) = lint(&Source::new(&name, text), &[]) {
            let _ = linted.diagnostics(Severity::Low);
        }
    }

    /// The same with texts that begin like files that are known.
    #[test]
    fn any_rest_of_a_file_gets_an_answer(text in any::<String>(), start in 0..5_usize) {
        let start = [
            "FROM a\nENV ", "FROM a\nRUN <<E\n", "{\"mcpServers\": {\"a\": {\"command\": \"npx\", \"args\": [\"",
            "[target]\ncommand = [\"", "capabilities:\n  filesystem:\n    allowed_paths: [",
        ][start];
        let end = if start.contains('{') { "\"]}}}" } else { "" };
        let text = if end.is_empty() { text } else { text.replace(['"', '\\'], "") };
        if let Ok(linted) = lint(&Source::new("x", format!("{start}{text}{end}")), &[]) {
            for one in linted.diagnostics(Severity::Low) {
                let _ = one.render(Look::PLAIN);
            }
        }
    }
}
