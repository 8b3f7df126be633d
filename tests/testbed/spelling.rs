//! How values are re-spelled: one line for each spelling and each kind of value.

use watertight::{
    canary::Mint,
    probe::Spelling,
    testbed::{Bed, Geometry},
};

use super::{plants, reference, scene};

#[test]
fn values_are_spelled() {
    use Spelling::*;
    let table: &[(&str, Spelling, &str)] = &[
        ("no tes-1.md", Percent, "no%20tes%2D1%2Emd"),
        ("a/b", Percent, "a%2Fb"),
        ("ü", Percent, "%C3%BC"),
        ("a/b.c", PercentTwice, "a%252Fb%252Ec"),
        ("a/b.c", Overlong, "a%c0%afb%c0%aec"),
        ("a/b.c", PercentU, "a%u002fb%u002ec"),
        (
            "a/b.C~",
            FullWidth,
            "\u{ff41}\u{ff0f}\u{ff42}\u{ff0e}\u{ff23}\u{ff5e}",
        ),
        ("a b", FullWidth, "\u{ff41} \u{ff42}"),
        ("a/b/c", Backslash, r"a\b\c"),
        ("/a/b", FileUri, "file:///a/b"),
        ("a/bÜ1", UpperCase, "A/BÜ1"),
        ("caf\u{e9}", Decomposed, "cafe\u{301}"),
        ("desk", FoldAlike, "de\u{17f}\u{212a}"),
        (r"C:\a:b", Share, r"C$\a:b"),
        ("ab/c.1", GlobClass, "[a][b]/[c][.]1"),
    ];
    let (bed, mint) = (Bed::create().expect("a testbed"), Mint::new());
    let mut met = Vec::new();
    for (value, spelling, expected) in table {
        // The slug is the one value that can be anything.
        let mut scene = scene(
            &bed,
            &mint,
            Geometry::attack(&bed, "word", None),
            "word",
            &[],
        )
        .expect("an empty scene");
        scene.slug = (*value).to_owned();
        let spelled = scene
            .render(&reference("slug", Some(*spelling)))
            .expect("a value");
        assert_eq!(spelled, *expected, "{spelling}");
        assert_eq!(
            scene.render(&reference("slug", None)).expect("a value"),
            *value
        );
        if !met.contains(spelling) {
            met.push(*spelling);
        }
    }
    assert_eq!(met.len(), 12, "a spelling is not in the table");
}

#[test]
fn a_full_width_name_is_folded_back_by_compatibility_normalisation() {
    use unicode_normalization::UnicodeNormalization as _;
    let (bed, mint) = (Bed::create().expect("a testbed"), Mint::new());
    let declared = plants(
        r#"
        [[plant]]
        name = "secret"
        file = { at = [{ "@" = "denied" }, "/notes (1).txt"] }"#,
    );
    let scene = scene(
        &bed,
        &mint,
        Geometry::attack(&bed, "word", None),
        "word",
        &declared,
    )
    .expect("a scene");
    let path = scene
        .render(&reference("secret.path", None))
        .expect("a path");
    let spelled = scene
        .render(&reference("secret.path", Some(Spelling::FullWidth)))
        .expect("a path");
    assert_ne!(spelled, path);
    assert_eq!(spelled.nfkc().collect::<String>(), path);
}
