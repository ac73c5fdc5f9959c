//! The form of the messages on standard error: text, or one JSON object per line.

use crate::text;
use serde_json::{Value, json};
use std::sync::OnceLock;

/// The form of the messages on standard error.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum MessageFormat {
    /// Text, and a progress bar.
    #[default]
    Human,
    /// One JSON object per line.
    Json,
}

/// The format of this process.
static FORMAT: OnceLock<MessageFormat> = OnceLock::new();

/// Sets the format of this process. Only the first call has an effect.
pub fn set_message_format(format: MessageFormat) {
    let _ = FORMAT.set(format);
}

/// Whether messages are JSON.
pub fn are_messages_json() -> bool {
    FORMAT.get() == Some(&MessageFormat::Json)
}

/// Maximum length of a message, in bytes.
const LONGEST: usize = 16 << 10;

/// The line of a message in the format of this process. A longer message than [`LONGEST`] loses its middle.
pub(super) fn line(message: &str) -> String {
    let message = &*text::shortened(message, LONGEST);
    match are_messages_json() {
        true => format!("{}\n", object(message)),
        false => format!("{}\n", text::lines(message)),
    }
}

/// A message without colours as an object.
fn object(message: &str) -> Value {
    let plain = anstream::adapter::strip_str(message).to_string();
    json!({ "reason": "message", "text": plain })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_an_object_without_colours() {
        let object = object("a \u{1b}[1mbold\u{1b}[0m word\nand a line");
        assert_eq!(object, json!({ "reason": "message", "text": "a bold word\nand a line" }));
        assert_eq!(object.to_string().lines().count(), 1);
    }
}
