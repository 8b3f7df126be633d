//! Where the testbed lies, how it is laid out, and that it goes away.

use std::{fs, os::unix::fs::PermissionsExt as _, path::Path};

use watertight::testbed::{Bed, BedError};

fn mode(path: &Path) -> u32 {
    fs::metadata(path).expect("it exists").permissions().mode() & 0o777
}

#[test]
fn its_places_are_where_their_names_say() {
    let bed = Bed::create().expect("a testbed");
    let base = bed.base().to_path_buf();
    assert_eq!(
        base.canonicalize().expect("it exists"),
        base,
        "links would make two spellings"
    );
    assert_eq!(bed.allowed.parent(), Some(base.as_path()));
    assert_eq!(bed.denied.parent(), bed.allowed.parent());
    assert!(!bed.outside.starts_with(&bed.allowed) && !bed.outside.starts_with(&bed.denied));
    assert_ne!(bed.outside.parent(), bed.allowed.parent());
    for place in [&bed.allowed, &bed.denied, &bed.outside, &bed.home, &bed.tmp] {
        assert!(place.is_dir(), "{}", place.display());
        assert!(place.starts_with(&base));
        let others = [&bed.allowed, &bed.denied, &bed.outside, &bed.home, &bed.tmp];
        let below = others
            .iter()
            .filter(|other| place.starts_with(other))
            .count();
        assert_eq!(below, 1, "{} lies in another place", place.display());
    }
    assert!(bed.remove());
    assert!(!base.exists());
}

#[test]
fn a_target_that_runs_as_another_user_can_reach_it() {
    let bed = Bed::create().expect("a testbed");
    assert_eq!(mode(bed.base()), 0o755);
    for place in [&bed.denied, &bed.outside] {
        assert_eq!(mode(place) & 0o555, 0o555, "{}", place.display());
    }
}

#[test]
fn two_runs_do_not_meet() {
    let (one, other) = (
        Bed::create().expect("a testbed"),
        Bed::create().expect("another"),
    );
    assert_ne!(one.base(), other.base());
    assert!(!one.base().starts_with(other.base()) && !other.base().starts_with(one.base()));
}

#[test]
fn it_lies_where_servers_allow_nothing_silently() {
    let Ok(parent) = Path::new("/var/tmp").canonicalize() else {
        panic!("every Unix has /var/tmp (hier(7))");
    };
    let home = std::env::var_os("HOME").map(std::path::PathBuf::from);
    let here = std::env::current_dir().expect("a working directory");
    let taken = [home, Some(here)]
        .into_iter()
        .flatten()
        .filter(|path| path.parent().is_some())
        .any(|path| parent.starts_with(path));
    let bed = Bed::create().expect("a testbed");
    let expected = if taken || tempfile::tempdir_in(&parent).is_err() {
        std::env::temp_dir().canonicalize().expect("it exists")
    } else {
        parent
    };
    assert_eq!(bed.base().parent(), Some(expected.as_path()));
}

#[test]
fn it_goes_away_with_everything_that_a_target_left_in_it() {
    for dropped in [false, true] {
        let bed = Bed::create().expect("a testbed");
        let base = bed.base().to_path_buf();
        let elsewhere = tempfile::tempdir().expect("a directory");
        fs::write(elsewhere.path().join("kept.txt"), "kept").expect("a file");
        std::os::unix::fs::symlink(elsewhere.path(), bed.allowed.join("link")).expect("a link");
        let deep = bed.allowed.join("a/b/c");
        fs::create_dir_all(&deep).expect("directories");
        fs::write(deep.join("file"), "x").expect("a file");
        for closed in ["a/b/c", "a/b", "a"] {
            fs::set_permissions(bed.allowed.join(closed), fs::Permissions::from_mode(0o000))
                .expect("the directory is ours");
        }
        if dropped {
            drop(bed);
        } else {
            assert!(bed.remove());
        }
        assert!(!base.exists());
        assert!(
            elsewhere.path().join("kept.txt").exists(),
            "a link was followed"
        );
    }
}

#[test]
fn a_shared_directory_stays() {
    let parent = tempfile::tempdir().expect("a directory");
    let shared = parent.path().join("shared");
    fs::create_dir(&shared).expect("a directory");
    fs::write(shared.join("own.txt"), "own").expect("a file");
    let bed = Bed::around(&shared).expect("a testbed");
    let shared = shared.canonicalize().expect("it exists");
    assert_eq!(bed.allowed, shared);
    let base = bed.base().to_path_buf();
    assert_eq!(base.parent(), shared.parent());
    for place in [&bed.denied, &bed.outside, &bed.home, &bed.tmp] {
        assert!(
            place.is_dir() && !place.starts_with(&shared),
            "{}",
            place.display()
        );
    }
    assert!(bed.remove());
    assert!(!base.exists());
    assert_eq!(
        fs::read_to_string(shared.join("own.txt")).expect("it stays"),
        "own"
    );
}

#[test]
fn what_cannot_be_shared_is_refused() {
    let parent = tempfile::tempdir().expect("a directory");
    let file = parent.path().join("file");
    fs::write(&file, "x").expect("a file");
    for (path, word) in [
        (file, "no directory"),
        (parent.path().join("missing"), "No such file"),
    ] {
        let error = Bed::around(&path).expect_err("it cannot be shared");
        assert!(matches!(error, BedError::Shared { .. }));
        let text = error.to_string();
        assert!(
            text.contains(word) && text.contains(&*path.to_string_lossy()),
            "{text}"
        );
    }
    let error = Bed::around(Path::new("/")).expect_err("the root has no sibling");
    assert!(error.to_string().contains("no parent"), "{error}");
}
