"""Faults at seeded random moments while events are imported, and the whole truth afterwards.

The events are imported in as many parts as there are faults, so that each fault falls into work that is going on. An import
that a fault ended is started again until its part is in. RabbitMQ comes back in the background, so that other faults fall
into its absence.
"""

from __future__ import annotations

import gzip
import random
import subprocess
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from judges import Verdict, judge, same_bytes
from jsonschema import Draft202012Validator
from oracle import forecast, read_events
from rack import Rack, wait_different
from rig.waiting import TooLate, wait_until

LONGEST_DELAY_SECONDS = 0.8
IMPORT_ATTEMPTS = 20


@dataclass(frozen=True)
class Faults:
    """How many of each."""

    daemon_kills: int = 10
    rabbitmq_kills: int = 5
    mosquitto_stops: int = 5

    def shuffled(self, dice: random.Random) -> list[str]:
        """All of them in random order."""
        order = (["kill daemon"] * self.daemon_kills + ["kill RabbitMQ"] * self.rabbitmq_kills
                 + ["stop Mosquitto"] * self.mosquitto_stops)
        dice.shuffle(order)
        return order


@dataclass
class Chaos:
    """One run. The seed is printed, and gives the same faults after the same delays again."""

    rack: Rack
    seed: int
    done: list[str] = field(default_factory=list)
    _recovery: threading.Thread | None = None
    _recovery_failed: list[BaseException] = field(default_factory=list)

    def run(self, events: Path, faults: Faults) -> None:
        """Imports all events amid the faults, repairs everything, and waits until all is settled."""
        print(f"chaos with seed {self.seed}")
        dice = random.Random(self.seed)
        order = faults.shuffled(dice)
        parts = split(events, len(order) + 1, self.rack.folder)
        for part, fault in zip(parts, order, strict=False):
            self._import(part, lambda fault=fault: self._inflict(fault, dice))
        self._import(parts[-1])
        self._await_recovery()
        self.rack.wait_settled(180)

    def _inflict(self, fault: str, dice: random.Random) -> None:
        delay = dice.uniform(0.0, LONGEST_DELAY_SECONDS)
        time.sleep(delay)  # the random moment itself, not a wait for something
        self.done.append(f"{fault} after {delay:.3f} s")
        brokers = self.rack.brokers
        if fault == "kill daemon":
            self.rack.daemon.kill()
            self.rack.daemon.start()
        elif fault == "kill RabbitMQ":
            self._await_recovery()
            brokers.rabbitmq.kill()
            self._recovery = threading.Thread(target=self._recover, args=(brokers.rabbitmq.start,))
            self._recovery.start()
        else:
            brokers.mosquitto.stop()
            brokers.mosquitto.start()

    def _recover(self, start: Callable[[], None]) -> None:
        try:
            start()
        except BaseException as failure:  # noqa: BLE001 - told by the thread that waits
            self._recovery_failed.append(failure)

    def _await_recovery(self) -> None:
        if self._recovery:
            self._recovery.join()
            self._recovery = None
        if self._recovery_failed:
            raise self._recovery_failed[0]

    def _import(self, part: Path, meanwhile: Callable[[], None] = lambda: None) -> None:
        """Imports a part; the fault comes during the first attempt."""
        for attempt in range(IMPORT_ATTEMPTS):
            running = subprocess.Popen(self.rack.daemon.command("import", part), stdin=subprocess.DEVNULL,
                                       stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                                       env=self.rack.daemon.environment())
            try:
                if attempt == 0:
                    meanwhile()
                output, _ = running.communicate(timeout=120)
            finally:
                running.kill()
                running.wait()
            if running.returncode == 0:
                return
        raise AssertionError(f"the import of {part.name} failed {IMPORT_ATTEMPTS} times, the last time with:\n{output}")


def split(events: Path, parts: int, folder: Path) -> list[Path]:
    """Cuts a file of events into parts of about the same length, in order."""
    with gzip.open(events, "rb") if events.suffix == ".gz" else events.open("rb") as source:
        lines = source.readlines()
    paths = []
    for n in range(parts):
        path = folder / f"part-{n:03d}.jsonl"
        path.write_bytes(b"".join(lines[len(lines) * n // parts: len(lines) * (n + 1) // parts]))
        paths.append(path)
    return paths


def assert_nothing_lost(rack: Rack, events: Path, schemas: dict[str, Draft202012Validator]) -> tuple[Verdict, Verdict]:
    """Nothing is missing, repeats are the same bytes, first arrivals are in order, at both consumers."""
    due = forecast(read_events(events))
    verdicts = []
    for consumer in (rack.mqtt, rack.amqp):
        try:
            wait_different(consumer, due.count(), 40)
        except TooLate:
            pass  # what is missing is told by the judges
        verdicts.append(judge(consumer.messages(), due, schemas, repeats_allowed=True))
    for verdict in verdicts:
        verdict.assert_good()
    assert not same_bytes(*verdicts)
    return verdicts[0], verdicts[1]
