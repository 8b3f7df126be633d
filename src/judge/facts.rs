//! What is known of a trial when the judge looks at it.
//!
//! Owns the stored form of observations: everything a verdict may depend on, and nothing else. The
//! engine fills it, the judge reads it; both the report and a later re-judging start from here.

use serde::{Deserialize, Serialize};

use crate::probe::EvidenceKind;

/// A fact that somebody saw, for people and for the record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Observation {
    /// Who saw it: `reply`, `stderr`, `file-witness`, `write-witness`, `control`, `twin`.
    pub witness: String,
    /// What kind of evidence it can be.
    pub kind: EvidenceKind,
    /// What was seen, in one sentence.
    pub fact: String,
    /// Milliseconds since the start of the run.
    pub at_ms: u64,
    /// Decoders that led to a token, outermost first.
    pub decoders: Vec<String>,
    /// The bytes around it, printable and shortened.
    pub excerpt: Option<String>,
}

/// Whether a control passed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub enum Control {
    /// The permitted call had its own evidence.
    Passed(Observation),
    /// It had none; the reason in words.
    Failed(String),
}

/// What became of the permitted twin of the attack.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub enum Twin {
    /// The same form reached a permitted object.
    Passed(Observation),
    /// The same form was not served although the object is permitted.
    Rejected(String),
    /// The attack can have no twin, and why.
    None(String),
}

/// Whether the payload reaches the forbidden object when nothing stands in its way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Liveness {
    /// The harness itself reached the object with the exact payload.
    Live,
    /// Only a decoder in the target could make it live.
    Unknown,
    /// Nobody reaches the object with it here.
    Inert,
}

/// Whether the witness that could have seen the attack was awake.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub enum Watch {
    /// Armed during the attack, and passed its self-tests.
    Awake,
    /// There was one, but it could not see; the reason in words.
    Blind(String),
}

/// Whether the forbidden object is there at all for the target.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub enum Wall {
    /// It is: only the target itself can keep away from it.
    #[default]
    None,
    /// A sandbox around the target keeps it from everybody inside; how, in words.
    Around(String),
    /// It is only assumed that the target's paths are ours; why, in words.
    Unseen(String),
}

/// What came back for the attack.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub enum Response {
    /// An answer that calls itself an error, or a target that refused to start so configured.
    Refusal,
    /// An answer that does not call itself an error.
    Benign,
    /// No answer in time.
    Timeout,
    /// The target ended.
    Died(String),
    /// The harness could not send, plant or observe.
    Fault(String),
    /// The harness did not send it: it could have touched what is not the run's own.
    Withheld(String),
    /// Whatever came of it would tell nothing here; why, in words.
    Moot(String),
    /// Nothing of the answer counts: the state of the target was looked at.
    Observed,
}

/// One execution of a trial.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Attempt {
    /// Whether it ran with nothing else in flight.
    pub alone: bool,
    /// The channel's last control before the attack.
    pub before: Control,
    /// The channel's first control after the attack.
    pub after: Control,
    /// The permitted twin.
    pub twin: Twin,
    /// What the payload can do here.
    pub liveness: Liveness,
    /// Whether the object is there for the target.
    pub wall: Wall,
    /// The witness of this kind of attack.
    pub watch: Watch,
    /// Attributed proof: tokens, effects, metadata.
    pub proofs: Vec<Observation>,
    /// Signals that name no trial by themselves, or are too short to be proof.
    pub signals: Vec<Observation>,
    /// What came back.
    pub response: Response,
}

/// Everything known of a trial.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Facts {
    /// Executions in order; the first may have run beside others, the rest ran alone.
    pub attempts: Vec<Attempt>,
    /// Whether the channel was ever seen to do what its role says. A channel that may do nothing
    /// at all by the policy cannot be.
    pub proven: bool,
    /// Which evidence decides, as the probe declares it.
    pub decisive: Vec<EvidenceKind>,
    /// Of a race: how often the attack was tried, and how often each state was met.
    pub race: Option<Race>,
}

/// How a race went.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Race {
    /// Attempts made.
    pub tries: u32,
    /// Attempts that met the permitted state.
    pub permitted: u32,
    /// Attempts that were refused or failed: the forbidden state was met.
    pub refused: u32,
}
