"""The demo's play, once everything is installed and built: `deploy/demo` calls it.

    demo.py BINARY [FILE]
"""

from __future__ import annotations

import gzip
import json
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from rig.brokers import Mosquitto, RabbitMq  # noqa: E402
from rig.daemon import Daemon  # noqa: E402
from rig.inbox import Consumer, Message, amqp_consumer, mqtt_consumer  # noqa: E402
from rig.waiting import TooLate, wait_until  # noqa: E402

EXAMPLE = Path(__file__).resolve().parents[1] / "example"
GENERATED_EVENTS = 5000
SHOWN = 4
STALLED_SECONDS = 30
_INTERRUPTS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@dataclass
class Stage:
    """Everything that runs."""

    daemon: Daemon
    mqtt: Consumer
    amqp: Consumer


def main(binary: Path, file: Path | None) -> int:
    """Sets up, runs, tells, and takes down again."""
    for number in _INTERRUPTS:
        signal.signal(number, _interrupt)
    at_end = ExitStack()
    try:
        folder = Path(at_end.enter_context(tempfile.TemporaryDirectory(prefix="horizon-demo-")))
        events = file or generated(folder / "events.jsonl")
        total = count_lines(events)
        say("Events", f"{total:,} private events from {file}" if file else f"{total:,} made-up private events")
        stage = set_up(binary, folder, at_end)
        return play(stage, events, total)
    except KeyboardInterrupt:
        print("\nInterrupted; what was started is being stopped.")
        return 130
    except (TooLate, RuntimeError, OSError, subprocess.SubprocessError) as failure:
        print(f"\nThe demo failed: {failure}", file=sys.stderr)
        return 1
    finally:
        for number in _INTERRUPTS:
            signal.signal(number, signal.SIG_IGN)  # stopping is not interrupted
        at_end.close()


def generated(path: Path) -> Path:
    """A file of made-up events."""
    with path.open("wb") as sink:
        command = [sys.executable, str(EXAMPLE / "generate"), "--events", str(GENERATED_EVENTS)]
        subprocess.run(command, stdout=sink, check=True)
    return path


def set_up(binary: Path, folder: Path, at_end: ExitStack) -> Stage:
    """Starts brokers, consumers and the daemon; whatever starts is stopped at the end, in reverse."""
    mosquitto, rabbitmq = Mosquitto(folder), RabbitMq(folder)
    at_end.callback(mosquitto.stop)
    mosquitto.start()
    say("MQTT", f"Mosquitto listens on 127.0.0.1:{mosquitto.port}")
    at_end.callback(rabbitmq.stop)
    rabbitmq.start()
    say("AMQP", f"RabbitMQ listens on 127.0.0.1:{rabbitmq.port}")

    mqtt = mqtt_consumer(mosquitto.port, folder / "mqtt.jsonl")
    at_end.callback(mqtt.stop)
    amqp = amqp_consumer(rabbitmq.port, folder / "amqp.jsonl")
    at_end.callback(amqp.stop)

    bank = folder / "bank"
    shutil.copytree(EXAMPLE, bank)
    daemon = Daemon(binary, bank, mosquitto.port, rabbitmq.port)
    at_end.callback(daemon.stop)
    daemon.start()
    contracts = ", ".join(f"{c['contract']} ({c['version']})" for c in daemon.status()["contracts"])
    say("Horizon", f"listens on {daemon.addresses()['http']}, with the contracts {contracts}")
    return Stage(daemon, mqtt, amqp)


def play(stage: Stage, events: Path, total: int) -> int:
    """Imports the events, shows what arrives, waits for the end, and prints the table."""
    print()
    started = time.monotonic()
    importing = subprocess.Popen(
        stage.daemon.command("import", events), env=stage.daemon.environment(),
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )
    try:
        show_first(stage)
        output, _ = importing.communicate()
    finally:
        importing.kill()
        importing.wait()
    if importing.returncode != 0:
        raise RuntimeError(f"the import ended with {importing.returncode}:\n{output}")
    appended_a_second = total / (time.monotonic() - started)
    wait_settled(stage)
    return tell(stage, total, appended_a_second)


def show_first(stage: Stage) -> None:
    """Prints the first public events at each consumer."""
    for label, consumer in (("MQTT", stage.mqtt), ("AMQP", stage.amqp)):
        wait_until(lambda c=consumer: c.count() >= SHOWN, f"{label} brings public events", 60)
        for message in consumer.messages()[:SHOWN]:
            event = json.loads(message.payload)
            place = message.place.get("topic") or f"{message.place['exchange']}  {message.place['routing_key']}"
            say(label, f"{place:<42} {json.dumps(event['data'])}")


def wait_settled(stage: Stage) -> None:
    """Waits until all is confirmed and received, for as long as anything moves."""
    last: object = None
    since = time.monotonic()
    while True:
        status = stage.daemon.status()
        crossed = sum(c["crossed"] for c in status["contracts"])
        received = (stage.mqtt.count(), stage.amqp.count())
        if stage.daemon.idle() and min(received) >= crossed:
            return
        state = (received, [c["cursor"] for c in status["contracts"]], [r["cursor"] for r in status["relays"]])
        if state != last:
            last, since = state, time.monotonic()
        elif time.monotonic() - since > STALLED_SECONDS:
            raise TooLate(f"nothing has moved for {STALLED_SECONDS} s: {json.dumps(status)}")
        time.sleep(0.1)


def tell(stage: Stage, total: int, appended_a_second: float) -> int:
    """Prints the table; the answer is 0 when all numbers agree."""
    status = stage.daemon.status()
    faults: list[str] = []
    check = _checker(faults)
    logged = status["log"]["events"]
    check(logged == total, f"the file has {total:,} events, the log {logged:,}")

    print()
    print(f"{'private events':<28}{logged:>10,}{'':>11}{appended_a_second:>20,.0f} a second appended")
    print()
    print(f"{'contract':<28}{'crossed':>10}{'filtered':>10}{'unmatched':>10}{'violated':>10}")
    for c in status["contracts"]:
        print(f"{c['contract']:<28}{c['crossed']:>10,}{c['filtered']:>10,}{c['unmatched']:>10,}{c['violated']:>10,}")
        check(c["violated"] == 0, f"{c['contract']}: {c['violated']:,} events violate their public schema")
    print()
    print(f"{'outlet':<28}{'confirmed':>10}{'received':>10}{'repeats':>10}{'a second':>10}")
    inboxes = {"mqtt": stage.mqtt.messages(), "amqp": stage.amqp.messages()}
    crossed = {c["contract"]: c["crossed"] for c in status["contracts"]}
    for relay in status["relays"]:
        stream, _, outlet = relay["relay"].partition("/")
        received = [m for m in inboxes[outlet.partition(":")[0]] if _belongs(m, stream)]
        ids = {json.loads(m.payload)["id"] for m in received}
        print(f"{relay['relay']:<28}{relay['confirmed']:>10,}{len(ids):>10,}{len(received) - len(ids):>10,}"
              f"{_rate(received):>10,.0f}")
        check(relay["confirmed"] == crossed[stream], f"{relay['relay']}: {crossed[stream]:,} crossed, {relay['confirmed']:,} confirmed")
        check(len(ids) == crossed[stream], f"{relay['relay']}: {crossed[stream]:,} crossed, {len(ids):,} received")
        check(len(received) == len(ids), f"{relay['relay']}: {len(received) - len(ids):,} repeats without a fault")
    print()
    if faults:
        print("The numbers do not agree:\n  " + "\n  ".join(faults))
        return 1
    print("The numbers agree: what crossed was confirmed by its brokers, and arrived once at each consumer.")
    return 0


def _checker(faults: list[str]) -> Callable[[bool, str], None]:
    def check(good: bool, fault: str) -> None:
        if not good:
            faults.append(fault)

    return check


def _belongs(message: Message, stream: str) -> bool:
    """Whether a message is of this public stream, by its place: an exchange, or a topic's first levels."""
    topic = message.place.get("topic")
    if topic is None:
        return message.place["exchange"] == stream
    return topic.startswith(stream.replace(".", "/") + "/")


def _rate(received: list[Message]) -> float:
    """Messages a second between the first and the last."""
    times = [m.at for m in received]
    return len(times) / max(max(times) - min(times), 0.001) if times else 0.0


def count_lines(path: Path) -> int:
    """How many events a file has."""
    with gzip.open(path, "rb") if path.suffix == ".gz" else path.open("rb") as source:
        return sum(1 for line in source if line.strip())


def say(label: str, text: str) -> None:
    """Prints one line of the play."""
    print(f"{label:<9}{text}", flush=True)


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


if __name__ == "__main__":
    arguments: list[Any] = [Path(a) for a in sys.argv[1:]]
    sys.exit(main(arguments[0], arguments[1] if len(arguments) > 1 else None))
