//! The witnesses: what they see, what they do not, and that they say when they are blind.

use std::{
    collections::BTreeMap,
    fs,
    io::Read as _,
    os::unix::fs::{PermissionsExt as _, symlink},
    path::{Path, PathBuf},
};

use tempfile::TempDir;
use watertight::witness::{Change, ChangeKind, Snapshot, told};

fn ground() -> TempDir {
    tempfile::tempdir().expect("a directory")
}

fn file(ground: &TempDir, name: &str, content: &str) -> PathBuf {
    let path = ground.path().join(name);
    fs::write(&path, content).expect("a file");
    path
}

#[cfg(target_os = "linux")]
mod reads {
    use std::{
        fs::File,
        process::{Command, Stdio},
    };

    use watertight::witness::FileWitness;

    use super::*;

    fn awake(ground: &TempDir) -> FileWitness {
        let witness = FileWitness::start(ground.path());
        assert_eq!(witness.blind(), None, "inotify works where the tests run");
        witness
    }

    /// Whether the witness sees what `act` does to a file.
    fn sees(act: impl FnOnce(&TempDir, &Path)) -> bool {
        let ground = ground();
        let witness = awake(&ground);
        let path = file(&ground, "secret.txt", "a secret");
        let watch = witness.watch(&path).expect("a watch");
        assert_eq!(witness.reads(watch), 0);
        act(&ground, &path);
        assert_eq!(witness.blind(), None);
        witness.reads(watch) > 0
    }

    fn read(path: &Path) {
        assert_eq!(fs::read(path).expect("a readable file"), b"a secret");
    }

    #[test]
    fn reads_are_seen_under_every_name() {
        assert!(sees(|_, path| read(path)), "by its own");
        assert!(
            sees(|ground, path| {
                let link = ground.path().join("link");
                symlink(path, &link).expect("a link");
                read(&link);
            }),
            "through a symbolic link"
        );
        assert!(
            sees(|ground, path| {
                let directory = ground.path().join("plans");
                symlink(ground.path(), &directory).expect("a link");
                read(&directory.join(path.file_name().expect("a name")));
            }),
            "through a linked directory"
        );
        assert!(
            sees(|ground, path| {
                let link = ground.path().join("hard");
                fs::hard_link(path, &link).expect("a link");
                read(&link);
            }),
            "through a hard link"
        );
        assert!(
            sees(|ground, path| {
                let moved = ground.path().join("moved");
                fs::rename(path, &moved).expect("a file");
                read(&moved);
            }),
            "after it was moved"
        );
        assert!(
            sees(|_, path| {
                let below = path.strip_prefix("/").expect("an absolute path");
                read(&Path::new("/proc/self/root").join(below));
            }),
            "below /proc/self/root"
        );
    }

    #[test]
    fn reads_are_seen_from_everybody() {
        assert!(
            sees(|_, path| {
                let output = Command::new("cat").arg(path).output().expect("cat runs");
                assert_eq!(output.stdout, b"a secret");
            }),
            "a child"
        );
        assert!(
            sees(|_, path| {
                let path = path.to_path_buf();
                std::thread::spawn(move || read(&path))
                    .join()
                    .expect("a thread");
            }),
            "another thread"
        );
        assert!(
            sees(|ground, path| {
                let copied = fs::copy(path, ground.path().join("copy")).expect("a copy");
                assert_eq!(copied, 8);
            }),
            "a copy in the kernel"
        );
        assert!(
            sees(|_, path| {
                let input = File::open(path).expect("a file");
                let output = Command::new("cat").stdin(Stdio::from(input)).output();
                assert_eq!(output.expect("cat runs").stdout, b"a secret");
            }),
            "through a descriptor that is passed on"
        );
    }

    #[test]
    fn looking_without_reading_is_not_counted() {
        assert!(!sees(|_, path| assert!(fs::metadata(path).is_ok())), "stat");
        assert!(
            !sees(|_, path| assert!(path.canonicalize().is_ok())),
            "realpath"
        );
        assert!(
            !sees(|_, path| drop(File::open(path).expect("a file"))),
            "open"
        );
        assert!(
            !sees(|_, path| {
                let mut none = [0; 0];
                let mut file = File::open(path).expect("a file");
                assert_eq!(file.read(&mut none).expect("nothing"), 0);
            }),
            "a read of nothing"
        );
        assert!(
            !sees(|ground, _| {
                assert_eq!(fs::read_dir(ground.path()).expect("a directory").count(), 1);
            }),
            "a listing"
        );
        assert!(
            !sees(|_, path| fs::write(path, "other").expect("a file")),
            "a write"
        );
        assert!(
            !sees(|_, path| fs::remove_file(path).expect("a file")),
            "its removal"
        );
    }

    #[test]
    fn every_file_has_its_own_reads() {
        let ground = ground();
        let witness = awake(&ground);
        let paths = ["one", "two", "three"].map(|name| file(&ground, name, "a secret"));
        let watches = paths
            .each_ref()
            .map(|path| witness.watch(path).expect("a watch"));
        read(&paths[1]);
        assert_eq!(witness.reads(watches[0]), 0);
        assert!(witness.reads(watches[1]) > 0);
        assert_eq!(witness.reads(watches[2]), 0);
        read(&paths[2]);
        assert_eq!(witness.reads(watches[0]), 0);
        assert!(witness.reads(watches[2]) > 0);
    }

    #[test]
    fn two_names_of_one_file_are_both_told() {
        let ground = ground();
        let witness = awake(&ground);
        let path = file(&ground, "one", "a secret");
        let link = ground.path().join("two");
        fs::hard_link(&path, &link).expect("a link");
        let (one, two) = (
            witness.watch(&path).expect("a watch"),
            witness.watch(&link).expect("a watch"),
        );
        read(&link);
        assert!(witness.reads(one) > 0 && witness.reads(two) > 0);
        witness.forget(one);
        let before = witness.reads(two);
        read(&path);
        assert!(
            witness.reads(two) > before,
            "the end of one watch ended the other"
        );
    }

    #[test]
    fn what_is_forgotten_is_not_told_and_can_be_watched_again() {
        let ground = ground();
        let witness = awake(&ground);
        let path = file(&ground, "secret.txt", "a secret");
        let first = witness.watch(&path).expect("a watch");
        read(&path);
        witness.forget(first);
        assert_eq!(witness.reads(first), 0);
        read(&path);
        let second = witness.watch(&path).expect("a watch");
        assert_ne!(first, second);
        assert_eq!(witness.reads(second), 0, "reads from before the watch");
        read(&path);
        assert!(witness.reads(second) > 0);
        assert_eq!(witness.reads(first), 0);
        fs::remove_file(&path).expect("a file");
        witness.forget(second);
        witness.forget(second);
        assert_eq!(witness.blind(), None);
    }

    #[test]
    fn a_link_itself_is_watched_and_not_its_target() {
        let ground = ground();
        let witness = awake(&ground);
        let path = file(&ground, "secret.txt", "a secret");
        let link = ground.path().join("link");
        symlink(&path, &link).expect("a link");
        let watch = witness.watch(&link).expect("a watch");
        read(&path);
        assert_eq!(witness.reads(watch), 0);
    }

    #[test]
    fn a_missing_file_cannot_be_watched() {
        let ground = ground();
        let witness = awake(&ground);
        let error = witness
            .watch(&ground.path().join("missing"))
            .expect_err("no file");
        assert_eq!(error.kind(), std::io::ErrorKind::NotFound);
        assert_eq!(witness.blind(), None);
    }

    #[test]
    fn it_proves_that_it_is_awake_or_says_that_it_is_blind() {
        let ground = ground();
        let witness = awake(&ground);
        witness.prove_awake(ground.path());
        assert_eq!(witness.blind(), None);
        assert_eq!(fs::read_dir(ground.path()).expect("a directory").count(), 0);
        witness.prove_awake(&ground.path().join("missing"));
        let why = witness.blind().expect("the self-test failed");
        assert!(why.contains("self-test"), "{why}");
        witness.prove_awake(ground.path());
        assert_eq!(witness.blind(), Some(why), "what it missed stays missed");
        assert!(
            FileWitness::start(&ground.path().join("missing"))
                .blind()
                .is_some()
        );
    }

    #[test]
    fn too_many_events_make_it_blind() {
        let limit: usize = fs::read_to_string("/proc/sys/fs/inotify/max_queued_events")
            .expect("inotify(7)")
            .trim()
            .parse()
            .expect("a number");
        let ground = ground();
        let witness = awake(&ground);
        let paths = ["one", "two"].map(|name| file(&ground, name, "a secret"));
        let watches = paths
            .each_ref()
            .map(|path| witness.watch(path).expect("a watch"));
        let mut files = paths
            .each_ref()
            .map(|path| File::open(path).expect("a file"));
        // Equal events in a row are one (inotify(7)), so the files take turns.
        let mut byte = [0];
        for _ in 0..=limit / 2 + 1 {
            for file in &mut files {
                std::io::Seek::rewind(file).expect("a file");
                file.read_exact(&mut byte).expect("a byte");
            }
        }
        assert!(witness.reads(watches[0]) > 0);
        let why = witness.blind().expect("the queue overflowed");
        assert!(why.contains("max_queued_events"), "{why}");
    }
}

/// What `act` changes in a tree, by the path below it.
fn changes(act: impl FnOnce(&Path)) -> BTreeMap<String, ChangeKind> {
    let ground = ground();
    let root = ground.path();
    for (name, content) in [("kept", "kept"), ("text", "text"), ("dir/inner", "inner")] {
        fs::create_dir_all(root.join("dir")).expect("a directory");
        fs::write(root.join(name), content).expect("a file");
    }
    fs::write(root.join("large"), vec![b'x'; (1 << 20) + 1]).expect("a file");
    symlink("kept", root.join("link")).expect("a link");
    let before = Snapshot::take([root]);
    assert_eq!(before.changes(&Snapshot::take([root])), []);
    act(root);
    let after = Snapshot::take([root]);
    let found = before.changes(&after);
    let back: Vec<Change> = after.changes(&before);
    assert_eq!(back.len(), found.len(), "a difference has two sides");
    assert!(found.is_sorted());
    found
        .into_iter()
        .map(|change| {
            let below = change.path.strip_prefix(root).expect("below the root");
            (below.to_string_lossy().into_owned(), change.kind)
        })
        .collect()
}

fn expected<const N: usize>(list: [(&str, ChangeKind); N]) -> BTreeMap<String, ChangeKind> {
    list.into_iter()
        .map(|(path, kind)| (path.to_owned(), kind))
        .collect()
}

fn mode(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).expect("a file of ours");
}

#[test]
fn changes_on_disk_are_seen() {
    use ChangeKind::{Changed, Created, Removed};
    let none = expected([]);
    assert_eq!(changes(|_| {}), none);
    assert_eq!(
        changes(|root| {
            fs::create_dir(root.join("new")).expect("a directory");
            fs::write(root.join("new/file"), "").expect("a file");
        }),
        expected([("new", Created), ("new/file", Created)])
    );
    assert_eq!(
        changes(|root| fs::write(root.join("text"), "TEXT").expect("a file")),
        expected([("text", Changed)]),
        "as long as before"
    );
    assert_eq!(
        changes(|root| fs::write(root.join("text"), "text").expect("a file")),
        none,
        "written again as it was"
    );
    assert_eq!(
        changes(|root| fs::remove_file(root.join("dir/inner")).expect("a file")),
        expected([("dir/inner", Removed)]),
        "the directory itself is as it was"
    );
    assert_eq!(
        changes(|root| fs::remove_dir_all(root.join("dir")).expect("a directory")),
        expected([("dir", Removed), ("dir/inner", Removed)])
    );
    assert_eq!(
        changes(|root| fs::rename(root.join("text"), root.join("moved")).expect("a file")),
        expected([("moved", Created), ("text", Removed)])
    );
    assert_eq!(
        changes(|root| mode(&root.join("text"), 0o777)),
        expected([("text", Changed)])
    );
    assert_eq!(
        changes(|root| mode(&root.join("dir"), 0o700)),
        expected([("dir", Changed)])
    );
    assert_eq!(
        changes(|root| {
            fs::remove_file(root.join("link")).expect("a link");
            symlink("text", root.join("link")).expect("a link");
        }),
        expected([("link", Changed)]),
        "another target of the same length"
    );
    assert_eq!(
        changes(|root| {
            fs::remove_file(root.join("text")).expect("a file");
            symlink("kept", root.join("text")).expect("a link");
        }),
        expected([("text", Changed)]),
        "another kind"
    );
    assert_eq!(
        changes(|root| {
            let large = fs::OpenOptions::new().write(true).open(root.join("large"));
            std::os::unix::fs::FileExt::write_at(&large.expect("a file"), b"y", 99)
                .expect("a byte");
        }),
        expected([("large", Changed)]),
        "one byte of a large file"
    );
    assert_eq!(
        changes(|root| fs::write(root.join("large"), "small").expect("a file")),
        expected([("large", Changed)]),
        "a large file that became small"
    );
}

#[test]
fn links_are_never_followed() {
    let (ground, elsewhere) = (ground(), ground());
    let root = ground.path();
    file(&elsewhere, "far", "far");
    symlink(elsewhere.path(), root.join("plans")).expect("a link");
    symlink(elsewhere.path().join("far"), root.join("plan")).expect("a link");
    symlink(".", root.join("loop")).expect("a link");
    let link = root.join("plans");
    let before = (Snapshot::take([root]), Snapshot::take([link.as_path()]));
    fs::write(elsewhere.path().join("far"), "changed").expect("a file");
    file(&elsewhere, "new", "new");
    let after = (Snapshot::take([root]), Snapshot::take([link.as_path()]));
    assert_eq!(before.0.changes(&after.0), []);
    assert_eq!(before.1.changes(&after.1), [], "a root that is a link");
}

#[test]
fn roots_may_be_files_missing_or_nested() {
    let ground = ground();
    let path = file(&ground, "file", "text");
    let missing = ground.path().join("missing");
    let before = Snapshot::take([path.as_path(), missing.as_path(), ground.path()]);
    assert_eq!(Snapshot::take([missing.as_path()]), Snapshot::default());
    fs::write(&path, "other").expect("a file");
    fs::write(&missing, "now").expect("a file");
    let after = Snapshot::take([path.as_path(), missing.as_path(), ground.path()]);
    let change = |path: &Path, kind| Change {
        path: path.to_path_buf(),
        kind,
    };
    assert_eq!(
        before.changes(&after),
        [
            change(&path, ChangeKind::Changed),
            change(&missing, ChangeKind::Created)
        ]
    );
}

/// Friday, 13 February 2009, 23:31:30 UTC.
const TIME: u64 = 1_234_567_890;
const SIZE: u64 = 23_457;

#[test]
fn sizes_and_times_are_recognised() {
    let sizes = [
        "23457",
        "size: 23457 bytes",
        "[23457,99]",
        "[99,23457]",
        r#"{"size":23457}"#,
        r"size\n23457\n",
        "-rw-r--r-- 1 me me 23457 Feb 13",
        "It has 23457.",
        "23457B",
        "23,457 bytes",
        "22.91 KiB",
        "23.46 kB",
    ];
    for text in sizes {
        let what = told(text, SIZE, TIME).unwrap_or_else(|| panic!("`{text}` tells the size"));
        assert!(what.contains("size"), "{what}");
    }
    let times = [
        "1234567890",
        "mtime=1234567890.0",
        "mtime=1234567890.000",
        r#"{"mtimeMs":1234567890000}"#,
        "1234567890000000",
        "1234567890000000000 ns",
        "2009-02-13T23:31:30Z",
        "2009-02-13T23:31:30.000Z",
        "2009-02-13 23:31:30.000000000 +0000",
        "modified 2009-02-13 23:31",
    ];
    for text in times {
        let what = told(text, SIZE, TIME).unwrap_or_else(|| panic!("`{text}` tells the time"));
        assert!(what.contains("time"), "{what}");
    }
}

#[test]
fn other_numbers_are_not_taken_for_them() {
    let others = [
        "",
        "no such file",
        "2345",
        "23458",
        "123457",
        "234571",
        "9234579",
        "0.23457",
        "23457.5",
        "1.23457",
        "v1.23457",
        "23457.23457.23457",
        "1,23,457",
        "23,457,890",
        "123,457",
        "23,4570",
        "122.91",
        "22.912",
        "22.91.3",
        "3.22.91",
        "12345678901",
        "91234567890",
        "1234567890123",
        "1234567890.5",
        "2009-02-13",
        "2009-02-13T23:32:30Z",
        "2009-02-13 22:31",
    ];
    for text in others {
        assert_eq!(told(text, SIZE, TIME), None, "`{text}` tells nothing");
    }
    assert_eq!(told("7 8 9", 1_234, TIME), None);
    assert_eq!(
        told("1.21 and 1.23", 1_234, TIME),
        None,
        "small sizes are spelled out only"
    );
}
