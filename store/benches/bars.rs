//! How fast the store is, against RocksDB alone, as ratios within one run; and the bars that it should hold.
//!
//! About two minutes on a quiet machine; `HORIZON_BENCH_EVENTS=10000000` measures growth as well, in some minutes more.
#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a benchmark fails by panicking, and prints"
)]

#[path = "bars/appends.rs"]
mod appends;
#[path = "bars/bare.rs"]
mod bare;
#[path = "bars/events.rs"]
mod events;
#[path = "bars/growth.rs"]
mod growth;
#[path = "bars/ratio.rs"]
mod ratio;
#[path = "bars/reads.rs"]
mod reads;

use std::time::Duration;

use appends::{Appends, Streams};
use criterion::Criterion;
use ratio::{Ratio, median};
use reads::Reads;

/// The daemon's.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

/// The table at the end.
struct Table {
    criterion: Criterion<Ratio>,
    rows: Vec<String>,
}

impl Table {
    /// Measures one row. `side` makes what `round` measures, once, if the row was asked for at all.
    fn row<T>(
        &mut self,
        work: &str,
        bar: &str,
        side: impl FnOnce() -> T,
        round: fn(&mut T) -> f64,
    ) {
        let mut values = Vec::new();
        let (mut make, mut made) = (Some(side), None);
        self.criterion.bench_function(work, |bencher| {
            bencher.iter_custom(|rounds| {
                if let Some(make) = make.take() {
                    made = Some(make());
                }
                let side = made.as_mut().unwrap();
                let measured: Vec<_> = (0..rounds).map(|_| round(side)).collect();
                values.extend(&measured);
                measured.iter().sum()
            });
        });
        if !values.is_empty() {
            self.rows
                .push(format!("| {work} | {:.2} | {bar} |", median(&mut values)));
        }
    }
}

fn main() {
    let criterion = Criterion::default()
        .with_measurement(Ratio)
        .without_plots()
        .sample_size(20)
        .warm_up_time(Duration::from_millis(500))
        .measurement_time(Duration::from_secs(4))
        .configure_from_args();
    let mut table = Table {
        criterion,
        rows: Vec::new(),
    };
    let appends = |streams| move || Appends::new(streams);
    let (at_least, at_most) = ("at least 0.7", "at most 1.5");
    table.row(
        "256 appenders, new streams",
        at_least,
        appends(Streams::New),
        Appends::concurrent,
    );
    table.row(
        "256 appenders, cold streams",
        at_least,
        appends(Streams::Cold),
        Appends::concurrent,
    );
    table.row(
        "256 appenders, warm streams",
        at_least,
        appends(Streams::Warm),
        Appends::concurrent,
    );
    table.row(
        "one appender, one event",
        at_most,
        appends(Streams::New),
        Appends::alone,
    );
    table.row(
        "commits of 100 events",
        at_least,
        appends(Streams::New),
        Appends::hundreds,
    );
    table.row(
        "a stream of 100 scattered events, µs",
        "under 250",
        Reads::new,
        Reads::streams,
    );
    table.row(
        "the same, only blocks in memory, µs",
        "",
        Reads::without_records,
        Reads::streams,
    );
    table.row("scanning a log", "at least 0.5", Reads::new, Reads::scan);
    table.row(
        "append p99 beside a reader of all",
        "at most 2",
        Reads::new,
        Reads::p99_beside_a_reader,
    );
    if let Ok(events) = std::env::var("HORIZON_BENCH_EVENTS") {
        table.rows.extend(growth::measure(events.parse().unwrap()));
    }
    println!("\n| work | measured | bar |\n|---|---|---|");
    for row in table.rows {
        println!("{row}");
    }
}
