//! Real postures: as root, as a user of its own, in a sandbox. What is seen of each differs exactly as
//! the launchers differ.
//!
//! Owns the launchers and what must be seen behind them. They need root, `setpriv` and bubblewrap; without, the tests are
//! ignored and say so, and with `CI=true` they fail.

#[path = "support/program.rs"]
mod program;

use std::{
    collections::BTreeMap,
    error::Error,
    fs,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    process::{Command, ExitCode, Output},
};

use libtest_mimic::{Arguments, Completion, Failed, Trial};
use serde_json::Value;
use tempfile::TempDir;

const PROGRAM: &str = env!("CARGO_BIN_EXE_watertight");

/// A user who is nobody, to whom nothing on the machine belongs.
const USER: u32 = 4242;

type Result<T = ()> = std::result::Result<T, Box<dyn Error>>;

type Test = fn(&Place) -> Result;

const TESTS: [(&str, Test); 10] = [
    ("as_root_everything_is_open", as_root),
    ("inside_our_own_namespaces_the_same_is_seen", in_the_bottle),
    ("as_a_user_of_its_own", as_a_user),
    ("in_a_sandbox", in_a_sandbox),
    ("root_of_a_user_namespace_is_told_apart", mapped),
    ("doors_that_a_wrapper_leaves_are_seen", open_doors),
    ("closed_doors_are_told_from_open_ones", closed_doors),
    (
        "a_set_user_id_program_is_found_where_it_counts",
        set_user_id,
    ),
    ("a_daemon_is_seen_and_ended", daemon),
    ("what_cannot_be_read_is_not_judged", hidden),
];

fn main() -> ExitCode {
    let trials = TESTS.map(|(name, test)| {
        Trial::ignorable_test(name, move || {
            if let Some(why) = missing() {
                if std::env::var_os("CI").is_some() {
                    return Err(format!("CI must have it: {why}").into());
                }
                return Ok(Completion::ignored_with(why));
            }
            let place = Place::new().map_err(|error| Failed::from(error.to_string()))?;
            test(&place).map_err(|error| Failed::from(error.to_string()))?;
            Ok(Completion::Completed)
        })
    });
    libtest_mimic::run(&Arguments::from_args(), trials.into()).exit_code()
}

/// What this machine lacks.
fn missing() -> Option<String> {
    if !rustix::process::geteuid().is_root() {
        return Some(String::from("only root can start servers as other users"));
    }
    ["setpriv", "bwrap", "bash", "prlimit", "unshare"]
        .into_iter()
        .find(|tool| {
            let found = Command::new(tool).arg("--version").output();
            !found.is_ok_and(|output| output.status.success())
        })
        .map(|tool| format!("there is no {tool} here"))
}

/// A directory with the program, an installation that belongs to the user, and a policy.
struct Place {
    directory: TempDir,
}

impl Place {
    fn new() -> Result<Self> {
        let place = Self {
            directory: tempfile::Builder::new().tempdir_in("/var/tmp")?,
        };
        fs::set_permissions(place.path(""), fs::Permissions::from_mode(0o755))?;
        program::install(&place.path("watertight"), fs::read(PROGRAM)?);
        let install = place.path("install");
        fs::create_dir(&install)?;
        fs::write(install.join("server.js"), "// code\n")?;
        for path in [&install, &install.join("server.js")] {
            std::os::unix::fs::chown(path, Some(USER), Some(USER))?;
        }
        let policy = format!(
            r#"
[credentials]
variables = ["DATABASE_URL"]

[process]
user = "{USER}"
no_root = true
no_capabilities = true
no_new_privileges = true
seccomp = true
security_module = true
own_namespaces = ["mount", "pid", "network", "ipc", "uts"]
read_only_root = true
no_inherited_descriptors = true
read_only_paths = ["{}"]

[process.limits]
open_files = 64
"#,
            install.display()
        );
        fs::write(place.path("policy.toml"), policy)?;
        Ok(place)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn server(&self) -> Vec<String> {
        let program = self.path("watertight").display().to_string();
        [&program, "reference", "{allowed}"]
            .map(str::to_owned)
            .to_vec()
    }

    fn command(&self, flags: &[&str], launcher: &[&str], server: &[String]) -> Command {
        let mut command = Command::new(self.path("watertight"));
        command
            .args(["run", "--suite", "process", "--probe", "env.excess"])
            .args(["--probe", "env.argv", "--policy"])
            .arg(self.path("policy.toml"))
            .arg("--report")
            .arg(format!("json={}", self.path("report.json").display()))
            .args(flags)
            .arg("--")
            .args(launcher)
            .args(server)
            .current_dir(self.path(""));
        command
    }

    /// Runs the process suite on the reference server behind a launcher.
    fn run(&self, flags: &[&str], launcher: &[&str]) -> Result<Seen> {
        let output = self.command(flags, launcher, &self.server()).output()?;
        Seen::of(&self.path("report.json"), &output)
    }
}

/// What a run saw: verdicts and reasons by trial.
struct Seen {
    trials: BTreeMap<String, (String, String)>,
    report: Value,
}

impl Seen {
    fn of(path: &Path, output: &Output) -> Result<Self> {
        let text = fs::read_to_string(path).map_err(|error| {
            format!(
                "no report ({error}): {}",
                String::from_utf8_lossy(&output.stderr)
            )
        })?;
        let report: Value = serde_json::from_str(&text)?;
        let word = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let trials = report["probes"].as_array().into_iter().flatten();
        let trials = trials
            .flat_map(|probe| probe["trials"].as_array().into_iter().flatten())
            .map(|trial| {
                (
                    word(&trial["id"]),
                    (word(&trial["verdict"]), word(&trial["reason"])),
                )
            })
            .collect();
        Ok(Self { trials, report })
    }

    fn verdict(&self, id: &str) -> &str {
        self.trials
            .get(id)
            .map_or("missing", |(verdict, _)| verdict)
    }

    fn reason(&self, id: &str) -> &str {
        self.trials.get(id).map_or("missing", |(_, reason)| reason)
    }

    /// Every row must be as expected.
    fn assert(&self, column: usize) -> Result {
        let wrong: Vec<String> = TABLE
            .iter()
            .map(|(id, verdicts)| (id, verdicts[column]))
            .filter(|(id, expected)| self.verdict(id) != *expected)
            .map(|(id, expected)| {
                let found = self.verdict(id);
                format!(
                    "{id}: {expected} expected, {found} found ({})",
                    self.reason(id)
                )
            })
            .collect();
        if wrong.is_empty() {
            Ok(())
        } else {
            Err(wrong.join("\n").into())
        }
    }

    /// The sentence on the process that serves.
    fn server(&self) -> &str {
        let notes = self.report["notes"].as_array().into_iter().flatten();
        notes
            .filter_map(Value::as_str)
            .find(|note| note.starts_with("seen from outside: server"))
            .unwrap_or("none")
    }
}

const HELD: &str = "held";
const BREACHED: &str = "breached";
/// Nothing stands between the server and its launcher that could keep anything back; or it is root, who gains nothing.
const ABSENT: &str = "not-applicable";

/// What must be seen as root, as a user of its own, and in a sandbox.
const TABLE: &[(&str, [&str; 3])] = &[
    ("proc.nonroot/user", [BREACHED, HELD, HELD]),
    ("proc.nonroot/group", [BREACHED, HELD, HELD]),
    ("proc.dedicated-user/named", [BREACHED, HELD, HELD]),
    (
        "proc.dedicated-user/not-the-launcher",
        [BREACHED, HELD, HELD],
    ),
    ("proc.dedicated-user/no-shell", [BREACHED, HELD, HELD]),
    ("proc.dedicated-user/no-power", [BREACHED, HELD, HELD]),
    ("proc.capabilities/held", [BREACHED, HELD, HELD]),
    ("proc.capabilities/to-be-gained", [BREACHED, HELD, HELD]),
    ("proc.no-new-privileges/flag", [BREACHED, HELD, HELD]),
    ("proc.setuid/program", [ABSENT, HELD, HELD]),
    ("proc.host-mounts/engine-sockets", [ABSENT, ABSENT, HELD]),
    ("proc.host-mounts/kernel-files", [ABSENT, ABSENT, HELD]),
    ("proc.host-mounts/disks", [ABSENT, ABSENT, HELD]),
    ("proc.host-mounts/root", [ABSENT, ABSENT, ABSENT]),
    ("proc.host-mounts/credentials", [ABSENT, ABSENT, ABSENT]),
    ("proc.namespaces/own", [BREACHED, BREACHED, HELD]),
    ("proc.read-only-root/mount", [BREACHED, BREACHED, HELD]),
    ("proc.install-readonly/tree", [BREACHED, BREACHED, HELD]),
    ("proc.fd-inherit/held", [BREACHED, BREACHED, HELD]),
    ("proc.limits/set", [BREACHED, BREACHED, HELD]),
    ("proc.listeners/open", [HELD, HELD, HELD]),
    ("proc.orphans/input-ended", [HELD, HELD, HELD]),
    ("proc.orphans/terminated", [HELD, HELD, HELD]),
    ("env.excess/inherited", [ABSENT, BREACHED, HELD]),
    ("env.excess/given", [HELD, HELD, HELD]),
    ("env.argv/processes", [HELD, HELD, HELD]),
];

const HOST: &[&str] = &["--testbed", "host"];

fn as_root(place: &Place) -> Result {
    let seen = place.run(HOST, &[])?;
    seen.assert(0)?;
    // What is around the tests themselves cannot be chosen by them.
    let status = fs::read_to_string("/proc/self/status")?;
    let filtered = !status.contains("Seccomp:\t0");
    let expected = if filtered { HELD } else { BREACHED };
    assert_eq!(seen.verdict("proc.system-calls/mode"), expected);
    let label = fs::read_to_string("/proc/self/attr/current").unwrap_or_default();
    let confined = !["", "unconfined", "kernel"].contains(&label.trim_end_matches(['\0', '\n']));
    let expected = if confined { HELD } else { BREACHED };
    assert_eq!(seen.verdict("proc.security-module/label"), expected);
    Ok(())
}

/// The namespaces of a run are not the server's own, nor are the capabilities that they take away.
fn in_the_bottle(place: &Place) -> Result {
    let doctor = Command::new(place.path("watertight"))
        .arg("doctor")
        .output()?;
    if !doctor.status.success() {
        // `tests/bottle.rs` is about machines without namespaces.
        return Ok(());
    }
    place.run(&["--testbed", "namespace"], &[])?.assert(0)
}

const AS_USER: &[&str] = &[
    "setpriv",
    "--reuid=4242",
    "--regid=4242",
    "--clear-groups",
    "--no-new-privs",
    "--bounding-set=-all",
    "--inh-caps=-all",
];

fn as_a_user(place: &Place) -> Result {
    // Without being told: one user is all that there is in namespaces of ours.
    let seen = place.run(&[], AS_USER)?;
    seen.assert(1)?;
    assert!(seen.server().contains("user 4242"), "{}", seen.server());
    let notes = seen.report["notes"].to_string();
    assert!(notes.contains("setpriv turns into another user"), "{notes}");
    Ok(())
}

/// Closes what it was not told to keep, turns into the user, sets a limit, and makes a sandbox with a
/// filter of system calls: three wrappers, of which bubblewrap stays as a process, twice.
const SANDBOX: &str = r#"
filter=$1; shift
for fd in /proc/self/fd/*; do
    n=${fd##*/}
    if [ "$n" -gt 2 ]; then eval "exec $n>&-"; fi
done
exec setpriv --reuid=4242 --regid=4242 --clear-groups \
    prlimit --nofile=64 \
    bwrap --ro-bind / / --dev /dev --proc /proc --unshare-all --die-with-parent --cap-drop ALL \
    --clearenv --seccomp 9 "$@" 9<"$filter"
"#;

fn in_a_sandbox(place: &Place) -> Result {
    let filter = place.path("filter.bpf");
    // One instruction of classic BPF: return SECCOMP_RET_ALLOW.
    fs::write(&filter, [6, 0, 0, 0, 0, 0, 0xff, 0x7f])?;
    let filter = filter.display().to_string();
    let seen = place.run(HOST, &["bash", "-c", SANDBOX, "sandbox", &filter])?;
    seen.assert(2)?;
    assert_eq!(seen.verdict("proc.system-calls/mode"), HELD);
    let (server, notes) = (seen.server(), seen.report["notes"].to_string());
    assert!(server.contains("server watertight"), "{server}");
    assert!(
        server.contains("own namespaces") && server.contains("pid"),
        "{server}"
    );
    assert!(notes.contains("wrapper bwrap"), "{notes}");
    Ok(())
}

/// Root in a user namespace that an ordinary user made is that user; its capabilities reach nothing.
fn mapped(place: &Place) -> Result {
    let launcher = [
        AS_USER[..4].to_vec(),
        vec!["unshare", "--user", "--map-root-user"],
    ]
    .concat();
    let seen = place.run(HOST, &launcher)?;
    assert_eq!(
        seen.verdict("proc.nonroot/user"),
        HELD,
        "{}",
        seen.reason("proc.nonroot/user")
    );
    assert_eq!(seen.verdict("proc.capabilities/held"), "inconclusive");
    let reason = seen.reason("proc.capabilities/held");
    assert!(reason.contains("user namespace of its own"), "{reason}");
    let reason = seen.reason("proc.setuid/program");
    assert_eq!(seen.verdict("proc.setuid/program"), HELD, "{reason}");
    assert!(reason.contains("knows no other user"), "{reason}");
    Ok(())
}

/// A root directory of its own, with programs in it, and where the run is.
const WORLD: &[&str] = &[
    "bwrap",
    "--tmpfs",
    "/",
    "--ro-bind",
    "/usr",
    "/usr",
    "--symlink",
    "usr/bin",
    "/bin",
    "--symlink",
    "usr/lib",
    "/lib",
    "--symlink",
    "usr/lib64",
    "/lib64",
    "--bind",
    "/var/tmp",
    "/var/tmp",
];

/// Doors of the machine, as careless wrappers open them.
fn doors(place: &Place) -> Result<Vec<String>> {
    let (socket, credentials) = (place.path("engine.sock"), place.path(".aws"));
    // The socket stays when its listener goes: whether an engine is at it just now decides nothing.
    drop(std::os::unix::net::UnixListener::bind(&socket)?);
    fs::set_permissions(&socket, fs::Permissions::from_mode(0o660))?;
    fs::create_dir(&credentials)?;
    fs::write(credentials.join("credentials"), "a made-up key\n")?;
    fs::set_permissions(&credentials, fs::Permissions::from_mode(0o700))?;
    let (socket, credentials) = (
        socket.display().to_string(),
        credentials.display().to_string(),
    );
    let flags = [
        "--ro-bind",
        "/",
        "/host",
        "--dev-bind",
        "/dev",
        "/dev",
        "--bind",
        "/proc",
        "/proc",
        "--bind",
        "/sys",
        "/sys",
        "--bind",
        &socket,
        "/run/docker.sock",
        "--bind",
        &credentials,
        "/keys",
    ];
    Ok(WORLD
        .iter()
        .chain(&flags)
        .map(|word| (*word).to_owned())
        .collect())
}

/// A disk of some size, until it is dropped; nothing where the machine makes none.
struct Disk(String);

impl Disk {
    fn new(place: &Place) -> Result<Option<Self>> {
        let image = place.path("disk");
        fs::File::create(&image)?.set_len(1 << 20)?;
        let made = Command::new("losetup")
            .args(["--find", "--show"])
            .arg(&image)
            .output();
        let Some(made) = made.ok().filter(|made| made.status.success()) else {
            return Ok(None);
        };
        let disk = Self(String::from_utf8(made.stdout)?.trim().to_owned());
        Ok(fs::File::open(&disk.0).is_ok().then_some(disk))
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let _ = Command::new("losetup").args(["--detach", &self.0]).status();
    }
}

fn open_doors(place: &Place) -> Result {
    let launcher = doors(place)?;
    let launcher: Vec<&str> = launcher.iter().map(String::as_str).collect();
    let disk = Disk::new(place)?;
    let seen = place.run(HOST, &launcher)?;
    let keys = format!("/keys ({} outside)", place.path(".aws").display());
    for (variant, what) in [
        ("engine-sockets", "/run/docker.sock"),
        ("kernel-files", "/proc/sys/kernel/core_pattern"),
        ("root", "/host (/ outside)"),
        ("credentials", &keys),
    ] {
        let id = format!("proc.host-mounts/{variant}");
        assert_eq!(seen.verdict(&id), BREACHED, "{id}: {}", seen.reason(&id));
        assert!(seen.reason(&id).contains(what), "{}", seen.reason(&id));
    }
    if let Some(disk) = disk {
        let id = "proc.host-mounts/disks";
        assert_eq!(seen.verdict(id), BREACHED, "{}", seen.reason(id));
        assert!(seen.reason(id).contains(&disk.0), "{}", seen.reason(id));
    }
    Ok(())
}

/// The same doors, before a user to whom modes close them; and a world that has none.
fn closed_doors(place: &Place) -> Result {
    let user = &AS_USER[..4];
    let open = doors(place)?;
    let open: Vec<&str> = open.iter().map(String::as_str).collect();
    // Directories of others cannot be mounted by a user, so root makes the world.
    let launcher = [&open[..], &["--", "/usr/bin/setpriv"], &user[1..]].concat();
    let seen = place.run(HOST, &launcher)?;
    for variant in ["engine-sockets", "kernel-files", "disks", "credentials"] {
        let id = format!("proc.host-mounts/{variant}");
        assert_eq!(seen.verdict(&id), HELD, "{id}: {}", seen.reason(&id));
    }
    let reason = seen.reason("proc.host-mounts/engine-sockets");
    assert!(reason.contains("closed to it"), "{reason}");
    assert_eq!(seen.verdict("proc.host-mounts/root"), BREACHED);
    let small = ["--dev", "/dev", "--proc", "/proc", "--unshare-all"];
    let seen = place.run(HOST, &[user, WORLD, &small].concat())?;
    for variant in [
        "engine-sockets",
        "kernel-files",
        "disks",
        "root",
        "credentials",
    ] {
        let id = format!("proc.host-mounts/{variant}");
        assert_eq!(seen.verdict(&id), HELD, "{id}: {}", seen.reason(&id));
    }
    Ok(())
}

/// A root directory without `no_new_privs`, whose mounts say `nosuid` or not.
const ROOT: &str = r#"
options=$1; shift
mount -t tmpfs -o nosuid tmpfs /mnt
mkdir -p /mnt/usr /mnt/var/tmp /mnt/proc
for name in usr var/tmp proc; do
    mount --bind "/$name" "/mnt/$name"
    mount -o "remount,bind,$options" "/mnt/$name"
done
ln -s usr/bin usr/lib usr/lib64 /mnt
exec chroot /mnt setpriv --reuid=4242 --regid=4242 --clear-groups "$@"
"#;

fn set_user_id(place: &Place) -> Result {
    let id = "proc.setuid/program";
    let suid = place.path("become");
    fs::copy("/usr/bin/setpriv", &suid)?;
    fs::set_permissions(&suid, fs::Permissions::from_mode(0o4755))?;
    for (options, verdict, words) in [
        ("suid", BREACHED, "can become root by executing /"),
        ("nosuid", HELD, "files and directories that it sees"),
    ] {
        let launcher = ["unshare", "--mount", "bash", "-c", ROOT, "root", options];
        let seen = place.run(HOST, &launcher)?;
        assert_eq!(seen.verdict(id), verdict, "{options}: {}", seen.reason(id));
        assert!(seen.reason(id).contains(words), "{}", seen.reason(id));
    }
    Ok(())
}

fn daemon(place: &Place) -> Result {
    // It is looked for by its name, which it has only once `setsid` has become it.
    let script = "( setsid sleep 4243 & ); until ps -eo args | grep -q '^sleep 4243'; do :; done; exec \"$@\"";
    let seen = place.run(HOST, &["bash", "-c", script, "daemon"])?;
    for id in ["proc.orphans/input-ended", "proc.orphans/terminated"] {
        assert_eq!(seen.verdict(id), BREACHED, "{}", seen.reason(id));
        assert!(seen.reason(id).contains("sleep"), "{}", seen.reason(id));
    }
    // Whoever left its parent may have been started by the server.
    let notes = seen.report["notes"].to_string();
    assert!(notes.contains("orphan sleep"), "{notes}");
    let left = Command::new("ps").args(["-eo", "args"]).output()?;
    let left = String::from_utf8_lossy(&left.stdout).into_owned();
    assert!(!left.contains("sleep 4243"), "{left}");
    Ok(())
}

/// A run as an ordinary user, of a server that becomes root, where `/proc` hides others.
fn hidden(place: &Place) -> Result {
    let suid = place.path("become");
    fs::copy("/usr/bin/setpriv", &suid)?;
    fs::set_permissions(&suid, fs::Permissions::from_mode(0o4755))?;
    let reports = place.path("reports");
    fs::create_dir(&reports)?;
    std::os::unix::fs::chown(&reports, Some(USER), Some(USER))?;
    let report = reports.join("report.json");
    let script = "mount -t proc -o hidepid=2 proc /proc && exec setpriv --reuid=4242 --regid=4242 --clear-groups \"$@\"";
    let output = Command::new("unshare")
        .args(["--mount", "bash", "-c", script, "hidden"])
        .arg(place.path("watertight"))
        .args(["run", "--suite", "process", "--testbed", "host", "--policy"])
        .arg(place.path("policy.toml"))
        .arg("--report")
        .arg(format!("json={}", report.display()))
        .arg("--")
        .args([
            &suid.display().to_string(),
            "--reuid=0",
            "--regid=0",
            "--clear-groups",
        ])
        .args(place.server())
        .current_dir(&reports)
        .env("HOME", &reports)
        .output()?;
    let seen = Seen::of(&report, &output)?;
    // What a server made as root no ordinary user can remove, and the report says so.
    assert_eq!(seen.report["testbed"]["clean"], false);
    let allowed = seen.report["testbed"]["allowed"].as_str().ok_or("no bed")?;
    fs::remove_dir_all(Path::new(allowed).parent().ok_or("no bed")?)?;
    for id in [
        "proc.nonroot/user",
        "proc.namespaces/own",
        "proc.listeners/open",
    ] {
        assert_eq!(
            seen.verdict(id),
            "inconclusive",
            "{id}: {}",
            seen.reason(id)
        );
        assert!(seen.reason(id).contains("/proc"), "{}", seen.reason(id));
    }
    assert!(
        seen.trials.values().all(|(verdict, _)| verdict != HELD),
        "{:?}",
        seen.trials
    );
    assert_eq!(
        output.status.code(),
        Some(3),
        "{}",
        String::from_utf8_lossy(&output.stdout)
    );
    Ok(())
}
