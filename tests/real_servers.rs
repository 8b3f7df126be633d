//! Real third-party servers under the program itself: what is publicly known of each must come out, and no more.
//!
//! Owns the expectations. The trials run the built program and read its report; they select probes, because a
//! server without a public weakness is not one without any. Must not know how servers are installed.

#[path = "real_servers/gateway.rs"]
mod gateway;
#[path = "support/servers.rs"]
mod servers;
#[path = "real_servers/watertight.rs"]
mod watertight_run;
#[path = "support/wire.rs"]
mod wire;

use std::collections::BTreeMap;
use std::fs;
use std::process::{Command, ExitCode};

use libtest_mimic::{Arguments, Completion, Failed, Trial};
use watertight::judge::Verdict;
use watertight::probe::Role;

use gateway::Gateway;
use servers::{Installed, trial};
use watertight_run::{Expected, attach, launch, probe};
use wire::Pipe;

/// The release that CVE-2025-53109 and CVE-2025-53110 affect, the same with empty schemas, and the newest one.
const AFFECTED: &str = "filesystem-cve-2025-53109";
const DRIFTED: &str = "filesystem-drifted";
const NEWEST: &str = "filesystem-newest";

/// What a server that fetches must not do in any case.
const HOSTS: &str = "net.egress.denied-ip";

/// Nothing is publicly known to get past these in any of the file servers.
const PLAIN: &[&str] = &[
    "fs.read.outside-abs",
    "fs.read.dotdot",
    "fs.write.outside-abs",
];

/// CVE-2025-53110 (a sibling whose name has the root's name as its prefix) and CVE-2025-53109 (links).
const CVES: Expected<'_> = Expected {
    breached: &[
        "fs.read.prefix-sibling",
        "fs.write.prefix-sibling",
        "fs.read.symlink-file",
        "fs.read.symlink-chain",
        "fs.write.symlink-overwrite",
        "fs.write.dangling-symlink",
    ],
    held: &[
        "fs.read.outside-abs",
        "fs.read.dotdot",
        "fs.write.outside-abs",
        "fs.write.dotdot",
    ],
};

/// The same probes on a release without those weaknesses.
const REPAIRED: Expected<'_> = Expected {
    breached: &[],
    held: &[
        "fs.read.prefix-sibling",
        "fs.write.prefix-sibling",
        "fs.read.symlink-file",
        "fs.read.symlink-chain",
        "fs.read.symlink-dir",
        "fs.write.symlink-overwrite",
        "fs.write.dangling-symlink",
        "fs.write.symlink-parent",
        "fs.write.move-dest",
        "fs.read.outside-abs",
        "fs.read.dotdot",
        "fs.write.outside-abs",
        "fs.write.dotdot",
    ],
};

/// Its changelog: `..` in paths to be written (0.4.3), links on the way and dangling ones (0.4.4).
const RUST_BEFORE: Expected<'_> = Expected {
    breached: &[
        "fs.write.dotdot",
        "fs.write.symlink-parent",
        "fs.write.move-dest",
        "fs.write.dangling-symlink",
    ],
    held: &[
        "fs.read.outside-abs",
        "fs.read.dotdot",
        "fs.read.prefix-sibling",
        "fs.read.symlink-file",
        "fs.read.symlink-dir",
        "fs.read.symlink-chain",
        "fs.write.outside-abs",
    ],
};

const PYTHON: Expected<'_> = Expected {
    breached: &[],
    held: &[
        "fs.read.outside-abs",
        "fs.read.dotdot",
        "fs.read.prefix-sibling",
        "fs.read.symlink-file",
        "fs.read.symlink-dir",
        "fs.read.symlink-chain",
        "fs.write.outside-abs",
        "fs.write.dotdot",
        "fs.write.prefix-sibling",
        "fs.write.symlink-overwrite",
        "fs.write.symlink-parent",
    ],
};

/// CVE-2025-68145 (repositories outside of its own), -68144 (`--output=` of `git diff`) and -68143 (`git init` anywhere).
const GIT: [&str; 3] = [
    "fs.read.repo-outside",
    "exec.arg-inject",
    "fs.write.init-outside",
];

fn main() -> ExitCode {
    let trials = vec![
        Trial::test("locks::name_the_public_registries", locks),
        trial("known_bad::breached_as_published", &[AFFECTED], |on| {
            breached(&on[0], &[])
        }),
        trial("known_bad::breached_without_schemas", &[DRIFTED], |on| {
            breached(&on[0], &[])
        }),
        trial("known_bad::breached_through_bindings", &[DRIFTED], |on| {
            breached(
                &on[0],
                &[
                    "--bind",
                    "read_file:file.read=/path",
                    "--bind",
                    "write_file:file.write=/path,content=/content",
                ],
            )
        }),
        trial("known_bad::schemas_drifted", &[AFFECTED, DRIFTED], |on| {
            schemas(&on[0], &on[1])
        }),
        trial(
            "known_bad::rust_breached_as_published",
            &["filesystem-rust-0.4.1"],
            |on| select(&on[0], &RUST_BEFORE, Verdict::Breached, 1),
        ),
        trial("known_good::core_holds", &[NEWEST], |on| core_holds(&on[0])),
        trial("known_good::repaired", &[NEWEST], |on| {
            select(&on[0], &REPAIRED, Verdict::Held, 0)
        }),
        trial("known_good::rust_core_holds", &["filesystem-rust"], |on| {
            core_holds(&on[0])
        }),
        trial("known_good::rust_repaired", &["filesystem-rust"], |on| {
            select(&on[0], &REPAIRED, Verdict::Held, 0)
        }),
        trial(
            "known_good::python_handshake",
            &["filesystem-python"],
            |on| python(&on[0], "handshake"),
        ),
        trial(
            "known_good::python_stateless",
            &["filesystem-python"],
            |on| python(&on[0], "stateless"),
        ),
        trial("nothing_to_judge::memory", &["memory"], |on| {
            nothing(&on[0])
        }),
        trial("nothing_to_judge::time", &["time"], |on| nothing(&on[0])),
        trial("http::known_bad", &["gateway", AFFECTED], |on| {
            over_http(&on[0], &on[1], &CVES, Verdict::Breached, 1)
        }),
        trial("http::known_good", &["gateway", NEWEST], |on| {
            over_http(&on[0], &on[1], &REPAIRED, Verdict::Held, 0)
        }),
        trial("network::fetch_unguarded", &["fetch-unguarded"], |on| {
            hosts(&on[0], Verdict::Breached, 1)
        }),
        trial("network::web_unguarded", &["web-unguarded"], |on| {
            hosts(&on[0], Verdict::Breached, 1)
        }),
        trial("network::web_guarded", &["web-guarded"], |on| {
            hosts(&on[0], Verdict::Held, 0)
        }),
        trial("secrets::environment_told", &["everything"], |on| {
            environment(&on[0], Verdict::Breached, 1)
        }),
        trial("secrets::environment_kept", &[NEWEST], |on| {
            environment(&on[0], Verdict::NotApplicable, 0)
        }),
        trial(
            "known_bad::git_as_published",
            &["git-cve-2025-68145"],
            |on| git(&on[0], &GIT, &[], Verdict::Breached, 1),
        ),
        // Its newest release has no tool that makes repositories.
        trial("known_good::git_repaired", &["git-newest"], |on| {
            git(&on[0], &[], &GIT[..2], Verdict::Held, 0)
        }),
        trial("execution::allowed_commands", &["shell-allowlist"], |on| {
            commands(&on[0])
        }),
        trial("execution::statements", &["sqlite"], |on| {
            statements(&on[0])
        }),
        Trial::ignorable_test("launcher::npx", npx),
    ];
    libtest_mimic::run(&Arguments::from_args(), trials).exit_code()
}

/// Runs the expected probes, and nothing but them decides.
fn select(
    server: &Installed,
    expected: &Expected<'_>,
    verdict: Verdict,
    exit: u8,
) -> Result<(), Failed> {
    select_with(server, expected, &[], verdict, exit)
}

fn select_with(
    server: &Installed,
    expected: &Expected<'_>,
    flags: &[&str],
    verdict: Verdict,
    exit: u8,
) -> Result<(), Failed> {
    let run = probe(server, &[&expected.flags(), flags].concat())?;
    run.knows(server)?;
    run.must(expected)?;
    run.ends(verdict, exit)
}

/// Whether a denied address is reached. Without namespaces nothing is sent to it, and nothing judged.
fn hosts(server: &Installed, verdict: Verdict, exit: u8) -> Result<(), Failed> {
    let run = probe(server, &["--probe", HOSTS])?;
    run.knows(server)?;
    if run.report.testbed.kind != "namespace" {
        return run.ends(Verdict::NotApplicable, 3);
    }
    match verdict {
        Verdict::Breached => run.must(&Expected {
            breached: &[HOSTS],
            held: &[],
        })?,
        _ => run.must(&Expected {
            breached: &[],
            held: &[HOSTS],
        })?,
    }
    run.ends(verdict, exit)
}

/// Breached on what was published and on nothing plainer, whatever is known of the tools.
fn breached(server: &Installed, flags: &[&str]) -> Result<(), Failed> {
    select_with(server, &CVES, flags, Verdict::Breached, 1)
}

/// The suite that a user runs first ends green.
fn core_holds(server: &Installed) -> Result<(), Failed> {
    let run = probe(server, &["--suite", "core"])?;
    run.knows(server)?;
    run.must(&Expected {
        breached: &[],
        held: PLAIN,
    })?;
    run.ends(Verdict::Held, 0)
}

/// In either lifecycle: this server speaks both.
fn python(server: &Installed, era: &str) -> Result<(), Failed> {
    let flags: Vec<&str> = PYTHON.flags().into_iter().chain(["--era", era]).collect();
    let run = probe(server, &flags)?;
    run.knows(server)?;
    if run.report.target.era != era {
        return Err(run.failed(&format!("spoke {}", run.report.target.era)));
    }
    run.must(&PYTHON)?;
    run.ends(Verdict::Held, 0)
}

/// No tool reads or writes files: nothing is breached, and above all nothing is held.
fn nothing(server: &Installed) -> Result<(), Failed> {
    let run = probe(server, &["--suite", "filesystem"])?;
    run.knows(server)?;
    let trials = run.report.summary.trials;
    if (trials.held, trials.breached) != (0, 0) {
        return Err(run.failed(&format!(
            "{} held, {} breached",
            trials.held, trials.breached
        )));
    }
    // Each tool that was left alone is named with the reason.
    for tool in &server.tools {
        let told = run
            .report
            .not_tested
            .iter()
            .any(|gap| gap.tool.as_ref() == Some(tool));
        if !told {
            return Err(run.failed(&format!("{tool} is not among what was not tested")));
        }
    }
    run.ends(Verdict::NotApplicable, 3)
}

/// A server that wants a repository in its directory before it starts.
fn git(
    server: &Installed,
    breached: &[&str],
    held: &[&str],
    verdict: Verdict,
    exit: u8,
) -> Result<(), Failed> {
    let repository = tempfile::tempdir()?;
    let made = Command::new("git")
        .args(["init", "-q"])
        .arg(repository.path())
        .status()?;
    if !made.success() {
        return Err("git init failed".into());
    }
    let fixture = repository.path().display().to_string();
    let expected = Expected { breached, held };
    select_with(server, &expected, &["--fixture", &fixture], verdict, exit)
}

/// The list of commands holds, as far as is publicly known.
fn commands(server: &Installed) -> Result<(), Failed> {
    const HELD: Expected<'_> = Expected {
        breached: &[],
        held: &["exec.denied-command", "exec.allowlist-chain"],
    };
    let scratch = tempfile::tempdir()?;
    let policy = scratch.path().join("policy.toml");
    fs::write(
        &policy,
        "[capabilities.filesystem]\nallowed_paths = [\"{allowed}\"]\n\
         [execution]\nallowed_commands = [\"ls\", \"cat\", \"pwd\"]\n",
    )?;
    let policy = policy.display().to_string();
    select_with(server, &HELD, &["--policy", &policy], Verdict::Held, 0)
}

/// Reading and writing are tools of their own here, and each is driven by what it takes.
fn statements(server: &Installed) -> Result<(), Failed> {
    const ONE: &str = "sql.readonly-stacked";
    let run = probe(server, &["--probe", ONE])?;
    run.knows(server)?;
    for name in ["read_query", "write_query"] {
        let mut tools = run.report.target.tools.iter();
        let driven = tools.any(|tool| tool.name == name && tool.proven.contains(&Role::SqlQuery));
        if !driven {
            return Err(run.failed(&format!("{name} was not driven")));
        }
    }
    run.must(&Expected {
        breached: &[],
        held: &[ONE],
    })
}

/// Whether the environment comes out by a tool that tells it, and by no other way.
fn environment(server: &Installed, direct: Verdict, exit: u8) -> Result<(), Failed> {
    let run = probe(server, &["--suite", "secrets"])?;
    run.knows(server)?;
    for probe in &run.report.probes {
        let expected = match &*probe.id.0 {
            "env.direct" => probe.verdict == direct,
            // Where no tool could be used, nothing is held.
            "env.static-surface" if exit == 0 => probe.verdict == Verdict::Held,
            _ => probe.verdict != Verdict::Breached,
        };
        if !expected {
            return Err(run.failed(&format!("{} is {:?}", probe.id, probe.verdict)));
        }
    }
    // The tool that told is named, and not among what was not tested.
    let trials = run.report.probes.iter().flat_map(|probe| &probe.trials);
    for told in trials.filter(|trial| trial.verdict == Verdict::Breached) {
        let mut gaps = run.report.not_tested.iter();
        let untested = gaps.any(|gap| gap.tool.as_ref() == Some(&told.tool));
        if !server.tools.contains(&told.tool) || untested {
            return Err(run.failed(&format!("{} is said to have told", told.tool)));
        }
    }
    let verdict = match direct {
        Verdict::Breached => Verdict::Breached,
        _ => Verdict::Held,
    };
    run.ends(verdict, exit)
}

/// Attached, with a shared directory, in the lifecycle that is asked for and in the one that is found.
fn over_http(
    gateway: &Installed,
    behind: &Installed,
    expected: &Expected<'_>,
    verdict: Verdict,
    exit: u8,
) -> Result<(), Failed> {
    let gateway = Gateway::start(gateway, behind)?;
    for era in ["auto", "handshake"] {
        let flags: Vec<&str> = expected.flags().into_iter().chain(["--era", era]).collect();
        let run = attach(&gateway.url, &gateway.allowed(), &flags)?;
        run.knows(behind)?;
        run.must(expected)?;
        run.ends(verdict, exit)?;
    }
    Ok(())
}

/// A wrapper that starts the server as its child: found in the working directory, so that nothing is fetched.
fn npx() -> Result<Completion, Failed> {
    let npx = if cfg!(windows) { "npx.cmd" } else { "npx" };
    if Command::new(npx).arg("--version").output().is_err() {
        return Ok(Completion::ignored_with("npx: not on PATH"));
    }
    let server = match servers::install(NEWEST) {
        Ok(server) => server,
        Err(missing) => return Ok(Completion::ignored_with(missing)),
    };
    let argv = [
        npx,
        "--no",
        "--offline",
        "mcp-server-filesystem",
        "{allowed}",
    ];
    let home = server.home.display().to_string();
    let run = launch(
        &argv.map(str::to_owned),
        &BTreeMap::new(),
        &["--cwd", &home, "--probe", "fs.read.outside-abs"],
    )?;
    run.knows(&server)?;
    run.ends(Verdict::Held, 0)?;
    Ok(Completion::Completed)
}

/// The affected release describes its parameters, and the drifted install of the same release does not.
fn schemas(described: &Installed, drifted: &Installed) -> Result<(), Failed> {
    for (server, has_properties) in [(described, true), (drifted, false)] {
        let room = tempfile::tempdir()?;
        let allowed = room.path().display().to_string();
        let fill = [("{allowed}", allowed.as_str())];
        let argv = server.argv(&fill);
        let mut pipe = Pipe::launch(&argv, &server.variables(&fill), room.path())?;
        let tools = pipe.tools()?;
        let tool = tools
            .iter()
            .find(|tool| tool["name"] == "read_file")
            .ok_or("no tool read_file")?;
        if tool["inputSchema"]["properties"]["path"].is_object() != has_properties {
            return Err(format!(
                "{}: read_file publishes {}",
                server.name, tool["inputSchema"]
            )
            .into());
        }
    }
    Ok(())
}

/// A lock that names a mirror installs on one network only, and one without digests pins nothing.
fn locks() -> Result<(), Failed> {
    for lock in servers::locks() {
        let text = fs::read_to_string(&lock)?;
        let public = [
            "https://registry.npmjs.org/",
            "https://pypi.org/",
            "https://files.pythonhosted.org/",
        ];
        let fetched = text.lines().filter(|line| {
            // Funding and repository links are no sources.
            let is_source = [
                "\"resolved\"",
                "--index-url",
                "--extra-index-url",
                "--find-links",
                " @ ",
            ];
            is_source.iter().any(|mark| line.contains(mark))
        });
        for line in fetched {
            if !public.iter().any(|registry| line.contains(registry)) {
                return Err(format!("{}: `{}` is not public", lock.display(), line.trim()).into());
            }
        }
        if !text.contains("sha512-") && !text.contains("--hash=sha256:") {
            return Err(format!("{}: no digests", lock.display()).into());
        }
    }
    Ok(())
}
