"""The same public events as read by stock clients of other languages, against the exact bytes and properties that are due.

Libraries make up what is missing (an id, a time, a version), so that what was on the wire is judged as well as what they make of it.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from dateutil.parser import isoparse
from interop import AMQP_SECONDS, CATEGORY, STRUCTURED, THINGS, Due, due, team
from places import BINARY
from rack import Brokers
from readers import AMQP, AMQPLIB, MQTT_3, MQTT_5, PIKA, SUB_3, SUB_5, Readers, Received
from rig.daemon import Daemon

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


def assert_event(found: dict[str, Any] | None, event: Due) -> None:
    """What a library made is what was sent: the time to the instant, numbers as far as 64-bit floats go."""
    assert found is not None
    found = {name: value for name, value in found.items() if value is not None}
    assert isoparse(found.pop("time")) == isoparse(event.attributes["time"])
    wanted = event.event
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


def assert_properties(message: Received, event: Due) -> None:
    """The properties of AMQP that each event has, in any content mode."""
    names = (MESSAGE_ID[message.reader], "type", "timestamp", {PIKA: "delivery_mode", AMQPLIB: "deliveryMode"}[message.reader])
    wanted = (event.attributes["id"], event.attributes["type"], AMQP_SECONDS, 2)
    assert message.more == dict(zip(names, wanted, strict=True))
