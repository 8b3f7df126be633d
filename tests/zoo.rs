//! Every probe against the reference target: held where it is sound, breached on each flaw that the
//! probe names, and never held on a dummy. Real runs of the real binary.

use std::process::{Command, Output};

use serde_json::Value;
use watertight::{
    cli::self_test::{Cell, Expected},
    judge::Verdict,
    probe::Catalog,
};

/// All cells, and whether the program was content. The self-test makes worlds of its own where it can, so it
/// is the program that runs it.
fn all() -> (Vec<Cell>, Output) {
    // Other tests are not to find its figure.
    let cache = tempfile::tempdir().expect("a directory for its figure");
    let output = Command::new(env!("CARGO_BIN_EXE_watertight"))
        .args(["self-test", "--json"])
        .env("XDG_CACHE_HOME", cache.path())
        .output()
        .expect("the program starts");
    let cells: Vec<Cell> = serde_json::from_slice(&output.stdout).unwrap_or_else(|error| {
        panic!("{error}: {}", String::from_utf8_lossy(&output.stderr));
    });
    let kept = std::fs::read(cache.path().join("watertight/self-test.json"));
    let kept: Value = serde_json::from_slice(&kept.unwrap_or_default()).unwrap_or_default();
    assert_eq!(
        kept["calibration"]["total"],
        cells.len(),
        "the figure is kept for reports: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    (cells, output)
}

#[test]
fn every_probe_passes_and_fails_as_declared() {
    let (cells, output) = all();
    let wrong: Vec<&Cell> = cells.iter().filter(|cell| !cell.passed()).collect();
    assert!(
        wrong.is_empty(),
        "{} of {} cells: {wrong:#?}",
        wrong.len(),
        cells.len()
    );
    assert!(output.status.success(), "{output:?}");

    // It says "Refused", and does it: whatever finds a target without checks must find it too.
    let silent = |cell: &&Cell| cell.target == "silent-exfil";
    assert!(cells.iter().any(|cell| silent(&cell)));
    let breached =
        |cell: &&Cell| cell.expected == Expected::Exactly(Verdict::Breached) && !silent(cell);
    for probe in Catalog::embedded().probes() {
        let id = probe.id.to_string();
        let of = |wanted: &dyn Fn(&&Cell) -> bool| {
            cells
                .iter()
                .filter(|cell| cell.probe == id)
                .filter(wanted)
                .count()
        };
        // What only a certain launcher or user shows, `tests/posture.rs` asks for.
        if probe.selftest.needs.is_some() {
            continue;
        }
        assert_eq!(
            of(&|cell| cell.target == "sound"),
            1,
            "{id} is asked of the sound target once"
        );
        let platforms: Vec<String> = probe.platforms.iter().map(ToString::to_string).collect();
        if platforms.is_empty() || platforms.iter().any(|name| name == std::env::consts::OS) {
            assert_eq!(
                of(&breached),
                probe.selftest.breached.len(),
                "{id} is asked of each of its flaws"
            );
        }
        // Who does nothing contacts nobody, and dummies are processes as good as any.
        let is_right = probe.technique.as_deref() == Some("watch.unasked");
        // Over HTTP none of them is dead; `tests/header_upstream.rs` has servers of which nothing may be said.
        let is_served = probe.technique.as_deref() == Some("watch.headers");
        if is_right || is_served || probe.observes() {
            continue;
        }
        for dummy in ["dead", "mute", "refuse-all", "echo", "silently-empty"] {
            assert_eq!(
                of(&|cell| cell.target == dummy),
                1,
                "{id} is asked of {dummy}"
            );
        }
    }
}
