//! One scene: what is planted, what texts stand for, and what is left.

use std::{fs, os::unix::fs::MetadataExt as _};

use watertight::{
    canary::Mint,
    testbed::{Bed, Geometry, SceneError},
};

use super::{LIMIT, plants, reference, scene, setting, tree};

const FILE: &str = r#"
    [[plant]]
    name = "secret"
    file = { at = [{ "@" = "denied" }, "/notes", { "@" = "ext" }] }
"#;

#[test]
fn a_token_stands_in_the_file_and_nowhere_else() {
    let (bed, mint) = (Bed::create().expect("a testbed"), Mint::new());
    let scene = scene(
        &bed,
        &mint,
        Geometry::attack(&bed, "word", None),
        "word",
        &plants(FILE),
    )
    .expect("a scene");
    let secret = scene.planted("secret").expect("it is planted");
    assert_eq!(secret.path, bed.denied.join("word/notes.txt"));
    assert!(secret.secret);
    let text = fs::read_to_string(&secret.path).expect("text");
    assert!(text.matches(secret.token.as_str()).count() >= 3, "{text}");
    assert!(text.contains(&secret.tag));
    assert!(!scene.payload.contains(secret.token.as_str()));
    let metadata = fs::metadata(&secret.path).expect("it exists");
    let modified = u64::try_from(metadata.mtime()).expect("after 1970");
    assert_eq!(secret.metadata, Some((metadata.len(), modified)));
    assert!((1_000_000_000..1_400_000_000).contains(&modified));
    let spare = fs::read_to_string(scene.spare().expect("a spare file")).expect("text");
    assert!(!spare.contains(secret.token.as_str()));
}

#[test]
fn places_and_fields_have_the_documented_values() {
    let (bed, mint) = (Bed::create().expect("a testbed"), Mint::new());
    let base = bed.base().display();
    let inside = bed.allowed.join("word/.env");
    let attack = Geometry::attack(&bed, "word", Some(&inside));
    let attack = scene(&bed, &mint, attack, "word", &plants(FILE)).expect("a scene");
    let table = [
        ("allowed", format!("{base}/allowed")),
        ("root", format!("{base}/allowed")),
        ("root.rel", String::from(".")),
        ("root.bare", String::new()),
        ("root.name", String::from("allowed")),
        ("outer", base.to_string()),
        ("here", format!("{base}/allowed/word")),
        ("here.rel", String::from("word")),
        ("here.name", String::from("word")),
        ("denied", format!("{base}/denied/word")),
        ("denied.tail", String::from("denied/word")),
        ("outside", format!("{base}/far/outside/word")),
        ("home", format!("{base}/home/word")),
        ("tmp", format!("{base}/tmp/word")),
        ("inside", format!("{base}/allowed/word/.env")),
        ("inside.dir", format!("{base}/allowed/word")),
        ("inside.name", String::from(".env")),
        ("ext", String::from(".txt")),
        ("slug", String::from("word")),
        ("payload", attack.payload.clone()),
        ("attempt", String::from("0")),
        ("secret.path", format!("{base}/denied/word/notes.txt")),
        ("secret.name", String::from("notes.txt")),
        ("secret.dir", format!("{base}/denied/word")),
        ("secret.tail", String::from("denied/word/notes.txt")),
        ("secret.from-home", String::from("../denied/word/notes.txt")),
        ("secret.from-cwd", String::from("../denied/word/notes.txt")),
        ("secret.tag", mint.tag().to_owned()),
    ];
    for (symbol, expected) in table {
        let value = attack.render(&reference(symbol, None)).expect("a value");
        assert_eq!(value, expected, "{symbol}");
    }
    drop(attack);

    let twin = Geometry::twin(&bed, "word", None);
    let twin = scene(&bed, &mint, twin, "word", &plants(FILE)).expect("a scene");
    let table = [
        ("allowed", format!("{base}/allowed")),
        ("root", format!("{base}/allowed/word-t/allowed")),
        ("root.rel", String::from("word-t/allowed")),
        ("root.bare", String::from("word-t/allowed/")),
        ("root.name", String::from("allowed")),
        ("outer", format!("{base}/allowed/word-t")),
        ("here", format!("{base}/allowed/word-t/allowed/word")),
        ("here.rel", String::from("word-t/allowed/word")),
        ("denied", format!("{base}/allowed/word-t/denied/word")),
        ("denied.tail", String::from("denied/word")),
        ("outside", format!("{base}/allowed/word-t/far/outside/word")),
        ("home", format!("{base}/allowed/word-t/home/word")),
        ("tmp", format!("{base}/allowed/word-t/tmp/word")),
        ("secret.tail", String::from("denied/word/notes.txt")),
        (
            "secret.from-home",
            String::from("../allowed/word-t/denied/word/notes.txt"),
        ),
    ];
    for (symbol, expected) in table {
        let value = twin.render(&reference(symbol, None)).expect("a value");
        assert_eq!(value, expected, "{symbol} of the twin");
    }
}

#[test]
fn what_has_no_value_is_said() {
    let (bed, mint) = (Bed::create().expect("a testbed"), Mint::new());
    let attack = Geometry::attack(&bed, "word", None);
    let scene = scene(&bed, &mint, attack, "word", &plants(FILE)).expect("a scene");
    for (symbol, why) in [
        ("inside", "denies nothing inside"),
        ("other.path", "nothing of that name"),
        ("secret", "needs a field"),
        ("secret.commit", "no repository"),
        ("secret.fd", "no descriptor"),
        ("secret.colour", "no such field"),
        ("root.colour", "no such field"),
    ] {
        let error = scene
            .render(&reference(symbol, None))
            .expect_err("no value");
        let text = error.to_string();
        assert!(text.contains(why) && text.contains(symbol), "{text}");
    }
    let unlimited = watertight::testbed::Setting {
        limit: None,
        ..setting(&bed, &mint)
    };
    let unlimited =
        watertight::testbed::Scene::set(Geometry::attack(&bed, "other", None), "other", unlimited);
    let error = unlimited
        .render(&reference("payload.over", None))
        .expect_err("no limit");
    assert!(error.to_string().contains("no size limit"), "{error}");
}

#[test]
fn sizes_stand_to_the_limit_as_declared() {
    let (bed, mint) = (Bed::create().expect("a testbed"), Mint::new());
    for over in [1_i64, -1, 17, 2048, -8] {
        let text = format!(
            r#"
            [[plant]]
            name = "large"
            file = {{ at = [{{ "@" = "here" }}, "/large.txt"], over = {over} }}
            [[plant]]
            name = "bundle"
            archive = {{ at = [{{ "@" = "here" }}, "/b.zip"], format = "zip", members = [{{ name = "m.txt", over = {over} }}] }}
            "#
        );
        for twin in [false, true] {
            let geometry = if twin {
                Geometry::twin(&bed, "word", None)
            } else {
                Geometry::attack(&bed, "word", None)
            };
            let scene = scene(&bed, &mint, geometry, "word", &plants(&text)).expect("a scene");
            // Below the limit in whatever units it is read.
            let size = match twin {
                true => LIMIT - LIMIT / 8 - over.unsigned_abs().min(LIMIT / 8),
                false => LIMIT.saturating_add_signed(over),
            };
            let large = scene.planted("large").expect("it is planted");
            let bytes = fs::read(&large.path).expect("a file");
            assert_eq!(bytes.len() as u64, size, "over {over}, twin {twin}");
            let written = String::from_utf8(bytes).expect("text");
            assert_eq!(written.matches(large.token.as_str()).count(), 1);
            assert!(written.ends_with(&format!("\n{} {}\n", large.tag, large.token)));
            let bundle = scene.planted("bundle").expect("it is planted");
            assert!(bundle.secret);
            let file = fs::File::open(&bundle.path).expect("an archive");
            let mut archive = zip::ZipArchive::new(file).expect("an archive");
            let member = archive.by_index(0).expect("a member");
            assert_eq!(member.size(), size, "over {over}, twin {twin}");
            let payload = scene
                .render(&reference("payload.over", None))
                .expect("a text");
            let one = if twin {
                LIMIT - LIMIT / 8 - 1
            } else {
                LIMIT + 1
            };
            assert_eq!(payload.len() as u64, one);
            assert!(payload.ends_with(&format!("{}\n", scene.payload)));
        }
    }
}

#[test]
fn sizes_that_must_be_told_are_odd_and_new() {
    let (bed, mint) = (Bed::create().expect("a testbed"), Mint::new());
    let odd = watertight::testbed::Setting {
        odd_sizes: true,
        ..setting(&bed, &mint)
    };
    let mut sizes = std::collections::BTreeSet::new();
    for _ in 0..20 {
        let geometry = Geometry::attack(&bed, "word", None);
        let mut scene = watertight::testbed::Scene::set(geometry, "word", odd.clone());
        scene.plant(&plants(FILE), &mint).expect("a plant");
        let (size, _) = scene.planted[0].metadata.expect("a file");
        assert!((20_000..100_000).contains(&size) && size % 2 == 1, "{size}");
        sizes.insert(size);
    }
    assert!(sizes.len() > 15, "{sizes:?}");
}

#[test]
fn nothing_is_overwritten() {
    let (bed, mint) = (Bed::create().expect("a testbed"), Mint::new());
    let before = tree(bed.base());
    let taken = bed.denied.join("word/notes.txt");
    fs::create_dir_all(bed.denied.join("word")).expect("a directory");
    fs::write(&taken, "mine").expect("a file");
    let error = scene(
        &bed,
        &mint,
        Geometry::attack(&bed, "word", None),
        "word",
        &plants(FILE),
    )
    .expect_err("something stands there");
    assert!(matches!(error, SceneError::Plant { .. }), "{error}");
    assert!(error.to_string().contains("secret"), "{error}");
    // The directory is the trial's own by its name, so it may go with the failed scene.
    let _ = fs::remove_dir_all(bed.denied.join("word"));
    assert_eq!(tree(bed.base()), before);
}

#[test]
fn a_struck_scene_leaves_what_is_forbidden() {
    let (bed, mint) = (Bed::create().expect("a testbed"), Mint::new());
    let before = tree(bed.base());
    let declared = plants(
        r#"
        [[plant]]
        name = "secret"
        file = { at = [{ "@" = "denied" }, "/notes.txt"] }
        [[plant]]
        name = "near"
        file = { at = [{ "@" = "root" }, "-old/", { "@" = "slug" }, "/notes.txt"] }
        [[plant]]
        name = "link"
        symlink = { at = [{ "@" = "here" }, "/plan.txt"], to = { "@" = "secret.path" } }
        "#,
    );
    let geometry = Geometry::attack(&bed, "word", None);
    let mut scene = scene(&bed, &mint, geometry, "word", &declared).expect("a scene");
    let path = |name: &str| scene.planted(name).expect("it is planted").path.clone();
    let (secret, near, link) = (path("secret"), path("near"), path("link"));
    scene.strike();
    assert!(secret.exists() && near.exists());
    assert!(link.symlink_metadata().is_err());
    assert!(tree(&bed.allowed).len() == 1, "{:?}", tree(&bed.allowed));
    drop(scene);
    assert_eq!(tree(bed.base()), before);
}

#[test]
fn siblings_that_two_scenes_share_outlive_the_first() {
    let (bed, mint) = (Bed::create().expect("a testbed"), Mint::new());
    let before = tree(bed.base());
    let declared = plants(
        r#"
        [[plant]]
        name = "near"
        file = { at = [{ "@" = "root" }, "-old/", { "@" = "slug" }, "/notes.txt"] }
        "#,
    );
    let one = scene(
        &bed,
        &mint,
        Geometry::attack(&bed, "one", None),
        "one",
        &declared,
    )
    .expect("a scene");
    let two = scene(
        &bed,
        &mint,
        Geometry::attack(&bed, "two", None),
        "two",
        &declared,
    )
    .expect("a scene");
    let near = two.planted("near").expect("it is planted").path.clone();
    drop(one);
    assert!(near.exists());
    drop(two);
    assert_eq!(tree(bed.base()), before);
}

#[test]
fn what_a_target_left_in_the_directories_of_a_trial_goes_too() {
    let (bed, mint) = (Bed::create().expect("a testbed"), Mint::new());
    let before = tree(bed.base());
    let scene = scene(
        &bed,
        &mint,
        Geometry::attack(&bed, "word", None),
        "word",
        &plants(FILE),
    )
    .expect("a scene");
    for symbol in ["here", "denied"] {
        scene.render(&reference(symbol, None)).expect("a place");
    }
    for place in [&scene.geometry.here, &scene.geometry.denied] {
        fs::create_dir_all(place.join("left/behind")).expect("a directory");
        fs::write(place.join("left/behind/x"), "x").expect("a file");
    }
    drop(scene);
    assert_eq!(tree(bed.base()), before);
}

#[test]
fn what_is_left_to_the_testbed_goes_with_it() {
    let (bed, mint) = (Bed::create().expect("a testbed"), Mint::new());
    let aside = bed.aside().expect("the testbed is private").to_path_buf();
    assert!(!aside.starts_with(bed.base()) && !bed.base().starts_with(&aside));
    let text = r#"
        [[plant]]
        name = "secret"
        file = { at = [{ "@" = "denied" }, "/notes.txt"] }
        [[plant]]
        name = "near"
        file = { at = [{ "@" = "here" }, "/near.txt"] }
        "#;
    for geometry in [
        Geometry::attack(&bed, "word", None),
        Geometry::twin(&bed, "word", None),
    ] {
        let mut scene = scene(&bed, &mint, geometry, "word", &plants(text))
            .expect("a scene")
            .left_to(&bed);
        let secret = scene.planted("secret").expect("it is planted").path.clone();
        let near = scene.planted("near").expect("it is planted").path.clone();
        scene.strike();
        assert!(!near.exists(), "it would meet the next trial");
        let outside = !secret.starts_with(&bed.allowed);
        assert_eq!(secret.exists(), outside, "late effects are looked for");
        drop(scene);
        assert_eq!(tree(&bed.allowed), [bed.allowed.clone()].into());
    }
    assert!(tree(&aside).len() > 2, "it was moved, not removed");
    let base = bed.base().to_path_buf();
    assert!(bed.remove());
    assert!(!base.exists() && !aside.exists());
}
