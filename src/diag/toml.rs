//! TOML with spans: the `toml` crate keeps them.

use toml::{
    Spanned,
    de::{DeTable, DeValue},
};

use crate::diag::{
    Diagnostic, Problems, Source,
    tree::{Key, Kind, Node},
};

pub(super) fn parse(source: &Source) -> Result<Node, Problems> {
    let (table, errors) = DeTable::parse_recoverable(source.text());
    let errors: Vec<Diagnostic> = errors
        .iter()
        .map(|error| source.toml_error(error))
        .collect();
    match Problems::new(errors) {
        Some(problems) => Err(problems),
        None => {
            let span = table.span();
            Ok(Node::new(span, Kind::Map(entries(table.into_inner()))))
        }
    }
}

fn entries(table: DeTable<'_>) -> Vec<(Key, Node)> {
    let mut entries: Vec<(Key, Node)> = table
        .into_iter()
        .map(|(key, value)| {
            let span = key.span();
            let name = key.into_inner().into_owned();
            (Key { name, span }, node(value))
        })
        .collect();
    // The crate sorts them by name.
    entries.sort_by_key(|(key, _)| key.span.start);
    entries
}

fn node(value: Spanned<DeValue<'_>>) -> Node {
    let span = value.span();
    let kind = match value.into_inner() {
        DeValue::String(text) => Kind::Text(text.into_owned()),
        DeValue::Integer(number) => {
            let digits = number.as_str();
            match i64::from_str_radix(digits, number.radix()) {
                Ok(number) => Kind::Int(number),
                Err(_) => match u64::from_str_radix(digits, number.radix()) {
                    Ok(number) => Kind::Uint(number),
                    // Too large for any integer; as a number with rounding it would be another one.
                    Err(_) => Kind::Float(f64::NAN),
                },
            }
        }
        DeValue::Float(number) => Kind::Float(number.as_str().parse().unwrap_or(f64::NAN)),
        DeValue::Boolean(truth) => Kind::Bool(truth),
        DeValue::Datetime(date) => Kind::Date(date.to_string()),
        DeValue::Array(items) => Kind::List(items.into_iter().map(node).collect()),
        DeValue::Table(table) => Kind::Map(entries(table)),
    };
    Node::new(span, kind)
}
