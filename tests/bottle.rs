//! The namespace testbed, driven as a user drives it: what is inside, what is left outside.
//!
//! Owns the look at the machine from within a target. Where namespaces are forbidden the tests are ignored and say
//! so; with `CI=true` they fail.

#[path = "support/program.rs"]
mod program;

use std::{
    error::Error,
    fs,
    os::unix::fs::{MetadataExt as _, PermissionsExt as _},
    path::{Path, PathBuf},
    process::{Command, ExitCode, Output, Stdio},
    time::{Duration, Instant},
};

use libtest_mimic::{Arguments, Completion, Failed, Trial};
use serde_json::Value;
use tempfile::TempDir;

const PROGRAM: &str = env!("CARGO_BIN_EXE_watertight");

/// A user who is nobody, to whom nothing on the machine belongs.
const NOBODY: u32 = 4242;

type Test = fn(&Place) -> Result<(), Box<dyn Error>>;

const TESTS: [(&str, Test); 14] = [
    ("a_report_reaches_the_real_disk", report),
    ("nothing_that_is_written_reaches_the_real_disk", forgets),
    ("all_that_is_written_is_listed", listed),
    ("no_capability_and_no_way_to_the_harness", powerless),
    ("settings_of_the_kernel_cannot_be_written", settings),
    ("real_secrets_are_masked_by_decoys", decoys),
    ("paths_of_a_policy_exist_for_the_target_only", policy),
    ("processes_sockets_and_devices_are_unseen", alone),
    ("the_wall_around_a_real_sandbox_holds_too", nested),
    ("an_interrupt_is_passed_on_once", interrupt),
    ("killed_it_leaves_nothing", killed),
    ("refused_it_stays_on_the_host_and_says_why", refused),
    ("the_doctor_says_what_there_is", doctor),
    ("what_a_target_does_to_its_directories_is_gone", owned),
];

fn main() -> ExitCode {
    let root = rustix::process::geteuid().is_root();
    let mut trials = Vec::new();
    for (name, test) in TESTS {
        trials.push(trial(name.to_owned(), None, test));
        if root {
            let user = Some(NOBODY);
            trials.push(trial(format!("{name}_as_an_ordinary_user"), user, test));
        }
    }
    libtest_mimic::run(&Arguments::from_args(), trials).exit_code()
}

fn trial(name: String, user: Option<u32>, test: Test) -> Trial {
    Trial::ignorable_test(name, move || {
        let place = Place::new(user)?;
        let doctor = place.watertight(&["doctor"]).output()?;
        if !doctor.status.success() {
            let said = String::from_utf8_lossy(&doctor.stdout).into_owned();
            if std::env::var_os("CI").is_some() {
                return Err(format!("CI must allow namespaces:\n{said}").into());
            }
            return Ok(Completion::ignored_with(format!(
                "no namespaces here:\n{said}"
            )));
        }
        test(&place).map_err(|error| Failed::from(error.to_string()))?;
        Ok(Completion::Completed)
    })
}

/// A directory of a user, with the program, a home and a working directory.
struct Place {
    directory: TempDir,
    user: Option<u32>,
}

impl Place {
    fn new(user: Option<u32>) -> Result<Self, Failed> {
        let place = Self {
            directory: tempfile::tempdir()?,
            user,
        };
        program::install(&place.path("watertight"), fs::read(PROGRAM)?);
        for name in ["home", "work"] {
            fs::create_dir(place.path(name))?;
        }
        fs::set_permissions(place.directory.path(), fs::Permissions::from_mode(0o755))?;
        for name in ["", "home", "work"] {
            if let Some(user) = user {
                std::os::unix::fs::chown(place.path(name), Some(user), Some(user))?;
            }
        }
        Ok(place)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// Puts a file there that belongs to the user.
    fn file(&self, name: &str, text: &str) -> Result<PathBuf, Box<dyn Error>> {
        let path = self.path(name);
        let mut made = Vec::new();
        let mut at = path.parent();
        while let Some(directory) = at.filter(|directory| !directory.exists()) {
            made.push(directory.to_owned());
            at = directory.parent();
        }
        path.parent().map_or(Ok(()), fs::create_dir_all)?;
        fs::write(&path, text)?;
        made.push(path.clone());
        for path in &made {
            std::os::unix::fs::chown(path, self.user, self.user)?;
        }
        Ok(path)
    }

    fn command(&self, words: &[&str]) -> Command {
        let mut command = match self.user {
            None => Command::new(words[0]),
            Some(user) => {
                let mut command = Command::new("setpriv");
                command
                    .args([format!("--reuid={user}"), format!("--regid={user}")])
                    .args(["--clear-groups", words[0]]);
                command
            }
        };
        command
            .args(&words[1..])
            .current_dir(self.path("work"))
            .env("HOME", self.path("home"))
            .env(
                "PATH",
                "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
            )
            .env_remove("RUST_BACKTRACE")
            .stdin(Stdio::null());
        command
    }

    fn watertight(&self, words: &[&str]) -> Command {
        let program = self.path("watertight").display().to_string();
        self.command(&[&[program.as_str()], words].concat())
    }

    /// What a script says that is the target, once it has answered the first request. The script is
    /// `sh`; its output comes in the error of a run whose target ends too early, of which the end
    /// is shown, so scripts say little.
    fn inside(&self, flags: &[&str], script: &str) -> Result<String, Box<dyn Error>> {
        let text = format!("( {script}\n) >&2 2>&1\nexit 7\n");
        let server = self.file("work/server", &text)?.display().to_string();
        let words = ["run", "--testbed", "namespace", "--probe", "fs.read.dotdot"];
        let output = self
            .watertight(&[&words[..], flags, &["--", "sh", &server, "{allowed}"]].concat())
            .output()?;
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        let end = "the end of its standard error:";
        match said.split_once(end) {
            Some((_, said)) => Ok(said
                .split("fix: run the command")
                .next()
                .unwrap_or(said)
                .to_owned()),
            None => Err(format!("the target said nothing: {said}").into()),
        }
    }

    /// A run of the reference target, and its report.
    fn run(&self, flags: &[&str]) -> Result<(Output, Option<Value>), Box<dyn Error>> {
        let program = self.path("watertight").display().to_string();
        let words = [
            "run",
            "--probe",
            "fs.read.prefix-sibling",
            "--report",
            "json=out/report.json",
        ];
        let target = ["--", &program, "reference", "{allowed}"];
        let output = self
            .watertight(&[&words[..], flags, &target].concat())
            .output()?;
        let report = fs::read(self.path("work/out/report.json")).ok();
        let report = report
            .map(|bytes| serde_json::from_slice(&bytes))
            .transpose()?;
        Ok((output, report))
    }
}

fn check(holds: bool, what: impl std::fmt::Display) -> Result<(), Box<dyn Error>> {
    if holds {
        Ok(())
    } else {
        Err(what.to_string().into())
    }
}

/// Processes whose command line names a path.
fn processes(of: &Path) -> Vec<String> {
    let of = of.display().to_string();
    fs::read_dir("/proc")
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|entry| fs::read(entry.path().join("cmdline")).ok())
        .map(|line| String::from_utf8_lossy(&line).replace('\0', " "))
        .filter(|line| line.contains(&of))
        .collect()
}

fn report(place: &Place) -> Result<(), Box<dyn Error>> {
    let mounts = fs::read_to_string("/proc/self/mountinfo")?;
    let (output, report) = place.run(&["--testbed", "namespace"])?;
    check(output.status.code() == Some(0), format!("{output:?}"))?;
    let report = report.ok_or("there is no report")?;
    check(report["testbed"]["kind"] == "namespace", &report["testbed"])?;
    check(report["testbed"]["clean"] == true, &report["testbed"])?;
    let owner = fs::metadata(place.path("work/out/report.json"))?.uid();
    check(
        owner == place.user.unwrap_or(0),
        format!("it belongs to {owner}"),
    )?;
    let made: Vec<_> = fs::read_dir(place.path("work"))?
        .flatten()
        .map(|e| e.file_name())
        .collect();
    check(made == ["out"], format!("{made:?}"))?;
    check(!Path::new("/var/tmp/beds").exists(), "a testbed is left")?;
    check(
        mounts == fs::read_to_string("/proc/self/mountinfo")?,
        "a mount is left",
    )?;
    let left = processes(place.directory.path());
    check(left.is_empty(), format!("{left:?} are left"))
}

/// Everything that lies in a directory, with what tells a change.
fn snapshot(directory: &Path) -> Vec<(PathBuf, u64, u32, i64, Vec<u8>)> {
    let mut found: Vec<_> = walkdir::WalkDir::new(directory)
        .into_iter()
        .filter_map(Result::ok)
        .filter_map(|entry| {
            let metadata = entry.metadata().ok()?;
            let content = if metadata.is_file() {
                fs::read(entry.path()).ok()?
            } else {
                Vec::new()
            };
            let path = entry.path().to_owned();
            Some((
                path,
                metadata.ino(),
                metadata.mode(),
                metadata.mtime_nsec(),
                content,
            ))
        })
        .collect();
    found.sort();
    found
}

fn forgets(place: &Place) -> Result<(), Box<dyn Error>> {
    for name in [
        "work/keep",
        "home/keep",
        "home/.profile",
        "home/deep/er/file",
    ] {
        place.file(name, "as it was\n")?;
    }
    place.file("work/server", "")?;
    let home = place.path("home").display().to_string();
    let script = format!(
        "for d in / /etc /usr /usr/bin /var /var/lib /opt /tmp /root /home /srv {home} . ; do \
         echo x > $d/watertight-was-here; done 2>/dev/null; \
         echo x > keep; rm -r {home}/deep; mv {home}/keep {home}/gone; chmod 0 {home}/.profile; \
         ls {home} /tmp/watertight-was-here; cat keep"
    );
    let before = snapshot(&place.path("home"));
    let said = place.inside(&[], &script)?;
    check(
        said.contains("gone") && said.contains("/tmp/watertight-was-here"),
        &said,
    )?;
    check(
        before == snapshot(&place.path("home")),
        "the home has changed",
    )?;
    check(
        fs::read_to_string(place.path("work/keep"))? == "as it was\n",
        "a file has changed",
    )?;
    for directory in [
        "/", "/etc", "/usr", "/usr/bin", "/var", "/var/lib", "/opt", "/tmp", "/root", "/home",
    ] {
        let path = Path::new(directory).join("watertight-was-here");
        check(!path.exists(), format!("{} is there", path.display()))?;
    }
    check(
        !place.path("work/watertight-was-here").exists(),
        "a file is left",
    )
}

fn listed(place: &Place) -> Result<(), Box<dyn Error>> {
    for name in ["home/keep", "home/change", "home/lose", "home/deep/er/file"] {
        place.file(name, "as it was\n")?;
    }
    let home = place.path("home").display().to_string();
    let program = place.path("watertight").display().to_string();
    let text = format!(
        "cd {home}; echo x >> change; rm lose; rm -r deep; mkdir new; echo x > new/file; cat keep > /dev/null; \
         exec {program} reference \"$1\"\n"
    );
    let server = place.file("work/server", &text)?.display().to_string();
    let words = [
        "run",
        "--testbed",
        "namespace",
        "--probe",
        "fs.read.prefix-sibling",
        "--report",
        "json=report.json",
    ];
    let output = place
        .watertight(&[&words[..], &["--", "sh", &server, "{allowed}"]].concat())
        .output()?;
    check(output.status.code() == Some(0), format!("{output:?}"))?;
    let report: Value = serde_json::from_slice(&fs::read(place.path("work/report.json"))?)?;
    let expected = format!(
        "outside of the testbed, and gone with the namespaces: {home}/change changed, {home}/deep removed, \
         {home}/lose removed, {home}/new created, {home}/new/file created"
    );
    let notes = report["notes"].as_array().ok_or("no notes")?;
    check(
        notes.iter().any(|note| *note == expected),
        format!("{notes:?}"),
    )
}

fn powerless(place: &Place) -> Result<(), Box<dyn Error>> {
    let said = place.inside(
        &[],
        "grep -E '^Cap(Inh|Prm|Eff|Bnd|Amb)' /proc/self/status | tr -s '\\t\\n' ' '; id -u",
    )?;
    let words: Vec<&str> = said.split_whitespace().collect();
    let zeros = words
        .iter()
        .filter(|word| **word == "0000000000000000")
        .count();
    check(zeros == 5, &said)?;
    let user = place.user.unwrap_or(0).to_string();
    check(words.last() == Some(&user.as_str()), &said)?;
    for path in [
        "/proc/1/root/etc",
        "/proc/1/cwd/.",
        "/proc/1/environ",
        "/proc/1/mem",
        "/proc/1/fd/3",
        "/proc/1/fd/5",
    ] {
        let said = place.inside(
            &[],
            &format!("ls -d {path}; head -c 1 {path} && echo reached"),
        )?;
        check(
            !said.contains("reached") && said.contains("denied"),
            format!("{path}: {said}"),
        )?;
    }
    for command in [
        "umount /etc",
        "mount -t tmpfs none /mnt",
        "nsenter -t 1 -m true",
    ] {
        let said = place.inside(&[], &format!("{command} && echo reached"))?;
        check(!said.contains("reached"), said)?;
    }
    Ok(())
}

fn settings(place: &Place) -> Result<(), Box<dyn Error>> {
    for path in [
        "/proc/sys/kernel/hostname",
        "/proc/sys/kernel/core_pattern",
        "/proc/sys/vm/swappiness",
        "/proc/sysrq-trigger",
        "/sys/kernel/uevent_helper",
    ] {
        let said = place.inside(&[], &format!("echo 1 > {path} && echo reached; echo end"))?;
        check(
            !said.contains("reached") && said.contains("end"),
            format!("{path}: {said}"),
        )?;
    }
    Ok(())
}

fn decoys(place: &Place) -> Result<(), Box<dyn Error>> {
    let files = [
        ("home/.ssh/id_ed25519", "hunter2\n"),
        ("home/.ssh/other", "hunter2\n"),
        (
            "home/.aws/credentials",
            "[default]\naws_secret_access_key = hunter2\n",
        ),
        (
            "home/.netrc",
            "machine example.com login a password hunter2\n",
        ),
        (
            "home/.npmrc",
            "registry=https://registry.example.com/\n//registry.example.com/:_authToken=hunter2\n",
        ),
        (
            "home/.docker/config.json",
            "{\"auths\":{\"a\":{\"auth\":\"hunter2\"}}}\n",
        ),
        (
            "home/.cargo/credentials.toml",
            "[registry]\ntoken = \"hunter2\"\n",
        ),
        ("work/.env", "PORT=3000\nAPI_KEY=hunter2\n"),
    ];
    for (name, text) in files {
        place.file(name, text)?;
    }
    let paths: Vec<String> = files
        .iter()
        .map(|(name, _)| place.path(name).display().to_string())
        .collect();
    let said = place.inside(
        &[],
        &format!(
            "grep -l hunter2 {0} 2>/dev/null; cat {0} 2>/dev/null | grep -c 'wt[a-z2-7]\\{{34\\}}'",
            paths.join(" ")
        ),
    )?;
    check(said.trim() == "7", said)?;
    let said = place.inside(
        &[],
        "cat .env; cat $1/../../../../../dev/null; grep registry= \"$2\" ",
    )?;
    check(said.contains("PORT=3000"), said)?;
    let said = place.inside(&[], "grep -v ':\\*:\\|:!' /etc/shadow")?;
    check(said.contains("wt") || said.contains("denied"), said)?;
    for (name, text) in files {
        check(
            fs::read_to_string(place.path(name))? == text,
            format!("{name} has changed"),
        )?;
    }
    Ok(())
}

fn policy(place: &Place) -> Result<(), Box<dyn Error>> {
    let guide = fs::read_to_string(
        Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/policies/guide.json"),
    )?;
    place.file("work/guide.json", &guide)?;
    let flags = ["--policy", "guide.json"];
    let said = place.inside(&flags, "echo $1; cat /workspace/project-a/.env /workspace/project-a/secrets/*; ls -d /workspace/project-a/tests")?;
    check(said.contains("/workspace/project-a/src"), &said)?;
    check(said.matches("SECRET=wt").count() == 2, &said)?;
    check(said.contains("/workspace/project-a/tests"), &said)?;
    let (output, report) = place.run(&[&flags[..], &["--testbed", "namespace"]].concat())?;
    check(output.status.code() == Some(0), format!("{output:?}"))?;
    let report = report.ok_or("there is no report")?;
    check(
        report["testbed"]["allowed"] == "/workspace/project-a/src",
        &report["testbed"],
    )?;
    check(
        report["summary"]["trials"]["held"].as_u64() > Some(0),
        &report["summary"],
    )?;
    check(
        !Path::new("/workspace").exists(),
        "the directory is there outside",
    )
}

fn alone(place: &Place) -> Result<(), Box<dyn Error>> {
    let said = place.inside(&[], "ls /proc | grep -c '^[0-9]*$'; ls /run; ls /sys/class/net; ls /dev | wc -l; (: < /dev/tty) 2>/dev/null && echo terminal; ls /dev/sd* /dev/vd* /dev/mem 2>/dev/null; ls /var/run/docker.sock 2>/dev/null")?;
    let words: Vec<&str> = said.split_whitespace().collect();
    let count: u32 = words.first().ok_or("nothing was said")?.parse()?;
    check(count < 10, &said)?;
    check(words.contains(&"lo") && !words.contains(&"eth0"), &said)?;
    check(
        !said.contains("terminal") && !said.contains("/dev/") && !said.contains("sock"),
        said,
    )
}

/// An ordinary user's sandbox can be a target: user namespaces nest.
fn nested(place: &Place) -> Result<(), Box<dyn Error>> {
    let said = place.inside(&[], "unshare -Um sh -c 'umount /proc/sys; umount /sys; echo x > /etc/hostname' 2>&1; unshare -Urpf --mount-proc sh -c 'echo pid $$' 2>&1; echo end")?;
    // User 0 of the machine has a /proc of which parts are locked, so there is no second one.
    let expected = place.user.is_some();
    check(
        said.contains("pid 1") == expected && said.contains("end"),
        said,
    )
}

fn interrupt(place: &Place) -> Result<(), Box<dyn Error>> {
    let server = place
        .file("work/server", "exec sleep 60\n")?
        .display()
        .to_string();
    let mut child = place
        .watertight(&[
            "run",
            "--testbed",
            "namespace",
            "--",
            "sh",
            &server,
            "{allowed}",
        ])
        .stderr(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()?;
    std::thread::sleep(Duration::from_millis(1500));
    let pid = rustix::process::Pid::from_child(&child);
    rustix::process::kill_process(pid, rustix::process::Signal::TERM)?;
    let began = Instant::now();
    let status = child.wait()?;
    let mut said = String::new();
    std::io::Read::read_to_string(&mut child.stderr.take().ok_or("no stderr")?, &mut said)?;
    check(status.code() == Some(3), format!("{status}: {said}"))?;
    check(said.contains("interrupted before the first trial"), &said)?;
    check(
        began.elapsed() < Duration::from_secs(20),
        "it took too long",
    )?;
    let left = processes(place.directory.path());
    check(left.is_empty(), format!("{left:?} are left"))
}

fn killed(place: &Place) -> Result<(), Box<dyn Error>> {
    let server = place
        .file("work/server", "setsid sleep 60 & exec sleep 60\n")?
        .display()
        .to_string();
    let mut child = place
        .watertight(&[
            "run",
            "--testbed",
            "namespace",
            "--",
            "sh",
            &server,
            "{allowed}",
        ])
        .stderr(Stdio::null())
        .stdout(Stdio::null())
        .spawn()?;
    std::thread::sleep(Duration::from_millis(1500));
    check(
        processes(place.directory.path()).len() >= 3,
        "it has not started",
    )?;
    child.kill()?;
    child.wait()?;
    let until = Instant::now() + Duration::from_secs(10);
    loop {
        let left = processes(place.directory.path());
        if left.is_empty() {
            return Ok(());
        }
        check(Instant::now() < until, format!("{left:?} are left"))?;
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn refused(place: &Place) -> Result<(), Box<dyn Error>> {
    let program = place.path("watertight").display().to_string();
    // In a user namespace in which there may be no further one.
    let script = "echo 0 > /proc/sys/user/max_user_namespaces && exec \"$@\"";
    let within = |flags: &[&str]| {
        let run = [
            &[
                "run",
                "--probe",
                "fs.read.prefix-sibling",
                "--report",
                "json=report.json",
            ],
            flags,
        ]
        .concat();
        let target = ["--", &program, "reference", "{allowed}"];
        let words = [
            &["unshare", "-Ur", "sh", "-c", script, "sh", &program],
            &run[..],
            &target,
        ]
        .concat();
        place.command(&words).output()
    };
    let output = within(&[])?;
    check(output.status.code() == Some(0), format!("{output:?}"))?;
    let report: Value = serde_json::from_slice(&fs::read(place.path("work/report.json"))?)?;
    check(report["testbed"]["kind"] == "host", &report["testbed"])?;
    let notes = report["notes"].to_string();
    check(
        notes.contains("the testbed is the host: no namespaces"),
        notes,
    )?;
    let output = within(&["--testbed", "namespace"])?;
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    check(output.status.code() == Some(2), format!("{output:?}"))?;
    check(
        said.contains("no namespace testbed here") && said.contains("fix:"),
        said,
    )?;
    let words = [
        "unshare", "-Ur", "sh", "-c", script, "sh", &program, "doctor",
    ];
    let output = place.command(&words).output()?;
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    check(output.status.code() == Some(3), format!("{output:?}"))?;
    check(
        said.contains("missing  namespaces")
            && said.contains("sudo sysctl -w user.max_user_namespaces=15000"),
        said,
    )
}

fn doctor(place: &Place) -> Result<(), Box<dyn Error>> {
    let output = place.watertight(&["doctor", "--json"]).output()?;
    check(output.status.code() == Some(0), format!("{output:?}"))?;
    let found: Value = serde_json::from_slice(&output.stdout)?;
    check(found["namespace_testbed"] == true, &found)?;
    for check_of in found["checks"]
        .as_array()
        .ok_or("no checks")?
        .iter()
        .take(8)
    {
        check(check_of["state"] == "ok", check_of)?;
    }
    let text = String::from_utf8(place.watertight(&["doctor"]).output()?.stdout)?;
    check(text.lines().all(|line| line.chars().count() <= 80), text)
}

fn owned(place: &Place) -> Result<(), Box<dyn Error>> {
    // A directory of the working directory is replaced by a link to the home, then a report is written through it.
    fs::create_dir(place.path("work/out"))?;
    if let Some(user) = place.user {
        std::os::unix::fs::chown(place.path("work/out"), Some(user), Some(user))?;
    }
    let program = place.path("watertight").display().to_string();
    let home = place.path("home").display().to_string();
    let text = format!("rm -rf out; ln -s {home} out; exec {program} reference \"$1\"\n");
    let server = place.file("work/server", &text)?.display().to_string();
    let words = [
        "run",
        "--testbed",
        "namespace",
        "--probe",
        "fs.read.prefix-sibling",
        "--report",
        "json=out/report.json",
    ];
    let output = place
        .watertight(&[&words[..], &["--", "sh", &server, "{allowed}"]].concat())
        .output()?;
    check(output.status.code() == Some(0), format!("{output:?}"))?;
    check(
        place.path("work/out/report.json").is_file(),
        "the report is not where it was wanted",
    )?;
    check(
        !place.path("home/report.json").exists(),
        "the report is where the target wanted it",
    )
}
