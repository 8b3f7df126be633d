//! The testbed: its directories, the scenes of all probes in them, and how values are spelled.

mod bed;
mod probes;
mod scene;
mod spelling;

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
};

use watertight::{
    canary::Mint,
    probe::{Part, Plant, Reference, Spelling, Text},
    testbed::{Bed, Geometry, Scene, SceneError, Setting, View},
};

/// Size limit of the scenes.
const LIMIT: u64 = 4096;

fn setting<'a>(bed: &'a Bed, mint: &'a Mint) -> Setting<'a> {
    Setting {
        mint,
        extension: ".txt",
        limit: Some(LIMIT),
        odd_sizes: false,
        home: &bed.home,
        tmp: &bed.tmp,
        cwd: &bed.home,
        view: View::same(),
    }
}

/// A scene with these plants.
fn scene(
    bed: &Bed,
    mint: &Mint,
    geometry: Geometry,
    slug: &str,
    plants: &[Plant],
) -> Result<Scene, SceneError> {
    let mut scene = Scene::set(geometry, slug, setting(bed, mint));
    scene.plant(plants, mint)?;
    Ok(scene)
}

/// Plants as a probe file declares them.
fn plants(text: &str) -> Vec<Plant> {
    #[derive(serde::Deserialize)]
    struct File {
        plant: Vec<Plant>,
    }
    toml::from_str::<File>(text)
        .expect("plants as in a probe file")
        .plant
}

/// A text that is one reference.
fn reference(symbol: &str, spelling: Option<Spelling>) -> Text {
    Text(vec![Part::Reference(Reference {
        symbol: symbol.to_owned(),
        span: 0..0,
        spelling,
    })])
}

/// Everything below a directory.
fn tree(root: &Path) -> BTreeSet<PathBuf> {
    walkdir::WalkDir::new(root)
        .into_iter()
        .map(|entry| entry.expect("the testbed can be listed").into_path())
        .collect()
}
