//! A yardstick, not a test: this server with a handler that parses the body and stores nothing. `tests/long/http` measures appends
//! beside it.

use axum::extract::Path;
use axum::http::StatusCode;
use axum::routing::post;
use serde_json::{Value, json};

use super::*;

#[test]
#[ignore = "it serves until it is killed"]
fn parses_and_stores_nothing() {
    crate::runtime::start().unwrap().block_on(serve());
}

#[expect(clippy::print_stdout, reason = "the address is for who started it")]
async fn serve() {
    let limits = LimitOptions::default().resolve().ok().unwrap();
    let gate = Gate::new(None, limits.requests_per_caller, limits.follows_per_caller);
    let mut served = served(
        gate,
        limits,
        Router::new().route("/streams/{stream}", post(parse)),
    )
    .await;
    println!("listens at {}", served.address);
    served.task.join_next().await;
}

/// Parses, and answers as an append is answered.
async fn parse(Path(stream): Path<String>, body: Bytes) -> (StatusCode, String) {
    let Ok(parsed) = serde_json::from_slice::<Value>(&body) else {
        return (StatusCode::BAD_REQUEST, String::new());
    };
    let events = parsed.as_array().map_or(1, Vec::len);
    let answer = json!({"stream": stream, "firstRevision": 1, "revision": events, "firstPosition": 1, "position": events, "repeat": false});
    (StatusCode::CREATED, answer.to_string())
}
