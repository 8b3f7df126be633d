//! Trials about the audit log: a call, and what the log says of it.
//!
//! Owns the order of such a trial and what counts as a record of it. The log itself is read by its
//! witness. Verdicts rest on words that were made for the trial: no format and no field is presumed.

mod forged;
mod ledger;
mod reading;
mod stranger;
mod tampered;
mod whole;

use std::time::Duration;

use serde_json::json;

pub(super) use ledger::Ledger;
use reading::{another, brief, lacks, shape};

use super::{
    execute::{Execution, ask, control, fault},
    stage::{Ask, Counting, Played, Stage},
};
use crate::{
    channel::Channel,
    judge::{Attempt, Control, Facts, Liveness, Observation, Response, Twin, Wall, Watch},
    plan::Trial,
    probe::{EvidenceKind, RecordCheck},
    session::Session,
    testbed::{Geometry, SceneError},
    witness::{Line, Record, Shapes},
};

/// How long a record may take to be written: logs are buffered.
const FLUSH: Duration = Duration::from_secs(5);

/// How often the log is looked at meanwhile.
const LOOK: Duration = Duration::from_millis(20);

/// The plain calls before a refusal.
const PLAIN: [&str; 3] = ["b", "c", "d"];

/// What a look at the log came to.
struct Found {
    /// What is wrong with it.
    proofs: Vec<String>,
    /// What was seen instead, for the reader.
    told: String,
    /// What would make the trial meaningless.
    inert: Option<String>,
    /// Words whose records were missed, and may still be written when the target ends.
    awaited: Vec<String>,
    asked: Option<serde_json::Value>,
    answered: Option<String>,
}

impl Found {
    fn told(told: impl Into<String>) -> Self {
        Self {
            proofs: Vec::new(),
            told: told.into(),
            inert: None,
            awaited: Vec::new(),
            asked: None,
            answered: None,
        }
    }

    fn inert(why: impl Into<String>) -> Self {
        Self {
            inert: Some(why.into()),
            ..Self::told("")
        }
    }

    fn proven(fact: impl Into<String>) -> Self {
        Self {
            proofs: vec![fact.into()],
            ..Self::told("")
        }
    }

    /// What was asked and answered in a call.
    fn of(self, played: &Played) -> Self {
        let exchange = &played.exchange;
        Self {
            asked: Some(json!({ "method": exchange.method, "params": exchange.params })),
            answered: Some(exchange.outcome.text()),
            ..self
        }
    }
}

/// One trial with what it is made from.
struct Clerk<'c> {
    stage: &'c Stage<'c>,
    ledger: &'c Ledger,
    session: &'c Session,
    trial: &'c Trial,
    channel: &'c Channel,
    word: &'c str,
    deadline: Duration,
}

/// Plays a trial, and says which words are still awaited in the log.
pub(super) async fn execute(
    stage: &Stage<'_>,
    session: &Session,
    trial: &Trial,
    word: &str,
    deadline: Duration,
) -> (Execution, Vec<String>) {
    let variant = &trial.probe.variants[trial.variant];
    let (Some(ledger), Some(check)) = (stage.ledger, variant.audit) else {
        return (fault("the policy names no audit log"), Vec::new());
    };
    let Some(channel) = trial.channel.as_ref().or(stage.reader) else {
        let why = "no tool was seen to work, so that nothing can be done that would be recorded";
        return (unsettled(Control::Failed(why.to_owned())), Vec::new());
    };
    let clerk = Clerk {
        stage,
        ledger,
        session,
        trial,
        channel,
        word,
        deadline,
    };
    ledger.log.look();
    let before = clerk.plain("b").await;
    let Control::Passed(_) = before else {
        return (unsettled(before), Vec::new());
    };
    let found = match clerk.check(check).await {
        Ok(found) => found,
        Err(error) => return (Execution::from(error), Vec::new()),
    };
    let after = clerk.plain("z").await;
    ledger.log.look();
    let blind = ledger.log.blind();
    let watch = match (&found.inert, blind) {
        (None, Some(why)) if check != RecordCheck::ProtocolOnly => Watch::Blind(why),
        _ => Watch::Awake,
    };
    let proofs = match watch {
        Watch::Blind(_) => Vec::new(),
        Watch::Awake => found.proofs.iter().map(|fact| clerk.seen(fact)).collect(),
    };
    let execution = Execution {
        attempt: Attempt {
            alone: true,
            before,
            after,
            liveness: match found.inert {
                Some(_) => Liveness::Inert,
                None => Liveness::Live,
            },
            twin: Twin::None(found.inert.unwrap_or(found.told)),
            watch,
            proofs,
            signals: Vec::new(),
            response: Response::Observed,
            wall: Wall::None,
        },
        race: None,
        attack: None,
        asked: found.asked,
        answered: found.answered,
    };
    (execution, found.awaited)
}

/// Takes back what was missed in the log and was written when the target ended.
pub(super) fn settle(stage: &Stage<'_>, awaited: &[String], facts: &mut Facts) {
    let Some(ledger) = stage.ledger.filter(|_| !awaited.is_empty()) else {
        return;
    };
    ledger.log.look();
    let lines = ledger.log.since(0);
    let written = |word: &String| lines.iter().any(|line| line.holds(word));
    if awaited.iter().all(written) {
        for attempt in &mut facts.attempts {
            attempt.proofs.clear();
            attempt.twin = Twin::None(String::from("recorded, though only when the target ended"));
        }
    }
}

fn unsettled(before: Control) -> Execution {
    let mut execution = fault("");
    execution.attempt.before = before;
    execution.attempt.response = Response::Observed;
    execution
}

impl Clerk<'_> {
    async fn check(&self, check: RecordCheck) -> Result<Found, SceneError> {
        match check {
            RecordCheck::Named => self.named().await,
            RecordCheck::Denied => self.denied().await,
            RecordCheck::Resolved => self.resolved().await,
            RecordCheck::Clean => self.clean().await,
            RecordCheck::WholeLine => self.whole_line().await,
            RecordCheck::Untouched => self.untouched().await,
            RecordCheck::Stranger => self.stranger().await,
            RecordCheck::EveryOne => Ok(self.every_one().await),
            RecordCheck::Private => Ok(self.private()),
            RecordCheck::Rotated => Ok(self.rotated().await),
            RecordCheck::ProtocolOnly => Ok(self.protocol_only()),
        }
    }

    fn seen(&self, fact: &str) -> Observation {
        Observation {
            witness: String::from("log-witness"),
            kind: EvidenceKind::Record,
            fact: fact.to_owned(),
            at_ms: self.stage.now_ms(),
            decoders: Vec::new(),
            excerpt: None,
        }
    }

    fn nth(&self, which: &str) -> String {
        another(self.word, which)
    }

    /// The plain call of the channel under a word of its own.
    async fn plain(&self, which: &str) -> Control {
        let word = self.nth(which);
        control(self.stage, self.session, self.channel, &word, self.deadline).await
    }

    /// More plain calls: what several have in common is no matter of the single call.
    async fn further(&self) {
        for which in &PLAIN[1..] {
            self.plain(which).await;
        }
    }

    /// The call of the variant, in the attack's places or, permitted, in the twin's.
    async fn play(&self, permitted: bool) -> Result<Played, SceneError> {
        let plain = super::control::plain(self.channel);
        let mut ask: Ask<'_> = ask(self.trial, self.channel, self.deadline);
        if let (true, Some(plain)) = (ask.variant.is_bare(), plain) {
            ask.plants = plain.plants.iter().collect();
            ask.variant = &plain.variant;
        }
        let geometry = if permitted {
            Geometry::twin(self.stage.bed, self.word, None)
        } else {
            Geometry::attack(self.stage.bed, self.word, None)
        };
        let counting = if permitted {
            Counting::All
        } else {
            Counting::Forbidden
        };
        let scene = self.stage.set(&ask, geometry, self.word)?;
        self.stage.play(self.session, &ask, scene, counting).await
    }

    /// The words by which a record of a call is known.
    fn words(&self, played: &Played) -> Vec<String> {
        let sent = played.exchange.params.to_string();
        let nonces = played.props.iter().flat_map(super::net::Props::nonces);
        let mut words: Vec<String> = nonces
            .map(ToString::to_string)
            .filter(|nonce| sent.contains(nonce.as_str()))
            .collect();
        if sent.contains(self.word) {
            words.push(self.word.to_owned());
        }
        words
    }

    /// Waits for lines that hold one of the words.
    async fn await_lines(&self, words: &[String], from: usize) -> Vec<Line> {
        let until = tokio::time::Instant::now() + FLUSH;
        loop {
            self.ledger.log.look();
            let mut lines = self.ledger.log.since(from);
            lines.retain(|line| words.iter().any(|word| line.holds(word)));
            if !lines.is_empty() || tokio::time::Instant::now() > until {
                return lines;
            }
            tokio::time::sleep(LOOK).await;
        }
    }

    async fn named(&self) -> Result<Found, SceneError> {
        let from = self.ledger.log.count();
        let played = self.play(true).await?;
        if played.proofs.is_empty() {
            return Ok(Found::inert(
                "the permitted call had no effect, so that there is nothing to record",
            )
            .of(&played));
        }
        let words = self.words(&played);
        if words.is_empty() {
            return Ok(Found::inert("no word of the trial stands in the call").of(&played));
        }
        let lines = self.await_lines(&words, from).await;
        let Some(line) = lines.first() else {
            let mut found = Found::proven(format!(
                "the call of {} had its effect, and {} s later the log has no record that names what it touched",
                self.channel.tool,
                FLUSH.as_secs()
            ));
            found.awaited = words;
            return Ok(found.of(&played));
        };
        let lacks = lacks(
            &self.ledger.claimed.fields,
            line,
            &words,
            &self.channel.tool,
        );
        let mut found = Found::told(format!("recorded as `{}`", brief(&line.text())));
        found.proofs = lacks
            .into_iter()
            .map(|what| format!("the record `{}` {what}", brief(&line.text())))
            .collect();
        Ok(found.of(&played))
    }

    async fn denied(&self) -> Result<Found, SceneError> {
        self.further().await;
        let from = self.ledger.log.count();
        let played = self.play(false).await?;
        if !played.proofs.is_empty() {
            return Ok(Found::inert(
                "the call was not refused, so that there is no refusal to record",
            )
            .of(&played));
        }
        let words = self.words(&played);
        let lines = self.await_lines(&words, from).await;
        if lines.is_empty() {
            let mut found = Found::proven(format!(
                "a forbidden call of {} was refused, and {} s later the log has no record that names what was asked for",
                self.channel.tool,
                FLUSH.as_secs()
            ));
            found.awaited = words;
            return Ok(found.of(&played));
        }
        let before: Vec<Line> = self.ledger.log.since(0);
        let texts: Vec<&str> = words.iter().map(String::as_str).collect();
        let mut permitted = Shapes::default();
        for (call, which) in PLAIN.into_iter().enumerate() {
            let word = self.nth(which);
            for line in before.iter().filter(|line| line.holds(&word)) {
                permitted.add(call, shape(line, &[&word]));
            }
        }
        let alike = |line: &&Line| permitted.like(&shape(line, &texts));
        Ok(match lines.iter().find(alike) {
            // One record of the request and one of its outcome: only the latter must differ.
            Some(line) if lines.iter().all(|line| alike(&line)) => Found::proven(format!(
                "the record of a refusal, `{}`, cannot be told from that of a permitted call",
                brief(&line.text())
            )),
            _ => Found::told(format!("recorded as `{}`", brief(&lines[0].text()))),
        }
        .of(&played))
    }

    async fn resolved(&self) -> Result<Found, SceneError> {
        let from = self.ledger.log.count();
        let played = self.play(true).await?;
        if played.proofs.is_empty() {
            return Ok(Found::inert("the link was not followed").of(&played));
        }
        let words = self.words(&played);
        let lines = self.await_lines(&words, from).await;
        let real = played
            .scene
            .planted("secret")
            .and_then(|planted| planted.path.canonicalize().ok())
            .map(|path| path.to_string_lossy().into_owned())
            .unwrap_or_default();
        let named = |line: &Line| {
            line.holds(&real) || Record::read(&line.text()).holding(&real).next().is_some()
        };
        Ok(match lines.first() {
            None => Found::inert("the call is not recorded at all, which another probe asks about"),
            Some(_) if lines.iter().any(named) => Found::told("the record names the real path"),
            Some(line) => Found::proven(format!(
                "{real} was reached through a link, and its record `{}` names the link alone",
                brief(&line.text())
            )),
        }
        .of(&played))
    }

    async fn clean(&self) -> Result<Found, SceneError> {
        let from = self.ledger.log.count();
        let played = self.play(true).await?;
        let words = self.words(&played);
        let recorded = self.await_lines(&words, from).await;
        if recorded.is_empty() {
            return Ok(Found::inert(
                "the call is not recorded at all, which another probe asks about",
            )
            .of(&played));
        }
        let sent = played.exchange.params.to_string();
        let password = format!("pw-{}", self.word);
        let mut secrets: Vec<(&str, &str)> = Vec::new();
        for planted in &played.scene.planted {
            secrets.push(("the content of the file", planted.token.as_str()));
        }
        // A payload ends in what no path holds.
        if sent.contains(played.scene.payload.trim()) {
            secrets.push(("what was written", played.scene.payload.trim()));
        }
        if sent.contains(&password) {
            secrets.push(("the password in the URL", &password));
        }
        let lines = self.ledger.log.since(from);
        let leaked = secrets.iter().find_map(|(what, secret)| {
            let line = lines.iter().find(|line| line.holds(secret))?;
            Some(format!(
                "{what} stands in the log: `{}`",
                brief(&line.text())
            ))
        });
        Ok(match leaked {
            Some(fact) => Found::proven(fact),
            None => Found::told(format!(
                "recorded as `{}`, without what was read or written",
                brief(&recorded[0].text())
            )),
        }
        .of(&played))
    }
}
