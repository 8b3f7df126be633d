//! `watertight doctor`: which testbed this machine can have, and what would enable it.
//!
//! Owns the list of what is needed, for what, and the command that would fix it. Everything is
//! tried, not guessed: a bottle is built. Settings of the machine are read only to name the one that
//! stands in the way.

use std::fs;

use clap::Args;
use serde::Serialize;
use textwrap::Options;

use super::{
    bottle::{Outcome, contained, plain_bottle},
    print::put,
    trace,
};
use crate::{
    exit::Exit,
    report::json::plain,
    session::controllers,
    testbed::namespace::{Refusal, Stage, Step, Tried},
};

/// Arguments of `watertight doctor`.
#[derive(Debug, Clone, Default, Args)]
pub struct DoctorArgs {
    /// Print JSON instead of text
    #[arg(long)]
    pub json: bool,
}

/// What is needed, and whether it is there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Check {
    /// What.
    pub name: &'static str,
    /// For what.
    pub purpose: &'static str,
    /// Whether it can be had.
    pub state: State,
    /// What the system said.
    pub why: Option<String>,
    /// A command, or what else to do.
    pub fix: Option<String>,
}

/// Whether something can be had.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum State {
    /// It was had.
    Ok,
    /// It was refused.
    Missing,
    /// What it needs was refused, or it cannot be seen.
    Unknown,
}

/// All of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Diagnosis {
    /// Whether runs here are in namespaces.
    pub namespace_testbed: bool,
    /// In the order in which it was tried.
    pub checks: Vec<Check>,
}

/// The parts of a bottle: what is tried, its name, and what it is for.
const STEPS: [(Step, &str, &str); 7] = [
    (
        Step::Namespaces,
        "namespaces",
        "all of the namespace testbed",
    ),
    (
        Step::Ids,
        "user ids",
        "targets run as you, not as somebody else",
    ),
    (Step::Root, "mounts", "a disk that is yours alone"),
    (
        Step::Overlay,
        "overlays",
        "whatever is written is gone afterwards",
    ),
    (
        Step::Proc,
        "fresh /proc",
        "processes of the machine stay unseen",
    ),
    (
        Step::Capabilities,
        "capabilities",
        "targets get none of them",
    ),
    (
        Step::Sealed,
        "sealed network",
        "nothing that is sent leaves the machine",
    ),
];

/// Examines the machine, in the process that this is. There must be no thread yet.
pub(super) fn examine(stage: Stage, args: &DoctorArgs) -> Exit {
    if let Stage::Inner { wire, outer_net } = stage {
        return match plain_bottle(wire, outer_net) {
            Ok(bottle) => {
                bottle.try_more();
                Exit::Held
            }
            Err(_told) => Exit::HarnessFault,
        };
    }
    let outcome = contained(None, None);
    let mut diagnosis = diagnosis(&outcome, &Machine::read());
    diagnosis.checks.extend([tracing(), control_groups()]);
    let printed = put(&if args.json {
        plain(&diagnosis)
    } else {
        diagnosis.to_text(textwrap::termwidth().min(80))
    });
    if printed != Exit::Held {
        printed
    } else if diagnosis.namespace_testbed {
        Exit::Held
    } else {
        Exit::Inconclusive
    }
}

/// Settings that forbid namespaces.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Machine {
    /// `kernel.unprivileged_userns_clone` is 0 (Debian's kernels).
    pub no_clone: bool,
    /// `user.max_user_namespaces` is 0.
    pub none_left: bool,
    /// `kernel.apparmor_restrict_unprivileged_userns` is 1 (Ubuntu since 23.10).
    pub apparmor: bool,
    /// A seccomp filter is on us, as in containers.
    pub filtered: bool,
    /// `fs.inotify.max_user_instances` and `max_user_watches`.
    pub inotify: Option<(u64, u64)>,
    /// Linux security modules, if they can be seen.
    pub modules: Option<String>,
}

impl Machine {
    fn read() -> Self {
        let text = |path: &str| Some(fs::read_to_string(path).ok()?.trim().to_owned());
        let set = |path: &str, value: &str| text(path).as_deref() == Some(value);
        let number = |path: &str| text(path)?.parse().ok();
        Self {
            no_clone: set("/proc/sys/kernel/unprivileged_userns_clone", "0"),
            none_left: set("/proc/sys/user/max_user_namespaces", "0"),
            apparmor: set(
                "/proc/sys/kernel/apparmor_restrict_unprivileged_userns",
                "1",
            ),
            filtered: text("/proc/self/status")
                .is_some_and(|status| status.lines().any(|line| line == "Seccomp:\t2")),
            inotify: number("/proc/sys/fs/inotify/max_user_instances")
                .zip(number("/proc/sys/fs/inotify/max_user_watches")),
            modules: text("/sys/kernel/security/lsm"),
        }
    }

    /// What would fix a refusal.
    #[must_use]
    pub fn fix(&self, step: Step) -> String {
        const CONTAINER: &str = "start the container with \
            --security-opt seccomp=unconfined --security-opt systempaths=unconfined";
        String::from(match step {
            Step::Proc => CONTAINER,
            Step::Overlay => "load the module: sudo modprobe overlay",
            _ if self.none_left => "sudo sysctl -w user.max_user_namespaces=15000",
            _ if self.no_clone => "sudo sysctl -w kernel.unprivileged_userns_clone=1",
            _ if self.apparmor => "sudo sysctl -w kernel.apparmor_restrict_unprivileged_userns=0",
            _ if self.filtered => CONTAINER,
            _ => "a kernel with user namespaces (CONFIG_USER_NS), or --testbed host",
        })
    }
}

/// What an attempt to build a bottle says of the machine.
#[must_use]
pub fn diagnosis(outcome: &Outcome, machine: &Machine) -> Diagnosis {
    let refusal = outcome.refusal.as_ref();
    let mut checks: Vec<Check> = STEPS
        .iter()
        .map(|(step, name, purpose)| step_check(*step, name, purpose, refusal, machine))
        .collect();
    let tried = outcome.tried.as_ref();
    let more = |why: fn(&Tried) -> &Option<String>| tried.map(why);
    checks.push(tried_check(
        "packet sockets",
        "connections to ports where nobody listens are seen",
        more(|tried| &tried.packets),
        "a kernel with CONFIG_PACKET",
    ));
    checks.push(tried_check(
        "tmpfs attributes",
        "servers can replace whole directories",
        more(|tried| &tried.attributes),
        "Linux 6.6 or newer; without it some moves of directories fail inside",
    ));
    checks.push(inotify(machine));
    checks.push(landlock(machine));
    Diagnosis {
        namespace_testbed: outcome.tried.is_some(),
        checks,
    }
}

fn step_check(
    step: Step,
    name: &'static str,
    purpose: &'static str,
    refusal: Option<&Refusal>,
    machine: &Machine,
) -> Check {
    let place = |step: Step| STEPS.iter().position(|(other, ..)| *other == step);
    let (state, why, fix) = match refusal {
        Some(refusal) if refusal.step == step => (
            State::Missing,
            Some(refusal.why.clone()),
            Some(machine.fix(step)),
        ),
        Some(refusal) if place(refusal.step) < place(step) => (State::Unknown, None, None),
        _ => (State::Ok, None, None),
    };
    Check {
        name,
        purpose,
        state,
        why,
        fix,
    }
}

fn tried_check(
    name: &'static str,
    purpose: &'static str,
    why: Option<&Option<String>>,
    fix: &str,
) -> Check {
    let missing = why.cloned().flatten();
    Check {
        name,
        purpose,
        state: match (why, &missing) {
            (None, _) => State::Unknown,
            (Some(_), None) => State::Ok,
            (Some(_), Some(_)) => State::Missing,
        },
        fix: missing.is_some().then(|| fix.to_owned()),
        why: missing,
    }
}

fn inotify(machine: &Machine) -> Check {
    /// Far more than a run was measured to take: one instance, a watch for each planted file.
    const ENOUGH: (u64, u64) = (16, 8192);
    let (state, why) = match machine.inotify {
        None => (State::Unknown, None),
        Some((instances, watches)) if instances < ENOUGH.0 || watches < ENOUGH.1 => (
            State::Missing,
            Some(format!("{instances} instances, {watches} watches")),
        ),
        Some(_) => (State::Ok, None),
    };
    Check {
        name: "inotify",
        purpose: "reads of planted files are seen",
        state,
        why,
        fix: (state == State::Missing).then(|| {
            format!(
                "sudo sysctl -w fs.inotify.max_user_instances={} fs.inotify.max_user_watches={}",
                ENOUGH.0 * 8,
                ENOUGH.1 * 8
            )
        }),
    }
}

fn tracing() -> Check {
    let why = trace::witness().err();
    Check {
        name: "tracing",
        purpose: "what servers attempt is seen (--witness syscalls)",
        state: match why {
            None => State::Ok,
            Some(_) => State::Missing,
        },
        fix: why.is_some().then(|| trace::FIX.to_owned()),
        why,
    }
}

fn control_groups() -> Check {
    let had = controllers();
    let missing = match &had {
        Ok(had) if had.contains(&"memory") && had.contains(&"pids") => None,
        Ok(had) => Some(format!("{} alone", had.join(", "))),
        Err(why) => Some(why.clone()),
    };
    Check {
        name: "control groups",
        purpose: "targets under a strain are bounded as a whole",
        state: match missing {
            None => State::Ok,
            Some(_) => State::Missing,
        },
        fix: missing.is_some().then(|| {
            String::from(
                "systemd-run --user --pty --wait --same-dir -p Delegate=yes \
                 -p DelegateSubgroup=run watertight ...",
            )
        }),
        why: missing,
    }
}

fn landlock(machine: &Machine) -> Check {
    let state = match &machine.modules {
        None => State::Unknown,
        Some(modules) if modules.split(',').any(|name| name == "landlock") => State::Ok,
        Some(_) => State::Missing,
    };
    Check {
        name: "landlock",
        purpose: "targets that confine themselves with it can do so",
        state,
        why: match state {
            State::Unknown => Some(String::from("/sys/kernel/security/lsm cannot be read")),
            State::Missing => Some(String::from("it is not among the security modules")),
            State::Ok => None,
        },
        fix: (state == State::Missing)
            .then(|| String::from("add lsm=landlock,... to the command line of the kernel")),
    }
}

impl Diagnosis {
    /// For people, in lines of at most `width` columns.
    #[must_use]
    pub fn to_text(&self, width: usize) -> String {
        let mut text = String::from(if self.namespace_testbed {
            "Runs here are in namespaces of their own.\n\n"
        } else {
            "Runs here are on the host: what that cannot show is inconclusive.\n\n"
        });
        for check in &self.checks {
            let state = match check.state {
                State::Ok => "ok",
                State::Missing => "missing",
                State::Unknown => "?",
            };
            text.push_str(&format!(
                "   {state:8} {:17} {}\n",
                check.name, check.purpose
            ));
            let below = Options::new(width)
                .initial_indent("                              ")
                .subsequent_indent("                              ")
                .break_words(false)
                .word_splitter(textwrap::WordSplitter::NoHyphenation);
            let more = check.why.iter().cloned();
            for line in more.chain(check.fix.iter().map(|fix| format!("fix: {fix}"))) {
                text.push_str(&textwrap::fill(&line, &below));
                text.push('\n');
            }
        }
        text
    }
}
