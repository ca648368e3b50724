"""The lines that consumers write."""

from __future__ import annotations

import base64
import json
import signal
import threading
import time
from pathlib import Path
from types import FrameType
from typing import Any


class Recorder:
    """Appends messages to a file, a JSON line each."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("ab", buffering=0)

    def write(self, place: dict[str, str], properties: dict[str, Any], payload: bytes) -> None:
        """Writes one message down."""
        line = {"at": time.time(), **place, "properties": properties, "payload": base64.b64encode(payload).decode()}
        self._file.write(json.dumps(line, default=_text, separators=(",", ":")).encode() + b"\n")


def stop_on_signal() -> threading.Event:
    """An event that SIGTERM and SIGINT set."""
    stopped = threading.Event()

    def on_signal(_number: int, _frame: FrameType | None) -> None:
        stopped.set()

    signal.signal(signal.SIGTERM, on_signal)
    signal.signal(signal.SIGINT, on_signal)
    return stopped


def say(text: str) -> None:
    """Prints one line at once."""
    print(text, flush=True)




def _text(value: object) -> str:
    if isinstance(value, bytes):
        return value.decode("latin-1")
    return str(value)
