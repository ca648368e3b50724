//! Parked keys go on by orders, other contracts are taken up, and what a crash leaves.

use std::collections::BTreeMap;

use horizon_schemas::Catalog;
use horizon_store::{ParkOutcome, ParkedKey};
use tokio::sync::oneshot;

use super::*;
use crate::stored::{event_at, public_at};
use crate::unparking::{Keys, Order, Progress, Skip, Ticket};

/// A crosser that runs, and takes orders.
pub(super) struct Running {
    orders: mpsc::Sender<CrossingOrder>,
    stop: watch::Sender<bool>,
    task: tokio::task::JoinHandle<Result<(), CrossingError>>,
    pub(super) status: Arc<Status>,
}

pub(super) const ONE: [(&str, &str); 1] = [("one", "beginning")];

pub(super) fn stream() -> PublicStreamName {
    PublicStreamName::new("one.v1").unwrap()
}

/// The contracts as they are once amounts down to `least` are allowed.
fn mended(rig: &Rig, least: i64) -> Catalog {
    let catalog_folder = rig.folder.path();
    catalog(catalog_folder, &ONE);
    let schema = PUBLIC_SCHEMA.replace("\"minimum\": 0", &format!("\"minimum\": {least}"));
    std::fs::write(catalog_folder.join("schemas/public/moved.v1.json"), schema).unwrap();
    load(catalog_folder)
}

impl Running {
    pub(super) async fn start(rig: &Rig, catalog: &Catalog) -> Running {
        let status = Arc::new(Status::default());
        let crosser = rig.crosser(catalog, &status).await.unwrap();
        let (stop, stopped) = watch::channel(false);
        let (orders, taken) = mpsc::channel(4);
        let task = tokio::spawn(crosser.run(taken, stopped));
        Running {
            orders,
            stop,
            task,
            status,
        }
    }

    pub(super) async fn order(&self, keys: Keys, skip: Option<Skip>) -> watch::Receiver<Progress> {
        let (ticket, progress) = Ticket::new();
        let order = Order { keys, skip, ticket };
        let stream = stream();
        let order = CrossingOrder::Unpark { stream, order };
        self.orders
            .send(order)
            .await
            .unwrap_or_else(|_| panic!("nobody takes orders"));
        progress
    }

    pub(super) async fn done(&self, keys: Keys, skip: Option<Skip>) -> Progress {
        let mut progress = self.order(keys, skip).await;
        progress
            .wait_for(|progress| progress.done)
            .await
            .unwrap()
            .clone()
    }

    pub(super) async fn take_up(&self, catalog: &Catalog) {
        self.take_up_at(catalog, Timed::new()).await;
    }

    pub(super) async fn take_up_at(&self, catalog: &Catalog, timed: Timed) {
        let (answer, answered) = oneshot::channel();
        let order = CrossingOrder::TakeUp {
            contracts: catalog.contracts().to_vec(),
            changes: Vec::new(),
            timed,
            answer,
        };
        self.orders
            .send(order)
            .await
            .unwrap_or_else(|_| panic!("nobody takes orders"));
        answered.await.unwrap().unwrap();
    }

    pub(super) async fn at_head(&self, rig: &Rig) {
        let head = rig.store.head(&rig.log).await.unwrap();
        let cursor = cursor_name(&stream()).unwrap();
        while rig.store.crossing_cursor(&rig.log, &cursor).await.unwrap() != Some(head) {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    pub(super) async fn end(self) {
        self.stop.send(true).unwrap();
        self.task.await.unwrap().unwrap();
    }
}

pub(super) async fn moved(rig: &mut Rig, key: &str, amount: i64) {
    rig.append(
        "Moved",
        &format!(r#"{{"accountId":"{key}","amount":{amount}}}"#),
    )
    .await;
}

async fn parked(rig: &Rig) -> Vec<ParkedKey> {
    let scope = ParkScope::Crossing(stream());
    let read = rig
        .store
        .parked_keys(&rig.log, &scope, None, ReadLimit::default());
    read.await.unwrap().keys
}

fn ids(events: &[PublicEvent]) -> BTreeMap<u64, String> {
    events
        .iter()
        .map(|event| (event.origin.get(), event.id.clone()))
        .collect()
}

pub(super) fn one(key: &str) -> Keys {
    Keys::One(key.to_owned())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mended_key_goes_on_in_order_with_the_ids_it_would_have_had() {
    let mut rig = Rig::new().await;
    for (key, amount) in [
        ("a", -1),
        ("b", 1),
        ("a", 13),
        ("a", 2),
        ("a", -9),
        ("a", 3),
    ] {
        moved(&mut rig, key, amount).await;
    }
    let running = Running::start(&rig, &catalog(rig.folder.path(), &ONE)).await;
    running.at_head(&rig).await;
    assert_eq!(origins(&rig.public("one").await), [2]);
    let progress = running.done(one("a"), None).await;
    assert_eq!(
        (progress.stuck, progress.stuck_keys[0].at),
        (1, Some(1)),
        "nothing was mended"
    );
    assert!(
        progress.stuck_keys[0].reason.contains("/amount"),
        "{progress:?}"
    );

    running.take_up(&mended(&rig, -5)).await;
    let progress = running.done(Keys::All, None).await;
    assert_eq!(
        (progress.stuck_keys[0].at, progress.live),
        (Some(5), 0),
        "-9 still violates"
    );
    // 13 was filtered at once and never waited.
    assert_eq!(origins(&rig.public("one").await), [2, 1, 4]);
    assert_eq!(parked(&rig).await[0].entries, 2);
    moved(&mut rig, "a", 4).await;
    running.at_head(&rig).await;
    assert_eq!(parked(&rig).await[0].entries, 3, "what comes waits behind");

    running.take_up(&mended(&rig, -10)).await;
    let progress = running.done(one("a"), None).await;
    assert_eq!((progress.events.crossed, progress.live), (3, 1));
    moved(&mut rig, "a", 5).await;
    running.at_head(&rig).await;
    let public = rig.public("one").await;
    assert_eq!(origins(&public), [2, 1, 4, 5, 6, 7, 8]);
    assert!(parked(&rig).await.is_empty());
    let scope = ParkScope::Crossing(stream());
    let left = rig
        .store
        .resolution(&rig.log, &scope, Some("a"), 5)
        .await
        .unwrap();
    assert_eq!(left.unwrap().outcome, ParkOutcome::Crossed);
    running.end().await;

    assert_eq!(ids(&public), ids_never_refused().await);
}

/// The ids of the same events through a contract that never refused them.
async fn ids_never_refused() -> BTreeMap<u64, String> {
    let mut other = Rig::new().await;
    for (key, amount) in [
        ("a", -1),
        ("b", 1),
        ("a", 13),
        ("a", 2),
        ("a", -9),
        ("a", 3),
        ("a", 4),
        ("a", 5),
    ] {
        moved(&mut other, key, amount).await;
    }
    let running = Running::start(&other, &mended(&other, -10)).await;
    running.at_head(&other).await;
    running.end().await;
    ids(&other.public("one").await)
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_skipped_is_told_and_the_rest_of_the_key_goes_on() {
    let mut rig = Rig::new().await;
    for amount in [-1, 1, -2, 2] {
        moved(&mut rig, "a", amount).await;
    }
    let running = Running::start(&rig, &catalog(rig.folder.path(), &ONE)).await;
    running.at_head(&rig).await;
    let skip = |all_events, at| {
        Some(Skip {
            all_events,
            at,
            reason: "never happened".to_owned(),
        })
    };
    let progress = running.done(one("a"), skip(false, Some(2))).await;
    assert_eq!(
        (progress.stuck_keys[0].at, progress.events.skipped),
        (Some(1), 0)
    );
    let progress = running.done(one("a"), skip(false, Some(1))).await;
    assert_eq!((progress.events.skipped, progress.events.crossed), (1, 1));
    assert_eq!(
        progress.stuck_keys[0].at,
        Some(3),
        "the next one that violates is not given up"
    );
    let scope = ParkScope::Crossing(stream());
    let left = rig
        .store
        .resolution(&rig.log, &scope, None, 1)
        .await
        .unwrap()
        .unwrap();
    assert_eq!(
        left.outcome,
        ParkOutcome::Skipped {
            reason: "never happened".to_owned()
        }
    );
    let progress = running.done(one("a"), skip(true, None)).await;
    assert_eq!((progress.events.skipped, progress.live), (2, 1));
    let progress = running.done(one("a"), None).await;
    assert_eq!(progress.stuck_keys[0].at, None, "it is not parked any more");
    moved(&mut rig, "a", 5).await;
    running.at_head(&rig).await;
    assert_eq!(origins(&rig.public("one").await), [2, 5]);
    running.end().await;
}

/// A process that ends between two batches of a retry leaves whole batches behind it: what has not left is parked, and what comes
/// after the restart waits behind it.
#[tokio::test(flavor = "multi_thread")]
async fn a_retry_that_is_cut_off_leaves_the_rest_parked_and_nothing_overtakes() {
    const EVENTS: u64 = 1_500;
    let mut rig = Rig::new().await;
    moved(&mut rig, "a", -1).await;
    for _ in 1..EVENTS {
        moved(&mut rig, "a", 1).await;
    }
    let running = Running::start(&rig, &catalog(rig.folder.path(), &ONE)).await;
    running.at_head(&rig).await;
    assert_eq!(parked(&rig).await[0].entries, EVENTS);
    running.take_up(&mended(&rig, -5)).await;
    let mut progress = running.order(one("a"), None).await;
    progress
        .wait_for(|progress| progress.events.crossed > 0)
        .await
        .unwrap();
    // As a kill would: at whatever point it is.
    running.task.abort();
    assert!(running.task.await.unwrap_err().is_cancelled());
    // What was handed to the store is written before this is.
    moved(&mut rig, "a", 2).await;
    let head = rig
        .store
        .public_head(&rig.log, &stream())
        .await
        .unwrap()
        .unwrap();
    let waiting = parked(&rig).await.first().map_or(0, |key| key.entries);
    assert_eq!(head.crossed + waiting, EVENTS, "each is here or there");
    assert!(waiting > 0, "the retry was cut off");

    let running = Running::start(&rig, &mended(&rig, -5)).await;
    running.at_head(&rig).await;
    assert_eq!(parked(&rig).await[0].entries, waiting + 1);
    let progress = running.done(one("a"), None).await;
    assert_eq!((progress.events.crossed, progress.live), (waiting + 1, 1));
    let mut origins = Vec::new();
    let (stream, mut after) = (stream(), Sequence::ZERO);
    loop {
        let page = rig
            .store
            .read_public(&rig.log, &stream, after, ReadLimit::default());
        let page = page.await.unwrap();
        let Some(last) = page.events.last() else {
            break;
        };
        after = last.sequence;
        origins.extend(page.events.iter().map(|event| event.origin.get()));
    }
    assert_eq!(origins, (1..=EVENTS + 1).collect::<Vec<_>>());
    running.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn orders_that_are_too_many_are_told_so_and_not_remembered() {
    let mut rig = Rig::new().await;
    moved(&mut rig, "a", -1).await;
    rig.cross(&ONE).await;
    let catalog = catalog(rig.folder.path(), &ONE);
    let mut crosser = rig.crosser(&catalog, &Arc::default()).await.unwrap();
    let mut ended = Vec::new();
    for _ in 0..50 {
        let (ticket, progress) = Ticket::new();
        let (keys, skip) = (Keys::All, None);
        let order = Order { keys, skip, ticket };
        let stream = stream();
        crosser.take(CrossingOrder::Unpark { stream, order }).await;
        let progress = progress.borrow();
        let told = progress
            .stuck_keys
            .first()
            .map(|stuck| stuck.reason.clone());
        assert_eq!(told.is_some(), progress.done);
        ended.extend(told);
    }
    assert_eq!((crosser.jobs.len(), ended.len()), (16, 34));
    assert!(ended[0].contains("too many orders"), "{}", ended[0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_is_read_at_its_own_place_only() {
    let mut rig = Rig::new().await;
    moved(&mut rig, "a", 1).await;
    rig.cross(&ONE).await;
    for (at, there) in [(0, false), (1, true), (9, false)] {
        let private = event_at(&rig.store, &rig.log, Position::new(at)).await;
        assert_eq!(private.unwrap().is_some(), there, "position {at}");
        let public = public_at(&rig.store, &rig.log, &stream(), Sequence::new(at)).await;
        assert_eq!(public.unwrap().is_some(), there, "sequence {at}");
    }
}
