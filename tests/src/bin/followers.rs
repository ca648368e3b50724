//! Followers of server-sent events: many connections that count what comes.
//!
//! Each follows the same address until it has so many events; one line of JSON tells how long the slowest of them took from when
//! all were connected: `{"followers":F,"events":N,"seconds":S,"per_second":R}`.

use std::error::Error;
use std::net::SocketAddr;
use std::time::Instant;

use bytes::Bytes;
use clap::Parser;
use http_body_util::{BodyExt as _, Empty};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use serde_json::json;
use tokio::net::TcpStream;
use tokio::task::JoinSet;

/// How much of a line tells what it is.
const LINE_START_BYTES: usize = 16;

type Failure = Box<dyn Error + Send + Sync>;

/// What to follow, and how much of it.
#[derive(Debug, Clone, Parser)]
struct Arguments {
    /// The daemon's private listener.
    #[arg(long)]
    http: SocketAddr,
    /// The path and query.
    #[arg(long, default_value = "/log")]
    path: String,
    /// How many follow.
    #[arg(long, default_value_t = 100)]
    followers: usize,
    /// How many events each of them waits for.
    #[arg(long)]
    events: usize,
}

#[tokio::main]
#[expect(clippy::print_stdout, reason = "the result is this program's output")]
async fn main() -> Result<(), Failure> {
    let arguments = Arguments::parse();
    let wanted = arguments.events;
    let mut following = JoinSet::new();
    let mut answers = Vec::new();
    for _ in 0..arguments.followers {
        answers.push(connect(&arguments).await?);
    }
    println!("connected");
    let begun = Instant::now();
    for mut answer in answers {
        following.spawn(async move {
            let (mut seen, mut line) = (0, Vec::new());
            while seen < wanted {
                let frame = answer.frame().await.ok_or("the follow has ended")??;
                for byte in frame.data_ref().unwrap_or(&Bytes::new()) {
                    if *byte == b'\n' {
                        seen += usize::from(is_event(&line));
                        line.clear();
                    } else if line.len() < LINE_START_BYTES {
                        line.push(*byte);
                    }
                }
            }
            Ok::<_, Failure>(())
        });
    }
    while let Some(done) = following.join_next().await {
        done??;
    }
    let seconds = begun.elapsed().as_secs_f64();
    let events = arguments.followers * arguments.events;
    let per_second = events as f64 / seconds;
    println!(
        "{}",
        json!({"followers": arguments.followers, "events": events, "seconds": seconds, "per_second": per_second})
    );
    Ok(())
}

/// Whether a line is the data of an event, and not of a place that is told.
fn is_event(line: &[u8]) -> bool {
    line.starts_with(b"data: {") && !line.starts_with(b"data: {\"through")
}

async fn connect(arguments: &Arguments) -> Result<hyper::body::Incoming, Failure> {
    let stream = TcpStream::connect(arguments.http).await?;
    let (mut sender, driver) = http1::handshake(TokioIo::new(stream)).await?;
    tokio::spawn(driver);
    let request = hyper::Request::get(&arguments.path)
        .header("host", arguments.http.to_string())
        .header("accept", "text/event-stream")
        .body(Empty::<Bytes>::new())?;
    let answer = sender.send_request(request).await?;
    if !answer.status().is_success() {
        return Err(answer.status().to_string().into());
    }
    Ok(answer.into_body())
}
