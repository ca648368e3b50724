"""Outlets under faults, and what `horizon why` tells of each outcome."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from exact import Number
from facts import card, deposit, loan_payment, small_interest
from jsonschema import Draft202012Validator
from judges import judge, read
from oracle import ACCOUNTS, LENDING, forecast, read_events
from rack import Brokers, Rack, bank_daemon, brokers_in, rack_on
from rig.daemon import Daemon
from rig.waiting import wait_until
from told import at_contract, outlet_of, why, why_in_words

MQTT, AMQP = "mqtt:main", "amqp:rabbit"


def append(daemon: Daemon, account: str, event: dict[str, object]) -> str:
    """Appends one event; returns its id."""
    answer = daemon.http("POST", f"/streams/account-{account}", event)
    assert answer.status == 201, answer.body
    return str(event["id"])


def keys_at(rack: Rack) -> list[str]:
    """The keys of what has arrived over MQTT."""
    return [a.key for a in read(rack.mqtt.messages()).first]


def test_why_tells_unmatched_filtered_and_crossed_with_its_confirmations(rack: Rack) -> None:
    started = time.time()
    unmatched = append(rack.daemon, "1", card("1"))
    filtered = append(rack.daemon, "1", small_interest("1"))
    crossed = append(rack.daemon, "1", loan_payment("1"))
    rack.wait_settled()
    rack.wait_received(2)

    for event, stream, outcome, reason in (
        (unmatched, ACCOUNTS, "unmatched", "no `from` names CardIssued"),
        (filtered, ACCOUNTS, "filtered", "no `when` holds for it, of example.bank.account.credited.v1"),
        (filtered, LENDING, "unmatched", "no `from` names InterestCredited"),
    ):
        told = at_contract(why(rack.daemon, event), stream)
        assert (told["outcome"], told["reason"]) == (outcome, reason), told
    told = why(rack.daemon, crossed)
    by_stream = {a.stream: a for a in read(rack.mqtt.messages()).first}
    for stream, public_type in ((ACCOUNTS, "example.bank.account.debited.v1"), (LENDING, "example.bank.loan.repaid.v1")):
        contract = at_contract(told, stream)
        assert contract["outcome"] == "crossed" and contract["public"]["type"] == public_type
        assert contract["public"]["id"] == by_stream[stream].event["id"]
        for outlet in (MQTT, AMQP):
            at = outlet_of(told, stream, outlet)
            assert at.state == "confirmed" and started - 1 <= at.at_seconds <= time.time() + 1

    words = why_in_words(rack.daemon, crossed)
    assert "crossed as example.bank.loan.repaid.v1" in words and "confirmed" in words
    assert "filtered" in why_in_words(rack.daemon, filtered) and "unmatched" in why_in_words(rack.daemon, unmatched)
    unknown = rack.daemon.run("why", "no-such-id")
    assert unknown.returncode == 1 and "no-such-id" in unknown.stderr


def test_a_violation_parks_its_key_and_leaves_the_others_alone(rack: Rack) -> None:
    append(rack.daemon, "good", deposit("good"))
    poison = append(rack.daemon, "bad", deposit("bad", 0))
    behind = append(rack.daemon, "bad", deposit("bad"))
    append(rack.daemon, "good", deposit("good"))
    lending = append(rack.daemon, "bad", loan_payment("bad"))
    rack.wait_settled()
    rack.wait_received(3)

    assert sorted(keys_at(rack)) == ["bad", "good", "good"], "bank.lending knows nothing of the violation"
    status = rack.daemon.contract(ACCOUNTS)
    assert (status["violated"], status["parkedKeys"], status["crossed"]) == (1, 1, 2)
    told = at_contract(why(rack.daemon, poison), ACCOUNTS)
    assert told["outcome"] == "violated" and told["key"] == "bad"
    assert [v["pointer"] for v in told["violations"]] == ["/amount"] and told["violations"][0]["reason"]
    assert "/amount" in why_in_words(rack.daemon, poison)
    waits = at_contract(why(rack.daemon, behind), ACCOUNTS)
    assert waits["outcome"] == "violated" or waits["outcome"] == "parked"
    assert "waits behind" in waits["reason"]
    assert outlet_of(why(rack.daemon, lending), LENDING, MQTT).state == "confirmed"

    # A parked key stays parked over a crash, and others still go on.
    rack.daemon.kill()
    rack.daemon.start()
    append(rack.daemon, "bad", deposit("bad"))
    append(rack.daemon, "good", deposit("good"))
    rack.wait_settled()
    rack.wait_received(4)
    assert rack.daemon.contract(ACCOUNTS)["parkedKeys"] == 1
    assert sorted(keys_at(rack)) == ["bad", "good", "good", "good"]


def test_what_nobody_listened_to_is_told_as_unheard(tmp_path: Path, brokers: Brokers) -> None:
    daemon = bank_daemon(tmp_path, brokers.mosquitto.port, brokers.rabbitmq.port)
    try:
        daemon.start()
        event = append(daemon, "1", deposit("1"))
        daemon.wait_settled()
        told = why(daemon, event)
        assert outlet_of(told, ACCOUNTS, MQTT).state == "unheard"
        assert outlet_of(told, ACCOUNTS, AMQP).state == "unheard"
        for outlet in (MQTT, AMQP):
            relay = daemon.relay(f"{ACCOUNTS}/{outlet}")
            assert (relay["confirmed"], relay["unheard"]) == (0, 1)
    finally:
        daemon.kill()


@pytest.fixture
def own_rack(tmp_path: Path) -> Iterator[Rack]:
    """A rack whose brokers may be harmed."""
    with brokers_in(tmp_path, persistence=True) as brokers, rack_on(tmp_path, brokers) as rack:
        yield rack


def test_relays_reconnect_by_themselves_and_a_dead_broker_delays_only_its_own(
    own_rack: Rack, some_events: Path, schemas: dict[str, Draft202012Validator],
) -> None:
    rack, due = own_rack, forecast(read_events(some_events))
    rack.brokers.rabbitmq.kill()
    rack.import_file(some_events)
    wait_until(lambda: rack.mqtt.count() >= due.count(), "MQTT goes on without RabbitMQ", 60)
    amqp = f"{ACCOUNTS}/{AMQP}"
    wait_until(lambda: rack.daemon.relay(amqp)["state"] == "retrying", "the relay says that it retries", 30)
    assert rack.daemon.relay(amqp)["lastError"] and rack.daemon.relay(amqp)["lag"] > 0
    waiting = next(e for e in due.public[ACCOUNTS])
    at = outlet_of(why(rack.daemon, waiting.private_id), ACCOUNTS, AMQP)
    assert at.state == "retrying" and at.since and at.reason

    rack.brokers.mosquitto.stop()
    later = append(rack.daemon, "later", deposit("later"))
    rack.brokers.rabbitmq.start()
    wait_until(lambda: rack.amqp.count() >= due.count() + 1, "AMQP catches up without Mosquitto", 90)
    rack.brokers.mosquitto.start()
    rack.wait_settled(60)
    rack.wait_different(due.count() + 1)
    # A relay that has nothing to deliver comes back within its back-off, of 15 seconds at most.
    wait_until(lambda: {r["state"] for r in rack.daemon.status()["relays"]} == {"connected"}, "every relay is connected again", 30)
    assert outlet_of(why(rack.daemon, later), ACCOUNTS, AMQP).state == "confirmed"

    rack.mqtt.stop()
    rack.amqp.stop()
    with_later = [*read_events(some_events), _as_stored(later)]
    due = forecast(with_later)
    judge(rack.mqtt.messages(), due, schemas, repeats_allowed=True).assert_good()
    judge(rack.amqp.messages(), due, schemas, repeats_allowed=True).assert_good()


def _as_stored(event_id: str) -> dict[str, object]:
    data = {"accountId": "later", "amount": Number("12.5"), "currency": "CZK"}
    return {"id": event_id, "type": "CashDeposited", "time": "2026-01-31T12:00:00Z", "data": data}
