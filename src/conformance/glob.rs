//! Matches names of tests against patterns.

/// A pattern. `*` matches any text, slashes included, and `?` matches any character.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Glob(String);

impl Glob {
    /// Creates a pattern. Any text is valid.
    pub fn new(pattern: impl Into<String>) -> Self {
        Self(pattern.into())
    }

    /// Whether the pattern matches all of `text`.
    pub fn matches(&self, text: &str) -> bool {
        let (pattern, text): (Vec<_>, Vec<_>) = (self.0.chars().collect(), text.chars().collect());
        let (mut p, mut t) = (0, 0);
        // Position to resume at after a failed match: the last star takes one more character.
        let mut retry: Option<(usize, usize)> = None;
        while let Some(char) = text.get(t) {
            match pattern.get(p) {
                Some('*') => {
                    retry = Some((p, t));
                    p += 1;
                }
                Some(wanted) if *wanted == '?' || wanted == char => (p, t) = (p + 1, t + 1),
                _ => match retry {
                    Some((star, taken)) => {
                        retry = Some((star, taken + 1));
                        (p, t) = (star + 1, taken + 1);
                    }
                    None => return false,
                },
            }
        }
        pattern.iter().skip(p).all(|rest| *rest == '*')
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stars_match_any_text_and_question_marks_match_one_character() {
        for (pattern, text) in [
            ("*", ""),
            ("*", "a/b.json::c"),
            ("*create*", "stCreate2/create2.json"),
            ("a*b*c", "a-b-b-c"),
            ("a?c", "abc"),
            ("abc", "abc"),
            ("**", "x"),
        ] {
            assert!(Glob::new(pattern).matches(text), "{pattern} must match {text}");
        }
        for (pattern, text) in [("", "a"), ("a", ""), ("a*b", "a-c"), ("?", ""), ("abc", "abcd")] {
            assert!(!Glob::new(pattern).matches(text), "{pattern} must not match {text}");
        }
    }
}
