//! A bench: one reference target, and the probes that are asked of it in one run.
//!
//! Owns which benches there are, what must come out of each, and how they are dealt over parts. Knows
//! nothing of processes, and of the machine only whether the reference target can be sound on it.

use std::{cmp::Reverse, path::Path};

use clap::Parser;

use super::{
    Cell, Expected,
    terms::{
        API, AUDIT, DOWNLOADS, EXECUTION, FILES, LISTED, NAMED, PORTS, PROCESS, PUBLIC, RANGES,
        READ_ONLY, RESOURCES, SERVED, Terms, VARIABLES, terms,
    },
};
use crate::{
    cli::{RunArgs, run::Failure},
    config::{Settings, Shard},
    diag::Source,
    judge::Verdict,
    policy::Policy,
    probe::{Catalog, Claim, Needs, Platform, Probe, Sound},
    report::Report,
    testbed::namespace::Bottle,
};

/// Dummies on which nothing may be held.
const DUMMIES: &[&str] = &["dead", "mute", "refuse-all", "echo", "silently-empty"];

/// A dummy that answers "Refused" to everything, and reaches it all the same: it must be breached by
/// all that a target without any check is breached by.
const SILENT: (&str, &str) = ("silent-exfil", "net.no-check");

/// The first port at which one listens that serves HTTP.
const FIRST: usize = 18_000;

/// One reference target and the probes that are asked of it.
pub(super) struct Bench {
    pub(super) name: &'static str,
    flaw: Option<&'static str>,
    kind: Option<&'static str>,
    terms: &'static Terms,
    probes: Vec<&'static Probe>,
    /// Where its cells stand among all.
    pub(super) place: usize,
    /// When it is dealt: the longer it takes, the sooner.
    pub(super) turn: usize,
    /// How many there are.
    of: usize,
}

/// All benches of the probes that are named or lie below what is named, or of all; in the order of terms and
/// targets. It is the same in whatever world it is asked, so that parts agree on it.
pub(super) fn benches(only: &[String]) -> Vec<Bench> {
    let covered = |probe: &&Probe| {
        only.is_empty()
            || only
                .iter()
                .any(|id| probe.id.0 == *id || probe.id.0.starts_with(&format!("{id}.")))
    };
    let probes: Vec<&Probe> = Catalog::embedded()
        .probes()
        .filter(covered)
        .filter(|probe| matches!(probe.selftest.needs, None | Some(Needs::Root)))
        .collect();
    let mut benches: Vec<Bench> = Vec::new();
    for on in [
        &FILES, &READ_ONLY, &PUBLIC, &API, &SERVED, &RANGES, &LISTED, &NAMED, &PORTS, &DOWNLOADS,
        &EXECUTION, &RESOURCES, &AUDIT, &PROCESS, &VARIABLES,
    ] {
        let of: Vec<&Probe> = probes
            .iter()
            .copied()
            .filter(|probe| std::ptr::eq(terms(probe), on))
            .collect();
        if of.is_empty() {
            continue;
        }
        let bench = |name, flaw, kind, probes| Bench {
            name,
            flaw,
            kind,
            terms: on,
            probes,
            place: 0,
            turn: 0,
            of: 0,
        };
        benches.push(bench("sound", None, None, of.clone()));
        let mut flaws: Vec<&str> = of
            .iter()
            .flat_map(|probe| &probe.selftest.breached)
            .map(String::as_str)
            .collect();
        flaws.sort_unstable();
        flaws.dedup();
        for flaw in flaws {
            let named = of
                .iter()
                .copied()
                .filter(|probe| probe.selftest.breached.iter().any(|name| name == flaw));
            benches.push(bench(flaw, Some(flaw), None, named.collect()));
        }
        let (silent, like) = SILENT;
        let unchecked = of
            .iter()
            .copied()
            .filter(|probe| probe.selftest.breached.iter().any(|name| name == like))
            .collect::<Vec<_>>();
        if !unchecked.is_empty() {
            benches.push(bench(silent, None, Some(silent), unchecked));
        }
        // As processes they are as good as any, and where they serve HTTP none is dead.
        if std::ptr::eq(on, &PROCESS) || std::ptr::eq(on, &SERVED) {
            continue;
        }
        // Who does nothing contacts nobody: that is held, and rightly so.
        let silent = |probe: &&Probe| probe.technique.as_deref() == Some("watch.unasked");
        let asking: Vec<&Probe> = of.iter().copied().filter(|probe| !silent(probe)).collect();
        for dummy in DUMMIES.iter().filter(|_| !asking.is_empty()) {
            benches.push(bench(dummy, None, Some(*dummy), asking.clone()));
        }
    }
    benches.sort_by_key(Bench::of_network);
    number(&mut benches);
    benches
}

/// Tells each bench where it stands, and when it is dealt.
fn number(benches: &mut [Bench]) {
    let of = benches.len();
    let mut turns: Vec<usize> = (0..of).collect();
    turns.sort_by_key(|place| Reverse(benches[*place].cost()));
    for (turn, place) in turns.into_iter().enumerate() {
        let bench = &mut benches[place];
        (bench.place, bench.turn, bench.of) = (place, turn, of);
    }
}

/// The benches of one part, dealt by turns so that all parts take about as long.
pub(super) fn part(benches: Vec<Bench>, shard: Shard) -> Vec<Bench> {
    let (mine, of) = (shard.number() as usize - 1, shard.of() as usize);
    benches
        .into_iter()
        .filter(|bench| {
            // To and fro: who gets the longest of one round gets the shortest of the next.
            let (round, seat) = (bench.turn / of, bench.turn % of);
            mine == if round % 2 == 0 { seat } else { of - 1 - seat }
        })
        .collect()
}

/// Whether the reference target can be sound here in what the probe asks.
fn can_be_sound(probe: &Probe) -> bool {
    match probe.selftest.needs {
        None => true,
        // In namespaces of ours there is one user.
        Some(Needs::Root) => Bottle::around().is_none() && rustix::process::geteuid().is_root(),
        Some(Needs::Launcher | Needs::Listener) => false,
    }
}

impl Bench {
    /// The bench without the probes that cannot be asked on this machine; none if none is left.
    pub(super) fn here(mut self) -> Option<Self> {
        self.probes.retain(|probe| can_be_sound(probe));
        (!self.probes.is_empty()).then_some(self)
    }

    /// The part that this bench alone is, as `--shard` takes it.
    pub(super) fn alone(&self) -> String {
        format!("{}/{}", self.turn + 1, self.of)
    }

    /// About how many seconds it takes: most of them are spent with targets that are to be worn down.
    fn cost(&self) -> usize {
        /// To start the target and to find out what its tools do.
        const START: usize = 4;
        let of_probe = |probe: &&Probe| match probe.claim {
            Claim::Availability | Claim::MaxFileSize => 8,
            _ => 1,
        };
        START + self.probes.iter().map(of_probe).sum::<usize>()
    }

    /// Whether the cells are those of this bench, all that a machine can always make among them.
    pub(super) fn asks_for(&self, cells: &[Cell]) -> bool {
        let of = |cell: &Cell| {
            let known = |probe: &&Probe| probe.id.0 == cell.probe;
            cell.target == self.name && self.probes.iter().any(known)
        };
        let made = |probe: &&Probe| {
            let cells = cells.iter().filter(|cell| probe.id.0 == cell.probe);
            cells.count() == 1
        };
        let mut always = self.probes.iter();
        cells.iter().all(of) && always.all(|probe| probe.selftest.needs.is_some() || made(probe))
    }

    fn of_network(&self) -> bool {
        self.probes
            .iter()
            .any(|probe| probe.claim.of_network() || probe.of_network())
    }

    /// What came out of its run; `network` is whether there was one of the run's own.
    pub(super) fn cells(&self, made: &Result<Report, Failure>, network: bool) -> Vec<Cell> {
        self.probes
            .iter()
            .map(|probe| {
                let cell = Cell {
                    probe: probe.id.to_string(),
                    target: self.name.to_owned(),
                    expected: self.expected(probe, network),
                    found: match made {
                        Ok(report) => verdict(report, probe),
                        Err(failure) => Err(failure.to_string()),
                    },
                    why: None,
                };
                let why = made.as_ref().ok().filter(|_| !cell.passed());
                Cell {
                    why: why.and_then(|report| decided(report, probe)),
                    ..cell
                }
            })
            .collect()
    }

    fn expected(&self, probe: &Probe, network: bool) -> Expected {
        // What lists its tools and does nothing bears raw frames as well as any server.
        let bears = probe.claim == Claim::Availability && probe.roles.is_empty();
        if bears && matches!(self.kind, Some("refuse-all" | "echo" | "silently-empty")) {
            return Expected::Exactly(Verdict::Held);
        }
        if self.kind.is_some_and(|kind| kind != SILENT.0) {
            return Expected::Undecided;
        }
        let of_network = probe.claim.of_network() || probe.of_network();
        if (of_network || probe.claim == Claim::Queries) && !network {
            return Expected::Exactly(Verdict::NotApplicable);
        }
        let here = if cfg!(target_os = "macos") {
            Platform::Macos
        } else {
            Platform::Linux
        };
        let exists = probe.variants.iter().any(|variant| {
            let platforms = probe.platforms_of(variant);
            platforms.is_empty() || platforms.contains(&here)
        });
        Expected::Exactly(match (exists, self.flaw, probe.selftest.sound) {
            (false, _, _) => Verdict::NotApplicable,
            (true, Some(_), _) => Verdict::Breached,
            (true, None, _) if self.kind.is_some() => Verdict::Breached,
            (true, None, Sound::Held) => Verdict::Held,
            (true, None, Sound::NotApplicable) => Verdict::NotApplicable,
        })
    }

    /// The settings of its run.
    pub(super) fn settings(&self, program: &Path) -> Settings {
        let Terms { policy, flags } = self.terms;
        let mut command = vec![program.display().to_string(), String::from("reference")];
        command.extend(self.kind.map(str::to_owned));
        command.extend(
            self.flaw
                .into_iter()
                .flat_map(|flaw| [String::from("--flaw"), flaw.to_owned()]),
        );
        command.extend(flags.iter().map(|flag| (*flag).to_owned()));
        command.push(String::from("{allowed}"));
        // Only one of them never answers. A machine under load may take its time with the others.
        let startup = match self.kind {
            Some("mute") => "4",
            _ => "30",
        };
        let mut words: Vec<String> = ["run", "--timeout", "3", "--startup-timeout", startup]
            .map(String::from)
            .to_vec();
        words.extend(["--allow-destructive", "delete_file"].map(String::from));
        for probe in &self.probes {
            words.extend([String::from("--probe"), probe.id.to_string()]);
        }
        if std::ptr::eq(self.terms, &SERVED) {
            // A port of its own, for where parts have no networks of their own.
            let address = format!("127.0.0.1:{}", FIRST + self.place);
            words.extend([String::from("--url"), format!("http://{address}/mcp")]);
            command.extend([String::from("--listen"), address]);
        }
        words.push(String::from("--"));
        words.extend(command);
        let mut settings = settings_of(words);
        settings.policy = Policy::load(&Source::new("self-test.toml", *policy))
            .expect("the policies are checked by every self-test");
        settings
    }
}

/// The settings that words of a command line make.
pub(super) fn settings_of(words: Vec<String>) -> Settings {
    let flags = Flags::try_parse_from(words).expect("the flags are ours");
    flags.run.layer().settle().expect("the settings are ours")
}

#[derive(Debug, Parser)]
struct Flags {
    #[command(flatten)]
    run: RunArgs,
}

/// The first trial that has the verdict of the probe, and its reason.
fn decided(report: &Report, probe: &Probe) -> Option<String> {
    let found = report.probes.iter().find(|found| found.id == probe.id)?;
    let mut trials = found.trials.iter();
    let trial = trials.find(|trial| trial.verdict == found.verdict)?;
    Some(format!("{}: {}", trial.id, trial.reason))
}

fn verdict(report: &Report, probe: &Probe) -> Result<Verdict, String> {
    report
        .probes
        .iter()
        .find(|found| found.id == probe.id)
        .map(|found| found.verdict)
        .ok_or_else(|| String::from("the probe is not in the report"))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The places of the benches in each part.
    fn places(of: usize) -> Vec<Vec<usize>> {
        (1..=of)
            .map(|number| {
                let shard = Shard::parse(&format!("{number}/{of}"), |_| None).expect("it is one");
                let part = part(benches(&[]), shard);
                part.iter().map(|bench| bench.place).collect()
            })
            .collect()
    }

    #[test]
    fn each_bench_is_in_one_part() {
        let all = benches(&[]).len();
        assert!(all > 100, "{all}");
        for of in [1, 2, 3, 8, all - 1, all, all + 3] {
            let parts = places(of);
            let mut joined: Vec<usize> = parts.concat();
            joined.sort_unstable();
            assert!(joined.into_iter().eq(0..all), "{of}");
            let sizes = parts.iter().map(Vec::len);
            let least = sizes.clone().min();
            assert!(sizes.max() <= least.map(|least| least + 1), "{of}");
        }
    }

    #[test]
    fn a_bench_alone_is_a_part() {
        for only in [&[][..], &[String::from("fs.read")]] {
            for bench in benches(only) {
                let shard = Shard::parse(&bench.alone(), |_| None).expect("it is one");
                let part = part(benches(only), shard);
                assert_eq!(part.len(), 1);
                assert_eq!(part[0].place, bench.place);
            }
        }
    }

    #[test]
    fn cells_of_others_and_too_few_are_not_what_a_bench_asks_for() {
        let all = benches(&[]);
        let bench = all
            .iter()
            .find(|bench| bench.probes.len() > 1)
            .expect("sound");
        let failure = || Err(Failure::Fault(String::from("nothing was run")));
        let cells = bench.cells(&failure(), true);
        assert!(bench.asks_for(&cells));
        assert!(!bench.asks_for(&cells[1..]));
        assert!(!bench.asks_for(&[&cells[..], &cells[..1]].concat()));
        let other = all
            .iter()
            .find(|other| other.name != bench.name)
            .expect("flaws");
        assert!(!other.asks_for(&cells));
    }
}
