//! The overview of a fleet: many servers, each with a report of its own.
//!
//! Owns the model behind `reports/fleet-report-v1.schema.json`, and how one comes from the reports of
//! the servers. How they are run is the command line's.

mod page;
mod text;

use schemars::{JsonSchema, Schema};
use serde::{Deserialize, Serialize};

pub use page::render as render_fleet_html;
pub use text::render as render_fleet_terminal;

use crate::{
    judge::Verdict,
    probe::{ProbeId, Severity},
    report::{BoundaryReport, Counts, Report, breach_severity, json::plain, story::breaches},
};

/// What became of a fleet.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FleetReport {
    /// Version of this format; always 1.
    pub schema: u32,
    /// Version of watertight.
    pub version: String,
    /// When it began, RFC 3339, UTC.
    pub started: String,
    /// Wall time in milliseconds.
    pub took_ms: u64,
    /// Servers that were probed at once.
    pub jobs: usize,
    /// Whether it was interrupted.
    pub interrupted: bool,
    /// The worst exit code of the servers: 1 before 4, 2, 3 and 0.
    pub exit_code: u8,
    /// Servers by outcome.
    pub outcomes: Outcomes,
    /// The servers, in the order of the fleet file.
    pub servers: Vec<ServerReport>,
}

/// Servers by outcome.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Outcomes {
    /// All boundaries that applied held.
    pub held: usize,
    /// A boundary was breached.
    pub breached: usize,
    /// Something could not be judged.
    pub inconclusive: usize,
    /// Nothing that was selected applied.
    pub not_applicable: usize,
    /// There is no report: the server did not start, or the harness failed.
    pub failed: usize,
    /// The fleet was interrupted before.
    pub not_run: usize,
}

/// What became of one server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// All boundaries that applied held.
    Held,
    /// A boundary was breached.
    Breached,
    /// Something could not be judged.
    Inconclusive,
    /// Nothing that was selected applied.
    NotApplicable,
    /// There is no report: the server did not start, or the harness failed.
    Failed,
    /// The fleet was interrupted before.
    NotRun,
}

/// One server.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ServerReport {
    /// Its name in the fleet file.
    pub name: String,
    /// What became of it.
    pub outcome: Outcome,
    /// The exit code of its run; nothing when it was not run.
    pub exit_code: Option<u8>,
    /// Wall time of its run in milliseconds.
    pub took_ms: u64,
    /// What is known of it, when there is a report.
    pub found: Option<Found>,
    /// Its reports, each relative to the overview.
    pub reports: Vec<FleetFile>,
    /// Why there is no report: the end of what the run said.
    pub message: Option<String>,
}

/// A report of a server.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FleetFile {
    /// Its format, as `--report` calls it; `log` is what the run said.
    pub format: String,
    /// Its path, relative to the overview.
    pub path: String,
}

/// What the overview takes from the report of a server.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Found {
    /// Name that the server gives itself.
    pub name: Option<String>,
    /// Version that the server gives itself.
    pub version: Option<String>,
    /// The command line as launched, or the URL.
    pub display: String,
    /// `namespace`, `host` or `remote`.
    pub testbed: String,
    /// Worst severity of a breach.
    pub severity: Option<Severity>,
    /// Judged share of the probes that applied.
    pub coverage: f64,
    /// Probes by verdict.
    pub probes: Counts,
    /// Trials by verdict.
    pub trials: Counts,
    /// Its boundaries.
    pub boundaries: Vec<BoundaryReport>,
    /// Its breached probes, worst first.
    pub breaches: Vec<FleetBreach>,
    /// Tools and parameters that were not tested.
    pub not_tested: usize,
}

/// A breached probe of a server.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FleetBreach {
    /// The probe.
    pub probe: ProbeId,
    /// A few words.
    pub title: String,
    /// How bad it is.
    pub severity: Severity,
}

impl Outcome {
    /// All of them, worst first.
    pub const ALL: [Self; 6] = [
        Self::Breached,
        Self::Failed,
        Self::Inconclusive,
        Self::NotRun,
        Self::NotApplicable,
        Self::Held,
    ];

    /// The word for it.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Held => "held",
            Self::Breached => "BREACHED",
            Self::Inconclusive => "inconclusive",
            Self::NotApplicable => "not applicable",
            Self::Failed => "failed",
            Self::NotRun => "not run",
        }
    }

    /// Its sign; never without the word.
    #[must_use]
    pub fn sign(self) -> char {
        match self {
            Self::Held => '✓',
            Self::Breached => '✗',
            Self::Inconclusive => '?',
            Self::NotApplicable | Self::NotRun => '-',
            Self::Failed => '!',
        }
    }
}

impl From<Verdict> for Outcome {
    fn from(verdict: Verdict) -> Self {
        match verdict {
            Verdict::Held => Self::Held,
            Verdict::Breached => Self::Breached,
            Verdict::Inconclusive => Self::Inconclusive,
            Verdict::NotApplicable => Self::NotApplicable,
        }
    }
}

impl From<&Report> for Found {
    fn from(report: &Report) -> Self {
        let breach = |probe: &crate::report::ProbeReport| FleetBreach {
            probe: probe.id.clone(),
            title: probe.title.clone(),
            severity: breach_severity(probe).unwrap_or(probe.severity),
        };
        Self {
            name: report.target.name.clone(),
            version: report.target.version.clone(),
            display: report.target.display.clone(),
            testbed: report.testbed.kind.clone(),
            severity: report
                .boundaries
                .iter()
                .filter_map(|row| row.severity)
                .max(),
            coverage: report.summary.coverage,
            probes: report.summary.probes,
            trials: report.summary.trials,
            boundaries: report.boundaries.clone(),
            breaches: breaches(report).into_iter().map(breach).collect(),
            not_tested: report.not_tested.len(),
        }
    }
}

/// Counts and exit code of a fleet, from its servers.
#[must_use]
pub fn fleet_outcomes(servers: &[ServerReport]) -> (Outcomes, u8) {
    /// What was proven is worst, then what makes all else doubtful.
    const WORST_FIRST: [u8; 4] = [1, 4, 2, 3];
    let mut outcomes = Outcomes::default();
    for server in servers {
        let count = match server.outcome {
            Outcome::Held => &mut outcomes.held,
            Outcome::Breached => &mut outcomes.breached,
            Outcome::Inconclusive => &mut outcomes.inconclusive,
            Outcome::NotApplicable => &mut outcomes.not_applicable,
            Outcome::Failed => &mut outcomes.failed,
            Outcome::NotRun => &mut outcomes.not_run,
        };
        *count += 1;
    }
    // One that was not run is an open question.
    let code = |server: &ServerReport| server.exit_code.unwrap_or(3);
    let worst = WORST_FIRST
        .into_iter()
        .find(|worst| servers.iter().any(|server| code(server) == *worst));
    (outcomes, worst.unwrap_or(0))
}

/// The overview as JSON text, safe to print.
#[must_use]
pub fn render_fleet_json(fleet: &FleetReport) -> String {
    plain(fleet)
}

/// JSON Schema of the overview.
#[must_use]
pub fn fleet_schema() -> Schema {
    schemars::schema_for!(FleetReport)
}

/// The verdict of the fleet in one sentence.
fn headline(fleet: &FleetReport) -> String {
    let all = fleet.servers.len();
    let outcomes = fleet.outcomes;
    let of = |number: usize, one: &str, many: &str| {
        let servers = if all == 1 { "server" } else { "servers" };
        let verb = if number == 1 { one } else { many };
        format!("{number} of {all} {servers} {verb}")
    };
    if outcomes.breached > 0 {
        of(outcomes.breached, "was breached", "were breached")
    } else if outcomes.failed > 0 {
        of(
            outcomes.failed,
            "could not be probed",
            "could not be probed",
        )
    } else if outcomes.inconclusive > 0 {
        of(
            outcomes.inconclusive,
            "could not be judged",
            "could not be judged",
        )
    } else if outcomes.not_run > 0 {
        of(outcomes.not_run, "was not probed", "were not probed")
    } else if outcomes.held > 0 {
        of(outcomes.held, "held", "held")
    } else {
        String::from("Nothing that was selected applies to any server")
    }
}
