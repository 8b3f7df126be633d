//! The rules for texts: every reference resolves, and no secret is sent.
//!
//! Owns the scopes of symbols: which places, values and plants a text may name where it stands.

use std::{collections::HashMap, ops::Range};

use crate::probe::{
    Claim, FIELDS, Launch, PLACES, Plant, Probe, Reference, RepoPlant, Text, VALUES, Variant,
    check::{Problem, near},
    spans::Spans,
    technique_plants,
};

/// Fields of a plant that tell its name; sending one sends a token that the name may hold.
const NAMING: &[&str] = &["path", "name", "tail", "rel", "from-home", "from-cwd"];

/// Checks all texts of a probe.
pub(crate) fn run(probe: &Probe, spans: &Spans<'_>, problems: &mut Vec<Problem>) {
    let mut shared = Scope::default();
    let mut check = Texts {
        probe,
        spans,
        problems,
    };
    for (index, plant) in probe.plants.iter().enumerate() {
        check.plant(plant, &format!("plant.{index}"), None, &mut shared);
    }
    for text in probe.launch.iter().flat_map(launch_texts) {
        check.sent(text, None, &shared);
    }
    for (index, variant) in probe.variants.iter().enumerate() {
        let mut scope = shared.clone();
        for (number, plant) in variant.plants.iter().enumerate() {
            let path = format!("variant.{index}.plant.{number}");
            check.plant(plant, &path, Some(variant), &mut scope);
        }
        check.variant(variant, &scope);
        check.decidable(variant, &scope, &format!("variant.{index}.name"));
    }
}

/// The plants that a text may name.
type Scope = HashMap<String, Known>;

/// What the rules need to know of a plant.
#[derive(Debug, Clone, Copy)]
struct Known {
    carries_token: bool,
    token_in_name: bool,
    repo: bool,
    network: bool,
}

/// Whether a text is sent to the target or stays in the testbed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Use {
    Sent,
    Planted,
}

struct Texts<'a> {
    probe: &'a Probe,
    spans: &'a Spans<'a>,
    problems: &'a mut Vec<Problem>,
}

impl Texts<'_> {
    fn plant(&mut self, plant: &Plant, path: &str, variant: Option<&Variant>, scope: &mut Scope) {
        if scope.contains_key(&plant.name) {
            self.problems.push(Problem {
                code: "probe.plant-twice",
                message: format!("two plants are called `{}`", plant.name),
                span: self.spans.at(&format!("{path}.name")),
                help: "give each its own name".into(),
            });
        }
        let mut symbols = PLACES.iter().chain(VALUES);
        if symbols.any(|(symbol, _)| symbol.split('.').next() == Some(plant.name.as_str())) {
            self.problems.push(Problem {
                code: "probe.name",
                message: format!("`{}` is the name of a place or value", plant.name),
                span: self.spans.at(&format!("{path}.name")),
                help: "give the plant a name of its own".into(),
            });
        }
        let places = at_texts(plant);
        let known = Known {
            carries_token: bears_token(plant),
            token_in_name: places
                .iter()
                .flat_map(|text| text.references())
                .any(|reference| reference.symbol.ends_with(".token")),
            repo: plant.repo.is_some(),
            network: plant.on_network(),
        };
        // A plant may carry its own token, but its own place is not known before it is made.
        let mut inner = scope.clone();
        inner.insert(plant.name.clone(), known);
        for text in content_texts(plant) {
            self.text(text, Use::Planted, variant, &inner);
        }
        for text in places {
            for reference in text.references() {
                let own = reference.symbol.strip_prefix(plant.name.as_str());
                match own {
                    Some(".token" | ".tag") => {}
                    Some(field) if field.starts_with('.') => self.problems.push(Problem {
                        code: "probe.reference",
                        message: format!("`{}` places itself", plant.name),
                        span: reference.span.clone(),
                        help: "a plant's place may hold its own `token` or `tag` only".into(),
                    }),
                    _ => self.reference(reference, Use::Planted, variant, scope),
                }
            }
        }
        let over = plant.file.as_ref().is_some_and(|file| file.over.is_some())
            || plant
                .archive
                .iter()
                .flat_map(|archive| &archive.members)
                .any(|member| member.over.is_some());
        if over && self.probe.claim != Claim::MaxFileSize {
            self.problems.push(Problem {
                code: "probe.claim",
                message: "`over` needs a size limit, which this probe does not claim".into(),
                span: self.spans.at(path),
                help: "write `claim = \"max-file-size\"`, or remove `over`".into(),
            });
        }
        scope.entry(plant.name.clone()).or_insert(known);
    }

    fn variant(&mut self, variant: &Variant, scope: &Scope) {
        let texts = [
            &variant.path,
            &variant.source,
            &variant.content,
            &variant.find,
            &variant.pattern,
            &variant.ident,
            &variant.neighbour,
            &variant.then_read,
            &variant.then_text,
            &variant.url,
            &variant.host,
            &variant.port,
            &variant.text,
            &variant.cwd,
        ];
        let launch = variant.launch.iter().flat_map(launch_texts);
        for text in texts
            .into_iter()
            .flatten()
            .chain(variant.paths.iter().flatten())
            .chain(variant.headers.values())
            .chain(variant.env.values())
            .chain(launch)
        {
            self.sent(text, Some(variant), scope);
        }
    }

    /// A trial whose evidence nothing can carry would be held whatever the target does.
    fn decidable(&mut self, variant: &Variant, scope: &Scope, path: &str) {
        if variant.aspect.is_some() || self.probe.roles.is_empty() {
            return;
        }
        let span = self.spans.at(path);
        // Variables bring their own tokens.
        let mut kinds = self.probe.evidence.iter();
        let free = self.probe.claim == Claim::Variables || !kinds.all(|kind| kind.needs_plant());
        if !free && !scope.values().any(|plant| plant.carries_token) {
            let message = format!(
                "no plant of the variant `{}` can give evidence",
                variant.name
            );
            let help = "plant a file, repository, archive or fed pipe whose token may leak";
            self.push("probe.evidence", &span, message, help);
        }
        let technique = self.probe.technique_of(variant).unwrap_or_default();
        for name in technique_plants(technique) {
            if !scope.contains_key(*name) {
                let message = format!("{technique} works on a plant called `{name}`");
                let help = "give the plant that it works on that name";
                self.push("probe.technique", &span, message, help);
            }
        }
    }

    fn sent(&mut self, text: &Text, variant: Option<&Variant>, scope: &Scope) {
        self.text(text, Use::Sent, variant, scope);
    }

    fn text(&mut self, text: &Text, usage: Use, variant: Option<&Variant>, scope: &Scope) {
        for reference in text.references() {
            self.reference(reference, usage, variant, scope);
        }
    }

    fn reference(
        &mut self,
        reference: &Reference,
        usage: Use,
        variant: Option<&Variant>,
        scope: &Scope,
    ) {
        let symbol = reference.symbol.as_str();
        if PLACES
            .iter()
            .chain(VALUES)
            .any(|(known, _)| *known == symbol)
        {
            self.symbol(symbol, &reference.span, variant);
            return;
        }
        let plant = symbol
            .split_once('.')
            .and_then(|(plant, field)| scope.get(plant).map(|known| (*known, field)));
        let Some((known, field)) = plant else {
            self.unknown_symbol(symbol, &reference.span, scope);
            return;
        };
        if !FIELDS.iter().any(|(name, _)| *name == field) {
            self.push(
                "probe.reference",
                &reference.span,
                format!("a plant has no field `{field}`"),
                near(field, FIELDS.iter().map(|(name, _)| *name)),
            );
            return;
        }
        self.field(reference, known, field, usage, variant);
    }

    fn unknown_symbol(&mut self, symbol: &str, span: &Range<usize>, scope: &Scope) {
        let mut names: Vec<&str> = scope.keys().map(String::as_str).collect();
        names.sort_unstable();
        if let Some((plant, field)) = symbol.split_once('.')
            && FIELDS.iter().any(|(name, _)| *name == field)
        {
            let help = if names.is_empty() {
                String::from("no plant is declared before this line")
            } else {
                near(plant, names)
            };
            let message = format!("no plant called `{plant}` is declared before this line");
            self.push("probe.reference", span, message, help);
            return;
        }
        let known = PLACES.iter().chain(VALUES).map(|(name, _)| *name);
        let message = format!("`{symbol}` stands for nothing");
        let help = near(symbol, known.chain(names));
        self.push("probe.reference", span, message, help);
    }

    fn symbol(&mut self, symbol: &str, span: &Range<usize>, variant: Option<&Variant>) {
        let claim = self.probe.claim;
        let inside = matches!(
            claim,
            Claim::DeniedInside | Claim::DeniedPattern | Claim::ProtectedNames
        );
        if symbol.starts_with("inside") && !inside {
            let message =
                format!("`{symbol}` exists only where a rule covers a file inside the root");
            let help = format!(
                "the claim is `{claim}`; it takes denied-inside, denied-pattern or protected-names"
            );
            self.push("probe.claim", span, message, help);
        }
        if symbol.starts_with("net.") && !claim.of_network() && !self.probe.of_network() {
            let message =
                format!("`{symbol}` exists only where the claim or all roles are about hosts");
            let help = format!(
                "the claim is `{claim}`; it takes host or one of its kin, or roles such as http.fetch"
            );
            self.push("probe.claim", span, message, help);
        }
        for (of, needed, why) in [
            ("payload.over", Claim::MaxFileSize, "needs a size limit"),
            ("variable", Claim::Variables, "needs secrets in variables"),
        ] {
            if symbol == of && claim != needed {
                let message = format!("`{of}` {why}, which this probe does not claim");
                self.push(
                    "probe.claim",
                    span,
                    message,
                    format!("write `claim = \"{needed}\"`"),
                );
            }
        }
        if symbol == "attempt" && !self.technique(variant).starts_with("race.") {
            let message = "`attempt` counts the calls of a race, and this is none";
            self.push(
                "probe.technique",
                span,
                message,
                "write `technique = \"race.swap\"`",
            );
        }
    }

    fn field(
        &mut self,
        reference: &Reference,
        known: Known,
        field: &str,
        usage: Use,
        variant: Option<&Variant>,
    ) {
        let span = &reference.span;
        if field == "token" && usage == Use::Sent {
            let message = "a secret token would be sent to the target";
            let help = "an echo of it would look like a leak: send the `tag`, or the plant's path";
            self.push("probe.token-sent", span, message, help);
        }
        if NAMING.contains(&field) && known.token_in_name && usage == Use::Sent {
            let message = format!("`{}` holds a secret token", reference.symbol);
            let help = "send the directory (`dir`) or a link instead";
            self.push("probe.token-sent", span, message, help);
        }
        if matches!(field, "token" | "tag") && !known.carries_token {
            let message = "this plant carries no token";
            self.push(
                "probe.reference",
                span,
                message,
                "files, repositories, archives and fed pipes do",
            );
        }
        if field == "commit" && !known.repo {
            let message = "only a `repo` plant has a commit";
            self.push(
                "probe.reference",
                span,
                message,
                "refer to a plant of kind `repo`",
            );
        }
        if matches!(field, "nonce" | "request" | "host") && !known.network {
            let message = "only a `site` or a `record` has that";
            let help = "refer to a plant of the network";
            self.push("probe.reference", span, message, help);
        }
        if field == "fd" && self.technique(variant) != "fd.inherit" {
            let message = "no descriptor is inherited without the technique";
            self.push(
                "probe.technique",
                span,
                message,
                "write `technique = \"fd.inherit\"`",
            );
        }
    }

    fn technique<'v>(&'v self, variant: Option<&'v Variant>) -> &'v str {
        variant
            .map_or(self.probe.technique.as_deref(), |variant| {
                self.probe.technique_of(variant)
            })
            .unwrap_or_default()
    }

    fn push(
        &mut self,
        code: &'static str,
        span: &Range<usize>,
        message: impl Into<String>,
        help: impl Into<String>,
    ) {
        self.problems.push(Problem {
            code,
            message: message.into(),
            span: span.clone(),
            help: help.into(),
        });
    }
}

/// Whether a plant's kind holds a token. A plant without a kind is told elsewhere, and counts.
fn bears_token(plant: &Plant) -> bool {
    let bare = plant.dir.is_some()
        || plant.symlink.is_some()
        || plant.hardlink.is_some()
        || plant.record.is_some();
    let holds = plant.file.is_some()
        || plant.repo.is_some()
        || plant.program.is_some()
        || plant.archive.is_some();
    holds || plant.fifo.is_some() || !bare
}

fn launch_texts(launch: &Launch) -> impl Iterator<Item = &Text> {
    launch.cwd.iter().chain(launch.env.values())
}

fn at_texts(plant: &Plant) -> Vec<&Text> {
    let mut texts = Vec::new();
    texts.extend(plant.file.as_ref().map(|file| &file.at));
    texts.extend(plant.repo.as_ref().map(|repo| &repo.at));
    texts.extend(plant.placed().map(|placed| &placed.at));
    for link in [&plant.symlink, &plant.hardlink] {
        texts.extend(link.as_ref().map(|link| &link.at));
    }
    texts.extend(plant.archive.as_ref().map(|archive| &archive.at));
    texts
}

fn content_texts(plant: &Plant) -> Vec<&Text> {
    let mut texts = Vec::new();
    texts.extend(plant.file.as_ref().and_then(|file| file.content.as_ref()));
    texts.extend(plant.repo.iter().flat_map(RepoPlant::contents));
    for link in [&plant.symlink, &plant.hardlink] {
        texts.extend(link.as_ref().map(|link| &link.to));
    }
    for member in plant.archive.iter().flat_map(|archive| &archive.members) {
        texts.push(&member.name);
        let optional = [&member.content, &member.symlink, &member.hardlink];
        texts.extend(optional.into_iter().flatten());
    }
    if let Some(site) = &plant.site {
        texts.extend(site.body.iter().chain(site.headers.values()));
        texts.extend(
            [&site.unwanted_field, &site.unwanted_value]
                .into_iter()
                .flatten(),
        );
    }
    if let Some(record) = &plant.record {
        texts.extend(
            record
                .to
                .iter()
                .chain(&record.then)
                .chain(&record.next)
                .chain(&record.elsewhere),
        );
        texts.extend(
            record
                .alias
                .iter()
                .chain(&record.label)
                .chain(&record.called),
        );
    }
    texts
}
