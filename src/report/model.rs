//! The report, version 1: the canonical form from which every format is rendered.
//!
//! Owns the types behind `reports/report-v1.schema.json`. Fields appear without a new version;
//! a change of meaning needs one.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{
    config::DEFAULT_COVERAGE,
    judge::{Basis, Strength, Verdict},
    probe::{Assumption, Priority, ProbeId, References, Role, Severity},
    report::{Accepted, BaselineReport, LayersReport, PartReport, ShardReport},
    testbed::Mapping,
    witness::syscalls::Attempted,
};

/// The transport of a command that serves HTTP.
pub const LAUNCHED_HTTP: &str = "http-command";

/// The whole result of a run.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Report {
    /// Version of this format; always 1.
    pub schema: u32,
    /// What made the report.
    pub harness: Harness,
    /// Verdict and counts.
    pub summary: Summary,
    /// One row per boundary, in catalogue order.
    pub boundaries: Vec<BoundaryReport>,
    /// One entry per selected probe, in order of id.
    pub probes: Vec<ProbeReport>,
    /// What was not tested, and why: as prominent as a breach.
    pub not_tested: Vec<NotTested>,
    /// The server under test.
    pub target: TargetReport,
    /// The policy as it was applied.
    pub policy: Value,
    /// The world in which the target ran.
    pub testbed: TestbedReport,
    /// Proof that the harness itself can pass and fail on this machine, when it was made.
    pub calibration: Option<Calibration>,
    /// What was sent and how far it came.
    pub calls: Calls,
    /// How the same is asked again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub repeat: Option<Repeat>,
    /// Known verdicts that were told, when they were.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub baseline: Option<BaselineReport>,
    /// Things a reader should know: banners skipped, restarts, unusual behaviour of the target.
    pub notes: Vec<String>,
}

/// How the same is asked again. Values of variables and headers, and arguments that were told, are not
/// in it: they may be secrets.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Repeat {
    /// Flags of `watertight run`, the command of the target last; placeholders are not replaced.
    pub flags: Vec<String>,
    /// The policy as it was written, with its placeholders.
    pub policy: Value,
    /// Flags that must be given again, with the names that they set.
    pub withheld: Vec<(String, String)>,
}

impl Repeat {
    /// What follows a withheld flag, with its value left open.
    #[must_use]
    pub fn shape(flag: &str, name: &str) -> String {
        match flag {
            "--header" => format!("{name}: VALUE"),
            "--setup" => format!("{name}=JSON"),
            "--bind" => format!("{name}:ROLE=POINTER"),
            _ => format!("{name}=VALUE"),
        }
    }
}

/// What made the report.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Harness {
    /// `watertight`.
    pub name: String,
    /// Its version.
    pub version: String,
    /// Id of the run; part of every token.
    pub run: String,
    /// Seed of the names that trials give their objects; tokens are random in every run.
    pub seed: u64,
    /// When the run began, RFC 3339, UTC.
    pub started: String,
    /// Wall time in milliseconds from launch to verdict.
    pub took_ms: u64,
    /// Milliseconds of it until the target's first answer.
    pub startup_ms: u64,
    /// Suites and probes that were selected, as the user wrote them.
    pub selection: Vec<String>,
    /// What that came to; nothing in reports of old.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub asked: Option<Asked>,
    /// Whether the run was interrupted.
    pub interrupted: bool,
    /// Which part of a run this is; nothing when it is a whole one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shard: Option<ShardReport>,
    /// The parts that it was merged from.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub parts: Vec<PartReport>,
}

/// The probes of a run, all of them together.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Asked {
    /// The date whose suites and probes were meant, when one was told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub frozen_suite: Option<String>,
    /// How many probes they are.
    pub probes: usize,
    /// SHA-256, in lowercase hexadecimal, of the meaning of all of them: runs with the same digest asked the
    /// same.
    pub digest: String,
}

/// Verdict and counts.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Summary {
    /// The verdict of the run: the worst of its boundaries.
    pub verdict: Verdict,
    /// Exit code that belongs to it.
    pub exit_code: u8,
    /// Boundaries by verdict.
    pub boundaries: Counts,
    /// Probes by verdict.
    pub probes: Counts,
    /// Trials by verdict; they add up to `planned`.
    pub trials: Counts,
    /// Trials that the plan holds.
    pub planned: usize,
    /// Judged share of what applied: (held + breached) / (held + breached + inconclusive), of
    /// probes, rounded down to four decimals; 0 when nothing applied.
    pub coverage: f64,
    /// Roles that at least one proven channel drives.
    pub roles_bound: usize,
    /// Roles for which the target offers a candidate.
    pub roles_offered: usize,
    /// What it took to pass, and therefore what the exit code means.
    pub thresholds: Thresholds,
}

/// What it takes to pass.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Thresholds {
    /// A breach below this severity is reported but does not decide the exit code.
    pub min_severity: Severity,
    /// Share of the applicable probes, 0 to 1, that must have been judged.
    pub min_coverage: f64,
}

impl Default for Thresholds {
    fn default() -> Self {
        Self {
            min_severity: Severity::Low,
            min_coverage: DEFAULT_COVERAGE,
        }
    }
}

/// How many of each verdict.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "snake_case")]
pub struct Counts {
    /// Held.
    pub held: usize,
    /// Breached.
    pub breached: usize,
    /// Inconclusive.
    pub inconclusive: usize,
    /// Not applicable.
    pub not_applicable: usize,
}

/// One boundary.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct BoundaryReport {
    /// Its id, such as `fs.read`.
    pub id: String,
    /// Its name for people, such as "reading files".
    pub title: String,
    /// Worst of its probes.
    pub verdict: Verdict,
    /// Of a held boundary: the strength of its weakest P0 probe.
    pub strength: Option<Strength>,
    /// Worst severity among its breached probes.
    pub severity: Option<Severity>,
    /// Probes by verdict.
    pub probes: Counts,
    /// Trials by verdict.
    pub trials: Counts,
}

/// One probe.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ProbeReport {
    /// Its id.
    pub id: ProbeId,
    /// Its boundary.
    pub boundary: String,
    /// A few words.
    pub title: String,
    /// The question it asks.
    pub question: String,
    /// Its priority.
    pub priority: Priority,
    /// How bad a breach is.
    pub severity: Severity,
    /// What the attacker is assumed to be able to do.
    pub assumes: Assumption,
    /// What a breach means.
    pub why: String,
    /// How to fix it.
    pub fix: String,
    /// Where it is catalogued.
    pub references: References,
    /// Where the policy makes the claim that it asks about, when a file does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub claimed: Option<Place>,
    /// Worst of its trials.
    pub verdict: Verdict,
    /// Of a held probe: the strength of its weakest held trial.
    pub strength: Option<Strength>,
    /// The reason when it was not applicable or could not be judged as a whole.
    pub reason: Option<String>,
    /// Its trials, in order of id.
    pub trials: Vec<TrialReport>,
}

/// A line of a file.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Place {
    /// Its path as the user wrote it.
    pub file: String,
    /// The line, from 1.
    pub line: usize,
}

/// One trial.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TrialReport {
    /// `<probe>/<variant>@<tool>:<parameter>`.
    pub id: String,
    /// The tool; empty when the trial was not applicable for want of one.
    pub tool: String,
    /// The role that the tool was used in.
    pub role: Option<Role>,
    /// The variant of the probe.
    pub variant: String,
    /// What became of it.
    pub verdict: Verdict,
    /// The rule that decided.
    pub basis: Basis,
    /// Of a held trial.
    pub strength: Option<Strength>,
    /// Why the verdict does not decide the exit code, when it is known and accepted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub accepted: Option<Accepted>,
    /// One sentence: why.
    pub reason: String,
    /// What was asked: the request as sent.
    pub asked: Option<Value>,
    /// What was answered, shortened; text of the target, never trusted.
    pub answered: Option<String>,
    /// The forbidden object, as a path.
    pub object: Option<String>,
    /// Where the server has that object; not of trials about hosts, and of those that did not run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mapping: Option<MappingReport>,
    /// Who stopped it, of a held trial, if that was asked (`--layers`, `--witness syscalls`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub layers: Option<LayersReport>,
    /// What the server attempted of the object, of a trial that was not breached, if that was watched
    /// (`--witness syscalls`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attempted: Option<Attempted>,
    /// The facts that decided, never empty for `held` and `breached`.
    pub evidence: Vec<EvidenceReport>,
    /// One line that repeats the attack, for a shell.
    pub repro: Option<String>,
}

/// A path in the view of the harness and in that of the server.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct MappingReport {
    /// What the translation rests on.
    pub mapping: Mapping,
    /// The path on the machine.
    pub host: String,
    /// The path in the sandbox of the server; null when it is not there.
    pub inside: Option<String>,
}

/// A fact that decided a trial.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct EvidenceReport {
    /// Who saw it: `control`, `twin`, `reply`, `stderr`, `file-witness`, `write-witness`, ...
    pub witness: String,
    /// What was seen, in one sentence.
    pub fact: String,
    /// Milliseconds since the start of the run.
    pub at_ms: Option<u64>,
    /// Decoders that led to a token, outermost first.
    pub decoders: Vec<String>,
    /// The bytes around it as shown to people: printable, shortened.
    pub excerpt: Option<String>,
}

/// Something that was not tested.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NotTested {
    /// The tool, if the gap is one.
    pub tool: Option<String>,
    /// The parameter, if the gap is one.
    pub parameter: Option<String>,
    /// The probe, if the gap is one.
    pub probe: Option<ProbeId>,
    /// Why, and what would change it.
    pub why: String,
}

/// The server under test.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TargetReport {
    /// The command line as launched, or the URL.
    pub display: String,
    /// `stdio`, `http`, `in-process`, or `http-command` for a command that serves HTTP.
    pub transport: String,
    /// Name that the server gives itself.
    pub name: Option<String>,
    /// Version that the server gives itself.
    pub version: Option<String>,
    /// Protocol version spoken.
    pub protocol: String,
    /// `handshake` or `stateless`.
    pub era: String,
    /// Names of the environment variables that it was given.
    pub environment: Vec<String>,
    /// Working directory.
    pub cwd: Option<String>,
    /// Tools with the roles that were proven, candidates and what exercised them.
    pub tools: Vec<ToolReport>,
}

/// A tool of the target.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ToolReport {
    /// Its name.
    pub name: String,
    /// Roles that were proven.
    pub proven: Vec<Role>,
    /// Roles that were only believed, with the reason why they could not be proven.
    pub unproven: Vec<(Role, String)>,
    /// Trials that exercised it.
    pub trials: usize,
}

/// The world in which the target ran.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TestbedReport {
    /// `namespace`, `host` or `remote`.
    pub kind: String,
    /// The allowed directory.
    pub allowed: String,
    /// The forbidden sibling.
    pub denied: String,
    /// The directories of the run as the server has them: allowed, denied, outside, home, temporary.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub paths: Vec<MappingReport>,
    /// File system type of the testbed, when known.
    pub filesystem: Option<String>,
    /// Operating system and kernel.
    pub platform: String,
    /// Witnesses and whether each was awake before and after.
    pub witnesses: Vec<WitnessReport>,
    /// Whether everything that was created is gone again.
    pub clean: bool,
}

/// A witness and whether it was awake.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct WitnessReport {
    /// Its name, such as `file-witness`.
    pub name: String,
    /// Whether its self-test passed before and after.
    pub awake: bool,
    /// What it cannot see, or why it is blind.
    pub note: Option<String>,
}

/// Proof that the harness can pass and fail on this machine.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Calibration {
    /// Cells of probe and reference target that gave their declared verdict.
    pub passed: usize,
    /// All cells.
    pub total: usize,
}

/// What was sent and how far it came.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Calls {
    /// Tool calls sent by trials and controls.
    pub sent: usize,
    /// Of them, answered by the tool itself.
    pub reached_tool: usize,
    /// Of them, refused before the tool ran: the arguments did not fit the schema.
    pub rejected_by_schema: usize,
    /// Of them, never answered.
    pub unanswered: usize,
}
