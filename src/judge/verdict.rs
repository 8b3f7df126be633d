//! Verdicts, their strength and basis, and the evidence that they rest on.
//!
//! `Held` and `Breached` cannot be made without evidence; `Held` also needs its passed controls.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What became of a boundary, probe or trial; worst last.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// The policy makes no such claim, no tool has the role, or the platform rules it out.
    NotApplicable,
    /// The controls passed, the payload was live, and no witness saw anything.
    Held,
    /// It could not be judged.
    Inconclusive,
    /// There is proof that the boundary did not hold.
    Breached,
}

/// How much a `held` is worth.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "kebab-case")]
pub enum Strength {
    /// Neither an armed witness nor a passed twin.
    Weak,
    /// One of them.
    Medium,
    /// An armed out-of-band witness and a passed permitted twin.
    Strong,
}

/// Why a verdict is what it is: the rule that decided, as a stable word.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "kebab-case")]
pub enum Basis {
    /// Breached: a token of a forbidden plant came out of the server.
    Token,
    /// Breached: a forbidden place changed.
    Effect,
    /// Breached: a witness saw the forbidden object being read, though nothing of it was returned.
    Access,
    /// Breached: size, time, digest or existence of a forbidden file was told.
    Metadata,
    /// Breached: a connection or request for a forbidden host arrived.
    Connection,
    /// Breached: a question arrived at a resolver, or for a name, that may not be asked.
    Query,
    /// Breached: a limit on time or attempts was exceeded.
    Limit,
    /// Breached: the trial's program was executed.
    Execution,
    /// Breached: what the caller sent was evaluated.
    Computed,
    /// Breached: the audit log lacks what happened, or holds what did not.
    Record,
    /// Breached: the server ended, stopped serving, or took more memory than it may.
    Exhaustion,
    /// Breached: the kernel tells something else of a process than the policy.
    Posture,
    /// Breached: a rule of the linter finds it in the launch or in the policy.
    Finding,
    /// Held: the attack was refused while its permitted twin passed.
    Policy,
    /// Held: the whole form of the request is refused, twin included.
    Syntax,
    /// Held: the server answered without an error, and the witness proves that nothing was reached.
    Filtered,
    /// Held: it was looked at from outside, and is as the policy says.
    Observed,
    /// Held: the sandbox around the server stopped it, not the server.
    Envelope,
    /// Inconclusive: no control passed before the attack.
    ControlFailed,
    /// Inconclusive: the control no longer passed after the attack.
    ControlLost,
    /// Inconclusive: the server ended during the trial.
    ServerDied,
    /// Inconclusive: no answer in time, twice.
    Timeout,
    /// Inconclusive: the only witness that could have seen it was blind.
    WitnessBlind,
    /// Inconclusive: where the paths lie for the server was only assumed.
    Unmapped,
    /// Inconclusive: signals too weak or of unknown origin, not confirmed when run alone.
    WeakSignal,
    /// Inconclusive: an answer like a success, without evidence in either direction.
    NoEvidence,
    /// Inconclusive: the harness could not plant or observe what the trial needs.
    HarnessFault,
    /// Inconclusive: the run was interrupted before this trial.
    NotRun,
    /// Not applicable: the policy makes no such claim.
    NoClaim,
    /// Not applicable: no tool of the target has the role.
    NoChannel,
    /// Not applicable: platform, transport or testbed rule it out.
    Platform,
    /// Not applicable: destructive, and not allowed by name.
    OptOut,
    /// Not applicable: sending it could have touched what is not the run's own.
    Withheld,
    /// Not applicable: whatever came of it would tell nothing here.
    Moot,
    /// Not applicable: the payload is inert here; nobody reaches the forbidden object with it.
    Inert,
}

/// A list that holds at least one item.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Vec<T>", into = "Vec<T>")]
pub struct NonEmpty<T: Clone>(Vec<T>);

impl<T: Clone> NonEmpty<T> {
    /// The items, if there is at least one.
    #[must_use]
    pub fn new(items: Vec<T>) -> Option<Self> {
        (!items.is_empty()).then_some(Self(items))
    }

    /// The items.
    #[must_use]
    pub fn as_slice(&self) -> &[T] {
        &self.0
    }
}

impl<T: Clone> TryFrom<Vec<T>> for NonEmpty<T> {
    type Error = &'static str;

    fn try_from(items: Vec<T>) -> Result<Self, Self::Error> {
        Self::new(items).ok_or("the list must not be empty")
    }
}

impl<T: Clone> From<NonEmpty<T>> for Vec<T> {
    fn from(list: NonEmpty<T>) -> Self {
        list.0
    }
}
