"""A daemon on a copy of the bank example, with brokers and a consumer at each of them."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import pika
from judges import read
from oracle import STREAMS
from places import BINARY, EXAMPLE
from rig.brokers import Mosquitto, RabbitMq
from rig.consumers.mqtt import new_client
from rig.daemon import Daemon
from rig.inbox import Consumer, amqp_consumer, mqtt_consumer
from rig.ports import LOOPBACK
from rig.waiting import wait_until


@dataclass
class Brokers:
    """Two running brokers."""

    mosquitto: Mosquitto
    rabbitmq: RabbitMq


@dataclass
class Rack:
    """Everything that runs for one test."""

    folder: Path
    brokers: Brokers
    daemon: Daemon
    mqtt: Consumer
    amqp: Consumer

    def import_file(self, events: Path, seconds: float = 180) -> subprocess.CompletedProcess[str]:
        """Imports a file of events and insists that it works."""
        done = self.daemon.run("import", events, seconds=seconds)
        assert done.returncode == 0, f"import ended with {done.returncode}:\n{done.stdout}{done.stderr}"
        return done

    def wait_settled(self, seconds: float = 120) -> None:
        """Waits until every contract is at the head of the log and every relay has nothing left to send."""
        self.daemon.wait_settled(seconds=seconds)

    def wait_received(self, count: int, seconds: float = 60) -> None:
        """Waits until both consumers have written down `count` messages."""
        wait_until(lambda: min(self.mqtt.count(), self.amqp.count()) >= count, f"{count} messages at each consumer",
                   seconds, 0.1, state=lambda: (self.mqtt.count(), self.amqp.count()))

    def wait_different(self, count: int, seconds: float = 60) -> None:
        """Waits until both consumers have written down `count` different public events, where some may come again."""
        for consumer in (self.mqtt, self.amqp):
            wait_different(consumer, count, seconds)


def wait_different(consumer: Consumer, count: int, seconds: float = 60) -> None:
    """Waits until a consumer has written down `count` different public events, where some may come again."""
    def different() -> int:
        return len(read(consumer.messages(), repeats_allowed=True).first)
    wait_until(lambda: different() >= count, f"{count} different events", seconds, 0.2, state=different)


@contextmanager
def brokers_in(folder: Path, persistence: bool = False) -> Iterator[Brokers]:
    """Starts brokers, and ends them."""
    with ExitStack() as at_end:
        mosquitto, rabbitmq = Mosquitto(folder, persistence), RabbitMq(folder)
        at_end.callback(rabbitmq.stop)
        rabbitmq.start()
        at_end.callback(mosquitto.stop)
        mosquitto.start()
        yield Brokers(mosquitto, rabbitmq)


def bank_daemon(folder: Path, mqtt_port: int, amqp_port: int) -> Daemon:
    """A daemon, not started yet, on a copy of the bank example that a test may change."""
    bank = folder / "bank"
    shutil.copytree(EXAMPLE, bank)
    return Daemon(BINARY, bank, mqtt_port, amqp_port)


@contextmanager
def rack_on(folder: Path, brokers: Brokers, mqtt_port: int | None = None, amqp_port: int | None = None,
            start: bool = True) -> Iterator[Rack]:
    """Consumers first, so that nothing is unheard, then the daemon. Other ports put something between it and the brokers."""
    name = folder.name
    with ExitStack() as at_end:
        mqtt = mqtt_consumer(brokers.mosquitto.port, folder / "mqtt.jsonl", client_id=name)
        at_end.callback(forget_session, brokers.mosquitto.port, name)
        at_end.callback(mqtt.stop)
        amqp = amqp_consumer(brokers.rabbitmq.port, folder / "amqp.jsonl", queue=name)
        at_end.callback(delete_queue, brokers.rabbitmq.port, name)
        at_end.callback(amqp.stop)
        daemon = bank_daemon(folder, mqtt_port or brokers.mosquitto.port, amqp_port or brokers.rabbitmq.port)
        at_end.callback(daemon.kill)
        if start:
            daemon.start()
        yield Rack(folder, brokers, daemon, mqtt, amqp)


def forget_session(port: int, client_id: str) -> None:
    """Ends a subscriber's session, so that Mosquitto stops queueing for it."""
    client = new_client(client_id)
    try:
        client.connect(LOOPBACK, port, clean_start=True)
        client.loop(1)
        client.disconnect()
        client.loop(0.2)
    except OSError:
        pass  # the broker of this test is gone already, and the session with it


def delete_queue(port: int, queue: str) -> None:
    """Removes a consumer's queue, so that later tests do not fill it."""
    try:
        with pika.BlockingConnection(pika.ConnectionParameters(LOOPBACK, port)) as connection:
            connection.channel().queue_delete(queue)
    except pika.exceptions.AMQPError:
        pass  # the broker of this test is gone already, and the queue with it


def relays() -> list[str]:
    """The relays of the bank example."""
    return [f"{stream}/{outlet}" for stream in STREAMS for outlet in ("mqtt:main", "amqp:rabbit")]
