//! Real third-party servers: each pinned one installs, starts, lists its tools and does what it was pinned for.
//!
//! Owns the trials over `tests/servers/`; ground truth here is spoken over a bare pipe, so that a fault of the
//! harness can never hide a server that changed. Must not know how servers are installed.

#[path = "support/servers.rs"]
mod servers;
#[path = "support/wire.rs"]
mod wire;

use std::fs;
use std::path::Path;
use std::process::ExitCode;

use libtest_mimic::{Arguments, Failed, Trial};
use serde_json::{Value, json};

use servers::{Installed, trial};
use wire::Pipe;

/// The release that CVE-2025-53109 and CVE-2025-53110 affect, and the newest one.
const AFFECTED: &str = "filesystem-cve-2025-53109";
const NEWEST: &str = "filesystem-newest";
const DRIFTED: &str = "filesystem-drifted";

fn main() -> ExitCode {
    let mut trials: Vec<Trial> = servers::names()
        .iter()
        .filter(|&name| name != "gateway")
        .map(|name| trial(&format!("stdio::{name}"), &[name], |on| speaks(&on[0])))
        .collect();
    trials.extend([
        trial("http::gateway", &["gateway", NEWEST], |on| {
            serves_http(&on[0], &on[1])
        }),
        trial("pinned::affected_is_breached", &[AFFECTED], |on| {
            breached(&on[0], true)
        }),
        trial("pinned::drifted_is_breached", &[DRIFTED], |on| {
            breached(&on[0], true)
        }),
        trial("pinned::newest_is_not", &[NEWEST], |on| {
            breached(&on[0], false)
        }),
        Trial::test("locks::name_the_public_registries", locks),
        trial("pinned::schemas_drifted", &[AFFECTED, DRIFTED], |on| {
            schemas(&on[0], &on[1])
        }),
    ]);
    libtest_mimic::run(&Arguments::from_args(), trials).exit_code()
}

/// A directory with an allowed root in it, and beside that a sibling whose name has the root's name as its prefix.
struct Bed {
    root: tempfile::TempDir,
}

const PERMITTED: &str = "permitted lantern orchard";
const FORBIDDEN: &str = "forbidden copper meadow";

impl Bed {
    fn new() -> std::io::Result<Self> {
        let root = tempfile::tempdir()?;
        let bed = Self { root };
        fs::create_dir(bed.at("allowed"))?;
        fs::create_dir(bed.at("allowed-sibling"))?;
        fs::write(bed.at("allowed/note.txt"), PERMITTED)?;
        fs::write(bed.at("allowed-sibling/note.txt"), FORBIDDEN)?;
        Ok(bed)
    }

    fn at(&self, path: &str) -> String {
        self.root.path().join(path).display().to_string()
    }

    fn launch(&self, server: &Installed) -> Result<Pipe, Failed> {
        let allowed = self.at("allowed");
        let fill = [("{allowed}", allowed.as_str())];
        let pipe = Pipe::launch(
            &server.argv(&fill),
            &server.variables(&fill),
            self.root.path(),
        )?;
        Ok(pipe)
    }
}

/// Starts, agrees on a version, lists the tools that were pinned, and reads a permitted file if it is a file server.
fn speaks(server: &Installed) -> Result<(), Failed> {
    let bed = Bed::new()?;
    let mut pipe = bed.launch(server)?;
    let tools = pipe.tools()?;
    let names: Vec<&str> = tools
        .iter()
        .filter_map(|tool| tool["name"].as_str())
        .collect();
    for expected in &server.tools {
        if !names.contains(&expected.as_str()) {
            return Err(format!("{}: no tool {expected} among {names:?}", server.name).into());
        }
    }
    if let Some(read) = &server.read {
        let reply = pipe.call(read, &json!({ "path": bed.at("allowed/note.txt") }))?;
        expect(&reply, PERMITTED, true)?;
    }
    Ok(())
}

/// CVE-2025-53110 and CVE-2025-53109 by hand: a prefix sibling, and a link to a file in it.
#[cfg(unix)]
fn breached(server: &Installed, affected: bool) -> Result<(), Failed> {
    let bed = Bed::new()?;
    std::os::unix::fs::symlink(
        bed.at("allowed-sibling/note.txt"),
        bed.at("allowed/link.txt"),
    )?;
    let mut pipe = bed.launch(server)?;
    let read = server
        .read
        .as_deref()
        .ok_or("the recipe names no reading tool")?;
    for path in ["allowed-sibling/note.txt", "allowed/link.txt"] {
        let reply = pipe.call(read, &json!({ "path": bed.at(path) }))?;
        expect(&reply, FORBIDDEN, affected)?;
    }
    let written = bed.at("allowed-sibling/written.txt");
    pipe.call("write_file", &json!({ "path": written, "content": "x" }))?;
    match Path::new(&written).exists() {
        exists if exists == affected => Ok(()),
        exists => Err(format!("{}: prefix sibling written: {exists}", server.name).into()),
    }
}

#[cfg(not(unix))]
fn breached(_: &Installed, _: bool) -> Result<(), Failed> {
    Err("these weaknesses are reproduced with symbolic links of Unix".into())
}

/// The affected release describes its parameters, and the drifted install of the same release does not.
fn schemas(described: &Installed, drifted: &Installed) -> Result<(), Failed> {
    for (server, has_properties) in [(described, true), (drifted, false)] {
        let tools = Bed::new()?.launch(server)?.tools()?;
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

/// The gateway answers over streamable HTTP with the tools of the server behind it.
fn serves_http(gateway: &Installed, behind: &Installed) -> Result<(), Failed> {
    let bed = Bed::new()?;
    let allowed = bed.at("allowed");
    let command = shell_words::join(behind.argv(&[("{allowed}", &allowed)]));
    let port = wire::free_port()?.to_string();
    let argv = gateway.argv(&[("{command}", &command), ("{port}", &port)]);
    let reply = wire::initialize_over_http(
        &argv,
        bed.root.path(),
        &format!("http://127.0.0.1:{port}/mcp"),
    )?;
    let name: &Value = &reply["result"]["serverInfo"]["name"];
    match name.as_str() {
        Some("secure-filesystem-server") => Ok(()),
        _ => Err(format!("the gateway answered {reply}").into()),
    }
}

fn expect(reply: &Value, text: &str, present: bool) -> Result<(), Failed> {
    match reply.to_string().contains(text) {
        found if found == present => Ok(()),
        true => Err(format!("`{text}` must not be in {reply}").into()),
        false => Err(format!("`{text}` is not in {reply}").into()),
    }
}
