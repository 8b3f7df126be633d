//! A target under a strain is bounded as a whole, where control groups of version 2 are delegated to us.
//!
//! They are a matter of the machine that no package brings: where they are not, the test is ignored, in CI too.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "support/needs.rs"]
mod needs;

use std::{collections::BTreeMap, fs, path::Path, time::Duration};

use watertight::session::{Bounds, Endpoint, Launch, Options, Session, Transcript};

needs::main! {
    &[needs::GROUPS];
    a_tree_cannot_grow_over_its_bounds_and_no_group_is_left,
}

/// What the target starts as soon as it is told to.
const CHILDREN: usize = 40;
/// What it may have in all.
const BOUND: u64 = 20;

/// How many processes a target has that starts [`CHILDREN`] more.
async fn grown(bounds: Option<Bounds>) -> usize {
    let dir = tempfile::tempdir().unwrap();
    let told = dir.path().join("told");
    let script = format!(
        "(until [ -e {told} ]; do sleep 0.01; done
          for child in $(seq {CHILDREN}); do sleep 60 & done; : > {told}.done; wait) &
         exec {program} reference sound {dir}",
        told = told.display(),
        program = env!("CARGO_BIN_EXE_watertight"),
        dir = dir.path().display(),
    );
    let launch = Launch {
        program: String::from("sh"),
        args: vec![String::from("-c"), script],
        env: BTreeMap::from([(String::from("PATH"), String::from("/usr/bin:/bin"))]),
        cwd: dir.path().to_owned(),
        by: Vec::new(),
        serves: None,
    };
    let session = Session::open(
        &Endpoint::Stdio(launch),
        &Options::default(),
        Transcript::new(),
    )
    .await
    .unwrap();
    if let Some(bounds) = bounds {
        assert!(session.bound(bounds) > 1, "the shell and the server");
        assert_eq!(groups().len(), 1);
    }
    fs::write(&told, "").unwrap();
    // A shell that may not fork gives up, or goes on without.
    let done = dir.path().join("told.done");
    for _ in 0..200 {
        if done.exists() || session.processes().len() > CHILDREN {
            break;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let count = session.processes().len();
    let ending = session.close().await;
    assert_eq!(ending.survivors, [0; 0]);
    count
}

/// The groups of this process that there are, anywhere.
fn groups() -> Vec<walkdir::DirEntry> {
    let prefix = format!("watertight-{}-", std::process::id());
    walkdir::WalkDir::new(Path::new("/sys/fs/cgroup"))
        .into_iter()
        .filter_map(Result::ok)
        .filter(|entry| entry.file_name().to_string_lossy().starts_with(&prefix))
        .collect()
}

#[tokio::main]
async fn a_tree_cannot_grow_over_its_bounds_and_no_group_is_left() {
    let bounds = Bounds {
        data: 4 << 30,
        file: 1 << 30,
        seconds: 60,
        memory: 4 << 30,
        threads: BOUND,
    };
    assert!(grown(None).await > CHILDREN);
    let count = grown(Some(bounds)).await;
    assert!(
        count <= usize::try_from(BOUND).unwrap(),
        "{count} processes"
    );
    assert!(groups().is_empty());
}
