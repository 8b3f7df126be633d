//! What becomes of the secrets in a target's environment: asked for at the end of a run, and looked for in all
//! that the target said.
//!
//! Owns the questions. What is planted is the testbed's business, and what sightings come to that of `facts`.

mod facts;
mod planted;

use std::{fs, os::unix::fs::symlink, sync::Arc, time::Duration};

use serde_json::{Map, Value, json};

pub(super) use planted::Planted;

use super::{
    send::response,
    sightings::{Place, Seen},
    stage::{Ask, Stage},
};
use crate::{
    channel::{Channel, SlotValue, Values, asking, destructive},
    judge::Response,
    probe::{Claim, EvidenceKind, Probe, Role, Slot, Variant},
    session::{Caller as _, Endpoint, Exchange, Session, Tool},
};

/// Whether any of the probes looks for variables, so that they are to be planted.
#[must_use]
pub fn looks_for_variables(probes: &[Arc<Probe>]) -> bool {
    probes.iter().any(|probe| probe.claim == Claim::Variables)
}

/// How techniques begin that look for variables; what follows says where.
const WATCHES: &str = "watch.variables.";

/// Whether a probe looks for variables.
pub(super) fn looks(probe: &Probe) -> bool {
    let technique = probe.technique.as_deref();
    technique.is_some_and(|name| name.starts_with(WATCHES))
}

/// Whether a probe looks at what commands are given that a target starts.
pub(super) fn looks_at_commands(probe: &Probe) -> bool {
    probe.technique.as_deref() == Some("watch.variables.children")
}

/// Most text parameters that are given a word, so that a command starts.
const PARAMETERS: usize = 32;

/// Gives text parameters a plain word each, in case that a command is started with it: what that one is given then
/// stands among the sightings. Those of which it is known already are not asked again.
async fn start_commands(
    stage: &Stage<'_>,
    session: &Session,
    channels: &[Arc<Channel>],
    deadline: Duration,
) {
    let plain = Variant::default();
    let texts = channels
        .iter()
        .filter(|channel| channel.role == Role::ParamText)
        .take(PARAMETERS);
    for channel in texts {
        let ask = Ask {
            plants: Vec::new(),
            variant: &plain,
            channel,
            behind: None,
            claim: Claim::Execution,
            evidence: &[EvidenceKind::Execution],
            technique: None,
            reaches: None,
            deadline,
            host: None,
            named: None,
        };
        let word = stage.mint.token();
        // What could not be planted or asked starts nothing, which says nothing.
        let _ = stage.text_twin(session, &ask, word.as_str()).await;
    }
}

/// Most tools that are called without arguments.
const TOOLS: usize = 64;

/// Most processes whose environment is read through a tool.
const PROCESSES: usize = 8;

/// Shorter values stand in answers for other reasons.
const TELLING: usize = 8;

/// Variables that are no secret, whose values show that a tool gives variables at all.
const OPEN: [&str; 3] = ["PATH", "HOME", "TMPDIR"];

/// What may stand between a variable and its value.
const SEPARATORS: [char; 8] = ['=', ':', ' ', '"', '\'', '\\', '>', '`'];

/// The variables of a run, and what was asked about them.
pub(super) struct Variables<'r> {
    planted: &'r Planted<'r>,
    /// The environment that the target was launched with.
    open: Vec<(&'static str, String)>,
    /// The tool and the variable that it gave, of those that are no secret.
    gives: Option<String>,
    /// The call after which a secret was there.
    gave: Option<Exchange>,
    /// Why a call was not answered, where one was not.
    lost: Option<Response>,
    /// What was in answers before anything was read or run for it; nothing as long as nothing was asked.
    told: Option<Vec<(String, Seen)>>,
    /// What came of reading `/proc` through tools that read files.
    files: Option<Round>,
    /// What came of commands and code that show the environment.
    commands: Option<Round>,
}

/// What came of calls through channels of one kind.
struct Round {
    /// The worst: no answer, before one that is no refusal, before refusals.
    response: Response,
    /// That an environment came out, where one did.
    open: Option<String>,
    seen: Vec<(String, Seen)>,
    gave: Option<Exchange>,
    tool: String,
}

impl<'r> Variables<'r> {
    /// Nothing is known yet but what the target is launched with.
    pub(super) fn new(planted: &'r Planted<'r>, endpoint: &Endpoint) -> Self {
        let value = |name| match endpoint {
            Endpoint::Stdio(launch) => launch.env.get(name).cloned(),
            Endpoint::Http(_) | Endpoint::Inside(_) => None,
        };
        let open = OPEN
            .into_iter()
            .filter_map(|name| Some((name, value(name)?)))
            .filter(|(_, value)| value.len() >= TELLING)
            .collect();
        Self {
            planted,
            open,
            gives: None,
            gave: None,
            lost: None,
            told: None,
            files: None,
            commands: None,
        }
    }

    /// Asks the tools that may give variables, and reads `/proc` through those that read files.
    pub(super) async fn ask(
        &mut self,
        stage: &Stage<'_>,
        session: &Session,
        (tools, channels, allow_destructive): (&[Tool], &[Arc<Channel>], &[String]),
        deadline: Duration,
    ) {
        self.provoke(stage, session, deadline).await;
        start_commands(stage, session, channels, deadline).await;
        let harmless =
            |tool: &&Tool| destructive(tool).is_none() || allow_destructive.contains(&tool.name);
        for tool in tools.iter().filter(harmless).take(TOOLS) {
            for arguments in asking(tool, self.names()) {
                let exchange = self.call(stage, session, tool, arguments, deadline).await;
                self.hear(stage, tool, exchange);
            }
        }
        self.told = Some(self.seen(stage, Place::Answer));
        let link = stage.bed.allowed.join("environment.txt");
        let linked = symlink("/proc/self/environ", &link).is_ok();
        let mut paths: Vec<String> = ["self", "thread-self"]
            .map(|who| format!("/proc/{who}/environ"))
            .to_vec();
        // Its launchers may have more than it has. All of them are the target's.
        let processes = session.processes();
        let pids = processes.iter().map(|process| process.pid).take(PROCESSES);
        paths.extend(pids.map(|pid| format!("/proc/{pid}/environ")));
        if linked {
            paths.push(stage.view.shown(&link).to_string_lossy().into_owned());
        }
        let say = (session, deadline);
        for channel in channels.iter().filter(|channel| channel.proof.proven()) {
            match channel.role {
                Role::FileRead => {
                    let round = self.files.take();
                    self.files = self
                        .through(stage, say, channel, (Slot::Path, &paths), round)
                        .await;
                }
                Role::ExecCommand | Role::ExecCode => {
                    let sentences = sentences(channel);
                    let round = self.commands.take();
                    let asked = (Slot::Text, &*sentences);
                    self.commands = self.through(stage, say, channel, asked, round).await;
                }
                _ => {}
            }
        }
        if linked {
            let _ = fs::remove_file(link);
        }
    }

    /// Has the target log all it has to say, and refuse a call.
    async fn provoke(&self, stage: &Stage<'_>, session: &Session, deadline: Duration) {
        let logs = session.info().capabilities.get("logging").is_some();
        let level = logs.then(|| ("logging/setLevel", json!({ "level": "debug" })));
        let unknown = (
            "tools/call",
            json!({ "name": "watertight", "arguments": {} }),
        );
        for (method, params) in level.into_iter().chain([unknown]) {
            let exchange = session.request(method, params, deadline).await;
            stage.tally.count(&exchange);
        }
    }

    /// The names of variables to ask for: some that are no secret, and those that are planted.
    fn names(&self) -> impl Iterator<Item = &str> {
        let open = self.open.iter().map(|(name, _)| *name);
        open.chain(self.planted.all.iter().map(|one| one.name.as_str()))
    }

    async fn call(
        &self,
        stage: &Stage<'_>,
        session: &Session,
        tool: &Tool,
        arguments: Map<String, Value>,
        deadline: Duration,
    ) -> Exchange {
        let exchange = session.call(&tool.name, arguments, deadline).await;
        stage.tally.count(&exchange);
        exchange
    }

    fn hear(&mut self, stage: &Stage<'_>, tool: &Tool, exchange: Exchange) {
        if self.gives.is_none() {
            self.gives = self.open_in(&tool.name, &exchange);
        }
        if !exchange.outcome.answered() && self.lost.is_none() {
            self.lost = Some(response(&exchange.outcome));
        }
        if self.gave.is_none() && !self.in_answer(stage, &exchange).is_empty() {
            self.gave = Some(exchange);
        }
    }

    /// Fills the slot of a channel with each text, until one of the answers holds a secret.
    async fn through(
        &self,
        stage: &Stage<'_>,
        (session, deadline): (&Session, Duration),
        channel: &Channel,
        (slot, texts): (Slot, &[String]),
        round: Option<Round>,
    ) -> Option<Round> {
        let mut round = round.unwrap_or(Round {
            response: Response::Refusal,
            open: None,
            seen: Vec::new(),
            gave: None,
            tool: channel.tool.clone(),
        });
        for text in texts {
            if !round.seen.is_empty() {
                break;
            }
            let values = Values::from([(slot, SlotValue::Text(text.clone()))]);
            let (method, params) = channel.request(&values, &stage.bed.allowed);
            let exchange = session.request(method, params, deadline).await;
            stage.tally.count(&exchange);
            let answer = response(&exchange.outcome);
            if rank(&answer) > rank(&round.response) {
                round.response = answer;
            }
            if round.open.is_none() && shows_environment(&exchange.outcome.text()) {
                round.open = Some(format!("{} showed an environment", channel.tool));
            }
            round.seen = self.in_answer(stage, &exchange);
            if !round.seen.is_empty() {
                round.gave = Some(exchange);
            }
        }
        Some(round)
    }

    /// Which variable that is no secret a tool gave in an answer, in words.
    fn open_in(&self, tool: &str, exchange: &Exchange) -> Option<String> {
        if exchange.outcome.is_error() {
            return None;
        }
        let text = exchange.outcome.text();
        let mut open = self.open.iter();
        let (name, _) = open.find(|(name, value)| gives(&text, name, value))?;
        Some(format!("{tool} gave the value of {name}"))
    }

    /// The variables in one answer.
    fn in_answer(&self, stage: &Stage<'_>, exchange: &Exchange) -> Vec<(String, Seen)> {
        let text = exchange.outcome.text();
        let found = stage.sightings.detector().scan(text.as_bytes());
        let proofs = found.into_iter().filter(|sighting| sighting.proof);
        proofs
            .filter_map(|sighting| {
                let name = self.planted.of(sighting.slot)?.name.clone();
                let seen = Seen {
                    sighting,
                    witness: "reply",
                    place: Place::Answer,
                    at_ms: stage.now_ms(),
                };
                Some((name, seen))
            })
            .collect()
    }
}

/// Commands, or code, that show the environment, in the words of a channel.
fn sentences(channel: &Channel) -> Vec<String> {
    let sentences: &[&str] = match channel.role {
        Role::ExecCommand => &["printenv", "env", "cat /proc/self/environ", "sh -c env"],
        _ if channel.speaks("python") => &[
            "import os\nprint(dict(os.environ))",
            "print(open('/proc/self/environ').read())",
        ],
        _ if channel.speaks("javascript") => &[
            "console.log(process.env)",
            "process.env",
            "return process.env",
            "console.log(require('fs').readFileSync('/proc/self/environ', 'utf8'))",
        ],
        _ if channel.speaks("shell") => &["env"],
        _ => &[],
    };
    sentences.iter().map(|text| String::from(*text)).collect()
}

/// How bad an answer is for whoever wants to say that something was withheld.
fn rank(response: &Response) -> u8 {
    match response {
        Response::Refusal => 0,
        Response::Benign => 1,
        _ => 2,
    }
}

/// Whether a text shows an environment, be it that of a child with a `PATH` of its own.
fn shows_environment(text: &str) -> bool {
    text.match_indices("PATH").any(|(at, _)| {
        let before = text[..at].chars().next_back();
        let begins = before.is_none_or(|before| !before.is_alphanumeric() && before != '_');
        begins
            && text[at + "PATH".len()..]
                .trim_start_matches(SEPARATORS)
                .starts_with('/')
    })
}

/// Whether a text gives a variable: it is the value, or names it and goes on with all of its value. A path below
/// the home says nothing of `HOME`.
fn gives(text: &str, name: &str, value: &str) -> bool {
    if text.trim() == value {
        return true;
    }
    let ends = |rest: &str| {
        let next = rest.chars().next();
        next.is_none_or(|next| next.is_whitespace() || "\"'`,;\\\0".contains(next))
    };
    text.match_indices(name).any(|(at, _)| {
        let behind = text[at + name.len()..].trim_start_matches(SEPARATORS);
        behind.strip_prefix(value).is_some_and(ends)
    })
}

#[cfg(test)]
mod tests {
    use super::{gives, shows_environment};

    #[test]
    fn an_environment_is_known_by_its_path() {
        for shown in [
            "LANG=C\nPATH=/bin",
            "PATH=/usr/bin:/bin\0",
            "{'PATH': '/bin'}",
            "  PATH: '/bin',",
        ] {
            assert!(shows_environment(shown), "{shown}");
        }
        for other in [
            "PYTHONPATH=/lib",
            "cat: /proc/self/environ: Permission denied",
            "set PATH first",
        ] {
            assert!(!shows_environment(other), "{other}");
        }
    }

    #[test]
    fn only_the_whole_value_is_given() {
        let told = |text: &str| gives(text, "HOME", "/bed/home");
        assert!(told("/bed/home\n"));
        assert!(told("LANG=C\nHOME=/bed/home\nPATH=/bin"));
        assert!(told(r#"{ "HOME": "/bed/home", "PATH": "/bin" }"#));
        assert!(told("LANG=C\0HOME=/bed/home\0"));
        assert!(!told("config: /bed/home/.config/server.toml"));
        assert!(!told("HOME=/bed/home/other"));
        assert!(!told("the home is /bed/home"));
    }
}
