//! Policies: what loads, what is refused and how that looks, and which rule decides.

use std::{
    fs,
    path::{Path, PathBuf},
};

use proptest::prelude::*;
use serde_json::{Value, json};
use watertight::{
    diag::{Look, Problems, Source},
    policy::{self, Access, Placeholders, Policy, RuleKind},
    probe::Claim,
};

fn repository() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn load(name: &str, text: &str) -> Policy {
    Policy::load(&Source::new(name, text))
        .unwrap_or_else(|problems| panic!("{}", problems.render(Look::PLAIN)))
}

fn refuse(name: &str, text: &str) -> Problems {
    Policy::load(&Source::new(name, text)).expect_err("the policy has a mistake")
}

/// The policy of the design, as people have it.
const EXAMPLE: &str = r#"{
  "server": {
    "name": "restricted-database-server",
    "network": {
      "allowed_hosts": ["10.0.1.50/32"],
      "denied_hosts": ["10.0.0.0/8"],
      "dns_override": "10.0.1.10"
    },
    "timeout_seconds": 30,
    "max_retries": 2
  },
  "capabilities": {
    "filesystem": {
      "allowed_paths": ["/workspace/project-a/src", "/workspace/project-a/tests"],
      "denied_paths": ["/workspace/project-a/.env", "/workspace/project-a/secrets"],
      "max_file_size_mb": 10
    }
  }
}"#;

/// Every file under `tests/bad_input` that begins with `policy-` holds one mistake.
#[test]
fn every_mistake_is_shown_with_its_place_and_its_fix() {
    let folder = repository().join("tests/bad_input");
    let mut files: Vec<PathBuf> = fs::read_dir(&folder)
        .expect("the folder is part of the repository")
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| {
            path.file_name()
                .is_some_and(|name| name.to_string_lossy().starts_with("policy-"))
        })
        .collect();
    files.sort();
    assert!(files.len() > 30, "only {} files were found", files.len());
    for path in files {
        let name = path.file_name().expect("a file").to_string_lossy();
        let text = fs::read_to_string(&path).expect("a readable file");
        let drawn = refuse(&name, &text).render(Look::PLAIN);
        assert!(drawn.contains(&*name), "{drawn}");
        let mut settings = insta::Settings::clone_current();
        settings.set_prepend_module_to_snapshot(false);
        settings.set_omit_expression(true);
        settings.bind(|| insta::assert_snapshot!(format!("bad_input__{name}"), drawn));
    }
}

#[test]
fn the_example_means_the_same_in_all_three_formats() {
    let value: Value = serde_json::from_str(EXAMPLE).expect("valid JSON");
    let yaml = serde_saphyr::to_string(&value).expect("YAML");
    let toml = toml::to_string(&value).expect("TOML");
    for (name, text) in [("p.json", EXAMPLE), ("p.yaml", &yaml), ("p.toml", &toml)] {
        let policy = load(name, text);
        assert_eq!(
            serde_json::to_value(&policy).expect("JSON"),
            json!({
                "server": {
                    "name": "restricted-database-server",
                    "network": {
                        "allowed_hosts": ["10.0.1.50/32"],
                        "denied_hosts": ["10.0.0.0/8"],
                        "dns_override": "10.0.1.10"
                    },
                    "timeout_seconds": 30.0,
                    "max_retries": 2
                },
                "capabilities": { "filesystem": {
                    "allowed_paths": ["/workspace/project-a/src", "/workspace/project-a/tests"],
                    "denied_paths": ["/workspace/project-a/.env", "/workspace/project-a/secrets"],
                    "max_file_size_mb": 10.0
                } }
            }),
            "{name}"
        );
        assert!(policy.warnings().is_empty(), "{:?}", policy.warnings());
        // Without a name that tells the format, the text does.
        assert_eq!(load("policy", text).document(), policy.document());
    }
}

#[test]
fn a_rule_names_its_line() {
    let policy = load("policy.json", EXAMPLE);
    let secret = Path::new("/workspace/project-a/secrets/key");
    let decision = policy.decide(secret, Access::Read);
    assert!(!decision.allowed);
    assert_eq!(decision.rule.kind, RuleKind::Denied);
    let location = decision.rule.location.expect("it comes from a file");
    assert_eq!(
        (location.file.as_str(), location.line, location.column),
        ("policy.json", 15, 53)
    );
    let unlisted = policy.decide(Path::new("/etc/passwd"), Access::Read);
    assert!(!unlisted.allowed);
    assert_eq!(unlisted.rule.kind, RuleKind::NotListed);
    assert_eq!(
        unlisted.rule.location.map(|location| location.line),
        Some(14)
    );
}

#[test]
fn places_are_right_behind_letters_of_several_bytes() {
    for (name, text) in [
        ("p.json", r#"{ "server": { "name": "Größe", "x": 1 } }"#),
        ("p.yaml", "server: { name: Größe, x: 1 }"),
        ("p.toml", "server = { name = \"Größe\", x = 1 }"),
        ("p.yaml", "server: { name: &n \"Größe\", x: *n }"),
    ] {
        let problems = refuse(name, text);
        let span = problems.as_slice()[0].span().expect("a place");
        let word = text[span].trim_matches('"');
        assert_eq!(word, "x", "{name}");
    }
}

#[test]
fn nothing_in_a_file_steers_the_terminal() {
    let text = "server:\n  name: \u{1b}[31mred\n  nam\u{202e}: 1\n";
    for name in ["p.yaml", "p.json", "p.toml", "\u{1b}]0;title\u{7}.json"] {
        let drawn = refuse(name, text).render(Look::PLAIN);
        assert!(
            !drawn.contains(['\u{1b}', '\u{7}', '\u{202e}']),
            "{drawn:?}"
        );
    }
    let colour = Look {
        colour: true,
        unicode: true,
        ..Look::PLAIN
    };
    let drawn = refuse("p.toml", "x = 1").render(colour);
    assert!(
        drawn.contains("\u{1b}[") && drawn.contains('│'),
        "{drawn:?}"
    );
}

#[test]
fn one_line_says_it_too() {
    let problems = refuse("p.toml", "server.nam = \"x\"");
    assert_eq!(
        problems.to_string(),
        "p.toml:1:8: unknown key `nam` in `server` (did you mean `name`?)"
    );
}

#[test]
fn deep_nesting_is_refused_not_suffered() {
    for (name, text) in [
        (
            "p.json",
            format!("{}{}", "{\"a\":".repeat(5000), "1}".repeat(5000)),
        ),
        ("p.json", "[".repeat(100_000)),
        ("p.yaml", "[".repeat(5000) + &"]".repeat(5000)),
        (
            "p.toml",
            format!("a = {}{}", "[".repeat(5000), "]".repeat(5000)),
        ),
    ] {
        let problems = refuse(name, &text);
        assert!(!problems.as_slice().is_empty(), "{name}");
    }
}

#[test]
fn an_alias_bomb_is_refused() {
    let mut text = String::from("a: &a [x, x, x, x, x, x, x, x, x]\n");
    for (above, below) in ('a'..='h').zip('b'..='i') {
        let uses = vec![format!("*{above}"); 9].join(", ");
        text.push_str(&format!("{below}: &{below} [{uses}]\n"));
    }
    assert!(!refuse("p.yaml", &text).as_slice().is_empty());
}

#[test]
fn the_default_policy_allows_the_allowed_directory_only() {
    let policy = Policy::default_policy();
    assert!(policy.claims(Claim::Outside));
    for claim in [
        Claim::DeniedInside,
        Claim::DeniedPattern,
        Claim::MaxFileSize,
        Claim::ReadOnly,
        Claim::ProtectedNames,
    ] {
        assert!(!policy.claims(claim), "{claim:?}");
    }
    let policy = policy
        .expand(&Placeholders::new().with("allowed", "/run/a"))
        .expect("a value for each placeholder");
    for (path, allowed) in [
        ("/run/a", true),
        ("/run/a/", true),
        ("/run/a/b/c", true),
        ("/run/ab", false),
        ("/run", false),
        ("/", false),
    ] {
        for access in [Access::Read, Access::Write] {
            assert_eq!(
                policy.decide(Path::new(path), access).allowed,
                allowed,
                "{path}"
            );
        }
    }
}

#[test]
fn a_placeholder_without_a_value_is_named() {
    let policy = load(
        "p.toml",
        "[capabilities.filesystem]\nallowed_paths = [\"{allowed}\", \"{home}/x\"]\n",
    );
    let problems = policy
        .expand(&Placeholders::new().with("allowed", "/a"))
        .expect_err("{home} has no value");
    let text = problems.to_string();
    assert!(
        text.starts_with("p.toml:2:31: `{home}` stands for nothing"),
        "{text}"
    );
}

#[test]
fn no_section_no_claim() {
    let policy = load("p.yaml", "audit: { enabled: false }\n");
    assert!(!policy.claims(Claim::Outside));
    let decision = policy.decide(Path::new("/etc/shadow"), Access::Write);
    assert!(decision.allowed);
    assert_eq!(decision.rule.kind, RuleKind::NoClaim);
}

#[test]
fn an_empty_allow_list_denies_everything() {
    let policy = load(
        "p.json",
        r#"{"capabilities":{"filesystem":{"allowed_paths":[]}}}"#,
    );
    assert!(policy.claims(Claim::Outside));
    let decision = policy.decide(Path::new("/anything"), Access::Read);
    assert!(!decision.allowed);
    assert_eq!(decision.rule.kind, RuleKind::NotListed);
}

const LAYERS: &str = r#"
[capabilities.filesystem]
allowed_paths = ["/w", "/w/private/notes", "/w/a.pem"]
denied_paths = ["/w/private", "**/.env", "*.pem", "/w/logs/*/raw", "/w/[id]"]
protected_names = [".git/hooks", ".npmrc", "*.lock"]
max_file_size_mb = 0.5
"#;

#[test]
fn the_longest_rule_wins_and_deny_wins_ties() {
    let policy = load("p.toml", LAYERS);
    for (path, allowed, entry) in [
        ("/w/x", true, "/w"),
        ("/w/private", false, "/w/private"),
        ("/w/private/x", false, "/w/private"),
        ("/w/private/notes", true, "/w/private/notes"),
        ("/w/private/notes/x", true, "/w/private/notes"),
        ("/w/private/notes/.env", false, "**/.env"),
        ("/w/.env", false, "**/.env"),
        ("/w/.env/inside", false, "**/.env"),
        ("/w/.env.local", true, "/w"),
        ("/w/deep/key.pem", false, "*.pem"),
        ("/w/a.pem", false, "*.pem"),
        ("/w/logs/today/raw/1", false, "/w/logs/*/raw"),
        ("/w/logs/a/b/raw", true, "/w"),
        ("/w/[id]/page", false, "/w/[id]"),
        ("/w/i/page", true, "/w"),
        ("/elsewhere/.env", false, "**/.env"),
        ("/elsewhere", false, "allowed_paths"),
    ] {
        let decision = policy.decide(Path::new(path), Access::Read);
        assert_eq!(
            (decision.allowed, decision.rule.entry.as_str()),
            (allowed, entry),
            "{path}"
        );
    }
}

#[test]
fn protected_names_deny_writing_only() {
    let policy = load("p.toml", LAYERS);
    for path in [
        "/w/.npmrc",
        "/w/sub/.npmrc",
        "/w/.git/hooks/pre-commit",
        "/w/sub/.git/hooks",
        "/w/Cargo.lock",
    ] {
        let path = Path::new(path);
        assert!(policy.decide(path, Access::Read).allowed, "{path:?}");
        let decision = policy.decide(path, Access::Write);
        assert!(!decision.allowed, "{path:?}");
        assert_eq!(decision.rule.kind, RuleKind::ProtectedName);
        assert_eq!(
            decision.rule.location.map(|location| location.line),
            Some(5)
        );
    }
    assert!(
        policy
            .decide(Path::new("/w/.git/config"), Access::Write)
            .allowed
    );
    let unlisted = policy.decide(Path::new("/x/.npmrc"), Access::Write);
    assert_eq!(unlisted.rule.kind, RuleKind::NotListed);
}

#[test]
fn a_protected_name_above_the_allowed_directory_protects_nothing() {
    let policy = load(
        "p.json",
        r#"{"capabilities":{"filesystem":{"allowed_paths":["/.git/hooks/w","/.git/hooks/w/x"],
            "protected_names":["hooks", "x/y"]}}}"#,
    );
    let writes = |path: &str| policy.decide(Path::new(path), Access::Write).allowed;
    assert!(writes("/.git/hooks/w/a"));
    assert!(!writes("/.git/hooks/w/hooks/a"));
    assert!(
        !writes("/.git/hooks/w/x/y"),
        "relative to the outermost directory"
    );
}

#[test]
fn an_allowed_root_directory_claims_nothing_outside() {
    let policy = load(
        "p.json",
        r#"{"capabilities":{"filesystem":{"allowed_paths":["/"]}}}"#,
    );
    assert!(!policy.claims(Claim::Outside));
    assert_eq!(policy.warnings()[0].code(), "policy::everything");
}

#[test]
fn read_only_denies_writing() {
    let policy = load(
        "p.yaml",
        "capabilities:\n  filesystem:\n    allowed_paths: [/w]\n    read_only: true\n",
    );
    assert!(policy.claims(Claim::ReadOnly));
    assert!(policy.decide(Path::new("/w/x"), Access::Read).allowed);
    let decision = policy.decide(Path::new("/w/x"), Access::Write);
    assert!(!decision.allowed);
    assert_eq!(decision.rule.kind, RuleKind::ReadOnly);
    assert_eq!(
        decision.rule.location.map(|location| location.line),
        Some(4)
    );
}

#[test]
fn what_is_denied_inside_is_listed() {
    let policy = load("p.toml", LAYERS);
    let inside: Vec<(&str, Option<&str>, bool)> = policy
        .denied_inside()
        .into_iter()
        .map(|denied| (denied.entry.text.as_str(), denied.below, denied.pattern))
        .collect();
    assert_eq!(
        inside,
        [
            ("/w/private", Some("/w"), false),
            ("**/.env", None, true),
            ("*.pem", None, true),
            ("/w/logs/*/raw", Some("/w"), true),
            ("/w/[id]", Some("/w"), false),
        ]
    );
    assert!(policy.claims(Claim::DeniedInside) && policy.claims(Claim::DeniedPattern));
    assert_eq!(policy.max_file_bytes(), Some(512 * 1024));
    let names: Vec<&str> = policy
        .protected_names()
        .map(|entry| entry.text.as_str())
        .collect();
    assert_eq!(names, [".git/hooks", ".npmrc", "*.lock"]);
    // Denied beside the allowed paths: true, but nothing that a probe inside could test.
    let beside = load("p.json", EXAMPLE);
    assert!(!beside.claims(Claim::DeniedInside));
}

#[test]
fn placeholders_in_patterns_stand_for_themselves() {
    let policy = load(
        "p.toml",
        "[capabilities.filesystem]\nallowed_paths = [\"{allowed}\"]\ndenied_paths = [\"{allowed}/*.key\"]\n",
    );
    let policy = policy
        .expand(&Placeholders::new().with("allowed", "/t/[ab]"))
        .expect("a value for each placeholder");
    let allowed = |path: &str| policy.decide(Path::new(path), Access::Read).allowed;
    assert!(!allowed("/t/[ab]/x.key"));
    assert!(allowed("/t/[ab]/x.txt"));
    assert!(!allowed("/t/a/x.txt"));
}

#[test]
fn doubtful_things_are_warned_about() {
    let policy = load(
        "p.toml",
        r#"
server.network.denied_hosts = ["10.1.2.3/8"]
[capabilities.filesystem]
allowed_paths = ["/w", "/w/src", "/w/"]
"#,
    );
    let codes: Vec<&str> = policy.warnings().iter().map(|one| one.code()).collect();
    assert_eq!(
        codes,
        ["policy::host-bits", "policy::redundant", "policy::twice"]
    );
}

#[test]
fn the_published_schema_is_the_generated_one_and_fits_the_example() {
    let schema = policy::schema();
    let value = serde_json::to_value(&schema).expect("a schema is JSON");
    checked_in("reports/policy-v1.schema.json", &value);
    let validator = jsonschema::validator_for(schema.as_value()).expect("a valid schema");
    let example: Value = serde_json::from_str(EXAMPLE).expect("valid JSON");
    assert!(validator.is_valid(&example));
    let unknown = json!({ "capabilities": { "filesystem": { "allowed_path": [] } } });
    assert!(!validator.is_valid(&unknown));
    let null = json!({ "capabilities": { "filesystem": { "allowed_paths": null } } });
    assert!(!validator.is_valid(&null));
    let negative = json!({ "capabilities": { "filesystem": { "max_file_size_mb": -1 } } });
    assert!(!validator.is_valid(&negative));
}

/// Compares with a file of the repository; `UPDATE=1` rewrites it.
fn checked_in(path: &str, value: &Value) {
    let text = serde_json::to_string_pretty(value).expect("JSON") + "\n";
    let file = repository().join(path);
    if std::env::var_os("UPDATE").is_some() {
        fs::write(&file, &text).expect("a writable repository");
    }
    let present = fs::read_to_string(&file).unwrap_or_default();
    assert!(
        present == text,
        "{path} is stale: run `UPDATE=1 cargo test`"
    );
}

/// Few names, so that paths often cover each other.
const NAMES: [&str; 3] = ["a", "b", "ab"];

fn path() -> impl Strategy<Value = String> {
    prop::collection::vec(prop::sample::select(&NAMES[..]), 1..5)
        .prop_map(|names| format!("/{}", names.join("/")))
}

/// Precedence as a table would have it: walk up from the path, and let the first directory that
/// any list names decide.
fn naive(path: &str, allowed: Option<&[String]>, denied: &[String]) -> bool {
    let mut prefix = path.to_owned();
    loop {
        if denied.contains(&prefix) {
            return false;
        }
        if allowed.is_some_and(|allowed| allowed.contains(&prefix)) {
            return true;
        }
        match prefix.rfind('/') {
            Some(0) | None => return allowed.is_none(),
            Some(slash) => prefix.truncate(slash),
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn precedence_is_that_of_the_naive_model(
        allowed in prop::option::of(prop::collection::vec(path(), 0..5)),
        denied in prop::collection::vec(path(), 0..5),
        asked in path(),
    ) {
        // The same path in both lists is refused at load time.
        let denied: Vec<String> = denied
            .into_iter()
            .filter(|path| !allowed.as_ref().is_some_and(|allowed| allowed.contains(path)))
            .collect();
        let mut files = json!({ "denied_paths": denied });
        if let Some(allowed) = &allowed {
            files["allowed_paths"] = json!(allowed);
        }
        let policy = load("p.json", &json!({ "capabilities": { "filesystem": files } }).to_string());
        let decision = policy.decide(Path::new(&asked), Access::Read);
        prop_assert_eq!(decision.allowed, naive(&asked, allowed.as_deref(), &denied));
        // Without `read_only` and protected names, writing is as reading.
        prop_assert_eq!(policy.decide(Path::new(&asked), Access::Write), decision);
        // A pattern counts as all the paths that it matches; here ties are possible.
        let patterns: Vec<String> = denied.iter().map(|path| format!("{path}/*")).collect();
        let matched: Vec<String> = denied
            .iter()
            .flat_map(|path| NAMES.map(|name| format!("{path}/{name}")))
            .collect();
        files["denied_paths"] = json!(patterns);
        let policy = load("p.json", &json!({ "capabilities": { "filesystem": files } }).to_string());
        let decision = policy.decide(Path::new(&asked), Access::Read);
        prop_assert_eq!(decision.allowed, naive(&asked, allowed.as_deref(), &matched));
    }

    #[test]
    fn no_text_makes_the_loader_panic(text in "\\PC{0,80}") {
        for name in ["p.json", "p.yaml", "p.toml", "p"] {
            if let Err(problems) = Policy::load(&Source::new(name, text.as_str())) {
                prop_assert!(!problems.render(Look::PLAIN).is_empty());
            }
        }
    }
}
