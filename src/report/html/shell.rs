//! Writes the parts that every page shares: head, header, contents, footer and lists.

use std::io;

use maud::{DOCTYPE, Markup, PreEscaped, html};

use super::palette;
use crate::report::{BlockFacts, Machine, Provenance, ReportError};

/// The style sheet without the colours.
const STYLE: &str = include_str!("style.css");

/// The properties of a page.
pub(in crate::report) struct Page<'a> {
    pub(in crate::report) title: String,
    /// The question that the page answers.
    pub(in crate::report) question: &'static str,
    /// Id and name of each section.
    pub(in crate::report) entries: &'a [(&'static str, &'static str)],
    /// Version of blockrace.
    pub(in crate::report) version: &'a str,
}

impl Page<'_> {
    /// Puts the page around its sections.
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
                // The empty icon keeps browsers from requesting one.
                link rel="icon" href="data:,";
                title { (&self.title) }
                style { (PreEscaped(style)) }
            }
        }
    }
}

/// Writes a page or a picture.
///
/// # Errors
/// [`ReportError::Html`] or [`ReportError::ContenderResult`] if `out` fails.
pub(in crate::report) fn write(markup: Markup, mut out: impl io::Write) -> Result<(), ReportError> {
    out.write_all(markup.into_string().as_bytes()).map_err(ReportError::Html)?;
    out.flush().map_err(ReportError::ContenderResult)
}

/// The blocks, the date and the machine, to tell pages apart.
pub(in crate::report) fn title(
    kind: &str,
    numbers: impl Iterator<Item = u64> + Clone,
    provenance: &Provenance,
    machine: &Machine,
) -> String {
    let range = match (numbers.clone().min(), numbers.max()) {
        (Some(first), Some(last)) if first < last => format!("blocks {first}-{last}"),
        (Some(only), _) => format!("block {only}"),
        _ => "no blocks".into(),
    };
    let date = provenance.date.split('T').next().unwrap_or_default();
    format!("{kind}: {range}, {date}, {}", machine.cpu_model)
}

/// The id of a block's section. It includes the hash, because two blocks may have the same number.
pub(in crate::report) fn block_id(block: &BlockFacts) -> String {
    format!("block-{}-{:.10}", block.number, block.hash.to_string())
}

/// A list with a title; empty without items.
pub(in crate::report) fn list(title: &str, class: &str, items: &[String]) -> Markup {
    html! {
        @if !items.is_empty() {
            h3 { (title) }
            ul class=(class) { @for item in items { li { (item) } } }
        }
    }
}

/// Adds a capital letter at the start and a full stop at the end.
pub(in crate::report) fn sentence(text: &str) -> String {
    format!("{}.", capital(text))
}

/// Adds a capital letter at the start.
pub(in crate::report) fn capital(text: &str) -> String {
    let mut chars = text.chars();
    let first = chars.next().map(|first| first.to_uppercase().to_string()).unwrap_or_default();
    first + chars.as_str()
}
