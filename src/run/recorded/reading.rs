//! Reading single records: what they lack, and what tells two of them apart.
//!
//! Owns the comparison of a record with what the policy names.

use crate::{
    diag::At,
    policy::Fields,
    session::printable,
    witness::{Line, Record, Shape, is_time},
};

/// What a record lacks that the policy names, or that any record must have.
pub(super) fn lacks(fields: &Fields, line: &Line, words: &[String], tool: &str) -> Vec<String> {
    let text = line.text();
    let record = Record::read(&text);
    let get = |at: &At<String>| record.fields.get(&at.value).map(String::as_str);
    let mut lacks = Vec::new();
    let mut field = |at: &Option<At<String>>, what: &str, good: &dyn Fn(&str) -> bool| {
        if let Some(at) = at
            && !get(at).is_some_and(good)
        {
            lacks.push(format!(
                "does not say the {what} in its field `{}`",
                at.value
            ));
        }
    };
    field(&fields.target, "target", &|value| {
        words.iter().any(|word| value.contains(word))
    });
    field(&fields.tool, "tool", &|value| value.contains(tool));
    field(&fields.event, "event", &|value| !value.is_empty());
    field(&fields.outcome, "outcome", &|value| !value.is_empty());
    field(&fields.time, "time", &is_time);
    if fields.time.is_none() && !is_time(&text) {
        lacks.push(String::from("says no time"));
    }
    lacks
}

/// What is left of a line when what differs by call alone is taken away.
pub(super) fn shape(line: &Line, words: &[&str]) -> Shape {
    Shape::of(&line.text(), words)
}

/// The word of a further call of a trial. The trial's own does not stand in it: the records of both are told apart.
pub(super) fn another(word: &str, which: &str) -> String {
    let turned = word.chars().map(|letter| match letter {
        'a'..='m' => char::from(letter as u8 + 13),
        'n'..='z' => char::from(letter as u8 - 13),
        other => other,
    });
    turned.chain(which.chars()).collect()
}

/// A line as a reason shows it.
pub(super) fn brief(text: &str) -> String {
    /// Characters that are kept.
    const KEPT: usize = 240;
    printable(text.as_bytes(), KEPT)
}

#[cfg(test)]
mod tests {
    use super::another;

    /// A record of the plain call before was taken for one of the refused call, whose word stood in its own.
    #[test]
    fn a_record_of_another_call_does_not_name_the_trial() {
        for word in ["abcdefgh", "mnmnmnmn", "zzzzzzzz"] {
            for which in ["b", "z", "n7x"] {
                assert!(!another(word, which).contains(word), "{word} {which}");
            }
        }
        assert_ne!(another("abcdefgh", "b"), another("abcdefgh", "z"));
    }
}
