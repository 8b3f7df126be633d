//! Attacks that change what must not be changed.

use std::fs;

use serde_json::json;
use watertight::reference::Flaw;

use super::{Case, path, put, put_ok, secret_shown, write};
use crate::bench::{MARK, PLAIN};

pub(super) fn cases() -> Vec<Case> {
    vec![
        write(
            Flaw::WriteNoCheck,
            |b| vec![put(b.in_outside("n"))],
            put_ok,
            "",
        ),
        write(
            Flaw::WriteJoinOnly,
            |_| vec![put("sub/../../outside/n")],
            put_ok,
            "",
        ),
        write(
            Flaw::PrefixSibling,
            |b| vec![put(format!("{}-evil/n", b.root.display()))],
            put_ok,
            "",
        ),
        write(
            Flaw::WriteLink,
            |b| vec![put(b.in_root("link"))],
            put_ok,
            "",
        ),
        write(Flaw::WriteDirLink, |_| vec![put("linkdir/n")], put_ok, ""),
        write(Flaw::WriteDangling, |_| vec![put("dangling")], put_ok, ""),
        write(Flaw::DenyIgnored, |_| vec![put("secrets/n")], put_ok, ""),
        write(
            Flaw::MoveDest,
            |b| {
                let destination = b.in_outside("n");
                vec![
                    put("m.txt"),
                    (
                        "move_file",
                        json!({"source": "m.txt", "destination": destination}),
                    ),
                ]
            },
            |_| {
                (
                    "move_file",
                    json!({"source": "ok.txt", "destination": "sub/m.txt"}),
                )
            },
            "",
        ),
        write(
            Flaw::MoveDest,
            |_| {
                vec![
                    put("m.txt"),
                    (
                        "copy_file",
                        json!({"source": "m.txt", "destination": "../outside/n"}),
                    ),
                ]
            },
            |_| {
                (
                    "copy_file",
                    json!({"source": "ok.txt", "destination": "sub/m.txt"}),
                )
            },
            "",
        ),
        Case {
            breached: secret_shown,
            ..write(
                Flaw::CopyDeref,
                |_| {
                    vec![
                        (
                            "copy_file",
                            json!({"source": "tree", "destination": "tree2"}),
                        ),
                        path("read_file", "tree2/link"),
                    ]
                },
                |_| {
                    (
                        "copy_file",
                        json!({"source": "tree", "destination": "tree2"}),
                    )
                },
                "",
            )
        },
        write(
            Flaw::SaveUnchecked,
            |b| {
                vec![(
                    "export_report",
                    json!({"title": MARK, "output": b.in_outside("r")}),
                )]
            },
            |_| {
                (
                    "export_report",
                    json!({"title": MARK, "output": "report.md"}),
                )
            },
            "",
        ),
        write(
            Flaw::ArchiveSlip,
            |_| {
                vec![(
                    "extract_archive",
                    json!({"archive": "slip.tar", "destination": "sub"}),
                )]
            },
            |_| {
                (
                    "extract_archive",
                    json!({"archive": "good.zip", "destination": "sub"}),
                )
            },
            "Extracted 1",
        ),
        write(
            Flaw::ArchiveDestination,
            |_| {
                vec![(
                    "extract_archive",
                    json!({"archive": "marked.zip", "destination": "../outside"}),
                )]
            },
            |_| {
                (
                    "extract_archive",
                    json!({"archive": "good.zip", "destination": "sub"}),
                )
            },
            "Extracted 1",
        ),
        write(
            Flaw::PatchHeader,
            |_| {
                let patch = format!("--- /dev/null\n+++ b/../outside/n\n@@ -0,0 +1 @@\n+{MARK}\n");
                vec![("apply_patch", json!({"patch": patch}))]
            },
            |_| {
                let patch = format!("--- a/ok.txt\n+++ b/ok.txt\n@@ -1 +1 @@\n-{PLAIN}\n+{MARK}\n");
                ("apply_patch", json!({"patch": patch}))
            },
            "Patched 1",
        ),
        Case {
            breached: |bench, _| bench.outside.join("made").exists(),
            ..write(
                Flaw::CreateUnchecked,
                |b| vec![path("create_directory", b.in_outside("made"))],
                |_| path("create_directory", "a/b/c"),
                "",
            )
        },
        Case {
            breached: |bench, _| bench.outside.join("made/README.md").exists(),
            ..write(
                Flaw::CreateUnchecked,
                |b| vec![path("create_project", b.in_outside("made"))],
                |_| path("create_project", "project"),
                "",
            )
        },
        Case {
            breached: |bench, _| bench.outside.join("made").exists(),
            ..write(
                Flaw::WriteDirLink,
                |_| vec![path("create_directory", "linkdir/made")],
                |_| path("create_directory", "innerdir/made"),
                "",
            )
        },
        Case {
            breached: |bench, _| !bench.outside.join("s.txt").exists(),
            ..write(
                Flaw::DeleteUnchecked,
                |b| vec![path("delete_file", b.in_outside("s.txt"))],
                |_| path("delete_file", "ok.txt"),
                "",
            )
        },
        Case {
            options: |_, options| options.read_only = true,
            breached: |bench, _| {
                let content = fs::read_to_string(bench.root.join("ok.txt"));
                content.is_ok_and(|content| content.contains(MARK))
            },
            ..write(
                Flaw::ReadOnlyPartial,
                |_| {
                    let edits = json!([{"oldText": PLAIN, "newText": MARK}]);
                    vec![("edit_file", json!({"path": "ok.txt", "edits": edits}))]
                },
                |_| path("read_file", "ok.txt"),
                PLAIN,
            )
        },
        Case {
            options: |_, options| options.protect = vec![".git/config".to_owned()],
            breached: |bench, _| bench.root.join("repo/.Git/config").exists(),
            ..write(
                Flaw::ProtectExact,
                |_| {
                    vec![
                        path("create_directory", "repo/.Git"),
                        put("repo/.Git/config"),
                    ]
                },
                put_ok,
                "",
            )
        },
    ]
}
