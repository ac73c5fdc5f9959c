//! Patterns over names of tests.

/// A pattern in which `*` stands for any text, slashes included, and `?` for any character.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Glob(String);

impl Glob {
    /// Any text is a pattern.
    pub fn new(pattern: impl Into<String>) -> Self {
        Self(pattern.into())
    }

    /// Whether it describes all of `text`.
    pub fn matches(&self, text: &str) -> bool {
        let (pattern, text): (Vec<_>, Vec<_>) = (self.0.chars().collect(), text.chars().collect());
        let (mut p, mut t) = (0, 0);
        // Where to go on if what follows the last star does not fit: the star takes one more.
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
    fn stars_stand_for_any_text_and_question_marks_for_one_character() {
        for (pattern, text) in [
            ("*", ""),
            ("*", "a/b.json::c"),
            ("*create*", "stCreate2/create2.json"),
            ("a*b*c", "a-b-b-c"),
            ("a?c", "abc"),
            ("abc", "abc"),
            ("**", "x"),
        ] {
            assert!(Glob::new(pattern).matches(text), "{pattern} describes {text}");
        }
        for (pattern, text) in [("", "a"), ("a", ""), ("a*b", "a-c"), ("?", ""), ("abc", "abcd")] {
            assert!(!Glob::new(pattern).matches(text), "{pattern} does not describe {text}");
        }
    }
}
