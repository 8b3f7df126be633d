//! Swaps between check and use: never through the sound server, soon through the flawed ones.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use rustix::fs::{CWD, RenameFlags, renameat_with};
use serde_json::json;
use watertight::reference::{Flaw, Kind};

use crate::bench::{Bench, Client, MARK, SECRET};

/// How often a race is tried; the flawed servers lose within a few tries.
const TRIES: usize = 600;

/// Exchanges two names over and over until dropped.
struct Swapper(Arc<AtomicBool>, Option<std::thread::JoinHandle<()>>);

impl Swapper {
    fn start(a: PathBuf, b: PathBuf) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let thread = std::thread::spawn(move || {
            while !stopped.load(Ordering::Relaxed) {
                renameat_with(CWD, &a, CWD, &b, RenameFlags::EXCHANGE).unwrap();
                std::thread::yield_now();
            }
        });
        Self(stop, Some(thread))
    }
}

impl Drop for Swapper {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
        if let Some(thread) = self.1.take() {
            assert!(thread.join().is_ok() || std::thread::panicking());
        }
    }
}

/// A directory `room` with a file `door`, and beside it what they are swapped with.
fn plant(bench: &Bench, leaf: bool) -> Swapper {
    let (room, decoy) = (bench.root.join("room"), bench.root.join("decoy"));
    fs::create_dir(&room).unwrap();
    fs::write(room.join("s.txt"), "harmless").unwrap();
    if leaf {
        let link = room.join("swap");
        symlink(bench.outside.join("s.txt"), &link).unwrap();
        Swapper::start(room.join("s.txt"), link)
    } else {
        symlink(&bench.outside, &decoy).unwrap();
        Swapper::start(room, decoy)
    }
}

/// Whether a read of the swapped file ever brings out the secret; `harmless` answers are counted too.
async fn reads_secret(flaws: &[Flaw], leaf: bool) -> (bool, usize) {
    let bench = Bench::new();
    let client = Client::start(Kind::Sound, bench.options(flaws)).await;
    let _swapper = plant(&bench, leaf);
    let mut harmless = 0;
    for _ in 0..TRIES {
        let got = client
            .call("read_file", json!({"path": "room/s.txt"}))
            .await;
        if got.text.contains(SECRET) {
            return (true, harmless);
        }
        harmless += usize::from(got.text.contains("harmless"));
    }
    (false, harmless)
}

/// Whether a write to the swapped file ever reaches the directory outside.
async fn writes_outside(flaws: &[Flaw], leaf: bool) -> (bool, usize) {
    let bench = Bench::new();
    let client = Client::start(Kind::Sound, bench.options(flaws)).await;
    let _swapper = plant(&bench, leaf);
    let mut written = 0;
    for _ in 0..TRIES {
        let arguments = json!({"path": "room/s.txt", "content": MARK});
        written += usize::from(!client.call("write_file", arguments).await.refused);
        if fs::read_to_string(bench.outside.join("s.txt"))
            .unwrap()
            .contains(MARK)
        {
            return (true, written);
        }
    }
    (false, written)
}

#[tokio::test(flavor = "multi_thread")]
async fn swaps_never_win_against_the_sound_server() {
    for leaf in [true, false] {
        let (leaked, harmless) = reads_secret(&[], leaf).await;
        assert!(!leaked, "leaf {leaf}");
        assert!(harmless > 0, "no read succeeded, leaf {leaf}");
        let (escaped, written) = writes_outside(&[], leaf).await;
        assert!(!escaped, "leaf {leaf}");
        assert!(written > 0, "no write succeeded, leaf {leaf}");
    }
}

/// Every other tool against a parent directory that is swapped for a link.
#[tokio::test(flavor = "multi_thread")]
async fn no_tool_of_the_sound_server_loses_a_race() {
    let file = "room/s.txt";
    let edits = json!([{"oldText": "harmless", "newText": "harmless"}]);
    for (tool, arguments) in [
        ("file_info", json!({"path": file})),
        ("render", json!({"path": file})),
        ("list_directory", json!({"path": "room", "recursive": true})),
        ("search_files", json!({"path": "room", "pattern": "S"})),
        (
            "copy_file",
            json!({"source": file, "destination": "copied"}),
        ),
        (
            "copy_file",
            json!({"source": "ok.txt", "destination": "room/made"}),
        ),
        ("edit_file", json!({"path": file, "edits": edits})),
        ("create_directory", json!({"path": "room/made"})),
        ("create_project", json!({"path": "room/made"})),
        ("delete_file", json!({"path": "room/s.txt"})),
        (
            "extract_archive",
            json!({"archive": "good.tar", "destination": "room"}),
        ),
        (
            "move_file",
            json!({"source": "room/s.txt", "destination": "moved"}),
        ),
    ] {
        let bench = Bench::new();
        let before = bench.forbidden_tree();
        let client = Client::start(Kind::Sound, bench.options(&[])).await;
        let swapper = plant(&bench, false);
        for _ in 0..TRIES / 6 {
            let got = client.call(tool, arguments.clone()).await;
            let leaked = got.text.contains(SECRET) || got.text.contains("deep");
            assert!(!leaked, "{tool}: {got:?}");
        }
        drop(swapper);
        assert_eq!(bench.forbidden_tree(), before, "{tool}");
        let copied = fs::read_to_string(bench.root.join("copied")).unwrap_or_default();
        assert!(!copied.contains(SECRET), "{tool}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn swaps_win_against_the_flawed_servers() {
    for (flaw, leaf) in [(Flaw::RaceLeaf, true), (Flaw::RaceParent, false)] {
        assert!(reads_secret(&[flaw], leaf).await.0, "{flaw}");
    }
    for (flaw, leaf) in [(Flaw::WriteRaceLeaf, true), (Flaw::WriteRaceParent, false)] {
        assert!(writes_outside(&[flaw], leaf).await.0, "{flaw}");
    }
}
