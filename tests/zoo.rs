//! Every probe against the reference target: held where it is sound, breached on each flaw that the
//! probe names, and never held on a dummy. Real runs of the real binary.

use std::collections::BTreeSet;
use std::path::Path;

use watertight::{
    cli::self_test::{Cell, Expected, cells},
    judge::Verdict,
    probe::Catalog,
    reference::flaws,
};

fn all() -> Vec<Cell> {
    let program = Path::new(env!("CARGO_BIN_EXE_watertight"));
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime can be made")
        .block_on(cells(program, &[]))
}

#[test]
fn every_probe_passes_and_fails_as_declared() {
    let cells = all();
    let wrong: Vec<&Cell> = cells.iter().filter(|cell| !cell.passed()).collect();
    assert!(
        wrong.is_empty(),
        "{} of {} cells: {wrong:#?}",
        wrong.len(),
        cells.len()
    );

    let breached = |cell: &&Cell| cell.expected == Expected::Exactly(Verdict::Breached);
    for probe in Catalog::embedded().probes() {
        let id = probe.id.to_string();
        let of = |wanted: &dyn Fn(&&Cell) -> bool| {
            cells
                .iter()
                .filter(|cell| cell.probe == id)
                .filter(wanted)
                .count()
        };
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
        for dummy in ["dead", "mute", "refuse-all", "echo", "silently-empty"] {
            assert_eq!(
                of(&|cell| cell.target == dummy),
                1,
                "{id} is asked of {dummy}"
            );
        }
    }
    // Flaws of a family that no probe is about yet cannot be tried.
    let family = |flaw: &str| flaw.split('.').next().map(str::to_owned);
    let families: BTreeSet<_> = Catalog::embedded()
        .probes()
        .flat_map(|probe| probe.selftest.breached.iter().map(|flaw| family(flaw)))
        .collect();
    for (flaw, _) in flaws() {
        if !families.contains(&family(flaw)) {
            continue;
        }
        assert!(
            cells.iter().any(|cell| cell.target == *flaw),
            "no probe was tried on {flaw}"
        );
    }
}
