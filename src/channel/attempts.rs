//! The ways to ask a tool: path form, file type, pattern, and which parameters.
//!
//! Owns which are tried and in which order. Knows nothing of how one is judged.

use serde_json::{Map, Value};

use super::{
    commands::{likely, names},
    extensions::{extension, extensions},
    fill::{MADE_UP, pathlike},
    flatten::Leaf,
    fresh::NEW,
    prove::Learned,
    score::Candidate,
    slots::{Binding, single},
    uri::{Shape, advertised, described, quoted},
    words::words,
};
use crate::{
    channel::{ALLOWED, BIND, Channel, NetForm, PathForm, PatternForm, UriForm},
    probe::{Role, Slot},
    session::Tool,
};

/// One way to ask.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Attempt {
    pub(super) binding: usize,
    pub(super) form: PathForm,
    pub(super) uri: Option<UriForm>,
    pub(super) net: NetForm,
    pub(super) extension: &'static str,
    pub(super) bare: bool,
    pub(super) pattern: PatternForm,
    pub(super) recipe: Option<&'static str>,
    /// Whether a word that is made up stands for the allowed directory: what it names must be there.
    pub(super) here: bool,
    /// Whether what is fetched is put under a plain name, and not under a path.
    pub(super) plain_name: bool,
}

impl Attempt {
    /// The channel as this attempt would use it.
    pub(super) fn apply(&self, draft: &Channel) -> Channel {
        Channel {
            form: self.form,
            bare: self.bare,
            uri: self.uri.clone(),
            net: match (draft.net, self.net) {
                // Learned from a refusal.
                (NetForm::Secure, NetForm::Whole) => NetForm::Secure,
                (_, net) => net,
            },
            extension: self.extension.to_owned(),
            pattern: self.pattern,
            recipe: self.recipe.map(str::to_owned),
            fixed: match (self.here, self.plain_name) {
                (true, _) => instead(&draft.fixed, MADE_UP, "."),
                (_, true) => {
                    let path = format!("{ALLOWED}/{NEW}");
                    instead(&draft.fixed, &path, &format!("{NEW}.txt"))
                }
                _ => draft.fixed.clone(),
            },
            ..draft.clone()
        }
    }
}

/// All ways to ask, most likely first.
pub(super) fn attempts(
    tool: &Tool,
    candidate: &Candidate,
    learned: Option<Learned>,
    uris: &[String],
) -> Vec<Attempt> {
    let role = candidate.role;
    let mut queue: Vec<Attempt> = Vec::new();
    let mut add = |attempt: Attempt| {
        if !queue.contains(&attempt) {
            queue.push(attempt);
        }
    };
    let extensions = extensions(tool, role);
    let plain = |binding: usize, form: PathForm| Attempt {
        binding,
        form,
        uri: None,
        net: NetForm::default(),
        extension: extensions[0],
        bare: false,
        pattern: PatternForm::Plain,
        recipe: None,
        here: false,
        plain_name: false,
    };
    if role.executes() {
        for recipe in likely(tool, candidate) {
            for index in 0..candidate.bindings.len() {
                add(Attempt {
                    recipe: Some(recipe.name),
                    ..plain(index, PathForm::Absolute)
                });
            }
        }
        return queue;
    }
    if role.of_network() {
        for (index, binding) in candidate.bindings.iter().enumerate() {
            for net in net_forms(candidate, binding) {
                add(Attempt {
                    net,
                    ..plain(index, PathForm::Absolute)
                });
            }
        }
        if candidate.form.leaves.iter().any(pathlike) {
            let named: Vec<Attempt> = queue.clone();
            queue.extend(named.into_iter().map(|attempt| Attempt {
                plain_name: true,
                ..attempt
            }));
        }
        return queue;
    }
    let (learned, uri) = learned.unzip();
    if let (Some(form), Some(Some(uri))) = (learned, uri.clone()) {
        add(Attempt {
            uri: Some(uri),
            ..plain(0, form)
        });
    }
    let learned = learned.filter(|_| uri.flatten().is_none());
    let forms = |binding: &Binding| forms(candidate, binding, learned);
    // All forms of the best binding, then the best form of the others, then their other forms.
    let first = forms(&candidate.bindings[0]);
    let shapes = shapes(tool, candidate, uris);
    for (at, form) in first.iter().enumerate() {
        add(plain(0, *form));
        if at == 0 {
            let within = |shape| by_uri(shape, &plain(0, PathForm::Relative));
            shapes.iter().flat_map(within).for_each(&mut add);
        }
    }
    for (index, binding) in candidate.bindings.iter().enumerate().skip(1) {
        add(plain(index, forms(binding)[0]));
    }
    if role == Role::FileSearch {
        for pattern in [PatternForm::Glob, PatternForm::DeepGlob] {
            for form in first.iter().take(2) {
                add(Attempt {
                    pattern,
                    ..plain(0, *form)
                });
            }
        }
    }
    if matches!(role, Role::RepoCreate | Role::ArchiveExtract) {
        add(Attempt {
            bare: true,
            ..plain(0, first[0])
        });
    }
    if takes_bare_names(candidate) {
        add(Attempt {
            bare: true,
            ..plain(0, PathForm::Relative)
        });
    }
    if candidate.role == Role::FileWrite {
        // An identifier, to which the tool adds directory and extension.
        for extension in [".md", ".txt", ".json"] {
            add(Attempt {
                bare: true,
                extension,
                ..plain(0, PathForm::Stem)
            });
        }
    }
    let shelves: Vec<usize> = (0..candidate.bindings.len())
        .filter(|index| candidate.bindings[*index].split())
        .collect();
    let named = candidate.role == Role::IdentRead;
    if !shelves.is_empty() {
        for extension in extensions.iter().take(if named { 3 } else { 1 }) {
            for shelf in &shelves {
                add(Attempt {
                    extension,
                    ..plain(*shelf, PathForm::SplitRelative)
                });
            }
            add(Attempt {
                here: true,
                extension,
                ..plain(0, PathForm::Relative)
            });
        }
    }
    for extension in &extensions[1..] {
        add(Attempt {
            extension,
            ..plain(0, first[0])
        });
    }
    for (index, binding) in candidate.bindings.iter().enumerate().skip(1) {
        for form in forms(binding) {
            add(plain(index, form));
        }
    }
    queue
}

/// Arguments with another text in place of one.
fn instead(fixed: &Map<String, Value>, old: &str, new: &str) -> Map<String, Value> {
    let value = |value: &Value| match value {
        Value::String(text) if text == old => Value::from(new),
        other => other.clone(),
    };
    let members = fixed.iter();
    members
        .map(|(name, told)| (name.clone(), value(told)))
        .collect()
}

/// The URIs that a tool may want paths in, where it tells of any; those of resources, for what reads these.
fn shapes(tool: &Tool, candidate: &Candidate, uris: &[String]) -> Vec<Shape> {
    if candidate.role == Role::ResourceRead {
        return advertised(uris);
    }
    let mut shapes = described(tool);
    let main = candidate.role.slots()[0];
    let named = leaf(candidate, &candidate.bindings[0], main)
        .is_some_and(|leaf| words(&leaf.name).iter().any(|word| word == "uri"));
    if shapes.is_empty() && named {
        shapes = advertised(uris);
    }
    shapes
}

/// The ways to put a path into a URI: as it is below the allowed directory, as a client would
/// escape it, and the whole of it where nothing but the scheme stands before it.
fn by_uri(shape: &Shape, plain: &Attempt) -> Vec<Attempt> {
    let way = |prefix: &str, form: PathForm, escaped: bool, bare: bool| Attempt {
        form,
        bare,
        uri: Some(UriForm {
            prefix: prefix.to_owned(),
            escaped,
        }),
        extension: shape.extension.unwrap_or(plain.extension),
        ..plain.clone()
    };
    let prefix = shape.prefix.as_str();
    let mut ways = vec![way(prefix, PathForm::Relative, false, false)];
    if shape.escaped {
        ways.push(way(prefix, PathForm::Relative, true, false));
    }
    if let Some(scheme) = shape.scheme_alone() {
        ways.push(way(scheme, PathForm::Absolute, false, false));
        if shape.escaped {
            ways.push(way(prefix, PathForm::Absolute, true, false));
        }
    }
    ways.push(way(prefix, PathForm::Relative, shape.escaped, true));
    ways
}

/// The forms in which a binding may want hosts, most likely first.
fn net_forms(candidate: &Candidate, binding: &Binding) -> Vec<NetForm> {
    let leaf = |slot: Slot| leaf(candidate, binding, slot);
    match candidate.role {
        Role::HttpFetch
            if binding
                .slots
                .get(&Slot::Url)
                .is_some_and(|url| url.len() > 1) =>
        {
            vec![NetForm::Split, NetForm::SplitBase]
        }
        Role::HttpFetch => {
            let host = leaf(Slot::Url).is_some_and(|leaf| {
                words(&leaf.name)
                    .iter()
                    .any(|word| matches!(word.as_str(), "domain" | "host" | "hostname" | "site"))
            });
            if host {
                vec![NetForm::Host, NetForm::Whole]
            } else {
                vec![NetForm::Whole, NetForm::Bare]
            }
        }
        Role::ApiPath => vec![NetForm::Whole, NetForm::Rooted],
        Role::NetConnect if binding.slots.get(&Slot::Host) == binding.slots.get(&Slot::Port) => {
            vec![NetForm::Whole]
        }
        Role::NetConnect => {
            let text = leaf(Slot::Port)
                .is_some_and(|leaf| !leaf.guessed && leaf.takes_text() && !leaf.takes_number());
            if text {
                vec![NetForm::TextPort, NetForm::Whole]
            } else {
                vec![NetForm::Whole, NetForm::TextPort]
            }
        }
        _ => vec![NetForm::Whole],
    }
}

/// The parameter that a binding puts a slot into.
fn leaf<'c>(candidate: &'c Candidate, binding: &Binding, slot: Slot) -> Option<&'c Leaf> {
    let pointer = binding.slots.get(&slot)?.first()?;
    candidate
        .form
        .leaves
        .iter()
        .find(|leaf| leaf.pointer == *pointer || single(&leaf.pointer) == *pointer)
}

/// The forms in which a binding may want paths, most likely first.
fn forms(candidate: &Candidate, binding: &Binding, learned: Option<PathForm>) -> Vec<PathForm> {
    if binding.split() && candidate.role == Role::IdentRead {
        return vec![PathForm::SplitRelative];
    }
    if binding.split() {
        return vec![PathForm::Split, PathForm::SplitRelative];
    }
    match candidate.role {
        Role::ResourceRead => return vec![PathForm::Uri],
        Role::IdentRead => return vec![PathForm::Relative],
        Role::FilePatch => return vec![PathForm::Relative, PathForm::Absolute],
        _ => {}
    }
    let main = candidate.role.slots()[0];
    let (name, about) = leaf(candidate, binding, main)
        .map_or((Vec::new(), String::new()), |leaf| {
            (words(&leaf.name), leaf.description.to_lowercase())
        });
    let by_uri = name
        .iter()
        .any(|word| matches!(word.as_str(), "uri" | "url" | "href"));
    let mentions_uri = by_uri || about.contains("uri") || about.contains("url");
    let mut order = Vec::new();
    if by_uri {
        order.push(PathForm::Uri);
    }
    if about.contains("relative") && !about.contains("absolute") {
        order.push(PathForm::Relative);
    }
    order.extend(learned.filter(|form| is_of_any_role(*form)));
    let patterns = [PathForm::RelativeGlob, PathForm::Glob];
    let lists = candidate.role == Role::DirList;
    let by_pattern = lists
        && name
            .iter()
            .any(|word| matches!(word.as_str(), "glob" | "pattern"));
    order.extend(patterns.into_iter().filter(|_| by_pattern));
    order.extend([PathForm::Absolute, PathForm::Relative, PathForm::Rooted]);
    order.extend(
        patterns
            .into_iter()
            .filter(|_| lists && candidate.score < BIND),
    );
    if mentions_uri {
        order.push(PathForm::Uri);
    }
    let mut forms: Vec<PathForm> = Vec::new();
    for form in order {
        if !forms.contains(&form) && (form != PathForm::Uri || mentions_uri) {
            forms.push(form);
        }
    }
    forms
}

/// Whether what one tool takes may be what another takes, whatever they do.
fn is_of_any_role(form: PathForm) -> bool {
    !matches!(
        form,
        PathForm::Stem
            | PathForm::Split
            | PathForm::SplitRelative
            | PathForm::Glob
            | PathForm::RelativeGlob
    )
}

/// Whether files directly in the allowed directory are worth a try: some tools take names only.
fn takes_bare_names(candidate: &Candidate) -> bool {
    matches!(
        candidate.role,
        Role::FileRead
            | Role::FileReadMany
            | Role::FileInfo
            | Role::FileWrite
            | Role::FileEdit
            | Role::FileMove
            | Role::FileCopy
            | Role::FileSave
            | Role::ArchiveRead
    )
}

/// Takes from an answer which file types or commands the tool wants, and puts those attempts first.
pub(super) fn hint(answer: &str, tried: &[Attempt], queue: &mut Vec<Attempt>) {
    let Some(attempt) = tried.last().filter(|_| answer.len() <= 2048) else {
        return;
    };
    if attempt.recipe.is_some() {
        let told = words(answer);
        queue.sort_by_key(|attempt| !attempt.recipe.is_some_and(|name| names(&told, name)));
    }
    let named = answer
        .split(|letter: char| !(letter.is_alphanumeric() || letter == '.'))
        .filter_map(|word| word.rsplit_once('.'))
        // `.md` names a type; `a.md` may be the file that was asked for.
        .filter(|(stem, _)| stem.is_empty())
        .filter_map(|(_, ending)| extension(&ending.to_lowercase()));
    let wanted: Vec<Attempt> = named
        .map(|extension| Attempt {
            extension,
            ..attempt.clone()
        })
        .filter(|attempt| !tried.contains(attempt))
        .collect();
    // An answer that refuses what it was given may tell what it takes.
    let named = match attempt.uri {
        None if attempt.recipe.is_none() => quoted(answer),
        _ => Vec::new(),
    };
    let plain = Attempt {
        bare: false,
        ..attempt.clone()
    };
    let by_uri = named.iter().flat_map(|shape| by_uri(shape, &plain));
    let wanted = by_uri
        .filter(|attempt| !tried.contains(attempt))
        .chain(wanted)
        .collect::<Vec<_>>();
    for attempt in wanted.into_iter().rev() {
        queue.retain(|other| *other != attempt);
        queue.insert(0, attempt);
    }
}
