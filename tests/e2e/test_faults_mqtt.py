"""What Mosquitto does to its publishers: topics denied, packets too large, passwords changed."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from chaos import assert_nothing_lost
from facts import deposit
from faults import append_all, due_of, option, wait_state
from jsonschema import Draft202012Validator
from judges import judge, read
from oracle import ACCOUNTS, forecast, read_events
from parking import order, parked
from rack import Brokers, Rack, rack_on, wait_different
from rig.brokers import Mosquitto
from rig.daemon import Daemon
from rig.waiting import wait_until
from told import outlet_of, why, why_in_words

Schemas = dict[str, Draft202012Validator]

MQTT = "mqtt:main"
RELAY = f"{ACCOUNTS}/{MQTT}"


@contextmanager
def rack_at(folder: Path, brokers: Brokers, configuration: str) -> Iterator[Rack]:
    """A daemon, not started yet, at a Mosquitto of its own with more configuration, and at the RabbitMQ of all."""
    # With 0, for no bound, Mosquitto 2.0.11 closes a connection after each publish that it refuses.
    mosquitto = Mosquitto(folder, persistence=True, extra=f"max_queued_messages 1000000\n{configuration}")
    mosquitto.start()
    try:
        with rack_on(folder, Brokers(mosquitto, brokers.rabbitmq), start=False) as rack:
            yield rack
    finally:
        mosquitto.stop()


def log_in(daemon: Daemon, password: str) -> None:
    """Lets the daemon be the user `horizon`."""
    (daemon.folder / "mqtt.password").write_text(f"{password}\n")
    daemon.env |= option("mqtt", "username", "horizon") | option("mqtt", "password__file", "mqtt.password")


def test_a_denied_topic_makes_its_key_wait_and_mended_rules_let_it_go_on_in_order(
    tmp_path: Path, brokers: Brokers, schemas: Schemas,
) -> None:
    rules = tmp_path / "rules"
    all_but_one = "topic readwrite #\nuser horizon\ntopic readwrite #\n"
    rules.write_text(f"{all_but_one}topic deny bank/accounts/v1/denied/#\n")
    with rack_at(tmp_path, brokers, f"acl_file {rules}\n") as rack:
        log_in(rack.daemon, "any")
        rack.daemon.start()
        events = [deposit(key, amount) for amount in (1, 2, 3) for key in ("denied", "free", "other")]
        append_all(rack.daemon, events)
        wait_until(lambda: rack.mqtt.count() >= 6 and rack.amqp.count() >= 9, "all that is allowed", 15)
        wait_until(lambda: "0x87" in (rack.daemon.relay(RELAY)["lastError"] or ""), "the denial is told", 5)
        relay = rack.daemon.relay(RELAY)
        assert (relay["state"], relay["confirmed"], relay["lag"]) == ("connected", 0, 9), "the cursor waits before what was denied"
        assert "0x87: not authorized" in rack.daemon.run("status").stdout
        told = outlet_of(why(rack.daemon, events[0]["id"]), ACCOUNTS, MQTT)
        assert told.state == "retrying" and "0x87" in told.reason and told.since
        assert "not authorized" in why_in_words(rack.daemon, events[0]["id"])
        assert parked(rack.daemon) == [], "a rule is a person's to mend; no key has to be retried by hand"
        assert {a.key for a in read(rack.mqtt.messages()).first} == {"free", "other"}

        rules.write_text(all_but_one)
        rack.brokers.mosquitto.reload()
        rack.wait_settled()
        rack.wait_received(9)
        for consumer in (rack.mqtt, rack.amqp):
            judge(consumer.messages(), due_of(events), schemas).assert_good()
        assert "tried again has been settled" in rack.daemon.log.read_text()


def test_an_event_over_the_packet_limit_that_the_broker_tells_parks_its_key_and_goes_on_when_that_is_raised(
    tmp_path: Path, brokers: Brokers, schemas: Schemas,
) -> None:
    long, limit = "k" * 36, "max_packet_size 600\n"
    with rack_at(tmp_path, brokers, limit) as rack:
        rack.daemon.start()
        events = [deposit(key, amount) for amount in (1, 2) for key in (long, "1", "2")]
        append_all(rack.daemon, events)
        rack.wait_settled()
        [listed] = parked(rack.daemon)
        assert (listed["outlet"], listed["key"], listed["waiting"]) == (MQTT, long, 2)
        assert "the limit is 600" in listed["reason"]
        assert (rack.daemon.relay(RELAY)["confirmed"], rack.daemon.relay(RELAY)["parkedKeys"]) == (4, 1)
        wait_until(lambda: rack.mqtt.count() >= 4 and rack.amqp.count() >= 6, "all that fits", 15)

        mosquitto = rack.brokers.mosquitto
        mosquitto.stop()
        mosquitto.config.write_text(mosquitto.config.read_text().replace(limit, ""))
        mosquitto.start()
        wait_state(rack.daemon, "mqtt", "connected")
        order(rack.daemon, "retry", long, "--contract", ACCOUNTS, "--outlet", MQTT)
        rack.wait_received(6)
        for consumer in (rack.mqtt, rack.amqp):
            judge(consumer.messages(), due_of(events), schemas).assert_good()


def test_an_event_over_the_payload_limit_that_the_broker_keeps_to_itself_parks_its_key(
    tmp_path: Path, brokers: Brokers, schemas: Schemas,
) -> None:
    # `message_size_limit` is in no CONNACK; Mosquitto answers with PUBACK 0x95, which MQTT 5 does not allow there.
    long = "k" * 36
    with rack_at(tmp_path, brokers, "message_size_limit 500\n") as rack:
        rack.daemon.start()
        events = [deposit(key, amount) for amount in (1, 2) for key in ("1", long, "2", "3")]
        append_all(rack.daemon, events)
        rack.daemon.wait_settled(RELAY)
        [listed] = parked(rack.daemon)
        assert (listed["outlet"], listed["key"], listed["waiting"]) == (MQTT, long, 2) and listed["reason"]
        wait_until(lambda: rack.amqp.count() >= len(events), "AMQP has no part in it", 15)
        fits = [e for e in events if e["data"]["accountId"] != long]
        wait_different(rack.mqtt, len(fits), 15)
        arrived = read(rack.mqtt.messages(), repeats_allowed=True)
        assert not arrived.faults
        assert [(a.key, float(a.event["data"]["amount"])) for a in arrived.first if a.key == "1"] == [("1", 1), ("1", 2)]
        assert len(arrived.first) == len(fits) and all(a.key != long for a in arrived.first)
        judge(rack.amqp.messages(), due_of(events), schemas).assert_good()


def test_a_denied_topic_holds_up_no_other_key_where_the_denial_closes_the_connection(tmp_path: Path, brokers: Brokers) -> None:
    rules = tmp_path / "rules"
    rules.write_text("topic readwrite #\nuser horizon\ntopic readwrite #\ntopic deny bank/accounts/v1/denied/#\n")
    with rack_at(tmp_path, brokers, f"max_queued_messages 0\nacl_file {rules}\n") as rack:
        log_in(rack.daemon, "any")
        rack.daemon.start()
        events = [deposit(key, amount) for amount in (1, 2, 3) for key in ("denied", "free", "other")]
        append_all(rack.daemon, events)
        wait_different(rack.mqtt, 6)
        arrived = read(rack.mqtt.messages(), repeats_allowed=True)
        assert not arrived.faults and {a.key for a in arrived.first} == {"free", "other"}
        # It is sent again now and then, and waits for an answer for a moment.
        def denied() -> bool:
            told = outlet_of(why(rack.daemon, events[0]["id"]), ACCOUNTS, MQTT)
            return told.state in ("retrying", "parked") and bool(told.reason)

        wait_until(denied, "why tells of the denied event", 10)


def test_a_changed_password_is_told_and_the_old_one_given_back_lets_everything_go_on(
    tmp_path: Path, brokers: Brokers, some_events: Path, schemas: Schemas,
) -> None:
    passwords = tmp_path / "passwords"
    set_password(passwords, "first")
    with rack_at(tmp_path, brokers, f"password_file {passwords}\n") as rack:
        log_in(rack.daemon, "first")
        rack.daemon.start()
        wait_state(rack.daemon, "mqtt", "connected")
        set_password(passwords, "second")
        rack.brokers.mosquitto.stop()
        rack.brokers.mosquitto.start()
        rack.import_file(some_events)
        wait_state(rack.daemon, "mqtt", "retrying", "NotAuthorized")
        wait_until(lambda: rack.amqp.count() >= forecast(read_events(some_events)).count(), "AMQP goes on", 15)
        assert "first" not in rack.daemon.log.read_text() + rack.daemon.run("status").stdout
        set_password(passwords, "first")
        rack.brokers.mosquitto.reload()
        rack.wait_settled()
        verdicts = assert_nothing_lost(rack, some_events, schemas)
        assert [v.repeats for v in verdicts] == [0, 0]


def set_password(file: Path, password: str) -> None:
    """Writes Mosquitto's file of passwords, with the one of the user `horizon`."""
    program = shutil.which("mosquitto_passwd")
    assert program, "it comes with Mosquitto"
    subprocess.run([program, "-c", "-b", file, "horizon", password], check=True)
