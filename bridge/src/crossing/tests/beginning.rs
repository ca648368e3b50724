//! Where new contracts begin.

use super::unparking::{ONE, Running};
use super::*;

#[tokio::test(flavor = "multi_thread")]
async fn a_contract_may_begin_at_a_position_or_a_time() {
    let mut rig = Rig::new().await;
    let moved = r#"{"accountId":"a","amount":1}"#;
    rig.append("Moved", moved).await;
    rig.append("Moved", moved).await;
    tokio::time::sleep(Duration::from_millis(5)).await;
    rig.append("Moved", moved).await;
    let limit = ReadLimit::default();
    let page = rig
        .store
        .read_log(&rig.log, &Selection::All, Position::new(2), limit)
        .await
        .unwrap();
    let Some(horizon_store::Record::Event(third)) = page.records.first() else {
        panic!("there is no third event")
    };
    let time =
        time::OffsetDateTime::from_unix_timestamp_nanos(i128::from(third.recorded_ms) * 1_000_000);
    let time = time
        .unwrap()
        .format(&time::format_description::well_known::Rfc3339)
        .unwrap();
    let from_time = format!("{{ time: \"{time}\" }}");
    let contracts = [
        ("first", "{ position: 1 }"),
        ("second", "{ position: 2 }"),
        ("timed", from_time.as_str()),
        ("long-ago", "{ time: \"1993-01-01T00:00:00Z\" }"),
        ("some-day", "{ time: \"9993-01-01T00:00:00Z\" }"),
    ];
    rig.cross(&contracts).await;
    rig.append("Moved", moved).await;
    rig.cross(&contracts).await;
    for (name, expected) in [
        ("first", &[1, 2, 3, 4][..]),
        ("second", &[2, 3, 4]),
        ("timed", &[3, 4]),
        ("long-ago", &[1, 2, 3, 4]),
        ("some-day", &[4]),
    ] {
        assert_eq!(origins(&rig.public(name).await), expected, "{name}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_contract_cannot_begin_beyond_the_head() {
    let mut rig = Rig::new().await;
    rig.append("Moved", r#"{"accountId":"a","amount":1}"#).await;
    let catalog = catalog(rig.folder.path(), &[("one", "{ position: 2 }")]);
    let Err(error) = rig.crosser(&catalog, &Arc::default()).await else {
        panic!("it began beyond the head")
    };
    let told = error.to_string();
    assert!(
        told.contains("one.v1 starts at position 2, and the log ends at 1"),
        "{told}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn no_contract_begins_where_another_cannot() {
    let mut rig = Rig::new().await;
    let moved = r#"{"accountId":"a","amount":1}"#;
    rig.append("Moved", moved).await;
    let beyond = [("now", "now"), ("two", "{ position: 9 }")];
    let catalog = catalog(rig.folder.path(), &beyond);
    let restored = rig.crosser(&catalog, &Arc::default()).await;
    assert!(restored.is_err(), "it began beyond the head");
    rig.append("Moved", moved).await;
    let mended = [("now", "now"), ("two", "{ position: 2 }")];
    rig.cross(&mended).await;
    rig.append("Moved", moved).await;
    rig.cross(&mended).await;
    assert_eq!(
        origins(&rig.public("now").await),
        [3],
        "what came before now"
    );
    assert_eq!(origins(&rig.public("two").await), [2, 3]);
}

#[tokio::test(flavor = "multi_thread")]
async fn where_a_contract_begins_at_a_time_is_found_before_it_is_taken_up() {
    let mut rig = Rig::new().await;
    let moved = r#"{"accountId":"a","amount":1}"#;
    rig.append("Moved", moved).await;
    rig.append("Moved", moved).await;
    let one = catalog(rig.folder.path(), &ONE);
    let running = Running::start(&rig, &one).await;
    let timed = ("timed", "{ time: \"9993-01-01T00:00:00Z\" }");
    let both = catalog(rig.folder.path(), &[ONE[0], timed]);
    let found = find_timed(&rig.store, &rig.log, both.contracts()).await;
    assert_eq!(
        found.unwrap(),
        Timed::from([("timed.v1".to_owned(), Position::new(2))])
    );
    // What was found is believed: the crossing does not look for it again.
    let given = Timed::from([("timed.v1".to_owned(), Position::new(1))]);
    running.take_up_at(&both, given).await;
    // The next one would not know of what this one is still writing.
    rig.until_crossed(&both, &running.status).await;
    running.end().await;
    rig.cross_by(&both).await;
    assert_eq!(origins(&rig.public("timed").await), [2]);
    let found = find_timed(&rig.store, &rig.log, both.contracts()).await;
    assert_eq!(found.unwrap(), Timed::new(), "it is no new one any more");
}
