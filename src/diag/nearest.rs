//! Did you mean?

/// The known word that was most probably meant, if any is near enough to be worth a guess.
#[must_use]
pub fn nearest<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let word = word.to_lowercase();
    let within = (word.chars().count() / 3).max(1);
    known
        .into_iter()
        .map(|candidate| (strsim::damerau_levenshtein(&word, candidate), candidate))
        .filter(|(distance, _)| *distance <= within)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

#[cfg(test)]
mod tests {
    use super::nearest;

    #[test]
    fn guesses_near_words_only() {
        let known = ["allowed_paths", "denied_paths", "read_only"];
        assert_eq!(nearest("allowed_path", known), Some("allowed_paths"));
        assert_eq!(nearest("Read-Only", known), Some("read_only"));
        assert_eq!(nearest("timeout", known), None);
    }
}
