//! What else a tool does whose first role is known: where its output goes, and what its other paths take.
//!
//! Owns which parameters are tried again beside a proven channel, and as what. What is believed is decided by the
//! proof, as everywhere; what is not proven is forgotten.

use std::sync::atomic::Ordering;

use serde_json::Value;

use super::{
    arguments::{ALLOWED, put},
    bench::common_word,
    fill::{draft, pathlike, side_file},
    flatten::{Form, Leaf},
    found::Found,
    guess::may_steer,
    meaning::meaning,
    prove::{Lab, Steered},
    reach::place_values,
    score::{Candidate, candidates, forms, writes},
    slots::{Binding, NAME, leaf_score, on_shelves, single},
    words::{self, Words, words},
};
use crate::{
    channel::{Arrival, BIND, Channel, NetForm, PathForm, Proof, RESOURCES_READ},
    probe::{Role, Slot},
    session::{Caller, Tool},
};

/// Parameters of one tool that are tried again.
const PARAMETERS: usize = 4;
/// The word in addresses that are sent whenever a tool has to fetch something.
const FETCHED: &str = "fetched";

impl<C: Caller> Lab<'_, C> {
    /// Tries the parameters of a tool that no channel of it drives: as the other end of what it does, as another of
    /// its inputs, or as the file in which it searches.
    pub(super) async fn seconds(&self, order: usize, tool: &Tool, found: &mut Found) {
        if found.skipped.is_some() || tool.name == RESOURCES_READ || tool.is_prompt() {
            return;
        }
        self.one_file(order, tool, found).await;
        self.two_ends(order, tool, found).await;
        let bases: Vec<Channel> = found
            .channels
            .iter()
            .filter(|channel| channel.proof.proven() && channel.then.is_none())
            .cloned()
            .collect();
        for base in bases {
            for form in forms(tool) {
                for candidate in self.others(&base, &form, found) {
                    if self.hangs(order) || self.gone.load(Ordering::Relaxed) {
                        return;
                    }
                    let slots = &candidate.bindings[0].slots;
                    let main = candidate.role.slots()[0];
                    let same = |channel: &Channel| {
                        channel.role == candidate.role
                            && channel.slots.get(&main) == slots.get(&main)
                    };
                    // The first role that is proven for a parameter is enough; a name may be apart and in a pair.
                    let mut places = slots.values().flatten().map(|pointer| single(pointer));
                    let apart = candidate.role == base.role;
                    let known = found.channels.iter().any(same)
                        || !apart && places.all(|place| driven(&found.channels, &place));
                    if known || (writes(candidate.role) && self.ground.read_only) {
                        continue;
                    }
                    found
                        .channels
                        .extend(self.along(order, &candidate, &base).await);
                }
            }
        }
    }

    /// What the idle parameters beside a proven channel may be, the most telling first.
    fn others(&self, base: &Channel, form: &Form, found: &Found) -> Vec<Candidate> {
        let idle = |leaf: &&Leaf| !driven(&found.channels, &single(&leaf.pointer));
        let idle = form.leaves.iter().filter(idle);
        let paths = idle.clone().filter(|leaf| may_be_a_path(leaf, base));
        let paths = paths.take(PARAMETERS);
        let mut others: Vec<Candidate> = paths.flat_map(|leaf| roles(base, form, leaf)).collect();
        let urls = idle.filter(|leaf| may_be_a_url(leaf, base));
        others.extend(urls.take(PARAMETERS).map(|leaf| {
            let slots = vec![(Slot::Url, vec![single(&leaf.pointer)])];
            candidate(base, form, Role::HttpFetch, slots)
        }));
        others.extend(apart(base, form));
        others
    }

    /// Proves a candidate with the plain call of a proven channel around it.
    async fn along(&self, order: usize, candidate: &Candidate, base: &Channel) -> Option<Channel> {
        let mut channel = Channel {
            role: candidate.role,
            slots: candidate.bindings[0].slots.clone(),
            keeps: None,
            action: None,
            ..base.clone()
        };
        for (pointer, value) in self.plain(base) {
            let taken = |own: &String| single(own) == single(&pointer);
            if !channel.slots.values().flatten().any(taken) {
                put_fixed(&mut channel, &pointer, value);
            }
        }
        let main = channel.role.slots()[0];
        let split = channel.slots.get(&main).is_some_and(|all| all.len() > 1);
        let was_split = base.slots.get(&main).filter(|all| all.len() > 1);
        if let (Some(pair), false) = (was_split, split) {
            // Below the allowed directory itself, the name alone says where.
            put_fixed(&mut channel, &pair[0], Value::from("."));
            channel.form = PathForm::Relative;
        }
        if split {
            for form in [PathForm::Split, PathForm::SplitRelative] {
                let channel = Channel {
                    form,
                    ..channel.clone()
                };
                if let Some(found) = self.way(order, channel, &candidate.form, false).await {
                    return found;
                }
            }
            return None;
        }
        if channel.role.of_network() {
            let way = self.way(order, channel, &candidate.form, false).await;
            return way.flatten();
        }
        self.ways(order, channel, &candidate.form).await
    }

    /// Proves a channel as it is. Nothing where nothing came of it; no channel where it was refuted.
    async fn way(
        &self,
        order: usize,
        channel: Channel,
        form: &Form,
        bare: bool,
    ) -> Option<Option<Channel>> {
        let steps = match self.steer(order, &channel, bare).await {
            Steered::Proven(steps) => steps,
            Steered::Refuted(_) => return Some(None),
            Steered::Silent { .. } => return None,
        };
        let proof = Proof::Proven { steps };
        let channel = Channel {
            proof,
            bare,
            ..channel
        };
        Some(Some(self.over(order, channel, Some(form), bare).await))
    }

    /// Proves a channel in the forms in which it may want paths.
    async fn ways(&self, order: usize, channel: Channel, form: &Form) -> Option<Channel> {
        let mut ways = vec![(channel.form, false)];
        for way in [
            (PathForm::Absolute, false),
            (PathForm::Relative, false),
            (PathForm::Relative, true),
        ] {
            if !ways.contains(&way) {
                ways.push(way);
            }
        }
        for (path, bare) in ways {
            let channel = Channel {
                form: path,
                ..channel.clone()
            };
            if let Some(found) = self.way(order, channel, form, bare).await {
                return found;
            }
            if self.hangs(order) || self.gone.load(Ordering::Relaxed) {
                break;
            }
        }
        None
    }

    /// What the slots of a proven channel hold in a plain call.
    fn plain(&self, base: &Channel) -> Vec<(String, Value)> {
        let side = || Value::from(format!("{ALLOWED}/{}", side_file(&base.extension)));
        if let (true, Some(net)) = (base.role.of_network(), self.ground.net) {
            let place = net.place(&common_word(), Arrival::of(base.role));
            let arguments = base.arguments(&place_values(base, &place), self.ground.told);
            let arguments = Value::Object(arguments);
            let pointers = base.slots.values().flatten();
            return pointers
                .filter_map(|pointer| {
                    let mut value = arguments.pointer(&single(pointer))?.clone();
                    // Whatever lies there is the same in the next run; but a name leads nowhere then.
                    if base.net != NetForm::Host
                        && let Value::String(text) = &mut value
                    {
                        *text = text.replace(&place.nonce, FETCHED);
                    }
                    Some((pointer.clone(), value))
                })
                .collect();
        }
        base.slots
            .iter()
            .filter_map(|(slot, pointers)| {
                let [pointer] = pointers.as_slice() else {
                    return None;
                };
                let value = match slot {
                    Slot::Path if base.role == Role::DirList => Value::from(ALLOWED),
                    Slot::Path if base.role == Role::FileSearch => Value::from(ALLOWED),
                    Slot::Path => side(),
                    Slot::Pattern => Value::from("note"),
                    Slot::Text if base.role == Role::SqlQuery => Value::from("SELECT 1"),
                    Slot::Text if base.role == Role::ExecExpression => Value::from("1 + 1"),
                    _ => return None,
                };
                Some((pointer.clone(), value))
            })
            .collect()
    }

    /// A tool that takes two paths and was not seen to do anything with either: from one to the other.
    async fn two_ends(&self, order: usize, tool: &Tool, found: &mut Found) {
        let carries = |role: Role| matches!(role, Role::FileCopy | Role::FileMove);
        let mut roles = found.dropped.iter().map(|(role, _)| *role);
        // What was tried as such and did not do it is no such tool.
        let tried = roles.any(carries) || found.channels.iter().any(|other| carries(other.role));
        let proven = found.channels.iter().any(|channel| channel.proof.proven());
        if proven || tried || self.ground.read_only {
            return;
        }
        for form in forms(tool) {
            let path = |leaf: &&Leaf| {
                leaf.takes_text()
                    && !leaf.guessed
                    && !leaf.in_array()
                    && leaf.choices.is_empty()
                    && (pathlike(leaf) || is_output(leaf))
            };
            let mut leaves: Vec<&Leaf> = form.leaves.iter().filter(path).take(PARAMETERS).collect();
            // What says that something goes there is likeliest the end.
            leaves.sort_by_key(|leaf| !is_output(leaf));
            let pairs = leaves.iter().flat_map(|target| {
                let others = leaves.iter().filter(|leaf| leaf.pointer != target.pointer);
                others.map(|source| (*source, *target))
            });
            // Which is which must be told where something of the user's could be lost by a wrong guess.
            let pairs = pairs.filter(|(_, target)| self.ground.forgets || is_output(target));
            for (source, target) in pairs.take(PARAMETERS) {
                let place = |leaf: &Leaf| vec![single(&leaf.pointer)];
                let slots = [(Slot::Source, place(source)), (Slot::Path, place(target))];
                let candidate = Candidate {
                    role: Role::FileCopy,
                    score: BIND,
                    form: form.clone(),
                    bindings: vec![Binding {
                        slots: slots.into_iter().collect(),
                    }],
                    choice: None,
                };
                let channel = draft(tool, &candidate, &candidate.bindings[0]);
                if let Some(channel) = self.ways(order, channel, &form).await {
                    found.channels.clear();
                    found.channels.push(channel);
                    return;
                }
                if self.hangs(order) || self.gone.load(Ordering::Relaxed) {
                    return;
                }
            }
        }
    }

    /// A tool that searches in one file, and in no directory: what it finds by a pattern that fits all, it reads.
    async fn one_file(&self, order: usize, tool: &Tool, found: &mut Found) {
        let proven = |role: Role| {
            let mut channels = found.channels.iter();
            channels.any(|channel| channel.role == role && channel.proof.proven())
        };
        if proven(Role::FileSearch) || proven(Role::FileRead) {
            return;
        }
        let mut searches = candidates(tool).into_iter();
        let Some(search) = searches.find(|candidate| candidate.role == Role::FileSearch) else {
            return;
        };
        for binding in &search.bindings {
            let (Some(path), Some(pattern)) = (
                binding.slots.get(&Slot::Path),
                binding
                    .slots
                    .get(&Slot::Pattern)
                    .and_then(|all| all.first()),
            ) else {
                continue;
            };
            let slots = [(Slot::Path, path.clone())].into_iter().collect();
            let candidate = Candidate {
                role: Role::FileRead,
                bindings: vec![Binding { slots }],
                ..search.clone()
            };
            for all in [".", " ", "a"] {
                let mut channel = draft(tool, &candidate, &candidate.bindings[0]);
                put_fixed(&mut channel, pattern, Value::from(all));
                let channel = self.ways(order, channel, &candidate.form).await;
                if self.hangs(order) || self.gone.load(Ordering::Relaxed) {
                    return;
                }
                if let Some(mut channel) = channel {
                    channel.slots.insert(Slot::Pattern, vec![pattern.clone()]);
                    found
                        .channels
                        .retain(|other| other.role != Role::FileSearch);
                    found.channels.push(channel);
                    return;
                }
            }
        }
    }
}

/// What a parameter may be beside those of a proven channel, the most telling first.
fn roles(base: &Channel, form: &Form, leaf: &Leaf) -> Vec<Candidate> {
    let here = vec![single(&leaf.pointer)];
    let of = |role: Role, slots: Vec<(Slot, Vec<String>)>| candidate(base, form, role, slots);
    let save = || of(Role::FileSave, vec![(Slot::Path, here.clone())]);
    let copy = |source: Vec<String>, path: Vec<String>| {
        of(
            Role::FileCopy,
            vec![(Slot::Source, source), (Slot::Path, path)],
        )
    };
    let path = base.slots.get(&Slot::Path).filter(|all| all.len() == 1);
    match (base.role, path) {
        (Role::FileSave, Some(path)) => vec![copy(here, path.clone())],
        (Role::FileRead | Role::FileInfo | Role::ArchiveRead, Some(path)) if is_output(leaf) => {
            vec![copy(path.clone(), here.clone()), save()]
        }
        (Role::FileRead | Role::FileInfo, Some(_)) => {
            vec![of(base.role, vec![(Slot::Path, here)])]
        }
        (Role::DirList | Role::FileSearch | Role::RepoRead, Some(_)) if is_output(leaf) => {
            vec![save()]
        }
        (Role::SqlQuery | Role::ExecExpression, _) if is_output(leaf) => vec![save()],
        (role, _) if role.of_network() => vec![save()],
        _ => Vec::new(),
    }
}

/// Of what is called by a directory and a name in it: each by itself, which of the two is checked shows only so.
fn apart(base: &Channel, form: &Form) -> Vec<Candidate> {
    let main = base.role.slots()[0];
    let others = |slots: Vec<String>| {
        let mut all = base.slots.clone();
        all.insert(main, slots);
        candidate(base, form, base.role, all.into_iter().collect())
    };
    match base.slots.get(&main).map(Vec::as_slice) {
        Some([_, name]) if matches!(base.form, PathForm::Split | PathForm::SplitRelative) => {
            vec![others(vec![name.clone()])]
        }
        Some([name]) => {
            let usable: Vec<&Leaf> = form.leaves.iter().collect();
            let shelves = on_shelves(base.role, &base.slots, &usable, &[]).into_iter();
            let pairs = shelves.filter_map(|binding| binding.slots.get(&main).cloned());
            let pairs = pairs.filter(|pair| pair.last() == Some(name));
            pairs.map(others).collect()
        }
        _ => Vec::new(),
    }
}

fn candidate(
    base: &Channel,
    form: &Form,
    role: Role,
    slots: Vec<(Slot, Vec<String>)>,
) -> Candidate {
    Candidate {
        role,
        score: base.score,
        form: form.clone(),
        bindings: vec![Binding {
            slots: slots.into_iter().collect(),
        }],
        choice: None,
    }
}

/// Whether a channel of the tool drives the parameter.
fn driven(channels: &[Channel], place: &str) -> bool {
    channels
        .iter()
        .filter(|channel| channel.proof.proven())
        .flat_map(|channel| channel.slots.values().flatten())
        .any(|pointer| single(pointer) == place)
}

/// Whether a parameter may be another path.
fn may_be_a_path(leaf: &Leaf, base: &Channel) -> bool {
    const PLACES: Words = Words("path file filename directory folder disk");
    let mut about = words(&leaf.description).into_iter();
    // Of what fetches, any file is where it puts what it fetched.
    let told = base.role.of_network() && about.any(|word| PLACES.has(&word));
    let filled = base.sends(&leaf.pointer).is_some_and(|value| {
        let text = value.as_str().unwrap_or_default();
        text.starts_with(ALLOWED) && text.contains(&side_file("."))
    });
    let secret = |word: &String| words::CREDENTIALS.has(word);
    leaf.takes_text()
        && !leaf.guessed
        && (!leaf.in_array() || base.role == Role::FileSave)
        && leaf.choices.is_empty()
        && !words(&leaf.name).iter().any(secret)
        && (pathlike(leaf)
            || told
            || filled
            || is_output(leaf)
            || leaf_score(leaf, meaning(Role::FileRead, Slot::Path)) >= NAME - 0.02
            || leaf_score(leaf, meaning(Role::FileCopy, Slot::Source)) >= NAME - 0.02)
}

/// Whether a parameter of what fetches may take a URL beside the one that is known.
fn may_be_a_url(leaf: &Leaf, base: &Channel) -> bool {
    base.role == Role::HttpFetch
        && base.slots.get(&Slot::Url).is_some_and(|all| all.len() == 1)
        && may_steer(leaf)
        && !leaf.in_array()
        && leaf_score(leaf, meaning(Role::HttpFetch, Slot::Url)) > 0.0
}

/// Whether the words of a parameter say that something goes there.
fn is_output(leaf: &Leaf) -> bool {
    leaf_score(leaf, meaning(Role::FileCopy, Slot::Path)) >= NAME - 0.02
}

/// Has a channel always send a value.
fn put_fixed(channel: &mut Channel, pointer: &str, value: Value) {
    let mut fixed = Value::Object(std::mem::take(&mut channel.fixed));
    put(&mut fixed, &single(pointer), value);
    if let Value::Object(fixed) = fixed {
        channel.fixed = fixed;
    }
}
