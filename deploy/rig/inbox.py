"""What a consumer has written down so far, read from its file as it grows."""

from __future__ import annotations

import base64
import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .processes import Process
from .waiting import wait_until

_CONSUMERS = Path(__file__).resolve().parent / "consumers"


@dataclass(frozen=True)
class Message:
    """One message as it came."""

    at: float
    place: dict[str, str]
    properties: dict[str, Any]
    payload: bytes


class Consumer:
    """A running consumer and the file that it writes."""

    def __init__(self, script: str, arguments: list[str], file: Path, python: str = sys.executable) -> None:
        self._file = file
        self._read_bytes = 0
        self._count = 0
        file.touch()
        self.process = Process([python, _CONSUMERS / script, *arguments, file], file.with_suffix(".log"))
        wait_until(lambda: "subscribed" in self.process.tail(), f"{script} has subscribed", 30, state=self.process.tail)

    def count(self) -> int:
        """How many messages have arrived, repeats included."""
        with self._file.open("rb") as source:
            source.seek(self._read_bytes)
            block = source.read()
        self._read_bytes += len(block)
        self._count += block.count(b"\n")
        return self._count

    def messages(self) -> list[Message]:
        """All messages in the order of their arrival."""
        with self._file.open("rb") as source:
            return [_message(line) for line in source if line.endswith(b"\n")]

    def stop(self) -> None:
        """Ends the program; its session or queue stays with the broker."""
        self.process.stop(5)


def mqtt_consumer(port: int, file: Path, topic_filter: str = "bank/#", client_id: str = "judge", **more: str) -> Consumer:
    """Starts a subscriber and returns once the broker has confirmed the subscription."""
    return Consumer("mqtt.py", [str(port), client_id, topic_filter], file, **more)


def amqp_consumer(port: int, file: Path, exchanges: tuple[str, ...] = ("bank.accounts.v1", "bank.lending.v1"),
                  queue: str = "judge", **more: str) -> Consumer:
    """Starts a consumer and returns once its queue is bound."""
    return Consumer("amqp.py", [str(port), queue, ",".join(exchanges)], file, **more)


def _message(line: bytes) -> Message:
    fields = json.loads(line)
    at, properties, payload = fields.pop("at"), fields.pop("properties"), fields.pop("payload")
    return Message(at, fields, properties, base64.b64decode(payload))
