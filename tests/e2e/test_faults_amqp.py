"""What RabbitMQ does to its publishers: nobody bound, full queues, exchanges that vanish, alarms, rights taken away."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pika
import pytest
from chaos import assert_nothing_lost
from facts import Event, deposit, loan_payment
from faults import allow_long_currencies, append_all, due_of, option, states, wait_state
from jsonschema import Draft202012Validator
from judges import judge, public_schemas, read
from oracle import ACCOUNTS, LENDING, Forecast, forecast, read_events
from parking import change, order, parked
from pika.adapters.blocking_connection import BlockingChannel
from rack import Brokers, Rack, rack_on
from rig.inbox import Message
from rig.ports import LOOPBACK
from rig.waiting import wait_until
from told import outlet_of, why

Schemas = dict[str, Draft202012Validator]

AMQP = "amqp:rabbit"
FULL_AT = 5


@pytest.fixture
def harmed(tmp_path: Path, own_brokers: Brokers) -> Iterator[Rack]:
    """A daemon, not started yet, at brokers that may be harmed."""
    with rack_on(tmp_path, own_brokers, start=False) as rack:
        yield rack


@contextmanager
def channel_of(rack: Rack) -> Iterator[BlockingChannel]:
    """A channel of the integrators' own."""
    with pika.BlockingConnection(pika.ConnectionParameters(LOOPBACK, rack.brokers.rabbitmq.port)) as connection:
        yield connection.channel()


def queue_of(rack: Rack) -> str:
    """The consumer's queue."""
    return rack.folder.name


def wait_when_unheard(rack: Rack, contract: str) -> None:
    """Lets a contract's exchange wait until somebody listens."""
    change(rack.daemon, Path(f"contracts/{contract}.yaml"), "{ broker: rabbit,", "{ broker: rabbit, unheard: wait,")


def test_what_no_queue_is_bound_for_is_passed_and_told_or_waits_for_a_queue(harmed: Rack, schemas: Schemas) -> None:
    rack = harmed
    wait_when_unheard(rack, LENDING)
    rack.daemon.start()
    with channel_of(rack) as channel:
        for stream, heard in ((ACCOUNTS, "account.credited"), (LENDING, "loan.granted")):
            channel.queue_unbind(queue_of(rack), stream, "#")
            channel.queue_bind(queue_of(rack), stream, heard)
        events = [make(str(key)) for key in range(5) for make in (loan_payment, deposit, loan_payment)]
        append_all(rack.daemon, events)
        passed, waiting = f"{ACCOUNTS}/{AMQP}", f"{LENDING}/{AMQP}"
        rack.daemon.wait_settled(passed)
        wait_until(lambda: "nobody listens" in (rack.daemon.relay(waiting)["lastError"] or ""), "the other waits", 15)
        assert (rack.daemon.relay(passed)["unheard"], rack.daemon.relay(passed)["confirmed"]) == (10, 5)
        told = why(rack.daemon, events[0]["id"])
        assert outlet_of(told, ACCOUNTS, AMQP).state == "unheard"
        assert "nobody listens" in outlet_of(told, LENDING, AMQP).reason
        assert outlet_of(why(rack.daemon, events[1]["id"]), ACCOUNTS, AMQP).state == "confirmed"
        relay = rack.daemon.relay(waiting)
        assert (relay["lag"], relay["confirmed"], relay["unheard"]) == (10, 0, 0)
        assert "nobody listens" in rack.daemon.run("status").stdout

        channel.queue_bind(queue_of(rack), LENDING, "loan.repaid")
    rack.wait_settled()
    wait_until(lambda: rack.amqp.count() >= 15, "what waited", 10, state=rack.amqp.count)
    lending = judge((m for m in rack.amqp.messages() if m.place["exchange"] == LENDING), _only(events, LENDING), schemas)
    lending.assert_good()
    heard = read(m for m in rack.amqp.messages() if m.place["exchange"] == ACCOUNTS)
    assert [a.event["type"].split(".")[-2] for a in heard.first] == ["credited"] * 5 and not heard.faults


def _only(events: list[Event], stream: str) -> Forecast:
    due = due_of(events)
    due.public = {name: public if name == stream else [] for name, public in due.public.items()}
    return due


def test_a_nack_from_a_full_queue_is_no_success_and_the_healthy_queue_gets_the_same_bytes_again(
    harmed: Rack, schemas: Schemas,
) -> None:
    rack, events = harmed, [deposit(str(key)) for _ in range(3) for key in range(20)]
    rack.daemon.start()
    full, relay = f"{queue_of(rack)}-full", f"{ACCOUNTS}/{AMQP}"
    with channel_of(rack) as channel:
        channel.queue_declare(full, exclusive=True, arguments={"x-max-length": FULL_AT, "x-overflow": "reject-publish"})
        channel.queue_bind(full, ACCOUNTS, "#")
        append_all(rack.daemon, events)
        wait_until(lambda: "nack" in (rack.daemon.relay(relay)["lastError"] or ""), "the full queue says no", 15)
        wait_until(lambda: rack.mqtt.count() >= len(events), "MQTT goes on", 15)
        # All keys have been tried, and those that were refused wait.
        wait_until(lambda: len({a.key for a in read(rack.amqp.messages(), True).first}) == 20, "all keys were tried", 15)
        kept = channel.queue_declare(full, passive=True).method.message_count
        assert rack.daemon.relay(relay)["confirmed"] <= kept < len(events)
        assert rack.daemon.relay(relay)["lag"] >= len(events) - kept
        drained = drain(channel, full, rack)
    rack.wait_settled()
    rack.wait_different(len(events))
    due = due_of(events)
    judge(drained, due, schemas, repeats_allowed=True).assert_good()
    healthy = judge(rack.amqp.messages(), due, schemas, repeats_allowed=True)
    healthy.assert_good()
    assert healthy.repeats > 0, "the healthy queue had what the full one rejected"
    judge(rack.mqtt.messages(), due, schemas).assert_good()


def drain(channel: BlockingChannel, queue: str, rack: Rack) -> list[Message]:
    """Takes everything from a queue until the daemon has nothing left to send."""
    drained = []
    for method, properties, body in channel.consume(queue, auto_ack=True, inactivity_timeout=0.2):
        if method is None:
            if rack.daemon.idle():
                break
            continue
        place = {"exchange": method.exchange, "routing_key": method.routing_key}
        drained.append(Message(0.0, place, {k: v for k, v in vars(properties).items() if v is not None}, body))
    channel.cancel()
    return drained


def test_an_exchange_deleted_while_running_is_declared_again_and_everything_arrives(
    harmed: Rack, some_events: Path, schemas: Schemas,
) -> None:
    rack = harmed
    for stream in (ACCOUNTS, LENDING):
        wait_when_unheard(rack, stream)
    rack.daemon.start()
    wait_state(rack.daemon, "amqp", "connected")
    with channel_of(rack) as channel:
        for stream in (ACCOUNTS, LENDING):
            channel.exchange_delete(stream)
        rack.import_file(some_events)
        # Declared again by the daemon; the bindings are not its business.
        wait_until(lambda: all("nobody listens" in (r["lastError"] or "") for r in states(rack.daemon, "amqp")),
                   "the exchange is there, and nobody is bound", 15, state=lambda: states(rack.daemon, "amqp"))
        assert rack.daemon.log.read_text().count("no exchange") == 2, "both relays lost a channel, and said why"
        for stream in (ACCOUNTS, LENDING):
            channel.exchange_declare(stream, exchange_type="topic", durable=True, passive=True)
            channel.queue_bind(queue_of(rack), stream, "#")
    rack.wait_settled()
    _, amqp = assert_nothing_lost(rack, some_events, schemas)
    assert amqp.repeats == 0, "what was not routed did not arrive"


@pytest.mark.parametrize(("alarm", "lifted"), [
    (("set_vm_memory_high_watermark", "0.00001"), ("set_vm_memory_high_watermark", "absolute", "1GB")),
    (("set_disk_free_limit", "1000000GB"), ("set_disk_free_limit", "50MB")),
], ids=["memory", "disk"])
def test_a_broker_short_of_memory_or_disk_blocks_its_relays_and_they_go_on_when_it_is_over(
    harmed: Rack, some_events: Path, schemas: Schemas, alarm: tuple[str, ...], lifted: tuple[str, ...],
) -> None:
    rack, rabbitmq = harmed, harmed.brokers.rabbitmq
    rack.daemon.env |= option("amqp", "confirm_timeout_seconds", 1)
    rack.daemon.start()
    wait_state(rack.daemon, "amqp", "connected")
    try:
        rabbitmq.ctl(*alarm)
        rack.import_file(some_events)
        wait_state(rack.daemon, "amqp", "blocked", "low on")
        assert rack.daemon.run("status").stdout.count("blocked") == 2
        wait_until(lambda: rack.mqtt.count() >= forecast(read_events(some_events)).count(), "MQTT goes on", 15)
    finally:
        rabbitmq.ctl(*lifted)
    rack.wait_settled()
    verdicts = assert_nothing_lost(rack, some_events, schemas)
    assert [v.repeats for v in verdicts] == [0, 0], "a block is no lost connection, however long it is"
    wait_state(rack.daemon, "amqp", "connected")


def test_rights_that_are_taken_away_are_told_and_given_back_let_everything_go_on(
    harmed: Rack, some_events: Path, schemas: Schemas,
) -> None:
    rack, rabbitmq = harmed, harmed.brokers.rabbitmq
    (rack.daemon.folder / "rabbit.password").write_text("first\n")
    rack.daemon.env |= option("amqp", "username", "horizon") | option("amqp", "password__file", "rabbit.password")
    rabbitmq.ctl("add_user", "horizon", "first")
    rabbitmq.ctl("set_permissions", "horizon", ".*", ".*", ".*")
    rack.daemon.start()
    wait_state(rack.daemon, "amqp", "connected")
    rabbitmq.ctl("change_password", "horizon", "second")
    rabbitmq.ctl("close_all_user_connections", "horizon", "rights changed")
    rack.import_file(some_events)
    wait_state(rack.daemon, "amqp", "retrying", "ACCESS_REFUSED")
    rabbitmq.ctl("clear_permissions", "horizon")
    rabbitmq.ctl("change_password", "horizon", "first")
    wait_state(rack.daemon, "amqp", "retrying", "vhost")
    wait_until(lambda: rack.mqtt.count() >= forecast(read_events(some_events)).count(), "MQTT goes on", 15)
    assert "first" not in rack.daemon.log.read_text() + rack.daemon.run("status").stdout
    rabbitmq.ctl("set_permissions", "horizon", ".*", ".*", ".*")
    rack.wait_settled()
    assert_nothing_lost(rack, some_events, schemas)


def test_an_event_over_rabbitmqs_limit_parks_its_key_and_goes_on_when_that_is_raised(harmed: Rack) -> None:
    rack, rabbitmq, relay = harmed, harmed.brokers.rabbitmq, f"{ACCOUNTS}/{AMQP}"
    allow_long_currencies(rack.daemon)
    events = [deposit(str(key), amount) for amount in (1, 2, 3) for key in range(20)]
    big = next(e for e in events if (e["data"]["accountId"], e["data"]["amount"]) == ("7", 2))
    big["data"]["currency"] = "X" * 3_000
    # The broker closes the channel, and does not say for which of the messages in flight. A channel keeps the limit
    # that it was opened with.
    rabbitmq.ctl("eval", "application:set_env(rabbit, max_message_size, 2000).")
    try:
        rack.daemon.start()
        append_all(rack.daemon, events)
        rack.daemon.wait_settled(relay)
    finally:
        rabbitmq.ctl("eval", "application:set_env(rabbit, max_message_size, 134217728).")
    [listed] = parked(rack.daemon)
    assert (listed["outlet"], listed["key"], listed["waiting"]) == (AMQP, "7", 2), listed
    assert listed["reason"] and outlet_of(why(rack.daemon, big["id"]), ACCOUNTS, AMQP).state == "parked"
    assert rack.daemon.relay(relay)["confirmed"] == len(events) - 2
    rack.daemon.stop()
    rack.daemon.start()
    order(rack.daemon, "retry", "7", "--contract", ACCOUNTS, "--outlet", AMQP)
    rack.wait_different(len(events))
    mended = public_schemas(rack.daemon.folder / "schemas" / "public")
    judge(rack.mqtt.messages(), due_of(events), mended).assert_good()
    judge(rack.amqp.messages(), due_of(events), mended, repeats_allowed=True).assert_good()


def test_all_end_together_while_rabbitmq_is_blocked_and_the_brokers_come_back_last(
    harmed: Rack, some_events: Path, schemas: Schemas,
) -> None:
    rack, brokers = harmed, harmed.brokers
    rack.daemon.start()
    wait_state(rack.daemon, "amqp", "connected")
    brokers.rabbitmq.ctl("set_disk_free_limit", "1000000GB")
    rack.import_file(some_events)
    wait_state(rack.daemon, "amqp", "blocked", "low on")
    brokers.rabbitmq.kill()
    rack.daemon.kill()
    brokers.mosquitto.stop()
    rack.daemon.start()
    for protocol in ("mqtt", "amqp"):
        wait_state(rack.daemon, protocol, "retrying", "refused")
    brokers.mosquitto.start()
    # Its alarm was told to the process, and is gone with it.
    brokers.rabbitmq.start()
    rack.wait_settled()
    assert_nothing_lost(rack, some_events, schemas)
