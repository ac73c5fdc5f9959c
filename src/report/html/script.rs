//! Writes the script of the page, and the results as JSON for it to save.

use maud::{Markup, PreEscaped, html};

use crate::report::{Report, ReportError, json};

/// The script. It adds its own controls, so that a page without scripts has none that do nothing.
const SCRIPT: &str = include_str!("script.js");

/// The results and the script.
///
/// # Errors
/// [`ReportError::Json`] if the results cannot be written as JSON.
pub(super) fn data(report: &Report) -> Result<Markup, ReportError> {
    let mut text = Vec::new();
    json::write_compact(report, &mut text)?;
    // JSON has this character in strings only. There, the escape means the same, and it ends no element.
    let text = String::from_utf8_lossy(&text).replace('<', "\\u003c");
    Ok(html! {
        script id="data" type="application/json" { (PreEscaped(text)) }
        script { (PreEscaped(SCRIPT)) }
    })
}
