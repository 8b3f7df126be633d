//! The rules for all but texts: words, names, slots, and what belongs together.
//!
//! Owns one function per subject; each mistake is told with its place and the fix.

use std::collections::HashSet;

use crate::probe::{
    Launch, Needs, Plant, Probe, ProbeId, RecordCheck, Role, Slot, Variant,
    check::{Problem, near},
    spans::Spans,
    technique_names::{TECHNIQUES, is_technique},
};

/// Checks all but the texts of a probe.
pub(crate) fn run(
    probe: &Probe,
    spans: &Spans<'_>,
    id: &ProbeId,
    flaws: Option<&[&str]>,
) -> Vec<Problem> {
    let mut check = Check {
        probe,
        spans,
        problems: Vec::new(),
    };
    check.head(id);
    check.references();
    check.selftest(flaws);
    for (index, plant) in probe.plants.iter().enumerate() {
        check.plant(plant, &format!("plant.{index}"));
    }
    check.variants();
    check.problems
}

/// The rules of one probe and what they found.
pub(super) struct Check<'a> {
    pub(super) probe: &'a Probe,
    spans: &'a Spans<'a>,
    problems: Vec<Problem>,
}

impl Check<'_> {
    pub(super) fn report(
        &mut self,
        code: &'static str,
        path: &str,
        message: impl Into<String>,
        help: impl Into<String>,
    ) {
        self.problems.push(Problem {
            code,
            message: message.into(),
            span: self.spans.at(path),
            help: help.into(),
        });
    }

    fn head(&mut self, id: &ProbeId) {
        if self.probe.format != 1 {
            let message = format!("format {} is not known", self.probe.format);
            self.report("probe.format", "format", message, "write `format = 1`");
        }
        if self.probe.id != *id {
            let message = format!("the id `{}` is not that of the file's place", self.probe.id);
            let help = format!(
                "write `id = \"{id}\"`, or move the file to {}/{}.toml",
                self.probe.id.boundary(),
                self.probe.id.name()
            );
            self.report("probe.id", "id", message, help);
        }
        for (key, text) in [
            ("title", &self.probe.title),
            ("question", &self.probe.question),
            ("why", &self.probe.why),
            ("fix", &self.probe.fix),
        ] {
            if text.trim().is_empty() {
                let message = format!("`{key}` is empty");
                self.report("probe.words", key, message, "reports print it: write it");
            }
        }
        if !self.probe.question.trim_end().ends_with('?') {
            let help = "ask one thing that a verdict can answer, ending in a question mark";
            self.report("probe.words", "question", "this is no question", help);
        }
        self.asks();
        for (index, role) in self.probe.roles.iter().enumerate() {
            let mut variants = self.probe.variants.iter();
            if !variants.any(|variant| self.probe.roles_of(variant).contains(role)) {
                let message = format!("no variant is tried on the role {role}");
                let help = "remove it, or give a variant for it";
                self.report("probe.role", &format!("roles.{index}"), message, help);
            }
        }
        // Missing lists are serde's to tell, empty ones were refused with the positions.
        if let Some(technique) = &self.probe.technique {
            self.technique(technique, "technique");
        }
        if let Some(launch) = &self.probe.launch {
            self.launch(launch, "launch");
        }
    }

    fn launch(&mut self, launch: &Launch, path: &str) {
        if launch.cwd.is_none() && launch.allowed.is_none() && launch.env.is_empty() {
            let help = "give `cwd`, `allowed` or `env`, or remove the table";
            self.report("probe.launch", path, "this launch changes nothing", help);
        }
    }

    fn technique(&mut self, name: &str, path: &str) {
        if !is_technique(name) {
            let message = format!("no technique is called `{name}`");
            let help = near(name, TECHNIQUES.iter().map(|(name, _)| *name));
            self.report("probe.technique", path, message, help);
        }
    }

    fn references(&mut self) {
        let references = &self.probe.references;
        for (index, cwe) in references.cwe.iter().enumerate() {
            if *cwe == 0 {
                let path = format!("references.cwe.{index}");
                self.report(
                    "probe.cwe",
                    &path,
                    "CWE-0 does not exist",
                    "give the number of a weakness",
                );
            }
        }
        for (index, cve) in references.cve.iter().enumerate() {
            if !is_cve(cve) {
                let path = format!("references.cve.{index}");
                let message = format!("`{cve}` is no CVE id");
                self.report("probe.cve", &path, message, "write it as CVE-2025-53109");
            }
        }
        for (index, entry) in references.owasp.iter().enumerate() {
            if !is_owasp(entry) {
                let path = format!("references.owasp.{index}");
                let message = format!("`{entry}` is no entry of the OWASP MCP Top 10");
                self.report(
                    "probe.owasp",
                    &path,
                    message,
                    "they run from MCP01 to MCP10",
                );
            }
        }
    }

    fn selftest(&mut self, flaws: Option<&[&str]>) {
        let by_launcher = self.probe.selftest.needs == Some(Needs::Launcher);
        if self.probe.selftest.breached.is_empty() != by_launcher {
            let (message, help) = if by_launcher {
                (
                    "what only a launcher gives is no flaw of the reference target",
                    "remove `breached`",
                )
            } else {
                (
                    "no flaw of the reference target is named",
                    "give `breached = [..]`: a probe that was never seen to fail proves nothing",
                )
            };
            self.report("probe.flaw", "selftest", message, help);
        }
        let Some(flaws) = flaws else { return };
        for (index, flaw) in self.probe.selftest.breached.iter().enumerate() {
            if !flaws.contains(&flaw.as_str()) {
                let path = format!("selftest.breached.{index}");
                let message = format!("the reference target has no flaw `{flaw}`");
                let help = near(flaw, flaws.iter().copied());
                self.report("probe.flaw", &path, message, help);
            }
        }
    }

    fn plant(&mut self, plant: &Plant, path: &str) {
        let kinds = [
            plant.file.is_some(),
            plant.dir.is_some(),
            plant.symlink.is_some(),
            plant.hardlink.is_some(),
            plant.fifo.is_some(),
            plant.repo.is_some(),
            plant.program.is_some(),
            plant.process.is_some(),
            plant.archive.is_some(),
            plant.site.is_some(),
            plant.record.is_some(),
            plant.socket.is_some(),
        ];
        let count = kinds.into_iter().filter(|given| *given).count();
        if count != 1 {
            let message = format!("the plant `{}` has {count} kinds", plant.name);
            let help = "give exactly one of file, dir, symlink, hardlink, fifo, repo, program, process, archive, site, record, socket";
            self.report("probe.plant-kind", path, message, help);
        }
        if !is_kebab(&plant.name) {
            let message = format!("`{}` is no plant name", plant.name);
            let help = "use lower-case words joined by hyphens";
            self.report("probe.name", &format!("{path}.name"), message, help);
        }
        if let Some(file) = &plant.file
            && file.content.is_some()
            && file.over.is_some()
        {
            let help = "`over` makes its own content: remove one of the two";
            let message = "a file has either exact content or a size";
            self.report(
                "probe.plant-kind",
                &format!("{path}.file.over"),
                message,
                help,
            );
        }
        for (index, member) in plant
            .archive
            .iter()
            .flat_map(|a| a.members.iter().enumerate())
        {
            let given = [
                member.content.is_some(),
                member.over.is_some(),
                member.zeros.is_some(),
                member.symlink.is_some(),
                member.hardlink.is_some(),
            ];
            if given.into_iter().filter(|given| *given).count() > 1 {
                let path = format!("{path}.archive.members.{index}");
                let help = "give at most one of content, over, zeros, symlink, hardlink";
                self.report("probe.plant-kind", &path, "a member is one thing", help);
            }
        }
    }

    fn variants(&mut self) {
        let mut seen = HashSet::new();
        for (index, variant) in self.probe.variants.iter().enumerate() {
            let path = format!("variant.{index}");
            if !is_kebab(&variant.name) {
                let message = format!("`{}` is no variant name", variant.name);
                let help = "use lower-case words joined by hyphens; it is part of trial ids";
                self.report("probe.name", &format!("{path}.name"), message, help);
            }
            if !seen.insert(variant.name.as_str()) {
                let message = format!("two variants are called `{}`", variant.name);
                let help = "give each its own name: a trial id holds it";
                self.report(
                    "probe.variant-twice",
                    &format!("{path}.name"),
                    message,
                    help,
                );
            }
            for (number, plant) in variant.plants.iter().enumerate() {
                self.plant(plant, &format!("{path}.plant.{number}"));
            }
            if let Some(technique) = &variant.technique {
                self.technique(technique, &format!("{path}.technique"));
            }
            if variant
                .no_twin
                .as_deref()
                .is_some_and(|why| why.trim().is_empty())
            {
                let help = "say why no permitted twin can exist, or remove the key";
                self.report(
                    "probe.words",
                    &format!("{path}.no_twin"),
                    "the reason is empty",
                    help,
                );
            }
            for (number, role) in variant.roles.iter().enumerate() {
                if !self.probe.roles.contains(role) {
                    let path = format!("{path}.roles.{number}");
                    let message = format!("the probe does not list the role {role}");
                    self.report(
                        "probe.role",
                        &path,
                        message,
                        "add it to the probe's `roles`",
                    );
                }
            }
            if let Some(launch) = &variant.launch {
                self.launch(launch, &format!("{path}.launch"));
            }
            self.strain(variant, &path);
            self.aspect(variant, &path);
            self.slots(variant, &path);
            self.path_json(variant, &path);
        }
    }

    fn slots(&mut self, variant: &Variant, path: &str) {
        let given = given_slots(variant);
        let roles = self.probe.roles_of(variant);
        for (slot, key) in &given {
            let has =
                |role: &Role| role.slots().contains(slot) || role.optional_slots().contains(slot);
            let knocks = variant.audit == Some(RecordCheck::Stranger) && *slot == Slot::Headers;
            if !self.probe.observes() && !knocks && !roles.iter().any(has) {
                let names: Vec<String> = roles.iter().map(ToString::to_string).collect();
                let message = format!("no role of this variant has a slot `{slot}`");
                let help = format!(
                    "its roles are {}; remove the key or change `roles`",
                    names.join(", ")
                );
                self.report("probe.slot", &format!("{path}.{key}"), message, help);
            }
        }
        let plain = variant.audit.is_some() && given.is_empty();
        for role in roles {
            for (number, slot) in role.slots().iter().enumerate() {
                let bulk = variant
                    .strain
                    .as_ref()
                    .is_some_and(|strain| strain.bulk.is_some());
                let optional = match slot {
                    _ if plain || (bulk && number == 0) => true,
                    // A diff must be spelled out; elsewhere the payload or a planted line is meant.
                    Slot::Content => role.slots().len() > 1,
                    Slot::Find | Slot::Port => true,
                    _ => false,
                };
                if !optional && !given.iter().any(|(given, _)| given == slot) {
                    let message = format!(
                        "the variant `{}` does not fill the slot `{slot}` of {role}",
                        variant.name
                    );
                    let help =
                        format!("give `{slot} = ..`, or name other `roles` for this variant");
                    self.report("probe.slot", &format!("{path}.name"), message, help);
                }
            }
            if let Some(part) = variant.part
                && !part
                    .slots()
                    .iter()
                    .all(|slot| role.optional_slots().contains(slot))
            {
                let message = format!("{role} cannot read a part of a file");
                let help = "keep such a variant to roles = [\"file.read\"]";
                self.report("probe.slot", &format!("{path}.part"), message, help);
            }
        }
    }

    fn path_json(&mut self, variant: &Variant, path: &str) {
        let Some(json) = &variant.path_json else {
            return;
        };
        let path = format!("{path}.path_json");
        if let Err(error) = serde_json::from_str::<serde_json::Value>(json) {
            let message = format!("this is no JSON: {error}");
            self.report(
                "probe.json",
                &path,
                message,
                "write the exact JSON text that is sent",
            );
        }
        if variant.path.is_none() {
            let help = "give `path` too: it says what `@path@` stands for";
            self.report("probe.json", &path, "`path_json` without `path`", help);
        }
    }
}

/// The slots that a variant fills, with the key that fills each.
pub(super) fn given_slots(variant: &Variant) -> Vec<(Slot, &'static str)> {
    [
        (
            Slot::Path,
            "path",
            variant.path.is_some() || variant.path_json.is_some(),
        ),
        (Slot::Paths, "paths", variant.paths.is_some()),
        (Slot::Source, "source", variant.source.is_some()),
        (Slot::Content, "content", variant.content.is_some()),
        (Slot::Find, "find", variant.find.is_some()),
        (Slot::Pattern, "pattern", variant.pattern.is_some()),
        (Slot::Ident, "ident", variant.ident.is_some()),
        (Slot::Url, "url", variant.url.is_some()),
        (Slot::Host, "host", variant.host.is_some()),
        (Slot::Port, "port", variant.port.is_some()),
        (Slot::Text, "text", variant.text.is_some()),
        (Slot::Headers, "headers", !variant.headers.is_empty()),
        (Slot::Cwd, "cwd", variant.cwd.is_some()),
        (Slot::Env, "env", !variant.env.is_empty()),
    ]
    .into_iter()
    .filter_map(|(slot, key, given)| given.then_some((slot, key)))
    .collect()
}

/// Lower-case letters and digits in words joined by single hyphens.
pub(crate) fn is_kebab(word: &str) -> bool {
    !word.is_empty()
        && word.split('-').all(|part| {
            !part.is_empty()
                && part
                    .bytes()
                    .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit())
        })
}

fn is_cve(id: &str) -> bool {
    let digits = |text: &str, least: usize| {
        text.len() >= least && text.bytes().all(|byte| byte.is_ascii_digit())
    };
    id.strip_prefix("CVE-")
        .and_then(|rest| rest.split_once('-'))
        .is_some_and(|(year, number)| year.len() == 4 && digits(year, 4) && digits(number, 4))
}

fn is_owasp(entry: &str) -> bool {
    entry
        .strip_prefix("MCP")
        .filter(|number| number.len() == 2)
        .and_then(|number| number.parse::<u8>().ok())
        .is_some_and(|number| (1..=10).contains(&number))
}
