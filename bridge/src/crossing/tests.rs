#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

use std::time::Duration;

use horizon_store::{Options, ParkScope, PublicEvent, Sequence};

use super::*;

mod rig;

use rig::*;

#[tokio::test(flavor = "multi_thread")]
async fn a_violation_parks_its_key_and_the_others_go_on() {
    let mut rig = Rig::new().await;
    rig.append("Moved", r#"{"accountId":"a","amount":1}"#).await;
    rig.append("Moved", r#"{"accountId":"a","amount":-1}"#)
        .await;
    rig.append("Moved", r#"{"accountId":"b","amount":2}"#).await;
    rig.append("Moved", r#"{"accountId":"a","amount":3}"#).await;
    rig.append("Moved", r#"{"accountId":"b","amount":13}"#)
        .await;
    rig.append("Other", r#"{}"#).await;
    rig.cross(&[("one", "beginning")]).await;
    assert_eq!(origins(&rig.public("one").await), [1, 3]);
    let stream = PublicStreamName::new("one.v1").unwrap();
    let scope = ParkScope::Crossing(stream.clone());
    let limit = ReadLimit::default();
    let parked = rig.store.parked_keys(&rig.log, &scope, None, limit);
    let parked = parked.await.unwrap().keys;
    assert_eq!(
        parked
            .iter()
            .map(|key| (key.key.as_str(), key.entries, key.first_at))
            .collect::<Vec<_>>(),
        [("a", 2, 2)]
    );
    let entry = rig
        .store
        .parked_entry(&rig.log, &scope, None, 2)
        .await
        .unwrap()
        .unwrap();
    assert!(
        entry.reason.unwrap().contains("/amount"),
        "the reason names the pointer"
    );
    let counts = rig
        .store
        .public_head(&rig.log, &stream)
        .await
        .unwrap()
        .unwrap()
        .counts;
    assert_eq!(
        (counts.filtered, counts.unmatched, counts.violated),
        (1, 1, 1)
    );

    rig.append("Moved", r#"{"accountId":"a","amount":4}"#).await;
    rig.append("Moved", r#"{"accountId":"b","amount":5}"#).await;
    rig.cross(&[("one", "beginning")]).await;
    assert_eq!(
        origins(&rig.public("one").await),
        [1, 3, 8],
        "the key stays parked over a restart"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_without_a_key_halts_its_contract_alone_and_visibly() {
    let mut rig = Rig::new().await;
    rig.append("Moved", r#"{"accountId":"a","amount":1}"#).await;
    rig.append("Moved", r#"{"accountId":null,"amount":2}"#)
        .await;
    rig.append("Moved", r#"{"accountId":"a","amount":3}"#).await;
    let status = rig.cross(&[("one", "beginning")]).await;
    assert_eq!(origins(&rig.public("one").await), [1]);
    assert!(status.halt_of("one.v1").unwrap().contains("position 2"));
    let cursor = cursor_name(&PublicStreamName::new("one.v1").unwrap()).unwrap();
    assert_eq!(
        rig.store.crossing_cursor(&rig.log, &cursor).await.unwrap(),
        Some(Position::new(1))
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_contract_starts_where_it_says_and_then_shares_the_pass() {
    let mut rig = Rig::new().await;
    for amount in 1..=3 {
        rig.append(
            "Moved",
            &format!(r#"{{"accountId":"a","amount":{amount}}}"#),
        )
        .await;
    }
    rig.cross(&[("one", "beginning")]).await;
    let all = [("one", "beginning"), ("late", "beginning"), ("now", "now")];
    rig.cross(&all).await;
    rig.append("Moved", r#"{"accountId":"a","amount":4}"#).await;
    rig.cross(&all).await;
    assert_eq!(origins(&rig.public("one").await), [1, 2, 3, 4]);
    assert_eq!(origins(&rig.public("late").await), [1, 2, 3, 4]);
    assert_eq!(origins(&rig.public("now").await), [4]);
}

#[tokio::test(flavor = "multi_thread")]
async fn each_event_names_the_previous_one_of_its_key_over_restarts() {
    let mut rig = Rig::new().await;
    for (key, amount) in [("a", 1), ("b", 2), ("a", 3)] {
        rig.append(
            "Moved",
            &format!(r#"{{"accountId":"{key}","amount":{amount}}}"#),
        )
        .await;
    }
    rig.cross(&[("one", "beginning")]).await;
    rig.append("Moved", r#"{"accountId":"b","amount":4}"#).await;
    rig.cross(&[("one", "beginning")]).await;
    let previous: Vec<String> = rig
        .public("one")
        .await
        .iter()
        .map(|event| {
            let event: serde_json::Value = serde_json::from_slice(&event.event).unwrap();
            event["previoussequence"]
                .as_str()
                .unwrap()
                .trim_start_matches('0')
                .to_owned()
        })
        .collect();
    assert_eq!(previous, ["", "", "1", "2"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn sequences_go_on_in_a_new_epoch() {
    let mut rig = Rig::new().await;
    let contracts = [("one", "beginning")];
    rig.append("Moved", r#"{"accountId": "a", "amount": 1}"#)
        .await;
    rig.append("Moved", r#"{"accountId": "a", "amount": 2}"#)
        .await;
    rig.cross(&contracts).await;
    rig.append("Moved", r#"{"accountId": "a", "amount": 3}"#)
        .await;
    let Rig {
        folder,
        store,
        log,
        appended,
    } = rig;
    store.close().await.unwrap();
    let data = folder.path().join("data");
    horizon_store::open_new_epoch(&data, "a test", None, Options::default())
        .await
        .unwrap();
    let store = Store::open(&data, Options::default()).await.unwrap();
    let mut rig = Rig {
        folder,
        store,
        log,
        appended,
    };
    rig.append("Moved", r#"{"accountId": "a", "amount": 4}"#)
        .await;
    rig.cross(&contracts).await;
    let first = (1 << 40) + 1;
    let public = rig.public("one").await;
    let places: Vec<_> = public
        .iter()
        .map(|event| (event.sequence.get(), event.origin.get()))
        .collect();
    assert_eq!(places, [(1, 1), (2, 2), (first, 3), (first + 1, first + 1)]);
    let previous: Vec<_> = public
        .iter()
        .map(|event| {
            let event: serde_json::Value = serde_json::from_slice(&event.event).unwrap();
            event["previoussequence"]
                .as_str()
                .unwrap()
                .parse::<u64>()
                .unwrap()
        })
        .collect();
    assert_eq!(previous, [0, 1, 2, first]);
}

mod beginning;
mod halting;
mod unparking;

#[tokio::test(flavor = "multi_thread")]
async fn a_contract_that_makes_much_of_little_fills_no_record() {
    let mut rig = Rig::new().await;
    let folder = rig.folder.path().to_owned();
    catalog(&folder, &[("bank.large", "beginning")]);
    let names: Vec<String> = (0..40).map(|nth| format!("copy{nth}")).collect();
    let declared: Vec<String> = names
        .iter()
        .map(|name| format!("\"{name}\": {{\"type\": \"string\"}}"))
        .collect();
    let mapped: Vec<String> = names.iter().map(|name| format!("{name}: .note")).collect();
    let write = |path: &str, text: String| std::fs::write(folder.join(path), text).unwrap();
    write(
        "schemas/private/account/Moved.json",
        PRIVATE_SCHEMA.replace(
            "\"amount\":",
            "\"note\": {\"type\": \"string\"}, \"amount\":",
        ),
    );
    write(
        "schemas/public/moved.v1.json",
        PUBLIC_SCHEMA.replace(
            "\"amount\":",
            &format!("{}, \"amount\":", declared.join(", ")),
        ),
    );
    write(
        "contracts/bank.large.v1.yaml",
        contract("bank.large", "beginning").replace(
            "data: { amount: .amount",
            &format!("data: {{ amount: .amount, {}", mapped.join(", ")),
        ),
    );
    // What is read in one pass (2 MiB) becomes 80 MiB, more than a record may have.
    let note = "n".repeat(24_000);
    for _ in 0..90 {
        rig.append(
            "Moved",
            &format!("{{\"accountId\": \"1\", \"amount\": 1, \"note\": \"{note}\"}}"),
        )
        .await;
    }
    rig.cross_by(&load(&folder)).await;
    let stream = PublicStreamName::new("bank.large.v1").unwrap();
    let head = rig.store.public_head(&rig.log, &stream).await.unwrap();
    assert_eq!(head.unwrap().last, Sequence::new(90));
}
