//! What halts a contract, and what lets it go on.

use super::unparking::{ONE, Running, moved, one, stream};
use super::*;
use crate::unparking::Skip;

#[tokio::test(flavor = "multi_thread")]
async fn too_many_parked_keys_halt_a_contract_until_there_are_fewer() {
    let mut rig = Rig::new().await;
    let limit = crate::crossing::parked::PARKED_KEYS_LIMIT;
    let scope = ParkScope::Crossing(stream());
    // One event is enough to stand for all: each key is parked at its position.
    moved(&mut rig, "x", -1).await;
    let many = (0..limit).map(|key| horizon_store::NewParked {
        scope: scope.clone(),
        key: format!("k{key}"),
        at: 1,
        reason: Some("a test".to_owned()),
    });
    let crossing = Crossing {
        cursors: vec![CursorMove {
            cursor: cursor_name(&stream()).unwrap(),
            expected: Position::ZERO,
            to: Position::new(1),
        }],
        parked: many.collect(),
        ..Crossing::default()
    };
    rig.store.cross(&rig.log, crossing).await.unwrap();
    moved(&mut rig, "a", 1).await;
    moved(&mut rig, "b", -1).await;
    moved(&mut rig, "a", 2).await;
    let running = Running::start(&rig, &catalog(rig.folder.path(), &ONE)).await;
    while running.status.halt_of("one.v1").is_none() {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    assert!(
        running
            .status
            .halt_of("one.v1")
            .unwrap()
            .contains("10000 keys"),
        "it says why"
    );
    assert_eq!(
        origins(&rig.public("one").await),
        [2],
        "what is before it has crossed"
    );
    let skip = Some(Skip {
        all_events: true,
        at: None,
        reason: "a test".to_owned(),
    });
    let progress = running.done(one("k7"), skip).await;
    assert_eq!(progress.live, 1);
    running.at_head(&rig).await;
    assert_eq!(
        running.status.halt_of("one.v1"),
        None,
        "it goes on by itself"
    );
    assert_eq!(origins(&rig.public("one").await), [2, 4]);
    running.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_given_up_before_a_crash_is_passed_after_it() {
    let mut rig = Rig::new().await;
    rig.append("Moved", r#"{"accountId":null,"amount":1}"#)
        .await;
    moved(&mut rig, "a", 2).await;
    let status = rig.cross(&ONE).await;
    let halted = status.halt_of("one.v1").unwrap();
    let advice = "horizon skip one.v1 --at 1 --reason";
    assert!(halted.contains(advice), "{halted}");
    // As far as a skip has come when its record is durable.
    let (stream, at, reason) = (stream(), Position::new(1), "a test".to_owned());
    let recorded = skips::record(&rig.store, &rig.log, &stream, at, reason);
    recorded.await.unwrap();
    let status = rig.cross(&ONE).await;
    assert_eq!(status.halt_of("one.v1"), None);
    assert_eq!(origins(&rig.public("one").await), [2]);
    let head = rig.store.public_head(&rig.log, &stream).await.unwrap();
    assert_eq!(head.unwrap().counts.violated, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_halted_contract_tries_again_when_contracts_are_taken_up_and_removed_ones_stop() {
    let mut rig = Rig::new().await;
    moved(&mut rig, "a", 1).await;
    rig.append("Moved", r#"{"accountId":null,"amount":2}"#)
        .await;
    moved(&mut rig, "a", 3).await;
    let running = Running::start(&rig, &catalog(rig.folder.path(), &ONE)).await;
    while running.status.halt_of("one.v1").is_none() {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let path = rig.folder.path().join("contracts/one.v1.yaml");
    let text = std::fs::read_to_string(&path).unwrap();
    std::fs::write(
        &path,
        text.replace("when: .amount != 13", "when: .accountId != null"),
    )
    .unwrap();
    running.take_up(&load(rig.folder.path())).await;
    running.at_head(&rig).await;
    assert_eq!(running.status.halt_of("one.v1"), None);
    assert_eq!(origins(&rig.public("one").await), [1, 3]);

    std::fs::remove_file(&path).unwrap();
    running
        .take_up(&catalog(rig.folder.path(), &[("other", "beginning")]))
        .await;
    moved(&mut rig, "a", 4).await;
    // Without that condition the event that has no key halts the other one: it was looked at, then.
    while running.status.halt_of("other.v1").is_none() {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    assert_eq!(origins(&rig.public("one").await), [1, 3], "it is gone");
    let mut progress = running.order(one("a"), None).await;
    assert!(
        progress.wait_for(|progress| progress.done).await.is_err(),
        "nobody carries that out"
    );
    let text = contract("one", "beginning");
    std::fs::write(&path, text).unwrap();
    running.take_up(&load(rig.folder.path())).await;
    running.at_head(&rig).await;
    assert_eq!(
        origins(&rig.public("one").await),
        [1, 3, 4],
        "it comes back where it was"
    );
    running.end().await;
}
