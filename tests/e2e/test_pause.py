"""A relay that an operator pauses stands until it is resumed: over restarts and reloads, others go on, and nothing is lost or repeated."""

from __future__ import annotations

import json
import threading
from pathlib import Path

from facts import deposit
from judges import read
from oracle import ACCOUNTS, LENDING
from parking import CONTRACT, CREDITED, change, parked, reload
from rack import Brokers, Rack, rack_on, relays
from replaying import AMQP, MQTT, append_deposits, pause, resume, sequences
from rig.waiting import wait_until
from told import outlet_of, why, why_in_words

RELAY = f"{ACCOUNTS}/{MQTT}"
OTHERS = [relay for relay in relays() if relay != RELAY]


def test_a_paused_relay_stands_over_restart_and_reload_and_then_goes_on_where_it_stood(rack: Rack) -> None:
    daemon = rack.daemon
    append_deposits(daemon, 3, 4)
    rack.wait_settled()
    rack.wait_received(12)
    told = pause(daemon, reason="their migration, ticket 12")
    assert f"{RELAY} is paused since 20" in told.stdout and "ticket 12" in told.stdout
    again = pause(daemon, reason="another")
    assert "was paused already, since" in again.stdout and "ticket 12" in again.stdout

    [waiting, *_] = append_deposits(daemon, 3, 4, first=10)
    daemon.wait_settled(*OTHERS)
    wait_until(lambda: rack.amqp.count() == 24, "the other outlet has them", 20)
    relay = daemon.relay(RELAY)
    assert (relay["state"], relay["lag"], relay["confirmed"], relay["retryingSince"]) == ("paused", 12, 12, None)
    assert relay["paused"]["reason"] == "their migration, ticket 12" and relay["paused"]["since"]
    assert f"{RELAY} is paused since {relay['paused']['since']}: their migration" in daemon.run("status").stdout
    at = outlet_of(why(daemon, waiting), ACCOUNTS, MQTT)
    assert (at.state, at.reason, at.since) == ("paused", "their migration, ticket 12", relay["paused"]["since"])
    assert "paused since" in why_in_words(daemon, waiting)
    assert outlet_of(why(daemon, waiting), ACCOUNTS, AMQP).state == "confirmed"

    daemon.kill()
    daemon.start()
    assert daemon.relay(RELAY)["paused"] == relay["paused"]
    change(daemon, CONTRACT, "bank/accounts/v1/{key}/{name}", "bank/accounts/v1/all/{name}")
    assert reload(daemon)["relays"] == {"started": [], "stopped": []}
    append_deposits(daemon, 3, 1, first=20)
    daemon.wait_settled(*OTHERS)
    assert daemon.relay(RELAY)["state"] == "paused" and daemon.relay(RELAY)["paused"] == relay["paused"]
    assert daemon.relay(RELAY)["lag"] == 15

    assert "goes on" in resume(daemon).stdout
    rack.wait_settled()
    rack.wait_received(27)
    read(rack.mqtt.messages()).assert_good()
    assert sequences(rack.mqtt.messages())[:12] == list(range(1, 13)), "nothing came while it was paused"
    assert {m.place["topic"] for m in rack.mqtt.messages()[12:]} == {"bank/accounts/v1/all/credited"}
    assert sorted(sequences(rack.mqtt.messages())) == list(range(1, 28)), "nothing is lost, nothing came twice"
    assert daemon.relay(RELAY)["paused"] is None
    assert "was not paused" in resume(daemon).stdout


def test_a_relay_paused_and_resumed_under_load_repeats_nothing(rack: Rack) -> None:
    daemon = rack.daemon
    events = rack.folder / "many.jsonl"
    count, keys = 3_000, 20
    with events.open("w") as sink:
        for number in range(count):
            key = f"k{number % keys}"
            sink.write(json.dumps(deposit(key, number + 1) | {"stream": f"account-{key}"}) + "\n")
    importing = threading.Thread(target=rack.import_file, args=(events,))
    importing.start()
    amid = 0
    for _ in range(5):
        pause(daemon)
        relay = daemon.relay(RELAY)
        assert relay["state"] == "paused" and relay["inFlight"] == 0
        reached = relay["cursor"]
        amid += 0 < reached < count
        resume(daemon)
        wait_until(lambda reached=reached: daemon.relay(RELAY)["cursor"] in (count, *range(reached + 1, count)), "it goes on", 20)
    importing.join(60)
    assert amid, "no pause was amid the events"
    rack.wait_settled()
    rack.wait_received(count)
    verdict = read(rack.mqtt.messages())
    verdict.assert_good()
    assert sorted(sequences(rack.mqtt.messages())) == list(range(1, count + 1)), "each event once"


def test_pausing_what_is_not_there_and_without_a_reason_is_refused(rack: Rack) -> None:
    daemon = rack.daemon

    def refused(path: str, body: object) -> tuple[int, str]:
        answer = daemon.operator("POST", path, body)
        assert answer.json()["title"] and answer.json()["mend"], answer.body
        return answer.status, answer.json()["type"].rsplit(":", 1)[1]

    place = {"contract": ACCOUNTS, "outlet": MQTT}
    assert refused("/relays/pause", {"contract": "nobody.v1", "outlet": MQTT, "reason": "x"}) == (404, "no-such-relay")
    assert refused("/relays/pause", {"contract": ACCOUNTS, "outlet": "mqtt:none", "reason": "x"}) == (404, "no-such-relay")
    assert refused("/relays/resume", {"contract": ACCOUNTS, "outlet": "mqtt:none"}) == (404, "no-such-relay")
    assert refused("/relays/pause", place) == (400, "malformed")
    assert refused("/relays/pause", place | {"reason": " \n"}) == (400, "malformed")
    assert refused("/relays/pause", place | {"reason": "x" * 1001}) == (400, "malformed")
    assert refused("/relays/pause", place | {"reason": "x", "what": 1}) == (400, "malformed")
    unknown = daemon.run("pause", ACCOUNTS, "--outlet", "mqtt:none", "--reason", "x")
    assert unknown.returncode == 1 and "mqtt:none" in unknown.stderr and "= mend:" in unknown.stderr
    assert daemon.run("pause", ACCOUNTS, "--outlet", MQTT).returncode == 2
    assert {relay["paused"] for relay in daemon.status()["relays"]} == {None}


def test_orders_for_keys_that_are_parked_at_a_paused_outlet_are_refused_and_say_why(tmp_path: Path, brokers: Brokers) -> None:
    with rack_on(tmp_path, brokers, start=False) as rack:
        daemon = rack.daemon
        daemon.env["HORIZON_BROKERS__MAIN__MQTT__MAX_PACKET_BYTES"] = "1024"
        daemon.start()
        long = json.dumps(deposit("bad", 5)).replace('"amount": 5', '"amount": 5.' + "0" * 900).encode()
        assert daemon.http("POST", "/streams/account-bad", long).status == 201
        wait_until(lambda: daemon.relay(RELAY)["parked"] == 1, "it is parked", 20)
        pause(daemon, reason="ticket 13")
        where = ("bad", "--contract", ACCOUNTS, "--outlet", MQTT)
        for words in (("retry", *where), ("skip", *where, "--reason", "x")):
            done = daemon.run("parked", *words)
            assert done.returncode == 1 and "paused since" in done.stderr and "ticket 13" in done.stderr, done.stderr
            assert "resume" in done.stderr
        assert [key["key"] for key in parked(daemon)] == ["bad"]
        daemon.stop()
        daemon.start()
        assert (daemon.relay(RELAY)["state"], daemon.relay(RELAY)["parkedKeys"]) == ("paused", 1)
        resume(daemon)
        done = daemon.run("parked", "skip", *where, "--reason", "too long for them")
        assert done.returncode == 0, done.stderr
        assert parked(daemon) == []


def test_a_pause_at_one_contract_leaves_the_same_broker_to_the_other(rack: Rack) -> None:
    daemon = rack.daemon
    pause(daemon)
    pause(daemon, outlet=AMQP)
    change(daemon, CREDITED, '"exclusiveMinimum": 0', '"minimum": 0')
    reload(daemon)
    for stop in (False, True):
        if stop:
            assert daemon.stop() == 0
            daemon.start()
        states = {f"{ACCOUNTS}/{MQTT}": "paused", f"{ACCOUNTS}/{AMQP}": "paused",
                  f"{LENDING}/{MQTT}": "connected", f"{LENDING}/{AMQP}": "connected"}
        wait_until(lambda states=states: {r["relay"]: r["state"] for r in daemon.status()["relays"]} == states,
                   "two stand and two are connected", 20, state=daemon.status)
