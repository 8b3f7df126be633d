//! A run: launch, discover, plan, execute, look.
//!
//! Owns all input and output of a run. What it stores are facts; what they mean is the judge's.

mod attempted;
mod bounds;
mod calls;
mod control;
mod conversation;
mod engine;
mod event;
mod execute;
mod execution;
mod flight;
mod launch;
mod liveness;
mod net;
mod observe;
mod observed;
mod offer;
mod order;
mod outcome;
mod recorded;
mod rehearse;
mod send;
mod sightings;
mod stage;
mod start;
mod strain;
mod text;
mod unlisted;
mod upstream;
mod values;
mod variables;
mod wall;
mod watch;
mod widen;

use std::{
    sync::{Arc, atomic::Ordering},
    time::Instant,
};

pub use calls::{Counted, Step};
pub use conversation::Setup;
pub use event::*;
pub use observed::{Purpose, aspects, visit};
pub use order::{Only, Order, Ran, RunError, Whole};
pub use outcome::Outcome;
pub use variables::looks_for_variables;

use crate::{
    canary::Detector,
    channel::{Channel, Discovery, Ground, Net, discover, openings, sweep},
    plan::{Plan, Terrain, plan},
    probe::{EvidenceKind, Probe, Role},
    session::{Endpoint, ServerInfo, Tool},
    testbed::{
        View,
        net::{Hit, Sight},
        program::runs_in,
    },
    witness::{FileWitness, ProcessWitness},
};
use attempted::Attempts;
use calls::Tally;
use conversation::{Conversation, told_arguments};
use engine::{Engine, Orders};
use net::{Grounds, Wire};
use recorded::Ledger;
use sightings::Sightings;
use stage::{Stage, Twins};
use unlisted::Unlisted;
use upstream::Upstream;
use variables::{Planted, Variables};

/// A target that was opened and whose tools were tried.
pub struct Found {
    conversation: Conversation,
    /// Its tools as listed.
    pub tools: Vec<Tool>,
    /// What drives which role.
    pub discovery: Discovery,
    /// What differs from the lock.
    pub notes: Vec<String>,
    /// What left the target before anything was asked of it, if that was waited for.
    unasked: Vec<Hit>,
}

impl Found {
    /// Opens the target, lists its tools and proves channels.
    ///
    /// # Errors
    /// When the target does not start, is no MCP server, or lists no tools.
    pub async fn find(order: &Order<'_>) -> Result<Self, RunError> {
        let silence = watch::Silence::begin(order);
        (order.emit)(Event::Launching {
            target: order.display.clone(),
        });
        let hosts = order.policy.network().hosts();
        let wire = Wire::of(order, &hosts);
        wire.inspect(Wire::stand);
        let (conversation, taken) = start::start(order).await?;
        let session = conversation.session();
        let unasked = silence.end(order, &session).await;
        conversation.prepare().await?;
        let info = session.info();
        let mut tools = offer::tools(&session, order).await?;
        (order.emit)(Event::Ready {
            name: Some(info.name.clone()).filter(|name| !name.is_empty()),
            version: Some(info.version.clone()).filter(|version| !version.is_empty()),
            protocol: info.protocol.clone(),
            tools: tools.len(),
            startup_ms: u64::try_from(info.startup.as_millis()).unwrap_or(u64::MAX),
        });
        tools.extend(offer::prompts(&session, order).await);
        let grounds = wire.map(Grounds);
        let view = conversation.view();
        let told = view.shown(&order.bed.allowed);
        let ground = Ground {
            root: &order.bed.allowed,
            told: &told,
            mint: &|| order.mint.token().to_string(),
            deadline: order.deadline,
            jobs: order.jobs,
            allow_destructive: order.allow_destructive,
            read_only: false,
            forgets: order.glass.is_ok(),
            resources: info.capabilities.get("resources").is_some(),
            uris: &offer::uris(&session, order).await,
            net: grounds.as_ref().map(|grounds| grounds as &dyn Net),
        };
        let mut given = order.given.clone();
        for channel in &mut given {
            channel.fixed = told_arguments(order.bed, view, &channel.fixed);
        }
        let mut notes = offer::missing(order, &tools);
        notes.extend(taken);
        if let Some(lock) = &order.lock {
            given.extend(lock.given(&given, &tools));
            notes.extend(lock.notes(&tools));
        }
        for note in &notes {
            (order.emit)(Event::Note(note.clone()));
        }
        let discovery = discover(&session, &tools, &given, &ground).await;
        let proven = discovery.proven();
        let unproven = discovery.channels.len() - proven;
        (order.emit)(Event::Discovered { proven, unproven });
        if let Some(note) = offer::unshared(order, proven) {
            (order.emit)(Event::Note(note.clone()));
            notes.push(note);
        }
        Ok(Self {
            conversation,
            tools,
            discovery,
            notes,
            unasked,
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
    let mint = order.mint;
    let sightings = Sightings::of(&order.transcript, Detector::new(mint));
    let decoys = watch::decoys(&order, &sightings);
    for variable in &order.variables {
        sightings.detector().arm(&variable.token);
    }
    if let Ok(glass) = &order.glass {
        sightings.watch(glass.hits(), began);
    }
    let files = FileWitness::start(order.bed.base());
    // Before the target is launched: until then this process has no child that could be a target's.
    let executing = |probe: &Arc<Probe>| probe.evidence.contains(&EvidenceKind::Execution);
    let programs = match order.probes.iter().any(executing) {
        true => runs_in(&order.bed.allowed, &order.bed.tmp),
        false => Ok(()),
    };
    let ledger = Ledger::of(&order);
    let Found {
        conversation,
        tools,
        discovery,
        mut notes,
        unasked,
    } = Found::find(&order).await?;
    let channels: Vec<Arc<Channel>> = discovery.channels.iter().cloned().map(Arc::new).collect();
    let hosts = order.policy.network().hosts();
    let wire = Wire::of(&order, &hosts);
    let view = conversation.view().clone();
    let terrain = Terrain {
        policy: order.policy,
        allowed: &order.bed.allowed,
        relaunch: launch::again(&order.endpoint),
        launched: matches!(order.endpoint, Endpoint::Stdio(_)),
        serves: launch::serves(&order.endpoint),
        allowed_is_argument: allowed_is_argument(&order, &view),
        allowed_is_cwd: launch::starts_in(&order.endpoint, &order.bed.allowed),
        platform: launch::platform(),
        hosts: order.glass.as_ref().map(|_| &hosts).map_err(String::as_str),
        bounded: &[],
        traced: order.syscalls.is_some(),
        sink: order.sink,
    };
    // What shows by no experiment is found by names, where a probe asks for it.
    let asks = |role| {
        let mut probes = order.probes.iter();
        probes.any(|probe| probe.roles.contains(&role))
    };
    let mut guessed = Vec::new();
    let commands = order
        .probes
        .iter()
        .any(|probe| variables::looks_at_commands(probe));
    if asks(Role::ParamText) || commands {
        guessed.extend(sweep(&tools, &channels, order.allow_destructive));
    }
    if asks(Role::ScopeWiden) {
        guessed.extend(openings(&tools));
    }
    let channels: Vec<Arc<Channel>> = channels
        .into_iter()
        .chain(guessed.into_iter().map(Arc::new))
        .collect();
    let bed = order.bed;
    let places = [&bed.allowed, &bed.denied, &bed.outside, &bed.home, &bed.tmp]
        .map(|place| (place.clone(), view.see(place)))
        .to_vec();
    let tally = Tally::default();
    let proven: Vec<Role> = channels
        .iter()
        .filter(|channel| channel.proof.proven())
        .map(|channel| channel.role)
        .collect();
    let (processes, twins) = (ProcessWitness::start(), Twins::default());
    let attempts = order.syscalls.map(Attempts::of);
    let planted = Planted::look(&order.variables, &conversation.session());
    let stage = Stage {
        bed: order.bed,
        policy: order.policy,
        mint,
        sightings: &sightings,
        files: &files,
        began,
        cwd: match (view.cwd(), &order.endpoint) {
            (Some((_, Some(host))), _) => host,
            (_, Endpoint::Stdio(launch)) => launch.cwd.clone(),
            (_, Endpoint::Http(_)) => order.bed.allowed.clone(),
            (_, Endpoint::Inside(_)) => std::env::current_dir().unwrap_or_default(),
        },
        view: view.clone(),
        reader: reader(&channels),
        proven: &proven,
        tally: &tally,
        processes: &processes,
        programs: &programs,
        twins: &twins,
        ledger: ledger.as_ref(),
        wire,
        planted: &planted,
        attempts: attempts.as_ref(),
    };
    let asked = (&*order.probes, &*channels);
    let bounded = bounds::bounded(&stage, &conversation.session(), asked, order.deadline).await;
    let terrain = Terrain {
        bounded: &bounded,
        ..terrain
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
    let orders = Orders {
        jobs: order.jobs.max(1),
        deadline: order.deadline,
        stop: order.stop,
    };
    let engine = Engine::new(&stage, &conversation, orders, order.emit, order.seed);
    let before = watch::sight(&order).await;
    let rehearsed = match order.only {
        Some(Only {
            rehearsed: true, ..
        }) => rehearse::rehearse(&stage, &plan, order.seed, order.deadline).await,
        _ => None,
    };
    let mut running = match rehearsed {
        Some(_) => Vec::new(),
        None => tokio::select! {
            running = engine.run(&plan, &mut notes) => running,
            never = conversation.hurry_after(order.stop) => never,
        },
    };
    let mut variables = Variables::new(&planted, &order.endpoint);
    let stopped = || order.stop.load(Ordering::Relaxed);
    let wanted = |asks: fn(&Probe) -> bool| {
        let mut trials = plan.trials.iter();
        !stopped() && trials.any(|trial| asks(&trial.probe))
    };
    let session = conversation.session();
    if wanted(variables::looks) {
        let asked = (&*tools, &*channels, order.allow_destructive);
        variables.ask(&stage, &session, asked, order.deadline).await;
    }
    let mut hidden = None;
    if wanted(unlisted::asks) {
        let known = (&*tools, &*channels, order.lock.as_ref());
        hidden = Some(Unlisted::ask(&stage, &session, known, order.deadline).await);
    }
    let mut headers = None;
    if wanted(upstream::asks) {
        let asked = (&*tools, &*channels, order.allow_destructive);
        let how = (order.deadline, order.stop);
        headers = Some(Upstream::ask(&stage, &conversation, &plan, asked, how).await);
    }
    let network = match before {
        Some(Sight::Sees) => watch::sight(&order).await,
        other => other,
    };
    if let Some(Sight::Blind(why)) = &network {
        outcome::distrust(&plan, &mut running, why);
    }
    let (info, noise, restarts) = (
        session.info().clone(),
        session.noise(),
        conversation.restarts(),
    );
    drop(session);
    let ending = conversation.close().await;
    let watched = watch::Watched {
        stage: &stage,
        decoys: &decoys,
        unasked: &unasked,
        variables: &variables,
        unlisted: hidden.as_ref(),
        upstream: headers.as_ref(),
        sight: network.as_ref(),
        launcher: order.launcher,
        proven: channels
            .iter()
            .filter(|channel| channel.proof.proven())
            .count(),
    };
    watched.settle(&plan, &mut running, order.emit);
    notes.extend(watched.strangers(&order.transcript));
    let (seen, portraits) = observed::look(&plan, &order, stage.now_ms()).await;
    running.extend(seen);
    // Effects and tokens that came with the end of the target still count.
    let mut outcomes = outcome::finish(&stage, order.deadline, plan, running);
    if let (Some(rehearsed), Some(outcome)) = (rehearsed, outcomes.first_mut()) {
        (outcome.asked, outcome.object) = (Some(rehearsed.asked), rehearsed.object);
    }
    files.prove_awake(order.bed.base());
    let interrupted = stopped();
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
        places,
        blind: files.blind(),
        network,
        syscalls: attempts.as_ref().map(Attempts::sight),
        steps: std::mem::take(&mut *tally.steps()),
        took,
        interrupted,
    })
}

/// Whether the server is told its allowed directory when it is launched. Of a wrapped command only the words
/// behind the wrapper are the server's own.
fn allowed_is_argument(order: &Order<'_>, view: &View) -> bool {
    if !view.is_other() {
        return order.allowed_is_argument;
    }
    let (Endpoint::Stdio(launch), Some(from)) = (&order.endpoint, order.server_at) else {
        return false;
    };
    let told = view.shown(&order.bed.allowed);
    let own = launch.args.iter().skip(from);
    let named = |word: &String| launch::names(word, &told.to_string_lossy());
    order.allowed_is_argument || own.into_iter().any(named)
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
        Endpoint::Inside(_) => String::from("a server in this process"),
    }
}

/// What reads files: a tool that does nothing else, or else a command.
fn reader(channels: &[Arc<Channel>]) -> Option<&Arc<Channel>> {
    let reads = |channel: &&Arc<Channel>| channel.proof.proven() && channel.reading("").is_some();
    let mut proven = channels.iter().filter(reads);
    let mut plain = proven.clone();
    plain
        .find(|channel| channel.role == Role::FileRead)
        .or_else(|| proven.next())
}
