"""Reading over HTTP as others do it: pages by their links, and server-sent events with PyPI's sseclient-py over http.client."""

from __future__ import annotations

import http.client
import json
import re
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Self

import sseclient
from rig.daemon import Answer, Daemon
from rig.waiting import wait_until

BATCH, LINES, JSON = "application/cloudevents-batch+json", "application/x-ndjson", "application/json"
EVENTS = "text/event-stream"


def links(answer: Answer) -> dict[str, str]:
    """The answer's links by relation (RFC 8288, as far as it is used here)."""
    return {relation: target for target, relation in re.findall(r'<([^>]*)>; rel="([^"]*)"', answer.headers.get("link", ""))}


def get(daemon: Daemon, path: str, accept: str | None = None, **headers: str) -> Answer:
    """A GET of some form."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return daemon.http("GET", path, headers=named | ({"accept": accept} if accept else {}))


def pages(daemon: Daemon, path: str | None, accept: str) -> Iterator[Answer]:
    """A page and all that come after it."""
    while path:
        answer = get(daemon, path, accept)
        assert answer.status == 200, answer
        yield answer
        path = links(answer).get("next")


def lines(body: bytes) -> list[bytes]:
    """The documents of JSON lines."""
    assert not body or body.endswith(b"\n")
    return body.split(b"\n")[:-1]


@dataclass(frozen=True)
class Told:
    """One server-sent event."""

    id: str | None
    event: str
    data: str

    def json(self) -> Any:
        """Its data."""
        return json.loads(self.data)


class Follower:
    """Follows in a thread, comes back by itself with `Last-Event-ID` as a browser's EventSource does, and keeps what it was told."""

    def __init__(self, daemon: Daemon, path: str, last_id: str | None = None) -> None:
        self._daemon, self._path = daemon, path
        self.last_id = last_id
        self.told: list[Told] = []
        self.connections = 0
        self.broken = 0
        """Connections that did not end as they should."""
        self.refused: Answer | None = None
        self._done = threading.Event()
        self._connection: http.client.HTTPConnection | None = None
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._done.set()
        if self._connection and self._connection.sock:
            self._connection.sock.shutdown(2)
        self._thread.join(10)

    def messages(self) -> list[Told]:
        """The events themselves."""
        return [told for told in self.told if told.event == "message"]

    def places(self) -> list[int]:
        """Their positions or sequences."""
        return [int(told.id or "") for told in self.messages()]

    def wait_for(self, condition: Callable[[list[Told]], object], what: str, seconds: float = 30) -> None:
        """Waits until what was told is as it should be."""
        wait_until(lambda: condition(self.told), what, seconds, state=lambda: (self.refused, self.told[-3:]))

    def wait_caught_up(self) -> None:
        """Waits until it is told that history has ended."""
        self.wait_for(lambda told: any(one.event == "caught-up" for one in told), "caught up")

    def _run(self) -> None:
        while not self._done.is_set() and not self.refused:
            try:
                self._connect()
            except (OSError, ValueError, http.client.HTTPException):
                self.broken += 1
            self._done.wait(0.02)

    def _connect(self) -> None:
        connection = http.client.HTTPConnection(self._daemon.addresses()["http"], timeout=60)
        headers = {"accept": EVENTS} | ({"last-event-id": self.last_id} if self.last_id else {})
        try:
            connection.request("GET", self._path, headers=headers)
            self._connection = connection
            answer = connection.getresponse()
            if answer.status != 200:
                self.refused = Answer(answer.status, dict(answer.getheaders()), answer.read())
                return
            self.connections += 1
            for event in sseclient.SSEClient(answer).events():
                self.last_id = event.id or self.last_id
                self.told.append(Told(event.id, event.event, event.data))
        finally:
            connection.close()
