//! Names of tools and parameters as words.
//!
//! Owns how a name is cut; what its words mean is told by the tables.

/// Cuts a name into lower-case singular words: `readTextFiles` is `read`, `text`, `file`.
pub(in crate::channel) fn words(name: &str) -> Vec<String> {
    let mut words: Vec<String> = Vec::new();
    let mut word = String::new();
    let mut before_lower = false;
    for letter in name.chars() {
        if !letter.is_alphanumeric() || (letter.is_uppercase() && before_lower) {
            words.push(std::mem::take(&mut word));
        }
        if letter.is_alphanumeric() {
            word.extend(letter.to_lowercase());
        }
        before_lower = letter.is_lowercase();
    }
    words.push(word);
    words.retain(|word| !word.is_empty());
    words.iter_mut().for_each(singular);
    words
}

fn singular(word: &mut String) {
    const AS_THEY_ARE: &[&str] = &[
        "ls", "address", "class", "status", "details", "alias", "js", "whois",
    ];
    if AS_THEY_ARE.contains(&word.as_str()) || word.len() < 4 {
        return;
    }
    if word.ends_with("ies") {
        word.truncate(word.len() - 3);
        word.push('y');
    } else if word.ends_with("ches") || word.ends_with("shes") || word.ends_with("xes") {
        word.truncate(word.len() - 2);
    } else if word.ends_with('s') && !word.ends_with("ss") {
        word.truncate(word.len() - 1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_cut_into_words() {
        let cases = [
            ("readTextFiles", vec!["read", "text", "file"]),
            ("get_file-info", vec!["get", "file", "info"]),
            ("fs.list_directories", vec!["fs", "list", "directory"]),
            ("git_status", vec!["git", "status"]),
            ("filePath", vec!["file", "path"]),
            ("URL", vec!["url"]),
        ];
        for (name, expected) in cases {
            assert_eq!(words(name), expected, "{name}");
        }
    }
}
