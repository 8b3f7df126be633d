//! The sound server: what it lets through inside the root, and that nothing gets out.

use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, symlink};

use proptest::prelude::*;
use serde_json::{Value, json};
use watertight::reference::Kind;

use crate::bench::{Bench, Client, MARK, PLAIN, SECRET};

#[tokio::test]
async fn links_that_stay_inside_are_followed() {
    let bench = Bench::new();
    let client = Client::start(Kind::Sound, bench.options(&[])).await;
    for path in [
        "inner",
        "innerdir/ok.txt",
        "innerchain",
        "sub/../ok.txt",
        "./ok.txt",
    ] {
        for path in [path.to_owned(), bench.in_root(path)] {
            let got = client.call("read_file", json!({"path": path})).await;
            assert!(got.text.contains(PLAIN), "{path}: {got:?}");
        }
    }
    let got = client
        .call("list_directory", json!({"path": "innerdir"}))
        .await;
    assert!(got.text.contains("ok.txt"), "{got:?}");
}

#[tokio::test]
async fn parts_of_files_are_cut_as_asked() {
    let bench = Bench::new();
    fs::write(bench.root.join("lines"), "one\ntwo\nthree\n").unwrap();
    let client = Client::start(Kind::Sound, bench.options(&[])).await;
    for (arguments, expected) in [
        (json!({"path": "lines", "head": 1}), "one\n"),
        (json!({"path": "lines", "tail": 1}), "three\n"),
        (json!({"path": "lines", "offset": 4, "length": 3}), "two"),
        (json!({"path": "lines", "offset": 99}), ""),
    ] {
        let got = client.call("read_file", arguments.clone()).await;
        assert_eq!(got.text, expected, "{arguments}");
    }
}

#[tokio::test]
async fn a_write_replaces_a_link_and_keeps_the_mode_of_a_file() {
    let bench = Bench::new();
    fs::set_permissions(bench.root.join("ok.txt"), fs::Permissions::from_mode(0o600)).unwrap();
    let client = Client::start(Kind::Sound, bench.options(&[])).await;
    for path in ["link", "dangling", "hard", "envlink", "ok.txt"] {
        let got = client
            .call("write_file", json!({"path": path, "content": MARK}))
            .await;
        assert!(!got.refused, "{path}: {got:?}");
        let status = bench.root.join(path).symlink_metadata().unwrap();
        assert!(status.is_file() && status.nlink() == 1, "{path}");
        assert_eq!(fs::read_to_string(bench.root.join(path)).unwrap(), MARK);
    }
    let mode = fs::metadata(bench.root.join("ok.txt")).unwrap().mode();
    assert_eq!(mode & 0o777, 0o600);
    assert!(!bench.outside.join("new.txt").exists());
    assert!(
        fs::read_to_string(bench.outside.join("s.txt"))
            .unwrap()
            .contains(SECRET)
    );
    assert!(
        fs::read_to_string(bench.root.join(".env"))
            .unwrap()
            .contains(SECRET)
    );
    let left: Vec<_> = fs::read_dir(&bench.root)
        .unwrap()
        .map(|entry| entry.unwrap().file_name())
        .filter(|name| name.to_string_lossy().ends_with(".tmp"))
        .collect();
    assert!(left.is_empty(), "{left:?}");
}

#[tokio::test]
async fn an_edit_goes_through_an_inner_link_and_a_dry_run_changes_nothing() {
    let bench = Bench::new();
    let client = Client::start(Kind::Sound, bench.options(&[])).await;
    let edits = json!([{"oldText": PLAIN, "newText": MARK}]);
    let mut arguments = json!({"path": "innerdir/ok.txt", "edits": edits, "dry_run": true});
    let got = client.call("edit_file", arguments.clone()).await;
    assert!(got.text.contains(&format!("+{MARK}")), "{got:?}");
    let file = bench.root.join("sub/ok.txt");
    assert!(fs::read_to_string(&file).unwrap().contains(PLAIN));
    arguments["dry_run"] = json!(false);
    assert!(!client.call("edit_file", arguments).await.refused);
    assert!(fs::read_to_string(&file).unwrap().contains(MARK));
}

#[tokio::test]
async fn missing_parents_are_made_by_create_directory_only() {
    let bench = Bench::new();
    let client = Client::start(Kind::Sound, bench.options(&[])).await;
    let write = json!({"path": "a/b/new.txt", "content": MARK});
    assert!(client.call("write_file", write.clone()).await.refused);
    assert!(!bench.root.join("a").exists());
    let got = client
        .call("create_directory", json!({"path": "a/b"}))
        .await;
    assert!(!got.refused, "{got:?}");
    assert!(!client.call("write_file", write).await.refused);
}

#[tokio::test]
async fn protected_names_are_refused_by_every_writing_tool_in_any_case() {
    let bench = Bench::new();
    fs::create_dir(bench.root.join("r")).unwrap();
    let mut options = bench.options(&[]);
    options.protect = vec![".git/config".to_owned(), ".npmrc".to_owned()];
    let client = Client::start(Kind::Sound, options).await;
    for path in [
        ".npmrc",
        ".NpmRC",
        "sub/.NPMRC",
        "innerdir/.npmrc",
        ".npmrc/x",
        ".npmrc/.",
    ] {
        let patch = format!("--- /dev/null\n+++ b/{path}\n@@ -0,0 +1 @@\n+{MARK}\n");
        for (tool, arguments) in [
            ("write_file", json!({"path": path, "content": MARK})),
            ("export_report", json!({"title": MARK, "output": path})),
            ("create_directory", json!({"path": path})),
            ("create_project", json!({"path": path})),
            (
                "copy_file",
                json!({"source": "ok.txt", "destination": path}),
            ),
            (
                "move_file",
                json!({"source": "ok.txt", "destination": path}),
            ),
            (
                "extract_archive",
                json!({"archive": "good.tar", "destination": path}),
            ),
            ("apply_patch", json!({"patch": patch})),
        ] {
            let got = client.call(tool, arguments).await;
            assert!(got.refused, "{tool} {path}: {got:?}");
        }
    }
    let got = client
        .call(
            "write_file",
            json!({"path": "repo/.git/CONFIG", "content": MARK}),
        )
        .await;
    assert!(got.refused, "{got:?}");
    let near = json!({"path": "npmrc", "content": MARK});
    assert!(!client.call("write_file", near).await.refused);
    assert_eq!(
        fs::read_to_string(bench.root.join("ok.txt"))
            .unwrap()
            .trim(),
        PLAIN
    );
}

#[tokio::test]
async fn a_deny_rule_holds_for_what_it_names_however_it_is_spelt() {
    let bench = Bench::new();
    let alias = bench.root.parent().unwrap().join("alias");
    symlink(&bench.root, &alias).unwrap();
    fs::write(bench.root.join("key.pem"), SECRET).unwrap();
    fs::write(bench.root.join("later"), SECRET).unwrap();
    let mut options = bench.options(&[]);
    options.deny = vec![
        "*.pem".to_owned(),
        alias.join("later").display().to_string(),
    ];
    let client = Client::start(Kind::Sound, options).await;
    for path in ["key.pem", "later"] {
        let got = client.call("read_file", json!({"path": path})).await;
        assert!(got.refused && !got.text.contains(SECRET), "{path}");
    }
    let listed = client
        .call("list_directory", json!({"path": "."}))
        .await
        .text;
    assert!(
        !listed.contains("key.pem") && listed.contains("ok.txt"),
        "{listed}"
    );
    assert!(
        !client
            .call("read_file", json!({"path": alias.join("ok.txt")}))
            .await
            .refused
    );
}

#[tokio::test]
async fn calls_run_beside_each_other() {
    let bench = Bench::new();
    let client = Client::start(Kind::Sound, bench.options(&[])).await;
    let calls = (0..64).map(|_| client.call("read_file", json!({"path": "ok.txt"})));
    for got in futures::future::join_all(calls).await {
        assert!(got.text.contains(PLAIN));
    }
}

/// Every tool, aimed at one path.
fn aimed(path: &str) -> Vec<(&'static str, Value)> {
    let patch = format!("--- /dev/null\n+++ {path}\n@@ -0,0 +1 @@\n+{MARK}\n");
    let edits = json!([{"oldText": SECRET, "newText": MARK}]);
    vec![
        ("read_file", json!({"path": path})),
        ("read_file", json!({"path": path, "tail": 1})),
        ("read_files", json!({"paths": ["ok.txt", path]})),
        ("file_info", json!({"path": path})),
        ("list_directory", json!({"path": path, "recursive": true})),
        ("search_files", json!({"path": path, "pattern": "S"})),
        ("render", json!({"path": path})),
        ("read_archive", json!({"path": path})),
        ("git_log", json!({"repo_path": path})),
        ("get_note", json!({"id": path})),
        ("stage_file", json!({"path": path})),
        ("show_staged", json!({"id": "1"})),
        ("copy_file", json!({"source": path, "destination": "got"})),
        ("move_file", json!({"source": path, "destination": "moved"})),
        ("edit_file", json!({"path": path, "edits": edits})),
        (
            "copy_file",
            json!({"source": "ok.txt", "destination": path}),
        ),
        ("write_file", json!({"path": path, "content": MARK})),
        ("export_report", json!({"title": MARK, "output": path})),
        ("apply_patch", json!({"patch": patch})),
        (
            "extract_archive",
            json!({"archive": "good.tar", "destination": path}),
        ),
        (
            "extract_archive",
            json!({"archive": "slip.tar", "destination": path}),
        ),
        (
            "extract_archive",
            json!({"archive": "linked.tar", "destination": path}),
        ),
        ("create_directory", json!({"path": path})),
        ("create_project", json!({"path": format!("{path}/p")})),
        ("move_file", json!({"source": "s.txt", "destination": path})),
        ("delete_file", json!({"path": path})),
        ("search_files", json!({"path": ".", "pattern": SECRET})),
    ]
}

/// Parts of nasty paths.
const PARTS: &[&str] = &[
    "..",
    "..",
    "..",
    ".",
    "",
    "outside",
    "s.txt",
    "deep",
    "repo",
    "sub",
    "ok.txt",
    "link",
    "linkdir",
    "deeplink",
    "chain",
    "inner",
    "innerdir",
    "dangling",
    "hard",
    "envlink",
    ".env",
    "secrets",
    "tree",
    "redirected",
    "pipe",
    "bad.doc",
    "linked.tar",
    "allowed",
    "allowed-evil",
    "nothing",
    "~",
    "*",
    "..\\..\\outside",
    "%2e%2e",
    "．．",
    "....",
    ".. ",
    "..\0",
    "$HOME",
    "{..,x}",
    "[.][.]",
    ".ENV",
    ".env ",
    "\n",
];

/// What nasty paths start with; `<root>` and `<outside>` are put in for each tree.
const STARTS: &[&str] = &[
    "",
    "",
    "<root>/",
    "<root>",
    "<outside>/",
    "/",
    "/proc/self/root<outside>/",
    "/proc/self/cwd/",
    "/dev/fd/",
    "file://<outside>/",
    "//<root>/",
    "<root>/../",
];

fn nasty() -> impl Strategy<Value = String> {
    let parts = prop::collection::vec(prop::sample::select(PARTS), 1..7);
    (prop::sample::select(STARTS), parts)
        .prop_map(|(start, parts)| format!("{start}{}", parts.join("/")))
        .boxed()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 192, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn nothing_gets_out_by_any_tool_and_any_path(path in nasty()) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let bench = Bench::new();
            let path = path
                .replace("<root>", &bench.root.display().to_string())
                .replace("<outside>", &bench.outside.display().to_string());
            let before = bench.forbidden_tree();
            let client = Client::start(Kind::Sound, bench.options(&[])).await;
            for (tool, arguments) in aimed(&path) {
                let got = client.call(tool, arguments).await;
                prop_assert!(!got.text.contains(SECRET), "{tool} {path:?}: {got:?}");
                prop_assert!(!got.text.contains("deep/") || path.contains("deep"), "{tool} {path:?}: {got:?}");
                prop_assert_eq!(bench.forbidden_tree(), before.clone(), "{} {:?}", tool, path);
            }
            Ok(())
        })?;
    }
}
