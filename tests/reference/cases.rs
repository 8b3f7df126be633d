//! One row per flaw: the sound server refuses the attack, the flawed one lets it through, and the permitted twin of the
//! attack works on both.

use std::collections::BTreeSet;
use std::fs;
use std::os::fd::AsRawFd as _;

use serde_json::{Value, json};
use watertight::reference::{Flaw, Kind, ReferenceOptions, flaws};

use crate::bench::{Bench, Client, MARK, PLAIN, SECRET};

type Call = (&'static str, Value);

/// One attack and its twin.
struct Case {
    flaw: Flaw,
    options: fn(&Bench, &mut ReferenceOptions),
    attack: fn(&Bench) -> Vec<Call>,
    /// Whether the attack succeeded, told from the answers and the disk.
    breached: fn(&Bench, &str) -> bool,
    /// A call that must succeed, and what its answer contains.
    twin: fn(&Bench) -> Call,
    shows: &'static str,
}

fn as_is(_: &Bench, _: &mut ReferenceOptions) {}

fn limited(_: &Bench, options: &mut ReferenceOptions) {
    options.max_file_size = Some(6000);
}

fn secret_shown(_: &Bench, answers: &str) -> bool {
    answers.contains(SECRET)
}

/// An attack on `read_file` with a path; the twin reads a permitted file.
fn read(flaw: Flaw, attack: fn(&Bench) -> Vec<Call>) -> Case {
    Case {
        flaw,
        options: as_is,
        attack,
        breached: secret_shown,
        twin: |bench| path("read_file", bench.in_root("ok.txt")),
        shows: PLAIN,
    }
}

/// An attack that writes [`MARK`] somewhere outside; the twin writes a permitted file.
fn write(
    flaw: Flaw,
    attack: fn(&Bench) -> Vec<Call>,
    twin: fn(&Bench) -> Call,
    shows: &'static str,
) -> Case {
    Case {
        flaw,
        options: as_is,
        attack,
        breached: |bench, _| {
            let tree = bench.forbidden_tree();
            tree.values()
                .any(|content| String::from_utf8_lossy(content).contains(MARK))
        },
        twin,
        shows,
    }
}

fn path(tool: &'static str, path: impl Into<String>) -> Call {
    (tool, json!({"path": path.into()}))
}

fn put(path: impl Into<String>) -> Call {
    ("write_file", json!({"path": path.into(), "content": MARK}))
}

fn put_ok(bench: &Bench) -> Call {
    put(bench.in_root("sub/new.txt"))
}

fn percent(text: &str) -> String {
    text.bytes().map(|byte| format!("%{byte:02x}")).collect()
}

fn reading() -> Vec<Case> {
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

fn writing() -> Vec<Case> {
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

fn sizes() -> Vec<Case> {
    let sized = |case: Case| Case {
        options: limited,
        ..case
    };
    vec![
        sized(read(Flaw::SizeUnlimited, |b| {
            large(b);
            vec![path("read_file", "large.txt")]
        })),
        sized(read(Flaw::SizeRange, |b| {
            large(b);
            vec![(
                "read_file",
                json!({"path": "large.txt", "offset": 7000, "length": 99}),
            )]
        })),
        sized(read(Flaw::SizeRange, |b| {
            large(b);
            vec![("read_file", json!({"path": "large.txt", "tail": 1}))]
        })),
        sized(read(Flaw::SizeStat, |_| vec![path("read_file", "pipe")])),
        Case {
            twin: |_| path("read_archive", "good.zip"),
            ..sized(read(Flaw::SizeDecompressed, |_| {
                vec![path("read_archive", "bomb.zip")]
            }))
        },
        Case {
            options: limited,
            breached: |bench, _| bench.root.join("large2.txt").exists(),
            ..write(
                Flaw::SizeWriteUnlimited,
                |_| {
                    let content = ".".repeat(7000);
                    vec![(
                        "write_file",
                        json!({"path": "large2.txt", "content": content}),
                    )]
                },
                put_ok,
                "",
            )
        },
    ]
}

/// Plants a file over the limit, with the secret behind it.
fn large(bench: &Bench) {
    let content = format!("{}{SECRET}", ".".repeat(7000));
    fs::write(bench.root.join("large.txt"), content).unwrap();
}

/// Runs the attack on a fresh tree, and the twin on another; whether the one succeeded, and what the other answered.
async fn run(case: &Case, flaws: &[Flaw]) -> (bool, String) {
    let start = async |bench: &Bench| {
        let mut options = bench.options(flaws);
        (case.options)(bench, &mut options);
        Client::start(Kind::Sound, options).await
    };
    let bench = Bench::new();
    let client = start(&bench).await;
    let mut answers = String::new();
    for (tool, arguments) in (case.attack)(&bench) {
        answers.push_str(&client.call(tool, arguments).await.text);
        answers.push('\n');
    }
    let breached = (case.breached)(&bench, &answers);

    let bench = Bench::new();
    let client = start(&bench).await;
    let (tool, arguments) = (case.twin)(&bench);
    let answer = client.call(tool, arguments).await;
    let allowed = !answer.refused || case.flaw == Flaw::EmptyAllowsAll;
    assert!(
        allowed,
        "twin of {}, flaws {flaws:?}: {answer:?}",
        case.flaw
    );
    (breached, answer.text)
}

/// Set in the process that has a home directory of its own.
const CHILD: &str = "REFERENCE_TEST_CHILD";

/// Runs the test below in a process whose HOME holds a secret: a test may not change its own environment.
fn in_child_with_home() {
    let home = tempfile::tempdir().unwrap();
    fs::write(home.path().join("s.txt"), SECRET).unwrap();
    let output = std::process::Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "--nocapture"])
        .arg("cases::every_flaw_lets_its_attack_through_and_the_sound_server_does_not")
        .env("HOME", home.path())
        .env(CHILD, "1")
        .output()
        .unwrap();
    let log = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{log}");
    let told = String::from_utf8_lossy(&output.stdout);
    assert!(told.contains("1 passed"), "{told}");
}

#[tokio::test(flavor = "multi_thread")]
async fn every_flaw_lets_its_attack_through_and_the_sound_server_does_not() {
    if std::env::var_os(CHILD).is_none() {
        return in_child_with_home();
    }
    let cases: Vec<Case> = [reading(), writing(), sizes()]
        .into_iter()
        .flatten()
        .collect();
    let mut failures = Vec::new();
    for (number, case) in cases.iter().enumerate() {
        for (flaws, expected) in [(&[][..], false), (&[case.flaw][..], true)] {
            let (breached, twin) = run(case, flaws).await;
            if breached != expected {
                failures.push(format!(
                    "row {number} {}: breached {breached}, flaws {flaws:?}",
                    case.flaw
                ));
            }
            if !twin.contains(case.shows) {
                failures.push(format!(
                    "row {number} {}: twin answered {twin:?}",
                    case.flaw
                ));
            }
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));

    // Races have their own tests.
    let races = [
        "fs.race-leaf",
        "fs.race-parent",
        "fs.write-race-leaf",
        "fs.write-race-parent",
    ];
    let covered: BTreeSet<_> = cases
        .iter()
        .map(|case| case.flaw.name())
        .chain(races)
        .collect();
    let all: BTreeSet<_> = flaws().iter().map(|(name, _)| *name).collect();
    assert_eq!(covered, all);
}
