//! Attacks that bring out what must not be read.

use std::collections::BTreeSet;
use std::os::fd::AsRawFd as _;

use serde_json::json;
use watertight::reference::Flaw;

use super::{Case, path, read};
use crate::bench::{PLAIN, SECRET};

fn percent(text: &str) -> String {
    text.bytes().map(|byte| format!("%{byte:02x}")).collect()
}

pub(super) fn cases() -> Vec<Case> {
    vec![
        read(Flaw::NoCheck, |b| {
            vec![path("read_file", b.in_outside("s.txt"))]
        }),
        read(Flaw::JoinOnly, |_| {
            vec![path("read_file", "../outside/s.txt")]
        }),
        read(Flaw::PrefixSibling, |b| {
            vec![path(
                "read_file",
                format!("{}-evil/s.txt", b.root.display()),
            )]
        }),
        read(Flaw::FollowFileLink, |b| {
            vec![path("read_file", b.in_root("link"))]
        }),
        read(Flaw::FollowDirLink, |_| {
            vec![path("read_file", "linkdir/s.txt")]
        }),
        read(Flaw::OneHop, |_| vec![path("read_file", "chain")]),
        read(Flaw::LexicalDotdot, |_| {
            vec![path("read_file", "deeplink/../s.txt")]
        }),
        read(Flaw::HardLink, |_| vec![path("read_file", "hard")]),
        read(Flaw::Backslash, |_| {
            vec![path("read_file", "..\\outside\\s.txt")]
        }),
        read(Flaw::PercentDecode, |_| {
            vec![path("read_file", "%252e%252e%252foutside/s.txt")]
        }),
        read(Flaw::PercentDecode, |_| {
            vec![path("read_file", "%c0%ae%c0%ae%c0%afoutside/s.txt")]
        }),
        read(Flaw::PercentDecode, |b| {
            vec![path("read_file", percent(&b.in_outside("s.txt")))]
        }),
        read(Flaw::UnicodeFold, |_| {
            vec![path("read_file", "．．／outside/s.txt")]
        }),
        read(Flaw::CaseFold, |_| vec![path("read_file", "SECRETS/S.TXT")]),
        read(Flaw::Trailing, |_| vec![path("read_file", ".env/.")]),
        read(Flaw::Trailing, |b| {
            vec![path("read_file", b.in_root(".env\u{a0}"))]
        }),
        read(Flaw::Trailing, |b| {
            vec![path("read_file", b.in_root(".env?x"))]
        }),
        read(Flaw::Tilde, |_| vec![path("read_file", "~/s.txt")]),
        read(Flaw::SecretsTold, |_| vec![path("read_file", "/none.txt")]),
        read(Flaw::VarExpand, |_| {
            vec![path("read_file", "${HOME}/s.txt")]
        }),
        read(Flaw::VarExpand, |_| vec![path("read_file", "%HOME%/s.txt")]),
        read(Flaw::FileUri, |b| {
            vec![path(
                "read_file",
                format!("FILE://localhost{}", b.in_outside("s.txt")),
            )]
        }),
        read(Flaw::NulTruncate, |b| {
            vec![path(
                "read_file",
                format!("{}\0.txt", b.in_outside("s.txt")),
            )]
        }),
        read(Flaw::Trim, |b| {
            vec![path("read_file", format!(" {}", b.in_outside("s.txt")))]
        }),
        read(Flaw::TypeJuggle, |b| {
            vec![(
                "read_file",
                json!({"path": {"href": b.in_outside("s.txt")}}),
            )]
        }),
        read(Flaw::TypeJuggle, |b| {
            vec![("read_file", json!({"path": [b.in_outside("s.txt")]}))]
        }),
        read(Flaw::ProcAllowed, |b| {
            vec![path(
                "read_file",
                format!("/proc/self/root{}", b.in_outside("s.txt")),
            )]
        }),
        read(Flaw::FdAllowed, |b| {
            vec![path("read_file", format!("/dev/fd/{}", b.open.as_raw_fd()))]
        }),
        read(Flaw::GlobExpand, |b| {
            vec![path("read_file", b.in_root("../{nothing,outside}/*"))]
        }),
        read(Flaw::GlobExpand, |_| {
            vec![path("read_file", "[.][.]/outside/s.txt")]
        }),
        Case {
            twin: |_| ("read_files", json!({"paths": ["ok.txt", "sub/ok.txt"]})),
            ..read(Flaw::BatchFirst, |b| {
                vec![(
                    "read_files",
                    json!({"paths": ["ok.txt", b.in_outside("s.txt")]}),
                )]
            })
        },
        Case {
            twin: |_| path("file_info", "ok.txt"),
            shows: "sha256",
            ..read(Flaw::InfoUnchecked, |b| {
                vec![path("file_info", b.in_outside("s.txt"))]
            })
        },
        Case {
            twin: |_| ("search_files", json!({"path": ".", "pattern": PLAIN})),
            shows: "ok.txt:1: PLAIN",
            ..read(Flaw::SearchFollows, |_| {
                vec![("search_files", json!({"path": ".", "pattern": SECRET}))]
            })
        },
        Case {
            twin: |_| ("list_directory", json!({"path": ".", "recursive": true})),
            shows: "sub/ok.txt",
            breached: |_, answers| answers.contains("deep"),
            ..read(Flaw::ListUnchecked, |b| {
                vec![path("list_directory", b.in_outside(""))]
            })
        },
        Case {
            twin: |_| path("list_directory", "."),
            shows: "ok.txt\t13 bytes",
            breached: |_, answers| answers.contains("link) 14 bytes"),
            ..read(Flaw::ListSizes, |_| vec![path("list_directory", "tree")])
        },
        Case {
            breached: |_, answers| {
                let lines: BTreeSet<_> = answers.lines().collect();
                lines.len() > 1
            },
            ..read(Flaw::ExistenceTold, |b| {
                vec![
                    path("read_file", b.in_outside("s.txt")),
                    path("read_file", b.in_outside("none.txt")),
                    path("read_file", b.in_root("link")),
                    path("read_file", b.in_root("dangling")),
                    path("read_file", "linkdir/none.txt"),
                ]
            })
        },
        Case {
            twin: |_| {
                (
                    "copy_file",
                    json!({"source": "ok.txt", "destination": "copy.txt"}),
                )
            },
            shows: "",
            ..read(Flaw::CopySource, |b| {
                let source = b.in_outside("s.txt");
                vec![
                    (
                        "copy_file",
                        json!({"source": source, "destination": "copy.txt"}),
                    ),
                    path("read_file", "copy.txt"),
                ]
            })
        },
        Case {
            twin: |_| {
                (
                    "move_file",
                    json!({"source": "ok.txt", "destination": "moved.txt"}),
                )
            },
            shows: "",
            breached: |bench, _| !bench.outside.join("s.txt").exists(),
            ..read(Flaw::CopySource, |b| {
                let source = b.in_outside("s.txt");
                vec![(
                    "move_file",
                    json!({"source": source, "destination": "moved.txt"}),
                )]
            })
        },
        Case {
            twin: |_| path("stage_file", "ok.txt"),
            shows: "1",
            ..read(Flaw::StageUnchecked, |b| {
                vec![
                    path("stage_file", b.in_outside("s.txt")),
                    ("show_staged", json!({"id": "1"})),
                ]
            })
        },
        Case {
            twin: |_| ("get_note", json!({"id": "note"})),
            ..read(Flaw::IdentPath, |_| {
                vec![("get_note", json!({"id": "../outside/s"}))]
            })
        },
        Case {
            twin: |_| ("git_log", json!({"repo_path": "repo"})),
            ..read(Flaw::RepoUnchecked, |b| {
                vec![
                    ("git_log", json!({"repo_path": b.in_outside("repo")})),
                    ("git_log", json!({"repo_path": "sub"})),
                ]
            })
        },
        Case {
            twin: |_| ("git_log", json!({"repo_path": "repo"})),
            ..read(Flaw::Gitdir, |_| {
                vec![("git_log", json!({"repo_path": "redirected"}))]
            })
        },
        Case {
            twin: |_| path("render", "good.doc"),
            ..read(Flaw::Include, |_| vec![path("render", "bad.doc")])
        },
        Case {
            twin: |_| path("read_archive", "good.tar"),
            ..read(Flaw::ArchiveLink, |_| {
                vec![path("read_archive", "linked.tar")]
            })
        },
        Case {
            twin: |_| path("read_archive", "good.zip"),
            ..read(Flaw::ArchiveLink, |_| {
                vec![
                    (
                        "extract_archive",
                        json!({"archive": "linked.tar", "destination": "unpacked"}),
                    ),
                    path("read_archive", "unpacked/member"),
                ]
            })
        },
        Case {
            options: |_, options| options.roots = vec!["".into(), "/nonexistent-root".into()],
            // Nothing is permitted here, so the twin is a call that needs no root.
            twin: |_| ("show_staged", json!({"id": "0"})),
            shows: "Nothing is staged",
            ..read(Flaw::EmptyAllowsAll, |b| {
                vec![path("read_file", b.in_outside("s.txt"))]
            })
        },
        Case {
            breached: |_, answers| answers.contains("[package]"),
            ..read(Flaw::RelativeCwd, |_| vec![path("read_file", "Cargo.toml")])
        },
        read(Flaw::DenyIgnored, |_| {
            vec![path("read_file", "secrets/s.txt")]
        }),
        read(Flaw::DenyLiteral, |_| vec![path("read_file", ".env")]),
    ]
}
