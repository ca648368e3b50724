//! The bank example of `deploy/example`, as it is shipped.

use crate::fixture::{load, secret};
use horizon_schemas::{Outcome, PrivateEvent, Rules};
use serde_json::json;
use std::path::PathBuf;

#[test]
fn the_bank_example_is_right_and_its_events_cross() {
    let folder = PathBuf::from("../deploy/example");
    if !folder.is_dir() {
        panic!("deploy/example is not there");
    }
    let catalog =
        load(&folder, &Rules::default()).unwrap_or_else(|diagnostics| panic!("{diagnostics}"));
    let streams: Vec<String> = catalog
        .contracts()
        .iter()
        .map(|one| one.public_stream())
        .collect();
    assert_eq!(streams, ["bank.accounts.v1", "bank.lending.v1"]);
    let data = json!({"transactionId": "t-1", "accountId": "576", "amount": 700, "currency": "CZK", "balance": 700});
    assert_eq!(
        catalog
            .private()
            .check("account", "CashDeposited", Some(&data)),
        Ok(())
    );
    let event = PrivateEvent {
        source: "account-576",
        id: "e-1",
        stream: "account-576",
        category: "account",
        event_type: "CashDeposited",
        time: Some("1993-01-01T00:00:00Z"),
        traceparent: None,
        tracestate: None,
        recorded_ms: 0,
        flagged: false,
        data: &data,
    };
    let Outcome::Crossed(crossed) = catalog.contracts()[0].cross(&event, &secret()) else {
        panic!("it did not cross")
    };
    let bytes = String::from_utf8(crossed.seal(1, 0).into_bytes()).unwrap();
    assert!(
        bytes.contains("\"partitionkey\":\"576\"") && !bytes.contains("balance"),
        "{bytes}"
    );
}
