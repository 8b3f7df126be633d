//! Attacks on the size limit.

use std::fs;

use serde_json::json;
use watertight::reference::{Flaw, ReferenceOptions};

use super::{Case, path, put_ok, read, write};
use crate::bench::{Bench, SECRET};

fn limited(_: &Bench, options: &mut ReferenceOptions) {
    options.max_file_size = Some(6000);
}

/// Plants a file over the limit, with the secret behind it.
fn large(bench: &Bench) {
    let content = format!("{}{SECRET}", ".".repeat(7000));
    fs::write(bench.root.join("large.txt"), content).unwrap();
}

pub(super) fn cases() -> Vec<Case> {
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
