"""Readers of messages by stock libraries and programs; each writes down what was on the wire, and what event its library makes of it."""

from __future__ import annotations

import base64
import json
import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import paho.mqtt.client as mqtt
import pika
from cloudevents.core.base import BaseCloudEvent
from cloudevents.core.bindings.amqp import AMQPMessage, from_amqp_event
from cloudevents.core.bindings.rabbitmq import RabbitMQMessage, from_rabbitmq_event
from cloudevents.core.formats.json import JSONFormat
from cloudevents.core.v1.event import CloudEvent
from dateutil.parser import isoparse
from places import NODE_MODULES
from rack import Brokers
from rig.ports import LOOPBACK
from rig.processes import Process
from rig.waiting import wait_until

PAHO_5, PAHO_3, PIKA = "paho-mqtt 5.0", "paho-mqtt 3.1.1", "pika"
NPM_5, NPM_3, AMQPLIB = "npm mqtt 5.0", "npm mqtt 3.1.1", "npm amqplib"
SUB_5, SUB_3 = "mosquitto_sub -V 5", "mosquitto_sub -V mqttv311"
MQTT_5, MQTT_3, AMQP = (PAHO_5, NPM_5, SUB_5), (PAHO_3, NPM_3, SUB_3), (PIKA, AMQPLIB)
_READ_MESSAGES = Path(__file__).with_name("read_messages.cjs")


@dataclass(frozen=True)
class Received:
    """One message as it was on the wire, and the event that a library made of it."""

    reader: str
    place: str
    payload: bytes
    content_type: str | None
    properties: list[tuple[str, Any]]
    more: dict[str, Any] = field(default_factory=dict)
    event: dict[str, Any] | None = None
    """Attributes and `data`; None where the library makes none of it, or the reader has no library."""


@dataclass
class Readers:
    """All of them, listening to the same topics and exchanges."""

    brokers: Brokers
    folder: Path
    topic_filter: str
    exchanges: list[str]
    _own: list[Received] = field(default_factory=list)

    @contextmanager
    def listening(self) -> Iterator[Readers]:
        """Returns when each is known to its broker."""
        with ExitStack() as at_end:
            for name, version in ((PAHO_5, mqtt.MQTTv5), (PAHO_3, mqtt.MQTTv311)):
                client = self._paho(name, version)
                at_end.callback(client.loop_stop)
            self._pika(at_end)
            self._npm = Process(["node", _READ_MESSAGES, NODE_MODULES, str(self.brokers.mosquitto.port), self.topic_filter,
                                 str(self.brokers.rabbitmq.port), ",".join(self.exchanges)], self.folder / "npm.jsonl")
            at_end.callback(self._npm.kill)
            for name in (SUB_5, SUB_3):
                self._mosquitto_sub(name, "-E")
            wait_until(lambda: "subscribed" in self._npm.output.read_text(), "npm's readers listen", 30, state=self._npm.tail)
            yield self

    def received(self, over_mqtt: int, over_amqp: int) -> list[Received]:
        """What each reader has, once it has that many."""
        while over_amqp > sum(r.reader == PIKA for r in self._own):
            self._channel.connection.process_data_events(1)
        wait_until(lambda: len(self._own) >= 2 * over_mqtt + over_amqp, "all at paho-mqtt", 30)
        wait_until(lambda: len(self._read_npm()) >= 2 * over_mqtt + over_amqp, "all at npm's", 30, state=self._npm.tail)
        subs = [message for name in (SUB_5, SUB_3) for message in self._mosquitto_sub(name, "-C", str(over_mqtt), "-W", "20")]
        return self._own + self._read_npm() + subs

    def _paho(self, name: str, version: int) -> mqtt.Client:
        client = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2, protocol=version)
        subscribed: list[object] = []

        def on_message(_client: mqtt.Client, _data: object, message: mqtt.MQTTMessage) -> None:
            found = message.properties
            content_type, pairs = getattr(found, "ContentType", None), getattr(found, "UserProperty", [])
            event = event_of(lambda: from_mqtt(message.payload, content_type, pairs))
            more = {"retain": message.retain, "qos": message.qos}
            self._own.append(Received(name, message.topic, message.payload, content_type, pairs, more, event))

        client.on_message = on_message
        client.on_subscribe = lambda *_: subscribed.append(True)
        client.connect(LOOPBACK, self.brokers.mosquitto.port)
        client.subscribe(self.topic_filter, qos=1)
        client.loop_start()
        wait_until(lambda: subscribed, f"{name} has subscribed")
        return client

    def _pika(self, at_end: ExitStack) -> None:
        connection = at_end.enter_context(pika.BlockingConnection(pika.ConnectionParameters(LOOPBACK, self.brokers.rabbitmq.port)))
        self._channel = connection.channel()
        queue = self._channel.queue_declare("", exclusive=True).method.queue
        for exchange in self.exchanges:
            self._channel.exchange_declare(exchange, exchange_type="topic", durable=True)
            self._channel.queue_bind(queue, exchange, "#")

        def on_message(_channel: object, method: Any, properties: pika.BasicProperties, body: bytes) -> None:
            headers = properties.headers or {}
            more = {name: value for name, value in vars(properties).items()
                    if value is not None and name not in ("headers", "content_type")}
            event = event_of(lambda: from_amqp(headers, properties.content_type, body))
            self._own.append(Received(PIKA, f"{method.exchange}/{method.routing_key}", body, properties.content_type,
                                      list(headers.items()), more, event))

        self._channel.basic_consume(queue, on_message, auto_ack=True)

    def _mosquitto_sub(self, name: str, *more: str) -> list[Received]:
        """Runs it to its end: once to begin a session, once to read what waits there."""
        version = ["-V", "5", "-x", "600"] if name == SUB_5 else ["-V", "mqttv311"]
        command = ["mosquitto_sub", *version, "-h", LOOPBACK, "-p", str(self.brokers.mosquitto.port), "-c", "-q", "1",
                   "-i", f"{self.folder.name}{version[1]}", "-t", self.topic_filter, "-F", r"%t\0%C\0%P\0%p", *more]
        done = subprocess.run(command, capture_output=True, timeout=60, check=False)
        assert done.returncode == 0, done.stderr.decode()
        found = []
        for line in done.stdout.split(b"\n")[:-1]:
            topic, content_type, properties, payload = line.split(b"\0")
            found.append(Received(name, topic.decode(), payload, content_type.decode() or None, [("", properties.decode())]))
        return found

    def _read_npm(self) -> list[Received]:
        found = []
        for line in self._npm.output.read_bytes().split(b"\n")[1:-1]:
            told = json.loads(line)
            pairs = [(name, value) for name, value in told["properties"]]
            found.append(Received(told["reader"], told["place"], base64.b64decode(told["payload"]), told.get("contentType"),
                                  pairs, told["more"], told.get("event")))
        return found


def from_mqtt(payload: bytes, content_type: str | None, pairs: list[tuple[str, str]]) -> BaseCloudEvent:
    """What PyPI's cloudevents makes of a message; it has no binding for MQTT, so that attributes are handed to it."""
    if content_type is None or content_type.startswith("application/cloudevents"):
        return JSONFormat().read(CloudEvent, payload)
    attributes: dict[str, Any] = dict(pairs) | {"datacontenttype": content_type}
    attributes["time"] = isoparse(attributes["time"])
    return CloudEvent(attributes, JSONFormat().read_data(payload, content_type))


def from_amqp(headers: dict[str, Any], content_type: str, body: bytes) -> BaseCloudEvent:
    """The same with its bindings for RabbitMQ, whose headers begin with `ce-`, and for AMQP 1.0, which takes the others."""
    if any(name.startswith("ce-") for name in headers):
        return from_rabbitmq_event(RabbitMQMessage(headers, content_type, body))
    return from_amqp_event(AMQPMessage({"content-type": content_type}, headers, body))


def event_of(make: Callable[[], BaseCloudEvent]) -> dict[str, Any] | None:
    """Attributes and data, the time as text; None where the library refuses."""
    try:
        event = make()
    except Exception as error:  # noqa: BLE001 - shown where an event is missed
        print(repr(error))
        return None
    return event.get_attributes() | {"time": event.get_time().isoformat(), "data": event.get_data()}
