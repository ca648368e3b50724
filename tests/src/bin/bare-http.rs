//! A yardstick for appending over HTTP: the same libraries without Horizon's server, and a handler that parses the body and stores
//! nothing.
//!
//! It listens on a port that the system chooses, prints the address, and answers until it is killed.

use std::error::Error;
use std::net::Ipv4Addr;

use axum::Router;
use axum::body::Bytes;
use axum::extract::Path;
use axum::http::StatusCode;
use axum::http::header;
use axum::response::IntoResponse;
use axum::routing::post;
use serde_json::{Value, json};
use tokio::net::TcpListener;

#[tokio::main]
#[expect(clippy::print_stdout, reason = "the address is this program's output")]
async fn main() -> Result<(), Box<dyn Error>> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    println!("{}", listener.local_addr()?);
    let router = Router::new().route("/streams/{stream}", post(parse));
    axum::serve(listener, router).await?;
    Ok(())
}

/// Parses, and answers as an append is answered.
async fn parse(Path(stream): Path<String>, body: Bytes) -> impl IntoResponse {
    let Ok(parsed) = serde_json::from_slice::<Value>(&body) else {
        return (
            StatusCode::BAD_REQUEST,
            [(header::CONTENT_TYPE, "application/json")],
            String::new(),
        );
    };
    let events = parsed.as_array().map_or(1, Vec::len);
    let answer = json!({"stream": stream, "firstRevision": 1, "revision": events, "firstPosition": 1, "position": events, "repeat": false});
    (
        StatusCode::CREATED,
        [(header::CONTENT_TYPE, "application/json")],
        answer.to_string(),
    )
}
