//! What happens during a run, as it happens.
//!
//! Owns the one stream that progress and transcript read. An event tells; it never decides, and
//! a run without listeners is the same run.

use serde::Serialize;

use crate::judge::{Basis, Strength, Verdict};

/// Something that happened. Text of the target stands in it as it came.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Event {
    /// The target is being launched or connected to.
    Launching {
        /// Command line or URL.
        target: String,
    },
    /// The target answered and listed its tools.
    Ready {
        /// Name that it gives itself.
        name: Option<String>,
        /// Version that it gives itself.
        version: Option<String>,
        /// Protocol version spoken.
        protocol: String,
        /// Number of tools.
        tools: usize,
        /// Milliseconds from launch to first answer.
        startup_ms: u64,
    },
    /// Channels were sought and tried.
    Discovered {
        /// Channels that a control proved.
        proven: usize,
        /// Candidates that nothing proved.
        unproven: usize,
    },
    /// The plan is made.
    Planned {
        /// Trials that will run; those that do not apply are not among them.
        trials: usize,
    },
    /// A trial has its verdict.
    TrialDone {
        /// `<probe>/<variant>@<tool>:<parameter>`.
        id: String,
        /// Its verdict.
        verdict: Verdict,
        /// The rule that decided.
        basis: Basis,
        /// Of a held trial.
        strength: Option<Strength>,
    },
    /// The target was started anew.
    Restarted {
        /// Why.
        why: String,
    },
    /// Something that a reader should know, and that belongs to no trial.
    Note(String),
    /// All trials are done, or the run was interrupted.
    Finished {
        /// Milliseconds from launch to now.
        took_ms: u64,
        /// Whether trials were left out.
        interrupted: bool,
    },
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_event_is_tagged_by_its_name() {
        let done = Event::TrialDone {
            id: String::from("fs.read.dotdot/plain@read_file:path"),
            verdict: Verdict::Held,
            basis: Basis::Policy,
            strength: Some(Strength::Strong),
        };
        assert_eq!(
            json!([done, Event::Note(String::from("a"))]),
            json!([
                { "trial-done": {
                    "id": "fs.read.dotdot/plain@read_file:path",
                    "verdict": "held",
                    "basis": "policy",
                    "strength": "strong",
                } },
                { "note": "a" },
            ])
        );
    }
}
