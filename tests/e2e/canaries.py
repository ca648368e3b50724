"""Canaries: unique texts put where private values were, and the search for them in bytes that left.

Every canary begins with the same mark, which occurs nowhere else; whoever finds no mark, in any of the encodings below,
finds no canary.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Callable, Iterable
from pathlib import Path

import exact

MARK = "zq7CanaryK3vX"
PERSONAL = ("birthNumber", "bornOn", "sex")


class Canaries:
    """Makes them; the same private text always becomes the same canary."""

    def __init__(self) -> None:
        self._made: dict[tuple[str, str], str] = {}

    def stand_in(self, kind: str, text: str) -> str:
        """The canary for a text."""
        return self._made.setdefault((kind, text), f"{MARK}{kind}{len(self._made):06d}")

    def __len__(self) -> int:
        return len(self._made)


def put_canaries(events: Iterable[dict[str, object]], sink: Path) -> Canaries:
    """Writes a copy of the events in which ids, stream names and personal values are canaries."""
    canaries = Canaries()
    with sink.open("w") as out:
        for event in events:
            category, _, rest = str(event["stream"]).partition("-")
            event["stream"] = f"{category}-{canaries.stand_in('stream', rest)}"
            event["id"] = canaries.stand_in("id", str(event["id"]))
            data = event["data"]
            assert isinstance(data, dict)
            for name in PERSONAL:
                if name in data:
                    # Each person's own: two people born on one day get two canaries.
                    data[name] = canaries.stand_in(name, f"{data['clientId']}")
            out.write(exact.dumps(event) + "\n")
    return canaries


def admit_canaries(private_schemas: Path) -> None:
    """Lets a copy of the private schemas take any text for the personal values; they stay marked as personal."""
    path = private_schemas / "client" / "ClientRegistered.json"
    schema = json.loads(path.read_text())
    for name in PERSONAL:
        assert schema["properties"][name]["x-personal"] is True
        schema["properties"][name] = {"type": "string", "x-personal": True}
    path.write_text(json.dumps(schema))


def encodings(mark: bytes) -> dict[str, Callable[[bytes], bool]]:
    """How a text could be hidden in bytes, each with its search."""

    def plain(needle: bytes) -> Callable[[bytes], bool]:
        pattern = re.compile(re.escape(needle), re.IGNORECASE)
        return lambda haystack: pattern.search(haystack) is not None

    searches = {
        "plain": plain(mark),
        "percent-encoded": plain(b"".join(b"%%%02x" % byte for byte in mark)),
        "hexadecimal": plain(mark.hex().encode()),
        "UTF-16": plain(mark.decode().encode("utf-16-le")),
        "reversed": plain(mark[::-1]),
    }
    for shift in range(3):
        needle = _base64_core(mark, shift)
        searches[f"base64 at offset {shift}"] = lambda haystack, needle=needle: needle in haystack
    return searches


def _base64_core(text: bytes, shift: int) -> bytes:
    """What the base64 of any text that holds this one at `shift` modulo 3 holds for certain: whole groups of three."""
    core = text[(3 - shift) % 3:]
    return base64.b64encode(core[: len(core) // 3 * 3])


def find(haystack: bytes) -> list[str]:
    """The encodings in which a canary is in these bytes."""
    return [name for name, found in encodings(MARK.encode()).items() if found(haystack)]

