//! The bytes of keys.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use super::*;
use crate::parked::ParkScope;

#[test]
fn keys_are_these_bytes_for_ever() {
    let log = LogId(1);
    assert_eq!(
        log_record(log, Position::new(2)).bytes,
        b"\x01\0\0\0\x01\0\0\0\0\0\0\0\x02"
    );
    assert_eq!(
        stream_index(log, "a-1", Revision::new(3)).bytes,
        b"\x10\0\0\0\x01a-1\0\0\0\0\0\0\0\0\x03"
    );
    assert_eq!(
        block(log, Indexed::Category("a"), Position::new(256)).bytes,
        b"\x12\0\0\0\x01a\0\0\0\0\0\0\0\x01\x00"
    );
    assert_eq!(
        block(log, Indexed::System("k"), Position::new(256)).bytes,
        b"\x13\0\0\0\x01\x01k\0\0\0\0\0\0\0\x01\x00"
    );
    let relay = ParkScope::Relay(RelayName::new("r").unwrap());
    assert_eq!(
        parked_at(log, &relay, 1).bytes,
        b"\x35\0\0\0\x01\x02r\0\0\0\0\0\0\0\0\x01"
    );
    assert_eq!(
        resolution(log, &relay, 1, &[7; 16]).bytes,
        [&b"\x38\0\0\0\x01\x02r\0\0\0\0\0\0\0\0\x01"[..], &[7; 16]].concat()
    );
    assert_eq!(
        parked_key(log, &relay, &[7; 16]).bytes,
        [&b"\x39\0\0\0\x01\x02r\0"[..], &[7; 16]].concat()
    );
    assert_eq!(store().bytes, b"\x40\0\0\0\0");
}

#[test]
fn no_two_families_share_a_tag() {
    for (index, family) in Family::ALL.iter().enumerate() {
        assert!(
            Family::ALL
                .iter()
                .skip(index + 1)
                .all(|other| *other as u8 != *family as u8)
        );
    }
}

#[test]
fn a_prefix_ends_before_the_next_name() {
    let log = LogId(1);
    let short = stream_revisions(log, "a").bytes;
    let end = end_of(&short);
    let longer = stream_index(log, "a-1", Revision::new(1)).bytes;
    let last = stream_index(log, "a", Revision::new(u64::MAX)).bytes;
    assert!(last < end && end <= longer);
    assert_eq!(end_of(&[1, 0xff, 0xff]), [2]);
    assert!(end_of(&[0xff]) > vec![0xff]);
}

#[test]
fn an_error_names_the_place() {
    assert_eq!(
        describe(&log_record(LogId(1), Position::new(5)).bytes),
        "log 1, position 5"
    );
    assert_eq!(describe(&[]), "key []");
}
