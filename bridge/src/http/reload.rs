//! The operator's handler `POST /reload`: access, contracts and schemas are loaded again.

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
use crate::daemon::{NotTakenUp, Reloaded};

/// Most mistakes that are told one by one.
const TOLD_LIMIT_MISTAKES: usize = 100;

/// Loads principals, certificates, contracts and schemas again
///
/// Access (principals, tokens, issuers, certificates) and contracts (with their schemas) each by itself, all or nothing: one that is
/// broken does not keep the other. It has taken effect when this answers. It goes on when nobody waits any more.
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
        Ok(Err(refusal)) => Err(refused(&refusal)),
        Err(error) => {
            Err(problem(StatusCode::SERVICE_UNAVAILABLE, "reload-failed").detail(error.to_string()))
        }
    }
}

fn problem(status: StatusCode, name: &str) -> Problem {
    let title = "not everything could be loaded; what was in use of it stays";
    Problem::new(status, name, title)
        .mend("mend what it names, and reload again; `horizon check` tells the same")
}

fn refused(refusal: &NotTakenUp) -> Problem {
    let parts = refusal.parts();
    let failures = || parts.iter().filter_map(|(_, failure)| *failure);
    let is_to_mend = |failure: &Failure| !matches!(failure, Failure::Failed(_));
    let problem = match failures().any(is_to_mend) {
        true => problem(StatusCode::UNPROCESSABLE_ENTITY, "reload-refused"),
        false => problem(StatusCode::SERVICE_UNAVAILABLE, "reload-failed"),
    };
    let named = |is_refused: bool| -> Vec<Value> {
        let parts = parts.iter();
        let parts = parts.filter(|(_, failure)| failure.is_some() == is_refused);
        parts.map(|(name, _)| Value::from(*name)).collect()
    };
    let problem = problem
        .detail(refusal.to_string())
        .with("takenUp", named(false))
        .with("refused", named(true));
    let diagnostics = failures().find_map(|failure| match failure {
        Failure::Diagnostics(diagnostics) => Some(diagnostics),
        Failure::Mend(_) | Failure::Failed(_) => None,
    });
    let Some(diagnostics) = diagnostics else {
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
