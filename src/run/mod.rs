//! A run: launch, discover, plan, execute, look.
//!
//! Owns all input and output of a run. What it stores are facts; what they mean is the judge's.

mod calls;
mod control;
mod conversation;
mod engine;
mod event;
mod execute;
mod launch;
mod liveness;
mod net;
mod observe;
mod observed;
mod rehearse;
mod send;
mod sightings;
mod stage;
mod values;

use std::{
    sync::{Arc, atomic::AtomicBool},
    time::{Duration, Instant},
};

pub use calls::{Counted, Step};
pub use conversation::Setup;
pub use engine::Outcome;
pub use event::*;
pub use observed::{looks_at_processes, visit};

use crate::{
    canary::{Detector, Mint},
    channel::{Channel, Discovery, Ground, Lock, Net, discover},
    config::Shard,
    plan::{Plan, Terrain, plan},
    policy::{Hosts, Policy},
    probe::{Platform, Probe, Role},
    session::{
        Ending, Endpoint, ListError, Noise, OpenError, Options, ServerInfo, Tool, Transcript,
    },
    testbed::{
        Bed, BedError,
        net::{Glass, Sight},
    },
    witness::{FileWitness, process::Postures},
};
use calls::Tally;
use conversation::Conversation;
use engine::{Engine, Orders};
use net::{Grounds, Wire};
use sightings::Sightings;
use stage::Stage;

/// What a run needs to know. All placeholders are replaced.
pub struct Order<'r> {
    /// The directories.
    pub bed: &'r Bed,
    /// How the target is launched or reached.
    pub endpoint: Endpoint,
    /// How it is spoken to.
    pub options: Options,
    /// Calls to make before probing.
    pub setup: Vec<Setup>,
    /// The contract.
    pub policy: &'r Policy,
    /// The questions.
    pub probes: Vec<Arc<Probe>>,
    /// Channels that the user bound.
    pub given: Vec<Channel>,
    /// Channels of an earlier discovery, to be tried first.
    pub lock: Option<Lock>,
    /// Destructive tools that may be called.
    pub allow_destructive: &'r [String],
    /// Whether the command line names the allowed directory.
    pub allowed_is_argument: bool,
    /// Calls in flight at once.
    pub jobs: usize,
    /// Time that a call may take.
    pub deadline: Duration,
    /// Orders the words of a run.
    pub seed: u64,
    /// The one trial to run, alone.
    pub only: Option<Only<'r>>,
    /// The part of the plan to run; all of it when none.
    pub shard: Option<Shard>,
    /// Set when the run is to end.
    pub stop: &'r AtomicBool,
    /// Hears what happens.
    pub emit: &'r dyn Fn(Event),
    /// Every byte of the conversation.
    pub transcript: Transcript,
    /// The network of the run's own, or why there is none.
    pub glass: Result<&'r Glass, String>,
    /// What was seen of the target's processes before the run; else they are looked at after the trials.
    pub postures: Option<Result<Postures, String>>,
}

/// One trial of a plan.
#[derive(Debug, Clone, Copy)]
pub struct Only<'r> {
    /// Its id.
    pub trial: &'r str,
    /// Whether its scene is set and its request made, but not sent; the scene stays.
    pub rehearsed: bool,
}

/// The plan that a part belongs to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Whole {
    /// Its trials, counted.
    pub planned: usize,
    /// Its [digest](Plan::digest).
    pub digest: String,
}

/// What a run came to.
pub struct Ran {
    /// The plan that this is a part of, if it is one.
    pub whole: Option<Whole>,
    /// Every trial of the plan, or of the part.
    pub outcomes: Vec<Outcome>,
    /// What was found of the target's tools.
    pub discovery: Discovery,
    /// The tools as listed.
    pub tools: Vec<Tool>,
    /// What a reader should know of them.
    pub notes: Vec<String>,
    /// What the target said of itself.
    pub info: ServerInfo,
    /// What it said that is no answer.
    pub noise: Vec<Noise>,
    /// How it ended.
    pub ending: Ending,
    /// How often it was started anew.
    pub restarts: usize,
    /// What was sent by trials and controls.
    pub counted: Counted,
    /// Why the file witness was blind, if it was.
    pub blind: Option<String>,
    /// Whether the witness of the network saw, before and after; nothing when there is no network.
    pub network: Option<Sight>,
    /// What the calls were for, in the order in which they began.
    pub steps: Vec<(Instant, Step)>,
    /// Wall time.
    pub took: Duration,
    /// Whether trials were left out because the run was to end.
    pub interrupted: bool,
}

/// Why there was no run.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// There is no testbed.
    #[error(transparent)]
    Bed(#[from] BedError),
    /// The target did not start, or is no MCP server.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// The target does not list its tools.
    #[error(transparent)]
    List(#[from] ListError),
    /// The plan does not hold the one trial that is wanted.
    #[error(
        "the target has no trial `{trial}` any more{}\nfix: look with `watertight discover` what drives its tools now",
        listed(near)
    )]
    NoTrial {
        /// Its id.
        trial: String,
        /// Trials that look like it.
        near: Vec<String>,
    },
}

fn listed(near: &[String]) -> String {
    match near.is_empty() {
        true => String::new(),
        false => format!("; it has {}", near.join(", ")),
    }
}

/// A target that was opened and whose tools were tried.
pub struct Found {
    conversation: Conversation,
    /// Its tools as listed.
    pub tools: Vec<Tool>,
    /// What drives which role.
    pub discovery: Discovery,
    /// What differs from the lock.
    pub notes: Vec<String>,
}

impl Found {
    /// Opens the target, lists its tools and proves channels.
    ///
    /// # Errors
    /// When the target does not start, is no MCP server, or lists no tools.
    pub async fn find(order: &Order<'_>, mint: &Mint) -> Result<Self, RunError> {
        (order.emit)(Event::Launching {
            target: display(&order.endpoint),
        });
        let conversation = Conversation::open(
            order.endpoint.clone(),
            order.options.clone(),
            order.setup.clone(),
            order.deadline,
            order.transcript.clone(),
        )
        .await?;
        let session = conversation.session();
        let tools = session
            .tools(order.deadline.max(order.options.limits.startup))
            .await?;
        let info = session.info();
        (order.emit)(Event::Ready {
            name: Some(info.name.clone()).filter(|name| !name.is_empty()),
            version: Some(info.version.clone()).filter(|version| !version.is_empty()),
            protocol: info.protocol.clone(),
            tools: tools.len(),
            startup_ms: u64::try_from(info.startup.as_millis()).unwrap_or(u64::MAX),
        });
        let hosts = order.policy.network().hosts();
        let grounds = wire(order, &hosts).map(Grounds);
        let ground = Ground {
            root: &order.bed.allowed,
            mint: &|| mint.token().to_string(),
            deadline: order.deadline,
            jobs: order.jobs,
            allow_destructive: order.allow_destructive,
            read_only: false,
            resources: info.capabilities.get("resources").is_some(),
            net: grounds.as_ref().map(|grounds| grounds as &dyn Net),
        };
        let mut given = order.given.clone();
        let mut notes = Vec::new();
        if let Some(lock) = &order.lock {
            given.extend(lock.given(&order.given, &tools));
            notes = lock.notes(&tools);
            for note in &notes {
                (order.emit)(Event::Note(note.clone()));
            }
        }
        let discovery = discover(&session, &tools, &given, &ground).await;
        let proven = discovery
            .channels
            .iter()
            .filter(|channel| channel.proof.proven())
            .count();
        (order.emit)(Event::Discovered {
            proven,
            unproven: discovery.channels.len() - proven,
        });
        Ok(Self {
            conversation,
            tools,
            discovery,
            notes,
        })
    }

    /// What the target says of itself.
    #[must_use]
    pub fn info(&self) -> ServerInfo {
        self.conversation.session().info().clone()
    }

    /// Ends the target; what was found stays: tools, channels, notes.
    pub async fn into_parts(self) -> (Vec<Tool>, Discovery, Vec<String>) {
        self.conversation.close().await;
        (self.tools, self.discovery, self.notes)
    }
}

/// Runs the probes on the target.
///
/// # Errors
/// When the target does not start, is no MCP server, or lists no tools.
pub async fn run(order: Order<'_>) -> Result<Ran, RunError> {
    let began = Instant::now();
    let mint = Mint::new();
    let sightings = Sightings::of(&order.transcript, Detector::new(&mint));
    let files = FileWitness::start(order.bed.base());
    let Found {
        conversation,
        tools,
        discovery,
        notes,
    } = Found::find(&order, &mint).await?;
    let channels: Vec<Arc<Channel>> = discovery.channels.iter().cloned().map(Arc::new).collect();
    let hosts = order.policy.network().hosts();
    let wire = wire(&order, &hosts);
    if let Some(wire) = wire {
        sightings.watch(wire.glass.hits(), began);
    }
    let terrain = Terrain {
        policy: order.policy,
        allowed: &order.bed.allowed,
        relaunch: matches!(order.endpoint, Endpoint::Stdio(_)),
        allowed_is_argument: order.allowed_is_argument,
        platform: platform(),
        hosts: order.glass.as_ref().map(|_| &hosts).map_err(String::as_str),
    };
    let mut plan: Plan = plan(&order.probes, &channels, &terrain);
    let whole = order.shard.map(|_| Whole {
        planned: plan.trials.len(),
        digest: plan.digest(),
    });
    if let Some(shard) = order.shard {
        plan = plan.part(shard);
    }
    if let Some(only) = order.only {
        plan.keep(only.trial).map_err(|near| RunError::NoTrial {
            trial: only.trial.to_owned(),
            near,
        })?;
    }
    (order.emit)(Event::Planned {
        trials: plan.running(),
    });
    let tally = Tally::default();
    let stage = Stage {
        bed: order.bed,
        policy: order.policy,
        mint: &mint,
        sightings: &sightings,
        files: &files,
        began,
        cwd: match &order.endpoint {
            Endpoint::Stdio(launch) => launch.cwd.clone(),
            Endpoint::Http(_) => order.bed.allowed.clone(),
        },
        reader: channels
            .iter()
            .find(|channel| channel.role == Role::FileRead && channel.proof.proven()),
        tally: &tally,
        wire,
    };
    let orders = Orders {
        jobs: order.jobs.max(1),
        deadline: order.deadline,
        stop: order.stop,
    };
    let engine = Engine::new(&stage, &conversation, orders, order.emit, order.seed);
    let before = sight(&order).await;
    let rehearsed = match order.only {
        Some(Only {
            rehearsed: true, ..
        }) => rehearse::rehearse(&stage, &plan, order.seed, order.deadline).await,
        _ => None,
    };
    let mut running = match rehearsed {
        Some(_) => Vec::new(),
        None => tokio::select! {
            running = engine.run(&plan) => running,
            never = conversation.hurry_after(order.stop) => never,
        },
    };
    let network = match before {
        Some(Sight::Sees) => sight(&order).await,
        other => other,
    };
    if let Some(Sight::Blind(why)) = &network {
        engine::distrust(&plan, &mut running, why);
    }
    let session = conversation.session();
    let (info, noise, restarts) = (
        session.info().clone(),
        session.noise(),
        conversation.restarts(),
    );
    drop(session);
    let ending = conversation.close().await;
    let (seen, portraits) = observed::look(&plan, &order, stage.now_ms()).await;
    running.extend(seen);
    // Effects and tokens that came with the end of the target still count.
    let mut outcomes = engine::finish(&stage, order.deadline, plan, running);
    if let (Some(rehearsed), Some(outcome)) = (rehearsed, outcomes.first_mut()) {
        (outcome.asked, outcome.object) = (Some(rehearsed.asked), rehearsed.object);
    }
    files.prove_awake(order.bed.base());
    let interrupted = order.stop.load(std::sync::atomic::Ordering::Relaxed);
    let took = began.elapsed();
    (order.emit)(Event::Finished {
        took_ms: u64::try_from(took.as_millis()).unwrap_or(u64::MAX),
        interrupted,
    });
    Ok(Ran {
        whole,
        outcomes,
        discovery,
        tools,
        notes: [notes, portraits].concat(),
        info,
        noise,
        ending,
        restarts,
        counted: tally.counted(),
        blind: files.blind(),
        network,
        steps: std::mem::take(&mut *tally.steps()),
        took,
        interrupted,
    })
}

/// The network of a run with what its policy says of it.
fn wire<'r>(order: &Order<'r>, hosts: &'r Hosts) -> Option<Wire<'r>> {
    Some(Wire {
        glass: *order.glass.as_ref().ok()?,
        hosts,
        network: order.policy.network(),
        time_limit: order.policy.time_limit(),
        retries: order.policy.max_retries(),
    })
}

/// Whether the witness of the network sees; nothing when there is no network.
async fn sight(order: &Order<'_>) -> Option<Sight> {
    match &order.glass {
        Ok(glass) => Some(glass.check().await.together()),
        Err(_) => None,
    }
}

/// How a target is shown to people.
#[must_use]
pub fn display(endpoint: &Endpoint) -> String {
    match endpoint {
        Endpoint::Stdio(launch) => shell_words::join(
            std::iter::once(&launch.program)
                .chain(&launch.args)
                .map(String::as_str),
        ),
        Endpoint::Http(http) => http.url.clone(),
    }
}

fn platform() -> Platform {
    if cfg!(target_os = "macos") {
        Platform::Macos
    } else if cfg!(windows) {
        Platform::Windows
    } else {
        Platform::Linux
    }
}
