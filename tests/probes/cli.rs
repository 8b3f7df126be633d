//! `list` and `explain` as a user sees them.

use watertight::{
    cli::{
        explain::{self, ExplainArgs},
        list::{self, ListArgs},
    },
    probe::{Catalog, Priority},
};

use crate::Result;

#[test]
fn list_shows_a_table() -> Result {
    let args = ListArgs {
        suite: Some("core".into()),
        ..ListArgs::default()
    };
    let table = list::run(&args, Catalog::embedded())?;
    assert!(
        table.lines().all(|line| line.chars().count() <= 80),
        "{table}"
    );
    insta::assert_snapshot!(table);
    Ok(())
}

/// A title that the table cuts is not read.
#[test]
fn titles_fit_the_table() -> Result {
    let table = list::run(&ListArgs::default(), Catalog::embedded())?;
    let cut: Vec<&str> = table.lines().filter(|line| line.ends_with("...")).collect();
    assert!(cut.is_empty(), "{cut:#?}");
    Ok(())
}

#[test]
fn filters_narrow_each_other() -> Result {
    let args = ListArgs {
        boundary: Some("fs.size".into()),
        priority: Some(Priority::P0),
        json: true,
        ..ListArgs::default()
    };
    let list: serde_json::Value = serde_json::from_str(&list::run(&args, Catalog::embedded())?)?;
    insta::assert_json_snapshot!(list, { "[].digest" => "[digest]" });
    Ok(())
}

/// Nothing is sent twice where nothing is sent.
#[test]
fn what_watches_is_explained_as_that() -> Result {
    for probe in Catalog::embedded().probes().filter(|probe| probe.watches()) {
        let id = probe.id.0.clone();
        let text = explain::run(&ExplainArgs { id }, Catalog::embedded())?;
        assert!(text.contains("judged once, for the whole run"), "{text}");
        assert!(
            !text.contains("permitted\n  twin") && !text.contains("permitted twin"),
            "{text}"
        );
    }
    Ok(())
}

#[test]
fn wrong_names_get_near_ones() {
    let catalog = Catalog::embedded();
    let explain = |id: &str| {
        explain::run(&ExplainArgs { id: id.into() }, catalog)
            .err()
            .unwrap_or_default()
    };
    let list = |args: ListArgs| list::run(&args, catalog).err().unwrap_or_default();
    let told = [
        explain("fs.read.symlink"),
        explain("dotdot"),
        explain("zzz"),
        list(ListArgs {
            suite: Some("cor".into()),
            ..ListArgs::default()
        }),
        list(ListArgs {
            boundary: Some("fs.raed".into()),
            ..ListArgs::default()
        }),
    ];
    insta::assert_snapshot!(told.join("\n"));
}

#[test]
fn explain_tells_everything() -> Result {
    let catalog = Catalog::embedded();
    for probe in catalog.probes() {
        let text = explain::run(
            &ExplainArgs {
                id: probe.id.0.clone(),
            },
            catalog,
        )?;
        if probe.watches() {
            assert!(text.contains("judged once"), "{}", probe.id);
        }
        let once = probe.watches() && probe.variants.len() == 1;
        for variant in probe.variants.iter().filter(|_| !once) {
            assert!(
                text.contains(&format!("- {}:", variant.name)),
                "{}: {}",
                probe.id,
                variant.name
            );
        }
        let long = text.lines().find(|line| line.chars().count() > 80);
        assert!(
            long.is_none_or(|line| !line.trim().contains(' ')),
            "{}: {long:?}",
            probe.id
        );
    }
    let text = explain::run(
        &ExplainArgs {
            id: "fs.read.race-parent".into(),
        },
        catalog,
    )?;
    insta::assert_snapshot!(text);
    Ok(())
}
