//! The plan: which trials a run holds. Their ids are a contract: baselines, shards and links use them.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
    fs,
    path::{Path, PathBuf},
    sync::Arc,
};

use watertight::{
    channel::{Channel, PathForm, PatternForm, Proof},
    config::Shard,
    diag::Source,
    judge::Basis,
    plan::{Fate, InsidePlace, Plan, Terrain, plan},
    policy::{Placeholders, Policy},
    probe::{Catalog, Claim, Platform, Probe, Role, Slot},
};

const ALLOWED: &str = "/srv/bed/allowed";

/// The policy of the design, moved to the allowed directory.
const FULL: &str = r#"{
  "server": {
    "name": "restricted-database-server",
    "network": {
      "allowed_hosts": ["10.0.1.50/32"],
      "denied_hosts": ["10.0.0.0/8"],
      "dns_override": "10.0.1.10"
    },
    "timeout_seconds": 30,
    "max_retries": 2
  },
  "capabilities": {
    "filesystem": {
      "allowed_paths": ["{allowed}", "{allowed}/tests"],
      "denied_paths": ["{allowed}/.env", "{allowed}/secrets"],
      "max_file_size_mb": 10
    }
  }
}"#;

/// A channel of the role on parameters that are called like its slots.
fn channel(tool: &str, role: Role) -> Arc<Channel> {
    let slots: BTreeMap<Slot, Vec<String>> = role
        .slots()
        .iter()
        .chain(role.optional_slots())
        .map(|slot| {
            let name = serde_json::to_value(slot).expect("a slot is a word");
            (*slot, vec![format!("/{}", name.as_str().expect("a word"))])
        })
        .collect();
    Arc::new(Channel {
        tool: tool.to_owned(),
        role,
        slots,
        fixed: serde_json::Map::new(),
        form: PathForm::Absolute,
        bare: false,
        encoded: false,
        action: None,
        uri: None,
        pattern: PatternForm::Plain,
        extension: String::from(".txt"),
        score: 1.0,
        net: watertight::channel::NetForm::default(),
        recipe: None,
        base: None,
        usual: None,
        keeps: None,
        joined: None,
        then: None,
        proof: Proof::Proven { steps: Vec::new() },
        destructive: false,
    })
}

/// One tool of each role, and one tool that has two roles on one parameter.
fn channels() -> Vec<Arc<Channel>> {
    let mut channels: Vec<Arc<Channel>> = Role::ALL
        .iter()
        .map(|role| channel(&role.to_string().replace(['.', '-'], "_"), *role))
        .collect();
    channels.push(channel("show", Role::FileRead));
    channels.push(channel("show", Role::FileInfo));
    channels
}

fn probes() -> Vec<Arc<Probe>> {
    Catalog::embedded()
        .probes()
        .cloned()
        .map(Arc::new)
        .collect()
}

fn policy(name: &str, text: &str) -> Policy {
    expanded(
        &Policy::load(&Source::new(name, text)).expect("a policy without mistakes"),
        ALLOWED,
    )
}

fn expanded(policy: &Policy, allowed: &str) -> Policy {
    policy
        .expand(&Placeholders::new().with("allowed", allowed))
        .expect("all placeholders have values")
}

fn filesystem(rules: &str) -> Policy {
    policy(
        "policy.toml",
        &format!("[capabilities.filesystem]\nallowed_paths = [\"{{allowed}}\"]\n{rules}\n"),
    )
}

fn default_policy() -> Policy {
    expanded(&Policy::default_policy(), ALLOWED)
}

fn terrain<'a>(policy: &'a Policy, allowed: &'a Path) -> Terrain<'a> {
    Terrain {
        policy,
        allowed,
        relaunch: Ok(()),
        launched: true,
        serves: false,
        allowed_is_argument: true,
        allowed_is_cwd: false,
        platform: Platform::Linux,
        hosts: Err("no network"),
        bounded: &[],
        traced: false,
        sink: true,
    }
}

fn planned(policy: &Policy) -> Plan {
    plan(&probes(), &channels(), &terrain(policy, Path::new(ALLOWED)))
}

/// One line for each trial.
fn drawn(plan: &Plan, wanted: impl Fn(Claim) -> bool) -> String {
    let mut lines = String::new();
    for trial in &plan.trials {
        if !wanted(trial.probe.claim) {
            continue;
        }
        let place = match &trial.inside {
            None => String::new(),
            Some(InsidePlace::Directory(path)) => format!(" in {}/", path.display()),
            Some(InsidePlace::File(path)) => format!(" on {}", path.display()),
            Some(InsidePlace::Name(name)) => format!(" named {name}"),
        };
        let fate = match &trial.fate {
            Fate::Shared => String::from("shared"),
            Fate::Alone => String::from("alone"),
            Fate::Fresh => String::from("fresh"),
            Fate::Last => String::from("last"),
            Fate::Watched => String::from("watched"),
            Fate::Observed => String::from("observed"),
            Fate::Strained => String::from("strained"),
            Fate::Recorded => String::from("recorded"),
            Fate::NotApplicable { basis, reason } => format!("{basis:?}: {reason}"),
        };
        writeln!(lines, "{}{place} - {fate}", trial.id).expect("a string takes everything");
    }
    lines
}

fn check(plan: &Plan) {
    let mut ids = BTreeSet::new();
    for trial in &plan.trials {
        assert!(ids.insert(&trial.id), "`{}` stands twice", trial.id);
        assert!(
            trial.id.starts_with(&format!("{}/", trial.probe.id)),
            "{}",
            trial.id
        );
        assert!(!trial.id.contains(char::is_whitespace), "`{}`", trial.id);
        match &trial.fate {
            Fate::NotApplicable { basis, reason } => {
                assert!(!reason.is_empty(), "{}", trial.id);
                assert!(
                    matches!(basis, Basis::NoClaim | Basis::NoChannel | Basis::Platform),
                    "{}: {basis:?}",
                    trial.id
                );
            }
            _ if trial.probe.roles.is_empty() => assert!(trial.channel.is_none(), "{}", trial.id),
            _ => {
                let channel = trial
                    .channel
                    .as_ref()
                    .expect("a trial that runs has a channel");
                let variant = &trial.probe.variants[trial.variant];
                assert!(
                    trial.probe.roles_of(variant).contains(&channel.role),
                    "{}",
                    trial.id
                );
            }
        }
    }
    assert!(plan.trials.is_sorted_by(|one, other| one.id < other.id));
    let with_trials: BTreeSet<&str> = plan
        .trials
        .iter()
        .map(|trial| trial.probe.id.0.as_str())
        .collect();
    for probe in Catalog::embedded().probes() {
        assert!(
            with_trials.contains(probe.id.0.as_str()),
            "{} is lost",
            probe.id
        );
    }
}

fn inside(claim: Claim) -> bool {
    matches!(
        claim,
        Claim::DeniedInside | Claim::DeniedPattern | Claim::ProtectedNames
    )
}

#[test]
fn the_default_policy() {
    let plan = planned(&default_policy());
    check(&plan);
    insta::assert_snapshot!(drawn(&plan, |_| true));
}

#[test]
fn the_full_policy() {
    let plan = planned(&policy("policy.json", FULL));
    check(&plan);
    insta::assert_snapshot!(drawn(&plan, |claim| claim != Claim::Outside));
}

#[test]
fn denied_patterns() {
    let plan = planned(&filesystem(
        r#"denied_paths = ["*.secret", "**/keys/*.{pem,key}", "{allowed}/config/*.ini", "/etc/*.conf"]"#,
    ));
    check(&plan);
    let probe = |claim| claim == Claim::DeniedPattern;
    insta::assert_snapshot!(drawn(&plan, probe));
}

#[test]
fn read_only_and_protected_names() {
    let plan = planned(&filesystem(
        "read_only = true\nprotected_names = [\".git\", \"*.lock\"]\nmax_file_size_mb = 1",
    ));
    check(&plan);
    insta::assert_snapshot!(drawn(&plan, |claim| matches!(
        claim,
        Claim::ReadOnly | Claim::ProtectedNames
    )));
}

#[test]
fn a_policy_that_says_nothing_on_files_leaves_what_every_policy_claims() {
    let plan = planned(&policy("policy.toml", "[server]\nname = \"quiet\"\n"));
    check(&plan);
    // What every policy claims: of any server, or of any that is launched.
    let universal = |claim| {
        matches!(
            claim,
            Claim::Execution
                | Claim::Listed
                | Claim::Availability
                | Claim::StandardInput
                | Claim::CommandLines
                | Claim::OwnWorld
                | Claim::Launch
                | Claim::OwnPolicy
                | Claim::Variables
        )
    };
    let (always, claimed): (Vec<_>, Vec<_>) = plan
        .trials
        .iter()
        .partition(|trial| universal(trial.probe.claim));
    let runs = |trial: &&watertight::plan::Trial| !matches!(trial.fate, Fate::NotApplicable { .. });
    assert_eq!(claimed.iter().copied().filter(runs).count(), 0);
    assert!(always.iter().copied().filter(runs).count() > 0);
    let probes = Catalog::embedded().probes();
    let left = probes.filter(|probe| !universal(probe.claim)).count();
    assert_eq!(claimed.len(), left);
}

#[test]
fn what_cannot_stand_in_the_allowed_directory_is_not_tried() {
    let denied = [
        r#"allowed_paths = ["{allowed}", "/elsewhere"]
           denied_paths = ["/elsewhere/secrets", "/elsewhere/*.secret"]"#,
        r#"allowed_paths = ["{allowed}", "/elsewhere"]
           denied_paths = ["/elsewhere/**/*.pem"]"#,
    ];
    for rules in denied {
        let text = format!("[capabilities.filesystem]\n{rules}\n");
        let plan = planned(&policy("policy.toml", &text));
        check(&plan);
        let mut met = 0;
        for trial in plan.trials.iter().filter(|trial| inside(trial.probe.claim)) {
            let Fate::NotApplicable { basis, reason } = &trial.fate else {
                panic!("{} runs, on {:?}", trial.id, trial.inside);
            };
            assert_eq!(*basis, Basis::NoClaim, "{reason}");
            assert!(!reason.contains("no tool"), "{}: {reason}", trial.id);
            met += 1;
        }
        assert!(met > 0);
    }
}

#[test]
fn whether_a_denied_path_is_a_file_is_looked_up() {
    let bed = tempfile::tempdir().expect("a directory");
    let root = bed.path().canonicalize().expect("it exists");
    fs::create_dir(root.join("notes.d")).expect("a directory");
    fs::write(root.join("LICENSE"), "x").expect("a file");
    let text = r#"[capabilities.filesystem]
allowed_paths = ["{allowed}"]
denied_paths = ["{allowed}/notes.d", "{allowed}/LICENSE", "{allowed}/later.txt", "{allowed}/later"]
"#;
    let policy =
        Policy::load(&Source::new("policy.toml", text)).expect("a policy without mistakes");
    let policy = expanded(&policy, &root.to_string_lossy());
    let plan = plan(&probes(), &channels(), &terrain(&policy, &root));
    check(&plan);
    let places: Vec<&InsidePlace> = plan
        .trials
        .iter()
        .filter(|trial| {
            trial
                .id
                .starts_with("fs.read.deny-inside-allow/absolute@file_read:path")
        })
        .filter_map(|trial| trial.inside.as_ref())
        .collect();
    let expected = [
        InsidePlace::Directory(root.join("notes.d")),
        InsidePlace::File(root.join("LICENSE")),
        InsidePlace::File(root.join("later.txt")),
        InsidePlace::Directory(root.join("later")),
    ];
    assert_eq!(places, expected.iter().collect::<Vec<_>>());
    let fates: Vec<&Fate> = plan
        .trials
        .iter()
        .filter(|trial| matches!(trial.inside, Some(InsidePlace::File(_))))
        .map(|trial| &trial.fate)
        .collect();
    assert!(!fates.is_empty() && fates.iter().all(|fate| !matches!(fate, Fate::Shared)));
}

#[test]
fn places_are_made_concrete() {
    let here = Path::new("/srv/bed/allowed/word");
    let name = InsidePlace::Name(String::from("a/.env"));
    assert_eq!(name.file(here, "word", ".md"), here.join("a/.env"));
    let directory = InsidePlace::Directory(PathBuf::from("/srv/bed/allowed/secrets"));
    assert_eq!(
        directory.file(here, "word", ".md"),
        Path::new("/srv/bed/allowed/secrets/word.md")
    );
    let file = InsidePlace::File(PathBuf::from("/srv/bed/allowed/.env"));
    assert_eq!(
        file.file(here, "word", ".md"),
        Path::new("/srv/bed/allowed/.env")
    );
}

#[test]
fn the_order_of_probes_and_channels_does_not_matter() {
    for policy in [default_policy(), policy("policy.json", FULL)] {
        let expected = drawn(&planned(&policy), |_| true);
        for seed in 0..8 {
            let mut random = fastrand::Rng::with_seed(seed);
            let (mut probes, mut channels) = (probes(), channels());
            random.shuffle(&mut probes);
            random.shuffle(&mut channels);
            let plan = plan(&probes, &channels, &terrain(&policy, Path::new(ALLOWED)));
            assert_eq!(drawn(&plan, |_| true), expected, "seed {seed}");
        }
    }
}

#[test]
fn an_id_does_not_depend_on_the_other_channels() {
    let policy = default_policy();
    let terrain = terrain(&policy, Path::new(ALLOWED));
    let ids = |channels: &[Arc<Channel>]| -> BTreeSet<String> {
        plan(&probes(), channels, &terrain)
            .trials
            .into_iter()
            .filter(|trial| trial.channel.is_some())
            .map(|trial| trial.id)
            .collect()
    };
    let all = channels();
    let mut apart = BTreeSet::new();
    for channel in &all {
        let own = ids(std::slice::from_ref(channel));
        assert!(apart.is_disjoint(&own), "{own:?}");
        apart.extend(own);
    }
    assert_eq!(apart, ids(&all));
}

#[test]
fn one_parameter_with_two_roles_is_two_trials() {
    let policy = default_policy();
    let twice = [
        channel("show", Role::FileRead),
        channel("show", Role::FileInfo),
    ];
    let plan = plan(&probes(), &twice, &terrain(&policy, Path::new(ALLOWED)));
    check(&plan);
    let ids: Vec<&str> = plan
        .trials
        .iter()
        .map(|trial| trial.id.as_str())
        .filter(|id| id.starts_with("fs.read.existence-oracle/absolute@"))
        .collect();
    assert_eq!(
        ids,
        [
            "fs.read.existence-oracle/absolute@show:path",
            "fs.read.existence-oracle/absolute@show:path=file.info",
        ]
    );
}

#[test]
fn what_the_target_lacks_is_said() {
    let policy = default_policy();
    let here = Path::new(ALLOWED);
    let without_tools = plan(&probes(), &[], &terrain(&policy, here));
    check(&without_tools);
    // What is watched, and raw frames, need no tool.
    let running = without_tools
        .trials
        .iter()
        .filter(|trial| !matches!(trial.fate, Fate::NotApplicable { .. }));
    for trial in running {
        assert!(trial.probe.roles.is_empty(), "{}", trial.id);
    }
    let reason = |plan: &Plan, start: &str| {
        let trial = plan
            .trials
            .iter()
            .find(|trial| trial.id.starts_with(start))
            .unwrap_or_else(|| panic!("no trial {start}"));
        match &trial.fate {
            Fate::NotApplicable { basis, reason } => (*basis, reason.clone()),
            fate => panic!("{} is {fate:?}", trial.id),
        }
    };
    let (basis, why) = reason(&without_tools, "fs.read.repo-outside/");
    assert_eq!(basis, Basis::NoChannel);
    assert!(why.contains("repo.read"), "{why}");
    let (basis, why) = reason(&without_tools, "fs.read.win-unc/admin-share");
    assert_eq!(basis, Basis::Platform);
    assert!(why.contains("windows"), "{why}");

    let attached = Terrain {
        relaunch: Err("the target is not launched by the harness"),
        launched: false,
        ..terrain(&policy, here)
    };
    let attached = plan(&probes(), &channels(), &attached);
    check(&attached);
    for start in ["fs.read.relative-cwd/name@", "fs.read.proc-fd/proc-self@"] {
        let (basis, why) = reason(&attached, start);
        assert_eq!(basis, Basis::Platform);
        assert!(why.contains("launched"), "{why}");
    }
    let fixed = Terrain {
        allowed_is_argument: false,
        allowed_is_cwd: true,
        ..terrain(&policy, here)
    };
    let fixed = plan(&probes(), &channels(), &fixed);
    for (start, told) in [
        ("fs.read.empty-allowlist/removed@", "{allowed}"),
        ("fs.read.relative-cwd/name@", "working directory"),
    ] {
        let (basis, why) = reason(&fixed, start);
        assert_eq!(basis, Basis::Platform);
        assert!(why.contains(told), "{why}");
    }
    let traced = Terrain {
        traced: true,
        ..terrain(&policy, here)
    };
    let traced = plan(&probes(), &channels(), &traced);
    let (basis, why) = reason(&traced, "proc.listeners");
    assert_eq!(basis, Basis::Platform);
    assert!(why.contains("--witness"), "{why}");
    let untold = Terrain {
        sink: false,
        ..terrain(&policy, here)
    };
    let untold = plan(&probes(), &channels(), &untold);
    let (basis, why) = reason(&untold, "net.egress.base-url/");
    assert_eq!(basis, Basis::NoClaim);
    assert!(why.contains("{sink}"), "{why}");
}

#[test]
fn a_part_is_read_only_where_the_tool_can() {
    let policy = filesystem("max_file_size_mb = 1");
    let mut plain = channel("cat", Role::FileRead).as_ref().clone();
    plain.slots.retain(|slot, _| *slot == Slot::Path);
    let plain = [Arc::new(plain)];
    let able = [channel("cat", Role::FileRead)];
    let parts = |channels: &[Arc<Channel>]| {
        plan(&probes(), channels, &terrain(&policy, Path::new(ALLOWED)))
            .trials
            .iter()
            .filter(|trial| trial.probe.id.0 == "fs.size.partial-read" && trial.channel.is_some())
            .count()
    };
    assert_eq!(parts(&plain), 0);
    assert_eq!(parts(&able), 3);
}

#[test]
fn parts_are_even_and_make_the_whole() {
    let whole = planned(&policy("policy.json", FULL));
    let ids =
        |plan: &Plan| -> Vec<String> { plan.trials.iter().map(|trial| trial.id.clone()).collect() };
    for of in [1_usize, 2, 3, 8, 50, 1_000] {
        let parts: Vec<Plan> = (1..=of)
            .map(|number| {
                let shard = Shard::parse(&format!("{number}/{of}"), |_| None);
                whole.clone().part(shard.expect("it is one"))
            })
            .collect();
        let mut together: Vec<String> = parts.iter().flat_map(&ids).collect();
        together.sort();
        assert_eq!(together, ids(&whole), "each trial once, of {of}");
        for part in &parts {
            assert!(part.trials.is_sorted_by_key(|trial| &trial.id));
        }
        let kinds: [fn(&Fate) -> bool; 4] = [
            |_| true,
            |fate| *fate == Fate::Shared,
            |fate| *fate == Fate::Alone,
            |fate| *fate == Fate::Fresh,
        ];
        for kind in kinds {
            let sizes = parts
                .iter()
                .map(|part| part.trials.iter().filter(|trial| kind(&trial.fate)).count());
            let (least, most) = sizes.fold((usize::MAX, 0), |(least, most), size| {
                (least.min(size), most.max(size))
            });
            assert!(most <= least + 1, "{least} to {most} of {of}");
        }
    }
}

#[test]
fn the_digest_of_a_plan_is_that_of_its_ids() {
    let whole = planned(&default_policy());
    let mut shuffled = whole.clone();
    shuffled.trials.reverse();
    assert_eq!(whole.digest(), shuffled.digest());
    shuffled.trials.pop();
    assert_ne!(whole.digest(), shuffled.digest());
}
