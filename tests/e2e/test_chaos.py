"""Daemon and brokers are killed while events go through; nothing is lost, and nothing comes out of order.

`CHAOS_SEED` replays a run.
"""

from __future__ import annotations

import os
import signal
import time
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import pytest
from chaos import Chaos, Faults, assert_nothing_lost
from jsonschema import Draft202012Validator
from judges import Arrival, Verdict, read
from oracle import STREAMS, Forecast, forecast, read_events
from rack import Rack, brokers_in, rack_on, wait_different
from rig.waiting import wait_until
from told import outlet_of, why

SEED = int(os.environ.get("CHAOS_SEED", "20261"))
# How the ids of the later events begin.
LATER = "later-"


@pytest.fixture
def own_rack(tmp_path: Path) -> Iterator[Rack]:
    """A rack with brokers of its own; Mosquitto keeps its messages over a stop."""
    with brokers_in(tmp_path, persistence=True) as brokers, rack_on(tmp_path, brokers) as rack:
        yield rack


@pytest.mark.timeout(600)
def test_nothing_is_lost_when_daemon_and_brokers_are_killed_again_and_again(
    own_rack: Rack, real_events: Path, schemas: dict[str, Draft202012Validator],
) -> None:
    chaos = Chaos(own_rack, SEED)
    chaos.run(real_events, Faults())
    mqtt, amqp = assert_nothing_lost(own_rack, real_events, schemas)
    print("\n".join(chaos.done))
    print(f"repeats: {mqtt.repeats} over MQTT, {amqp.repeats} over AMQP")
    due = forecast(read_events(real_events))
    assert own_rack.daemon.status()["log"]["events"] == due.private


@pytest.mark.timeout(300)
def test_what_a_killed_mosquitto_forgets_it_had_acknowledged_and_consumers_see_the_gap(
    own_rack: Rack, some_events: Path,
) -> None:
    rack = own_rack
    # A subscriber that does not keep up, so that Mosquitto has something to forget.
    rack.mqtt.process.send(signal.SIGSTOP)
    rack.import_file(some_events)
    rack.wait_settled()
    rack.brokers.mosquitto.kill()
    killed_at = time.time()
    # `why` tells the time to the second: nothing that is confirmed later shares one with what was confirmed before.
    time.sleep(1.1)
    rack.mqtt.process.send(signal.SIGCONT)
    rack.brokers.mosquitto.start()
    wait_until(lambda: rack.mqtt.process.tail().count("subscribed") >= 2, "the subscriber is back", 30)

    later = rack.folder / "later.jsonl"
    later.write_text("".join(_one_more_deposit(key) for key in _keys(some_events)))
    rack.import_file(later)
    rack.wait_settled()
    due = forecast([*read_events(some_events), *read_events(later)])
    wait_different(rack.amqp, due.count())
    over_amqp = read(rack.amqp.messages(), repeats_allowed=True)
    private_ids = _private_ids(due, over_amqp)
    of_later = {identity for identity, private_id in private_ids.items() if private_id.startswith(LATER)}
    assert len(of_later) == len(_keys(some_events))

    def over_mqtt_so_far() -> tuple[Verdict, set[tuple[str, str]]]:
        so_far = read(rack.mqtt.messages(), repeats_allowed=True)
        return so_far, {a.identity for a in so_far.first}

    wait_until(lambda: of_later <= over_mqtt_so_far()[1], "the later events over MQTT", 60, 0.5)
    over_mqtt, received = over_mqtt_so_far()
    assert not over_mqtt.faults and not over_amqp.faults
    missing = [a for a in over_amqp.first if a.identity not in received]
    assert missing, "Mosquitto forgot something, or this test shows nothing"

    for arrival in missing[:: max(1, len(missing) // 50)]:
        told = outlet_of(why(rack.daemon, private_ids[arrival.identity]), arrival.stream, "mqtt:main")
        assert told.state == "confirmed" and told.at_seconds <= killed_at, (arrival.identity, told)

    followed = {a.identity for a in missing if _has_successor(a, over_mqtt)}
    assert followed, "some of what is missing has a successor that tells"
    assert _seen_as_gaps(over_mqtt, over_amqp) == followed


def _keys(events: Path) -> list[str]:
    return sorted({str(e["data"]["accountId"]) for e in read_events(events) if e["type"] == "CashDeposited"})


def _one_more_deposit(key: str) -> str:
    return (f'{{"id":"{LATER}{key}","stream":"account-{key}","type":"CashDeposited","time":"2025-01-01T00:00:00Z","data":'
            f'{{"transactionId":"later-{key}","accountId":"{key}","amount":1.5,"currency":"CZK","balance":2}}}}\n')


def _private_ids(due: Forecast, over_amqp: Verdict) -> dict[tuple[str, str], str]:
    """Which private event each public one came from: by its place among those of its key."""
    ids: dict[tuple[str, str], str] = {}
    for stream in STREAMS:
        by_key: dict[str, list[Arrival]] = defaultdict(list)
        for arrival in over_amqp.by_sequence(stream):
            by_key[arrival.key].append(arrival)
        for key, expected in due.by_key(stream).items():
            ids |= {a.identity: e.private_id for a, e in zip(by_key[key], expected, strict=True)}
    return ids


def _chain(arrival: Arrival) -> tuple[str, str, str]:
    return arrival.stream, arrival.key, arrival.event["type"]


def _has_successor(missing: Arrival, received: Verdict) -> bool:
    return any(_chain(a) == _chain(missing) and a.sequence > missing.sequence for a in received.first)


def _seen_as_gaps(received: Verdict, everything: Verdict) -> set[tuple[str, str]]:
    """What a consumer finds missing by `previoussequence` alone, walking back until it meets what it has."""
    log = {(a.stream, a.event["sequence"]): a for a in everything.first}
    have = {(a.stream, a.event["sequence"]) for a in received.first}
    found = set()
    for arrival in received.first:
        place = arrival.stream, arrival.event["previoussequence"]
        while place not in have and int(place[1]) != 0 and log[place].identity not in found:
            found.add(log[place].identity)
            place = arrival.stream, log[place].event["previoussequence"]
    return found
