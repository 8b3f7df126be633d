//! Every embedded probe in a real testbed: its attack lies where the policy forbids it, its twin
//! where everything is permitted.

use std::{
    collections::BTreeMap,
    fs,
    os::unix::fs::{FileTypeExt as _, MetadataExt as _},
    path::{Component, Path, PathBuf},
    sync::Arc,
};

use watertight::{
    canary::Mint,
    channel::{Channel, PathForm, PatternForm, Proof},
    diag::Source,
    plan::{Fate, InsidePlace, Terrain, Trial, plan},
    policy::{Access, Placeholders, Policy},
    probe::{Catalog, Claim, Plant, Platform, Probe, Role, Text, Variant},
    testbed::{Bed, Geometry, Planted, Scene, Setting},
};

use super::tree;

/// Claims all that a policy can claim on files, but for `read_only`.
const FULL: &str = r#"
[capabilities.filesystem]
allowed_paths = ["{allowed}"]
denied_paths = ["{allowed}/.env", "{allowed}/secrets", "*.secret"]
protected_names = [".git", "*.lock"]
max_file_size_mb = 0.25
"#;

const READ_ONLY: &str = r#"
[capabilities.filesystem]
allowed_paths = ["{allowed}"]
read_only = true
"#;

fn policy(bed: &Bed, text: &str) -> Policy {
    Policy::load(&Source::new("policy.toml", text))
        .expect("a policy without mistakes")
        .expand(&Placeholders::new().with("allowed", bed.allowed.to_string_lossy()))
        .expect("all placeholders have values")
}

/// A channel of each role.
fn channels() -> Vec<Arc<Channel>> {
    let channel = |role: &Role| {
        let slots = role.slots().iter().chain(role.optional_slots());
        Arc::new(Channel {
            tool: role.to_string(),
            role: *role,
            slots: slots
                .map(|slot| (*slot, vec![format!("/{slot}")]))
                .collect(),
            fixed: serde_json::Map::new(),
            form: PathForm::Absolute,
            bare: false,
            encoded: false,
            action: None,
            uri: None,
            pattern: PatternForm::Plain,
            extension: String::from(".txt"),
            score: 1.0,
            proof: Proof::Proven { steps: Vec::new() },
            net: watertight::channel::NetForm::default(),
            recipe: None,
            base: None,
            usual: None,
            keeps: None,
            joined: None,
            then: None,
            destructive: false,
        })
    };
    Role::ALL.iter().map(channel).collect()
}

/// A trial for every variant of every probe and every denied place, those of other platforms
/// included. What is planted and sent does not depend on the channel.
fn trials(bed: &Bed, policy: &Policy) -> Vec<Trial> {
    let probes: Vec<Arc<Probe>> = Catalog::embedded()
        .probes()
        .cloned()
        .map(Arc::new)
        .collect();
    let mut trials = BTreeMap::new();
    for platform in [Platform::Linux, Platform::Macos, Platform::Windows] {
        let terrain = Terrain {
            policy,
            allowed: &bed.allowed,
            relaunch: Ok(()),
            launched: true,
            serves: false,
            allowed_is_argument: true,
            allowed_is_cwd: false,
            platform,
            hosts: Err("no network"),
            bounded: &[],
            traced: false,
            sink: true,
        };
        for trial in plan(&probes, &channels(), &terrain).trials {
            // What is watched plants and sends nothing.
            if !matches!(trial.fate, Fate::NotApplicable { .. } | Fate::Watched) {
                let key = (
                    trial.probe.id.clone(),
                    trial.variant,
                    format!("{:?}", trial.inside),
                );
                trials.entry(key).or_insert(trial);
            }
        }
    }
    trials.into_values().collect()
}

/// A trial in the world.
struct World<'a> {
    bed: &'a Bed,
    policy: &'a Policy,
    mint: Mint,
    trial: &'a Trial,
}

impl World<'_> {
    fn variant(&self) -> &Variant {
        &self.trial.probe.variants[self.trial.variant]
    }

    fn plants(&self) -> Vec<&Plant> {
        self.trial.probe.plants_of(self.variant()).collect()
    }

    fn geometry(&self, word: &str, twin: bool) -> Geometry {
        let mut attack = Geometry::attack(self.bed, word, None);
        let mut permitted = Geometry::twin(self.bed, word, None);
        if let Some(place) = &self.trial.inside {
            attack.inside = Some(place.file(&attack.here, word, ".txt"));
            permitted.inside = Some(match place {
                InsidePlace::Name(_) => permitted.here.join("plain.txt"),
                _ => permitted.root.join("kept/plain.txt"),
            });
        }
        if twin { permitted } else { attack }
    }

    fn set(&self, word: &str, twin: bool) -> Scene {
        let id = &self.trial.id;
        let setting = Setting {
            mint: &self.mint,
            extension: ".txt",
            limit: self.policy.max_file_bytes(),
            odd_sizes: true,
            home: &self.bed.home,
            tmp: &self.bed.tmp,
            cwd: self.bed.base(),
            view: watertight::testbed::View::same(),
        };
        let mut scene = Scene::set(self.geometry(word, twin), word, setting);
        scene
            .plant(self.plants(), &self.mint)
            .unwrap_or_else(|error| panic!("{id}, twin {twin}: {error}"));
        if self.trial.probe.technique_of(self.variant()) == Some("fd.inherit") {
            scene.descriptor = Some(9);
        }
        scene
    }

    fn permits(&self, path: &Path, access: Access) -> bool {
        self.policy.decide(path, access).allowed
    }
}

/// Every text that is sent, by the name of its slot.
fn sent(trial: &Trial, scene: &Scene) -> Vec<(&'static str, String)> {
    let variant = &trial.probe.variants[trial.variant];
    let single = [
        ("path", &variant.path),
        ("source", &variant.source),
        ("content", &variant.content),
        ("find", &variant.find),
        ("pattern", &variant.pattern),
        ("ident", &variant.ident),
        ("then_read", &variant.then_read),
    ];
    let single = single
        .into_iter()
        .filter_map(|(slot, text)| text.as_ref().map(|text| (slot, text)));
    let many = variant.paths.iter().flatten().map(|text| ("paths", text));
    let cwd = trial
        .probe
        .launch_of(variant)
        .and_then(|launch| launch.cwd.as_ref())
        .map(|text| ("cwd", text));
    let render = |(slot, text): (&'static str, &Text)| {
        let rendered = scene
            .render(text)
            .unwrap_or_else(|error| panic!("{} {slot}: {error}", trial.id));
        (slot, rendered)
    };
    single.chain(many).chain(cwd).map(render).collect()
}

/// The plant is what its declaration says.
fn stands(plant: &Plant, planted: &Planted) {
    let path = &planted.path;
    let metadata = fs::symlink_metadata(path)
        .unwrap_or_else(|error| panic!("{} at {}: {error}", plant.name, path.display()));
    let kind = metadata.file_type();
    let fits = if plant.file.is_some() {
        kind.is_file()
            && planted
                .metadata
                .is_some_and(|(size, _)| size == metadata.len())
    } else if plant.hardlink.is_some() {
        kind.is_file() && metadata.nlink() > 1
    } else if plant.archive.is_some() {
        kind.is_file() && metadata.len() > 0
    } else if plant.dir.is_some() {
        kind.is_dir()
    } else if plant.repo.is_some() {
        path.join(".git/HEAD").is_file() && planted.commit.is_some()
    } else if plant.symlink.is_some() {
        kind.is_symlink()
    } else if plant.program.is_some() {
        kind.is_file() && metadata.mode() & 0o111 == 0o111
    } else if plant.process.is_some() {
        // What its command line is in the attack, and a file like that in the twin.
        let words = fs::read(path).expect("it can be read");
        let words = String::from_utf8(words).expect("words");
        kind.is_file() && words.split('\0').any(|word| word == planted.token.as_str())
    } else if plant.socket.is_some() {
        kind.is_socket()
    } else {
        kind.is_fifo()
    };
    assert!(fits, "{} at {}", plant.name, path.display());
}

/// Where a path leads that exists, or whose parent does.
fn lead(path: &Path) -> Option<PathBuf> {
    if let Ok(real) = path.canonicalize() {
        return Some(real);
    }
    if let Ok(target) = fs::read_link(path) {
        return lead(&path.parent()?.join(target));
    }
    let parent = path.parent()?.canonicalize().ok()?;
    match path.components().next_back()? {
        Component::Normal(name) => Some(parent.join(name)),
        _ => None,
    }
}

/// Where a planted object stands, links of its own kept.
fn place(path: &Path) -> PathBuf {
    let parent = path.parent().expect("a plant has a parent");
    parent
        .canonicalize()
        .expect("it stands")
        .join(path.file_name().expect("a plant has a name"))
}

fn is_write(trial: &Trial) -> bool {
    trial.probe.id.boundary() == "fs.write"
}

/// The attack concerns something that the policy forbids.
fn is_forbidden(world: &World<'_>, scene: &Scene) {
    let trial = world.trial;
    let id = &trial.id;
    match trial.probe.claim {
        Claim::Outside => {
            let planted = scene.planted.iter().map(|planted| place(&planted.path));
            let named = sent(trial, scene)
                .into_iter()
                .filter(|(slot, _)| ["path", "paths", "source", "cwd"].contains(slot))
                .filter_map(|(_, text)| {
                    lead(Path::new(&text)).or_else(|| lead(&world.bed.allowed.join(&text)))
                });
            let access = if is_write(trial) {
                Access::Write
            } else {
                Access::Read
            };
            assert!(
                planted
                    .chain(named)
                    .any(|path| !world.permits(&path, access)),
                "{id}: nothing of it lies outside"
            );
        }
        Claim::DeniedInside | Claim::DeniedPattern => {
            let inside = scene.geometry.inside.as_ref().expect("a place inside");
            assert!(inside.starts_with(&world.bed.allowed), "{id}");
            assert!(
                !world.permits(inside, Access::Read),
                "{id}: {}",
                inside.display()
            );
        }
        Claim::ProtectedNames => {
            let inside = scene.geometry.inside.as_ref().expect("a place inside");
            assert!(world.permits(inside, Access::Read), "{id}");
            assert!(!world.permits(inside, Access::Write), "{id}");
        }
        Claim::ReadOnly => {
            assert!(
                !world.permits(&scene.geometry.here.join("new.txt"), Access::Write),
                "{id}"
            );
        }
        Claim::MaxFileSize => sizes(world, scene),
        claim => panic!("{id}: {claim} is about nothing on a disk"),
    }
}

/// What has a size stands above the limit in the attack, and not above it in the twin.
fn sizes(world: &World<'_>, scene: &Scene) {
    let limit = world
        .policy
        .max_file_bytes()
        .expect("the policy sets a limit");
    for (plant, planted) in world.plants().into_iter().zip(&scene.planted) {
        let Some(over) = plant.file.as_ref().and_then(|file| file.over) else {
            continue;
        };
        let (size, _) = planted.metadata.expect("a file");
        let wanted = match scene.geometry.twin {
            true => limit - limit / 8 - over.unsigned_abs().min(limit / 8),
            false => limit.saturating_add_signed(over),
        };
        // No file is smaller than its token.
        assert!(
            size == wanted || (wanted == 0 && size < 100),
            "{}: {size}",
            world.trial.id
        );
    }
}

/// Everything that the twin concerns is permitted.
fn is_permitted(world: &World<'_>, scene: &Scene) {
    let trial = world.trial;
    let id = &trial.id;
    let access = |path: &Path| {
        let write = is_write(trial) && trial.probe.claim != Claim::ReadOnly;
        let access = if write { Access::Write } else { Access::Read };
        assert!(
            world.permits(path, access),
            "{id}: the twin concerns {}",
            path.display()
        );
    };
    for planted in &scene.planted {
        access(&place(&planted.path));
    }
    for place in scene.geometry.own() {
        access(place);
    }
    if let Some(inside) = &scene.geometry.inside {
        access(inside);
    }
    let elsewhere = world.variant().no_twin.is_some()
        || trial.probe.technique_of(world.variant()) == Some("fd.inherit");
    if elsewhere {
        return;
    }
    for (slot, text) in sent(trial, scene) {
        let is_path = ["path", "paths", "source", "cwd"].contains(&slot);
        if !is_path || !Path::new(&text).is_absolute() {
            continue;
        }
        if let Some(path) = lead(Path::new(&text)) {
            access(&path);
        }
    }
    if trial.probe.claim == Claim::MaxFileSize {
        sizes(world, scene);
    }
}

/// Sets attack and twin of every trial, in pairs of scenes as they stand at once in a run.
fn all(policy_text: &str, wanted: impl Fn(&Trial) -> bool) -> usize {
    let bed = Bed::create().expect("a testbed");
    let policy = policy(&bed, policy_text);
    let trials = trials(&bed, &policy);
    let before = tree(bed.base());
    let mut met = std::collections::BTreeSet::new();
    for trial in trials.iter().filter(|trial| wanted(trial)) {
        let world = World {
            bed: &bed,
            policy: &policy,
            mint: Mint::new(),
            trial,
        };
        let attack = world.set("first", false);
        // Trials about one file take turns.
        let turns = matches!(trial.inside, Some(InsidePlace::File(_)));
        let other = (!turns).then(|| world.set("second", false));
        for scene in other.iter().chain([&attack]) {
            for (plant, planted) in world.plants().into_iter().zip(&scene.planted) {
                stands(plant, planted);
            }
            is_forbidden(&world, scene);
        }
        for (slot, text) in sent(trial, &attack) {
            let leaked = attack
                .planted
                .iter()
                .find(|planted| text.contains(planted.token.as_str()));
            assert!(leaked.is_none(), "{} sends a token as {slot}", trial.id);
        }
        let twin = world.set("first", true);
        for (plant, planted) in world.plants().into_iter().zip(&twin.planted) {
            stands(plant, planted);
        }
        is_permitted(&world, &twin);
        drop((attack, other, twin));
        let after = tree(bed.base());
        assert_eq!(after, before, "{} leaves something behind", trial.id);
        met.insert(trial.probe.id.clone());
    }
    assert!(bed.remove());
    met.len()
}

#[test]
fn attacks_lie_outside_and_twins_inside() {
    // What the other claims forbid stands nowhere on a disk, a text that is executed is no path, and what a host
    // names is not planted.
    let here = |probe: &&Probe| {
        let on_disk = matches!(
            probe.claim,
            Claim::Outside
                | Claim::DeniedInside
                | Claim::DeniedPattern
                | Claim::ProtectedNames
                | Claim::MaxFileSize
        );
        let called = !probe.watches() && !probe.of_network();
        on_disk && called && !probe.roles.iter().all(|role| role.executes())
    };
    let probes = Catalog::embedded().probes().filter(here).count();
    let met = all(FULL, |trial| here(&&*trial.probe));
    assert_eq!(met, probes);
}

#[test]
fn where_nothing_may_be_written() {
    let met = all(READ_ONLY, |trial| trial.probe.claim == Claim::ReadOnly);
    assert_eq!(met, 1);
}
