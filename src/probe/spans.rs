//! Where in a TOML file a value stands.
//!
//! Owns the lookup alone: the models stay plain, and messages can still underline the word.

use std::ops::Range;

use toml::{
    Spanned,
    de::{DeTable, DeValue},
};

/// A parsed file of which only the positions are used.
#[derive(Debug)]
pub(crate) struct Spans<'a>(Spanned<DeTable<'a>>);

impl<'a> Spans<'a> {
    /// Parses the file.
    ///
    /// # Errors
    /// The file is no TOML.
    pub(crate) fn parse(source: &'a str) -> Result<Self, toml::de::Error> {
        DeTable::parse(source).map(Self)
    }

    /// The span of the value at a dotted path such as `variant.3.name`; of the nearest value
    /// around it when there is none.
    pub(crate) fn at(&self, path: &str) -> Range<usize> {
        let mut steps = path.split('.');
        let first = steps.next().unwrap_or_default();
        let Some(mut value) = self.0.get_ref().get(first) else {
            return 0..0;
        };
        for step in steps {
            let inner = match value.get_ref() {
                DeValue::Table(table) => table.get(step),
                DeValue::Array(array) => step.parse().ok().and_then(|i: usize| array.get(i)),
                _ => None,
            };
            match inner {
                Some(inner) => value = inner,
                None => break,
            }
        }
        value.span()
    }

    /// Spans of all values that no probe or suite may hold: what is wrong, and where.
    pub(crate) fn unwanted(&self) -> Vec<(Unwanted, Range<usize>)> {
        let mut found = Vec::new();
        for value in self.0.get_ref().values() {
            collect(value, &mut found);
        }
        found
    }
}

/// A value that TOML permits and our formats do not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unwanted {
    /// A bare date or time: it would reach the target as a made-up table.
    Date,
    /// An empty list: it looks like a rule and states none.
    EmptyList,
}

fn collect(value: &Spanned<DeValue<'_>>, found: &mut Vec<(Unwanted, Range<usize>)>) {
    match value.get_ref() {
        DeValue::Datetime(_) => found.push((Unwanted::Date, value.span())),
        DeValue::Array(array) if array.is_empty() => {
            found.push((Unwanted::EmptyList, value.span()));
        }
        DeValue::Array(array) => array.iter().for_each(|inner| collect(inner, found)),
        DeValue::Table(table) => table.values().for_each(|inner| collect(inner, found)),
        _ => {}
    }
}
