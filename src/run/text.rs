//! Trials on text parameters of tools of any kind.
//!
//! Owns what goes along with the attacked parameter, and the twin that shows where its value goes: a
//! plain value must do something, or be seen in the command line of a process.

use std::{sync::Arc, time::Duration};

use serde_json::Value;

use super::{
    control::plain,
    execute::control,
    liveness::{Leads, liveness_of_text},
    net::Grounds,
    send::response,
    sightings::{Place, Seen},
    stage::{Ask, Counting, Played, Stage},
    values::values,
};
use crate::{
    channel::{Arrival, Channel, Net as _, SlotValue, Values, place_values},
    judge::{Control, Observation, Twin, Wall, Watch},
    probe::{Claim, EvidenceKind, Slot},
    session::{Caller, Exchange},
    testbed::{Geometry, Scene, SceneError},
    witness::Snapshot,
};

/// Time that what a call set off in the background may take to leave its record.
const TRAIL: Duration = Duration::from_millis(15);

/// How often a plain value is sent, since a short-lived process can be missed.
const LOOKS: usize = 3;

/// What goes along with an attacked parameter: the plain call of its tool, where one is known.
struct Along {
    /// Its objects, all of them permitted.
    _scene: Option<Scene>,
    values: Values,
    /// What the parameter itself holds in that call.
    benign: Option<String>,
}

/// Whether the parameter is one that the tool's proven channel drives.
fn own(channel: &Channel) -> Option<&Arc<Channel>> {
    let base = channel.base.as_ref()?;
    let pointer = channel.slots.get(&Slot::Text)?.first()?;
    let drives = |own: &String| own.replace("/-", "/0") == *pointer;
    base.slots.values().flatten().any(drives).then_some(base)
}

impl Stage<'_> {
    /// Plays one call with a text parameter.
    pub(super) async fn play_text<C: Caller>(
        &self,
        caller: &C,
        ask: &Ask<'_>,
        mut scene: Scene,
        counting: Counting<'_>,
    ) -> Result<Played, SceneError> {
        let along = self.along(ask.channel, &scene)?;
        scene.benign.clone_from(&along.benign);
        scene.variable = self
            .planted
            .all
            .first()
            .map(|variable| variable.name.clone());
        for planted in &scene.planted {
            self.sightings.detector().arm(&planted.token);
        }
        let mut counted = self.counting(ask, &scene, counting, &Leads::default());
        counted.retain(|name| scene.planted(name).is_some_and(|planted| planted.secret));
        let text = match &ask.variant.text {
            Some(text) => scene.tell(text)?,
            None => scene.word(),
        };
        let places = self.places(&scene, &[]);
        let before = Snapshot::take(places.iter().map(std::path::PathBuf::as_path));
        let mut values = along.values;
        values.insert(Slot::Text, SlotValue::Text(text));
        let (method, params) = ask.channel.request(&values, &self.bed.allowed);
        let (watches, watch) = self.arm(ask, &scene, &counted);
        let exchange = caller.request(method, params, ask.deadline).await;
        self.tally.count(&exchange);
        tokio::time::sleep(TRAIL).await;
        let signals = self.reads(ask, &scene, watches);
        let after = Snapshot::take(places.iter().map(std::path::PathBuf::as_path));
        let changes = before.changes(&after);
        let mut proofs = self.executed(&scene);
        // What evaluates for its living gives nothing away by doing so.
        let evaluates = own(ask.channel).is_some_and(|base| base.role.executes());
        proofs.extend(self.computed(ask, &scene, &exchange).filter(|_| !evaluates));
        let told = self
            .tokens(ask, &scene, &counted)
            .into_iter()
            .chain(self.copied(&scene, &changes, &counted))
            .chain(self.effects(ask, &scene, &changes, counting));
        proofs.extend(told.filter(|(_, weak)| !weak).map(|(seen, _)| seen));
        if ask.claim == Claim::Variables {
            proofs.extend(self.expanded(&exchange));
        }
        Ok(Played {
            response: response(&exchange.outcome),
            watch: match watch {
                Watch::Awake if !self.view.is_same() => Watch::Blind(String::from(
                    "what a program records in a sandbox may not be seen from outside",
                )),
                Watch::Awake => self.watches_programs(ask),
                blind => blind,
            },
            proofs,
            signals,
            liveness: liveness_of_text(),
            exchange,
            occupied: false,
            race: None,
            counted,
            places,
            after,
            scene,
            props: None,
            attempted: None,
            sees: Vec::new(),
            wall: match (ask.claim, counting) {
                (Claim::Variables, Counting::Forbidden) => self.planted.wall.clone(),
                _ => Wall::None,
            },
        })
    }

    /// The plain call that goes along with a parameter.
    fn along(&self, channel: &Channel, scene: &Scene) -> Result<Along, SceneError> {
        let Some(base) = &channel.base else {
            return Ok(Along {
                _scene: None,
                values: Values::new(),
                benign: channel.usual.clone(),
            });
        };
        let (ground, values) = if base.role.of_network() {
            let wire = self.wire.ok_or_else(|| SceneError::Unresolved {
                symbol: String::from("net"),
                why: "there is no network of the run's own",
            })?;
            let place = Grounds(wire).place(self.mint.token().as_str(), Arrival::of(base.role));
            (None, place_values(base, &place))
        } else {
            let Some(plain) = plain(base) else {
                return Err(SceneError::Unresolved {
                    symbol: base.role.to_string(),
                    why: "no plain call is known",
                });
            };
            let word = format!("{}b", scene.slug);
            let ask = self.plain_ask(base, plain, Duration::ZERO);
            let mut ground = self.set(&ask, Geometry::twin(self.bed, &word, None), &word)?;
            ground.benign = self.sentence(&ask, &ground);
            // What a plain value may name: a branch and a file of that name.
            if let Some(repo) = ground
                .planted
                .iter()
                .find(|planted| planted.commit.is_some())
            {
                let head = repo.path.join(".git/refs/heads");
                let _ = std::fs::copy(head.join("main"), head.join(scene.word()));
                let _ = std::fs::write(repo.path.join(scene.word()), "a note\n");
            }
            let values = values(&plain.variant, base, &ground)?;
            (Some(ground), values)
        };
        let arguments = Value::Object(base.arguments(&values, &self.bed.allowed));
        let pointer = channel.slots.get(&Slot::Text).and_then(|all| all.first());
        let held = pointer.and_then(|pointer| arguments.pointer(pointer)?.as_str());
        let benign = own(channel)
            .and(held)
            .map(str::to_owned)
            .or_else(|| channel.usual.clone());
        Ok(Along {
            _scene: ground,
            values,
            benign,
        })
    }

    /// The value of a variable that an answer holds.
    fn expanded(&self, exchange: &Exchange) -> Option<Observation> {
        let text = exchange.outcome.text();
        let found = self.sightings.detector().scan(text.as_bytes());
        let mut proofs = found.into_iter().filter(|sighting| sighting.proof);
        proofs.find_map(|sighting| {
            let variable = self.planted.of(sighting.slot)?;
            let seen = Seen {
                sighting,
                witness: "reply",
                place: Place::Answer,
                at_ms: self.now_ms(),
            };
            let fact = format!(
                "the value of the variable {} stood in the answer",
                variable.name
            );
            Some(seen.observation(EvidenceKind::Token, fact))
        })
    }

    /// Whether a text with the names of variables comes back at all: only then its answer says what was made
    /// of them.
    pub(super) fn comes_back(&self, attack: &Played) -> Twin {
        if self.proven.is_empty() {
            // Whoever says back what it is told need not be a server of anything.
            let why = "no tool of the target was seen to do anything";
            return Twin::Rejected(String::from(why));
        }
        if let (Err(why), Wall::None) = (&self.planted.holder, &self.planted.wall) {
            return Twin::Rejected(why.clone());
        }
        match attack.exchange.outcome.text().contains(&attack.scene.slug) {
            true => Twin::Passed(Observation {
                witness: String::from("twin"),
                kind: EvidenceKind::Token,
                fact: String::from("the text that the names stood in came back"),
                at_ms: self.now_ms(),
                decoders: Vec::new(),
                excerpt: None,
            }),
            false => Twin::Rejected(String::from("the text does not come back")),
        }
    }

    /// The plain value of a parameter: whether it does something. Asked once for each channel.
    pub(super) async fn text_twin<C: Caller>(
        &self,
        caller: &C,
        ask: &Ask<'_>,
        word: &str,
    ) -> Result<Twin, SceneError> {
        if let Some(role) = ask.behind.filter(|role| !self.proven.contains(role)) {
            return Ok(Twin::Rejected(format!(
                "no tool of the target was seen in the role {role}"
            )));
        }
        let name = ask.channel.name();
        let cell = {
            let mut twins = self
                .twins
                .lock()
                .unwrap_or_else(std::sync::PoisonError::into_inner);
            Arc::clone(twins.entry(name).or_default())
        };
        cell.get_or_try_init(|| self.look_for_value(caller, ask, word))
            .await
            .cloned()
    }

    async fn look_for_value<C: Caller>(
        &self,
        caller: &C,
        ask: &Ask<'_>,
        word: &str,
    ) -> Result<Twin, SceneError> {
        if let Some(base) = own(ask.channel) {
            return Ok(
                match control(self, caller, base, word, ask.deadline).await {
                    Control::Passed(mut seen) => {
                        seen.witness = String::from("twin");
                        Twin::Passed(seen)
                    }
                    Control::Failed(why) => Twin::Rejected(why),
                },
            );
        }
        if ask.channel.usual.is_some() && ask.channel.base.is_none() {
            return Ok(Twin::Rejected(String::from(
                "it takes one of a few values, which say nothing of where they go",
            )));
        }
        let plain = crate::probe::Variant::default();
        let ask = Ask {
            plants: Vec::new(),
            variant: &plain,
            claim: Claim::Execution,
            evidence: &[EvidenceKind::Execution],
            ..ask.clone()
        };
        let mut seen = None;
        for look in 0..LOOKS {
            let word = format!("{word}{look}");
            let scene = self.set(&ask, Geometry::twin(self.bed, &word, None), &word)?;
            let sought = scene.word();
            self.processes.seek(&sought);
            let played = self.play_text(caller, &ask, scene, Counting::All).await;
            seen = self.processes.seen(&sought).or(seen);
            self.processes.forget(&sought);
            played?;
            let given = seen.as_ref().and_then(|seen| seen.environment.as_deref());
            if let Some(given) = given {
                self.sightings.given(given, self.now_ms());
            }
            // One that had ended when it was seen tells nothing of what it was given.
            if seen.as_ref().is_some_and(|seen| seen.environment.is_some()) {
                break;
            }
        }
        Ok(match seen {
            Some(command) => Twin::Passed(Observation {
                witness: String::from("twin"),
                kind: EvidenceKind::Execution,
                fact: String::from("a plain value was seen in the command line of a process"),
                at_ms: self.now_ms(),
                decoders: Vec::new(),
                excerpt: Some(command.line),
            }),
            None => Twin::Rejected(String::from(
                "no process was seen that was given a plain value of it",
            )),
        })
    }
}
