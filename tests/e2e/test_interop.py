"""The same public events as read by stock clients of other languages, against the exact bytes and properties that are due.

Libraries make up what is missing (an id, a time, a version), so that what was on the wire is judged as well as what they make of it.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from dateutil.parser import isoparse
from interop import AMQP_SECONDS, CATEGORY, JSON, STRUCTURED, THINGS, Due, due, team
from places import BINARY
from rack import Brokers
from readers import AMQP, AMQPLIB, MQTT_3, MQTT_5, NPM_5, PIKA, SUB_3, SUB_5, Readers, Received
from rig.daemon import Daemon
from teams import horizon

PREFIXES = {"binary.colon": "cloudEvents:", "binary.underscore": "cloudEvents_", "binary.ce": "ce-"}
MESSAGE_ID = {PIKA: "message_id", AMQPLIB: "messageId"}


@dataclass(frozen=True)
class Run:
    """What was due, and what was received by whom."""

    due: list[Due]
    received: list[Received]

    def at(self, reader: str, prefix: str) -> list[tuple[Received, Due]]:
        """What a reader received at topics or an exchange, each with what was due; it must be all."""
        found = [r for r in self.received if r.reader == reader and r.place.startswith(f"{prefix}/")]
        assert len(found) == len(self.due), f"{reader} received {len(found)} of {len(self.due)} at {prefix}"
        if reader in AMQP:
            by_id = {event.attributes["id"]: event for event in self.due}
            return [(message, by_id.pop(message.more[MESSAGE_ID[reader]])) for message in found]
        # A topic's events come in order, and topics in any.
        return list(zip(sorted(found, key=lambda r: r.place), sorted(self.due, key=lambda d: d.topic(prefix)), strict=True))


@contextmanager
def run(folder: Path, brokers: Brokers, outlets: list[str], over_mqtt: int, exchanges: list[str], more: str = "") -> Iterator[Run]:
    """A daemon with these outlets, all readers, and the events through all of it."""
    folder.mkdir()
    readers = Readers(brokers, folder, f"{folder.name}/#", exchanges)
    daemon = Daemon(BINARY, team(folder / "team", brokers.mosquitto.port, brokers.rabbitmq.port, outlets, more),
                    brokers.mosquitto.port, brokers.rabbitmq.port)
    with readers.listening():
        try:
            daemon.start()
            answer = daemon.http("POST", f"/streams/{CATEGORY}-1", f"[{','.join(t.private() for t in THINGS)}]".encode())
            assert answer.status == 201, answer.body
            received = readers.received(over_mqtt * len(THINGS), len(exchanges) * len(THINGS))
            yield Run(due(daemon), received)
        finally:
            daemon.kill()


@pytest.fixture(scope="module")
def structured(tmp_path_factory: pytest.TempPathFactory, brokers: Brokers) -> Iterator[Run]:
    """Structured content mode, which is the default."""
    outlets = ['mqtt: { broker: main, topic: "structured/things/{key}/{name}" }',
               'amqp: { broker: rabbit, exchange: structured.things, routing_key: "thing.{name}" }']
    with run(tmp_path_factory.mktemp("interop") / "structured", brokers, outlets, 1, ["structured.things"]) as done:
        yield done


@pytest.fixture(scope="module")
def binary(tmp_path_factory: pytest.TempPathFactory, brokers: Brokers) -> Iterator[Run]:
    """Binary content mode, and what a broker of MQTT 3.1.1 gets, which is structured."""
    outlets = ['mqtt: { broker: main, topic: "binary/bare/{key}/{name}", content_mode: binary }',
               'mqtt: { broker: main, topic: "binary/copied/{key}/{name}", content_mode: binary, datacontenttype_property: true, name: copied }',
               'mqtt: { broker: old, topic: "binary/old/{key}/{name}" }',
               *(f'amqp: {{ broker: rabbit, exchange: {exchange}, routing_key: "thing.{{name}}", content_mode: binary, '
                 f'header_prefix: "{prefix}", name: {exchange} }}' for exchange, prefix in PREFIXES.items())]
    with run(tmp_path_factory.mktemp("interop") / "binary", brokers, outlets, 3, list(PREFIXES), old_broker(brokers.mosquitto.port)) as done:
        yield done


def old_broker(port: int) -> str:
    """A broker that is spoken to in MQTT 3.1.1."""
    return f'  old: {{ mqtt: {{ host: 127.0.0.1, port: {port}, version: "3.1.1" }} }}\n'


def assert_event(found: dict[str, Any] | None, event: Due, as_texts: bool = False) -> None:
    """What a library made is what was sent: the time to the instant, numbers as far as 64-bit floats go, in binary mode as texts."""
    assert found is not None
    found = {name: value for name, value in found.items() if value is not None}
    assert isoparse(found.pop("time")) == isoparse(event.attributes["time"])
    wanted = event.event | (event.texts if as_texts else {})
    del wanted["time"]
    assert floats(found) == wanted


def floats(value: Any) -> Any:
    """The same with every number a float, for one library's `700` is another's `700.0`. An attribute's number stays what it is."""
    data = value.pop("data")

    def each(inner: Any) -> Any:
        if isinstance(inner, dict):
            return {name: each(member) for name, member in inner.items()}
        if isinstance(inner, list):
            return [each(item) for item in inner]
        return float(inner) if isinstance(inner, int) and not isinstance(inner, bool) else inner

    return value | {"data": each(data)}


@pytest.mark.parametrize("reader", [*MQTT_5, *MQTT_3])
def test_structured_over_mqtt(structured: Run, reader: str) -> None:
    for message, event in structured.at(reader, "structured/things"):
        assert message.place == event.topic("structured/things")
        assert message.payload == event.structured
        assert message.content_type == (STRUCTURED if reader in MQTT_5 else None)
        assert [value for _, value in message.properties if value] == [], "everything is in the payload"
        if reader not in (SUB_5, SUB_3):
            assert message.more == {"retain": False, "qos": 1}
            assert_event(message.event, event)


@pytest.mark.parametrize("reader", AMQP)
def test_structured_over_amqp(structured: Run, reader: str) -> None:
    for message, event in structured.at(reader, "structured.things"):
        assert message.place == f"structured.things/thing.{event.name}"
        assert message.payload == event.structured
        assert message.content_type == STRUCTURED
        assert dict(message.properties) == {f"cloudEvents:{name}": value for name, value in event.texts.items()}
        assert_properties(message, event)
        assert_event(message.event, event)


@pytest.mark.parametrize("copied", [False, True], ids=["bare", "copied"])
@pytest.mark.parametrize("reader", MQTT_5)
def test_binary_over_mqtt_5(binary: Run, reader: str, copied: bool) -> None:
    prefix = "binary/copied" if copied else "binary/bare"
    for message, event in binary.at(reader, prefix):
        assert message.place == event.topic(prefix)
        assert message.payload == event.data.encode()
        assert message.content_type == JSON
        properties = event.texts if copied else without(event.texts, "datacontenttype")
        if reader == SUB_5:
            assert message.properties == [("", " ".join(f"{name}:{value}" for name, value in properties.items()))]
            continue
        assert sorted(message.properties) == sorted(properties.items())
        assert message.more == {"retain": False, "qos": 1}
        if reader == NPM_5:
            # npm's cloudevents does not look at the Content Type: it knows the data's type from a copy only, and leaves data as text.
            assert message.event is not None
            assert message.event.pop("data") == event.data
            assert message.event.get("datacontenttype") == (JSON if copied else None)
            message.event.update(data=json.loads(event.data), datacontenttype=JSON)
        assert_event(message.event, event, as_texts=True)


@pytest.mark.parametrize("reader", MQTT_3)
def test_binary_at_a_subscriber_of_mqtt_3_1_1_is_bare_data(binary: Run, reader: str) -> None:
    for message, event in binary.at(reader, "binary/bare"):
        assert message.payload == event.data.encode()
        assert message.content_type is None and [value for _, value in message.properties if value] == []
        assert message.event is None, "no library takes it for an event"


@pytest.mark.parametrize("reader", [*MQTT_5, *MQTT_3])
def test_structured_from_a_broker_of_mqtt_3_1_1(binary: Run, reader: str) -> None:
    for message, event in binary.at(reader, "binary/old"):
        assert message.payload == event.structured
        assert message.content_type is None and [value for _, value in message.properties if value] == []
        if reader not in (SUB_5, SUB_3):
            assert message.more == {"retain": False, "qos": 1}
            assert_event(message.event, event)


@pytest.mark.parametrize("exchange", PREFIXES)
@pytest.mark.parametrize("reader", AMQP)
def test_binary_over_amqp(binary: Run, reader: str, exchange: str) -> None:
    for message, event in binary.at(reader, exchange):
        assert message.place == f"{exchange}/thing.{event.name}"
        assert message.payload == event.data.encode()
        assert message.content_type == JSON
        headers = without(event.texts, "datacontenttype")
        assert dict(message.properties) == {f"{PREFIXES[exchange]}{name}": value for name, value in headers.items()}
        assert_properties(message, event)
        assert_event(message.event, event, as_texts=True)


@pytest.mark.parametrize(("outlet", "said"), [
    ('mqtt: { broker: old, topic: "t/{key}", content_mode: binary }', "over MQTT 3.1.1"),
    ('amqp: { broker: rabbit, exchange: e, routing_key: r, content_mode: binary, header_prefix: "x-" }', "header_prefix"),
], ids=["binary over 3.1.1", "another prefix"])
def test_what_no_reader_could_read_is_refused_before_anything_runs(tmp_path: Path, outlet: str, said: str) -> None:
    done = horizon("check", team(tmp_path / "team", 1, 2, [outlet], old_broker(3)))
    assert done.returncode == 2 and said in done.stdout + done.stderr, f"{done.returncode}: {done.stdout}{done.stderr}"


def without(texts: dict[str, str], name: str) -> dict[str, str]:
    """All but one."""
    return {other: value for other, value in texts.items() if other != name}


def assert_properties(message: Received, event: Due) -> None:
    """The properties of AMQP that each event has, in any content mode."""
    names = (MESSAGE_ID[message.reader], "type", "timestamp", {PIKA: "delivery_mode", AMQPLIB: "deliveryMode"}[message.reader])
    wanted = (event.attributes["id"], event.attributes["type"], AMQP_SECONDS, 2)
    assert message.more == dict(zip(names, wanted, strict=True))
