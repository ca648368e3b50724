//! Many writers at once: of those with the same expectation exactly one wins.

use horizon_store::{AppendError, ReadLimit, Revision};

use crate::build::{exact, fresh, main_log, one, stream};

const WRITERS: u64 = 64;
const ROUNDS: u64 = 2_000;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_64_writers_with_the_same_expected_revision_exactly_one_wins() {
    let (store, _dir) = fresh().await;
    for round in 0..ROUNDS {
        let mut writers = tokio::task::JoinSet::new();
        for writer in 0..WRITERS {
            let (store, commit) = (
                store.clone(),
                one("a-1", exact(round), &[&format!("{round}-{writer}")]),
            );
            writers.spawn(async move { store.append(&main_log(), commit).await });
        }
        let (won, lost): (Vec<_>, Vec<_>) = writers
            .join_all()
            .await
            .into_iter()
            .partition(Result::is_ok);
        assert_eq!(won.len(), 1, "round {round}");
        for error in lost {
            let actual = Revision::new(round + 1);
            let expected = exact(round);
            assert_eq!(
                error,
                Err(AppendError::WrongRevision {
                    stream: stream("a-1"),
                    expected,
                    actual
                })
            );
        }
    }
    let page = store
        .read_stream(
            &main_log(),
            &stream("a-1"),
            Revision::ZERO,
            ReadLimit {
                records: ReadLimit::RECORDS_MAX,
                ..ReadLimit::default()
            },
        )
        .await
        .unwrap();
    assert_eq!(
        (page.revision.get(), page.events.len() as u64),
        (ROUNDS, ROUNDS)
    );
    assert_eq!(store.head(&main_log()).await.unwrap().get(), ROUNDS);
}
