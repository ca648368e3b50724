//! What an operator orders, as JSON.

use std::path::Path;

use axum::extract::Request;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use utoipa::ToSchema;

use super::body::{body, must_be_object};
use super::problem::Problem;
use super::refusals::{malformed, unreadable};

/// Largest order, in bytes.
const BODY_LIMIT_BYTES: usize = 64 * 1024;

/// An order that says nothing: JSON is asked for so that no web page can give it.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields, expecting = "a JSON object")]
pub(super) struct Nothing {}

/// An order as JSON; `mend` tells what it takes.
pub(super) async fn order<T: DeserializeOwned>(request: Request, mend: &str) -> Result<T, Problem> {
    let body = body(request, BODY_LIMIT_BYTES).await?;
    must_be_object(&body).map_err(|problem| problem.mend(mend))?;
    serde_json::from_slice(&body).map_err(|error| unreadable(&error).mend(mend))
}

/// Longest reason, in bytes.
const REASON_LIMIT_BYTES: usize = 1_000;

/// Why something is ordered, in the words of who orders it; `mend` tells what it is for.
pub(super) fn reason(text: &str, mend: &str) -> Result<String, Problem> {
    let reason = text.trim();
    if reason.is_empty() || reason.len() > REASON_LIMIT_BYTES {
        return Err(
            malformed(format!("a reason has 1 to {REASON_LIMIT_BYTES} bytes"))
                .with("pointer", "/reason")
                .mend(mend),
        );
    }
    Ok(reason.to_owned())
}

/// Takes an order that says nothing.
pub(super) async fn nothing(request: Request) -> Result<(), Problem> {
    let Nothing {} = order(request, "send {}").await?;
    Ok(())
}

/// Refuses what names no place on the daemon's machine.
pub(super) fn whole_path(path: &Path) -> Result<(), Problem> {
    let has_nul = path.as_os_str().as_encoded_bytes().contains(&0);
    if path.is_absolute() && !has_nul {
        return Ok(());
    }
    Err(malformed("the path is not absolute, or no path")
        .mend("give the whole path on the daemon's machine"))
}
