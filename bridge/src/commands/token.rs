//! `horizon token`: a fresh token for a principal, and what the configuration keeps of it.

use serde_json::json;

use super::{Failure, Format, print};
use crate::access::fresh_token;

#[derive(Debug, clap::Args)]
pub(crate) struct Token {
    /// How to print it
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
}

impl Token {
    pub(crate) fn run(self) -> Result<(), Failure> {
        let (token, digest) = fresh_token().map_err(Failure::Failed)?;
        match self.format {
            Format::Json => print(&json!({"token": token, "sha256": digest}).to_string()),
            Format::Text => print(&format!(
                "{token}\n\nGive it to its principal; it is shown only now. The configuration keeps its digest:\n\n  tokens:\n    - sha256: {digest}"
            )),
        }
        Ok(())
    }
}
