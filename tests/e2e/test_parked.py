"""Parked keys of contracts and of outlets: listed, shown, tried again after a mend, given up with a reason, through crashes."""

from __future__ import annotations

import json
import os
import random
import threading
import time
from pathlib import Path
from urllib.parse import quote

import pytest
from facts import deposit
from judges import Arrival, read
from oracle import ACCOUNTS
from parking import allow_nothing, change, order, parked, reload, shown
from rack import Brokers, Rack, rack_on
from rig.daemon import Daemon, request
from rig.ports import free_ports
from rig.waiting import wait_until
from told import at_contract, outlet_of, why, why_in_words

MQTT, AMQP = "mqtt:main", "amqp:rabbit"
SEED = int(os.environ.get("PARKED_SEED", "20262"))
CONTRACT = ("--contract", ACCOUNTS)


def append(daemon: Daemon, account: str, amount: float) -> str:
    """Appends a deposit; one of 0 violates the public schema."""
    event = deposit(account, amount)
    answer = daemon.http("POST", f"/streams/account-{quote(account, safe='')}", event)
    assert answer.status == 201, answer.body
    return str(event["id"])


def amounts(arrivals: list[Arrival], key: str) -> list[float]:
    """The amounts of a key's events in the order of their first arrival."""
    return [float(a.event["data"]["amount"]) for a in arrivals if a.key == key]


def test_a_poison_event_parks_its_key_and_when_mended_it_goes_on_in_order_with_the_same_ids(rack: Rack) -> None:
    daemon = rack.daemon
    append(daemon, "bad", 1)
    poison = append(daemon, "bad", 0)
    for amount in (2, 3, 4):
        append(daemon, "bad", amount)
    append(daemon, "good", 7)
    rack.wait_settled()
    rack.wait_received(2)

    [listed] = parked(daemon)
    assert (listed["contract"], listed["outlet"], listed["key"], listed["waiting"]) == (ACCOUNTS, None, "bad", 4)
    assert "/amount" in listed["reason"] and listed["since"]
    told = daemon.run("parked")
    assert "bad" in told.stdout and "/amount" in told.stdout and ACCOUNTS in told.stdout
    waiting = shown(daemon, "bad", ACCOUNTS)
    first = waiting["events"][0]
    assert first["event"]["id"] == poison and first["event"]["stream"] == "account-bad"
    assert [v["pointer"] for v in first["violations"]] == ["/amount"] and first["parkedBy"] == "1.0.0"
    ids = [e["publicId"] for e in waiting["events"][1:]]
    assert len(ids) == 3 and "waits behind" in waiting["events"][1]["reason"]
    in_words = daemon.run("parked", "show", "bad", *CONTRACT).stdout
    assert poison in in_words and "at /amount" in in_words

    stuck = order(daemon, "retry", "bad", *CONTRACT, good=False)
    assert stuck["stuckKeys"][0]["key"] == "bad" and "/amount" in stuck["stuckKeys"][0]["reason"]

    allow_nothing(daemon)
    reload(daemon)
    assert "would cross" in shown(daemon, "bad", ACCOUNTS)["events"][0]["reason"]
    done = order(daemon, "retry", "--all", *CONTRACT)
    assert (done["live"], done["events"]["crossed"]) == (1, 4)
    append(daemon, "bad", 5)
    rack.wait_settled()
    rack.wait_received(7)
    for consumer in (rack.mqtt, rack.amqp):
        verdict = read(consumer.messages())
        verdict.assert_good()
        assert amounts(verdict.first, "bad") == [1, 0, 2, 3, 4, 5]
        of_key = [a for a in verdict.first if a.key == "bad"]
        assert [a.event["id"] for a in of_key[2:5]] == ids
        sequences = [a.event["sequence"] for a in of_key]
        assert [a.event["previoussequence"] for a in of_key[1:]] == sequences[:-1]
    assert parked(daemon) == []
    assert at_contract(why(daemon, poison), ACCOUNTS)["outcome"] == "crossed"
    gone = daemon.run("parked", "retry", "bad", *CONTRACT)
    assert gone.returncode == 1 and "not parked" in gone.stderr


def test_what_is_skipped_with_a_reason_is_told_by_why_and_the_rest_goes_on(rack: Rack) -> None:
    daemon = rack.daemon
    poison, behind = append(daemon, "bad", 0), append(daemon, "bad", 2)
    rack.wait_settled()
    place = shown(daemon, "bad", ACCOUNTS)["events"][0]["at"]
    other = order(daemon, "skip", "bad", *CONTRACT, "--reason", "wrong one", "--at", str(place + 1), good=False)
    assert other["events"]["skipped"] == 0 and str(place) in other["stuckKeys"][0]["reason"]
    reasonless = daemon.operator("POST", "/parked/skip", {"contract": ACCOUNTS, "key": "bad", "reason": " "})
    assert reasonless.status == 400 and reasonless.json()["mend"]

    done = order(daemon, "skip", "bad", *CONTRACT, "--reason", "a booking error, see ticket 7", "--at", str(place))
    assert (done["events"]["skipped"], done["events"]["crossed"], done["live"]) == (1, 1, 1)
    rack.wait_settled()
    rack.wait_received(1)
    assert amounts(read(rack.mqtt.messages()).first, "bad") == [2]
    told = at_contract(why(daemon, poison), ACCOUNTS)
    assert told["outcome"] == "skipped" and told["reason"] == "a booking error, see ticket 7" and told["unparked"]
    assert "skipped: a booking error, see ticket 7" in why_in_words(daemon, poison)
    assert at_contract(why(daemon, behind), ACCOUNTS)["outcome"] == "crossed"


def test_all_keys_are_given_up_at_once_with_one_reason(rack: Rack) -> None:
    daemon = rack.daemon
    poison = [append(daemon, f"bad-{n}", 0) for n in range(3)]
    behind = [append(daemon, f"bad-{n}", 7) for n in range(3)]
    rack.wait_settled()
    assert daemon.contract(ACCOUNTS)["parkedKeys"] == 3
    both = daemon.operator("POST", "/parked/skip", {"contract": ACCOUNTS, "key": "bad-1", "all": True, "reason": "x"})
    placed = daemon.operator("POST", "/parked/skip", {"contract": ACCOUNTS, "all": True, "at": 1, "reason": "x"})
    assert (both.status, placed.status) == (400, 400)
    done = order(daemon, "skip", "--all", *CONTRACT, "--reason", "an import went wrong")
    assert (done["events"]["skipped"], done["events"]["crossed"], done["live"]) == (3, 3, 3)
    rack.wait_settled()
    rack.wait_received(3)
    assert parked(daemon) == []
    assert [at_contract(why(daemon, one), ACCOUNTS)["outcome"] for one in poison + behind] == ["skipped"] * 3 + ["crossed"] * 3


def test_pages_and_mistakes_of_the_operators_routes(lone_daemon: Daemon) -> None:
    daemon = lone_daemon
    change(daemon, Path("schemas/private/account/CashDeposited.json"), "^[0-9A-Za-z-]{1,36}$", "^.{1,36}$")
    daemon.start()
    for key in range(5):
        append(daemon, f"bad/{key} ä", 0)
    wait_until(lambda: daemon.contract(ACCOUNTS)["parkedKeys"] == 5, "five keys are parked", 30)
    path, keys = "/parked?limit=2", []
    while path:
        page = daemon.operator("GET", path).json()
        assert len(page["keys"]) <= 2
        keys += [row["key"] for row in page["keys"]]
        path = page.get("next")
    assert sorted(keys) == [f"bad/{key} ä" for key in range(5)]
    assert shown(daemon, "bad/3 ä", ACCOUNTS)["waiting"] == 1
    assert len(parked(daemon, "--limit", "3")) == 3
    assert parked(daemon, "--contract", ACCOUNTS, "--outlet", MQTT) == []

    def refused(method: str, path: str, body: object = None) -> tuple[int, str]:
        answer = daemon.operator(method, path, body)
        problem = answer.json()
        assert problem["title"]
        return answer.status, problem["type"].rsplit(":", 1)[1]

    assert refused("GET", "/parked?contract=nobody.v1") == (404, "no-such-contract")
    assert refused("GET", f"/parked?contract={ACCOUNTS}&outlet=mqtt:none") == (404, "no-such-outlet")
    assert refused("GET", "/parked?outlet=mqtt:main") == (400, "malformed")
    assert refused("GET", "/parked?after=x") == (400, "malformed")
    assert refused("GET", "/parked?after=%5B%22nobody.v1%22,null,%22a%22%5D") == (400, "malformed")
    assert refused("GET", "/parked?what=x") == (400, "malformed-query")
    assert refused("GET", f"/parked/{ACCOUNTS}/nobody") == (404, "not-parked")
    assert refused("POST", "/parked/retry", {"contract": ACCOUNTS}) == (400, "malformed")
    assert refused("POST", "/parked/retry", {"contract": ACCOUNTS, "key": "a", "all": True}) == (400, "malformed")
    assert refused("POST", "/parked/retry", {"contract": ACCOUNTS, "key": "nobody"}) == (404, "not-parked")
    assert refused("POST", "/parked/skip", {"contract": ACCOUNTS, "key": "nobody", "reason": "x"}) == (404, "not-parked")
    assert refused("POST", "/parked/retry", {"contract": "nobody.v1", "all": True}) == (404, "no-such-contract")


def long_deposit(account: str) -> bytes:
    """A deposit whose public event has more than 1,024 bytes: numbers are kept as they are written."""
    event = deposit(account, 5)
    return json.dumps(event).replace('"amount": 5', '"amount": 5.' + "0" * 900).encode()


def test_a_key_parked_at_an_outlet_goes_on_in_order_there_and_nowhere_else(tmp_path: Path, brokers: Brokers) -> None:
    relay = f"{ACCOUNTS}/{MQTT}"
    with rack_on(tmp_path, brokers, start=False) as rack:
        daemon = rack.daemon
        daemon.env["HORIZON_BROKERS__MAIN__MQTT__MAX_PACKET_BYTES"] = "1024"
        daemon.start()
        append(daemon, "good", 1)
        append(daemon, "bad", 1)
        for key in ("bad", "worse", "gone"):
            assert daemon.http("POST", f"/streams/account-{key}", long_deposit(key)).status == 201
        behind = append(daemon, "bad", 2)
        worse = append(daemon, "worse", 2)
        rack.wait_settled()
        wait_until(lambda: rack.amqp.count() >= 7 and rack.mqtt.count() >= 2, "all over AMQP, and what fits over MQTT", 30)
        wait_until(lambda: daemon.relay(relay)["parked"] == 5, "five events are parked", 30)
        assert amounts(read(rack.mqtt.messages()).first, "bad") == [1]
        listed = {(k["key"], k["outlet"], k["waiting"]) for k in parked(daemon)}
        assert listed == {("bad", MQTT, 2), ("worse", MQTT, 2), ("gone", MQTT, 1)}
        where = (*CONTRACT, "--outlet", MQTT)
        waiting = shown(daemon, "bad", ACCOUNTS, "--outlet", MQTT)
        assert "1024" in waiting["events"][0]["reason"] and waiting["events"][0]["event"]["sequence"]
        assert outlet_of(why(daemon, behind), ACCOUNTS, MQTT).state == "parked"
        stuck = order(daemon, "retry", "bad", *where, good=False)
        assert "1024" in stuck["stuckKeys"][0]["reason"]
        skipped = order(daemon, "skip", "worse", *where, "--reason", "too long for them")
        assert (skipped["events"]["skipped"], skipped["events"]["confirmed"], skipped["live"]) == (1, 1, 1)

        # To give something up needs no broker; what a broker takes is configuration, and that needs a restart.
        del daemon.env["HORIZON_BROKERS__MAIN__MQTT__MAX_PACKET_BYTES"]
        assert daemon.stop() == 0
        daemon.mqtt_port = free_ports(1)[0]
        daemon.start()
        given_up = order(daemon, "skip", "gone", *where, "--reason", "nobody wants it")
        assert (given_up["events"]["skipped"], given_up["live"]) == (1, 1)
        assert daemon.stop() == 0
        daemon.mqtt_port = brokers.mosquitto.port
        daemon.start()
        assert [k["key"] for k in parked(daemon)] == ["bad"], "it stays parked over a restart"
        append(daemon, "bad", 3)
        rack.wait_settled()
        done = order(daemon, "retry", "bad", *where)
        assert (done["events"]["confirmed"], done["live"]) == (3, 1)
        append(daemon, "bad", 4)
        rack.wait_settled()
        wait_until(lambda: rack.mqtt.count() >= 7 and rack.amqp.count() >= 9, "the rest", 30)
        verdict = read(rack.mqtt.messages())
        verdict.assert_good()
        assert amounts(verdict.first, "bad") == [1, 5, 2, 3, 4]
        assert amounts(verdict.first, "worse") == [2]
        assert outlet_of(why(daemon, worse), ACCOUNTS, MQTT).state == "confirmed"
        totals = daemon.relay(relay)
        assert (totals["parked"], totals["skipped"], totals["confirmed"]) == (0, 2, 7)
        assert amounts(read(rack.amqp.messages()).first, "bad") == [1, 5, 2, 3, 4]


@pytest.mark.timeout(300)
def test_kills_in_the_middle_of_a_retry_of_many_events_lose_nothing_and_nothing_overtakes(rack: Rack) -> None:
    dice, count = random.Random(SEED), 6_000
    print(f"PARKED_SEED={SEED}")
    events = rack.folder / "many.jsonl"
    with events.open("w") as sink:
        for number in range(count):
            event = deposit("bad", number) | {"stream": "account-bad"}
            sink.write(json.dumps(event) + "\n")
    rack.import_file(events)
    rack.wait_settled()
    assert parked(rack.daemon)[0]["waiting"] == count
    allow_nothing(rack.daemon)
    reload(rack.daemon)

    after = count
    for _ in range(3):
        address = rack.daemon.addresses()["operator"]
        body = {"contract": ACCOUNTS, "key": "bad"}
        threading.Thread(target=_ask, args=(address, body), daemon=True).start()
        before = rack.daemon.contract(ACCOUNTS)["crossed"]
        wait_until(lambda before=before: rack.daemon.contract(ACCOUNTS)["crossed"] > before, "the retry goes on", 30, 0.001)
        time.sleep(dice.uniform(0, 0.03))  # the random moment itself, not a wait for something
        rack.daemon.kill()
        rack.daemon.start()
        append(rack.daemon, "bad", after)
        after += 1
        rack.wait_settled()
        crossed = rack.daemon.contract(ACCOUNTS)["crossed"]
        waiting = sum(k["waiting"] for k in parked(rack.daemon))
        assert crossed + waiting == after, "each event is here or there"
        print(f"killed with {crossed} crossed and {waiting} waiting")
        if not waiting:
            break
    if parked(rack.daemon):
        order(rack.daemon, "retry", "--all", *CONTRACT)
    rack.wait_settled()
    rack.wait_different(after)
    for consumer in (rack.mqtt, rack.amqp):
        verdict = read(consumer.messages(), repeats_allowed=True)
        verdict.assert_good()
        assert amounts(verdict.first, "bad") == list(range(after))
        assert [a.sequence for a in verdict.first] == list(range(1, after + 1))


def _ask(address: str, body: object) -> None:
    try:
        request(address, "POST", "/parked/retry", body)
    except OSError:
        pass  # the daemon was killed, as it was to be
    except Exception as error:  # noqa: BLE001 - an answer that was cut short
        print(f"the answer was cut short: {error!r}")
