//! How fast the store is, against RocksDB alone, as ratios within one run.
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
#[path = "bars/ratio.rs"]
mod ratio;

use std::time::Duration;

use appends::{Appends, Streams};
use criterion::Criterion;
use ratio::{Ratio, median};

fn main() {
    let mut criterion = Criterion::default()
        .with_measurement(Ratio)
        .without_plots()
        .sample_size(20)
        .warm_up_time(Duration::from_millis(500))
        .measurement_time(Duration::from_secs(4))
        .configure_from_args();
    let mut table = Vec::new();
    let mut bar = |criterion: &mut Criterion<Ratio>,
                   name: &str,
                   bar: &str,
                   mut round: Box<dyn FnMut() -> f64>| {
        let mut values = Vec::new();
        criterion.bench_function(name, |bencher| {
            bencher.iter_custom(|rounds| {
                let ratios: Vec<_> = (0..rounds).map(|_| round()).collect();
                values.extend(&ratios);
                ratios.iter().sum()
            });
        });
        if !values.is_empty() {
            table.push(format!("| {name} | {:.2} | {bar} |", median(&mut values)));
        }
    };
    for (name, streams) in [
        ("new", Streams::New),
        ("cold", Streams::Cold),
        ("warm", Streams::Warm),
    ] {
        let mut side = None;
        bar(
            &mut criterion,
            &format!("256 appenders, {name} streams"),
            "at least 0.7",
            Box::new(move || {
                side.get_or_insert_with(|| Appends::new(streams))
                    .concurrent()
            }),
        );
    }
    let mut side = None;
    bar(
        &mut criterion,
        "one appender, one event",
        "at most 1.5",
        Box::new(move || {
            side.get_or_insert_with(|| Appends::new(Streams::New))
                .alone()
        }),
    );
    let mut side = None;
    bar(
        &mut criterion,
        "commits of 100",
        "at least 0.7",
        Box::new(move || {
            side.get_or_insert_with(|| Appends::new(Streams::New))
                .hundreds()
        }),
    );
    println!("\n| work | measured | bar |\n|---|---|---|");
    for row in table {
        println!("{row}");
    }
}
