"""Writers who read a purse, decide on what is in it, and append with `If-Match`; some do not wait for their answers, and ask again."""

from __future__ import annotations

import http.client
import json
import random
import socket
import struct
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from proxy import Proxy
from rig.daemon import Answer

WRITERS, PURSES = 32, 6
_HANG_UP = 0.1
_RESET = struct.pack("ii", 1, 0)


class Line:
    """A kept connection through the proxy; it is made again when it breaks."""

    def __init__(self, port: int) -> None:
        self._address = f"127.0.0.1:{port}"
        self._connection = http.client.HTTPConnection(self._address, timeout=20)

    def ask(self, method: str, path: str, body: bytes | None, headers: dict[str, str]) -> Answer:
        """One request; OSError or HTTPException if the answer did not come whole."""
        try:
            self._connection.request(method, path, body, headers)
            answer = self._connection.getresponse()
            return Answer(answer.status, {k.lower(): v for k, v in answer.getheaders()}, answer.read())
        except (OSError, http.client.HTTPException):
            self._connection.close()
            raise

    def hang_up_on(self, method: str, path: str, body: bytes, headers: dict[str, str], after_seconds: float) -> None:
        """Sends a request, and goes away before the answer is read."""
        try:
            self._connection.request(method, path, body, headers)
            time.sleep(after_seconds)
            if self._connection.sock:
                self._connection.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
        except (OSError, http.client.HTTPException):
            pass
        finally:
            self._connection.close()


@dataclass
class Writer:
    """One writer: what it was told is stored, and what it was told is refused."""

    number: int
    line: Line
    rng: random.Random
    until: float
    accepted: dict[str, tuple[str, int]] = field(default_factory=dict)
    refused: set[str] = field(default_factory=set)
    repeats: int = 0
    asked_again: int = 0

    def run(self) -> None:
        """Decides until the time is over; what was begun is brought to its end."""
        while time.monotonic() < self.until:
            self._decide(f"purse-{self.rng.randrange(PURSES)}", f"w{self.number}-{len(self.accepted) + len(self.refused)}")

    def _decide(self, purse: str, event_id: str) -> None:
        found = self._patiently(lambda: self.line.ask("GET", f"/streams/{purse}?direction=backwards&limit=1", None, {}))
        balance, revision, expected = 0, 0, {"if-none-match": "*"}
        if found.status == 200:
            last = found.json()["events"][0]
            balance, revision = last["event"]["data"]["balance"], last["revision"]
            expected = {"if-match": found.headers["etag"]}
        else:
            assert found.status == 404, found.body
        amount = -self.rng.randint(1, balance) if balance and self.rng.random() < 0.6 else self.rng.randint(1, 100)
        event = {"id": event_id, "type": "Moved", "data": {"amount": amount, "balance": balance + amount, "basis": revision}}
        answer = self._append(purse, json.dumps(event).encode(), {"content-type": "application/json", **expected})
        if answer.status in (200, 201):
            assert answer.json()["repeat"] == (answer.status == 200)
            self.repeats += answer.status == 200
            self.accepted[event_id] = (purse, answer.json()["revision"])
        else:
            assert answer.status == 412 and answer.json()["actual"] != revision, answer.body
            self.refused.add(event_id)

    def _append(self, purse: str, body: bytes, headers: dict[str, str]) -> Answer:
        path = f"/streams/{purse}"
        if self.rng.random() < _HANG_UP:
            self.line.hang_up_on("POST", path, body, headers, self.rng.choice([0, 0, 0.001, 0.01]))
            self.asked_again += 1
        return self._patiently(lambda: self.line.ask("POST", path, body, headers))

    def _patiently(self, ask: Callable[[], Answer]) -> Answer:
        give_up = time.monotonic() + 60
        while True:
            try:
                return ask()
            except (OSError, http.client.HTTPException):
                assert time.monotonic() < give_up, "no answer for a minute"
                self.asked_again += 1


def race(port: int, seed: int, seconds: float) -> list[Writer]:
    """Lets all writers run, while the proxy cuts connections in the middle of answers."""
    proxy = Proxy(port)
    rng = random.Random(seed)
    until = time.monotonic() + seconds
    writers = [Writer(n, Line(proxy.port), random.Random(f"{seed}-{n}"), until) for n in range(WRITERS)]
    failures: list[BaseException] = []

    def run(writer: Writer) -> None:
        try:
            writer.run()
        except BaseException as failure:  # it is told in the test's own thread
            failures.append(failure)
            raise

    threads = [threading.Thread(target=run, args=(writer,)) for writer in writers]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        proxy.down.cut_after_bytes = rng.randrange(1, 2_000)
        threads[rng.randrange(WRITERS)].join(0.02)
    proxy.close()
    assert not failures, failures
    return writers


def check_purses(events: dict[str, list[dict[str, Any]]], writers: list[Writer]) -> None:
    """Every event was decided on the true last revision, nothing is there twice, and what is there is what was accepted."""
    stored: dict[str, tuple[str, int]] = {}
    for purse, entries in events.items():
        balance = 0
        for revision, entry in enumerate(entries, 1):
            data, event_id = entry["event"]["data"], entry["event"]["id"]
            balance += data["amount"]
            assert entry["revision"] == revision
            assert balance >= 0, f"{purse} is overdrawn at revision {revision}"
            assert data["balance"] == balance and data["basis"] == revision - 1, f"{purse}: {revision} was decided on {data['basis']}"
            assert event_id not in stored, f"{event_id} is there twice"
            stored[event_id] = (purse, revision)
    accepted: dict[str, tuple[str, int]] = {}
    for writer in writers:
        accepted |= writer.accepted
        assert not writer.refused & stored.keys(), "what was refused is stored"
    assert accepted == stored
