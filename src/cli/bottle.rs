//! Which world a run has: it goes into the bottle, or stays on the host and says why.
//!
//! Owns the choice, what the outer process waits for, and what a user hears when there is no
//! bottle. Building it is the testbed's.

mod warm;

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use rustix::process::{Pid, Signal, kill_process};
use tokio::sync::mpsc;

use super::{
    interrupt::Interrupts,
    order::{launcher_of, wrapped},
    print::{complain, problem},
    visit,
};
use crate::{
    config::{Reach, Settings, TargetSpec, Testbed},
    diag::Diagnostic,
    exit::Exit,
    policy::Policy,
    report::write::store,
    session::{end_all, hold_groups},
    target::{Launcher, changes_user, nests},
    testbed::namespace::{
        self, Bottle, ChangeKind, Refusal, Stage, Step, Tried, Wanted, Word, wire::Wire,
    },
};

/// Where testbeds are made in a bottle, if no directory of the policy says otherwise.
const BEDS: &str = "/var/tmp/beds";

/// Puts this process into the world that the settings ask for. Returns settings to run with, or the
/// exit code if the run was done by another process, or cannot be done.
///
/// # Errors
/// The exit code to end with.
pub(super) fn enter(stage: Stage, settings: Settings) -> Result<Settings, Exit> {
    match stage {
        Stage::Inner { wire, outer_net } => {
            // Inside, they can be read alone.
            hold_groups();
            // A refusal has been told to the outer process.
            Bottle::build(wire, outer_net, &wanted(&settings)).map_err(|_| Exit::HarnessFault)?;
            Ok(settings)
        }
        Stage::Gate(_) | Stage::Outer => from_outside(settings, None),
    }
}

/// Chooses the world of a run from outside of it, as [`enter`] does. The process that does the run in
/// a bottle is told its `errand`, a variable and its value.
///
/// # Errors
/// The exit code of that process, or of what went wrong.
pub(super) fn from_outside(
    mut settings: Settings,
    errand: Option<(&str, &str)>,
) -> Result<Settings, Exit> {
    let insists = settings.testbed == Testbed::Namespace;
    if settings.testbed == Testbed::Host {
        return Ok(settings);
    }
    if matches!(settings.target.reach, Reach::Url { .. }) {
        if insists {
            let told = Diagnostic::error(
                "testbed::remote",
                "a running server cannot be put into namespaces",
            );
            let told = told.help("leave --testbed out, or give the command that starts it");
            return Err(problem(&told.into()));
        }
        return Ok(settings);
    }
    let why = match unfit(&settings) {
        Some(why) => why,
        None => match contained(Some(&settings), errand) {
            Outcome {
                refusal: None,
                exit,
                ..
            } => return Err(exit),
            Outcome {
                refusal: Some(refusal),
                ..
            } if insists => {
                complain(&format!(
                    "there is no namespace testbed here: {refusal}\nfix: {}",
                    fix(refusal.step)
                ));
                return Err(Exit::BadInput);
            }
            Outcome {
                refusal: Some(refusal),
                ..
            } => format!("{refusal} (`watertight doctor` says more)"),
        },
    };
    if insists {
        complain(&format!(
            "there is no namespace testbed for this run: {why}"
        ));
        return Err(Exit::BadInput);
    }
    settings
        .notes
        .push(format!("the testbed is the host: {why}"));
    Ok(settings)
}

/// Why a run cannot be done in any bottle.
fn unfit(settings: &Settings) -> Option<String> {
    if launcher_of(&settings.target) == Some(Launcher::Container) {
        return Some(String::from(
            "a container engine runs the server outside of any namespaces of ours",
        ));
    }
    if let Reach::Command(words) = &settings.target.reach
        && let Some(program) = changes_user(words)
    {
        let why = "turns into another user, and in namespaces of ours there is one only";
        return Some(format!("{program} {why}"));
    }
    // The inner process reads everything anew.
    piped(settings).map(|path| {
        format!(
            "{} can be read once only; name a regular file",
            path.display()
        )
    })
}

/// An input that is no regular file.
fn piped(settings: &Settings) -> Option<PathBuf> {
    let policy = Path::new(settings.policy.source().name()).to_owned();
    let baseline = settings
        .baseline
        .as_ref()
        .map(|told| PathBuf::from(told.source().name()));
    settings
        .config
        .clone()
        .into_iter()
        .chain([policy])
        .chain(baseline)
        .find(|path| path.exists() && !path.is_file())
}

/// What came of a bottle.
#[derive(Debug)]
pub struct Outcome {
    /// How the inner process ended.
    pub exit: Exit,
    /// Why there was none, if there was none.
    pub refusal: Option<Refusal>,
    /// What was tried in it.
    pub tried: Option<Tried>,
}

impl From<Exit> for Outcome {
    fn from(exit: Exit) -> Self {
        Self {
            exit,
            refusal: None,
            tried: None,
        }
    }
}

/// Starts this program once more in a bottle, with the same command line, and waits for its end. A
/// target of `settings` that comes from a registry is fetched first.
pub(super) fn contained(settings: Option<&Settings>, errand: Option<(&str, &str)>) -> Outcome {
    let refused = |error: std::io::Error| Outcome {
        exit: Exit::HarnessFault,
        refusal: Some(Refusal {
            step: Step::Namespaces,
            why: error.to_string(),
        }),
        tried: None,
    };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    match runtime {
        Ok(runtime) => {
            let outcome = runtime
                .block_on(wait(settings, errand))
                .unwrap_or_else(refused);
            runtime.shutdown_background();
            outcome
        }
        Err(error) => refused(error),
    }
}

/// Starts the bottle and waits for its end; passes signals on, and looks after the real disk.
async fn wait(
    settings: Option<&Settings>,
    errand: Option<(&str, &str)>,
) -> std::io::Result<Outcome> {
    /// After the end of the bottle, for its last words.
    const LAST_WORDS: Duration = Duration::from_secs(2);
    let mut interrupts = Interrupts::listen()?;
    let mut known = None;
    if let Some(settings) = settings {
        tokio::select! {
            record = async { warm::warm(settings).await; visit::record(settings).await } => known = record,
            _ = interrupts.next() => {
                end_all();
                return Ok(cut_short());
            }
        }
    }
    let (mut command, wire) = namespace::launch()?;
    command.envs(errand);
    let mut gate = {
        // The command keeps the other end of the wire.
        let mut command = tokio::process::Command::from(command);
        command.kill_on_drop(true).spawn()?
    };
    let pid = gate.id().unwrap_or_default();
    let (tell, mut words) = mpsc::unbounded_channel();
    // A thread, because a pipe that a report goes to may keep it waiting for ever.
    std::thread::Builder::new().spawn(move || {
        while let Ok(Some(word)) = namespace::serve(&wire, pid, store, known.as_deref()) {
            if tell.send(word).is_err() {
                break;
            }
        }
    })?;
    let mut bottle = Heard::default();
    let status = loop {
        tokio::select! {
            status = gate.wait() => break status?,
            Some(word) = words.recv() => bottle.hear(word),
            signal = interrupts.next() => {
                let inner = bottle.inner.and_then(Pid::from_raw);
                match (inner, Signal::from_named_raw(signal)) {
                    (Some(inner), Some(signal)) if bottle.listening => {
                        // It may have ended meanwhile.
                        let _gone = kill_process(inner, signal);
                    }
                    _ => {
                        // With its first process the bottle ends.
                        gate.start_kill()?;
                        gate.wait().await?;
                        return Ok(cut_short());
                    }
                }
            }
        }
    };
    let rest = async {
        while let Some(word) = words.recv().await {
            bottle.hear(word);
        }
    };
    // Somebody may still keep a report waiting.
    let _late = tokio::time::timeout(LAST_WORDS, rest).await;
    let exit = Exit::ALL
        .iter()
        .map(|(exit, _)| *exit)
        .find(|exit| status.code() == Some(i32::from(exit.code())));
    if bottle.refusal.is_none() && exit.is_none() {
        complain(&format!(
            "the run was ended from outside ({status}); nothing was judged\n\
             fix: look whether the machine ran out of memory, or use --testbed host"
        ));
    }
    Ok(Outcome {
        exit: exit.unwrap_or(Exit::HarnessFault),
        refusal: bottle.refusal,
        tried: bottle.tried,
    })
}

fn cut_short() -> Outcome {
    complain("interrupted before the first trial: nothing was judged; no report is written");
    Exit::Inconclusive.into()
}

#[derive(Default)]
struct Heard {
    inner: Option<i32>,
    listening: bool,
    refusal: Option<Refusal>,
    tried: Option<Tried>,
}

impl Heard {
    fn hear(&mut self, word: Word) {
        match word {
            Word::Child(pid) => self.inner = i32::try_from(pid).ok(),
            Word::Refused(refusal) => self.refusal = Some(refusal),
            Word::Tried(tried) => self.tried = Some(tried),
            Word::Listening => self.listening = true,
            Word::Ready => {}
        }
    }
}

/// What to do about a refusal.
pub(super) fn fix(step: Step) -> &'static str {
    match step {
        Step::Namespaces | Step::Ids => {
            "`watertight doctor` names the setting that forbids it; or use --testbed host"
        }
        Step::Proc => {
            "in a container, start it with an unmasked /proc (docker run --security-opt \
             systempaths=unconfined); or use --testbed host"
        }
        Step::Root | Step::Overlay | Step::Capabilities | Step::Sealed => "use --testbed host",
    }
}

/// A bottle that nothing runs in.
///
/// # Errors
/// When the machine refuses.
pub(super) fn plain_bottle(wire: Wire, outer_net: u64) -> Result<&'static Bottle, Refusal> {
    let wanted = Wanted {
        cwd: PathBuf::from("/"),
        beds: PathBuf::from(BEDS),
        ..Wanted::default()
    };
    Bottle::build(wire, outer_net, &wanted)
}

/// What a run wants of its bottle.
fn wanted(settings: &Settings) -> Wanted {
    let cwd = std::env::current_dir().unwrap_or_else(|_| "/".into());
    let allowed = allowed_of(&settings.policy);
    let beds = shared(settings)
        .as_deref()
        .and_then(Path::parent)
        .map_or_else(|| PathBuf::from(BEDS), |parent| parent.join("beds"));
    let denied = denied_of(&settings.policy)
        // Trials plant there themselves.
        .filter(|path| path.exists() || !allowed.iter().any(|allowed| path.starts_with(allowed)))
        .collect();
    Wanted {
        cwd,
        home: std::env::var_os("HOME")
            .map(PathBuf::from)
            .filter(|home| home.is_absolute()),
        allowed,
        denied,
        beds,
        nests: wrapped(&settings.target).is_some() || sandboxed(&settings.target),
    }
}

/// Whether the command is one of the sandboxes that are known by name.
fn sandboxed(target: &TargetSpec) -> bool {
    match &target.reach {
        Reach::Command(words) => words.first().is_some_and(|program| nests(program)),
        Reach::Url { .. } | Reach::Inside(_) => false,
    }
}

/// What was written outside of the testbed, as a sentence for a report.
pub(super) fn strays(allowed: &Path) -> Option<String> {
    /// Paths that are named; the others are counted.
    const NAMED: usize = 8;
    let changes = Bottle::around()?.changes();
    let strays: Vec<String> = changes
        .iter()
        .filter(|change| !change.path.starts_with(allowed))
        .map(|change| {
            let done = match change.kind {
                ChangeKind::Created => "created",
                ChangeKind::Modified => "changed",
                ChangeKind::Removed => "removed",
            };
            format!("{} {done}", change.path.display())
        })
        .collect();
    let (named, more) = strays.split_at(strays.len().min(NAMED));
    let more = match more.len() {
        0 => String::new(),
        count => format!(" and {count} more"),
    };
    (!named.is_empty()).then(|| {
        format!(
            "outside of the testbed, and gone with the namespaces: {}{more}",
            named.join(", ")
        )
    })
}

/// The directory that a run in a bottle takes for its allowed one, if it is not to make its own: the
/// one that the user shares, else the first that the policy names by an absolute path.
pub(super) fn shared(settings: &Settings) -> Option<PathBuf> {
    match &settings.target.allowed {
        Some(shared) => std::path::absolute(shared).ok(),
        None => allowed_of(&settings.policy).into_iter().next(),
    }
}

fn allowed_of(policy: &Policy) -> Vec<PathBuf> {
    let entries = policy.allowed_paths().into_iter().flatten();
    absolute(entries.map(|entry| entry.text.as_str())).collect()
}

fn denied_of(policy: &Policy) -> impl Iterator<Item = PathBuf> {
    let files = policy
        .document()
        .capabilities
        .as_ref()
        .and_then(|capabilities| capabilities.filesystem.as_ref());
    let entries = files.into_iter().flat_map(|files| &files.denied_paths);
    absolute(entries.map(|entry| entry.value.as_str()))
}

/// Paths that are written out.
fn absolute<'a>(texts: impl Iterator<Item = &'a str>) -> impl Iterator<Item = PathBuf> {
    texts
        .filter(|text| !text.contains(['{', '*', '?']))
        .map(PathBuf::from)
        .filter(|path| path.is_absolute() && path.parent().is_some())
}
