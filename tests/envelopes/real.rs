//! Sandboxes and servers that nobody here wrote: a pinned file server in bubblewrap, runc with a root of busybox,
//! and `@anthropic-ai/sandbox-runtime` with its list of domains around a server that runs commands.
//!
//! Owns their configurations, whole and with one hole, and what must come of each.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use libtest_mimic::{Completion, Failed, Trial};
use serde_json::{Value, json};
use watertight::judge::{Basis, Verdict};

use super::{NOBODY, OUTSIDE, Place, Test, WALLS, all, check, possible, trials};
use crate::servers::{Installed, install, on_ci};

/// A test of a sandbox that may not be on this machine.
fn trial(name: &str, user: Option<u32>, programs: &'static [&'static str], test: Test) -> Trial {
    Trial::ignorable_test(format!("real::{name}"), move || {
        let place = Place::new(user)?;
        let missing = programs.iter().find_map(|program| {
            let found = Command::new(program).arg("--help").output();
            found
                .err()
                .map(|error| format!("no {program} here: {error}"))
        });
        match missing.or(possible(&place)?) {
            Some(why) if on_ci() => Err(why.into()),
            Some(why) => Ok(Completion::ignored_with(why)),
            None => test(&place).map(|()| Completion::Completed),
        }
    })
}

pub(super) fn all_trials(root: bool) -> Vec<Trial> {
    // Whoever runs the tests is the user where it is not root.
    let user = root.then_some(NOBODY);
    let mut trials = vec![
        trial(
            "a_file_server_in_bubblewrap",
            user,
            &["bwrap", "node", "npm"],
            files,
        ),
        trial("runc_without_root", user, &["runc", "busybox"], runc),
        trial(
            "a_list_of_domains",
            user,
            &["bwrap", "node", "npm", "socat", "rg"],
            domains,
        ),
    ];
    if root {
        trials.push(trial("runc_as_root", None, &["runc", "busybox"], runc));
    }
    trials
}

/// A pinned server, where any user can read it.
fn pinned(place: &Place, name: &str) -> Result<(Installed, PathBuf), Failed> {
    let server = install(name).map_err(|missing| Failed::from(missing.to_string()))?;
    let home = place.path().join(name);
    copy(&server.home, &home)?;
    Ok((server, home))
}

fn copy(from: &Path, to: &Path) -> Result<(), Failed> {
    let copied = Command::new("cp").arg("-r").args([from, to]).status()?;
    check(copied.success(), from)
}

/// The script of a pinned server in its copy.
fn script(server: &Installed, home: &Path) -> String {
    let script = Path::new(&server.args[0]);
    let own = script.strip_prefix(&server.home).unwrap_or(script);
    home.join(own).display().to_string()
}

fn files(place: &Place) -> Result<(), Failed> {
    let (server, home) = pinned(place, "filesystem-newest")?;
    let walls = format!("{WALLS} --unshare-all --ro-bind {0} {0}", home.display());
    let line = format!("node {} /work", script(&server, &home));
    let (report, exit) = place.run(&[], &OUTSIDE, &walls, &line)?;
    check(exit == 0, exit)?;
    for probe in OUTSIDE {
        for trial in all(&report, probe, Verdict::Held)? {
            check(trial.basis == Basis::Envelope, trial)?;
        }
    }
    Ok(())
}

/// What `runc spec` writes, less what an unprivileged user may not have, and with one directory to write.
fn bundle(place: &Place, more: &[Value]) -> Result<PathBuf, Failed> {
    let bundle = place.path().join("bundle");
    let root = bundle.join("rootfs");
    for directory in ["bin", "proc", "dev", "tmp", "usr", "work", "else"] {
        fs::create_dir_all(root.join(directory))?;
    }
    for (name, target) in [("lib", "usr/lib"), ("lib64", "usr/lib64")] {
        let link = root.join(name);
        let _there_from_before = fs::remove_file(&link);
        std::os::unix::fs::symlink(target, link)?;
    }
    let busybox = which("busybox")?;
    fs::copy(busybox, root.join("bin/busybox"))?;
    fs::write(root.join("server"), "")?;
    let bind = |from: &Path, to: &str, how: &str| json!({ "destination": to, "type": "bind", "source": from, "options": ["rbind", how] });
    let mut mounts = vec![
        json!({ "destination": "/proc", "type": "proc", "source": "proc" }),
        json!({ "destination": "/dev", "type": "tmpfs", "source": "tmpfs", "options": ["nosuid", "mode=755"] }),
        json!({ "destination": "/tmp", "type": "tmpfs", "source": "tmpfs", "options": ["nosuid", "nodev"] }),
        bind(Path::new("/usr"), "/usr", "ro"),
        bind(&place.server(), "/server", "ro"),
        bind(Path::new("@allowed@"), "/work", "rw"),
    ];
    mounts.extend_from_slice(more);
    let mut namespaces = vec!["pid", "ipc", "uts", "mount", "network"];
    let mut linux = json!({ "maskedPaths": ["/proc/kcore"], "readonlyPaths": ["/proc/sys"] });
    if let Some(id) = place
        .user()
        .or_else(|| (!rustix::process::geteuid().is_root()).then(own))
    {
        namespaces.push("user");
        let own = json!([{ "containerID": 0, "hostID": id, "size": 1 }]);
        linux["uidMappings"] = own.clone();
        linux["gidMappings"] = own;
    }
    linux["namespaces"] = namespaces
        .iter()
        .map(|kind| json!({ "type": kind }))
        .collect();
    let config = json!({
        "ociVersion": "1.0.2",
        "process": {
            "terminal": false,
            "user": { "uid": 0, "gid": 0 },
            "args": ["/bin/busybox", "sh", "-c", "exec /server stub /work"],
            "env": ["PATH=/usr/bin:/bin"],
            "cwd": "/",
            "noNewPrivileges": true,
            "capabilities": { "bounding": [], "effective": [], "permitted": [] },
        },
        "root": { "path": "rootfs", "readonly": true },
        "hostname": "sandbox",
        "mounts": mounts,
        "linux": linux,
    });
    fs::write(bundle.join("template.json"), config.to_string())?;
    let run = bundle.join("run.sh");
    // The directories of a run are known when it starts.
    fs::write(
        &run,
        "cd \"${0%/*}\" || exit\n\
         sed -e \"s|@allowed@|$1|\" -e \"s|@outside@|$2|\" template.json > config.json || exit\n\
         exec runc --root \"$PWD/state\" run -b \"$PWD\" \"watertight-$$\"\n",
    )?;
    place.give(&bundle)?;
    Ok(run)
}

fn own() -> u32 {
    rustix::process::geteuid().as_raw()
}

fn which(program: &str) -> Result<PathBuf, Failed> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut found = std::env::split_paths(&path).map(|directory| directory.join(program));
    Ok(found.find(|path| path.is_file()).ok_or(program)?)
}

fn runc(place: &Place) -> Result<(), Failed> {
    // Inside of a namespace whose control groups are not root's own, runc refuses to start as root.
    let testbed = match place.user() {
        None if rustix::process::geteuid().is_root() => "host",
        _ => "namespace",
    };
    let run = |run: &Path| {
        let words = format!("sh {} {{allowed}} {{outside}}", run.display());
        place.launch(testbed, &[], &OUTSIDE, &words)
    };
    let (report, exit) = run(&bundle(place, &[])?)?;
    check(exit == 0, exit)?;
    for probe in OUTSIDE {
        for trial in all(&report, probe, Verdict::Held)? {
            check(trial.basis == Basis::Envelope, trial)?;
        }
    }
    // One directory too many.
    let hole = json!({
        "destination": "/else", "type": "bind", "source": "@outside@", "options": ["rbind"]
    });
    let (report, exit) = run(&bundle(place, &[hole])?)?;
    check(exit == 1, exit)?;
    let out = trials(&report, "fs.read.outside-abs", Verdict::Breached);
    check(out.iter().any(|trial| trial.basis == Basis::Token), &out)
}

fn domains(place: &Place) -> Result<(), Failed> {
    const PROBE: &str = "net.egress.via-exec";
    /// The address that the harness takes where the policy allows nothing but a name.
    const DENIED: &str = "10.0.0.5";
    let (sandbox, sandbox_home) = pinned(place, "sandbox-runtime")?;
    let (server, server_home) = pinned(place, "commands")?;
    let settings = place.path().join("settings.json");
    let policy = place.path().join("policy.toml");
    fs::write(
        &policy,
        "[server.network]\nallowed_hosts = [\"allowed.example.org\"]\n",
    )?;
    let policy = policy.display().to_string();
    let line = format!(
        "node {} --settings {} -- node {}",
        script(&sandbox, &sandbox_home),
        settings.display(),
        script(&server, &server_home),
    );
    let run = |domains: &[&str]| {
        let text = json!({
            "network": { "allowedDomains": domains, "deniedDomains": [] },
            "filesystem": { "denyRead": [], "allowWrite": ["/tmp"], "denyWrite": [] },
        });
        fs::write(&settings, text.to_string())?;
        place.launch("namespace", &["--policy", &policy], &[PROBE], &line)
    };
    let (report, exit) = run(&["allowed.example.org"])?;
    check(exit == 0, exit)?;
    for trial in all(&report, PROBE, Verdict::Held)? {
        check(trial.basis == Basis::Envelope, trial)?;
    }
    let (report, exit) = run(&["allowed.example.org", DENIED])?;
    check(exit == 1, exit)?;
    let out = trials(&report, PROBE, Verdict::Breached);
    check(
        out.iter().any(|trial| trial.basis == Basis::Connection),
        &out,
    )
}
