//! A parsed file, whatever its format: values with their bytes.
//!
//! One tree for three formats, so that duplicate keys, unknown keys and wrong types are found and
//! shown in one way. serde's own formats stop at the first mistake, and JSON knows no spans.

use std::{collections::HashMap, ops::Range};

use crate::diag::{Diagnostic, Source};

/// Deeper files are refused; the parser of TOML has a limit of its own.
pub(super) const MAX_DEPTH: usize = 64;

/// A value.
#[derive(Debug)]
pub(super) struct Node {
    /// Unique in the tree.
    pub(super) id: usize,
    pub(super) span: Range<usize>,
    pub(super) kind: Kind,
}

#[derive(Debug)]
pub(super) enum Kind {
    Null,
    Bool(bool),
    Int(i64),
    Uint(u64),
    Float(f64),
    Text(String),
    /// A date or time that is not in quotes; only TOML has them.
    Date(String),
    List(Vec<Node>),
    Map(Vec<(Key, Node)>),
}

#[derive(Debug)]
pub(super) struct Key {
    pub(super) name: String,
    pub(super) span: Range<usize>,
}

/// Where a node stood: the map that held it and its key there, if a map did.
pub(super) type Place = Option<(usize, String)>;

impl Node {
    /// A node whose id is given by [`Node::number`].
    pub(super) fn new(span: Range<usize>, kind: Kind) -> Self {
        Self { id: 0, span, kind }
    }

    /// Numbers all nodes.
    pub(super) fn number(&mut self, next: &mut usize) {
        self.id = *next;
        *next += 1;
        match &mut self.kind {
            Kind::List(items) => items.iter_mut().for_each(|item| item.number(next)),
            Kind::Map(entries) => entries.iter_mut().for_each(|(_, node)| node.number(next)),
            _ => {}
        }
    }

    /// Removes a node below this one and says where it stood.
    pub(super) fn prune(&mut self, id: usize) -> Option<Place> {
        match &mut self.kind {
            Kind::List(items) => match items.iter().position(|item| item.id == id) {
                Some(index) => {
                    items.remove(index);
                    Some(None)
                }
                None => items.iter_mut().find_map(|item| item.prune(id)),
            },
            Kind::Map(entries) => match entries.iter().position(|(_, node)| node.id == id) {
                Some(index) => {
                    let (key, _) = entries.remove(index);
                    Some(Some((self.id, key.name)))
                }
                None => entries.iter_mut().find_map(|(_, node)| node.prune(id)),
            },
            _ => None,
        }
    }

    /// Reports keys that are given twice, and keeps the first of each.
    pub(super) fn refuse_duplicates(&mut self, source: &Source, found: &mut Vec<Diagnostic>) {
        match &mut self.kind {
            Kind::List(items) => {
                for item in items {
                    item.refuse_duplicates(source, found);
                }
            }
            Kind::Map(entries) => {
                let mut seen: HashMap<String, Range<usize>> = HashMap::new();
                entries.retain(|(key, _)| {
                    let Some(first) = seen.get(&key.name) else {
                        seen.insert(key.name.clone(), key.span.clone());
                        return true;
                    };
                    found.push(
                        Diagnostic::error(
                            "file::duplicate-key",
                            format!("the key `{}` is given twice", key.name),
                        )
                        .within(source)
                        .label(key.span.clone(), "again here")
                        .label(first.clone(), "first here")
                        .help("remove one of them: parsers disagree which one counts"),
                    );
                    false
                });
                for (_, node) in entries {
                    node.refuse_duplicates(source, found);
                }
            }
            _ => {}
        }
    }
}
