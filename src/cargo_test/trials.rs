//! From the arguments of a test program to its tests.
//!
//! Owns how much has to be run for what was asked: a list needs the plan only, one test the trials of
//! its probe, a filter first the plan and then the probes that it leaves. What a test says is told in
//! `cases.rs`.

use std::{collections::BTreeSet, env, path::PathBuf};

use libtest_mimic::{Arguments, Completion, FormatSetting, Trial};

use super::{
    binary::test_name,
    cases::{Cases, Outcome, RUN, Telling, cases, probe_of, summary, whole},
    share::{self, Answer},
};
use crate::{
    cli::errand::{self, report_of},
    config::{ReportFormat, Settings},
    probe::Probe,
    report::{Format, Report, write_reports},
};

/// The tests that the arguments may want. Others may be left out.
pub(super) fn trials(settings: Result<Settings, String>, args: &Arguments) -> Vec<Trial> {
    let cases = match settings.and_then(|settings| Gathering::new(settings, args)?.gather()) {
        Ok(cases) => cases,
        Err(why) => return vec![failed(why, args)],
    };
    if args.list && !args.ignored {
        let names: Vec<&str> = cases.keys().map(String::as_str).collect();
        share::keep_list(&names);
    }
    // A list must say what is ignored; elsewhere it is better told while running, with the reason.
    let flagged = args.list || args.ignored || args.include_ignored || share::is_nextest();
    cases
        .into_iter()
        .map(|(name, outcome)| trial(name, outcome, flagged))
        .collect()
}

/// A test that fails because there is no run. A filter chooses it, whatever it was meant for: nothing
/// that was asked for could be tested.
fn failed(why: String, args: &Arguments) -> Trial {
    let name = match &args.filter {
        Some(filter) if args.exact => filter.clone(),
        Some(filter) if !RUN.contains(filter.as_str()) => format!("{RUN} for {filter}"),
        _ => RUN.to_owned(),
    };
    Trial::test(name, || Err(why.into())).with_ignored_flag(args.ignored)
}

fn trial(name: String, outcome: Outcome, flagged: bool) -> Trial {
    let ignored = matches!(outcome, Outcome::Ignored(_));
    let run = move || match outcome {
        Outcome::Passed => Ok(Completion::Completed),
        Outcome::Failed(why) => Err(why.into()),
        Outcome::Ignored(why) => Ok(Completion::ignored_with(why)),
        Outcome::Planned => Err(
            "inconclusive: it was planned, but it did not run this time\n\
             fix: see what `watertight::run` says; a server that offers other tools each time \
             cannot be tested"
                .into(),
        ),
    };
    Trial::ignorable_test(name, run).with_ignored_flag(ignored && flagged)
}

struct Gathering<'a> {
    settings: Settings,
    args: &'a Arguments,
    /// Ids of the selected probes.
    selected: Vec<String>,
    /// Words that stand between probe and tool in names.
    words: BTreeSet<String>,
    telling: Telling,
}

impl<'a> Gathering<'a> {
    fn new(settings: Settings, args: &'a Arguments) -> Result<Self, String> {
        let probes = errand::selected(&settings)?;
        let variants = |probe: &Probe| -> Vec<String> {
            let names = probe.variants.iter().map(|variant| variant.name.clone());
            names.collect()
        };
        Ok(Self {
            telling: telling(&settings),
            selected: probes.iter().map(|probe| probe.id.to_string()).collect(),
            words: probes.iter().flat_map(|probe| variants(probe)).collect(),
            settings,
            args,
        })
    }

    fn gather(self) -> Result<Cases, String> {
        let args = self.args;
        if args
            .filter
            .as_deref()
            .is_some_and(|filter| !self.may_match(filter))
        {
            // As with a filter that is meant for another test program: no server is started for it.
            return Ok(Cases::new());
        }
        match &args.filter {
            _ if args.list => self.planned(),
            Some(name) if args.exact => self.one(name),
            Some(_) => self.some(),
            None if args.ignored || !args.skip.is_empty() => self.some(),
            None => {
                let report = self.make(&self.selected, false)?;
                self.deliver(&report);
                Ok(self.whole(&report))
            }
        }
    }

    /// One test.
    fn one(&self, name: &str) -> Result<Cases, String> {
        let all = || {
            let report = self.make(&self.selected, false)?;
            self.deliver(&report);
            Ok(report)
        };
        let report = match share::shared(all) {
            Some(answer) => answer?,
            None if name == RUN => all()?,
            None => self.make(&[probe_of(name).to_owned()], false)?,
        };
        let mut cases = self.whole(&report);
        if let Some(listed) = share::listed().filter(|_| name == RUN) {
            missed(&mut cases, &listed);
        }
        cases.entry(name.to_owned()).or_insert(Outcome::Planned);
        Ok(cases)
    }

    /// Those that the plan has and the filters leave.
    fn some(&self) -> Result<Cases, String> {
        let mut planned = self.planned()?;
        let chosen = |name: &String, outcome: &Outcome| {
            let ignored = matches!(outcome, Outcome::Ignored(_));
            let test = Trial::test(name.clone(), || Ok(())).with_ignored_flag(ignored);
            !self.args.is_filtered_out(&test)
        };
        planned.retain(|name, outcome| chosen(name, outcome));
        if planned.contains_key(RUN) {
            let report = self.make(&self.selected, false)?;
            self.deliver(&report);
            planned.extend(self.whole(&report));
            return Ok(planned);
        }
        let probes: BTreeSet<String> = planned
            .iter()
            .filter(|(_, outcome)| **outcome == Outcome::Planned)
            .map(|(name, _)| probe_of(name).to_owned())
            .collect();
        if !probes.is_empty() {
            let probes: Vec<String> = probes.into_iter().collect();
            planned.extend(self.whole(&self.make(&probes, false)?));
        }
        Ok(planned)
    }

    fn make(&self, probes: &[String], rehearsal: bool) -> Answer {
        report_of(Settings {
            suites: Vec::new(),
            probes: probes.to_vec(),
            rehearsal,
            ..self.settings.clone()
        })
    }

    /// The tests of a report, with that of the run.
    fn whole(&self, report: &Report) -> Cases {
        self.with_run(report, false)
    }

    /// The tests of a plan, with that of the run.
    fn planned(&self) -> Result<Cases, String> {
        let plan = self.make(&self.selected, true)?;
        Ok(self.with_run(&plan, true))
    }

    fn with_run(&self, report: &Report, rehearsal: bool) -> Cases {
        let mut cases = cases(report, &self.telling);
        let run = whole(report, &cases, rehearsal);
        cases.insert(RUN.to_owned(), run);
        cases
    }

    /// Whether a test may be chosen by that filter, as far as it is known without the server.
    fn may_match(&self, filter: &str) -> bool {
        if RUN.contains(filter) {
            return true;
        }
        if self.args.exact {
            let probe = probe_of(filter);
            return self.selected.iter().any(|id| id == probe);
        }
        // What stands before the first `::` ends a probe's id, or is a variant.
        match filter.split_once("::") {
            Some((before, _)) => {
                self.selected.iter().any(|id| id.ends_with(before))
                    || self.words.iter().any(|word| word.ends_with(before))
            }
            None => true,
        }
    }

    /// Writes the reports that the settings ask for, and says a word on the run.
    fn deliver(&self, report: &Report) {
        let files: Vec<(Format, PathBuf)> = self
            .settings
            .reports
            .iter()
            .filter(|wanted| wanted.format != ReportFormat::Jsonl)
            .filter_map(|wanted| {
                let path = PathBuf::from(wanted.path.as_ref()?);
                Some((Format::from(wanted.format), path))
            })
            .collect();
        for lost in write_reports(report, &files) {
            errand::tell(&format!("warning: {lost}\n"));
        }
        if !self.args.quiet && self.args.format != Some(FormatSetting::Json) {
            errand::tell(&summary(report));
        }
    }
}

/// A failure that nextest does not know of would be lost: the run as a whole takes it.
fn missed(cases: &mut Cases, listed: &[String]) {
    let unlisted: Vec<String> = cases
        .iter()
        .filter(|(name, outcome)| {
            matches!(outcome, Outcome::Failed(_)) && *name != RUN && !listed.contains(name)
        })
        .map(|(name, _)| name.clone())
        .collect();
    if !unlisted.is_empty() {
        let why = format!(
            "failed, and not in the list of tests: {}\nfix: run the tests once more",
            unlisted.join(", ")
        );
        cases.insert(RUN.to_owned(), Outcome::Failed(why));
    }
}

fn telling(settings: &Settings) -> Telling {
    let test = env::current_exe().map_or_else(|_| String::from("isolation"), |exe| test_name(&exe));
    let mut words = vec![String::from("cargo"), String::from("test")];
    if let Ok(package) = env::var("CARGO_PKG_NAME") {
        words.extend([String::from("-p"), package]);
    }
    words.extend([String::from("--test"), test]);
    Telling {
        least: settings.thresholds.severity,
        repeat: shell_words::join(words),
        by_hand: errand::has_policy_file(settings),
    }
}
