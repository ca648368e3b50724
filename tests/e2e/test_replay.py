"""Stretches of a public stream are sent again because somebody asks: the same bytes, in order, and nothing live moves."""

from __future__ import annotations

import datetime
import json
import signal
import time
from contextlib import ExitStack
from pathlib import Path

import pika
import pytest
from facts import deposit
from oracle import ACCOUNTS, LENDING
from paho.mqtt.publish import single as publish
from parking import CONTRACT, change, parked
from rack import Brokers, Rack, bank_daemon, delete_queue
from replaying import AMQP, MQTT, append_deposits, begin, ended, of_relay, pause, replay, resume, sequences, totals
from rig.brokers import Mosquitto
from rig.daemon import Daemon
from rig.inbox import Consumer, Message, mqtt_consumer
from rig.ports import LOOPBACK, free_ports
from rig.processes import Process
from rig.waiting import wait_until

KEYS, EACH = 5, 12


def loaded(rack: Rack) -> list[Message]:
    """Sends five keys' events the live way; what arrived over MQTT."""
    append_deposits(rack.daemon, KEYS, EACH)
    rack.wait_settled()
    rack.wait_received(KEYS * EACH)
    return rack.mqtt.messages()


def more(consumer: Consumer, known: int, count: int) -> list[Message]:
    """The messages after the first `known`, of which there are `count`."""
    wait_until(lambda: consumer.count() >= known + count, f"{count} more messages", 30, state=consumer.count)
    return consumer.messages()[known:]


def assert_again(again: list[Message], first: list[Message], wanted: list[int], place: bool = True) -> None:
    """These sequences came once more, the same bytes at the same place, each key's in order."""
    known, repeated = of_relay(first), of_relay(again)
    assert sorted(repeated) == wanted
    for sequence, message in repeated.items():
        original = known[sequence]
        assert message.payload == original.payload
        assert message.properties == original.properties
        assert not place or message.place == original.place
    last: dict[str, int] = {}
    for message in again:
        event = json.loads(message.payload)
        assert last.get(event["partitionkey"], 0) < int(event["sequence"])
        last[event["partitionkey"]] = int(event["sequence"])


def test_a_stretch_by_sequence_time_or_key_is_sent_again_to_the_byte_and_nothing_live_moves(rack: Rack) -> None:
    daemon = rack.daemon
    poison = deposit("bad", 0)
    assert daemon.http("POST", "/streams/account-bad", poison).status == 201
    count = len(loaded(rack))
    middle = datetime.datetime.now(datetime.UTC).isoformat()
    append_deposits(daemon, KEYS, 4, first=100)
    rack.wait_settled()
    rack.wait_received(count + 4 * KEYS)
    first = {MQTT: rack.mqtt.messages(), AMQP: rack.amqp.messages()}
    before, waiting, last = totals(daemon), parked(daemon), len(first[MQTT])
    assert waiting and last == KEYS * 16

    of_key = sorted(s for s, m in of_relay(first[MQTT]).items() if json.loads(m.payload)["partitionkey"] == "k3")
    for outlet, consumer in ((MQTT, rack.mqtt), (AMQP, rack.amqp)):
        for words, wanted in (
            (("--from", "11", "--to", "40"), list(range(11, 41))),
            (("--from", middle), list(range(count + 1, last + 1))),
            (("--to", middle), list(range(1, count + 1))),
            (("--key", "k3"), of_key),
            ((), list(range(1, last + 1))),
        ):
            known = consumer.count()
            told = replay(daemon, *words, outlet=outlet)
            assert told["state"] == "done" and told["progress"]["confirmed"] == len(wanted), told
            assert_again(more(consumer, known, len(wanted)), first[outlet], wanted)
    assert totals(daemon) == before and parked(daemon) == waiting
    known = rack.mqtt.count()
    append_deposits(daemon, KEYS, 1, first=7)
    assert sequences(more(rack.mqtt, known, KEYS)) == list(range(last + 1, last + 1 + KEYS)), "live delivery goes on where it was"


def test_a_stretch_goes_to_another_topic_routing_key_or_queue(rack: Rack) -> None:
    daemon, first = rack.daemon, loaded(rack)
    last = len(first)
    told = replay(daemon, "--from", "50", "--topic", "bank/again/{major}/{data.currency}/{key}")
    assert told["stretch"]["place"] == "bank/again/{major}/{data.currency}/{key}"
    again = more(rack.mqtt, last, last - 49)
    assert_again(again, first, list(range(50, last + 1)), place=False)
    assert {m.place["topic"] for m in again} == {f"bank/again/1/CZK/k{key}" for key in range(KEYS)}

    replay(daemon, "--from", "50", "--routing-key", "again.{key}", outlet=AMQP)
    again = more(rack.amqp, last, last - 49)
    assert {m.place["routing_key"] for m in again} == {f"again.k{key}" for key in range(KEYS)}
    assert_again(again, rack.amqp.messages()[:last], list(range(50, last + 1)), place=False)

    queue = f"mended-{rack.folder.name}"
    with pika.BlockingConnection(pika.ConnectionParameters(LOOPBACK, rack.brokers.rabbitmq.port)) as connection:
        channel = connection.channel()
        channel.queue_declare(queue)
        try:
            replay(daemon, "--from", "50", "--queue", queue, outlet=AMQP)
            bodies = [channel.basic_get(queue, auto_ack=True)[2] for _ in range(last - 49)]
            assert channel.basic_get(queue)[2] is None
        finally:
            delete_queue(rack.brokers.rabbitmq.port, queue)
    known = of_relay(first)
    assert sorted(bodies) == sorted(known[s].payload for s in range(50, last + 1))
    assert rack.amqp.count() == last + last - 49, "the queue alone has them"
    nobody = daemon.run("replay", ACCOUNTS, "--outlet", AMQP, "--queue", "no-such-queue")
    assert nobody.returncode == 0 and f"0 confirmed, {last} unheard (nobody was there" in nobody.stdout


def test_a_slow_replay_keeps_its_rate_and_live_events_do_not_wait_for_it(rack: Rack) -> None:
    daemon, first = rack.daemon, loaded(rack)
    rate, events = 20, 50
    running = begin(daemon, to=events, eventsPerSecond=rate, topic="bank/slow/{key}")
    wait_until(lambda: rack.mqtt.count() > len(first), "the replay has begun to arrive", 10)
    at = time.time()
    append_deposits(daemon, KEYS, 1, first=99)
    live = wait_until(lambda: [m for m in rack.mqtt.messages()[len(first):] if "slow" not in m.place["topic"]][KEYS - 1:],
                      "live events arrive", 10)
    assert live[-1].at - at < 1.5
    assert daemon.operator("GET", f"/replays/{running['id']}").json()["state"] == "running", "it was still going on"
    done = ended(daemon, running["id"])
    assert done["progress"]["confirmed"] == events
    slow = [m for m in more(rack.mqtt, len(first), KEYS + events) if "slow" in m.place["topic"]]
    assert_again(slow, first, list(range(1, events + 1)), place=False)
    took = slow[-1].at - slow[0].at
    assert (events - 1) / rate * 0.9 < took < (events - 1) / rate * 1.6, took


def test_a_dry_run_counts_and_sends_nothing(rack: Rack) -> None:
    daemon, first = rack.daemon, loaded(rack)
    before = daemon.relay(f"{ACCOUNTS}/{MQTT}")
    told = replay(daemon, "--from", "11", "--to", "30", "--dry-run")
    size = sum(len(m.payload) for s, m in of_relay(first).items() if 11 <= s <= 30)
    assert (told["progress"]["found"], told["progress"]["foundBytes"], told["progress"]["refused"]) == (20, size, 0)
    by_key = daemon.run("replay", ACCOUNTS, "--outlet", MQTT, "--key", "k1", "--dry-run")
    assert by_key.returncode == 0 and f"{EACH} events would be sent" in by_key.stdout
    # A field that these events do not have: each is told, and nothing was sent anywhere.
    told = replay(daemon, "--topic", "bank/{data.nothing}", "--dry-run", good=False)
    assert told["progress"]["refused"] == KEYS * EACH and "{data.nothing}" in told["progress"]["refusedEvents"][0]["reason"]
    # What is sent after them arrives after them: a replay of one event shows that there were no others.
    replay(daemon, "--from", "1", "--to", "1")
    again = more(rack.mqtt, len(first), 1)
    assert sequences(again) == [1] and daemon.relay(f"{ACCOUNTS}/{MQTT}") == before


def test_events_that_cannot_be_sent_are_counted_and_told_and_the_others_go(rack: Rack) -> None:
    daemon = rack.daemon
    append_deposits(daemon, KEYS, 1)
    long = deposit("k1" + "x" * 30)
    assert daemon.http("POST", f"/streams/account-{long['data']['accountId']}", long).status == 201
    rack.wait_settled()
    rack.wait_received(KEYS + 1)
    topic = "bank/" + "y" * 1000 + "/{key}"
    done = daemon.run("replay", ACCOUNTS, "--outlet", MQTT, "--topic", topic)
    assert done.returncode == 1 and f"{KEYS} confirmed, 0 unheard, 1 refused" in done.stdout
    assert "sequence 6: the topic" in done.stdout and "1024 are allowed" in done.stdout and "1 event was refused" in done.stderr
    assert parked(daemon) == [], "a replay parks nothing"


def test_replays_are_listed_stopped_and_gone_on_with(rack: Rack) -> None:
    daemon, first = rack.daemon, loaded(rack)
    assert "no replays" in daemon.run("replay", "list").stdout
    detached = daemon.run("replay", ACCOUNTS, "--outlet", MQTT, "--rate", "10", "--topic", "bank/one/{key}", "--detach")
    assert detached.returncode == 0 and "replay stop 1" in detached.stdout
    listed = daemon.run("replay", "list").stdout
    assert "running" in listed and "bank/one/{key}" in listed and ACCOUNTS in listed
    assert "replay 1 of" in daemon.run("status").stdout
    wait_until(lambda: rack.mqtt.count() >= len(first) + 5, "some of it has arrived", 10)
    stopped = daemon.run("replay", "stop", "1", "--format", "json")
    assert stopped.returncode == 0
    told = json.loads(stopped.stdout)
    reached = told["progress"]["sequence"]
    assert told["state"] == "stopped" and 5 <= reached < len(first)
    assert f"--from {reached + 1}" in daemon.run("replay", "stop", "1").stdout
    replay(daemon, "--from", str(reached + 1), "--topic", "bank/one/{key}")
    again = more(rack.mqtt, len(first), len(first))
    assert_again(again, first, list(range(1, len(first) + 1)), place=False)
    assert "stopped" in daemon.run("replay", "list").stdout


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupt_stops_the_replay_and_tells_where_to_go_on(rack: Rack, number: signal.Signals) -> None:
    daemon, first = rack.daemon, loaded(rack)
    words = daemon.command("replay", ACCOUNTS, "--outlet", MQTT, "--rate", "10")
    running = Process(words, rack.folder / "replay.log", env=daemon.environment(), cwd=daemon.folder)
    try:
        wait_until(lambda: rack.mqtt.count() >= len(first) + 3, "some of it has arrived", 10)
        running.send(number)
        assert running.wait(10) == 1
    finally:
        running.kill()
    [told] = daemon.operator("GET", "/replays").json()["replays"]
    reached = told["progress"]["sequence"]
    assert told["state"] == "stopped" and f"--from {reached + 1}" in running.tail(), running.tail()
    assert len(more(rack.mqtt, len(first), reached)) == reached, "what was in flight was answered for"


def test_a_broker_that_restarts_amid_a_replay_gets_all_of_it(tmp_path: Path) -> None:
    with ExitStack() as at_end:
        mosquitto = Mosquitto(tmp_path, persistence=True)
        at_end.callback(mosquitto.stop)
        mosquitto.start()
        consumer = mqtt_consumer(mosquitto.port, tmp_path / "mqtt.jsonl")
        at_end.callback(consumer.stop)
        daemon = bank_daemon(tmp_path, mosquitto.port, free_ports(1)[0])
        at_end.callback(daemon.kill)
        daemon.start()
        append_deposits(daemon, KEYS, EACH)
        first = more(consumer, 0, KEYS * EACH)
        # What is not settled is not replayed.
        daemon.wait_settled(f"{ACCOUNTS}/{MQTT}")
        running = begin(daemon, eventsPerSecond=40)
        wait_until(lambda: consumer.count() >= len(first) + 10, "some of it has arrived", 10)
        mosquitto.stop()
        path = f"/replays/{running['id']}"
        told = wait_until(lambda: daemon.operator("GET", path).json()["connection"]["retryingSince"], "it is told", 20)
        assert told
        mosquitto.start()
        done = ended(daemon, running["id"])
        assert done["state"] == "done" and done["progress"]["confirmed"] == len(first)
        again = more(consumer, len(first), len(first))
        assert set(sequences(again)) == set(of_relay(first))
        assert {m.payload for m in again} == {m.payload for m in first}


def test_what_cannot_be_replayed_is_refused_with_a_mend(rack: Rack) -> None:
    daemon, first = rack.daemon, loaded(rack)

    def refused(**wanted: object) -> tuple[int, str, str]:
        answer = daemon.operator("POST", "/replays", {"contract": ACCOUNTS, "outlet": MQTT} | wanted)
        problem = answer.json()
        assert problem["title"] and problem["mend"], problem
        return answer.status, problem["type"].rsplit(":", 1)[1], problem["detail"]

    for wanted, kind, word in (
        ({"contract": "nobody.v1"}, "no-such-place", "nobody.v1"),
        ({"contract": "no such name"}, "no-such-place", "no such name"),
        ({"outlet": "mqtt:none"}, "no-such-place", "mqtt:none"),
        ({"routingKey": "a"}, "no-such-place", "another topic, and nothing else"),
        ({"queue": "a"}, "no-such-place", "another topic"),
        ({"outlet": AMQP, "topic": "a"}, "no-such-place", "or a queue"),
        ({"outlet": AMQP, "queue": "a", "routingKey": "b"}, "no-such-place", "nothing else"),
        ({"topic": "a/+/b"}, "no-such-place", "'+'"),
        ({"topic": "a/{nobody}"}, "no-such-place", "`nobody`"),
        ({"from": len(first) + 1}, "nothing-to-replay", f"is {len(first)}"),
        ({"from": 10, "to": 9}, "nothing-to-replay", "between"),
        ({"to": 0}, "nothing-to-replay", "between"),
        ({"from": 2**64 - 1}, "nothing-to-replay", "between"),
        ({"from": "yesterday"}, "nothing-to-replay", '"yesterday" is neither'),
        ({"from": 1.5}, "nothing-to-replay", "1.5 is neither"),
        ({"to": {"sequence": 1}}, "nothing-to-replay", "neither"),
        ({"to": "2001-01-01T00:00:00Z"}, "nothing-to-replay", "between"),
        ({"contract": LENDING}, "nothing-to-replay", "between"),
    ):
        status, found, detail = refused(**wanted)
        assert (status, found) == (422, kind) and word in detail, (wanted, detail)
    assert refused(eventsPerSecond=0)[:2] == (400, "malformed")
    assert refused(what=1)[:2] == (400, "malformed")
    for path in ("/replays/7", "/replays/x"):
        assert daemon.operator("GET", path).status in (400, 404)
    assert daemon.operator("POST", "/replays/7/stop", {}).status == 404
    told = daemon.run("replay", ACCOUNTS, "--outlet", MQTT, "--from", "yesterday")
    assert told.returncode == 1 and "yesterday" in told.stderr and "= mend:" in told.stderr
    assert daemon.run("replay", ACCOUNTS).returncode == 2
    assert daemon.run("replay", ACCOUNTS, "--outlet", MQTT, "--rate", "0").returncode == 2
    assert daemon.operator("GET", "/replays").json() == {"replays": []}
    assert rack.mqtt.count() == len(first)


def test_eight_replays_run_beside_each_other_and_a_ninth_waits(rack: Rack) -> None:
    daemon, first = rack.daemon, loaded(rack)
    # All at once: each has a connection of its own, which the broker tells by its name.
    running = [begin(daemon, eventsPerSecond=40, topic=f"bank/r{number}/{{key}}") for number in range(8)]
    assert len({one["id"] for one in running}) == 8
    ninth = daemon.operator("POST", "/replays", {"contract": ACCOUNTS, "outlet": MQTT})
    assert ninth.status == 429 and ninth.json()["type"].endswith(":too-many-replays") and ninth.json()["mend"]
    assert [ended(daemon, one["id"])["progress"]["confirmed"] for one in running] == [len(first)] * 8
    again = more(rack.mqtt, len(first), 8 * len(first))
    for number in range(8):
        of_one = [m for m in again if f"/r{number}/" in m.place["topic"]]
        assert_again(of_one, first, list(range(1, len(first) + 1)), place=False)
    assert begin(daemon)["id"] > running[-1]["id"]


def test_an_outlet_that_is_paused_can_be_replayed_to_and_stays_paused(rack: Rack) -> None:
    daemon, first = rack.daemon, loaded(rack)
    pause(daemon)
    append_deposits(daemon, KEYS, 1, first=50)
    before = totals(daemon)
    told = replay(daemon, "--from", "10", "--to", "20")
    assert told["progress"]["confirmed"] == 11
    assert_again(more(rack.mqtt, len(first), 11), first, list(range(10, 21)))
    now = daemon.relay(f"{ACCOUNTS}/{MQTT}")
    assert now["state"] == "paused" and totals(daemon)[f"{ACCOUNTS}/{MQTT}"] == before[f"{ACCOUNTS}/{MQTT}"]
    resume(daemon)
    rack.wait_settled()
    assert sequences(more(rack.mqtt, len(first) + 11, KEYS)) == list(range(len(first) + 1, len(first) + KEYS + 1))


def test_an_outlet_that_waits_for_listeners_is_replayed_to_without_waiting_for_any(tmp_path: Path, brokers: Brokers) -> None:
    daemon = bank_daemon(tmp_path, brokers.mosquitto.port, brokers.rabbitmq.port)
    change(daemon, CONTRACT, "qos: 1 }", "qos: 1, unheard: wait }")
    try:
        daemon.start()
        append_deposits(daemon, 1, 3)
        wait_until(lambda: daemon.relay(f"{ACCOUNTS}/{MQTT}")["retryingSince"], "the relay waits for a listener", 20)
        told = replay(daemon, "--topic", "again/{key}")
        assert (told["state"], told["progress"]["unheard"]) == ("done", 3)
        assert "replay-1" not in "".join(line for line in daemon.log.read_text().splitlines() if "nobody listens" in line)
    finally:
        daemon.kill()


def append_to(daemon: Daemon, *keys: str) -> None:
    """Appends a deposit to each account, in order."""
    for key in keys:
        assert daemon.http("POST", f"/streams/account-{key}", deposit(key)).status == 201


def test_nothing_arrives_at_the_outlets_own_place_by_a_replay_before_it_was_sent_there(tmp_path: Path, brokers: Brokers) -> None:
    daemon = bank_daemon(tmp_path, brokers.mosquitto.port, brokers.rabbitmq.port)
    change(daemon, CONTRACT, "bank/accounts/v1/{key}/{name}", "own/" + "y" * 985 + "/{key}")  # room for 34 bytes of a key
    try:
        daemon.start()
        long = "k" + "x" * 34
        append_to(daemon, "a", long, long, "a")
        daemon.wait_settled()
        assert [row["key"] for row in parked(daemon)] == [long]
        for words in ((), ("--dry-run",)):
            told = replay(daemon, *words)
            assert (told["progress"]["found"], told["progress"]["leftOut"], told["progress"]["refused"]) == (2, 2, 0)
        assert "2 left out" in daemon.run("replay", ACCOUNTS, "--outlet", MQTT).stdout

        assert daemon.run("pause", ACCOUNTS, "--outlet", MQTT, "--reason", "a test").returncode == 0
        append_to(daemon, "a")
        wait_until(lambda: daemon.contract(ACCOUNTS)["sequence"] == 5, "it has crossed", 20)
        refused = daemon.run("replay", ACCOUNTS, "--outlet", MQTT, "--from", "5")
        assert refused.returncode == 1 and "that was sent to this outlet is 4" in refused.stderr
        assert replay(daemon, "--to", "5")["stretch"]["through"] == 4
        assert replay(daemon, "--topic", "elsewhere/{name}")["progress"]["found"] == 5
    finally:
        daemon.kill()


def test_a_restart_forgets_replays_and_who_watches_one_is_told(rack: Rack) -> None:
    daemon, first = rack.daemon, loaded(rack)
    words = daemon.command("replay", ACCOUNTS, "--outlet", MQTT, "--rate", "5")
    watching = Process(words, rack.folder / "replay.log", env=daemon.environment(), cwd=daemon.folder)
    try:
        wait_until(lambda: rack.mqtt.count() >= len(first) + 3, "some of it has arrived", 10)
        assert daemon.stop() == 0
        assert watching.wait(20) == 1
    finally:
        watching.kill()
    assert "--from" in watching.tail(), watching.tail()
    # What was sent before arrives before it.
    publish("bank/mark", "the daemon has stopped", qos=1, port=rack.brokers.mosquitto.port)
    before = wait_until(lambda: [n for n, m in enumerate(rack.mqtt.messages(), 1) if m.place["topic"] == "bank/mark"], "the mark")[0]
    daemon.start()
    assert daemon.operator("GET", "/replays").json() == {"replays": []}
    assert daemon.operator("GET", "/replays/1").status == 404
    replay(daemon, "--to", "1")
    assert sequences(more(rack.mqtt, before, 1)) == [1], "nothing went on by itself"
