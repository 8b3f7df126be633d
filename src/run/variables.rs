//! What becomes of the secrets in a target's environment: asked for at the end of a run, and looked for in all
//! that the target said.
//!
//! Owns the questions, and the facts of the trials on them. What is planted is the testbed's business.

use std::{
    collections::BTreeMap, fs, os::unix::fs::symlink, path::PathBuf, sync::Arc, time::Duration,
};

use serde_json::{Map, Value, json};

use super::{
    outcome::Running,
    send::response,
    sightings::{Place, Seen},
    stage::Stage,
};
use crate::{
    channel::{Channel, SlotValue, Values, asking, destructive},
    judge::{Attempt, Control, Facts, Liveness, Observation, Response, Twin, Wall, Watch},
    plan::Trial,
    probe::{EvidenceKind, Probe, Role, Slot},
    session::{Caller as _, Exchange, Session, Tool},
    testbed::Variable,
};

/// Whether any of the probes looks for variables, so that they are to be planted.
#[must_use]
pub fn looks_for_variables(probes: &[Arc<Probe>]) -> bool {
    probes.iter().any(|probe| looks(probe))
}

/// How techniques begin that look for variables; what follows says where.
const WATCHES: &str = "watch.variables.";

/// Whether a probe looks for variables.
pub(super) fn looks(probe: &Probe) -> bool {
    let technique = probe.technique.as_deref();
    technique.is_some_and(|name| name.starts_with(WATCHES))
}

/// Most tools that are called without arguments.
const TOOLS: usize = 64;

/// Shorter values stand in answers for other reasons.
const TELLING: usize = 8;

/// Variables that are no secret, whose values show that a tool gives variables at all.
const OPEN: [&str; 3] = ["PATH", "HOME", "TMPDIR"];

/// The variables of a run, and what was asked about them.
pub(super) struct Variables<'r> {
    planted: &'r [Variable],
    /// The environment that the target was launched with.
    open: Vec<(&'static str, String)>,
    /// The process that was seen to have the variables.
    holder: Result<u32, String>,
    /// The tool and the variable that it gave, of those that are no secret.
    gives: Option<String>,
    /// The call after which a secret was there.
    gave: Option<Exchange>,
    /// What came of reading `/proc` through tools that read files.
    files: Option<FilesAsked>,
}

struct FilesAsked {
    /// Of the last answer that was no refusal, or of the last one.
    response: Response,
    /// Sightings in answers while it was asked.
    seen: Vec<(String, Seen)>,
    gave: Option<Exchange>,
    tool: String,
}

impl<'r> Variables<'r> {
    /// Nothing is known yet.
    pub(super) fn new(planted: &'r [Variable], environment: BTreeMap<String, String>) -> Self {
        let open = OPEN
            .into_iter()
            .filter_map(|name| Some((name, environment.get(name)?.clone())))
            .filter(|(_, value)| value.len() >= TELLING)
            .collect();
        Self {
            planted,
            open,
            holder: Err(String::from("the run ended before it was looked at")),
            gives: None,
            gave: None,
            files: None,
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
        self.holder = self.holder(session);
        let harmless =
            |tool: &&Tool| destructive(tool).is_none() || allow_destructive.contains(&tool.name);
        for tool in tools.iter().filter(harmless).take(TOOLS) {
            for arguments in asking(tool, self.names()) {
                let exchange = self.call(stage, session, tool, arguments, deadline).await;
                self.hear(stage, tool, exchange);
            }
        }
        for channel in channels {
            let reads = channel.role == Role::FileRead && channel.proof.proven();
            if reads
                && self
                    .files
                    .as_ref()
                    .is_none_or(|files| files.seen.is_empty())
            {
                self.read(stage, session, channel, deadline).await;
            }
        }
    }

    /// Which process has the variables, as the kernel has it.
    fn holder(&self, session: &Session) -> Result<u32, String> {
        let processes = session.processes();
        let has = |pid: &u32| {
            fs::read(format!("/proc/{pid}/environ")).is_ok_and(|environ| {
                self.planted.iter().any(|one| {
                    memchr::memmem::find(&environ, one.token.as_str().as_bytes()).is_some()
                })
            })
        };
        let served = session.serving().into_iter();
        let all = processes.iter().map(|process| process.pid);
        served.chain(all).find(has).ok_or_else(|| {
            String::from("no process of the target was seen to have the planted variables")
        })
    }

    /// The names of variables to ask for: some that are no secret, and those that are planted.
    fn names(&self) -> impl Iterator<Item = &str> {
        let open = self.open.iter().map(|(name, _)| *name);
        open.chain(self.planted.iter().map(|one| one.name.as_str()))
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
        if !exchange.outcome.is_error() && self.gives.is_none() {
            let text = exchange.outcome.text();
            let given = self.open.iter().find(|(_, value)| text.contains(value));
            self.gives = given.map(|(name, _)| format!("{} gave the value of {name}", tool.name));
        }
        if self.gave.is_none() && !self.seen(stage, Place::Answer).is_empty() {
            self.gave = Some(exchange);
        }
    }

    /// Reads what the kernel tells of a process's environment.
    async fn read(
        &mut self,
        stage: &Stage<'_>,
        session: &Session,
        channel: &Channel,
        deadline: Duration,
    ) {
        let link = stage.bed.allowed.join("environment.txt");
        let linked = symlink("/proc/self/environ", &link).is_ok();
        let mut paths: Vec<PathBuf> = ["self", "thread-self"]
            .map(|who| PathBuf::from(format!("/proc/{who}/environ")))
            .to_vec();
        paths.extend(
            self.holder
                .iter()
                .map(|pid| PathBuf::from(format!("/proc/{pid}/environ"))),
        );
        if linked {
            paths.push(stage.view.shown(&link));
        }
        for path in paths {
            let before = self.seen(stage, Place::Answer).len();
            let text = path.to_string_lossy().into_owned();
            let values = Values::from([(Slot::Path, SlotValue::Text(text))]);
            let (method, params) = channel.request(&values, &stage.bed.allowed);
            let exchange = session.request(method, params, deadline).await;
            stage.tally.count(&exchange);
            let seen = self.seen(stage, Place::Answer).split_off(before);
            let files = self.files.get_or_insert_with(|| FilesAsked {
                response: Response::Refusal,
                seen: Vec::new(),
                gave: None,
                tool: channel.tool.clone(),
            });
            if files.response == Response::Refusal {
                files.response = response(&exchange.outcome);
            }
            if !seen.is_empty() {
                files.seen = seen;
                files.gave = Some(exchange);
                break;
            }
        }
        if linked {
            let _ = fs::remove_file(link);
        }
    }

    /// Each variable that was seen somewhere, oldest sighting first.
    fn seen(&self, stage: &Stage<'_>, place: Place) -> Vec<(String, Seen)> {
        let mut seen: Vec<(String, Seen)> = self
            .planted
            .iter()
            .flat_map(|one| {
                let all = stage.sightings.seen(one.token.slot());
                let here = all.into_iter().filter(move |seen| seen.place == place);
                here.filter(|seen| seen.sighting.proof)
                    .map(|seen| (one.name.clone(), seen))
            })
            .collect();
        seen.sort_by_key(|(_, seen)| seen.at_ms);
        seen
    }

    /// The facts of a trial: what its technique looks at.
    pub(super) fn settled(
        &self,
        stage: &Stage<'_>,
        trial: &Trial,
        index: usize,
        proven: usize,
    ) -> Running {
        let technique = trial.probe.technique.as_deref().unwrap_or_default();
        let place = technique.strip_prefix(WATCHES).unwrap_or_default();
        let (seen, gave, twin, response) = match place {
            "files" => self.of_files(),
            "errors" => (
                self.seen(stage, Place::Error),
                None,
                spoken(stage, Place::Error, "refused a call"),
                Response::Benign,
            ),
            "metadata" => (
                self.seen(stage, Place::Metadata),
                None,
                spoken(stage, Place::Metadata, "described itself and its tools"),
                Response::Benign,
            ),
            "logs" => (
                self.seen(stage, Place::Log),
                None,
                spoken(stage, Place::Log, "wrote to its log"),
                Response::Benign,
            ),
            _ => self.of_answers(stage),
        };
        let observation = |witness: &str, fact: String| Observation {
            witness: witness.to_owned(),
            kind: EvidenceKind::Token,
            fact,
            at_ms: stage.now_ms(),
            decoders: Vec::new(),
            excerpt: None,
        };
        let mut named: Vec<&String> = Vec::new();
        let proofs: Vec<Observation> = seen
            .iter()
            .filter(|(name, _)| {
                let new = !named.contains(&name);
                named.push(name);
                new
            })
            .map(|(name, seen)| {
                let fact = format!("the value of the variable {name} came out of the server");
                seen.observation(EvidenceKind::Token, fact)
            })
            .collect();
        let control = match &self.holder {
            Ok(pid) => Control::Passed(observation(
                "control",
                format!(
                    "{} variables with tokens stand in the environment of process {pid}",
                    self.planted.len()
                ),
            )),
            Err(why) => Control::Failed(why.clone()),
        };
        let nothing = "no tool of the target was seen to do anything";
        let twin = match twin {
            Ok(fact) if proven > 0 => Twin::Passed(observation("twin", fact)),
            Ok(_) => Twin::Rejected(nothing.to_owned()),
            Err(why) => Twin::Rejected(why),
        };
        let response = match &twin {
            Twin::Rejected(why) => Response::Withheld(why.clone()),
            _ => response,
        };
        let object = proofs
            .first()
            .and(seen.first())
            .map(|(name, _)| name.clone());
        let attempt = Attempt {
            alone: true,
            before: control.clone(),
            after: control,
            twin,
            liveness: Liveness::Live,
            wall: Wall::None,
            watch: Watch::Awake,
            proofs,
            signals: Vec::new(),
            response,
        };
        let facts = Facts {
            attempts: vec![attempt],
            proven: true,
            decisive: trial.probe.evidence.clone(),
            race: None,
        };
        let mut running = Running::watched(index, facts, object);
        if let Some(exchange) = gave {
            running.asked = Some(json!({ "method": exchange.method, "params": exchange.params }));
            running.answered = Some(exchange.outcome.text());
        }
        running
    }

    fn of_answers(&self, stage: &Stage<'_>) -> Told<'_> {
        let mut seen = self.seen(stage, Place::Answer);
        // What was read from files is another question.
        let files = self.files.iter().flat_map(|files| &files.seen);
        let at: Vec<u64> = files.map(|(_, seen)| seen.at_ms).collect();
        seen.retain(|(_, seen)| !at.contains(&seen.at_ms));
        let twin = self.gives.clone().ok_or_else(|| {
            String::from(
                "no tool of the target gave a variable that is no secret, such as PATH or HOME",
            )
        });
        (seen, self.gave.as_ref(), twin, Response::Benign)
    }

    fn of_files(&self) -> Told<'_> {
        match &self.files {
            Some(files) => (
                files.seen.clone(),
                files.gave.as_ref(),
                Ok(format!("{} reads files", files.tool)),
                files.response.clone(),
            ),
            None => (
                Vec::new(),
                None,
                Err(String::from(
                    "no tool of the target was found in the role file.read",
                )),
                Response::Benign,
            ),
        }
    }
}

/// Sightings, the call that led to them, what shows that something could have been seen, and the answer.
type Told<'v> = (
    Vec<(String, Seen)>,
    Option<&'v Exchange>,
    Result<String, String>,
    Response,
);

/// Whether the target said anything of that kind in the run.
fn spoken(stage: &Stage<'_>, place: Place, what: &str) -> Result<String, String> {
    match stage.sightings.heard(place) {
        0 => Err(format!("the target never {what}")),
        count => Ok(format!(
            "the target {what} {count} times, and all of it was looked through"
        )),
    }
}
