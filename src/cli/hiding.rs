//! Hides URLs in error messages about arguments. A URL may hold a key, also as a wrong argument or without its
//! scheme.

use std::cmp::Reverse;

/// Replaces the URLs of `words` in `text`. Returns `None` if no word has a URL.
pub fn without_urls(text: &str, words: &[String]) -> Option<String> {
    let mut urls: Vec<_> = words.iter().filter_map(|word| url(word)).collect();
    // One URL may be a prefix of another, so the longer one is replaced first.
    urls.sort_by_key(|url| Reverse(url.len()));
    let hide = |text: String, url: &&str| text.replace(url, "(a URL, not shown)");
    (!urls.is_empty()).then(|| urls.iter().fold(text.to_owned(), hide))
}

/// Returns the URL at the end of a word. Without a scheme, a word counts as a URL if it has an `@` after its first
/// character, as in `user@host`. The name of a block list starts with `@`, and no other block argument has one.
fn url(word: &str) -> Option<&str> {
    let Some(end) = word.find("://") else {
        return word.find('@').is_some_and(|at| at > 0).then_some(word);
    };
    let is_of_scheme = |char: char| char.is_ascii_alphanumeric() || "+-.".contains(char);
    let before = word[..end].trim_end_matches(is_of_scheme);
    Some(&word[before.len()..])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_is_hidden_at_any_position_of_a_word() {
        for word in [
            "https://n.example/v3/key",
            "--rpcurl=https://n.example/v3/key",
            "éws://x/key",
            "user:key@n.example/v3/key",
        ] {
            let shown = without_urls(&format!("unexpected '{word}' found"), &[word.to_owned()]);
            let shown = shown.expect("the word has a URL");
            assert!(!shown.contains("key") && !shown.contains("://"), "{shown}");
            assert!(shown.ends_with("(a URL, not shown)' found"), "{shown}");
        }
    }

    #[test]
    fn a_url_that_is_a_prefix_of_another_does_not_expose_the_rest() {
        let words = ["https://n.example/v2", "https://n.example/v2/key"].map(str::to_owned);
        let shown = without_urls(&format!("unexpected '{}'", words[1]), &words);
        assert_eq!(shown.as_deref(), Some("unexpected '(a URL, not shown)'"));
    }

    #[test]
    fn words_without_a_url_are_not_changed() {
        for word in ["17", "@list.txt"] {
            assert_eq!(without_urls(&format!("unexpected '{word}'"), &[word.to_owned()]), None);
        }
    }
}
