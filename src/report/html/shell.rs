//! What every page has around its sections, how it words them, and how it is written.

use std::io;

use maud::{DOCTYPE, Markup, PreEscaped, html};

use super::palette;
use crate::report::{BlockFacts, ReportError};

/// All but the colours.
const STYLE: &str = include_str!("style.css");

/// A page without its sections.
pub(in crate::report) struct Page<'a> {
    pub(in crate::report) title: &'static str,
    /// What the page answers.
    pub(in crate::report) question: &'static str,
    /// Sections: id and name.
    pub(in crate::report) entries: &'a [(&'static str, &'static str)],
    /// Of the program.
    pub(in crate::report) version: &'a str,
}

impl Page<'_> {
    /// The whole page around its sections.
    pub(in crate::report) fn around(&self, sections: &Markup) -> Markup {
        html! {
            (DOCTYPE)
            html lang="en" {
                (self.head())
                body {
                    a class="skip" href="#main" { "Skip to the results" }
                    header { h1 { "blockrace" } p { (self.question) } }
                    nav aria-label="Contents" {
                        ul { @for (id, name) in self.entries { li { a href={ "#" (id) } { (name) } } } }
                    }
                    main id="main" { (sections) }
                    footer { p { "Written by blockrace " (self.version) "." } }
                }
            }
        }
    }

    fn head(&self) -> Markup {
        let style = format!(
            ":root{{color-scheme:light dark;{}}}\n@media screen and (prefers-color-scheme:dark){{:root{{{}}}}}\n{}{STYLE}",
            palette::light(),
            palette::dark(),
            palette::rules(),
        );
        html! {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                // A page from disk has no icon; without this, browsers would ask for one.
                link rel="icon" href="data:,";
                title { (self.title) }
                style { (PreEscaped(style)) }
            }
        }
    }
}

/// Writes all of a page or picture.
///
/// # Errors
/// [`ReportError::Html`] or [`ReportError::Finish`] if `out` fails.
pub(in crate::report) fn write(markup: Markup, mut out: impl io::Write) -> Result<(), ReportError> {
    out.write_all(markup.into_string().as_bytes()).map_err(ReportError::Html)?;
    out.flush().map_err(ReportError::Finish)
}

/// The id of a block's section. Its number alone may be that of two blocks.
pub(in crate::report) fn block_id(block: &BlockFacts) -> String {
    format!("block-{}-{:.10}", block.number, block.hash.to_string())
}

/// A list under a title, if there is anything to list.
pub(in crate::report) fn list(title: &str, class: &str, items: &[String]) -> Markup {
    html! {
        @if !items.is_empty() {
            h3 { (title) }
            ul class=(class) { @for item in items { li { (item) } } }
        }
    }
}

/// With a capital at its beginning and a full stop at its end.
pub(in crate::report) fn sentence(text: &str) -> String {
    let mut chars = text.chars();
    let first = chars.next().map(|first| first.to_uppercase().to_string()).unwrap_or_default();
    format!("{first}{}.", chars.as_str())
}
