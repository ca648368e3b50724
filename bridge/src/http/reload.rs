//! The operator's handler `POST /reload`: contracts and schemas are loaded again.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::response::IntoResponse;
use horizon_schemas::Diagnostic;
use serde_json::{Value, json};

use super::Operator;
use super::answer::json_answer;
use super::openapi::problems;
use super::order::{Nothing, nothing};
use super::problem::Problem;
use crate::commands::Failure;
use crate::daemon::Reloaded;

/// Most mistakes that are told one by one.
const TOLD_LIMIT_MISTAKES: usize = 100;

/// Loads contracts and schemas again
///
/// All or nothing; it has taken effect when this answers. It goes on when nobody waits any more.
#[utoipa::path(
    post, path = "/reload", operation_id = "reload", tag = "contracts", request_body = Nothing,
    responses((status = OK, description = "They are loaded", body = Reloaded), problems::Reload),
)]
pub(crate) async fn reload(
    State(state): State<Arc<Operator>>,
    request: Request,
) -> Result<impl IntoResponse, Problem> {
    nothing(request).await?;
    let reloader = Arc::clone(&state.reloader);
    let reloading = tokio::spawn(async move { reloader.reload().await });
    match reloading.await {
        Ok(Ok(reloaded)) => Ok(json_answer(&reloaded)),
        Ok(Err(failure)) => Err(refused(&failure)),
        Err(error) => Err(refused(&Failure::Failed(error.to_string()))),
    }
}

fn refused(failure: &Failure) -> Problem {
    let (status, name) = match failure {
        Failure::Mend(_) | Failure::Diagnostics(_) => {
            (StatusCode::UNPROCESSABLE_ENTITY, "reload-refused")
        }
        Failure::Failed(_) => (StatusCode::SERVICE_UNAVAILABLE, "reload-failed"),
    };
    let problem = Problem::new(status, name, "nothing was loaded; the old contracts stay")
        .detail(failure.to_string())
        .mend("mend what it names, and reload again; `horizon check` tells the same");
    let Failure::Diagnostics(diagnostics) = failure else {
        return problem;
    };
    let told = diagnostics.iter().take(TOLD_LIMIT_MISTAKES).map(mistake);
    problem.with("errors", told.collect::<Vec<Value>>())
}

fn mistake(diagnostic: &Diagnostic) -> Value {
    let (line, column) = diagnostic.line_and_column().unzip();
    json!({
        "code": diagnostic.code(),
        "message": diagnostic.message(),
        "file": diagnostic.file(),
        "line": line,
        "column": column,
    })
}
