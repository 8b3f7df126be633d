//! Lint: secrets and wide-open doors in the files that start and bound an MCP server.
//!
//! Owns the rules, the recognition of files by their content, and the masking of secrets in
//! everything that is told. Judges files only: knows nothing of runs, and starts nothing.

mod allow;
mod client;
mod container;
mod dockerfile;
mod finding;
mod keys;
mod launch;
mod mask;
mod policy;
mod report;
mod rule;
mod sandbox;
mod search;
mod secret;
mod url;
mod wide;

use std::{collections::BTreeMap, path::Path};

use schemars::JsonSchema;
use serde::{Serialize, de::IgnoredAny};

pub use finding::Finding;
pub(crate) use launch::argument_secrets;
pub use report::{FileReport, FindingReport, LintReport, schema};
pub use rule::{RULES, Rule, rule_of};
pub use search::{DEPTH, NAMES, known_files};

use crate::{
    config::{self, ConfigFile},
    diag::{At, Diagnostic, Format, Problems, Source},
    lint::{
        finding::{Finder, Place},
        secret::Taken,
    },
    policy::Policy,
    probe::Severity,
    target::ClientConfig,
};

/// Whether a value that stands under a name is something to keep secret: by the name, or by the value itself.
pub(crate) fn is_secret(name: &str, value: &str) -> bool {
    secret::secret_name(name) || !secret::secrets(Some(name), value).is_empty()
}

/// What sort of secret a variable holds, if it is one.
pub(crate) fn variable_secret(name: &str, value: &str) -> Option<String> {
    // Disorder alone is too little to go by.
    let hit = secret::secrets(Some(name), value)
        .into_iter()
        .find(|hit| hit.rule != "secret.entropy")?;
    Some(hit.what.into_owned())
}

/// More findings in one file than these are not worth a reader's time.
const MAX_FINDINGS: usize = 500;

/// What a file is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// Servers of an MCP client.
    McpClientConfig,
    /// A policy.
    Policy,
    /// `watertight.toml`.
    Config,
    /// Settings of a sandbox runtime.
    SandboxSettings,
    /// A Dockerfile.
    Dockerfile,
}

/// A file and what was found in it.
#[derive(Debug, Clone)]
pub struct Linted {
    /// The file.
    pub source: Source,
    /// What it is.
    pub kind: Kind,
    /// Findings in the order of the file: the worst of them, if there are very many.
    pub findings: Vec<Finding>,
    /// How many findings are left out, none of them worse than those that are here.
    pub left_out: usize,
    /// The file as it may be shown.
    masked: Source,
}

impl Linted {
    /// Findings that nothing allows, in the order of the file, as diagnostics in which secrets are
    /// masked: errors from `least` on, warnings below.
    #[must_use]
    pub fn diagnostics(&self, least: Severity) -> Vec<Diagnostic> {
        self.findings
            .iter()
            .filter(|finding| !finding.allowed)
            .map(|finding| finding.diagnostic(&self.masked, finding.severity >= least))
            .collect()
    }
}

/// Lints a file. `allow` holds rules, or `RULE=FILE`, whose findings are allowed.
///
/// # Errors
///
/// The file is none that is known, or has mistakes; what may be a secret in it is masked.
pub fn lint(source: &Source, allow: &[String]) -> Result<Linted, Problems> {
    examine(source, allow).map_err(|problems| mask::redacted(source, problems))
}

fn examine(source: &Source, allow: &[String]) -> Result<Linted, Problems> {
    let mut finder = Finder::new(source);
    let kind = check(source, &mut finder)?;
    everywhere(&mut finder);
    let format = (kind != Kind::Dockerfile).then(|| source.format());
    allow::by_comments(&mut finder, format);
    allow::by_flags(&mut finder, allow);
    let mut findings = finder.found;
    let masked = mask::mask(source, &mut findings);
    findings.sort_by_key(|finding| (finding.allowed, std::cmp::Reverse(finding.severity)));
    let left_out = findings.len().saturating_sub(MAX_FINDINGS);
    findings.truncate(MAX_FINDINGS);
    findings.sort_by_key(|finding| (finding.span.start, finding.span.end, finding.rule.id));
    findings.dedup_by_key(|finding| (finding.span.clone(), finding.rule.id));
    Ok(Linted {
        source: source.clone(),
        kind,
        findings,
        left_out,
        masked,
    })
}

/// Recognises a file and checks what it says.
fn check(source: &Source, finder: &mut Finder<'_>) -> Result<Kind, Problems> {
    let path = Path::new(source.name());
    let name = path.file_name().map(|name| name.to_string_lossy());
    let name = name.as_deref().unwrap_or_default();
    let typed = path.extension().is_some_and(|ending| {
        ["json", "yaml", "yml", "toml"]
            .iter()
            .any(|known| ending == *known)
    });
    if source.text().trim().is_empty() {
        let message = format!("there is nothing in {}", source.name());
        return Err(Diagnostic::error("file::empty", message).into());
    }
    if search::is_dockerfile_name(name) || (!typed && dockerfile::is_dockerfile(source.text())) {
        if !dockerfile::is_dockerfile(source.text()) {
            let message = format!("{} does not begin with FROM", source.name());
            return Err(Diagnostic::error("lint::no-dockerfile", message)
                .help("a Dockerfile begins with `FROM`, or with `ARG` before it")
                .into());
        }
        dockerfile::check(finder);
        return Ok(Kind::Dockerfile);
    }
    if let Some(config) = ClientConfig::recognise(source) {
        client::check(finder, &config?);
        return Ok(Kind::McpClientConfig);
    }
    let format = source.format();
    let keys: BTreeMap<String, IgnoredAny> = source.parse(format)?;
    let has = |known: &[&str]| known.iter().any(|key| keys.contains_key(*key));
    if has(&["sandbox", "enableWeakerNestedSandbox"])
        || (format == Format::Json && has(&["network", "filesystem"]))
    {
        sandbox::check(finder, &source.parse(format)?);
        return Ok(Kind::SandboxSettings);
    }
    if name == config::FILE_NAME
        || has(&[
            "target",
            "suites",
            "probes",
            "thresholds",
            "report",
            "binding",
        ])
    {
        policy::check_config(finder, &source.parse::<ConfigFile>(format)?)?;
        return Ok(Kind::Config);
    }
    if has(&[
        "server",
        "capabilities",
        "audit",
        "credentials",
        "process",
        "execution",
        "resources",
    ]) {
        policy::check(finder, &Policy::load(source)?);
        return Ok(Kind::Policy);
    }
    Err(Diagnostic::error(
        "lint::unknown-file",
        format!("{} is no file that can be linted", source.name()),
    )
    .help(
        "known by their content: MCP client configs (mcpServers, servers), policies, \
         watertight.toml, settings of sandbox runtimes, Dockerfiles",
    )
    .into())
}

/// Credentials that are known by their shape, wherever they stand: comments, keys, values that no
/// rule looks at.
fn everywhere(finder: &mut Finder<'_>) {
    let text = finder.source.text();
    let mut taken = Taken::default();
    for finding in finder.found.iter().filter(|one| one.secret.is_some()) {
        taken.take(&finding.span);
    }
    for hit in keys::scan(text) {
        if taken.take(&hit.span) {
            let at = At {
                value: text[hit.span.clone()].to_owned(),
                span: hit.span,
            };
            finder.secrets(Place::File, None, &at);
        }
    }
}
