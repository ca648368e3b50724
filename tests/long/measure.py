"""Measures Horizon and prints Markdown: appended events a second, public events a second at each consumer, and for each
outlet the ratio to a bare publishing loop with the same packets against the same broker in the same run.

    measure.py EVENTS

How the ratio is made: the daemon's log is filled while its brokers do not answer, so that a backlog of public events waits. A
round lets the outlet drain the backlog into its broker, and then lets the bare loop (`bare-mqtt`, `bare-amqp`: the same client
library, the same packets, confirmed by the broker, nothing stored and no order kept) publish what the consumer had received. Both
have the same subscriber at the broker. The median of the rounds is told.
"""

from __future__ import annotations

import json
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import pika
from oracle import STREAMS
from places import TARGET, generated_events
from rack import Brokers, bank_daemon, brokers_in, rack_on
from rig.daemon import Daemon
from rig.inbox import Message
from rig.ports import LOOPBACK, free_ports
from rig.processes import Process
from rig.waiting import wait_until

ROUNDS = 5
BARE_QUEUE = "figures"


@dataclass(frozen=True)
class EndToEnd:
    """Everything at once: import, crossing, both outlets, both consumers, on the same machine."""

    appended: float
    mqtt: float
    amqp: float


def main(count: int) -> None:
    """Measures and prints."""
    with ExitStack() as at_end:
        folder = Path(at_end.enter_context(tempfile.TemporaryDirectory(prefix="horizon-figures-")))
        events = generated_events(folder, count)
        brokers = at_end.enter_context(brokers_in(folder))
        together, packets = measure_together(folder, brokers, events)
        appended_alone, data = fill(folder, events)
        ratios = {outlet: measure_ratio(outlet, folder, brokers, data, packets[outlet]) for outlet in ("mqtt", "amqp")}
    print_markdown(count, together, appended_alone, ratios)


def measure_together(folder: Path, brokers: Brokers, events: Path) -> tuple[EndToEnd, dict[str, Path]]:
    """The whole way at once; keeps what arrived as the packets of the bare loops."""
    say("import, crossing, outlets and consumers together")
    work = folder / "together"
    work.mkdir()
    with rack_on(work, brokers) as rack:
        rate = appended_a_second(rack.import_file(events, seconds=600).stdout)
        rack.wait_settled(600)
        crossed = sum(c["crossed"] for c in rack.daemon.status()["contracts"])
        rack.wait_received(crossed, 300)
        rack.daemon.stop()
        mqtt, amqp = rack.mqtt.messages(), rack.amqp.messages()
    packets = {"mqtt": work / "mqtt.packets", "amqp": work / "amqp.packets"}
    packets["mqtt"].write_text("".join(mqtt_packet(m) for m in mqtt))
    packets["amqp"].write_text("".join(amqp_packet(m) for m in amqp))
    return EndToEnd(rate, arrival_rate(mqtt), arrival_rate(amqp)), packets


def fill(folder: Path, events: Path) -> tuple[float, Path]:
    """A data folder with everything crossed and nothing delivered, and how fast the import was with nothing else to do."""
    say("import with no broker to publish to")
    work = folder / "filled"
    work.mkdir()
    daemon = bank_daemon(work, *free_ports(2))
    try:
        daemon.start()
        done = daemon.run("import", events, seconds=600)
        assert done.returncode == 0, done.stderr
        wait_until(lambda: all_crossed(daemon), "everything has crossed", 300, state=daemon.status)
        assert daemon.stop() == 0
    finally:
        daemon.kill()
    return appended_a_second(done.stdout), daemon.folder / "data"


def all_crossed(daemon: Daemon) -> bool:
    """Whether the contracts are at the head of the log."""
    status = daemon.status()
    return all(c["cursor"] >= status["log"]["head"] for c in status["contracts"])


def measure_ratio(outlet: str, folder: Path, brokers: Brokers, data: Path, packets: Path) -> list[tuple[float, float]]:
    """Rounds of (the outlet's rate, the bare loop's rate)."""
    rounds = []
    for number in range(ROUNDS):
        say(f"{outlet}: round {number + 1} of {ROUNDS}")
        with listener(outlet, folder, brokers):
            drained = drain(outlet, folder / f"{outlet}-{number}", brokers, data)
        with listener(outlet, folder, brokers):
            rounds.append((drained, bare_loop(outlet, brokers, packets)))
    return rounds


@contextmanager
def listener(outlet: str, folder: Path, brokers: Brokers, topics: str = "bank/#") -> Iterator[None]:
    """Somebody who listens and costs little: mosquitto_sub, or a queue that is purged afterwards."""
    if outlet == "mqtt":
        subscriber = Process(["mosquitto_sub", "-V", "5", "-h", LOOPBACK, "-p", str(brokers.mosquitto.port), "-q", "1",
                              "-t", topics, "-F", ""], folder / "subscriber.log")
        time.sleep(0.5)
        try:
            yield
        finally:
            subscriber.kill()
        return
    with pika.BlockingConnection(pika.ConnectionParameters(LOOPBACK, brokers.rabbitmq.port, heartbeat=0)) as connection:
        channel = connection.channel()
        channel.queue_declare(BARE_QUEUE, durable=True)
        for stream in STREAMS:
            channel.exchange_declare(stream, exchange_type="topic", durable=True)
            channel.queue_bind(BARE_QUEUE, stream, routing_key="#")
        try:
            yield
        finally:
            channel.queue_delete(BARE_QUEUE)


def drain(outlet: str, work: Path, brokers: Brokers, data: Path) -> float:
    """Confirmed events a second while one outlet works off the backlog; the other's broker does not answer."""
    work.mkdir()
    (silent,) = free_ports(1)
    ports = (brokers.mosquitto.port, silent) if outlet == "mqtt" else (silent, brokers.rabbitmq.port)
    daemon = bank_daemon(work, *ports)
    shutil.copytree(data, daemon.folder / "data")
    try:
        daemon.start()
        first, last = watch(daemon, outlet)
        daemon.kill()
    finally:
        daemon.kill()
        shutil.rmtree(work)
    return (last[1] - first[1]) / (last[0] - first[0])


def watch(daemon: Daemon, outlet: str) -> tuple[tuple[float, int], tuple[float, int]]:
    """Time and confirmations at the first look that shows any, and at the end."""
    first: tuple[float, int] | None = None
    deadline = time.monotonic() + 300
    while time.monotonic() < deadline:
        relays = [r for r in daemon.status()["relays"] if f"/{outlet}:" in r["relay"]]
        now = time.monotonic(), sum(r["confirmed"] for r in relays)
        first = first or (now if now[1] else None)
        if first and all(r["lag"] == 0 for r in relays):
            assert now[1] > first[1], "the backlog was gone before it could be measured; use more events"
            return first, now
        time.sleep(0.02)
    raise AssertionError(f"the backlog is not worked off: {daemon.status()}")


def bare_loop(outlet: str, brokers: Brokers, packets: Path, more: list[str] | None = None) -> float:
    """Confirmed messages a second of the bare loop."""
    port = brokers.mosquitto.port if outlet == "mqtt" else brokers.rabbitmq.port
    command = [TARGET / "release" / f"bare-{outlet}", "--port", str(port), "--file", packets, *(more or [])]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=300)
    return float(json.loads(done.stdout)["per_second"])


def mqtt_packet(message: Message) -> str:
    """One line for bare-mqtt."""
    return json.dumps({"topic": message.place["topic"], "content_type": message.properties.get("ContentType", ""),
                       "payload": message.payload.decode()}) + "\n"


def amqp_packet(message: Message) -> str:
    """One line for bare-amqp."""
    properties = {name: message.properties.get(name) for name in ("content_type", "message_id", "type", "timestamp", "headers")}
    return json.dumps({**message.place, **properties, "payload": message.payload.decode()}) + "\n"


def arrival_rate(messages: list[Message]) -> float:
    """Messages a second from the first to the last."""
    return len(messages) / (messages[-1].at - messages[0].at)


def appended_a_second(printed: str) -> float:
    """The rate that `horizon import` told."""
    return float(printed.rsplit(";", 1)[1].split(",", 1)[1].split()[0].replace(",", ""))


def print_markdown(count: int, together: EndToEnd, appended_alone: float, ratios: dict[str, list[tuple[float, float]]]) -> None:
    """The figures for the README."""
    print(f"\n{count:,} private events; made by `tests/long/figures {count}`.\n")
    print("| | events a second |\n|---|---:|")
    print(f"| appended by `horizon import`, each commit synced | {appended_alone:,.0f} |")
    print(f"| appended, while outlets and consumers work on the same machine | {together.appended:,.0f} |")
    print(f"| public events at a Python consumer over MQTT, meanwhile | {together.mqtt:,.0f} |")
    print(f"| public events at a Python consumer over AMQP, meanwhile | {together.amqp:,.0f} |")
    print(f"\n| outlet | confirmed a second | bare publishing loop | ratio (median of {ROUNDS} rounds) |\n|---|---:|---:|---:|")
    for outlet, rounds in ratios.items():
        horizon, bare = (statistics.median(r[n] for r in rounds) for n in (0, 1))
        ratio = statistics.median(r[0] / r[1] for r in rounds)
        print(f"| {outlet.upper()} | {horizon:,.0f} | {bare:,.0f} | {ratio:.2f} |")


def say(text: str) -> None:
    """Tells what is being measured, apart from the figures."""
    print(f"measuring: {text}", file=sys.stderr)


if __name__ == "__main__":
    main(int(sys.argv[1]))
