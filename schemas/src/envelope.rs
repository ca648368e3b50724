//! The attributes of a structured-mode CloudEvent, read without its data.

/// The bytes are not a structured CloudEvent.
#[derive(Debug, thiserror::Error)]
#[error("not a structured CloudEvent: {0}")]
pub struct EnvelopeError(String);

/// The attributes in their order, as text; neither `data` nor `data_base64`.
///
/// # Errors
/// If the bytes are not one JSON object, or an attribute is neither text, integer nor boolean.
pub fn attributes(structured: &[u8]) -> Result<Vec<(String, String)>, EnvelopeError> {
    let _ = structured;
    Err(EnvelopeError("not built".to_owned()))
}
