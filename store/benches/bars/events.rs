//! Events like those of a bank: their types, fields and sizes; and streams `account-N`.

use bytes::Bytes;
use horizon_store::{AttributeValue, Commit, Expected, NewEvent, StreamName, StreamWrite};

pub(crate) const TYPES: [&str; 4] = [
    "CashDeposited",
    "CashWithdrawn",
    "TransferReceived",
    "InterestCredited",
];

/// SplitMix64: well mixed, the same on every machine.
pub(crate) fn mixed(number: u64) -> u64 {
    let mut z = number.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// An id shaped as a UUID, random in its order as those of real events.
fn id(number: u64) -> String {
    let (high, low) = (mixed(number), mixed(number ^ 0x5555_0000_5555));
    format!(
        "{:08x}-{:04x}-5{:03x}-8{:03x}-{:012x}",
        high >> 32,
        (high >> 16) & 0xffff,
        high & 0xfff,
        low >> 52,
        low & 0xffff_ffff_ffff
    )
}

/// The event of a number; about 250 bytes with its attributes, as those of the bank.
pub(crate) fn event(number: u64) -> NewEvent {
    let mixed = mixed(number);
    let (account, amount, balance) = (mixed % 10_000, mixed % 90_000, mixed % 7_000_000);
    NewEvent {
        id: id(number),
        source: None,
        event_type: TYPES[number as usize % TYPES.len()].into(),
        attributes: vec![(
            "time".into(),
            AttributeValue::Text("1996-05-14T00:00:00Z".into()),
        )],
        media_type: Some("application/json".into()),
        data: Some(Bytes::from(format!(
            r#"{{"transactionId":"{number}","accountId":"{account}","amount":{}.{},"currency":"CZK","balance":{}.5}}"#,
            amount / 10,
            amount % 10,
            balance / 10
        ))),
        flagged: false,
    }
}

pub(crate) fn stream(number: u64) -> StreamName {
    StreamName::new(&format!("account-{number}")).unwrap()
}

/// A commit of consecutive events to one stream.
pub(crate) fn commit(stream: StreamName, events: std::ops::Range<u64>) -> Commit {
    let events = events.map(event).collect();
    Commit {
        writes: vec![StreamWrite {
            stream,
            expected: Expected::Any,
            events,
        }],
    }
}
