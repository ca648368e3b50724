//! The yardstick for appending batches over HTTP: the store alone, with commits of the same events.
//!
//! Several tasks append one commit after another for some seconds, and one line of JSON tells the result:
//! `{"events":N,"seconds":S,"per_second":R}`.

use std::error::Error;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use bytes::Bytes;
use clap::Parser;
use horizon_store::{
    AttributeValue, Commit, Expected, LogName, NewEvent, Options, Store, StreamName, StreamWrite,
};
use serde_json::json;
use tokio::task::JoinSet;

type Failure = Box<dyn Error + Send + Sync>;

/// How much, for how long, and where.
#[derive(Debug, Parser)]
struct Arguments {
    /// An empty folder for the store.
    #[arg(long)]
    folder: PathBuf,
    /// Events of a commit.
    #[arg(long, default_value_t = 100)]
    events: u64,
    /// Tasks that append.
    #[arg(long, default_value_t = 64)]
    tasks: u64,
    /// For so long.
    #[arg(long, default_value_t = 10)]
    seconds: u64,
}

#[tokio::main]
#[expect(clippy::print_stdout, reason = "the result is this program's output")]
async fn main() -> Result<(), Failure> {
    let arguments = Arguments::parse();
    let store = Store::open(&arguments.folder, Options::default()).await?;
    let begun = Instant::now();
    let until = begun + Duration::from_secs(arguments.seconds);
    let mut appending = JoinSet::new();
    for task in 0..arguments.tasks {
        let store = store.clone();
        appending.spawn(async move {
            let mut appended = 0;
            while Instant::now() < until {
                let commit = commit(task, appended, arguments.events)?;
                store.append(&LogName::main(), commit).await?;
                appended += arguments.events;
            }
            Ok::<_, Failure>(appended)
        });
    }
    let mut events = 0;
    while let Some(done) = appending.join_next().await {
        events += done??;
    }
    let seconds = begun.elapsed().as_secs_f64();
    store.close().await?;
    let per_second = events as f64 / seconds;
    println!(
        "{}",
        json!({"events": events, "seconds": seconds, "per_second": per_second})
    );
    Ok(())
}

fn commit(task: u64, first: u64, events: u64) -> Result<Commit, Failure> {
    let account = (first / events * 7_919 + task) % 1_000;
    let event = |number: u64| {
        NewEvent {
        id: format!("{task}-{number}"),
        source: None,
        event_type: "CashDeposited".to_owned(),
        attributes: vec![("time".to_owned(), AttributeValue::Text("1996-05-14T00:00:00Z".into()))],
        media_type: None,
        data: Some(Bytes::from(
            json!({"transactionId": number.to_string(), "accountId": account.to_string(), "amount": (number % 90_000) as f64 + 0.5,
                "currency": "CZK", "balance": (number % 7_000_000) as f64 + 0.5})
            .to_string(),
        )),
        flagged: false,
    }
    };
    Ok(Commit {
        writes: vec![StreamWrite {
            stream: StreamName::new(&format!("account-{account}"))?,
            expected: Expected::Any,
            events: (first..first + events).map(event).collect(),
        }],
    })
}
