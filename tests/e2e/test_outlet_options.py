"""What outlets may say beyond a place: where a new one begins, how many of a key are in flight, topics of fields, and warnings."""

from __future__ import annotations

import datetime
import json
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pika
from facts import deposit, loan_payment
from judges import read
from oracle import ACCOUNTS, LENDING
from parking import CONTRACT, change, parked, reload
from rack import Rack, bank_daemon
from replaying import AMQP, MQTT, append_deposits, sequences
from rig.brokers import Mosquitto
from rig.daemon import Daemon
from rig.inbox import Consumer, Message, mqtt_consumer
from rig.ports import LOOPBACK, free_ports
from rig.waiting import wait_until
from teams import horizon
from told import outlet_of, why, why_in_words

HOSTILE = ["plain", "a/b", "+", "#", "a/+/#", "..", "$SYS", "$share/g/x", "ä €", "{key}", "100%", "x.y.z", "*", " ", "\\", "%2F"]


def at(messages: list[Message], place: str) -> list[Message]:
    """The messages at places that begin so."""
    return [m for m in messages if m.place.get("topic", m.place.get("routing_key", "")).startswith(place)]


def add_outlets(daemon: Daemon, *outlets: str) -> None:
    """Adds outlets to bank.accounts."""
    path = daemon.folder / CONTRACT
    path.write_text(path.read_text() + "".join(f"  - {outlet}\n" for outlet in outlets))


def test_a_new_outlet_on_an_old_contract_begins_where_it_says_and_restarts_do_not_change_that(rack: Rack) -> None:
    daemon = rack.daemon
    [first, *_] = append_deposits(daemon, 2, 5)
    rack.wait_settled()
    middle = datetime.datetime.now(datetime.UTC).isoformat()
    append_deposits(daemon, 2, 5, first=10)
    rack.wait_settled()
    rack.wait_received(20)
    add_outlets(
        daemon,
        'mqtt: { broker: main, name: "mqtt:now", topic: "bank/now/{key}/{name}", start: now }',
        'mqtt: { broker: main, name: "mqtt:seven", topic: "bank/seven/{key}/{name}", start: { sequence: 7 } }',
        f'mqtt: {{ broker: main, name: "mqtt:time", topic: "bank/time/{{key}}/{{name}}", start: {{ time: "{middle}" }} }}',
        'mqtt: { broker: main, name: "mqtt:all", topic: "bank/all/{key}/{name}", start: beginning }',
        'mqtt: { broker: main, name: "mqtt:later", topic: "bank/later/{key}/{name}", start: { sequence: 1000 } }',
        'amqp: { broker: rabbit, name: "amqp:seven", exchange: bank.accounts.v1, routing_key: "seven.{name}", start: { sequence: 7 } }',
    )
    assert len(reload(daemon)["relays"]["started"]) == 6
    begins = {"now": 21, "seven": 7, "time": 11, "all": 1, "later": 21}
    last = 20
    for end in (None, daemon.kill, daemon.stop):
        if end:
            end()
            daemon.start()
        append_deposits(daemon, 2, 1, first=last)
        last += 2
        rack.wait_settled()
        due = last + sum(last + 1 - begin for begin in begins.values())
        wait_until(lambda due=due: len(set((m.place["topic"], *sequences([m])) for m in rack.mqtt.messages())) >= due,
                   "every outlet has sent what it should", 20, state=rack.mqtt.count)
        for name, begin in begins.items():
            assert sorted(set(sequences(at(rack.mqtt.messages(), f"bank/{name}/")))) == list(range(begin, last + 1)), name
    wait_until(lambda: set(sequences(at(rack.amqp.messages(), "seven."))) == set(range(7, last + 1)), "AMQP too", 20)

    assert outlet_of(why(daemon, first), ACCOUNTS, "mqtt:all").state == "confirmed"
    for outlet in ("mqtt:now", "mqtt:seven", "mqtt:time", "amqp:seven"):
        told = outlet_of(why(daemon, first), ACCOUNTS, outlet)
        assert (told.state, told.reason) == ("not sent", "the outlet began after it")
    assert "mqtt:now: not sent: the outlet began after it" in why_in_words(daemon, first)
    relay = daemon.relay(f"{ACCOUNTS}/mqtt:seven")
    assert (relay["confirmed"], relay["skipped"], relay["lag"]) == (last - 6, 6, 0)
    assert daemon.stop() == 0
    verified = daemon.run("verify", daemon.folder / "data")
    assert verified.returncode == 0, verified.stdout + verified.stderr
    file, restored = daemon.folder / "all.jsonl", daemon.folder / "restored"
    for words in (("export", "--store", daemon.folder / "data", file), ("restore", "--export", file, restored), ("verify", restored)):
        done = horizon(*words)
        assert done.returncode == 0, done.stdout + done.stderr


@contextmanager
def own_mosquitto(folder: Path, options: str) -> Iterator[tuple[Mosquitto, Consumer, Daemon]]:
    """A broker that may be harmed, its consumer, and a daemon, not started yet, whose bank.accounts has other options there."""
    with ExitStack() as at_end:
        mosquitto = Mosquitto(folder, persistence=True)
        at_end.callback(mosquitto.stop)
        mosquitto.start()
        consumer = mqtt_consumer(mosquitto.port, folder / "mqtt.jsonl")
        at_end.callback(consumer.stop)
        daemon = bank_daemon(folder, mosquitto.port, free_ports(1)[0])
        change(daemon, CONTRACT, "qos: 1 }", options)
        at_end.callback(daemon.kill)
        yield mosquitto, consumer, daemon


def test_where_an_outlet_begins_is_chosen_once_though_its_broker_is_away_and_the_daemon_is_killed(tmp_path: Path) -> None:
    with own_mosquitto(tmp_path, "qos: 1 }") as (mosquitto, consumer, daemon):
        lending = daemon.folder / "contracts/bank.lending.v1.yaml"
        now = '  - mqtt: { broker: main, name: "mqtt:now", topic: "bank/now/{key}/{name}", start: now }\n'
        lending.write_text(lending.read_text() + now)
        daemon.start()
        wait_until(lambda: daemon.relay(f"{LENDING}/mqtt:now")["state"] == "connected", "the new outlet is there", 20)
        mosquitto.stop()
        payment = loan_payment("1")
        assert daemon.http("POST", "/streams/account-1", payment).status == 201
        wait_until(lambda: daemon.contract(LENDING)["crossed"] == 1, "it has crossed", 20)
        daemon.kill()
        daemon.start()
        mosquitto.start()
        wait_until(lambda: sequences(at(consumer.messages(), "bank/now/")) == [1], "what came after `now` arrives", 30)
        daemon.wait_settled(f"{LENDING}/mqtt:now")
        assert outlet_of(why(daemon, str(payment["id"])), LENDING, "mqtt:now").state == "confirmed"


def test_several_events_of_a_key_in_flight_all_arrive_and_a_warning_is_given(tmp_path: Path) -> None:
    with own_mosquitto(tmp_path, "qos: 1, max_in_flight_per_key: 4 }") as (mosquitto, consumer, daemon):
        checked = daemon.run("check")
        assert checked.returncode == 0 and "warning: mqtt:main: with more than one event of a key in flight" in checked.stdout
        daemon.start()
        assert "with more than one event of a key in flight" in daemon.log.read_text()
        append_deposits(daemon, 2, 300)
        wait_until(lambda: consumer.count() >= 50, "some of it has arrived", 20)
        mosquitto.stop()
        append_deposits(daemon, 2, 300, first=1000)
        mosquitto.start()
        daemon.wait_settled(f"{ACCOUNTS}/{MQTT}")
        wait_until(lambda: set(sequences(consumer.messages())) == set(range(1, 1201)), "all has arrived", 20, state=consumer.count)
        assert daemon.relay(f"{ACCOUNTS}/{MQTT}")["confirmed"] == 1200


def test_retain_and_quality_of_service_0_are_warned_of_and_work(tmp_path: Path) -> None:
    with own_mosquitto(tmp_path, "qos: 0, retain: true }") as (mosquitto, consumer, daemon):
        checked = daemon.run("check")
        assert checked.returncode == 0
        assert "warning: mqtt:main: retained events reach later subscribers" in checked.stdout
        assert "warning: mqtt:main: at quality of service 0 a broker confirms nothing" in checked.stdout
        daemon.start()
        for words in ("retained events", "quality of service 0"):
            assert [line for line in daemon.log.read_text().splitlines() if words in line and f"{ACCOUNTS}/{MQTT}" in line]
        append_deposits(daemon, 1, 3)
        wait_until(lambda: sequences(consumer.messages()) == [1, 2, 3], "all has arrived", 20, state=consumer.count)
        late = mqtt_consumer(mosquitto.port, tmp_path / "late.jsonl", client_id="late")
        try:
            wait_until(late.count, "the last one was kept", 10)
            [kept] = late.messages()
            assert sequences([kept]) == [3] and kept.place["retain"] == "True"
        finally:
            late.stop()


MONEY = "bank.money.v1"
MONEY_CONTRACT = """
horizon: 1
contract: bank.money
version: 1.0.0
source: //bank.example/money/v1
streams: { category: account }
key: .accountId
subject: .transactionId
types:
  example.bank.money.moved.v1:
    name: moved
    schema: public/bank.money/moved.v1.json
    from:
      - event: CashDeposited
        data: { accountId: .accountId, currency: .currency }
outlets:
  - mqtt: { broker: main, topic: "bank/x/{subject}/{data.currency}/{key}" }
  - amqp: { broker: rabbit, exchange: bank.accounts.v1, routing_key: "x.{subject}.{data.currency}.{key}" }
"""


def take_money(daemon: Daemon) -> None:
    """Puts a contract that lets any text through in the place of the others."""
    for contract in (daemon.folder / "contracts").glob("bank.*"):
        contract.unlink()
    (daemon.folder / "contracts/bank.money.v1.yaml").write_text(MONEY_CONTRACT)
    private = daemon.folder / "schemas/private/account/CashDeposited.json"
    schema = json.loads(private.read_text())
    for name in ("accountId", "transactionId", "currency"):
        del schema["properties"][name]["pattern"]
    schema["required"].remove("currency")
    private.write_text(json.dumps(schema))
    public = daemon.folder / "schemas/public/bank.money/moved.v1.json"
    public.parent.mkdir()
    text: dict[str, Any] = {"type": "string"}
    public.write_text(json.dumps({"type": "object", "properties": {"accountId": text, "currency": text}, "required": ["accountId"]}))


def test_hostile_values_stay_in_their_segment_of_topics_and_routing_keys(rack: Rack) -> None:
    daemon = rack.daemon
    take_money(daemon)
    reload(daemon)
    events, topics, routing_keys = [], set(), set()
    for number, value in enumerate(HOSTILE):
        subject, currency = HOSTILE[number - 1], HOSTILE[number - 2]
        event = deposit(value)
        event["data"] |= {"transactionId": subject, "currency": currency}
        events.append(event | {"stream": "account-1"})
        segments = [quote(text, safe="") for text in (subject, currency, value)]
        topics.add("/".join(["bank/x", *segments]))
        routing_keys.add(".".join(["x", *(segment.replace(".", "%2E") for segment in segments)]))
    answer = daemon.http("POST", "/commits", {"events": events})
    assert answer.status == 201, answer.body
    rack.wait_settled()
    rack.wait_received(len(HOSTILE))
    assert {m.place["topic"] for m in rack.mqtt.messages()} == topics
    assert {m.place["routing_key"] for m in rack.amqp.messages()} == routing_keys
    assert parked(daemon) == []


def test_an_event_without_a_field_of_the_topic_parks_its_key_and_says_which(rack: Rack) -> None:
    daemon = rack.daemon
    take_money(daemon)
    reload(daemon)
    lacking, empty = deposit("bad"), deposit("worse")
    del lacking["data"]["currency"]
    empty["data"]["currency"] = ""
    behind = deposit("bad")
    events = [event | {"stream": "account-1"} for event in (deposit("bad"), lacking, empty, behind, deposit("good"))]
    assert daemon.http("POST", "/commits", {"events": events}).status == 201
    rack.wait_settled()
    wait_until(lambda: rack.mqtt.count() >= 2 and rack.amqp.count() >= 2, "the sound ones arrive", 20)
    for consumer in (rack.mqtt, rack.amqp):
        assert [a.key for a in read(consumer.messages()).first] == ["bad", "good"]
    listed = {(key["outlet"], key["key"], key["waiting"]): key["reason"] for key in parked(daemon)}
    assert set(listed) == {(o, k, n) for o in (MQTT, AMQP) for k, n in (("bad", 2), ("worse", 1))}
    assert all("{data.currency}" in reason and "is empty or missing" in reason for reason in listed.values()), listed
    told = outlet_of(why(daemon, str(lacking["id"])), MONEY, MQTT)
    assert told.state == "parked" and "{data.currency}" in told.reason
    assert outlet_of(why(daemon, str(behind["id"])), MONEY, MQTT).state == "parked"


def test_an_outlet_in_trouble_leaves_another_at_the_same_broker_alone(rack: Rack) -> None:
    daemon = rack.daemon
    # The exchange of bank.lending cannot be used: it is there, and of another type.
    with pika.BlockingConnection(pika.ConnectionParameters(LOOPBACK, rack.brokers.rabbitmq.port)) as connection:
        connection.channel().exchange_declare("bank.fanout", "fanout", durable=True)
    lending = daemon.folder / "contracts/bank.lending.v1.yaml"
    lending.write_text(lending.read_text().replace("exchange: bank.lending.v1", "exchange: bank.fanout"))
    change(daemon, CONTRACT, 'routing_key: "account.{name}" }', 'routing_key: "account.{name}", unheard: wait }')
    reload(daemon)
    assert daemon.http("POST", "/streams/account-1", loan_payment("1")).status == 201
    append_deposits(daemon, 2, 2)
    relay = f"{LENDING}/{AMQP}"
    wait_until(lambda: daemon.relay(relay)["state"] == "retrying", "the outlet cannot be used", 20)
    wait_until(lambda: rack.amqp.count() >= 5, "the other outlet sends", 20)
    told = daemon.relay(relay)
    assert "bank.fanout" in told["lastError"] and told["lag"] == 1
    daemon.wait_settled(f"{ACCOUNTS}/{AMQP}")
    other = daemon.relay(f"{ACCOUNTS}/{AMQP}")
    assert (other["state"], other["lag"], other["retryingSince"]) == ("connected", 0, None)
