//! Writes the script of the page, and the results as JSON for it to save.
//!
//! The results are compressed. As text they would be most of a page: every sample of every contender and block.

use std::io::BufWriter;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use flate2::{Compression, write::GzEncoder};
use maud::{Markup, PreEscaped, html};

use crate::report::{Report, ReportError, json};

/// The script. It adds its own controls, so that a page without scripts has none that do nothing.
const SCRIPT: &str = include_str!("script.js");

/// The results and the script.
///
/// # Errors
/// [`ReportError::Json`] or [`ReportError::Html`] if the results cannot be written as JSON.
pub(super) fn data(report: &Report) -> Result<Markup, ReportError> {
    let mut json = BufWriter::new(GzEncoder::new(Vec::new(), Compression::default()));
    json::write_compact(report, &mut json)?;
    let gzip = json.into_inner().map_err(|error| ReportError::Html(error.into_error()))?;
    let gzip = gzip.finish().map_err(ReportError::Html)?;
    Ok(html! {
        // A browser runs no script of an unknown type.
        script id="data" type="application/gzip" { (PreEscaped(STANDARD.encode(gzip))) }
        script { (PreEscaped(SCRIPT)) }
    })
}
