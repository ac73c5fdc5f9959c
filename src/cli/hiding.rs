//! Keeps URLs out of what is said about arguments: one in the wrong place may hold a key like any other, and one without
//! its scheme as well.

use std::cmp::Reverse;

/// `text` without the URLs that are among `words`, or nothing if none is.
pub fn without_urls(text: &str, words: &[String]) -> Option<String> {
    let mut urls: Vec<_> = words.iter().filter_map(|word| url(word)).collect();
    // One may be the beginning of another.
    urls.sort_by_key(|url| Reverse(url.len()));
    let hide = |text: String, url: &&str| text.replace(url, "(a URL, not shown)");
    (!urls.is_empty()).then(|| urls.iter().fold(text.to_owned(), hide))
}

/// The URL that a word ends with, if it does, or all of a word that names somebody at a host: no block does, and the name of
/// a list of them begins so.
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
    fn a_url_is_hidden_wherever_it_begins() {
        for word in [
            "https://n.example/v3/key",
            "--rpcurl=https://n.example/v3/key",
            "éws://x/key",
            "user:key@n.example/v3/key",
        ] {
            let shown = without_urls(&format!("unexpected '{word}' found"), &[word.to_owned()]);
            let shown = shown.expect("there is a URL");
            assert!(!shown.contains("key") && !shown.contains("://"), "{shown}");
            assert!(shown.ends_with("(a URL, not shown)' found"), "{shown}");
        }
    }

    #[test]
    fn a_url_that_begins_another_hides_no_less_of_it() {
        let words = ["https://n.example/v2", "https://n.example/v2/key"].map(str::to_owned);
        let shown = without_urls(&format!("unexpected '{}'", words[1]), &words);
        assert_eq!(shown.as_deref(), Some("unexpected '(a URL, not shown)'"));
    }

    #[test]
    fn without_a_url_nothing_is_hidden() {
        for word in ["17", "@list.txt"] {
            assert_eq!(without_urls(&format!("unexpected '{word}'"), &[word.to_owned()]), None);
        }
    }
}
