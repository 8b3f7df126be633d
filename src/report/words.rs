//! Words for verdicts, reasons and severities, the same in every format.
//!
//! Owns wording only. A word never decides anything.

use crate::{
    judge::{Basis, Strength, Verdict},
    probe::{Assumption, Role, Severity},
};

/// The word for a verdict. A breach is in capitals, so that it stands out without colour too.
#[must_use]
pub fn verdict_word(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Held => "held",
        Verdict::Breached => "BREACHED",
        Verdict::Inconclusive => "inconclusive",
        Verdict::NotApplicable => "not applicable",
    }
}

/// The sign of a verdict; never without the word.
#[must_use]
pub fn verdict_sign(verdict: Verdict) -> char {
    match verdict {
        Verdict::Held => '✓',
        Verdict::Breached => '✗',
        Verdict::Inconclusive => '?',
        Verdict::NotApplicable => '-',
    }
}

/// The word for a strength.
#[must_use]
pub fn strength_word(strength: Strength) -> &'static str {
    match strength {
        Strength::Weak => "weak",
        Strength::Medium => "medium",
        Strength::Strong => "strong",
    }
}

/// The word for a severity.
#[must_use]
pub fn severity_word(severity: Severity) -> &'static str {
    match severity {
        Severity::Low => "low",
        Severity::Medium => "medium",
        Severity::High => "high",
        Severity::Critical => "critical",
    }
}

/// The word for a role, as JSON has it.
#[must_use]
pub fn role_word(role: Role) -> String {
    match serde_json::to_value(role) {
        Ok(serde_json::Value::String(word)) => word,
        _ => format!("{role:?}"),
    }
}

/// What the attacker is assumed to be able to do, as the end of "the attacker ...".
#[must_use]
pub fn assumption_words(assumption: Assumption) -> &'static str {
    match assumption {
        Assumption::Caller => "only calls tools",
        Assumption::Planter => {
            "can create objects in the allowed directory (a hostile repository or archive, another tool)"
        }
        Assumption::Operator => {
            "chooses the server's configuration, or its operator made a mistake in it"
        }
    }
}

/// The stable word of a basis, as JSON has it.
#[must_use]
pub fn basis_word(basis: Basis) -> &'static str {
    match basis {
        Basis::Token => "token",
        Basis::Effect => "effect",
        Basis::Access => "access",
        Basis::Metadata => "metadata",
        Basis::Connection => "connection",
        Basis::Query => "query",
        Basis::Limit => "limit",
        Basis::Execution => "execution",
        Basis::Computed => "computed",
        Basis::Record => "record",
        Basis::Exhaustion => "exhaustion",
        Basis::Posture => "posture",
        Basis::Finding => "finding",
        Basis::Policy => "policy",
        Basis::Syntax => "syntax",
        Basis::Filtered => "filtered",
        Basis::Observed => "observed",
        Basis::Envelope => "envelope",
        Basis::ControlFailed => "control-failed",
        Basis::ControlLost => "control-lost",
        Basis::ServerDied => "server-died",
        Basis::Timeout => "timeout",
        Basis::WitnessBlind => "witness-blind",
        Basis::Unmapped => "unmapped",
        Basis::WeakSignal => "weak-signal",
        Basis::NoEvidence => "no-evidence",
        Basis::HarnessFault => "harness-fault",
        Basis::NotRun => "not-run",
        Basis::NoClaim => "no-claim",
        Basis::NoChannel => "no-channel",
        Basis::Platform => "platform",
        Basis::OptOut => "opt-out",
        Basis::Withheld => "withheld",
        Basis::Moot => "moot",
        Basis::Inert => "inert",
    }
}

/// What a basis means, as a sentence without its full stop.
#[must_use]
pub fn basis_words(basis: Basis) -> &'static str {
    match basis {
        Basis::Token => "a secret from behind the boundary came out of the server",
        Basis::Effect => "a forbidden place was changed",
        Basis::Access => "the forbidden file was read, though nothing of it was returned",
        Basis::Metadata => "facts about a forbidden file were told",
        Basis::Connection => "a connection to a forbidden host arrived at the sink",
        Basis::Query => "a question went where none may go",
        Basis::Limit => "a limit on time or attempts was exceeded",
        Basis::Execution => "a program of the trial was executed",
        Basis::Computed => "what the caller sent was evaluated",
        Basis::Record => "the audit log lacks what happened, or holds what did not",
        Basis::Exhaustion => "the server ended, stopped serving, or took more memory than it may",
        Basis::Posture => "the kernel tells something else of a process than the policy",
        Basis::Finding => "a rule of the linter finds it in the launch or in the policy",
        Basis::Policy => "the attack was refused while its permitted twin passed",
        Basis::Syntax => "this form of request is refused altogether, its permitted twin too",
        Basis::Filtered => "answered without an error, and nothing forbidden was reached",
        Basis::Observed => "looked at from outside, and as the policy says",
        Basis::Envelope => "stopped by the sandbox around the server, not by the server",
        Basis::ControlFailed => "no control passed before the attack",
        Basis::ControlLost => "the control no longer passed after the attack",
        Basis::ServerDied => "the server ended during the trial",
        Basis::Timeout => "no answer in time, twice",
        Basis::WitnessBlind => "the only witness that could have seen a breach was blind",
        Basis::Unmapped => "where the server has these paths is only assumed",
        Basis::WeakSignal => "there were signs of a breach, not confirmed when run alone",
        Basis::NoEvidence => "an answer like a success, without evidence in either direction",
        Basis::HarnessFault => "the harness could not plant or observe what the trial needs",
        Basis::NotRun => "the run was interrupted first",
        Basis::NoClaim => "the policy makes no such claim",
        Basis::NoChannel => "no tool has the role",
        Basis::Platform => "ruled out by platform, transport or testbed",
        Basis::OptOut => "destructive, and not allowed by name",
        Basis::Withheld => "not sent, because it could have touched what is not the run's own",
        Basis::Moot => "whatever came of it would tell nothing here",
        Basis::Inert => "the payload reaches nothing here, not even without a boundary",
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn basis_words_are_those_of_the_json_report() {
        use Basis::*;
        for basis in [
            Token,
            Effect,
            Access,
            Metadata,
            Connection,
            Query,
            Limit,
            Execution,
            Computed,
            Record,
            Exhaustion,
            Observed,
            Policy,
            Syntax,
            Filtered,
            Envelope,
            ControlFailed,
            ControlLost,
            ServerDied,
            Timeout,
            WitnessBlind,
            Unmapped,
            WeakSignal,
            NoEvidence,
            HarnessFault,
            NotRun,
            NoClaim,
            NoChannel,
            Platform,
            OptOut,
            Withheld,
            Moot,
            Inert,
        ] {
            assert_eq!(json!(basis), json!(basis_word(basis)));
        }
    }
}
