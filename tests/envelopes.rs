//! Servers in a real sandbox: what it keeps away is its own doing, and a hole in it is found.
//!
//! Owns the command lines of bubblewrap, whole and with one hole each, and what must come of them. Where it is
//! not installed, or namespaces are forbidden, the tests are ignored and say so; with `CI=true` they fail.

#[path = "support/program.rs"]
mod program;
#[path = "envelopes/real.rs"]
mod real;
#[path = "support/servers.rs"]
#[expect(
    dead_code,
    reason = "servers are launched in sandboxes here, by lines of their own"
)]
mod servers;

use std::{
    fs,
    os::unix::fs::PermissionsExt as _,
    path::Path,
    process::{Command, ExitCode},
};

use libtest_mimic::{Arguments, Completion, Failed, Trial};
use tempfile::TempDir;
use watertight::{
    judge::{Basis, Verdict},
    report::{Part, Report, StoppedBy, TrialReport},
    testbed::Mapping,
    witness::syscalls::{How, Layer},
};

/// A user who is nobody, to whom nothing on the machine belongs.
const NOBODY: u32 = 4242;

/// Shows the programs of the system, the server, and the allowed directory as `/work`.
const WALLS: &str = "bwrap --ro-bind /usr /usr --symlink usr/bin /bin --symlink usr/lib /lib \
    --symlink usr/lib64 /lib64 --dev /dev --proc /proc --tmpfs /tmp --ro-bind {server} /server \
    --bind {allowed} /work --die-with-parent --new-session --cap-drop ALL --clearenv";

type Test = fn(&Place) -> Result<(), Failed>;

const TESTS: [(&str, Test); 12] = [
    ("what_is_not_shown_is_held_by_absence", absent),
    ("paths_are_told_as_the_server_has_them", told),
    ("a_secret_that_is_shown_comes_out", shown),
    ("a_shared_network_is_found", shared),
    ("without_a_network_nothing_about_hosts_is_held", closed),
    ("a_descriptor_that_is_handed_on_is_found", descriptor),
    ("processes_of_others_are_there_or_not", processes),
    ("an_environment_that_is_not_cleared_comes_out", variables),
    ("what_the_user_says_stands_at_the_result", spec),
    ("server_sandbox_and_both_are_told_apart", layers),
    ("layers_without_a_sandbox_are_refused", no_layers),
    ("what_the_kernel_refuses_is_told_by_its_error", refused),
];

fn main() -> ExitCode {
    let root = rustix::process::geteuid().is_root();
    let mut trials = Vec::new();
    for (name, test) in TESTS {
        trials.push(trial(name.to_owned(), None, test));
        if root {
            trials.push(trial(
                format!("{name}_as_an_ordinary_user"),
                Some(NOBODY),
                test,
            ));
        }
    }
    trials.extend(real::all_trials(root));
    libtest_mimic::run(&Arguments::from_args(), trials).exit_code()
}

fn trial(name: String, user: Option<u32>, test: Test) -> Trial {
    Trial::ignorable_test(name, move || {
        let place = Place::new(user)?;
        let missing = match Command::new("bwrap").arg("--version").output() {
            Err(error) => Some(format!("no bwrap here: {error}")),
            Ok(_) => possible(&place)?,
        };
        match missing {
            Some(why) if std::env::var_os("CI").is_some() => Err(why.into()),
            Some(why) => Ok(Completion::ignored_with(why)),
            None => test(&place).map(|()| Completion::Completed),
        }
    })
}

/// Why there can be no namespaces here, if so.
fn possible(place: &Place) -> Result<Option<String>, Failed> {
    let doctor = place.command(&["doctor"]).output()?;
    let said = String::from_utf8_lossy(&doctor.stdout).into_owned();
    Ok((!doctor.status.success()).then(|| format!("no namespaces here:\n{said}")))
}

/// A directory of a user, with the program.
struct Place {
    directory: TempDir,
    user: Option<u32>,
}

impl Place {
    fn new(user: Option<u32>) -> Result<Self, Failed> {
        let directory = tempfile::tempdir()?;
        fs::set_permissions(directory.path(), fs::Permissions::from_mode(0o755))?;
        let place = Self { directory, user };
        program::install(&place.server(), fs::read(env!("CARGO_BIN_EXE_watertight"))?);
        std::os::unix::fs::chown(place.directory.path(), user, user)?;
        Ok(place)
    }

    fn path(&self) -> &Path {
        self.directory.path()
    }

    fn user(&self) -> Option<u32> {
        self.user
    }

    /// Makes the user the owner of a directory and all below.
    fn give(&self, directory: &Path) -> Result<(), Failed> {
        let Some(user) = self.user else { return Ok(()) };
        let owner = format!("{user}:{user}");
        let given = Command::new("chown")
            .args(["-R", &owner])
            .arg(directory)
            .status()?;
        check(given.success(), directory)
    }

    fn server(&self) -> std::path::PathBuf {
        self.directory.path().join("watertight")
    }

    fn command(&self, words: &[&str]) -> Command {
        let mut command = match self.user {
            None => Command::new(self.server()),
            Some(user) => {
                let mut command = Command::new("setpriv");
                command
                    .args([format!("--reuid={user}"), format!("--regid={user}")])
                    .arg("--clear-groups")
                    .arg(self.server());
                command
            }
        };
        command
            .args(words)
            .current_dir(self.directory.path())
            .env("HOME", self.directory.path());
        command
    }

    /// Runs the probes on a server in a sandbox. The report and the exit code.
    fn run(
        &self,
        flags: &[&str],
        probes: &[&str],
        walls: &str,
        server: &str,
    ) -> Result<(Report, i32), Failed> {
        self.launch("namespace", flags, probes, &format!("{walls} -- {server}"))
    }

    /// Runs the probes on what a command line starts.
    fn launch(
        &self,
        testbed: &str,
        flags: &[&str],
        probes: &[&str],
        line: &str,
    ) -> Result<(Report, i32), Failed> {
        let path = self.directory.path().join("report.json");
        let _of_an_earlier_run = fs::remove_file(&path);
        let path = path.display().to_string();
        let json = format!("json={path}");
        let line = line.replace("{server}", &self.server().display().to_string());
        let mut words = vec!["run", "--no-lock", "--testbed", testbed, "--report", &json];
        words.extend(flags);
        words.extend(probes.iter().flat_map(|probe| ["--probe", *probe]));
        words.push("--");
        words.extend(line.split_whitespace());
        let output = self.command(&words).output()?;
        let said = || {
            format!(
                "{}\n{}",
                String::from_utf8_lossy(&output.stdout),
                String::from_utf8_lossy(&output.stderr)
            )
        };
        let text = fs::read(&path).map_err(|error| format!("no report ({error}): {}", said()))?;
        let report = serde_json::from_slice(&text).map_err(|error| error.to_string())?;
        Ok((report, output.status.code().unwrap_or(-1)))
    }
}

fn trials<'r>(report: &'r Report, probe: &str, verdict: Verdict) -> Vec<&'r TrialReport> {
    let of = report.probes.iter().filter(|one| one.id.0 == probe);
    of.flat_map(|probe| &probe.trials)
        .filter(|trial| trial.verdict == verdict)
        .collect()
}

/// The trials of a probe with a verdict, of which there must be some, and none with another that counts.
fn all<'r>(
    report: &'r Report,
    probe: &str,
    verdict: Verdict,
) -> Result<Vec<&'r TrialReport>, Failed> {
    let found = trials(report, probe, verdict);
    for other in [Verdict::Held, Verdict::Breached, Verdict::Inconclusive] {
        if other != verdict
            && let Some(one) = trials(report, probe, other).first()
        {
            return Err(format!("{} is {other:?}: {}", one.id, one.reason).into());
        }
    }
    if found.is_empty() {
        return Err(format!("no trial of {probe} is {verdict:?}").into());
    }
    Ok(found)
}

fn check(fine: bool, what: impl std::fmt::Debug) -> Result<(), Failed> {
    if fine {
        Ok(())
    } else {
        Err(format!("{what:?}").into())
    }
}

const OUTSIDE: [&str; 5] = [
    "fs.read.outside-abs",
    "fs.read.prefix-sibling",
    "fs.read.symlink-dir",
    "fs.write.outside-abs",
    "fs.write.symlink-parent",
];

fn absent(place: &Place) -> Result<(), Failed> {
    let walls = format!("{WALLS} --unshare-all");
    let (report, exit) = place.run(&[], &OUTSIDE, &walls, "/server stub /work")?;
    check(exit == 0, exit)?;
    for probe in OUTSIDE {
        for trial in all(&report, probe, Verdict::Held)? {
            let absent = trial.mapping.as_ref().is_some_and(|mapping| {
                mapping.mapping == Mapping::Auto && mapping.inside.is_none()
            });
            check(trial.basis == Basis::Envelope && absent, trial)?;
            check(trial.reason.contains("held by absence"), &trial.reason)?;
        }
    }
    Ok(())
}

fn told(place: &Place) -> Result<(), Failed> {
    let walls = format!("{WALLS} --unshare-all");
    let probes = ["fs.read.prefix-sibling"];
    let (report, _) = place.run(&[], &probes, &walls, "/server reference /work")?;
    let allowed = &report.testbed.paths[0];
    check(allowed.inside.as_deref() == Some("/work"), allowed)?;
    check(allowed.host == report.testbed.allowed, allowed)?;
    let host = &report.testbed.allowed;
    let read = report
        .target
        .tools
        .iter()
        .find(|tool| tool.name == "read_file");
    check(read.is_some_and(|tool| !tool.proven.is_empty()), read)?;
    for trial in all(&report, "fs.read.prefix-sibling", Verdict::Held)? {
        let asked = trial
            .asked
            .as_ref()
            .map(ToString::to_string)
            .unwrap_or_default();
        check(!asked.contains(&format!("{host}/")), asked)?;
    }
    Ok(())
}

fn shown(place: &Place) -> Result<(), Failed> {
    let walls = format!("{WALLS} --unshare-all --ro-bind {{outside}} /else/where");
    let probes = ["fs.read.outside-abs", "fs.write.outside-abs"];
    let (report, exit) = place.run(&[], &probes, &walls, "/server stub /work")?;
    check(exit == 1, exit)?;
    let read = trials(&report, "fs.read.outside-abs", Verdict::Breached);
    let out = read.iter().find(|trial| {
        let inside = trial
            .mapping
            .as_ref()
            .and_then(|mapping| mapping.inside.clone());
        trial.basis == Basis::Token && inside.is_some_and(|path| path.starts_with("/else/where"))
    });
    check(out.is_some(), &read)?;
    // It is shown unchangeable.
    for trial in all(&report, "fs.write.outside-abs", Verdict::Held)? {
        check(trial.basis == Basis::Envelope, trial)?;
    }
    Ok(())
}

const HOSTS: &str = "net.egress.denied-ip";

fn shared(place: &Place) -> Result<(), Failed> {
    let walls = format!("{WALLS} --unshare-all --share-net");
    let (report, exit) = place.run(&[], &[HOSTS], &walls, "/server stub /work")?;
    check(exit == 1, exit)?;
    let out = trials(&report, HOSTS, Verdict::Breached);
    let arrived = out.iter().any(|trial| trial.basis == Basis::Connection);
    check(arrived, report.summary)?;
    // The same walls around a server that keeps to the policy.
    let server = "/server reference --network /work";
    let (report, _) = place.run(&[], &[HOSTS], &walls, server)?;
    all(&report, HOSTS, Verdict::Held).map(|_| ())
}

fn closed(place: &Place) -> Result<(), Failed> {
    let walls = format!("{WALLS} --unshare-all");
    let (report, exit) = place.run(&[], &[HOSTS], &walls, "/server stub /work")?;
    check(exit == 3, exit)?;
    // Nothing that is permitted works either, so there is no control.
    all(&report, HOSTS, Verdict::Inconclusive).map(|_| ())
}

fn processes(place: &Place) -> Result<(), Failed> {
    let probe = "proc.peer-process";
    let server = "/server reference --flaw fs.no-check /work";
    let walls = format!("{WALLS} --unshare-all");
    let (report, exit) = place.run(&[], &[probe], &walls, server)?;
    check(exit == 0, exit)?;
    for trial in all(&report, probe, Verdict::Held)? {
        check(trial.basis == Basis::Envelope, trial)?;
        check(trial.reason.contains("held by absence"), &trial.reason)?;
    }
    // A `/proc` of its own with all processes in it.
    let walls = format!("{WALLS} --unshare-user");
    let (report, exit) = place.run(&[], &[probe], &walls, server)?;
    check(exit == 1, exit)?;
    let out = trials(&report, probe, Verdict::Breached);
    let told = out.iter().any(|trial| trial.basis == Basis::Token);
    check(told, report.summary)?;
    // The same walls around a server that keeps to the policy.
    let (report, _) = place.run(&[], &[probe], &walls, "/server reference /work")?;
    for trial in all(&report, probe, Verdict::Held)? {
        check(trial.basis == Basis::Policy, trial)?;
    }
    Ok(())
}

fn descriptor(place: &Place) -> Result<(), Failed> {
    let walls = format!("{WALLS} --unshare-all");
    let probe = "fs.read.proc-fd";
    // Sees to no descriptor, and asks the kernel for the path by which it is given.
    let server = "/server reference --flaw fs.no-check /work";
    let (report, exit) = place.run(&[], &[probe], &walls, server)?;
    check(exit == 1, exit)?;
    let out = trials(&report, probe, Verdict::Breached);
    check(out.iter().any(|trial| trial.basis == Basis::Token), &out)
}

fn variables(place: &Place) -> Result<(), Failed> {
    let cleared = format!("{WALLS} --unshare-all");
    let whole = cleared.replace("--clearenv", "");
    // Servers that tell all that they have, or put it where its name stands.
    for (probe, flaw) in [
        ("env.direct", "env.dump"),
        ("env.interpolate-arg", "env.expands"),
    ] {
        let server = format!("/server reference --flaw {flaw} /work");
        let (report, exit) = place.run(&[], &[probe], &cleared, &server)?;
        check(exit == 0, exit)?;
        for trial in all(&report, probe, Verdict::Held)? {
            check(trial.basis == Basis::Envelope, trial)?;
        }
        let (report, exit) = place.run(&[], &[probe], &whole, &server)?;
        check(exit == 1, exit)?;
        let out = trials(&report, probe, Verdict::Breached);
        check(!out.is_empty(), &report.summary)?;
        check(out.iter().all(|trial| trial.basis == Basis::Token), &out)?;
    }
    Ok(())
}

fn spec(place: &Place) -> Result<(), Failed> {
    let walls = format!("{WALLS} --unshare-all");
    let probe = "fs.read.outside-abs";
    let flags = ["{outside}=", "{denied}=", "{home}=", "{tmp}="].map(|map| ["--map", map]);
    let (report, _) = place.run(flags.as_flattened(), &[probe], &walls, "/server stub /work")?;
    for trial in all(&report, probe, Verdict::Held)? {
        let spec = trial
            .mapping
            .as_ref()
            .is_some_and(|mapping| mapping.mapping == Mapping::Spec && mapping.inside.is_none());
        check(spec, trial)?;
    }
    Ok(())
}

fn layers(place: &Place) -> Result<(), Failed> {
    let probe = "fs.read.outside-abs";
    let server = place.server().display().to_string();
    let whole = format!("{WALLS} --unshare-all --ro-bind {server} {server}");
    let open = format!("{whole} --ro-bind {{outside}} {{outside}}");
    let sound = format!("{server} reference /work");
    let flawed = format!("{server} reference --flaw fs.no-check /work");
    for (walls, line, expected, parts) in [
        (&whole, &sound, StoppedBy::Both, (Part::Stops, Part::Stops)),
        (
            &open,
            &sound,
            StoppedBy::Server,
            (Part::Stops, Part::Permits),
        ),
    ] {
        let (report, _) = place.run(&["--layers"], &[probe], walls, line)?;
        // What the second sandbox shows is the far directory only.
        let far = |trial: &&TrialReport| trial.variant == "far";
        for trial in all(&report, probe, Verdict::Held)?.into_iter().filter(far) {
            let layers = trial.layers.ok_or("no layers")?;
            let fits = layers.stopped_by == expected && (layers.server, layers.envelope) == parts;
            check(fits, (trial, &report.notes))?;
        }
    }
    let (report, _) = place.run(&["--layers"], &[probe], &whole, &flawed)?;
    let held = all(&report, probe, Verdict::Held)?;
    let by = |by: StoppedBy| {
        let of = |trial: &&&TrialReport| trial.layers.is_some_and(|it| it.stopped_by == by);
        held.iter().filter(of).count()
    };
    // The flaw is in one of the ways to read.
    check(by(StoppedBy::Envelope) > 0, &held)?;
    check(by(StoppedBy::Server) + by(StoppedBy::Unknown) == 0, &held)
}

fn no_layers(place: &Place) -> Result<(), Failed> {
    let output = place
        .command(&["run", "--layers", "--", "server", "{allowed}"])
        .output()?;
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    check(
        output.status.code() == Some(2) && said.contains("--wrapper"),
        said,
    )
}

fn refused(place: &Place) -> Result<(), Failed> {
    let server = place.server().display().to_string();
    let flawed = format!(
        "{server} reference --flaw fs.no-check --flaw fs.write-no-check --flaw fs.list-unchecked"
    );
    // What is not mounted, and what is mounted to be read only.
    let absent = format!("{WALLS} --unshare-all --ro-bind {server} {server}");
    let read_only = "bwrap --unshare-user --ro-bind / / --bind {allowed} {allowed}";
    for (probe, walls, root, layer, errno) in [
        (
            "fs.read.outside-abs",
            &*absent,
            "/work",
            Layer::Mounts,
            "ENOENT",
        ),
        (
            "fs.write.outside-abs",
            read_only,
            "{allowed}",
            Layer::ReadOnlyMount,
            "EROFS",
        ),
    ] {
        let line = format!("{flawed} {root}");
        let (report, _) = place.run(&["--witness", "syscalls"], &[probe], walls, &line)?;
        let held = all(&report, probe, Verdict::Held)?;
        let refused: Vec<_> = held
            .iter()
            .filter_map(|trial| Some((trial, trial.attempted.as_ref()?)))
            .filter(|(_, attempted)| attempted.how == How::Refused)
            .collect();
        check(!refused.is_empty(), &held)?;
        for (trial, attempted) in refused {
            let told = attempted.layer == Some(layer) && attempted.errno.as_deref() == Some(errno);
            let layers = trial.layers.ok_or("no layers")?;
            let by = (layers.stopped_by, layers.server, layers.envelope);
            let fits = by == (StoppedBy::Envelope, Part::Permits, Part::Stops);
            check(told && fits && trial.basis == Basis::Envelope, trial)?;
        }
        let mut witnesses = report.testbed.witnesses.iter();
        let awake = witnesses.any(|it| it.name == "syscall-witness" && it.awake);
        check(awake, &report.testbed.witnesses)?;
    }
    Ok(())
}
