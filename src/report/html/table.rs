//! Writes the tables and figures of a page.

use maud::{Markup, html};

/// A cell of a table. Numbers are aligned to the right.
#[derive(Clone, Debug)]
pub(in crate::report) enum Cell {
    Text(String),
    Number(String),
    /// A link inside the page.
    Link {
        text: String,
        target: String,
    },
    /// A bar for a share of the longest bar. The number is in another cell.
    Bar(f64),
}

impl Cell {
    pub(in crate::report) fn text(text: impl Into<String>) -> Self {
        Self::Text(text.into())
    }

    pub(in crate::report) fn number(text: impl Into<String>) -> Self {
        Self::Number(text.into())
    }

    /// A number with two decimals, or a dash without a value.
    pub(in crate::report) fn decimal(value: Option<f64>) -> Self {
        Self::Number(value.map_or_else(|| "–".into(), |value| format!("{value:.2}")))
    }
}

/// A table with horizontal scrolling, also by keyboard. The first cell of a line is its heading.
pub(in crate::report) fn table(caption: &str, titles: &[&str], lines: &[Vec<Cell>]) -> Markup {
    html! {
        div class="scroll" tabindex="0" role="group" aria-label=(caption) {
            table {
                caption { (caption) }
                thead {
                    tr {
                        @for (column, title) in titles.iter().enumerate() {
                            @let first = lines.first().and_then(|line| line.get(column));
                            th scope="col" class=[first.and_then(side)] { (title) }
                        }
                    }
                }
                tbody {
                    @for line in lines {
                        tr { @for (column, cell) in line.iter().enumerate() { (one(column, cell)) } }
                    }
                }
            }
        }
    }
}

fn one(column: usize, cell: &Cell) -> Markup {
    let content = match cell {
        Cell::Text(text) | Cell::Number(text) => html! { (text) },
        Cell::Link { text, target } => html! { a href=(target) { (text) } },
        Cell::Bar(share) => {
            let width = format!("width:{:.0}%", share.clamp(0.0, 1.0) * 100.0);
            html! { span class="bar" aria-hidden="true" style=(width) {} }
        }
    };
    html! {
        @if column == 0 { th scope="row" class=[side(cell)] { (content) } }
        @else { td class=[side(cell)] { (content) } }
    }
}

/// CSS class of a cell. Numbers and their titles are aligned to the right.
const fn side(cell: &Cell) -> Option<&'static str> {
    match cell {
        Cell::Number(_) => Some("number"),
        Cell::Bar(_) => Some("bars"),
        Cell::Text(_) | Cell::Link { .. } => None,
    }
}

/// Symbol of a series in a legend.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::report) enum Swatch {
    /// The shape of the series' points.
    Shape,
    /// A square in the colour of the series' bars.
    Square,
}

/// A picture with its legend, and a folded table of its numbers.
pub(in crate::report) fn figure(
    (id, title): (&str, &str),
    words: &str,
    (swatch, legend): (Swatch, &[(usize, String)]),
    picture: &Markup,
    numbers: &Markup,
) -> Markup {
    html! {
        figure id=(id) {
            figcaption { h3 { (title) } p { (words) } }
            @if legend.len() > 1 {
                ul class="legend" {
                    @for (series, name) in legend {
                        li { (drawn(swatch, *series)) (name) }
                    }
                }
            }
            (picture)
            details { summary { "Numbers as a table: " (title) } (numbers) }
        }
    }
}

/// The symbol of a series in its colour.
fn drawn(swatch: Swatch, series: usize) -> Markup {
    let colour = super::palette::series(series).variable();
    let style = format!("fill:{colour};stroke:{colour}");
    html! {
        svg class="swatch" viewBox="0 0 14 14" aria-hidden="true" style=(style) {
            @match (swatch, series % 4) {
                (Swatch::Square, _) => rect width="14" height="14" {},
                (_, 0) => circle cx="7" cy="7" r="5" {},
                (_, 1) => rect x="3" y="3" width="8" height="8" {},
                (_, 2) => polygon points="7,1 13,12 1,12" {},
                _ => path d="M3 3L11 11M3 11L11 3" stroke-width="3" {},
            }
        }
    }
}
